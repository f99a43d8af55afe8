# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS-RunShellScript inside an instance: the lines become a script file, which ``sh`` runs as root.

Sources: https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-command-ssm-plugin-reference.html#aws-runShellScript,
https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html (statuses).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from ..seams import Machines, Running, TwinError

_LARGEST = 1 << 20
"""Bytes kept of each output; the rest is read and dropped, so that a program that talks without end does not stop either."""
_DRAIN = 0.5
_STOPPED = 137
"""The exit status of a command that was stopped: 128 and SIGKILL, as the agent has it."""

# The script comes in by standard input and is run from a file; a command of its own that reads gets nothing, as from the agent.
_WRAPPER = 'file=$(mktemp) && cat > "$file" && { sh "$file" < /dev/null; status=$?; rm -f "$file"; exit $status; }'


class _Output:
    """What comes through a pipe."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read, False)
        self.data = bytearray()
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read, self._more)

    def _more(self) -> None:
        try:
            part = os.read(self._read, 65536)
        except BlockingIOError:
            return
        if not part:
            self._loop.remove_reader(self._read)
            self.ended.set()
        self.data += part[: max(0, _LARGEST - len(self.data))]

    def give(self) -> None:
        """The writing end is the process's now."""
        if self.write >= 0:
            os.close(self.write)
            self.write = -1

    def close(self) -> None:
        self.give()
        self._loop.remove_reader(self._read)
        os.close(self._read)

    @property
    def text(self) -> str:
        return bytes(self.data).decode(errors="replace")


async def run_commands(machines: Machines, host: str, commands: Sequence[str], folder: str, seconds: float) -> dict[str, Any]:
    """Run shell lines in a booted host.

    ``folder`` empty is the home; ``seconds`` is the time-out, after which the whole process group is killed. Returns ``status`` (Success,
    Failed or TimedOut), ``exit_code``, ``output``, ``error``, ``seconds``. Raises TwinError when nothing could be started.
    """
    script = os.memfd_create("script", os.MFD_CLOEXEC)
    output, error = _Output(), _Output()
    began = time.monotonic()
    try:
        os.write(script, ("\n".join(commands) + "\n").encode())
        os.lseek(script, 0, os.SEEK_SET)
        argv = ("/bin/sh", "-c", _WRAPPER)
        try:
            running = await machines.spawn(host, argv, root=True, stdin=script, stdout=output.write, stderr=error.write, folder=folder)
        except OSError as fault:
            raise TwinError(f"{host}: the command could not be started: {fault.strerror}") from fault
        output.give()
        error.give()
        status, code = await _finish(running, seconds)
        await _drain(output, error)
        said = error.text
        if status != "Success":
            # The agent's own last line.
            reason = "signal: killed" if status == "TimedOut" else f"exit status {code}"
            said += ("" if not said or said.endswith("\n") else "\n") + f"failed to run commands: {reason}"
        spent = time.monotonic() - began
        return {"status": status, "exit_code": code, "output": output.text, "error": said, "seconds": spent}
    finally:
        os.close(script)
        output.close()
        error.close()


async def _finish(running: Running, seconds: float) -> tuple[str, int]:
    """Wait for the end, and bring it about when it is too late or when nobody waits any more."""
    ended = asyncio.ensure_future(running.wait())
    try:
        done, _pending = await asyncio.wait([ended], timeout=seconds)
    except asyncio.CancelledError:
        running.signal(signal.SIGKILL)
        raise
    if not done:
        running.signal(signal.SIGKILL)
        await ended
        return "TimedOut", _STOPPED
    code = ended.result()
    code = code if code >= 0 else 128 - code
    return ("Success" if code == 0 else "Failed"), code


async def _drain(*outputs: _Output) -> None:
    """What was written before the end is in the pipe already; a program left in the background may hold it open, and is not waited for."""
    try:
        async with asyncio.timeout(_DRAIN):
            for output in outputs:
                await output.ended.wait()
    except TimeoutError:
        pass
