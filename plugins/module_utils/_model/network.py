# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network as frozen dataclasses: one class per AWS object, rules and routes one to one with the account's.

All ids are AWS's own, or ``planned:NAME`` for what a simulated plan would make. Addresses and CIDR blocks are strings in canonical form.
Accounts are 12-digit strings; a Region is such as ``us-east-1``. A value that the describe calls did not tell is ``None``, never a guess.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from .gate import Fault

TOPOLOGY_TAG = "cloudnet:topology"
NAME_TAG = "cloudnet:name"

#: The states in which a connection exists and may still carry traffic some day. The other four are dead and merely listed for a while.
#: https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-lifecycle
LIVE_STATES = ("active", "provisioning", "pending-acceptance", "initiating-request")
PEERING_STATES = (*LIVE_STATES, "deleting", "deleted", "rejected", "failed", "expired")

PLANNED = "planned:"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What every AWS object has: its id, the account that owns it, its Region, and its tags as the observing account sees them."""

    id: str
    account: str
    region: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def topology(self) -> str:
        """The topology that made it, or an empty string for what is not ours."""
        return self.tags.get(TOPOLOGY_TAG, "")

    @property
    def name(self) -> str:
        """Our own name for it (tag ``cloudnet:name``), or an empty string."""
        return self.tags.get(NAME_TAG, "")

    @property
    def label(self) -> str:
        """For people: the Name tag where there is one, and always the id."""
        shown = self.tags.get("Name", "")
        return f"{shown} ({self.id})" if shown else self.id


@dataclass(frozen=True, kw_only=True)
class Vpc(Resource):
    """``cidrs``: IPv4 blocks in use, the primary first. ``associations``: block of either family to its association id.

    ``block_public_access``: off, block-bidirectional or block-ingress; empty when it was not told.
    """

    cidrs: tuple[str, ...] = ()
    ipv6_cidrs: tuple[str, ...] = ()
    associations: Mapping[str, str] = field(default_factory=dict)
    dns_support: bool | None = None
    dns_hostnames: bool | None = None
    default: bool = False
    shared: bool = False
    block_public_access: str = ""


@dataclass(frozen=True, kw_only=True)
class PublicAccess(Resource):
    """VPC Block Public Access of one account and Region; ``id`` is ``ACCOUNT/REGION``.

    ``mode``: off, block-bidirectional or block-ingress. ``state``: default-state, update-in-progress or update-complete.
    ``exclusions_allowed``: None when that was not told.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcBlockPublicAccessOptions.html
    """

    mode: str
    state: str = ""
    exclusions_allowed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PublicAccessExclusion(Resource):
    """What VPC Block Public Access leaves alone. ``resource``: a VPC's or a subnet's id. ``mode``: allow-bidirectional or allow-egress.

    ``state``: as AWS says it (create-complete, update-in-progress, delete-complete, …).
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcBlockPublicAccessExclusion.html
    """

    resource: str
    mode: str
    state: str = ""


@dataclass(frozen=True, kw_only=True)
class EncryptionControl(Resource):
    """VPC encryption controls of one VPC. ``mode``: monitor or enforce. ``state``: available, enforce-in-progress, …

    ``exclusions``: AWS's name of what may be excluded (VpcPeering, InternetGateway, NatGateway, …) to its state (enabled, disabled, …).
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEncryptionControl.html
    """

    vpc: str
    mode: str
    state: str = ""
    exclusions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Subnet(Resource):
    """``zone`` is the zone's name in this account, such as ``us-east-1a``. ``block_public_access`` as of the VPC, for this subnet alone."""

    vpc: str
    cidr: str
    ipv6_cidr: str = ""
    ipv6_association: str = ""
    zone: str = ""
    zone_id: str = ""
    map_public_ip: bool = False
    assign_ipv6: bool = False
    block_public_access: str = ""


@dataclass(frozen=True, kw_only=True)
class InternetGateway(Resource):
    """``vpc`` is empty while detached."""

    vpc: str = ""


@dataclass(frozen=True, kw_only=True)
class EgressOnlyGateway(Resource):
    """An egress-only internet gateway (IPv6)."""

    vpc: str = ""


@dataclass(frozen=True, kw_only=True)
class NatGateway(Resource):
    """``connectivity`` is public or private; ``state`` is pending, failed, available, deleting or deleted."""

    vpc: str
    subnet: str
    connectivity: str = "public"
    state: str = "available"
    interfaces: tuple[str, ...] = ()
    private_ips: tuple[str, ...] = ()
    public_ips: tuple[str, ...] = ()
    allocations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Address(Resource):
    """An elastic IP address; ``id`` is its allocation id."""

    public_ip: str
    association: str = ""
    interface: str = ""
    instance: str = ""
    private_ip: str = ""


