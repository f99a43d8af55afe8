# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views of a VPC's router, made by hand for tests of its filters, and a ruleset as a script of nft."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import AclEntry, NetworkAcl, Rule, Subnet, Vpc
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.view import Port
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import Ruleset

OWNER = {"account": "111111111111", "region": "us-east-1"}
VPC = "vpc-0a"


def vpc(**more: Any) -> Vpc:
    return Vpc(id=VPC, **OWNER, **{"cidrs": ("10.0.0.0/16",), **more})


def subnet(name: str, cidr: str, **more: Any) -> Subnet:
    return Subnet(id=name, vpc=VPC, cidr=cidr, **OWNER, **more)


def host(number: str, subnet: str, address: str, *groups: str, device: str = "", **more: Any) -> Port:
    """A live one with a device of its own, else parked."""
    addresses = {"addresses": (address,), **more}
    return Port(f"eni-{number}", f"i-{number}", subnet, "host", device or "park", bool(device), groups=groups, **addresses)


def ingress(group: str, protocol: str = "-1", low: int | None = None, high: int | None = None, **peer: Any) -> Rule:
    return rule(group, False, protocol, low, high, **peer)


def egress(group: str, protocol: str = "-1", low: int | None = None, high: int | None = None, **peer: Any) -> Rule:
    return rule(group, True, protocol, low, high, **peer)


def rule(group: str, out: bool, protocol: str, low: int | None, high: int | None, **peer: Any) -> Rule:
    last = low if high is None else high
    name = f"sgr-{group}-{out}-{protocol}-{low}-{peer}"
    return Rule(id=name, group=group, egress=out, protocol=protocol, from_port=low, to_port=last, **OWNER, **peer)


def acl(name: str, *entries: AclEntry) -> NetworkAcl:
    return NetworkAcl(id=name, vpc=VPC, entries=entries, **OWNER)


def entry(number: int, way: str, allow: bool = True, protocol: str = "-1", cidr: str = "0.0.0.0/0", **more: Any) -> AclEntry:
    return AclEntry(number, way == "out", allow, protocol, cidr, **more)


def by_group(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    for item in rules:
        found[item.group] = (*found.get(item.group, ()), item)
    return found


def script(ruleset: Ruleset) -> str:
    """As nft reads it in one go: what it refers to comes first, and it refers to nothing that is not there."""
    lines = ["table inet cloudnet {"]
    chains = [ruleset.chains[name] for name in sorted(ruleset.chains)]
    lines += [f"  chain {chain.name} {{\n    {chain.hook}\n  }}" if chain.hook else f"  chain {chain.name} {{\n  }}" for chain in chains]
    for name in sorted(ruleset.sets):
        item = ruleset.sets[name]
        lines += [f"  {'map' if item.is_map else 'set'} {name} {{", f"    type {item.type}"]
        lines += [f"    flags {', '.join(item.flags)}"] if item.flags else []
        lines += ["    elements = { " + ",\n      ".join(sorted(item.elements)) + " }"] if item.elements else []
        lines.append("  }")
    for chain in chains:
        lines += [f"  chain {chain.name} {{", *(f"    {line}" for line in chain.rules), "  }"]
    return "\n".join([*lines, "}", ""])
