# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPC's resolver on the wire, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace

import dns.flags
import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Record, Zone
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services import resolver
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.listening import Datagrams, Listener
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.names import Answer, lookup

from .sample import FACTS, NETWORK, PLANE

MANY = Zone("Z9", "many.example", ("vpc-hub",), (Record("many.example", "A", 60, tuple(f"10.9.{n // 250}.{n % 250}" for n in range(700))),))
BIG = replace(PLANE, facts=replace(FACTS, zones=(*FACTS.zones, MANY)))


def ask(name: str, kind: str = "A", plane: Plane = BIG, stream: bool = False, **options: object) -> dns.message.Message:
    """One question to the hub's resolver, without a socket."""
    query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]
    answer = resolver.respond(query.to_wire(), lambda name, kind: lookup(plane, "vpc-hub", name, kind), stream=stream)
    assert answer is not None
    found = dns.message.from_wire(answer)
    assert query.is_response(found)
    return found


def test_an_answer_is_recursive_not_authoritative_and_keeps_the_askers_case() -> None:
    found = ask("Ip-10-0-1-10.EC2.internal")
    assert found.rcode() == dns.rcode.NOERROR
    assert [rrset.to_text() for rrset in found.answer] == ["Ip-10-0-1-10.EC2.internal. 60 IN A 10.0.1.10"]
    assert found.flags & dns.flags.RA and found.flags & dns.flags.RD and not found.flags & dns.flags.AA
    assert not found.authority


@pytest.mark.parametrize(
    ("name", "kind", "rcode", "zone"),
    [
        ("ip-10-0-9-9.ec2.internal", "A", dns.rcode.NXDOMAIN, "ec2.internal."),
        ("ip-10-0-1-10.ec2.internal", "AAAA", dns.rcode.NOERROR, "ec2.internal."),
        ("nowhere.test", "A", dns.rcode.NXDOMAIN, "."),
        ("db.corp.example", "AAAA", dns.rcode.NOERROR, "corp.example."),
        ("1.9.9.9.in-addr.arpa", "PTR", dns.rcode.NXDOMAIN, "in-addr.arpa."),
    ],
)
def test_a_negative_answer_carries_the_zones_soa(name: str, kind: str, rcode: int, zone: str) -> None:
    found = ask(name, kind)
    assert found.rcode() == rcode and not found.answer
    (soa,) = found.authority
    assert soa.rdtype == dns.rdatatype.SOA and soa.name.to_text() == zone
    if zone == "corp.example.":
        assert soa[0].mname.to_text() == "ns-1.awsdns.com."


def test_a_chain_of_names_comes_whole() -> None:
    found = ask("WWW.corp.example")
    assert [sorted(rrset.to_text().lower().split("\n")) for rrset in found.answer] == [
        ["www.corp.example. 300 in cname db.corp.example."],
        ["db.corp.example. 300 in a 10.0.1.98", "db.corp.example. 300 in a 10.0.1.99"],
    ]
    lost = ask("lost.corp.example")
    assert lost.rcode() == dns.rcode.NXDOMAIN and len(lost.answer) == 1 and lost.authority


def test_what_does_not_fit_is_cut_and_says_so() -> None:
    plain = ask("many.example")
    assert plain.flags & dns.flags.TC and len(plain.to_wire()) <= 512
    large = ask("many.example", use_edns=0, payload=65000)
    assert large.flags & dns.flags.TC and large.edns == 0 and large.payload == 4096
    whole = ask("many.example", stream=True)
    assert not whole.flags & dns.flags.TC and len(whole.answer[0]) == 700
    few = ask("db.corp.example", use_edns=0, payload=100)
    assert not few.flags & dns.flags.TC and few.edns == 0


def test_edns_of_another_version_is_refused_by_its_code() -> None:
    assert ask("db.corp.example", use_edns=1).rcode() == dns.rcode.BADVERS
    assert ask("db.corp.example").edns == -1


def respond(data: bytes) -> bytes | None:
    return resolver.respond(data, lambda name, kind: lookup(PLANE, "vpc-hub", name, kind))


