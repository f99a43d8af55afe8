# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to run a shell script on instances, on AWS and on the lab alike: Systems Manager, or ssh from the host that runs the module."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from .errors import AwsError
from .ssm import SUCCESS, Api, Commands, Document

#: Scripts that run at once, and seconds that ssh may take to get there.
THREADS, CONNECT = 16, 15
#: Seconds for what is about a script beside its own work.
SLACK = 20.0


@dataclass(frozen=True)
class Seat:
    """Where a script runs. ``name``: for people, and one seat may have several. ``instance``: its id, with account and Region, for Systems
    Manager; ``host``: for ssh."""

    name: str = field(compare=False)
    instance: str = ""
    account: str = ""
    region: str = ""
    host: str = ""


@dataclass(frozen=True)
class Task:
    """A shell script, and the seconds that it may take."""

    text: str
    seconds: float


@dataclass(frozen=True)
class Ran:
    """What a script printed. ``trouble``: why it did not run to its end, in a line; ``absent`` when the instance cannot be got at."""

    output: str = ""
    trouble: str = ""
    absent: bool = False


class Way(Protocol):
    """Runs scripts on any number of instances at once."""

    name: str

    def run(self, tasks: Mapping[Seat, Task]) -> dict[Seat, Ran]:
        """What each printed. Raises CloudnetError for what concerns all of them."""


class Ssh:
    """The host's own ssh, without a question to anybody. ``config``: an ssh_config(5) file, else the user's own."""

    name = "ssh"

    def __init__(self, config: str = "", command: str = "ssh") -> None:
        self._config, self._command = config, command

    def run(self, tasks: Mapping[Seat, Task]) -> dict[Seat, Ran]:
        """What each printed."""
        return _all(tasks, self._one)

    def _one(self, seat: Seat, task: Task) -> Ran:
        if not seat.host or seat.host.startswith("-"):
            return Ran(trouble=f"{seat.name} has no name for ssh", absent=True)
        words = [self._command, *(("-F", self._config) if self._config else ()), "-T"]
        words += ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT}", "--", seat.host, "sh -s"]
        try:
            done = subprocess.run(words, input=task.text.encode(), capture_output=True, timeout=task.seconds + CONNECT + SLACK, check=False)
        except FileNotFoundError:
            return Ran(trouble=f"{self._command} is not installed here", absent=True)
        except OSError as error:
            return Ran(trouble=f"{self._command} cannot be run here: {error.strerror}", absent=True)
        except subprocess.TimeoutExpired:
            return Ran(trouble=f"ssh {seat.host}: no end after {task.seconds + CONNECT + SLACK:.0f} s")
        output = done.stdout.decode(errors="replace")
        if done.returncode == 0:
            return Ran(output)
        last = _last(done.stderr.decode(errors="replace"))
        # ssh's own word for a connection that failed: https://man.openbsd.org/ssh#EXIT_STATUS
        return Ran(output, f"ssh {seat.host}: {last or f'exit code {done.returncode}'}", absent=done.returncode == 255)


class Ssm:
    """Systems Manager, in each account and Region of the instances. ``wait_online``: seconds in which a node may still come online."""

    name = "ssm"

    def __init__(self, api: Api, wait_online: float = 0.0, make: Callable[[Api, str, str], Commands] = Commands) -> None:
        self._api, self._wait, self._make = api, wait_online, make

    def run(self, tasks: Mapping[Seat, Task]) -> dict[Seat, Ran]:
        """What each printed."""
        places: dict[tuple[str, str], list[Seat]] = {}
        for seat in tasks:
            places.setdefault((seat.account, seat.region), []).append(seat)
        for place, seats in places.items():
            # All at once: the time that one needs to come online is not waited for once for each.
            self._make(self._api, *place).wait_online([seat.instance for seat in seats if seat.instance], self._wait)
        return _all(tasks, self._one)

    def _one(self, seat: Seat, task: Task) -> Ran:
        if not seat.instance:
            return Ran(trouble=f"{seat.name} is no instance's id, as Systems Manager needs it", absent=True)
        document = Document(parameters={"commands": [task.text]}, seconds=max(1, round(task.seconds + SLACK)), comment="cloudnet.vpc.probe")
        try:
            found = self._make(self._api, seat.account, seat.region).run([seat.instance], document)[seat.instance]
        except AwsError as error:
            return Ran(trouble=str(error), absent=True)
        if found.status == SUCCESS:
            return Ran(found.stdout)
        return Ran(found.stdout, f"{seat.instance}: {found.why}", absent=found.exit_code is None)


def _all(tasks: Mapping[Seat, Task], one: Callable[[Seat, Task], Ran]) -> dict[Seat, Ran]:
    with ThreadPoolExecutor(max_workers=max(1, min(THREADS, len(tasks)))) as pool:
        return dict(zip(tasks, pool.map(one, tasks.keys(), tasks.values()), strict=True))


def _last(text: str) -> str:
    lines: Iterable[str] = (line.strip() for line in reversed(text.splitlines()))
    return next((line for line in lines if line), "")
