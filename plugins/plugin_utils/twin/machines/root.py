# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file systems of instances: a template that holds an allow-list of the host's system files, and the root of one instance.

The template is the root of the process that starts instances, so that their mount namespaces never hold a file of the host's beyond it:
what an instance's root could uncover is the template.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from ..kernel.system import MNT_DETACH, MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC, mount, pivot_root, umount
from .calls import ATTR_NODEV, ATTR_NOSUID, ATTR_RDONLY, place_mount, set_attributes
from .files import BECOME, HOST_FILES, IMAGE, SUDO

_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_LOCAL = ("bin", "lib", "lib64", "libexec", "sbin", "share", "include")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SAFE = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV
_LARGEST = 1 << 20

DISK_SIZE, TMP_SIZE, SMALL_SIZE = "256m", "128m", "16m"
DISK, NEW = "/disk", "/new"
TERMINALS = 256
"""Of one instance. The machine has 4,096 by default."""
_HIDDEN_FOLDER, _HIDDEN_FILE = "hidden", "hidden-file"
HIDDEN = (
    # Other people's keys; memory, addresses and symbols of the kernel; its log, its timers, and what others do.
    *("keys", "key-users", "kcore", "kmsg", "kallsyms", "kpagecount", "kpageflags", "kpagecgroup", "iomem", "ioports", "modules"),
    *("timer_list", "timer_stats", "sched_debug", "latency_stats", "lock_stat", "schedstat", "interrupts", "vmallocinfo", "slabinfo"),
    *("pagetypeinfo", "sysrq-trigger", "config.gz", "mtrr"),
    # Devices and their drivers.
    *("acpi", "asound", "bus", "driver", "fs", "irq", "scsi", "dynamic_debug"),
)
"""Below an instance's /proc: what belongs to the machine and that no program of an instance needs."""
_READ_ONLY = ("sys/kernel", "sys/user", "sys/fs", "sys/vm", "sys/dev", "sys/debug", "sys/abi")
"""Below /proc: settings that an instance's root could change back. Those of its network namespace stay its own."""


def enter_template(folder: str, *, ids: bool) -> None:
    """Build the template on the folder and make it the root of the calling process, whose mount namespace must be its own.

    ``ids``: an instance's root is another id than ours, so that sudo needs a set-user-ID program. Raises OSError.
    """
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("template", folder, "tmpfs", MS_NODEV, "mode=755,size=64m")
    image = folder + IMAGE
    for name in ("usr", "proc", "dev/pts", "dev/shm", DISK.strip("/"), NEW.strip("/")):
        os.makedirs(f"{folder}/{name}", 0o755)
    for name in ("etc", "bin", "local"):
        os.makedirs(f"{image}/{name}", 0o755)
    os.mkdir(f"{image}/{_HIDDEN_FOLDER}", 0o000)
    os.close(os.open(f"{image}/{_HIDDEN_FILE}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o000))
    _copy_etc(f"{image}/etc")
    _sudo(f"{image}/bin", ids)
    _bind("/usr", f"{folder}/usr")
    for name in _LINKS:
        _link_or_bind(f"/{name}", f"{folder}/{name}")
    _local(folder, image)
    if os.path.exists("/usr/bin/sudo"):
        mount(f"{image}/bin/sudo", os.path.realpath(f"{folder}/usr/bin/sudo"), None, MS_BIND)
    _devices(f"{folder}/dev")
    mount("/proc", f"{folder}/proc", None, MS_BIND | MS_REC)
    set_attributes(folder, _SAFE, below=False)
    _pivot(folder)


def _pivot(folder: str) -> None:
    os.chdir(folder)
    pivot_root(".", ".")
    umount(".", MNT_DETACH)
    os.chdir("/")


def _bind(source: str, target: str) -> None:
    mount(source, target, None, MS_BIND | MS_REC)
    set_attributes(target, _SAFE)


def _link_or_bind(source: str, target: str) -> None:
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        os.mkdir(target, 0o755)
        _bind(source, target)


def _local(folder: str, image: str) -> None:
    """/usr/local: its programs and libraries, not its etc, src or var; and our sudo among the programs."""
    place = f"{folder}/usr/local"
    if not os.path.isdir(place) or os.path.islink(place):
        return
    mount("local", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for name in _LOCAL:
        source = f"/usr/local/{name}"
        if name == "bin" or not os.path.isdir(source):
            continue
        os.mkdir(f"{place}/{name}", 0o755)
        _bind(os.path.realpath(source), f"{place}/{name}")
    os.mkdir(f"{place}/bin", 0o755)
    os.symlink(f"{IMAGE}/bin/sudo", f"{place}/bin/sudo")
    if os.path.isdir("/usr/local/bin"):
        _bind(os.path.realpath("/usr/local/bin"), f"{image}/local")
        for name in os.listdir("/usr/local/bin"):
            if name != "sudo":
                os.symlink(f"{IMAGE}/local/{name}", f"{place}/bin/{name}")
    set_attributes(place, _SAFE, below=False)


def _sudo(folder: str, ids: bool) -> None:
    with open(f"{folder}/sudo", "w", encoding="utf-8") as stream:
        stream.write(SUDO)
    os.chmod(f"{folder}/sudo", 0o755)
    setpriv = "/usr/bin/setpriv"
    if ids and os.path.isfile(setpriv):
        _copy_file(setpriv, f"{folder}/{os.path.basename(BECOME)}")


def _devices(folder: str) -> None:
    for name in filter(lambda device: os.path.exists(f"/dev/{device}"), _DEVICES):
        os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        mount(f"/dev/{name}", f"{folder}/{name}", None, MS_BIND)
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"{folder}/{name}")


def _copy_etc(target: str) -> None:
    with suppress(OSError):
        names = [*HOST_FILES, *(name for name in os.listdir("/etc") if name.startswith("python3"))]
        for name in names:
            _copy(f"/etc/{name}", f"{target}/{name}", follow=True)


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb") as old, open(target, "xb") as new:
        new.write(old.read())


def _copy(source: str, target: str, *, follow: bool = False) -> None:
    """Copy what everybody on the host may read: links as they are, small files, folders but private ones."""
    try:
        found = os.stat(source, follow_symlinks=follow)
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(source), target)
        elif stat.S_ISDIR(found.st_mode) and found.st_mode & 0o005 == 0o005:
            os.mkdir(target, 0o755)
            for name in os.listdir(source):
                if name != "private":
                    _copy(f"{source}/{name}", f"{target}/{name}")
        elif stat.S_ISREG(found.st_mode) and found.st_mode & 0o004 and found.st_size <= _LARGEST:
            _copy_file(source, target)
            os.chmod(target, 0o755 if found.st_mode & 0o001 else 0o644)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.ENOENT, errno.EPERM):
            raise


