# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every question asks of a network, worked out once and kept with it: who has an address, which table, ACL and file there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from .._model.network import (
    PLANNED,
    InternetGateway,
    NatGateway,
    Network,
    NetworkAcl,
    Peering,
    RouteTable,
    Rule,
    Subnet,
    TransitAttachment,
    Vpc,
)
from .blocks import PUBLIC as PUBLIC_CANDIDATES
from .blocks import BlockSet, block, holds, plainest

#: The files of a snapshot that a verdict may need, besides Vpcs and VpcPeeringConnections. What of them was not read makes it unknown.
FILES = frozenset(
    {
        "Subnets",
        "RouteTables",
        "SecurityGroups",
        "SecurityGroupRules",
        "NetworkAcls",
        "NetworkInterfaces",
        "Reservations",
        "InternetGateways",
        "EgressOnlyInternetGateways",
        "NatGateways",
        "VpcEndpoints",
        "ManagedPrefixLists",
        "PrefixListEntries",
        "TransitGateways",
        "TransitGatewayAttachments",
        "TransitGatewayVpcAttachments",
        "TransitGatewayRouteTables",
        "TransitGatewayStaticRoutes",
        "TransitGatewayPropagations",
    }
)

_KEPT = "_reach_index"


class Index:
    """Look-ups over one network, which never changes."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.memo: dict[Any, Any] = {}

    @classmethod
    def of(cls, network: Network) -> Index:
        """The network's own index. It is kept in the object, as the network's cached properties are."""
        found = network.__dict__.get(_KEPT)
        if not isinstance(found, Index):
            found = network.__dict__[_KEPT] = cls(network)
        return found

    @cached_property
    def acl_of(self) -> Mapping[str, NetworkAcl]:
        """Subnet to its ACL. One without an association has the VPC's default one.

        https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
        """
        return {subnet: acl for acl in self.network.network_acls.values() for subnet in acl.associations}

    def acl(self, subnet: Subnet) -> NetworkAcl | None:
        """The ACL that guards a subnet, or None when it was not told."""
        found = self.acl_of.get(subnet.id)
        if found is None and not self.missing("NetworkAcls", subnet):  # else its own may be among those that were not read
            found = next((acl for acl in self.network.acls_of.get(subnet.vpc, ()) if acl.default), None)
        return found

    @cached_property
    def _explicit_tables(self) -> Mapping[str, RouteTable]:
        return {link.subnet: table for table in self.network.route_tables.values() for link in table.associations if link.subnet}

    @cached_property
    def _main_tables(self) -> Mapping[str, RouteTable]:
        return {table.vpc: table for table in self.network.route_tables.values() if table.main}

    def table(self, subnet: Subnet) -> RouteTable | None:
        """The subnet's own table, else the VPC's main one."""
        found = self._explicit_tables.get(subnet.id)
        if found is None and not self.missing("RouteTables", subnet):  # else its own may be among those that were not read
            found = self._main_tables.get(subnet.vpc)
        return found

    @cached_property
    def gateway_tables(self) -> Mapping[str, RouteTable]:
        """Gateway to the table that routes what comes in through it (an edge association)."""
        return {link.gateway: table for table in self.network.route_tables.values() for link in table.associations if link.gateway}

    @cached_property
    def by_public(self) -> Mapping[str, tuple[str, str]]:
        """Public IPv4 address to (ENI, its private address)."""
        return {
            public: (interface.id, private)
            for interface in self.network.interfaces.values()
            for private, public in interface.public_ips.items()
        }

    @cached_property
    def endpoint_of(self) -> Mapping[str, str]:
        """Interface to the VPC endpoint whose it is."""
        return {id_: endpoint.id for endpoint in self.network.endpoints.values() for id_ in endpoint.interfaces}

    @cached_property
    def nat_of(self) -> Mapping[str, NatGateway]:
        """Interface, and (as NatGateways tells more than NetworkInterfaces may) public address, to the NAT gateway whose it is."""
        return {key: nat for nats in self.nats_of.values() for nat in nats for key in (*nat.interfaces, *nat.public_ips)}

    @cached_property
    def gateways_of(self) -> Mapping[str, InternetGateway]:
        """VPC to its internet gateway."""
        return {gateway.vpc: gateway for gateway in self.network.internet_gateways.values() if gateway.vpc}

    @cached_property
    def nats_of(self) -> Mapping[str, tuple[NatGateway, ...]]:
        """VPC to its usable NAT gateways."""
        found: dict[str, list[NatGateway]] = defaultdict(list)
        for nat in self.network.nat_gateways.values():
            if nat.state in ("available", "pending"):
                found[nat.vpc].append(nat)
        return {vpc: tuple(nats) for vpc, nats in found.items()}

    @cached_property
    def group_rules(self) -> Mapping[tuple[str, bool], tuple[Rule, ...]]:
        """(group, whether egress) to its rules."""
        found: dict[tuple[str, bool], list[Rule]] = defaultdict(list)
        for rule in self.network.rules.values():
            found[rule.group, rule.egress].append(rule)
        return {key: tuple(rules) for key, rules in found.items()}

    @cached_property
    def _peering_pairs(self) -> Mapping[frozenset[str], Peering]:
        found: dict[frozenset[str], Peering] = {}
        rank = {"active": 0, "provisioning": 1, "pending-acceptance": 2, "initiating-request": 3}
        for peering in sorted(self.network.peerings.values(), key=lambda item: (rank.get(item.status, 9), item.id)):
            found.setdefault(peering.pair, peering)
        return found

    def peering(self, one: str, other: str) -> Peering | None:
        """The connection of two VPCs, the most alive one."""
        return self._peering_pairs.get(frozenset((one, other)))

    @cached_property
    def _attachments(self) -> Mapping[tuple[str, str], TransitAttachment]:
        return {(item.gateway, item.resource): item for item in self.network.transit_attachments.values() if item.type == "vpc"}

    def attachment(self, gateway: str, vpc: str) -> TransitAttachment | None:
        """How a VPC hangs on a transit gateway."""
        return self._attachments.get((gateway, vpc))

    def subnet_at(self, vpc: str, address: str) -> Subnet | None:
        """The subnet of a VPC that holds an address."""
        key = ("subnet", vpc, address)
        if key not in self.memo:
            self.memo[key] = next((item for item in self.network.subnets_of.get(vpc, ()) if _inside(item, address)), None)
        return self.memo[key]  # type: ignore[no-any-return]

    def vpc_holds(self, vpc: str, address: str) -> bool:
        """Whether an address lies in a VPC's blocks; for a VPC that was not observed, as an active connection tells them."""
        key = ("vpc", vpc, address)
        if key not in self.memo:
            self.memo[key] = any(holds(cidr, address) for cidr in self.cidrs(vpc))
        return self.memo[key]  # type: ignore[no-any-return]

    def cidrs(self, vpc: str) -> tuple[str, ...]:
        """A VPC's blocks of both families."""
        found = self.network.vpcs.get(vpc)
        if found is not None:
            return (*found.cidrs, *found.ipv6_cidrs)
        return next(
            ((*side.cidrs, *side.ipv6_cidrs) for peering in self.network.peerings_of.get(vpc, ()) if (side := peering.side(vpc)).cidrs), ()
        )

    @cached_property
    def all_vpcs(self) -> tuple[str, ...]:
        """Every VPC that is known of, the peers that were not observed among them."""
        return tuple(dict.fromkeys([*self.network.vpcs, *(side.vpc for item in self.network.peerings.values() for side in item.sides)]))

    @cached_property
    def named_blocks(self) -> BlockSet:
        """Every block that a rule, entry, route or prefix list names: addresses with the same longest one of these are all alike."""
        return BlockSet({cidr for cidr in self._blocks() if cidr})

    def _blocks(self) -> Iterator[str]:
        network = self.network
        yield from (rule.cidr for rule in network.rules.values())
        yield from (entry.cidr for acl in network.network_acls.values() for entry in acl.entries)
        yield from (route.destination for table in network.route_tables.values() for route in table.routes)
        yield from (cidr for found in network.prefix_lists.values() for cidr in found.entries or ())
        yield from (route.destination for table in network.transit_tables.values() for route in table.routes or ())
        for vpc in network.vpcs.values():
            yield from (*vpc.cidrs, *vpc.ipv6_cidrs)

    @cached_property
    def some_public(self) -> Mapping[int, str]:
        """For each family one public address that no rule names in particular: it stands for the internet."""
        return {family: plainest(self.named_blocks, found) for family, found in PUBLIC_CANDIDATES.items()}

    # What was read.

    @cached_property
    def _read(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """(Region, file) to the accounts of which it was read."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for account, region, file in self.network.complete:
            found[region, file].add(account)
        return {key: frozenset(accounts) for key, accounts in found.items()}

    @cached_property
    def _observers(self) -> frozenset[tuple[str, str]]:
        return frozenset((account, region) for account, region, _other in self.network.complete)

    def missing(self, file: str, owner: Vpc | Subnet | None, *others: str) -> str:
        """``account/Region/File.json`` when a file (or any of ``others`` in its place) that would tell of a VPC was not read, else ''.

        What a plan would make needs no file: it is all in the plan. A shared VPC is told by whoever sees it.
        """
        if owner is None:
            return f"{file}.json"
        if owner.id.startswith(PLANNED):
            return ""
        if not self._left_out(owner.vpc if isinstance(owner, Subnet) else owner.id):
            for name in (file, *others):
                accounts = self._read.get((owner.region, name), frozenset())
                if owner.account in accounts or (accounts and (owner.account, owner.region) not in self._observers):
                    return ""
        return f"{owner.account}/{owner.region}/{file}.json"

    def _left_out(self, vpc: str) -> bool:
        """Whether the files that tell of a Region's VPCs leave this one out: every VPC has a main route table, a default group and ACL.

        https://docs.aws.amazon.com/vpc/latest/userguide/configure-your-vpc.html
        """
        network = self.network
        kinds = (network.route_tables, network.security_groups, network.network_acls)
        return all(kinds) and not any(vpc in told for told in (network.tables_of, network.groups_of, network.acls_of))

    def untold(self, file: str, owner: Vpc | Subnet | None) -> str:
        """``account/Region/File.json`` when a file was asked for in vain, else ''.

        Of features that few use: a snapshot of before them, which tells nothing of them, is not in doubt.
        """
        place = (owner.account, owner.region, file) if owner else ("", "", "")
        return "/".join(place) + ".json" if place in self.network.untold else ""


def _inside(subnet: Subnet, address: str) -> bool:
    cidr = subnet.ipv6_cidr if ":" in address else subnet.cidr
    return bool(cidr) and holds(cidr, address)


def prefix_length(cidr: str) -> int:
    """A block's length in bits."""
    return block(cidr).length
