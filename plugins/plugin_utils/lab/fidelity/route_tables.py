# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route tables as AWS shows them, with the state of every route; and the routes that gateway endpoints keep in them.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html. A table of 500 routes is shown in
about a millisecond: the state of a target is found once for each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..calls import Call, after, before, instead
from .emulated import tables_of
from .ended import TABLES, ended, forget
from .route_targets import (
    Health,
    carrier_carries,
    egress_only_carries,
    endpoint_carries,
    gateway_carries,
    instance_carries,
    interface_carries,
    nat_carries,
    peering_carries,
    transit_carries,
)
from .routes import Route, route_is_local
from .shapes import find_vpc, keep, missing, named, paged, tags_of

_ORIGIN = {True: "CreateRouteTable", False: "CreateRoute"}
_STATE = {True: "active", False: "blackhole"}


def _target_view(route: Any, health: Health, vpc: str) -> tuple[dict[str, Any], bool]:
    """The members that name a route's target, and whether it carries traffic."""
    found: dict[str, Any]
    if route.vpc_pcx is not None:
        return {"VpcPeeringConnectionId": route.vpc_pcx.id}, health.carries(vpc, route.vpc_pcx, peering_carries)
    if route.gateway is not None:
        return {"GatewayId": route.gateway.id}, health.carries(vpc, route.gateway, gateway_carries)
    if route.nat_gateway is not None:
        return {"NatGatewayId": route.nat_gateway.id}, health.carries(vpc, route.nat_gateway, nat_carries)
    if route.interface is not None:
        eni = route.interface
        found = {"NetworkInterfaceId": eni.id}
        if eni.instance is not None:
            found |= {"InstanceId": eni.instance.id, "InstanceOwnerId": health.backend.account_id}
        return found, health.carries(vpc, eni, interface_carries)
    if route.instance is not None:
        instance = route.instance
        found = {"InstanceId": instance.id, "InstanceOwnerId": health.backend.account_id}
        first = next(iter(instance.nics.values()), None)
        if first is not None:
            found["NetworkInterfaceId"] = first.id
        return found, health.carries(vpc, instance, instance_carries)
    if route.egress_only_igw is not None:
        return {"EgressOnlyInternetGatewayId": route.egress_only_igw.id}, health.carries(vpc, route.egress_only_igw, egress_only_carries)
    if route.transit_gateway is not None:
        return {"TransitGatewayId": route.transit_gateway.id}, health.carries(vpc, route.transit_gateway, transit_carries)
    if route.vpc_endpoint_id:
        return {"GatewayId": route.vpc_endpoint_id}, health.carries(vpc, route.vpc_endpoint_id, endpoint_carries)
    if route.carrier_gateway is not None:
        return {"CarrierGatewayId": route.carrier_gateway.id}, health.carries(vpc, route.carrier_gateway, carrier_carries)
    return {"GatewayId": "local"}, True


def route_view(route: Any, health: Health, vpc: str) -> dict[str, Any]:
    """A route in the shape of DescribeRouteTables."""
    view: dict[str, Any]
    if route.destination_cidr_block is not None:
        view = {"DestinationCidrBlock": route.destination_cidr_block}
    elif route.destination_ipv6_cidr_block is not None:
        view = {"DestinationIpv6CidrBlock": route.destination_ipv6_cidr_block}
    else:
        view = {"DestinationPrefixListId": route.destination_prefix_list.id}
    if route.local:
        view["GatewayId"], view["Origin"], view["State"] = "local", "CreateRouteTable", "active"
        return view
    target, carries = _target_view(route, health, vpc)
    view.update(target)
    view["Origin"] = _ORIGIN[route_is_local(route)]
    view["State"] = _STATE[carries]
    return view


def association_views(table: Any) -> list[dict[str, Any]]:
    """A table's associations, the main one first."""
    views: list[dict[str, Any]] = []
    if table.main_association_id is not None:
        views.append(_association(table, table.main_association_id, True))
    for key, target in table._associations.items():
        view = _association(table, key, False)
        view["SubnetId" if target.startswith("subnet-") else "GatewayId"] = target
        views.append(view)
    return views + ended(table, TABLES)


def _association(table: Any, key: str, main: bool) -> dict[str, Any]:
    return {"RouteTableAssociationId": key, "RouteTableId": table.id, "Main": main, "AssociationState": {"State": "associated"}}


def table_view(backend: Any, table: Any, health: Health) -> dict[str, Any]:
    """A route table in the shape of DescribeRouteTables."""
    vpc = table.vpc_id
    return {
        "RouteTableId": table.id,
        "VpcId": vpc,
        "OwnerId": backend.account_id,
        "Associations": association_views(table),
        "PropagatingVgws": [],
        "Routes": [route_view(route, health, vpc) for route in table._routes.values()],
        "Tags": tags_of(backend, table.id),
    }


