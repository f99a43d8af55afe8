#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.peering_info: the peering connections of an account and Region."""

from __future__ import annotations

DOCUMENTATION = r"""
module: peering_info
version_added: 0.1.0
short_description: List VPC peering connections with both their sides
description:
  - Tells every connection that the account sees in the Region, dead ones too, which AWS lists for a while; filters narrow that down.
  - One paged call, however many connections there are.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.info_module
  - cloudnet.vpc.attributes.actiongroup_vpc
  - cloudnet.vpc.engine
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  peering_ids:
    description:
      - Only these connections. One that is not there is no error.
    type: list
    elements: str
  vpc_ids:
    description:
      - Only connections of which one side, requester or accepter, is one of these VPCs.
    type: list
    elements: str
  statuses:
    description:
      - Only connections in one of these states.
    type: list
    elements: str
    choices: [initiating-request, pending-acceptance, provisioning, active, deleting, deleted, rejected, failed, expired]
seealso:
  - module: cloudnet.vpc.peering
"""

EXAMPLES = r"""
- name: What waits for acceptance
  cloudnet.vpc.peering_info:
    region: us-east-1
    statuses: [pending-acceptance]

- name: The connections of one VPC
  cloudnet.vpc.peering_info:
    vpc_ids: [vpc-0a1b2c3d4e5f60718]
"""

RETURN = r"""
peerings:
  description: The connections, by id.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id.
      type: str
      sample: pcx-0a1b2c3d4e5f60718
    status:
      description: Its state, one of AWS's nine.
      type: str
      sample: active
    message:
      description: AWS's words on the state.
      type: str
      sample: Active
    requester:
      description: The requester's side. C(cidrs) is empty unless the connection is active, for AWS does not tell them before.
      type: dict
      sample: {account: "111111111111", cidrs: [10.0.0.0/16], dns: true, region: us-east-1, vpc: vpc-0a1b2c3d4e5f60718}
    accepter:
      description: The accepter's side.
      type: dict
      sample: {account: "111111111111", cidrs: [10.1.0.0/16], dns: true, region: us-east-1, vpc: vpc-0b1c2d3e4f5061728}
    expires:
      description: Until when a request can be accepted.
      type: str
      sample: "2026-11-28T21:14:05+00:00"
    tags:
      description: The tags as the account of the task sees them.
      type: dict
      sample: {"cloudnet:topology": adhoc}
    topology:
      description: The topology that made it, empty for what none of ours made.
      type: str
      sample: two-vpcs
"""

from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import PEERING_STATES
from ansible_collections.cloudnet.vpc.plugins.module_utils.connection import Looker, described
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import aws_module, finish

ARGUMENTS: dict[str, Any] = {
    "peering_ids": {"type": "list", "elements": "str"},
    "vpc_ids": {"type": "list", "elements": "str"},
    "statuses": {"type": "list", "elements": "str", "choices": list(PEERING_STATES)},
}


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    ids, vpcs, statuses = (module.params[key] for key in ("peering_ids", "vpc_ids", "statuses"))
    told = {"vpc-peering-connection-id": ids, "status-code": statuses}
    filters = [{"Name": name, "Values": values} for name, values in told.items() if values]
    looker = Looker(module)
    found = [] if [] in (ids, vpcs, statuses) else list(looker.peerings(*filters).peerings.values())
    chosen = [item for item in found if vpcs is None or item.pair & set(vpcs)]
    return {
        "changed": False,
        "peerings": [{**(described(item) or {}), "topology": item.topology} for item in sorted(chosen, key=lambda item: item.id)],
    }


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS)
    finish(module, lambda: run(module))


if __name__ == "__main__":
    main()
