# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that only the making of instances needs: mounts held by a descriptor (Linux 5.12), descriptors, keyrings.

Their numbers are the same on every machine but Alpha, except keyctl's, which is older than that agreement.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from functools import cache
from typing import Any

_CLOSE_RANGE, _OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR, _CLONE3 = 436, 428, 429, 442, 435
_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "ppc64le": 271, "s390x": 280, "armv7l": 311, "i686": 288}
_KEYCTL_JOIN_SESSION_KEYRING = 1

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, getattr(os, "O_CLOEXEC", 0)
_MOVE_MOUNT_F_EMPTY_PATH = 4

ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8
"""What mount_setattr(2) sets."""


class _Attributes(ctypes.Structure):
    _fields_ = [("set", ctypes.c_uint64), ("clear", ctypes.c_uint64), ("propagation", ctypes.c_uint64), ("userns", ctypes.c_uint64)]


class _CloneArguments(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in ("flags", "pidfd", "child", "parent", "signal", "stack", "size", "tls", "set_tid", "set_tid_size", "cgroup")
    ]


_CLONE_INTO_CGROUP = 0x200000000


@cache
def _library() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(what: str, number: int, *arguments: Any) -> int:
    ctypes.set_errno(0)
    result = int(_library().syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def clone_mount(path: str) -> int:
    """A descriptor of a new mount of what is mounted at ``path``; it is mounted nowhere until ``place_mount``. The caller's to close."""
    flags = ctypes.c_uint(_OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC)
    return _call(f"open_tree {path}", _OPEN_TREE, ctypes.c_int(_AT_FDCWD), os.fsencode(path), flags)


def place_mount(descriptor: int, path: str) -> None:
    """Mount what ``clone_mount`` gave, in this or another mount namespace."""
    _call(
        f"move_mount {path}",
        _MOVE_MOUNT,
        ctypes.c_int(descriptor),
        b"",
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(path),
        ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
    )


def set_attributes(path: str, attributes: int, *, below: bool = True) -> None:
    """Add ATTR_… to the mount at ``path`` and, with ``below``, to all mounts under it."""
    wanted = _Attributes(set=attributes)
    _call(
        f"mount_setattr {path}",
        _MOUNT_SETATTR,
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(path),
        ctypes.c_uint(_AT_RECURSIVE if below else 0),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor of the process but these and 0 to 2."""
    lower = 3
    for descriptor in [*sorted(item for item in keep if item >= 3), None]:
        upper = 0xFFFFFFFF if descriptor is None else descriptor - 1
        if upper >= lower:
            _call("close_range", _CLOSE_RANGE, ctypes.c_uint(lower), ctypes.c_uint(upper), ctypes.c_uint(0))
        if descriptor is not None:
            lower = descriptor + 1


def fork_into(group: int) -> int:
    """os.fork, with the child in a control group from its first moment (Linux 5.7). To move it later would take the kernel milliseconds.

    ``group``: a descriptor of the control group's folder. The process must have one thread. Raises OSError.
    """
    python = ctypes.pythonapi
    # With a library that keeps Python's lock: nothing of Python may happen between these calls.
    keeping = ctypes.PyDLL(None, use_errno=True)
    arguments = _CloneArguments(flags=_CLONE_INTO_CGROUP, signal=signal.SIGCHLD, cgroup=group)
    pointer, size = ctypes.byref(arguments), ctypes.c_size_t(ctypes.sizeof(arguments))
    python.PyOS_BeforeFork()
    ctypes.set_errno(0)
    pid = int(keeping.syscall(ctypes.c_long(_CLONE3), pointer, size))
    if pid == 0:
        python.PyOS_AfterFork_Child()
        return 0
    code = ctypes.get_errno()
    python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(code, f"clone3: {os.strerror(code)}")
    return pid


def leave_keyring() -> None:
    """Have an empty session keyring of one's own, in place of the login's. A kernel without keyrings has none to leave."""
    number = _KEYCTL.get(os.uname().machine)
    if number is None:
        return
    try:
        _call("keyctl", number, ctypes.c_int(_KEYCTL_JOIN_SESSION_KEYRING), None)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP):
            raise
