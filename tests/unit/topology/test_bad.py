# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every faulty topology in ``bad/`` and the exact text that a person gets.

The files are YAML under an ending of their own, because linters refuse what they hold.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import TopologyError

CASES = sorted(path for path in (Path(__file__).parent / "bad").iterdir() if path.suffix in (".topology", ".json"))


def test_there_are_many() -> None:
    assert len(CASES) >= 60
    assert {path.stem for path in CASES} == {path.stem for path in (Path(__file__).parent / "bad").glob("*.txt")}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_fault(path: Path) -> None:
    with pytest.raises(TopologyError) as caught:
        load(path)
    assert str(caught.value) + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")
    for finding in caught.value.findings:
        assert "\n" not in str(finding)
        assert len(str(finding)) <= 400
