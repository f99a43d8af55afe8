# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the internet's few hosts are for a network: at their usual addresses, or at others where the network has those for itself.

A block that lies in a VPC, or that a table sends to a VPN, Direct Connect, a transit gateway or a peer, is not the internet's, be its
addresses public or not: https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html. A host of the internet with an address
in it would get no answer, or be taken for somebody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

from ....module_utils._model.network import Network, RouteTable, TransitTable
from ..places import CONTROLLER, CONTROLLER_6, SERVER, SERVER_6, SERVICES, SERVICES_6, service_address
from .blocks import block

_PUBLIC = ("internet", "egress_only", "nat", "endpoint", "eni", "instance", "local")
"""Kinds of routes that may lead to the internet, if over something in between, and the VPC's own, whose blocks are known without."""
#: Documentation and benchmarking: RFC 5737, RFC 2544, RFC 9637, RFC 3849, RFC 5180. The first of each is the usual one.
_CONTROLLERS = (CONTROLLER, "192.0.2.10", "198.51.100.10", "198.19.255.10")
_SERVERS = (SERVER, "192.0.2.1", "203.0.113.1", "198.19.255.1")
_SERVICES = (str(SERVICES), "192.0.2.128/25", "198.51.100.128/25", "198.19.254.0/25")
_CONTROLLERS_6 = (CONTROLLER_6, "2001:db8:fff::10", "2001:2:0:fff::10")
_SERVERS_6 = (SERVER_6, "2001:db8:fff::1", "2001:2:0:fff::1")
_SERVICES_6 = (str(SERVICES_6), "2001:db8:fff:1::/64", "2001:2:0:ffe::/64")
_PLACES = (*_CONTROLLERS, *_SERVERS, *_SERVICES, *_CONTROLLERS_6, *_SERVERS_6, *_SERVICES_6)

_Table = RouteTable | TransitTable


@dataclass(frozen=True)
class Outside:
    """``controller``: where the user's own connections come from. ``server``: a server on the internet. ``services``: AWS's public ones."""

    controller: str = CONTROLLER
    controller_6: str = CONTROLLER_6
    server: str = SERVER
    server_6: str = SERVER_6
    services: IPv4Network = SERVICES
    services_6: IPv6Network = SERVICES_6

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses of both families that are hosts of their own."""
        return (self.controller, self.controller_6, self.server, self.server_6)

    @property
    def blocks(self) -> tuple[IPv4Network, IPv6Network]:
        """The blocks of which every address answers."""
        return (self.services, self.services_6)

    def is_server(self, address: str) -> bool:
        """Whether it is the server's, of either family."""
        return address in (self.server, self.server_6)

    def holds_service(self, address: str) -> bool:
        """Whether it is a public service's."""
        found = ip_address(address)
        return found in (self.services if isinstance(found, IPv4Address) else self.services_6)

    def service(self, name: str, family: int = 4) -> str:
        """The public address of an AWS service name such as ``ssm.us-east-1.amazonaws.com``."""
        return service_address(name, self.services if family == 4 else self.services_6)


@dataclass
class Remembered:
    """What tables were found to take, by their ids, for as long as they are the same objects."""

    tables: dict[str, tuple[_Table, frozenset[str]]] = field(default_factory=dict)


def outside(network: Network, remembered: Remembered | None = None) -> Outside:
    """The internet's hosts for a network: of each one's addresses the first that the network does not have for itself.

    Where it has all of them, they stay where they are by default. ``remembered`` is read and written.
    """
    taken = _taken(network, remembered if remembered is not None else Remembered())
    if not taken:
        return Outside()

    def first(places: tuple[str, ...]) -> str:
        return next((place for place in places if not any(_meet(place, other) for other in taken)), places[0])

    return Outside(
        first(_CONTROLLERS),
        first(_CONTROLLERS_6),
        first(_SERVERS),
        first(_SERVERS_6),
        IPv4Network(first(_SERVICES)),
        IPv6Network(first(_SERVICES_6)),
    )


def _taken(network: Network, remembered: Remembered) -> frozenset[str]:
    """Blocks and addresses of the network that meet an address of the internet's hosts."""
    own: set[str] = set()
    for vpc in network.vpcs.values():
        own.update(vpc.cidrs, vpc.ipv6_cidrs)
    for peering in network.peerings.values():
        for side in (peering.requester, peering.accepter):
            own.update(side.cidrs, side.ipv6_cidrs)
    for eni in network.interfaces.values():
        if eni.public_ips:
            own.update(eni.public_ips.values())
    found = set(filter(_is_disputed, own))
    tables: dict[str, tuple[_Table, frozenset[str]]] = {}
    kinds: tuple[Mapping[str, _Table], ...] = (network.route_tables, network.transit_tables)
    for kind in kinds:
        for id_, table in kind.items():
            former = remembered.tables.get(id_)
            if former is not None and former[0] is table:
                tables[id_] = former
                if former[1]:
                    found |= former[1]
                continue
            taken = frozenset(filter(_is_disputed, _destinations(network, table)))
            found |= taken
            # What a prefix list holds may change without its table.
            if all("/" in route.destination for route in table.routes or ()):
                tables[id_] = (table, taken)
    remembered.tables = tables
    return frozenset(found)


def _destinations(network: Network, table: _Table) -> Iterator[str]:
    """Of routes that lead away. The default route says only where the rest of the world is."""
    for route in table.routes or ():
        if isinstance(table, RouteTable) and getattr(route, "via", "") in _PUBLIC:
            continue
        if "/" in route.destination:
            blocks: tuple[str, ...] = (route.destination,)
        else:
            listed = network.prefix_lists.get(route.destination)
            blocks = (listed.entries or ()) if listed is not None else ()
        yield from (cidr for cidr in blocks if not cidr.endswith("/0"))


@lru_cache(maxsize=1 << 15)
def _is_disputed(cidr: str) -> bool:
    return any(_meet(place, cidr) for place in _PLACES)


def _meet(one: str, other: str) -> bool:
    left, right = block(one), block(other)
    return left.family == right.family and left.first <= right.last and right.first <= left.last
