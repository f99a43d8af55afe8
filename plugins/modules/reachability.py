#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.reachability: who reaches whom, why not, and what would open it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reachability
version_added: 0.1.0
short_description: Say whether traffic gets from one end to another and its answer back, or everything that is in the way
description:
  - Follows a packet, and its answer, through routes, peering connections, gateways, security groups and network ACLs as AWS documents them,
    from describe calls alone. Nothing is sent, and nothing is changed.
  - Reads live AWS (O(regions), O(accounts)), a folder of describe output (O(snapshot)), or the places of a O(topology), whose plan is
    simulated, so that an answer is known before anything is built.
  - Gives every blocker of both directions at once, with the code of AWS's Reachability Analyzer where it has one, the rule that decides,
    and the smallest change that would open it. What was not observed makes a verdict V(unknown); nothing is guessed.
  - With O(expect), or with a O(topology) alone, it checks expectations, and fails if one does not hold or cannot be told.
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
  source:
    description:
      - Who asks. An instance (C(i-…)), a network interface (C(eni-…)), an address (C(10.0.1.5), or C(10.0.1.5@vpc-…) where several VPCs
        have it), V(internet), or a subnet with groups for something that is not launched yet (C(subnet-…+sg-…,sg-…)).
      - With O(topology) also C(vpc.name), which is an instance, else a subnet with the groups of what is in it, else a group. C(instance:),
        C(subnet:) or C(group:) in front says which.
    type: str
  destination:
    description:
      - Who is asked, written as O(source), or a VPC endpoint (C(vpce-…)).
    type: str
  protocol:
    description:
      - V(tcp), V(udp), V(icmp), V(-1) for every protocol, or a protocol's number.
    type: str
    default: tcp
  port:
    description:
      - A port (V(443)) or a range (V(8000-8010)); for ICMP a type (V(8)) or type and code (V(3/4)). Without it, every port, and for ICMP a
        ping.
    type: raw
  expect:
    description:
      - Questions with the answers that they must get. The task fails, with a table, if one gets another or cannot be told.
      - A O(topology) without O(source) and without this is checked against its own C(expect), unless O(matrix) is all that is asked for.
    type: list
    elements: dict
    suboptions:
      source:
        description: As O(source).
        type: str
        required: true
      destination:
        description: As O(destination).
        type: str
        required: true
      protocol:
        description: As O(protocol).
        type: str
        default: tcp
      port:
        description: As O(port).
        type: raw
      reachable:
        description: Whether it must be reachable, or must not.
        type: bool
        default: true
  topology:
    description:
      - The path of a topology file on the host that runs the module, or a topology as a mapping. Its accounts and Regions are read.
    type: raw
  plan:
    description:
      - V(simulate) asks of what is there with the plan of O(topology) done in memory. V(none) asks of what is there.
    type: str
    choices: [simulate, none]
    default: simulate
  snapshot:
    description:
      - A folder of describe output as M(cloudnet.vpc.snapshot_info) or others write it. Nothing is called then.
      - Files that are missing are warnings, and make what they would decide V(unknown).
    type: path
  regions:
    description:
      - The Regions to read, without O(topology) and O(snapshot). The default is O(region).
    type: list
    elements: str
  accounts:
    description:
      - The profiles with which to read the O(regions), one for each account. The default is the credentials of the task.
    type: list
    elements: str
  dest:
    description:
      - A folder in which to save what was read, as M(cloudnet.vpc.snapshot_info) does, made if it is not there. With O(topology), its VPCs
        are read whole for that. An older snapshot in it is replaced as a whole.
      - Nothing is written in check mode.
    type: path
  matrix:
    description:
      - Whether to give all pairs of the named ends of O(topology), for what its C(allow), C(expect) and rules speak of.
    type: bool
    default: false
seealso:
  - module: cloudnet.vpc.network
  - module: cloudnet.vpc.snapshot_info
