# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks by chance, as an account may have them after years: what AWS admits, and nothing tidier. The same for the same seed.

They are for the comparison of two readers, so they are dense: few addresses, many rules about them, and every kind of gateway.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    AclEntry,
    Address,
    Association,
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
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    TransitAttachment,
    TransitGateway,
    TransitRoute,
    TransitTable,
    Vpc,
)

ACCOUNT = "111111111111"
PORTS = (22, 80, 443, 8080)
BLOCKS = ("10.0.0.0/16", "10.0.0.0/20", "10.1.0.0/16", "172.16.0.0/16", "172.31.0.0/16", "192.168.0.0/20", "10.0.128.0/18")
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
    "TransitGateways",
    "TransitGatewayAttachments",
    "TransitGatewayVpcAttachments",
    "TransitGatewayRouteTables",
    "TransitGatewayStaticRoutes",
    "TransitGatewayPropagations",
)


@dataclass
class _Draft:
    chance: random.Random
    count: int = 0
    public: int = 10
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)

    def id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}-{self.count:017x}"

    def put(self, kind: str, thing: Any) -> Any:
        self.things.setdefault(kind, {})[thing.id] = thing
        return thing

    def of(self, kind: str, vpc: str = "") -> list[Any]:
        return [item for item in self.things.get(kind, {}).values() if not vpc or item.vpc == vpc]

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share


def wild(seed: int, vpcs: int = 0) -> Network:
    """A network of ``vpcs`` VPCs (2 to 5 by default) in up to two Regions."""
    draft = _Draft(random.Random(seed))
    for _number in range(vpcs or draft.chance.randint(2, 5)):
        _vpc(draft)
    _peerings(draft)
    if draft.maybe(0.35):
        _transit(draft)
    for vpc in draft.of("vpcs"):
        _groups(draft, vpc)
    for vpc in draft.of("vpcs"):
        _rules(draft, vpc)
        _acls(draft, vpc)
        _instances(draft, vpc)
        _nat(draft, vpc)
    for vpc in draft.of("vpcs"):
        _tables(draft, vpc)
    regions = {vpc.region for vpc in draft.of("vpcs")}
    complete = frozenset((ACCOUNT, region, file) for region in regions for file in FILES)
    return Network(**draft.things, complete=complete)


def _owned(region: str) -> dict[str, str]:
    return {"account": ACCOUNT, "region": region}


def _vpc(draft: _Draft) -> None:
    chance = draft.chance
    region = chance.choice(("us-east-1", "us-east-1", "us-east-1", "eu-west-1"))
    blocks = [chance.choice(BLOCKS)]
    if draft.maybe(0.3):
        second = f"100.{64 + draft.count % 60}.0.0/20"
        blocks.append(second)
    six = f"2600:1f18:{draft.count + 1:x}00::/56" if draft.maybe(0.5) else ""
    vpc = Vpc(
        id=draft.id("vpc"), **_owned(region), cidrs=tuple(blocks), ipv6_cidrs=(six,) if six else (), dns_support=True, dns_hostnames=True
    )
    draft.put("vpcs", vpc)
    if draft.maybe(0.6):
        draft.put("internet_gateways", InternetGateway(id=draft.id("igw"), **_owned(region), vpc=vpc.id))
    if six and draft.maybe(0.5):
        draft.put("egress_only_gateways", EgressOnlyGateway(id=draft.id("eigw"), **_owned(region), vpc=vpc.id))
    for number in range(chance.randint(1, 3)):
        block = ip_network(blocks[number % len(blocks)])
        assert isinstance(block, IPv4Network)
        cidr = list(block.subnets(new_prefix=24))[number + 1]
        cidr6 = str(list(IPv6Network(six).subnets(new_prefix=64))[number]) if six else ""
        zone = f"{region}{chance.choice('ab')}"
        draft.put(
            "subnets",
            Subnet(id=draft.id("subnet"), **_owned(region), vpc=vpc.id, cidr=str(cidr), ipv6_cidr=cidr6, zone=zone, zone_id=zone),
        )


def _peerings(draft: _Draft) -> None:
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
                "peerings", Peering(id=draft.id("pcx"), **_owned(sides[0].region), status=status, requester=sides[0], accepter=sides[1])
            )
            if status == "deleted" and draft.maybe(0.5):
                draft.put(
                    "peerings",
                    Peering(id=draft.id("pcx"), **_owned(one.region), status="active", requester=_side(one), accepter=_side(other)),
                )


