# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a route may point at, and when it is a blackhole."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import AWAY, B, Vpc, join, make_vpc, refused, request, routes

FAR = "10.200.0.0/16"


def _state(vpc: Vpc, table: str, destination: str = FAR) -> str:
    return str(routes(vpc.client, table)[destination]["State"])


def _add(vpc: Vpc, table: str, destination: str = FAR, **target: str) -> None:
    member = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
    vpc.client.create_route(RouteTableId=table, **{member: destination}, **target)


@pytest.mark.parametrize("region", ["us-east-1", AWAY])
def test_a_peering_route_lives_and_dies_with_its_connection(lab: Any, region: str) -> None:
    left, right = make_vpc(lab), make_vpc(lab, FAR, B, region)
    key, table = request(left, right), left.table()
    _add(left, table, VpcPeeringConnectionId=key)
    assert _state(left, table) == "blackhole"
    right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert _state(left, table) == "active"
    back = right.table()
    _add(right, back, "10.0.0.0/16", VpcPeeringConnectionId=key)
    assert _state(right, back, "10.0.0.0/16") == "active"
    right.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert (_state(left, table), _state(right, back, "10.0.0.0/16")) == ("blackhole", "blackhole")
    lab.lab.advance(3 * 86400)
    left.client.describe_vpc_peering_connections()
    assert routes(left.client, table)[FAR] == {
        "DestinationCidrBlock": FAR,
        "VpcPeeringConnectionId": key,
        "Origin": "CreateRoute",
        "State": "blackhole",
    }


def test_an_expired_request_leaves_a_blackhole(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, FAR)
    table = left.table()
    _add(left, table, VpcPeeringConnectionId=request(left, right))
    lab.lab.advance(8 * 86400)
    assert _state(left, table) == "blackhole"


def test_a_connection_that_is_not_this_vpcs(lab: Any) -> None:
    left, right, third = make_vpc(lab), make_vpc(lab, FAR), make_vpc(lab, "10.3.0.0/16")
    key, table = join(left, right), third.table()
    with refused("InvalidParameterValue", f"route table {table} and VPC peering connection {key} belong to different networks"):
        _add(third, table, VpcPeeringConnectionId=key)
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        _add(third, table, VpcPeeringConnectionId="pcx-0123456789abcdef0")
    with refused("InvalidVpcPeeringConnectionId.Malformed"):
        _add(third, table, VpcPeeringConnectionId="pcx-nonsense")
    other = make_vpc(lab, "10.4.0.0/16", B)
    with refused("InvalidVpcPeeringConnectionID.NotFound", key):
        _add(other, other.table(), VpcPeeringConnectionId=key)


def test_a_dead_connection_is_no_target(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, FAR)
    key, live = join(left, right), make_vpc(lab, "10.7.0.0/16")
    table = left.table()
    left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    with refused("InvalidStateTransition", "deleted"):
        _add(left, table, VpcPeeringConnectionId=key)
    again = join(left, live)
    _add(left, table, VpcPeeringConnectionId=again)
    with refused("InvalidStateTransition"):
        left.client.replace_route(RouteTableId=table, DestinationCidrBlock=FAR, VpcPeeringConnectionId=key)


def test_a_blackhole_can_be_pointed_at_the_new_connection(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, FAR)
    first, table = join(left, right), left.table()
    _add(left, table, VpcPeeringConnectionId=first)
    left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=first)
    second = join(left, right)
    left.client.replace_route(RouteTableId=table, DestinationCidrBlock=FAR, VpcPeeringConnectionId=second)
    found = routes(left.client, table)[FAR]
    assert (found["VpcPeeringConnectionId"], found["State"]) == (second, "active")


def test_internet_gateways(lab: Any) -> None:
    vpc, other = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    igw = vpc.client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    table = vpc.table()
    with refused("InvalidParameterValue", "belong to different networks"):
        _add(vpc, table, GatewayId=igw)
    vpc.client.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    _add(vpc, table, GatewayId=igw)
    with refused("InvalidParameterValue", "belong to different networks"):
        _add(other, other.table(), GatewayId=igw)
    vpc.client.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    assert _state(vpc, table) == "blackhole"
    vpc.client.attach_internet_gateway(InternetGatewayId=igw, VpcId=other.id)
    assert _state(vpc, table) == "blackhole"
    with refused("InvalidInternetGatewayID.NotFound"):
        _add(vpc, table, "10.201.0.0/16", GatewayId="igw-0123456789abcdef0")
    with refused("InvalidGatewayID.NotFound"):
        _add(vpc, table, "10.201.0.0/16", GatewayId="gw-1")


