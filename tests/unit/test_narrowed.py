# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a peering is told not to route, everybody hears: routes, rules of either kind, quotas, advice and hints."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.handoff import handoff
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import ids_after, simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import PeeringSpec
from ansible_collections.cloudnet.vpc.plugins.module_utils.advice import advise
from ansible_collections.cloudnet.vpc.plugins.module_utils.connectivity import check, queries
from ansible_collections.cloudnet.vpc.plugins.module_utils.ends import World

#: In two Regions, so that an ``allow`` is of blocks. The pods' block is not routed.
EKS: dict[str, Any] = {
    "name": "eks",
    "region": "us-east-1",
    "vpcs": {
        "ci": {
            "cidr": "10.60.0.0/16",
            "region": "eu-west-1",
            "subnets": {"run": {"cidr": "10.60.1.0/24"}},
            "security_groups": {"runner": {}},
        },
        "dev": {
            "cidr": ["10.61.0.0/16", "100.64.0.0/16"],
            "subnets": {"node": {"cidr": "10.61.1.0/24"}, "pod": {"cidr": "100.64.0.0/18"}},
            "security_groups": {"all": {}, "shut": {"egress": []}},
            "instances": {"one": {"subnet": "pod", "private_ip": "100.64.0.9"}, "two": {"subnet": "node", "private_ip": "10.61.1.9"}},
        },
    },
    "peerings": [{"between": ["ci", "dev"], "cidrs": {"except": {"dev": ["100.64.0.0/16"]}}}],
}
ONLY = {"only": {"dev": ["10.61.1.128/25"]}}


def made(document: dict[str, Any]) -> tuple[list[str], list[str], World]:
    """The rules that a plan makes, what it warns of, and the world after it."""
    topology = load(document)
    todo = plan(topology, Network(), {"": "111111111111"})
    after, ids = simulate(Network(), todo), ids_after(Network(), todo)
    rules = [action.name.rpartition(": ")[2] for action in todo if action.kind == "rule"]
    return rules, [*topology.warnings, *todo.warnings, *advise(topology, after, ids, {"": "111111111111"})], World(topology, after, ids)


def eks(allow: Any = (), cidrs: Any = None, **changed: Any) -> dict[str, Any]:
    document = {**copy.deepcopy(EKS), "allow": list(allow), **changed}
    if cidrs is not None:
        document["peerings"][0]["cidrs"] = cidrs
    return document


@pytest.mark.parametrize(
    ("source", "cidrs", "blocks"),
    [
        ("dev", None, ["10.61.0.0/16"]),
        ("group:dev.all", None, ["10.61.1.0/24"]),
        ("subnet:dev.node", None, ["10.61.1.0/24"]),
        ("subnet:dev.pod", None, []),
        ("instance:dev.two", None, ["10.61.1.9/32"]),
        ("instance:dev.one", None, []),
        ("dev", {}, ["10.61.0.0/16", "100.64.0.0/16"]),
        ("group:dev.all", {}, ["10.61.1.0/24", "100.64.0.0/18"]),
        # A part of a subnet alone is routed.
        ("dev", ONLY, ["10.61.1.128/25"]),
        ("group:dev.all", ONLY, ["10.61.1.128/25"]),
        ("instance:dev.two", ONLY, []),
        # Who writes a block means it.
        ("100.64.3.0/24", None, ["100.64.3.0/24"]),
    ],
)
def test_rules_are_made_for_what_is_routed(source: str, cidrs: Any, blocks: list[str]) -> None:
    rules, warnings, world = made(eks([{"from": source, "to": "ci.runner", "tcp": 443}], cidrs))
    assert rules == [f"tcp 443 from {block}" for block in blocks]
    assert len([line for line in warnings if "no rule" in line and "is made" in line]) == (not blocks), warnings
    # What a raw rule names is narrowed alike, but for groups, which it cannot name in another Region.
    if not source.startswith("group:"):
        raw = eks(cidrs=cidrs)
        raw["vpcs"]["ci"]["security_groups"]["runner"]["rules"] = [{"from": source, "tcp": 443}]
        rules, warnings, _world = made(raw)
        assert rules == [f"tcp 443 from {block}" for block in blocks]
        assert len([line for line in warnings if "so no rule is made" in line]) == (not blocks), warnings
    destinations = {route.destination for table in world.network.route_tables.values() for route in table.routes if route.via == "peering"}
    assert destinations - {"10.60.0.0/16"} == set(world.topology.peerings[0].routed("dev", ["10.61.0.0/16", "100.64.0.0/16"]))


def test_rules_out_are_made_for_what_is_routed() -> None:
    back = {"except": {"ci": ["10.60.0.0/16"]}}
    allow = [{"from": "dev.shut", "to": "ci.runner", "tcp": 443}]
    assert "tcp 443 to 10.60.1.0/24" in made(eks(allow))[0]
    rules, warnings, _world = made(eks(allow, back))
    assert "tcp 443 to 10.60.1.0/24" not in rules
    assert "peerings[0].cidrs: dev gets no route to ci.runner, so no rule of dev is made for it" in warnings


