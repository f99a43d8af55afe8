# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds a process of an instance, before its program begins: limits, capabilities and the filter; and what holds its namespaces."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache

from ..kernel.system import PR_CAPBSET_DROP, no_new_privileges, prctl
from . import seccomp

PROCESSES = 1024
"""Of one user of an instance; all of them together have twice as many."""
FILES = 8192
DATA = 2 << 30
"""Bytes that one process may write to, apart from shared memory."""
SUDO_DEPTH = 128
"""User namespaces in a rootless instance at a time: each sudo there is one."""

_CAPABILITIES = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "FOWNER": 3,
    "FSETID": 4,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "SETPCAP": 8,
    "NET_BIND_SERVICE": 10,
    "IPC_OWNER": 15,
    "SYS_CHROOT": 18,
    "SYS_PTRACE": 19,
    "SYS_BOOT": 22,
    "SYS_NICE": 23,
    "MKNOD": 27,
    "LEASE": 28,
    "AUDIT_WRITE": 29,
    "SETFCAP": 31,
}
"""What root of an instance keeps (see <linux/capability.h>), all of it within its namespaces: files, users, processes, reboot."""
_SYS_ADMIN, _CHECKPOINT_RESTORE = 21, 40
"""Is kept where the filter takes mounts and namespaces from it: what is left is the hostname."""

SETTINGS: Mapping[str, Mapping[str, str]] = {
    # Namespaces of an instance's own would have mounts without a limit. Those of time cannot be entered by accident.
    "namespaces": {f"user/max_{kind}_namespaces": "0" for kind in ("mnt", "pid", "net", "uts", "ipc", "cgroup", "time")},
    # Watches count for the user of the lab as well.
    "watches": {
        "user/max_inotify_instances": "32",
        "user/max_inotify_watches": "8192",
        "user/max_fanotify_groups": "8",
        "user/max_fanotify_marks": "1024",
    },
    # Memory that belongs to no process, and so is freed with none: pages, segments, queues, semaphores.
    "ipc": {
        "kernel/shmall": "16384",
        "kernel/shmmni": "256",
        "kernel/msgmni": "64",
        "kernel/sem": "250 8000 100 128",
        "fs/mqueue/queues_max": "16",
    },
}
"""By protection: paths below /proc/sys and their values, in the instance's user and IPC namespaces."""

MISSING: Mapping[str, str] = {
    "filter": "this kernel filters no system calls, so instances reach kernel keyrings and vsock",
    "namespaces": "this kernel does not limit the namespaces of an instance's own",
    "watches": "this kernel does not limit an instance's file watches, which count for the lab's user",
    "ipc": "this kernel does not limit an instance's System V shared memory and queues",
    "proc": "parts of /proc cannot be hidden, so instances see the machine's",
    "ids": "instances share ids with others: 64 labs of root's or 1,024 instances are at work, or /run/cloudnet-ids cannot be written",
    "memory": "no control group (cgroup v2) with memory and pids is delegated to the lab, so an instance's memory is only watched",
    "oom": "the kernel cannot be told to end instances first when memory is short",
}
"""Protections that a machine may refuse: what is so without it."""


def confine(code: bytes, *, ids: bool) -> None:
    """For a process that has all capabilities in its user namespace: give up what no program of an instance is to have.

    ``code``: a program of seccomp.py, empty where the kernel takes none. ``ids``: a set-user-ID program must still work. Raises OSError.
    """
    limit()
    for capability in _dropped(bool(code)):
        prctl(PR_CAPBSET_DROP, capability)
    if not ids:
        no_new_privileges()
    if code:
        seccomp.install(code)


def limit() -> None:
    """Limits of a process, as far as the host's own allow. Raises OSError."""
    # One byte of core: a host that pipes cores to a program of its own would take any other limit for none.
    for kind, soft, hard in (
        (resource.RLIMIT_NPROC, PROCESSES, PROCESSES),
        (resource.RLIMIT_NOFILE, 1024, FILES),
        (resource.RLIMIT_CORE, 1, 1),
        (resource.RLIMIT_MEMLOCK, 1 << 20, 1 << 20),
        (resource.RLIMIT_DATA, DATA, DATA),
        (resource.RLIMIT_MSGQUEUE, 1 << 20, 1 << 20),
        (resource.RLIMIT_SIGPENDING, PROCESSES, PROCESSES),
    ):
        most = resource.getrlimit(kind)[1]
        if most != resource.RLIM_INFINITY:
            soft, hard = min(soft, most), min(hard, most)
        resource.setrlimit(kind, (soft, hard))


def limit_namespaces(*, ids: bool) -> list[str]:
    """As process 1 of an instance: what its user and IPC namespaces allow. Returns the protections that the kernel refuses.

    ``ids``: its users are ids, so that no sudo needs a user namespace.
    """
    missing = [name for name, values in SETTINGS.items() if not _write_all(values.items())]
    if not _write_all([("user/max_user_namespaces", "0" if ids else str(SUDO_DEPTH))]) and "namespaces" not in missing:
        missing.append("namespaces")
    return missing


def first_to_end() -> list[str]:
    """Have the kernel end this process and its children before all others when memory is short. Returns the protections it refuses.

    Before the process enters an instance: its files in /proc must be its own for that.
    """
    with suppress(OSError):
        _write("/proc/self/oom_score_adj", "1000")
        return []
    return ["oom"]


def _write_all(values: Iterable[tuple[str, str]]) -> bool:
    """Write settings; one that this kernel does not have limits nothing that it has."""
    done = True
    for path, value in values:
        try:
            _write(f"/proc/sys/{path}", value)
        except FileNotFoundError:
            continue
        except OSError:
            done = False
    return done


def _write(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)


@cache
def _dropped(filtered: bool) -> tuple[int, ...]:
    """The capabilities of this kernel that an instance does not have."""
    kept = {*_CAPABILITIES.values(), *([_SYS_ADMIN] if filtered else [])}
    try:
        with open("/proc/sys/kernel/cap_last_cap", "rb") as stream:
            last = int(stream.read())
    except (OSError, ValueError):
        last = _CHECKPOINT_RESTORE
    return tuple(number for number in range(last + 1) if number not in kept)


def learn(code: bytes) -> None:
    """For the process that starts others: find out now what is the same for each of them."""
    _dropped(bool(code))
