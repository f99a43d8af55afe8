# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where control groups for instances are made, and what is written there, on a tree of files in the kernel's place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin import cgroups


def group(path: Path, controllers: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "cgroup.subtree_control").write_text(controllers)
    (path / "cgroup.procs").write_text("")
    return path


def own(tmp_path: Path) -> list[Path]:
    """A desktop's: the session's scope gives its children nothing, the user's slice gives both controllers."""
    slice_ = group(tmp_path / "user.slice", "cpu memory pids")
    service = group(slice_ / "user@1000.service", "memory pids")
    scope = group(service / "app.scope", "")
    return [scope, service, slice_, tmp_path]


def test_the_nearest_group_that_gives_both_controllers(tmp_path: Path) -> None:
    places = own(tmp_path)
    assert cgroups.find(places, ("memory", "pids")) == places[1]
    (places[1] / "cgroup.subtree_control").write_text("memory")
    assert cgroups.find(places, ("memory", "pids")) == places[2]
    (places[2] / "cgroup.subtree_control").write_text("cpu")
    assert cgroups.find(places, ("memory", "pids")) is None
    assert cgroups.find([], ()) is None


def test_a_group_of_somebody_else_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = own(tmp_path)
    monkeypatch.setattr(cgroups.os, "access", lambda path, _mode: not str(path).endswith("user@1000.service/cgroup.procs"))
    assert cgroups.find(places, ("memory", "pids")) == places[2]


def test_limits_of_an_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = own(tmp_path)
    monkeypatch.setattr(cgroups, "_own", lambda: places)
    stale = places[1] / "cloudnet-4194305"
    (stale / "i-1").mkdir(parents=True)
    other = places[1] / f"cloudnet-{os.getppid()}"
    other.mkdir()
    groups = cgroups.make()
    assert groups.folder == places[1] / f"cloudnet-{os.getpid()}"
    assert (groups.folder / "cgroup.subtree_control").read_text() == "+memory +pids"
    # What a killed lab left is removed, what another has is not.
    assert not stale.exists() and other.is_dir()
    handle = groups.open("i-1")
    assert handle >= 0
    os.close(handle)
    made = {path.name: path.read_text() for path in (groups.folder / "i-1").iterdir()}
    assert made == {"memory.max": str(2 << 30), "pids.max": "2048"}


def test_where_none_is_delegated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_own", list)
    groups = cgroups.make()
    assert groups.folder is None and groups.open("i-1") == -1
    groups.remove("i-1")
    groups.close()
