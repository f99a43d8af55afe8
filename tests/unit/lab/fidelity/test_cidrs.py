# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CIDR blocks of VPCs and subnets, over boto3."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import AWAY, A, B, join, make_vpc, own_pool, refused, request, state


def _blocks(vpc: Any) -> list[str]:
    found = vpc.client.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]
    return [item["CidrBlock"] for item in found["CidrBlockAssociationSet"] if item["CidrBlockState"]["State"] != "disassociated"]


def test_a_new_vpc(lab: Any) -> None:
    client = lab.client("ec2")
    made = client.create_vpc(
        CidrBlock="100.68.0.18/18", TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "x"}]}]
    )["Vpc"]
    assert made["CidrBlock"] == "100.68.0.0/18" and made["State"] == "pending" and made["Tags"] == [{"Key": "Name", "Value": "x"}]
    shown = client.describe_vpcs(VpcIds=[made["VpcId"]])["Vpcs"][0]
    assert shown["State"] == "available" and shown["CidrBlockAssociationSet"][0]["CidrBlockState"] == {"State": "associated"}
    for text in ("10.0.0.0/8", "10.0.0.0/29", "127.0.0.0/16"):
        with refused("InvalidVpc.Range", text):
            client.create_vpc(CidrBlock=text)
    for text in ("10.0.0.0", "ten", "2001:db8::/56"):
        with refused("InvalidParameterValue", "cidrBlock"):
            client.create_vpc(CidrBlock=text)
    with refused("MissingParameter", "cidrBlock"):
        client.create_vpc()
    with refused("UnsupportedOperation", "Ipv4IpamPoolId"):
        client.create_vpc(Ipv4IpamPoolId="ipam-pool-1")


def test_amazon_ipv6_blocks_are_all_different(lab: Any) -> None:
    vpcs = [make_vpc(lab, AmazonProvidedIpv6CidrBlock=True) for _turn in range(3)]
    vpcs += [make_vpc(lab, account=B, AmazonProvidedIpv6CidrBlock=True), make_vpc(lab, region=AWAY)]
    answer = vpcs[-1].client.associate_vpc_cidr_block(VpcId=vpcs[-1].id, AmazonProvidedIpv6CidrBlock=True)["Ipv6CidrBlockAssociation"]
    assert answer["Ipv6CidrBlockState"]["State"] == "associating"
    seen = set()
    for vpc in vpcs:
        (item,) = vpc.client.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"]
        assert item["Ipv6CidrBlock"].endswith("::/56") and item["Ipv6CidrBlockState"] == {"State": "associated"}
        assert (item["NetworkBorderGroup"], item["Ipv6Pool"]) == (vpc.region, "Amazon")
        seen.add(item["Ipv6CidrBlock"])
    assert len(seen) == len(vpcs)
    with refused("CidrLimitExceeded", vpcs[0].id):
        vpcs[0].client.associate_vpc_cidr_block(VpcId=vpcs[0].id, AmazonProvidedIpv6CidrBlock=True)


def test_ipv6_blocks_from_a_pool_of_ones_own(lab: Any) -> None:
    vpc = make_vpc(lab)
    associate = vpc.client.associate_vpc_cidr_block
    pool, block = own_pool(A), "2001:db8:0:1000::/56"
    with refused("MissingParameter", "Ipv6Pool"):
        associate(VpcId=vpc.id, Ipv6CidrBlock=block)
    with refused("InvalidParameterValue", pool):
        associate(VpcId=vpc.id, Ipv6CidrBlock=block, Ipv6Pool=own_pool(B))
    for text in ("2001:db8:0:1000::/57", "2001:db9::/56"):
        with refused("InvalidVpc.Range", text):
            associate(VpcId=vpc.id, Ipv6CidrBlock=text, Ipv6Pool=pool)
    made = associate(VpcId=vpc.id, Ipv6CidrBlock=block, Ipv6Pool=pool)["Ipv6CidrBlockAssociation"]
    assert (made["Ipv6CidrBlock"], made["Ipv6Pool"]) == (block, pool)
    with refused("InvalidVpc.Range", "in use"):
        make_vpc(lab, "10.1.0.0/16", Ipv6CidrBlock=block, Ipv6Pool=pool)
    assert len(vpc.client.describe_vpcs()["Vpcs"]) == 1
    chosen = vpc.client.create_vpc(CidrBlock="10.1.0.0/16", Ipv6Pool=pool)["Vpc"]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    assert chosen.startswith("2001:db8:") and chosen != block