def _side(vpc: Vpc) -> PeeringSide:
    return PeeringSide(vpc.id, vpc.account, vpc.region, vpc.cidrs, vpc.ipv6_cidrs, True)


def _joined(draft: _Draft, vpc: Vpc) -> list[tuple[Peering, Vpc]]:
    found = []
    for peering in draft.of("peerings"):
        if vpc.id in peering.pair:
            found.append((peering, draft.things["vpcs"][peering.other(vpc.id).vpc]))
    return found


def _groups(draft: _Draft, vpc: Vpc) -> None:
    for number in range(draft.chance.randint(1, 3)):
        draft.put("security_groups", SecurityGroup(id=draft.id("sg"), **_owned(vpc.region), vpc=vpc.id, group_name=f"g{number}"))


def _rules(draft: _Draft, vpc: Vpc) -> None:
    chance = draft.chance
    peers = [other for peering, other in _joined(draft, vpc) if peering.status == "active"]
    near = [other for other in peers if other.region == vpc.region]
    nearby = [group for other in near for group in draft.of("security_groups", other.id)]
    beyond = [group for other in _referable(draft, vpc) for group in draft.of("security_groups", other)]
    own = draft.of("security_groups", vpc.id)
    lists = [item for item in draft.of("prefix_lists") if item.region == vpc.region]
    if not lists and draft.maybe(0.5):
        entries = tuple(sorted({chance.choice(BLOCKS), "10.0.1.0/24", chance.choice(("172.16.0.0/12", "198.51.100.0/24"))}))
        made = PrefixList(id=draft.id("pl"), **_owned(vpc.region), list_name="some", max_entries=5, version=1, entries=entries)
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
            source = chance.choice(own + nearby + ([] if egress else beyond))
            peer = {"source_group": source.id, "source_account": ACCOUNT, "source_vpc": source.vpc}
            if source.vpc != vpc.id:
                joined = [item for item, other in _joined(draft, vpc) if other.id == source.vpc and item.status == "active"]
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
        draft.put("rules", Rule(id=draft.id("sgr"), **_owned(vpc.region), group=group.id, egress=egress, **values))

    for group in own:
        for _number in range(chance.randint(2, 6)):
            rule(group, False)
        if draft.maybe(0.75):
            for cidr in ("0.0.0.0/0", "::/0"):
                draft.put("rules", Rule(id=draft.id("sgr"), **_owned(vpc.region), group=group.id, egress=True, protocol="-1", cidr=cidr))
        else:
            for _number in range(chance.randint(0, 3)):
                rule(group, True)


def _referable(draft: _Draft, vpc: Vpc) -> list[str]:
    """VPCs whose groups rules may refer to over a transit gateway."""
    attached = [item for item in draft.of("transit_attachments") if item.group_references]
    return [item.resource for item in attached if item.resource != vpc.id] if any(item.resource == vpc.id for item in attached) else []


def _acls(draft: _Draft, vpc: Vpc) -> None:
    chance = draft.chance
    everything = tuple(
        AclEntry(number, egress, number == 100, "-1", cidr)
        for egress in (False, True)
        for number, cidr in ((100, "0.0.0.0/0"), (32767, "0.0.0.0/0"), (101, "::/0"), (32768, "::/0"))
    )
    everything = tuple(replace(entry, allow=entry.number < 32000) for entry in everything)
    subnets = draft.of("subnets", vpc.id)
    custom = [subnet for subnet in subnets if draft.maybe(0.25)]
    plain = {subnet.id: draft.id("aclassoc") for subnet in subnets if subnet not in custom}
    draft.put(
        "network_acls",
        NetworkAcl(id=draft.id("acl"), **_owned(vpc.region), vpc=vpc.id, default=True, entries=everything, associations=plain),
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
                **_owned(vpc.region),
                vpc=vpc.id,
                entries=tuple(sorted(entries, key=lambda entry: (entry.egress, entry.number))),
                associations={subnet.id: draft.id("aclassoc")},
            ),
        )


def _free(draft: _Draft, subnet: Subnet) -> str:
    block = ip_network(subnet.cidr)
    taken = draft.used.setdefault(subnet.id, set())
    address = str(block[10 + len(taken)])
    taken.add(address)
    return address


def _public(draft: _Draft) -> str:
    draft.public += 1
    return f"198.18.{draft.public // 250}.{draft.public % 250 + 1}"


