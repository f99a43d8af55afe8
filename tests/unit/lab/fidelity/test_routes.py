# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateRoute, ReplaceRoute, DeleteRoute: destinations, duplicates, the local route, quotas."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import Vpc, make_vpc, refused, routes


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab, AmazonProvidedIpv6CidrBlock=True)


@pytest.fixture
def igw(vpc: Vpc) -> str:
    key = str(vpc.client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    vpc.client.attach_internet_gateway(InternetGatewayId=key, VpcId=vpc.id)
    return key


def test_a_route_as_it_is_shown(vpc: Vpc, igw: str) -> None:
    table = vpc.table()
    assert vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)["Return"] is True
    found = routes(vpc.client, table)
    assert found["0.0.0.0/0"] == {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": igw, "Origin": "CreateRoute", "State": "active"}
    assert found["10.0.0.0/16"] == {
        "DestinationCidrBlock": "10.0.0.0/16",
        "GatewayId": "local",
        "Origin": "CreateRouteTable",
        "State": "active",
    }
    (six,) = [item for item in found.values() if "DestinationIpv6CidrBlock" in item]
    assert (six["GatewayId"], six["Origin"]) == ("local", "CreateRouteTable")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"DestinationCidrBlock": "10.77.0.1/16"}, "10.77.0.0/16"),
        ({"DestinationCidrBlock": "192.168.200.200/20"}, "192.168.192.0/20"),
        ({"DestinationIpv6CidrBlock": "2001:DB8:0:0::1/32"}, "2001:db8::/32"),
    ],
)
def test_host_bits_are_cleared_and_the_table_stays_usable(vpc: Vpc, igw: str, given: dict[str, str], kept: str) -> None:
    table = vpc.table()
    vpc.client.create_route(RouteTableId=table, GatewayId=igw, **given)
    assert kept in routes(vpc.client, table)
    with refused("RouteAlreadyExists", kept):
        vpc.client.create_route(RouteTableId=table, GatewayId=igw, **given)
    vpc.client.delete_route(RouteTableId=table, **given)
    assert kept not in routes(vpc.client, table)


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.0/33", "300.0.0.0/8", "everything", "2001:db8::/32", "10.0.0.0/-1"])
def test_what_is_no_ipv4_block(vpc: Vpc, igw: str, text: str) -> None:
    with refused("InvalidParameterValue", text, "destinationCidrBlock"):
        vpc.client.create_route(RouteTableId=vpc.table(), DestinationCidrBlock=text, GatewayId=igw)


@pytest.mark.parametrize("text", ["169.254.169.0/24", "169.254.168.0/22", "fd00:ec2::/32", "fd00:ec2::254/128"])
def test_aws_own_ranges_are_not_routable(vpc: Vpc, igw: str, text: str) -> None:
    member = "DestinationIpv6CidrBlock" if ":" in text else "DestinationCidrBlock"
    with refused("InvalidParameterValue", "reserved"):
        vpc.client.create_route(RouteTableId=vpc.table(), GatewayId=igw, **{member: text})


def test_duplicates_of_every_kind(vpc: Vpc, igw: str) -> None:
    table = vpc.table()
    listed = vpc.client.create_managed_prefix_list(PrefixListName="far", AddressFamily="IPv4", MaxEntries=3)["PrefixList"]["PrefixListId"]
    for destination in ({"DestinationCidrBlock": "10.9.0.0/16"}, {"DestinationIpv6CidrBlock": "::/0"}, {"DestinationPrefixListId": listed}):
        vpc.client.create_route(RouteTableId=table, GatewayId=igw, **destination)
        with refused("RouteAlreadyExists", next(iter(destination.values()))):
            vpc.client.create_route(RouteTableId=table, GatewayId=igw, **destination)
    assert len(routes(vpc.client, table)) == 5
    with refused("RouteAlreadyExists", "10.0.0.0/16"):
        vpc.client.create_route(RouteTableId=table, GatewayId=igw, DestinationCidrBlock="10.0.0.0/16")