def test_what_is_no_question_is_answered_by_its_code_or_not_at_all() -> None:
    query = dns.message.make_query("db.corp.example", "A")
    chaos = dns.message.make_query("version.bind", "TXT", rdclass=dns.rdataclass.CH)
    assert dns.message.from_wire(respond(chaos.to_wire()) or b"").rcode() == dns.rcode.REFUSED
    transfer = dns.message.make_query("corp.example", "AXFR")
    assert dns.message.from_wire(respond(transfer.to_wire()) or b"").rcode() == dns.rcode.NOTIMP
    notify = dns.message.make_query("corp.example", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    assert dns.message.from_wire(respond(notify.to_wire()) or b"").rcode() == dns.rcode.NOTIMP
    broken = respond(query.to_wire()[:-3]) or b""
    assert broken[:2] == query.to_wire()[:2] and broken[3] & 0xF == dns.rcode.FORMERR and broken[2] & 0x80
    assert respond(b"short") is None
    assert respond(dns.message.make_response(query).to_wire()) is None


def test_a_resolver_that_is_off_does_not_answer() -> None:
    query = dns.message.make_query("server.internet.test", "A").to_wire()
    assert resolver.respond(query, lambda name, kind: lookup(PLANE, "vpc-mute", name, kind)) is None


def test_every_kind_of_garbage_is_survived() -> None:
    query = bytearray(dns.message.make_query("www.corp.example", "A", use_edns=0).to_wire())
    for place in range(len(query)):
        for value in (0, 1, 0x3F, 0x40, 0xC0, 0xFF):
            changed = bytes(query[:place]) + bytes((value,)) + bytes(query[place + 1 :])
            answer = respond(changed)
            assert answer is None or answer[:2] == changed[:2]


def test_where_it_listens() -> None:
    assert resolver.addresses(NETWORK.vpcs["vpc-hub"]) == ("10.0.0.2", "169.254.169.253", "fd00:ec2::253")
    assert resolver.addresses(NETWORK.vpcs["vpc-open"]) == ("10.1.0.2", "169.254.169.253")


# -- over sockets --------------------------------------------------------------------------------------------------------------


def served(work: Callable[[int], Awaitable[None]], kind: int, find: Callable[[str, str], Answer] | None = None) -> None:
    """Run a client against a resolver that serves on a loopback port."""

    async def run() -> None:
        made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        found = resolver.Resolver("vpc-hub", lambda: BIG)
        server: Datagrams | Listener
        if kind == socket.SOCK_DGRAM:
            server = Datagrams(made, found.datagram)
        else:
            made.listen(8)
            server = Listener(made, found.connection)
        try:
            await work(made.getsockname()[1])
        finally:
            server.close()

    asyncio.run(run())


def test_over_udp() -> None:
    async def work(port: int) -> None:
        query = dns.message.make_query("ssm.us-east-1.amazonaws.com", "A")
        found = await asyncio.to_thread(dns.query.udp, query, "127.0.0.1", 5, port)
        assert sorted(item.address for item in found.answer[0]) == ["10.0.1.20", "10.0.2.20"]

    served(work, socket.SOCK_DGRAM)


def test_over_tcp_one_question_after_another_in_pieces_and_at_once() -> None:
    async def work(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        queries = [dns.message.make_query(name, "A") for name in ("many.example", "db.corp.example", "nowhere.test")]
        wires = [struct.pack("!H", len(item.to_wire())) + item.to_wire() for item in queries]
        writer.write(wires[0][:1])
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.write(wires[0][1:] + wires[1] + wires[2])
        for query in queries:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            assert query.is_response(dns.message.from_wire(await reader.readexactly(length)))
        writer.write(b"\0\1x")  # what is no message ends the connection
        assert await reader.read() == b""
        writer.close()

    served(work, socket.SOCK_STREAM)


def test_a_truncated_answer_is_whole_over_tcp() -> None:
    async def udp(port: int) -> None:
        found = await asyncio.to_thread(dns.query.udp, dns.message.make_query("many.example", "A"), "127.0.0.1", 5, port)
        assert found.flags & dns.flags.TC

    async def tcp(port: int) -> None:
        found = await asyncio.to_thread(dns.query.tcp, dns.message.make_query("many.example", "A"), "127.0.0.1", 5, port)
        assert len(found.answer[0]) == 700

    served(udp, socket.SOCK_DGRAM)
    served(tcp, socket.SOCK_STREAM)


def test_who_asks_too_much_is_dropped_and_others_are_answered() -> None:
    """1,024 packets in a second, as AWS has it for a network interface."""

    async def work() -> tuple[int, int, int]:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        heard: list[str] = []
        now = [7.0]
        server = Datagrams(made, lambda _data, sender: heard.append(sender), clock=lambda: now[0])
        hostile, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _number in range(2))
        hostile.bind(("127.0.0.2", 0))
        other.bind(("127.0.0.3", 0))
        try:
            for number in range(1200):
                hostile.sendto(b"x", made.getsockname())
                if number % 50 == 0:
                    await asyncio.sleep(0)
            other.sendto(b"x", made.getsockname())
            await until(lambda: "127.0.0.3" in heard)
            counts = heard.count("127.0.0.2"), heard.count("127.0.0.3")
            now[0] += 1
            hostile.sendto(b"x", made.getsockname())
            await until(lambda: len(heard) > sum(counts))
            return (*counts, len(heard) - sum(counts))
        finally:
            server.close()
            hostile.close()
            other.close()

    async def until(there: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not there():
                await asyncio.sleep(0.01)

    assert asyncio.run(work()) == (1024, 1, 1)
