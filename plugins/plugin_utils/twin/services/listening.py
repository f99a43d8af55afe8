# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets that answer inside namespaces: made there by the kernel's side, served by the event loop. No transport until somebody calls."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..seams import Kernel, TwinError

_IP_FREEBIND, _IPV6_FREEBIND = 15, 78
_AT_ONCE = 64
CONNECTIONS, PER_CALLER = 1024, 32
"""Open connections that one listener serves at a time, in all and of one caller: what an instance can cost the data plane has an end, and
none keeps the others from being answered."""

DATAGRAMS = 1024
"""Of one caller in a second; further ones are dropped, as AWS's resolver does by network interface:
https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-limits."""

Caller = tuple[str, int]


def bound(kernel: Kernel, namespace: str, kind: int, address: str, port: int) -> socket.socket:
    """A non-blocking socket in a namespace, bound to an address that need not be there yet. An empty address is all, of both families.

    Raises TwinError when there is no such namespace, or the port is taken.
    """
    if address:
        return _bound(kernel, namespace, socket.AF_INET6 if ":" in address else socket.AF_INET, kind, address, port)
    try:
        return _bound(kernel, namespace, socket.AF_INET6, kind, "::", port)
    except OSError as error:
        if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            raise
        return _bound(kernel, namespace, socket.AF_INET, kind, "0.0.0.0", port)  # a host without IPv6


def _bound(kernel: Kernel, namespace: str, family: int, kind: int, address: str, port: int) -> socket.socket:
    made = kernel.socket(namespace, family, kind)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address == "::" else 1)
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        else:
            made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        made.bind((address, port))
        if kind == socket.SOCK_STREAM:
            made.listen(256)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise TwinError(f"{namespace}: port {port} of {address} is taken, so its service cannot answer") from error
        raise
    return made


def plain(address: str) -> str:
    """An address as people write it: of an IPv4 caller on a socket of both families without its prefix."""
    return address.removeprefix("::ffff:").partition("%")[0]


class Datagrams:
    """A UDP socket: each datagram and its sender's address go to ``handle``; what that returns goes back (None: nothing).

    Who sends too many is not answered, so that the others still are: to drop one is quick, and the socket's queue is theirs again.
    """

    def __init__(
        self, made: socket.socket, handle: Callable[[bytes, str], bytes | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._socket, self._handle, self._clock = made, handle, clock
        self._loop = asyncio.get_running_loop()
        self._second, self._sent = 0, Counter[str]()
        self._loop.add_reader(made.fileno(), self._read)

    def _read(self) -> None:
        answered = 0
        for _turn in range(DATAGRAMS):
            try:
                data, sender = self._socket.recvfrom(65535)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP error of an earlier answer
            if self._too_many(sender[0]):
                continue
            answer = self._handle(data, plain(sender[0]))
            if answer is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(answer, sender)
            answered += 1
            if answered == _AT_ONCE:
                return

    def _too_many(self, caller: str) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._sent = second, Counter[str]()
        self._sent[caller] += 1
        return self._sent[caller] > DATAGRAMS

    def close(self) -> None:
        """Let go of the socket."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()


class Listener:
    """A listening TCP socket: each connection goes to ``handle`` as a task, with the caller's and its own address; then it is closed.

    Of one caller so many are served, and further ones are closed. Where there are too many in all, the oldest of whoever has most ends.
    """

    def __init__(self, made: socket.socket, handle: Callable[[socket.socket, str, str], Coroutine[Any, Any, None]]) -> None:
        self._socket, self._handle = made, handle
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[str, dict[asyncio.Task[None], None]] = {}
        self._count = 0
        self._loop.add_reader(made.fileno(), self._accept)

    def _accept(self) -> None:
        for _turn in range(_AT_ONCE):
            try:
                connection, caller = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return  # gone again, or no descriptor is free: the next one asks again
            address = plain(caller[0])
            if len(self._tasks.get(address, ())) >= PER_CALLER:
                connection.close()
                continue
            if self._count >= CONNECTIONS:
                most = max(self._tasks, key=lambda held: len(self._tasks[held]))
                next(iter(self._tasks[most])).cancel()
            connection.setblocking(False)
            task = self._loop.create_task(self._serve(connection, address))
            self._tasks.setdefault(address, {})[task] = None
            self._count += 1
            task.add_done_callback(functools.partial(self._done, address))

    def _done(self, address: str, task: asyncio.Task[None]) -> None:
        theirs = self._tasks[address]
        del theirs[task]
        self._count -= 1
        if not theirs:
            del self._tasks[address]

    async def _serve(self, connection: socket.socket, caller: str) -> None:
        try:
            await self._handle(connection, caller, plain(connection.getsockname()[0]))
        except (TimeoutError, OSError, EOFError, ValueError):
            pass  # the caller went away, was too slow, or spoke something else: its own affair
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of the socket and of its connections."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for task in [task for theirs in self._tasks.values() for task in theirs]:
            task.cancel()


async def streams(
    connection: socket.socket, limit: int, tls: Any = None, seconds: float = 10.0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An accepted connection as a reader and a writer, with TLS when told its context. The transport takes a duplicate's place."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit)
    protocol = asyncio.StreamReaderProtocol(reader)
    made = connection.dup()
    made.setblocking(False)
    try:
        extra = {"ssl": tls, "ssl_handshake_timeout": seconds} if tls is not None else {}
        transport, _protocol = await loop.connect_accepted_socket(lambda: protocol, made, **extra)
    except BaseException:
        made.close()
        raise
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def within(seconds: float, work: Awaitable[Any]) -> Any:
    """Wait for something, so long and no longer. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        return await work
