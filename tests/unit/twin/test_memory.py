# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process of which instance is ended when that has too much memory, and when it is looked for."""

from __future__ import annotations

import os

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines import memory
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.machines.memory import MemoryWatch, Use, excess


def test_the_largest_process_of_each_instance_that_has_too_much() -> None:
    uses = [Use(1, 10, 40), Use(2, 10, 70), Use(3, 20, 90), Use(4, 30, 60), Use(5, 30, 60)]
    assert excess(uses, 100) == [Use(2, 10, 70), Use(4, 30, 60)]
    assert excess(uses, 120) == []
    assert excess([], 0) == []


def test_it_is_looked_for_when_free_memory_has_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([1000, 950, 890, 880, 2000, 1950, 1800])
    looks: list[int] = []
    monkeypatch.setattr(memory, "_available", lambda: next(free))
    watch = MemoryWatch(limit=1 << 40, step=100)
    monkeypatch.setattr(watch, "_uses", lambda _size: looks.append(1) or [])
    counted = []
    for _time in range(6):
        watch.look()
        counted.append(len(looks))
    # 950: too little; 890: a look; 880: too little since; 2000 and 1950: more than before; 1800: a look.
    assert counted == [0, 1, 1, 1, 1, 2]


def test_sizes_are_read() -> None:
    own = str(os.getpid())
    assert 0 < memory._part(own) <= memory._whole(own) * 1.5
    assert memory.namespace("self") == memory.namespace(own)
    assert memory._available() > 1 << 20
