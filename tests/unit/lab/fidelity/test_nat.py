# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NAT gateways: states, addresses, failures that show afterwards, what a deletion frees."""

from __future__ import annotations

from typing import Any

import pytest

from .test_addresses import free, gateway, interface
from .vpc_helpers import Vpc, make_vpc, refused


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def address(vpc: Vpc) -> str:
    return str(vpc.client.allocate_address(Domain="vpc")["AllocationId"])


def one(vpc: Vpc, nat: str) -> dict[str, Any]:
    return dict(vpc.client.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0])


def test_a_public_gateway(vpc: Vpc, lab: Any) -> None:
    gateway(vpc)
    subnet, allocation = vpc.subnet("10.0.1.0/24"), address(vpc)
    tags = [{"ResourceType": "natgateway", "Tags": [{"Key": "Name", "Value": "out"}]}]
    made = vpc.client.create_nat_gateway(SubnetId=subnet, AllocationId=allocation, TagSpecifications=tags)["NatGateway"]
    assert (made["State"], made["Tags"]) == ("pending", [{"Key": "Name", "Value": "out"}])
    nat = one(vpc, made["NatGatewayId"])
    (shown,) = nat["NatGatewayAddresses"]
    assert (nat["State"], shown["PrivateIp"], shown["AllocationId"]) == ("available", "10.0.1.4", allocation)
    (eni,) = vpc.client.describe_network_interfaces(Filters=[{"Name": "interface-type", "Values": ["nat_gateway"]}])["NetworkInterfaces"]
    assert (eni["NetworkInterfaceId"], eni["Description"]) == (
        shown["NetworkInterfaceId"],
        f"Interface for NAT Gateway {nat['NatGatewayId']}",
    )
    assert (eni["RequesterManaged"], eni["Status"], eni["Groups"], eni["Association"]["PublicIp"]) == (
        True,
        "in-use",
        [],
        shown["PublicIp"],
    )
    assert free(vpc, subnet) == 250
    with refused("AuthFailure"):
        vpc.client.disassociate_address(AssociationId=shown["AssociationId"])
    with refused("InvalidParameterValue", "in use"):
        vpc.client.delete_network_interface(NetworkInterfaceId=eni["NetworkInterfaceId"])
    vpc.client.delete_nat_gateway(NatGatewayId=nat["NatGatewayId"])
    assert one(vpc, nat["NatGatewayId"])["State"] == "deleted"
    assert free(vpc, subnet) == 251
    vpc.client.release_address(AllocationId=allocation)
    lab.lab.advance(3601)
    with refused("NatGatewayNotFound"):
        one(vpc, nat["NatGatewayId"])


def test_states_take_the_time_that_the_lab_is_told(vpc: Vpc, lab: Any) -> None:
    lab.lab.state("settings")["nat_seconds"] = 60
    subnet = vpc.subnet("10.0.1.0/24")
    nat = vpc.client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    assert one(vpc, nat)["State"] == "pending"
    lab.lab.advance(61)
    assert one(vpc, nat)["State"] == "available"
    vpc.client.delete_nat_gateway(NatGatewayId=nat)
    assert (one(vpc, nat)["State"], free(vpc, subnet)) == ("deleting", 250)
    lab.lab.advance(61)
    assert (one(vpc, nat)["State"], free(vpc, subnet)) == ("deleted", 251)


def test_failures_show_afterwards(vpc: Vpc) -> None:
    subnet, allocation = vpc.subnet("10.0.1.0/24"), address(vpc)
    nat = vpc.client.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)["NatGateway"]
    assert (nat["State"], one(vpc, nat["NatGatewayId"])["State"]) == ("pending", "failed")
    assert one(vpc, nat["NatGatewayId"])["FailureCode"] == "Gateway.NotAttached"
    gateway(vpc)
    vpc.client.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)
    again = vpc.client.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)["NatGateway"]["NatGatewayId"]
    assert one(vpc, again)["FailureCode"] == "Resource.AlreadyAssociated"
    small = vpc.subnet("10.0.2.0/28")
    for _turn in range(11):
        interface(vpc, small)
    full = vpc.client.create_nat_gateway(SubnetId=small, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    assert one(vpc, full)["FailureCode"] == "InsufficientFreeAddressesInSubnet"


def test_one_token_makes_one_gateway(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    ids = {
        vpc.client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private", ClientToken="again")["NatGateway"]["NatGatewayId"]
        for _turn in range(2)
    }
    assert len(ids) == 1
    with refused("IdempotentParameterMismatch"):
        vpc.client.create_nat_gateway(SubnetId=vpc.subnet("10.0.2.0/24"), ConnectivityType="private", ClientToken="again")


def test_what_aws_refuses_at_once(vpc: Vpc, lab: Any) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    with refused("MissingParameter", "AllocationId"):
        vpc.client.create_nat_gateway(SubnetId=subnet)
    with refused("InvalidAllocationID.NotFound"):
        vpc.client.create_nat_gateway(SubnetId=subnet, AllocationId="eipalloc-0123456789abcdef0")
    with refused("InvalidSubnetID.NotFound"):
        vpc.client.create_nat_gateway(SubnetId="subnet-0123456789abcdef0", ConnectivityType="private")
    with refused("InvalidParameterValue"):
        vpc.client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private", PrivateIpAddress="10.0.1.1")
    with refused("NatGatewayNotFound"):
        vpc.client.delete_nat_gateway(NatGatewayId="nat-0123456789abcdef0")
    lab.control.config(quotas={"nat_gateways_per_az": 0})
    with refused("NatGatewayLimitExceeded"):
        vpc.client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")


def test_further_addresses(vpc: Vpc) -> None:
    gateway(vpc)
    subnet = vpc.subnet("10.0.1.0/24")
    nat = vpc.client.create_nat_gateway(SubnetId=subnet, AllocationId=address(vpc))["NatGateway"]["NatGatewayId"]
    (new,) = vpc.client.associate_nat_gateway_address(NatGatewayId=nat, AllocationIds=[address(vpc)])["NatGatewayAddresses"]
    assert (new["PrivateIp"], new["IsPrimary"], len(one(vpc, nat)["NatGatewayAddresses"])) == ("10.0.1.5", False, 2)
    first = one(vpc, nat)["NatGatewayAddresses"][0]["AssociationId"]
    with refused("InvalidParameterValue"):
        vpc.client.disassociate_nat_gateway_address(NatGatewayId=nat, AssociationIds=[first])
    vpc.client.disassociate_nat_gateway_address(NatGatewayId=nat, AssociationIds=[new["AssociationId"]])
    assert free(vpc, subnet) == 250


def test_filters(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    ids = [vpc.client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"] for _turn in range(2)]
    vpc.client.delete_nat_gateway(NatGatewayId=ids[0])
    for name, value, found in (("state", "available", ids[1:]), ("vpc-id", vpc.id, ids), ("nat-gateway-id", ids[0], ids[:1])):
        answer = vpc.client.describe_nat_gateways(Filter=[{"Name": name, "Values": [value]}])["NatGateways"]
        assert [item["NatGatewayId"] for item in answer] == found