def test_egress_only_gateways_are_for_ipv6(lab: Any) -> None:
    vpc = make_vpc(lab, AmazonProvidedIpv6CidrBlock=True)
    key = vpc.client.create_egress_only_internet_gateway(VpcId=vpc.id)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    table = vpc.table()
    with refused("InvalidParameterValue", "IPv6"):
        _add(vpc, table, EgressOnlyInternetGatewayId=key)
    _add(vpc, table, "::/0", EgressOnlyInternetGatewayId=key)
    assert _state(vpc, table, "::/0") == "active"
    vpc.client.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=key)
    assert _state(vpc, table, "::/0") == "blackhole"
    with refused("InvalidGatewayID.NotFound"):
        _add(vpc, table, "2001:db8::/32", EgressOnlyInternetGatewayId=key)


def test_nat_gateways(lab: Any) -> None:
    vpc = make_vpc(lab)
    nat = vpc.client.create_nat_gateway(SubnetId=vpc.subnet("10.0.1.0/24"), ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    table = vpc.table()
    _add(vpc, table, NatGatewayId=nat)
    assert _state(vpc, table) == "active"
    with refused("InvalidParameterValue", "NAT64"):
        _add(vpc, table, "2001:db8::/32", NatGatewayId=nat)
    _add(vpc, table, "64:ff9b::/96", NatGatewayId=nat)
    other = make_vpc(lab, "10.1.0.0/16")
    with refused("InvalidParameterValue", "belong to different networks"):
        _add(other, other.table(), NatGatewayId=nat)
    vpc.client.delete_nat_gateway(NatGatewayId=nat)
    assert _state(vpc, table) == "blackhole"
    with refused("InvalidNatGatewayID.NotFound"):
        _add(vpc, table, "10.201.0.0/16", NatGatewayId=nat)


def test_interfaces_and_instances(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet, table = vpc.subnet("10.0.1.0/24"), vpc.table()
    image = vpc.client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    (instance,) = vpc.client.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"]
    key, eni = instance["InstanceId"], instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    _add(vpc, table, InstanceId=key)
    _add(vpc, table, "10.201.0.0/16", NetworkInterfaceId=eni)
    for destination in (FAR, "10.201.0.0/16"):
        found = routes(vpc.client, table)[destination]
        assert (found["InstanceId"], found["InstanceOwnerId"], found["NetworkInterfaceId"], found["State"]) == (
            key,
            vpc.account,
            eni,
            "active",
        )
    free = vpc.client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    _add(vpc, table, "10.202.0.0/16", NetworkInterfaceId=free)
    assert _state(vpc, table, "10.202.0.0/16") == "blackhole"
    vpc.client.stop_instances(InstanceIds=[key])
    assert _state(vpc, table) == "blackhole"
    vpc.client.terminate_instances(InstanceIds=[key])
    assert (_state(vpc, table), _state(vpc, table, "10.201.0.0/16")) == ("blackhole", "blackhole")
    with refused("InvalidNetworkInterfaceID.NotFound"):
        _add(vpc, table, "10.203.0.0/16", NetworkInterfaceId="eni-0123456789abcdef0")
    with refused("InvalidInstanceID.NotFound"):
        _add(vpc, table, "10.203.0.0/16", InstanceId="i-0123456789abcdef0")


def test_transit_gateways_need_an_attachment(lab: Any) -> None:
    vpc = make_vpc(lab)
    key = vpc.client.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    table, subnet = vpc.table(), vpc.subnet("10.0.1.0/24")
    with refused("InvalidTransitGatewayID.NotFound", "not attached"):
        _add(vpc, table, TransitGatewayId=key)
    vpc.client.create_transit_gateway_vpc_attachment(TransitGatewayId=key, VpcId=vpc.id, SubnetIds=[subnet])
    _add(vpc, table, TransitGatewayId=key)
    assert _state(vpc, table) == "active"


def test_an_interface_endpoint_is_no_target(lab: Any) -> None:
    vpc = make_vpc(lab)
    made = vpc.client.create_vpc_endpoint(
        VpcId=vpc.id,
        ServiceName="com.amazonaws.us-east-1.ssm",
        VpcEndpointType="Interface",
        SubnetIds=[vpc.subnet("10.0.1.0/24")],
        PrivateDnsEnabled=False,
    )
    with refused("RouteNotSupported", made["VpcEndpoint"]["VpcEndpointId"]):
        _add(vpc, vpc.table(), VpcEndpointId=made["VpcEndpoint"]["VpcEndpointId"])
