# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 requests off a connection, within limits: what AWS's SDKs send, and a refusal for the rest.

A well-kept WSGI server (waitress, cheroot) would bring most of these limits, and cannot do what the lab is for: reset a connection in the
place of an answer, hold one back until its client leaves, and decide by the access key in the header how much of a body is read at all.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedIOBase

_LENGTH = re.compile(r"[0-9]{1,12}")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")
_METHOD = re.compile(r"[A-Z]{1,16}")
_TARGET = re.compile(r"[!-~]+")
_PIECE = 1 << 16
_BEGINNING = 4096
"""Of a stranger's body: where a form tells its action."""


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds. A stranger is who named no access key that the lab knows.

    ``connections``: at once, and of them ``strangers`` of strangers. ``patience``: in which a stranger's request must be there; ``reading``
    the same of others. ``idle``: between two requests. ``bodies``: all that are being read or answered, together.
    """

    header: int = 64 << 10
    headers: int = 100
    stranger_body: int = 1 << 20
    body: int = 64 << 20
    bodies: int = 256 << 20
    chunk: int = 16 << 20
    connections: int = 1024
    strangers: int = 64
    patience: float = 10.0
    reading: float = 120.0
    idle: float = 300.0


class Bad(Exception):
    """No request that is read: answered with the status, or with nothing where it is 0, and the connection ends."""

    def __init__(self, status: int = 0) -> None:
        super().__init__(status)
        self.status = status


class Budget:
    """Bytes of bodies that are in memory at once, of all connections."""

    def __init__(self, size: int) -> None:
        self._left, self._lock = size, threading.Lock()

    def take(self, size: int) -> None:
        """Raises Bad when there is no room."""
        with self._lock:
            if size > self._left:
                raise Bad(503)
            self._left -= size

    def give(self, size: int) -> None:
        with self._lock:
            self._left += size


class Share:
    """What one request took of the budget; given back at the end of the block."""

    def __init__(self, budget: Budget) -> None:
        self._budget, self._taken = budget, 0

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *_error: object) -> None:
        self._budget.give(self._taken)

    def take(self, size: int) -> None:
        """Raises Bad when there is no room."""
        self._budget.take(size)
        self._taken += size


@dataclass(frozen=True)
class Head:
    """A request up to its body; header names are in lower case."""

    method: str
    path: str
    query: str
    version: str
    headers: Mapping[str, str]

    @property
    def keep(self) -> bool:
        """Whether the client wants the connection kept."""
        return self.version == "HTTP/1.1" and self.headers.get("connection", "").lower() != "close"


def read_head(stream: BufferedIOBase, limits: Limits) -> Head | None:
    """A request's first line and headers; None where the connection ends. Raises Bad."""
    line = stream.readline(limits.header)
    if not line.strip():
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not _METHOD.fullmatch(words[0]) or not _TARGET.fullmatch(words[1]) or not words[2].startswith("HTTP/1."):
        raise Bad
    headers: dict[str, str] = {}
    left = limits.header - len(line)
    for number in range(limits.headers + 1):
        line = stream.readline(max(left, 1))
        left -= len(line)
        if line in (b"\r\n", b"\n"):
            path, _mark, query = words[1].partition("?")
            return Head(words[0], path, query, words[2], headers)
        name, colon, value = line.decode("latin-1").partition(":")
        if not line or left <= 0 or number == limits.headers:
            raise Bad(431 if line else 0)
        if not colon:
            raise Bad
        headers[name.strip().lower()] = value.strip()
    raise Bad(431)


def read_body(stream: BufferedIOBase, headers: Mapping[str, str], most: int, limits: Limits, share: Share | None) -> bytes:
    """A request's body of at most ``most`` bytes. Without a ``share`` it is read past, and only its beginning is kept. Raises Bad."""
    encoding = headers.get("transfer-encoding", "").lower()
    if encoding and encoding != "chunked":
        raise Bad(501)
    kept = bytearray()
    if encoding:
        _chunks(stream, most, limits, share, kept)
        return bytes(kept)
    length = headers.get("content-length", "0")
    if not _LENGTH.fullmatch(length):
        raise Bad(400)
    if int(length) > most:
        raise Bad(413)
    _exactly(stream, int(length), share, kept)
    return bytes(kept)


def _exactly(stream: BufferedIOBase, size: int, share: Share | None, kept: bytearray) -> None:
    if share is not None:
        share.take(size)
    left = size
    while left:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            raise Bad
        left -= len(piece)
        kept += piece if share is not None else piece[: _BEGINNING - len(kept)]


def _chunks(stream: BufferedIOBase, most: int, limits: Limits, share: Share | None, kept: bytearray) -> None:
    total = extra = 0
    while True:
        line = stream.readline(1024)
        digits = line.partition(b";")[0].strip()
        if not _SIZE.fullmatch(digits):
            raise Bad(400 if line else 0)
        size = int(digits, 16)
        if not size:
            break
        total += size
        extra += len(line)
        # A chunk of a byte has a line of its own: what is not body counts too.
        if total > most or size > limits.chunk or extra > most:
            raise Bad(413)
        _exactly(stream, size, share, kept)
        if stream.readline(3) not in (b"\r\n", b"\n"):
            raise Bad(400)
    left = limits.header
    while (line := stream.readline(max(left, 1))).strip():
        left -= len(line)
        if left <= 0:
            raise Bad(431)
