# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots as other tools write them, one folder each, and what is right: ends that are no hosts, files that hold a part, nulls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import load

from .test_cases import _said, ask

SNAPSHOTS = Path(__file__).parent / "snapshots"
CASES: dict[str, list[dict[str, Any]]] = yaml.safe_load((SNAPSHOTS / "questions.yml").read_text())
QUESTIONS = [(name, question) for name, questions in CASES.items() for question in questions]


def test_every_snapshot_is_asked_something() -> None:
    assert set(CASES) == {path.name for path in SNAPSHOTS.iterdir() if path.is_dir()}


@pytest.mark.parametrize(("name", "question"), QUESTIONS, ids=[f"{name}-{item['ask']}".replace(" ", "_") for name, item in QUESTIONS])
def test_snapshot(name: str, question: dict[str, Any]) -> None:
    network = build(load(SNAPSHOTS / name))
    found = ask(network, question)
    told = {"is": found.verdict, "by": [_said(item) for item in found.blockers]}
    assert told == {"is": question["is"], "by": question.get("by", [])}
    whys = " ".join(item.why for item in (*found.blockers, *found.unknowns))
    assert question.get("why", "") in whys
    assert question.get("warning", "") in " ".join(network.warnings)
    if "fix" in question:
        assert question["fix"] in [item.fix.text for item in found.blockers]
