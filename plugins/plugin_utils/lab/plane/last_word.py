# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers at the lab's socket for ssh while there is no data plane to do it: one line says why, and ssh ends instead of waiting.

The socket is the lab's own and outlives the process that serves it. See twin/ssh/entry.py for the lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Callable

_PATIENCE = 1.0


class LastWord:
    """Refuses every connection of a listening socket with a reason until ``close``. ``asked`` is called at each."""

    def __init__(self, listener: socket.socket, why: str, asked: Callable[[], None]) -> None:
        self._listener, self._asked = listener, asked
        self._line = json.dumps({"error": why}).encode() + b"\n"
        self._woken, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="last-word", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                ready, _other, _other = select.select([self._listener.fileno(), self._woken], [], [])
                if self._woken in ready:
                    return
                connection, _address = self._listener.accept()
            except BlockingIOError:
                continue
            except (OSError, ValueError):
                return  # the listener is closed: the lab ends
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_PATIENCE)
                connection.recv(4096)  # the question, so that its end is no reset
                connection.sendall(self._line)
            self._asked()

    def close(self) -> None:
        """Leave the socket to another; returns when no connection is taken any more."""
        os.close(self._wake)
        if threading.current_thread() is not self._thread:
            self._thread.join(2 * _PATIENCE)
        os.close(self._woken)
