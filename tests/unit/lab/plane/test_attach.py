# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a lab can have a data plane is known when it starts, not at its first instance."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import Lab, Options
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.attach import attach, plane_status


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name in packages else real(name, *more))


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (["dns"], "the data plane needs dnspython: pip install dnspython"),
        (["asyncssh", "dns"], "the data plane needs asyncssh and dnspython: pip install asyncssh dnspython"),
    ],
)
def test_a_missing_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, packages: list[str], said: str) -> None:
    without(monkeypatch, *packages)

    def start(*_given: Any) -> Any:
        raise AssertionError("nothing is started")

    lab = Lab(Options(twin="auto"))
    attach(lab, tmp_path, tmp_path, start)
    told = plane_status(lab)
    assert (told["state"], told["why"], told["ssh_config"]) == ("refused", said, "")
    with pytest.raises(ValueError, match=f"twin: required needs cannot be had: {said}"):
        attach(Lab(Options(twin="required")), tmp_path, tmp_path, start)
