# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few calls of the Linux kernel that Python 3.11 has no function for: namespaces, mounts, and what a process says of itself.

Each raises OSError with the kernel's number and what the call was about. They act on the calling thread (unshare, setns) or on the calling
process (prctl, sethostname) as the manual pages of section 2 say. Elsewhere than on Linux each raises OSError with ENOSYS.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
"""Namespaces, as <linux/sched.h> numbers them."""

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_NOATIME = 1024
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
"""What mount(2) takes as flags, as <linux/mount.h> numbers it."""

MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW = 1, 2, 4, 8
"""What umount2(2) takes as flags."""

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
"""What prctl(2) takes as its option."""

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217, "armv7l": 218, "i686": 217}
"""The C library has no function for pivot_root: its number among the system calls, by machine."""

THREAD_NETWORK = "/proc/thread-self/ns/net"

FIRST_HIGH = 1024
"""The first number of a descriptor that select(2) cannot have."""


@cache
def _function(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError, TypeError):
        raise OSError(errno.ENOSYS, "only Linux has it", name) from None


def _call(what: str, name: str, *arguments: Any) -> int:
    """Call a function of the C library that says by a negative number that it failed; ``what`` is for the message."""
    function = _function(name)
    ctypes.set_errno(0)
    result = int(function(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}", what)
    return result


def _text(value: str | os.PathLike[str] | None) -> bytes | None:
    return None if value is None else os.fsencode(value)


def unshare(flags: int) -> None:
    """Leave the namespaces in ``flags`` (CLONE_NEW…, or-ed) for new ones; of a process's threads only the calling one does.

    CLONE_NEWUSER needs a process with one thread, and CLONE_NEWPID holds for the children that are made from now on.
    """
    _call(f"flags {flags:#x}", "unshare", ctypes.c_int(flags))


def setns(descriptor: int, kind: int = 0) -> None:
    """Enter the namespace that a descriptor refers to. ``kind``: one CLONE_NEW… that it must be, 0 for any."""
    _call(f"descriptor {descriptor}", "setns", ctypes.c_int(descriptor), ctypes.c_int(kind))


def mount(
    source: str | os.PathLike[str] | None,
    target: str | os.PathLike[str],
    type: str | None = None,
    flags: int = 0,
    data: str | None = None,
) -> None:
    """mount(2): MS_… flags or-ed, ``data`` the options of the file system's own (``size=16m,mode=755``)."""
    _call(os.fspath(target), "mount", _text(source), _text(target), _text(type), ctypes.c_ulong(flags), _text(data))


def umount(target: str | os.PathLike[str], flags: int = 0) -> None:
    """umount2(2), with MNT_… or-ed."""
    _call(os.fspath(target), "umount2", _text(target), ctypes.c_int(flags))


def pivot_root(new: str | os.PathLike[str], old: str | os.PathLike[str]) -> None:
    """Make the mount at ``new`` the root, and hang the former one under ``old``; ``.`` for both stacks them, to unmount the upper one."""
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, f"pivot_root is not known on {os.uname().machine}", os.fspath(new))
    _call(os.fspath(new), "syscall", ctypes.c_long(number), _text(new), _text(old))


def prctl(option: int, first: int = 0, second: int = 0, third: int = 0, fourth: int = 0) -> int:
    """prctl(2) with numbers (PR_…). The kernel's answer, which is 0 for most."""
    words = [ctypes.c_ulong(word) for word in (first, second, third, fourth)]
    return _call(f"option {option}", "prctl", ctypes.c_int(option), *words)


def parent_death_signal(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when the *thread* that made it ends. A parent that is gone already sends none: look at
    ``os.getppid`` afterwards. It is lost at an exec that gains privileges and at a change of user."""
    prctl(PR_SET_PDEATHSIG, int(number))


def no_new_privileges() -> None:
    """Have no program that this process runs gain privileges by its file (set-user-ID, capabilities); it cannot be taken back."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def set_hostname(name: str) -> None:
    """The hostname of this UTS namespace: 64 bytes at most."""
    encoded = os.fsencode(name)
    _call(name, "sethostname", encoded, ctypes.c_size_t(len(encoded)))


def high(descriptor: int) -> int:
    """The same open file under a number above 1,023, where it can be had; the number that was given is closed.

    Libraries that wait with select(2), such as libnftables, end the whole process when their own descriptor is not below that.
    """
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_HIGH)
    except OSError:
        return descriptor
    os.close(descriptor)
    return moved


def this_network_namespace() -> int:
    """A descriptor of the network namespace in which the calling thread is, the caller's to close; its number is high."""
    return high(os.open(THREAD_NETWORK, os.O_RDONLY | os.O_CLOEXEC))


def new_network_namespace() -> int:
    """A new network namespace; the calling thread stays where it is. Returns its descriptor, the caller's to close."""
    back = os.open(THREAD_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(CLONE_NEWNET)
        try:
            return this_network_namespace()
        finally:
            setns(back, CLONE_NEWNET)
    finally:
        os.close(back)


@contextmanager
def inside(descriptor: int) -> Iterator[None]:
    """Let the calling thread be in another network namespace; a socket that is made there stays there. No ``await`` inside."""
    back = os.open(THREAD_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(descriptor, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(back, CLONE_NEWNET)
    finally:
        os.close(back)
