# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify.yml as its users run it, beside a plan that says what it opens and a run that ends with who reaches whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import TOPOLOGY
from .test_playbook_runs import Runs, changed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    made = Runs(tmp_path_factory.mktemp("verify"))
    try:
        yield made
    finally:
        made.play("lab", "-e", "lab_state=stopped")


@pytest.fixture
def path(runs: Runs) -> Path:
    expect = [{"from": "dev.app", "to": "ops.admin", "tcp": 443}, {"from": "ops.admin", "to": "dev.app", "icmp": True, "reachable": False}]
    document: dict[str, Any] = {**TOPOLOGY, "expect": expect}
    written = runs.folder / "pair.yml"
    written.write_text(json.dumps(document))
    return written


def test_expectations_before_and_after(runs: Runs, path: Path) -> None:
    chosen = ("-e", f"cloudnet_topology={path}")
    planned = runs.play("plan", *chosen)
    assert "\n  opens: dev.servers -> ops.tools tcp 443\n" in planned and "expect fails" not in planned
    staged = runs.play("peer", *chosen, "-e", "cloudnet_through=routes")
    assert "expect fails: expect[0]: dev.app -> ops.admin tcp 443 is to be reachable, and is blocked: SG_HAS_NO_RULES" in staged

    wrong = runs.play("verify", *chosen, code=2)
    assert "1 of 2 expectations do not hold. To open what is to be reachable: allow: {from: dev.servers, to: ops.tools, tcp: 443}" in wrong
    assert "FAIL  dev.app" in wrong and changed(wrong) == 0

    made = runs.play("peer", *chosen)
    assert "dev.servers -> -            yes" in made and "1 of 2 reachable (50 %)" in made
    right = runs.play("verify", *chosen)
    assert "2 of 2 expectations hold." in right and changed(right) == 0
    # In check mode too, for it only reads.
    assert "2 of 2 expectations hold." in runs.play("verify", *chosen, "--check")
