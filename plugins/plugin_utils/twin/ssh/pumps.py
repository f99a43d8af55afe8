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

    It serves asyncio's transports and asyncssh's channels alike, for both call back by the same names. The end that is there first keeps
    what it reads until the other is there too: it asks for nothing, but older versions of asyncio read all the same.
    """

    def __init__(self, other: End | None = None) -> None:
        self.transport: Any = None
        self.other = other
        self.ended = False
        self.lost = False
        self._early: list[bytes] = []
        if other is not None:
            other.other = self

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.other is None or self.other.transport is None:
            transport.pause_reading()
        else:
            self.other.hand_over()

    def hand_over(self) -> None:
        """The other end is there: give it what came before, and read on."""
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if self.lost:
            self._far().close()
        elif self.ended:
            self._pass_end()
        else:
            with contextlib.suppress(RuntimeError, OSError):
                self.transport.resume_reading()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        far = self._far()
        if far is None:
            self._early.append(data)
            return
        with contextlib.suppress(OSError):
            far.write(data)

    def eof_received(self) -> bool:
        """True keeps this end open for what still comes the other way."""
        self.ended = True
        self._pass_end()
        return True

    def pause_writing(self) -> None:
        far = self._far()
        if far is not None:
            far.pause_reading()

    def resume_writing(self) -> None:
        far = self._far()
        if far is not None:
            with contextlib.suppress(RuntimeError, OSError):
                far.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        far = self._far()
        if far is not None:
            # A broken connection is passed on as one.
            if exc is not None:
                far.abort()
            else:
                far.close()

    def _pass_end(self) -> None:
        """Tell the other end that no more comes; close both when that holds both ways."""
        far = self._far()
        if far is None:
            return
        if self.other is not None and self.other.ended:
            far.close()
            self.transport.close()
            return
        with contextlib.suppress(OSError):
            far.write_eof()

    def _far(self) -> Any:
        """The other end's transport; None while it is not there."""
        return None if self.other is None else self.other.transport


async def joined(made: socket.socket) -> End:
    """The end that a connected socket is; to be joined at once."""
    end = End()
    await asyncio.get_running_loop().create_connection(lambda: end, sock=made)
    return end


class ChannelEnd(End, TcpSession):
    """An end that is a channel of ssh."""

    def session_started(self) -> None:
        """Nothing to do: reading begins with it."""
