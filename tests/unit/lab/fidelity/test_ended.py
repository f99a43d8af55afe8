# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Associations that have ended are shown disassociated for a while, and are found by their state."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import Vpc, make_vpc


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def by_state(call: Any, name: str) -> int:
    answer = call(Filters=[{"Name": f"{name}.state", "Values": ["disassociated"]}])
    return len(next(value for value in answer.values() if isinstance(value, list)))


def test_blocks_of_a_vpc(lab: Any, vpc: Vpc) -> None:
    ec2 = vpc.client
    six = ec2.associate_vpc_cidr_block(VpcId=vpc.id, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
    four = ec2.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock="10.77.0.0/16")["CidrBlockAssociation"]
    for made in (six, four):
        ec2.disassociate_vpc_cidr_block(AssociationId=made["AssociationId"])
    assert by_state(ec2.describe_vpcs, "ipv6-cidr-block-association") == by_state(ec2.describe_vpcs, "cidr-block-association") == 1
    again = ec2.associate_vpc_cidr_block(VpcId=vpc.id, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]

    def states() -> tuple[dict[str, str], dict[str, str]]:
        shown = ec2.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]
        return (
            {item["CidrBlock"]: item["CidrBlockState"]["State"] for item in shown["CidrBlockAssociationSet"]},
            {item["AssociationId"]: item["Ipv6CidrBlockState"]["State"] for item in shown["Ipv6CidrBlockAssociationSet"]},
        )

    blocks, associations = states()
    assert blocks["10.77.0.0/16"] == "disassociated"
    assert associations == {again["AssociationId"]: "associated", six["AssociationId"]: "disassociated"}
    lab.control.advance(61)
    blocks, associations = states()
    assert "10.77.0.0/16" not in blocks
    assert associations == {again["AssociationId"]: "associated"}


def test_the_block_of_a_subnet(lab: Any, vpc: Vpc) -> None:
    ec2 = vpc.client
    block = ec2.associate_vpc_cidr_block(VpcId=vpc.id, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    subnet = vpc.subnet("10.0.1.0/24")
    made = ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=block.replace("/56", "/64"))["Ipv6CidrBlockAssociation"]
    gone = ec2.disassociate_subnet_cidr_block(AssociationId=made["AssociationId"])["Ipv6CidrBlockAssociation"]
    assert gone["Ipv6CidrBlockState"]["State"] == "disassociating"
    (shown,) = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["Ipv6CidrBlockAssociationSet"]
    assert (shown["AssociationId"], shown["Ipv6CidrBlockState"]["State"]) == (made["AssociationId"], "disassociated")
    assert by_state(ec2.describe_subnets, "ipv6-cidr-block-association") == 1
    # It is free for the next one.
    ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=block.replace("/56", "/64"))
    lab.control.advance(61)
    assert by_state(ec2.describe_subnets, "ipv6-cidr-block-association") == 0


def test_tables_of_gateways_and_subnets(lab: Any, vpc: Vpc) -> None:
    ec2 = vpc.client
    table = ec2.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(VpcId=vpc.id, InternetGatewayId=gateway)
    subnet = vpc.subnet("10.0.1.0/24")
    for target in ({"GatewayId": gateway}, {"SubnetId": subnet}):
        ec2.disassociate_route_table(AssociationId=ec2.associate_route_table(RouteTableId=table, **target)["AssociationId"])
    again = ec2.associate_route_table(RouteTableId=table, GatewayId=gateway)["AssociationId"]

    def shown() -> list[tuple[str, str]]:
        found = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Associations"]
        return sorted((item.get("GatewayId") or item["SubnetId"], item["AssociationState"]["State"]) for item in found)

    assert shown() == sorted([(gateway, "associated"), (gateway, "disassociated"), (subnet, "disassociated")])
    lab.control.advance(61)
    assert shown() == [(gateway, "associated")]
    ec2.disassociate_route_table(AssociationId=again)
    ec2.delete_route_table(RouteTableId=table)
