# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the zygote knows of a child on its way and of an instance, and what it gives them: ids, and descriptors that are theirs."""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress

from ..host_ids import NOBODY, OF_INSTANCE


class Birth:
    """A child that is not yet what it is to be: what it said so far through its end of ``channel``.

    ``instance``: of a boot; empty for a program. ``first``, ``group``: see Instance. ``helper``: who enters the namespaces of a boot, and
    has process 1 as its child.
    """

    def __init__(self, key: int, channel: socket.socket, instance: str, first: int, group: int, helper: int, pid: int) -> None:
        self.key = key
        self.channel = channel
        self.instance = instance
        self.first = first
        self.group = group
        self.helper = helper
        self.pid = pid
        self.ready = False
        self.missing: list[str] = []
        self.error = ""
        self.other = -1


class Instance:
    """One that runs: its process 1, and as descriptors that process, and the namespace in which its user has another name (-1 for none).

    ``first``: the first of its ids as we count them, 0 for the one that all have. ``group``: its control group, -1 for none.
    """

    def __init__(self, pid: int, first: int, group: int, handle: int, other: int) -> None:
        self.pid = pid
        self.first = first
        self.group = group
        self.handle = handle
        self.other = other

    def close(self) -> None:
        os.close(self.handle)
        for descriptor in (self.other, self.group):
            if descriptor >= 0:
                os.close(descriptor)


def give(descriptors: list[int], owner: int, *, terminal: bool) -> None:
    """Make pipes and the terminal the user's, as a login does, so that programs can open them again by ``/dev/stderr``.

    ``owner``: as we count.
    """
    for descriptor in descriptors:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode) or (terminal and stat.S_ISCHR(mode)):
            with suppress(OSError):
                os.fchown(descriptor, owner, owner)


def map_ids(pid: int, first: int) -> None:
    """Give a new user namespace its ids: a slot of ours, or our only one."""
    last = OF_INSTANCE - 1
    lines = f"0 {first} {last}\n{NOBODY} {first + last} 1\n" if first else "0 0 1"
    for name, text in (("setgroups", "deny"), ("uid_map", lines), ("gid_map", lines)):
        if name == "setgroups" and first:
            continue
        handle = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


def slots() -> int:
    """For how many instances our user namespace has ids, beside our own; 0 for one id that all have."""
    # As bytes: a copy of the daemon may be unable to load what reads another encoding.
    with open("/proc/self/uid_map", "rb") as stream:
        ranges = [tuple(int(word) for word in line.split()) for line in stream]
    return max((count // OF_INSTANCE for inside, _outside, count in ranges if inside == 1), default=0)
