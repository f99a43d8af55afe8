# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people run over ssh: a command, a shell with or without a terminal, file transfer. All of it runs inside the instance.

The server itself opens no file for anybody: file transfer is the host's ``sftp-server``, started in the instance, and so sees what the
instance sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..seams import Machines, Running, TwinError, Waker
from .library import ServerSession
from .pumps import Sink, Source
from .terminal import open_terminal, set_modes, set_size

if TYPE_CHECKING:
    from asyncssh import SSHServerChannel

_SIGNALS = ("ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2")
"""RFC 4254, section 6.10."""
_NAMES = {int(getattr(signal, f"SIG{name}")): name for name in _SIGNALS}
_ACCEPTED = re.compile(r"LANG|LC_[A-Z_]+|COLORTERM|NO_COLOR")
"""Variables that are taken from the client: those that Amazon Linux's sshd takes, and what tells of colours."""
_SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/lib/sftp-server",
)


def shell() -> str:
    """The shell that the instances have: they see the host's programs."""
    return "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"


def sftp_server() -> str:
    """OpenSSH's sftp-server, or an empty string where it is not installed."""
    return next((path for path in _SFTP_SERVERS if os.path.exists(path)), "")


def session_environment(sent: Mapping[str, str], terminal: str, connection: tuple[str, int, str, int] | None, agent: str) -> dict[str, str]:
    """What a session's programs have beyond a login's variables.

    ``sent``: the client's. ``terminal``: its type, empty for none. ``connection``: peer's address and port, own address and port, where
    there is a network between them. ``agent``: the socket of the forwarded agent.
    """
    found = {name: value for name, value in sent.items() if _ACCEPTED.fullmatch(name) and "\0" not in value}
    if terminal:
        found["TERM"] = re.sub(r"[^A-Za-z0-9+._-]", "", terminal)[:64] or "dumb"
    if connection is not None:
        peer, peer_port, own, own_port = connection
        found["SSH_CLIENT"] = f"{peer} {peer_port} {own_port}"
        found["SSH_CONNECTION"] = f"{peer} {peer_port} {own} {own_port}"
    if agent:
        found["SSH_AUTH_SOCK"] = agent
    return found


