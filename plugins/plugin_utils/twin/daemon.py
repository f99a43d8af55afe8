# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane's process: ``python -m …twin.daemon CONTROL ALIVE LISTENER`` with descriptors, started by client.py only.

CONTROL is the socket on which the lab asks, ALIVE a pipe that closes with the lab, LISTENER the user's way in (-1 for none).
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import socket
import sys
import traceback

# All modules are loaded before the process leaves the lab's namespaces: afterwards it may not be allowed to read them.
from . import cgroups, inner, tree
from .wire import answer


def main(arguments: list[str]) -> int:
    control, alive, listener = (int(argument) for argument in arguments)
    os.umask(0o077)
    # Python loads these when they are first used, which is too late, as above.
    for codec in ("ascii", "idna", "latin-1", "utf-16"):
        codecs.lookup(codec)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    for descriptor in (control, alive, listener):
        if descriptor >= 0:
            os.set_inheritable(descriptor, False)
    channel = socket.socket(fileno=control)
    groups = cgroups.make()
    try:
        missing = tree.enter()
    except OSError as error:
        channel.sendall(answer(0, error=f"namespaces are refused: {error.strerror or error}"))
        groups.close()
        return 1
    child = os.fork()
    if child == 0:
        os.close(alive)
        os._exit(_inner(channel, listener, missing, groups))
    channel.close()
    if listener >= 0:
        os.close(listener)
    try:
        return tree.watch(alive, child)
    finally:
        groups.close()


def _inner(channel: socket.socket, listener: int, missing: list[str], groups: cgroups.Groups) -> int:
    try:
        tree.settle()
        inner.run(channel, socket.socket(fileno=listener) if listener >= 0 else None, missing, groups)
    except BaseException as error:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            channel.sendall(answer(0, error=f"{type(error).__name__}: {error}"))
        return 1
    finally:
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
