# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DescribeVpcs, DescribeSubnets and internet gateways: every filter that AWS documents, paging, unknown ids.

The emulator ignores filters it does not know or answers HTTP 500, has no wildcards for most, no pages, and looks through every
tag of the account for each object. Filters are those of each action's API page, with the older spellings that AWS still takes.
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, instead
from .dhcp_options import of_vpc
from .emulated import egress_only_view, free_addresses, internet_gateway_view, subnet_blocks6, subnet_lni, subnet_view, vpc_view
from .ended import BLOCKS4, BLOCKS6, ended, forget
from .shapes import all_subnets, keep, named, paged

_ENDED_MEMBERS = {"cidr_block": "CidrBlock", "association_id": "AssociationId", "ipv6_pool": "Ipv6Pool"}


def _six(vpc: Any, member: str) -> list[str]:
    held = [str(item[member]) for item in vpc._cidr_block_association_set.values() if ":" in item["cidr_block"]]
    name = "Ipv6CidrBlock" if member == "cidr_block" else _ENDED_MEMBERS[member]
    return held + [str(item[name]) for item in ended(vpc, BLOCKS6)]


def _four(vpc: Any, member: str) -> list[str]:
    held = [str(item[member]) for item in vpc._cidr_block_association_set.values() if ":" not in item["cidr_block"]]
    return held + [str(item[_ENDED_MEMBERS[member]]) for item in ended(vpc, BLOCKS4)]


def _states(vpc: Any, six: bool) -> list[str]:
    items = [item for item in vpc._cidr_block_association_set.values() if (":" in item["cidr_block"]) == six]
    return [str(item["cidr_block_state"]["state"]) for item in items] + ["disassociated"] * len(ended(vpc, BLOCKS6 if six else BLOCKS4))


def _subnet_six(subnet: Any, member: str) -> list[str]:
    held = [{"AssociationId": key, "Ipv6CidrBlock": block, "State": "associated"} for key, block in subnet_blocks6(subnet)]
    return [item[member] for item in held + [{**item, "State": "disassociated"} for item in ended(subnet, BLOCKS6)]]


def _aliases(fields: dict[str, Any], others: dict[str, str]) -> dict[str, Any]:
    return fields | {old: fields[new] for old, new in others.items()}


_VPC_FIELDS = _aliases(
    {
        "cidr": lambda vpc: vpc.cidr_block,
        "cidr-block-association.cidr-block": lambda vpc: _four(vpc, "cidr_block"),
        "cidr-block-association.association-id": lambda vpc: _four(vpc, "association_id"),
        "cidr-block-association.state": lambda vpc: _states(vpc, False),
        "dhcp-options-id": lambda vpc: vpc.dhcp_options_id,
        "ipv6-cidr-block-association.ipv6-cidr-block": lambda vpc: _six(vpc, "cidr_block"),
        "ipv6-cidr-block-association.ipv6-pool": lambda vpc: _six(vpc, "ipv6_pool"),
        "ipv6-cidr-block-association.association-id": lambda vpc: _six(vpc, "association_id"),
        "ipv6-cidr-block-association.state": lambda vpc: _states(vpc, True),
        "is-default": lambda vpc: bool(vpc.is_default),
        "owner-id": lambda vpc: vpc.owner_id,
        "state": lambda vpc: vpc.state,
        "vpc-id": lambda vpc: vpc.id,
    },
    {"cidr-block": "cidr", "cidrBlock": "cidr", "dhcpOptionsId": "dhcp-options-id", "isDefault": "is-default", "vpcId": "vpc-id"},
)


@instead("ec2", "DescribeVpcs")
def describe_vpcs(call: Call) -> dict[str, Any]:
    """The VPCs of the caller's account and Region."""
    backend = call.backend()
    for vpc in backend.vpcs.values():
        of_vpc(backend, vpc)
    vpcs = named(call, "VpcIds", backend.vpcs, "InvalidVpcID.NotFound", "vpc ID")
    forget(call, vpcs)
    shown = keep(call, vpcs, _VPC_FIELDS, lambda vpc: backend.tags.get(vpc.id, {}))
    return paged(call, "Vpcs", shown, lambda vpc: vpc_view(backend, vpc))


