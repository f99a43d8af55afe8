# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which routes are ours to change and to remove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Association, Route, RouteTable, Vpc
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import PeeringSpec, VpcSpec
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import PreflightError

from .conftest import TWO, World, ops

A, B = "vpcs.a.route_tables.private.routes.172.16.0.0/16", "vpcs.b.route_tables.private.routes.10.0.0.0/16"

ADOPTED = """
name: adopted
region: us-east-1
vpcs:
  a: {cidr: 10.0.0.0/16, subnets: {s: {cidr: 10.0.1.0/24, az: a}}}
  old: {id: vpc-0123456789abcdef0}
peerings:
  - {between: [a, old], routes: {old: [main]}}
"""
OLD = Vpc(id="vpc-0123456789abcdef0", account="111111111111", region="us-east-1", cidrs=("192.168.0.0/16",))
MAIN = RouteTable(id="rtb-main", account="111111111111", region="us-east-1", vpc=OLD.id, associations=(Association("x", main=True),))
OTHER = RouteTable(id="rtb-other", account="111111111111", region="us-east-1", vpc=OLD.id)


@pytest.fixture
def adopted(world: Callable[[str], World]) -> World:
    return world(ADOPTED).with_("vpcs", OLD).with_("route_tables", MAIN, OTHER)


def test_a_missing_route_is_made(built: World) -> None:
    table = next(item for item in built.network.route_tables.values() if item.id.endswith("a.route_tables.private"))
    bare = replace(table, routes=tuple(route for route in table.routes if route.via == "local"))
    assert ops(built.with_("route_tables", bare).plan()) == [f"create route {A}"]


def test_a_route_to_our_dead_connection_is_repaired(built: World) -> None:
    dead = replace(built.peering, id="pcx-old", status="deleted")
    holed = built.with_("peerings", dead).with_route("a.route_tables.private", Route("172.16.0.0/16", "peering", "pcx-old", "blackhole"))
    assert ops(holed.plan()) == [f"update route {A}"]


def test_a_black_hole_of_a_connection_that_nobody_lists_is_repaired_in_our_table(built: World) -> None:
    holed = built.with_route("a.route_tables.private", Route("172.16.0.0/16", "peering", "pcx-forgotten", "blackhole"))
    assert ops(holed.plan()) == [f"update route {A}"]


def test_a_foreign_route_in_the_way_is_refused_by_name(adopted: World) -> None:
    taken = adopted.with_route("rtb-main", Route("10.0.0.0/16", "transit_gateway", "tgw-1"))
    with pytest.raises(PreflightError) as caught:
        taken.plan()
    assert str(caught.value) == (
        "peerings[0]: vpcs.old.route_tables.main.routes.10.0.0.0/16: 10.0.0.0/16 in rtb-main goes to tgw-1 and is not ours:"
        " remove that route, or set replace_routes: true to take it over"
    )


def test_a_foreign_black_hole_is_refused_too(adopted: World) -> None:
    with pytest.raises(PreflightError, match=r"which is a black hole, and is not ours"):
        adopted.with_route("rtb-main", Route("10.0.0.0/16", "peering", "pcx-theirs", "blackhole")).plan()


def test_replace_routes_takes_a_foreign_route_over(adopted: World) -> None:
    taken = adopted.with_route("rtb-main", Route("10.0.0.0/16", "transit_gateway", "tgw-1"))
    taken.topology = replace(taken.topology, replace_routes=True)
    assert "update route vpcs.old.route_tables.main.routes.10.0.0.0/16" in ops(taken.plan())


