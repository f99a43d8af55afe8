#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of cloudnet.vpc.iam_role; it is done by the action plugin of that name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_role
version_added: 0.2.0
short_description: Make or remove an IAM role, as M(amazon.aws.iam_role) does
description:
  - Runs M(amazon.aws.iam_role), and leaves out of its result the announcement, made at every call, that a return value will go. Nothing of
    this collection reads that value.
  - Takes what the roles and playbooks of this collection need; for more use M(amazon.aws.iam_role) itself. Makes and removes no instance
    profile.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.action
  - cloudnet.vpc.attributes.actiongroup_vpc
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  action:
    support: full
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  name:
    description: The role's name.
    type: str
    required: true
  state:
    description: Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: The role's description.
    type: str
  assume_role_policy_document:
    description: Who may assume it. Required for a role that is to be there.
    type: json
  managed_policies:
    description: Names or ARNs of managed policies to attach.
    type: list
    elements: str
  purge_policies:
    description: Whether other managed policies are detached.
    type: bool
    default: true
  boundary:
    description: The ARN of the permissions boundary.
    type: str
  tags:
    description: The role's tags.
    type: dict
seealso:
  - module: amazon.aws.iam_role
"""

EXAMPLES = r"""
- name: Have a role for instances
  cloudnet.vpc.iam_role:
    name: nodes
    assume_role_policy_document:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}
    managed_policies: [AmazonSSMManagedInstanceCore]
"""

RETURN = r"""
iam_role:
  description: The role, as M(amazon.aws.iam_role) returns it.
  returned: when O(state=present)
  type: dict
  sample: {arn: "arn:aws:iam::111111111111:role/nodes", role_name: nodes, tags: {}}
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "description": {"type": "str"},
    "assume_role_policy_document": {"type": "json"},
    "managed_policies": {"type": "list", "elements": "str"},
    "purge_policies": {"type": "bool", "default": True},
    "boundary": {"type": "str"},
    "tags": {"type": "dict"},
}


def main() -> None:
    """Say why nothing was done: Ansible runs the action plugin in this module's place."""
    module = AnsibleAWSModule(argument_spec=ARGUMENTS, supports_check_mode=True, check_boto3=False)
    module.fail_json(msg="cloudnet.vpc.iam_role runs on the controller, by its action plugin")


if __name__ == "__main__":
    main()
