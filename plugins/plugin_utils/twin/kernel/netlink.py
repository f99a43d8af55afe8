# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses, routes, rules and neighbours by rtnetlink (rtnetlink(7)): pure functions make requests, ``Netlink`` sends them.

Many requests go in one send. Only the last one of a send asks for an answer; the kernel works on them in order and answers those that fail
in any case, so that hundreds of answers never overflow the socket.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType

from ..state import Address, Neighbour, Route, Rule, Wire
from .system import high

LOOPBACK = 1
"""The index of ``lo`` in every network namespace."""

NEWLINK, DELLINK, GETLINK, SETLINK = 16, 17, 18, 19
NEWADDR, DELADDR = 20, 21
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWNEIGH, DELNEIGH = 28, 29
NEWRULE, DELRULE = 32, 33

_REQUEST, _ACK, _REPLACE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_ERROR, _CAPPED, _EXPLAINED = 2, 0x100, 0x200
_SOL_NETLINK, _CAP_ACK, _EXT_ACK = 270, 10, 11
_IFF_UP = 1
_WITHOUT_COUNTERS = 1 << 3
_NOPREFIXROUTE, _NODAD = 0x200, 0x02
_ONLINK = 4
_STATIC = 4
_PERMANENT = 0x80
_KINDS = {"unicast": 1, "local": 2, "blackhole": 6, "throw": 9}
_SCOPE_LINK, _SCOPE_HOST, _SCOPE_NOWHERE = 253, 254, 255
_GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})
_PRESENT = frozenset({errno.EEXIST})

_MOST_BYTES, _MOST, _MOST_QUESTIONS = 100_000, 400, 50
_PATIENCE = 60.0
"""Seconds to wait for an answer: the kernel is about to have dismantled thousands of namespaces, or it never answers."""


@dataclass(frozen=True, slots=True)
class Request:
    """One message. ``about`` is what a failure is told by, ``forgiven`` which errors mean that there was nothing to do."""

    kind: int
    flags: int
    body: bytes
    about: object
    forgiven: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that the kernel refused: ``number`` of errno, and the kernel's own words where it had some."""

    request: Request
    number: int
    words: str = ""

    def __str__(self) -> str:
        return f"{describe(self.request.about)}: {os.strerror(self.number)}{f' ({self.words})' if self.words else ''}"


class NetlinkError(Exception):
    """Requests that failed; the text names the first and says how many there were."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        self.failures = tuple(failures)
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        super().__init__(f"{failures[0]}{more}")


def describe(about: object) -> str:
    """What a request was about, in words."""
    match about:
        case Address():
            return f"address {about.cidr} on {about.device}"
        case Route():
            towards = "".join(f" {word} {value}" for word, value in (("via", about.via), ("dev", about.device)) if value)
            return f"{about.kind} route {about.destination}{towards} in table {about.table}"
        case Rule():
            which = "" if about.mark is None else f" for mark {about.mark}"
            which += f" from {about.source}" if about.source else ""
            return f"IPv{about.family} rule {about.priority}{which} to table {about.table}"
        case Neighbour():
            return f"neighbour {about.address} on {about.device}"
        case Wire():
            return f"wire {about.left.namespace}/{about.left.name} to {about.right.namespace}/{about.right.name}"
    return str(about)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    size = len(value) + 4
    return struct.pack("=HH", size, kind) + value + bytes(-size % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute that is an unsigned number of 32 bits."""
    return struct.pack("=HHI", 8, kind, value)


