# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CIDR blocks and zones of subnets: CreateSubnet and AssociateSubnetCidrBlock.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html and the API pages of the two actions.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Any, cast

from ..calls import Call, Refusal, after, before, instead
from .cidr_rules import Network, check_subnet_block, check_subnet_block6, parse
from .cidrs import no_ipam
from .emulated import free_addresses, networks4, networks6, subnet_blocks6, subnet_view, subnets_of
from .ended import BLOCKS6, end
from .shapes import find_subnet, find_vpc, invalid, missing


def _zone(call: Call) -> None:
    """The zone must be one of the Region's; without one AWS chooses, and the lab takes the first, so that runs are alike."""
    zones = {zone.name: zone.zone_id for zone in call.backend().describe_availability_zones()}
    wanted, by_id = call.params.get("AvailabilityZone"), call.params.pop("AvailabilityZoneId", None)
    if by_id and not wanted:
        wanted = next((name for name, key in zones.items() if key == by_id), by_id)
    if not wanted:
        wanted = next(iter(zones), None)
    if wanted not in zones:
        raise invalid(
            f"Value ({wanted}) for parameter availabilityZone is invalid. "
            f"Subnets can currently only be created in the following availability zones: {', '.join(zones)}."
        )
    call.params["AvailabilityZone"] = wanted


def _taken6(subnets: list[Any]) -> list[IPv6Network]:
    return [IPv6Network(block) for subnet in subnets for _other, block in subnet_blocks6(subnet)]


@before("ec2", "CreateSubnet")
def subnet_block(call: Call) -> None:
    """A subnet lies in a block of its VPC, beside the others; IPv6 likewise."""
    no_ipam(call)
    if not call.params.get("VpcId"):
        raise missing("vpcId")
    backend = call.backend()
    vpc = find_vpc(backend, str(call.params["VpcId"]))
    subnets = subnets_of(backend, vpc.id)
    four, six = call.params.get("CidrBlock"), call.params.get("Ipv6CidrBlock")
    if not four and not six:
        raise missing("cidrBlock")
    if not four and not call.params.get("Ipv6Native"):
        raise missing("cidrBlock")
    if four:
        block: Network = parse(str(four), "cidrBlock", 4)
        check_subnet_block(cast(IPv4Network, block), networks4(vpc), [item.cidr for item in subnets if item.cidr_block])
        call.params["CidrBlock"] = str(block)
    if six:
        block = parse(str(six), "ipv6CidrBlock", 6)
        check_subnet_block6(cast(IPv6Network, block), networks6(vpc), _taken6(subnets))
        call.params["Ipv6CidrBlock"] = str(block)
    _zone(call)


@after("ec2", "CreateSubnet")
def show_new_subnet(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """The new subnet in the same shape as describing it."""
    backend = call.backend()
    subnet = find_subnet(backend, result["Subnet"]["SubnetId"])
    return {**result, "Subnet": subnet_view(backend, subnet, free_addresses(backend))}


@instead("ec2", "AssociateSubnetCidrBlock")
def associate_subnet_block(call: Call) -> dict[str, Any]:
    """Give a subnet its IPv6 block: "You can only associate a single IPv6 CIDR block with your subnet"."""
    backend = call.backend()
    for name in ("SubnetId", "Ipv6CidrBlock"):
        if not call.params.get(name):
            raise missing(name[0].lower() + name[1:])
    subnet = find_subnet(backend, str(call.params["SubnetId"]))
    block = cast(IPv6Network, parse(str(call.params["Ipv6CidrBlock"]), "ipv6CidrBlock", 6))
    if subnet_blocks6(subnet):
        raise Refusal("CidrLimitExceeded", f"The subnet '{subnet.id}' already has an IPv6 CIDR block, and can hold one.")
    vpc = find_vpc(backend, subnet.vpc_id)
    check_subnet_block6(block, networks6(vpc), _taken6(subnets_of(backend, vpc.id)))
    made = subnet.attach_ipv6_cidr_block_associations(str(block))
    return {
        "SubnetId": subnet.id,
        "Ipv6CidrBlockAssociation": {
            "AssociationId": made["associationId"],
            "Ipv6CidrBlock": str(block),
            "Ipv6CidrBlockState": {"State": "associating"},
        },
    }


@after("ec2", "DisassociateSubnetCidrBlock")
def show_ended(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """The association stays to be seen for a while, disassociated."""
    shown = result["Ipv6CidrBlockAssociation"]
    kept = {key: shown[key] for key in ("AssociationId", "Ipv6CidrBlock")}
    end(call, find_subnet(call.backend(), result["SubnetId"]), BLOCKS6, {**kept, "Ipv6CidrBlockState": {"State": "disassociated"}})
    return {**result, "Ipv6CidrBlockAssociation": {**kept, "Ipv6CidrBlockState": {"State": "disassociating"}}}
