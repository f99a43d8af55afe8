# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's objects of the VPC domain, as AWS shows them: VPC, subnet, gateways; and the questions other files ask of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from .ended import BLOCKS4, BLOCKS6, ended
from .shapes import all_subnets, clean, tags_of

_RESERVED = 5
NAT_GONE = frozenset({"deleted", "failed"})
_INSTANCE_GONE = frozenset({"terminated", "shutting-down"})


# -- CIDR blocks ---------------------------------------------------------------------------------------------------------------


def _associations(vpc: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, item in vpc._cidr_block_association_set.items():
        if item["cidr_block_state"]["state"] != "disassociated":
            yield key, item


def blocks(vpc: Any, version: int) -> list[str]:
    """A VPC's CIDR blocks of one family, the primary first."""
    mark = ":" if version == 6 else "."
    found = [str(item["cidr_block"]) for _other, item in _associations(vpc) if mark in item["cidr_block"]]
    return sorted(found, key=lambda block: block != vpc.cidr_block) if version == 4 else found


def networks4(vpc: Any) -> list[IPv4Network]:
    """A VPC's IPv4 blocks, the primary first."""
    return [IPv4Network(block) for block in blocks(vpc, 4)]


def networks6(vpc: Any) -> list[IPv6Network]:
    """A VPC's IPv6 blocks."""
    return [IPv6Network(block) for block in blocks(vpc, 6)]


def subnets_of(backend: Any, vpc: str) -> list[Any]:
    """The emulator's subnet objects in a VPC."""
    return [subnet for subnet in all_subnets(backend).values() if subnet.vpc_id == vpc]


def subnet_blocks6(subnet: Any) -> list[tuple[str, str]]:
    """A subnet's IPv6 associations that hold: ``(association id, block)``."""
    return [
        (key, str(item["ipv6CidrBlock"]))
        for key, item in subnet.ipv6_cidr_block_associations.items()
        if item["ipv6CidrBlockState"]["State"] == "associated"
    ]


def tables_of(backend: Any, vpc: str) -> list[Any]:
    """The emulator's route table objects in a VPC."""
    return [table for table in list(backend.route_tables.values()) if table.vpc_id == vpc]


# -- what stands in a VPC ------------------------------------------------------------------------------------------------------


def _dead_interfaces(backend: Any) -> set[str]:
    """Interfaces that the emulator keeps although the NAT gateway or endpoint they belonged to is gone."""
    dead = {nat._eni.id for nat in backend.nat_gateways.values() if nat.state in NAT_GONE and nat._eni is not None}
    for endpoint in backend.vpc_end_points.values():
        if endpoint.state in ("deleted", "deleting"):
            dead.update(endpoint.network_interface_ids or [])
    return dead


def interfaces(backend: Any) -> list[Any]:
    """The interfaces that exist as far as AWS is concerned: not those of dead gateways, endpoints and instances."""
    dead = _dead_interfaces(backend)
    return [
        eni
        for eni in list(backend.enis.values())
        if eni.id not in dead and not (eni.instance is not None and eni.instance._state.name in _INSTANCE_GONE)
    ]


def interfaces_in_vpc(backend: Any, vpc: str) -> list[Any]:
    """The interfaces in a VPC."""
    return [eni for eni in interfaces(backend) if eni.subnet.vpc_id == vpc]


def free_addresses(backend: Any) -> dict[str, int]:
    """How many IPv4 addresses each subnet still has: AWS keeps five of every subnet, and each interface holds one or more."""
    held = Counter(eni.subnet.id for eni in interfaces(backend) for _turn in range(max(len(eni.private_ip_addresses or []), 1)))
    return {
        key: max(subnet.cidr.num_addresses - _RESERVED - held[key], 0) if subnet.cidr_block else 0
        for key, subnet in all_subnets(backend).items()
    }


def live_endpoints(backend: Any, vpc: str) -> list[Any]:
    """The VPC's endpoints that are not deleted."""
    return [item for item in backend.vpc_end_points.values() if item.vpc_id == vpc and item.state not in ("deleted", "deleting")]


def live_nats(backend: Any, vpc: str) -> list[Any]:
    """The VPC's NAT gateways that are neither deleted nor failed."""
    return [item for item in backend.nat_gateways.values() if item.vpc_id == vpc and item.state not in NAT_GONE]


# -- as AWS shows them ---------------------------------------------------------------------------------------------------------


def vpc_view(backend: Any, vpc: Any, joining: Iterable[str] = ()) -> dict[str, Any]:
    """A VPC in the shape of DescribeVpcs; blocks whose association id is in ``joining`` are shown as still associating."""
    early = set(joining)
    four: list[dict[str, Any]] = []
    six: list[dict[str, Any]] = []
    for key, item in _associations(vpc):
        state = {"State": "associating" if key in early else str(item["cidr_block_state"]["state"])}
        if ":" in item["cidr_block"]:
            six.append(ipv6_association(backend, key, item, state["State"]))
        else:
            four.append({"AssociationId": key, "CidrBlock": item["cidr_block"], "CidrBlockState": state})
    return {
        "VpcId": vpc.id,
        "OwnerId": vpc.owner_id,
        "CidrBlock": vpc.cidr_block,
        "CidrBlockAssociationSet": four + ended(vpc, BLOCKS4),
        "Ipv6CidrBlockAssociationSet": six + ended(vpc, BLOCKS6),
        "DhcpOptionsId": vpc.dhcp_options_id,
        "InstanceTenancy": vpc.instance_tenancy,
        "IsDefault": bool(vpc.is_default),
        "State": vpc.state,
        "Tags": tags_of(backend, vpc.id),
    }


def ipv6_association(backend: Any, key: str, item: dict[str, Any], state: str) -> dict[str, Any]:
    """A VPC's IPv6 association in AWS's shape."""
    return {
        "AssociationId": key,
        "Ipv6CidrBlock": item["cidr_block"],
        "Ipv6CidrBlockState": {"State": state},
        "NetworkBorderGroup": item.get("ipv6_cidr_block_network_border_group") or backend.region_name,
        "Ipv6Pool": item.get("ipv6_pool") or "Amazon",
    }


def subnet_lni(subnet: Any) -> int | None:
    """The device position of local network interfaces in a subnet, ``None`` where they are not enabled."""
    position: int | None = getattr(subnet, "lab_lni", None)
    return position


def subnet_view(backend: Any, subnet: Any, free: Mapping[str, int]) -> dict[str, Any]:
    """A subnet in the shape of DescribeSubnets; ``free`` is how many addresses each subnet still has."""
    view = {
        "SubnetId": subnet.id,
        "SubnetArn": subnet.arn,
        "VpcId": subnet.vpc_id,
        "OwnerId": subnet.owner_id,
        "State": subnet.state,
        "AvailabilityZone": subnet.availability_zone,
        "AvailabilityZoneId": subnet.availability_zone_id,
        "AvailableIpAddressCount": free.get(subnet.id, 0),
        "DefaultForAz": bool(subnet.default_for_az),
        "MapPublicIpOnLaunch": bool(subnet.map_public_ip_on_launch),
        "MapCustomerOwnedIpOnLaunch": False,
        "AssignIpv6AddressOnCreation": bool(subnet.assign_ipv6_address_on_creation),
        "EnableDns64": bool(getattr(subnet, "lab_dns64", False)),
        "EnableLniAtDeviceIndex": subnet_lni(subnet),
        "Ipv6Native": bool(subnet.ipv6_native),
        "Ipv6CidrBlockAssociationSet": [
            {"AssociationId": key, "Ipv6CidrBlock": block, "Ipv6CidrBlockState": {"State": "associated"}}
            for key, block in subnet_blocks6(subnet)
        ]
        + ended(subnet, BLOCKS6),
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": subnet.private_dns_name_options_on_launch["HostnameType"],
            "EnableResourceNameDnsARecord": bool(subnet.private_dns_name_options_on_launch["EnableResourceNameDnsARecord"]),
            "EnableResourceNameDnsAAAARecord": bool(subnet.private_dns_name_options_on_launch["EnableResourceNameDnsAAAARecord"]),
        },
        "Tags": tags_of(backend, subnet.id),
    }
    if subnet.cidr_block:
        view["CidrBlock"] = subnet.cidr_block
    return clean(view)


def internet_gateway_view(backend: Any, gateway: Any) -> dict[str, Any]:
    """An internet gateway in the shape of DescribeInternetGateways."""
    attached = [{"State": "available", "VpcId": gateway.vpc.id}] if gateway.vpc else []
    return {
        "InternetGatewayId": gateway.id,
        "OwnerId": backend.account_id,
        "Attachments": attached,
        "Tags": tags_of(backend, gateway.id),
    }


def egress_only_view(backend: Any, gateway: Any) -> dict[str, Any]:
    """An egress-only internet gateway in the shape of DescribeEgressOnlyInternetGateways."""
    return {
        "EgressOnlyInternetGatewayId": gateway.id,
        "Attachments": [{"State": gateway.state, "VpcId": gateway.vpc_id}],
        "Tags": tags_of(backend, gateway.id),
    }