_SUBNET_FIELDS = _aliases(
    {
        "availability-zone": lambda subnet: subnet.availability_zone,
        "availability-zone-id": lambda subnet: subnet.availability_zone_id,
        "cidr-block": lambda subnet: subnet.cidr_block,
        "customer-owned-ipv4-pool": lambda _subnet: None,
        "default-for-az": lambda subnet: bool(subnet.default_for_az),
        "enable-dns64": lambda subnet: bool(getattr(subnet, "lab_dns64", False)),
        "enable-lni-at-device-index": subnet_lni,
        "ipv6-cidr-block-association.ipv6-cidr-block": lambda subnet: _subnet_six(subnet, "Ipv6CidrBlock"),
        "ipv6-cidr-block-association.association-id": lambda subnet: _subnet_six(subnet, "AssociationId"),
        "ipv6-cidr-block-association.state": lambda subnet: _subnet_six(subnet, "State"),
        "ipv6-native": lambda subnet: bool(subnet.ipv6_native),
        "map-customer-owned-ip-on-launch": lambda _subnet: False,
        "map-public-ip-on-launch": lambda subnet: bool(subnet.map_public_ip_on_launch),
        "outpost-arn": lambda _subnet: None,
        "owner-id": lambda subnet: subnet.owner_id,
        "private-dns-name-options-on-launch.hostname-type": lambda subnet: subnet.private_dns_name_options_on_launch["HostnameType"],
        "private-dns-name-options-on-launch.enable-resource-name-dns-a-record": lambda subnet: bool(
            subnet.private_dns_name_options_on_launch["EnableResourceNameDnsARecord"]
        ),
        "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": lambda subnet: bool(
            subnet.private_dns_name_options_on_launch["EnableResourceNameDnsAAAARecord"]
        ),
        "state": lambda subnet: subnet.state,
        "subnet-arn": lambda subnet: subnet.arn,
        "subnet-id": lambda subnet: subnet.id,
        "vpc-id": lambda subnet: subnet.vpc_id,
    },
    {
        "availabilityZone": "availability-zone",
        "availabilityZoneId": "availability-zone-id",
        "cidr": "cidr-block",
        "cidrBlock": "cidr-block",
        "defaultForAz": "default-for-az",
        "subnetId": "subnet-id",
        "vpcId": "vpc-id",
    },
)


@instead("ec2", "DescribeSubnets")
def describe_subnets(call: Call) -> dict[str, Any]:
    """The subnets of the caller's account and Region."""
    backend = call.backend()
    free = free_addresses(backend)
    fields = _SUBNET_FIELDS | {"available-ip-address-count": lambda subnet: free.get(subnet.id, 0)}
    subnets = named(call, "SubnetIds", all_subnets(backend), "InvalidSubnetID.NotFound", "subnet ID")
    forget(call, subnets)
    shown = keep(call, subnets, fields, lambda subnet: backend.tags.get(subnet.id, {}))
    return paged(call, "Subnets", shown, lambda subnet: subnet_view(backend, subnet, free))


_GATEWAY_FIELDS: dict[str, Any] = {
    "attachment.state": lambda gateway: "available" if gateway.vpc else None,
    "attachment.vpc-id": lambda gateway: gateway.vpc.id if gateway.vpc else None,
    "internet-gateway-id": lambda gateway: gateway.id,
    "owner-id": lambda gateway: gateway.owner_id,
}


@instead("ec2", "DescribeInternetGateways")
def describe_internet_gateways(call: Call) -> dict[str, Any]:
    """The internet gateways of the caller's account and Region."""
    backend = call.backend()
    gateways = named(call, "InternetGatewayIds", backend.internet_gateways, "InvalidInternetGatewayID.NotFound", "internetGateway ID")
    shown = keep(call, gateways, _GATEWAY_FIELDS, lambda gateway: backend.tags.get(gateway.id, {}))
    return paged(call, "InternetGateways", shown, lambda gateway: internet_gateway_view(backend, gateway))


@instead("ec2", "DescribeEgressOnlyInternetGateways")
def describe_egress_only(call: Call) -> dict[str, Any]:
    """The egress-only internet gateways; by tag, or by id (unknown ids are left out: the action's page names no error)."""
    backend = call.backend()
    table = backend.egress_only_internet_gateways
    ids = call.params.get("EgressOnlyInternetGatewayIds") or list(table)
    found = [table[key] for key in dict.fromkeys(ids) if key in table]
    shown = keep(call, found, {}, lambda gateway: backend.tags.get(gateway.id, {}))
    return paged(call, "EgressOnlyInternetGateways", shown, lambda gateway: egress_only_view(backend, gateway), 5, 255)
