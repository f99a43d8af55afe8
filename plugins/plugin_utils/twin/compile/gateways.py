# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways to the internet, each a namespace with a connection tracking of its own, and the internet.

Gateways have two devices: ``up`` towards the VPC's router, ``out`` towards the internet. A NAT gateway has ``up`` alone: what it has
translated goes back to the router, which sends it on by the table of the gateway's subnet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..state import MAIN, ROUTER, Address, Chain, Namespace, NftSet, Route, Rule, Ruleset, Wire, WireEnd
from . import names
from .blocks import host
from .hosts import local
from .outside import Outside
from .routers import ALL, ALL_6, INTERNET_MTU, MARKED, behind, onward
from .sites import Nat, Outlet, Site

INTERNET = "internet"
_TO_INTERNET, _FROM_INTERNET = 'iifname "up" oifname "out"', 'iifname "out" oifname "up"'
_PAIRS = 100

RESTORE = Chain(
    "restore",
    tuple(f"{hop} {old} {hop} set {old + 1}" for hop in ("ip ttl", "ip6 hoplimit") for old in (1, 64, 128)),
    "type filter hook prerouting priority -300; policy accept;",
)
"""Gives back the hop that forwarding takes, so that no gateway shows as one."""
SILENT = Chain(
    "silent",
    ("icmp type destination-unreachable icmp code frag-needed accept", "icmpv6 type packet-too-big accept"),
    "type filter hook output priority 0; policy drop;",
)
"""A gateway begins nothing, and what is blocked or runs round in a circle ends in silence; only packets that are too big are told of."""
CLOSED = Chain("closed", (), "type filter hook input priority 0; policy drop;")
"""A gateway's own addresses answer nobody."""


def device(gateway: str) -> str:
    """The internet's device towards a gateway."""
    return names.device("g", gateway)


def gateway_namespaces(site: Site) -> Iterator[Namespace]:
    """The VPC's internet gateway, egress-only gateway and NAT gateways."""
    if site.internet:
        yield _through(site.internet, site, _internet_ruleset(site))
    if site.egress_only:
        yield _through(site.egress_only, site, _egress_ruleset(site))
    for nat in site.nats:
        yield _nat(nat)


def gateway_wires(site: Site) -> Iterator[Wire]:
    """From the gateways to the internet."""
    for gateway in (site.internet, site.egress_only):
        if gateway:
            here, there = WireEnd(gateway, "out", names.ROUTER_MAC), WireEnd(INTERNET, device(gateway), names.ROUTER_MAC)
            yield Wire(here, there, INTERNET_MTU)


def _through(gateway: str, site: Site, ruleset: Ruleset) -> Namespace:
    vpc = site.view.vpc
    return Namespace(
        name=gateway,
        profile=ROUTER,
        routes=frozenset(
            (
                onward(MAIN, ALL, "out"),
                onward(MAIN, ALL_6, "out"),
                *(onward(MAIN, cidr, "up") for cidr in (*vpc.cidrs, *vpc.ipv6_cidrs)),
            )
        ),
        neighbours=frozenset((*behind("up", names.ROUTER_MAC), *behind("out", names.ROUTER_MAC))),
        ruleset=ruleset,
    )


def _ruleset(chains: Iterable[Chain], sets: Iterable[NftSet] = ()) -> Ruleset:
    return Ruleset({item.name: item for item in sets}, {item.name: item for item in chains})


def _blocks(name: str, blocks: Iterable[str]) -> NftSet:
    return NftSet(name, "ipv6_addr", frozenset(blocks), ("interval",))


def _internet_ruleset(site: Site) -> Ruleset:
    """One private address to one public one, both ways; IPv6 as it is. What has no public address goes nowhere.

    AWS's gateway remembers nothing: an address that goes to another instance takes the next packet there. So flows are tracked in a zone
    of the pair, and a new pair knows none of the old one's.
    https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
    """
    sets = (
        NftSet("public", "ipv4_addr : ipv4_addr", frozenset(f"{public} : {private}" for private, public in site.public)),
        NftSet("private", "ipv4_addr : ipv4_addr", frozenset(f"{private} : {public}" for private, public in site.public)),
        _blocks("open", site.open6),
        *((_blocks("closed", site.closed6),) if site.closed6 else ()),
    )
    chains = (
        RESTORE,
        SILENT,
        CLOSED,
        Chain("zones", (*_zones(site), "meta nfproto ipv4 drop"), "type filter hook prerouting priority -250; policy accept;"),
        Chain("arrive", ('iifname "out" dnat ip to ip daddr map @public',), "type nat hook prerouting priority -100; policy accept;"),
        Chain(
            "pass",
            (
                # What belongs to no flow is not translated.
                "meta nfproto ipv4 ct state invalid drop",
                f"{_FROM_INTERNET} meta nfproto ipv4 accept",
                *((f"{_FROM_INTERNET} ip6 daddr @closed drop",) if site.closed6 else ()),
                f"{_FROM_INTERNET} ip6 daddr @open accept",
                f"{_TO_INTERNET} meta nfproto ipv4 accept",
                f"{_TO_INTERNET} ip6 saddr @open accept",
            ),
            "type filter hook forward priority 0; policy drop;",
        ),
        Chain("leave", ('oifname "out" snat ip to ip saddr map @private',), "type nat hook postrouting priority 100; policy accept;"),
    )
    return _ruleset(chains, sets)