def test_one_destination_and_one_target(vpc: Vpc, igw: str) -> None:
    table = vpc.table()
    create = vpc.client.create_route
    with refused("MissingParameter", "destination"):
        create(RouteTableId=table, GatewayId=igw)
    with refused("InvalidParameterCombination", "DestinationCidrBlock and DestinationIpv6CidrBlock"):
        create(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", DestinationIpv6CidrBlock="::/0", GatewayId=igw)
    with refused("MissingParameter", "target"):
        create(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    with refused("InvalidParameterCombination", "GatewayId and NatGatewayId"):
        create(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw, NatGatewayId="nat-0123456789abcdef0")
    with refused("InvalidRouteTableID.NotFound", "rtb-0123456789abcdef0"):
        create(RouteTableId="rtb-0123456789abcdef0", DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    with refused("InvalidPrefixListID.NotFound"):
        create(RouteTableId=table, DestinationPrefixListId="pl-0123456789abcdef0", GatewayId=igw)
    with refused("UnsupportedOperation", "LocalGatewayId"):
        create(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", LocalGatewayId="lgw-0123456789abcdef0")
    assert set(routes(vpc.client, table)) >= {"10.0.0.0/16"} and len(routes(vpc.client, table)) == 2


def test_inside_the_vpc_a_route_matches_a_subnet_and_goes_to_a_middlebox(vpc: Vpc, igw: str) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    eni = vpc.client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    table = vpc.table()
    with refused("InvalidParameterValue", "equal to or more specific than one of this VPC's CIDR blocks"):
        vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="10.0.1.0/24", GatewayId=igw)
    with refused("InvalidParameterValue", "doesn't match any subnet CIDR blocks"):
        vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="10.0.1.0/25", NetworkInterfaceId=eni)
    vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="10.0.1.0/24", NetworkInterfaceId=eni)
    vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/8", GatewayId=igw)
    with refused("InvalidParameterValue", "more specific"):
        vpc.client.replace_route(RouteTableId=table, DestinationCidrBlock="10.0.1.0/24", GatewayId=igw)


def test_the_local_route_stays(vpc: Vpc, igw: str) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    eni = vpc.client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    table = vpc.table()
    with refused("InvalidParameterValue", f"cannot remove local route 10.0.0.0/16 in route table {table}"):
        vpc.client.delete_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16")
    with refused("InvalidParameterValue", "cannot replace the local route"):
        vpc.client.replace_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", GatewayId=igw)
    with refused("InvalidParameterValue", "not a local route"):
        vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
        vpc.client.replace_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", LocalTarget=True)
    vpc.client.replace_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", NetworkInterfaceId=eni)
    replaced = routes(vpc.client, table)["10.0.0.0/16"]
    assert (replaced["NetworkInterfaceId"], replaced["Origin"], replaced["State"]) == (eni, "CreateRouteTable", "blackhole")
    with refused("InvalidParameterValue", "cannot remove local route"):
        vpc.client.delete_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16")
    vpc.client.replace_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", LocalTarget=True)
    assert routes(vpc.client, table)["10.0.0.0/16"]["GatewayId"] == "local"


def test_replace_and_delete_of_what_is_not_there(vpc: Vpc, igw: str) -> None:
    table = vpc.table()
    with refused("InvalidParameterValue", "There is no route defined for '10.9.0.0/16' in the route table. Use CreateRoute instead."):
        vpc.client.replace_route(RouteTableId=table, DestinationCidrBlock="10.9.0.0/16", GatewayId=igw)
    with refused("InvalidRoute.NotFound", f"no route with destination-cidr-block 10.9.0.0/16 in route table {table}"):
        vpc.client.delete_route(RouteTableId=table, DestinationCidrBlock="10.9.0.0/16")
    with refused("InvalidRoute.NotFound", "destination-ipv6-cidr-block ::/0"):
        vpc.client.delete_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0")


def test_replace_changes_the_target_and_nothing_of_the_old_one_is_left(vpc: Vpc, igw: str) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    eni = vpc.client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    table = vpc.table()
    for destination in ({"DestinationCidrBlock": "10.9.0.0/16"}, {"DestinationIpv6CidrBlock": "2001:db8::/32"}):
        key = next(iter(destination.values()))
        vpc.client.create_route(RouteTableId=table, GatewayId=igw, **destination)
        vpc.client.replace_route(RouteTableId=table, NetworkInterfaceId=eni, **destination)
        assert "GatewayId" not in routes(vpc.client, table)[key]
        vpc.client.replace_route(RouteTableId=table, GatewayId=igw, **destination)
        found = routes(vpc.client, table)[key]
        assert found["GatewayId"] == igw and "NetworkInterfaceId" not in found


def test_the_quota_counts_each_family_and_a_lists_maximum(lab: Any, vpc: Vpc, igw: str) -> None:
    lab.control.config(quotas={"routes_per_table": 3})
    table = vpc.table()
    listed = vpc.client.create_managed_prefix_list(PrefixListName="far", AddressFamily="IPv4", MaxEntries=2)["PrefixList"]["PrefixListId"]
    vpc.client.create_route(RouteTableId=table, DestinationPrefixListId=listed, GatewayId=igw)
    vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="10.9.0.0/16", GatewayId=igw)
    with refused("RouteLimitExceeded", "IPv4"):
        vpc.client.create_route(RouteTableId=table, DestinationCidrBlock="10.10.0.0/16", GatewayId=igw)
    for number in range(3):
        vpc.client.create_route(RouteTableId=table, DestinationIpv6CidrBlock=f"2001:db8:{number}::/48", GatewayId=igw)
    with refused("RouteLimitExceeded", "IPv6"):
        vpc.client.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=igw)


