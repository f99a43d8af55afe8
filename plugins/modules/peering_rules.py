#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.peering_rules: the security group rules over one peering connection."""

from __future__ import annotations

DOCUMENTATION = r"""
module: peering_rules
version_added: 0.1.0
short_description: Open or close security groups to the other side of one VPC peering connection
description:
  - Turns each C(allow) into the narrowest rules that work, a reference to the other side's group inside one Region, CIDR blocks between
    Regions, in groups that exist. Where the sending group does not let everything out, it gets its egress rule too.
  - Rules that say the same and that others made are left as they are. With O(state=absent) only rules that carry the topology's tag go.
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
      - The connection. Rules need it active.
    type: str
    required: true
  allow:
    description:
      - What may pass.
    type: list
    elements: dict
    required: true
    suboptions:
      from:
        description:
          - Where it comes from, as V(requester.GROUP) or V(accepter.GROUP), a security group by id or name, or V(requester) or
            V(accepter) for the whole VPC.
        type: str
        required: true
      to:
        description:
          - The group that lets it in, in the same words.
        type: str
        required: true
      tcp:
        description:
          - A port, a range such as V(8000-8099), a list of both, or V(true) for all.
        type: raw
      udp:
        description:
          - As O(allow[].tcp).
        type: raw
      icmp:
        description:
          - V(true) for all of ICMP; see the documentation of topologies for types.
        type: raw
      protocol:
        description:
          - Another protocol by name or number, or V(all).
        type: raw
seealso:
  - module: cloudnet.vpc.peering
  - module: cloudnet.vpc.peering_routes
"""

EXAMPLES = r"""
- name: Let the web servers of one side reach the database of the other, and ping it
  cloudnet.vpc.peering_rules:
    peering_id: pcx-0a1b2c3d4e5f60718
    allow:
      - {from: requester.web, to: accepter.sg-0a1b2c3d4e5f60718, tcp: [443, 3306], icmp: true}

- name: Close it again
  cloudnet.vpc.peering_rules:
    peering_id: pcx-0a1b2c3d4e5f60718
    allow:
      - {from: requester.web, to: accepter.sg-0a1b2c3d4e5f60718, tcp: [443, 3306], icmp: true}
    state: absent
"""

RETURN = r"""
rules:
  description: The rules of this task's topology in the groups that it names. In check mode, those that would be there.
  returned: success
  type: list
  elements: dict
  sample:
    - {cidr: "", egress: false, from_port: 443, group: sg-0a1b2c3d4e5f60718, id: sgr-0a1b2c3d4e5f60718, protocol: tcp,
       source_group: sg-0b1c2d3e4f5061728, to_port: 443}
plan:
  description: What was to be done when the task began; see M(cloudnet.vpc.network).
  returned: success
  type: dict
  sample: {counts: {add: 3, change: 0, remove: 0}, topology: adhoc}
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

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.connection import Looker, Side, found, sides
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
ARGUMENTS: dict[str, Any] = {
    **STATE,
    **TOPOLOGY_NAME,
    **ACCEPTER,
    "peering_id": {"type": "str", "required": True},
    "allow": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "from": {"type": "str", "required": True},
            "to": {"type": "str", "required": True},
            **{name: {"type": "raw"} for name in ("tcp", "udp", "icmp", "protocol")},
        },
    },
}


def document(params: Mapping[str, Any], pair: tuple[Side, Side], mine: str) -> dict[str, Any]:
    """The connection as a topology in the words of its file, so that ``allow`` is read and checked as it is there."""
    allow = [{key: value for key, value in item.items() if value is not None} for item in params["allow"]]
    credentials = {key: params[f"accepter_{key}"] for key in ("profile", "role_arn") if params[f"accepter_{key}"]}
    vpcs: dict[str, dict[str, Any]] = {}
    for name, side in zip(ENDS, pair, strict=True):
        account = {"account": "accepter"} if name == "accepter" and credentials else {}
        groups: dict[str, Any] = {group: {} for group in named(allow, name)}
        if side.account == mine or account:
            vpcs[name] = {"id": side.vpc, "region": side.region, **account, "security_groups": groups}
        else:
            refs = {group: {"ref": group} for group in groups}
            # AWS tells the blocks only while the connection is active.
            blocks = {"cidr": list(side.cidrs)} if side.cidrs else {}
            vpcs[name] = {"remote": {"owner": side.account, "id": side.vpc, **blocks, "region": side.region}}
            vpcs[name] |= {"security_groups": refs} if refs else {}
    ours = [name for name in ENDS if "id" in vpcs[name]]
    peering: dict[str, Any] = {"between": list(ENDS), "id": params["peering_id"], "routes": {name: [] for name in ours}}
    if "remote" in vpcs["requester"]:
        peering["accept_only"] = True
    accounts = {"accounts": {"accepter": credentials}} if credentials else {}
    return {"name": params["topology"], **accounts, "vpcs": vpcs, "peerings": [peering], "allow": allow}


def named(allow: list[dict[str, Any]], end: str) -> Iterator[str]:
    """The groups of one side that the task names."""
    for text in dict.fromkeys(str(item[key]) for item in allow for key in ("from", "to")):
        vpc, dot, group = text.removeprefix("group:").partition(".")
        if dot and vpc == end:
            yield group


def present(topology: Topology, result: Result) -> list[dict[str, Any]]:
    """Our rules in the groups that the task names."""
    groups = {identifier for name, identifier in result.ids.items() if ".security_groups." in name}
    keys = ("id", "group", "egress", "protocol", "from_port", "to_port", "cidr", "source_group")
    rules = [rule for rule in result.network.rules.values() if rule.group in groups and rule.topology == topology.name]
    return [{key: getattr(rule, key) for key in keys} for rule in sorted(rules, key=lambda rule: rule.id)]


def run(module: Any, journal: Journal) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    looker = Looker(module)
    absent = module.params["state"] == "absent"
    pair = sides(found(looker, module.params["peering_id"], live=not absent))
    topology = load(document(module.params, pair, looker.account))
    options = Options(
        absent=absent,
        check=module.check_mode,
        narrow=True,
        # A rule is changed only in its description, which tells by which words a task named the groups.
        only=lambda action: action.kind == "rule" and action.op != "update",
        progress=journal.progress,
    )
    estate, result = converge(module, topology, options)
    answer = shown(module, estate, result)
    for key in ("outputs", "handoff"):
        del answer[key]
    return {**answer, "rules": present(topology, result), "calls": dict(looker.client.calls + estate.client.calls)}


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS)
    journal = Journal()
    finish(module, lambda: run(module, journal), journal)


if __name__ == "__main__":
    main()
