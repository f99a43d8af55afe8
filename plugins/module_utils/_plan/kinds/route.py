# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: over peerings, and those that a table declares.

Routes carry no tags, so a route is ours when its target is ours and its destination and table are declared or were: for a peering, a block
of the other side in a table that the topology covers. Anything else that leads through a connection of ours is reported and goes only with
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import Network, Peering, Route, RouteTable
from ..._topology.types import PeeringSpec, RouteSpec, VpcSpec
from ..actions import GONE_FROM_TOPOLOGY, Action, Found, Ref, Wanted
from ..context import Context, prefix_list_name
from ..draft import Draft
from ..states import of_another, removable, will_stand
from .base import Kind, Run

#: Parameter of CreateRoute and ReplaceRoute by the kind of target. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html
PARAMETERS = {
    "peering": "VpcPeeringConnectionId",
    "internet": "GatewayId",
    "vpn": "GatewayId",
    "egress_only": "EgressOnlyInternetGatewayId",
    "nat": "NatGatewayId",
    "endpoint": "VpcEndpointId",
    "eni": "NetworkInterfaceId",
    "instance": "InstanceId",
    "transit_gateway": "TransitGatewayId",
    "carrier": "CarrierGatewayId",
    "local_gateway": "LocalGatewayId",
    "core_network": "CoreNetworkArn",
}


