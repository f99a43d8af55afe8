# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which route of a table takes a packet.

https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html: the longest prefix; of equal ones a CIDR route before a prefix
list's before a propagated one; two prefix lists that hold the same block are picked from at random. A blackhole drops: what is less
specific is not tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .._model.network import Network, Route, RouteTable, TransitAttachment, TransitRoute, TransitTable
from .blocks import any_holds, block, holds, ip, private
from .index import Index

_STATIC, _LIST, _PROPAGATED = range(3)


@dataclass(frozen=True)
class Candidate:
    """A route under one of its blocks; ``prefix_list`` is the list that gave it."""

    route: Route
    cidr: str
    rank: int
    prefix_list: str = ""

    def __str__(self) -> str:
        return route_text(self.route, self.cidr)


@dataclass(frozen=True)
class Found:
    """The route that is taken, and the others that match, from the most specific. ``rivals``: it is one of several picked at random.

    ``unread``: prefix lists in the table whose blocks are not known and might be more specific.
    """

    taken: Candidate | None
    others: tuple[Candidate, ...] = ()
    rivals: tuple[Candidate, ...] = ()
    unread: tuple[Route, ...] = ()


class Lookup:
    """One table, made ready for questions."""

    def __init__(self, network: Network, table: RouteTable) -> None:
        self._nets: dict[int, dict[int, dict[int, list[Candidate]]]] = {4: {}, 6: {}}
        self.unread: list[Route] = []
        for route in table.routes:
            rank = _PROPAGATED if route.propagated else _STATIC
            if not route.destination.startswith("pl-") and route.destination not in network.prefix_lists:
                self._add(Candidate(route, route.destination, rank))
                continue
            known = network.prefix_lists.get(route.destination)
            if known is None or known.entries is None:
                self.unread.append(route)
                continue
            for cidr in known.entries:
                self._add(Candidate(route, cidr, _LIST, route.destination))
        self._order = {family: sorted(nets, reverse=True) for family, nets in self._nets.items()}

    def _add(self, candidate: Candidate) -> None:
        try:
            found = block(candidate.cidr)
        except ValueError:
            return
        here = self._nets[found.family].setdefault(found.length, {}).setdefault(found.value, [])
        here.append(candidate)
        here.sort(key=lambda item: item.rank)

    def find(self, address: str) -> Found:
        """The route for an address."""
        family, value = ip(address)
        bits = 32 if family == 4 else 128
        matching: list[Candidate] = []
        for length in self._order[family]:
            matching += self._nets[family][length].get(value >> (bits - length) << (bits - length), ())
        # AWS's own lists, which gateway endpoints route by, hold public addresses only.
        unread = tuple(route for route in self.unread if not (route.via == "endpoint" and private(address)))
        if not matching:
            return Found(None, unread=unread)
        first = matching[0]
        if first.rank == _PROPAGATED and any(item.route.via == "local" for item in matching):
            # The local route, and what is static inside it, beat a propagated one, however specific that is.
            # https://docs.aws.amazon.com/vpn/latest/s2svpn/vpn-route-priority.html
            first = next(item for item in matching if item.rank != _PROPAGATED)
        same = [item for item in matching if item.cidr == first.cidr and item.rank == _LIST]
        rivals = tuple(same) if first.rank == _LIST and len({(item.route.via, item.route.target) for item in same}) > 1 else ()
        return Found(first, tuple(item for item in matching if item is not first), rivals, unread)


def lookup(index: Index, table: RouteTable, address: str) -> Found:
    """The route of a table for an address; remembered."""
    key = ("route", table.id, address)
    found: Found | None = index.memo.get(key)
    if found is None:
        ready = index.memo.get(("table", table.id))
        if ready is None:
            ready = index.memo["table", table.id] = Lookup(index.network, table)
        found = index.memo[key] = ready.find(address)
    return found


#: Targets behind which lies something else than the internet, a peer or this VPC: its addresses may be public ones too.
ELSEWHERE = ("vpn", "transit_gateway", "core_network", "local_gateway", "carrier", "odb_network", "unknown")


def leads_to(index: Index, subnet: str, address: str) -> str | None:
    """The VPC to which a subnet's route for an address leads over a peering connection or a transit gateway.

    None where it certainly leads to no VPC: there is no route, or one that drops, or one to the internet or to a peer that has other
    blocks. Empty where that cannot be said.
    """
    here = index.network.subnets.get(subnet)
    table = index.table(here) if here else None
    if here is None or table is None:
        return ""
    found = lookup(index, table, address)
    if found.unread or found.rivals:
        return ""
    if found.taken is None or found.taken.route.blackhole or found.taken.route.via in ("internet", "egress_only"):
        return None
    route = found.taken.route
    if route.via == "peering" and (peering := index.network.peerings.get(route.target)):
        other = peering.other(here.vpc).vpc
        return other if index.vpc_holds(other, address) else None
    if route.via == "transit_gateway" and (attachment := index.attachment(route.target, here.vpc)):
        return _beyond_gateway(index, attachment, address)
    return ""


