#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of cloudnet.vpc.iam_role_info; it is done by the action plugin of that name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_role_info
version_added: 0.2.0
short_description: Look for IAM roles, as M(amazon.aws.iam_role_info) does
description:
  - Runs M(amazon.aws.iam_role_info), and leaves out of its result the announcement, made at every call, that a return value will go.
    Nothing of this collection reads that value.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.info_module
  - cloudnet.vpc.attributes.action
  - cloudnet.vpc.attributes.actiongroup_vpc
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  action:
    support: full
options:
  name:
    description: The role's name; all roles without it.
    type: str
seealso:
  - module: amazon.aws.iam_role_info
"""

EXAMPLES = r"""
- name: Look for the role
  cloudnet.vpc.iam_role_info:
    name: nodes
  register: there
"""

RETURN = r"""
iam_roles:
  description: The roles that are there, as M(amazon.aws.iam_role_info) returns it.
  returned: success
  type: list
  elements: dict
  sample: [{arn: "arn:aws:iam::111111111111:role/nodes", role_name: nodes, tags: {}}]
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENTS: dict[str, Any] = {"name": {"type": "str"}}


def main() -> None:
    """Say why nothing was done: Ansible runs the action plugin in this module's place."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True, check_boto3=False)
    module.fail_json(msg="cloudnet.vpc.iam_role_info runs on the controller, by its action plugin")


if __name__ == "__main__":
    main()
