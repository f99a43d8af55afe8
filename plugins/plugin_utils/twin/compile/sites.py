# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compiled apart from the rest: a VPC with its gateways, a host in use, a transit gateway, the internet.

Each is compared with what it was at the last compilation, and its namespaces are kept when it is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ....module_utils._model.network import PrefixList, Subnet, TransitTable
from .outside import Outside
from .view import Port, View


@dataclass(frozen=True)
class Nat:
    """A NAT gateway: ``device`` is the router's towards it, ``address`` its private IPv4 address, ``subnet`` where it lies.

    ``public``: it is for the internet, whose packets are small.
    """

    id: str
    device: str
    address: str
    subnet: str
    public: bool = True


@dataclass(frozen=True)
class Leg:
    """A wire between a VPC's router and a transit gateway: an attachment has one for each of its subnets, that is, for each zone.

    ``device`` is the name of both ends. ``subnet`` and ``zone`` are empty where the attachment's subnets are not known.
    """

    gateway: str
    attachment: str
    vpc: str
    subnet: str
    zone: str
    device: str


@dataclass(frozen=True)
class Site:
    """A VPC and what hangs on its router.

    ``internet``, ``egress_only``: ids of its gateways. ``public``: private to public IPv4 addresses that the internet gateway translates.
    ``open6``, ``egress6``: IPv6 blocks that the internet gateway and the egress-only gateway let through; ``closed6``: addresses among
    them that nothing comes to by the internet gateway. ``services``: blocks that answer behind gateway endpoints. ``crosses``: peerings
    whose wire is this VPC's to make.
    """

    view: View
    internet: str = ""
    egress_only: str = ""
    public: tuple[tuple[str, str], ...] = ()
    open6: tuple[str, ...] = ()
    closed6: tuple[str, ...] = ()
    egress6: tuple[str, ...] = ()
    nats: tuple[Nat, ...] = ()
    legs: tuple[Leg, ...] = ()
    services: tuple[str, ...] = ()
    crosses: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Link:
    """An ENI of a host in use. ``number``: the subnet's mark, which is the link group of the router's device."""

    vpc: str
    port: Port
    subnet: Subnet
    number: int


@dataclass(frozen=True)
class Host:
    """A host in use: its ENIs in the order of their device indexes, eth0 first. ``forwards``: it may pass on what is not its own."""

    id: str
    links: tuple[Link, ...] = ()
    forwards: bool = False


@dataclass(frozen=True)
class Transit:
    """A transit gateway. ``peers``: attachment to the other gateway. ``associations``: attachment to its table. ``blocks``: attachment to
    the CIDR blocks of its VPC, which it propagates."""

    id: str
    legs: tuple[Leg, ...] = ()
    peers: Mapping[str, str] = field(default_factory=dict)
    associations: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[TransitTable, ...] = ()
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)


@dataclass(frozen=True)
class Outlet:
    """An internet gateway as the internet sees it. ``stateful``: an egress-only one, to which only answers lead."""

    id: str
    vpc: str
    public: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    stateful: bool = False


@dataclass(frozen=True)
class Views:
    """Everything to compile, by the name of its namespace. ``around``: where the internet's hosts are."""

    sites: Mapping[str, Site] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    transits: Mapping[str, Transit] = field(default_factory=dict)
    outlets: tuple[Outlet, ...] = ()
    around: Outside = field(default_factory=Outside)
