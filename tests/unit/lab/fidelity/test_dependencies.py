# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DependencyViolation: what must go first."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import B, Vpc, is_seen, join, make_vpc, refused, request, state


def _hold(vpc: Vpc, what: str) -> Any:
    """Put something into a VPC; returns how to take it out again."""
    client = vpc.client
    if what == "subnet":
        subnet = vpc.subnet("10.0.1.0/24")
        return lambda: client.delete_subnet(SubnetId=subnet)
    if what == "internet gateway":
        key = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        client.attach_internet_gateway(InternetGatewayId=key, VpcId=vpc.id)
        return lambda: client.detach_internet_gateway(InternetGatewayId=key, VpcId=vpc.id)
    if what == "egress-only gateway":
        key = client.create_egress_only_internet_gateway(VpcId=vpc.id)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        return lambda: client.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=key)
    if what == "route table":
        key = client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
        return lambda: client.delete_route_table(RouteTableId=key)
    if what == "security group":
        key = client.create_security_group(GroupName="g", Description="g", VpcId=vpc.id)["GroupId"]
        return lambda: client.delete_security_group(GroupId=key)
    if what == "network ACL":
        key = client.create_network_acl(VpcId=vpc.id)["NetworkAcl"]["NetworkAclId"]
        return lambda: client.delete_network_acl(NetworkAclId=key)
    if what == "gateway endpoint":
        made = client.create_vpc_endpoint(VpcId=vpc.id, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway")["VpcEndpoint"]
        return lambda: client.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    key = client.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    client.attach_vpn_gateway(VpcId=vpc.id, VpnGatewayId=key)
    return lambda: client.detach_vpn_gateway(VpcId=vpc.id, VpnGatewayId=key)


@pytest.mark.parametrize(
    "what",
    [
        "subnet",
        "internet gateway",
        "egress-only gateway",
        "route table",
        "security group",
        "network ACL",
        "gateway endpoint",
        "vpn gateway",
    ],
)
def test_a_vpc_must_be_empty(lab: Any, what: str) -> None:
    vpc = make_vpc(lab)
    release = _hold(vpc, what)
    with refused("DependencyViolation", f"The vpc '{vpc.id}' has dependencies and cannot be deleted."):
        vpc.client.delete_vpc(VpcId=vpc.id)
    release()
    vpc.client.delete_vpc(VpcId=vpc.id)
    with refused("InvalidVpcID.NotFound", vpc.id):
        vpc.client.describe_vpcs(VpcIds=[vpc.id])


def test_a_vpc_takes_its_defaults_with_it(lab: Any) -> None:
    vpc = make_vpc(lab)
    vpc.client.delete_vpc(VpcId=vpc.id)
    here = [{"Name": "vpc-id", "Values": [vpc.id]}]
    assert vpc.client.describe_route_tables(Filters=here)["RouteTables"] == []
    assert vpc.client.describe_security_groups(Filters=here)["SecurityGroups"] == []
    assert vpc.client.describe_network_acls(Filters=here)["NetworkAcls"] == []
    with refused("InvalidVpcID.NotFound"):
        vpc.client.delete_vpc(VpcId=vpc.id)


def test_an_active_peering_connection_holds_both_vpcs(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B)
    key = join(left, right)
    for vpc in (left, right):
        with refused("DependencyViolation", key):
            vpc.client.delete_vpc(VpcId=vpc.id)
    left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    left.client.delete_vpc(VpcId=left.id)
    right.client.delete_vpc(VpcId=right.id)
    assert state(right, key) == "deleted"


def test_a_pending_request_holds_the_accepters_vpc_and_goes_with_the_requesters(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B)
    key = request(left, right)
    with refused("DependencyViolation", key):
        right.client.delete_vpc(VpcId=right.id)
    left.client.delete_vpc(VpcId=left.id)
    assert state(right, key) == "deleted"
    assert is_seen(left, key)
    right.client.delete_vpc(VpcId=right.id)


def test_a_subnet_must_be_empty(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet = vpc.subnet("10.0.1.0/24")
    eni = vpc.client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("DependencyViolation", f"The subnet '{subnet}' has dependencies and cannot be deleted.", eni):
        vpc.client.delete_subnet(SubnetId=subnet)
    vpc.client.delete_network_interface(NetworkInterfaceId=eni)
    nat = vpc.client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]
    with refused("DependencyViolation"):
        vpc.client.delete_subnet(SubnetId=subnet)
    vpc.client.delete_nat_gateway(NatGatewayId=nat)
    image = vpc.client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    (instance,) = vpc.client.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"]
    with refused("DependencyViolation"):
        vpc.client.delete_subnet(SubnetId=subnet)
    vpc.client.terminate_instances(InstanceIds=[instance["InstanceId"]])
    vpc.client.delete_subnet(SubnetId=subnet)
    with refused("InvalidSubnetID.NotFound", subnet):
        vpc.client.delete_subnet(SubnetId=subnet)


def test_a_table_in_use_stays(lab: Any) -> None:
    vpc = make_vpc(lab)
    table = vpc.client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    made = vpc.client.associate_route_table(RouteTableId=table, SubnetId=vpc.subnet("10.0.1.0/24"))["AssociationId"]
    for key in (table, vpc.table()):
        with refused("DependencyViolation", f"The routeTable '{key}' has dependencies and cannot be deleted."):
            vpc.client.delete_route_table(RouteTableId=key)
    vpc.client.disassociate_route_table(AssociationId=made)
    vpc.client.delete_route_table(RouteTableId=table)
    with refused("InvalidRouteTableID.NotFound"):
        vpc.client.delete_route_table(RouteTableId=table)


def test_internet_gateways_and_public_addresses(lab: Any) -> None:
    vpc, other = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    client = vpc.client
    igw, second = (client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _turn in range(2))
    client.attach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    with refused("Resource.AlreadyAssociated", igw):
        client.attach_internet_gateway(InternetGatewayId=igw, VpcId=other.id)
    with refused("InvalidParameterValue", "already has an internet gateway"):
        client.attach_internet_gateway(InternetGatewayId=second, VpcId=vpc.id)
    with refused("Gateway.NotAttached", second):
        client.detach_internet_gateway(InternetGatewayId=second, VpcId=vpc.id)
    eni = client.create_network_interface(SubnetId=vpc.subnet("10.0.1.0/24"))["NetworkInterface"]["NetworkInterfaceId"]
    address = client.allocate_address(Domain="vpc")["AllocationId"]
    tie = client.associate_address(AllocationId=address, NetworkInterfaceId=eni)["AssociationId"]
    with refused("DependencyViolation", f"Network {vpc.id} has some mapped public address(es)."):
        client.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    client.disassociate_address(AssociationId=tie)
    with refused("DependencyViolation", f"The internetGateway '{igw}' has dependencies and cannot be deleted."):
        client.delete_internet_gateway(InternetGatewayId=igw)
    client.detach_internet_gateway(InternetGatewayId=igw, VpcId=vpc.id)
    client.delete_internet_gateway(InternetGatewayId=igw)
    with refused("InvalidInternetGatewayID.NotFound", igw):
        client.delete_internet_gateway(InternetGatewayId=igw)


def test_one_egress_only_gateway_for_a_vpc(lab: Any) -> None:
    vpc = make_vpc(lab)
    client = vpc.client
    key = client.create_egress_only_internet_gateway(VpcId=vpc.id)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    with refused("InvalidParameterValue", vpc.id):
        client.create_egress_only_internet_gateway(VpcId=vpc.id)
    client.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=key)
    with refused("InvalidGatewayID.NotFound", key):
        client.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=key)
    with refused("InvalidVpcID.NotFound"):
        client.create_egress_only_internet_gateway(VpcId="vpc-0123456789abcdef0")
