# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every documented filter of the describe calls of VPCs, subnets, tables and gateways; pages; ids."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import AWAY, A, Vpc, join, make_vpc, refused, request


def _tags(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}, {"Key": f"only-{name}", "Value": ""}]}]


def _find(client: Any, call: str, member: str, key: str, name: str, value: str) -> list[str]:
    return [item[key] for item in getattr(client, call)(Filters=[{"Name": name, "Values": [value]}])[member]]


def _check(client: Any, call: str, member: str, key: str, one: str, rows: list[tuple[str, str]], both: list[tuple[str, str]]) -> None:
    """Each row's filter must select ``one`` alone, and each of ``both`` more than it; a value that nothing has selects nothing."""
    for name, value in rows:
        assert _find(client, call, member, key, name, value) == [one], (name, value)
        assert _find(client, call, member, key, name, "nothing-has-this") == [], name
    for name, value in both:
        found = _find(client, call, member, key, name, value)
        assert one in found and len(found) > 1, (name, value)
    with refused("InvalidParameterValue", "colour"):
        _find(client, call, member, key, "colour", "red")


def test_vpcs(lab: Any) -> None:
    one = make_vpc(lab, TagSpecifications=_tags("vpc", "one"), AmazonProvidedIpv6CidrBlock=True)
    make_vpc(lab, "10.1.0.0/16", TagSpecifications=_tags("vpc", "two"))
    view = one.client.describe_vpcs(VpcIds=[one.id])["Vpcs"][0]
    four, six = view["CidrBlockAssociationSet"][0], view["Ipv6CidrBlockAssociationSet"][0]
    rows = [
        ("cidr", "10.0.0.0/16"),
        ("cidr-block", "10.0.0.0/16"),
        ("cidr-block-association.cidr-block", "10.0.0.0/16"),
        ("cidr-block-association.association-id", four["AssociationId"]),
        ("ipv6-cidr-block-association.ipv6-cidr-block", six["Ipv6CidrBlock"]),
        ("ipv6-cidr-block-association.ipv6-pool", "Amazon"),
        ("ipv6-cidr-block-association.association-id", six["AssociationId"]),
        ("ipv6-cidr-block-association.state", "associated"),
        ("tag:Name", "one"),
        ("tag:Name", "o?e"),
        ("tag:Name", "*ne"),
        ("tag-key", "only-one"),
        ("vpc-id", one.id),
    ]
    both = [("cidr-block-association.state", "associated"), ("dhcp-options-id", view["DhcpOptionsId"]), ("is-default", "false"),
            ("owner-id", A), ("state", "available"), ("tag:Name", "*"), ("tag-key", "only-*")]  # fmt: skip
    _check(one.client, "describe_vpcs", "Vpcs", "VpcId", one.id, rows, both)
    assert _find(one.client, "describe_vpcs", "Vpcs", "VpcId", "is-default", "true") == []


