# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other owner is told, at each stage of a connection of which one side is theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Route
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.handoff import handoff

from .conftest import ACCOUNTS, World

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS_ASKS = """
name: half
region: us-east-1
vpcs:
  orders: {cidr: 10.90.0.0/16, subnets: {api: {cidr: 10.90.1.0/24, az: a}}, security_groups: {api: {}}}
  partner: {remote: {owner: "222222222222", id: vpc-0a1b2c3d4e5f60718, cidr: 10.200.0.0/16, region: us-east-1}}
peerings:
  - {between: [orders, partner], dns: true}
allow:
  - {from: partner, to: orders.api, tcp: 443}
"""


def paper(world: World, **options: Any) -> dict[str, Any]:
    (only,) = handoff(world.topology, world.network, world.plan(**options), ACCOUNTS, NOW)
    return only


def requested(world: World) -> World:
    there = world.apply()
    ours = replace(there.peering, id="pcx-0123456789abcdef0", expires=NOW + timedelta(days=7, minutes=-1))
    there = there.without("peerings", there.peering.id).with_("peerings", ours)
    return there.with_route("orders.route_tables.private", Route("10.200.0.0/16", "peering", ours.id, "blackhole"))


def test_before_the_request(world: Callable[[str], World]) -> None:
    told = paper(world(OURS_ASKS))
    assert (told["id"], told["status"], told["hours_left"]) == (None, "none", None)
    assert told["steps"][0] == "nothing yet: our request is still to be made"


def test_while_the_request_waits(world: Callable[[str], World]) -> None:
    told = paper(requested(world(OURS_ASKS)))
    assert (told["id"], told["status"], told["hours_left"]) == ("pcx-0123456789abcdef0", "pending-acceptance", 167)
    assert told["steps"] == [
        "accept it: aws ec2 accept-vpc-peering-connection --region us-east-1 --vpc-peering-connection-id pcx-0123456789abcdef0",
        "route 10.90.0.0/16 to pcx-0123456789abcdef0 in every route table of vpc-0a1b2c3d4e5f60718 that needs it",
        "have DNS hostnames and DNS resolution on in vpc-0a1b2c3d4e5f60718: DNS over the peering needs both, on both sides",
        "turn on DNS resolution for your side of pcx-0123456789abcdef0 (once it is active)",
        "let tcp 443 out to group:orders.api, where your groups restrict egress",
    ]


def test_once_it_is_active_the_plan_sets_our_option_and_nothing_is_left_to_accept(world: Callable[[str], World]) -> None:
    there = requested(world(OURS_ASKS))
    active = there.with_("peerings", replace(there.peering, status="active"))
    assert [action.kind for action in active.plan()] == ["peering_options"]
    assert not [step for step in paper(active)["steps"] if step.startswith("accept")]


def test_when_they_ask_and_we_accept(world: Callable[[str], World]) -> None:
    accepting = world(OURS_ASKS.replace("dns: true", "accept_only: true"))
    told = paper(accepting)
    assert told["steps"][0].startswith("request the connection: aws ec2 create-vpc-peering-connection --region us-east-1")
    assert not [action for action in accepting.plan() if action.kind.startswith("peering")]
