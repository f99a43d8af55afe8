# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place for tests of instances: a tree of namespaces as the data plane's, as whoever runs the tests, and where that is root, as an
unprivileged user too."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.cgroups import Groups
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.system import PR_SET_DUMPABLE, new_network_namespace, prctl
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.machines import ProcessMachines
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Machine
from support.namespaces import run_in_tree

NOBODY = 65534
WHO = ["root", "rootless"] if os.geteuid() == 0 else ["rootless"]


class Namespaces:
    """Of seams.Kernel what instances need: an empty network namespace for each."""

    def __init__(self) -> None:
        self.made: dict[str, int] = {}

    def descriptor(self, namespace: str) -> int:
        if namespace not in self.made:
            self.made[namespace] = new_network_namespace()
        return self.made[namespace]


class Place:
    """Instances, and short ways to run something in one."""

    def __init__(self, groups: Groups | None = None) -> None:
        kernel: Any = Namespaces()
        self.machines = ProcessMachines(kernel, Path("/run"), groups=groups)
        self._readers = ThreadPoolExecutor(64)

    async def boot(self, id: str = "i-1", **more: Any) -> None:
        await self.machines.boot(machine(id, **more))

    async def run(self, argv: str | Sequence[str], id: str = "i-1", **more: Any) -> tuple[int, str]:
        """A shell line or a program: its status, and what it wrote to both of its outputs."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            words = ["/bin/sh", "-c", argv] if isinstance(argv, str) else argv
            running = await self.machines.spawn(id, words, stdout=writing, stderr=writing, **more)
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            said = await asyncio.get_running_loop().run_in_executor(self._readers, stream.read)
        return await running.wait(), said.decode(errors="replace")

    async def say(self, line: str, id: str = "i-1", **more: Any) -> str:
        """What a shell line writes; it must succeed."""
        status, said = await self.run(line, id, **more)
        if status:
            raise AssertionError(f"{line}: status {status}: {said}")
        return said.strip()


def machine(id: str = "i-1", **more: Any) -> Machine:
    """An instance as EC2 has them."""
    values = {
        "hostname": "ip-10-0-1-5",
        "address": "10.0.1.5",
        "user": "ec2-user",
        "resolvers": ("10.0.0.2",),
        "search": "ec2.internal",
        **more,
    }
    return Machine(id=id, **values)


def with_machines(test: Callable[..., Awaitable[None]]) -> Any:
    """A test that is a coroutine with a Place, run in a tree of its own, once for each of WHO; fixtures are made outside."""

    def run(who: str, **fixtures: Any) -> None:
        __tracebackhide__ = True
        said = as_(who, functools.partial(run_in_tree, functools.partial(_inside, test, fixtures)))
        if said:
            pytest.fail(said, pytrace=False)

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    run.__module__ = test.__module__
    names = ["who", *(name for name in inspect.signature(test).parameters if name != "place")]
    # pytest reads a test's fixtures from its signature.
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return pytest.mark.parametrize("who", WHO)(run)


def _inside(test: Callable[..., Awaitable[None]], fixtures: dict[str, Any]) -> None:
    async def work() -> None:
        place = Place()
        try:
            await test(place, **fixtures)
        finally:
            await place.machines.close()

    asyncio.run(work())


def as_(who: str, function: Callable[[], str]) -> str:
    """Call a function as root or as nobody, in a child of its own; it returns text."""
    if who == "root" or os.geteuid() != 0:
        return function()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            prctl(PR_SET_DUMPABLE, 1)
            said = function()
        except BaseException:
            said = traceback.format_exc()
        os.write(writing, said.encode())
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode(errors="replace")
    os.waitpid(child, 0)
    return said
