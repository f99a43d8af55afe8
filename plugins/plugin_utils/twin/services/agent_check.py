# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Systems Manager agent does to reach its service, from inside its instance's namespace: resolve, then connect on 443."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..seams import Kernel, TwinError

try:
    import dns.exception
    import dns.message
    import dns.rcode
    import dns.rdatatype
except ImportError:
    pass  # resolver.need() says so, for people

if TYPE_CHECKING:
    from dns.message import Message

SERVICES = ("ssm", "ssmmessages")
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html: ec2messages is for agents before 3.3.40.0 only."""
PORT = 443
DNS_SECONDS, DNS_TRIES, CONNECT_SECONDS = 1.0, 3, 3.0
"""A SYN that is lost is sent again after one second. Long enough for a machine that is busy building a large network meanwhile."""


class Unreachable(Exception):
    """One line: what fails."""


@dataclass(frozen=True)
class Errand:
    """``host``: the namespace. ``resolver``: as its /etc/resolv.conf has it. ``region``: of the services."""

    host: str
    resolver: str
    region: str


def _sockets(kernel: Kernel, host: str, family: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """For each service one for the question and one for the connection; all or none."""
    made: list[socket.socket] = []
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            for _service in SERVICES:
                made.append(kernel.socket(host, family, kind))
                made[-1].setblocking(False)
    except (TwinError, OSError):
        for one in made:
            one.close()
        raise
    return made[: len(SERVICES)], made[len(SERVICES) :]


async def check(kernel: Kernel, errand: Errand, port: int = PORT, dns_port: int = 53) -> None:
    """Do it once. Raises Unreachable with the line that says what fails, or TwinError when there is no such namespace."""
    family = socket.AF_INET6 if ":" in errand.resolver else socket.AF_INET
    # The kernel's side may be busy with a change: its wait is not the loop's.
    questions, connections = await asyncio.to_thread(_sockets, kernel, errand.host, family)
    try:
        work = (
            _reach(f"{service}.{errand.region}.amazonaws.com", service, question, connection, (errand.resolver, dns_port), port)
            for service, question, connection in zip(SERVICES, questions, connections, strict=True)
        )
        for fault in await asyncio.gather(*work, return_exceptions=True):
            if fault is not None:
                raise fault
    finally:
        for made in (*questions, *connections):
            made.close()


async def _reach(name: str, service: str, question: socket.socket, connection: socket.socket, server: tuple[str, int], port: int) -> None:
    address = await _resolve(name, question, server)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await loop.sock_connect(connection, (address, port))
    except TimeoutError:
        raise Unreachable(f"no answer from {address}:{port} ({service})") from None
    except ConnectionRefusedError:
        raise Unreachable(f"{address}:{port} refuses connections ({service})") from None
    except OSError as error:
        raise Unreachable(f"no way to {address}:{port} ({service}): {error.strerror}") from None


async def _resolve(name: str, made: socket.socket, server: tuple[str, int]) -> str:
    query = dns.message.make_query(name, dns.rdatatype.A, id=secrets.randbelow(65536))
    asked = query.to_wire()
    try:
        made.connect(server)
        found = await _ask(made, asked, query.is_response)
    except OSError as error:
        raise Unreachable(f"cannot resolve {name}: no way to {server[0]}: {error.strerror}") from None
    if found is None:
        raise Unreachable(f"cannot resolve {name}: no answer from {server[0]}")
    if found.rcode() != dns.rcode.NOERROR:
        raise Unreachable(f"cannot resolve {name}: {dns.rcode.to_text(found.rcode())}")
    values = [str(item.address) for rrset in found.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]
    if not values:
        raise Unreachable(f"cannot resolve {name}: no address")
    return values[0]


async def _ask(made: socket.socket, asked: bytes, ours: Callable[[Message], bool]) -> Message | None:
    """Send a question until its answer comes; None when none comes."""
    loop = asyncio.get_running_loop()
    for _turn in range(DNS_TRIES):
        made.send(asked)
        try:
            async with asyncio.timeout(DNS_SECONDS):
                while True:
                    try:
                        found = dns.message.from_wire(await loop.sock_recv(made, 4096))
                    except dns.exception.DNSException:
                        continue
                    if ours(found):
                        return found
        except TimeoutError:
            continue
    return None
