# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology, parsed and expanded: every default filled in, every hub and mesh a list of pairs, every zone list a list of subnets.

Names are the topology's own. Nothing here knows an AWS id, unless the user wrote one. CIDR blocks are canonical strings.
``path`` is where the reader wrote it (``peerings[0].spokes[1]``), for messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypeVar

from ..errors import Finding

Block = TypeVar("Block")


@dataclass(frozen=True)
class AccountSpec:
    """How to get at an account. The empty name stands for the ambient credentials. ``id`` when the user wrote one: it is then checked."""

    name: str
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    id: str = ""


@dataclass(frozen=True)
class RemoteSpec:
    """A VPC for which we hold no credentials. What is empty is told by its peering connection (resolve.py)."""

    owner: str = ""
    id: str = ""
    cidrs: tuple[str, ...] = ()
    region: str = ""


@dataclass(frozen=True)
class SubnetSpec:
    """A subnet. ``table`` is always set in a VPC of ours; in an adopted VPC it is empty unless the user named one.

    ``nat`` is the public subnet whose NAT gateway it uses.
    """

    name: str
    cidr: str
    zone: str = ""  # a letter, or a whole zone name
    ipv6: str = ""  # a /64 block, or "auto:N" for the Nth /64 of the VPC's Amazon-provided block
    public: bool = False
    nat: str = ""
    table: str = ""
    path: str = ""


#: What a route may point to: the target is the name of a subnet for nat (its gateway), of an endpoint, or an AWS id; none is needed for the
#: two gateways.
ROUTE_VIAS = (
    "internet",
    "egress_only",
    "nat",
    "endpoint",
    "eni",
    "instance",
    "transit_gateway",
    "vpn",
    "carrier",
    "local_gateway",
    "core_network",
)


@dataclass(frozen=True)
class RouteSpec:
    """``to``: CIDR block of either family, a name in ``prefix_lists``, or a pl- id. ``via``: one of ROUTE_VIAS."""

    to: str
    via: str
    target: str = ""
    path: str = ""


@dataclass(frozen=True)
class RouteTableSpec:
    """``ref`` is empty for a table that we make; in an adopted VPC it is the id, the Name tag, or ``main``."""

    name: str
    ref: str = ""
    routes: tuple[RouteSpec, ...] = ()
    path: str = ""


@dataclass(frozen=True)
class RuleSpec:
    """A raw rule. Ports None for all; for ICMP type and code, -1 for any.

    Exactly one peer: ``cidrs``, ``prefix_list`` (name or id) or ``group`` (name in the same VPC, ``vpc.group``, or sg- id).
    ``group_owner``: the 12-digit account that stood before the id.
    """

    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidrs: tuple[str, ...] = ()
    prefix_list: str = ""
    group: str = ""
    description: str = ""
    path: str = ""
    group_owner: str = ""


@dataclass(frozen=True)
class GroupSpec:
    """A security group. ``egress`` None leaves AWS's default (all out).

    ``ref`` is the id or group name of a group in an adopted VPC, empty for one that we make.
    """

    name: str
    ref: str = ""
    description: str = ""
    rules: tuple[RuleSpec, ...] = ()
    egress: tuple[RuleSpec, ...] | None = None
    path: str = ""


@dataclass(frozen=True)
class AclEntrySpec:
    """A numbered entry; ``icmp`` is (type, code)."""

    number: int
    allow: bool
    protocol: str
    cidr: str
    from_port: int | None = None
    to_port: int | None = None
    icmp: tuple[int, int] | None = None


@dataclass(frozen=True)
class AclSpec:
    """A network ACL of ours and the subnets that it guards."""

    name: str
    subnets: tuple[str, ...]
    inbound: tuple[AclEntrySpec, ...] = ()
    outbound: tuple[AclEntrySpec, ...] = ()
    path: str = ""


@dataclass(frozen=True)
class EndpointSpec:
    """A VPC endpoint. ``service`` is a full name (com.amazonaws.REGION.ssm).

    ``groups``: names of groups of the VPC. ``tables``: route tables of a gateway endpoint.
    """

    name: str
    service: str
    type: str
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    private_dns: bool = False
    policy: str = ""
    path: str = ""


@dataclass(frozen=True)
class FlowLogSpec:
    """``to``: a log group's name, or the ARN of a bucket or stream. ``role``: ARN, needed for a log group."""

    to: str
    traffic: str = "ALL"
    role: str = ""
    path: str = ""


@dataclass(frozen=True)
class InstanceSpec:
    """Made by the ``instances`` role; the engine reads where it is."""

    name: str
    subnet: str
    security_groups: tuple[str, ...] = ()
    type: str = ""
    private_ip: str = ""
    key: str = ""
    public_ip: bool = False
    user_data: str = ""
    path: str = ""


@dataclass(frozen=True)
class BastionSpec:
    """``sources``: CIDR blocks from which ssh is let in."""

    subnet: str
    sources: tuple[str, ...]
    group: str = "bastion"