def address_bytes(text: str) -> tuple[int, bytes]:
    """The family and the bytes of an address. Raises ValueError."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return family, socket.inet_pton(family, text)
    except OSError:
        raise ValueError(f"{text} is no IP address") from None


def cidr_bytes(text: str) -> tuple[int, bytes, int]:
    """The family, the bytes and the prefix length of ``10.0.0.5/24``; without a prefix it is one address. Raises ValueError."""
    head, slash, tail = text.partition("/")
    family, value = address_bytes(head)
    size = int(tail) if slash else len(value) * 8
    if not 0 <= size <= len(value) * 8:
        raise ValueError(f"{text} has no prefix of that length")
    return family, value, size


def mac_bytes(text: str) -> bytes:
    """The six bytes of ``02:00:00:00:00:01``. Raises ValueError."""
    value = bytes.fromhex(text.replace(":", ""))
    if len(value) != 6:
        raise ValueError(f"{text} is no hardware address")
    return value


def _link(index: int, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, _IFF_UP if up else 0, _IFF_UP if up else 0)


def link_up(index: int, about: object) -> Request:
    """Set a link up; ``lo`` gets 127.0.0.1 and ::1 by it."""
    return Request(SETLINK, 0, _link(index, up=True), about)


def settle_link(index: int, about: object) -> Request:
    """Ask for a link, and let the answer go. A device whose other end came up after it drops what it should send until the kernel's
    link watch has run, some time later; since Linux 6.7 asking for the link runs it."""
    return Request(GETLINK, 0, _link(index) + number(29, _WITHOUT_COUNTERS), about)


def new_wire(wire: Wire, left: tuple[int, int], right: tuple[int, int]) -> Request:
    """A veth pair, made where it belongs. ``left``, ``right``: descriptor of the namespace, and the index that the device gets.

    Both ends are down: the kernel cannot set the one up before it knows the other.
    One queue each: a veth would have as many as the machine has processors, and thousands of them would cost its memory.
    """

    def end(name: str, mac: str, group: int, place: tuple[int, int]) -> bytes:
        return b"".join(
            (
                _link(place[1]),
                attribute(3, name.encode() + b"\0"),
                attribute(1, mac_bytes(mac)),
                number(4, wire.mtu),
                number(27, group),
                number(28, place[0]),
                number(31, 1),
                number(32, 1),
            )
        )

    peer = attribute(1, end(wire.right.name, wire.right.mac, wire.right.group, right))
    kind = attribute(18, attribute(1, b"veth\0") + attribute(2, peer))
    body = end(wire.left.name, wire.left.mac, wire.left.group, left) + kind
    return Request(NEWLINK, _CREATE | _EXCLUSIVE, body, wire)


def change_link(index: int, about: object, *, mtu: int | None = None, mac: str | None = None, group: int | None = None) -> Request:
    """Change a link in place."""
    body = _link(index)
    if mac is not None:
        body += attribute(1, mac_bytes(mac))
    if mtu is not None:
        body += number(4, mtu)
    if group is not None:
        body += number(27, group)
    return Request(SETLINK, 0, body, about)


def delete_link(index: int, about: object) -> Request:
    """Delete a link, and with a veth its other end."""
    return Request(DELLINK, 0, _link(index), about, _GONE)


def delete_links(group: int, about: object) -> Request:
    """Delete all links of a group at once: each deletion waits for all processors, and so they share one wait."""
    return Request(DELLINK, 0, _link(0) + number(27, group), about, _GONE)


def _address(address: Address, index: int) -> tuple[bytes, bytes]:
    family, value, size = cidr_bytes(address.cidr)
    head = struct.pack("=BBBBI", family, size, 0, 0, index)
    return head, attribute(2, value) + attribute(1, value)


def add_address(address: Address, index: int) -> Request:
    """Add an address that brings no route for its prefix; an IPv6 one can be used at once."""
    head, values = _address(address, index)
    flags = _NOPREFIXROUTE | (_NODAD if ":" in address.cidr else 0)
    return Request(NEWADDR, _CREATE | _EXCLUSIVE, head + values + number(8, flags), address)


def delete_address(address: Address, index: int) -> Request:
    """Delete an address."""
    head, values = _address(address, index)
    return Request(DELADDR, 0, head + values, address, _GONE)


def _route(route: Route, index: int, scope: int, more: bytes = b"", flags: int = 0) -> bytes:
    family, value, size = cidr_bytes(route.destination)
    if route.kind not in _KINDS:
        raise ValueError(f"{route.kind} is no kind of route")
    table = route.table if route.table < 256 else 0
    head = struct.pack("=BBBBBBBBI", family, size, 0, 0, table, _STATIC, scope, _KINDS[route.kind], flags)
    where = number(15, route.table) + (attribute(1, value) if size else b"") + (number(4, index) if index else b"")
    return head + where + more


def put_route(route: Route, index: int = 0) -> Request:
    """Add a route or replace the one for the same destination in the same table. ``index``: of its device, 0 for none."""
    more, flags, scope = b"", 0, 0
    if route.via:
        family, value = address_bytes(route.via)
        same = family == (socket.AF_INET6 if ":" in route.destination else socket.AF_INET)
        more += attribute(5, value) if same else attribute(18, struct.pack("=H", family) + value)
        flags |= _ONLINK
    elif route.kind == "unicast":
        scope = _SCOPE_LINK
    if route.kind == "local":
        scope, index = _SCOPE_HOST, index or LOOPBACK
    if route.mtu:
        more += attribute(8, number(2, route.mtu))
    if route.source:
        more += attribute(7, address_bytes(route.source)[1])
    return Request(NEWROUTE, _CREATE | _REPLACE, _route(route, index, scope, more, flags), route)


def delete_route(route: Route) -> Request:
    """Delete a route, whatever it leads through."""
    return Request(DELROUTE, 0, _route(route, 0, _SCOPE_NOWHERE), route, _GONE)


def ask_route(address: str) -> Request:
    """Ask how the kernel would route to an address."""
    family, value = address_bytes(address)
    head = struct.pack("=BBBBBBBBI", family, len(value) * 8, 0, 0, 0, 0, 0, 0, 0)
    return Request(GETROUTE, 0, head + attribute(1, value), f"the route to {address}")


def is_local(answer: bytes) -> bool:
    """Whether an answer to ``ask_route`` says that the address is the namespace's own."""
    return len(answer) > 23 and answer[23] == _KINDS["local"]


