# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbooks said to people, put into the pages of docs/ from whole runs; nothing is written into a transcript by hand.

    python tests/bench/jobs.py --outputs FOLDER     # the runs; others may be put beside them, as NAME.txt
    PYTHONPATH=tests:playbooks/collections python -m support.transcripts FOLDER

A page has ``<!-- run: NAME PICK -->`` above a fenced block, which becomes the lines that PICK takes of FOLDER/NAME.txt. Blocks whose run is
not in the folder stay as they are.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"(<!-- run: (?P<name>\S+) (?P<pick>\S+) -->\n\n```\w*\n)(?P<text>.*?)(\n```\n)", re.DOTALL)

#: Ansible's own lines, and results that are printed as data.
_ANSIBLE = re.compile(
    r"(PLAY|TASK|ok:|changed:|skipping:|included:|fatal:|localhost +:|\[WARNING\]|\[DEPRECATION|[{}]|    \"(?!msg\")|\.\.\.|$)"
)
_TABLE = re.compile(r"(    FROM |ok  |!!  |\?\?  )")
_HELD = re.compile(r"\d+ (of \d+ expectations hold|failed before)")


def said(output: str) -> list[str]:
    """The lines that a run printed for people: tables, texts, progress, and what checks said."""
    lines = []
    for line in output.splitlines():
        told = re.match(r'    "msg": (".*"),?$', line)
        if told:
            lines.append(str(json.loads(told[1])))
        elif not _ANSIBLE.match(line):
            lines.append(line.rstrip())
    return lines


def _tables(lines: Sequence[str]) -> list[list[str]]:
    """Each table of intended, predicted and observed, with its head."""
    found: list[list[str]] = []
    for line, before in zip(lines, ["", *lines], strict=False):
        if line.startswith("    FROM "):
            found.append([line])
        elif found and _TABLE.match(line) and _TABLE.match(before):
            found[-1].append(line)
    return found


def tables(lines: Sequence[str]) -> list[str]:
    """All tables, an empty line between two."""
    return [line for number, table in enumerate(_tables(lines)) for line in ([""] if number else []) + table]


def end(lines: Sequence[str]) -> list[str]:
    """The last table, and what held at the end."""
    return [*_tables(lines)[-1], *[line for line in lines if _HELD.match(line)][-1:]]


def left(lines: Sequence[str]) -> list[str]:
    """What a removal ends with."""
    return [line for line in lines if re.match(r"(Nothing|No instance|Something)\b", line)]


def lessons(lines: Sequence[str]) -> list[str]:
    """The first step whole, with the table before it; of the others what failed before each, and what held in between."""
    start = next(number for number, line in enumerate(lines) if line.startswith("Before "))
    first = next(number for number, line in enumerate(lines) if _HELD.match(line))
    rest = [line for line in lines[first:] if _HELD.match(line)]
    last = max(number for number, line in enumerate(rest) if " failed before " in line)
    return [*lines[start:first], *rest[: last + 1]]


def tutorial(lines: Sequence[str]) -> list[str]:
    """What the tutorial says before each step, what failed, and the ping at its end."""
    ping = next(number for number, line in enumerate(lines) if line.startswith("PING "))
    stop = next(number for number in range(ping, len(lines)) if lines[number].startswith("rtt "))
    words = r"(Two VPCs know|The connection is active|Packets now arrive|\d+ failed before)"
    shown = lines[ping : stop + 1]
    # Ansible's empty lines are gone, and ping's with them.
    return [*(line for line in lines if re.match(words, line)), *(("\n" if line.startswith("---") else "") + line for line in shown)]


def transfers(lines: Sequence[str]) -> list[str]:
    """What became of each file, why it did not get there before each step, and the last table."""
    words = r"(\S+ from \S+ to \S+ (does not get there|is there)|\d+ failed before)"
    return [*(line for line in lines if re.match(words, line)), *_tables(lines)[-1]]


def handoff(lines: Sequence[str]) -> list[str]:
    """What the other owner is to do, and the packets to their side."""
    start = next(number for number, line in enumerate(lines) if line.startswith("For the owner of "))
    stop = next(number for number in range(start + 1, len(lines)) if not lines[number].startswith("  "))
    return [*lines[start:stop], *_tables(lines)[-1]]


PICKS: dict[str, Callable[[Sequence[str]], list[str]]] = {
    pick.__name__: pick for pick in (tables, end, left, lessons, tutorial, transfers, handoff)
}


def filled(text: str, folder: Path) -> str:
    """A page with its transcripts from the runs in a folder. Raises KeyError for a pick that is none."""

    def block(found: re.Match[str]) -> str:
        run = folder / f"{found['name']}.txt"
        if not run.exists():
            return found[0]
        lines = PICKS[found["pick"]](said(run.read_text(encoding="utf-8")))
        return found[1] + "\n".join(lines).rstrip() + found[5]

    return BLOCK.sub(block, text)


def main(arguments: Sequence[str]) -> None:
    """Fill every page."""
    (folder,) = arguments
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = filled(before, Path(folder))
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.name}: written")


if __name__ == "__main__":
    main(sys.argv[1:])