def _zones(site: Site) -> Iterator[str]:
    """Rules that give each pair's packets its zone. A rule holds so many that it still fits into a message to the kernel."""
    numbers = names.numbers(" ".join(pair) for pair in site.public)
    for start in range(0, len(site.public), _PAIRS):
        pairs = site.public[start : start + _PAIRS]
        for end, side, place in (("out", "daddr", 1), ("up", "saddr", 0)):
            members = ", ".join(f"{pair[place]} : {numbers[' '.join(pair)]}" for pair in pairs)
            yield f'iifname "{end}" ct zone set ip {side} map {{ {members} }} accept'


def _egress_ruleset(site: Site) -> Ruleset:
    """https://docs.aws.amazon.com/vpc/latest/userguide/egress-only-internet-gateway.html"""
    passing = Chain(
        "pass",
        (
            "ct state invalid drop",
            f"{_TO_INTERNET} ip6 saddr @open accept",
            f"{_FROM_INTERNET} ip6 daddr @open ct state established,related accept",
        ),
        "type filter hook forward priority 0; policy drop;",
    )
    return _ruleset((RESTORE, SILENT, CLOSED, passing), (_blocks("open", site.egress6),))


def _nat(nat: Nat) -> Namespace:
    """TCP, UDP and ICMP, from ports 1024 to 65535; nothing begins from outside.

    Hops are not given back here, so that tables which lead in a circle end somewhere; the router gave them beforehand.
    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
    """
    passing = Chain(
        "pass",
        ("ct state invalid drop", "ct state established,related accept", "ip protocol { icmp, tcp, udp } accept"),
        "type filter hook forward priority 0; policy drop;",
    )
    leave = Chain(
        "leave",
        (f"ip protocol {{ tcp, udp }} snat ip to {nat.address}:1024-65535", f"ip protocol icmp snat ip to {nat.address}"),
        "type nat hook postrouting priority 100; policy accept;",
    )
    return Namespace(
        name=nat.id,
        profile=ROUTER,
        addresses=frozenset((Address("lo", host(nat.address)),)),
        routes=frozenset((onward(MAIN, ALL, "up"),)),
        neighbours=frozenset(behind("up", names.ROUTER_MAC)),
        ruleset=_ruleset((SILENT, CLOSED, passing, leave)),
    )


def internet(outlets: Iterable[Outlet], around: Outside) -> Namespace:
    """The internet: its few hosts, AWS's public services, and the way to each public address.

    What left by an egress-only gateway comes back by it, though the VPC may have an internet gateway that leads to the same addresses; what
    leads nowhere else leads there too, and is refused there.
    """
    known = tuple(outlets)
    numbers = names.numbers(item.id for item in known if item.stateful)
    open_ways = {cidr for item in known if not item.stateful for cidr in item.blocks}
    routes = {Route(MAIN, ALL, "blackhole"), Route(MAIN, ALL_6, "blackhole"), *(local(str(cidr)) for cidr in around.blocks)}
    ways: dict[str, Route] = {}
    rules: set[Rule] = set()
    for item in known:
        if item.stateful:
            routes.add(onward(numbers[item.id], ALL_6, device(item.id)))
            rules.add(Rule(6, MARKED, numbers[item.id], numbers[item.id]))
        for cidr in (*(host(address) for address in item.public), *item.blocks):
            # Of two that claim one block the first has it.
            if not (item.stateful and cidr in open_ways):
                ways.setdefault(cidr, onward(MAIN, cidr, device(item.id)))
    routes.update(ways.values())
    chains: list[Chain] = [RESTORE]
    sets: list[NftSet] = []
    if numbers:
        sets.append(NftSet("ways", "ifname : mark", frozenset(f'"{device(id_)}" : {number}' for id_, number in numbers.items())))
        back = "ct direction reply meta mark set ct mark"
        chains.append(
            Chain(
                "remember",
                ("ct direction original ct mark set iifname map @ways", back),
                "type filter hook prerouting priority -150; policy accept;",
            )
        )
        chains.append(Chain("back", (back,), "type route hook output priority -150; policy accept;"))
    return Namespace(
        name=INTERNET,
        profile=ROUTER,
        addresses=frozenset(Address("lo", host(address)) for address in around.hosts),
        routes=frozenset(routes),
        rules=frozenset(rules),
        neighbours=frozenset(entry for item in known for entry in behind(device(item.id), names.ROUTER_MAC)),
        ruleset=_ruleset(chains, sets),
    )
