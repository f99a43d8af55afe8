#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.peering: one peering connection."""

from __future__ import annotations

DOCUMENTATION = r"""
module: peering
version_added: 0.1.0
short_description: Request, accept, set up or delete one VPC peering connection
description:
  - Makes the connection of two VPCs that exist, in either direction, and accepts it where there are credentials for the accepter. A live
    connection of the pair is found and used, whoever requested it; dead ones, which AWS lists for a while, do not stand in the way.
  - Without credentials for the other side it does its own half, and tells in RV(handoff) what the other owner must do.
  - A connection that others made is not tagged. It is deleted all the same when O(state=absent) names it.
  - Routes and rules are left to M(cloudnet.vpc.peering_routes) and M(cloudnet.vpc.peering_rules). For a whole network there is
    M(cloudnet.vpc.network).
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.actiongroup_vpc
  - cloudnet.vpc.engine
  - cloudnet.vpc.engine.connection
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  requester_vpc_id:
    description:
      - The VPC that requests. With O(accept_only), the VPC of the other owner, who requests.
    type: str
  accepter_vpc_id:
    description:
      - The VPC that accepts.
    type: str
  peering_id:
    description:
      - The connection itself, instead of both VPCs.
    type: str
  requester_region:
    description:
      - The Region of the requester's VPC. The default is O(region).
    type: str
  accepter_region:
    description:
      - The Region of the accepter's VPC. The default is O(region).
    type: str
  requester_account:
    description:
      - The 12-digit account that owns the requester's VPC, where it is another than the task's.
    type: str
  accepter_account:
    description:
      - The 12-digit account that owns the accepter's VPC. Where it is another than the task's, and neither O(accepter_profile) nor
        O(accepter_role_arn) is given, only the task's half is done.
    type: str
  accept_only:
    description:
      - Never request; accept what the other owner requested, once it is there.
    type: bool
    default: false
  dns:
    description:
      - Whether each side's public DNS hostnames resolve to private addresses from the other side. Left as it is without this option. Each
        side is set for which there are credentials, once the connection is active.
    type: bool
  tags:
    description:
      - Tags for the connection beside the two of ours. Other tags are left alone.
    type: dict
    default: {}
seealso:
  - module: cloudnet.vpc.peering_info
  - module: cloudnet.vpc.peering_routes
  - module: cloudnet.vpc.peering_rules
  - name: VPC peering connection lifecycle
    description: The nine states.
    link: https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html
"""

EXAMPLES = r"""
- name: Join two VPCs of one account
  cloudnet.vpc.peering:
    requester_vpc_id: vpc-0a1b2c3d4e5f60718
    accepter_vpc_id: vpc-0b1c2d3e4f5061728
    region: us-east-1
    dns: true

- name: Join a VPC of another account and Region, and accept it there
  cloudnet.vpc.peering:
    requester_vpc_id: vpc-0a1b2c3d4e5f60718
    accepter_vpc_id: vpc-0c1d2e3f405162738
    accepter_region: eu-west-1
    accepter_profile: partner
    tags: {project: finance-hub}

- name: Only request; the other owner accepts
  cloudnet.vpc.peering:
    requester_vpc_id: vpc-0a1b2c3d4e5f60718
    accepter_vpc_id: vpc-0d1e2f3041526374a
    accepter_account: "210987654321"
  register: asked

- name: Tell them how
  cloudnet.vpc.show:
    handoff: "{{ asked.handoff }}"

- name: Accept what another owner has requested
  cloudnet.vpc.peering:
    peering_id: pcx-0a1b2c3d4e5f60718
    accept_only: true

- name: Delete it
  cloudnet.vpc.peering:
    peering_id: pcx-0a1b2c3d4e5f60718
    state: absent
"""

RETURN = r"""
peering:
  description: The connection with both sides. Null when there is none, and in check mode while it is only planned.
  returned: success
  type: dict
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
handoff:
  description: What the other owner must do, where there are no credentials for that side; see M(cloudnet.vpc.network).
  returned: success
  type: list
  elements: dict
plan:
  description: What was to be done when the task began; see M(cloudnet.vpc.network).
  returned: success
  type: dict
  sample: {counts: {add: 2, change: 0, remove: 0}, topology: adhoc}
calls:
  description: How many API calls were made by the engine, by action.
  returned: success
  type: dict
  sample: {"ec2:DescribeTags": 1, "ec2:DescribeVpcPeeringConnections": 1, "ec2:DescribeVpcs": 1, "sts:GetCallerIdentity": 1}
identities:
  description: Who the task was; the name of the task's own account is empty.
  returned: success
  type: dict
  sample: {"": {account: "111111111111", arn: "arn:aws:iam::111111111111:user/admin"}}
"""