def test_a_propagated_route_stands_beside_the_static_one_and_serves_once_that_is_gone(adopted: World) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html"""
    vpn = Route("10.0.0.0/16", "vpn", "vgw-1", origin="EnableVgwRoutePropagation")
    local = Route("192.168.0.0/16", "local", "local", origin="CreateRouteTable")
    before = adopted.with_("route_tables", replace(MAIN, routes=(local, vpn)))
    made = before.apply()
    ours = made.network.route_tables["rtb-main"]
    assert [route.via for route in ours.routes] == ["local", "vpn", "peering"]
    assert ours.by_destination["10.0.0.0/16"].via == "peering"
    assert not made.plan().actions
    for routes in (ours.routes, ours.routes[::-1]):
        gone = made.with_("route_tables", replace(ours, routes=routes)).apply(absent=True).network.route_tables["rtb-main"]
        assert set(gone.routes) == {local, vpn}


def test_a_propagated_route_stays_when_the_static_one_is_led_elsewhere(adopted: World) -> None:
    vpn = Route("10.0.0.0/16", "vpn", "vgw-1", origin="EnableVgwRoutePropagation")
    static = Route("10.0.0.0/16", "transit_gateway", "tgw-1")
    taken = adopted.with_("route_tables", replace(MAIN, routes=(vpn, static)))
    taken.topology = replace(taken.topology, replace_routes=True)
    routes = taken.apply().network.route_tables["rtb-main"].routes
    assert [route.via for route in routes] == ["vpn", "peering"]


def test_teardown_takes_ours_out_of_an_adopted_table_and_leaves_the_rest(adopted: World) -> None:
    foreign = Route("10.77.0.0/16", "transit_gateway", "tgw-1")
    there = adopted.apply().with_route("rtb-main", foreign)
    gone = there.apply(absent=True).network
    assert gone.route_tables["rtb-main"].routes == (foreign,)
    assert set(gone.vpcs) == {OLD.id}
    assert gone.peerings == {}


def test_a_route_by_hand_through_our_connection_is_reported_and_goes_with_it(adopted: World) -> None:
    there = adopted.apply()
    by_hand = there.with_route("rtb-other", Route("10.0.0.0/16", "peering", there.peering.id))
    plan = by_hand.plan()
    assert not plan.actions
    gone = ops(by_hand.plan(absent=True))
    assert "delete route rtb-other.routes.10.0.0.0/16" in gone
    odd = there.with_route("rtb-main", Route("10.9.0.0/16", "peering", there.peering.id)).plan()
    assert not odd.actions
    assert odd.warnings == (
        "rtb-main: the route to 10.9.0.0/16 leads through peerings.a:old but is not declared; left, it goes with the peering",
    )


def test_narrowing_takes_the_wider_route_away(built: World) -> None:
    narrow = built.under(TWO.replace("{between: [a, b]}", "{between: [a, b], cidrs: {only: {b: [172.16.1.0/24]}}}"))
    assert ops(narrow.plan()) == [f"create route {A.replace('172.16.0.0/16', '172.16.1.0/24')}", f"delete route {A}"]


def test_secondary_blocks_and_ipv6_are_routed(world: Callable[[str], World]) -> None:
    text = TWO.replace("cidr: 10.0.0.0/16", "cidr: [10.0.0.0/16, 10.5.0.0/16], ipv6: true").replace(
        "cidr: 172.16.0.0/16", "cidr: 172.16.0.0/16, ipv6: true"
    )
    routes = [action.name.partition(".routes.")[2] for action in world(text).plan() if action.kind == "route"]
    assert sorted(routes) == ["10.0.0.0/16", "10.5.0.0/16", "172.16.0.0/16", "vpcs.a.ipv6", "vpcs.b.ipv6"]


def test_ipv6_is_not_routed_to_a_side_without_it(world: Callable[[str], World]) -> None:
    text = TWO.replace("cidr: 10.0.0.0/16", "cidr: 10.0.0.0/16, ipv6: true")
    assert not [action for action in world(text).plan() if action.kind == "route" and "ipv6" in action.name]


def test_a_narrow_removal_takes_only_what_is_named(built: World) -> None:
    """The single-purpose modules name a connection; nothing else of the same topology may go with it."""
    elsewhere = replace(built.peering.accepter, vpc="vpc-elsewhere")
    tags = {**built.peering.tags, "cloudnet:name": "peerings.a:c"}
    stray = replace(built.peering, id="pcx-stray", accepter=elsewhere, tags=tags, seen={("111111111111", "us-east-1"): tags})
    there = built.with_("peerings", stray)
    ids = {name: next(item.id for item in there.network.vpcs.values() if item.name == f"vpcs.{name}") for name in ("a", "b")}
    vpcs = {name: VpcSpec(name, region="us-east-1", id=ids[name]) for name in ("a", "b")}
    named = replace(there.topology, vpcs=vpcs, allows=(), peerings=(PeeringSpec("a", "b"),))
    found = World(named, there.network).plan(absent=True, narrow=True)
    assert {action.kind for action in found} == {"peering", "route"}
    assert [action.id for action in found if action.kind == "peering"] == [built.peering.id]


def test_a_narrow_removal_takes_black_holes_of_a_dead_connection(adopted: World) -> None:
    there = adopted.apply()
    holed = there.with_route("rtb-main", Route("10.0.0.0/16", "peering", "pcx-forgotten", "blackhole"))
    spec = replace(there.topology.peerings[0], id="pcx-forgotten")
    named = World(replace(there.topology, peerings=(spec,)), holed.network)
    assert "delete route vpcs.old.route_tables.main.routes.10.0.0.0/16" in ops(named.plan(absent=True, narrow=True))