def _instances(draft: _Draft, vpc: Vpc) -> None:
    chance = draft.chance
    groups = draft.of("security_groups", vpc.id)
    for subnet in draft.of("subnets", vpc.id):
        for _number in range(chance.randint(1, 2)):
            address = _free(draft, subnet)
            six = str(ip_network(subnet.ipv6_cidr)[16 + len(draft.used[subnet.id])]) if subnet.ipv6_cidr and draft.maybe(0.8) else ""
            public = _public(draft) if draft.maybe(0.4) else ""
            instance = draft.id("i")
            eni = Interface(
                id=draft.id("eni"),
                **_owned(vpc.region),
                vpc=vpc.id,
                subnet=subnet.id,
                private_ips=(address,),
                ipv6s=(six,) if six else (),
                public_ips={address: public} if public else {},
                groups=tuple(group.id for group in chance.sample(groups, min(len(groups), chance.randint(1, 2)))),
                status="in-use",
                instance=instance,
                source_dest_check=True,
            )
            draft.put("interfaces", eni)
            enis = [eni.id]
            if draft.maybe(0.15):
                enis.append(_second(draft, vpc, instance, groups).id)
            draft.put(
                "instances",
                Instance(
                    id=instance,
                    **_owned(vpc.region),
                    vpc=vpc.id,
                    subnet=subnet.id,
                    state=chance.choice(("running",) * 12 + ("stopped",)),
                    private_ip=address,
                    public_ip=public,
                    interfaces=tuple(enis),
                ),
            )


def _second(draft: _Draft, vpc: Vpc, instance: str, groups: list[SecurityGroup]) -> Interface:
    """Another ENI of an instance, in any subnet, with several addresses."""
    subnet = draft.chance.choice(draft.of("subnets", vpc.id))
    made = Interface(
        id=draft.id("eni"),
        **_owned(vpc.region),
        vpc=vpc.id,
        subnet=subnet.id,
        private_ips=tuple(_free(draft, subnet) for _number in range(draft.chance.randint(1, 2))),
        groups=(draft.chance.choice(groups).id,),
        status="in-use",
        instance=instance,
    )
    return draft.put("interfaces", made)  # type: ignore[no-any-return]


def _nat(draft: _Draft, vpc: Vpc) -> None:
    if not draft.of("internet_gateways", vpc.id) or not draft.maybe(0.6):
        return
    subnet = draft.chance.choice(draft.of("subnets", vpc.id))
    address, public = _free(draft, subnet), _public(draft)
    connectivity = draft.chance.choice(("public", "public", "private"))
    eni = Interface(
        id=draft.id("eni"),
        **_owned(vpc.region),
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
        **_owned(vpc.region),
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
                **_owned(vpc.region),
                public_ip=public,
                association="eipassoc-1",
                interface=eni.id,
                private_ip=address,
            ),
        )


def _transit(draft: _Draft) -> None:
    region = draft.chance.choice(draft.of("vpcs")).region
    referring = draft.maybe(0.5)
    gateway = draft.put("transit_gateways", TransitGateway(id=draft.id("tgw"), **_owned(region), group_references=referring))
    tables = [draft.id("tgw-rtb") for _number in range(draft.chance.randint(1, 2))]
    attached: list[TransitAttachment] = []
    for vpc in draft.of("vpcs"):
        if vpc.region != region or not draft.maybe(0.8):
            continue
        subnets = draft.of("subnets", vpc.id)
        by_zone = {subnet.zone: subnet for subnet in subnets}
        chosen = draft.chance.sample(sorted(by_zone), draft.chance.randint(1, len(by_zone)))
        found = TransitAttachment(
            id=draft.id("tgw-attach"),
            **_owned(region),
            gateway=gateway.id,
            type="vpc",
            resource=vpc.id,
            table=draft.chance.choice(tables),
            subnets=tuple(by_zone[zone].id for zone in chosen),
            group_references=referring and draft.maybe(0.8),
        )
        attached.append(draft.put("transit_attachments", found))
        for zone in chosen:
            subnet = by_zone[zone]
            eni = Interface(
                id=draft.id("eni"),
                **_owned(region),
                vpc=vpc.id,
                subnet=subnet.id,
                private_ips=(_free(draft, subnet),),
                type="transit_gateway",
                status="in-use",
                description=f"Network Interface for Transit Gateway Attachment {found.id}",
                requester_managed=True,
                source_dest_check=False,
            )
            draft.put("interfaces", eni)
    for table in tables:
        routes = []
        if attached and draft.maybe(0.5):
            routes.append(TransitRoute(draft.chance.choice(BLOCKS), draft.chance.choice(attached).id))
        if draft.maybe(0.3):
            routes.append(TransitRoute("10.0.1.0/24", "", "blackhole"))
        propagations = _apart(draft, [item for item in attached if draft.maybe(0.8)])
        draft.put(
            "transit_tables",
            TransitTable(
                id=table, **_owned(region), gateway=gateway.id, routes=tuple(routes), propagations=tuple(item.id for item in propagations)
            ),
        )


