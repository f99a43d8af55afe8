# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/lab_fidelity.md: every row cites AWS and names tests that exist, and every area of the lab's layer stands in it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "lab_fidelity.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def _rows() -> list[list[str]]:
    """The cells of every row that is neither a table's head nor its rule."""
    lines = TEXT.splitlines()
    heads = {number - 1 for number, line in enumerate(lines) if line.startswith("|---")}
    found = [line for number, line in enumerate(lines) if line.startswith("|") and number not in heads and not line.startswith("|---")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in found]


ROWS = _rows()


@cache
def _functions(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_rows_tests_exist(row: list[str]) -> None:
    assert len(row) in (3, 5)
    named = _TEST.findall(row[-1])
    if row[0] == "CloudFormation":  # which is only warned of
        assert named == []
        return
    assert named
    for path, function in named:
        assert (ROOT / path).is_file(), path
        assert not function or function in _functions(ROOT / path), function


def test_every_file_of_tests_of_the_layer_is_named() -> None:
    named = {path for row in ROWS for path, _other in _TEST.findall(row[-1])}
    there = {
        str(path.relative_to(ROOT)) for folder in ("unit/lab/fidelity", "contract") for path in (ROOT / "tests" / folder).glob("test_*.py")
    }
    assert there - named == set()


def test_what_aws_documents_is_cited() -> None:
    cited = re.findall(r"\]\((https://docs\.aws\.amazon\.com/[^)]+)\)", TEXT)
    assert len(set(cited)) >= 50
    without = {row[0] for row in ROWS if len(row) == 5 and "https://docs.aws.amazon.com/" not in row[1]}
    assert without == {"amazon.aws twice", "calls that are not implemented"}


def test_rows_are_there_once() -> None:
    names = [row[0] for row in ROWS]
    assert sorted(names) == sorted(set(names))
