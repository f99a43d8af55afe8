# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An item that the gate leaves out makes nothing reachable or blocked that was not: what it would decide is unknown then."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.gate import RULES
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError

from . import terse
from .test_cases import ask

CASES = Path(__file__).parent / "cases"


def checked(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where an item has a text for which there is a rule."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from checked(one, (*path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from checked(one, (*path, place))
    elif next((key for key in reversed(path) if isinstance(key, str)), "") in RULES:
        yield path


def spoilt(item: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    made: Any = copy.deepcopy(item)
    at = made
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = "no such thing"
    return dict(made)


@pytest.mark.parametrize("name", ["acl_stateless", "peering_two_vpcs", "peering_specific_subnets"])
def test_one_fault_anywhere_turns_no_verdict_round(name: str) -> None:
    case = yaml.safe_load((CASES / f"{name}.yml").read_text())
    whole = terse.snapshot(case["network"])
    wanted = {question["ask"]: question["is"] for question in case["questions"] if question["is"] in ("reachable", "blocked")}
    tried = 0
    for place, items in whole.files.items():
        for number, item in enumerate(items):
            for path in checked(item):
                tried += 1
                wrong = (*items[:number], spoilt(dict(item), path), *items[number + 1 :])
                network = build(Snapshot({**whole.files, place: wrong}))
                assert network.faults and place not in network.complete
                for question, verdict in wanted.items():
                    try:
                        found = ask(network, {"ask": question}).verdict
                    except CloudnetError as error:
                        assert "is not in what was observed" in str(error) or "could be in" in str(error)
                        continue
                    assert found in (verdict, "unknown"), (place[2], number, path, question)
    assert tried > 50
