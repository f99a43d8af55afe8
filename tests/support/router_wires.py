# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router and a few hosts, each a network namespace, wired by hand: to see what a ruleset does with packets.

For a process that is alone in new user, mount and network namespaces (``unshare --user --map-root-user --mount --net``).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

ROUTER = "router"
ROUTER_MAC = "02:00:00:00:00:01"
WAIT = 0.2
"""Seconds after which silence counts as such; answers here take well under a millisecond."""
_NEW_NET = 0x40000000


class Wires:
    """The router's namespace and those of its hosts."""

    def __init__(self) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        self._macs = 0
        self.namespace(ROUTER)
        for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            self.sysctl(ROUTER, key, "1")
        self.sysctl(ROUTER, "netfilter/nf_conntrack_tcp_loose", "0")
        self.ip("link set lo up", ROUTER)

    def namespace(self, name: str) -> None:
        subprocess.run(["ip", "netns", "add", name], check=True)
        for key in ("ipv4/conf/all/rp_filter", "ipv4/conf/default/rp_filter", "ipv6/conf/default/accept_dad", "ipv6/conf/all/accept_dad"):
            self.sysctl(name, key, "0")

    def ip(self, lines: str, namespace: str) -> None:
        subprocess.run(["ip", "-n", namespace, "-batch", "-"], input=lines, text=True, check=True)

    def nft(self, script: str) -> None:
        """Replace the router's ruleset, all at once; connections stay known."""
        text = f"table inet cloudnet\ndelete table inet cloudnet\n{script}"
        subprocess.run(["ip", "netns", "exec", ROUTER, "nft", "-f", "-"], input=text, text=True, check=True)

    def host(self, name: str, device: str, *addresses: str, group: int = 0, routes: tuple[str, ...] = (), gateway: str = "") -> None:
        """A namespace with these addresses on a wire to the router, where the device has the link group; ``routes`` lead to it as well."""
        self.namespace(name)
        self._macs += 1
        mac = f"02:00:00:00:01:{self._macs:02x}"
        ends = f"{device} group {group} address {ROUTER_MAC} type veth peer name eth0 address {mac} netns {name}"
        self.ip(f"link add {ends}\nlink set {device} up", ROUTER)
        self.ip("link set lo up\nlink set eth0 up", name)
        self.ip("\n".join(f"addr add {item}/{128 if ':' in item else 32} dev eth0" for item in addresses), name)
        for via, family, hop in (("169.254.0.1", "-4", gateway or "169.254.0.1"), ("fe80::1", "-6", "fe80::1")):
            self.ip(f"neigh add {via} lladdr {ROUTER_MAC} dev eth0 nud permanent", name)
            subprocess.run(["ip", family, "-n", name, "route", "add", "default", "via", hop, "dev", "eth0", "onlink"], check=True)
        for item in (*addresses, *routes):
            via = "fe80::2" if ":" in item else "169.254.0.2"
            subprocess.run(["ip", "-n", ROUTER, "neigh", "replace", via, "lladdr", mac, "dev", device, "nud", "permanent"], check=True)
            subprocess.run(["ip", "-n", ROUTER, "route", "add", item, "via", via, "dev", device, "onlink"], check=True)

    @staticmethod
    def sysctl(namespace: str, key: str, value: str) -> None:
        with inside(namespace), open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:
            file.write(value)


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Be in a namespace; sockets that are made there stay in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if libc.setns(there, _NEW_NET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(before, _NEW_NET)
        os.close(before)
        os.close(there)


def _socket(namespace: str, address: str, kind: int, protocol: int = 0) -> socket.socket:
    with inside(namespace):
        found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind, protocol)
    found.settimeout(WAIT)
    return found


def listen(namespace: str, address: str, port: int) -> socket.socket:
    """A TCP server's socket."""
    found = _socket(namespace, address, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
    found.bind((address, port))
    found.listen()
    return found


def tcp(namespace: str, source: str, destination: str, port: int) -> str:
    """open, refused or silent."""
    with connection(namespace, source, destination, port) as found:
        return found if isinstance(found, str) else "open"


@contextlib.contextmanager
def connection(namespace: str, source: str, destination: str, port: int) -> Iterator[Any]:
    """A connected socket, or the word for why there is none."""
    made = _socket(namespace, destination, socket.SOCK_STREAM)
    try:
        made.bind((source, 0))
        try:
            made.connect((destination, port))
        except ConnectionRefusedError:
            yield "refused"
        except TimeoutError:
            yield "silent"
        else:
            yield made
    finally:
        made.close()


def echo(client: socket.socket, server: socket.socket) -> bool:
    """Whether a byte gets there and one comes back."""
    try:
        client.send(b"a")
        if server.recv(1) != b"a":
            return False
        server.send(b"b")
        return client.recv(1) == b"b"
    except TimeoutError:
        return False


def datagram(namespace: str, source: str, destination: str, port: int, *, hops: int = 64, data: bytes = b"hello") -> None:
    """Send one UDP packet, from any source."""
    with contextlib.closing(_socket(namespace, destination, socket.SOCK_DGRAM)) as made:
        made.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT: sources of others
        made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        made.bind((source, 0))
        made.sendto(data, (destination, port))


@contextlib.contextmanager
def hearing(namespace: str, protocol: int = socket.IPPROTO_UDP) -> Iterator[Callable[[], list[tuple[str, str, int]]]]:
    """Whatever IPv4 packets of a protocol reach the host itself: (source, destination, TTL) of each."""
    with inside(namespace):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    made.settimeout(WAIT)
    with made:

        def heard() -> list[tuple[str, str, int]]:
            found, until = [], time.monotonic() + WAIT
            while time.monotonic() < until:
                try:
                    data, told = made.recvfrom(2048)
                except TimeoutError:
                    break
                if told[2] == socket.PACKET_HOST and data[9] == protocol:
                    found.append((socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), data[8]))
            return found

        yield heard


def ping(namespace: str, source: str, destination: str) -> bool:
    """Whether an echo request is answered."""
    six = ":" in destination
    body = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 4711, 1)
    with contextlib.closing(
        _socket(namespace, destination, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    ) as made:
        made.bind((source, 0))
        if not six:
            body = body[:2] + struct.pack("!H", 0xFFFF - (0x0800 + 4711 + 1)) + body[4:]
        made.sendto(body, (destination, 0))
        until = time.monotonic() + WAIT
        while time.monotonic() < until:
            try:
                data = made.recv(2048)
            except TimeoutError:
                return False
            if (data if six else data[20:])[0] == (129 if six else 0):
                return True
    return False
