# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an approval covers: the plan, any remainder of it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Association, Route, RouteTable, SecurityGroup, Vpc
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.actions import fingerprint_of
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.approval import check_approval
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.draft import Draft
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import BY_NAME
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import ApprovalError

from .conftest import TWO, World


def test_the_fingerprint_is_of_what_would_be_done(world: Callable[[str], World]) -> None:
    first, again = world(TWO).plan(), world(TWO).plan()
    assert first.fingerprint == again.fingerprint == json.loads(json.dumps(first.public()))["fingerprint"]
    assert world(TWO.replace("443", "444")).plan().fingerprint != first.fingerprint


def test_every_remainder_of_an_approved_plan_is_covered(world: Callable[[str], World]) -> None:
    fresh = world(TWO)
    plan = fresh.plan()
    approved = json.loads(json.dumps(plan.public()))
    draft = Draft(fresh.network, plan.ids)
    for action in plan:
        BY_NAME[action.kind].simulate(draft, action)
        check_approval(World(fresh.topology, draft.freeze()).plan(), approved)


def test_what_a_run_made_is_approved_by_name_only_while_it_fits(world: Callable[[str], World]) -> None:
    """A run was cut off after its VPCs. What stands under their names then must be what it would have made."""
    fresh = world(TWO)
    approved = fresh.plan().public()
    assert not approved["existing"] and all(action["id"] is None for action in approved["actions"])
    half = fresh.apply(through="vpcs")
    check_approval(half.plan(), approved)
    (vpc,) = (item for item in half.network.vpcs.values() if item.name == "vpcs.a")
    adopted = World(replace(fresh.topology, vpcs={**fresh.topology.vpcs, "a": replace(fresh.topology.vpcs["a"], id=vpc.id)}), half.network)
    with pytest.raises(ApprovalError, match=rf"vpcs\.a is {vpc.id} now, and was not there when the plan was approved"):
        check_approval(adopted.plan(), approved)
    theirs = half.apply(through="peerings")
    theirs = theirs.with_("peerings", replace(theirs.peering, tags={}, seen={}))
    with pytest.raises(ApprovalError, match=r"peerings\.a:b is planned:peerings\.a:b now, and was not there when the plan was approved"):
        check_approval(theirs.plan(), approved)


LOOKUP = """
name: lookup
region: us-east-1
vpcs:
  legacy: {lookup: {Name: legacy}, security_groups: {web: {}}}
  tools: {cidr: 10.61.0.0/16, subnets: {s: {cidr: 10.61.1.0/24, az: a}}, security_groups: {run: {}}}
peerings: [{between: [tools, legacy], routes: {legacy: [main]}}]
allow: [{from: tools.run, to: legacy.web, tcp: 22}]
"""


def legacy(here: World, identifier: str, name: str) -> World:
    """A foreign VPC with a main table and a group ``web``."""
    where = {"account": "111111111111", "region": "us-east-1", "vpc": identifier}
    main = RouteTable(id=f"rtb-{identifier}", associations=(Association("x", main=True),), **where)
    web = SecurityGroup(id=f"sg-{identifier}", group_name="web", **where)
    vpc = Vpc(id=identifier, account="111111111111", region="us-east-1", cidrs=("10.50.0.0/16",), tags={"Name": name})
    return here.with_("vpcs", vpc).with_("route_tables", main).with_("security_groups", web)


@pytest.mark.parametrize("form", ["file", "fingerprint"])
def test_another_vpc_under_the_same_lookup_is_another_plan(world: Callable[[str], World], form: str) -> None:
    before = legacy(legacy(world(LOOKUP), "vpc-a", "legacy"), "vpc-b", "crown-jewels")
    after = legacy(legacy(world(LOOKUP), "vpc-a", "old"), "vpc-b", "legacy")
    plan = before.plan()
    assert plan.existing == {
        "vpcs.legacy": "vpc-a",
        "vpcs.legacy.route_tables.main": "rtb-vpc-a",
        "vpcs.legacy.security_groups.web": "sg-vpc-a",
    }
    approved = json.loads(json.dumps(plan.public())) if form == "file" else plan.fingerprint
    check_approval(before.plan(), approved)
    with pytest.raises(ApprovalError, match=r"[Rr]eview"):
        check_approval(after.plan(), approved)
    if form == "file":
        # Halfway, with the VPCs of our own made.
        half = World(after.topology, before.apply(through="vpcs").network)
        moved = legacy(legacy(half, "vpc-a", "old"), "vpc-b", "legacy")
        with pytest.raises(ApprovalError, match=r"vpcs\.legacy is vpc-b now, and was vpc-a when the plan was approved"):
            check_approval(moved.plan(), approved)
        check_approval(half.with_("vpcs", before.network.vpcs["vpc-a"], before.network.vpcs["vpc-b"]).plan(), approved)