class RouteKind(Kind):
    """One destination in one table."""

    name = "route"
    precise = True

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for spec in ctx.topology.peerings:
            if will_stand(ctx, spec):
                yield from self._peering(ctx, spec)
        for vpc_name, vpc in ctx.vpcs.items():
            for table_name, table in vpc.route_tables.items():
                for route in table.routes:
                    yield self._declared(ctx, vpc_name, vpc, table_name, route)

    def _peering(self, ctx: Context, spec: PeeringSpec) -> Iterator[Wanted]:
        for vpc_name, other in ((spec.requester, spec.accepter), (spec.accepter, spec.requester)):
            vpc = ctx.topology.vpcs[vpc_name]
            if vpc.remote:
                continue
            for table in spec.tables.get(vpc_name, ()):
                where = ctx.table_ref(vpc_name, table)
                for destination in destinations(ctx, spec, vpc_name, other):
                    attrs = {
                        "table": where,
                        "destination": destination,
                        "via": "peering",
                        "target": Ref(f"peerings.{spec.name}"),
                    }
                    name = f"{where}.routes.{destination}"
                    needs = (f"peerings.{spec.name}.acceptance",)
                    yield Wanted(self.name, name, ctx.account(vpc), vpc.region, attrs, stage="routes", needs=needs, path=spec.path)

    def _declared(self, ctx: Context, vpc_name: str, vpc: VpcSpec, table: str, route: RouteSpec) -> Wanted:
        base, target = f"vpcs.{vpc_name}", route.target
        where = ctx.table_ref(vpc_name, table)
        destination = ctx.refer(
            Ref(prefix_list_name(route.to, vpc.account, vpc.region)) if route.to in ctx.topology.prefix_lists else route.to
        )
        aim: Ref | str = target
        if route.via == "internet" and not target:
            aim = internet_gateway(ctx, vpc_name)
        elif route.via == "egress_only" and not target:
            aim = Ref(f"{base}.egress_only_gateway")
        elif route.via == "nat" and target in vpc.subnets:
            aim = Ref(f"{base}.nat_gateways.{target}")
        elif route.via == "endpoint" and target in vpc.endpoints:
            aim = Ref(f"{base}.endpoints.{target}")
        attrs = {"table": where, "destination": destination, "via": route.via, "target": ctx.refer(aim)}
        return Wanted(self.name, f"{where}.routes.{destination}", ctx.account(vpc), vpc.region, attrs, path=route.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        declared = {(item.attrs["table"].name, str(item.attrs["destination"])): item for item in self.wanted(ctx)}
        for table in ctx.network.route_tables.values():
            name = ctx.names.get(table.id, "")
            for route in table.by_destination.values():
                if route.via == "local" or route.propagated or _by_endpoint(ctx.network, route):
                    continue
                destination = ctx.refer(route.destination)
                wish = declared.get((name, str(destination)))
                going = _going(ctx, route)
                mine = going or (bool(name) and _ours(ctx, table, route, wish))
                if not (name or mine):
                    continue
                attrs = {
                    "table": ctx.refer(table.id),
                    "destination": destination,
                    "via": route.via,
                    "target": ctx.refer(route.target),
                    "state": route.state,
                    "instance": route.instance,
                }
                full = f"{name or table.id}.routes.{destination}"
                if (
                    not mine
                    and not wish
                    and route.via == "peering"
                    and (connection := ctx.network.peerings.get(route.target))
                    and ctx.ours(connection)
                ):
                    ctx.warnings.append(
                        f"{table.label}: the route to {route.destination} leads through {ctx.refer(route.target)} but is not declared; "
                        "left, it goes with the peering"
                    )
                yield Found(
                    full,
                    f"{table.id}|{route.destination}",
                    table.account,
                    table.region,
                    attrs,
                    ours=mine,
                    stage="routes" if route.via == "peering" else "vpcs",
                    why_removed="leads through a peering that goes" if going else GONE_FROM_TOPOLOGY,
                )

    def changed(self, wanted: Wanted, found: Found) -> dict[str, Any]:
        # A route to an instance is told as one to its interface, with the instance beside it.
        if wanted.attrs["via"] == "instance" and wanted.attrs["target"] == found.attrs["instance"]:
            return {}
        return {key: value for key, value in wanted.attrs.items() if key == "target" and value != found.attrs[key]}

    def conflict(self, ctx: Context, wanted: Wanted, found: Found, changed: Any) -> str:
        if found.ours or ctx.topology.replace_routes:
            return ""
        state = ", which is a black hole," if found.attrs["state"] == "blackhole" else ""
        return (
            f"{found.attrs['destination']} in {ctx.ids[wanted.attrs['table'].name]} goes to {found.attrs['target']}{state} and is not ours:"
            " remove that route, or set replace_routes: true to take it over"
        )

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        self._put(run, action, "ec2:CreateRoute")
        return [""]

    def update(self, run: Run, action: Action) -> None:
        self._put(run, action, "ec2:ReplaceRoute")

    def _put(self, run: Run, action: Action, operation: str) -> None:
        after = action.after or {}
        request = {destination_key(run.id(after["destination"])): after["destination"], PARAMETERS[after["via"]]: after["target"]}
        run.call(action, operation, RouteTableId=after["table"], **request)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            before = action.before or {}
            destination = run.id(before["destination"])
            run.call(action, "ec2:DeleteRoute", RouteTableId=before["table"], **{destination_key(destination): destination})

    def simulate(self, draft: Draft, action: Action) -> None:
        attrs = action.after or action.before or {}
        table = draft.route_tables.get(draft.id(attrs["table"]))
        if table is None:
            return
        destination = draft.id(attrs["destination"])
        # A route that a gateway propagates stays beside the static one, and serves again once that is gone.
        # https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html
        routes = tuple(route for route in table.routes if route.destination != destination or route.propagated)
        if action.op != "delete":
            target = draft.id(attrs["target"])
            peering = draft.peerings.get(target)
            dead = peering is not None and peering.status != "active"
            routes += (Route(destination, attrs["via"], target, state="blackhole" if dead else "active"),)
        draft.change("route_tables", table.id, routes=routes)


def destinations(ctx: Context, spec: PeeringSpec, vpc: str, other: str) -> list[Ref | str]:
    """The blocks of the other VPC that get a route: all of both families, unless narrowed. IPv6 only where both sides have it."""
    both = ctx.ipv6_cidrs(other) if ctx.ipv6_cidrs(vpc) else ()
    return spec.routed(other, map(ctx.refer, (*ctx.cidrs(other), *both)), ctx.refer)


def internet_gateway(ctx: Context, vpc: str) -> Ref | str:
    """The gateway that serves a VPC: in an adopted one, that which is attached already."""
    there = [item for item in ctx.network.internet_gateways.values() if item.vpc and item.vpc == ctx.vpc_id(vpc)]
    return there[0].id if there and not ctx.ours(there[0]) else Ref(f"vpcs.{vpc}.internet_gateway")


def destination_key(destination: str) -> str:
    """The parameter that takes a destination."""
    return (
        "DestinationPrefixListId"
        if destination.startswith("pl-")
        else "DestinationIpv6CidrBlock"
        if ":" in destination
        else "DestinationCidrBlock"
    )


def _by_endpoint(network: Network, route: Route) -> bool:
    """Whether a gateway endpoint keeps the route: it comes and goes with the endpoint's tables."""
    endpoint = network.endpoints.get(route.target)
    return route.destination.startswith("pl-") and route.via == "endpoint" and (endpoint is None or endpoint.type == "Gateway")


def _going(ctx: Context, route: Route) -> bool:
    """Whether the route leads through a connection that this plan removes."""
    connection = ctx.network.peerings.get(route.target)
    if connection is None:
        return False
    declared = connection.id in ctx.declared
    if ctx.narrow and not declared:
        return False
    return removable(ctx, connection) and connection.live and (ctx.absent or not declared)


def _ours(ctx: Context, table: RouteTable, route: Route, wish: Wanted | None) -> bool:
    if wish is not None and route.blackhole and ctx.ours(table):
        # Nothing passes there, and in a table of ours nobody else has put it: what it led to was removed, with its tags.
        return True
    if route.via == "peering":
        connection = ctx.network.peerings.get(route.target)
        if connection is None:
            # It is no longer listed: ours when the user named it, or in a table of ours, where nobody else has put it.
            named = ctx.narrow and any(spec.id == route.target for spec in ctx.topology.peerings)
            return wish is not None and (named or ctx.ours(table))
        if wish is not None and _serves(ctx, connection, wish):
            # In a table that we share, a route through another topology's connection may be that topology's.
            return ctx.narrow or ctx.ours(table) or not of_another(ctx, connection)
        return ctx.ours(connection) and not ctx.narrow and route.destination in _blocks(ctx, connection, table)
    if ctx.narrow or not ctx.ours(table):
        return False
    target = next(
        (
            items[route.target]
            for items in (ctx.network.internet_gateways, ctx.network.nat_gateways, ctx.network.egress_only_gateways)
            if route.target in items
        ),
        None,
    )
    return target is not None and ctx.ours(target)


def _serves(ctx: Context, connection: Peering, wish: Wanted) -> bool:
    """Whether a connection, live or dead, is between the two VPCs of the wish's peering."""
    spec = ctx.peerings.get(str(wish.attrs["target"]))
    return spec is not None and connection.pair == frozenset((ctx.vpc_id(spec.requester), ctx.vpc_id(spec.accepter)))


def _blocks(ctx: Context, connection: Peering, table: RouteTable) -> frozenset[str]:
    """Every block that the other side of a connection has, as told by the connection, the VPC or the topology."""
    side = connection.other(table.vpc)
    blocks = {*side.cidrs, *side.ipv6_cidrs}
    if there := ctx.network.vpcs.get(side.vpc):
        blocks |= {*there.cidrs, *there.ipv6_cidrs}
    for spec in ctx.topology.peerings:
        for name in (spec.requester, spec.accepter):
            if ctx.vpc_id(name) == side.vpc:
                blocks |= {str(item) for item in (*ctx.cidrs(name), *spec.only.get(name, ()), *spec.without.get(name, ()))}
    return frozenset(blocks)