"""

EXAMPLES = r"""
- name: Why does the web server not reach the database?
  cloudnet.vpc.reachability:
    source: i-0a1b2c3d4e5f60718
    destination: 172.31.1.199
    port: 3306
    regions: [us-east-1]
  register: answer

- name: What would open it
  ansible.builtin.debug:
    msg: "{{ answer.blockers | map(attribute='fix.text') }}"

- name: Before anything is built, check what the topology expects
  cloudnet.vpc.reachability:
    topology: "{{ playbook_dir }}/topology.yml"

- name: Offline, from a folder that somebody sent
  cloudnet.vpc.reachability:
    snapshot: snapshots/production
    expect:
      - {source: 10.0.1.5, destination: 172.31.1.199, port: 443}
      - {source: internet, destination: 172.31.1.199, port: 22, reachable: false}

- name: All pairs of what is there now
  cloudnet.vpc.reachability:
    topology: "{{ playbook_dir }}/topology.yml"
    plan: none
    matrix: true
    dest: snapshots/after
  register: all
"""

RETURN = r"""
verdict:
  description: V(reachable), V(blocked) or V(unknown). Reachable means that it is certain, and that the answer gets back.
  returned: when O(source) is given
  type: str
  sample: blocked
traffic:
  description: What was asked for.
  returned: when O(source) is given
  type: str
  sample: tcp 3306
family:
  description: 4 or 6. IPv4 is asked for where both ends have it.
  returned: when O(source) is given
  type: int
  sample: 4
forward:
  description: The way of the question, C(disposition) and C(hops). Hops beyond a blocker are C(assumed), as if it were gone.
  returned: when O(source) is given
  type: dict
  contains:
    disposition:
      description: V(delivered), V(dropped) or V(unknown).
      type: str
      sample: dropped
    hops:
      description: The hops in order, each with C(step), C(component), C(name), C(detail), C(rule) and C(assumed).
      type: list
      elements: dict
      sample:
        - {assumed: false, component: i-0a1b2c3d4e5f60718, detail: 10.0.1.5 in marketing, name: web, rule: "", step: source}
return:
  description: The way of the answer, in the same shape; null for what is never answered.
  returned: when O(source) is given
  type: dict
  sample: {disposition: delivered, hops: []}
blockers:
  description: Everything that is in the way, in both directions.
  returned: when O(source) is given
  type: list
  elements: dict
  contains:
    code:
      description: The code of AWS's Reachability Analyzer, or one of our own (C(aws_code) tells which).
      type: str
      sample: ENI_SG_RULES_MISMATCH
    component:
      description: The id of what blocks, and in C(name) its name.
      type: str
      sample: eni-0a1b2c3d4e5f60718
    direction:
      description: V(forward), V(return) or V(both).
      type: str
      sample: forward
    rule:
      description: The route, rule or entry that decides; empty where one is missing. C(why) says it in words.
      type: str
      sample: ""
    fix:
      description: The smallest change that would open it, as C(text), C(kind), and as C(change) in the keys of a topology.
      type: dict
      sample:
        change: {allow: [{from: marketing.web, tcp: 3306, to: finance.db}]}
        kind: allow
        text: "allow: {from: marketing.web, to: finance.db, tcp: 3306} (an inbound rule of finance.db)"
unknowns:
  description: What cannot be said, with C(code), C(component), C(why), and in C(missing) the file that would tell.
  returned: when O(source) is given
  type: list
  elements: dict
  sample: []
mtu:
  description: The largest packet in bytes that gets through, when it is reachable.
  returned: when O(source) is given
  type: int
  sample: 9001
dns:
  description: Whether the destination's public name resolves to its private address at the source; null where there is none. C(dns_why)
    says more.
  returned: when O(source) is given
  type: bool
