# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the data plane ask of one another. All of it lives in the data plane's own process (see daemon.py)."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from ...module_utils._model.network import Network
from .compile.outside import Outside, outside
from .facts import Facts
from .state import KernelState


class TwinError(Exception):
    """The kernel, or the data plane, could not do what was asked: one line for people."""


class NetworkNamespaces(Protocol):
    """What instances need of the kernel's side."""

    def descriptor(self, namespace: str) -> int:
        """A descriptor of the namespace (for setns), borrowed: it stays the kernel's. Raises TwinError."""


class Kernel(NetworkNamespaces, Protocol):
    """The namespaces. Blocking; ``apply`` is called by one thread at a time, the others from any."""

    def apply(self, state: KernelState) -> None:
        """Make it so, by the difference to what is there. Raises TwinError; what could not be done leaves the last good state."""

    def socket(self, namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A new socket that lives in a namespace. Raises TwinError when there is none of that name."""

    def close(self) -> None:
        """Let go of all namespaces."""


@dataclass(frozen=True)
class Machine:
    """An instance to boot. ``id`` is also its network namespace's name. ``address``: its primary private one. ``resolvers``: the name
    servers that DHCP gave it, at most three of which a C library asks.

    ``user``: who logs in with ssh. ``hosts``: further lines of /etc/hosts. ``boots``: another number than before is another boot.
    """

    id: str
    hostname: str
    address: str
    user: str
    resolvers: tuple[str, ...]
    search: str
    boots: int = 1
    user_data: bytes = field(repr=False, default=b"")
    authorized: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class Running(Protocol):
    """A process inside an instance."""

    pid: int

    async def wait(self) -> int:
        """Its exit status; a negative number is the signal that ended it."""

    def signal(self, number: int) -> None:
        """Send a signal to it (as seen from outside; its process group too)."""


class Machines(Protocol):
    """Instances as processes: namespaces, a root of their own, an init. Coroutines of the daemon's loop."""

    async def boot(self, machine: Machine) -> None:
        """Have it run; nothing to do when it does, under that number of boots. User data runs once in its life, in the background."""

    async def halt(self, id: str) -> None:
        """End its processes; its home and disk stay (stop)."""

    async def discard(self, id: str) -> None:
        """End its processes and forget its disk (terminate)."""

    async def spawn(
        self,
        id: str,
        argv: Sequence[str],
        *,
        root: bool = False,
        environment: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        terminal: bool = False,
        folder: str = "",
    ) -> Running:
        """Run a program inside a booted instance, as its user or as root, with a login's environment.

        Descriptors None are /dev/null; with ``terminal`` stdin is the slave side of a terminal, which becomes the controlling one.
        ``folder`` empty is the home. The descriptors stay the caller's, to close. Raises TwinError.
        """

    def running(self, id: str) -> bool:
        """Whether it is booted."""

    async def close(self) -> None:
        """End everything."""


@dataclass
class Plane:
    """The data plane's state that its services read: replaced as a whole at each change, never edited.

    ``network``, ``facts``: as the lab last told. ``hosts``: network namespaces of instances in use. ``around``: where the internet's hosts
    are, if that was looked up already.
    """

    network: Network = field(default_factory=Network)
    facts: Facts = field(default_factory=Facts)
    hosts: frozenset[str] = frozenset()
    around: Outside | None = None

    @cached_property
    def outside(self) -> Outside:
        """Where the internet's hosts are."""
        return self.around or outside(self.network)


class Waker(Protocol):
    """Makes instances that nobody used so far into machines."""

    async def wake(self, host: str) -> None:
        """Give the instance its own namespace and boot it; at once when that is so. Raises TwinError for one that does not run."""
