# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 on the loopback interface: a thread per connection, connections kept alive, no delay, and limits on all of it.

Everybody on this machine can connect. Who names no access key that the lab knows is a stranger: little of what it sends is read, none of
it is understood, and it has little time. See reading.py for the limits, and for why this is no WSGI server.
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import struct
import threading
import time
from http import HTTPStatus
from typing import Any

from .control_api import PREFIX, ControlApi
from .core import LOG, Lab
from .endpoint import Dropped, Endpoint
from .reading import Bad, Budget, Limits, Share, read_body, read_head
from .wire import Reply, read_arrival, read_claim

_LOG_EVERY = 60.0
"""Seconds between two lines of the log about connections that ended badly."""


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    wbufsize = -1
    server: LabServer

    def handle(self) -> None:
        try:
            while self._one():
                self.server.crowd.waits(self.connection)
        except (ConnectionError, TimeoutError, ValueError):
            pass  # ValueError: the connection was closed under the reader
        except Bad as error:
            self.server.complain()
            if error.status:
                with contextlib.suppress(OSError, ValueError):
                    self._send(Reply(error.status, (("Content-Type", "text/plain"),), b""), "POST", keep=False)
        except Dropped:
            # l_onoff=1, l_linger=0: close() sends RST, which is what a client of a broken connection sees.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def _gone(self) -> bool:
        readable, _other, _other = select.select([self.connection], [], [], 0)
        if not readable:
            return False
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _one(self) -> bool:
        """Answer one request; False when the connection is to be closed. Raises Bad."""
        server, limits = self.server, self.server.limits
        head = read_head(self.rfile, limits)
        if head is None:
            return False
        claim = read_claim(head.method, head.path, head.query, head.headers)
        control = head.path.startswith(PREFIX)
        known = server.control.knows(head.headers) if control else server.endpoint.knows(claim)
        server.crowd.reads(self.connection, known)
        if head.headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        after = None
        with Share(server.budget) as share:
            body = read_body(self.rfile, head.headers, limits.body if known else limits.stranger_body, limits, share if known else None)
            server.crowd.answers(self.connection)
            if control:
                reply, after = server.control.handle(head.path, head.headers, body)
            elif known:
                arrival = read_arrival(head.method, head.path, head.query, head.headers, body)
                reply = server.endpoint.handle(arrival, self._gone)
            else:
                reply = server.endpoint.refuse(claim, body, self._gone)
        self._send(reply, head.method, head.keep)
        if after is not None:
            after()
        return head.keep

    def _send(self, reply: Reply, method: str, keep: bool) -> None:
        phrase = HTTPStatus(reply.status).phrase if reply.status in HTTPStatus._value2member_map_ else "Unknown"
        lines = [f"HTTP/1.1 {reply.status} {phrase}"]
        length = str(len(reply.body))
        for name, value in reply.headers:
            lowered = name.lower()
            if lowered == "content-length":
                length = value if method == "HEAD" else length
            elif lowered not in ("connection", "transfer-encoding"):
                lines.append(f"{name}: {str(value).replace(chr(13), ' ').replace(chr(10), ' ')}")
        lines.append(f"Content-Length: {length}")
        lines.append("Connection: keep-alive" if keep else "Connection: close")
        self.wfile.write("\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + (b"" if method == "HEAD" else reply.body))
        self.wfile.flush()


class _Guest:
    """A connection: whose (``known``), and until when what it does now may take; None while it is answered."""

    def __init__(self, until: float) -> None:
        self.known = False
        self.until: float | None = until


class Crowd:
    """The connections at once. The oldest stranger makes room for the next one: whoever has a key shows it at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._guests: dict[socket.socket, _Guest] = {}

    def __len__(self) -> int:
        return len(self._guests)

    def comes(self, connection: socket.socket) -> bool:
        """Whether a new connection is let in."""
        with self._lock:
            strangers = [other for other, guest in self._guests.items() if not guest.known]
            if len(strangers) >= self._limits.strangers:
                _end(strangers[0])
                self._guests.pop(strangers[0])
            if len(self._guests) >= self._limits.connections:
                return False
            self._guests[connection] = _Guest(time.monotonic() + self._limits.patience)
            return True

    def leaves(self, connection: socket.socket) -> None:
        with self._lock:
            self._guests.pop(connection, None)

    def reads(self, connection: socket.socket, known: bool) -> None:
        """A request's head is there. A stranger's time goes on from when it came; that of others begins."""
        with self._lock:
            if guest := self._guests.get(connection):
                guest.known = guest.known or known
                if known:
                    guest.until = time.monotonic() + self._limits.reading

    def answers(self, connection: socket.socket) -> None:
        with self._lock:
            if guest := self._guests.get(connection):
                guest.until = None

    def waits(self, connection: socket.socket) -> None:
        """A request was answered, and the next is waited for."""
        with self._lock:
            if guest := self._guests.get(connection):
                guest.until = time.monotonic() + (self._limits.idle if guest.known else self._limits.patience)

    def sweep(self) -> None:
        """End the connections whose time is over."""
        now = time.monotonic()
        with self._lock:
            for connection, guest in self._guests.items():
                if guest.until is not None and guest.until < now:
                    _end(connection)


def _end(connection: socket.socket) -> None:
    """Wake who reads from it; the thread that serves it closes it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class LabServer(socketserver.ThreadingTCPServer):
    """The lab behind a port of 127.0.0.1; ``port`` 0 takes a free one, and ``url`` tells which."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, lab: Lab, control: ControlApi, port: int = 0, limits: Limits | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.lab = lab
        self.endpoint = Endpoint(lab)
        self.control = control
        self.limits = limits or Limits()
        self.crowd = Crowd(self.limits)
        self.budget = Budget(self.limits.bodies)
        self.port = int(self.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._bad, self._told, self._telling = 0, 0.0, threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.crowd.comes(request):
            super().process_request(request, client_address)
        else:
            self.complain()
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        self.crowd.leaves(request)
        # The base class shuts the writing side down first, which sends FIN and would turn a reset into an orderly end.
        with contextlib.suppress(OSError):
            linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
            if struct.unpack("ii", linger)[0]:
                request.close()
                return
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Called by ``serve_forever`` again and again."""
        super().service_actions()
        self.crowd.sweep()

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.exception("a connection from %s failed", client_address)

    def complain(self) -> None:
        """A connection was refused, or sent what is no request: once in a while the log has how many."""
        with self._telling:
            self._bad += 1
            now = time.monotonic()
            if self._told and now < self._told + _LOG_EVERY:
                return
            LOG.warning("%d connections were refused or sent no request that the lab reads", self._bad)
            self._bad, self._told = 0, now

    def start(self) -> threading.Thread:
        """Serve in a thread of its own; ``shutdown()`` and ``server_close()`` end it."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="lab", daemon=True)
        thread.start()
        return thread
