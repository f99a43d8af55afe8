# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: codes for programs, file and line for people. That the Region alone is missing is no fault where it is learned later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.action import network as network_action
from ansible_collections.cloudnet.vpc.plugins.action.topology_info import told
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network, Route, RouteTable, Vpc
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.faults import either, nearest
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.preflight import preflight
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import Code, Finding, PreflightError, TopologyError

NO_REGION = """name: atlas
vpcs:
  apps: {cidr: 10.20.0.0/16, subnets: {a: {cidr: 10.20.1.0/24, az: eu-west-1a}}, endpoints: [{service: s3}]}
"""
WRONG = """name: atlas
vpcs:
  apps: {cidr: 10.20.0.0/16}
  atlas: {remote: {owner: "222222222222", cidr: 192.168.248.0/21}}
peerings: [{between: [atlas, apps], accept_only: true}]
"""
ADOPTED = """name: old
region: us-east-1
vpcs:
  old:
    id: vpc-0123456789abcdef0
    cidr: 10.9.0.0/16
    route_tables:
      nowhere: {}
  dev: {cidr: 10.1.0.0/16}
peerings:
  - hub: dev
    spokes: [old]
    routes: {old: [rtb-0123456789abcdef0]}
"""
WHERE: dict[str, Any] = {"account": "111111111111", "region": "us-east-1"}
VPC = Vpc(id="vpc-0123456789abcdef0", cidrs=("10.0.0.0/16",), **WHERE)
TABLE = RouteTable(id="rtb-0123456789abcdef0", vpc=VPC.id, routes=(Route("10.1.0.0/16", "transit_gateway", "tgw-1"),), **WHERE)
THERE = Network(vpcs={VPC.id: VPC}, route_tables={TABLE.id: TABLE})


def faults(source: Any, overrides: Overrides | None = None) -> list[tuple[str, str, int]]:
    with pytest.raises(TopologyError) as caught:
        load(source, overrides=overrides)
    return [(finding.code, finding.path, finding.line) for finding in caught.value.findings]


def test_codes_tell_the_kinds(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    file.write_text("name: t\nvpcs:\n  a: {cidr: 10.0.0.0/16, colour: red}\n  b: {cidr: 10.0.0.0/33}\n  c: {cidr: no}\n")
    assert faults(file) == [
        (Code.NO_REGION, "region", 0),
        (Code.SCHEMA, "vpcs.a.colour", 3),
        (Code.TOPOLOGY, "vpcs.b.cidr", 4),
        (Code.SYNTAX, "vpcs.c.cidr", 5),
    ]
    file.write_text("name: [")
    assert [code for code, *_place in faults(file)] == [Code.SYNTAX]
    assert [code for code, *_place in faults({"name": "t", "vpcs": {}})] == [Code.SCHEMA]


def test_a_region_that_comes_later_is_no_fault_and_none_is_made_up(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    file.write_text(NO_REGION)
    assert faults(file) == [(Code.NO_REGION, "region", 0)]
    topology = load(file, overrides=Overrides(region_later=True))
    assert told(topology)["vpcs"]["apps"]["region"] == ""
    assert network_action.check(str(file), "")["name"] == "atlas"


def test_beside_another_fault_the_region_is_not_missing(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    file.write_text(WRONG)
    with pytest.raises(TopologyError) as caught:
        network_action.check(str(file), "")
    assert str(caught.value).startswith("t.yml:4: vpcs.atlas.remote: `id` is missing")
    message = "`id` is missing: it must be a VPC id such as vpc-0123456789abcdef0"
    finding = {"path": "vpcs.atlas.remote", "message": message, "line": 4, "code": "schema", "file": "t.yml"}
    assert caught.value.details() == {"findings": [finding]}


def test_what_the_preflight_and_the_plan_find_has_the_line_of_the_thing(tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    file.write_text(ADOPTED)
    topology = load(file)
    found, _warnings = preflight(topology, THERE, {"": "111111111111"}, {"vpcs": 1})
    assert [(finding.file, finding.line, finding.code, finding.path) for finding in found] == [
        ("t.yml", 6, Code.PREFLIGHT, "vpcs.old.cidr"),
        ("t.yml", 8, Code.PREFLIGHT, "vpcs.old.route_tables.nowhere"),
        ("t.yml", 4, Code.QUOTA, "vpcs.old"),
    ]
    with pytest.raises(PreflightError) as caught:
        plan(topology, THERE, {"": "111111111111"})
    (conflict,) = caught.value.findings
    assert (conflict.code, conflict.line) == (Code.CONFLICT, 12)
    assert str(conflict).startswith("t.yml:12: peerings[0].spokes[0]: vpcs.old.route_tables.rtb-0123456789abcdef0.routes.10.1.0.0/16: ")


def test_names_of_others_stay_in_their_line() -> None:
    for text in (either("app", ["x\nyz", "b"], "there are"), nearest("app", ["ap\np"])):
        assert "\n" not in text and "\\n" in text


def test_a_mapping_has_no_file_and_no_line() -> None:
    found = load({"name": "t", "region": "us-east-1", "vpcs": {"a": {"cidr": "10.0.0.0/16"}}}).finding("vpcs.a.cidr", "is odd", Code.QUOTA)
    assert found == Finding("vpcs.a.cidr", "is odd", 0, Code.QUOTA, "")
    assert str(found) == "vpcs.a.cidr: is odd"