def enter_root(disk: int, *, ids: bool, owner: int) -> None:
    """From inside an instance's new namespaces, which begin as a copy of the template's: build its root and make it the only one.

    ``disk``: a mount from ``clone_mount``; on it the root is ``root``, and the agent's folder, which ``owner`` owns, ``agent``.
    Raises OSError.
    """
    place_mount(disk, DISK)
    _folder(f"{DISK}/root", 0o755)
    _folder(f"{DISK}/agent", 0o700)
    os.chown(f"{DISK}/agent", owner, owner)
    mount(f"{DISK}/root", NEW, None, MS_BIND)
    for name in ("usr", IMAGE.strip("/"), "dev", *_LINKS):
        _shared(name)
    if ids:
        _own_become()
    # The user's group owns no terminals where there is only one group.
    options = f"newinstance,ptmxmode=0666,mode=0620,max={TERMINALS}" + (",gid=5" if ids else "")
    mount("devpts", f"{NEW}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, options)
    for name, mode, size in (("dev/shm", "1777", SMALL_SIZE), ("tmp", "1777", TMP_SIZE), ("run", "755", SMALL_SIZE)):
        if name != "dev/shm":
            _folder(f"{NEW}/{name}", 0o755)
        mount("tmpfs", f"{NEW}/{name}", "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode},size={size},nr_inodes=16384")
    _folder(f"{NEW}/proc", 0o755)
    mount("proc", f"{NEW}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in ("run/agent", "run/lock"):
        os.mkdir(f"{NEW}/{name}", 0o755)
    mount(f"{DISK}/agent", f"{NEW}/run/agent", None, MS_BIND)
    _pivot(NEW)


def _own_become() -> None:
    """Have sudo's helper as a file of the instance's root, so that whoever runs it becomes that root and nobody else."""
    source, own = BECOME, f"{DISK}/{os.path.basename(BECOME)}"
    if not os.path.isfile(source):
        return
    if not os.path.isfile(own):
        _copy_file(source, own)
        os.chmod(own, 0o4755)
    mount(own, f"{NEW}{BECOME}", None, MS_BIND)
    set_attributes(f"{NEW}{BECOME}", ATTR_RDONLY | ATTR_NODEV)


@cache
def parts() -> tuple[tuple[str, str], ...]:
    """What of HIDDEN this kernel has, and below IMAGE what hides it. For the process that starts others to find out once."""
    paths = [path for path in (f"/proc/{name}" for name in HIDDEN) if os.path.exists(path)]
    return tuple((path, _HIDDEN_FOLDER if os.path.isdir(path) else _HIDDEN_FILE) for path in paths)


def hide_parts() -> list[str]:
    """As process 1 in its root: hide what /proc shows of the machine. Returns the protections that the kernel refuses (see confine.py)."""
    try:
        for path, cover in parts():
            mount(f"{IMAGE}/{cover}", path, None, MS_BIND)
        for name in _READ_ONLY:
            path = f"/proc/{name}"
            if os.path.isdir(path):
                mount(path, path, None, MS_BIND)
                set_attributes(path, ATTR_RDONLY)
    except OSError:
        return ["proc"]
    return []


def _shared(name: str) -> None:
    """Have in the new root what the template has under that name, be it a link, a folder, or nothing."""
    source, target = f"/{name}", f"{NEW}/{name}"
    if os.path.islink(source):
        if not os.path.lexists(target):
            os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        _folder(target, 0o755)
        mount(source, target, None, MS_BIND | MS_REC)


def _folder(path: str, mode: int) -> None:
    """A folder there, whatever the instance has made of it since its last boot."""
    if os.path.islink(path) or (os.path.lexists(path) and not os.path.isdir(path)):
        os.unlink(path)
    if not os.path.isdir(path):
        os.mkdir(path, mode)


def write_files(folder: str, files: Iterable[tuple[str, str | bytes, int]]) -> None:
    """Write files (path below the folder, contents, mode) and the folders that they need."""
    for name, content, mode in files:
        path = f"{folder}/{name}"
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        with suppress(FileNotFoundError):
            os.unlink(path)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
