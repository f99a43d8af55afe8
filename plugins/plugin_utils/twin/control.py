# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab may ask of the data plane, and the order in which a change of the network reaches kernel, machines and services."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...module_utils._model.network import Instance, Network
from .capture import Capture
from .compile.network import Memo, compile_network, standing
from .compile.outside import Outside, outside
from .facts import Facts, HostFacts
from .kernel.sync import NetworkKernel
from .machines.confine import MISSING
from .machines.machines import ProcessMachines
from .machines.memory import MemoryWatch
from .machines.spec import machine_of
from .render import render
from .seams import Plane, TwinError
from .services.all import Services
from .ssh.entry import Entry
from .ssh.server import SshServer
from .state import KernelState
from .wire import Delta

LOG = logging.getLogger("cloudnet.twin")
_RUNNING = ("pending", "running")
_BOOTS_AT_ONCE = 8


class Control:
    """The data plane. Its public coroutines ``do_…`` are the operations."""

    def __init__(self, kernel: NetworkKernel, machines: ProcessMachines, listener: socket.socket | None) -> None:
        self.kernel = kernel
        self.machines = machines
        self.plane = Plane()
        self.told = (Network(), Facts())
        self.state = KernelState()
        # Instances that somebody used: they stay awake until they stop.
        self.used: set[str] = set()
        self.watch: asyncio.Task[None] | None = None
        self.told_missing: set[str] | None = None
        self.memo = Memo()
        self.changing = asyncio.Lock()
        self.thread = ThreadPoolExecutor(1, "kernel")
        self.booting: dict[str, asyncio.Task[None]] = {}
        self.slots = asyncio.Semaphore(_BOOTS_AT_ONCE)
        self.ssh = SshServer(kernel, machines, self, lambda: self.plane)
        self.services = Services(kernel, lambda: self.plane)
        self.capture = Capture(kernel, lambda: self.plane, self)
        self.entry = Entry(listener, self.ssh, kernel, self, lambda: self.plane) if listener is not None else None

    async def start(self) -> None:
        await self.ssh.start()
        if self.machines.watched:
            self.watch = asyncio.create_task(MemoryWatch(self.machines.name_of).run())
        if self.entry is not None:
            await self.entry.start()

    async def close(self) -> None:
        if self.watch is not None:
            self.watch.cancel()
        if self.entry is not None:
            await self.entry.close()
        self.capture.close()
        await self.services.close()
        await self.ssh.close()
        await self.machines.close()
        self.thread.shutdown(wait=False)
        self.kernel.close()

    def operation(self, name: str) -> Callable[..., Awaitable[Any]] | None:
        """The operation of that name."""
        found: Callable[..., Awaitable[Any]] | None = getattr(self, f"do_{name}", None)
        return found

    # -- the network ---------------------------------------------------------------------------------------------------------------

    async def do_update(self, delta: Delta) -> None:
        """Take over a change; answers when packets follow it."""
        network, facts = self.told
        self.told = (delta.onto(network), facts if delta.facts is None else delta.facts)
        async with self.changing:
            await self._settle()

    async def do_reset(self) -> None:
        """Forget everything, homes too."""
        self.told = (Network(), Facts())
        self.used.clear()
        async with self.changing:
            await self._settle()

    async def _settle(self) -> None:
        """Have kernel, machines and services follow what the lab told. Under ``changing``."""
        network, facts = self.told
        running = {item.id: item for item in network.instances.values() if item.state in _RUNNING}
        self.used &= running.keys()
        awake = {host for host in running if _wakes_itself(facts.hosts.get(host))} | (standing(network) & running.keys())
        live = frozenset(self.used | awake)
        before = self.plane

        def work() -> tuple[KernelState, Outside]:
            state = compile_network(network, live, self.memo)
            self.kernel.apply(state)
            return state, outside(network, self.memo.cache.outside)

        self.state, around = await asyncio.get_running_loop().run_in_executor(self.thread, work)
        live = frozenset(host for host in live if host in self.state.namespaces)
        self.plane = Plane(network, facts, live, around)
        for host in sorted(before.hosts - live):
            await self._leave(host, network)
        for host in sorted(live):
            if host not in before.hosts or _boots(facts, host) != _boots(before.facts, host):
                self._boot(running[host])
        await self.services.update()
        self.capture.update(self.state.namespaces)

    async def _leave(self, host: str, network: Network) -> None:
        task = self.booting.pop(host, None)
        if task is not None:
            task.cancel()
        await self.ssh.leave(host)
        found = network.instances.get(host)
        if found is not None and found.state in ("stopping", "stopped"):
            await self.machines.halt(host)
        else:
            await self.machines.discard(host)

    def _boot(self, instance: Instance) -> None:
        """Start to boot it; whoever needs it waits in ``wake``."""
        former = self.booting.get(instance.id)

        async def boot() -> None:
            if former is not None and not former.done():
                await asyncio.wait([former])
            async with self.slots:
                # Listen first: whoever logs in waits for the boot, and no repeated SYN meets a closed port.
                await self.ssh.serve(instance.id)
                await self.machines.boot(machine_of(instance, self.plane))
                self._tell_missing()
            self.services.agents.nudge()

        task = asyncio.create_task(boot())
        task.add_done_callback(_logged)
        self.booting[instance.id] = task

    def _tell_missing(self) -> None:
        """Log, once each, the protections that this machine refuses from now on; the lab has told what it refused its first instance."""
        if self.told_missing is not None:
            for name in sorted(self.machines.missing - self.told_missing):
                LOG.warning("a protection from instances is missing: %s", MISSING[name])
        self.told_missing = set(self.machines.missing)

    async def wake(self, host: str) -> None:
        """Give an instance a namespace of its own and boot it (see seams.Waker)."""
        instance = self.plane.network.instances.get(host)
        if instance is None or instance.state not in _RUNNING:
            raise TwinError(f"{host} does not run" if instance else f"there is no instance {host}")
        if host not in self.plane.hosts:
            async with self.changing:
                self.used.add(host)
                try:
                    await self._settle()
                except TwinError:
                    self.used.discard(host)
                    raise
        task = self.booting.get(host)
        if task is None:
            raise TwinError(f"{host} has no network interface that answers")
        await asyncio.shield(task)

    # -- what the lab asks -----------------------------------------------------------------------------------------------------------

    async def do_run(self, host: str, commands: Sequence[str], folder: str, limit: float) -> dict[str, Any]:
        """Shell lines inside an instance, as Systems Manager's agent runs them."""
        await self.wake(host)
        found: dict[str, Any] = await self.services.agents.run(host, commands, folder, limit, self.machines)
        return found

    async def do_nodes(self) -> dict[str, Any]:
        """Systems Manager's nodes."""
        return {key: dict(value) for key, value in self.services.agents.nodes().items()}

    async def do_why(self, hosts: Sequence[str]) -> dict[str, str]:
        """Why instances are no nodes that are online, in one line each."""
        return {host: self.services.agents.why(host) for host in hosts}

    async def do_host_keys(self, hosts: Sequence[str]) -> dict[str, list[str]]:
        return {host: self.ssh.host_keys(host) for host in hosts}

    async def do_authorize(self, key: str) -> None:
        self.ssh.authorize(key)

    async def do_flow_records(self) -> list[dict[str, Any]]:
        return self.capture.take()

    async def do_text(self) -> str:
        return render(self.state)


def _wakes_itself(facts: HostFacts | None) -> bool:
    """Whether an instance does something of its own at boot: user data, or an agent that calls Systems Manager."""
    return facts is not None and bool(facts.user_data or (facts.ssm and facts.role))


def _boots(facts: Facts, host: str) -> int:
    found = facts.hosts.get(host)
    return found.boots if found else 1


def _logged(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        LOG.error("an instance did not boot: %s", error)