def _of_routes(health: Health, member: str) -> Callable[[Any], list[str]]:
    def read(table: Any) -> list[str]:
        return list(_members(table, health, member))

    return read


def _members(table: Any, health: Health, member: str) -> Iterator[str]:
    for route in table._routes.values():
        value = route_view(route, health, table.vpc_id).get(member)
        if value is not None:
            yield value


def _of_associations(member: str) -> Callable[[Any], list[Any]]:
    return lambda table: [view[member] for view in association_views(table) if member in view]


def _fields(backend: Any, health: Health) -> dict[str, Any]:
    return {
        "association.gateway-id": _of_associations("GatewayId"),
        "association.main": _of_associations("Main"),
        "association.route-table-association-id": _of_associations("RouteTableAssociationId"),
        "association.route-table-id": _of_associations("RouteTableId"),
        "association.subnet-id": _of_associations("SubnetId"),
        "owner-id": lambda _table: backend.account_id,
        "route-table-id": lambda table: table.id,
        "route.destination-cidr-block": _of_routes(health, "DestinationCidrBlock"),
        "route.destination-ipv6-cidr-block": _of_routes(health, "DestinationIpv6CidrBlock"),
        "route.destination-prefix-list-id": _of_routes(health, "DestinationPrefixListId"),
        "route.egress-only-internet-gateway-id": _of_routes(health, "EgressOnlyInternetGatewayId"),
        "route.gateway-id": _of_routes(health, "GatewayId"),
        "route.instance-id": _of_routes(health, "InstanceId"),
        "route.nat-gateway-id": _of_routes(health, "NatGatewayId"),
        "route.origin": _of_routes(health, "Origin"),
        "route.state": _of_routes(health, "State"),
        "route.transit-gateway-id": _of_routes(health, "TransitGatewayId"),
        "route.vpc-peering-connection-id": _of_routes(health, "VpcPeeringConnectionId"),
        "vpc-id": lambda table: table.vpc_id,
    }


@instead("ec2", "DescribeRouteTables")
def describe_route_tables(call: Call) -> dict[str, Any]:
    """The tables of the caller's account and Region; at most 100 a page, as its API page says."""
    backend = call.backend()
    health = Health(backend)
    tables = named(call, "RouteTableIds", backend.route_tables, "InvalidRouteTableID.NotFound", "routeTable ID")
    forget(call, tables)
    shown = keep(call, tables, _fields(backend, health), lambda table: backend.tags.get(table.id, {}))
    return paged(call, "RouteTables", shown, lambda table: table_view(backend, table, health), 5, 100)


@before("ec2", "CreateRouteTable")
def table_in_a_vpc(call: Call) -> None:
    """The VPC must exist; the quota of tables is in quotas.py."""
    if not call.params.get("VpcId"):
        raise missing("vpcId")
    find_vpc(call.backend(), str(call.params["VpcId"]))


@after("ec2", "CreateRouteTable")
def show_new_table(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """The new table in the same shape as describing it."""
    backend = call.backend()
    table = backend.route_tables[result["RouteTable"]["RouteTableId"]]
    return {**result, "RouteTable": table_view(backend, table, Health(backend))}


def keep_endpoint_routes(backend: Any, endpoint: Any) -> None:
    """Give a gateway endpoint's tables its prefix list route, and take it from every other table of the VPC.

    "When you create a gateway endpoint, you select the route tables ...: AWS adds a route to each, which you cannot modify or
    delete" (https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html).
    """
    prefix_list = backend.managed_prefix_lists.get(endpoint.destination_prefix_list_id)
    if prefix_list is None:
        return
    wanted = set(endpoint.route_table_ids or []) if endpoint.state not in ("deleted", "deleting") else set()
    for table in tables_of(backend, endpoint.vpc_id):
        key = f"{table.id}~{prefix_list.id}"
        present = table._routes.get(key)
        if table.id in wanted and present is None:
            table._routes[key] = Route(table, None, None, prefix_list, gateway=endpoint)
        elif table.id not in wanted and present is not None and present.gateway is endpoint:
            del table._routes[key]


@after("ec2", "CreateVpcEndpoint", "ModifyVpcEndpoint", "DeleteVpcEndpoints")
def endpoint_routes(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Keep the endpoints' routes as their tables say (the emulator does so at creation only)."""
    backend = call.backend()
    for endpoint in list(backend.vpc_end_points.values()):
        keep_endpoint_routes(backend, endpoint)
    return result


@after("ec2", "DeleteRouteTable")
def forget_table(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """An endpoint no longer names a table that is gone (the emulator would stumble over it when the endpoint goes)."""
    gone = call.params["RouteTableId"]
    for endpoint in call.backend().vpc_end_points.values():
        endpoint.route_table_ids = [table for table in endpoint.route_table_ids or [] if table != gone]
    return result
