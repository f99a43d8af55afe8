# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network namespace holds, as the kernel tells it by rtnetlink: read here without the sender that the twin has."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

LINKS, ADDRESSES, ROUTES, NEIGHBOURS, RULES = 18, 22, 26, 30, 34
_HEADERS = {LINKS: 16, ADDRESSES: 8, ROUTES: 12, NEIGHBOURS: 12, RULES: 12}
_PERMANENT = 0x80


def _dump(kind: int) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(10)
        body = bytes(_HEADERS[kind])
        asked.sendto(struct.pack("=IHHII", 16 + len(body), kind, 0x301, 1, 0) + body, (0, 0))
        while True:
            data = asked.recv(1 << 18)
            place = 0
            while place < len(data):
                size, what = struct.unpack_from("=IH", data, place)
                if what == 3:
                    return
                if what == 2:
                    raise OSError("the kernel refused a dump")
                yield _parse(data[place + 16 : place + size], _HEADERS[kind])
                place += (size + 3) & ~3


def _parse(message: bytes, header: int) -> tuple[bytes, dict[int, bytes]]:
    found: dict[int, bytes] = {}
    place = header
    while place + 4 <= len(message):
        size, kind = struct.unpack_from("=HH", message, place)
        found[kind & 0x3FFF] = message[place + 4 : place + size]
        place += max(4, (size + 3) & ~3)
    return message[:header], found


def _ip(value: bytes | None) -> str:
    if not value:
        return ""
    return socket.inet_ntop(socket.AF_INET if len(value) == 4 else socket.AF_INET6, value)


def links() -> dict[int, str]:
    """Of the calling thread's namespace: index to name."""
    return {struct.unpack_from("=i", head, 4)[0]: found[3].rstrip(b"\0").decode() for head, found in _dump(LINKS)}


def sight() -> list[str]:
    """All that matters of the calling thread's namespace, a line each, sorted; nothing that changes by itself, nor any index."""
    names = links()
    lines: list[str] = []
    for head, found in _dump(LINKS):
        index, flags = struct.unpack_from("=iI", head, 4)
        mtu, group = (struct.unpack("=I", found[kind])[0] for kind in (4, 27))
        lines.append(f"link {names[index]} up={flags & 1} mac={found.get(1, b'').hex(':')} mtu={mtu} group={group}")
    for head, found in _dump(ADDRESSES):
        index = struct.unpack_from("=I", head, 4)[0]
        flags = struct.unpack("=I", found[8])[0] if 8 in found else 0
        lines.append(f"address {_ip(found.get(2) or found.get(1))}/{head[1]} on {names[index]} flags={flags:#x}")
    for head, found in _dump(ROUTES):
        table = struct.unpack("=I", found[15])[0]
        device = names[struct.unpack("=i", found[4])[0]] if 4 in found else ""
        ways = f"via={_ip(found.get(5))} dev={device} metrics={found.get(8, b'').hex()} source={_ip(found.get(7))}"
        lines.append(f"route family={head[0]} table={table} to={_ip(found.get(1))}/{head[1]} kind={head[7]} {ways}")
    for head, found in _dump(NEIGHBOURS):
        index, state = struct.unpack_from("=iH", head, 4)
        if state & _PERMANENT:
            lines.append(f"neighbour {_ip(found.get(1))} on {names.get(index, index)} at {found.get(2, b'').hex(':')}")
    for head, found in _dump(RULES):
        shown = {kind: value.hex() for kind, value in sorted(found.items()) if kind in (1, 2, 6, 10, 15, 16)}
        lines.append(f"rule family={head[0]} {shown}")
    return sorted(lines)
