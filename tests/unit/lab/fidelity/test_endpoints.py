# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC endpoints: interfaces, names, private DNS, gateway routes, changes, services."""

from __future__ import annotations

from typing import Any

import pytest

from .test_addresses import free
from .vpc_helpers import Vpc, make_vpc, refused, routes

SSM, S3 = "com.amazonaws.us-east-1.ssm", "com.amazonaws.us-east-1.s3"


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    made = make_vpc(lab)
    made.client.modify_vpc_attribute(VpcId=made.id, EnableDnsHostnames={"Value": True})
    return made


def make(vpc: Vpc, service: str = SSM, kind: str = "Interface", **more: Any) -> dict[str, Any]:
    return dict(vpc.client.create_vpc_endpoint(VpcId=vpc.id, ServiceName=service, VpcEndpointType=kind, **more)["VpcEndpoint"])


def one(vpc: Vpc, endpoint: str) -> dict[str, Any]:
    return dict(vpc.client.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0])


def group(vpc: Vpc, name: str = "endpoint") -> str:
    return str(vpc.client.create_security_group(GroupName=name, Description="g", VpcId=vpc.id)["GroupId"])


def test_an_interface_endpoint(vpc: Vpc) -> None:
    first, second = vpc.subnet("10.0.1.0/24", AvailabilityZone="us-east-1a"), vpc.subnet("10.0.2.0/24", AvailabilityZone="us-east-1b")
    own = group(vpc)
    tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Name", "Value": "ssm"}]}]
    made = make(vpc, SubnetIds=[first, second], SecurityGroupIds=[own], TagSpecifications=tags)
    key = made["VpcEndpointId"]
    found = one(vpc, key)
    assert (made["State"], found["State"], found["PrivateDnsEnabled"], found["Tags"]) == ("pending", "available", True, tags[0]["Tags"])
    assert found["Groups"] == [{"GroupId": own, "GroupName": "endpoint"}]
    names = [entry["DnsName"] for entry in found["DnsEntries"]]
    assert names[0].startswith(f"{key}-") and names[0].endswith(".ssm.us-east-1.vpce.amazonaws.com")
    assert [name.split(".")[0][-10:] for name in names[1:3]] == ["us-east-1a", "us-east-1b"]
    assert names[3:] == ["ssm.us-east-1.amazonaws.com"]
    enis = vpc.client.describe_network_interfaces(NetworkInterfaceIds=found["NetworkInterfaceIds"])["NetworkInterfaces"]
    assert [eni["PrivateIpAddress"] for eni in enis] == ["10.0.1.4", "10.0.2.4"]
    assert {(eni["InterfaceType"], eni["Description"], eni["RequesterManaged"]) for eni in enis} == {
        ("vpc_endpoint", f"VPC Endpoint Interface {key}", True)
    }
    assert all(eni["Groups"] == found["Groups"] for eni in enis)
    with refused("DependencyViolation"):
        vpc.client.delete_security_group(GroupId=own)
    assert (
        vpc.client.delete_vpc_endpoints(VpcEndpointIds=[key, "vpce-0123456789abcdef0"])["Unsuccessful"][0]["ResourceId"]
        == "vpce-0123456789abcdef0"
    )
    assert (free(vpc, first), free(vpc, second)) == (251, 251)
    with refused("InvalidVpcEndpointId.NotFound"):
        one(vpc, key)


def test_the_default_group_when_none_is_named(vpc: Vpc) -> None:
    assert [item["GroupName"] for item in make(vpc, SubnetIds=[vpc.subnet("10.0.1.0/24")])["Groups"]] == ["default"]


def test_private_dns(vpc: Vpc, lab: Any) -> None:
    plain = make_vpc(lab, "10.1.0.0/16")
    with refused("InvalidParameter", "enableDnsHostnames", plain.id):
        make(plain)
    assert make(plain, PrivateDnsEnabled=False)["DnsEntries"][0]["DnsName"].endswith("vpce.amazonaws.com")
    make(vpc)
    with refused("InvalidParameter", "conflicting DNS domain", "ssm.us-east-1.amazonaws.com"):
        make(vpc)
    second = make(vpc, PrivateDnsEnabled=False)["VpcEndpointId"]
    with refused("InvalidParameter", "conflicting"):
        vpc.client.modify_vpc_endpoint(VpcEndpointId=second, PrivateDnsEnabled=True)


