# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for AWS's services and for the internet's server: it accepts, over TLS too, and says honestly what it is."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import os
import socket
import ssl
import struct
from collections.abc import Callable

from ..places import SERVER_NAME
from ..seams import Plane
from .directory import endpoint_at
from .listening import streams, within

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    _MISSING = ""
except ImportError as _error:
    _MISSING = str(_error)

TLS, PLAIN = 443, 80
_HELLO = 0x16
_WAIT = 30.0
_HEAD = 16384


@functools.lru_cache(maxsize=4)
def context(regions: frozenset[str]) -> ssl.SSLContext | None:
    """A TLS context with a self-signed certificate for AWS's names in these Regions and the server's; None without ``cryptography``."""
    if _MISSING:
        return None
    key = ec.generate_private_key(ec.SECP256R1())
    names = ["*.amazonaws.com", SERVER_NAME]
    names += [f"*.{region}.{domain}" for region in sorted(regions) for domain in ("amazonaws.com", "api.aws")]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the lab's stand-in for AWS")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # OpenSSL reads files only; this one is in memory and belongs to this process.
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, made.public_bytes(serialization.Encoding.PEM) + secret)
        found.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return found


def said(what: str, caller: str, own: str, name: str) -> bytes:
    """The answer to any HTTP request. ``name``: the host that was asked for."""
    asked = f" You asked for {name}." if name else ""
    text = (
        f"This is the lab's stand-in for {what}, at {own}.{asked}\n"
        f"Your connection came from {caller}: the network lets it through. Nothing else is served here.\n"
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    return head.encode() + text


class Answers:
    """What answers in one namespace: ``serve:VPC`` (interface endpoints), ``services:VPC`` (gateway endpoints) or ``internet``."""

    def __init__(self, namespace: str, plane: Callable[[], Plane]) -> None:
        self._namespace, self._plane = namespace, plane

    def ports(self) -> tuple[tuple[str, int], ...]:
        """Where it listens: address (empty for all) and port."""
        if self._namespace == "internet":
            around = self._plane().outside
            return ("", TLS), (around.server, PLAIN), (around.server_6, PLAIN)
        return (("", TLS),)

    def what(self, own: str) -> str:
        """What stands at an address, for people; empty for an address where nothing answers."""
        if self._namespace.startswith("serve:"):
            endpoint = endpoint_at(self._plane().network, self._namespace.partition(":")[2], own)
            return f"{endpoint.service} behind the endpoint {endpoint.id}" if endpoint is not None else "an AWS service"
        around = self._plane().outside
        if around.is_server(own):
            return f"a server on the internet, {SERVER_NAME}"
        if self._namespace.startswith("services:") or around.holds_service(own):
            return "AWS's public services"
        return ""

    async def connection(self, made: socket.socket, caller: str, own: str) -> None:
        """Serve one connection: TLS when it begins as TLS does, else plain HTTP; one request."""
        what = self.what(own)
        if not what:  # such as the controller's own address: nobody is at home there
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        first = await within(_WAIT, _peek(made))
        if not first:
            return
        tls = None
        if first[0] == _HELLO:
            tls = context(frozenset(item.region for item in self._plane().network.vpcs.values()))
            if tls is None:
                return
        reader, writer = await streams(made, _HEAD, tls)
        try:
            head = await within(_WAIT, reader.readuntil(b"\r\n\r\n"))
            hosts = [line[5:].strip() for line in head.decode("latin-1").split("\r\n") if line.lower().startswith("host:")]
            writer.write(said(what, caller, own, hosts[0] if hosts else ""))
            await within(_WAIT, writer.drain())
        except asyncio.LimitOverrunError:
            pass  # no request of anybody's is that long
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await within(1.0, writer.wait_closed())


async def _peek(made: socket.socket) -> bytes:
    """The first byte, left where it is; empty at the end."""
    while True:
        try:
            return made.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            await _readable(made)


async def _readable(made: socket.socket) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(made.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(made.fileno())
