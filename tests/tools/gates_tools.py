# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gates are made of: commands whose output goes to a log, pytest runs whose results are counted, and the build tree."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build"
LOGS = BUILD / "logs"
HOME = BUILD / "home"
TREE = BUILD / "tree" / "ansible_collections" / "cloudnet" / "vpc"
"""A copy of the collection in the folder structure that ansible-test wants, without the link that it refuses."""
DIST = BUILD / "dist"
COLLECTIONS = ROOT / "playbooks" / "collections"
LINK = "playbooks/collections"


class GateFailed(Exception):
    """A gate found something; the message is one line."""


class GateSkipped(Exception):
    """What a gate needs is not on this machine; the message is one line."""


@dataclass(frozen=True)
class Tests:
    """The result of one pytest run; ``summary`` is pytest's own last line."""

    name: str
    summary: str
    passed: int
    failed: int


@dataclass
class Context:
    """Where one gate runs: its log, and the tests that it counted."""

    name: str
    tests: list[Tests] = field(default_factory=list)
    _started: bool = False

    @property
    def log(self) -> Path:
        """The gate's log file."""
        return LOGS / f"{self.name}.log"

    def note(self, text: str) -> None:
        """Add a line to the log; the first one of a run begins it anew."""
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log.open("a" if self._started else "w") as log:
            log.write(text + "\n")
        self._started = True

    def run(self, *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, check: bool = True) -> int:
        """Run a command with its output in the log. Raises GateFailed when it does not end with 0, unless ``check`` is false."""
        words = [str(word) for word in command]
        self.note(f"$ {' '.join(words)}")
        with self.log.open("ab") as log:
            code = subprocess.run(
                words, cwd=cwd, env=environment(cwd, env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            ).returncode
        if code and check:
            raise GateFailed(f"{Path(words[0]).name} ended with code {code}")
        return code

    def pytest(self, *arguments: str | Path, python: str | Path = sys.executable, env: Mapping[str, str] | None = None) -> None:
        """Run pytest and count its tests. Raises GateFailed when one failed, or when there was none."""
        report = LOGS / f"{self.name}.xml"
        report.unlink(missing_ok=True)
        code = self.run(python, "-m", "pytest", "-q", f"--junitxml={report}", *arguments, env=env, check=False)
        if report.exists():
            self.tests.append(read_report(self.name, report, self.log.read_text(errors="replace")))
        if code:
            raise GateFailed("no tests were found" if code == 5 else f"pytest ended with code {code}")

    def output(self, *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
        """A command's standard output, in the log too. Raises GateFailed when it does not end with 0."""
        words = [str(word) for word in command]
        self.note(f"$ {' '.join(words)}")
        done = subprocess.run(
            words, cwd=cwd, env=environment(cwd, env), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        self.note(done.stdout + done.stderr)
        if done.returncode:
            raise GateFailed(f"{Path(words[0]).name} ended with code {done.returncode}")
        return done.stdout


def environment(folder: Path = ROOT, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a gate's command: no AWS settings of the user's, and a home folder of its own: nothing is left in the user's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_") or key == "AWS_CA_BUNDLE"}
    for key in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        kept.pop(key, None)
    # Not "C": file names and messages are UTF-8.
    kept.setdefault("LC_ALL", "C.UTF-8")
    # As a shell has it: the playbooks know by it where their user stands.
    kept["PWD"] = str(folder)
    kept["HOME"] = str(HOME)
    if TREE in (folder, *folder.parents):
        # Nothing may appear in the build tree while another gate looks at its files.
        kept["PYTHONDONTWRITEBYTECODE"] = "1"
    kept["ANSIBLE_HOME"] = str(HOME / ".ansible")
    kept["ANSIBLE_NOCOLOR"] = kept["NO_COLOR"] = "1"
    kept.update(extra or {})
    return kept


def make_home() -> None:
    """Make the gates' home folder, with the pip settings that hold for the user: ansible-test passes none but those of a home folder on."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    sections: dict[str, dict[str, str]] = {}
    # ":env:." comes first in the list and is the strongest, so it is taken last.
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _equals, value = line.partition("=")
        section, _dot, key = name.replace(":env:", "global").partition(".")
        if key:
            sections.setdefault(section, {})[key] = "\n  ".join(ast.literal_eval(value).split("\n"))
    text = "".join(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for section, keys in sections.items())
    path = HOME / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True, exist_ok=True)
    # An index may need a password.
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def stop_labs() -> None:
    """End the labs that gates were interrupted in, each by its own record: they outlive their plays."""
    for folder in sorted((HOME / ".local" / "state" / "cloudnet").glob("*/")):
        command = [sys.executable, "-m", "ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.cli", "stop", "--name", folder.name]
        subprocess.run(command, env=environment(extra={"PYTHONPATH": str(COLLECTIONS)}), capture_output=True, check=False)


def read_report(name: str, report: Path, log: str) -> Tests:
    """Count a pytest run by its JUnit report, and find pytest's own summary in its log."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))

    def total(key: str) -> int:
        return sum(int(suite.get(key, "0")) for suite in suites)

    failed = total("failures") + total("errors")
    lines = [line.strip("= ") for line in log.splitlines() if re.search(r"\d+ (passed|failed|error|skipped).* in [\d.]+s", line)]
    return Tests(name, lines[-1] if lines else "no summary", total("tests") - failed - total("skipped"), failed)


def sources() -> list[str]:
    """The collection's files, relative to its root: what git knows, or would add; without git, all but what is generated."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        # The owner of a checkout may be another user than the one who tests it.
        command = [git, "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if not generated(path.relative_to(ROOT))]
    kept = sorted({name for name in names if name and not name.startswith(LINK) and not (ROOT / name).is_dir()})
    return [name for name in kept if (ROOT / name).is_file()]


def generated(path: Path) -> bool:
    """Whether a path is something that a command here makes."""
    made = {
        ".venv",
        ".build",
        ".git",
        ".cache",
        ".ansible",
        "artifacts",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".hypothesis",
    }
    return bool(made & set(path.parts)) or str(path).startswith(("tests/output", LINK)) or path.suffix in {".pyc", ".gz"}


def copy_tree(target: Path) -> int:
    """Make ``target`` a copy of the collection, and return how many files that are. What is as it was is left alone: tools' caches hold."""
    names = sources()
    wanted = {target / name for name in names}
    for path in sorted(target.rglob("*"), reverse=True) if target.exists() else []:
        if ".git" in path.relative_to(target).parts:
            continue
        if path.is_symlink() or (path.is_file() and path not in wanted):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for name in names:
        source, copy = ROOT / name, target / name
        data = source.read_bytes()
        if not copy.exists() or copy.read_bytes() != data:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
        if copy.stat().st_mode != source.stat().st_mode:
            copy.chmod(source.stat().st_mode)
    return len(names)


def link(path: Path, target: Path | str) -> None:
    """Make ``path`` a link to ``target``, whatever it was."""
    if path.is_symlink() or path.exists():
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
