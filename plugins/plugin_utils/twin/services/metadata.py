# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance metadata service, IMDSv2, at 169.254.169.254 of each VPC: who asks is known by the source address, which cannot be forged.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html (tokens, headers),
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html (status codes). The hop limit is not kept.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ....module_utils._model.network import Instance
from ..facts import HostFacts
from ..seams import Plane
from .directory import holder
from .listening import within
from .metadata_tree import USER_DATA, listing, tree

PORT = 80
_HEAD = 16384
_IDLE = 20.0
_VERSIONS = re.compile(r"latest|1\.0|20\d\d-\d\d-\d\d")
_SHOWN = "1.0\n2021-07-15\nlatest"
_LONGEST = 21600
_TTL, _TOKEN = "x-aws-ec2-metadata-token-ttl-seconds", "x-aws-ec2-metadata-token"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
}


@dataclass(frozen=True)
class Request:
    """``headers`` in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Response:
    """``kind`` is the media type."""

    status: int
    body: bytes = b""
    kind: str = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


class Tokens:
    """Session tokens: nothing is kept of them. Each holds its end and is signed for one instance, with a key of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._key, self._clock = secrets.token_bytes(32), clock

    def make(self, instance: str, seconds: int) -> str:
        """A token for an instance."""
        end = struct.pack("!Q", int((self._clock() + seconds) * 1000))
        return base64.urlsafe_b64encode(end + self._sign(instance, end)).decode()

    def left(self, instance: str, token: str) -> int:
        """The seconds that a token still has, rounded up; 0 for one that is over, another's, or none at all."""
        try:
            found = base64.urlsafe_b64decode(token.encode())
        except ValueError:
            return 0
        if len(found) != 40 or not hmac.compare_digest(found[8:], self._sign(instance, found[:8])):
            return 0
        (end,) = struct.unpack("!Q", found[:8])
        return max(0, -int((self._clock() * 1000 - end) // 1000))

    def _sign(self, instance: str, end: bytes) -> bytes:
        return hmac.new(self._key, instance.encode() + end, hashlib.sha256).digest()


def _fault(status: int) -> Response:
    page = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
        '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{status} - {_REASONS[status]}</title>\n </head>\n <body>\n  <h1>{status} - {_REASONS[status]}</h1>\n"
        " </body>\n</html>\n"
    )
    return Response(status, page.encode(), "text/html")


def respond(request: Request, plane: Plane, instance: Instance, facts: HostFacts, tokens: Tokens) -> Response:
    """The answer to an instance's request."""
    if not facts.metadata:
        return _fault(403)
    version, _slash, rest = request.path.strip("/").partition("/")
    if request.method == "PUT":
        return _token(request, version, rest, instance.id, tokens)
    if request.method not in ("GET", "HEAD"):
        return _fault(405)
    headers = {}
    if _TOKEN in request.headers:
        left = tokens.left(instance.id, request.headers[_TOKEN])
        if not left:
            return _fault(401)
        headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] = str(left)
    elif facts.tokens_required:
        return _fault(401)
    if not version:
        return Response(200, _SHOWN.encode(), headers=headers)
    if not _VERSIONS.fullmatch(version):
        return _fault(404)
    rest = rest.strip("/")
    if rest == USER_DATA:
        return Response(200, facts.user_data, "application/octet-stream", headers) if facts.user_data else _fault(404)
    paths = tree(plane.network, instance, facts)
    if rest in paths:
        kind = "application/json" if rest.startswith("meta-data/iam/") else "text/plain"
        return Response(200, paths[rest].encode(), kind, headers)
    shown = listing({**paths, **({USER_DATA: ""} if facts.user_data else {})}, rest, facts.key_name)
    return Response(200, shown.encode(), headers=headers) if shown is not None else _fault(404)


def _token(request: Request, version: str, rest: str, instance: str, tokens: Tokens) -> Response:
    if not _VERSIONS.fullmatch(version) or rest.rstrip("/") != "api/token":
        return _fault(405)
    if "x-forwarded-for" in request.headers:  # an open proxy's request: AWS refuses it
        return _fault(403)
    told = request.headers.get(_TTL, "")
    if not told.isascii() or not told.isdigit() or not 1 <= int(told[:6]) <= _LONGEST or len(told) > 6:
        return _fault(400)
    return Response(200, tokens.make(instance, int(told)).encode(), headers={"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": told})


def parse(head: bytes) -> Request | None:
    """A request's head, without its empty line; None for what is not HTTP."""
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not parts[1].startswith("/"):
        return None
    headers = {}
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        if not colon:
            return None
        headers[key.strip().lower()] = value.strip()
    return Request(parts[0], parts[1].partition("?")[0], headers)


def write(response: Response, head_only: bool, close: bool) -> bytes:
    """A response's bytes."""
    lines = [
        f"HTTP/1.1 {response.status} {_REASONS[response.status]}",
        f"Content-Type: {response.kind}",
        f"Content-Length: {len(response.body)}",
        "Server: EC2ws",
        f"Connection: {'close' if close else 'keep-alive'}",
        *(f"{key}: {value}" for key, value in response.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if head_only else response.body)


class Metadata:
    """One VPC's service. ``plane`` gives the state at the time of each request."""

    def __init__(self, vpc: str, plane: Callable[[], Plane], tokens: Tokens) -> None:
        self._vpc, self._plane, self._tokens = vpc, plane, tokens

    def answer(self, request: Request | None, caller: str) -> Response | None:
        """The answer to who has this address in the VPC; None for nobody's."""
        plane = self._plane()
        interface = holder(plane.network, self._vpc, caller)
        instance = plane.network.instances.get(interface.instance) if interface is not None else None
        if instance is None:
            return None
        if request is None:
            return _fault(400)
        return respond(request, plane, instance, plane.facts.hosts.get(instance.id) or HostFacts(instance.id), self._tokens)

    async def connection(self, made: socket.socket, caller: str, _own: str) -> None:
        """Answer the requests of one connection."""
        loop, left = asyncio.get_running_loop(), b""
        while True:
            head, left = await within(_IDLE, _head(made, left))
            request = parse(head)
            response = self.answer(request, caller)
            if response is None:
                return
            # What has a body is not read further: no request of this service has one.
            length = request.headers.get("content-length", "0") if request is not None else ""
            close = request is None or length != "0" or request.headers.get("connection", "").lower() == "close"
            await within(_IDLE, loop.sock_sendall(made, write(response, request is not None and request.method == "HEAD", close)))
            if close:
                return


async def _head(made: socket.socket, left: bytes) -> tuple[bytes, bytes]:
    """A request's head, and what came after it. Raises EOFError at the end, ValueError when it is too long."""
    loop = asyncio.get_running_loop()
    data = bytearray(left)
    while b"\r\n\r\n" not in data:
        if len(data) > _HEAD:
            raise ValueError("the request's head is too long")
        part = await loop.sock_recv(made, 4096)
        if not part:
            raise EOFError
        data += part
    head, _line, rest = bytes(data).partition(b"\r\n\r\n")
    return head, rest
