# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh server of all instances: port 22 in each one's network, and a way in beside the network that is like a serial console.

Who may log in: the image's usual user, with a private key to one of the public keys of the instance's EC2 key pair, or to
one that EC2 Instance Connect has sent for a minute. No password, no root.
The lab's own key opens the console only, never the network's port 22.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..facts import HostFacts
from ..seams import Kernel, Machines, Plane, TwinError, Waker
from .forwarding import AgentSocket, RemoteListener, Tasks, forwarded
from .keys import HostKeys, public_data
from .library import SSHServer, SSHServerConnection, asyncssh, check_library
from .pumps import Acceptor
from .sessions import Session

if TYPE_CHECKING:
    from asyncssh import SSHKey, SSHServerConnectionOptions

LOG = logging.getLogger("cloudnet.twin.ssh")
PORT = 22
_BACKLOG = 128
# AES-GCM in hardware is the fastest that both sides have.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr", "chacha20-poly1305@openssh.com")
_LOGIN_SECONDS = 60
_WAITING = 32
"""Connections of one address to one instance that have not logged in yet; more are closed, as sshd's MaxStartups does."""
_WINDOW = 1 << 22


class SshServer:
    """All instances' ssh. Coroutines and methods of the daemon's loop.

    ``plane_getter`` gives the data plane's state of the moment. ``seed``: the secret from which host keys are derived; a new one when None.
    """

    def __init__(
        self, kernel: Kernel, machines: Machines, waker: Waker, plane_getter: Callable[[], Plane], seed: bytes | None = None
    ) -> None:
        self.kernel = kernel
        self.machines = machines
        self.waker = waker
        self._plane = plane_getter
        self._keys = HostKeys(seed)
        self._console: set[bytes] = set()
        self._acceptors: dict[str, list[Acceptor]] = {}
        self._connections: dict[str, set[Connection]] = {}
        self._options: dict[str, SSHServerConnectionOptions] = {}
        # By instance and by the address of who asks: an instance must not lock others out.
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._tasks = Tasks()

    async def start(self) -> None:
        """Raises TwinError when what it needs is not installed."""
        check_library()

    async def serve(self, host: str) -> None:
        """Listen on port 22 of an instance, in its network; nothing to do when it does. Raises TwinError."""
        if host in self._acceptors:
            return
        made: list[Acceptor] = []
        try:
            made.append(Acceptor(self._listening(host, socket.AF_INET), self._taker(host)))
            # A kernel may have been built or started without IPv6.
            with contextlib.suppress(OSError):
                made.append(Acceptor(self._listening(host, socket.AF_INET6), self._taker(host)))
        except OSError as error:
            for acceptor in made:
                acceptor.close()
            raise TwinError(f"{host}: port {PORT} cannot be opened: {error.strerror or error}") from error
        self._acceptors[host] = made

    async def leave(self, host: str) -> None:
        """The instance has gone: close its port and cut its connections."""
        for acceptor in self._acceptors.pop(host, ()):
            acceptor.close()
        self._options.pop(host, None)
        self._keys.forget(host)
        for connection in tuple(self._connections.pop(host, ())):
            connection.abort()

    async def close(self) -> None:
        """Leave all."""
        for host in {*self._acceptors, *self._connections}:
            await self.leave(host)
        self._tasks.cancel()

    def host_keys(self, host: str) -> list[str]:
        """An instance's public host keys, as OpenSSH writes them: ``ssh-ed25519 AAAA…``. They are the same as long as the daemon runs."""
        check_library()
        return self._keys.public(host)

    def authorize(self, key: str) -> None:
        """Let the holder of a key in by the console of every instance: one line of OpenSSH. Raises TwinError for one that is none."""
        check_library()
        found = public_data(key)
        if not found:
            raise TwinError("the lab's own key is no public key of OpenSSH's")
        self._console.add(found)

    async def accept(self, made: socket.socket, host: str, console: bool = False, caller: tuple[str, str] | None = None) -> None:
        """Speak ssh, as that instance, on a connected socket, which becomes the server's. ``console``: it came beside the network.

        ``caller``: as whose it is counted until somebody is logged in.
        """
        made.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: Connection(loop, self._options_of(host), self, host, console, caller), sock=made)

    def admits(self, host: str, user: str, key: bytes, console: bool) -> bool:
        """Whether a key, of which the client proves that it is its own, lets a user in."""
        facts = self._plane().facts.hosts.get(host) or HostFacts(host)
        if user != facts.user or not key:
            return False
        now = time.time()
        lines = [*facts.authorized, *(sent.key for sent in facts.sent_keys if sent.user == user and sent.until > now)]
        return key in {public_data(line) for line in lines} or (console and key in self._console)

    def owner(self, host: str) -> tuple[int, int] | None:
        """User and group id of the instance's user, as this process counts them."""
        try:
            found = os.stat(self.agent_folder(host), follow_symlinks=False)
        except (OSError, TwinError):
            return None
        return found.st_uid, found.st_gid

    def agent_folder(self, host: str) -> str:
        """The folder that the instance sees as ``/run/agent``. Raises TwinError when there is none."""
        folder: Callable[[str], object] | None = getattr(self.machines, "agent_folder", None)
        if folder is None:
            raise TwinError("agents are not forwarded here")
        return str(folder(host))

    def connected(self, connection: Connection) -> None:
        """A connection begins."""
        self._connections.setdefault(connection.instance, set()).add(connection)

    def settle(self, caller: tuple[str, str]) -> None:
        """One of the caller's connections is logged in, or has ended before that."""
        self._waiting[caller] -= 1
        if not self._waiting[caller]:
            del self._waiting[caller]

    def disconnected(self, connection: Connection) -> None:
        """A connection has ended."""
        connection.logged_in()
        held = self._connections.get(connection.instance)
        if held is not None:
            held.discard(connection)
            if not held:
                del self._connections[connection.instance]

    def _listening(self, host: str, family: socket.AddressFamily) -> socket.socket:
        made = self.kernel.socket(host, family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", PORT))
            made.listen(_BACKLOG)
        except BaseException:
            made.close()
            raise
        return made

    def _taker(self, host: str) -> Callable[[socket.socket], object]:
        def take(made: socket.socket) -> None:
            self._tasks.start(self._take(made, host))

        return take

    async def _take(self, made: socket.socket, host: str) -> None:
        try:
            caller = host, str(made.getpeername()[0])
        except OSError:  # the client has gone
            made.close()
            return
        if self._waiting[caller] >= _WAITING:
            made.close()
            return
        self._waiting[caller] += 1
        try:
            await self.accept(made, host, caller=caller)
        except Exception:
            LOG.exception("%s: a connection was not taken", host)
            self.settle(caller)
            made.close()

    def _options_of(self, host: str) -> SSHServerConnectionOptions:
        if host not in self._options:
            keys: list[SSHKey] = list(self._keys.of(host))
            self._options[host] = asyncssh.SSHServerConnectionOptions(
                server_host_keys=keys,
                server_version="cloudnet",
                encryption_algs=_CIPHERS,
                compression_algs=("none",),
                public_key_auth=True,
                password_auth=False,
                kbdint_auth=False,
                host_based_auth=False,
                gss_host=None,
                x509_trusted_certs=None,
                login_timeout=_LOGIN_SECONDS,
                line_editor=False,
                encoding=None,
                allow_scp=False,
                x11_forwarding=False,
                agent_forwarding=True,
                rdns_lookup=False,
                window=_WINDOW,
            )
        return self._options[host]


class Connection(SSHServerConnection):
    """One connection to one instance."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: SSHServerConnectionOptions,
        server: SshServer,
        host: str,
        console: bool,
        caller: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(loop, options)
        self.instance = host
        self._caller = caller
        self._twin = server
        self._agent_lock = asyncio.Lock()
        # asyncssh makes what answers for a connection from its options, which are the same for all of an instance's connections.
        self._protocol_factory = lambda: Login(server, host, console)

    def logged_in(self) -> None:
        """It counts for its caller no more."""
        caller, self._caller = self._caller, None
        if caller is not None:
            self._twin.settle(caller)

    async def create_agent_listener(self) -> bool:
        """Forward the user's agent: into the instance, where asyncssh would make a socket in this process's own files."""
        async with self._agent_lock:
            if self._agent_listener is not None:
                return True
            try:
                await self._twin.waker.wake(self.instance)
                listener: Any = AgentSocket(self._twin.agent_folder(self.instance), self)
            except (OSError, TwinError) as error:
                LOG.warning("%s: the agent is not forwarded: %s", self.instance, error)
                return False
            self._agent_listener = listener
            return True


class Login(SSHServer):
    """Who is let in, and what they may ask of a connection."""

    def __init__(self, server: SshServer, host: str, console: bool) -> None:
        self._server = server
        self._host = host
        self._console = console
        self._connection: Connection | None = None

    def connection_made(self, conn: Any) -> None:
        self._connection = conn
        self._server.connected(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._server.disconnected(self._connection)

    def auth_completed(self) -> None:
        if self._connection is not None:
            self._connection.logged_in()

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: SSHKey) -> bool:
        return self._server.admits(self._host, username, key.public_data, self._console)

    def session_requested(self) -> Any:
        server = self._server
        return Session(self._host, server.machines, server.waker, self._addresses(), server.owner(self._host))

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        server = self._server
        return forwarded(server.kernel, server.machines, server.waker, self._host, dest_host, dest_port)

    def server_requested(self, listen_host: str, listen_port: int) -> Any:
        if self._connection is None:
            return False
        with contextlib.suppress(OSError, TwinError):
            return RemoteListener(self._server.kernel, self._host, self._connection, listen_host, listen_port)
        return False

    def _addresses(self) -> tuple[str, int, str, int] | None:
        """Peer's and own address, where the connection came over the network."""
        if self._console or self._connection is None:
            return None
        peer, own = (self._connection.get_extra_info(name) for name in ("peername", "sockname"))
        return (str(peer[0]), int(peer[1]), str(own[0]), int(own[1])) if peer and own else None
