# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases, one small file each: a network, questions, and the answers with every blocker. Written by hand from AWS's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.verdict import Blocker, Step, Verdict
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load

from . import terse

CASES = Path(__file__).parent / "cases"
ACCOUNTS = {"": "111111111111", "one": "111111111111", "two": "222222222222"}


def _questions() -> list[Any]:
    found = []
    for path in sorted(CASES.glob("*.yml")):
        case = yaml.safe_load(path.read_text())
        for step in case.get("steps", [case]):
            for question in step["questions"]:
                turn = [str(step["through"])] if "through" in step else []
                name = "-".join([path.stem, *turn, question["ask"]]).replace(" ", "_")
                found.append(pytest.param(case, step, question, id=name))
    return found


def _network(case: dict[str, Any], step: dict[str, Any]) -> Network:
    if "topology" in case:
        topology = load(case["topology"])
        empty = Network()
        return empty if step["through"] == "nothing" else simulate(empty, plan(topology, empty, ACCOUNTS, through=step["through"]))
    return terse.network(step.get("network") or case["network"])


def ask(network: Network, question: dict[str, Any]) -> Verdict:
    """``SOURCE -> DESTINATION [PROTOCOL [PORT]]``; ``vpc.subnet+group`` stands for what a plan would make."""
    source, arrow, destination, *rest = question["ask"].split()
    assert arrow == "->"
    options = {"family": question["family"]} if "family" in question else {}
    protocol, port = rest[0] if rest else "tcp", rest[1] if len(rest) > 1 else None
    return reach(network, _planned(source), _planned(destination), protocol, port, **options)


def _planned(text: str) -> str:
    """``marketing.app+web`` as the ids that a plan would give."""
    place, plus, groups = text.partition("+")
    if not plus or text.startswith("subnet-"):
        return text
    vpc, subnet = place.split(".")
    return f"planned:vpcs.{vpc}.subnets.{subnet}+" + ",".join(f"planned:vpcs.{vpc}.security_groups.{group}" for group in groups.split(","))


@pytest.mark.parametrize(("case", "step", "question"), _questions())
def test_case(case: dict[str, Any], step: dict[str, Any], question: dict[str, Any]) -> None:
    found = ask(_network(case, step), question)
    assert {
        "is": found.verdict,
        "by": [_said(blocker) for blocker in found.blockers],
        "unknown": [f"{unknown.direction} {unknown.code} {unknown.component}" for unknown in found.unknowns],
    } == {"is": question["is"], "by": question.get("by", []), "unknown": question.get("unknown", [])}
    if "mtu" in question:
        assert found.mtu == question["mtu"]
    if "dns" in question:
        assert found.dns is question["dns"], found.dns_why
    if "through" in question:
        ways = {
            Step.PEERING,
            Step.NAT_GATEWAY,
            Step.INTERNET_GATEWAY,
            Step.EGRESS_ONLY_GATEWAY,
            Step.ENDPOINT,
            Step.TRANSIT_GATEWAY,
            Step.APPLIANCE,
        }
        assert [hop.component for hop in found.forward.hops if hop.step in ways] == question["through"]
    if "rule" in question:
        assert question["rule"] in [blocker.rule for blocker in found.blockers] + [hop.rule for hop in found.forward.hops]
    if "fix" in question:
        assert question["fix"] in [blocker.fix.text for blocker in found.blockers]
    if "why" in question:
        assert question["why"] in " ".join([note.why for note in (*found.blockers, *found.unknowns)])
    if "missing" in question:
        assert question["missing"] in [unknown.missing for unknown in found.unknowns]


def _said(blocker: Blocker) -> str:
    return f"{blocker.direction} {blocker.code} {blocker.component}" + (" (unsure)" if blocker.unsure else "")


def test_every_blocker_says_what_to_do() -> None:
    for parameter in _questions():
        case, step, question = parameter.values
        for blocker in ask(_network(case, step), question).blockers:
            assert blocker.why and blocker.fix.text and blocker.component and blocker.name, (parameter.id, blocker)