class Session(ServerSession):
    """One session of one connection: one program, its descriptors, and the channel to its user.

    ``owner``: user and group id that inside the instance are its user's, as the daemon counts them; None when that is not known.
    """

    def __init__(
        self,
        host: str,
        machines: Machines,
        waker: Waker,
        connection: tuple[str, int, str, int] | None = None,
        owner: tuple[int, int] | None = None,
    ) -> None:
        self._host = host
        self._machines = machines
        self._waker = waker
        self._connection = connection
        self._owner = owner
        self._channel: SSHServerChannel[bytes] | None = None
        self._command: tuple[str, ...] = ()
        self._terminal: tuple[str, tuple[int, int, int, int], Mapping[int, int]] | None = None
        self._master = -1
        self._sink: Sink | None = None
        self._sources: list[Source] = []
        self._running: Running | None = None
        self._early: list[bytes] = []
        self._begun = False
        self._ended = False
        self._lost = False
        self._tty = ""
        self._task: asyncio.Task[None] | None = None

    # -- what the client asks for ------------------------------------------------------------------------------------------------------

    def connection_made(self, chan: Any) -> None:
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]) -> bool:
        self._terminal = (term_type or "dumb", term_size, dict(term_modes))
        return True

    def shell_requested(self) -> bool:
        self._command = (shell(), "-l")
        return True

    def exec_requested(self, command: str) -> bool:
        self._command = (shell(), "-c", command)
        return "\0" not in command

    def subsystem_requested(self, subsystem: str) -> bool:
        program = sftp_server() if subsystem == "sftp" else ""
        self._command = (program,)
        return bool(program)

    def session_started(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    # -- while it runs -----------------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._sink is None or not self._begun:
            self._early.append(data)
            if self._channel is not None:
                self._channel.pause_reading()
        else:
            self._sink.write(data)

    def eof_received(self) -> bool:
        # A terminal has no end of input: what a user types for it is in the input itself.
        self._ended = self._terminal is None
        if self._sink is not None and self._begun and self._ended:
            self._sink.end()
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._terminal is not None:
            self._terminal = (self._terminal[0], (width, height, pixwidth, pixheight), self._terminal[2])
        if self._master >= 0:
            set_size(self._master, (width, height, pixwidth, pixheight))

    def signal_received(self, signal: str) -> None:
        self._signal(signal)

    def break_received(self, msec: int) -> bool:
        self._signal("INT")
        return True

    def pause_writing(self) -> None:
        for source in self._sources:
            source.pause()

    def resume_writing(self) -> None:
        for source in self._sources:
            source.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._close()
        self._signal("HUP")

    # -- the program -------------------------------------------------------------------------------------------------------------------

    async def _open(self, channel: SSHServerChannel[bytes]) -> tuple[int, int, int]:
        """Make the descriptors, keep this side's, and return the program's three. Raises OSError and TwinError."""
        if self._terminal is not None:
            _name, _size, modes = self._terminal
            ours, theirs, self._tty = await self._new_terminal()
            self._give(theirs)
            set_modes(theirs, modes)
            set_size(ours, self._terminal[1])
            self._master = os.dup(ours)
            self._sources = [Source(os.dup(ours), channel.write)]
            self._sink = Sink(ours, channel.pause_reading, channel.resume_reading)
            return theirs, theirs, theirs
        made: list[int] = []
        try:
            for _pipe in range(3):
                made += os.pipe2(os.O_CLOEXEC)
        except OSError:
            for descriptor in made:
                os.close(descriptor)
            raise
        their_input, our_input, our_output, their_output, our_errors, their_errors = made
        for descriptor in (their_input, their_output, their_errors):
            self._give(descriptor)
        self._sink = Sink(our_input, channel.pause_reading, channel.resume_reading)
        self._sources = [Source(our_output, channel.write), Source(our_errors, channel.write_stderr)]
        return their_input, their_output, their_errors

    async def _new_terminal(self) -> tuple[int, int, str]:
        """A terminal of the instance's own: seen from a process in it, which waits for nothing but that."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            placeholder = await self._machines.spawn(self._host, ["/bin/cat"], stdin=reading)
            return open_terminal(placeholder.pid)
        finally:
            os.close(reading)
            os.close(writing)

    def _give(self, descriptor: int) -> None:
        """Make it the instance's user's own, so that programs can open it again by ``/dev/stdout`` or ``/dev/tty``."""
        if self._owner is not None:
            with contextlib.suppress(OSError):
                os.fchown(descriptor, *self._owner)

    async def _run(self) -> None:
        channel = self._channel
        if channel is None:
            return
        theirs: tuple[int, ...] = ()
        try:
            await self._waker.wake(self._host)
            theirs = await self._open(channel)
            running = await self._machines.spawn(
                self._host,
                self._command,
                environment=self._variables(channel),
                stdin=theirs[0],
                stdout=theirs[1],
                stderr=theirs[2],
                terminal=self._terminal is not None,
            )
        except (TwinError, OSError) as error:
            self._refuse(channel, str(error))
            return
        finally:
            for descriptor in set(theirs):
                os.close(descriptor)
        self._running = running
        if self._lost:
            self._close()
            self._signal("HUP")
        self._hand_over(channel)
        status = await running.wait()
        self._running = None
        if self._terminal is not None:
            # A program in the background may hold the terminal for ever; what the one that ended wrote is all there is to wait for.
            for source in self._sources:
                source.end_when_empty()
        for source in self._sources:
            await source.finished
        self._finish(channel, status)

    def _hand_over(self, channel: SSHServerChannel[bytes]) -> None:
        """Give the program what came before it began."""
        early, self._early = self._early, []
        self._begun = True
        if self._sink is not None and not self._lost:
            for data in early:
                self._sink.write(data)
            if not self._sink.waiting:
                channel.resume_reading()
            if self._ended:
                self._sink.end()

    def _variables(self, channel: SSHServerChannel[bytes]) -> dict[str, str]:
        sent = {str(name): str(value) for name, value in channel.get_environment().items()}
        found = session_environment(sent, self._terminal[0] if self._terminal else "", self._connection, channel.get_agent_path() or "")
        return {**found, "SSH_TTY": self._tty} if self._tty else found

    def _finish(self, channel: SSHServerChannel[bytes], status: int) -> None:
        self._close()
        if not self._lost:
            with contextlib.suppress(OSError):
                if status >= 0:
                    channel.exit(status)
                else:
                    # Other signals have no name in the protocol.
                    channel.exit_with_signal(_NAMES.get(-status, f"{-status}@cloudnet.vpc"))

    def _refuse(self, channel: SSHServerChannel[bytes], why: str) -> None:
        self._close()
        if not self._lost:
            with contextlib.suppress(OSError):
                channel.write_stderr(f"cloudnet: {why}\r\n".encode())
                channel.exit(255)

    def _close(self) -> None:
        for source in self._sources:
            source.close()
        if self._sink is not None:
            self._sink.close()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _signal(self, name: str) -> None:
        number = getattr(signal, f"SIG{name}", None) if name in _SIGNALS else None
        if self._running is not None and number is not None:
            with contextlib.suppress(TwinError, OSError):
                self._running.signal(int(number))