@pytest.mark.parametrize("form", ["file", "fingerprint"])
def test_a_removal_is_approved_by_id(built: World, form: str) -> None:
    plan = built.plan(absent=True)
    approved = json.loads(json.dumps(plan.public())) if form == "file" else plan.fingerprint
    check_approval(built.plan(absent=True), approved)
    (vpc,) = (item for item in built.network.vpcs.values() if item.name == "vpcs.a")
    second = built.with_("vpcs", replace(vpc, id="vpc-tagged-later"))
    with pytest.raises(ApprovalError, match=r"[Rr]eview"):
        check_approval(second.plan(absent=True), approved)


def test_each_approved_action_covers_one(built: World) -> None:
    """A file that was made by hand may name one removal twice; a plan's ends count as often as they are there."""
    approved = built.plan(absent=True).public()
    once = {**approved, "actions": [action for action in approved["actions"] if action["kind"] != "route"]}
    with pytest.raises(ApprovalError, match=r"2 of \d+ actions are not in the approved plan"):
        check_approval(built.plan(absent=True), {**once, "fingerprint": fingerprint_of(once)})


def test_what_was_approved_to_be_made_is_not_taken_over_from_others(world: Callable[[str], World]) -> None:
    """With replace_routes, a foreign route that came after the approval would be replaced without anybody's word."""
    fresh = legacy(world(LOOKUP), "vpc-a", "legacy")
    fresh.topology = replace(fresh.topology, replace_routes=True)
    approved = fresh.plan().public()
    half = fresh.apply(through="peerings")
    check_approval(half.plan(), approved)
    taken = half.with_route("rtb-vpc-a", Route("10.61.0.0/16", "transit_gateway", "tgw-1"))
    with pytest.raises(ApprovalError, match=r"update route vpcs\.legacy\.route_tables\.main\.routes\.10\.61\.0\.0/16"):
        check_approval(taken.plan(), approved)


def test_a_plan_of_the_old_format_is_refused(built: World) -> None:
    with pytest.raises(ApprovalError, match="format_version 1 is not 2"):
        check_approval(built.plan(absent=True), {**built.plan(absent=True).public(), "format_version": 1})


def test_what_was_not_approved_is_named(world: Callable[[str], World]) -> None:
    approved = world(TWO).plan().public()
    with pytest.raises(ApprovalError) as caught:
        check_approval(world(TWO.replace("443", "444")).plan(), approved)
    assert str(caught.value) == (
        "approved: 1 of 15 actions are not in the approved plan; review a new one:\n"
        "  create rule vpcs.b.security_groups.db.allow: tcp 444 from vpcs.a.security_groups.web (declared, not there)"
    )


def test_a_file_that_was_changed_is_refused(world: Callable[[str], World]) -> None:
    approved = json.loads(json.dumps(world(TWO).plan().public()))
    approved["actions"].pop()
    with pytest.raises(ApprovalError, match="was changed after it was written"):
        check_approval(world(TWO).plan(), approved)


def test_a_bare_fingerprint_covers_that_plan_and_an_empty_one(world: Callable[[str], World], built: World) -> None:
    plan = world(TWO).plan()
    check_approval(plan, plan.fingerprint)
    check_approval(built.plan(), plan.fingerprint)
    with pytest.raises(ApprovalError, match="to finish a run that was cut off, approve by the plan's file"):
        check_approval(plan, "0" * 64)


def test_another_topologys_plan_is_refused(world: Callable[[str], World]) -> None:
    with pytest.raises(ApprovalError, match="is a plan of topology 'two', not of 'three'"):
        check_approval(world(TWO.replace("name: two", "name: three")).plan(), world(TWO).plan().public())
