# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPC's resolver on the wire: DNS over UDP and TCP at the VPC's base plus two, 169.254.169.253 and, with IPv6, fd00:ec2::253.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#AmazonDNS (where it listens), RFC 1035 (messages),
RFC 2308 (negative answers carry the zone's SOA), RFC 6891 (EDNS), RFC 7766 (TCP). What names mean is in names.py.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import struct
from collections.abc import Callable
from ipaddress import ip_network
from typing import TYPE_CHECKING

from ....module_utils._model.network import Vpc
from ..facts import Record
from ..places import RESOLVERS
from ..seams import Plane, TwinError
from .listening import within
from .names import NXDOMAIN, SILENT, TTL, Answer, lookup

try:
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.opcode
    import dns.rcode
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.rrset

    _MISSING = ""
except ImportError as _error:
    _MISSING = str(_error)

if TYPE_CHECKING:
    from dns.message import Message

PORT = 53
_PLAIN, _LARGEST = 512, 4096
"""Bytes of an answer over UDP: without EDNS, and at most with it, as AWS's resolver has it."""
_IDLE = 10.0
_HEADER = 12


def addresses(vpc: Vpc) -> tuple[str, ...]:
    """Where a VPC's resolver listens. The base is that of the primary block."""
    first = (str(ip_network(vpc.cidrs[0])[2]),) if vpc.cidrs else ()
    return (*first, RESOLVERS[0], *(RESOLVERS[1:] if vpc.ipv6_cidrs else ()))


def need() -> None:
    """Raise TwinError, with what to do, when dnspython is not installed."""
    if _MISSING:
        raise TwinError(f"the data plane needs dnspython for the VPCs' resolvers: pip install dnspython ({_MISSING})")


def respond(data: bytes, find: Callable[[str, str], Answer], *, stream: bool = False) -> bytes | None:
    """The answer to a message, or None for none at all. ``find``: a name and a kind to their Answer. ``stream``: over TCP."""
    if len(data) < _HEADER or data[2] & 0x80:
        return None  # too short to answer, or itself an answer
    try:
        query = dns.message.from_wire(data, ignore_trailing=False)
    except dns.message.BadEDNS:
        return _bare(data, dns.rcode.FORMERR)
    except dns.exception.DNSException:
        opcode = (data[2] >> 3) & 0xF
        return _bare(data, dns.rcode.FORMERR if opcode == dns.opcode.QUERY else dns.rcode.NOTIMP)
    response = dns.message.make_response(query, recursion_available=True, our_payload=_LARGEST)
    if query.opcode() != dns.opcode.QUERY:
        response.set_rcode(dns.rcode.NOTIMP)
    elif query.edns > 0:
        response.set_rcode(dns.rcode.BADVERS)
    elif len(query.question) != 1:
        response.set_rcode(dns.rcode.FORMERR)
    elif query.question[0].rdclass != dns.rdataclass.IN:
        response.set_rcode(dns.rcode.REFUSED)
    elif dns.rdatatype.is_metatype(query.question[0].rdtype) and query.question[0].rdtype != dns.rdatatype.ANY:
        response.set_rcode(dns.rcode.NOTIMP)  # zone transfers and the like
    else:
        question = query.question[0]
        answer = find(question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
        if answer.status == SILENT:
            return None
        _fill(response, question.name, answer)
    largest = 65535 if stream else min(max(query.payload, _PLAIN), _LARGEST) if query.edns >= 0 else _PLAIN
    return bytes(response.to_wire(max_size=largest, prefer_truncation=True))


def _bare(data: bytes, rcode: int) -> bytes:
    """A header alone, for what could not be read: the id and the flags of the question."""
    return data[:2] + bytes((0x80 | data[2] & 0x79, 0x80 | rcode)) + bytes(8)


def _fill(response: Message, asked: dns.name.Name, answer: Answer) -> None:
    response.set_rcode(dns.rcode.NXDOMAIN if answer.status == NXDOMAIN else dns.rcode.NOERROR)
    for number, record in enumerate(answer.records):
        # The first name as it was asked, in its own case (some resolvers check that it comes back).
        name = asked if number == 0 or answer.records[0].name == record.name else dns.name.from_text(record.name)
        response.answer.append(_rrset(name, record))
    if answer.status == NXDOMAIN or not answer.records or answer.records[-1].kind == "CNAME":
        zone = answer.zone or "."
        soa = answer.soa or Record(zone, "SOA", TTL, (f"{_first(zone)} hostmaster.amazon.com. 1 3600 900 604800 {TTL}",))
        response.authority.append(_rrset(dns.name.from_text(zone), soa))


def _first(zone: str) -> str:
    return "." if zone == "." else f"ns0.{zone.rstrip('.')}."


def _rrset(name: dns.name.Name, record: Record) -> dns.rrset.RRset:
    kind = dns.rdatatype.from_text(record.kind)
    made = dns.rrset.RRset(name, dns.rdataclass.IN, kind)
    for value in record.values:
        made.add(_rdata(kind, value), record.ttl)
    return made


@functools.lru_cache(maxsize=4096)
def _rdata(kind: dns.rdatatype.RdataType, value: str) -> dns.rdata.Rdata:
    """A value in presentation form; names in it are absolute whether or not they end in a dot, as in Route 53."""
    return dns.rdata.from_text(dns.rdataclass.IN, kind, value, origin=dns.name.root, relativize=False)


class Resolver:
    """One VPC's. ``plane`` gives the data plane's state at the time of each question."""

    def __init__(self, vpc: str, plane: Callable[[], Plane]) -> None:
        self._vpc, self._plane = vpc, plane

    def find(self, name: str, kind: str) -> Answer:
        """What the VPC's resolver answers now."""
        return lookup(self._plane(), self._vpc, name, kind)

    def datagram(self, data: bytes, _sender: str) -> bytes | None:
        """The answer to a datagram."""
        return respond(data, self.find)

    async def connection(self, made: socket.socket, _caller: str, _own: str) -> None:
        """Answer the questions of one TCP connection, in order, until it is idle for ten seconds."""
        loop = asyncio.get_running_loop()
        while True:
            (length,) = struct.unpack("!H", await within(_IDLE, _exactly(made, 2)))
            answer = respond(await within(_IDLE, _exactly(made, length)), self.find, stream=True)
            if answer is None:
                return
            await within(_IDLE, loop.sock_sendall(made, struct.pack("!H", len(answer)) + answer))


async def _exactly(made: socket.socket, count: int) -> bytes:
    """So many bytes. Raises EOFError when the caller closes before."""
    loop, parts = asyncio.get_running_loop(), bytearray()
    while len(parts) < count:
        part = await loop.sock_recv(made, count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
