# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of Systems Manager on their way: they run beside the lab, several at a time, and change state as AWS's do.

Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html (Pending, InProgress, Success, TimedOut,
Cancelled, Failed; details Delivery Timed Out, Terminated for what was not sent since too many failed before).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from .ssm_outputs import Outputs

ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})
_AT_ONCE = 50
_POLL = 0.5


@dataclass(frozen=True)
class Outcome:
    """What a command did on one node. ``status``: Success, Failed or TimedOut."""

    status: str
    exit_code: int
    output: str = ""
    error: str = ""
    seconds: float = 0.0


class Executor(Protocol):
    """The data plane, as Systems Manager needs it. Called from many threads."""

    def online(self, account: str, region: str) -> Mapping[str, Mapping[str, Any]]:
        """The managed nodes: instance id -> what the agent tells (ComputerName, AgentVersion, PlatformName, …).

        PingStatus is Online unless it is told, LastPingDateTime now.
        """

    def run(self, account: str, region: str, instance: str, commands: Sequence[str], folder: str, seconds: float) -> Outcome:
        """Run shell lines on a node and wait for their end."""


@dataclass
class Invocation:
    """A command on one node. ``exit_code`` is -1 until it ended."""

    status: str = "Pending"
    details: str = "Pending"
    exit_code: int = -1
    output: str = ""
    error: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    seconds: float = 0.0


@dataclass
class Command:
    """One command. ``now``: the lab's clock. ``keep``: takes (instance, outcome) to where its output is to be kept.

    ``waits``: seconds in which it must reach a node; ``lasts``: those that it may then take. ``concurrency``, ``errors``: MaxConcurrency
    and MaxErrors, numbers or percentages of its targets. Changed under ``lock``.
    """

    document: str
    parameters: Mapping[str, Any]
    invocations: dict[str, Invocation]
    targets: list[dict[str, Any]]
    now: Callable[[], datetime]
    requested: datetime
    keep: Callable[[str, Outcome], None] = lambda _instance, _outcome: None
    comment: str = ""
    waits: int = 3600
    lasts: int = 3600
    concurrency: str = "50"
    errors: str = "0"
    outputs: Outputs = field(default_factory=Outputs)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    lock: threading.Lock = field(default_factory=threading.Lock)


def status_of(command: Command) -> tuple[str, str]:
    """(status, details) of the whole: it is in progress until its last invocation has ended, and then what the worst of them is."""
    if not command.invocations:
        return "Success", "NoInstancesInTag"
    found = [(item.status, item.details) for item in command.invocations.values()]
    states = {status for status, _details in found}
    if not states <= ENDED:
        started = states - {"Pending"}
        return ("InProgress", "InProgress") if started else ("Pending", "Pending")
    for worst in ("Failed", "TimedOut", "Cancelled"):
        details = [detail for status, detail in found if status == worst]
        if details:
            return worst, details[0]
    return "Success", "Success"


def share(text: str, of: int) -> int:
    """A number, or a percentage of the targets (at least one of them where it is not 0)."""
    return int(text) if not text.endswith("%") else -(-of * int(text[:-1]) // 100)


def begin(command: Command, executor: Executor, account: str, region: str) -> None:
    """Run a command on all its nodes, beside the caller."""
    waiting = list(command.invocations)

    def work() -> None:
        while waiting:
            try:
                instance = waiting.pop(0)
            except IndexError:  # another thread was quicker
                return
            _run(command, executor, account, region, instance)

    for _turn in range(min(max(share(command.concurrency, len(waiting)), 1), len(waiting), _AT_ONCE)):
        threading.Thread(target=work, name="ssm-command", daemon=True).start()


def _run(command: Command, executor: Executor, account: str, region: str, instance: str) -> None:
    found = command.invocations[instance]
    failed = sum(item.status in ("Failed", "TimedOut") for item in command.invocations.values())
    if failed > share(command.errors, len(command.invocations)):
        _end(command, found, "Cancelled", "Terminated")
        return
    try:
        if not _delivered(command, executor, account, region, instance):
            return
        with command.lock:
            if found.status in ENDED:
                return
            found.status = found.details = "InProgress"
            found.started = command.now()
        folder = str((command.parameters.get("workingDirectory") or [""])[0])
        outcome = executor.run(account, region, instance, command.parameters["commands"], folder, float(command.lasts))
    except Exception as error:
        outcome = Outcome("Failed", 255, "", f"{type(error).__name__}: {error}")
    command.keep(instance, outcome)
    details = "ExecutionTimedOut" if outcome.status == "TimedOut" else outcome.status
    _end(command, found, outcome.status, details, outcome)


def _delivered(command: Command, executor: Executor, account: str, region: str, instance: str) -> bool:
    """Wait until a node is connected; False when it is not in time, or the command was cancelled."""
    found = command.invocations[instance]
    until = time.monotonic() + command.waits
    while found.status not in ENDED:
        node = executor.online(account, region).get(instance)
        if node is not None and node.get("PingStatus", "Online") == "Online":
            return True
        if time.monotonic() >= until:
            _end(command, found, "TimedOut", "DeliveryTimedOut")
            return False
        time.sleep(_POLL)
    return False


def _end(command: Command, found: Invocation, status: str, details: str, outcome: Outcome | None = None) -> None:
    with command.lock:
        if found.status in ENDED:
            return
        if outcome is not None:
            found.exit_code, found.output, found.error, found.seconds = outcome.exit_code, outcome.output, outcome.error, outcome.seconds
        found.status, found.details, found.ended = status, details, command.now()


def cancel_command(command: Command, instances: Sequence[str]) -> None:
    """Cancel a command on some nodes, or on all: what has ended stays as it is; what runs is not waited for any more."""
    for instance in instances or command.invocations:
        _end(command, command.invocations[instance], "Cancelled", "Cancelled")