def _rule(rule: Rule) -> bytes:
    family = socket.AF_INET6 if rule.family == 6 else socket.AF_INET
    table = rule.table if rule.table < 256 else 0
    size, source = 0, b""
    if rule.source:
        _family, value, size = cidr_bytes(rule.source)
        source = attribute(2, value) if size else b""
    head = struct.pack("=BBBBBBBBI", family, 0, size, 0, table, 0, 0, 1, 0)
    body = head + source + number(6, rule.priority) + number(15, rule.table)
    return body if rule.mark is None else body + number(10, rule.mark) + number(16, 0xFFFFFFFF)


def add_rule(rule: Rule) -> Request:
    """Add a policy rule; one that the kernel has of its own is left."""
    return Request(NEWRULE, _CREATE | _EXCLUSIVE, _rule(rule), rule, _PRESENT)


def delete_rule(rule: Rule) -> Request:
    """Delete a policy rule."""
    return Request(DELRULE, 0, _rule(rule), rule, _GONE)


def _neighbour(neighbour: Neighbour, index: int) -> bytes:
    family, value = address_bytes(neighbour.address)
    return struct.pack("=BxxxiHBB", family, index, _PERMANENT, 0, 0) + attribute(1, value)


def put_neighbour(neighbour: Neighbour, index: int) -> Request:
    """Add a permanent neighbour, or replace the one of that address."""
    body = _neighbour(neighbour, index) + attribute(2, mac_bytes(neighbour.mac))
    return Request(NEWNEIGH, _CREATE | _REPLACE, body, neighbour)


def delete_neighbour(neighbour: Neighbour, index: int) -> Request:
    """Delete a neighbour."""
    return Request(DELNEIGH, 0, _neighbour(neighbour, index), neighbour, _GONE)


def forgiving(request: Request) -> Request:
    """The same request, to which "there already" is no failure."""
    return replace(request, forgiven=request.forgiven | _PRESENT)


