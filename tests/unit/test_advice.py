# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is worth knowing before a plan is applied, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network, Route, Rule
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import ids_after, simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils.advice import advise

ACCOUNTS = {"": "111111111111"}
EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.yml"))


def vpc(number: int) -> dict[str, Any]:
    return {
        "cidr": f"10.{number}.0.0/16",
        "subnets": {"s": {"cidr": f"10.{number}.1.0/24", "az": "a"}},
        "security_groups": {"g": {}},
    }


def document(**more: Any) -> dict[str, Any]:
    return {
        "name": "advice",
        "region": "us-east-1",
        "vpcs": {"a": vpc(0), "b": vpc(1), "c": vpc(2)},
        "peerings": [{"hub": "b", "spokes": ["a", "c"]}],
        "allow": [{"from": "a.g", "to": "b.g", "tcp": 443}, {"from": "c.g", "to": "b.g", "tcp": 443}],
        **more,
    }


def told(wish: dict[str, Any], change: Any = None, quotas: Any = None) -> list[str]:
    topology = load(wish)
    todo = plan(topology, Network(), ACCOUNTS)
    network, ids = simulate(Network(), todo), ids_after(Network(), todo)
    return advise(topology, change(network, ids) if change else network, ids, ACCOUNTS, quotas)


def routed(destination: str, via: str = "peering", state: str = "active") -> Any:
    """The network with one more route in a's table, over a's peering."""

    def change(network: Network, ids: dict[str, str]) -> Network:
        table = network.route_tables[ids["vpcs.a.route_tables.private"]]
        route = Route(destination, via, ids["peerings.b:a"], state)
        return replace(network, route_tables={**network.route_tables, table.id: replace(table, routes=(*table.routes, route))})

    return change


def test_nothing_is_said_of_what_is_well() -> None:
    assert told(document()) == []


@pytest.mark.parametrize(
    "path", [path for path in EXAMPLES if "id:" not in path.read_text() and "profile" not in path.read_text()], ids=lambda path: path.stem
)
def test_the_examples_are_well(path: Path) -> None:
    topology = load(path)
    todo = plan(topology, Network(), ACCOUNTS)
    lines = advise(topology, simulate(Network(), todo), ids_after(Network(), todo), ACCOUNTS)
    # Of the developers in the finance hub nothing is allowed yet.
    assert [line for line in lines if "no rule lets anything in over finance:developer" not in line] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (routed("10.2.0.0/16"), "but b does not have it, and peering is not transitive: to reach c, add {between: [a, c]}"),
        (routed("192.168.0.0/16"), "but b does not have it, and peering is not transitive"),
        (routed("10.0.0.0/8"), "which is wider than needed: b has 10.1.0.0/16"),
        (routed("10.9.0.0/16", state="blackhole"), "which is gone (blackhole): remove the route"),
    ],
)
def test_routes(change: Any, said: str) -> None:
    (line,) = told(document(), change)
    assert line.startswith("vpcs.a: ") and line.endswith(said)


def test_a_route_to_a_connection_that_waits() -> None:
    """It is a blackhole to AWS, and nothing to remove."""

    def change(network: Network, ids: dict[str, str]) -> Network:
        routes = routed("10.9.0.0/16", state="blackhole")(network, ids)
        peering = network.peerings[ids["peerings.b:a"]]
        return replace(routes, peerings={**network.peerings, peering.id: replace(peering, status="pending-acceptance")})

    assert any(line.endswith("which is pending-acceptance: nothing passes until it is active") for line in told(document(), change))
    assert not any("gone" in line for line in told(document(), change))


def test_a_peering_that_nothing_uses() -> None:
    assert told(document(allow=[{"from": "a.g", "to": "b.g", "tcp": 443}])) == [
        "peerings[0].spokes[1]: no rule lets anything in over b:c: add it to `allow`, or drop the peering"
    ]
    lines = told(document(peerings=[{"hub": "b", "spokes": ["a", "c"], "routes": {"a": []}}]))
    assert [line for line in lines if "no route of a uses b:a, so nothing is answered over it" in line] == lines != []


def test_a_stale_rule() -> None:
    def change(network: Network, ids: dict[str, str]) -> Network:
        rule = Rule(
            id="sgr-1", account="111111111111", region="us-east-1", group=ids["vpcs.a.security_groups.g"], egress=False, protocol="-1",
            source_group="sg-9", source_vpc="vpc-9", peering="pcx-9", peering_status="deleted",
        )  # fmt: skip
        return replace(network, rules={**network.rules, rule.id: rule})

    (line,) = told(document(), change)
    assert line.startswith("vpcs.a: sgr-1 of ") and line.endswith("names sg-9 over pcx-9, which is deleted: the rule is stale, remove it")


def test_a_quota_near_its_end() -> None:
    quotas = {("111111111111", "us-east-1"): {"peerings_active": 2, "rules_per_group": 60}}
    assert told(document(), quotas=quotas) == [
        "vpcs.b: has 2 of at most 2 active peering connections: a transit gateway joins thousands of VPCs"
    ]
    assert told(document(), quotas={("111111111111", "us-east-1"): {"peerings_active": 3}}) == []


def test_an_allow_that_is_broader_than_what_is_expected() -> None:
    expect = [{"from": "a.s", "to": "b.s", "tcp": 443}]
    allow = [{"from": "a.g", "to": "b.g", "tcp": True}, {"from": "c.g", "to": "b.g", "tcp": True}]
    assert told(document(allow=allow, expect=expect)) == [
        "allow[0]: opens every tcp port from a.g to b.g, and `expect` needs tcp 443: name what is needed"
    ]
    assert told(document(allow=[{**allow[0], "tcp": "400-500"}, allow[1]], expect=expect)) == []
