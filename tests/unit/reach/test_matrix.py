# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Matrices: as text, as rows, and over as few classes as there are kinds of ends. (That they equal the pairs is in test_properties.py.)"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.endpoints import resolve
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.index import Index
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.matrix import Question, interfaces, matrix
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.report import text

from . import terse

CASES = Path(__file__).parent / "cases"
HUB = yaml.safe_load((CASES / "peering_hub.yml").read_text())["network"]


def test_a_table_to_remember() -> None:
    found = matrix(terse.network(HUB), {"hub": "i-a", "one": "i-b", "two": "i-c", "dark": "10.2.1.99"}, [("tcp", 443), Question("icmp")])
    assert found.table() == (
        "tcp 443    hub  one  two  dark\n"
        "hub     -> -    yes  yes  X\n"
        "one     -> yes  -    X    X\n"
        "two     -> yes  X    -    X\n"
        "dark    -> X    X    X    -\n"
        "4 of 12 reachable (33 %)"
    )
    assert found.table(1).splitlines()[0] == "icmp echo request    hub  one  two  dark"
    rows = list(found.rows())
    assert len(rows) == 24
    assert rows[0] == {"source": "hub", "destination": "one", "protocol": "tcp", "port": 443, "verdict": "reachable"}
    assert json.loads(json.dumps(rows)) == rows
    verdict = found.explain(1, 2)
    assert verdict.codes == ("DISCONNECTED_VPCS",)
    assert "to open it: peerings: {between: [vpc-b, vpc-c]}" in text(verdict)


def test_alike_ends_are_one_class() -> None:
    hosts = {f"i-{number}": {"subnet": "subnet-a", "ip": f"10.0.1.{20 + number}", "groups": ["sg-a"]} for number in range(50)}
    data = HUB | {"hosts": {**HUB["hosts"], **hosts}}
    found = matrix(terse.network(data), interfaces(terse.network(data)), [("tcp", 443)])
    assert len(found.names) == 53
    assert len(set(found.classes)) == 3
    narrow = data | {"groups": {**HUB["groups"], "sg-b": {"vpc": "vpc-b", "in": ["tcp 443 10.0.1.25/32"]}}}
    found = matrix(terse.network(narrow), interfaces(terse.network(narrow)), [("tcp", 443)])
    assert len(set(found.classes)) == 4  # one rule tells one of them apart
    names = list(found.names)
    assert found.verdict(names.index("eni-5"), names.index("eni-b")) == "reachable"
    assert found.verdict(names.index("eni-6"), names.index("eni-b")) == "blocked"


def test_nothing_asked_is_nothing_said() -> None:
    assert matrix(terse.network(HUB), []).table() == "icmp echo request\n0 of 0 reachable"


NETWORKS = [path for path in sorted(CASES.glob("*.yml")) if "network" in yaml.safe_load(path.read_text())]


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_case_as_a_matrix_says_what_its_pairs_say(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    network = terse.network(case["network"])
    ends = {host: host for host in case["network"]["hosts"]} | {"internet": "internet"}
    for question in (("tcp", 443), ("icmp", None)):
        found = matrix(network, ends, [question])
        got = {(row["source"], row["destination"]): row["verdict"] for row in found.rows()}
        assert got == {
            (one, other): reach(network, one, other, *question, family=4).verdict for one in ends for other in ends if one != other
        }


def test_ends_are_alike_by_what_they_are_not_by_their_text() -> None:
    network = terse.network(HUB)
    index = Index.of(network)
    inside = replace(resolve(index, "i-b"), text="the same")
    outside = [replace(resolve(index, address), text="the same") for address in ("8.8.8.8", "9.9.9.9")]
    found = matrix(network, {1: inside, 2: outside[0], 3: outside[1]})
    assert found.names == ("1", "2", "3") and len(set(found.classes)) == 3
