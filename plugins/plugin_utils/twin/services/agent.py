# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager's agents: a node is Online while its agent gets through to the service from inside the instance, by real packets.

AWS calls a node lost after five missed pings, minutes later; here it takes seconds, so that a test can wait for it.
Sources: https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html (what the agent must reach),
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_InstanceInformation.html (PingStatus: Online, ConnectionLost, Inactive).
"""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..seams import Kernel, Machines, Plane, TwinError
from .agent_check import Errand, Unreachable, check
from .commands import run_commands
from .names import private_name
from .resolver import addresses

LOG = logging.getLogger("cloudnet.twin")

ONLINE, LOST = "Online", "ConnectionLost"
INTERVAL, A_SECOND, AT_ONCE = 2.0, 10, 32
"""Seconds between an agent's checks while they are few, checks a second when they are many, and how many run at a time."""
EACH, LONGEST = 0.005, 0.5
"""Seconds, for each agent and at most, by which looks after changes are put together: many agents are not all asked after each."""


@dataclass
class _Agent:
    """``status`` is empty until it registered. ``reason``: what fails, empty when nothing does. ``again``: another check is wanted.

    ``task``: its check, which may wait for its turn; ``under_way``: the one that has its turn.
    """

    status: str = ""
    reason: str = "its agent has not called yet"
    pinged: datetime | None = None
    task: asyncio.Task[None] | None = None
    under_way: asyncio.Task[None] | None = None
    again: bool = False


def has_agent(plane: Plane, host: str) -> bool:
    """Whether a host has an agent: it is in use, and has a role that admits one."""
    facts = plane.facts.hosts.get(host)
    return host in plane.hosts and facts is not None and facts.ssm and facts.role is not None and host in plane.network.instances


def errand(plane: Plane, host: str) -> Errand | None:
    """What a host's agent must do; None for a host that has none."""
    if not has_agent(plane, host):
        return None
    instance = plane.network.instances[host]
    vpc = plane.network.vpcs.get(instance.vpc)
    return Errand(host, addresses(vpc)[0], instance.region) if vpc is not None else None


def _system() -> Mapping[str, str]:
    """What the agent tells of the system: an instance runs the host's."""
    try:
        told = platform.freedesktop_os_release()
    except OSError:
        told = {}
    return {"PlatformName": told.get("NAME") or "Linux", "PlatformVersion": told.get("VERSION_ID") or ""}