@dataclass(frozen=True)
class Route:
    """``destination``: a CIDR block of either family or a prefix list id.

    ``via``: the kind of target (TARGETS); ``target``: its id, ``local`` for local. ``instance``: behind an ENI target, where AWS tells it.
    """

    destination: str
    via: str
    target: str
    state: str = "active"
    origin: str = "CreateRoute"
    instance: str = ""

    @property
    def blackhole(self) -> bool:
        """Whether AWS says that the target is gone or not usable."""
        return self.state == "blackhole"

    @property
    def propagated(self) -> bool:
        """Whether a virtual private gateway put it there."""
        return self.origin == "EnableVgwRoutePropagation"


#: Kinds of route target, and the key under which DescribeRouteTables tells each.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Route.html
TARGETS: Mapping[str, str] = {
    "peering": "VpcPeeringConnectionId",
    "nat": "NatGatewayId",
    "eni": "NetworkInterfaceId",
    "instance": "InstanceId",
    "egress_only": "EgressOnlyInternetGatewayId",
    "transit_gateway": "TransitGatewayId",
    "carrier": "CarrierGatewayId",
    "local_gateway": "LocalGatewayId",
    "core_network": "CoreNetworkArn",
    "odb_network": "OdbNetworkArn",
    "gateway": "GatewayId",  # local, igw-, vgw-, vpce-: told apart by its prefix as internet, vpn, endpoint, local
}


@dataclass(frozen=True)
class Association:
    """A route table's association with a subnet, a gateway, or (``main``) with the VPC."""

    id: str
    subnet: str = ""
    gateway: str = ""
    main: bool = False


@dataclass(frozen=True, kw_only=True)
class RouteTable(Resource):
    """Routes in the order in which AWS lists them. ``propagating``: virtual private gateways whose routes it takes over."""

    vpc: str
    routes: tuple[Route, ...] = ()
    associations: tuple[Association, ...] = ()
    propagating: tuple[str, ...] = ()

    @property
    def main(self) -> bool:
        """Whether subnets without an association use it."""
        return any(association.main for association in self.associations)

    @cached_property
    def by_destination(self) -> Mapping[str, Route]:
        """Destination to route; a propagated route does not hide the static one."""
        found: dict[str, Route] = {}
        for route in self.routes:
            if route.destination not in found or found[route.destination].propagated:
                found[route.destination] = route
        return found


@dataclass(frozen=True)
class PeeringSide:
    """One side of a connection.

    CIDR blocks are told by AWS only while the connection is active, so they may be empty. ``dns``: allows the other side's resolver to
    get private addresses for this side's public names.
    """

    vpc: str
    account: str
    region: str
    cidrs: tuple[str, ...] = ()
    ipv6_cidrs: tuple[str, ...] = ()
    dns: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Peering(Resource):
    """A VPC peering connection.

    ``account``, ``region`` and ``tags`` are those of the side that was observed; ``seen`` holds the tags of every side that was, by
    (account, Region).
    """

    status: str
    message: str = ""
    requester: PeeringSide
    accepter: PeeringSide
    expires: datetime | None = None
    seen: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether it exists and may carry traffic, now or once accepted."""
        return self.status in LIVE_STATES

    @property
    def pair(self) -> frozenset[str]:
        """The two VPC ids, without direction."""
        return frozenset((self.requester.vpc, self.accepter.vpc))

    @property
    def sides(self) -> tuple[PeeringSide, PeeringSide]:
        """Requester, accepter."""
        return (self.requester, self.accepter)

    def side(self, vpc: str) -> PeeringSide:
        """The side of a VPC."""
        return self.requester if self.requester.vpc == vpc else self.accepter

    def other(self, vpc: str) -> PeeringSide:
        """The side that a VPC's traffic reaches."""
        return self.accepter if self.requester.vpc == vpc else self.requester


@dataclass(frozen=True, kw_only=True)
class Rule(Resource):
    """One security group rule (``sgr-``).

    ``protocol``: tcp, udp, icmp, icmpv6, -1 or a number. Ports are None for all; for ICMP they are type and code, -1 for any.
    Exactly one of ``cidr`` (either family), ``prefix_list`` and ``source_group`` is set; the last with its owner and, over a peering, the
    connection and its status.
    """

    group: str
    egress: bool
    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidr: str = ""
    prefix_list: str = ""
    source_group: str = ""
    source_account: str = ""
    source_vpc: str = ""
    peering: str = ""
    peering_status: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class SecurityGroup(Resource):
    """Its rules are in ``Network.rules_of``; ``rules_told``: whether they were told, be it that there are none.

    ``associated_vpcs``: other VPCs of the Region in which it may be used as well.

    https://docs.aws.amazon.com/vpc/latest/userguide/security-group-assoc.html
    """

    vpc: str
    group_name: str
    description: str = ""
    associated_vpcs: tuple[str, ...] = ()
    rules_told: bool = True