def test_what_aws_refuses(vpc: Vpc, lab: Any) -> None:
    one_zone = [vpc.subnet(f"10.0.{number}.0/24", AvailabilityZone="us-east-1a") for number in (1, 2)]
    foreign = make_vpc(lab, "10.1.0.0/16").subnet("10.1.1.0/24")
    for more, code in (
        ({"SubnetIds": one_zone}, "DuplicateSubnetsInSameZone"),
        ({"SubnetIds": [foreign]}, "InvalidParameter"),
        ({"SubnetIds": ["subnet-0123456789abcdef0"]}, "InvalidSubnetID.NotFound"),
        ({"SubnetIds": one_zone[:1], "SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"service": "com.amazonaws.us-east-1.nonsense"}, "InvalidServiceName"),
        ({"service": SSM, "kind": "Gateway"}, "InvalidParameter"),
        ({"RouteTableIds": [vpc.table()]}, "InvalidParameter"),
        ({"PolicyDocument": "nonsense"}, "InvalidPolicyDocument"),
    ):
        with refused(code):
            make(vpc, **more)
    assert vpc.client.describe_network_interfaces()["NetworkInterfaces"] == []
    lab.control.config(quotas={"interface_endpoints_per_vpc": 0})
    with refused("VpcEndpointLimitExceeded"):
        make(vpc)


def test_subnets_and_groups_change(vpc: Vpc) -> None:
    first, second = vpc.subnet("10.0.1.0/24", AvailabilityZone="us-east-1a"), vpc.subnet("10.0.2.0/24", AvailabilityZone="us-east-1b")
    own = group(vpc)
    key = make(vpc, SubnetIds=[first])["VpcEndpointId"]
    default = one(vpc, key)["Groups"][0]["GroupId"]
    vpc.client.modify_vpc_endpoint(
        VpcEndpointId=key, AddSubnetIds=[second], RemoveSubnetIds=[first], AddSecurityGroupIds=[own], RemoveSecurityGroupIds=[default]
    )
    found = one(vpc, key)
    assert (found["SubnetIds"], [item["GroupId"] for item in found["Groups"]]) == ([second], [own])
    (eni,) = vpc.client.describe_network_interfaces()["NetworkInterfaces"]
    assert (eni["SubnetId"], eni["Groups"]) == (second, found["Groups"])
    assert free(vpc, first) == 251


def test_a_gateway_endpoint_has_a_route_in_its_tables(vpc: Vpc) -> None:
    tables = [vpc.client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"] for _turn in range(2)]
    (aws,) = vpc.client.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [S3]}])["PrefixLists"]
    made = make(vpc, S3, "Gateway", RouteTableIds=tables[:1])
    key = made["VpcEndpointId"]
    assert (made["State"], aws["Cidrs"] != []) == ("available", True)
    assert routes(vpc.client, tables[0])[aws["PrefixListId"]]["GatewayId"] == key
    with refused("RouteAlreadyExists"):
        make(vpc, S3, "Gateway", RouteTableIds=tables[:1])
    vpc.client.modify_vpc_endpoint(VpcEndpointId=key, AddRouteTableIds=tables[1:], RemoveRouteTableIds=tables[:1])
    assert aws["PrefixListId"] not in routes(vpc.client, tables[0])
    assert routes(vpc.client, tables[1])[aws["PrefixListId"]]["GatewayId"] == key
    vpc.client.delete_vpc_endpoints(VpcEndpointIds=[key])
    assert aws["PrefixListId"] not in routes(vpc.client, tables[1])


def test_services(vpc: Vpc) -> None:
    found = vpc.client.describe_vpc_endpoint_services(ServiceNames=[SSM])["ServiceDetails"][0]
    assert (found["ServiceType"], found["PrivateDnsName"], found["Owner"]) == (
        [{"ServiceType": "Interface"}],
        "ssm.us-east-1.amazonaws.com",
        "amazon",
    )
    everything = vpc.client.describe_vpc_endpoint_services()["ServiceNames"]
    assert {f"com.amazonaws.us-east-1.{name}" for name in ("ssmmessages", "ec2messages", "dynamodb", "ec2", "logs", "s3")} <= set(
        everything
    )
    gateways = vpc.client.describe_vpc_endpoint_services(Filters=[{"Name": "service-type", "Values": ["Gateway"]}])["ServiceNames"]
    assert gateways == ["com.amazonaws.us-east-1.dynamodb", S3]
    with refused("InvalidServiceName"):
        vpc.client.describe_vpc_endpoint_services(ServiceNames=["com.amazonaws.us-east-1.nonsense"])


def test_filters_and_paging(vpc: Vpc, lab: Any) -> None:
    ids = [make(vpc, PrivateDnsEnabled=False)["VpcEndpointId"] for _turn in range(6)]
    pages = vpc.client.get_paginator("describe_vpc_endpoints").paginate(PaginationConfig={"PageSize": 5})
    assert [[item["VpcEndpointId"] for item in page["VpcEndpoints"]] for page in pages] == [ids[:5], ids[5:]]
    for name, value in (("service-name", SSM), ("vpc-id", vpc.id), ("vpc-endpoint-state", "available"), ("vpc-endpoint-type", "Interface")):
        assert len(vpc.client.describe_vpc_endpoints(Filters=[{"Name": name, "Values": [value]}])["VpcEndpoints"]) == 6
