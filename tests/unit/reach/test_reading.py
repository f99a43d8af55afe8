# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reading_a_verdict.md shows what is really said, and leaves no code out."""

from __future__ import annotations

from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.verdict import BLOCKER_CODES, UNKNOWN_CODES

from . import reading


def test_every_code_has_an_example_that_has_it() -> None:
    assert set(reading.EXAMPLES) == BLOCKER_CODES | set(UNKNOWN_CODES)
    for code, (case, question, _note) in reading.EXAMPLES.items():
        found = reading.verdict(case, question)
        assert code in [*found.codes, *(unknown.code for unknown in found.unknowns)], (code, case, question)


def test_the_document_is_what_is_said() -> None:
    document = reading.DOC.read_text()
    assert reading.written(document) == document, "write them anew: python -m tests.unit.reach.reading"
    assert reading.whole() in document
