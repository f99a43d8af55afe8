# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks by chance, as an account may have them after years: what AWS admits, and nothing tidier. The same for the same seed.

They are for the comparison of two readers, so they are dense: few addresses, many rules about them, and every kind of gateway.
"""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    AclEntry,
    Address,
    EgressOnlyGateway,
    Instance,
    Interface,
    InternetGateway,
    NatGateway,
    Network,
    NetworkAcl,
    Peering,
    PeeringSide,
    PrefixList,
    Rule,
    SecurityGroup,
    Subnet,
    Vpc,
)

from .wild_controls import encryption, public_access
from .wild_draft import ACCOUNT, Draft, free_address, owned, public_address
from .wild_ends import delegated, ends
from .wild_routes import BLOCKS, neighbours, tables, transit

STATES = ("stopped", "stopped", "stopping", "shutting-down", "terminated")
FILES = (
    "Vpcs",
    "VpcAttributes",
    "Subnets",
    "InternetGateways",
    "EgressOnlyInternetGateways",
    "NatGateways",
    "Addresses",
    "RouteTables",
    "VpcPeeringConnections",
    "SecurityGroups",
    "SecurityGroupRules",
    "SecurityGroupVpcAssociations",
    "NetworkAcls",
    "VpcEndpoints",
    "ManagedPrefixLists",
    "PrefixListEntries",
    "NetworkInterfaces",
    "Instances",
    "VpcBlockPublicAccessOptions",
    "VpcBlockPublicAccessExclusions",
    "VpcEncryptionControls",
    "TransitGateways",
    "TransitGatewayAttachments",
    "TransitGatewayVpcAttachments",
    "TransitGatewayRouteTables",
    "TransitGatewayStaticRoutes",
    "TransitGatewayPropagations",
)


def wild(seed: int, vpcs: int = 0) -> Network:
    """A network of ``vpcs`` VPCs (2 to 5 by default) in up to two Regions."""
    draft = Draft(random.Random(seed))
    draft.open = draft.maybe(0.45)
    for _number in range(vpcs or draft.chance.randint(2, 5)):
        _vpc(draft)
    _peerings(draft)
    if draft.maybe(0.35):
        transit(draft)
    for vpc in draft.of("vpcs"):
        _groups(draft, vpc)
    _associations(draft)
    for vpc in draft.of("vpcs"):
        _rules(draft, vpc)
        _acls(draft, vpc)
        _instances(draft, vpc)
        _nat(draft, vpc)
        ends(draft, vpc)
    for vpc in draft.of("vpcs"):
        tables(draft, vpc)
    public_access(draft)
    encryption(draft)
    regions = {vpc.region for vpc in draft.of("vpcs")}
    complete = frozenset((ACCOUNT, region, file) for region in regions for file in FILES)
    return Network(**draft.things, complete=complete)


def _vpc(draft: Draft) -> None:
    chance = draft.chance
    region = chance.choice(("us-east-1", "us-east-1", "us-east-1", "eu-west-1"))
    blocks = [chance.choice(BLOCKS)]
    if draft.maybe(0.3):
        second = f"100.{64 + draft.count % 60}.0.0/20"
        blocks.append(second)
    six = f"2600:1f18:{draft.count + 1:x}00::/56" if draft.maybe(0.5) else ""
    vpc = Vpc(
        id=draft.id("vpc"), **owned(region), cidrs=tuple(blocks), ipv6_cidrs=(six,) if six else (), dns_support=True, dns_hostnames=True
    )
    draft.put("vpcs", vpc)
    if draft.maybe(0.6):
        draft.put("internet_gateways", InternetGateway(id=draft.id("igw"), **owned(region), vpc=vpc.id))
    if six and draft.maybe(0.5):
        draft.put("egress_only_gateways", EgressOnlyGateway(id=draft.id("eigw"), **owned(region), vpc=vpc.id))
    # The first subnet may hold the VPC's resolver.
    first = chance.randint(0, 1)
    for number in range(chance.randint(1, 3)):
        block = ip_network(blocks[number % len(blocks)])
        assert isinstance(block, IPv4Network)
        cidr = list(block.subnets(new_prefix=24))[number + first]
        cidr6 = str(list(IPv6Network(six).subnets(new_prefix=64))[number]) if six else ""
        zone = f"{region}{chance.choice('ab')}"
        draft.put(
            "subnets",
            Subnet(id=draft.id("subnet"), **owned(region), vpc=vpc.id, cidr=str(cidr), ipv6_cidr=cidr6, zone=zone, zone_id=zone),
        )


def _peerings(draft: Draft) -> None:
    vpcs = draft.of("vpcs")
    for place, one in enumerate(vpcs):
        for other in vpcs[place + 1 :]:
            if any(ip_network(a).overlaps(ip_network(b)) for a in one.cidrs for b in other.cidrs) or not draft.maybe(0.75):
                continue
            status = draft.chance.choice(("active",) * 8 + ("pending-acceptance", "deleted", "rejected"))
            live = status == "active"
            sides = [
                PeeringSide(vpc.id, ACCOUNT, vpc.region, vpc.cidrs if live else (), vpc.ipv6_cidrs if live else (), draft.maybe(0.5))
                for vpc in draft.chance.sample((one, other), 2)
            ]
            draft.put(
                "peerings", Peering(id=draft.id("pcx"), **owned(sides[0].region), status=status, requester=sides[0], accepter=sides[1])
            )
            if status == "deleted" and draft.maybe(0.5):
                draft.put(
                    "peerings",
                    Peering(id=draft.id("pcx"), **owned(one.region), status="active", requester=_side(one), accepter=_side(other)),
                )


def _side(vpc: Vpc) -> PeeringSide:
    return PeeringSide(vpc.id, vpc.account, vpc.region, vpc.cidrs, vpc.ipv6_cidrs, True)


def _groups(draft: Draft, vpc: Vpc) -> None:
    for number in range(draft.chance.randint(1, 3)):
        draft.put("security_groups", SecurityGroup(id=draft.id("sg"), **owned(vpc.region), vpc=vpc.id, group_name=f"g{number}"))


def _associations(draft: Draft) -> None:
    """A group may be used in other VPCs of its Region: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-assoc.html"""
    for group in draft.of("security_groups"):
        others = [vpc.id for vpc in draft.of("vpcs") if vpc.region == group.region and vpc.id != group.vpc]
        if others and draft.maybe(0.15):
            draft.put("security_groups", replace(group, associated_vpcs=(draft.chance.choice(others),)))


def _usable(draft: Draft, vpc: Vpc) -> list[SecurityGroup]:
    """Groups that interfaces of a VPC may carry."""
    return [item for item in draft.of("security_groups") if vpc.id in (item.vpc, *item.associated_vpcs)]


def _rules(draft: Draft, vpc: Vpc) -> None:
    chance = draft.chance
    peers = [other for peering, other in neighbours(draft, vpc) if peering.status == "active"]
    near = [other for other in peers if other.region == vpc.region]
    nearby = [group for other in near for group in draft.of("security_groups", other.id)]
    beyond = [group for other in _referable(draft, vpc) for group in draft.of("security_groups", other)]
    own = draft.of("security_groups", vpc.id)
    usable = _usable(draft, vpc)
    lists = [item for item in draft.of("prefix_lists") if item.region == vpc.region and item.list_name == "some"]
    if not lists and draft.maybe(0.5):
        entries = tuple(sorted({chance.choice(BLOCKS), "10.0.1.0/24", chance.choice(("172.16.0.0/12", "198.51.100.0/24"))}))
        made = PrefixList(id=draft.id("pl"), **owned(vpc.region), list_name="some", max_entries=5, version=1, entries=entries)
        lists.append(draft.put("prefix_lists", made))

    def rule(group: SecurityGroup, egress: bool) -> None:
        protocol = chance.choice(("tcp", "tcp", "udp", "icmp", "-1", "-1", "-1"))
        low: int | None = None
        high: int | None = None
        if protocol in ("tcp", "udp"):
            low, high = chance.choice(((22, 22), (80, 443), (443, 443), (0, 65535), (8000, 9000)))
        elif protocol == "icmp":
            low, high = chance.choice(((-1, -1), (8, 0), (8, -1), (3, -1)))
        peer: dict[str, Any] = {}
        kind = chance.choice(("cidr", "cidr", "cidr", "any", "any", "six", "group", "list"))
        if kind == "group":
            # Over a transit gateway only rules for what comes in may refer to a group.
            source = chance.choice(usable + nearby + ([] if egress else beyond))
            peer = {"source_group": source.id, "source_account": ACCOUNT, "source_vpc": source.vpc}
            if source.vpc != vpc.id:
                joined = [item for item, other in neighbours(draft, vpc) if other.id == source.vpc and item.status == "active"]
                peer |= {"peering": joined[0].id, "peering_status": "active"} if joined else {}
        elif kind == "list" and lists:
            peer = {"prefix_list": chance.choice(lists).id}
        elif kind == "six" and vpc.ipv6_cidrs:
            peer = {"cidr": chance.choice(("::/0", *(cidr for other in [vpc, *peers] for cidr in other.ipv6_cidrs)))}
            protocol = "icmpv6" if protocol == "icmp" else protocol
            if protocol == "icmpv6":
                low, high = chance.choice(((-1, -1), (128, 0)))
        elif kind == "any":
            peer = {"cidr": "0.0.0.0/0"}
        else:
            blocks = [cidr for other in [vpc, *peers] for cidr in other.cidrs]
            subnets = [subnet.cidr for other in [vpc, *peers] for subnet in draft.of("subnets", other.id)]
            peer = {"cidr": chance.choice(blocks + subnets + ["198.51.100.0/24", "203.0.113.0/24"])}
        values: dict[str, Any] = {"protocol": protocol, "from_port": low, "to_port": high, **peer}
        draft.put("rules", Rule(id=draft.id("sgr"), **owned(vpc.region), group=group.id, egress=egress, **values))

    for group in own:
        # Some admit nobody.
        for _number in range(0 if draft.maybe(0.08) else chance.randint(2, 6)):
            rule(group, False)
        if draft.open and draft.maybe(0.8):
            for cidr in ("0.0.0.0/0", "::/0"):
                draft.put("rules", Rule(id=draft.id("sgr"), **owned(vpc.region), group=group.id, egress=False, protocol="-1", cidr=cidr))
        if draft.maybe(0.75):
            for cidr in ("0.0.0.0/0", "::/0"):
                draft.put("rules", Rule(id=draft.id("sgr"), **owned(vpc.region), group=group.id, egress=True, protocol="-1", cidr=cidr))
        else:
            for _number in range(chance.randint(0, 3)):
                rule(group, True)


def _referable(draft: Draft, vpc: Vpc) -> list[str]:
    """VPCs whose groups rules may refer to over a transit gateway."""
    attached = [item for item in draft.of("transit_attachments") if item.group_references]
    return [item.resource for item in attached if item.resource != vpc.id] if any(item.resource == vpc.id for item in attached) else []


def _acls(draft: Draft, vpc: Vpc) -> None:
    chance = draft.chance
    everything = tuple(
        AclEntry(number, egress, number == 100, "-1", cidr)
        for egress in (False, True)
        for number, cidr in ((100, "0.0.0.0/0"), (32767, "0.0.0.0/0"), (101, "::/0"), (32768, "::/0"))
    )
    everything = tuple(replace(entry, allow=entry.number < 32000) for entry in everything)
    subnets = draft.of("subnets", vpc.id)
    custom = [subnet for subnet in subnets if draft.maybe(0.08 if draft.open else 0.25)]
    plain = {subnet.id: draft.id("aclassoc") for subnet in subnets if subnet not in custom}
    draft.put(
        "network_acls",
        NetworkAcl(id=draft.id("acl"), **owned(vpc.region), vpc=vpc.id, default=True, entries=everything, associations=plain),
    )
    blocks = [cidr for item in draft.of("vpcs") for cidr in item.cidrs] + [subnet.cidr for subnet in subnets] + ["0.0.0.0/0"] * 4
    for subnet in custom:
        entries: list[AclEntry] = []
        for egress in (False, True):
            numbers = chance.sample(range(10, 300, 10), chance.randint(1, 5))
            for number in numbers:
                protocol = chance.choice(("-1", "tcp", "udp", "icmp"))
                ports: tuple[int | None, int | None] = (None, None)
                icmp = None
                if protocol in ("tcp", "udp"):
                    ports = chance.choice(((80, 80), (22, 443), (1024, 65535), (0, 65535)))
                elif protocol == "icmp":
                    icmp = chance.choice(((-1, -1), (8, -1), (0, -1), (8, 0)))
                entries.append(AclEntry(number, egress, draft.maybe(0.7), protocol, chance.choice(blocks), *ports, icmp=icmp))
            if draft.maybe(0.6):
                entries.append(AclEntry(1000, egress, True, "-1", "0.0.0.0/0"))
            if draft.maybe(0.6):
                entries.append(AclEntry(1001, egress, True, "-1", "::/0"))
            entries.append(AclEntry(32767, egress, False, "-1", "0.0.0.0/0"))
            entries.append(AclEntry(32768, egress, False, "-1", "::/0"))
        draft.put(
            "network_acls",
            NetworkAcl(
                id=draft.id("acl"),
                **owned(vpc.region),
                vpc=vpc.id,
                entries=tuple(sorted(entries, key=lambda entry: (entry.egress, entry.number))),
                associations={subnet.id: draft.id("aclassoc")},
            ),
        )


def _instances(draft: Draft, vpc: Vpc) -> None:
    chance = draft.chance
    groups = _usable(draft, vpc)
    for subnet in draft.of("subnets", vpc.id):
        for _number in range(chance.randint(1, 2)):
            address = free_address(draft, subnet)
            six = str(ip_network(subnet.ipv6_cidr)[16 + len(draft.used[subnet.id])]) if subnet.ipv6_cidr and draft.maybe(0.8) else ""
            public = public_address(draft) if draft.maybe(0.4) else ""
            instance = draft.id("i")
            eni = Interface(
                id=draft.id("eni"),
                **owned(vpc.region),
                vpc=vpc.id,
                subnet=subnet.id,
                private_ips=(address,),
                ipv6s=(six,) if six else (),
                public_ips={address: public} if public else {},
                groups=tuple(group.id for group in chance.sample(groups, min(len(groups), chance.randint(1, 2)))),
                status="in-use",
                instance=instance,
                source_dest_check=True,
                deny_igw=bool(six) and draft.maybe(0.1),
                **(delegated(draft, subnet) if draft.maybe(0.15) else {}),
            )
            state = chance.choice(("running",) * 14 + STATES)
            enis = []
            # A terminated instance has given its interfaces back.
            if state != "terminated":
                draft.put("interfaces", eni)
                enis.append(eni.id)
                if draft.maybe(0.15):
                    enis.append(_second(draft, vpc, instance, groups).id)
            draft.put(
                "instances",
                Instance(
                    id=instance,
                    **owned(vpc.region),
                    vpc=vpc.id if enis else "",
                    subnet=subnet.id if enis else "",
                    state=state,
                    private_ip=address if enis else "",
                    public_ip=public if enis else "",
                    interfaces=tuple(enis),
                ),
            )


def _second(draft: Draft, vpc: Vpc, instance: str, groups: list[SecurityGroup]) -> Interface:
    """Another ENI of an instance, in any subnet, with several addresses."""
    subnet = draft.chance.choice(draft.of("subnets", vpc.id))
    made = Interface(
        id=draft.id("eni"),
        **owned(vpc.region),
        vpc=vpc.id,
        subnet=subnet.id,
        private_ips=tuple(free_address(draft, subnet) for _number in range(draft.chance.randint(1, 2))),
        groups=(draft.chance.choice(groups).id,),
        status="in-use",
        instance=instance,
    )
    return draft.put("interfaces", made)  # type: ignore[no-any-return]


def _nat(draft: Draft, vpc: Vpc) -> None:
    if not draft.of("internet_gateways", vpc.id) or not draft.maybe(0.6):
        return
    subnet = draft.chance.choice(draft.of("subnets", vpc.id))
    address, public = free_address(draft, subnet), public_address(draft)
    connectivity = draft.chance.choice(("public", "public", "private"))
    eni = Interface(
        id=draft.id("eni"),
        **owned(vpc.region),
        vpc=vpc.id,
        subnet=subnet.id,
        private_ips=(address,),
        public_ips={address: public} if connectivity == "public" else {},
        type="nat_gateway",
        status="in-use",
        source_dest_check=False,
        requester_managed=True,
    )
    draft.put("interfaces", eni)
    nat = NatGateway(
        id=draft.id("nat"),
        **owned(vpc.region),
        vpc=vpc.id,
        subnet=subnet.id,
        connectivity=connectivity,
        interfaces=(eni.id,),
        private_ips=(address,),
        public_ips=(public,) if connectivity == "public" else (),
    )
    draft.put("nat_gateways", nat)
    if connectivity == "public":
        draft.put(
            "addresses",
            Address(
                id=draft.id("eipalloc"),
                **owned(vpc.region),
                public_ip=public,
                association="eipassoc-1",
                interface=eni.id,
                private_ip=address,
            ),
        )
