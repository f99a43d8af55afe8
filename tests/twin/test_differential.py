# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""reach against the kernel's packets. ``make differential`` is the long run of the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.lab import COLLECTIONS, TESTS
from support.namespaces import needs_namespaces

pytestmark = needs_namespaces
CASES = Path(__file__).parent / "cases"
BOTH = (
    "between hosts",
    "to the internet",
    "from the internet",
    "to what aws runs",
    "to the router",
    "to a service",
    "to an address of two",
    "to a prefix",
    "from a prefix",
)
"""Kinds of questions of which some are answered."""
KINDS = (*BOTH, "from beyond", "from what aws runs", "to what does not run", "from what does not run", "to nobody")


def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The program's exit status and its lines."""
    done = subprocess.run(
        [sys.executable, "-m", "support.differential", *arguments],
        env={**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{TESTS}"},
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_reach_says_what_packets_do() -> None:
    code, lines = run("--seeds", "0", "25", "--flows", "60")
    *differences, counts = lines
    assert not differences
    assert code == 0
    # Enough of each answer, or the comparison says little.
    assert counts["compared"] >= 1000
    assert counts["reachable"] >= 100
    assert counts["blocked"] >= 150
    for kind in KINDS:
        assert sum(count for name, count in counts.items() if name.startswith(f"{kind}: ")) >= 10, kind
    for kind in BOTH:
        assert counts[f"{kind}: reachable"] >= 3, kind


def test_what_once_differed_does_not_any_more() -> None:
    code, lines = run("--again", str(CASES))
    assert [line for line in lines if not line["fine"]] == []
    assert code == 0
    assert len(lines) == len(list(CASES.glob("*.json"))) > 0
