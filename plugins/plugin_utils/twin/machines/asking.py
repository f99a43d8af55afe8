# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon's end of the socket over which the zygote is asked; what it asks for becomes processes that can be waited for."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ..seams import TwinError
from .starting import start


class GoneError(TwinError):
    """The instance ended by itself just then."""


class Process:
    """A process in an instance (see seams.Running)."""

    def __init__(self, pid: int, owner: Zygote) -> None:
        self.pid = pid
        self._owner = owner
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Its exit status; a negative number is the signal that ended it."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal to it and to its process group; nothing happens when it has ended."""
        if not self._ended.done():
            self._owner.ask(do="signal", pid=self.pid, number=int(number))

    def when_ended(self, call: Callable[[], None]) -> None:
        """Have it called soon after its end."""
        self._ended.add_done_callback(lambda _status: call())

    def end(self, status: int) -> None:
        """The zygote's word that it ended."""
        if not self._ended.done():
            self._ended.set_result(status)


class Zygote:
    """The zygote, as the daemon has it. ``slots``: see children.slots. Raises TwinError."""

    def __init__(self, folder: str) -> None:
        try:
            self._pid, self._socket, said = start(folder)
        except OSError as error:
            raise TwinError(str(error)) from None
        self.slots = said.slots
        # Protections that the kernel refused so far; see confine.MISSING.
        self.missing = set(said.missing)
        self._socket.setblocking(False)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keys = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Process]] = {}
        self._processes: dict[int, Process] = {}
        self._outgoing: list[tuple[int, ...]] = []
        self._closed = False

    async def close(self) -> None:
        """End it, and everything that it started; wait until it has ended."""
        self._shut()
        loop, handle = asyncio.get_running_loop(), -1
        try:
            handle = os.pidfd_open(self._pid)
            ended = asyncio.Event()
            loop.add_reader(handle, ended.set)
            await ended.wait()
            os.waitpid(self._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            return
        finally:
            if handle >= 0:
                loop.remove_reader(handle)
                os.close(handle)

    async def request(self, handles: Sequence[int], **question: Any) -> Process:
        """Put a question that makes a process. Raises TwinError, and of that GoneError when the instance ended by itself."""
        key = next(self._keys)
        answer = self._asked[key] = asyncio.get_running_loop().create_future()
        self.ask(handles, key=key, **question)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            # What nobody waits for any more is not to run.
            answer.add_done_callback(lambda done: done.exception() or done.result().signal(signal.SIGKILL))
            raise

    def ask(self, handles: Sequence[int] = (), **question: Any) -> None:
        """Put a question to the zygote, in order; see zygote.py. The handles stay the caller's. Raises TwinError when it is gone."""
        if self._closed:
            raise TwinError("the process that starts instances has ended")
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            loop.add_reader(self._socket, self._hear)
        body = os.memfd_create("question", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(body), "wb") as stream:
            pickle.dump(question, stream, protocol=5)
        self._outgoing.append((body, *(os.dup(handle) for handle in handles)))
        self._send()

    def _send(self) -> None:
        loop = self._loop
        while self._outgoing:
            handles = self._outgoing[0]
            try:
                socket.send_fds(self._socket, [b"?"], list(handles))
            except BlockingIOError:
                if loop is not None:
                    loop.add_writer(self._socket, self._send)
                return
            except OSError:
                self._shut()
                return
            del self._outgoing[0]
            for handle in handles:
                os.close(handle)
        if loop is not None:
            loop.remove_writer(self._socket)

    def _hear(self) -> None:
        while True:
            try:
                packet = self._socket.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._shut()
                return
            said = json.loads(packet)
            if "exit" in said:
                ended = self._processes.pop(said["exit"], None)
                if ended is not None:
                    ended.end(said["status"])
                continue
            waiting = self._asked.pop(said["key"], None)
            if "pid" in said:
                self.missing.update(said["missing"])
                # Kept even if nobody waits any more: its end will be told, and the number be used again.
                process = self._processes[said["pid"]] = Process(said["pid"], self)
                if waiting is not None and not waiting.done():
                    waiting.set_result(process)
            elif waiting is not None and not waiting.done():
                waiting.set_exception((GoneError if said.get("gone") else TwinError)(said["error"]))

    def _shut(self) -> None:
        """The zygote ended, or is to end: with it all instances."""
        if self._closed:
            return
        self._closed = True
        if self._loop is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
        self._socket.close()
        for handles in self._outgoing:
            for handle in handles:
                os.close(handle)
        self._outgoing.clear()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(TwinError("the process that starts instances has ended"))
        for process in list(self._processes.values()):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.end(-signal.SIGKILL)
        self._asked.clear()
        self._processes.clear()
