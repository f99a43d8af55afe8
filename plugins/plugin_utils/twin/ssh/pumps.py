# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes from one place to another, never faster than the receiver takes them, and none lost at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from .library import TcpSession

_AT_ONCE = 1 << 17


class Source:
    """Reads a descriptor, in the loop, and hands on what comes. ``finished`` is done when all of it was, or it was given up.

    The descriptor becomes the source's own.
    """

    def __init__(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._take = take
        self._paused = False
        self._last = False
        self.finished: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._ready)

    def pause(self) -> None:
        """The receiver has enough."""
        if not self._paused and not self.finished.done():
            self._paused = True
            self._loop.remove_reader(self._descriptor)

    def resume(self) -> None:
        """The receiver takes more."""
        if self._paused and not self.finished.done():
            self._paused = False
            self._loop.add_reader(self._descriptor, self._ready)
            if self._last:
                self._loop.call_soon(self._ready)

    def end_when_empty(self) -> None:
        """Nothing more that matters will be written: take what is there, and finish even though others may hold the other end."""
        self._last = True
        self._loop.call_soon(self._ready)

    def close(self) -> None:
        """Let go of the descriptor; what was not read is lost."""
        if not self.finished.done():
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self.finished.set_result(None)

    def _ready(self) -> None:
        if self._paused or self.finished.done():
            return
        try:
            data = os.read(self._descriptor, _AT_ONCE)
        except BlockingIOError:
            if self._last:
                self.close()
            return
        except OSError:  # a terminal whose last program has ended says so with EIO
            data = b""
        if not data:
            self.close()
            return
        self._take(data)
        if self._last:
            self._loop.call_soon(self._ready)


class Sink:
    """Writes to a descriptor, in the loop; ``full`` and ``free`` tell the sender when to wait. The descriptor becomes the sink's own."""

    def __init__(self, descriptor: int, full: Callable[[], None], free: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._full = full
        self._free = free
        self._waiting: list[memoryview] = []
        self._ending = False
        self._closed = False
        os.set_blocking(descriptor, False)

    def write(self, data: bytes) -> None:
        """Write it, now or as soon as there is room. Once nobody reads any more, it is dropped."""
        if self._closed or self._ending:
            return
        rest = memoryview(data)
        if not self._waiting:
            rest = self._written(rest)
        if rest and not self._closed:
            if not self._waiting:
                self._loop.add_writer(self._descriptor, self._ready)
                self._full()
            self._waiting.append(rest)

    @property
    def waiting(self) -> bool:
        """Whether it has more than was taken so far."""
        return bool(self._waiting)

    def end(self) -> None:
        """No more will come: close once all is written."""
        self._ending = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Let go of the descriptor at once."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_writer(self._descriptor)
        os.close(self._descriptor)
        if self._waiting:
            self._waiting.clear()
            self._free()

    def _written(self, data: memoryview) -> memoryview:
        """What is left of it."""
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except BlockingIOError:
            pass
        except OSError:  # the reader has gone, which is its right: `head -1`
            self.close()
            return data[:0]
        return data

    def _ready(self) -> None:
        while self._waiting and not self._closed:
            rest = self._written(self._waiting[0])
            if self._closed:
                return
            if rest:
                self._waiting[0] = rest
                return
            self._waiting.pop(0)
        if not self._closed:
            self._loop.remove_writer(self._descriptor)
            # The sender may have more, and write it at once.
            self._free()
            if self._ending and not self._waiting:
                self.close()


class Acceptor:
    """Takes every connection to a listening socket, which becomes its own."""

    def __init__(self, listener: socket.socket, take: Callable[[socket.socket], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._take = take
        self._closed = False
        listener.setblocking(False)
        self._watch()

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Take no more; those taken stay."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()

    def _watch(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener.fileno(), self._ready)

    def _ready(self) -> None:
        try:
            made, _address = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptors left: look again when some may have been given back
            self._loop.remove_reader(self._listener.fileno())
            self._loop.call_later(0.2, self._watch)
            return
        made.setblocking(False)
        self._take(made)


class End(asyncio.Protocol):
    """One of two ends that are joined: what arrives at one leaves by the other.

    It serves asyncio's transports and asyncssh's channels alike, for both call back by the same names. The end that is there first reads
    nothing until the other is there too.
    """

    def __init__(self, other: End | None = None) -> None:
        self.transport: Any = None
        self.other = other
        self.ended = False
        if other is not None:
            other.other = self

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.other is None or self.other.transport is None:
            transport.pause_reading()
        else:
            self.other.transport.resume_reading()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        with contextlib.suppress(OSError):
            self._far().write(data)

    def eof_received(self) -> bool:
        """True keeps this end open for what still comes the other way."""
        self.ended = True
        far = self._far()
        if self.other is not None and self.other.ended:
            far.close()
            self.transport.close()
            return True
        with contextlib.suppress(OSError):
            far.write_eof()
        return True

    def pause_writing(self) -> None:
        self._far().pause_reading()

    def resume_writing(self) -> None:
        with contextlib.suppress(RuntimeError, OSError):
            self._far().resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            # A broken connection is passed on as one.
            if exc is not None:
                self.other.transport.abort()
            else:
                self.other.transport.close()

    def _far(self) -> Any:
        """The other end's transport."""
        return self.other.transport if self.other is not None and self.other.transport is not None else _NOWHERE


async def joined(made: socket.socket) -> End:
    """The end that a connected socket is; to be joined at once."""
    end = End()
    await asyncio.get_running_loop().create_connection(lambda: end, sock=made)
    return end


class ChannelEnd(End, TcpSession):
    """An end that is a channel of ssh."""

    def session_started(self) -> None:
        """Nothing to do: reading begins with it."""


class _Nowhere:
    """Stands in for a transport that is not there."""

    def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


_NOWHERE = _Nowhere()
