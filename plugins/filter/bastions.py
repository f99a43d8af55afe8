# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.bastions."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bastions
version_added: 0.1.0
short_description: The bastions of a topology, who may log in to them, and which instances are behind them
description:
  - Reads a topology and tells of each VPC with C(access.bastion) which address ranges may log in by ssh, and whether that is the whole
    internet, for the role P(cloudnet.vpc.bastion#role).
  - Ranges that make up all that is public of IPv4 or IPv6 together are the whole internet too, as are rules of other security groups that
    a host in a public subnet is in.
author:
  - cloudnet.vpc contributors (@cloudnet)
positional: _input, region
options:
  _input:
    description: The path of a topology file, or a topology as a mapping.
    type: raw
    required: true
  region:
    description: The Region of what names none.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Who may log in
  ansible.builtin.debug:
    msg: "{{ (playbook_dir ~ '/topologies/file_transfer.yml') | cloudnet.vpc.bastions }}"
"""

RETURN = r"""
_value:
  description:
    - A list of VPCs with a bastion, each with C(vpc), C(path) (where the topology says who may log in), C(ranges), C(world) (those of the
      ranges, or the text of all, that are the whole internet; empty if none is) and C(hosts).
    - A host has C(name) (C(vpc.name)), C(key) (its key pair), C(key_file) (what the role P(cloudnet.vpc.instances#role) calls its private
      key), C(profile) (empty for the ambient credentials), C(region) and C(via), the bastion that it is behind, empty for a bastion itself.
  type: list
  elements: dict
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Allow, Place, RuleSpec, Topology, VpcSpec
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.width import PUBLIC, public
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError

SSH = 22


def bastions(source: Any, region: str = "") -> list[dict[str, Any]]:
    """The list that RETURN describes; raises AnsibleFilterError in one line."""
    if not isinstance(source, str | Mapping):
        raise AnsibleFilterError(f"bastions: takes a topology, not {type(source).__name__}")
    try:
        topology = load(source, overrides=Overrides(region=region))
    except CloudnetError as error:
        raise AnsibleFilterError(f"bastions: {error}") from error
    return [_told(topology, vpc) for vpc in topology.vpcs.values() if vpc.bastion is not None]


def whole(ranges: Iterable[str]) -> list[str]:
    """Which of the ranges are all that is public of an address family, alone or together; empty if none is."""
    networks = [ipaddress.ip_network(text) for text in ranges]
    found = []
    for family, everything in ((4, "0.0.0.0/0"), (6, "::/0")):
        mine = [str(network) for network in networks if network.version == family]
        if public(networks, family) == PUBLIC[family]:
            found.append(everything if everything in mine else " + ".join(mine))
    return found


def _told(topology: Topology, vpc: VpcSpec) -> dict[str, Any]:
    bastion = vpc.bastion
    if bastion is None:
        raise ValueError(vpc.name)
    ranges = list(bastion.sources)
    exposed = {name for host in vpc.instances.values() if vpc.subnets[host.subnet].public for name in host.security_groups}
    for name in sorted((exposed - {bastion.group}) & set(vpc.security_groups)):
        ranges += [block for rule in vpc.security_groups[name].rules if _ssh(rule) for block in _blocks(topology, rule)]
    for allow in topology.allows:
        if _ssh(allow) and allow.target.kind == "group" and allow.target.vpc == vpc.name and allow.target.name in exposed:
            ranges += _outside(topology, allow.source)
    return {
        "vpc": vpc.name,
        "path": f"vpcs.{vpc.name}.access.bastion.from",
        "ranges": list(dict.fromkeys(ranges)),
        "world": whole(ranges),
        "hosts": _hosts(topology, vpc, bastion.subnet, bastion.group),
    }


def _ssh(rule: RuleSpec | Allow) -> bool:
    """Whether a rule lets ssh in."""
    if rule.protocol == "tcp" and rule.from_port is not None:
        return rule.from_port <= SSH <= (rule.to_port if rule.to_port is not None else rule.from_port)
    return rule.protocol in ("tcp", "-1")


def _blocks(topology: Topology, rule: RuleSpec) -> tuple[str, ...]:
    return (*rule.cidrs, *topology.prefix_lists.get(rule.prefix_list, ()))


def _outside(topology: Topology, source: Place) -> tuple[str, ...]:
    """The blocks of a source of an ``allow`` that is no part of a VPC."""
    if source.kind == "internet":
        return ("0.0.0.0/0",)
    if source.kind == "prefix_list":
        return topology.prefix_lists.get(source.name, ())
    return (source.name,) if source.kind == "cidr" else ()


def _hosts(topology: Topology, vpc: VpcSpec, subnet: str, group: str) -> list[dict[str, str]]:
    """The bastions of a VPC first, then who is behind the first of them."""
    doors = [host.name for host in vpc.instances.values() if host.subnet == subnet and group in host.security_groups]
    if not doors:
        raise AnsibleFilterError(
            f"bastions: vpcs.{vpc.name}.instances: none is in the subnet {subnet} and the security group {group}, so there is no"
            " bastion to log in to: declare one"
        )
    account = topology.accounts[vpc.account]
    if account.role_arn:
        raise AnsibleFilterError(
            f"bastions: accounts.{vpc.account} has a role_arn, and key pairs are made by amazon.aws, which takes profiles only: give it a"
            " profile with that role_arn instead (the filters aws_config and with_profiles do, as the playbooks show)"
        )
    profile = account.profile
    place = f"{profile}-{vpc.region}" if profile else vpc.region
    behind = [name for name in vpc.instances if name not in doors]
    return [
        {
            "name": f"{vpc.name}.{name}",
            "via": "" if name in doors else f"{vpc.name}.{doors[0]}",
            "key": vpc.instances[name].key,
            "key_file": f"{vpc.instances[name].key}-{place}.pem",
            "profile": profile,
            "region": vpc.region,
        }
        for name in (*doors, *behind)
    ]


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Any]:
        return {"bastions": bastions}
