# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cloudnet.vpc.iam_role. The documentation is in plugins/modules/iam_role.py."""

from __future__ import annotations

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.amazon_action import AmazonAction


class ActionModule(AmazonAction):
    """amazon.aws.iam_role."""

    MODULE = "amazon.aws.iam_role"
    UNREAD = ("assume_role_policy_document_raw",)
    # Instance profiles are made and removed by amazon.aws.iam_instance_profile.
    DEFAULTS = {"create_instance_profile": False, "delete_instance_profile": False}
