# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transcripts in docs/ come from runs, by support.transcripts; every block that says so can be made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.transcripts import BLOCK, DOCS, PICKS, filled, said

RUN = """\
[WARNING]: No inventory was parsed, only implicit localhost is available

TASK [Show what gets through before the routes] ****
Before the routes:
    FROM  TO  TRAFFIC  INTENDED   PREDICTED  OBSERVED  WHY
ok  a.x   b.y  icmp    reachable  blocked    blocked   NO_ROUTE_TO_DESTINATION
ok: [localhost]

TASK [Make the routes] ****
1/1 + route a.private: 10.1.0.0/16 (0.0 s)
changed: [localhost]

TASK [See that it failed] ****
ok: [localhost] => {
    "changed": false,
    "msg": "1 failed before the routes, each for \\"NO_ROUTE_TO_DESTINATION\\"."
}

TASK [Show what is intended, predicted and observed] ****
    FROM  TO  TRAFFIC  INTENDED   PREDICTED  OBSERVED            WHY
ok  a.x   b.y  icmp    reachable  reachable  reachable 0.129 ms
ok: [localhost]
ok: [localhost] => {
    "changed": false,
    "msg": "1 of 1 expectations hold, 1 shown by packets, 0 predicted."
}

PLAY RECAP ****
localhost                  : ok=1 changed=1
"""


def test_only_what_was_said_to_people() -> None:
    lines = said(RUN)
    assert lines[0] == "Before the routes:" and lines[-1] == "1 of 1 expectations hold, 1 shown by packets, 0 predicted."
    assert len(lines) == 8 and lines[4] == '1 failed before the routes, each for "NO_ROUTE_TO_DESTINATION".'
    assert PICKS["lessons"](lines) == lines[:5]
    assert PICKS["end"](lines) == lines[5:]
    assert len(PICKS["tables"](lines)) == 5 and PICKS["tables"](lines)[2] == ""


def test_a_block_is_filled_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "one-first.txt").write_text(RUN)
    page = "a\n\n<!-- run: one-first end -->\n\n```\nold\n```\n\n<!-- run: other end -->\n\n```\nstays\n```\n"
    assert filled(page, tmp_path) == page.replace("old", "\n".join(said(RUN)[5:]))
    with pytest.raises(KeyError):
        filled(page.replace("end", "nothing"), tmp_path)


def test_every_job_has_its_transcript() -> None:
    pages = {page.stem: page.read_text() for page in DOCS.glob("job_*.md")}
    assert len(pages) == 5
    for name, text in pages.items():
        blocks = list(BLOCK.finditer(text))
        assert blocks and all(found["pick"] in PICKS and found["text"].strip() for found in blocks), name
        assert len(blocks) == len(re.findall("<!-- run: ", text)), name
