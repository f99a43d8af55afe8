# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the playbooks: a plan's actions by stage, and what is to be launched where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.action.topology_info import told
from ansible_collections.cloudnet.vpc.plugins.filter.launches import launches
from ansible_collections.cloudnet.vpc.plugins.filter.own_instances import own_instances
from ansible_collections.cloudnet.vpc.plugins.filter.stages import stages
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology

ROOT = Path(__file__).parents[3]
FILES = sorted([*(ROOT / "playbooks" / "topologies").glob("*.yml"), *(ROOT / "docs" / "examples").glob("*.yml")])


def topology(path: Path) -> tuple[Topology, dict[str, str]]:
    found = load(str(path), overrides=Overrides(region="us-east-1"))
    return found, {name: f"{number:012d}" for number, name in enumerate(found.accounts, 1)}


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "adopted"], ids=lambda path: path.stem)
def test_stages_are_those_of_the_plan(path: Path) -> None:
    found, accounts = topology(path)
    made = plan(found, Network(), accounts)
    removed = plan(found, simulate(Network(), made), accounts, absent=True)
    assert made.actions and removed.actions
    for todo in (made, removed):
        told_by_us = stages(todo.public())
        for stage, names in told_by_us.items():
            assert names == [action.name for action in todo if action.stage == stage], stage


def test_no_plan_is_no_plan() -> None:
    with pytest.raises(AnsibleFilterError, match="takes a plan"):
        stages({"changed": True})


def read(**changes: Any) -> dict[str, Any]:
    found, _accounts = topology(ROOT / "playbooks" / "topologies" / "two_vpcs.yml")
    return {**told(found), **changes}


IDS = {
    "dev": {"region": "us-east-1", "subnets": {"app": "subnet-1"}, "security_groups": {"servers": "sg-1"}},
    "ops": {"region": "us-east-1", "subnets": {"admin": None}, "security_groups": {"tools": None}},
}


def test_what_is_to_be_launched() -> None:
    (place,) = launches(read(tags={"project": "x"}), {"vpcs": IDS})
    server, tool = place["instances"]
    assert (place["profile"], place["region"]) == ("", "us-east-1")
    assert (server["name"], server["subnet"], server["groups"], server["missing"]) == ("dev.server", "subnet-1", ["sg-1"], [])
    assert server["tags"] == {
        "project": "x",
        "Name": "two-vpcs-dev-server",
        "cloudnet:name": "vpcs.dev.instances.server",
        "cloudnet:topology": "two-vpcs",
    }
    assert tool["missing"] == ["vpcs.ops.subnets.admin", "vpcs.ops.security_groups.tools"] and tool["groups"] == []


def test_accounts_and_regions_are_places_of_their_own() -> None:
    base = read()
    vpcs = {name: {**vpc, "account": name} for name, vpc in base["vpcs"].items()}
    accounts = {"dev": {"profile": "one"}, "ops": {"profile": "two"}}
    places = launches({**base, "vpcs": vpcs, "accounts": accounts}, {"vpcs": {**IDS, "ops": {**IDS["ops"], "region": "eu-west-1"}}})
    assert [(place["profile"], place["region"]) for place in places] == [("one", "us-east-1"), ("two", "eu-west-1")]

    # Beside a role, a profile is what it is assumed with: instances would be launched in the wrong account.
    for more in ({}, {"profile": "two"}):
        roled = {**accounts, "ops": {"role_arn": "arn:aws:iam::222222222222:role/x", **more}}
        with pytest.raises(AnsibleFilterError, match=r"accounts\.ops has a role_arn, .* give it a profile with that role_arn instead"):
            launches({**base, "vpcs": vpcs, "accounts": roled}, {"vpcs": IDS})


def test_nothing_declared_is_nothing_to_launch() -> None:
    found, _accounts = topology(ROOT / "playbooks" / "topologies" / "two_vpcs.yml")
    bare = replace(found, vpcs={name: replace(vpc, instances={}) for name, vpc in found.vpcs.items()})
    assert launches(told(bare), {"vpcs": IDS}) == []
    with pytest.raises(AnsibleFilterError, match="topology_info"):
        launches({}, {})


def listed(name: str, vpc: str, id_: str = "i-1") -> dict[str, Any]:
    return {"instance_id": id_, "vpc_id": vpc, "tags": {"cloudnet:topology": "two-vpcs", "cloudnet:name": name}}


def test_an_instance_is_its_own_where_it_lies_in_the_vpc_of_its_name() -> None:
    outputs = {"vpcs": {"dev": {"id": "vpc-1"}, "ops": {"id": None}}, "undeclared": [{"id": "i-old"}]}
    own = listed("vpcs.dev.instances.server", "vpc-1")
    foreign = [
        listed("vpcs.dev.instances.server", "vpc-2"),
        listed("vpcs.ops.instances.tool", "vpc-1"),
        listed("vpcs.gone.instances.tool", "vpc-1"),
        listed("vpcs.dev.subnets.server", "vpc-1"),
        {"instance_id": "i-2", "vpc_id": "vpc-1"},
        {"instance_id": "i-3", "vpc_id": None, "tags": {"cloudnet:name": "vpcs.ops.instances.tool"}},
    ]
    old = listed("vpcs.gone.instances.old", "vpc-9", "i-old")
    assert own_instances([own, *foreign, old], outputs) == [own, old]
    with pytest.raises(AnsibleFilterError, match="takes a list of instances"):
        own_instances([], None)


def test_what_is_declared_no_longer_has_its_place_though_nothing_else_is_there() -> None:
    base = {**read(), "instances": []}
    vpcs = {name: {**vpc, "account": "ours"} for name, vpc in base["vpcs"].items()}
    old = {"id": "i-old", "name": "dev.old", "account": "111111111111", "region": "us-east-1"}
    outputs = {"vpcs": {"dev": {"id": "vpc-1", "account": "111111111111", "region": "us-east-1"}}, "undeclared": [old]}
    (place,) = launches({**base, "vpcs": vpcs, "accounts": {"ours": {"profile": "one"}}}, outputs)
    assert (place["profile"], place["region"], place["instances"], place["undeclared"]) == ("one", "us-east-1", [], [old])
