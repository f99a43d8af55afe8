# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel tells of packets, and who listens: flow logs, and instances that are woken by a first connection."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .compile.logs import GROUPS
from .compile.view import PARK
from .flows import NO_DATA, FlowTable, watched
from .nflog import FAMILY, KIND, NETLINK_NETFILTER, WAKE, NflogListener, Packet
from .seams import Kernel, Plane, TwinError, Waker
from .services.directory import holder

LOG = logging.getLogger("cloudnet.twin")


@dataclass
class _Open:
    """A listener of one namespace. ``made`` tells that namespace from a later one of the same name."""

    made: int
    listener: NflogListener
    table: FlowTable | None = None


class Capture:
    """Listens in routers with flow logs and in parking namespaces. To be used in one event loop."""

    def __init__(self, kernel: Kernel, plane: Callable[[], Plane], waker: Waker) -> None:
        self._kernel, self._plane, self._waker = kernel, plane, waker
        self._open: dict[str, _Open] = {}
        self._ended: list[FlowTable] = []
        self._waking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def update(self, namespaces: Iterable[str]) -> None:
        """Follow an applied change. Raises TwinError for what could not be listened to; the rest is."""
        network = self._plane().network
        logged = watched(network)
        wanted = {name for name in namespaces if name in logged or name.startswith(f"{PARK}:")}
        for name in [name for name, one in self._open.items() if name not in wanted or one.made != self._identity(name)]:
            self._close(name)
        faults: list[str] = []
        for name in sorted(wanted):
            one = self._open.get(name)
            if one is not None:
                if one.table is not None:
                    one.table.update(network)
                continue
            try:
                self._listen(name, name in logged)
            except (TwinError, OSError) as error:
                faults.append(f"{name}: {error}")
        if faults:
            raise TwinError("; ".join(faults))

    def take(self) -> list[dict[str, Any]]:
        """What flow logs captured since the last time: ``{"eni", "account", "action", "line"}``.

        An interval that is this short says nothing of ENIs that had no traffic (NODATA).
        """
        tables = [one.table for one in self._open.values() if one.table is not None]
        enis = {eni for items in watched(self._plane().network).values() for eni in items}
        for one in self._open.values():
            if one.table is not None:
                one.listener.read()
        found = [record for table in (*self._ended, *tables) for record in table.flush(enis) if record.status != NO_DATA]
        self._ended.clear()
        return [{"eni": item.interface, "account": item.account, "action": item.action, "line": item.line()} for item in found]

    def close(self) -> None:
        """Listen no more."""
        for name in list(self._open):
            self._close(name)
        for task in self._tasks:
            task.cancel()

    def _listen(self, name: str, logged: bool) -> None:
        made, sock = self._identity(name), self._kernel.socket(name, FAMILY, KIND, NETLINK_NETFILTER)
        try:
            if logged:
                table = FlowTable(self._plane().network, name)
                one = _Open(made, NflogListener(sock, GROUPS.values(), table.note, table.lose), table)
            else:
                vpc = name.partition(":")[2]
                one = _Open(made, NflogListener(sock, [WAKE], lambda packet: self._knock(vpc, packet), prompt=True))
        except BaseException:
            sock.close()
            raise
        self._open[name] = one
        asyncio.get_running_loop().add_reader(one.listener.fileno(), one.listener.read)

    def _close(self, name: str) -> None:
        one = self._open.pop(name)
        asyncio.get_running_loop().remove_reader(one.listener.fileno())
        one.listener.close()
        if one.table is not None:
            self._ended.append(one.table)

    def _identity(self, name: str) -> int:
        try:
            return os.fstat(self._kernel.descriptor(name)).st_ino
        except TwinError:
            return 0

    def _knock(self, vpc: str, packet: Packet) -> None:
        """Somebody connects to an instance that nobody used so far: have it there when the packet is repeated."""
        if not packet.opens:
            return
        found = holder(self._plane().network, vpc, packet.destination)
        if found is None or not found.instance or found.instance in self._waking:
            return
        self._waking.add(found.instance)
        task = asyncio.get_running_loop().create_task(self._wake(found.instance))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self, host: str) -> None:
        try:
            await self._waker.wake(host)
        except TwinError as error:
            LOG.error("%s could not be woken: %s", host, error)
        finally:
            self._waking.discard(host)