@dataclass(frozen=True)
class VpcSpec:
    """Ours when neither ``id``, ``lookup`` nor ``remote`` is set; else adopted (the first two) or another owner's.

    ``internet_gateway`` and ``egress_only_gateway`` say whether one is needed. ``dns`` None leaves the attributes as they are.
    """

    name: str
    account: str = ""
    region: str = ""
    cidrs: tuple[str, ...] = ()
    ipv6: str = ""  # "", "amazon", or a block
    id: str = ""
    lookup: Mapping[str, str] = field(default_factory=dict)
    remote: RemoteSpec | None = None
    dns: bool | None = None
    subnets: Mapping[str, SubnetSpec] = field(default_factory=dict)
    route_tables: Mapping[str, RouteTableSpec] = field(default_factory=dict)
    security_groups: Mapping[str, GroupSpec] = field(default_factory=dict)
    network_acls: Mapping[str, AclSpec] = field(default_factory=dict)
    endpoints: Mapping[str, EndpointSpec] = field(default_factory=dict)
    instances: Mapping[str, InstanceSpec] = field(default_factory=dict)
    flow_logs: FlowLogSpec | None = None
    bastion: BastionSpec | None = None
    ssm: bool = False
    internet_gateway: bool = False
    egress_only_gateway: bool = False
    nat_subnets: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    path: str = ""

    @property
    def ours(self) -> bool:
        """Whether we make (and remove) the VPC itself."""
        return not (self.id or self.lookup or self.remote)

    def place(self, kind: str, name: str) -> Place:
        """One of its groups, subnets or instances as an end."""
        sections = (self.security_groups, self.subnets, self.instances)
        return Place(kind, self.name, name, shared=sum(name in section for section in sections) > 1)


@dataclass(frozen=True)
class PeeringSpec:
    """One pair. ``tables``: VPC name to the tables that get routes to the other side (empty: none).

    ``only`` / ``without``: narrows the destinations, by the VPC whose blocks they are. ``dns`` None leaves the options alone.
    ``accept_only``: the other owner requests; we accept and do our half. ``id``: a connection named by id.
    """

    requester: str
    accepter: str
    dns: bool | None = None
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accept_only: bool = False
    id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    path: str = ""

    @property
    def name(self) -> str:
        """``requester:accepter``; a VPC's name cannot hold a colon."""
        return f"{self.requester}:{self.accepter}"

    def narrowed(self, vpc: str) -> bool:
        """Whether the topology says which of a VPC's blocks are routed."""
        return vpc in self.only or vpc in self.without

    def routed(self, vpc: str, blocks: Iterable[Block], spell: Callable[[str], Block] | None = None) -> list[Block]:
        """The blocks of one of the two VPCs that the other gets routes to: of ``blocks`` all but those left out, or only those named.

        Whoever asks what the peering carries (routes, rules, quotas, hints) asks here. ``spell``: how blocks are written in ``blocks``.
        """
        write: Callable[[str], Any] = spell or str
        left_out = {write(block) for block in self.without.get(vpc, ())}
        known = map(write, self.only[vpc]) if vpc in self.only else blocks
        return [block for block in known if block not in left_out]

    def parts(self, vpc: str, block: str) -> tuple[str, ...]:
        """What of a block (of a subnet, of an instance) of one of the two VPCs the other gets routes to: itself, smaller ones, or none."""
        inner = ip_network(block)
        if any(_within(inner, other) for other in self.without.get(vpc, ())):
            return ()
        if vpc not in self.only:
            return (block,)
        if any(_within(inner, other) for other in self.only[vpc]):
            return (block,)
        return tuple(other for other in self.only[vpc] if _within(ip_network(other), block))


def _within(inner: IPv4Network | IPv6Network, outer: str) -> bool:
    block = ip_network(outer)
    return inner.version == block.version and inner.subnet_of(block)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Place:
    """One end of an ``allow`` or an ``expect``. ``kind``: group, subnet, instance, vpc, prefix_list, cidr, internet.

    ``vpc`` is empty for the last three; ``name`` is the name or the block. ``shared``: things of several kinds have this name, so that its
    text says which is meant. An end is known by its kind, VPC and name, never by its text.
    """

    kind: str
    vpc: str = ""
    name: str = ""
    shared: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        text = ".".join(part for part in (self.vpc, self.name) if part) or self.kind
        return f"{self.kind}:{text}" if self.shared else text


@dataclass(frozen=True)
class Allow:
    """One protocol and port range from one place to one group. Ports None for all; ICMP: type and code, -1 for any."""

    source: Place
    target: Place
    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    path: str = ""


@dataclass(frozen=True)
class Expect:
    """One question and the answer it must get. ``port`` is None for ICMP and for all."""

    source: Place
    target: Place
    protocol: str
    port: int | None = None
    reachable: bool = True
    path: str = ""


@dataclass(frozen=True)
class Topology:
    """The whole wish. ``accounts`` always holds the ambient account under the empty name.

    ``file`` and ``lines``: where it was read from, for what is told of it; empty for a mapping.
    """

    name: str
    region: str = ""
    accounts: Mapping[str, AccountSpec] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    vpcs: Mapping[str, VpcSpec] = field(default_factory=dict)
    prefix_lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    peerings: tuple[PeeringSpec, ...] = ()
    allows: tuple[Allow, ...] = ()
    expects: tuple[Expect, ...] = ()
    replace_routes: bool = False
    warnings: tuple[str, ...] = ()
    file: str = field(default="", compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def finding(self, path: str, message: str, code: str = "") -> Finding:
        """Something about a path of the topology, with its file, and its line or that of the closest thing around it."""
        place = path
        while place and place not in self.lines:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return Finding(path, message, self.lines.get(place, 0), code, self.file)
