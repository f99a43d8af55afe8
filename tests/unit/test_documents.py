# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents lead somewhere: every link in them does, and each is found from docs/README.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "roles").glob("*/README.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def links(document: Path) -> list[Path]:
    """The files and folders of this checkout that a document links to, outside its samples."""
    targets = _LINK.findall(_FENCE.sub("", document.read_text(encoding="utf-8")))
    inside = (target.partition("#")[0] for target in targets if "://" not in target)
    return [(document.parent / target).resolve() for target in inside if target]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    assert [str(path) for path in links(document) if not path.exists()] == []


def test_the_index_knows_every_document() -> None:
    known = set(links(INDEX))
    missing = [path.name for path in sorted((ROOT / "docs").iterdir()) if path != INDEX and path not in known]
    assert not missing, f"docs/README.md has no link to {', '.join(missing)}"


def test_a_link_into_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("[b](b.md#part) [c](c.md) [d](https://example.com/d) [e](#e)\n```\n[f](f.md)\n```\n", encoding="utf-8")
    assert links(tmp_path / "a.md") == [tmp_path / "b.md", tmp_path / "c.md"]


def test_the_tests_that_security_names_are_there() -> None:
    """By file, or by name alone in the file that its last part speaks of."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    alone = re.findall(r"`(test_\w+)`", text)
    assert named and alone
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file, _name in named}
    assert [f"{file}::{name}" for file, name in named if name and f"def {name}(" not in sources[file]] == []
    everything = "".join(sources.values()) + (ROOT / "tests/twin/test_confinement.py").read_text(encoding="utf-8")
    assert [name for name in alone if f"def {name}(" not in everything] == []
