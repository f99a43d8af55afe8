# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane's process tree: an outer process that watches the lab, and an inner one that is process 1 of namespaces of its own.

The inner one ends with the outer one, the outer one with the lab, and with process 1 ends everything that it ever started: the kernel
sees to it, however each of them ends.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal

from . import host_ids
from .kernel.system import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    mount,
    parent_death_signal,
    set_hostname,
    unshare,
)

PRIVATE = "/run"
"""In the tree this is a file system of its own, in memory, that ends with it."""


def enter() -> list[str]:
    """Leave the caller's namespaces for new ones, in which the caller is root. The process must have one thread.

    The namespace of process ids holds for children made from now on. Returns the protections that cannot be had (see
    machines/confine.py). Raises OSError.
    """
    # More than one descriptor a namespace, and there may be ten thousand instances.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    user, group, privileged = os.geteuid(), os.getegid(), os.geteuid() == 0
    # Kept by this process and the one that it forks, to their end.
    first, lock = host_ids.take() if privileged else (0, 0)
    ready_read, ready_write = os.pipe()
    parent = os.getpid()
    # A mapping of several ids can only be written from outside the new namespace.
    writer = os.fork()
    if writer == 0:
        os.close(ready_write)
        try:
            os.read(ready_read, 1)
            _map(parent, user, group, first)
        except OSError:
            os._exit(1)
        os._exit(0)
    os.close(ready_read)
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC)
    finally:
        os.close(ready_write)
        _other, status = os.waitpid(writer, 0)
    if status != 0:
        raise PermissionError("the user namespace's ids cannot be mapped")
    if privileged:
        # Where root itself is in a user namespace with few ids, it gets one id as anyone else, and keeps its groups.
        with contextlib.suppress(PermissionError):
            os.setgroups([0])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    return ["ids"] if lock < 0 else []


def _map(process: int, user: int, group: int, first: int) -> None:
    """Map ids: root keeps its own and gives the instances unused ones, from ``first`` on; anyone else (0) has one id for all."""
    folder = f"/proc/{process}"
    if first:
        with contextlib.suppress(OSError):
            for name in ("uid_map", "gid_map"):
                _write(f"{folder}/{name}", f"0 0 1\n1 {first} {host_ids.OF_LAB}\n")
            return
    _write(f"{folder}/setgroups", "deny")
    _write(f"{folder}/uid_map", f"0 {user} 1\n")
    _write(f"{folder}/gid_map", f"0 {group} 1\n")


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def settle() -> None:
    """To be called first by the inner process: its own view of files and processes."""
    parent_death_signal(signal.SIGKILL)
    set_hostname("cloudnet")
    # Nothing that is mounted here shows outside, nor the other way round.
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("tmpfs", PRIVATE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=50%")


def watch(alive: int, child: int) -> int:
    """Wait until the child ends, or the lab's end of a pipe closes, and then end the child. Returns the child's exit status."""
    handle = os.pidfd_open(child)
    poller = select.poll()
    poller.register(alive, select.POLLIN)
    poller.register(handle, select.POLLIN)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    while True:
        ready = dict(poller.poll())
        if handle in ready:
            break
        if alive in ready and not os.read(alive, 1):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            poller.unregister(alive)
    _other, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
