# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's way in from the lab's machine: a unix socket of the lab's, with no privileges and no route from the host's network.

A client sends one line of JSON, ``{"to": "i-…" or a name, "via": "console" or "internet", "address": …, "port": …}``, is answered by one,
``{"ok": true}`` or ``{"error": "one line"}``, and after the former the socket carries the connection's own bytes.

* ``console``: the ssh server of the instance at once, whatever the network is like, as a serial console.
* ``internet``: a TCP connection from a host on the internet to the instance's public address: gateways, routes, network ACLs and security
  groups decide. ``address`` takes the place of ``to`` where it is known; ``port`` is 22 unless given.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from ....module_utils._model.network import Instance, Network
from ..seams import Kernel, Plane, TwinError, Waker
from .forwarding import Tasks, dial
from .pumps import Acceptor, End, joined
from .server import PORT, SshServer

LOG = logging.getLogger("cloudnet.twin.ssh")
INTERNET = "internet"
"""The namespace in which the user's own connections begin."""
CONNECT_SECONDS = 10.0
_WAKE_SECONDS = 60.0
_LINE_BYTES = 4096
_LINE_SECONDS = 10.0
_RUNNING = ("pending", "running")


def find_instance(network: Network, wanted: str) -> Instance:
    """The running instance of an id, a Name tag, or an address. Raises TwinError for none, and for several of one name."""
    if not wanted:
        raise TwinError("to is missing: say which instance")
    running = [item for item in network.instances.values() if item.state in _RUNNING]
    if wanted in network.instances:
        found = [network.instances[wanted]]
        if found[0].state not in _RUNNING:
            raise TwinError(f"{wanted} is {found[0].state or 'not running'}")
    else:
        found = [item for item in running if wanted in (item.tags.get("Name"), item.name, item.public_ip)]
        found = found or [item for item in running if wanted == item.private_ip]
    if not found:
        raise TwinError(f"no running instance is called {wanted}")
    if len(found) > 1:
        raise TwinError(f"{wanted} means {len(found)} instances: {', '.join(sorted(item.id for item in found))}; say which by its id")
    return found[0]


class Entry:
    """Accepts on the lab's socket. ``plane_getter`` gives the data plane's state of the moment."""

    def __init__(self, listener: socket.socket, server: SshServer, kernel: Kernel, waker: Waker, plane_getter: Callable[[], Plane]) -> None:
        self._listener = listener
        self._server = server
        self._kernel = kernel
        self._waker = waker
        self._plane = plane_getter
        self._acceptor: Acceptor | None = None
        self._tasks = Tasks()

    async def start(self) -> None:
        """Begin to accept."""
        self._acceptor = Acceptor(self._listener, lambda made: self._tasks.start(self._take(made)))

    async def close(self) -> None:
        """Accept no more."""
        if self._acceptor is not None:
            self._acceptor.close()
        self._tasks.cancel()

    async def _take(self, made: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            try:
                wanted = await asyncio.wait_for(_line(made), _LINE_SECONDS)
                connected = await self._reach(wanted)
            except TimeoutError:
                await loop.sock_sendall(made, _said(error="no question came"))
                made.close()
            except (TwinError, ValueError) as error:
                await loop.sock_sendall(made, _said(error=str(error)))
                made.close()
            else:
                await loop.sock_sendall(made, _said())
                if isinstance(connected, str):
                    await self._server.accept(made, connected, console=True)
                else:
                    await _join(made, connected)
        except OSError:  # the client has gone
            made.close()
        except Exception:
            LOG.exception("a connection was not taken")
            made.close()

    async def _reach(self, wanted: dict[str, Any]) -> str | socket.socket:
        """The instance for its console, or a connection over the internet. Raises TwinError and ValueError."""
        to, via = str(wanted.get("to") or ""), wanted.get("via", "console")
        if via == "console":
            host = find_instance(self._plane().network, to).id
            try:
                await asyncio.wait_for(self._waker.wake(host), _WAKE_SECONDS)
            except TimeoutError:
                raise TwinError(f"{host} did not start in {_WAKE_SECONDS:.0f} s") from None
            return host
        if via != "internet":
            raise ValueError(f"via is console or internet, not {via!r}")
        port = int(wanted.get("port") or PORT)
        if not 0 < port < 65536:
            raise ValueError(f"there is no port {port}")
        address = str(ip_address(str(wanted["address"]))) if wanted.get("address") else _public_address(self._plane().network, to)
        around = self._plane().outside
        source = around.controller_6 if ":" in address else around.controller
        return await dial(self._kernel, INTERNET, address, port, CONNECT_SECONDS, source)


def _public_address(network: Network, to: str) -> str:
    try:
        return str(ip_address(to))
    except ValueError:
        found = find_instance(network, to)
    if not found.public_ip:
        raise TwinError(f"{to} has no public address; reach it through a bastion, or by its console")
    return found.public_ip


async def _line(made: socket.socket) -> dict[str, Any]:
    """The client's question. Raises ValueError, and OSError when it closes first."""
    loop = asyncio.get_running_loop()
    text = b""
    # One byte at a time: what follows the line is not ours to read.
    while not text.endswith(b"\n"):
        byte = await loop.sock_recv(made, 1)
        if not byte:
            raise ConnectionResetError("closed")
        text += byte
        if len(text) > _LINE_BYTES:
            raise ValueError(f"the question is longer than {_LINE_BYTES} bytes")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("the question is no JSON object")
    return found


def _said(error: str = "") -> bytes:
    said: dict[str, Any] = {"error": " ".join(error.split())} if error else {"ok": True}
    return json.dumps(said).encode() + b"\n"


async def _join(left: socket.socket, right: socket.socket) -> None:
    """Copy both ways until both have ended."""
    end = await joined(right)
    left.setblocking(False)
    other = End(end)
    await asyncio.get_running_loop().create_connection(lambda: other, sock=left)
