# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs as people have them, daemons that outlive who started them, with their state in a test's folder; and playbooks on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import lifecycle
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.environment import lab_environment

ROOT = Path(__file__).parents[2]


@contextmanager
def surroundings(folder: Path) -> Iterator[None]:
    """This process's environment without AWS's and Ansible's settings, and with state and home below a folder."""
    before = dict(os.environ)
    try:
        for name in [name for name in os.environ if name.startswith(("AWS_", "ANSIBLE_"))]:
            del os.environ[name]
        os.environ.update(XDG_STATE_HOME=str(folder / "state"), HOME=str(folder))
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class WholeLab:
    """A started lab. ``folder``: the user's, below which its state is."""

    def __init__(self, name: str, folder: Path, found: lifecycle.Found) -> None:
        if found.record is None:
            raise RuntimeError(f"lab {name} does not run")
        self.name, self.folder, self.found, self.record = name, folder, found, found.record
        self.ssh_config = str(found.status["plane"]["ssh_config"])
        described = {"url": self.record.url, "config_file": self.record.config_file, "credentials_file": self.record.credentials_file}
        self.settings = lab_environment({**described, "profile": "lab", "region": self.record.region}, environ={})

    def environment(self) -> dict[str, str]:
        """Of a program that talks to this lab."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        # As a shell has it: playbooks know by PWD where their user stands.
        kept.update(self.settings, HOME=str(self.folder), XDG_STATE_HOME=str(self.folder / "state"), PWD=str(self.folder))
        kept.update(ANSIBLE_HOME=str(self.folder / ".ansible"), ANSIBLE_LOCALHOST_WARNING="false", ANSIBLE_NOCOLOR="1", NO_COLOR="1")
        kept.update(ANSIBLE_COLLECTIONS_PATH=str(ROOT / "playbooks" / "collections"), ANSIBLE_PIPELINING="true", LC_ALL="C.UTF-8")
        return kept

    def run(self, *command: str | Path, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """A program that talks to this lab."""
        words = [str(word) for word in command]
        return subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def playbook(self, path: Path, *words: str, variables: Mapping[str, Any] | None = None) -> str:
        """Run a playbook in the lab's environment; what it says. Shown when it fails."""
        tool = Path(sys.executable).with_name("ansible-playbook")
        done = self.run(tool, path, "-i", "localhost,", "-e", json.dumps(dict(variables or {})), *words)
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        return done.stdout + done.stderr

    def module(self, name: str, **arguments: Any) -> str:
        """Run one module on this machine; what it says. Shown when it fails."""
        tool, here = (
            Path(sys.executable).with_name("ansible"),
            {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        )
        done = self.run(tool, "localhost", "-i", "localhost,", "-e", json.dumps(here), "-m", name, "-a", json.dumps(arguments))
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def ssh(self, host: str, line: str, *options: str) -> subprocess.CompletedProcess[str]:
        """A line for the shell of a host that the lab's ssh configuration knows."""
        return self.run("ssh", "-F", self.ssh_config, "-o", "ConnectTimeout=20", *options, host, line, seconds=60)

    def client(self, service: str = "ec2", profile: str = "lab") -> Any:
        """A boto3 client by the lab's own configuration."""
        import boto3
        from botocore.config import Config

        before = dict(os.environ)
        try:
            os.environ.update({**self.settings, "AWS_PROFILE": profile, "AWS_DEFAULT_PROFILE": profile})
            session: Any = boto3.session.Session(profile_name=profile)
            # Its endpoint and keys are settled here, and not at its first call.
            return session.client(service, config=Config(retries={"total_max_attempts": 1}))
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def whole_lab(name: str, folder: Path, **options: Any) -> Iterator[WholeLab]:
    """A lab with a data plane while the block runs."""
    with surroundings(folder):
        try:
            yield WholeLab(name, folder, lifecycle.start(name, {"twin": "required", **options}))
        finally:
            lifecycle.stop(name)


def files_below(folders: Sequence[Path]) -> set[str]:
    """Every file, link and socket below folders."""
    return {str(path) for folder in folders if folder.exists() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
