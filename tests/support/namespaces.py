# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests that need the kernel: a mark that skips them with the reason where namespaces are refused, and a tree of namespaces to run in.

A test that is marked with ``inside_tree`` runs in a child process in the same namespaces as the data plane has, as process 1: whatever it
makes ends with it, and nothing outside can be reached. One that is marked with ``inside_both_trees`` runs twice where root runs the tests:
with root's privileges, and with none. It must import nothing late, for the Python may lie where only root reads.
"""

from __future__ import annotations

import codecs
import functools
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

# Also imported by files that are run on their own, and not by pytest, which knows the way.
_COLLECTIONS = str(Path(__file__).parents[2] / "playbooks" / "collections")
if _COLLECTIONS not in sys.path:
    sys.path.insert(0, _COLLECTIONS)

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin import tree  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import system  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.support import why_not  # noqa: E402

needs_namespaces = pytest.mark.skipif(bool(why_not()), reason=why_not() or "namespaces are there")
"""For a test, or as ``pytestmark`` of a file."""

_Function = TypeVar("_Function", bound=Callable[..., None])


NOBODY = 65534
"""Whose privileges a tree has that root starts ``rootless``."""
KINDS = (False, True) if os.geteuid() == 0 else (True,)
"""Which kinds of tree this user can start: with root's privileges and rootless, or rootless only."""


def run_in_tree(function: Callable[[], None], seconds: int = 120, rootless: bool = False) -> str:
    """Run a function as process 1 of new user, network, mount, process, UTS and IPC namespaces.

    With ``rootless`` root gives all privileges up before. Returns what the function raised as text, empty for nothing; what it prints goes
    where it would have gone. It is killed after ``seconds``.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    outer = os.fork()
    if outer == 0:
        os.close(reading)
        _outer(function, writing, seconds, rootless)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _process, status = os.waitpid(outer, 0)
    code = os.waitstatus_to_exitcode(status)
    return said or (f"the tree ended with code {code}" if code else "")


def kind_of_tree() -> str:
    """Inside a tree: whether it is ``root``'s or ``rootless``."""
    first = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return "root" if first[:2] == ["0", "0"] else "rootless"


def _outer(function: Callable[[], None], writing: int, seconds: int, rootless: bool) -> None:
    code = 1
    try:
        if rootless and os.geteuid() == 0:
            # Python looks an encoding up in a file when it is first asked for.
            codecs.lookup("ascii")
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            # Files of /proc about a process that changed its user are root's otherwise.
            system.prctl(system.PR_SET_DUMPABLE, 1)
        tree.enter()
        child = os.fork()
        if child == 0:
            _inner(function, writing)
        handle = os.pidfd_open(child)
        if not select.select([handle], [], [], seconds)[0]:
            os.write(writing, f"it did not end in {seconds} s".encode())
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        _process, status = os.waitpid(child, 0)
        code = 0 if os.waitstatus_to_exitcode(status) == 0 else 1
    except BaseException:
        os.write(writing, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _inner(function: Callable[[], None], writing: int) -> None:
    code = 0
    try:
        tree.settle()
        function()
    except BaseException:
        code = 1
        os.write(writing, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def inside_tree(test: _Function) -> _Function:
    """Have a test run in such a tree; its fixtures are made outside, and are copies inside."""
    return _inside(test, (False,))


def inside_both_trees(test: _Function) -> _Function:
    """Have a test run in a tree of each kind that this user can start."""
    return _inside(test, KINDS)


def _inside(test: _Function, kinds: tuple[bool, ...]) -> _Function:
    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        for rootless in kinds:
            said = run_in_tree(lambda: test(*arguments, **fixtures), rootless=rootless)
            if said:
                pytest.fail(f"{'rootless' if rootless else 'as root'}: {said}", pytrace=False)

    return cast(_Function, run)
