# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands behind the Makefile, where they are cheap to try: which interpreter, when to set up again, what a shell is told.

The gate ``clone`` tries the rest in a real copy with spaces in its name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(folder: Path, *words: str, path: str = "/usr/bin:/bin", **extra: str) -> subprocess.CompletedProcess[str]:
    """Run one command of a checkout's tests/tools/run, in an environment that has nothing else in it."""
    env = {"PATH": path, "HOME": str(folder / "nobody's home"), **extra}
    return subprocess.run([folder / "tests" / "tools" / "run", *words], capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a checkout as the commands need, in a folder with a difficult name, with an environment that looks set up."""
    folder = tmp_path / "it's a $HOME of spaces"
    shutil.copytree(ROOT / "tests" / "tools", folder / "tests" / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (ROOT / "tests").glob("*.txt"):
        shutil.copy(path, folder / "tests" / path.name)
    shutil.copy(ROOT / "Makefile", folder / "Makefile")
    (folder / "playbooks" / "collections").mkdir(parents=True)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for line in run(folder, "keys").stdout.splitlines():
        name, key = line.split()
        (folder / ".venv" / f"cloudnet-{name}").write_text(key)
    return folder


def shim(folder: Path, name: str, text: str) -> Path:
    """An executable script of that name."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_interpreter_that_does_not_run_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    shim(tmp_path / "shims", "python9.9", "echo 'python9.9: command not found' >&2; exit 127")
    real = shim(tmp_path / "real", "python9.9", f'exec "{sys.executable}" "$@"')
    found = run(checkout, "find-python", "9.9", path=f"{tmp_path / 'shims'}:{tmp_path / 'real'}:/usr/bin:/bin")
    assert found.stdout.strip() == str(real)


def test_without_an_interpreter_there_is_none(checkout: Path, tmp_path: Path) -> None:
    shim(tmp_path / "shims", "python9.9", "exit 127")
    found = run(checkout, "find-python", "9.9", path=f"{tmp_path / 'shims'}:/usr/bin:/bin")
    assert (found.returncode, found.stdout) == (1, "")


def test_an_interpreter_of_a_version_manager_is_found(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pyenv" / "versions" / "9.9.1"
    folder.mkdir(parents=True)
    real = shim(folder / "bin", "python9.9", f'exec "{sys.executable}" "$@"')
    assert run(checkout, "find-python", "9.9", PYENV_ROOT=str(tmp_path / "pyenv")).stdout.strip() == str(real)


def test_an_interpreter_that_is_too_old_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    old = f'case "$*" in *version_info*) exit 1;; esac; exec "{sys.executable}" "$@"'
    shim(tmp_path / "old", "python9.9", old)
    assert run(checkout, "find-python", "9.9", path=f"{tmp_path / 'old'}:/usr/bin:/bin").returncode == 1


def test_a_named_interpreter_that_does_not_run_is_one_line(checkout: Path, tmp_path: Path) -> None:
    broken = shim(tmp_path / "shims", "python9.9", "exit 127")
    said = run(checkout, "setup", CLOUDNET_PYTHON=str(broken))
    assert said.returncode != 0
    assert f"CLOUDNET_PYTHON={broken} does not run" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1


def test_a_shell_gets_quoted_exports_only(checkout: Path) -> None:
    said = run(checkout, "env")
    assert said.returncode == 0, said.stderr
    assert all(line.startswith("export ") for line in said.stdout.splitlines())
    script = f'{said.stdout}\nprintf "%s\\n" "$PATH" "$ANSIBLE_COLLECTIONS_PATH"'
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere"}
    path, collections = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=env, check=True).stdout.splitlines()
    assert path == f"{checkout}/.venv/bin:/usr/bin:/bin"
    assert collections.split(":")[0] == f"{checkout}/playbooks/collections"


def test_a_shell_that_asks_again_gets_the_same(checkout: Path) -> None:
    first = run(checkout, "env").stdout
    script = f'{first}\nexec "$0" env'
    env = {"PATH": "/usr/bin:/bin", "HOME": str(checkout / "nobody's home")}
    command = ["sh", "-c", script, str(checkout / "tests" / "tools" / "run")]
    assert subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout == first


def test_make_prints_nothing_of_its_own(checkout: Path) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make here")
    env = {"PATH": os.environ["PATH"], "HOME": str(checkout)}
    said = subprocess.run([make, "-s", "-C", str(checkout), "env"], capture_output=True, text=True, env=env, check=True)
    assert said.stdout.startswith("export PATH=")
    assert "make" not in said.stderr


@pytest.mark.parametrize("fault", ["", "unfinished", "requirements", "moved", "interpreter"])
def test_an_environment_that_is_not_whole_is_made_anew(checkout: Path, tmp_path: Path, fault: str) -> None:
    if fault == "unfinished":
        (checkout / ".venv" / "cloudnet-unfinished").touch()
    elif fault == "requirements":
        with (checkout / "tests" / "requirements.txt").open("a") as file:
            file.write("# a change\n")
    elif fault == "moved":
        checkout = checkout.rename(tmp_path / "elsewhere")
    elif fault == "interpreter":
        (checkout / ".venv" / "bin" / "python").unlink()
    # With an interpreter that makes no environments it can get no further than to try.
    shim(tmp_path / "shims", "python3.11", f'case "$*" in *"-m venv"*) exit 1;; esac; exec "{sys.executable}" "$@"')
    said = run(checkout, "env", path=f"{tmp_path / 'shims'}:/usr/bin:/bin")
    if not fault:
        assert said.returncode == 0, said.stderr
        return
    assert said.returncode != 0
    assert "could not make a virtual environment" in said.stderr
    assert not list((checkout / ".venv").glob("cloudnet-base"))


def test_an_unknown_command_is_refused(checkout: Path) -> None:
    said = run(checkout, "nonsense")
    assert said.returncode == 1
    assert "there is no command nonsense" in said.stderr


def test_every_folder_of_tests_has_a_gate() -> None:
    gates = (ROOT / "tests" / "tools" / "gates_list.py").read_text()
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert {"unit", "contract"} <= folders
    assert [name for name in sorted(folders - {"bench"}) if f'context.pytest("tests/{name}"' not in gates] == []


def test_every_target_is_a_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    said = {name: line.split()[2:] for line in makefile.splitlines() for name in ("JOBS", "TARGETS") if line.startswith(f"{name} :=")}
    targets = [*said["JOBS"], *(target for target in said["TARGETS"] if target != "$(JOBS)")]
    script = (ROOT / "tests" / "tools" / "run").read_text()
    commands = {name for cases in re.findall(r"^  ([a-z_|-]+)\)", script, re.MULTILINE) for name in cases.split("|")}
    assert {"peer", "deploy", "test"} <= {*targets}
    assert [target for target in targets if target not in commands] == []
    # A job is a playbook and a topology of that name.
    assert [job for job in said["JOBS"] for folder in ("", "topologies") if not (ROOT / "playbooks" / folder / f"{job}.yml").exists()] == []


@pytest.mark.parametrize(
    ("job", "given"), [("nonsense", "command"), ("", "command"), ("../topologies/finance_hub", "command"), ("fin*", "")]
)
def test_what_is_to_be_removed_is_a_job(checkout: Path, job: str, given: str) -> None:
    """A mistyped, or an empty one, must not remove what make peer made."""
    shutil.copytree(ROOT / "playbooks" / "topologies", checkout / "playbooks" / "topologies")
    said = run(checkout, "delete", CLOUDNET_JOB=job, CLOUDNET_JOB_GIVEN=given)
    assert (said.returncode, said.stdout) == (1, "")
    names = sorted(path.stem for path in (ROOT / "playbooks" / "topologies").glob("*.yml"))
    assert said.stderr == (f"cloudnet: JOB={job} is no job: take one of {' '.join(names)}; without JOB, what make peer made goes\n")


def test_every_job_can_be_removed(checkout: Path) -> None:
    shutil.copytree(ROOT / "playbooks" / "topologies", checkout / "playbooks" / "topologies")
    shim(checkout / ".venv" / "bin", "ansible-playbook", 'echo "$*"')
    names = sorted(path.stem for path in (ROOT / "playbooks" / "topologies").glob("*.yml"))
    for name in names:
        said = run(checkout, "delete", CLOUDNET_JOB=name, CLOUDNET_JOB_GIVEN="command")
        assert said.stdout == f"playbooks/delete.yml -e cloudnet_topology=playbooks/topologies/{name}.yml\n", said.stderr
    assert "two_vpcs.yml" in run(checkout, "delete").stdout and len(names) > 5


def test_make_tells_an_empty_job_from_none(checkout: Path) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make here")
    # Another JOB, in the user's shell, is nobody's business.
    env = {"PATH": os.environ["PATH"], "HOME": str(checkout), "JOB": "finance_hub"}
    (checkout / "tests" / "tools" / "run").write_text('#!/bin/sh\necho "$*:$CLOUDNET_JOB:$CLOUDNET_JOB_GIVEN"\n')
    for words, told in ((("delete",), "delete::"), (("delete", "JOB="), "delete::command"), (("delete", "JOB=x y"), "delete:x y:command")):
        said = subprocess.run([make, "-s", "-C", str(checkout), *words], capture_output=True, text=True, env=env, check=True)
        assert said.stdout.strip() == told
