# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit of memory for an instance where the machine delegates no control group: the largest process of one that has too much is ended.

That is what the kernel does on a machine of that size. It is looked for when the machine's free memory has shrunk, so that a watch of a
thousand instances that do nothing costs nothing. Shared pages count once, by their part. What no process has mapped is not seen.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

LOG = logging.getLogger("cloudnet.twin")
LIMIT = 2 << 30
"""Bytes for the processes of one instance."""
STEP = 128 << 20
"""By how much free memory must have shrunk since the last look, for another one."""
_SECONDS = 0.25


@dataclass(frozen=True)
class Use:
    """What a process has of memory, in bytes. ``instance``: the number of its namespace of process ids."""

    pid: int
    instance: int
    size: int


def excess(uses: Iterable[Use], limit: int) -> list[Use]:
    """Of each instance whose processes together have more than the limit, the largest one."""
    by_instance: dict[int, list[Use]] = {}
    for use in uses:
        by_instance.setdefault(use.instance, []).append(use)
    return [max(found, key=lambda use: use.size) for found in by_instance.values() if sum(use.size for use in found) > limit]


class MemoryWatch:
    """Watches the processes that are in namespaces of process ids below the caller's own. ``name``: an instance's, by its namespace."""

    def __init__(self, name: Callable[[int], str] = str, limit: int = LIMIT, step: int = STEP) -> None:
        self._name = name
        self._limit = limit
        self._step = step
        self._own = namespace("self")
        self._seen = _available()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            with suppress(OSError):
                self.look()

    def look(self) -> None:
        """Once: end what is too much, if there is less free memory than before. Raises OSError."""
        available = _available()
        if available > self._seen - self._step:
            self._seen = max(self._seen, available)
            return
        ended = False
        # What is counted in full is quick to read; its part of shared pages is not, and is asked for only where that may matter.
        if excess(self._uses(_whole), self._limit):
            for use in excess(self._uses(_part), self._limit):
                LOG.warning("%s has more than %d MiB of memory: its largest process is ended", self._name(use.instance), self._limit >> 20)
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(use.pid, signal.SIGKILL)
                ended = True
        # Where something was ended there may be more to end.
        if not ended:
            self._seen = available

    def _uses(self, size: Size) -> Iterator[Use]:
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError, ValueError):
                    instance = namespace(name)
                    if instance != self._own:
                        yield Use(int(name), instance, size(name))


class Size:
    """How much a process has, by lines of a file of its folder in /proc."""

    def __init__(self, file: str, *keys: bytes) -> None:
        self._file = file
        self._keys = keys

    def __call__(self, process: str) -> int:
        """In bytes. Raises OSError."""
        with open(f"/proc/{process}/{self._file}", "rb") as stream:
            return sum(int(line.split()[1]) for line in stream if line.split(b":")[0] in self._keys) << 10


_whole = Size("status", b"RssAnon", b"RssShmem", b"VmSwap")
_part = Size("smaps_rollup", b"Pss_Anon", b"Pss_Shmem", b"SwapPss")


def namespace(process: str) -> int:
    """The number of a process's namespace of process ids. Raises OSError."""
    return os.stat(f"/proc/{process}/ns/pid").st_ino


def _available() -> int:
    """Bytes of the machine that can be had without swapping."""
    with open("/proc/meminfo", "rb") as stream:
        return next(int(line.split()[1]) << 10 for line in stream if line.startswith(b"MemAvailable:"))
