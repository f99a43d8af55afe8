#!/usr/bin/python
# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""cloudnet.vpc.ssm_online: wait until a topology's instances are online in Systems Manager, or say what is in their way."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssm_online
version_added: 0.1.0
short_description: Wait until the instances of a topology are online in Systems Manager, or say what is in their way
description:
  - Waits for the instances of a topology to be managed nodes that are online, in all its accounts and Regions.
  - Where one does not come online, it says what stands between it and the service, from describe calls alone - no endpoint, private DNS or
    an attribute of the VPC that is off, no instance profile, and whatever C(reach) finds on the way to the endpoint's interfaces on 443
    (the endpoint's group, a network ACL, a route) - with the smallest change that would open it.
  - Where it is certain that no packet gets to the service, it does not wait for the end of O(timeout).
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
  topology:
    description:
      - The path of a topology file on the host that runs the module, or a topology as a mapping.
    type: raw
    required: true
  instances:
    description:
      - The instances by name, C(vpc.name). The default is every declared instance of a VPC with C(access.ssm), or with an endpoint C(ssm).
    type: list
    elements: str
  timeout:
    description:
      - How many seconds to wait; 0 only looks. In check mode it only looks, and does not fail.
    type: int
    default: 300
  patience:
    description:
      - How many seconds to wait at least where it is certain that no packet gets through, for a change that takes a moment to be seen.
    type: int
    default: 15
seealso:
  - module: cloudnet.vpc.ssm_command
  - module: cloudnet.vpc.reachability
"""

EXAMPLES = r"""
- name: Wait until all nodes are online
  cloudnet.vpc.ssm_online:
    topology: "{{ playbook_dir }}/topology.yml"
    timeout: 600

- name: Look at one of them
  cloudnet.vpc.ssm_online:
    topology: "{{ playbook_dir }}/topology.yml"
    instances: [requester.node]
    timeout: 0
  register: node
  failed_when: false

- name: What is in its way
  ansible.builtin.debug:
    msg: "{{ node.nodes['requester.node'].obstacles | map(attribute='why') }}"
"""

RETURN = r"""
nodes:
  description: The nodes by name.
  returned: always
  type: dict
  contains:
    id:
      description: The instance's id; empty when there is none.
      type: str
      sample: i-0a1b2c3d4e5f60718
    online:
      description: Whether it is online.
      type: bool
      sample: false
    status:
      description: V(Online), V(ConnectionLost) or V(Inactive); empty for what never registered.
      type: str
      sample: Online
    obstacles:
      description:
        - What is in its way, each with the C(services) that it keeps it from, C(what), C(why), C(fix), and, where C(reach) found it, its
          C(code) and C(component). Empty for one that is online, and where it can only lie at its role or at its agent.
      type: list
      elements: dict
      sample:
        - code: ENI_SG_RULES_MISMATCH
          component: eni-0a1b2c3d4e5f60718
          fix: "allow: {from: requester.instance, to: requester.closed, tcp: 443} (an inbound rule of requester.closed)"
          services: [ssm, ssmmessages]
          sure: true
          what: endpoint ssm vpce-0a1b2c3d4e5f60718 of group sg-0a1b2c3d4e5f60718 (closed)
          why: "ENI_SG_RULES_MISMATCH: requester.closed (inbound) for tcp 443 from 10.0.1.6: no inbound rule matches"
seconds:
  description: How long it waited.
  returned: always
  type: float
  sample: 12.5
calls:
  description: How many API calls were made, by action.
  returned: always
  type: dict
  sample: {"ssm:DescribeInstanceInformation": 3}
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import observe
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Instance
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.connectivity import ids_of
from ansible_collections.cloudnet.vpc.plugins.module_utils.ends import World
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import (
    aws_module,
    check_places,
    finish,
    params_of,
    region_of,
    warn_of,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils.scopes import scopes
from ansible_collections.cloudnet.vpc.plugins.module_utils.ssm import ONLINE, Commands, Node
from ansible_collections.cloudnet.vpc.plugins.module_utils.ssm_online import Obstacle, message, names_of, obstacles

ARGUMENTS: dict[str, Any] = {
    "topology": {"type": "raw", "required": True},
    "instances": {"type": "list", "elements": "str"},
    "timeout": {"type": "int", "default": 300},
    "patience": {"type": "int", "default": 15},
}
#: What decides about the way to an endpoint, beside what the topology is read for.
DECIDING = frozenset({"Subnets", "RouteTables", "SecurityGroups", "SecurityGroupRules", "NetworkAcls", "VpcEndpoints", "NetworkInterfaces"})


class Nodes:
    """The instances of a topology as Systems Manager sees them. Raises CloudnetError."""

    def __init__(self, estate: Estate, names: Sequence[tuple[str, str]]) -> None:
        self._estate, self._names = estate, names
        for account, region in {self._place(vpc) for vpc, _name in names}:
            estate.sessions.endpoint(account, "ssm", region)

    def _place(self, vpc: str) -> tuple[str, str]:
        spec = self._estate.topology.vpcs[vpc]
        return spec.account, spec.region

    def look(self, *, deciding: bool) -> tuple[World, dict[str, Instance | None]]:
        """What is there now. ``deciding``: with all that decides about the way to the service."""
        estate = self._estate
        found = scopes(estate.topology, estate.accounts)
        if deciding:
            found = [
                replace(scope, files=scope.files | DECIDING, dns_topology=True, dns_vpcs=tuple(scope.vpc_ids or ())) for scope in found
            ]
        snapshot = observe(estate.client, found)
        network = build(snapshot)
        ids = ids_of(estate.topology, network, estate.accounts)
        if deciding:
            network, _notes = estate.evident(snapshot, network, ids)
        world = World(estate.topology, network, ids)
        return world, {f"{vpc}.{name}": world.instance(vpc, name) for vpc, name in self._names}

    def wait(self, there: Mapping[str, Instance | None], seconds: float) -> dict[str, Node]:
        """The nodes by name, once all are online or the time is over. Places are waited for one after the other, and time is shared."""
        end = time.monotonic() + seconds
        found: dict[str, Node] = {}
        places: dict[tuple[str, str], list[str]] = {}
        for vpc, name in self._names:
            places.setdefault(self._place(vpc), []).append(f"{vpc}.{name}")
        for (account, region), names in places.items():
            ids = {name: instance.id for name in names if (instance := there[name]) is not None}
            commands = Commands(self._estate.client, self._estate.accounts[account], region)
            nodes = commands.wait_online(list(ids.values()), max(0.0, end - time.monotonic())) if ids else {}
            found |= {name: nodes[ids[name]] if name in ids else Node("") for name in names}
        return found


def reasons(world: World, there: Mapping[str, Instance | None], nodes: Mapping[str, Node]) -> dict[str, tuple[str, list[Obstacle]]]:
    """Those that are not online, by name: id, and what is in their way."""
    absent = [Obstacle((), "", "there is no such instance", "launch it")]
    return {
        name: (instance.id if (instance := there[name]) else "no instance", obstacles(world, instance) if instance else list(absent))
        for name, node in nodes.items()
        if node.status != ONLINE
    }


def hopeless(found: Mapping[str, tuple[str, Sequence[Obstacle]]]) -> bool:
    """Whether all that are not online have something in their way for sure."""
    return all(any(item.sure for item in obstacles_) for _id, obstacles_ in found.values())


def run(module: Any) -> dict[str, Any]:
    """The module's work. Raises CloudnetError."""
    params = module.params
    topology: Topology = load(params["topology"], overrides=Overrides(region=region_of(module)))
    names = names_of(topology, params["instances"])
    result: dict[str, Any] = {"changed": False, "nodes": {}, "seconds": 0.0, "calls": {}, "warnings": list(topology.warnings)}
    if not names:
        return result
    estate = Estate(topology, params_of(module), target=params["target"])
    check_places(estate)
    watched, start = Nodes(estate, names), time.monotonic()
    timeout = 0 if module.check_mode else params["timeout"]
    _world, there = watched.look(deciding=False)
    nodes = watched.wait(there, min(timeout, params["patience"]))
    wrong: dict[str, tuple[str, list[Obstacle]]] = {}
    if any(node.status != ONLINE for node in nodes.values()):
        world, there = watched.look(deciding=True)
        wrong = reasons(world, there, nodes)
        left = timeout - (time.monotonic() - start)
        if left > 0 and not hopeless(wrong):
            nodes = watched.wait(there, left)
            world, there = watched.look(deciding=True)
            wrong = reasons(world, there, nodes)
    seconds = time.monotonic() - start
    result["nodes"] = {
        name: {
            "id": node.id,
            "online": node.status == ONLINE,
            "status": node.status,
            "obstacles": [item.as_dict() for item in wrong[name][1]] if name in wrong else [],
        }
        for name, node in nodes.items()
    }
    result |= {"seconds": round(seconds, 3), "calls": dict(estate.client.calls)}
    if wrong and not module.check_mode:
        warn_of(result.pop("warnings"))
        module.fail_json(msg=message(seconds, wrong), **result)
    return result


def main() -> None:
    """Ansible's entry point."""
    module = aws_module(ARGUMENTS)
    finish(module, lambda: run(module))


if __name__ == "__main__":
    main()