def test_subnets(lab: Any) -> None:
    vpc = make_vpc(lab, AmazonProvidedIpv6CidrBlock=True)
    six = vpc.client.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    one = vpc.subnet("10.0.1.0/26", AvailabilityZone="us-east-1b", Ipv6CidrBlock=six, TagSpecifications=_tags("subnet", "one"))
    two = vpc.subnet("10.0.2.0/24", AvailabilityZone="us-east-1a", TagSpecifications=_tags("subnet", "two"))
    other = make_vpc(lab, "10.1.0.0/16").subnet("10.1.0.0/24")
    vpc.client.modify_subnet_attribute(SubnetId=one, MapPublicIpOnLaunch={"Value": True})
    view = vpc.client.describe_subnets(SubnetIds=[one])["Subnets"][0]
    rows = [
        ("availability-zone", "us-east-1b"),
        ("availabilityZone", "us-east-1b"),
        ("availability-zone-id", view["AvailabilityZoneId"]),
        ("available-ip-address-count", "59"),
        ("cidr-block", "10.0.1.0/26"),
        ("cidr", "10.0.1.0/26"),
        ("ipv6-cidr-block-association.ipv6-cidr-block", six),
        ("ipv6-cidr-block-association.association-id", view["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]),
        ("ipv6-cidr-block-association.state", "associated"),
        ("map-public-ip-on-launch", "true"),
        ("subnet-arn", view["SubnetArn"]),
        ("subnet-id", one),
        ("tag:Name", "one"),
        ("tag-key", "only-one"),
    ]
    both = [("default-for-az", "false"), ("enable-dns64", "false"), ("ipv6-native", "false"), ("map-customer-owned-ip-on-launch", "false"),
            ("owner-id", A), ("private-dns-name-options-on-launch.hostname-type", "ip-name"),
            ("private-dns-name-options-on-launch.enable-resource-name-dns-a-record", "false"),
            ("private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record", "false"),
            ("state", "available"), ("vpc-id", vpc.id)]  # fmt: skip
    _check(vpc.client, "describe_subnets", "Subnets", "SubnetId", one, rows, both)
    assert sorted(_find(vpc.client, "describe_subnets", "Subnets", "SubnetId", "vpc-id", vpc.id)) == sorted([one, two])
    assert other not in _find(vpc.client, "describe_subnets", "Subnets", "SubnetId", "vpc-id", vpc.id)


def test_route_tables(lab: Any) -> None:
    vpc, peer = make_vpc(lab, AmazonProvidedIpv6CidrBlock=True), make_vpc(lab, "10.1.0.0/16")
    client = vpc.client
    one = client.create_route_table(VpcId=vpc.id, TagSpecifications=_tags("route-table", "one"))["RouteTable"]["RouteTableId"]
    subnet = vpc.subnet("10.0.1.0/24")
    made = client.associate_route_table(RouteTableId=one, SubnetId=subnet)["AssociationId"]
    igw = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    client.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    edge = client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    client.associate_route_table(RouteTableId=edge, GatewayId=igw)
    eigw = client.create_egress_only_internet_gateway(VpcId=vpc.id)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    nat = client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    pcx = request(vpc, peer)
    listed = client.create_managed_prefix_list(PrefixListName="far", AddressFamily="IPv4", MaxEntries=1)["PrefixList"]["PrefixListId"]
    client.create_route(RouteTableId=one, DestinationCidrBlock="10.1.0.0/17", VpcPeeringConnectionId=pcx)
    client.create_route(RouteTableId=one, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    client.create_route(RouteTableId=one, DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId=eigw)
    client.create_route(RouteTableId=one, DestinationPrefixListId=listed, NatGatewayId=nat)
    rows = [
        ("association.route-table-association-id", made),
        ("association.route-table-id", one),
        ("association.subnet-id", subnet),
        ("route-table-id", one),
        ("route.destination-cidr-block", "10.1.0.0/17"),
        ("route.destination-ipv6-cidr-block", "::/0"),
        ("route.destination-prefix-list-id", listed),
        ("route.egress-only-internet-gateway-id", eigw),
        ("route.gateway-id", igw),
        ("route.nat-gateway-id", nat),
        ("route.origin", "CreateRoute"),
        ("route.state", "blackhole"),
        ("route.vpc-peering-connection-id", pcx),
        ("tag:Name", "one"),
        ("tag-key", "only-one"),
    ]
    both = [
        ("association.main", "false"),
        ("owner-id", A),
        ("route.origin", "CreateRouteTable"),
        ("route.state", "active"),
        ("vpc-id", vpc.id),
    ]
    _check(client, "describe_route_tables", "RouteTables", "RouteTableId", one, rows, both)
    assert _find(client, "describe_route_tables", "RouteTables", "RouteTableId", "association.gateway-id", igw) == [edge]
    assert sorted(_find(client, "describe_route_tables", "RouteTables", "RouteTableId", "association.main", "true")) == sorted(
        [vpc.table(), peer.table()]
    )
    assert _find(client, "describe_route_tables", "RouteTables", "RouteTableId", "route.transit-gateway-id", "tgw-1") == []
    assert _find(client, "describe_route_tables", "RouteTables", "RouteTableId", "route.instance-id", "i-1") == []


def test_internet_gateways(lab: Any) -> None:
    vpc = make_vpc(lab)
    client = vpc.client
    one = client.create_internet_gateway(TagSpecifications=_tags("internet-gateway", "one"))["InternetGateway"]["InternetGatewayId"]
    client.create_internet_gateway(TagSpecifications=_tags("internet-gateway", "two"))
    client.attach_internet_gateway(InternetGatewayId=one, VpcId=vpc.id)
    rows = [
        ("attachment.state", "available"),
        ("attachment.vpc-id", vpc.id),
        ("internet-gateway-id", one),
        ("tag:Name", "one"),
        ("tag-key", "only-one"),
    ]
    _check(client, "describe_internet_gateways", "InternetGateways", "InternetGatewayId", one, rows, [("owner-id", A), ("tag:Name", "*")])


def test_egress_only_gateways(lab: Any) -> None:
    client = lab.client("ec2")
    keys = []
    for name, cidr in (("one", "10.0.0.0/16"), ("two", "10.1.0.0/16")):
        made = client.create_egress_only_internet_gateway(
            VpcId=make_vpc(lab, cidr).id, TagSpecifications=_tags("egress-only-internet-gateway", name)
        )
        keys.append(made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"])
    rows = [("tag:Name", "one"), ("tag-key", "only-one")]
    _check(
        client,
        "describe_egress_only_internet_gateways",
        "EgressOnlyInternetGateways",
        "EgressOnlyInternetGatewayId",
        keys[0],
        rows,
        [("tag:Name", "*")],
    )


@pytest.mark.parametrize(
    ("call", "member", "ids", "key", "code"),
    [
        ("describe_vpcs", "Vpcs", "VpcIds", "vpc", "InvalidVpcID.NotFound"),
        ("describe_subnets", "Subnets", "SubnetIds", "subnet", "InvalidSubnetID.NotFound"),
        ("describe_route_tables", "RouteTables", "RouteTableIds", "rtb", "InvalidRouteTableID.NotFound"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayIds", "igw", "InvalidInternetGatewayID.NotFound"),
    ],
)
def test_ids_and_pages(lab: Any, call: str, member: str, ids: str, key: str, code: str) -> None:
    client = lab.client("ec2")
    vpcs = [make_vpc(lab, f"10.{number}.0.0/16") for number in range(7)]
    for number, vpc in enumerate(vpcs):
        vpc.subnet(f"10.{number}.1.0/24")
        client.create_internet_gateway()
    describe = getattr(client, call)
    with refused(code, f"{key}-0123456789abcdef0"):
        describe(**{ids: [f"{key}-0123456789abcdef0"]})
    everything = describe()[member]
    assert len(everything) == 7
    first = describe(MaxResults=5)
    assert first[member] == everything[:5]
    assert describe(MaxResults=5, NextToken=first["NextToken"])[member] == everything[5:]
    walked = client.get_paginator(call).paginate(PaginationConfig={"PageSize": 5}).build_full_result()[member]
    assert walked == everything


def test_one_region_does_not_see_another(lab: Any) -> None:
    here, there = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", A, AWAY)
    assert [item["VpcId"] for item in here.client.describe_vpcs()["Vpcs"]] == [here.id]
    assert [item["VpcId"] for item in there.client.describe_vpcs()["Vpcs"]] == [there.id]
    assert isinstance(join(here, there), str)


def test_a_backslash_makes_a_wildcard_plain(lab: Any) -> None:
    plain: Vpc = make_vpc(lab, TagSpecifications=_tags("vpc", "a*b"))
    make_vpc(lab, "10.1.0.0/16", TagSpecifications=_tags("vpc", "axb"))
    assert _find(plain.client, "describe_vpcs", "Vpcs", "VpcId", "tag:Name", "a\\*b") == [plain.id]
    assert len(_find(plain.client, "describe_vpcs", "Vpcs", "VpcId", "tag:Name", "a*b")) == 2
