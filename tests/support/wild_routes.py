# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transit gateways and route tables by chance: ways that lead somewhere, too far, nowhere, or out of what was read."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Association,
    Interface,
    Peering,
    Route,
    RouteTable,
    Subnet,
    TransitAttachment,
    TransitGateway,
    TransitRoute,
    TransitTable,
    Vpc,
)

from .wild_draft import Draft, free_address, owned

BLOCKS = ("10.0.0.0/16", "10.0.0.0/20", "10.1.0.0/16", "172.16.0.0/16", "172.31.0.0/16", "192.168.0.0/20", "10.0.128.0/18")
OUTSIDE = ("10.99.0.0/16", "203.0.113.0/24", "198.51.100.0/24")
"""Blocks behind a VPN or a transit gateway: private addresses, and those that the internet's hosts have by default."""


def neighbours(draft: Draft, vpc: Vpc) -> list[tuple[Peering, Vpc]]:
    found = []
    for peering in draft.of("peerings"):
        if vpc.id in peering.pair:
            found.append((peering, draft.things["vpcs"][peering.other(vpc.id).vpc]))
    return found


def transit(draft: Draft) -> None:
    region = draft.chance.choice(draft.of("vpcs")).region
    referring = draft.maybe(0.5)
    gateway = draft.put("transit_gateways", TransitGateway(id=draft.id("tgw"), **owned(region), group_references=referring))
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
            **owned(region),
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
                **owned(region),
                vpc=vpc.id,
                subnet=subnet.id,
                private_ips=(free_address(draft, subnet),),
                type="transit_gateway",
                status="in-use",
                description=f"Network Interface for Transit Gateway Attachment {found.id}",
                requester_managed=True,
                source_dest_check=False,
            )
            draft.put("interfaces", eni)
    # What lies behind a VPN or a Direct Connect gateway was not read.
    beyond = draft.id("tgw-attach")
    kind = draft.chance.choice(("vpn", "direct-connect-gateway"))
    if draft.maybe(0.4):
        draft.put(
            "transit_attachments",
            TransitAttachment(id=beyond, **owned(region), gateway=gateway.id, type=kind, resource=draft.id("vpn"), table=tables[0]),
        )
    for table in tables:
        routes = []
        if beyond in draft.things.get("transit_attachments", {}):
            routes.append(TransitRoute(draft.chance.choice(OUTSIDE), beyond))
        if attached and draft.maybe(0.5):
            routes.append(TransitRoute(draft.chance.choice(BLOCKS), draft.chance.choice(attached).id))
        if draft.maybe(0.3):
            routes.append(TransitRoute("10.0.1.0/24", "", "blackhole"))
        propagations = _apart(draft, [item for item in attached if draft.maybe(0.8)])
        draft.put(
            "transit_tables",
            TransitTable(
                id=table, **owned(region), gateway=gateway.id, routes=tuple(routes), propagations=tuple(item.id for item in propagations)
            ),
        )


def _apart(draft: Draft, attachments: list[TransitAttachment]) -> list[TransitAttachment]:
    """Those whose VPCs do not overlap: which of two equal routes wins is nothing to compare."""
    kept: list[TransitAttachment] = []
    for item in attachments:
        blocks = draft.things["vpcs"][item.resource].cidrs
        others = [cidr for one in kept for cidr in draft.things["vpcs"][one.resource].cidrs]
        if not any(ip_network(a).overlaps(ip_network(b)) for a in blocks for b in others):
            kept.append(item)
    return kept


def tables(draft: Draft, vpc: Vpc) -> None:
    subnets = draft.of("subnets", vpc.id)
    own = [subnet for subnet in subnets if draft.maybe(0.5)]
    _table(draft, vpc, [Association(draft.id("rtbassoc"), main=True)], [subnet for subnet in subnets if subnet not in own])
    for subnet in own:
        _table(draft, vpc, [Association(draft.id("rtbassoc"), subnet=subnet.id)], [subnet])


def _table(draft: Draft, vpc: Vpc, associations: list[Association], users: list[Subnet]) -> None:
    chance = draft.chance
    routes: dict[str, Route] = {cidr: Route(cidr, "local", "local", origin="CreateRouteTable") for cidr in (*vpc.cidrs, *vpc.ipv6_cidrs)}

    def add(destination: str, via: str, target: str, state: str = "active") -> None:
        block = ip_network(destination) if not destination.startswith("pl-") else None
        inside = [ip_network(cidr) for cidr in (*vpc.cidrs, *vpc.ipv6_cidrs)]
        # AWS refuses a route to a gateway or a peering that is inside the VPC's own blocks.
        if block is not None and any(block.version == own.version and own.supernet_of(block) for own in inside):  # type: ignore[arg-type]
            return
        routes.setdefault(destination, Route(destination, via, target, state))

    for peering, other in neighbours(draft, vpc):
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
            if draft.maybe(0.3):
                add(chance.choice(OUTSIDE), "transit_gateway", attachment.gateway)
    lists = [item for item in draft.of("prefix_lists") if item.region == vpc.region and item.list_name == "some"]
    joined = [peering for peering, _other in neighbours(draft, vpc) if peering.status == "active"]
    if lists and joined and draft.maybe(0.3):
        add(chance.choice(lists).id, "peering", chance.choice(joined).id)
    id_ = draft.id("rtb")
    for endpoint in draft.of("endpoints", vpc.id):
        if endpoint.type == "Gateway" and draft.maybe(0.7):
            add(draft.lists[endpoint.id], "endpoint", endpoint.id)
            draft.put("endpoints", replace(endpoint, tables=(*endpoint.tables, id_)))
    found = [*routes.values(), *_beyond(draft, vpc, routes)]
    draft.put(
        "route_tables",
        RouteTable(id=id_, **owned(vpc.region), vpc=vpc.id, routes=tuple(found), associations=tuple(associations)),
    )


def _beyond(draft: Draft, vpc: Vpc, routes: dict[str, Route]) -> list[Route]:
    """Routes to a virtual private gateway, static and propagated ones; these may have the same destination as a static one."""
    if not draft.maybe(0.3):
        return []
    gateway = f"vgw-{vpc.id.partition('-')[2]}"
    found = []
    for destination in draft.chance.sample(OUTSIDE, draft.chance.randint(1, 2)):
        if destination not in routes and draft.maybe(0.5):
            found.append(Route(destination, "vpn", gateway))
        if draft.maybe(0.7):
            found.append(Route(destination, "vpn", gateway, origin="EnableVgwRoutePropagation"))
    taken = [item for item in routes.values() if item.via in ("peering", "internet", "nat", "transit_gateway") and "/" in item.destination]
    if taken and draft.maybe(0.5):
        twice = draft.chance.choice(taken).destination
        found.append(Route(twice, "vpn", gateway, draft.chance.choice(("active", "active", "blackhole")), "EnableVgwRoutePropagation"))
    return draft.chance.sample(found, len(found))
