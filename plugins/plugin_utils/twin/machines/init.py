# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens inside an instance's namespaces before a program takes over: of process 1, and of each program that is run there."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, NoReturn

from ..kernel.system import CLONE_NEWUSER, PR_SET_DUMPABLE, prctl, set_hostname, unshare
from .confine import confine, limit_namespaces
from .files import FOLDERS, IMAGE, USER_ID, home_of
from .root import enter_root, hide_parts, write_files

_WHEEL, _ADM = 10, 4
_IDLE = ("/usr/bin/sleep", "/bin/sleep")


class Boot(NamedTuple):
    """A boot of an instance. ``first``: its disk is empty. ``ids``: it has many ids, not one.

    ``boot_files``: files of /etc for each boot; the others are for a new disk: of /etc, of the user's home, and by their whole path.
    """

    hostname: str
    user: str
    first: bool
    ids: bool
    boot_files: Mapping[str, str]
    etc: Mapping[str, str]
    home_files: Mapping[str, str]
    private_files: Mapping[str, bytes]


class Launch(NamedTuple):
    """A program to run. ``given``: which of the descriptors 0 to 2 come along; the others are /dev/null."""

    argv: Sequence[str]
    root: bool
    ids: bool
    environment: Mapping[str, str]
    folder: str = ""
    terminal: bool = False
    given: tuple[int, ...] = ()


def set_up(boot: Boot, disk: int) -> list[str]:
    """As process 1 of the instance: its root, files and name. Returns the protections that the kernel refuses. Raises OSError."""
    _become(0, ids=boot.ids)
    owner = USER_ID if boot.ids else 0
    os.umask(0o022)
    enter_root(disk, ids=boot.ids, owner=owner)
    missing = [*limit_namespaces(ids=boot.ids), *hide_parts()]
    set_hostname(boot.hostname)
    if boot.first:
        _fill(boot, owner)
    write_files("/etc", [(name, text, 0o644) for name, text in boot.boot_files.items()])
    return missing


def _fill(boot: Boot, owner: int) -> None:
    """The files of a new disk."""
    for name in FOLDERS:
        os.makedirs(f"/{name}", 0o755, exist_ok=True)
    for name, mode in (("/root", 0o700), ("/var/tmp", 0o1777)):
        os.makedirs(name, exist_ok=True)
        os.chmod(name, mode)
    os.symlink("/run", "/var/run")
    os.symlink("/run/lock", "/var/lock")
    os.symlink("/proc/self/mounts", "/etc/mtab")
    os.symlink("/usr/share/zoneinfo/UTC", "/etc/localtime")
    for name in os.listdir(f"{IMAGE}/etc"):
        os.symlink(f"{IMAGE}/etc/{name}", f"/etc/{name}")
    write_files("/etc", [(name, text, 0o644) for name, text in boot.etc.items()])
    for user, identity in {"root": 0, boot.user: 0 if boot.user == "root" else owner}.items():
        home = home_of(user)
        if user != "root":
            os.mkdir(home, 0o700)
        for name, text in boot.home_files.items():
            if name.startswith(".ssh/") and user == boot.user:
                write_files(home, [(name, text, 0o600)])
                os.chmod(f"{home}/.ssh", 0o700)
                os.chown(f"{home}/.ssh", identity, identity)
                os.chown(f"{home}/{name}", identity, identity)
            elif not name.startswith(".ssh/"):
                write_files(home, [(name, text, 0o644)])
                os.chown(f"{home}/{name}", identity, identity)
        os.chown(home, identity, identity)
    write_files("", [(name[1:], content, 0o700) for name, content in boot.private_files.items()])


def idle(code: bytes, *, ids: bool) -> NoReturn:
    """Be a process 1 that does nothing and costs next to nothing. ``code``: see confine. Raises OSError."""
    # The kernel itself buries the children of a process that ignores their end, and an exec keeps that.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    confine(code, ids=ids)
    for path in _IDLE:
        if os.path.exists(path):
            os.execve(path, ["sleep", "infinity"], {})
    raise OSError(errno.ENOENT, "the host has no program that an instance could have as its first process", _IDLE[0])


def launch(request: Launch, code: bytes) -> NoReturn:
    """As a new process inside the instance: become the program. ``code``: see confine. Raises OSError where that cannot be."""
    os.setsid()
    if request.terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.umask(0o022)
    _become(0, ids=request.ids)
    confine(code, ids=request.ids)
    if not request.root:
        _become(USER_ID, ids=request.ids)
    os.chdir(request.folder or request.environment.get("HOME", "/"))
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvpe(request.argv[0], list(request.argv), dict(request.environment))


def _become(identity: int, *, ids: bool) -> None:
    """Be root of the instance, or then somebody else. With one id for all, whoever came in is root already."""
    if not ids:
        return
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if identity:
        # From root, so that the kernel takes root's capabilities away.
        os.setgroups([_ADM, _WHEEL, identity])
        os.setresgid(identity, identity, identity)
        os.setresuid(identity, identity, identity)


def other_name(identity: int, process: int) -> int:
    """With one id for all, a user is another name for it: a user namespace inside the instance's. Returns its descriptor.

    ``process``: a descriptor of our folder in a /proc that has us. We enter that namespace, and must not be visible in the instance.
    """
    unshare(CLONE_NEWUSER)
    with open_to_looks():
        for name, text in (("setgroups", "deny"), ("uid_map", f"{identity} 0 1"), ("gid_map", f"{identity} 0 1")):
            handle = os.open(name, os.O_WRONLY | os.O_CLOEXEC, dir_fd=process)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)
        return os.open("ns/user", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)


@contextmanager
def open_to_looks() -> Iterator[None]:
    """The maps of a process that is not are the host's root's."""
    prctl(PR_SET_DUMPABLE, 1)
    try:
        yield
    finally:
        prctl(PR_SET_DUMPABLE, 0)
