#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.peering_routes: the routes over one peering connection."""

from __future__ import annotations

DOCUMENTATION = r"""
module: peering_routes
version_added: 0.1.0
short_description: Set or remove the routes over one VPC peering connection
description:
  - Sets routes through a connection in named route tables of either side or both. Other routes stay.
  - A route of the same destination that leads elsewhere is refused, unless O(replace_routes) says to take it over. One that leads to a dead
    connection of the same two VPCs is repaired.
  - Routes can be set while the connection still waits for acceptance; AWS calls them blackholes until it is active.
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
  peering_id:
    description:
      - The connection.
    type: str
    required: true
  requester:
    description:
      - The tables of the requester's VPC.
    type: dict
    suboptions:
      route_tables:
        description:
          - The tables, by id, by Name tag, or V(main).
        type: list
        elements: str
        required: true
      destinations:
        description:
          - CIDR blocks beyond the connection. The default is every block of the other VPC, of IPv6 only where both VPCs have it. With
            O(state=absent) the default is every route of the tables that leads through the connection.
        type: list
        elements: str
  accepter:
    description:
      - The tables of the accepter's VPC.
    type: dict
    suboptions:
      route_tables:
        description:
          - The tables, by id, by Name tag, or V(main).
        type: list
        elements: str
        required: true
      destinations:
        description:
          - CIDR blocks beyond the connection. The default is every block of the other VPC, of IPv6 only where both VPCs have it. With
            O(state=absent) the default is every route of the tables that leads through the connection.
        type: list
        elements: str
  replace_routes:
    description:
      - Take over routes of others that stand where these want to be.
    type: bool
    default: false
seealso:
  - module: cloudnet.vpc.peering
  - module: cloudnet.vpc.peering_rules
"""

EXAMPLES = r"""
- name: Route both ways
  cloudnet.vpc.peering_routes:
    peering_id: pcx-0a1b2c3d4e5f60718
    requester: {route_tables: [main]}
    accepter: {route_tables: [rtb-0a1b2c3d4e5f60718, private]}

- name: Only to one subnet of the accepter
  cloudnet.vpc.peering_routes:
    peering_id: pcx-0a1b2c3d4e5f60718
    requester: {route_tables: [main], destinations: [10.1.1.0/24]}

- name: Take all routes through the connection out of a table
  cloudnet.vpc.peering_routes:
    peering_id: pcx-0a1b2c3d4e5f60718
    requester: {route_tables: [main]}
    state: absent
"""

RETURN = r"""
routes:
  description: The routes of the named tables that lead through the connection now. In check mode, that would.
  returned: success
  type: list
  elements: dict
  sample: [{destination: 10.1.0.0/16, route_table: rtb-0a1b2c3d4e5f60718, state: active, vpc: vpc-0a1b2c3d4e5f60718}]
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

import ipaddress
from dataclasses import replace
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import RouteTableSpec, Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.connection import Looker, found, sides, topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Options, Result
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

ENDS = ("requester", "accepter")
SIDE: dict[str, Any] = {
    "type": "dict",
    "options": {
        "route_tables": {"type": "list", "elements": "str", "required": True},
        "destinations": {"type": "list", "elements": "str"},
    },
}
ARGUMENTS: dict[str, Any] = {
    **STATE,
    **TOPOLOGY_NAME,
    **ACCEPTER,
    "peering_id": {"type": "str", "required": True},
    "requester": SIDE,
    "accepter": SIDE,
    "replace_routes": {"type": "bool", "default": False},
}


def blocks(path: str, values: list[str] | None) -> tuple[str, ...]:
    """CIDR blocks in canonical form. Raises CloudnetError."""
    result = []
    for value in values or ():
        try:
            result.append(str(ipaddress.ip_network(value)))
        except ValueError as error:
            raise CloudnetError(f"{path}: {error}; give a CIDR block such as 10.1.0.0/16") from None
    return tuple(dict.fromkeys(result))


def wished(params: dict[str, Any], looker: Looker) -> Topology:
    """The connection with the tables and destinations that the task names. Raises CloudnetError."""
    pair = sides(found(looker, params["peering_id"], live=params["state"] == "present"))
    tables: dict[str, tuple[str, ...]] = {}
    narrowed: dict[str, tuple[str, ...]] = {}
    for name, (side, other) in zip(ENDS, (pair, pair[::-1]), strict=True):
        if (wish := params[name]) is None:
            continue
        tables[side.vpc] = tuple(dict.fromkeys(wish["route_tables"]))
        if destinations := blocks(f"{name}.destinations", wish["destinations"]):
            narrowed[other.vpc] = destinations
    made, names = topology(
        params, looker, pair, id=params["peering_id"], tables=tables, only=narrowed, replace_routes=params["replace_routes"]
    )
    vpcs = dict(made.vpcs)
    for name, (vpc, peer) in zip(ENDS, (names, names[::-1]), strict=True):
        if vpc not in tables:
            continue
        if vpcs[vpc].remote:
            raise CloudnetError(f"{name}: there are no credentials for {vpc}, whose owner is another account: its owner sets its routes")
        remote = vpcs[peer].remote
        if remote and not remote.cidrs and not narrowed.get(peer) and params["state"] == "present":
            raise CloudnetError(f"{name}.destinations: AWS tells the blocks of {peer} only once the connection is active: give them")
        vpcs[vpc] = replace(vpcs[vpc], route_tables={ref: RouteTableSpec(ref, ref, path=f"{name}.route_tables") for ref in tables[vpc]})
    return replace(made, vpcs=vpcs)


def present(wish: Topology, result: Result) -> list[dict[str, Any]]:
    """The routes of the named tables that lead through the connection."""
    (spec,) = wish.peerings
    named = {result.ids.get(f"vpcs.{vpc}.route_tables.{ref}") for vpc, refs in spec.tables.items() for ref in refs}
    return [
        {"vpc": table.vpc, "route_table": table.id, "destination": route.destination, "state": route.state}
        for table in sorted(result.network.route_tables.values(), key=lambda table: table.id)
        if table.id in named
        for route in table.routes
        if route.target == spec.id
    ]


def run(module: Any, journal: Journal) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    looker = Looker(module)
    wish = wished(dict(module.params), looker)
    (spec,) = wish.peerings
    others = {spec.requester: spec.accepter, spec.accepter: spec.requester}

    def concerns(action: Any) -> bool:
        if action.kind != "route":
            return False
        table, _mark, destination = action.name.partition(".routes.")
        vpc = next((name for name, refs in spec.tables.items() if table in {f"vpcs.{name}.route_tables.{ref}" for ref in refs}), "")
        return bool(vpc) and destination in spec.routed(others[vpc], [destination])

    absent = module.params["state"] == "absent"
    options = Options(absent=absent, check=module.check_mode, narrow=True, only=concerns, progress=journal.progress)
    estate, result = converge(module, wish, options)
    answer = shown(module, estate, result)
    for key in ("outputs", "handoff"):
        del answer[key]
    return {**answer, "routes": present(wish, result), "calls": dict(looker.client.calls + estate.client.calls)}


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS, required_one_of=[("requester", "accepter")])
    journal = Journal()
    finish(module, lambda: run(module, journal), journal)


if __name__ == "__main__":
    main()
