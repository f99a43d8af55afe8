# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CIDR blocks and dependencies of VPCs, as the VPC User Guide describes them."""

from __future__ import annotations

from typing import Any

from .contract_helpers import refused, workshop


def test_sizes_and_host_bits(endpoint: Any) -> None:
    client = endpoint.client("ec2")
    for text in ("10.0.0.0/8", "10.0.0.0/29"):
        with refused("InvalidVpc.Range"):
            client.create_vpc(CidrBlock=text)
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.77/24")
        assert client.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"] == "10.210.0.0/24"


def test_secondary_blocks(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        client = shop.client()
        with refused("InvalidVpc.Range"):
            client.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="192.168.0.0/24")
        key = client.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.211.0.0/24")["CidrBlockAssociation"]["AssociationId"]
        client.disassociate_vpc_cidr_block(AssociationId=key)
        primary = client.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"][0]["AssociationId"]
        with refused("OperationNotPermitted"):
            client.disassociate_vpc_cidr_block(AssociationId=primary)


def test_subnets_lie_in_the_vpc_side_by_side(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        client = shop.client()
        shop.subnet(vpc, "10.210.0.0/28")
        with refused("InvalidSubnet.Conflict"):
            client.create_subnet(VpcId=vpc, CidrBlock="10.210.0.0/27")
        with refused("InvalidSubnet.Range"):
            client.create_subnet(VpcId=vpc, CidrBlock="10.211.0.0/28")


def test_a_vpc_with_a_subnet_stays(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        subnet = shop.subnet(vpc, "10.210.0.0/28")
        client = shop.client()
        with refused("DependencyViolation"):
            client.delete_vpc(VpcId=vpc)
        eni = client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        shop.later(client.delete_network_interface, NetworkInterfaceId=eni)
        with refused("DependencyViolation"):
            client.delete_subnet(SubnetId=subnet)


def test_unknown_filters_and_ids(endpoint: Any) -> None:
    client = endpoint.client("ec2")
    with refused("InvalidParameterValue"):
        client.describe_vpcs(Filters=[{"Name": "colour", "Values": ["red"]}])
    with refused("InvalidVpcID.NotFound"):
        client.describe_vpcs(VpcIds=["vpc-00000000000000000"])
    with refused("InvalidSubnetID.NotFound"):
        client.describe_subnets(SubnetIds=["subnet-00000000000000000"])
    with refused("InvalidRouteTableID.NotFound"):
        client.describe_route_tables(RouteTableIds=["rtb-00000000000000000"])
