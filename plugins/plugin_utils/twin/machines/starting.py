# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the daemon starts the zygote."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from typing import NamedTuple

from . import zygote


class Said(NamedTuple):
    """What a zygote says once it is ready. ``slots``: see children.slots. ``missing``: of confine.MISSING."""

    slots: int
    missing: frozenset[str]


def start(folder: str) -> tuple[int, socket.socket, Said]:
    """Start the zygote. ``folder``: an empty one of the caller's mount namespace, on which the template is built.

    To be called before the caller has threads. Returns its process id, the socket to ask over, and what it said of itself. It ends when
    the socket closes. Raises OSError.
    """
    # A fresh interpreter forks several times faster than a copy of the daemon, whose memory is large. The daemon may have left the
    # right to read its own program behind with its namespaces, though.
    error = "it ended"
    for begin in (_execute, _fork):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = begin(theirs, folder)
        theirs.close()
        said = json.loads(ours.recv(65536) or b"{}") if pid else {}
        if said.get("ready"):
            return pid, ours, Said(int(said["slots"]), frozenset(said["missing"]))
        error = said.get("error", error)
        ours.close()
        if pid:
            os.waitpid(pid, 0)
    raise OSError(f"instances cannot be made here: {error}")


def _execute(control: socket.socket, folder: str) -> int:
    """0 where that cannot be."""
    above = os.path.abspath(zygote.__file__).rsplit(os.sep, len(zygote.__name__.split(".")))[0]
    # A process that is on its way into an instance can be seen there: the command line tells no path, the environment is not for others.
    place, program = os.path.split(sys.executable)
    code = f"import os, sys; sys.path.insert(0, os.environ['ABOVE']); from {zygote.__name__} import main; main(3, os.environ['FOLDER'])"
    arguments = [program, "-I", "-S", "-B", "-c", code]
    environment = {"PATH": place, "ABOVE": above, "FOLDER": folder}
    try:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            actions = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
            # Copied twice: a copy onto itself would stay closed at the exec.
            copy = fcntl.fcntl(control.fileno(), fcntl.F_DUPFD_CLOEXEC, 10)
            try:
                actions.append((os.POSIX_SPAWN_DUP2, copy, 3))
                return os.posix_spawn(sys.executable, arguments, environment, file_actions=actions)
            finally:
                os.close(copy)
        finally:
            os.close(null)
    except OSError:
        return 0


def _fork(control: socket.socket, folder: str) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        zygote.live(control, folder)
    return pid
