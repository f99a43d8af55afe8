# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the network, opened and closed as its namespaces come and go: resolvers, metadata, AWS's stand-ins, agents."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

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
    """A socket to be: ``service`` is resolver, metadata or answers."""

    service: str
    kind: int
    address: str
    port: int


def router_places(vpc: Vpc) -> list[Place]:
    """What a VPC's router has: the resolver's addresses, UDP and TCP, and the metadata service's."""
    found = [
        Place(_RESOLVER, kind, address, resolver.PORT)
        for address in resolver.addresses(vpc)
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    ]
    return [*found, Place(_METADATA, socket.SOCK_STREAM, METADATA[0], metadata.PORT)]


@dataclass
class _Opened:
    """A namespace's services. ``made`` tells it from an earlier one of its name; ``blocks``: what the addresses go by, which may change."""

    made: int
    blocks: object
    servers: dict[Place, Datagrams | Listener] = field(default_factory=dict)


class Services:
    """All of them. ``plane`` gives the data plane's state at any time. To be made and used in one event loop."""

    def __init__(self, kernel: Kernel, plane: Callable[[], Plane]) -> None:
        resolver.need()
        self._kernel, self._plane = kernel, plane
        self._open: dict[str, _Opened] = {}
        self._tokens = metadata.Tokens()
        self.agents = Agents(kernel, plane)

    async def update(self) -> None:
        """Follow an applied change: open and close what is needed. Raises TwinError for what could not be opened; the rest is."""
        new, gone = self._differing(self._plane())
        for namespace in gone:
            self._shut(namespace)
        faults: list[str] = []
        if new:
            # The kernel's side does it, which may take its time: not in the loop's thread.
            sockets = await asyncio.to_thread(self._sockets, new, faults)
            for namespace, opened, made in sockets:
                opened.servers.update((place, self._serve(namespace, place, one)) for place, one in made.items())
                self._open[namespace] = opened
        self.agents.nudge()
        if faults:
            raise TwinError("; ".join(faults))

    def _differing(self, plane: Plane) -> tuple[dict[str, tuple[_Opened, list[Place]]], list[str]]:
        """Namespaces that are new, or another than before, with what they are to have; and those whose services are to end."""
        new: dict[str, tuple[_Opened, list[Place]]] = {}
        seen: set[str] = set()
        for vpc in plane.network.vpcs.values():
            blocks = (vpc.cidrs[:1], bool(vpc.ipv6_cidrs))
            if self._is_new(vpc.id, blocks, seen):
                new[vpc.id] = (_Opened(self._identity(vpc.id), blocks), router_places(vpc))
        answering = [f"{kind}:{vpc}" for vpc in plane.network.vpcs for kind in ("serve", "services")]
        for namespace in (*answering, "internet"):
            ports = Answers(namespace, self._plane).ports()
            if self._is_new(namespace, ports, seen):
                places = [Place(_ANSWERS, socket.SOCK_STREAM, address, port) for address, port in ports]
                new[namespace] = (_Opened(self._identity(namespace), ports), places)
        return new, [namespace for namespace in self._open if namespace not in seen or namespace in new]

    def _is_new(self, namespace: str, blocks: object, seen: set[str]) -> bool:
        """Whether there is such a namespace, and its services are not open as they should be. ``seen`` gets those that there are."""
        made = self._identity(namespace)
        if not made:
            return False
        seen.add(namespace)
        opened = self._open.get(namespace)
        return opened is None or opened.made != made or opened.blocks != blocks

    def _identity(self, namespace: str) -> int:
        """What tells a namespace from any other; 0 when there is none of that name."""
        try:
            return os.fstat(self._kernel.descriptor(namespace)).st_ino
        except TwinError:
            return 0

    def _sockets(
        self, new: dict[str, tuple[_Opened, list[Place]]], faults: list[str]
    ) -> list[tuple[str, _Opened, dict[Place, socket.socket]]]:
        """The sockets of new namespaces. ``faults`` gets what failed; a namespace with a fault is new again next time."""
        result = []
        for namespace, (opened, places) in new.items():
            made: dict[Place, socket.socket] = {}
            for place in places:
                try:
                    made[place] = bound(self._kernel, namespace, place.kind, place.address, place.port)
                except (TwinError, OSError) as error:
                    opened.made = -1
                    faults.append(f"{place.service} of {namespace} at {place.address or 'all'} port {place.port}: {error}")
            result.append((namespace, opened, made))
        return result

    def _serve(self, namespace: str, place: Place, made: socket.socket) -> Datagrams | Listener:
        if place.service == _ANSWERS:
            return Listener(made, Answers(namespace, self._plane).connection)
        if place.service == _METADATA:
            return Listener(made, metadata.Metadata(namespace, self._plane, self._tokens).connection)
        found = resolver.Resolver(namespace, self._plane)
        return Datagrams(made, found.datagram) if place.kind == socket.SOCK_DGRAM else Listener(made, found.connection)

    def _shut(self, namespace: str) -> None:
        for server in self._open.pop(namespace).servers.values():
            server.close()

    def nudge(self) -> None:
        """Have the agents look at once."""
        self.agents.nudge()

    async def close(self) -> None:
        """Close everything."""
        await self.agents.close()
        for namespace in list(self._open):
            self._shut(namespace)
