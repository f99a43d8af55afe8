# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done about failures, lags and other runs while a plan is applied; without AWS, by scripts of what is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network, Rule, Vpc
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.actions import SECOND, Action, Plan, Ref
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.apply import Failure, Outcome
from ansible_collections.cloudnet.vpc.plugins.module_utils.applying import GRACE, Application, Seen
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import ApplyError, ApprovalError, AwsError, Finding, PreflightError

MAKE = Action("create", "vpc", "vpcs.a", "111111111111", "us-east-1", "vpcs", None, {"cidr": "10.0.0.0/16"}, "declared, not there")
#: What the two runs have made. Ours is the second one.
OURS, THEIRS = (Action("delete", "vpc", "vpcs.a", "111111111111", "us-east-1", "vpcs", {}, None, SECOND, id_) for id_ in ("vpc-2", "vpc-1"))


def network(*ids: str) -> Network:
    return Network(vpcs={id_: Vpc(id=id_, account="111111111111", region="us-east-1") for id_ in ids})


class Script:
    """Answers an application. ``codes``: with which the rounds fail; ``seen``: what each look shows, the last one again and again."""

    def __init__(self, codes: list[str], seen: list[tuple[Network, Plan] | Exception]) -> None:
        self.codes, self.seen = codes, seen
        self.done: list[list[str]] = []
        self.slept: list[float] = []

    def do(self, plan: Plan) -> Outcome:
        self.done.append([f"{action.op} {action.id or action.name}" for action in plan])
        code = self.codes.pop(0) if self.codes else ""
        ids = {**plan.ids, **({} if code else {action.name: "vpc-2" for action in plan if action.op == "create"})}
        if code:
            return Outcome(ids, failed=[Failure(action, f"{code}: no", code) for action in plan])
        return Outcome(ids, list(plan), created={action.name: (action, "vpc-2") for action in plan if action.op == "create"})

    def look(self) -> Seen:
        there = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        if isinstance(there, Exception):
            raise there
        return Snapshot(), *there

    def run(self, plan: Plan, approved: Mapping[str, Any] | None = None) -> Seen:
        return Application(self.do, self.look, approved, self.slept.append).run(plan)


PLAN = Plan("t", (MAKE,))
DONE = Plan("t", (), {"vpcs.a": "vpc-2"})
LOST = Plan("t", (), {"vpcs.a": "vpc-1"})


def test_what_is_done_is_looked_at_once() -> None:
    script = Script([], [(network("vpc-2"), DONE)])
    assert script.run(PLAN)[2] is DONE and script.done == [["create vpcs.a"]] and script.slept == []


def test_a_list_that_lags_is_waited_for_and_nothing_is_made_twice() -> None:
    script = Script([], [(network(), PLAN), (network(), PLAN), (network("vpc-2"), DONE)])
    script.run(PLAN)
    assert script.done == [["create vpcs.a"]] and len(script.slept) == 2


def test_a_rule_that_only_its_group_tells_is_waited_for() -> None:
    """The list of rules lags behind, and with it the tags by which the rule is ours."""
    ref = Ref("vpcs.a.security_groups.g")
    make = replace(MAKE, kind="rule", name="vpcs.a.security_groups.g.allow: all from 10.0.0.0/8", after={"group": ref})
    told = Rule(id="sg-1:in:-1:10.0.0.0/8", account=MAKE.account, region=MAKE.region, group="sg-1", egress=False, protocol="-1")
    early, late = (Network(rules={rule.id: rule}) for rule in (told, replace(told, id="sgr-1")))
    plan = Plan("t", (make,), {ref.name: "sg-1"})
    script = Script([], [(early, replace(plan, actions=())), (late, replace(plan, actions=()))])
    assert script.run(plan)[1] is late and len(script.slept) == 1


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "VpcLimitExceeded", "WaitTimedOut", "Nonsense"])
def test_a_failure_that_is_nobodys_doing_is_told_without_another_look(code: str) -> None:
    script = Script([code], [AssertionError("nobody looks")])
    with pytest.raises(ApplyError, match=r"vpcs\.a: "):
        script.run(PLAN)


def test_what_another_run_did_meanwhile_is_done() -> None:
    script = Script(["InvalidParameterValue"], [(network("vpc-1"), LOST)])
    assert script.run(PLAN)[2] is LOST and len(script.done) == 1


def test_a_failure_that_stays_is_told_with_its_own_words() -> None:
    script = Script(["InvalidParameterValue"] * 9, [(network(), PLAN)])
    with pytest.raises(ApplyError, match=r"vpcs\.a: InvalidParameterValue: no"):
        script.run(PLAN)
    assert len(script.done) == 1
    script = Script(["RouteAlreadyExists"] * 9, [(network(), PLAN)])
    with pytest.raises(ApplyError, match="RouteAlreadyExists: no"):
        script.run(PLAN)
    assert len(script.done) == len(GRACE) + 1


def test_a_failure_is_not_hidden_by_the_look_after_it() -> None:
    script = Script(["DependencyViolation"], [AwsError("the credentials have expired")])
    with pytest.raises(ApplyError, match="DependencyViolation: no"):
        script.run(PLAN)


def test_a_run_takes_back_what_it_made_and_needs_no_approval_for_it() -> None:
    both = Plan("t", (OURS,), {"vpcs.a": "vpc-1"})
    script = Script([], [(network("vpc-1", "vpc-2"), both), (network("vpc-1"), LOST)])
    assert script.run(PLAN, PLAN.public())[2] is LOST
    assert script.done == [["create vpcs.a"], ["delete vpc-2"]] and script.slept == []


def test_what_another_run_made_gets_time_and_then_needs_an_approval() -> None:
    both = (network("vpc-1", "vpc-2"), Plan("t", (THEIRS,), {"vpcs.a": "vpc-2"}))
    script = Script([], [both, both, (network("vpc-2"), DONE)])
    assert script.run(PLAN)[2] is DONE and script.done == [["create vpcs.a"]] and script.slept == list(GRACE[:2])

    script = Script([], [both] * (len(GRACE) + 1) + [(network("vpc-2"), DONE)])
    script.run(PLAN)
    assert script.done == [["create vpcs.a"], ["delete vpc-1"]] and script.slept == list(GRACE)

    script = Script([], [both])
    with pytest.raises(ApprovalError, match=r"delete vpc vpcs\.a \(a second one of this name\)"):
        script.run(PLAN, PLAN.public())
    assert script.done == [["create vpcs.a"]]


def test_a_plan_that_is_impossible_for_a_moment_is_made_again() -> None:
    fault = PreflightError([Finding("vpcs.a", "is in somebody's way")])
    script = Script([], [fault, fault, (network("vpc-2"), DONE)])
    assert script.run(PLAN)[2] is DONE
    with pytest.raises(PreflightError):
        Script([], [fault]).run(PLAN)


def test_what_somebody_else_changes_again_and_again_is_told() -> None:
    other = replace(MAKE, op="update", id="vpc-2", why="differs in cidr")
    script = Script(
        [], [(network("vpc-2"), Plan("t", (replace(other, after={"cidr": f"10.{number}.0.0/16"}),), DONE.ids)) for number in range(99)]
    )
    with pytest.raises(ApplyError, match="is still to be done after all was done"):
        script.run(PLAN)
