# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel is to hold, as plain data: namespaces, the wires between them, addresses, routes, nftables. No input, no output.

``compile`` makes a KernelState from a Network, ``render`` makes it text that people and golden tests read, ``kernel.sync`` makes it so.

A namespace is named after the AWS thing that it stands for: ``vpc-…`` (the implicit router), ``igw-…``, ``eigw-…``, ``nat-…``, ``tgw-…``,
``i-…`` (an instance in use) or ``eni-…`` (an interface in use that has no instance), ``park:vpc-…`` (answers for the VPC's instances that
nobody uses), ``serve:vpc-…`` (answers for its interface endpoints), ``services:vpc-…`` (AWS's services behind its gateway endpoints) and
``internet``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ROUTER, HOST, PARKING = "router", "host", "parking"
"""Profiles: which sysctls a namespace gets before it has links; see kernel.sysctls."""

MAIN = 254
"""The kernel's own number of its main routing table."""


@dataclass(frozen=True, order=True)
class WireEnd:
    """One end of a wire: a device in a namespace. ``name`` has 15 characters at most. ``group`` is the device's link group."""

    namespace: str
    name: str
    mac: str
    group: int = 0


@dataclass(frozen=True, order=True)
class Wire:
    """A veth pair, both ends up. ``mtu`` in bytes."""

    left: WireEnd
    right: WireEnd
    mtu: int = 9001


@dataclass(frozen=True, order=True)
class Address:
    """``cidr`` is the address with its prefix, ``10.0.0.5/24``. It brings no route (noprefixroute). Also of a /32 on ``lo``."""

    device: str
    cidr: str


@dataclass(frozen=True, order=True)
class Route:
    """``destination``: a CIDR block of either family (``0.0.0.0/0`` and ``::/0`` for all).

    ``kind``: unicast, blackhole, throw, or local. ``via``: next hop, always ``onlink``, empty for none. ``mtu`` 0 leaves the device's.
    ``source``: preferred source address.
    """

    table: int
    destination: str
    kind: str = "unicast"
    device: str = ""
    via: str = ""
    mtu: int = 0
    source: str = ""


@dataclass(frozen=True, order=True)
class Rule:
    """A routing policy rule: packets with ``mark`` (None for all) look into ``table``. ``family`` 4 or 6. Lower priorities come first.

    ``source``: only packets from this block (``10.0.2.5/32``), empty for all: a host with several ENIs answers from each by its own way.
    """

    family: int
    priority: int
    table: int
    mark: int | None = None
    source: str = ""


@dataclass(frozen=True, order=True)
class Neighbour:
    """A permanent neighbour entry."""

    device: str
    address: str
    mac: str


@dataclass(frozen=True)
class NftSet:
    """A named set or map of the namespace's one table, ``inet cloudnet``.

    ``type``: ``ipv4_addr``, ``ipv4_addr . inet_service``, or for a map ``ipv4_addr : verdict``, ``ipv6_addr : mark``. ``elements`` as nft
    writes them (``10.0.0.5 : jump gate_1``), in any order, without duplicates. ``flags`` such as ``interval``.
    """

    name: str
    type: str
    elements: frozenset[str] = frozenset()
    flags: tuple[str, ...] = ()

    @property
    def is_map(self) -> bool:
        """Whether its elements have values."""
        return " : " in self.type


@dataclass(frozen=True)
class Chain:
    """A chain. ``hook`` is empty for one that others jump to, else all of ``type filter hook forward priority 0; policy drop;``."""

    name: str
    rules: tuple[str, ...] = ()
    hook: str = ""


@dataclass(frozen=True)
class Ruleset:
    """Sets and chains by name; every name that a rule or element uses is among them."""

    sets: Mapping[str, NftSet] = field(default_factory=dict)
    chains: Mapping[str, Chain] = field(default_factory=dict)


@dataclass(frozen=True)
class Namespace:
    """A network namespace and all that is in it but its wires."""

    name: str
    profile: str
    addresses: frozenset[Address] = frozenset()
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()
    neighbours: frozenset[Neighbour] = frozenset()
    ruleset: Ruleset = field(default_factory=Ruleset)
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """Beyond the profile's, by their path below ``net``: ``ipv4/ip_forward``."""


@dataclass(frozen=True)
class KernelState:
    """Everything. A wire's two namespaces are both in ``namespaces``."""

    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    wires: frozenset[Wire] = frozenset()
