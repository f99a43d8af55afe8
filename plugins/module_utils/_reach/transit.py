# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through a transit gateway: the attachment in the packet's zone, its route table, the attachment that this names, and on from there.

https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html
"""

from __future__ import annotations

from collections.abc import Callable

from .._model.network import RouteTable, Subnet, TransitAttachment
from . import encryption, explain
from .blocks import holds
from .groups import Link
from .index import Index
from .routing import transit_lookup
from .verdict import Step
from .walk import ACROSS, Walk

Leave = Callable[[Walk, str, str], None]
GoOn = Callable[[Walk, str], None]
_FILES = "TransitGatewayVpcAttachments"
#: Only so many gateways follow one another in a peered chain.
_CHAIN = 4


def joined(index: Index, one: str, other: str) -> str:
    """A transit gateway that both VPCs hang on, or ''."""
    mine = {item.gateway for item in index.network.transit_attachments.values() if item.resource == one}
    return next(
        (item.gateway for item in index.network.transit_attachments.values() if item.resource == other and item.gateway in mine), ""
    )


def cross(walk: Walk, subnet: Subnet, table: RouteTable, gateway: str, leave: Leave, go_on: GoOn) -> None:
    """From a subnet whose route points to a transit gateway."""
    network = walk.index.network
    name = explain.name(network.transit_gateways.get(gateway), gateway)
    walk.hop(Step.TRANSIT_GATEWAY, gateway, name, f"from {explain.vpc_name(network, subnet.vpc)}")
    walk.at_most(ACROSS)
    here = walk.index.attachment(gateway, subnet.vpc)
    if here is None:
        missing = walk.index.missing(_FILES, subnet)
        if missing:
            walk.end("NOT_OBSERVED", gateway, name, f"how {subnet.vpc} hangs on {gateway} was not observed", missing)
            return
        fix = explain.other(f"attach {subnet.vpc} to {gateway}")
        walk.block("BAD_STATE_ATTACHMENT", gateway, name, f"{subnet.vpc} is not attached to {gateway}", fix)
        go_on(walk, subnet.vpc)
        return
    walk.restrict(encryption.attached(walk.index, subnet.vpc, gateway), name)
    if not _enter(walk, subnet, here):
        go_on(walk, subnet.vpc)
        return
    there = _tables(walk, here, gateway)
    if there is None:
        if not walk.ended:
            go_on(walk, subnet.vpc)
        return
    _arrive(walk, subnet, here, there, leave, go_on)


def _enter(walk: Walk, subnet: Subnet, here: TransitAttachment) -> bool:
    network, name = walk.index.network, explain.name(here)
    if here.state not in ("available", "modifying"):
        walk.block("BAD_STATE_ATTACHMENT", here.id, name, f"{here.id} is {here.state}", explain.other(f"bring {here.id} back"))
    if here.subnets is None:
        missing = f"{here.account}/{here.region}/{_FILES}.json"
        walk.doubt("NOT_OBSERVED", here.id, name, f"the subnets of {here.id} were not read", missing)
        return True
    doors = [network.subnets[id_] for id_ in here.subnets if id_ in network.subnets]
    door = next((item for item in doors if item.zone == subnet.zone), None)
    if door is None and len(doors) < len(here.subnets):
        missing = f"{here.account}/{here.region}/Subnets.json"
        walk.doubt("NOT_OBSERVED", here.id, name, f"not all subnets of {here.id} were observed", missing)
    elif door is None:
        why = f"{here.id} has no subnet in {subnet.zone}, where {explain.name(subnet)} is"
        walk.block("TGW_ROUTE_AZ_RESTRICTION", here.id, name, why, explain.other(f"add a subnet of {subnet.zone} to {here.id}"))
    else:
        # Into the gateway the door's inbound rules count, even where the instance is in that very subnet.
        # https://docs.aws.amazon.com/vpc/latest/tgw/tgw-nacls.html
        walk.acl(door, egress=False)
    return True


def _tables(walk: Walk, here: TransitAttachment, gateway: str) -> TransitAttachment | None:
    """The attachment at which the packet leaves, over as many gateways as are peered in a row."""
    network = walk.index.network
    for _turn in range(_CHAIN):
        table = network.transit_tables.get(here.table)
        if not here.table:
            why = f"{here.id} is associated with no transit gateway route table"
            fix = explain.other(f"associate {here.id} with a route table of {gateway}")
            walk.block("TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION", here.id, explain.name(here), why, fix)
            return None
        if table is None:
            missing = f"{here.account}/{here.region}/TransitGatewayRouteTables.json"
            walk.end("NOT_OBSERVED", here.table, here.table, f"{here.table} was not observed", missing)
            return None
        found = transit_lookup(walk.index, table, walk.dst)
        name = explain.name(table)
        if found.unsure:
            why = f"where {name} sends {walk.dst} is not known: {found.unsure}"
            walk.end("NOT_OBSERVED", table.id, name, why, f"{table.account}/{table.region}")
            return None
        if found.blackhole:
            walk.hop(Step.TRANSIT_ROUTE, table.id, name, f"{walk.dst} is dropped", found.rule)
            fix = explain.other(f"replace the route {found.rule} of {table.id}")
            walk.block("TGW_RTB_BAD_STATE_ROUTE", table.id, name, f"{name} drops {walk.dst}", fix, found.rule)
            return None
        there = network.transit_attachments.get(found.attachment)
        if not found.attachment:
            fix = explain.other(f"propagate the other attachment to {table.id}, or add a static route")
            walk.block("TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT", table.id, name, f"{name} has no route to {walk.dst}", fix)
            return None
        walk.hop(Step.TRANSIT_ROUTE, table.id, name, f"{walk.dst} goes to {found.attachment}", found.rule)
        if there is None:
            missing = f"{table.account}/{table.region}/TransitGatewayAttachments.json"
            walk.end("NOT_OBSERVED", found.attachment, found.attachment, f"{found.attachment} was not observed", missing)
            return None
        if there.type == "vpc":
            return there
        onward = network.transit_attachments.get(f"{there.id}@{there.resource}") if there.type == "peering" else None
        if onward is None:
            what = there.type
            if there.type == "peering":
                what = f"a transit gateway peering with {there.resource}, whose other side was not observed"
            walk.end("UNSUPPORTED_TARGET", there.id, there.id, f"{there.id} leads to {what}: what lies behind it is in no describe call")
            return None
        name = explain.name(network.transit_gateways.get(onward.gateway), onward.gateway)
        walk.hop(Step.TRANSIT_GATEWAY, onward.gateway, name, "peered gateway")
        here, gateway = onward, onward.gateway
    walk.end("LOOP", gateway, gateway, "more peered transit gateways in a row than can be followed")
    return None


def _arrive(walk: Walk, subnet: Subnet, here: TransitAttachment, there: TransitAttachment, leave: Leave, go_on: GoOn) -> None:
    """Out of the gateway into a VPC: by the table of the attachment's subnet."""
    network = walk.index.network
    walk.join(_link(walk, here, there))
    walk.restrict(
        encryption.attached(walk.index, there.resource, there.gateway),
        explain.name(network.transit_gateways.get(there.gateway), there.gateway),
    )
    if there.state not in ("available", "modifying"):
        walk.block(
            "BAD_STATE_ATTACHMENT", there.id, explain.name(there), f"{there.id} is {there.state}", explain.other(f"bring {there.id} back")
        )
    if there.resource not in network.vpcs or there.subnets is None:
        missing = f"{there.account}/{there.region}/{'Vpcs' if there.resource not in network.vpcs else _FILES}.json"
        walk.end("NOT_OBSERVED", there.resource, there.resource, f"{there.resource} behind {there.id} was not observed in full", missing)
        return
    doors = sorted(
        (network.subnets[id_] for id_ in there.subnets if id_ in network.subnets), key=lambda item: (item.zone != subnet.zone, item.id)
    )
    if not doors:
        go_on(walk, there.resource)
        return
    inside = next((item for item in doors if item.cidr and ":" not in walk.dst and holds(item.cidr, walk.dst)), doors[0])
    leave(walk, there.resource, inside.id)


def _link(walk: Walk, here: TransitAttachment, there: TransitAttachment) -> Link:
    """For inbound rules, if the gateway and both attachments allow it.

    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html#vpc-attachment-security
    """
    gateway = walk.index.network.transit_gateways.get(here.gateway)
    told = (gateway.group_references if gateway else None, here.group_references, there.group_references)
    if here.gateway == there.gateway and all(told):
        return Link("transit", True, egress=False)
    why = "the transit gateway or an attachment has security group referencing off"
    return Link("transit", False, "SG_REFERENCES_NOT_PRESERVED", why)
