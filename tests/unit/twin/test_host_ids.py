# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids of the host for instances: none of two labs, none of two instances as long as there are enough, and free again at the end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.host_ids import FIRST, LABS, OF_INSTANCE, OF_LAB, Slots, take


def test_blocks_lie_below_what_a_range_of_groups_may_hold() -> None:
    """``ping_group_range`` takes no number above 2^31 - 1."""
    assert FIRST + LABS * OF_LAB <= 2**31
    assert OF_LAB % OF_INSTANCE == 0


def test_each_lab_takes_another_block(tmp_path: Path) -> None:
    registry = str(tmp_path / "ids")
    taken = [take(registry) for _lab in range(LABS)]
    assert len({first for first, _handle in taken}) == LABS
    assert all(handle >= 0 for _first, handle in taken)
    # There is none left: the caller is told, and can go on.
    assert take(registry) == (FIRST, -1)
    os.close(taken[7][1])
    first, handle = take(registry)
    assert first == taken[7][0] and handle >= 0
    for other in (handle, *(item for number, (_first, item) in enumerate(taken) if number != 7)):
        os.close(other)


def test_a_block_is_free_when_its_lab_is_killed(tmp_path: Path) -> None:
    registry = str(tmp_path / "ids")
    reading, writing = os.pipe()
    lab = os.fork()
    if lab == 0:
        os.write(writing, str(take(registry)[0]).encode())
        signal.pause()
        os._exit(0)
    first = int(os.read(reading, 100))
    other, handle = take(registry)
    assert other != first
    os.kill(lab, signal.SIGKILL)
    os.waitpid(lab, 0)
    again, second = take(registry)
    assert again == first
    for descriptor in (reading, writing, handle, second):
        os.close(descriptor)


def test_a_registry_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    registry = tmp_path / "ids"
    registry.mkdir()
    registry.chmod(0o777)
    assert take(str(registry)) == (FIRST, -1)
    link = tmp_path / "link"
    link.symlink_to(registry)
    assert take(str(link)) == (FIRST, -1)
    assert take(str(tmp_path / "nowhere" / "ids")) == (FIRST, -1)


def test_slots() -> None:
    slots = Slots(2)
    assert [slots.take() for _instance in range(3)] == [(1, True), (1 + OF_INSTANCE, True), (1, False)]
    slots.leave(1 + OF_INSTANCE)
    assert slots.take() == (1 + OF_INSTANCE, True)
    none = Slots(0)
    assert none.take() == (0, False)
    none.leave(0)
