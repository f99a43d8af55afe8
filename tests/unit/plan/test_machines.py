# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances belong to what is reviewed and approved: what is to be launched, and what is there and declared no longer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Instance
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.approval import check_approval
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import ApprovalError
from ansible_collections.cloudnet.vpc.plugins.module_utils.render import change_set

from .conftest import World

TEXT = """
name: machines
region: us-east-1
vpcs:
  a:
    cidr: 10.0.0.0/16
    subnets: {s: {cidr: 10.0.1.0/24, az: a}, t: {cidr: 10.0.2.0/24, az: a}}
    security_groups: {g: {}, h: {}}
    instances:
      web: {subnet: s, security_groups: [g], type: t3.small, key: ours, user_data: "echo hello"}
      db: {subnet: s}
"""
SETTINGS = {"type": "t3.micro", "image": "ami-1", "key": "", "profile": "reader"}


def there(world: World, name: str, *, state: str = "running", vpc: str = "a", id_: str = "") -> World:
    """An instance with our tags."""
    tags = {"cloudnet:topology": "machines", "cloudnet:name": name}
    ids = {item.name.removeprefix("vpcs."): item.id for item in world.network.vpcs.values()}
    where: dict[str, Any] = {"account": "111111111111", "region": "us-east-1", "vpc": ids.get(vpc, vpc), "type": "t3.micro"}
    return world.with_("instances", Instance(id=id_ or f"i-{name.rpartition('.')[2]}", tags=tags, state=state, **where))


def test_what_is_declared_and_not_there_is_to_be_launched(world: Callable[[str], World]) -> None:
    built = world(TEXT).apply()
    plan = there(built, "vpcs.a.instances.db").plan(launch=SETTINGS)
    assert not plan.actions and not plan.empty
    assert plan.public()["instances"]["launch"] == {
        "a.web": {
            "account": "111111111111",
            "region": "us-east-1",
            "subnet": "s",
            "security_groups": ["g"],
            "type": "t3.small",
            "image": "ami-1",
            "key": "ours",
            "profile": "reader",
            "public_ip": False,
            "user_data": f"sha256:{hashlib.sha256(b'echo hello').hexdigest()}",
        }
    }
    assert "hello" not in json.dumps(plan.public())


CHANGES = {
    "user_data": TEXT.replace("echo hello", "echo evil"),
    "type": TEXT.replace("t3.small", "m5.24xlarge"),
    "key": TEXT.replace("key: ours", "key: theirs"),
    "subnet": TEXT.replace("web: {subnet: s", "web: {subnet: t"),
    "security_groups": TEXT.replace("[g]", "[g, h]"),
    "private_ip": TEXT.replace("key: ours", "key: ours, private_ip: 10.0.1.9"),
}


@pytest.mark.parametrize("form", ["file", "fingerprint"])
@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_launch_is_refused(world: Callable[[str], World], key: str, form: str) -> None:
    fresh = world(TEXT)
    plan = fresh.plan(launch=SETTINGS)
    approved = json.loads(json.dumps(plan.public())) if form == "file" else plan.fingerprint
    check_approval(fresh.plan(launch=SETTINGS), approved)
    for state in (fresh, fresh.apply()):  # before the network is there, and with nothing left but the launches
        with pytest.raises(ApprovalError) as caught:
            check_approval(state.under(CHANGES[key]).plan(launch=SETTINGS), approved)
        if form == "file":
            assert str(caught.value) == f"approved: the launch of a.web is not as in the approved plan (other: {key}): review a new plan"


@pytest.mark.parametrize("key", ["image", "profile"])
def test_changed_settings_of_the_launches_are_refused(world: Callable[[str], World], key: str) -> None:
    fresh = world(TEXT)
    approved = fresh.plan(launch=SETTINGS).public()
    with pytest.raises(ApprovalError, match=rf"the launch of a\.db is not as in the approved plan \(other: {key}\)"):
        check_approval(fresh.plan(launch={**SETTINGS, key: "another"}), approved)


def test_another_launch_is_refused_and_a_remainder_is_covered(world: Callable[[str], World]) -> None:
    fresh = world(TEXT)
    approved = fresh.plan(launch=SETTINGS).public()
    check_approval(there(fresh.apply(), "vpcs.a.instances.web").plan(launch=SETTINGS), approved)
    with pytest.raises(ApprovalError, match=r"the launch of a\.more is not in the approved plan"):
        check_approval(fresh.under(TEXT + "      more: {subnet: s}\n").plan(launch=SETTINGS), approved)


def test_what_is_declared_no_longer_is_told_and_kept(world: Callable[[str], World]) -> None:
    plan = there(there(world(TEXT).apply(), "vpcs.a.instances.old"), "vpcs.a.instances.gone", state="terminated").plan()
    assert [item["id"] for item in plan.undeclared] == ["i-old"] and plan.terminations == []
    assert plan.warnings == (
        "i-old (a.old, account 111111111111, us-east-1) is running and declared no longer: it stays, and costs what it costs;"
        " cloudnet_instances_undeclared=terminate ends it",
    )
    assert "! instance  a.old  i-old  t3.micro  running  declared no longer; stays, and costs what it costs" in change_set(plan.public())


def test_termination_is_approved_by_id(world: Callable[[str], World]) -> None:
    built = there(there(there(world(TEXT).apply(), "vpcs.a.instances.web"), "vpcs.a.instances.db"), "vpcs.a.instances.old")
    plan = built.plan(terminate=True)
    assert plan.terminations == ["i-old"] and plan.warnings == () and not plan.empty
    assert "- instance  a.old  i-old  t3.micro  running" in change_set(plan.public())
    later = there(built, "vpcs.a.instances.old", id_="i-tagged-later").plan(terminate=True)
    for approved in (plan.public(), plan.fingerprint):
        check_approval(built.plan(terminate=True), approved)
        with pytest.raises(ApprovalError):
            check_approval(later, approved)
    with pytest.raises(ApprovalError, match=r"the termination of i-tagged-later \(a\.old\) is not in the approved plan"):
        check_approval(later, plan.public())
    with pytest.raises(ApprovalError, match="the termination of i-old"):
        check_approval(plan, built.plan().public())


def test_a_teardown_names_every_instance_of_ours(world: Callable[[str], World]) -> None:
    built = there(there(world(TEXT).apply(), "vpcs.a.instances.web"), "vpcs.a.instances.old")
    assert built.plan(absent=True).terminations == ["i-old", "i-web"]


@pytest.mark.parametrize("name", ["vpcs.a.instances.old", "vpcs.a.instances.web"])
def test_an_instance_elsewhere_is_none_of_ours(world: Callable[[str], World], name: str) -> None:
    """It carries our tags, and lies in a VPC that is not ours: it is neither taken for a declared one nor ended."""
    built = there(world(TEXT).apply(), name, vpc="vpc-theirs", id_="i-forged")
    plan = built.plan(terminate=True)
    assert plan.undeclared == () and set(plan.launches) == {"a.web", "a.db"}
    assert any(line.startswith("i-forged (account 111111111111, us-east-1) carries the tags of machines") for line in plan.warnings)
    assert built.plan(absent=True).terminations == []


def test_a_narrow_plan_has_nothing_to_do_with_instances(world: Callable[[str], World]) -> None:
    plan = there(world(TEXT).apply(), "vpcs.a.instances.old").plan(narrow=True)
    assert plan.launches == {} and plan.undeclared == () and replace(plan, actions=()).empty