class Agents:
    """All agents. ``plane`` gives the state; ``checker`` does one errand (see agent_check.check)."""

    def __init__(self, kernel: Kernel, plane: Callable[[], Plane], checker: Callable[[Kernel, Errand], Any] = check) -> None:
        self._kernel, self._plane, self._check = kernel, plane, checker
        self._agents: dict[str, _Agent] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._pace: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._system = _system()
        self._closed = False

    # -- what is known ---------------------------------------------------------------------------------------------------------

    def online(self) -> Mapping[str, Mapping[str, Any]]:
        """The nodes whose agent is connected: instance id to what it tells, in DescribeInstanceInformation's words."""
        told = ("ComputerName", "PingStatus", *self._system)
        return {host: {key: node[key] for key in told} for host, node in self.nodes().items() if node["PingStatus"] == ONLINE}

    def nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """Every node whose agent ever registered and whose instance still exists, with its PingStatus and the time of its last ping."""
        found: dict[str, Mapping[str, Any]] = {}
        for host, agent in self._agents.items():
            instance = self._plane().network.instances.get(host)
            if agent.status and instance is not None:
                name = private_name(instance.private_ip, instance.region)
                found[host] = {"ComputerName": name, "PingStatus": agent.status, "LastPingDateTime": agent.pinged, **self._system}
        return found

    def why(self, host: str) -> str:
        """The one line that says why a host is not online; empty when it is."""
        plane, agent = self._plane(), self._agents.get(host)
        if agent is not None and has_agent(plane, host):
            return agent.reason
        facts, instance = plane.facts.hosts.get(host), plane.network.instances.get(host)
        if instance is None or instance.state != "running":
            return f"{host} does not run"
        if facts is None or facts.role is None:
            return f"{host} has no instance profile with a role"
        if not facts.ssm:
            return f"its role {facts.role.name} does not admit an agent: it lacks the policy AmazonSSMManagedInstanceCore"
        return "its agent has not started yet"

    # -- checking --------------------------------------------------------------------------------------------------------------

    def nudge(self) -> None:
        """The network or an instance changed: look at once. Costs little, and never waits."""
        if self._closed:
            return
        plane = self._plane()
        known = plane.network.instances
        for host in [host for host in self._agents if host not in known or known[host].state in ("shutting-down", "terminated")]:
            self._forget(host)
        for host in self._agents:
            if not has_agent(plane, host):
                self._lost(host)
        for host in plane.hosts:
            if host not in self._agents and has_agent(plane, host):
                self._agents[host] = _Agent()
        if self._agents and self._soon is None:
            delay = min(LONGEST, EACH * (len(self._agents) - 1))
            self._soon = asyncio.get_running_loop().call_later(delay, self._look)
        if self._agents and self._pace is None:
            self._pace = asyncio.get_running_loop().create_task(self._repeat())

    def _look(self) -> None:
        self._soon = None
        for host, agent in self._agents.items():
            if has_agent(self._plane(), host):
                self._look_at(host, agent)

    def _forget(self, host: str) -> None:
        agent = self._agents.pop(host)
        if agent.task is not None:
            agent.task.cancel()

    def _lost(self, host: str) -> None:
        """Of a host that stopped, or lost its role: if it was ever a node, it still is one."""
        agent = self._agents[host]
        if agent.task is not None:
            agent.task.cancel()
        if agent.status:
            agent.status, agent.reason = LOST, "its agent stopped"

    def _look_at(self, host: str, agent: _Agent) -> None:
        if agent.task is not None and not agent.task.done():
            if agent.under_way is not agent.task:
                return  # its turn comes, and it will see the change
            if agent.status == ONLINE:
                agent.again = True  # let it end, or changes that never pause would keep it from being found lost
                return
            agent.task.cancel()  # it is waiting for packets that the change may have let through
        agent.task = asyncio.get_running_loop().create_task(self._call(host, agent))

    async def _call(self, host: str, agent: _Agent) -> None:
        """One agent's check, and another one when the network changed meanwhile."""
        while True:
            async with self._slots:
                mine = agent.under_way = asyncio.current_task()
                agent.again = False
                try:
                    await self._once(host, agent)
                finally:
                    if agent.under_way is mine:
                        agent.under_way = None
            if not agent.again:
                return

    async def _once(self, host: str, agent: _Agent) -> None:
        wanted = errand(self._plane(), host)
        if wanted is None:
            return
        try:
            await self._check(self._kernel, wanted)
            agent.status, agent.reason, agent.pinged = ONLINE, "", datetime.now(UTC)
        except (Unreachable, TwinError) as error:
            agent.status, agent.reason = LOST if agent.status else "", str(error)
        except OSError as error:
            agent.reason = f"its agent could not be run: {error.strerror}"

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(max(INTERVAL, len(self._agents) / A_SECOND))
            for host, agent in list(self._agents.items()):
                if (agent.task is None or agent.task.done()) and has_agent(self._plane(), host):
                    agent.task = asyncio.get_running_loop().create_task(self._call(host, agent))

    async def close(self) -> None:
        """Stop looking."""
        self._closed = True
        if self._soon is not None:
            self._soon.cancel()
        tasks = [self._pace, *(agent.task for agent in self._agents.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    # -- commands --------------------------------------------------------------------------------------------------------------

    async def run(self, host: str, commands: Sequence[str], folder: str, seconds: float, machines: Machines) -> dict[str, Any]:
        """Run shell lines inside a host as AWS-RunShellScript does; see commands.run_commands. Raises TwinError."""
        return await run_commands(machines, host, commands, folder, seconds)
