#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.network: a whole topology, planned and applied."""

from __future__ import annotations

DOCUMENTATION = r"""
module: network
version_added: 0.1.0
short_description: Make AWS be what a topology says, VPCs, peering connections, routes and rules at once
description:
  - Reads what is there, plans what leads to the topology, checks that it can be built, does it, and reads again.
  - Check mode returns the plan, from an empty account too; diff mode shows it.
  - There is no state file. What this module made carries the tags C(cloudnet:topology) and C(cloudnet:name), and stands where its name
    says. Anything else is never changed and never removed, and what carries the tags elsewhere is told in a warning. VPCs that the topology
    names by C(id) or C(lookup) are adopted, and of them only what the topology declares is touched.
  - All faults of a topology are told at once, each with its place in the file, and before anything is called.
  - A run may be stopped at any moment; the next one goes on from there.
author:
  - cloudnet.vpc contributors (@cloudnet)
extends_documentation_fragment:
  - cloudnet.vpc.attributes
  - cloudnet.vpc.attributes.action
  - cloudnet.vpc.attributes.actiongroup_vpc
  - cloudnet.vpc.engine
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
  action:
    support: full
    details:
      - Reads and checks the topology file before the module starts, and shows each step as it is done.
options:
  topology:
    description:
      - The path of a topology file, or a topology as a mapping. See L(the documentation of topologies,
        https://github.com/cloudnet/cloudnet.vpc/blob/main/docs/topology.md).
      - A file is read as it is, without templating, on the controller; a relative path is looked for where Ansible looks for C(topologies)
        of a role or playbook, and beside the playbook.
      - A Region that a VPC or the topology itself names comes before O(region).
    type: raw
    required: true
  state:
    description:
      - V(present) makes what the topology declares, and removes what it made before and the topology no longer declares.
      - V(absent) removes all that it made. Adopted VPCs stay, and so does what others put beside.
    type: str
    choices: [present, absent]
    default: present
  through:
    description:
      - The last stage that is planned, additions and removals alike. V(routes) leaves security group rules for later.
    type: str
    choices: [vpcs, peerings, routes, rules, all]
    default: all
  approved:
    description:
      - What was approved, as the path of a file that holds RV(plan) as JSON, RV(plan) itself, or its fingerprint.
      - The task fails, and does nothing, if anything else would be done, or the same to something else. What is there is approved by its
        id, what the run itself makes by its name. A file or mapping also covers what is left of the plan after a run that was cut off.
    type: raw
  replace_routes:
    description:
      - Take over routes of others that stand where the topology wants one. Without this they are refused.
    type: bool
    default: false
  launch:
    description:
      - What the launches of the topology's instances share beside it, as C(type), C(image), C(key) and C(profile), for the role
        P(cloudnet.vpc.instances#role). This module launches nothing; what is to be launched belongs to RV(plan) and its fingerprint, so
        that an approval covers it.
    type: dict
    default: {}
  undeclared:
    description:
      - What becomes of instances that the topology made and declares no longer. V(terminate) puts their ids into RV(plan) and its
        fingerprint, for the role P(cloudnet.vpc.instances#role), which ends them. With V(keep) they are told in a warning.
    type: str
    choices: [keep, terminate]
    default: keep
  journal:
    description:
      - The path of an existing file to which a line of JSON is appended for each step, on the host that runs the module.
      - Meant for programs that show progress. The action plugin makes and reads one of its own.
    type: path
notes:
  - The engine throttles itself below the limits of the EC2 API, and repeats what AWS asks to repeat.
seealso:
  - module: cloudnet.vpc.show
  - module: cloudnet.vpc.topology_info
  - module: cloudnet.vpc.snapshot_info
  - module: cloudnet.vpc.reachability
  - module: cloudnet.vpc.peering
"""

EXAMPLES = r"""
- name: Show what would be done
  cloudnet.vpc.network:
    topology: topology.yml
    region: us-east-1
  check_mode: true
  diff: true
  register: planned

- name: Do exactly that
  cloudnet.vpc.network:
    topology: topology.yml
    region: us-east-1
    approved: "{{ planned.plan }}"

- name: Everything but the security group rules, as the profile of the network team
  cloudnet.vpc.network:
    topology: topology.yml
    through: routes
    profile: network

- name: A topology in the playbook itself
  cloudnet.vpc.network:
    topology:
      name: pair
      region: us-east-1
      vpcs:
        left: {cidr: 10.0.0.0/16, subnets: {app: {cidr: 10.0.1.0/24, az: a}}}
        right: {id: vpc-0123456789abcdef0}
      peerings:
        - {between: [left, right], routes: {right: [main]}}

- name: Take it away again
  cloudnet.vpc.network:
    topology: topology.yml
    state: absent
"""

