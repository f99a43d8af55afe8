# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A VPC's implicit router: a namespace with a routing table for each subnet, and wires to everything that the VPC has.

Packets from a subnet carry its mark and look into its table, in which the VPC's own blocks are thrown on to the main one; what comes over a
peering or from the internet carries none, and the main table leads to the VPC's own ENIs alone: nothing passes a VPC that it does not end
in. https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from ....module_utils._model.network import Route as AwsRoute
from ....module_utils._model.network import RouteTable, Subnet
from ..places import METADATA, RESOLVERS
from ..state import MAIN, ROUTER, Address, Namespace, Neighbour, Route, Rule, Ruleset, Wire, WireEnd
from . import names
from .blocks import block, host, nth
from .sites import Site
from .spans import zone
from .view import PARK, SERVE, TRANSIT, Port

ALL, ALL_6 = "0.0.0.0/0", "::/0"
NOT_ROUTABLE = ("169.254.168.0/22", "fd00:ec2::/32")
"""https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html"""
MARKED = 1000
"""Priority of the rules that go by mark: after the local table, before the main one."""
INTERNET_MTU, GATEWAY_MTU = 1500, 8500
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html, https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-quotas.html"""


def router(site: Site, ruleset: Ruleset) -> Namespace:
    """The router's namespace, with the filters that were made for it."""
    view = site.view
    targets = _Targets(site)
    routes = set(_main(site))
    rules: set[Rule] = set()
    for subnet in view.subnets:
        number = view.numbers[subnet.id]
        routes.update(targets.table(subnet, view.tables.get(subnet.id), number))
        rules.update(Rule(family, MARKED, number, number) for family in _families(site))
    return Namespace(
        name=view.vpc.id,
        profile=ROUTER,
        addresses=frozenset(Address("lo", host(address)) for address in _own(site)),
        routes=frozenset(routes),
        rules=frozenset(rules),
        neighbours=frozenset(_neighbours(site)),
        ruleset=ruleset,
    )


def next_hop(family: int) -> str:
    """Where everything goes that leaves by a wire."""
    return names.GATEWAY if family == 4 else names.GATEWAY_6


def onward(table: int, destination: str, device: str) -> Route:
    """A route that leaves by a wire."""
    return Route(table, destination, device=device, via=next_hop(6 if ":" in destination else 4))


def behind(device: str, mac: str, families: Iterable[int] = (4, 6)) -> Iterator[Neighbour]:
    """Who answers at the other end of a wire."""
    return (Neighbour(device, next_hop(family), mac) for family in families)


def wires(site: Site) -> Iterator[Wire]:
    """The router's wires to what the VPC has, but for hosts in use, whose own they are."""
    view = site.view
    name = view.vpc.id

    def wire(device: str, other: str, end: str, mtu: int, mac: str = names.ROUTER_MAC, group: int = 0) -> Wire:
        return Wire(WireEnd(name, device, names.ROUTER_MAC, group), WireEnd(other, end, mac), mtu)

    used = {port.device for port in view.ports}
    if PARK in used:
        yield wire(PARK, f"park:{name}", "up", 9001, names.PARKED_MAC)
    if SERVE in used:
        yield wire(SERVE, f"serve:{name}", "up", 9001, names.PARKED_MAC)
    if site.services:
        yield wire("services", f"services:{name}", "up", GATEWAY_MTU, names.PARKED_MAC)
    if site.internet:
        yield wire("igw", site.internet, "up", INTERNET_MTU)
    if site.egress_only:
        yield wire("eigw", site.egress_only, "up", INTERNET_MTU)
    for nat in site.nats:
        # To the internet the router tells of packets that are too big before they are translated.
        yield wire(nat.device, nat.id, "up", INTERNET_MTU if nat.public else GATEWAY_MTU, group=view.numbers[nat.subnet])
    for leg in site.legs:
        yield wire(leg.device, leg.gateway, leg.device, GATEWAY_MTU, group=view.numbers.get(leg.subnet, 0))
    for crossing in view.crossings:
        if crossing.id in site.crosses:
            yield wire(crossing.device, crossing.peer, crossing.device, crossing.mtu)


def _families(site: Site) -> tuple[int, ...]:
    return (4, 6) if site.view.vpc.ipv6_cidrs else (4,)


def _own(site: Site) -> Iterator[str]:
    """The router's own addresses: each subnet's gateway, the resolver at the VPC's base plus two, and the link-local services.

    https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
    """
    vpc = site.view.vpc
    six = bool(vpc.ipv6_cidrs)
    for subnet in site.view.subnets:
        if subnet.cidr:
            yield nth(subnet.cidr, 1)
        if subnet.ipv6_cidr:
            yield nth(subnet.ipv6_cidr, 1)
    if vpc.cidrs:
        yield nth(vpc.cidrs[0], 2)
    for four_or_six in (RESOLVERS, METADATA):
        yield from four_or_six[: 2 if six else 1]


