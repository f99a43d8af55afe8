# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two things of one name, as two runs at once leave them: every run keeps the same one, and nothing of the other is taken for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from itertools import product
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Interface, Network, Route
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.actions import Action
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import PreflightError

from .conftest import TWO, World, ops


def renamed(value: Any, prefix: str) -> Any:
    """The same with other ids, as another run would have made it."""
    if isinstance(value, str):
        return value.replace("planned:", prefix)
    if isinstance(value, dict):
        return {renamed(key, prefix): renamed(item, prefix) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(renamed(item, prefix) for item in value)
    if hasattr(value, "__dataclass_fields__"):
        return replace(value, **{field.name: renamed(getattr(value, field.name), prefix) for field in fields(value)})
    return value


def both(world: World, first: Network, second: Network) -> World:
    """Everything of two networks beside one another."""
    collections = [field.name for field in fields(Network) if isinstance(getattr(first, field.name), dict)]
    merged = {name: {**getattr(first, name), **getattr(second, name)} for name in collections}
    return World(world.topology, replace(first, **merged))


STAGES = ("vpcs", "peerings", "routes", "all")


@pytest.mark.parametrize(("mine", "theirs"), list(product(STAGES, STAGES)))
def test_two_runs_keep_the_same_however_far_each_has_come(world: Callable[[str], World], mine: str, theirs: str) -> None:
    fresh = world(TWO)
    near, far = (renamed(fresh.apply(through=through).network, prefix) for through, prefix in ((mine, "x1:"), (theirs, "x2:")))
    there = both(fresh, near, far)
    plan = there.plan()
    gone = [action for action in plan if action.op == "delete"]
    assert {action.id for action in gone if action.kind == "vpc"} == {"x2:vpcs.a", "x2:vpcs.b"}
    assert not any("x1:" in action.id for action in gone), [action.id for action in gone]
    assert all(action.doubled for action in gone)
    # Nothing of the second one is taken for what is wanted in the first.
    assert {line for line in ops(plan) if not line.startswith("delete")} == set(ops(World(fresh.topology, near).plan()))
    done = there.apply()
    assert not done.plan().actions
    assert set(done.network.vpcs) == {"x1:vpcs.a", "x1:vpcs.b"}


def order(actions: list[Action], op: str, kind: str) -> list[int]:
    return [index for index, action in enumerate(actions) if (action.op, action.kind) == (op, kind)]


def test_what_stands_in_the_second_vpc_goes_before_it(world: Callable[[str], World]) -> None:
    fresh = world(TWO)
    near, far = (renamed(fresh.apply().network, prefix) for prefix in ("x1:", "x2:"))
    actions = list(both(fresh, near, far).plan())
    last = min(order(actions, "delete", "vpc"))
    for kind in ("subnet", "route_table", "security_group", "peering", "association", "route", "rule"):
        assert order(actions, "delete", kind) and max(order(actions, "delete", kind)) < last, kind
    (peering,) = order(actions, "delete", "peering")
    assert max(order(actions, "delete", "route")) < peering


def test_the_one_that_is_in_use_stays(world: Callable[[str], World]) -> None:
    fresh = world(TWO)
    near, far = (renamed(fresh.apply().network, prefix) for prefix in ("x1:", "x2:"))
    there = both(fresh, near, far)
    here = {"account": "111111111111", "region": "us-east-1"}
    interface = Interface(id="eni-1", **here, vpc="x2:vpcs.a", subnet="x2:vpcs.a.subnets.s")
    plan = there.with_("interfaces", interface).plan()
    assert {action.id for action in plan if (action.op, action.kind) == ("delete", "vpc")} == {"x1:vpcs.a", "x2:vpcs.b"}
    # A gateway's own interface says nothing: the next run makes another.
    plan = there.with_("interfaces", replace(interface, type="nat_gateway")).plan()
    assert {action.id for action in plan if (action.op, action.kind) == ("delete", "vpc")} == {"x2:vpcs.a", "x2:vpcs.b"}
    with pytest.raises(PreflightError, match=r"x1:vpcs\.a and x2:vpcs\.a are all tagged as vpcs\.a and in use"):
        there.with_("interfaces", interface, replace(interface, id="eni-2", vpc="x1:vpcs.a")).plan()


@pytest.mark.parametrize("via", ["nat", "internet", "peering", "transit_gateway"])
def test_a_black_hole_in_our_own_table_is_ours(built: World, via: str) -> None:
    """What it led to was removed, maybe by another run, and its tags with it."""
    holed = built.with_route("a.route_tables.private", Route("172.16.0.0/16", via, "gone-1", "blackhole"))
    assert ops(holed.plan()) == ["update route vpcs.a.route_tables.private.routes.172.16.0.0/16"]
    with pytest.raises(PreflightError, match="is not ours"):
        built.with_route("a.route_tables.private", Route("172.16.0.0/16", "transit_gateway", "tgw-1")).plan()


def test_a_vpc_of_our_name_with_another_block_is_named_by_its_id(built: World) -> None:
    """Of two that carry one name its owner must not remove the wrong one."""
    (vpc,) = (item for item in built.network.vpcs.values() if item.tags.get("cloudnet:name") == "vpcs.a")
    stray = built.with_("vpcs", replace(vpc, cidrs=("10.99.0.0/16",)))
    with pytest.raises(PreflightError) as caught:
        stray.plan()
    assert str(caught.value) == (
        f"vpcs.a: cidr is 10.99.0.0/16 and cannot become 10.0.0.0/16 in place: remove it first ({vpc.id}), or give it another name"
    )