RETURN = r"""
plan:
  description: What was to be done when the task began. The format is that of C(plan.json).
  returned: success
  type: dict
  contains:
    format_version:
      description: The version of this format.
      type: int
      sample: 2
    topology:
      description: The topology's name.
      type: str
      sample: two-vpcs
    fingerprint:
      description:
        - SHA-256 of what is to be done to what. What is there counts by its id, what the run makes by its name; the same plan has the same
          one.
      type: str
      sample: 5b0c7a7a3c2f1b9c1f2a4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091
    counts:
      description: How many actions add, change and remove something.
      type: dict
      sample: {add: 15, change: 0, remove: 0}
    existing:
      description: Name to id of what is there already and what the actions build on, as VPCs that the topology adopts and their tables.
      type: dict
      sample: {vpcs.legacy: vpc-0a1b2c3d4e5f60718}
    instances:
      description:
        - What the role P(cloudnet.vpc.instances#role) is to do. C(launch) tells by C(vpc.name) as what each declared instance that is not
          there is launched, user data by its SHA-256. C(terminate) holds the ids of those that are to end.
        - C(undeclared) holds all that are declared no longer, with C(name), C(id), C(account), C(region), C(state) and C(type).
      type: dict
      sample: {launch: {}, terminate: [], undeclared: []}
    actions:
      description: The actions, in an order in which they can be done.
      type: list
      elements: dict
      contains:
        op:
          description: V(create), V(update) or V(delete).
          type: str
          sample: create
        kind:
          description: The kind of object.
          type: str
          sample: route
        name:
          description: Its name in the topology.
          type: str
          sample: vpcs.dev.route_tables.private.routes.10.1.0.0/16
        id:
          description: The id of what is changed or removed; null for what is to be made.
          type: str
          sample: null
        account:
          description: The account in which it is done.
          type: str
          sample: "111111111111"
        region:
          description: The Region in which it is done.
          type: str
          sample: us-east-1
        before:
          description: The attributes that are there; null for what is not there. Other objects of the topology stand as C(ref) and name.
          type: dict
        after:
          description: The attributes that are to be there; null for what goes.
          type: dict
          sample: {destination: 10.1.0.0/16, table: {ref: vpcs.dev.route_tables.private}, target: {ref: "peerings.dev:ops"}, via: peering}
        why:
          description: Why it is to be done.
          type: str
          sample: declared, not there
outputs:
  description: What is there now, ids by name. In check mode, what would be; an id that is not known yet is null.
  returned: success
  type: dict
  contains:
    vpcs:
      description: By name, RV(outputs.vpcs) holds C(id), C(account), C(region), C(cidrs), and ids by name in C(subnets),
        C(route_tables), C(security_groups) and C(endpoints).
      type: dict
      sample:
        dev:
          account: "111111111111"
          cidrs: [10.0.0.0/16]
          endpoints: {}
          id: vpc-0a1b2c3d4e5f60718
          region: us-east-1
          route_tables: {private: rtb-0a1b2c3d4e5f60718}
          security_groups: {app: sg-0a1b2c3d4e5f60718}
          subnets: {app: subnet-0a1b2c3d4e5f60718}
    peerings:
      description: By C(REQUESTER:ACCEPTER), C(id), C(status), and the names of both VPCs.
      type: dict
      sample: {"dev:ops": {accepter: ops, id: pcx-0a1b2c3d4e5f60718, requester: dev, status: active}}
    undeclared:
      description: The instances that the topology made and declares no longer, as in RV(plan.instances).
      type: list
      elements: dict
      sample: []
connectivity:
  description:
    - Who can reach whom after the plan and could not before, and the other way round, between the topology's named ends and the blocks that
      its rules name, for the ports that its C(allow), C(expect) and rules speak of. See L(the documentation of reachability,
      https://github.com/cloudnet/cloudnet.vpc/blob/main/docs/reachability.md).
    - Empty when nothing is to be done; C(expect) is told on every run. An expectation that fails is a warning, and does not stop the task.
  returned: success
  type: dict
  contains:
    opened:
      description:
        - What was blocked, or not there, and is reachable after the plan. C(from_instances) and C(to_instances) are the instances behind
          the groups at the ends, of which the same is true.
      type: list
      elements: dict
      sample:
        - families: [4]
          from: dev.servers
          from_instances: [dev.server]
          port: 443
          protocol: tcp
          to: ops.tools
          to_instances: []
          traffic: tcp 443
    closed:
      description: What was reachable and is blocked, or gone, after the plan.
      type: list
      elements: dict
      sample: []
    unknown:
      description: What may change, while one of the two answers is not known.
      type: list
      elements: dict
      sample: []
    expect:
      description:
        - The topology's expectations with what is C(expected) and C(found) after the plan, C(ok) (null when it is not known), C(why), and
          the C(blockers) and C(unknowns) as M(cloudnet.vpc.reachability) returns them.
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
handoff:
  description:
    - For each connection to a VPC for which there are no credentials, what its owner must do. C(steps) are lines to follow, C(hours_left)
      tells how long a request can still be accepted.
  returned: success
  type: list
  elements: dict
  sample:
    - expires: "2026-11-28T21:14:05+00:00"
      hours_left: 167
      id: pcx-0a1b2c3d4e5f60718
      owner: "210987654321"
      peering: orders:partner
      region: us-east-1
      status: pending-acceptance
      steps: [accept it, route 10.90.0.0/16 to pcx-0a1b2c3d4e5f60718]
      vpc: vpc-0a1b2c3d4e5f60718
identities:
  description: Who the task was, by the account's name in the topology; the name of the ambient account is empty.
  returned: success
  type: dict
  sample: {"": {account: "111111111111", arn: "arn:aws:iam::111111111111:user/admin"}}
calls:
  description: How many API calls were made, by action.
  returned: success
  type: dict
  sample: {"ec2:DescribeTags": 1, "ec2:DescribeVpcPeeringConnections": 1, "ec2:DescribeVpcs": 1, "sts:GetCallerIdentity": 1}
findings:
  description:
    - Each fault of a topology that is wrong, or that cannot be built on what is there.
    - C(code) tells what kind it is, for conditions; the words of C(message) may change. V(syntax), V(schema), V(topology) and
      V(no_region) are faults of the topology itself, V(preflight), V(quota), V(conflict) and V(held) come of what is there.
    - C(file) and C(line) are empty and 0 for a topology that is a mapping.
  returned: when the topology is refused
  type: list
  elements: dict
  sample: [{code: topology, file: topology.yml, line: 12, message: "10.0.0.0/16 overlaps vpcs.ops.cidr", path: vpcs.dev.cidr}]
failures:
  description: The actions that failed, and why. What did not depend on them was done.
  returned: when an action failed
  type: list
  elements: dict
  sample: [{message: "ec2:CreateRoute failed", name: "vpcs.dev.route_tables.private.routes.10.1.0.0/16"}]
error:
  description: What AWS, or the way to it, said no to. C(code) is AWS's own error code.
  returned: when a call failed before anything was done
  type: dict
  sample: {account: "111111111111", action: "ec2:DescribeVpcs", code: UnauthorizedOperation, region: us-east-1, resource: ""}
done:
  description: The names of what was done before the task failed; the next run goes on from there.
  returned: when something was done and something failed
  type: list
  elements: str
  sample: [vpcs.dev, vpcs.ops]
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.common.validation import check_type_path
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import ApprovalError, CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Options
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import STATE, Journal, aws_module, converge, finish, region_of, shown

ARGUMENTS: dict[str, Any] = {
    **STATE,
    "topology": {"type": "raw", "required": True},
    "through": {"type": "str", "choices": ["vpcs", "peerings", "routes", "rules", "all"], "default": "all"},
    "approved": {"type": "raw"},
    "replace_routes": {"type": "bool", "default": False},
    "launch": {"type": "dict", "default": {}},
    "undeclared": {"type": "str", "choices": ["keep", "terminate"], "default": "keep"},
    "journal": {"type": "path"},
}

_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
_PART_OF_ONE = re.compile(r"[0-9a-f]{8,63}\Z")


def approval(value: Any) -> Mapping[str, Any] | str | None:
    """What was approved, in the engine's terms: a plan, a fingerprint, or nothing. Reads a file. Raises ApprovalError."""
    if value is None or isinstance(value, Mapping):
        return value
    if not isinstance(value, str) or not value:
        raise ApprovalError("approved: must be the path of a plan.json, a plan, or a fingerprint")
    if _FINGERPRINT.match(value):
        return value
    if _PART_OF_ONE.match(value) and not Path(value).exists():
        raise ApprovalError(f"approved: {value} is {len(value)} characters of a fingerprint, which has 64: give all of it")
    try:
        plan = json.loads(Path(check_type_path(value)).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ApprovalError(f"approved: {value} is neither a file nor a fingerprint of 64 hexadecimal digits") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ApprovalError(f"approved: {value} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from None
    except ValueError as error:
        raise ApprovalError(f"approved: {value} is not JSON: {error}") from None
    if not isinstance(plan, dict):
        raise ApprovalError(f"approved: {value} holds no plan")
    return plan


def run(module: Any, journal: Journal) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    params = module.params
    region = params["region"] or ""
    if not region:
        try:
            region = region_of(module)
        except CloudnetError:
            region = ""  # a topology that names its Regions needs none; credentials that do not work are told of later
    topology = load(params["topology"], overrides=Overrides(region=region))
    if params["replace_routes"]:
        topology = replace(topology, replace_routes=True)
    options = Options(
        absent=params["state"] == "absent",
        through=params["through"],
        approved=approval(params["approved"]),
        check=module.check_mode,
        progress=journal.progress,
        launch={str(key): str(value) for key, value in params["launch"].items()},
        terminate=params["undeclared"] == "terminate",
    )
    estate, result = converge(module, topology, options, journal)
    found = {**shown(module, estate, result), "connectivity": dict(result.connectivity)}
    found["warnings"] = list(dict.fromkeys([*topology.warnings, *found["warnings"]]))
    return found


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS)
    journal = Journal(module.params["journal"])
    finish(module, lambda: run(module, journal), journal)


if __name__ == "__main__":
    main()
