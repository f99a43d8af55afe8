# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Process 1 of the data plane: one loop that answers the lab, one thread that changes the kernel, and the services of the network."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from .cgroups import Groups
from .control import Control
from .kernel.sync import NetworkKernel
from .machines.machines import ProcessMachines
from .seams import TwinError
from .tree import PRIVATE
from .wire import HEADER, answer, read_question

LOG = logging.getLogger("cloudnet.twin")


def run(channel: socket.socket, listener: socket.socket | None, missing: Iterable[str] = (), groups: Groups | None = None) -> None:
    """Serve the lab until it closes the channel. ``missing``: protections that the tree misses. ``groups``: the lab's control group."""
    # What starts instances is forked before there are threads and open sockets.
    kernel = NetworkKernel()
    machines = ProcessMachines(kernel, Path(PRIVATE), missing, groups)
    asyncio.run(_serve(channel, listener, kernel, machines))


async def _serve(channel: socket.socket, listener: socket.socket | None, kernel: NetworkKernel, machines: ProcessMachines) -> None:
    channel.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=channel)
    control = Control(kernel, machines, listener)
    await control.start()
    writer.write(answer(0, {"pid": os.getpid()}))
    tasks: set[asyncio.Task[None]] = set()
    try:
        while True:
            length, number = HEADER.unpack(await reader.readexactly(HEADER.size))
            operation, arguments = read_question(await reader.readexactly(length))
            task = asyncio.create_task(_answer(writer, number, operation, control.operation(operation), arguments))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    except asyncio.IncompleteReadError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.wait_for(control.close(), 3.0)


async def _answer(
    writer: asyncio.StreamWriter, number: int, name: str, operation: Callable[..., Awaitable[Any]] | None, arguments: dict[str, Any]
) -> None:
    try:
        if operation is None:
            raise TwinError(f"the data plane knows no operation {name}")
        said = answer(number, await operation(**arguments))
    except TwinError as error:
        said = answer(number, error=str(error))
    except Exception as error:
        LOG.exception("%s failed", name)
        said = answer(number, error=f"{name} failed in the data plane: {type(error).__name__}: {error}")
    writer.write(said)
    await writer.drain()