def _neighbours(site: Site) -> Iterator[Neighbour]:
    view, families = site.view, _families(site)
    seen = set()
    for port in view.ports:
        if port.device not in seen:
            seen.add(port.device)
            parked = port.device in (PARK, SERVE)
            yield from behind(port.device, names.PARKED_MAC if parked else names.mac(port.id) if port.live else names.ROUTER_MAC, families)
    for device, kind in view.gateways.items():
        yield from behind(device, names.PARKED_MAC if kind == "services" else names.ROUTER_MAC, families)
    for crossing in view.crossings:
        yield from behind(crossing.device, names.ROUTER_MAC, families)


def _main(site: Site) -> Iterable[Route]:
    """A route for each address that answers, and nothing else. Of two ENIs that claim one address the first has it."""
    found: dict[str, Route] = {}
    for port in site.view.ports:
        if port.kind != TRANSIT:
            for address in (*port.addresses, *port.ipv6s, *port.prefixes):
                found.setdefault(address, _towards(address, port.device))
    return (Route(MAIN, ALL, "blackhole"), Route(MAIN, ALL_6, "blackhole"), *found.values())


@lru_cache(maxsize=1 << 15)
def _towards(address: str, device: str) -> Route:
    """The same object each time: of ten thousand routes all but one are compared at once when one changes."""
    return onward(MAIN, host(address), device)


class _Targets:
    """From a route's target to the router's device towards it, or none: then the route swallows what it is for."""

    def __init__(self, site: Site) -> None:
        view = self.view = site.view
        self.site = site
        self.crossings = {item.id: item.device for item in view.crossings}
        self.nats = {item.id: item.device for item in site.nats}
        self.ports: dict[str, Port] = {port.id: port for port in view.ports}
        self.firsts: dict[str, str] = {}
        for port in view.ports:
            self.firsts.setdefault(port.host, port.device)
        self.own = [block(cidr) for cidr in (*view.vpc.cidrs, *view.vpc.ipv6_cidrs)]

    def device(self, route: AwsRoute, subnet: Subnet) -> str:
        """The device, for packets from a subnet; empty for a target that is not there."""
        target = route.target
        if route.blackhole:
            return ""
        match route.via:
            case "peering":
                return self.crossings.get(target, "")
            case "nat":
                return self.nats.get(target, "")
            case "internet":
                return "igw" if target == self.site.internet else ""
            case "egress_only":
                return "eigw" if target == self.site.egress_only else ""
            case "endpoint":
                return "services" if self.site.services and "/" not in route.destination else ""
            case "eni":
                return self.ports[target].device if target in self.ports else ""
            case "instance":
                return self.firsts.get(target, "")
            case "transit_gateway":
                return self._leg(target, subnet)
        return ""

    def _leg(self, gateway: str, subnet: Subnet) -> str:
        """Only an attachment in the subnet's own zone serves it.

        https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html
        """
        here = zone(subnet)
        return next((leg.device for leg in self.site.legs if leg.gateway == gateway and (not leg.subnet or leg.zone == here)), "")

    def table(self, subnet: Subnet, aws: RouteTable | None, number: int) -> Iterator[Route]:
        """The subnet's routing table: the longest prefix wins, against the VPC's own blocks too, and what is not routed is lost."""
        families = _families(self.site)
        found = {cidr: Route(number, cidr, "throw") for cidr in (*self.view.vpc.cidrs, *self.view.vpc.ipv6_cidrs)}
        home = [(cidr, block(cidr)) for cidr in (subnet.cidr, subnet.ipv6_cidr) if cidr]
        inside = False
        for destination, route in self._chosen(aws):
            where = block(destination)
            if route.via == "local" or where.family not in families:
                continue
            if any(where.within(cidr) for cidr in self.own):
                if route.propagated:
                    continue  # local is preferred, however specific: https://docs.aws.amazon.com/vpn/latest/s2svpn/vpn-route-priority.html
                # Neighbours reach one another past every table, so a route for the subnet's own block does not concern it.
                inside = True
                if any(where.within(own) for _cidr, own in home):
                    continue
            device = self.device(route, subnet)
            found[destination] = onward(number, destination, device) if device else Route(number, destination, "blackhole")
        if inside:
            found.update((cidr, Route(number, cidr, "throw")) for cidr, _block in home)
        for whole, outside in ((ALL, NOT_ROUTABLE[0]), (ALL_6, NOT_ROUTABLE[1])):
            if (6 if whole == ALL_6 else 4) not in families:
                continue
            if whole in found:
                found.setdefault(outside, Route(number, outside, "blackhole"))
            else:
                found[whole] = Route(number, whole, "blackhole")
        return iter(found.values())

    def _chosen(self, aws: RouteTable | None) -> Iterator[tuple[str, AwsRoute]]:
        """Destination block to route: for equal blocks a static one, then one by prefix list, then a propagated one.

        https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html
        """
        chosen: dict[str, tuple[int, AwsRoute]] = {}
        for route in aws.routes if aws is not None else ():
            blocks: tuple[str, ...] = (route.destination,)
            rank = 2 if route.propagated else 0
            if "/" not in route.destination:
                listed = self.view.prefix_lists.get(route.destination)
                rank, blocks = 1, (listed.entries or ()) if listed is not None else ()
            for destination in blocks:
                if destination not in chosen or rank < chosen[destination][0]:
                    chosen[destination] = (rank, route)
        return ((destination, route) for destination, (_rank, route) in chosen.items())
