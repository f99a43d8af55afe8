# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes and route table associations as the API Reference and the VPC User Guide describe them."""

from __future__ import annotations

from typing import Any

from .contract_helpers import refused, workshop


def _gateway(shop: Any, vpc: str) -> str:
    client = shop.client()
    key = str(client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"])
    shop.later(client.delete_internet_gateway, InternetGatewayId=key)
    client.attach_internet_gateway(InternetGatewayId=key, VpcId=vpc)
    shop.later(client.detach_internet_gateway, InternetGatewayId=key, VpcId=vpc)
    return key


def test_a_route_from_creation_to_deletion(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        client, table, gateway = shop.client(), shop.table(vpc), _gateway(shop, vpc)
        client.create_route(RouteTableId=table, DestinationCidrBlock="10.77.3.4/16", GatewayId=gateway)
        assert shop.route(table, "10.77.0.0/16") == {
            "DestinationCidrBlock": "10.77.0.0/16",
            "GatewayId": gateway,
            "Origin": "CreateRoute",
            "State": "active",
        }
        with refused("RouteAlreadyExists"):
            client.create_route(RouteTableId=table, DestinationCidrBlock="10.77.0.0/16", GatewayId=gateway)
        client.delete_route(RouteTableId=table, DestinationCidrBlock="10.77.0.0/16")
        with refused("InvalidRoute.NotFound"):
            client.delete_route(RouteTableId=table, DestinationCidrBlock="10.77.0.0/16")
        with refused("InvalidParameterValue"):
            client.replace_route(RouteTableId=table, DestinationCidrBlock="10.77.0.0/16", GatewayId=gateway)


def test_the_local_route_stays(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        client, table, gateway = shop.client(), shop.table(vpc), _gateway(shop, vpc)
        with refused("InvalidParameterValue"):
            client.delete_route(RouteTableId=table, DestinationCidrBlock="10.210.0.0/24")
        with refused("InvalidParameterValue"):
            client.replace_route(RouteTableId=table, DestinationCidrBlock="10.210.0.0/24", GatewayId=gateway)
        with refused("InvalidParameterValue"):
            client.create_route(RouteTableId=table, DestinationCidrBlock="10.210.0.0/25", GatewayId=gateway)


def test_targets_of_elsewhere(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        one, two = shop.vpc("10.210.0.0/24"), shop.vpc("10.211.0.0/24")
        client, table, gateway = shop.client(), shop.table(one), _gateway(shop, two)
        with refused("InvalidParameterValue"):
            client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        with refused("InvalidVpcPeeringConnectionID.NotFound"):
            client.create_route(RouteTableId=table, DestinationCidrBlock="10.9.0.0/16", VpcPeeringConnectionId="pcx-00000000000000000")


def test_a_detached_gateway_leaves_a_blackhole(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        client, table, gateway = shop.client(), shop.table(vpc), _gateway(shop, vpc)
        client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        client.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        assert (shop.route(table, "0.0.0.0/0") or {})["State"] == "blackhole"


def test_one_table_for_a_subnet(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        client, one, two = shop.client(), shop.table(vpc), shop.table(vpc)
        subnet = shop.subnet(vpc, "10.210.0.0/28")
        key = client.associate_route_table(RouteTableId=one, SubnetId=subnet)["AssociationId"]
        with refused("Resource.AlreadyAssociated"):
            client.associate_route_table(RouteTableId=two, SubnetId=subnet)
        with refused("DependencyViolation"):
            client.delete_route_table(RouteTableId=one)
        moved = client.replace_route_table_association(AssociationId=key, RouteTableId=two)["NewAssociationId"]
        client.disassociate_route_table(AssociationId=moved)
        with refused("InvalidAssociationID.NotFound"):
            client.disassociate_route_table(AssociationId=moved)


def test_the_main_table_can_only_be_replaced(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        vpc = shop.vpc("10.210.0.0/24")
        client = shop.client()
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        (main,) = client.describe_route_tables(Filters=filters)["RouteTables"]
        with refused("InvalidParameterValue"):
            client.disassociate_route_table(AssociationId=main["Associations"][0]["RouteTableAssociationId"])
        with refused("DependencyViolation"):
            client.delete_route_table(RouteTableId=main["RouteTableId"])