def if_there(request: Request) -> Request:
    """The same request, to which "gone already" is no failure."""
    return replace(request, forgiven=request.forgiven | _GONE)


def encode(requests: Sequence[Request], first: int) -> bytes:
    """The bytes of one send: numbered from ``first``, and an answer asked for the last."""
    parts: list[bytes] = []
    for place, request in enumerate(requests):
        flags = request.flags | _REQUEST | (_ACK if place == len(requests) - 1 else 0)
        parts.append(struct.pack("=IHHII", len(request.body) + 16, request.kind, flags, first + place, 0))
        parts.append(request.body)
        parts.append(bytes(-len(request.body) % 4))
    return b"".join(parts)


def pieces(requests: Iterable[Request]) -> Iterable[list[Request]]:
    """Cut requests into what fits one send."""
    piece: list[Request] = []
    size = 0
    for request in requests:
        length = len(request.body) + 19
        # What the kernel answers at length must find room in the socket.
        most = _MOST_QUESTIONS if request.kind in (GETLINK, GETROUTE) else _MOST
        if piece and (size + length > _MOST_BYTES or len(piece) >= most):
            yield piece
            piece, size = [], 0
        piece.append(request)
        size += length
    if piece:
        yield piece


class Netlink:
    """A socket of the network namespace in which the calling thread is when it is made. Not for two threads at once."""

    sent = 0
    """How many requests all of them sent: what a measurement or a test asks."""

    def __init__(self) -> None:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket = socket.socket(fileno=high(made.detach()))
        try:
            for option in (_CAP_ACK, _EXT_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _MOST_BYTES)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            self._socket.settimeout(_PATIENCE)
        except BaseException:
            self._socket.close()
            raise
        self._next = 1

    def __enter__(self) -> Netlink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, requests: Iterable[Request]) -> list[Failure]:
        """Send all, go on after failures, and return those that are not forgiven, in order. Raises OSError where no answer comes."""
        return [failure for piece in pieces(requests) for failure in self._exchange(piece)[0]]

    def run(self, requests: Iterable[Request]) -> None:
        """Send all. Raises NetlinkError when one failed; the others were done all the same."""
        failures = self.send(requests)
        if failures:
            raise NetlinkError(failures)

    def ask(self, requests: Iterable[Request]) -> list[bytes]:
        """Send questions; the message that answers each, empty where there was none. Raises OSError where no answer comes."""
        return [answer for piece in pieces(requests) for answer in self._exchange(piece)[1]]

    def _exchange(self, piece: list[Request]) -> tuple[list[Failure], list[bytes]]:
        first, last = self._next, self._next + len(piece) - 1
        self._next = last + 1
        Netlink.sent += len(piece)
        self._socket.sendto(encode(piece, first), (0, 0))
        found: list[Failure] = []
        answers = [b""] * len(piece)
        while True:
            data = self._socket.recv(1 << 16)
            place = 0
            while place + 16 <= len(data):
                size, kind, flags, sequence, _port = struct.unpack_from("=IHHII", data, place)
                if kind == _ERROR and first <= sequence <= last:
                    code = -struct.unpack_from("=i", data, place + 16)[0]
                    request = piece[sequence - first]
                    if code and code not in request.forgiven:
                        found.append(Failure(request, code, _words(data[place : place + size], flags)))
                    if sequence == last:
                        return found, answers
                elif first <= sequence <= last:
                    answers[sequence - first] = data[place : place + size]
                place += max(16, (size + 3) & ~3)


def _words(message: bytes, flags: int) -> str:
    """What the kernel said beside the number: the attributes after the header that the answer repeats."""
    if not flags & _EXPLAINED:
        return ""
    place = 36
    if not flags & _CAPPED:
        place = 20 + int(struct.unpack_from("=I", message, 20)[0])
    while place + 4 <= len(message):
        size, kind = struct.unpack_from("=HH", message, place)
        if kind == 1:
            return message[place + 4 : place + size].rstrip(b"\0").decode(errors="replace")
        place += max(4, (size + 3) & ~3)
    return ""
