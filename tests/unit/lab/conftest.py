# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in the test's own process, behind a real port of 127.0.0.1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabControl
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from support.lab import remember_models


@pytest.fixture(scope="session")
def running_lab() -> Iterator[RunningLab]:
    remember_models()
    with RunningLab() as running:
        yield running


@pytest.fixture
def lab(running_lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningLab]:
    """An empty lab: ``.client(service, account=..., region=...)``, ``.control``, ``.url``, and ``.lab``, the Lab object itself."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    running_lab.lab.on_change.clear()
    running_lab.control.reset()
    yield running_lab
    running_lab.lab.on_change.clear()
    running_lab.control.config(faults=[])


@pytest.fixture
def ec2(lab: RunningLab) -> Any:
    """EC2 of account 111111111111 in us-east-1."""
    return lab.client("ec2")


@pytest.fixture
def control(lab: RunningLab) -> LabControl:
    return lab.control
