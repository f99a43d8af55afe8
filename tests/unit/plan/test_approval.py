# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an approval covers: the plan, any remainder of it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.actions import check_approval
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