@dataclass(frozen=True)
class AclEntry:
    """One numbered entry; 32767 is AWS's own ``*``. ``protocol`` as in Rule. Ports None for all; ``icmp`` is (type, code), -1 for any."""

    number: int
    egress: bool
    allow: bool
    protocol: str
    cidr: str
    from_port: int | None = None
    to_port: int | None = None
    icmp: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkAcl(Resource):
    """``associations``: subnet id to association id."""

    vpc: str
    default: bool = False
    entries: tuple[AclEntry, ...] = ()
    associations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Endpoint(Resource):
    """A VPC endpoint. ``type``: Interface, Gateway, GatewayLoadBalancer, Resource or ServiceNetwork."""

    vpc: str
    service: str
    type: str
    state: str = "available"
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    private_dns: bool = False
    dns_names: tuple[str, ...] = ()
    policy: str = ""


@dataclass(frozen=True, kw_only=True)
class PrefixList(Resource):
    """A managed prefix list. ``entries`` is None when they were not read (AWS's own lists, mostly)."""

    list_name: str
    family: str = "IPv4"
    max_entries: int = 0
    version: int = 0
    state: str = ""
    entries: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Interface(Resource):
    """An elastic network interface (ENI). ``public_ips``: private address to public one.

    ``ipv4_prefixes``, ``ipv6_prefixes``: blocks that are delegated to it, so that all their addresses are its own.
    ``groups_told``: whether AWS told its groups; told and empty is an interface that has none, such as a Network Load Balancer's.
    ``type``: AWS's InterfaceType in snake case (interface, nat_gateway, network_load_balancer, lambda, …).
    ``status``: available (attached to nothing), associated, attaching, in-use, detaching; empty when it was not told.
    ``requester``: the service or account that made it; ``attached_by``: the owner of what it is attached to (``amazon-elb`` and the like).
    ``deny_igw``: nothing comes in from an internet gateway by IPv6.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
    """

    vpc: str
    subnet: str
    private_ips: tuple[str, ...] = ()
    ipv6s: tuple[str, ...] = ()
    public_ips: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    type: str = "interface"
    status: str = ""
    description: str = ""
    instance: str = ""
    source_dest_check: bool = True
    requester_managed: bool = False
    ipv4_prefixes: tuple[str, ...] = ()
    ipv6_prefixes: tuple[str, ...] = ()
    groups_told: bool = True
    requester: str = ""
    attached_by: str = ""
    deny_igw: bool = False


@dataclass(frozen=True, kw_only=True)
class Instance(Resource):
    """``state``: pending, running, shutting-down, terminated, stopping, stopped."""

    vpc: str = ""
    subnet: str = ""
    state: str = ""
    type: str = ""
    image: str = ""
    key: str = ""
    private_ip: str = ""
    public_ip: str = ""
    interfaces: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True, kw_only=True)
class FlowLog(Resource):
    """``resource``: the VPC, subnet or ENI that it watches. ``traffic``: ACCEPT, REJECT or ALL."""

    resource: str
    traffic: str
    destination_type: str = "cloud-watch-logs"
    destination: str = ""
    role: str = ""
    status: str = "ACTIVE"


@dataclass(frozen=True, kw_only=True)
class TransitGateway(Resource):
    """``group_references``: whether security groups may be referenced across it; None when that was not told.

    ``encryption``: enabling, enabled, disabling or disabled; empty when that was not told.
    """

    state: str = "available"
    group_references: bool | None = None
    encryption: str = ""


@dataclass(frozen=True, kw_only=True)
class TransitAttachment(Resource):
    """What hangs on a transit gateway. ``type``: vpc, vpn, direct-connect-gateway, connect or peering; ``resource``: its id.

    ``subnets``: of a VPC's attachment, one a zone; None when they were not read. ``table``: the associated transit gateway route table.
    Both gateways of a peering attachment tell it under one id: Network keeps it as ``ID@GATEWAY``.
    """

    gateway: str
    type: str
    resource: str
    state: str = "available"
    table: str = ""
    subnets: tuple[str, ...] | None = None
    group_references: bool | None = None