def test_local_routes_follow_the_blocks_of_the_vpc(vpc: Vpc) -> None:
    table = vpc.client.create_route_table(VpcId=vpc.id)["RouteTable"]
    assert {item.get("DestinationCidrBlock") for item in table["Routes"]} == {"10.0.0.0/16", None}
    added = vpc.client.associate_vpc_cidr_block(VpcId=vpc.id, CidrBlock="10.5.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    for key in (table["RouteTableId"], vpc.table()):
        assert routes(vpc.client, key)["10.5.0.0/16"]["GatewayId"] == "local"
    vpc.client.disassociate_vpc_cidr_block(AssociationId=added)
    for key in (table["RouteTableId"], vpc.table()):
        assert "10.5.0.0/16" not in routes(vpc.client, key)


def test_a_gateway_endpoint_keeps_its_routes_itself(vpc: Vpc, igw: str) -> None:
    table, other = vpc.table(), vpc.client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    made = vpc.client.create_vpc_endpoint(
        VpcId=vpc.id, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway", RouteTableIds=[table]
    )
    endpoint = made["VpcEndpoint"]["VpcEndpointId"]
    (route,) = [item for item in routes(vpc.client, table).values() if item.get("GatewayId") == endpoint]
    listed = route["DestinationPrefixListId"]
    assert route["State"] == "active"
    with refused("InvalidParameterValue", f"cannot remove VPC endpoint route {endpoint} from route table {table}"):
        vpc.client.delete_route(RouteTableId=table, DestinationPrefixListId=listed)
    with refused("InvalidParameterValue", "Cannot create or replace a prefix list route targeting a VPC Endpoint."):
        vpc.client.replace_route(RouteTableId=table, DestinationPrefixListId=listed, GatewayId=igw)
    with refused("InvalidParameterValue", "Cannot create or replace a prefix list route targeting a VPC Endpoint."):
        vpc.client.create_route(RouteTableId=other, DestinationPrefixListId=listed, GatewayId=endpoint)
    vpc.client.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=[other], RemoveRouteTableIds=[table])
    assert listed in routes(vpc.client, other) and listed not in routes(vpc.client, table)
    vpc.client.delete_route_table(RouteTableId=other)
    vpc.client.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    assert listed not in routes(vpc.client, table)
