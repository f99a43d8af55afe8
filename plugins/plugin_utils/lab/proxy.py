# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ssh runs to reach an instance of a lab: ``python -I proxy.py SOCKET TO VIA [PORT]``, of the standard library only.

SOCKET is the lab's; TO an instance's id, name or address; VIA is ``console`` (beside the network), ``internet`` (through it, from a host on
the internet) or ``private``, which only says that a private address is reached through a bastion. With ``ProxyUseFdpass yes`` the connected
socket itself goes to ssh and this program ends; otherwise it copies.
"""

from __future__ import annotations

import array
import json
import os
import select
import socket
import stat
import sys

_ANSWER_SECONDS = 90.0


def main(arguments: list[str]) -> int:
    if not 3 <= len(arguments) <= 4:
        return _fail("usage: proxy.py SOCKET TO VIA [PORT]")
    path, to, via = arguments[:3]
    port = int(arguments[3]) if len(arguments) == 4 and arguments[3].isdigit() else 22
    if via == "private":
        return _fail(f"{to} is an address inside a VPC: reach it through a bastion (ssh -J BASTION {to}), or use the instance's name or id")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(path)
        question = {"to": to, "via": via, "port": port}
        connection.sendall(json.dumps(question).encode() + b"\n")
        answer = json.loads(_line(connection))
    except TimeoutError:
        return _fail(f"the lab does not answer within {_ANSWER_SECONDS:.0f} s")
    except (OSError, ValueError):
        return _fail(f"the lab does not run, or its packets do not (no answer at {path}): start it with state: started, or 'make lab'")
    if not answer.get("ok"):
        return _fail(str(answer.get("error") or "the lab refused"))
    connection.setblocking(True)
    if _passes_descriptors():
        _pass(connection)
    else:
        _copy(connection)
    return 0


def _fail(why: str) -> int:
    print(f"cloudnet: {why}", file=sys.stderr)
    return 1


def _line(connection: socket.socket) -> bytes:
    """The answer, and not one byte of what follows it."""
    text = b""
    while not text.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionResetError("closed")
        text += byte
    return text


def _passes_descriptors() -> bool:
    """Whether ssh waits for a descriptor: then input and output are one unix socket, else two pipes."""
    found = os.fstat(1)
    if not stat.S_ISSOCK(found.st_mode) or os.fstat(0).st_ino != found.st_ino:
        return False
    with socket.socket(fileno=os.dup(1)) as output:
        return output.family == socket.AF_UNIX


def _pass(connection: socket.socket) -> None:
    with socket.socket(fileno=os.dup(1)) as output:
        output.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))])


def _copy(connection: socket.socket) -> None:
    """Copy both ways until the instance's side ends."""
    sources = {0: connection.fileno(), connection.fileno(): 1}
    while sources:
        for source in select.select(list(sources), [], [])[0]:
            try:
                data = os.read(source, 1 << 16)
                if data:
                    _write(sources[source], data)
            except OSError:
                return
            if not data:
                del sources[source]
                if source != 0:
                    return
                connection.shutdown(socket.SHUT_WR)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