def test_secondary_blocks(lab: Any) -> None:
    vpc = make_vpc(lab)
    associate = vpc.client.associate_vpc_cidr_block
    made = associate(VpcId=vpc.id, CidrBlock="10.5.0.9/16")["CidrBlockAssociation"]
    assert (made["CidrBlock"], made["CidrBlockState"]) == ("10.5.0.0/16", {"State": "associating"})
    for text in ("10.5.128.0/20", "192.168.0.0/16", "10.6.0.0/15"):
        with refused("InvalidVpc.Range"):
            associate(VpcId=vpc.id, CidrBlock=text)
    for number in range(6, 9):
        associate(VpcId=vpc.id, CidrBlock=f"10.{number}.0.0/16")
    with refused("CidrLimitExceeded", "5"):
        associate(VpcId=vpc.id, CidrBlock="10.9.0.0/16")
    assert _blocks(vpc) == ["10.0.0.0/16", "10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16", "10.8.0.0/16"]
    with refused("InvalidVpcID.NotFound"):
        associate(VpcId="vpc-0123456789abcdef0", CidrBlock="10.9.0.0/16")
    with refused("MissingParameter"):
        associate(VpcId=vpc.id)
    with refused("InvalidParameterCombination"):
        associate(VpcId=vpc.id, CidrBlock="10.9.0.0/16", AmazonProvidedIpv6CidrBlock=True)


def test_a_block_leaves_only_when_no_subnet_lies_in_it(lab: Any) -> None:
    vpc = make_vpc(lab, AmazonProvidedIpv6CidrBlock=True)
    added = vpc.client.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock="10.5.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    shown = vpc.client.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]
    six = shown["Ipv6CidrBlockAssociationSet"][0]
    subnet = vpc.subnet("10.5.1.0/24", Ipv6CidrBlock=six["Ipv6CidrBlock"].replace("/56", "/64"))
    for key in (added, six["AssociationId"]):
        with refused("DependencyViolation", subnet):
            vpc.client.disassociate_vpc_cidr_block(AssociationId=key)
    vpc.client.delete_subnet(SubnetId=subnet)
    answer = vpc.client.disassociate_vpc_cidr_block(AssociationId=added)
    assert answer["CidrBlockAssociation"]["CidrBlockState"] == {"State": "disassociating"}
    vpc.client.disassociate_vpc_cidr_block(AssociationId=six["AssociationId"])
    assert _blocks(vpc) == ["10.0.0.0/16"]
    with refused("OperationNotPermitted", "primary"):
        vpc.client.disassociate_vpc_cidr_block(AssociationId=shown["CidrBlockAssociationSet"][0]["AssociationId"])
    with refused("InvalidVpcCidrBlockAssociationID.NotFound", added):
        vpc.client.disassociate_vpc_cidr_block(AssociationId=added)


def test_a_block_may_not_hold_the_destination_of_a_route(lab: Any) -> None:
    """The example of AWS's page: a route to 10.0.0.0/24 leaves 10.0.0.0/25 free, and no larger block."""
    vpc = make_vpc(lab, "10.2.0.0/16")
    igw = vpc.client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    vpc.client.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    vpc.client.create_route(RouteTableId=vpc.table(), DestinationCidrBlock="10.0.0.0/24", GatewayId=igw)
    for text in ("10.0.0.0/24", "10.0.0.0/20"):
        with refused("InvalidVpc.Range", "10.0.0.0/24"):
            vpc.client.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock=text)
    vpc.client.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock="10.0.0.0/25")


def test_blocks_and_peering_connections(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B)
    key = request(left, right)
    with refused("OperationNotPermitted", key):
        left.client.associate_vpc_cidr_block(VpcId=left.id, CidrBlock="10.5.0.0/16")
    right.client.associate_vpc_cidr_block(VpcId=right.id, CidrBlock="10.6.0.0/16")
    right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    with refused("InvalidVpc.Range", right.id):
        left.client.associate_vpc_cidr_block(VpcId=left.id, CidrBlock="10.6.1.0/24")
    left.client.associate_vpc_cidr_block(VpcId=left.id, CidrBlock="10.5.0.0/16")
    assert state(left, key) == "active"


def test_an_accepters_overlapping_block_fails_the_request(lab: Any) -> None:
    left, right = make_vpc(lab, "10.2.0.0/16"), make_vpc(lab, "10.3.0.0/16", B)
    left.client.associate_vpc_cidr_block(VpcId=left.id, CidrBlock="10.4.0.0/16")
    key = request(left, right)
    right.client.associate_vpc_cidr_block(VpcId=right.id, CidrBlock="10.4.64.0/20")
    assert state(left, key) == "failed"


