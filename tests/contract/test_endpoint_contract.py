# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateway endpoints, prefix lists and tags, as AWS documents them.

Interface endpoints and NAT gateways cost money on AWS: they have unit tests only.
"""

from __future__ import annotations

from typing import Any

from .vpc_contract import network, refused


def test_a_gateway_endpoints_route(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
    with network(endpoint) as net:
        service = f"com.amazonaws.{net.client.meta.region_name}.s3"
        table = net.client.create_route_table(VpcId=net.id)["RouteTable"]["RouteTableId"]
        net.later("delete_route_table", RouteTableId=table)
        made = net.client.create_vpc_endpoint(VpcId=net.id, ServiceName=service, RouteTableIds=[table])["VpcEndpoint"]
        key = made["VpcEndpointId"]
        net.later("delete_vpc_endpoints", VpcEndpointIds=[key])
        (aws,) = net.client.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [service]}])["PrefixLists"]
        found = net.client.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        assert [route["GatewayId"] for route in found if route.get("DestinationPrefixListId") == aws["PrefixListId"]] == [key]


def test_private_dns_needs_the_vpcs_attributes(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html: new VPCs have no DNS hostnames
    with network(endpoint) as net:
        service = f"com.amazonaws.{net.client.meta.region_name}.ssm"
        with refused("InvalidParameter"):
            net.client.create_vpc_endpoint(VpcId=net.id, ServiceName=service, VpcEndpointType="Interface", PrivateDnsEnabled=True)
        with refused("InvalidServiceName"):
            net.client.create_vpc_endpoint(VpcId=net.id, ServiceName=f"{service}-nonsense", VpcEndpointType="Interface")


def test_prefix_list_versions(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
    client = endpoint.client("ec2")
    made = client.create_managed_prefix_list(
        PrefixListName="contract", AddressFamily="IPv4", MaxEntries=3, Entries=[{"Cidr": "10.1.0.0/16"}]
    )
    key = made["PrefixList"]["PrefixListId"]
    try:
        assert client.describe_managed_prefix_lists(PrefixListIds=[key])["PrefixLists"][0]["Version"] == 1
        with refused("PrefixListVersionMismatch", "IncorrectState"):
            client.modify_managed_prefix_list(PrefixListId=key, CurrentVersion=7, AddEntries=[{"Cidr": "10.2.0.0/16"}])
    finally:
        client.delete_managed_prefix_list(PrefixListId=key)


def test_tags_of_what_does_not_exist(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
    client = endpoint.client("ec2")
    with refused("InvalidVpcID.NotFound"):
        client.create_tags(Resources=["vpc-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}])
    with network(endpoint) as net, refused("InvalidParameterValue"):
        net.client.create_tags(Resources=[net.id], Tags=[{"Key": "aws:a", "Value": "b"}])