from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import TOPOLOGY_TAG, Peering
from ansible_collections.cloudnet.vpc.plugins.module_utils.connection import Looker, Side, described, found, sides, topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Options
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import (
    ACCEPTER,
    STATE,
    TOPOLOGY_NAME,
    Journal,
    aws_module,
    converge,
    finish,
    shown,
)

ARGUMENTS: dict[str, Any] = {
    **STATE,
    **TOPOLOGY_NAME,
    **ACCEPTER,
    "requester_vpc_id": {"type": "str"},
    "accepter_vpc_id": {"type": "str"},
    "peering_id": {"type": "str"},
    "requester_region": {"type": "str"},
    "accepter_region": {"type": "str"},
    "requester_account": {"type": "str"},
    "accepter_account": {"type": "str"},
    "accept_only": {"type": "bool", "default": False},
    "dns": {"type": "bool"},
    "tags": {"type": "dict", "default": {}},
}

KINDS = ("peering", "peering_acceptance", "peering_options")


def ends(params: dict[str, Any], looker: Looker) -> tuple[Side, Side] | None:
    """Requester and accepter as the task names them; None for a connection that is gone, which is as it should be when absent."""
    if params["peering_id"]:
        absent = params["state"] == "absent"
        if absent and looker.peering(params["peering_id"]) is None:
            return None
        return sides(found(looker, params["peering_id"], live=not absent))
    for name in ("requester", "accepter"):
        if params[f"{name}_account"] and not (params[f"{name}_account"].isdigit() and len(params[f"{name}_account"]) == 12):
            raise CloudnetError(f"{name}_account: {params[f'{name}_account']} is not 12 digits; put the number in quotes")
    if params["requester_vpc_id"] == params["accepter_vpc_id"]:
        raise CloudnetError(f"accepter_vpc_id: {params['accepter_vpc_id']} cannot be peered with itself")
    return side(params, "requester"), side(params, "accepter")


def side(params: dict[str, Any], name: str) -> Side:
    """One end as the task names it."""
    return Side(params[f"{name}_vpc_id"], params[f"{name}_account"] or "", params[f"{name}_region"] or "")


def made_by(peering: Peering) -> str:
    """The topology that made a connection, as either side's tags tell it; empty for none."""
    return next((tags[TOPOLOGY_TAG] for tags in (peering.tags, *peering.seen.values()) if tags.get(TOPOLOGY_TAG)), "")


def run(module: Any, journal: Journal) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    params = dict(module.params)
    looker = Looker(module)
    pair = ends(params, looker)
    if pair is None:
        return {"changed": False, "peering": None, "handoff": [], "plan": None, "calls": dict(looker.client.calls)}
    wish, (requester, accepter) = topology(
        params,
        looker,
        pair,
        dns=params["dns"],
        accept_only=params["accept_only"],
        id=params["peering_id"] or "",
        tags={str(key): str(value) for key, value in params["tags"].items()},
    )
    base = f"peerings.{wish.peerings[0].name}"
    options = Options(
        absent=params["state"] == "absent",
        check=module.check_mode,
        narrow=True,
        # Of this topology there may be other connections, which other tasks made.
        only=lambda action: action.kind in KINDS and f"{action.name}.".startswith(f"{base}."),
        progress=journal.progress,
    )
    estate, result = converge(module, wish, options)
    answer = shown(module, estate, result)
    del answer["outputs"]
    live = [item for item in result.network.peerings.values() if item.live and item.pair == {requester, accepter}]
    there = live[0] if live and not live[0].id.startswith("planned:") else None
    if there and options.absent and (maker := made_by(there)) not in ("", wish.name):
        raise CloudnetError(f"{there.id} was made by topology {maker}, so it stays: remove it there, or set topology to {maker}")
    return {**answer, "peering": described(there), "calls": dict(looker.client.calls + estate.client.calls)}


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(
        ARGUMENTS,
        required_one_of=[("peering_id", "requester_vpc_id")],
        required_together=[("requester_vpc_id", "accepter_vpc_id")],
        mutually_exclusive=[("peering_id", "requester_vpc_id"), ("peering_id", "accepter_vpc_id")],
    )
    journal = Journal()
    finish(module, lambda: run(module, journal), journal)


if __name__ == "__main__":
    main()