def _beyond_gateway(index: Index, attachment: TransitAttachment, address: str) -> str | None:
    table = index.network.transit_tables.get(attachment.table)
    found = transit_lookup(index, table, address) if table else None
    if found is None or found.unsure:
        return ""
    there = index.network.transit_attachments.get(found.attachment)
    if there is None:
        return "" if found.attachment else None
    return there.resource if there.type == "vpc" else ""


def behind(index: Index, vpc: str, subnet: str, address: str) -> str:
    """The gateway behind which a VPC's route tables say an address outside is, where that is neither the internet's nor a peer; else ''.

    Of all its tables the most specific route counts, and of equal ones that of the subnet's own table.
    """
    key = ("behind", vpc, subnet, address)
    if key not in index.memo:
        here = index.network.subnets.get(subnet)
        own = index.table(here) if here else None
        tables = [*([own] if own else ()), *(item for item in index.network.tables_of.get(vpc, ()) if item is not own)]
        found = [taken for table in tables if (taken := lookup(index, table, address).taken) is not None and not taken.route.blackhole]
        first = max(found, key=lambda item: block(item.cidr).length, default=None)
        index.memo[key] = first.route.target if first is not None and first.route.via in ELSEWHERE else ""
    return str(index.memo[key])


def route_text(route: Route, cidr: str = "") -> str:
    """``172.16.0.0/16 → pcx-1``, with the list that gave the block and the state that drops."""
    listed = f" ({cidr})" if cidr and cidr != route.destination else ""
    marks = [word for word, shown in (("propagated", route.propagated), ("blackhole", route.blackhole)) if shown]
    return f"{route.destination}{listed} → {route.target or 'nothing'}" + (f" ({', '.join(marks)})" if marks else "")


@dataclass(frozen=True)
class TransitFound:
    """Where a transit gateway's table sends an address: ``attachment`` (a key of the network's), or a ``blackhole``.

    ``rule``: the route as text. ``unsure``: why it may be sent elsewhere.
    """

    attachment: str = ""
    blackhole: bool = False
    rule: str = ""
    unsure: str = ""


def transit_lookup(index: Index, table: TransitTable, address: str) -> TransitFound:
    """The route of a transit gateway route table: longest prefix, static before propagated.

    Propagated blocks are the attached VPCs'; what a VPN or Direct Connect announces is in no describe call that is read.
    https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html#tgw-route-evaluation-overview
    """
    network = index.network
    if table.routes is None:
        return TransitFound(unsure="its static routes were not read (TransitGatewayStaticRoutes.json)")
    found: list[tuple[int, int, TransitFound]] = []
    for route in table.routes:
        for cidr in _blocks(network, route):
            if holds(cidr, address):
                key = f"{route.attachment}@{table.gateway}"
                target = key if key in network.transit_attachments else route.attachment
                rule = f"{route.destination} → {route.attachment or 'nothing'}" + (" (blackhole)" if route.state == "blackhole" else "")
                found.append((-block(cidr).length, _STATIC, TransitFound(target, route.state == "blackhole", rule)))
    opaque = []
    for id_ in table.propagations or ():
        attachment = network.transit_attachments.get(id_)
        # A VPC that was not observed, or whose item was left out, propagates blocks that nobody knows.
        if attachment is None or attachment.type != "vpc" or not index.cidrs(attachment.resource):
            opaque.append(id_)
            continue
        for cidr in index.cidrs(attachment.resource):
            if holds(cidr, address):
                found.append((-block(cidr).length, _PROPAGATED, TransitFound(id_, rule=f"{cidr} → {id_} (propagated)")))
    best = min(found, key=lambda item: item[:2], default=None)
    attached = network.transit_attachments.get(best[2].attachment) if best else None
    if best and (best[2].blackhole or (attached and attached.type == "vpc" and any_holds(index.cidrs(attached.resource), address))):
        return best[2]
    if table.propagations is None:
        return TransitFound(unsure="its propagations were not read (TransitGatewayPropagations.json)")
    if opaque:
        return TransitFound(unsure=f"{', '.join(opaque)} propagates routes that no describe call tells")
    return best[2] if best else TransitFound()


def _blocks(network: Network, route: TransitRoute) -> tuple[str, ...]:
    if route.destination.startswith("pl-"):
        known = network.prefix_lists.get(route.destination)
        return known.entries or () if known else ()
    return (route.destination,) if route.destination else ()


#: Targets that cannot be modelled, with the words for them.
UNMODELLED: Mapping[str, str] = {
    "vpn": "a virtual private gateway (VPN or Direct Connect)",
    "carrier": "a carrier gateway",
    "local_gateway": "a local gateway of an Outpost",
    "core_network": "a Cloud WAN core network",
    "odb_network": "an Oracle database network",
    "unknown": "a target that is not known here",
}
