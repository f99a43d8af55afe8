# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP option sets, the default one among them; the default VPC with what AWS puts there."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import make_vpc, refused


def _set(client: Any, **options: list[str]) -> str:
    pairs = [{"Key": key.replace("_", "-"), "Values": values} for key, values in options.items()]
    return str(client.create_dhcp_options(DhcpConfigurations=pairs)["DhcpOptions"]["DhcpOptionsId"])


def _of(client: Any, vpc: str) -> str:
    return str(client.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"])


@pytest.mark.parametrize(("region", "domain"), [("us-east-1", "ec2.internal"), ("eu-west-1", "eu-west-1.compute.internal")])
def test_a_new_vpc_has_the_regions_default_set(lab: Any, region: str, domain: str) -> None:
    client = lab.client("ec2", region=region)
    made = client.create_vpc(CidrBlock="10.91.0.0/16")["Vpc"]
    (shown,) = client.describe_dhcp_options()["DhcpOptions"]
    assert made["DhcpOptionsId"] == shown["DhcpOptionsId"] == _of(client, made["VpcId"])
    assert shown["DhcpOptionsId"].startswith("dopt-")
    assert {item["Key"]: [value["Value"] for value in item["Values"]] for item in shown["DhcpConfigurations"]} == {
        "domain-name": [domain],
        "domain-name-servers": ["AmazonProvidedDNS"],
    }
    assert client.create_vpc(CidrBlock="10.92.0.0/16")["Vpc"]["DhcpOptionsId"] == shown["DhcpOptionsId"]


def test_sets_that_were_replaced_can_be_deleted(lab: Any) -> None:
    vpc = make_vpc(lab)
    client, default = vpc.client, _of(vpc.client, vpc.id)
    one, two = _set(client, domain_name=["a.example"]), _set(client, domain_name=["b.example"])
    for key in (one, two):
        client.associate_dhcp_options(DhcpOptionsId=key, VpcId=vpc.id)
        assert _of(client, vpc.id) == key
    client.delete_dhcp_options(DhcpOptionsId=one)
    with refused("DependencyViolation", vpc.id):
        client.delete_dhcp_options(DhcpOptionsId=two)
    client.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc.id)
    assert _of(client, vpc.id) == "default"
    client.delete_dhcp_options(DhcpOptionsId=two)
    assert [item["DhcpOptionsId"] for item in client.describe_dhcp_options()["DhcpOptions"]] == [default]
    with refused("InvalidDhcpOptionID.NotFound"):
        client.associate_dhcp_options(DhcpOptionsId=two, VpcId=vpc.id)


def test_a_set_outlives_its_vpc(lab: Any) -> None:
    vpc = make_vpc(lab)
    key = _set(vpc.client, domain_name=["a.example"])
    vpc.client.associate_dhcp_options(DhcpOptionsId=key, VpcId=vpc.id)
    vpc.client.delete_vpc(VpcId=vpc.id)
    assert key in [item["DhcpOptionsId"] for item in vpc.client.describe_dhcp_options()["DhcpOptions"]]
    vpc.client.delete_dhcp_options(DhcpOptionsId=key)


@pytest.mark.parametrize(
    "options",
    [
        {"domain-name-servers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]},
        {"domain-name-servers": ["dns.example"]},
        {"ntp-servers": ["AmazonProvidedDNS"]},
        {"netbios-node-type": ["3"]},
        {"domain-name": ["a.example", "b.example"]},
        {"domain-name": ["a.example\nnameserver 10.0.0.9"]},
        {"ipv6-address-preferred-lease-time": ["soon"]},
        {"colour": ["red"]},
    ],
)
def test_what_a_set_may_hold(ec2: Any, options: dict[str, list[str]]) -> None:
    with refused("InvalidParameterValue"):
        ec2.create_dhcp_options(DhcpConfigurations=[{"Key": key, "Values": values} for key, values in options.items()])


def test_every_option_is_kept_with_its_tags(ec2: Any) -> None:
    pairs = {
        "domain-name": ["a.example"], "domain-name-servers": ["10.0.0.1", "AmazonProvidedDNS"], "ntp-servers": ["169.254.169.123"],
        "netbios-name-servers": ["10.0.0.9"], "netbios-node-type": ["2"], "ipv6-address-preferred-lease-time": ["140"],
    }  # fmt: skip
    made = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": key, "Values": values} for key, values in pairs.items()],
        TagSpecifications=[{"ResourceType": "dhcp-options", "Tags": [{"Key": "Name", "Value": "all"}]}],
    )["DhcpOptions"]
    (shown,) = ec2.describe_dhcp_options(Filters=[{"Name": "tag:Name", "Values": ["all"]}])["DhcpOptions"]
    assert shown == made
    assert {item["Key"]: [value["Value"] for value in item["Values"]] for item in shown["DhcpConfigurations"]} == pairs
    for name, value in (("key", "ntp-servers"), ("value", "10.0.0.9"), ("owner-id", "111111111111"), ("tag-key", "Name")):
        found = ec2.describe_dhcp_options(Filters=[{"Name": name, "Values": [value]}])["DhcpOptions"]
        assert made["DhcpOptionsId"] in [item["DhcpOptionsId"] for item in found]


def test_the_default_vpc_reaches_the_internet(ec2: Any) -> None:
    vpc = ec2.create_default_vpc()["Vpc"]
    assert (vpc["CidrBlock"], vpc["DhcpOptionsId"][:5]) == ("172.31.0.0/16", "dopt-")
    (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
    assert gateway["Attachments"] == [{"State": "available", "VpcId": vpc["VpcId"]}]
    (table,) = ec2.describe_route_tables()["RouteTables"]
    assert {item["DestinationCidrBlock"]: (item["GatewayId"], item["State"]) for item in table["Routes"]} == {
        "172.31.0.0/16": ("local", "active"),
        "0.0.0.0/0": (gateway["InternetGatewayId"], "active"),
    }
    subnets = ec2.describe_subnets()["Subnets"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert sorted(item["AvailabilityZone"] for item in subnets) == sorted(item["ZoneName"] for item in zones)
    assert all(item["DefaultForAz"] and item["MapPublicIpOnLaunch"] and item["AvailableIpAddressCount"] == 4091 for item in subnets)
    made = ec2.run_instances(ImageId="ami-0123456789abcdef0", InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
    assert made["SubnetId"] in [item["SubnetId"] for item in subnets]


def test_subnets_of_the_default_vpc(ec2: Any) -> None:
    vpc = ec2.create_default_vpc()["Vpc"]["VpcId"]
    own = ec2.create_subnet(VpcId=vpc, CidrBlock="172.31.96.0/20", AvailabilityZone="us-east-1a")["Subnet"]
    assert own["DefaultForAz"] is False
    first = next(item for item in ec2.describe_subnets()["Subnets"] if item["DefaultForAz"] and item["AvailabilityZone"] == "us-east-1a")
    ec2.delete_subnet(SubnetId=first["SubnetId"])
    again = ec2.create_default_subnet(AvailabilityZone="us-east-1a")["Subnet"]
    assert (again["DefaultForAz"], again["CidrBlock"]) == (True, first["CidrBlock"])
