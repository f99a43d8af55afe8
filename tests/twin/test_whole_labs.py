# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two whole labs side by side, one of them killed: the other goes on, nothing is left of it, and the host's network never changed.

As whoever runs the tests and, where that is root, as an ordinary user too; whole_labs.py is what is run as that user.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.lab import COLLECTIONS
from support.namespaces import NOBODY, needs_namespaces

from .test_plane import gone, host_network, mounts

pytestmark = [needs_namespaces, pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")]
PROGRAM = Path(__file__).with_name("whole_labs.py")
WHO = ["root", "ordinary user"] if os.geteuid() == 0 else ["ordinary user"]
NEEDED = "import asyncssh, boto3, dns, flask_cors, moto"
PACKAGES = next(Path(sys.executable).parent.parent.glob("lib/python*/site-packages"))


class User:
    """Who runs the labs: ``folder`` is the home and holds all that they write, their temporary files too."""

    def __init__(self, who: str, folder: Path) -> None:
        self.folder = folder
        self._more: dict[str, Any] = {}
        self.python: str | Path = sys.executable
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "PYTHONPATH": os.pathsep.join([str(COLLECTIONS), str(COLLECTIONS.parents[1] / "tests")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        (folder / "tmp").mkdir()
        if who != "root" and os.geteuid() == 0:
            self._more = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            for path in (folder, folder / "tmp"):
                os.chown(path, NOBODY, NOBODY)
            self.python = self._ordinary_python()

    def _ordinary_python(self) -> Path:
        """An interpreter that an ordinary user may run, with the packages of this one: this one may lie where only root reads."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        for python in (
            sys.executable,
            shutil.which(f"python{version}", path="/usr/local/bin:/usr/bin"),
            shutil.which("python3", path="/usr/bin"),
        ):
            if python is None or not _runs(
                [python, "-c", f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"], self._more
            ):
                continue
            subprocess.run([python, "-m", "venv", "--without-pip", str(self.folder / "python")], check=True, capture_output=True)
            found = self.folder / "python" / "bin" / "python"
            place = next((self.folder / "python" / "lib").glob("python*/site-packages"))
            (place / "all.pth").write_text(f"{PACKAGES}\n")
            if _runs([str(found), "-c", NEEDED], self._more):
                return found
        pytest.skip(f"no Python {version} that an ordinary user may run has the lab's packages")

    def __call__(self, *words: str) -> dict[str, Any]:
        """Run the program as this user; what it tells."""
        done = subprocess.run(
            [str(self.python), str(PROGRAM), *words],
            cwd="/", env=self.environment, capture_output=True, text=True, timeout=300, check=False, **self._more,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def files(self) -> set[str]:
        """What lies in the folders of the labs, but for the interpreter."""
        found = (path for name in ("state", "tmp") for path in (self.folder / name).rglob("*"))
        return {str(path.relative_to(self.folder)) for path in found if path.is_symlink() or not path.is_dir()}


def _runs(command: list[str], user: dict[str, Any]) -> bool:
    try:
        return subprocess.run(command, cwd="/", env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False, **user).returncode == 0
    except OSError:
        return False


@contextmanager
def user(who: str) -> Iterator[User]:
    """A user with an empty home, whose labs end with the block."""
    # Where an ordinary user may look, and short enough for the path of a socket.
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="cloudnet-") as folder:
        found = User(who, Path(folder))
        try:
            yield found
        finally:
            found("stop", "one")
            found("stop", "two")


def namespaces(processes: list[int]) -> set[str]:
    """The namespaces in which processes are, and those that they hold open."""
    found = set()
    for process in processes:
        for path in (*Path(f"/proc/{process}/ns").glob("*"), *Path(f"/proc/{process}/fd").glob("*")):
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if target.partition(":")[0] in ("net", "mnt", "pid", "user", "uts", "ipc"):
                found.add(target)
    return found


def holders(wanted: set[str]) -> set[int]:
    """The processes of this machine that are in one of the namespaces, or hold one open."""
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and namespaces([int(path.name)]) & wanted}


@pytest.mark.parametrize("who", WHO)
def test_two_labs_and_one_is_killed(who: str) -> None:
    before, mounted = host_network(), mounts()
    with user(who) as run:
        # The same addresses in both, and a further VPC in the second.
        one, two = run("start", "one", "10.1.0.0/16"), run("start", "two", "10.1.0.0/16", "10.2.0.0/16")
        assert (one["hosts"], two["hosts"]) == (["ip-10-1-1-4"], ["ip-10-1-1-4", "ip-10-2-1-4"])
        assert run("mark", "one") == {"marks": {"ip-10-1-1-4": "one"}}
        assert run("mark", "two") == {"marks": {"ip-10-1-1-4": "two", "ip-10-2-1-4": "two"}}
        # Neither the other lab's instances answer, nor the lab's own endpoint on this machine.
        port = two["url"].rpartition(":")[2]
        assert run("reach", "one", "10.1.1.4", "10.2.1.4", f"127.0.0.1:{port}") == {"answers": ["10.1.1.4"]}
        assert (host_network() == before, mounts() == mounted) == (True, True)

        tree = [one["pid"], *run("find", "one")["below"]]
        theirs = namespaces(tree) - namespaces([os.getpid()])
        kinds = {item.partition(":")[0] for item in theirs}
        assert {"net", "mnt", "pid", "user"} <= kinds, kinds
        # A namespace is there as long as a process or a mount holds it: none but these do, and these end.
        assert holders(theirs) <= set(tree)
        os.kill(one["pid"], 9)
        assert gone(tree, 20.0)
        assert mounts() == mounted
        assert run("read", "two") == {"marks": {"ip-10-1-1-4": "two", "ip-10-2-1-4": "two"}}

        # The next start is like the first: what it finds of the killed one is taken over or away.
        again = run("start", "one")
        assert (again["hosts"], again["pid"] != one["pid"]) == ([], True)
        assert not Path(one["ssh_socket"]).exists()
        config = Path(again["ssh_config"]).read_text()
        assert "10.1.1.4" not in config and "i-0" not in config
        last = [again["pid"], *again["below"], two["pid"], *run("find", "two")["below"]]
        run("stop", "one")
        run("stop", "two")
        assert gone(last, 20.0)
        left = run.files()
        assert not [name for name in left if name.startswith("tmp/")], left
        names = {"config", "credentials", "known_hosts", "lab.log", "lock", "options.json", "ssh_config", "ssh_key", "ssh_key.pub"}
        assert left == {f"state/cloudnet/{lab}/{name}" for lab in ("one", "two") for name in names}
    assert (host_network() == before, mounts() == mounted) == (True, True)
