# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter of instances' system calls, for every machine: its table against libseccomp's, and the program by a small interpreter."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import system
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines import seccomp

ALLOWED, REFUSED, UNKNOWN, NO_FAMILY, NO_PROTOCOL = "allow", 1, 38, 97, 93
EVERY = [(machine, rootless) for machine in seccomp.MACHINES for rootless in (False, True)]


def run(code: bytes, number: int, *arguments: int, architecture: int) -> str | int:
    """What the kernel would do: classic BPF over struct seccomp_data, little-endian. An errno, or allow."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *arguments, *[0] * (6 - len(arguments)))
    place, held = 0, 0
    for _step in range(len(code)):
        operation, yes, no, value = struct.unpack_from("=HBBI", code, place * 8)
        place += 1
        if operation == 0x20:
            (held,) = struct.unpack_from("<I", data, value)
        elif operation == 0x06:
            assert value & 0xFFFF0000 in (0x7FFF0000, 0x00050000)
            return ALLOWED if value == 0x7FFF0000 else value & 0xFFFF
        else:
            holds = {0x15: held == value, 0x25: held > value, 0x35: held >= value, 0x45: bool(held & value)}[operation]
            place += yes if holds else no
    raise AssertionError("the program does not end")


def asker(machine: str, rootless: bool) -> Callable[..., str | int]:
    code = seccomp.program(machine, user_namespaces=rootless)
    architecture, column = seccomp.MACHINES[machine]

    def ask(call: int | str, *arguments: int) -> str | int:
        number = seccomp.CHECKED[call][column] if isinstance(call, str) else call
        return run(code, number, *arguments, architecture=architecture)

    return ask


@pytest.mark.parametrize("machine", seccomp.MACHINES)
def test_numbers_are_those_of_libseccomp(machine: str) -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("this machine has no libseccomp")
    architecture, column = seccomp.MACHINES[machine]
    for name, numbers in {**seccomp.REFUSED, **seccomp.CHECKED}.items():
        number = library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(architecture), name.encode())
        # Newer than some libraries; negative but not -1: another machine's.
        if number != -1:
            assert max(number, -1) == numbers[column], name


@pytest.mark.parametrize(("machine", "rootless"), EVERY)
def test_every_number(machine: str, rootless: bool) -> None:
    """Of all numbers, those of the table and no others are refused."""
    ask, column = asker(machine, rootless), seccomp.MACHINES[machine][1]
    refused = {numbers[column] for numbers in seccomp.REFUSED.values()}
    checked = {numbers[column] for numbers in seccomp.CHECKED.values()}
    for number in range(1024):
        if number in refused:
            assert ask(number) == REFUSED, number
        elif number > seccomp.NEWEST:
            assert ask(number) == UNKNOWN, number
        elif number not in checked:
            assert ask(number) == ALLOWED, number
    assert ask(0xFFFFFFFF) == UNKNOWN


@pytest.mark.parametrize(("machine", "rootless"), EVERY)
def test_foreign_calls(machine: str, rootless: bool) -> None:
    code = seccomp.program(machine, user_namespaces=rootless)
    # i386, arm, and another machine's.
    for architecture in (0x40000003, 0x40000028, 0xC0000015):
        assert run(code, 20, architecture=architecture) == UNKNOWN
    if machine == "x86_64":
        assert asker(machine, rootless)(0x40000000 + 39) == UNKNOWN


@pytest.mark.parametrize(("machine", "rootless"), EVERY)
def test_sockets(machine: str, rootless: bool) -> None:
    ask = asker(machine, rootless)
    for call in ("socket", "socketpair"):
        for family in range(64):
            expected = ALLOWED if family in (1, 2, 10, 16, 17) else NO_FAMILY
            assert ask(call, family, 1, 0) == expected, family
        # The kernel reads an int: what stands above it is nothing to it.
        assert ask(call, (1 << 32) + 40, 1, 0) == NO_FAMILY
        for protocol in range(32):
            expected = ALLOWED if protocol in (0, 4, 9, 15, 16) else NO_PROTOCOL
            assert ask(call, 16, 3, protocol) == expected, protocol
        assert ask(call, 2, 1, 132) == ALLOWED


@pytest.mark.parametrize(("machine", "rootless"), EVERY)
def test_namespaces(machine: str, rootless: bool) -> None:
    ask = asker(machine, rootless)
    kinds = {name: value for name, value in vars(system).items() if name.startswith("CLONE_NEW")}
    assert len(kinds) == 8
    # As fork and pthread_create of the C library call it.
    for flags in (17, 0x1200011, 0x3D0F00):
        assert ask("clone", flags) == ALLOWED
    assert ask("clone3") == UNKNOWN
    assert ask("unshare", 0x400) == ALLOWED
    for name, flag in kinds.items():
        if name != "CLONE_NEWTIME":
            assert ask("clone", flag | 17) == REFUSED, name
        user = rootless and name == "CLONE_NEWUSER"
        assert ask("unshare", flag) == (ALLOWED if user else REFUSED), name
        assert ask("unshare", flag | kinds["CLONE_NEWUSER"] | kinds["CLONE_NEWNS"]) == REFUSED, name


def test_no_table_no_filter() -> None:
    assert seccomp.program("s390x", user_namespaces=False) == b""
