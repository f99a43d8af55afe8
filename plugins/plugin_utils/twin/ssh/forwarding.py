# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP through an instance (``-L``, ``-J``, ``-W``, ``-D``), back from it (``-R``), and the user's agent in it.

Sockets are made in the instance's network, so its routes, network ACLs and security groups decide; names are looked up inside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from ..seams import Kernel, Machines, TwinError, Waker
from .library import SSHListener, asyncssh
from .pumps import Acceptor, ChannelEnd, joined

if TYPE_CHECKING:
    from asyncssh import SSHServerConnection

CONNECT_SECONDS = 60.0
_LOOKUP_SECONDS = 20.0
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})")
_GETENT = "/usr/bin/getent"
_CONNECT_FAILED = 2
"""Why a channel is not opened: RFC 4254, section 5.1."""
AGENT_FOLDER = "/run/agent"
"""Where an instance sees the folder of forwarded agents."""


async def output_of(machines: Machines, host: str, argv: list[str], limit: float) -> bytes:
    """What a program inside an instance prints. Raises TwinError, also when it takes longer than ``limit`` seconds."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    pipe, _protocol = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0))
    try:
        try:
            running = await machines.spawn(host, argv, stdout=writing)
        finally:
            os.close(writing)
        try:
            return await asyncio.wait_for(reader.read(65536), limit)
        except TimeoutError:
            running.signal(9)
            raise TwinError(f"{argv[0]} in {host} did not answer in {limit:.0f} s") from None
    finally:
        pipe.close()


def addresses_in(text: str) -> list[str]:
    """The addresses of ``getent ahosts``, in its order, each once."""
    found: dict[str, None] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[1] == "STREAM":
            with contextlib.suppress(ValueError):
                found[str(ip_address(words[0].partition("%")[0]))] = None
    return list(found)


async def addresses_of(machines: Machines, host: str, name: str) -> list[str]:
    """A name's addresses as programs in the instance find them. Raises TwinError when it has none."""
    try:
        return [str(ip_address(name.strip("[]")))]
    except ValueError:
        pass
    if not _NAME.fullmatch(name):
        raise TwinError(f"{name[:80]!r} is no host name")
    said = await output_of(machines, host, [_GETENT, "ahosts", name], _LOOKUP_SECONDS)
    found = addresses_in(said.decode(errors="replace"))
    if not found:
        raise TwinError(f"{name}: Name or service not known")
    return found


async def dial(kernel: Kernel, namespace: str, address: str, port: int, limit: float, source: str = "") -> socket.socket:
    """A connection from a namespace. Raises TwinError, in the words that people know from ssh."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = kernel.socket(namespace, family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        if source:
            made.bind((source, 0))
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(made, (address, port)), limit)
    except TimeoutError:
        made.close()
        raise TwinError(f"no answer from {at(address, port)} in {limit:.0f} s") from None
    except OSError as error:
        made.close()
        # asyncio puts words of its own in the place of the system's.
        why = os.strerror(error.errno) if error.errno else str(error)
        raise TwinError(f"{at(address, port)}: {why}") from None
    except BaseException:
        made.close()
        raise
    return made


def at(address: str, port: int) -> str:
    """Address and port as people write them."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


async def forwarded(kernel: Kernel, machines: Machines, waker: Waker, host: str, name: str, port: int) -> Any:
    """The session of a channel that is connected to a name and port as seen from an instance. Raises asyncssh's ChannelOpenError."""
    why = "no address"
    try:
        if not 0 < port < 65536:
            raise TwinError(f"there is no port {port}")
        await waker.wake(host)
        for address in await addresses_of(machines, host, name):
            try:
                made = await dial(kernel, host, address, port, CONNECT_SECONDS)
            except TwinError as error:
                why = str(error)
                continue
            return ChannelEnd(await joined(made))
    except (TwinError, OSError) as error:
        why = str(error)
    raise asyncssh.ChannelOpenError(_CONNECT_FAILED, why)


class Tasks:
    """Tasks that nobody waits for: kept from being collected, and ended together."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    def cancel(self) -> None:
        for task in self._running:
            task.cancel()


class RemoteListener(SSHListener):
    """A port of an instance that leads back to the user (``-R``): on its loopback addresses only, as OpenSSH's server has it."""

    def __init__(self, kernel: Kernel, host: str, connection: SSHServerConnection, asked: str, port: int) -> None:
        """``asked``: the address that the client named. Raises OSError or TwinError when the port cannot be had."""
        super().__init__()
        self._connection = connection
        self._asked = asked
        self._tasks = Tasks()
        self._acceptors: list[Acceptor] = []
        try:
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                self._listen(kernel.socket(host, family, socket.SOCK_STREAM), address, port or self.get_port())
        except BaseException:
            self.close()
            raise

    def _listen(self, made: socket.socket, address: str, port: int) -> None:
        made.setblocking(False)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            made.listen(64)
        except OSError:
            made.close()
            if not self._acceptors:  # the second, IPv6, may be missing
                raise
            return
        self._acceptors.append(Acceptor(made, lambda peer: self._tasks.start(self._take(peer))))

    async def _take(self, made: socket.socket) -> None:
        peer = made.getpeername()
        end = await joined(made)
        try:
            await self._connection.create_connection(lambda: ChannelEnd(end), self._asked, self.get_port(), peer[0], peer[1])
        except (asyncssh.Error, OSError):
            end.transport.abort()

    def get_port(self) -> int:
        """The port, when it is open."""
        return self._acceptors[0].port if self._acceptors else 0

    def close(self) -> None:
        """Close the port; connections stay."""
        for acceptor in self._acceptors:
            acceptor.close()
        self._acceptors = []

    async def wait_closed(self) -> None:
        """It is closed at once."""


class AgentSocket:
    """A socket in an instance that leads to the user's agent; asyncssh asks of it a path, and to close it with the connection."""

    def __init__(self, folder: str, connection: SSHServerConnection) -> None:
        """``folder``: on this side, the one that the instance sees as AGENT_FOLDER. Raises OSError."""
        self._connection = connection
        self._tasks = Tasks()
        self._name = f"agent.{os.urandom(6).hex()}"
        self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # The folder is the instance's, too: nothing here follows a link that may lie in it. And a socket's path must be short.
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(f"/proc/self/fd/{self._folder}/{self._name}")
            owner = os.stat(self._folder)
            os.chown(self._name, owner.st_uid, owner.st_gid, dir_fd=self._folder, follow_symlinks=False)
            listener.listen(16)
        except BaseException:
            listener.close()
            self._unlink()
            raise
        self._acceptor = Acceptor(listener, lambda made: self._tasks.start(self._take(made)))

    def get_path(self) -> str:
        """Its path inside the instance."""
        return f"{AGENT_FOLDER}/{self._name}"

    async def _take(self, made: socket.socket) -> None:
        end = await joined(made)
        try:
            session: Any = ChannelEnd(end)
            await self._connection.create_agent_connection(lambda: session)
        except (asyncssh.Error, OSError):
            end.transport.abort()

    def close(self) -> None:
        """Take it away."""
        self._acceptor.close()
        self._unlink()

    def _unlink(self) -> None:
        if self._folder >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
            os.close(self._folder)
            self._folder = -1
