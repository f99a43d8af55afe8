# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of interfaces, elastic addresses, names; the pool itself as a pure thing."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity import addresses
from hypothesis import given
from hypothesis import strategies as st

from .vpc_helpers import AWAY, B, Vpc, make_vpc, refused


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def gateway(vpc: Vpc) -> str:
    key = str(vpc.client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    vpc.client.attach_internet_gateway(InternetGatewayId=key, VpcId=vpc.id)
    return key


def interface(vpc: Vpc, subnet: str, **more: Any) -> dict[str, Any]:
    return dict(vpc.client.create_network_interface(SubnetId=subnet, **more)["NetworkInterface"])


def free(vpc: Vpc, subnet: str) -> int:
    return int(vpc.client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"])


# -- the pool ------------------------------------------------------------------------------------------------------------------


@given(st.integers(16, 28), st.integers(0, 40), st.sets(st.integers(0, 300), max_size=50))
def test_the_pool_gives_free_addresses_that_are_not_reserved(length: int, count: int, taken: set[int]) -> None:
    network = ipaddress.ip_network(f"10.0.0.0/{length}")
    used = {str(network[offset]) for offset in taken if offset < network.num_addresses}
    found = addresses.choose(str(network), used, count)
    reserved = {str(network[offset]) for offset in (0, 1, 2, 3, -1)}
    assert len(set(found)) == len(found)
    assert not set(found) & (used | reserved)
    assert all(ipaddress.ip_address(item) in network for item in found)
    assert len(found) == min(count, network.num_addresses - len(used | reserved))


@given(st.integers(0, 511))
def test_an_address_that_is_accepted_could_have_been_given(offset: int) -> None:
    wanted = str(ipaddress.ip_address("10.0.0.0") + offset)
    try:
        assert addresses.check("10.0.0.0/24", wanted, set()) == wanted
        assert wanted in addresses.choose("10.0.0.0/24", set(), 256)
    except Refusal as refusal:
        assert refusal.code == "InvalidParameterValue"
        assert wanted not in addresses.choose("10.0.0.0/24", set(), 256)


def test_names() -> None:
    assert addresses.private_name("10.0.1.5", "us-east-1") == "ip-10-0-1-5.ec2.internal"
    assert addresses.private_name("10.0.1.5", "eu-west-1") == "ip-10-0-1-5.eu-west-1.compute.internal"
    assert addresses.public_name("198.18.0.9", "us-east-1") == "ec2-198-18-0-9.compute-1.amazonaws.com"
    assert addresses.public_name("198.18.0.9", "eu-west-1") == "ec2-198-18-0-9.eu-west-1.compute.amazonaws.com"


# -- interfaces ----------------------------------------------------------------------------------------------------------------


def test_a_subnet_fills_up(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/28")
    assert free(vpc, subnet) == 11
    found = [interface(vpc, subnet)["PrivateIpAddress"] for _turn in range(11)]
    assert found == [f"10.0.1.{last}" for last in range(4, 15)]
    assert free(vpc, subnet) == 0
    with refused("InsufficientFreeAddressesInSubnet"):
        interface(vpc, subnet)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.0.1.0", "InvalidParameterValue"),
        ("10.0.1.3", "InvalidParameterValue"),
        ("10.0.1.255", "InvalidParameterValue"),
        ("10.0.2.9", "InvalidParameterValue"),
        ("nonsense", "InvalidParameterValue"),
        ("10.0.1.9", "InvalidIPAddress.InUse"),
    ],
)
def test_addresses_that_cannot_be_had(vpc: Vpc, address: str, code: str) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    interface(vpc, subnet, PrivateIpAddress="10.0.1.9")
    with refused(code):
        interface(vpc, subnet, PrivateIpAddress=address)


def test_secondary_addresses(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    made = interface(
        vpc, subnet, PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.20"}, {"PrivateIpAddress": "10.0.1.10", "Primary": True}]
    )
    assert [(item["PrivateIpAddress"], item["Primary"]) for item in made["PrivateIpAddresses"]] == [
        ("10.0.1.10", True),
        ("10.0.1.20", False),
    ]
    assert interface(vpc, subnet, SecondaryPrivateIpAddressCount=2)["PrivateIpAddresses"][2]["PrivateIpAddress"] == "10.0.1.6"
    key = made["NetworkInterfaceId"]
    answer = vpc.client.assign_private_ip_addresses(NetworkInterfaceId=key, SecondaryPrivateIpAddressCount=1)
    assert answer["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": "10.0.1.7"}]
    assert free(vpc, subnet) == 251 - 6
    vpc.client.unassign_private_ip_addresses(NetworkInterfaceId=key, PrivateIpAddresses=["10.0.1.20"])
    with refused("InvalidParameterValue"):
        vpc.client.unassign_private_ip_addresses(NetworkInterfaceId=key, PrivateIpAddresses=["10.0.1.10"])
    assert free(vpc, subnet) == 251 - 5


def test_ipv6_from_the_subnets_block(vpc: Vpc, lab: Any) -> None:
    six = make_vpc(lab, "10.1.0.0/16", AmazonProvidedIpv6CidrBlock=True)
    block = six.client.describe_vpcs(VpcIds=[six.id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    part = str(next(ipaddress.ip_network(block).subnets(new_prefix=64)))
    subnet = six.subnet("10.1.1.0/24", Ipv6CidrBlock=part)
    found = interface(six, subnet, Ipv6AddressCount=2)["Ipv6Addresses"]
    assert len(found) == 2
    assert all(ipaddress.ip_address(item["Ipv6Address"]) in ipaddress.ip_network(part) for item in found)
    with refused("InvalidParameterValue"):
        interface(vpc, vpc.subnet("10.0.1.0/24"), Ipv6AddressCount=1)


def test_groups_of_an_interface(vpc: Vpc, lab: Any) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    groups = [vpc.client.create_security_group(GroupName=f"g{number}", Description="g", VpcId=vpc.id)["GroupId"] for number in range(6)]
    other = make_vpc(lab, "10.1.0.0/16")
    foreign = other.client.create_security_group(GroupName="g", Description="g", VpcId=other.id)["GroupId"]
    assert [group["GroupName"] for group in interface(vpc, subnet)["Groups"]] == ["default"]
    with refused("InvalidParameter", "different networks"):
        interface(vpc, subnet, Groups=[foreign])
    with refused("SecurityGroupsPerInterfaceLimitExceeded"):
        interface(vpc, subnet, Groups=groups)
    key = interface(vpc, subnet, Groups=groups[:5])["NetworkInterfaceId"]
    vpc.client.modify_network_interface_attribute(NetworkInterfaceId=key, Groups=groups[:1])
    vpc.client.modify_network_interface_attribute(NetworkInterfaceId=key, SourceDestCheck={"Value": False})
    vpc.client.modify_network_interface_attribute(NetworkInterfaceId=key, Description={"Value": "changed"})
    found = vpc.client.describe_network_interfaces(NetworkInterfaceIds=[key])["NetworkInterfaces"][0]
    assert ([group["GroupId"] for group in found["Groups"]], found["SourceDestCheck"], found["Description"]) == (
        groups[:1],
        False,
        "changed",
    )
    attribute = vpc.client.describe_network_interface_attribute(NetworkInterfaceId=key, Attribute="groupSet")
    assert [group["GroupId"] for group in attribute["Groups"]] == groups[:1]


def test_names_need_the_vpcs_attribute(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    assert "PrivateDnsName" not in interface(vpc, subnet)
    vpc.client.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": True})
    assert interface(vpc, subnet)["PrivateDnsName"] == "ip-10-0-1-5.ec2.internal"


def test_interfaces_are_filtered_and_paged(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    ids = [interface(vpc, subnet, Description=f"number {number}")["NetworkInterfaceId"] for number in range(7)]
    pages = vpc.client.get_paginator("describe_network_interfaces").paginate(PaginationConfig={"PageSize": 5})
    assert [item["NetworkInterfaceId"] for page in pages for item in page["NetworkInterfaces"]] == ids
    found = vpc.client.describe_network_interfaces(
        Filters=[{"Name": "description", "Values": ["number 3", "number 5"]}, {"Name": "status", "Values": ["available"]}]
    )
    assert [item["PrivateIpAddress"] for item in found["NetworkInterfaces"]] == ["10.0.1.7", "10.0.1.9"]
    with refused("InvalidNetworkInterfaceID.NotFound"):
        vpc.client.describe_network_interfaces(NetworkInterfaceIds=["eni-0123456789abcdef0"])


# -- elastic addresses ---------------------------------------------------------------------------------------------------------


def test_public_addresses_are_unique_in_the_whole_lab(vpc: Vpc, lab: Any) -> None:
    clients = [vpc.client, lab.client("ec2", account=B), lab.client("ec2", region=AWAY)]
    found = [client.allocate_address(Domain="vpc")["PublicIp"] for client in clients for _turn in range(3)]
    assert len(set(found)) == 9
    assert all(ipaddress.ip_address(item) in ipaddress.ip_network("198.18.0.0/15") for item in found)


def test_an_address_is_associated_and_released(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    eni = interface(vpc, subnet)["NetworkInterfaceId"]
    made = vpc.client.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "mine"}]}]
    )
    allocation = made["AllocationId"]
    with refused("Gateway.NotAttached"):
        vpc.client.associate_address(AllocationId=allocation, NetworkInterfaceId=eni)
    gateway(vpc)
    vpc.client.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": True})
    association = vpc.client.associate_address(AllocationId=allocation, NetworkInterfaceId=eni)["AssociationId"]
    (shown,) = vpc.client.describe_addresses(Filters=[{"Name": "tag:Name", "Values": ["mine"]}])["Addresses"]
    assert (shown["AssociationId"], shown["NetworkInterfaceId"], shown["PrivateIpAddress"]) == (association, eni, "10.0.1.4")
    public = vpc.client.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]["Association"]
    assert public["PublicDnsName"] == addresses.public_name(made["PublicIp"], "us-east-1")
    with refused("InvalidIPAddress.InUse"):
        vpc.client.release_address(AllocationId=allocation)
    other = interface(vpc, subnet)["NetworkInterfaceId"]
    with refused("Resource.AlreadyAssociated"):
        vpc.client.associate_address(AllocationId=allocation, NetworkInterfaceId=other, AllowReassociation=False)
    moved = vpc.client.associate_address(AllocationId=allocation, NetworkInterfaceId=other)["AssociationId"]
    with refused("InvalidAssociationID.NotFound"):
        vpc.client.disassociate_address(AssociationId=association)
    vpc.client.disassociate_address(AssociationId=moved)
    vpc.client.release_address(AllocationId=allocation)
    with refused("InvalidAllocationID.NotFound"):
        vpc.client.describe_addresses(AllocationIds=[allocation])


def test_the_quota_of_elastic_addresses(vpc: Vpc) -> None:
    for _turn in range(5):
        vpc.client.allocate_address(Domain="vpc")
    with refused("AddressLimitExceeded"):
        vpc.client.allocate_address(Domain="vpc")
