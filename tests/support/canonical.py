# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One form of a network that two runs, or a simulation and a run, have in common: names for ids, and nothing that AWS alone decides.

Everything is a list, not a mapping by name, so that a duplicate is seen as one entry too many.
"""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Endpoint, Network, Peering, Resource, Route, Rule

#: Ids of these kinds that the network does not hold, or holds as dead, are of something that is gone; others are of kinds that it has not.
_MODELLED = ("pcx", "igw", "eigw", "nat", "vpce", "sg", "pl")
#: What AWS writes as the policy of an endpoint that was given none.
_DEFAULT_POLICY = {("Allow", "*", "*", "*")}

Canonical = dict[str, list[dict[str, Any]]]


def canonical(network: Network, *, blocks: Iterable[str] = ()) -> Canonical:
    """Collection to its entries, JSON values only, sorted.

    Named by ``cloudnet:name``, else by the Name tag, else by what AWS made with a VPC (``vpcs.a.main``), else by content. Left out: ids,
    ENIs, association ids, times, versions, states on the way, elastic and Amazon-provided IPv6 addresses, zones (planning again is what
    compares those), dead connections, and the routes that a gateway endpoint keeps. ``blocks``: IPv6 blocks that the topology itself
    writes, which stay as they are.
    """
    names = _Names(network, frozenset(blocks))
    made: dict[str, Callable[[Any], dict[str, Any] | None]] = {
        "vpcs": names.vpc,
        "subnets": lambda item: {
            "vpc": names.of(item.vpc),
            "cidr": item.cidr,
            "ipv6": names.block(item.ipv6_cidr),
            "map_public_ip": item.map_public_ip,
            "assign_ipv6": item.assign_ipv6,
        },
        "internet_gateways": lambda item: {"vpc": names.of(item.vpc)},
        "egress_only_gateways": lambda item: {"vpc": names.of(item.vpc)},
        "nat_gateways": names.nat,
        "addresses": lambda item: {},
        "route_tables": names.table,
        "peerings": names.peering,
        "security_groups": lambda item: {
            "vpc": names.of(item.vpc),
            "group_name": item.group_name,
            "description": item.description,
            "associated_vpcs": sorted(map(names.of, item.associated_vpcs)),
        },
        "rules": names.rule,
        "network_acls": names.acl,
        "endpoints": names.endpoint,
        "prefix_lists": names.prefix_list,
        "instances": lambda item: (
            None if item.state in ("terminated", "shutting-down") else {"subnet": names.of(item.subnet), "private_ip": item.private_ip}
        ),
        "flow_logs": lambda item: {
            "resource": names.of(item.resource),
            "traffic": item.traffic,
            "to": item.destination.rsplit(":log-group:", 1)[-1].removesuffix(":*"),
            "role": item.role,
        },
    }
    result: Canonical = {}
    for collection, form in made.items():
        entries = []
        for item in getattr(network, collection).values():
            values = form(item)
            if values is not None:
                entries.append({**_common(names, item, tags=collection != "peerings"), **values})
        result[collection] = sorted(entries, key=lambda entry: (entry["name"], _text(entry)))
    return result


def difference(left: Canonical, right: Canonical) -> str:
    """What the second has otherwise than the first, one line each; empty when they are equal."""
    lines = []
    for collection in sorted(left.keys() | right.keys()):
        before, after = (Counter(map(_text, side.get(collection, ()))) for side in (left, right))
        gone, new = ([json.loads(text) for text in (one - other).elements()] for one, other in ((before, after), (after, before)))
        for old in gone:
            twin = next((entry for entry in new if entry["name"] == old["name"]), None)
            if twin is None:
                lines.append(f"- {collection} {old['name']}: {_text(old)}")
                continue
            new.remove(twin)
            for key in sorted(old.keys() | twin.keys()):
                if old.get(key) != twin.get(key):
                    lines.append(f"~ {collection} {old['name']}: {key} {_change(old.get(key), twin.get(key))}")
        lines += [f"+ {collection} {entry['name']}: {_text(entry)}" for entry in new]
    return "\n".join(lines)


def _change(old: Any, new: Any) -> str:
    if isinstance(old, list) and isinstance(new, list):
        before, after = Counter(map(_text, old)), Counter(map(_text, new))
        parts = [f"-{text}" for text in (before - after).elements()] + [f"+{text}" for text in (after - before).elements()]
        return " ".join(parts) or "in another order"
    return f"{_text(old)} -> {_text(new)}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _common(names: _Names, item: Resource, *, tags: bool) -> dict[str, Any]:
    # A connection lies in two accounts: its own form tells the sides.
    place = {"account": item.account, "region": item.region, "tags": dict(item.tags)} if tags else {}
    return {"name": names.of(item.id), **place}


class _Names:
    """Ids and Amazon-provided IPv6 blocks to names, and the forms that need them."""

    def __init__(self, network: Network, kept: frozenset[str]) -> None:
        self._network = network
        self._names: dict[str, str] = {}
        self._six: dict[ipaddress.IPv6Network, str] = {}
        for vpc in network.vpcs.values():
            name = self._name(vpc, f"vpc {'+'.join(vpc.cidrs)} of {vpc.account} in {vpc.region}")
            amazon = [block for block in vpc.ipv6_cidrs if block not in kept]
            for number, block in enumerate(amazon):
                self._six[ipaddress.IPv6Network(block)] = f"{name}.ipv6" + (f".{number}" if number else "")
        for subnet in network.subnets.values():
            self._name(subnet, f"{self.of(subnet.vpc)}.subnet {subnet.cidr}")
        for table in network.route_tables.values():
            self._name(table, f"{self.of(table.vpc)}.main" if table.main else f"{self.of(table.vpc)}.table")
        for group in network.security_groups.values():
            self._name(group, f"{self.of(group.vpc)}.group {group.group_name}")
        for acl in network.network_acls.values():
            self._name(acl, f"{self.of(acl.vpc)}.{'default acl' if acl.default else 'acl'}")
        for kind, items in (
            ("internet gateway", network.internet_gateways),
            ("egress-only gateway", network.egress_only_gateways),
            ("nat gateway", network.nat_gateways),
            ("endpoint", network.endpoints),
            ("instance", network.instances),
        ):
            for item in items.values():
                if getattr(item, "state", "").lower() not in ("deleting", "deleted", "failed"):
                    self._name(item, f"{self.of(item.vpc)}.{kind}")
        for address in network.addresses.values():
            self._name(address, "address")
        for prefix_list in network.prefix_lists.values():
            self._name(prefix_list, prefix_list.list_name)
        for log in network.flow_logs.values():
            self._name(log, f"{self.of(log.resource)}.flow log")
        for peering in network.peerings.values():
            if peering.live:
                ours = next((tags["cloudnet:name"] for tags in peering.seen.values() if "cloudnet:name" in tags), "")
                sides = ":".join(self.of(side.vpc) for side in peering.sides)
                self._names[peering.id] = ours or peering.name or sides
        for rule in network.rules.values():
            way = "to" if rule.egress else "from"
            peer = self.block(rule.cidr) or self.of(rule.prefix_list) or self.of(rule.source_group)
            self._names[rule.id] = f"{self.of(rule.group)}: {rule.protocol} {rule.from_port}-{rule.to_port} {way} {peer}"

    def _name(self, item: Resource, otherwise: str) -> str:
        self._names[item.id] = item.name or item.tags.get("Name") or otherwise
        return self._names[item.id]

    def of(self, identifier: str) -> str:
        """The name behind an id."""
        prefix = identifier.partition("-")[0]
        return self._names.get(identifier) or (f"{prefix} that is gone" if prefix in _MODELLED else identifier)

    def block(self, cidr: str) -> str:
        """A block as it is, but by name (and number within it) where it is of an Amazon-provided one; a prefix list by its name."""
        if cidr.startswith(("pl-", "planned:")):
            return self.of(cidr)
        if ":" not in cidr:
            return cidr
        block = ipaddress.IPv6Network(cidr)
        for parent, name in self._six.items():
            if block.subnet_of(parent):
                number = (int(block.network_address) - int(parent.network_address)) >> (128 - block.prefixlen)
                return name if block == parent else f"{name}[{number}]/{block.prefixlen}"
        return cidr

    def vpc(self, item: Any) -> dict[str, Any]:
        # Attributes that were not read are taken to be as AWS makes a VPC.
        return {
            "cidrs": [*item.cidrs[:1], *sorted(item.cidrs[1:])],
            "ipv6_cidrs": sorted(map(self.block, item.ipv6_cidrs)),
            "dns_support": item.dns_support is not False,
            "dns_hostnames": bool(item.dns_hostnames),
        }

    def nat(self, item: Any) -> dict[str, Any] | None:
        if item.state in ("deleting", "deleted", "failed"):
            return None
        return {"subnet": self.of(item.subnet), "connectivity": item.connectivity, "addresses": sorted(map(self.of, item.allocations))}

    def table(self, item: Any) -> dict[str, Any]:
        return {
            "vpc": self.of(item.vpc),
            "main": item.main,
            "subnets": sorted(self.of(link.subnet) for link in item.associations if link.subnet),
            "gateways": sorted(link.gateway for link in item.associations if link.gateway),
            "routes": sorted((self._route(route) for route in item.routes if not self._kept_by_endpoint(route)), key=_text),
        }

    def _route(self, route: Route) -> dict[str, Any]:
        return {
            "destination": self.block(route.destination),
            "via": route.via,
            "target": self.of(route.target),
            "state": route.state,
            "propagated": route.propagated,
        }

    def _kept_by_endpoint(self, route: Route) -> bool:
        endpoint = self._network.endpoints.get(route.target)
        return route.destination.startswith("pl-") and route.via == "endpoint" and (endpoint is None or endpoint.type == "Gateway")

    def peering(self, item: Peering) -> dict[str, Any] | None:
        if not item.live:
            return None
        seen = item.seen or {(item.account, item.region): item.tags}
        sides = {
            key: {
                "vpc": self.of(side.vpc),
                "account": side.account,
                "region": side.region,
                "cidrs": sorted(side.cidrs),
                "ipv6_cidrs": sorted(map(self.block, side.ipv6_cidrs)),
                "dns": bool(side.dns),
            }
            for key, side in (("requester", item.requester), ("accepter", item.accepter))
        }
        return {"status": item.status, "seen": {"/".join(place): dict(tags) for place, tags in seen.items() if tags}, **sides}

    def rule(self, item: Rule) -> dict[str, Any]:
        return {
            "group": self.of(item.group),
            "egress": item.egress,
            "protocol": item.protocol,
            "ports": [item.from_port, item.to_port],
            "cidr": self.block(item.cidr),
            "prefix_list": self.of(item.prefix_list),
            "source_group": self.of(item.source_group),
            "source_account": item.source_account,
            "peering": self.of(item.peering),
            "description": item.description,
        }

    def acl(self, item: Any) -> dict[str, Any]:
        entries = [
            {
                "number": entry.number,
                "egress": entry.egress,
                "allow": entry.allow,
                "protocol": entry.protocol,
                "cidr": self.block(entry.cidr),
                "ports": [entry.from_port, entry.to_port],
                "icmp": list(entry.icmp) if entry.icmp else None,
            }
            for entry in item.entries
        ]
        return {
            "vpc": self.of(item.vpc),
            "default": item.default,
            "entries": sorted(entries, key=_text),
            "subnets": sorted(map(self.of, item.associations)),
        }

    def endpoint(self, item: Endpoint) -> dict[str, Any] | None:
        if item.state.lower() in ("deleting", "deleted", "failed"):
            return None
        return {
            "vpc": self.of(item.vpc),
            "service": item.service,
            "type": item.type,
            "subnets": sorted(map(self.of, item.subnets)),
            "groups": sorted(map(self.of, item.groups)),
            "tables": sorted(map(self.of, item.tables)),
            "private_dns": item.private_dns,
            "policy": _policy(item.policy),
        }

    def prefix_list(self, item: Any) -> dict[str, Any] | None:
        # AWS's own lists are everybody's, and which of them were read says nothing about the network.
        if item.state.startswith("delete") or not item.account.isdigit():
            return None
        entries = None if item.entries is None else sorted(map(self.block, item.entries))
        return {"list_name": item.list_name, "family": item.family, "max_entries": item.max_entries, "entries": entries}


def _policy(text: str) -> Any:
    """A policy as a value; that which AWS fills in as an empty text."""
    if not text:
        return ""
    policy: Mapping[str, Any] = json.loads(text)
    statements = policy.get("Statement", ())
    flat = {tuple(str(item.get(key)) for key in ("Effect", "Principal", "Action", "Resource")) for item in statements}
    return "" if flat == _DEFAULT_POLICY and not any("Condition" in item for item in statements) else policy