expect:
  description:
    - Each expectation with C(from), C(to), C(protocol), C(port), C(traffic), C(expected), C(found), C(ok) (null when it cannot be told),
      C(why), C(blockers), C(unknowns), and in C(path) its place in the topology.
  returned: when expectations are checked
  type: list
  elements: dict
  sample:
    - blockers: []
      expected: reachable
      found: reachable
      from: dev.app
      ok: true
      path: "expect[0]"
      port: 443
      protocol: tcp
      to: ops.admin
      traffic: tcp 443
      unknowns: []
      why: ""
table:
  description: The same as lines for people.
  returned: when expectations are checked
  type: str
matrix:
  description: A row for each ordered pair of ends and each question.
  returned: when O(matrix) is true
  type: list
  elements: dict
  sample: [{destination: ops.tools, port: 443, protocol: tcp, source: dev.servers, verdict: reachable}]
matrix_text:
  description: The same as tables for people.
  returned: when O(matrix) is true
  type: str
folder:
  description: The folder in which it was saved.
  returned: when O(dest) is given and it is not check mode
  type: str
  sample: /home/me/snapshots/after
calls:
  description: How many API calls were made, by action.
  returned: success
  type: dict
  sample: {"ec2:DescribeVpcs": 1, "sts:GetCallerIdentity": 1}
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import observe, observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import load as load_snapshot
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import save as save_snapshot
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.connectivity import (
    Query,
    accounts_in,
    answer,
    check,
    ids_of,
    matrix_text,
    named_matrix,
    queries,
    world_of,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils.ends import World
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import (
    aws_module,
    check_places,
    finish,
    params_of,
    region_of,
    warn_of,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils.render import expect_table
from ansible_collections.cloudnet.vpc.plugins.module_utils.scopes import OF_A_VPC, places, scopes

QUESTION: dict[str, Any] = {"protocol": {"type": "str", "default": "tcp"}, "port": {"type": "raw"}}
ARGUMENTS: dict[str, Any] = {
    **QUESTION,
    "source": {"type": "str"},
    "destination": {"type": "str"},
    "expect": {
        "type": "list",
        "elements": "dict",
        "options": {
            **QUESTION,
            "source": {"type": "str", "required": True},
            "destination": {"type": "str", "required": True},
            "reachable": {"type": "bool", "default": True},
        },
    },
    "topology": {"type": "raw"},
    "plan": {"type": "str", "choices": ["simulate", "none"], "default": "simulate"},
    "snapshot": {"type": "path"},
    "dest": {"type": "path"},
    "regions": {"type": "list", "elements": "str"},
    "accounts": {"type": "list", "elements": "str"},
    "matrix": {"type": "bool", "default": False},
}

#: What decides about a packet in the VPCs of a topology.
DECIDING = frozenset({
    "Subnets", "RouteTables", "SecurityGroups", "SecurityGroupRules", "NetworkAcls", "InternetGateways", "EgressOnlyInternetGateways",
    "NatGateways", "VpcEndpoints", "NetworkInterfaces", "Reservations",
})  # fmt: skip


def read(module: Any) -> tuple[World, list[str], Mapping[str, int]]:
    """What is asked of, with what is to be warned of and the calls that it took. Raises CloudnetError."""
    params = module.params
    simulated = params["plan"] == "simulate"
    if params["snapshot"]:
        snapshot = load_snapshot(params["snapshot"])
        network = build(snapshot)
        if params["topology"] is None:
            return World(Topology("snapshot"), network, {}), list(network.warnings), {}
        regions = {region for _account, region in snapshot.places}
        region = params["region"] or (next(iter(regions)) if len(regions) == 1 else "")
        topology = load(params["topology"], overrides=Overrides(region=region))
        world = world_of(topology, network, accounts_in(topology, network), simulated=simulated)
        return world, [*topology.warnings, *network.warnings], {}
    if params["topology"] is not None:
        topology = load(params["topology"], overrides=Overrides(region=region_of(module)))
        estate = _estate(module, topology)
        asked = scopes(topology, estate.accounts)
        if params["dest"]:
            asked = [replace(scope, files=scope.files | OF_A_VPC, dns_topology=True) for scope in asked]
        else:
            asked = [replace(scope, files=scope.files | DECIDING) for scope in asked]
        snapshot = observe(estate.client, asked)
        _keep(module, snapshot)
        network = build(snapshot)
        full, notes = estate.evident(snapshot, network, ids_of(topology, network, estate.accounts))
        world = world_of(topology, full, estate.accounts, simulated=simulated)
        return world, list(dict.fromkeys([*topology.warnings, *full.warnings, *notes])), dict(estate.client.calls)
    regions_read = params["regions"] or [region for region in [region_of(module)] if region]
    if not regions_read:
        raise CloudnetError("no Region given: set regions or region, or AWS_REGION, or one in the profile")
    estate = _estate(module, places(params["accounts"] or (), regions_read))
    snapshot = observe_all(estate.client, sorted({(account, region) for account in estate.accounts.values() for region in regions_read}))
    _keep(module, snapshot)
    network = build(snapshot)
    return World(Topology("live"), network, {}), list(network.warnings), dict(estate.client.calls)


def _keep(module: Any, snapshot: Snapshot) -> None:
    if module.params["dest"] and not module.check_mode:
        save_snapshot(snapshot, module.params["dest"])


def _estate(module: Any, topology: Topology) -> Estate:
    estate = Estate(topology, params_of(module), target=module.params["target"])
    check_places(estate)
    return estate


def expected(params: Mapping[str, Any], topology: Topology) -> list[Query] | None:
    """The expectations to check; None when there is no such question."""
    if params["expect"] is not None:
        return [
            Query(item["source"], item["destination"], item["protocol"], item["port"], item["reachable"], f"expect[{number}]")
            for number, item in enumerate(params["expect"])
        ]
    if params["source"] or params["topology"] is None or (params["matrix"] and not topology.expects):
        return None
    return queries(topology.expects)


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    params = module.params
    if not (params["source"] or params["expect"] is not None or params["topology"] is not None):
        raise CloudnetError("nothing is asked: give source and destination, or expect, or a topology")
    if params["matrix"] and params["topology"] is None:
        raise CloudnetError("matrix: needs a topology, whose named ends it is about")
    world, warnings, calls = read(module)
    result: dict[str, Any] = {"changed": False, "calls": calls, "warnings": warnings}
    if params["dest"] and not module.check_mode:
        result["folder"] = os.path.abspath(params["dest"])
    if params["source"]:
        result |= answer(world, Query(params["source"], params["destination"], params["protocol"], params["port"])).as_dict()
    if params["matrix"]:
        found = named_matrix(world)
        result |= {"matrix": list(found.rows()), "matrix_text": matrix_text(found)}
    asked = expected(params, world.topology)
    if asked is not None:
        rows = check(world, asked)
        result |= {"expect": rows, "table": expect_table(rows)}
    return result


def end(module: Any, result: Mapping[str, Any]) -> None:
    """Fail where an expectation does not hold or cannot be told, with all that was found."""
    rows = result.get("expect") or []
    wrong = [row for row in rows if not row["ok"]]
    if wrong:
        told = {key: value for key, value in result.items() if key != "warnings"}
        warn_of(result["warnings"])
        module.fail_json(msg=f"{len(wrong)} of {len(rows)} expectations do not hold\n{result['table']}", **told)


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(
        ARGUMENTS,
        required_together=[("source", "destination")],
        mutually_exclusive=[
            ("topology", "regions"),
            ("topology", "accounts"),
            ("snapshot", "regions"),
            ("snapshot", "accounts"),
            ("snapshot", "dest"),
            ("source", "expect"),
        ],
    )

    def work() -> dict[str, Any]:
        result = run(module)
        end(module, result)
        return result

    finish(module, work)


if __name__ == "__main__":
    main()
