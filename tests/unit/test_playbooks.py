# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every play on localhost says how it runs there.

Without these three lines a localhost in somebody's inventory is reached over ssh, or runs a Python that lacks our packages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INTERPRETER = "{{ ansible_playbook_python }}"


class Tagged(yaml.SafeLoader):
    """Reads Ansible's own tags (!vault, !unsafe) as plain text."""


Tagged.add_multi_constructor("!", lambda loader, suffix, node: str(node.value))


def plays(text: str) -> Iterator[dict[str, Any]]:
    """The plays of a playbook; nothing where a file is no playbook."""
    content = yaml.load(text, Loader=Tagged)
    for item in content if isinstance(content, list) else []:
        if isinstance(item, dict) and "hosts" in item:
            yield item


def local(play: dict[str, Any]) -> bool:
    """Whether a play runs on the controller."""
    hosts = play["hosts"]
    return "localhost" in (hosts if isinstance(hosts, list) else str(hosts).replace(":", ",").split(","))


def faults(play: dict[str, Any]) -> list[str]:
    """What a localhost play leaves unsaid."""
    found = []
    if play.get("connection") not in {"local", "ansible.builtin.local"}:
        found.append("connection: local")
    if play.get("gather_facts") is not False:
        found.append("gather_facts: false")
    if (play.get("vars") or {}).get("ansible_python_interpreter") != INTERPRETER:
        found.append(f'vars: ansible_python_interpreter: "{INTERPRETER}"')
    return found


def playbooks() -> list[Path]:
    """Every YAML file that could hold a play: the shipped playbooks, molecule's, and the tests'."""
    found = [path for name in ("playbooks", "molecule") for path in sorted((ROOT / name).rglob("*.y*ml"))]
    found += sorted((ROOT / "tests" / "integration").rglob("*.y*ml"))
    return [path for path in found if not path.is_relative_to(ROOT / "playbooks" / "collections")]


def test_every_localhost_play_says_how_it_runs() -> None:
    found = []
    for path in playbooks():
        for play in plays(path.read_text()):
            if local(play):
                found += [f"{path.relative_to(ROOT)}: {play.get('name', 'a play')}: lacks {fault}" for fault in faults(play)]
    assert not found, "\n".join(found)


def test_there_are_localhost_plays() -> None:
    assert any(local(play) for path in playbooks() for play in plays(path.read_text()))


GOOD: dict[str, Any] = {
    "hosts": "localhost",
    "connection": "local",
    "gather_facts": False,
    "vars": {"ansible_python_interpreter": INTERPRETER},
}


@pytest.mark.parametrize("key", ["connection", "gather_facts", "vars"])
def test_a_missing_line_is_found(key: str) -> None:
    assert faults(GOOD) == []
    assert len(faults({name: value for name, value in GOOD.items() if name != key})) == 1


@pytest.mark.parametrize("hosts", ["localhost", ["web", "localhost"], "web,localhost", "web:localhost"])
def test_a_localhost_play_is_recognised(hosts: object) -> None:
    assert local({"hosts": hosts})
    assert not local({"hosts": "web"})
