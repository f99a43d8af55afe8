# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances in the kernel by ssh: see ssh_twin.py, which is run as whoever runs the tests and, as root, as an unprivileged user too."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.namespaces import needs_namespaces

PROGRAM = Path(__file__).with_name("ssh_twin.py")
ROOT = Path(__file__).parents[2]
CHECKS = re.findall(r"^def (check_\w+)\(", PROGRAM.read_text(encoding="utf-8"), re.MULTILINE)
NOBODY = 65534
WHO = ["root", "rootless"] if os.geteuid() == 0 else ["rootless"]
LIBRARY = importlib.util.find_spec("asyncssh")
MISSING = [name for name in ("ssh", "scp", "sftp", "ssh-keygen", "ssh-agent") if shutil.which(name) is None]
pytestmark = [
    needs_namespaces,
    pytest.mark.skipif(LIBRARY is None, reason="asyncssh is not installed"),
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} of OpenSSH's client are not installed"),
]


@functools.cache
def said(who: str) -> dict[str, str]:
    """What the program tells, run as that user."""
    path = os.pathsep.join(
        [str(ROOT / "playbooks" / "collections"), str(ROOT / "tests"), str(Path(str(LIBRARY and LIBRARY.origin)).parents[1])]
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}
    if who == "root" or os.geteuid() != 0:
        found = _run(sys.executable, environment, -1)
        assert found.returncode == 0, found.stderr
        return dict(json.loads(found.stdout))
    for python in (sys.executable, f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}", "/usr/bin/python3"):
        with_path = {**environment, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        try:
            tried = subprocess.run(
                [python, "-c", "import asyncssh"], user=NOBODY, group=NOBODY, extra_groups=[], env=with_path, check=False
            )
        except OSError:
            continue
        if tried.returncode == 0:
            found = _run(python, with_path, NOBODY)
            assert found.returncode == 0, found.stderr
            return dict(json.loads(found.stdout))
    return dict.fromkeys((*CHECKS, "log"), "skip: no interpreter that an unprivileged user may run has asyncssh")


def _run(python: str, environment: dict[str, str], user: int) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        more = {}
        if user >= 0:
            os.chown(home, user, user)
            more = {"user": user, "group": user, "extra_groups": []}
        return subprocess.run(
            [python, str(PROGRAM)], capture_output=True, text=True, timeout=400, check=False, env={**environment, "HOME": home}, **more
        )  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("check", [*CHECKS, "log"])
def test_ssh_to_instances(who: str, check: str) -> None:
    found = said(who)[check]
    if found.startswith("skip: "):
        pytest.skip(found.removeprefix("skip: "))
    assert found == "", found
