# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in a process of its own, empty for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from support.lab import LabProcess
from support.quick import pytest_collection_finish

__all__ = ["pytest_collection_finish"]


@pytest.fixture(scope="session")
def lab_process() -> Iterator[LabProcess]:
    with LabProcess() as running:
        yield running


@pytest.fixture
def lab(lab_process: LabProcess, monkeypatch: pytest.MonkeyPatch) -> LabProcess:
    """An empty lab with the settings of its start, and no AWS settings of the user's around it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    lab_process.control.reset()
    return lab_process
