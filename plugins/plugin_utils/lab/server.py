# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 on the loopback interface: a thread per connection, connections kept alive, no delay.

It reads only what AWS's SDKs send (and refuses the rest), which takes a fifth of the time that the standard library's parser takes.
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import struct
import threading
from http import HTTPStatus
from typing import Any

from .control_api import PREFIX, ControlApi
from .core import LOG, Lab
from .endpoint import Dropped, Endpoint
from .wire import Reply, read_arrival

_LINE_AT_MOST = 65536
_BODY_AT_MOST = 256 * 1024 * 1024


class _Bad(Exception):
    """A request that is no HTTP/1.1 request."""


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    wbufsize = -1
    server: LabServer

    def handle(self) -> None:
        try:
            while self._one():
                pass
        except (ConnectionError, TimeoutError, _Bad):
            pass
        except Dropped:
            # l_onoff=1, l_linger=0: close() sends RST, which is what a client of a broken connection sees.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._reset = True

    def finish(self) -> None:
        with contextlib.suppress(OSError):
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
        """Answer one request; False when the connection is to be closed."""
        line = self.rfile.readline(_LINE_AT_MOST)
        if not line.strip():
            return False
        try:
            method, target, version = line.decode("latin-1").split()
        except ValueError as error:
            raise _Bad from error
        headers = self._headers()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        body = self._body(headers)
        path, _mark, query = target.partition("?")
        if path.startswith(PREFIX):
            reply, after = self.server.control.handle(path, headers, body)
        else:
            reply, after = self.server.endpoint.handle(read_arrival(method, path, query, headers, body), self._gone), None
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        self._send(reply, method, keep)
        if after is not None:
            after()
        return keep

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while True:
            line = self.rfile.readline(_LINE_AT_MOST)
            if line in (b"\r\n", b"\n"):
                return headers
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or len(headers) > 200:
                raise _Bad
            headers[name.strip().lower()] = value.strip()

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            parts: list[bytes] = []
            while size := int(self.rfile.readline(_LINE_AT_MOST).split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline(_LINE_AT_MOST)
            while self.rfile.readline(_LINE_AT_MOST).strip():
                pass
            return b"".join(parts)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _BODY_AT_MOST:
            raise _Bad
        return self.rfile.read(int(length)) if length != "0" else b""

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


class LabServer(socketserver.ThreadingTCPServer):
    """The lab behind a port of 127.0.0.1; ``port`` 0 takes a free one, and ``url`` tells which."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, lab: Lab, control: ControlApi, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.lab = lab
        self.endpoint = Endpoint(lab)
        self.control = control
        self.port = int(self.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def shutdown_request(self, request: Any) -> None:
        # The base class shuts the writing side down first, which sends FIN and would turn a reset into an orderly end.
        with contextlib.suppress(OSError):
            linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
            if struct.unpack("ii", linger)[0]:
                request.close()
                return
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOG.exception("a connection from %s failed", client_address)

    def start(self) -> threading.Thread:
        """Serve in a thread of its own; ``shutdown()`` and ``server_close()`` end it."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="lab", daemon=True)
        thread.start()
        return thread