def _apart(draft: _Draft, attachments: list[TransitAttachment]) -> list[TransitAttachment]:
    """Those whose VPCs do not overlap: which of two equal routes wins is nothing to compare."""
    kept: list[TransitAttachment] = []
    for item in attachments:
        blocks = draft.things["vpcs"][item.resource].cidrs
        others = [cidr for one in kept for cidr in draft.things["vpcs"][one.resource].cidrs]
        if not any(ip_network(a).overlaps(ip_network(b)) for a in blocks for b in others):
            kept.append(item)
    return kept


def _tables(draft: _Draft, vpc: Vpc) -> None:
    subnets = draft.of("subnets", vpc.id)
    own = [subnet for subnet in subnets if draft.maybe(0.5)]
    _table(draft, vpc, [Association(draft.id("rtbassoc"), main=True)], [subnet for subnet in subnets if subnet not in own])
    for subnet in own:
        _table(draft, vpc, [Association(draft.id("rtbassoc"), subnet=subnet.id)], [subnet])


def _table(draft: _Draft, vpc: Vpc, associations: list[Association], users: list[Subnet]) -> None:
    chance = draft.chance
    routes: dict[str, Route] = {cidr: Route(cidr, "local", "local", origin="CreateRouteTable") for cidr in (*vpc.cidrs, *vpc.ipv6_cidrs)}

    def add(destination: str, via: str, target: str, state: str = "active") -> None:
        block = ip_network(destination) if not destination.startswith("pl-") else None
        inside = [ip_network(cidr) for cidr in (*vpc.cidrs, *vpc.ipv6_cidrs)]
        # AWS refuses a route to a gateway or a peering that is inside the VPC's own blocks.
        if block is not None and any(block.version == own.version and own.supernet_of(block) for own in inside):  # type: ignore[arg-type]
            return
        routes.setdefault(destination, Route(destination, via, target, state))

    for peering, other in _joined(draft, vpc):
        if not draft.maybe(0.85):
            continue
        state = "active" if peering.status == "active" else "blackhole"
        for cidr in (*other.cidrs, *other.ipv6_cidrs):
            wish = chance.choice(("whole", "whole", "whole", "subnet", "wide", "none"))
            if wish == "whole":
                add(cidr, "peering", peering.id, state)
            elif wish == "subnet":
                for subnet in draft.of("subnets", other.id):
                    if draft.maybe(0.6):
                        add(subnet.cidr if ":" not in cidr else subnet.ipv6_cidr or cidr, "peering", peering.id, state)
            elif wish == "wide":
                block = ip_network(cidr)
                add(str(block.supernet(prefixlen_diff=1)), "peering", peering.id, state)
    for gateway in draft.of("internet_gateways", vpc.id):
        if draft.maybe(0.6):
            add("0.0.0.0/0", "internet", gateway.id)
        if vpc.ipv6_cidrs and draft.maybe(0.5):
            add("::/0", "internet", gateway.id)
    for six in draft.of("egress_only_gateways", vpc.id):
        if draft.maybe(0.7):
            add("::/0", "egress_only", six.id)
    for nat in draft.of("nat_gateways", vpc.id):
        if draft.maybe(0.7) and nat.subnet not in [user.id for user in users]:
            add("0.0.0.0/0", "nat", nat.id)
            if draft.maybe(0.2):
                add("198.51.100.0/24", "nat", nat.id)
    for attachment in draft.of("transit_attachments"):
        if attachment.resource == vpc.id and draft.maybe(0.8):
            for other in draft.of("vpcs"):
                if other.id != vpc.id and draft.maybe(0.6):
                    for cidr in other.cidrs:
                        add(cidr, "transit_gateway", attachment.gateway)
            if draft.maybe(0.2):
                add("0.0.0.0/0", "transit_gateway", attachment.gateway)
    lists = [item for item in draft.of("prefix_lists") if item.region == vpc.region]
    joined = [peering for peering, _other in _joined(draft, vpc) if peering.status == "active"]
    if lists and joined and draft.maybe(0.3):
        add(chance.choice(lists).id, "peering", chance.choice(joined).id)
    draft.put(
        "route_tables",
        RouteTable(id=draft.id("rtb"), **_owned(vpc.region), vpc=vpc.id, routes=tuple(routes.values()), associations=tuple(associations)),
    )
