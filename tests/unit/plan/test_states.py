# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine states of a connection, wanted and unwanted: what the plan does in each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    PEERING_STATES,
    Association,
    Peering,
    PeeringSide,
    RouteTable,
    Vpc,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.states import TABLE, Step

from .conftest import TWO, World, ops

REQUEST, ACCEPT = "create peering peerings.a:b", "create peering_acceptance peerings.a:b.acceptance"

#: Written from AWS's lifecycle, not from our table. https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html
WANTED = {
    "initiating-request": [ACCEPT],
    "pending-acceptance": [ACCEPT],
    "provisioning": [],
    "active": [],
    "deleting": [REQUEST, ACCEPT],
    "deleted": [REQUEST, ACCEPT],
    "rejected": [REQUEST, ACCEPT],
    "failed": [REQUEST, ACCEPT],
    "expired": [REQUEST, ACCEPT],
}
REMOVED = {"initiating-request", "pending-acceptance", "provisioning", "active"}


def in_state(built: World, status: str) -> World:
    return built.with_("peerings", replace(built.peering, status=status))


def peerings(found: Any) -> list[str]:
    return [line for line in ops(found) if " peering" in line]


def test_the_table_has_every_state_both_ways() -> None:
    assert set(TABLE) == {(state, wanted) for state in PEERING_STATES for wanted in (True, False)}
    assert all(isinstance(step, Step) for step in TABLE.values())


@pytest.mark.parametrize("status", PEERING_STATES)
def test_present(built: World, status: str) -> None:
    assert peerings(in_state(built, status).plan()) == WANTED[status]


@pytest.mark.parametrize("status", PEERING_STATES)
def test_absent(built: World, status: str) -> None:
    found = peerings(in_state(built, status).plan(absent=True))
    assert found == (["delete peering peerings.a:b"] if status in REMOVED else [])


@pytest.mark.parametrize("dead", ["deleted", "rejected", "failed", "expired"])
def test_a_live_connection_goes_before_a_dead_one(built: World, dead: str) -> None:
    old = replace(built.peering, id="pcx-000-old", status=dead)
    assert ops(built.with_("peerings", old).plan()) == []


def test_a_connection_that_is_declared_the_other_way_round_is_not_said_to_turn(built: World) -> None:
    turned = built.under(TWO.replace("between: [a, b]", "between: [b, a]"))
    (action,) = turned.plan()
    assert action.before is not None and action.after is not None
    assert [key for key in action.after if action.before[key] != action.after[key]] == ["tags"]
    assert not turned.apply().plan().actions


def test_a_live_connection_of_the_other_direction_serves(built: World) -> None:
    there = built.peering
    turned = replace(there, requester=there.accepter, accepter=there.requester)
    assert ops(built.with_("peerings", turned).plan()) == []


def test_a_connection_that_others_made_is_used_and_left(built: World) -> None:
    foreign = built.with_("peerings", replace(built.peering, tags={}, seen={}))
    assert ops(foreign.plan()) == []
    gone = ops(foreign.plan(absent=True))
    assert "delete peering peerings.a:b" not in gone
    assert "delete route vpcs.a.route_tables.private.routes.172.16.0.0/16" in gone


def test_a_second_connection_of_ours_goes(built: World) -> None:
    elsewhere = replace(built.peering.accepter, vpc="vpc-elsewhere")
    tags = {**built.peering.tags, "cloudnet:name": "peerings.a:c"}
    stray = replace(built.peering, id="pcx-stray", accepter=elsewhere, tags=tags, seen={("111111111111", "us-east-1"): tags})
    former = Vpc(
        id="vpc-elsewhere",
        account="111111111111",
        region="us-east-1",
        tags={**built.peering.tags, "cloudnet:name": "vpcs.c"},
        cidrs=("10.9.0.0/16",),
    )
    there = built.with_("peerings", stray)
    assert ops(there.with_("vpcs", former).plan()) == ["delete peering peerings.a:c", "delete vpc vpcs.c"]
    # Of a VPC that is none of the topology's, a tag proves nothing.
    left = there.with_("vpcs", replace(former, tags={})).plan()
    assert ops(left) == []
    assert left.warnings == (
        "pcx-stray (account 111111111111, us-east-1) carries the tags of two as peerings.a:c, but of what it joins, vpc-elsewhere is"
        " declared nowhere in the topology (declare it to have the connection removed): it is neither changed nor removed",
    )


def test_another_topologys_connection_and_the_routes_through_it_stay(world: Any) -> None:
    """Two topologies adopt the same two VPCs, and only one of them made the connection."""
    text = """
name: {}
region: us-east-1
vpcs: {{a: {{id: vpc-0000000000000000a}}, b: {{id: vpc-0000000000000000b}}}}
peerings: [{{between: [a, b], routes: {{a: [main], b: [main]}}}}]
"""
    here: dict[str, Any] = {"account": "111111111111", "region": "us-east-1"}
    vpcs = [Vpc(id=f"vpc-0000000000000000{name}", **here, cidrs=(f"10.{number}.0.0/16",)) for number, name in enumerate("ab")]
    tables = [RouteTable(id=f"rtb-{vpc.id[-1]}", **here, vpc=vpc.id, associations=(Association("x", main=True),)) for vpc in vpcs]
    first = world(text.format("first")).with_("vpcs", *vpcs).with_("route_tables", *tables).apply()
    second = first.under(text.format("second"))
    assert ops(second.plan()) == [] == ops(second.plan(absent=True))
    assert len(ops(first.plan(absent=True))) == 3


def test_routes_and_rules_go_before_the_connection(built: World) -> None:
    order = ops(built.under(TWO.replace("  - {between: [a, b]}", "").replace("peerings:", "").partition("allow:")[0]).plan())
    assert order[-1] == "delete peering peerings.a:b"
    assert {line.split()[1] for line in order[:-1]} == {"route", "rule"}
    assert len(order) == 4


ALONE = "name: alone\nregion: us-east-1\nvpcs: {b: {cidr: 172.16.0.0/16}}"


def test_a_request_that_nobody_answered_goes_before_the_vpc_that_it_is_for(world: Any) -> None:
    made = world(ALONE).apply()
    (vpc,) = made.network.vpcs
    here = PeeringSide(vpc, "111111111111", "us-east-1")
    request = Peering(
        id="pcx-theirs",
        account=here.account,
        region=here.region,
        status="pending-acceptance",
        requester=PeeringSide("vpc-theirs", "222222222222", "eu-west-1"),
        accepter=here,
    )
    asked = made.with_("peerings", request)
    assert ops(asked.plan()) == []
    assert ops(asked.plan(absent=True)) == [f"delete peering peerings.vpc-theirs:{vpc}", "delete vpc vpcs.b"]
    (first, second) = asked.plan(absent=True)
    assert (first.account, first.region) == ("111111111111", "us-east-1") and second.needs == {first.key}
    assert ops(asked.plan(absent=True, narrow=True)) == ["delete vpc vpcs.b"]
    # What was accepted, or asked by another VPC of the same account, is somebody's, and nobody's question to us.
    for other in (
        replace(request, status="active"),
        replace(request, requester=replace(request.requester, account=here.account)),
        replace(request, accepter=replace(here, vpc="vpc-other")),
    ):
        assert ops(made.with_("peerings", other).plan(absent=True)) == ["delete vpc vpcs.b"]
    assert asked.apply(absent=True).network.vpcs == {}
