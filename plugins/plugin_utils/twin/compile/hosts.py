# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces at the end of a VPC's wires: hosts in use, and those that answer for all others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from ..state import HOST, MAIN, PARKING, Address, Chain, Namespace, Neighbour, Route, Rule, Ruleset, Wire, WireEnd
from . import names
from .blocks import block, host, nth
from .matching import family_of
from .routers import ALL, ALL_6, behind, onward
from .sites import Host, Link, Site
from .view import PARK, SERVE, Port

WAKING = 22
"""NFLOG group on which a first connection to an instance that nobody used yet is told; its repetition finds the instance."""
LOCAL = 255
"""The kernel's own number of its local routing table."""
_BY_SOURCE = 1000
_WAKING_RULESET = Ruleset(
    chains={
        "wake": Chain(
            "wake",
            (f"tcp dport 22 tcp flags syn / fin,syn,rst,ack log group {WAKING} drop",),
            "type filter hook input priority 0; policy accept;",
        )
    }
)
_SERVICES_RULESET = Ruleset(
    chains={
        "accepts": Chain(
            "accepts",
            ("meta l4proto tcp accept", "icmp type echo-request accept", "icmpv6 type echo-request accept"),
            "type filter hook input priority 0; policy drop;",
        )
    }
)
"""Gateway endpoints take TCP and pings only: https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html
(VPCE_GATEWAY_PROTOCOL_RESTRICTION)."""
_FORWARDING = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    # One that sends back where it came from would tell the sender of a shorter way, which there is not.
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
}

_BINDING = {"ipv6/ip_nonlocal_bind": "1"}
"""Programs may take an address of a prefix that is delegated to the host, without its being on a device."""


def host_namespace(item: Host) -> Namespace:
    """A host in use: each ENI is a device with its addresses, and answers leave by the ENI that their source belongs to."""
    addresses: set[Address] = set()
    routes: set[Route] = set()
    rules: set[Rule] = set()
    neighbours: set[Neighbour] = set()
    defaults: set[int] = set()
    for place, link in enumerate(item.links):
        device, port = f"eth{place}", link.port
        length = block(link.subnet.cidr).length if link.subnet.cidr else 32
        addresses.update(Address(device, f"{address}/{length}") for address in port.addresses)
        addresses.update(Address(device, host(address)) for address in port.ipv6s)
        routes.update(local(prefix) for prefix in port.prefixes)
        for destination, via, owned in _ways(link):
            family = 6 if destination == ALL_6 else 4
            neighbours.add(Neighbour(device, via, names.ROUTER_MAC))
            # The first ENI of a family has the main table; the others have one of their own, for what comes from their addresses.
            table = _BY_SOURCE + place if family in defaults else MAIN
            # Of several addresses the first is the one that the host speaks from.
            several = len(port.addresses if family == 4 else port.ipv6s) > 1
            routes.add(Route(table, destination, device=device, via=via, source=owned[0] if several else ""))
            if table != MAIN:
                rules.update(Rule(family, _BY_SOURCE, table, source=host(address)) for address in owned)
            defaults.add(family)
    return Namespace(
        name=item.id,
        profile=HOST,
        addresses=frozenset(addresses),
        routes=frozenset(routes),
        rules=frozenset(rules),
        neighbours=frozenset(neighbours),
        sysctls={**(_FORWARDING if item.forwards else {}), **(_BINDING if any(link.port.prefixes for link in item.links) else {})},
    )


def _ways(link: Link) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Default route, gateway, and the addresses and prefixes for which it is, those of devices first."""
    port = link.port
    four = tuple(prefix for prefix in port.prefixes if family_of(prefix) == 4)
    six = tuple(prefix for prefix in port.prefixes if family_of(prefix) == 6)
    if port.addresses and link.subnet.cidr:
        yield ALL, nth(link.subnet.cidr, 1), (*port.addresses, *four)
    if port.ipv6s or six:
        yield ALL_6, names.GATEWAY_6, (*port.ipv6s, *six)


def host_wires(item: Host) -> Iterator[Wire]:
    """A wire for each ENI, to the router of its VPC."""
    for place, link in enumerate(item.links):
        router = WireEnd(link.vpc, link.port.device, names.ROUTER_MAC, link.number)
        yield Wire(router, WireEnd(item.id, f"eth{place}", names.mac(link.port.id)), 9001)


def shared_namespaces(site: Site) -> Iterator[Namespace]:
    """What answers for many: instances that wait to be woken, interface endpoints, services behind gateway endpoints."""
    name = site.view.vpc.id
    for device, ruleset in ((PARK, _WAKING_RULESET), (SERVE, Ruleset())):
        ports = [port for port in site.view.ports if port.device == device]
        if ports:
            prefixes = tuple(prefix for port in ports for prefix in port.prefixes)
            yield _answering(f"{device}:{name}", frozenset(_addresses(ports)), ruleset, prefixes)
    if site.services:
        yield _answering(f"services:{name}", frozenset(), _SERVICES_RULESET, site.services)


def _addresses(ports: list[Port]) -> Iterator[Address]:
    for port in ports:
        for address in (*port.addresses, *port.ipv6s):
            yield _answers(address)


@lru_cache(maxsize=1 << 15)
def _answers(address: str) -> Address:
    """The same object each time, which makes them quick to compare."""
    return Address("lo", host(address))


def _answering(name: str, addresses: frozenset[Address], ruleset: Ruleset, blocks: tuple[str, ...] = ()) -> Namespace:
    return Namespace(
        name=name,
        profile=PARKING,
        addresses=addresses,
        routes=frozenset((onward(MAIN, ALL, "up"), onward(MAIN, ALL_6, "up"), *(local(cidr) for cidr in blocks))),
        neighbours=frozenset(behind("up", names.ROUTER_MAC)),
        ruleset=ruleset,
    )


def local(cidr: str) -> Route:
    """A route that makes a whole block the namespace's own: every address of it answers."""
    return Route(LOCAL, cidr, "local", "lo")
