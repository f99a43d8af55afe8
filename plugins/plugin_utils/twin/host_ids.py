# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As root: the host's user and group ids that a lab's instances get. Nobody else has them, and no two labs, nor two instances of one lab.

What is shared by id then is not shared: signals, kernel keyrings, limits of processes, files, pipes and watches. A lab takes a block of ids
for as long as it lives: the kernel lets go of its lock with the last process that holds it. An instance takes a slot of that block.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

FIRST = 1_879_048_192
"""Where a range begins that nobody uses (https://systemd.io/UIDS-GIDS/); it ends at 2^31."""
OF_LAB = 1 << 22
LABS = 64
OF_INSTANCE = 4096
"""Numbers 0 to 4,094 of an instance, and the last of them for nobody (65,534)."""
NOBODY = 65534
REGISTRY = "/run/cloudnet-ids"


def take(registry: str = REGISTRY) -> tuple[int, int]:
    """Take a block: its first id, and a descriptor that keeps it, the caller's to hold. The descriptor is -1 where none can be kept: then
    another lab may have the same ids."""
    with suppress(OSError):
        with suppress(FileExistsError):
            os.mkdir(registry, 0o700)
        found = os.stat(registry, follow_symlinks=False)
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            return FIRST, -1
        for number in range(LABS):
            handle = os.open(f"{registry}/{number:02}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            return FIRST + number * OF_LAB, handle
    return FIRST, -1


class Slots:
    """Slots of a lab's block, as instances take and leave them. ``number``: how many there are; 0 where all have one id."""

    def __init__(self, number: int) -> None:
        self._taken = [0] * number

    def take(self) -> tuple[int, bool]:
        """The first of an instance's ids, as the lab counts them (its own is 0), and whether they are its alone. The more instances run,
        the sooner two must share."""
        if not self._taken:
            return 0, False
        fewest = min(self._taken)
        slot = self._taken.index(fewest)
        self._taken[slot] += 1
        return 1 + slot * OF_INSTANCE, fewest == 0

    def leave(self, first: int) -> None:
        """Give back what ``take`` gave."""
        if self._taken:
            self._taken[(first - 1) // OF_INSTANCE] -= 1
