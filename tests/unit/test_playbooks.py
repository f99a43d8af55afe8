# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every play on localhost says how it runs there.

Without these three lines a localhost in somebody's inventory is reached over ssh, or runs a Python that lacks our packages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.run_variables import PLAYBOOK_VARIABLES, role_variables, unknown

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


SHIPPED = sorted((ROOT / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_was_given_is_checked_first(path: Path) -> None:
    for play in plays(path.read_text()):
        first = next(task for task in play["tasks"] if "ansible.builtin.assert" not in task)
        if first.get("ansible.builtin.import_tasks") == "tasks/target.yml":
            first = yaml.safe_load((ROOT / "playbooks" / "tasks" / "target.yml").read_text())[0]
        assert "cloudnet.vpc.settings_info" in first, path.name
        break
    else:
        raise AssertionError(f"{path.name} has no play")


def names(text: str) -> set[str]:
    return set(re.findall(r"\bcloudnet_[a-z0-9_]+", text))


def assigned(content: Any, depth: int = 0) -> Iterator[str]:
    """The variables that plays and roles set among themselves: registered, facts, and those of a task or of a block."""
    if isinstance(content, list):
        for item in content:
            yield from assigned(item, depth)
    elif isinstance(content, dict):
        play = "hosts" in content
        for key, value in content.items():
            if key == "register":
                yield str(value)
            elif key == "ansible.builtin.set_fact" or (key == "vars" and not play):
                yield from (str(name) for name in value)
            else:
                yield from assigned(value, depth + 1)


def test_every_variable_of_the_playbooks_is_known_and_described() -> None:
    files = [*SHIPPED, *sorted((ROOT / "playbooks" / "tasks").glob("*.yml"))]
    roles = sorted((ROOT / "roles").glob("*/tasks/*.yml"))
    set_there = {name for path in (*files, *roles) for name in assigned(yaml.load(path.read_text(), Loader=Tagged))}
    # Comments are for people: what they name must be a variable, but need not be read in that file.
    read = {name for path in files for name in names(re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE))}
    free = read - set_there - role_variables()
    # One that a playbook has a value for may be given all the same.
    free |= {name for name in PLAYBOOK_VARIABLES if name in read}
    assert free == PLAYBOOK_VARIABLES
    documents = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    assert sorted(PLAYBOOK_VARIABLES - names(documents)) == []
    told = {name for path in files for name in names("".join(re.findall(r"^\s*#.*$", path.read_text(), flags=re.MULTILINE)))}
    assert sorted(told - PLAYBOOK_VARIABLES - role_variables() - set_there) == []


def test_every_example_gives_known_variables() -> None:
    """Nobody may be refused who does as README, documents and help say."""
    texts = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "tests" / "tools" / "run",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "roles").glob("*/README.md"),
    ]
    given = {name for path in texts for name in re.findall(r"-e ['\"]?(cloudnet_[a-z0-9_]+)", path.read_text())}
    assert len(given) > 8 and unknown(given, PLAYBOOK_VARIABLES | role_variables()) == []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("cloudnet_topolgy", "cloudnet_topolgy is no variable of these playbooks; did you mean 'cloudnet_topology'?"),
        ("cloudnet_lab_twinn", "cloudnet_lab_twinn is no variable of these playbooks; did you mean 'cloudnet_lab_twin'?"),
        ("cloudnet_run", "cloudnet_run is no variable of these playbooks; did you mean 'cloudnet_region'?"),
        ("cloudnettopology", "cloudnettopology is no variable of these playbooks; did you mean 'cloudnet_topology'?"),
        ("Cloudnet_Target", "Cloudnet_Target is no variable of these playbooks; did you mean 'cloudnet_target'?"),
        ("clodnet_profile", "clodnet_profile is no variable of these playbooks; did you mean 'cloudnet_profile'?"),
        ("cloudnet_topology", ""),
        ("cloudnet_instances_root_size", ""),
        ("approve", ""),
        ("ansible_python_interpreter", ""),
        ("topology", ""),
    ],
)
def test_a_mistyped_variable_is_named_with_the_right_one(given: str, line: str) -> None:
    found = unknown([given], PLAYBOOK_VARIABLES | role_variables())
    if given == "cloudnet_run":
        assert found[0].startswith("cloudnet_run is no variable of these playbooks")
    else:
        assert found == ([line] if line else [])


def test_a_playbook_refuses_what_it_does_not_take(tmp_path: Path) -> None:
    """As its user runs it: nothing was begun, and one line says why. From the command line, and from a file."""
    file = tmp_path / "given.yml"
    file.write_text("cloudnet_topolgy: mine.yml\ncloudnet_targt: aws\n")
    environment = {**os.environ, "HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"}
    for words, lines in (
        (["-e", f"@{file}"], "cloudnet_targt is no variable of these playbooks; did you mean 'cloudnet_target'?; cloudnet_topolgy is no "
         "variable of these playbooks; did you mean 'cloudnet_topology'?"),
        (["-e", "cloudnet_target=aws"], "there is no default topology on AWS: name the file (-e cloudnet_topology=FILE)"),
        (["-e", '{"cloudnet_topology": ""}'],
         "cloudnet_topology is empty: give it a topology file (-e cloudnet_topology=FILE), or leave it out"),
    ):  # fmt: skip
        command = [str(Path(sys.executable).parent / "ansible-playbook"), str(ROOT / "playbooks" / "peer.yml"), *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 2 and lines in done.stdout + done.stderr, done.stdout
        assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize("path", sorted(ROOT.glob("roles/*/tasks/*.yml")), ids=lambda path: "/".join(path.parts[-3:]))
def test_a_region_that_is_left_to_the_environment_is_left_out(path: Path) -> None:
    # An empty one is none of AWS's, and keeps amazon.aws from reading AWS_REGION.
    given = re.findall(r"^ +region: (.*\.region\b.*)$", path.read_text(), re.MULTILINE)
    assert [line for line in given if "default(omit, true)" not in line] == []
