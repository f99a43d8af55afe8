# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the network, opened and closed as its namespaces come and go: resolvers, metadata, AWS's stand-ins, agents."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from ....module_utils._model.network import Vpc
from ..places import METADATA
from ..seams import Kernel, Plane, TwinError
from . import metadata, resolver
from .agent import Agents
from .answers import Answers
from .listening import Datagrams, Listener, bound

LOG = logging.getLogger("cloudnet.twin")

_RESOLVER, _METADATA, _ANSWERS = "resolver", "metadata", "answers"


@dataclass(frozen=True)
class Place:
    """A socket to be: ``service`` is resolver, metadata or answers; ``made`` tells a namespace from an earlier one of its name."""

    namespace: str
    made: int
    service: str
    kind: int
    address: str
    port: int


def router_places(vpc: Vpc, made: int) -> list[Place]:
    """What a VPC's router has: the resolver's addresses, UDP and TCP, and the metadata service's."""
    found = [
        Place(vpc.id, made, _RESOLVER, kind, address, resolver.PORT)
        for address in resolver.addresses(vpc)
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    ]
    return [*found, Place(vpc.id, made, _METADATA, socket.SOCK_STREAM, METADATA[0], metadata.PORT)]


class Services:
    """All of them. ``plane`` gives the data plane's state at any time. To be made and used in one event loop."""

    def __init__(self, kernel: Kernel, plane: Callable[[], Plane]) -> None:
        resolver.need()
        self._kernel, self._plane = kernel, plane
        self._open: dict[Place, Datagrams | Listener] = {}
        self._tokens = metadata.Tokens()
        self.agents = Agents(kernel, plane)

    async def update(self) -> None:
        """Follow an applied change: open and close what is needed. Raises TwinError for what could not be opened; the rest is."""
        wanted, sockets, faults = await asyncio.to_thread(self._prepare, self._plane())
        for place in [place for place in self._open if place not in wanted]:
            self._open.pop(place).close()
        for place, made in sockets.items():
            self._open[place] = self._serve(place, made)
        self.agents.nudge()
        if faults:
            raise TwinError("; ".join(faults))

    def _prepare(self, plane: Plane) -> tuple[set[Place], dict[Place, socket.socket], list[str]]:
        """All places, new sockets for those that have none, and what failed. Asks the kernel's side, so not in the loop's thread."""
        wanted: set[Place] = set()
        for vpc in plane.network.vpcs.values():
            made = self._identity(vpc.id)
            if made:
                wanted.update(router_places(vpc, made))
        answering = [f"{kind}:{vpc}" for vpc in plane.network.vpcs for kind in ("serve", "services")]
        for namespace in (*answering, "internet"):
            made = self._identity(namespace)
            if made:
                ports = Answers(namespace, self._plane).ports()
                wanted.update(Place(namespace, made, _ANSWERS, socket.SOCK_STREAM, address, port) for address, port in ports)
        sockets: dict[Place, socket.socket] = {}
        faults = []
        for place in wanted - self._open.keys():
            try:
                sockets[place] = bound(self._kernel, place.namespace, place.kind, place.address, place.port)
            except (TwinError, OSError) as error:
                faults.append(f"{place.service} of {place.namespace} at {place.address or 'all'} port {place.port}: {error}")
        return wanted, sockets, faults

    def _identity(self, namespace: str) -> int:
        """What tells a namespace from any other; 0 when there is none of that name."""
        try:
            return os.fstat(self._kernel.descriptor(namespace)).st_ino
        except TwinError:
            return 0

    def _serve(self, place: Place, made: socket.socket) -> Datagrams | Listener:
        if place.service == _ANSWERS:
            return Listener(made, Answers(place.namespace, self._plane).connection)
        if place.service == _METADATA:
            return Listener(made, metadata.Metadata(place.namespace, self._plane, self._tokens).connection)
        found = resolver.Resolver(place.namespace, self._plane)
        return Datagrams(made, found.datagram) if place.kind == socket.SOCK_DGRAM else Listener(made, found.connection)

    def nudge(self) -> None:
        """Have the agents look at once."""
        self.agents.nudge()

    async def close(self) -> None:
        """Close everything."""
        await self.agents.close()
        for server in self._open.values():
            server.close()
        self._open.clear()
