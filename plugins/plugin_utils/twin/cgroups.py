# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups (cgroup v2) for instances: one for each, in one of the lab's, with limits of memory and of processes.

They are made where the machine delegates: in the nearest control group above the lab's process that its user may write to and that gives
its children both controllers (https://docs.kernel.org/admin-guide/cgroup-v2.html). Nothing is changed there but what is made here. On a
desktop with systemd that is the user's own part of the tree; for root it is the slice of the login. A login by ssh has none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

LIMITS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"memory": {"memory.max": str(2 << 30), "memory.swap.max": "0"}, "pids": {"pids.max": "2048"}}
)
"""By controller: files of an instance's group and their values. Files in an instance's memory count as its memory."""
_PREFIX = "cloudnet-"


class Groups:
    """The lab's control group. ``folder``: where it is, None for none."""

    def __init__(self, folder: Path | None, limits: Mapping[str, Mapping[str, str]] = LIMITS) -> None:
        self.folder = folder
        self._limits = limits

    def open(self, name: str) -> int:
        """Make an instance's group, with its limits. A descriptor of it, the caller's to close; -1 where there is none."""
        if self.folder is None:
            return -1
        group = self.folder / name
        try:
            with suppress(FileExistsError):
                group.mkdir()
            for values in self._limits.values():
                for file, value in values.items():
                    # Without swap in the kernel there is nothing to limit.
                    if (group / file).exists() or file != "memory.swap.max":
                        _write(group / file, value)
            return os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return -1

    def remove(self, name: str) -> None:
        """Remove an instance's group; nothing runs in it any more."""
        if self.folder is not None:
            with suppress(OSError):
                (self.folder / name).rmdir()

    def close(self) -> None:
        """Remove the lab's group and all in it. It may be called again."""
        if self.folder is not None:
            _discard(self.folder)


def make(limits: Mapping[str, Mapping[str, str]] = LIMITS) -> Groups:
    """The lab's group, named by this process's number; to be called before the process leaves its user's namespaces. Raises nothing: where
    none can be made, ``Groups.open`` says so."""
    above = find(_own(), limits)
    if above is None:
        return Groups(None, limits)
    # What a lab left behind that was killed together with the process that watches it.
    for former in above.glob(f"{_PREFIX}*"):
        number = former.name.removeprefix(_PREFIX)
        if number.isdigit() and not Path("/proc", number).exists():
            _discard(former)
    folder = above / f"{_PREFIX}{os.getpid()}"
    try:
        folder.mkdir()
        if limits:
            _write(folder / "cgroup.subtree_control", " ".join(f"+{name}" for name in limits))
    except OSError:
        with suppress(OSError):
            folder.rmdir()
        return Groups(None, limits)
    return Groups(folder, limits)


def find(own: Iterable[Path], controllers: Iterable[str]) -> Path | None:
    """The first of these groups in which groups with the controllers can be made."""
    for group in own:
        try:
            given = (group / "cgroup.subtree_control").read_text(encoding="ascii").split()
        except OSError:
            continue
        if set(controllers) <= set(given) and os.access(group, os.W_OK) and os.access(group / "cgroup.procs", os.W_OK):
            return group
    return None


def _own() -> list[Path]:
    """The groups of this process, from its own up to the root."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
        root = next(Path(words[1]) for words in mounts if words[2] == "cgroup2")
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        path = next(line[3:] for line in lines if line.startswith("0::/"))
    except (OSError, StopIteration):
        return []
    place = root / path.lstrip("/")
    return [place, *(item for item in place.parents if item.is_relative_to(root))]


def _discard(folder: Path) -> None:
    with suppress(OSError):
        for group in folder.iterdir():
            if group.is_dir():
                with suppress(OSError):
                    group.rmdir()
    with suppress(OSError):
        folder.rmdir()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii")
