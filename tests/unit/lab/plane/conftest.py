# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab whose data plane is a fake: it keeps what it was told, and can be slow, fail or die."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import Options
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.attach import attach
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.plane import DataPlane
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.client import Delta, TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts


class FakeTwin:
    """What client.Twin is to the lab, without a process. ``network`` and ``facts`` are what it was told in all."""

    def __init__(self) -> None:
        self.network, self.facts = Network(), Facts()
        self.deltas: list[Delta] = []
        self.alive, self.fails, self.slow, self.resets = True, "", 0.0, 0
        self.records: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.lock = threading.Lock()

    def update(self, delta: Delta) -> None:
        with self.lock:
            time.sleep(self.slow)
            if self.fails:
                raise TwinError(self.fails)
            self.deltas.append(delta)
            self.network = delta.onto(self.network)
            self.facts = delta.facts or self.facts

    def nodes(self) -> dict[str, dict[str, Any]]:
        return {key: {"PingStatus": "Online", "ComputerName": key} for key, host in self.facts.hosts.items() if host.ssm}

    def run(self, host: str, commands: Sequence[str], folder: str, seconds: float) -> dict[str, Any]:
        return {"status": "Success", "exit_code": 0, "output": f"{host}: {commands[0]}\n", "error": "", "seconds": 0.5}

    def host_keys(self, hosts: Sequence[str]) -> dict[str, list[str]]:
        return {host: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJaVYz5u4G2ZqJrQkFqkzD0Cz0nQ7nCkq0K4Yd5lq0bB"] for host in hosts}

    def authorize(self, key: str) -> None:
        self.keys.append(key)

    def flow_records(self) -> list[dict[str, Any]]:
        found, self.records = self.records, []
        return found

    def text(self) -> str:
        return "\n".join(sorted(self.network.instances))

    def reset(self) -> None:
        self.network, self.facts, self.resets = Network(), Facts(), self.resets + 1

    def close(self) -> None:
        self.alive = False


class Planes:
    """The lab's data plane, and every fake twin that it started."""

    def __init__(self) -> None:
        self.twins: list[FakeTwin] = []
        self.refuses = ""
        self.options: Mapping[str, Any] = {}

    def start(self, _listener: Any, _log: Path | None, options: Mapping[str, Any]) -> Any:
        self.options = options
        if self.refuses:
            raise TwinError(self.refuses)
        self.twins.append(FakeTwin())
        return self.twins[-1]

    @property
    def twin(self) -> FakeTwin:
        return self.twins[-1]


@pytest.fixture
def planes(lab: Any, tmp_path: Path) -> Iterator[Planes]:
    """The lab with a data plane."""
    found = Planes()
    inner = lab.lab
    inner.options = Options(twin="auto")
    attach(inner, tmp_path, tmp_path, found.start, "")
    yield found
    plane: DataPlane = inner.plane
    inner.plane = inner.executor = inner.flow_records = None
    inner.options = Options()
    plane.close()
