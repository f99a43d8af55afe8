# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas: what would be there after the plan, against what AWS lets an account have.

Counts start from what was observed, which may be less than what is there: a finding is never wrong, a silence may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from .._model.network import RouteTable
from ..errors import Code
from .observed import Observed
from .types import Allow, PeeringSpec, Place, RuleSpec, VpcSpec

#: Of a new account. https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
QUOTAS: Mapping[str, int] = {
    "vpcs": 5,
    "subnets_per_vpc": 200,
    "ipv4_cidrs_per_vpc": 5,
    "ipv6_cidrs_per_vpc": 5,
    "route_tables_per_vpc": 200,
    "routes_per_table": 500,
    "peerings_active": 50,
    "peerings_outstanding": 25,
    "rules_per_group": 60,
    "acl_rules": 20,
    "elastic_ips": 5,
    "interface_endpoints_per_vpc": 50,
}


#: Name to number for everything, or a mapping of each (account id, Region).
Quotas: TypeAlias = "Mapping[str, int] | Mapping[tuple[str, str], Mapping[str, int]]"


def check_quotas(seen: Observed, quotas: Quotas) -> None:
    """Tells of every quota that the topology would exceed. ``quotas``: those that are known; the defaults stand for the rest."""
    for spec in seen.topology.vpcs.values():
        if spec.remote is None:
            _of_vpc(seen, spec, limits(quotas, (seen.account(spec), spec.region)))
    _of_places(seen, quotas)


def limits(quotas: Quotas, place: tuple[str, str]) -> dict[str, int]:
    """The quotas of one account and Region."""
    found = dict(QUOTAS)
    for key, value in quotas.items():
        if isinstance(key, str) and isinstance(value, int) and key in found:
            found[key] = value
        elif key == place and isinstance(value, Mapping):
            found |= {name: number for name, number in value.items() if name in found}
    return found


def _say(seen: Observed, path: str, count: int, limit: int, what: str, advice: str) -> None:
    if count > limit:
        seen.fault(path, f"would have {count} {what}, and the quota is {limit}: {advice}, or ask AWS for more (Service Quotas)", Code.QUOTA)


def _of_vpc(seen: Observed, spec: VpcSpec, most: Mapping[str, int]) -> None:
    network, path, vpc = seen.network, spec.path, seen.vpc_id(spec.name)
    _peerings(seen, spec, most["peerings_active"])
    if spec.ours:
        _say(seen, f"{path}.cidr", len(spec.cidrs), most["ipv4_cidrs_per_vpc"], "IPv4 blocks", "use larger ones")
    foreign = [
        item
        for item in network.subnets_of.get(vpc, ())
        if not seen.ours(item) and item.cidr not in {own.cidr for own in spec.subnets.values()}
    ]
    _say(seen, f"{path}.subnets", len(foreign) + len(spec.subnets), most["subnets_per_vpc"], "subnets", "take some out")
    there = [item for item in network.tables_of.get(vpc, ()) if not seen.ours(item)]
    count = max(1, len(there)) + sum(not table.ref for table in spec.route_tables.values())
    _say(seen, f"{path}.route_tables", count, most["route_tables_per_vpc"], "route tables", "share some")
    interfaces = sum(endpoint.type == "Interface" for endpoint in spec.endpoints.values())
    others = [item for item in network.endpoints.values() if item.vpc == vpc and item.type == "Interface" and not seen.ours(item)]
    _say(seen, f"{path}.endpoints", interfaces + len(others), most["interface_endpoints_per_vpc"], "interface endpoints", "take some out")
    for acl in spec.network_acls.values():
        for side, entries in (("inbound", acl.inbound), ("outbound", acl.outbound)):
            for version in (4, 6):
                count = sum((":" in entry.cidr) is (version == 6) for entry in entries)
                _say(seen, f"{acl.path}.{side}", count, most["acl_rules"], f"IPv{version} entries", "merge some")
    for table in spec.route_tables:
        _routes(seen, spec, table, most["routes_per_table"])
    for group in spec.security_groups:
        _rules(seen, spec, group, most["rules_per_group"])


def _peerings(seen: Observed, spec: VpcSpec, limit: int) -> None:
    pairs = seen.pairs_of[spec.name]
    new = [pair for pair in pairs if seen.live(pair) is None]
    declared = {peering.id for pair in pairs if (peering := seen.live(pair))}
    there = seen.network.peerings_of.get(seen.vpc_id(spec.name), ()) if seen.vpc_id(spec.name) else ()
    staying = [item for item in there if item.live and (item.id in declared or not seen.ours(item))]
    if new:
        _say(seen, spec.path, len(staying) + len(new), limit, "peering connections", "join fewer VPCs")


def _routes(seen: Observed, spec: VpcSpec, table: str, limit: int) -> None:
    """IPv4 and IPv6 count apart, propagated and local routes do not count; a prefix list counts its entries."""
    found: list[RouteTable] = seen.tables(spec.name, table)[:1]
    weights = {route.to: max(1, len(seen.topology.prefix_lists.get(route.to, ()))) for route in spec.route_tables[table].routes}
    for pair in seen.pairs_of[spec.name]:
        if table in pair.tables.get(spec.name, ()):
            weights |= dict.fromkeys(_blocks(seen, pair, pair.accepter if pair.requester == spec.name else pair.requester), 1)
    there = {route.destination for item in found for route in item.routes if route.target != "local" and not route.propagated}
    new = weights.keys() - there
    for version in (4, 6):
        count = sum(weights.get(to, 1) for to in there | weights.keys() if (":" in to) is (version == 6))
        if any((":" in to) is (version == 6) for to in new):
            _say(seen, spec.route_tables[table].path, count, limit, f"IPv{version} routes", "use other tables, or larger blocks")