def test_a_hint_names_what_leaves_a_block_out() -> None:
    expect = [{"from": "subnet:dev.pod", "to": "ci.run", "tcp": 443}, {"from": "ci.run", "to": "subnet:dev.pod", "tcp": 443}]
    for cidrs, key, more in (
        (None, "except", ["10.61.0.0/16", "100.64.0.0/16"]),
        ({"only": {"dev": ["10.61.1.0/24"]}}, "only", ["10.61.1.0/24", "100.64.0.0/16"]),
    ):
        document = eks([{"from": "100.64.0.0/18", "to": "ci.runner", "tcp": 443}], cidrs, expect=expect)
        world = made(document)[2]
        for row in check(world, queries(world.topology.expects)):
            (fix,) = [item["fix"] for item in row["blockers"] if item["code"] == "NO_ROUTE_TO_DESTINATION"]
            assert fix["text"] == (
                f"peerings[0].cidrs.{key} leaves 100.64.0.10 of dev out: let it route 100.64.0.0/16 too, or expect this to be blocked"
            )
            assert fix["change"]["peerings"] == [{"between": ["ci", "dev"], "cidrs": {"only": {"dev": more}}}]
        # And what it says to do opens it.
        document["peerings"] = fix["change"]["peerings"]
        world = made(document)[2]
        assert check(world, queries(world.topology.expects))[0]["ok"]


def test_a_route_that_is_only_missing_is_still_the_hint() -> None:
    document = eks(expect=[{"from": "dev.node", "to": "ci.run", "tcp": 443}])
    document["peerings"][0]["routes"] = {"dev": []}
    world = made(document)[2]
    (row,) = check(world, queries(world.topology.expects))
    assert any(item["fix"]["text"].startswith("route 10.60.0.0/16 via") for item in row["blockers"])


def test_advice_does_not_name_tables_that_are_set() -> None:
    lines = made(eks(cidrs={"except": {"dev": ["10.61.0.0/16", "100.64.0.0/16"]}}))[1]
    assert lines == ["peerings[0].cidrs: ci gets no route to any block over ci:dev, so nothing is answered over it"]
    # A rule for a block that is not routed lets nothing in.
    (line,) = made(eks([{"from": "100.64.0.0/16", "to": "ci.runner", "tcp": 443}]))[1]
    assert line == "peerings[0]: no rule lets anything in over ci:dev: add it to `allow`, or drop the peering"


def test_one_place_says_what_a_peering_routes() -> None:
    blocks = ["10.0.0.0/16", "100.64.0.0/16", "2001:db8::/56"]
    spec = PeeringSpec("a", "b", only={"a": ("10.0.1.0/24", "10.0.2.0/24")}, without={"b": ("100.64.0.0/16",)})
    assert spec.routed("a", blocks) == ["10.0.1.0/24", "10.0.2.0/24"] and spec.routed("b", blocks) == ["10.0.0.0/16", "2001:db8::/56"]
    assert spec.parts("a", "10.0.1.128/25") == ("10.0.1.128/25",) and spec.parts("a", "10.0.3.0/24") == ()
    assert spec.parts("a", "10.0.0.0/22") == ("10.0.1.0/24", "10.0.2.0/24") and spec.parts("a", "2001:db8::/64") == ()
    assert spec.parts("b", "100.64.3.0/24") == () and spec.parts("b", "2001:db8::/64") == ("2001:db8::/64",)
    both = PeeringSpec("a", "b", only={"a": ("10.0.0.0/16", "100.64.0.0/16")}, without={"a": ("100.64.0.0/16",)})
    assert both.routed("a", blocks) == ["10.0.0.0/16"] and both.parts("a", "100.64.1.0/24") == ()
    # However the plan spells a block: by its name, while Amazon has not given it out.
    names = {"2001:db8::/56": "vpcs.a.ipv6"}
    named = PeeringSpec("a", "b", without={"a": ("2001:db8::/56",)})
    assert named.routed("a", ["10.0.0.0/16", "vpcs.a.ipv6"], lambda text: names.get(text, text)) == ["10.0.0.0/16"]


def test_the_other_owner_is_asked_for_no_rule_that_helps_nobody() -> None:
    document = eks([{"from": "subnet:ci.run", "to": "group:far.api", "tcp": 443}], expect=[])
    document["vpcs"]["far"] = {
        "remote": {"owner": "222222222222", "id": "vpc-0123456789abcdef0", "cidr": "10.90.0.0/16", "region": "eu-west-1"},
        "security_groups": {"api": {"ref": "sg-0123456789abcdef0"}},
    }
    for cidrs, asked in (({}, True), ({"except": {"ci": ["10.60.0.0/16"]}}, False)):
        document["peerings"] = [{"between": ["ci", "far"], "cidrs": cidrs}]
        topology = load(document)
        todo = plan(topology, Network(), {"": "111111111111"})
        (paper,) = handoff(topology, Network(), todo, {"": "111111111111"}, datetime(2026, 1, 1, tzinfo=UTC))
        assert any("let tcp 443 in from ci.run" in step for step in paper["steps"]) is asked, paper["steps"]
