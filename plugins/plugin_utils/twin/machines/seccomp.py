# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter of system calls that every process of an instance has: as a BPF program (seccomp(2)), for the machines of ``MACHINES``.

A filter holds for all that a process starts, and nobody can take it off. It refuses what reaches beyond the namespaces of an instance
(kernel keyrings, vsock, the kernel's log), what would undo them (mounts, namespaces) and what is known for faults in the kernel (io_uring,
bpf, userfaultfd). Everything else stays as it is; a call that is newer than ``NEWEST`` is answered as by an older kernel. libseccomp would
write the same program, but no maintained Python package of it installs in a virtual environment; tests compare the table with its own.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from ..kernel.system import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    PR_SET_SECCOMP,
    prctl,
)

EPERM, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT = 1, 38, 93, 97
"""As Linux numbers them on these machines."""

NEWEST = 469
"""file_setattr of Linux 6.17. All machines number what came after Linux 5.1 alike."""

REFUSED: Mapping[str, tuple[int, int]] = {
    # Keyrings are found by number in every namespace, and a rootless instance has its user's id.
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # Parts of the kernel that reach far and are seldom missed.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # The machine itself: its kernel, modules, log, clock, swap, accounting and ports.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "syslog": (103, 116),
    "clock_settime": (227, 112),
    "settimeofday": (164, 170),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "modify_ldt": (154, -1),
    # Leftovers.
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "uselib": (134, -1),
    "sysfs": (139, -1),
    "create_module": (174, -1),
    "get_kernel_syms": (177, -1),
    "query_module": (178, -1),
    # File systems in memory without a limit, and what is hidden in /proc. A handle opens files beyond a root.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "move_mount": (429, 429),
    "mount_setattr": (442, 442),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "open_by_handle_at": (304, 265),
    # Other namespaces; see below for new ones.
    "setns": (308, 268),
}
"""Calls that no process of an instance may make: their numbers on x86_64, and on machines of the generic table; -1 where it has none."""

CHECKED: Mapping[str, tuple[int, int]] = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "unshare": (272, 97),
    "socket": (41, 198),
    "socketpair": (53, 199),
}
"""Calls whose arguments decide."""

MACHINES: Mapping[str, tuple[int, int]] = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1), "riscv64": (0xC00000F3, 1)}
"""By ``uname -m``: the kernel's number of it (AUDIT_ARCH_… of <linux/audit.h>), and the column of the tables above."""

FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}
"""Families of sockets that may be had. Others (vsock, AF_ALG, …) know no namespace, or load modules into the machine's kernel."""
NETLINK = {"route": 0, "sock_diag": 4, "audit": 9, "kobject_uevent": 15, "generic": 16}
"""Protocols of AF_NETLINK that may be had: what ip, ss, udev and PAM use."""

_NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
_X32 = 0x40000000

# <linux/bpf_common.h> and <linux/seccomp.h>
_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST, _THIRD = 0, 4, 16, 32
"""Offsets in struct seccomp_data; of the arguments (8 bytes each, little-endian) their lower halves, which is all that the kernel reads."""
_SECCOMP_MODE_FILTER = 2

_Step = tuple[int, int, int, int]
"""An instruction: code, steps to skip if true, if false, and its value."""


def _answer(number: int) -> _Step:
    return _RETURN, 0, 0, _ERRNO | number


def _if(test: int, value: int, *then: _Step) -> list[_Step]:
    """``then``, which must end in an answer, when the test holds."""
    return [(test, 0, len(then), value), *then]


def _only(offset: int, values: Sequence[int], error: int) -> list[_Step]:
    """An argument must be one of these; a comparison that holds skips the rest, and the refusal."""
    return [(_LOAD, 0, 0, offset), *((_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)), _answer(error)]


def steps(machine: str, *, user_namespaces: bool) -> list[_Step]:
    """The program for a machine of ``MACHINES``. ``user_namespaces``: they, and they alone, may be made (by unshare, as sudo does)."""
    architecture, column = MACHINES[machine]
    allow = (_RETURN, 0, 0, _ALLOW)
    protocol = _only(_THIRD, list(NETLINK.values()), EPROTONOSUPPORT)
    family = [
        *_only(_FIRST, list(FAMILIES.values()), EAFNOSUPPORT),
        (_EQUAL, 1, 0, FAMILIES["AF_NETLINK"]),
        allow,
        *protocol,
        allow,
    ]
    closed = _NAMESPACES | CLONE_NEWTIME
    checks: dict[str, list[_Step]] = {
        # Its arguments lie in memory, where a filter does not see them; who gets this answer uses clone.
        "clone3": [_answer(ENOSYS)],
        # Where clone takes CLONE_NEWTIME it would be part of a signal's number.
        "clone": [(_LOAD, 0, 0, _FIRST), *_if(_ANY_BIT, _NAMESPACES, _answer(EPERM)), allow],
        "unshare": [
            (_LOAD, 0, 0, _FIRST),
            *_if(_ANY_BIT, closed & ~CLONE_NEWUSER if user_namespaces else closed, _answer(EPERM)),
            allow,
        ],
        "socket": family,
        "socketpair": family,
    }
    start = [(_LOAD, 0, 0, _ARCHITECTURE), (_EQUAL, 1, 0, architecture), _answer(ENOSYS), (_LOAD, 0, 0, _NUMBER)]
    if machine == "x86_64":
        start += _if(_AT_LEAST, _X32, _answer(ENOSYS))
    start += _if(_GREATER, NEWEST, _answer(ENOSYS))
    refused = sorted(numbers[column] for numbers in REFUSED.values() if numbers[column] >= 0)
    branches = [_Branch(first, last, [_answer(EPERM)]) for first, last in _runs(refused)]
    branches += [_Branch(CHECKED[name][column], CHECKED[name][column], body) for name, body in checks.items()]
    return [*start, *_search(sorted(branches))]


class _Branch(NamedTuple):
    """What is done for the calls with these numbers; it ends in an answer."""

    first: int
    last: int
    body: list[_Step]


def _search(branches: Sequence[_Branch]) -> list[_Step]:
    """A search by halves: the kernel runs the program once for each call that it has, whenever a process gets it."""
    allow = (_RETURN, 0, 0, _ALLOW)
    if len(branches) > 1:
        middle = len(branches) // 2
        lower = _search(branches[:middle])
        return [(_AT_LEAST, len(lower), 0, branches[middle].first), *lower, *_search(branches[middle:])]
    first, last, body = branches[0]
    if first == last:
        return [*_if(_EQUAL, first, *body), allow]
    return [(_AT_LEAST, 0, len(body) + 1, first), (_GREATER, len(body), 0, last), *body, allow]


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Sorted numbers as runs without a gap: first and last of each."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


@cache
def program(machine: str, *, user_namespaces: bool) -> bytes:
    """``steps`` as the kernel reads them (struct sock_filter); empty for a machine that the tables do not know."""
    if machine not in MACHINES:
        return b""
    return b"".join(struct.pack("=HBBI", *step) for step in steps(machine, user_namespaces=user_namespaces))


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def install(code: bytes) -> None:
    """Have the program hold for this process and its children, for good. Without CAP_SYS_ADMIN in its user namespace the process must have
    given up new privileges before. Raises OSError where the kernel has no filters."""
    buffer = ctypes.create_string_buffer(code, len(code))
    pointer = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    prctl(PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(pointer))