@dataclass(frozen=True)
class TransitRoute:
    """A static route. ``destination``: a block of either family or a prefix list; ``attachment`` is empty for a blackhole."""

    destination: str
    attachment: str = ""
    state: str = "active"


@dataclass(frozen=True, kw_only=True)
class TransitTable(Resource):
    """A transit gateway route table. ``routes`` (static ones) and ``propagations`` (attachments) are None when they were not read."""

    gateway: str
    state: str = "available"
    routes: tuple[TransitRoute, ...] | None = None
    propagations: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Network:
    """Everything that was observed, of any number of accounts and Regions, by id.

    ``complete`` lists what was read as (account, Region, file of the snapshot): what is missing there is unknown, not absent. ``untold``
    lists what was asked for in vain.
    ``others`` keeps every described object that has no class here, by file, as AWS gave it. ``faults``: the items that were left out.
    """

    vpcs: Mapping[str, Vpc] = field(default_factory=dict)
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    internet_gateways: Mapping[str, InternetGateway] = field(default_factory=dict)
    egress_only_gateways: Mapping[str, EgressOnlyGateway] = field(default_factory=dict)
    nat_gateways: Mapping[str, NatGateway] = field(default_factory=dict)
    addresses: Mapping[str, Address] = field(default_factory=dict)
    route_tables: Mapping[str, RouteTable] = field(default_factory=dict)
    peerings: Mapping[str, Peering] = field(default_factory=dict)
    security_groups: Mapping[str, SecurityGroup] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    network_acls: Mapping[str, NetworkAcl] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    flow_logs: Mapping[str, FlowLog] = field(default_factory=dict)
    public_access: Mapping[str, PublicAccess] = field(default_factory=dict)
    public_access_exclusions: Mapping[str, PublicAccessExclusion] = field(default_factory=dict)
    encryption_controls: Mapping[str, EncryptionControl] = field(default_factory=dict)
    transit_gateways: Mapping[str, TransitGateway] = field(default_factory=dict)
    transit_attachments: Mapping[str, TransitAttachment] = field(default_factory=dict)
    transit_tables: Mapping[str, TransitTable] = field(default_factory=dict)
    others: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    complete: frozenset[tuple[str, str, str]] = frozenset()
    untold: frozenset[tuple[str, str, str]] = frozenset()
    warnings: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    @cached_property
    def subnets_of(self) -> Mapping[str, tuple[Subnet, ...]]:
        """VPC id to its subnets."""
        return _by(self.subnets, "vpc")

    @cached_property
    def tables_of(self) -> Mapping[str, tuple[RouteTable, ...]]:
        """VPC id to its route tables."""
        return _by(self.route_tables, "vpc")

    @cached_property
    def groups_of(self) -> Mapping[str, tuple[SecurityGroup, ...]]:
        """VPC id to its security groups."""
        return _by(self.security_groups, "vpc")

    @cached_property
    def rules_of(self) -> Mapping[str, tuple[Rule, ...]]:
        """Security group id to its rules."""
        return _by(self.rules, "group")

    @cached_property
    def encryption_of(self) -> Mapping[str, EncryptionControl]:
        """VPC id to its encryption controls, those that are gone left out."""
        return {item.vpc: item for item in self.encryption_controls.values() if item.state != "deleted"}

    @cached_property
    def acls_of(self) -> Mapping[str, tuple[NetworkAcl, ...]]:
        """VPC id to its network ACLs."""
        return _by(self.network_acls, "vpc")

    @cached_property
    def peerings_of(self) -> Mapping[str, tuple[Peering, ...]]:
        """VPC id to its connections, live ones first."""
        found: dict[str, list[Peering]] = defaultdict(list)
        for peering in sorted(self.peerings.values(), key=lambda item: (not item.live, item.id)):
            for vpc in peering.pair:
                found[vpc].append(peering)
        return {vpc: tuple(items) for vpc, items in found.items()}

    def main_table(self, vpc: str) -> RouteTable | None:
        """The table of subnets without an association of their own."""
        return next((table for table in self.tables_of.get(vpc, ()) if table.main), None)

    def table_of(self, subnet: str) -> RouteTable | None:
        """The table that a subnet uses: its own, else the main one.

        https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
        """
        return self._explicit_tables.get(subnet) or self.main_table(self.subnets[subnet].vpc)

    @cached_property
    def _explicit_tables(self) -> Mapping[str, RouteTable]:
        return {link.subnet: table for table in self.route_tables.values() for link in table.associations if link.subnet}


def _by(items: Mapping[str, Any], key: str) -> Mapping[str, tuple[Any, ...]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for item in items.values():
        found[getattr(item, key)].append(item)
    return {value: tuple(group) for value, group in found.items()}
