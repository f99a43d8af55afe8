# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cloudnet.vpc.iam_role_info. The documentation is in plugins/modules/iam_role_info.py."""

from __future__ import annotations

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.amazon_action import AmazonAction


class ActionModule(AmazonAction):
    """amazon.aws.iam_role_info."""

    MODULE = "amazon.aws.iam_role_info"
    UNREAD = ("assume_role_policy_document_raw",)
