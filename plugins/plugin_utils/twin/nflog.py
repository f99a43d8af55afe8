# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that nftables tells of (``log … group N``), over netlink: what flow logs and the waking of instances listen to.

Formats: linux/netlink.h, linux/netfilter/nfnetlink.h and nfnetlink_log.h. In a namespace one socket at a time may have a group.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .seams import TwinError

NETLINK_NETFILTER = 12
FAMILY, KIND = socket.AF_NETLINK, socket.SOCK_RAW
"""With NETLINK_NETFILTER, what ``Kernel.socket`` is to be asked for."""

WAKE = 22
"""The group to which parking namespaces tell SYNs for port 22."""

_TCP, _UDP, _TCP_SYN, _TCP_ACK = 6, 17, 0x02, 0x10
_HEADER, _GENERIC, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("!BBH"), struct.Struct("=HH")
_MESSAGE_CONFIG, _MESSAGE_PACKET = 0x0401, 0x0400
_ERROR, _REQUEST_ACK = 2, 0x05
_BIND = 1
_COMMAND, _MODE, _TIMEOUT, _THRESHOLD = 1, 2, 4, 5
_COPY_PACKET = 2
_PAYLOAD, _PREFIX = 9, 10
_BUFFER, _BYTES, _COPIED = 4 << 20, 1 << 16, 128
_EXTENSIONS = (0, 43, 60)
_FRAGMENT = 44


@dataclass(frozen=True)
class Packet:
    """One packet as it was told. ``length``: of the whole IP packet, in bytes. Ports are 0 where the protocol has none.

    A packet that the sender's kernel left to be cut later (segmentation offload) is told once, uncut.
    """

    group: int
    prefix: str
    source: str
    destination: str
    protocol: int
    source_port: int
    destination_port: int
    length: int
    flags: int = 0
    """Of TCP."""

    @property
    def opens(self) -> bool:
        """Whether it is the first of a TCP connection."""
        return self.protocol == _TCP and self.flags & (_TCP_SYN | _TCP_ACK) == _TCP_SYN


class NflogListener:
    """Listens to groups of the namespace in which its socket lives. ``read`` when ``fileno`` is readable; it never blocks.

    ``heard`` gets each packet; ``lost`` is called when the kernel had more to tell than was read in time. With ``prompt`` each packet is
    told at once, else some together, 0.1 s late at most. Raises TwinError when the kernel refuses, as when another has the group.
    """

    def __init__(
        self,
        sock: socket.socket,
        groups: Iterable[int],
        heard: Callable[[Packet], None],
        lost: Callable[[], None] | None = None,
        *,
        prompt: bool = False,
    ) -> None:
        self._socket, self._heard, self._lost = sock, heard, lost
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        for group in groups:
            self._configure(group, 1 if prompt else 64)
        sock.setblocking(False)

    def fileno(self) -> int:
        """The socket's descriptor, for ``loop.add_reader(listener.fileno(), listener.read)``."""
        return self._socket.fileno()

    def read(self) -> None:
        """Take in all that is there."""
        while True:
            try:
                data = self._socket.recv(_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise TwinError(f"listening to packets: {error.strerror}") from error
                if self._lost is not None:
                    self._lost()
                continue
            for packet in packets(data):
                self._heard(packet)

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def _configure(self, group: int, threshold: int) -> None:
        attributes = (
            _attribute(_COMMAND, bytes([_BIND])),
            _attribute(_MODE, struct.pack("!IBx", _COPIED, _COPY_PACKET)),
            _attribute(_THRESHOLD, struct.pack("!I", threshold)),
            _attribute(_TIMEOUT, struct.pack("!I", 10)),
        )
        for attribute in attributes:
            body = _GENERIC.pack(socket.AF_UNSPEC, 0, group) + attribute
            self._socket.send(_HEADER.pack(_HEADER.size + len(body), _MESSAGE_CONFIG, _REQUEST_ACK, 0, 0) + body)
            self._acknowledged(group)

    def _acknowledged(self, group: int) -> None:
        """Packets of groups that are on already may come before the answer."""
        while True:
            data = self._socket.recv(_BYTES)
            for kind, body in _messages(data):
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    if code:
                        raise TwinError(f"packets of log group {group} cannot be listened to: {errno.errorcode.get(code, code)}")
                    return
            for packet in packets(data):
                self._heard(packet)


def packets(data: bytes) -> Iterator[Packet]:
    """The packets in what one read gave; what is not IP, or cut short, is left out."""
    for kind, body in _messages(data):
        if kind != _MESSAGE_PACKET:
            continue
        group = _GENERIC.unpack_from(body)[2]
        told = dict(_attributes(body[_GENERIC.size :]))
        found = parsed(told.get(_PAYLOAD, b""), group, told.get(_PREFIX, b"").rstrip(b"\0").decode("ascii", "replace"))
        if found is not None:
            yield found


def parsed(data: bytes, group: int = 0, prefix: str = "") -> Packet | None:
    """A packet from its first bytes, beginning with the IP header. None when that is not whole."""
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20:
        start, protocol, length = (data[0] & 0x0F) * 4, data[9], int.from_bytes(data[2:4], "big")
        ends = (socket.inet_ntop(socket.AF_INET, data[12:16]), socket.inet_ntop(socket.AF_INET, data[16:20]))
        whole = not int.from_bytes(data[6:8], "big") & 0x1FFF
    elif version == 6 and len(data) >= 40:
        length = 40 + int.from_bytes(data[4:6], "big")
        ends = (socket.inet_ntop(socket.AF_INET6, data[8:24]), socket.inet_ntop(socket.AF_INET6, data[24:40]))
        protocol, start, whole = _beyond_extensions(data)
    else:
        return None
    source_port = destination_port = flags = 0
    if protocol in (_TCP, _UDP) and whole and len(data) >= start + 4:
        source_port, destination_port = struct.unpack_from("!HH", data, start)
        flags = data[start + 13] if protocol == _TCP and len(data) > start + 13 else 0
    return Packet(group, prefix, *ends, protocol, source_port, destination_port, length, flags)


def _beyond_extensions(data: bytes) -> tuple[int, int, bool]:
    """Of an IPv6 packet: the protocol, where its header starts, and whether that is in this fragment."""
    protocol, start, whole = data[6], 40, True
    while len(data) >= start + 8 and (protocol in _EXTENSIONS or protocol == _FRAGMENT):
        if protocol == _FRAGMENT:
            whole, length = not int.from_bytes(data[start + 2 : start + 4], "big") & 0xFFF8, 8
        else:
            length = (data[start + 1] + 1) * 8
        protocol, start = data[start], start + length
    return protocol, start, whole


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _HEADER.size <= len(data):
        length, kind = _HEADER.unpack_from(data, place)[:2]
        if length < _HEADER.size:
            return
        yield kind, data[place + _HEADER.size : place + length]
        place += (length + 3) & ~3


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (-length % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[place + _ATTRIBUTE.size : place + length]
        place += (length + 3) & ~3
