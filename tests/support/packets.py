# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many packets at once: who in a kernel's namespaces gets an answer from whom.

Every namespace that may be asked listens on a few ports, and who accepts is seen, so that an answer of another host with the same address
counts for nothing. All of a batch are sent, then all answers are awaited.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

PORTS = (22, 80, 443, 8080)


class Sockets(Protocol):
    """What makes sockets in namespaces."""

    def socket(self, namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A new one."""


@dataclass(frozen=True)
class Flow:
    """A question. ``source``: a namespace; ``bind``: the address to send from, if it matters.

    ``receiver``: the namespace that is meant, empty for whichever answers.
    """

    source: str
    target: str
    receiver: str
    protocol: str
    port: int = 0
    bind: str = ""

    @property
    def family(self) -> int:
        """Of the socket."""
        return socket.AF_INET6 if ":" in self.target else socket.AF_INET


@dataclass
class _Asked:
    flow: Flow
    socket: socket.socket
    token: bytes
    heard: bool = False
    """Of TCP: it is connected."""
    answered: bool = False


@dataclass
class Ears:
    """Listeners in namespaces; ``close`` them."""

    kernel: Sockets
    names: Iterable[str]
    families: Sequence[int] = (socket.AF_INET, socket.AF_INET6)
    ports: Sequence[int] = PORTS
    at: Mapping[str, Iterable[str]] = field(default_factory=dict)
    """The addresses of namespaces that have several: an answer by UDP must come from the one that was asked."""
    open: list[tuple[str, str, socket.socket]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in self.names:
            places = self.at.get(name, ("0.0.0.0", "::"))
            for port in self.ports:
                for address in ("0.0.0.0", "::"):
                    self._listen(name, "tcp", address, port)
                for address in places:
                    self._listen(name, "udp", address, port)

    def _listen(self, name: str, word: str, address: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        if family not in self.families:
            return
        ear = self.kernel.socket(name, family, socket.SOCK_STREAM if word == "tcp" else socket.SOCK_DGRAM)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        ear.setblocking(False)
        ear.bind((address, port))
        if word == "tcp":
            ear.listen(128)
        self.open.append((name, word, ear))

    def close(self) -> None:
        """All of them."""
        for _name, _word, ear in self.open:
            ear.close()


def ask(kernel: Sockets, ears: Ears, flows: Sequence[Flow], quiet: float = 0.4, longest: float = 3.0) -> list[bool]:
    """Whether each flow's answer came. ``quiet``: seconds without any news after which no more is expected."""
    chooser = selectors.DefaultSelector()
    for name, word, ear in ears.open:
        chooser.register(ear, selectors.EVENT_READ, (name, word))
    asked: dict[bytes, _Asked] = {}
    accepted: list[socket.socket] = []
    for number, flow in enumerate(flows):
        token = struct.pack("!I", number) + b"cnet"
        one = _Asked(flow, _open(kernel, flow), token)
        asked[token] = one
        if _send(one):
            chooser.register(one.socket, selectors.EVENT_WRITE if flow.protocol == "tcp" else selectors.EVENT_READ, one)
    start = last = time.monotonic()
    while time.monotonic() - last < quiet and time.monotonic() - start < longest and not all(one.answered for one in asked.values()):
        for key, _mask in chooser.select(0.05):
            if _news(chooser, key, accepted):
                last = time.monotonic()
    chooser.close()
    for one in asked.values():
        one.socket.close()
    for other in accepted:
        other.close()
    return [one.answered for one in asked.values()]


def _open(kernel: Sockets, flow: Flow) -> socket.socket:
    six = flow.family == socket.AF_INET6
    if flow.protocol == "icmp":
        # Only instances have what a ping without privileges needs.
        kind = socket.SOCK_RAW if flow.bind else socket.SOCK_DGRAM
        made = kernel.socket(flow.source, flow.family, kind, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    else:
        made = kernel.socket(flow.source, flow.family, socket.SOCK_STREAM if flow.protocol == "tcp" else socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def _send(one: _Asked) -> bool:
    flow = one.flow
    try:
        if flow.bind:
            one.socket.bind((flow.bind, 0))
        if flow.protocol == "icmp":
            kind = 128 if flow.family == socket.AF_INET6 else 8
            body = struct.pack("!BBHHH", kind, 0, 0, int.from_bytes(one.token[:4], "big") & 0xFFFF, 1) + one.token
            if flow.family == socket.AF_INET:
                words = sum(struct.unpack(f"!{len(body) // 2}H", body))
                words = (words >> 16) + (words & 0xFFFF)
                body = body[:2] + struct.pack("!H", ~(words + (words >> 16)) & 0xFFFF) + body[4:]
            one.socket.sendto(body, (flow.target, 0))
        elif flow.protocol == "tcp":
            one.socket.connect((flow.target, flow.port))
        else:
            one.socket.connect((flow.target, flow.port))
            one.socket.send(one.token)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EINVAL, errno.EACCES, errno.EPERM):
            return False
        raise
    return True


def _news(chooser: selectors.BaseSelector, key: Any, accepted: list[socket.socket]) -> bool:
    """Deal with one event; says whether it told something of a flow."""
    if isinstance(key.data, tuple):
        return _heard(key.fileobj, *key.data, chooser, accepted)
    one: _Asked = key.data
    if one.flow.protocol == "tcp" and not one.heard:
        if one.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            chooser.unregister(one.socket)
            return True
        # Connected: say who asks, and wait for the same words to come back.
        one.heard = True
        with contextlib.suppress(OSError):
            one.socket.send(one.token)
        chooser.modify(one.socket, selectors.EVENT_READ, one)
        return True
    if _read(one) is not None:
        chooser.unregister(one.socket)
    return True


def _read(one: _Asked) -> bool | None:
    """Whether the answer that came is the right one; None when none came yet."""
    try:
        said = one.socket.recv(256)
    except BlockingIOError:
        return None
    except OSError:
        return False
    if one.flow.protocol == "icmp":
        # A raw socket also gets the header of IPv4, and everyone's answers.
        head = said[20:21] if one.flow.bind and one.flow.family == socket.AF_INET else said[:1]
        one.answered = head in (b"\x00", b"\x81") and one.token in said
        return one.answered or None
    if not said:
        return False
    # The listener puts its namespace behind the token.
    token, name = said[: len(one.token)], said[len(one.token) :]
    one.answered = token == one.token and name == (one.flow.receiver.encode() or name)
    return one.answered


def _heard(ear: socket.socket, name: str, word: str, chooser: selectors.BaseSelector, accepted: list[socket.socket]) -> bool:
    try:
        if word == "udp":
            token, sender = ear.recvfrom(64)
            ear.sendto(token + name.encode(), sender)
        elif word == "tcp":
            found, _sender = ear.accept()
            found.setblocking(False)
            accepted.append(found)
            chooser.register(found, selectors.EVENT_READ, (name, "talk"))
        else:
            token = ear.recv(64)
            chooser.unregister(ear)
            if token:
                ear.send(token + name.encode())
    except BlockingIOError:
        return False
    except OSError:
        with contextlib.suppress(KeyError, ValueError):
            if word == "talk":
                chooser.unregister(ear)
        return False
    return True
