# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For tests that need the kernel: a mark that skips them with the reason where namespaces are refused, and a tree of namespaces to run in.

A test that is marked with ``inside_tree`` runs in a child process in the same namespaces as the data plane has, as process 1: whatever it
makes ends with it, and nothing outside can be reached.
"""

from __future__ import annotations

import functools
import os
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
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.support import why_not  # noqa: E402

needs_namespaces = pytest.mark.skipif(bool(why_not()), reason=why_not() or "namespaces are there")
"""For a test, or as ``pytestmark`` of a file."""

_Function = TypeVar("_Function", bound=Callable[..., None])


def run_in_tree(function: Callable[[], None], seconds: int = 120) -> str:
    """Run a function as process 1 of new user, network, mount, process, UTS and IPC namespaces.

    Returns what it raised as text, empty for nothing; what it prints goes where it would have gone. It is killed after ``seconds``.
    """
    reading, writing = os.pipe()
    outer = os.fork()
    if outer == 0:
        os.close(reading)
        _outer(function, writing, seconds)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _process, status = os.waitpid(outer, 0)
    code = os.waitstatus_to_exitcode(status)
    return said or (f"the tree ended with code {code}" if code else "")


def _outer(function: Callable[[], None], writing: int, seconds: int) -> None:
    code = 1
    try:
        tree.enter()
        child = os.fork()
        if child == 0:
            _inner(function, writing)
        handle = os.pidfd_open(child)
        import select

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

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        said = run_in_tree(lambda: test(*arguments, **fixtures))
        if said:
            pytest.fail(said, pytrace=False)

    return cast(_Function, run)
