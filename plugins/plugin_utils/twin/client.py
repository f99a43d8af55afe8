# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's side of the data plane: one child process that holds the namespaces, and dies with the lab however that ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

from .seams import TwinError
from .wire import HEADER, Delta, question, read_answer

__all__ = ["Delta", "Twin", "TwinError"]

START_SECONDS = 20.0
CALL_SECONDS = 120.0
_MODULE = "ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.daemon"
_KEPT = ("LANG", "LC_ALL", "PATH")


class Twin:
    """The data plane of one lab. Every method may be called from any thread, and raises TwinError in one line."""

    def __init__(
        self, process: subprocess.Popen[bytes], channel: socket.socket, alive: int, on_end: Callable[[str], None] | None = None
    ) -> None:
        self._process = process
        self._on_end = on_end
        self._closing = False
        self._channel = channel
        self._alive = alive
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._waiting: dict[int, Future[Any]] = {}
        self._ended = False
        ready: Future[Any] = Future()
        self._waiting[0] = ready
        self._ready = ready
        self._reader = threading.Thread(target=self._read, name="twin-answers", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, ssh_listener: socket.socket | None = None, log: Path | None = None, options: Mapping[str, Any] | None = None) -> Twin:
        """Start the process and wait until its namespaces are there. ``log``: a file for what it has to say, appended to.

        ``ssh_listener``: a listening unix socket, by which the user comes in. ``options``: ``on_end``, called with one line when the
        process ends and nobody closed it.
        """
        ours, theirs = socket.socketpair()
        watched, alive = os.pipe()
        passed = [theirs.fileno(), watched]
        arguments = [str(theirs.fileno()), str(watched), "-1"]
        if ssh_listener is not None:
            passed.append(ssh_listener.fileno())
            arguments[2] = str(ssh_listener.fileno())
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
        environment.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        # The process stands in another folder: of the user's path, only what is absolute can be meant.
        paths = [_root(), *(item for item in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(item))]
        environment |= {"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONUNBUFFERED": "1"}
        with contextlib.ExitStack() as stack:
            said: Any = stack.enter_context(log.open("ab")) if log else subprocess.DEVNULL
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", _MODULE, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    cwd="/",
                    env=environment,
                    start_new_session=True,
                    pass_fds=passed,
                )
            except OSError as error:
                ours.close()
                os.close(alive)
                raise TwinError(f"the data plane could not be started: {error}") from error
            finally:
                theirs.close()
                os.close(watched)
        twin = cls(process, ours, alive, (options or {}).get("on_end"))
        try:
            twin._ready.result(START_SECONDS)
        except (FutureTimeout, TwinError) as error:
            twin.close()
            why = str(error) or f"it was not ready in {START_SECONDS:.0f} s"
            raise TwinError(f"the data plane did not start: {why}{f'; see {log}' if log else ''}") from error
        return twin

    @property
    def alive(self) -> bool:
        """Whether its process runs and listens."""
        return not self._ended and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the outer process; its child, which is process 1 of its own tree, holds everything."""
        return self._process.pid

    def ask(self, operation: str, seconds: float = CALL_SECONDS, **arguments: Any) -> Any:
        """Put a question and wait for its answer."""
        waiting: Future[Any] = Future()
        with self._sending:
            if self._ended:
                raise TwinError("the data plane has ended; see the lab's log")
            number = next(self._numbers)
            self._waiting[number] = waiting
            try:
                self._channel.sendall(question(number, operation, arguments))
            except OSError as error:
                self._waiting.pop(number, None)
                raise TwinError(f"the data plane does not listen: {error}") from error
        try:
            return waiting.result(seconds)
        except FutureTimeout:
            raise TwinError(f"the data plane did not answer {operation} in {seconds:.0f} s") from None
        finally:
            self._waiting.pop(number, None)

    def update(self, delta: Delta) -> None:
        """Tell what changed, and wait until packets follow. After a TwinError the last good state stays, until the next update."""
        self.ask("update", delta=delta)

    def run(self, host: str, commands: Sequence[str], folder: str = "", seconds: float = 3600.0) -> dict[str, Any]:
        """Shell lines inside an instance, as AWS-RunShellScript runs them: ``{status, exit_code, output, error, seconds}``."""
        found: dict[str, Any] = self.ask("run", seconds + 30.0, host=host, commands=list(commands), folder=folder, limit=seconds)
        return found

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Systems Manager's nodes that ever called: instance id to what the agent tells, with ``status`` Online or ConnectionLost."""
        found: dict[str, dict[str, Any]] = self.ask("nodes")
        return found

    def why(self, hosts: Sequence[str]) -> dict[str, str]:
        """Why Systems Manager does not see instances as online, in one line each; empty for those that are."""
        found: dict[str, str] = self.ask("why", hosts=list(hosts))
        return found

    def host_keys(self, hosts: Sequence[str]) -> dict[str, list[str]]:
        """Public SSH host keys, as lines of a known_hosts file without the name."""
        found: dict[str, list[str]] = self.ask("host_keys", hosts=list(hosts))
        return found

    def authorize(self, key: str) -> None:
        """Let an OpenSSH public key log in everywhere, over the lab's own socket only and never through the network."""
        self.ask("authorize", key=key)

    def flow_records(self) -> list[dict[str, Any]]:
        """What flow logs captured since the last time: ``{"eni", "account", "action", "line"}``."""
        found: list[dict[str, Any]] = self.ask("flow_records")
        return found

    def text(self) -> str:
        """What the kernel holds, as state.render writes it."""
        return str(self.ask("text"))

    def reset(self) -> None:
        """Empty: no namespaces, no instances, no homes."""
        self.ask("reset")

    def close(self) -> None:
        """End it, by its process, and wait until it has ended."""
        self._closing = True
        # Its last descriptor gone, the outer process kills the inner one, and with it every namespace.
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        with self._sending:
            if self._alive >= 0:
                os.close(self._alive)
                self._alive = -1
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5.0)
        if threading.current_thread() is not self._reader:
            self._reader.join(5.0)
        self._channel.close()

    def _how(self) -> str:
        """How its process ended, as far as that can be told soon."""
        try:
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "ended by itself"
        if status >= 0:
            return f"ended by itself with status {status}"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-status).name}"
        return f"was killed by signal {-status}"

    def _read(self) -> None:
        why = "the data plane has ended; see the lab's log"
        try:
            while header := self._exactly(HEADER.size):
                length, number = HEADER.unpack(header)
                value, error = read_answer(self._exactly(length))
                waiting = self._waiting.get(number)
                if waiting is not None and not waiting.done():
                    if error:
                        waiting.set_exception(TwinError(error))
                    else:
                        waiting.set_result(value)
        except (OSError, ValueError) as error:
            why = f"the data plane cannot be understood: {error}"
        with self._sending:
            self._ended = True
        was_there = self._ready_once()
        for waiting in list(self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(TwinError(why))
        if was_there and not self._closing and self._on_end is not None:
            self._on_end(self._how())

    def _ready_once(self) -> bool:
        """Whether it was there at all: of a start that failed, ``start`` tells."""
        return self._ready.done() and self._ready.exception() is None

    def _exactly(self, size: int) -> bytes:
        """So many bytes, or none at the end."""
        found = bytearray()
        while len(found) < size:
            piece = self._channel.recv(min(1 << 20, size - len(found)))
            if not piece:
                return b""
            found += piece
        return bytes(found)


def _root() -> str:
    """The folder that holds ``ansible_collections``, of which this file is part."""
    here = Path(__file__).absolute()
    if here.parts[-7:-4] == ("ansible_collections", "cloudnet", "vpc"):
        return str(here.parents[6])
    return str(here.resolve().parents[3] / "playbooks" / "collections")