def test_subnets_over_the_api(lab: Any) -> None:
    vpc = make_vpc(lab, AmazonProvidedIpv6CidrBlock=True)
    six = vpc.client.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    block = six.replace("::/56", "::/64")
    made = vpc.client.create_subnet(VpcId=vpc.id, CidrBlock="10.0.1.77/24", Ipv6CidrBlock=block, AvailabilityZone="us-east-1b")["Subnet"]
    assert (made["CidrBlock"], made["AvailabilityZone"]) == ("10.0.1.0/24", "us-east-1b")
    assert (made["DefaultForAz"], made["MapPublicIpOnLaunch"], made["AvailableIpAddressCount"]) == (False, False, 251)
    assert made["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"] == block
    create = vpc.client.create_subnet
    with refused("InvalidSubnet.Conflict", "10.0.1.128/25"):
        create(VpcId=vpc.id, CidrBlock="10.0.1.128/25")
    with refused("InvalidSubnet.Range"):
        create(VpcId=vpc.id, CidrBlock="10.9.0.0/24")
    with refused("InvalidSubnet.Conflict"):
        create(VpcId=vpc.id, CidrBlock="10.0.2.0/24", Ipv6CidrBlock=block)
    with refused("InvalidParameterValue", "eu-west-1a", "us-east-1a"):
        create(VpcId=vpc.id, CidrBlock="10.0.2.0/24", AvailabilityZone="eu-west-1a")
    with refused("InvalidVpcID.NotFound"):
        create(VpcId="vpc-0123456789abcdef0", CidrBlock="10.0.2.0/24")
    with refused("MissingParameter"):
        create(VpcId=vpc.id)
    plain = create(VpcId=vpc.id, CidrBlock="10.0.2.0/24", AvailabilityZoneId=made["AvailabilityZoneId"])["Subnet"]
    assert plain["AvailabilityZone"] == "us-east-1b"
    more = vpc.client.associate_subnet_cidr_block(SubnetId=plain["SubnetId"], Ipv6CidrBlock=six.replace("00::/56", "01::/64"))
    assert more["Ipv6CidrBlockAssociation"]["Ipv6CidrBlockState"]["State"] == "associating"
    with refused("CidrLimitExceeded"):
        vpc.client.associate_subnet_cidr_block(SubnetId=plain["SubnetId"], Ipv6CidrBlock=six.replace("00::/56", "02::/64"))
    (shown,) = vpc.client.describe_subnets(SubnetIds=[plain["SubnetId"]])["Subnets"]
    assert shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlockState"] == {"State": "associated"}
    vpc.client.disassociate_subnet_cidr_block(AssociationId=more["Ipv6CidrBlockAssociation"]["AssociationId"])
    (shown,) = vpc.client.describe_subnets(SubnetIds=[plain["SubnetId"]])["Subnets"][0]["Ipv6CidrBlockAssociationSet"]
    assert shown["Ipv6CidrBlockState"] == {"State": "disassociated"}


@pytest.mark.parametrize(
    ("quota", "code"),
    [("vpcs", "VpcLimitExceeded"), ("subnets_per_vpc", "SubnetLimitExceeded"), ("route_tables_per_vpc", "RouteTableLimitExceeded"),
     ("internet_gateways", "InternetGatewayLimitExceeded"), ("ipv4_cidrs_per_vpc", "CidrLimitExceeded")],
)  # fmt: skip
def test_quotas(lab: Any, quota: str, code: str) -> None:
    lab.control.config(quotas={quota: 2})
    vpc = make_vpc(lab, account=A)
    client = vpc.client

    def more(number: int) -> None:
        if quota == "vpcs":
            client.create_vpc(CidrBlock=f"10.{number}.0.0/16")
        elif quota == "subnets_per_vpc":
            vpc.subnet(f"10.0.{number}.0/24")
        elif quota == "route_tables_per_vpc":
            client.create_route_table(VpcId=vpc.id)
        elif quota == "internet_gateways":
            client.create_internet_gateway()
        else:
            client.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock=f"10.{number}.0.0/16")

    # A VPC counts itself, its main table and its primary block.
    free = 1 if quota in ("vpcs", "route_tables_per_vpc", "ipv4_cidrs_per_vpc") else 2
    for number in range(free):
        more(number + 1)
    with refused(code, "2"):
        more(9)


def test_peers_of_a_failed_request_may_still_grow(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.0.0.0/20", B)
    request(left, right)
    left.client.associate_vpc_cidr_block(VpcId=left.id, CidrBlock="10.5.0.0/16")
    other = make_vpc(lab, "10.7.0.0/16")
    join(left, other)
