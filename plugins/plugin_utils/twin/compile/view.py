# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one VPC's router must know, cut out of the Network: the input of the files that make its routes and its filters.

Views are compared to see what changed, so everything in them is immutable and reuses the Network's own objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ....module_utils._model.network import NetworkAcl, PrefixList, RouteTable, Rule, Subnet, Vpc
from .blocks import block
from .matching import collapsed

HOST, ENDPOINT, NAT, TRANSIT = "host", "endpoint", "nat", "transit"
PARK, SERVE = "park", "serve"
"""Devices of the router to the namespaces that answer for many addresses."""


@dataclass(frozen=True)
class Port:
    """An ENI that answers, as its router sees it.

    ``host``: the instance that it belongs to, else its own id. ``kind``: host, endpoint, nat or transit; only the first two have groups.
    ``live``: it has a device of its own, in a namespace of its own. ``device``: the router's device towards it: its own when live or of a
    gateway, else ``park`` or ``serve``. ``check``: the source/destination check is on. ``logged``: a flow log watches it, as the traffic
    that is wanted of it: "", ACCEPT, REJECT or ALL. ``prefixes``: blocks of both families that are its own as its addresses are.
    ``filtered``: groups filter it, if only by letting nothing through. ``opens``, ``accepts``: connections from it, and to it, may begin.
    """

    id: str
    host: str
    subnet: str
    kind: str
    device: str
    live: bool = False
    addresses: tuple[str, ...] = ()
    ipv6s: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    check: bool = True
    logged: str = ""
    prefixes: tuple[str, ...] = ()
    filtered: bool = True
    opens: bool = True
    accepts: bool = True

    def own(self, family: int) -> tuple[str, ...]:
        """Its addresses and prefixes of one family, none within another, as a set of intervals needs them."""
        alone = self.addresses if family == 4 else self.ipv6s
        if not self.prefixes:
            return alone
        blocks = collapsed(self.prefixes, family)
        return (*(item for item in alone if not any(block(item).within(block(held)) for held in blocks)), *blocks)


@dataclass(frozen=True)
class Crossing:
    """An active peering as one of its VPCs sees it: what crosses has its source in the sender's blocks, its destination in the receiver's.

    ``device``: the router's. ``peer``: the other VPC. Blocks of both families together. ``members``: groups of the peer that rules of this
    VPC may refer to (one Region only), to the addresses of both families that carry them.
    """

    id: str
    device: str
    peer: str
    own: tuple[str, ...]
    theirs: tuple[str, ...]
    mtu: int = 9001
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """One VPC. ``numbers``: subnet id to the number that is its mark, its routing table and the link group of its devices.

    ``subnets`` and all that goes by subnet: of those that have a port. ``tables``: subnet id to its route table. ``acls``: subnet id to its
    network ACL. ``rules``: of every group that a port carries. ``members``: group id to the addresses in this VPC that carry it, both
    families, of the groups that ``rules`` refer to. ``transit``: device of a transit gateway's wire (an attachment has one in each of its
    subnets) to the group members behind it that rules may refer to. ``prefix_lists``: those that rules and tables name, AWS's own with
    their service's address here. ``gateways``: device to kind (``internet``, ``egress_only``, ``transit``, ``services``).
    ``encrypted``: the VPC takes nothing that is not encrypted.
    """

    vpc: Vpc
    subnets: tuple[Subnet, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, RouteTable] = field(default_factory=dict)
    acls: Mapping[str, NetworkAcl] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    crossings: tuple[Crossing, ...] = ()
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    transit: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
    gateways: Mapping[str, str] = field(default_factory=dict)
    encrypted: bool = False