def _blocks(seen: Observed, pair: PeeringSpec, name: str) -> list[str]:
    return pair.routed(name, (str(block) for _other, block in seen.blocks(name)))


def _rules(seen: Observed, spec: VpcSpec, name: str, limit: int) -> None:
    """Inbound and outbound count apart, and so do IPv4 and IPv6; a reference to a group counts in both, a prefix list by its entries."""
    group = spec.security_groups[name]
    there = [rule for item in seen.groups(spec.name, name)[:1] for rule in seen.network.rules_of.get(item.id, ()) if not seen.ours(rule)]
    for egress, rules in ((False, group.rules), (True, group.egress or ())):
        counts: Counter[int] = Counter()
        for rule in rules:
            counts.update(_weights(seen, rule))
        if not egress:
            for allow in seen.topology.allows:
                if (allow.target.kind, allow.target.vpc, allow.target.name) == ("group", spec.name, name):
                    counts.update(_allow_weights(seen, allow, spec))
        if not counts:
            continue
        for found in there:
            if found.egress is egress:
                counts.update((6,) if ":" in found.cidr else (4,) if found.cidr else (4, 6))
        for version in (4, 6):
            side = "outbound" if egress else "inbound"
            _say(seen, group.path, counts[version], limit, f"{side} IPv{version} rules", "merge ports or sources, or use another group")


def _weights(seen: Observed, rule: RuleSpec) -> Iterable[int]:
    if rule.cidrs:
        return [6 if ":" in cidr else 4 for cidr in rule.cidrs]
    entries = seen.topology.prefix_lists.get(rule.prefix_list)
    return [6 if ":" in entry else 4 for entry in entries] if entries else [4, 6]


def _allow_weights(seen: Observed, allow: Allow, spec: VpcSpec) -> Iterable[int]:
    source: Place = allow.source
    if source.kind in ("cidr", "prefix_list"):
        entries = seen.topology.prefix_lists.get(source.name, (source.name,))
        return [6 if ":" in entry else 4 for entry in entries]
    other = seen.topology.vpcs.get(source.vpc)
    if source.kind == "group" and other is not None and other.region == spec.region:
        return [4, 6]
    if source.kind == "vpc":
        pair = next((pair for pair in seen.pairs_of[spec.name] if source.vpc in (pair.requester, pair.accepter)), None)
        if pair is None:
            return [block.version for _other, block in seen.blocks(source.vpc)]
        return [6 if ":" in block else 4 for block in _blocks(seen, pair, source.vpc)]
    return [4]


def _of_places(seen: Observed, quotas: Quotas) -> None:
    """What counts for an account and Region as a whole."""
    vpcs: Counter[tuple[str, str]] = Counter()
    addresses: Counter[tuple[str, str]] = Counter()
    requests: Counter[tuple[str, str]] = Counter()
    paths: dict[tuple[str, str], str] = {}
    for spec in seen.topology.vpcs.values():
        place = (seen.account(spec), spec.region)
        paths.setdefault(place, spec.path)
        if spec.ours and seen.vpc(spec.name) is None:
            vpcs[place] += 1
        if spec.remote is None:
            addresses[place] += sum(not _has_nat(seen, spec.name, subnet) for subnet in spec.nat_subnets)
    for pair in seen.topology.peerings:
        accepter, requester = seen.topology.vpcs[pair.accepter], seen.topology.vpcs[pair.requester]
        if accepter.remote is not None and seen.live(pair) is None:
            requests[seen.account(requester), requester.region] += 1
    there = Counter((vpc.account, vpc.region) for vpc in seen.network.vpcs.values())
    held = Counter((item.account, item.region) for item in seen.network.addresses.values())
    waiting = Counter(
        (item.requester.account, item.requester.region)
        for item in seen.network.peerings.values()
        if item.status in ("initiating-request", "pending-acceptance")
    )
    for new, old, key, what, advice in (
        (vpcs, there, "vpcs", "VPCs", "use another Region or account"),
        (addresses, held, "elastic_ips", "elastic IP addresses", "use fewer NAT gateways"),
        (requests, waiting, "peerings_outstanding", "unaccepted peering requests", "have some accepted first"),
    ):
        for place, count in new.items():
            if count:
                _say(
                    seen,
                    paths[place],
                    count + old[place],
                    limits(quotas, place)[key],
                    f"{what} in {place[0] or 'the account'}, {place[1]}",
                    advice,
                )


def _has_nat(seen: Observed, vpc: str, subnet: str) -> bool:
    there = [
        item.id
        for item in seen.network.subnets_of.get(seen.vpc_id(vpc), ())
        if seen.ours(item) and item.name == f"vpcs.{vpc}.subnets.{subnet}"
    ]
    return any(gateway.subnet in there and gateway.state in ("pending", "available") for gateway in seen.network.nat_gateways.values())
