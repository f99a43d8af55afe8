# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow logs without a kernel: packets from their bytes, records in AWS's default format, and to which flow log each goes."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import FlowLog, Interface, Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.flows import MOST, FlowTable, Record, deliveries, watched
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.nflog import Packet, packets, parsed

OWNER = {"account": "123456789010", "region": "us-east-1"}
NETWORK = Network(
    interfaces={
        item.id: item
        for item in (
            Interface(
                id="eni-a", vpc="vpc-1", subnet="subnet-1", private_ips=("172.31.16.139", "172.31.16.140"), ipv6s=("2001:db8::5",), **OWNER
            ),
            Interface(id="eni-b", vpc="vpc-1", subnet="subnet-2", private_ips=("172.31.17.21",), **OWNER),
            Interface(id="eni-far", vpc="vpc-2", subnet="subnet-3", private_ips=("172.31.16.139",), **OWNER),
        )
    },
    flow_logs={
        item.id: item
        for item in (
            FlowLog(id="fl-vpc", resource="vpc-1", traffic="ALL", destination="all", **OWNER),
            FlowLog(id="fl-eni", resource="eni-a", traffic="REJECT", destination="rejected", **OWNER),
            FlowLog(id="fl-subnet", resource="subnet-2", traffic="ACCEPT", destination="accepted", **OWNER),
            FlowLog(id="fl-dead", resource="vpc-2", traffic="ALL", status="FAILED", **OWNER),
        )
    },
)


def packet(prefix: str, source: str, destination: str, protocol: int = 6, ports: tuple[int, int] = (20641, 22), length: int = 60) -> Packet:
    return Packet(7, prefix, source, destination, protocol, *ports, length)


class Clock:
    def __init__(self) -> None:
        self.now = 1418530010.0

    def __call__(self) -> float:
        return self.now


def table() -> tuple[FlowTable, Clock]:
    clock = Clock()
    return FlowTable(NETWORK, "vpc-1", clock), clock


def test_an_address_of_a_delegated_prefix_is_its_enis() -> None:
    eni = NETWORK.interfaces["eni-b"]
    network = replace(
        NETWORK,
        interfaces={
            **NETWORK.interfaces,
            "eni-b": replace(eni, ipv4_prefixes=("172.31.17.64/28",), ipv6_prefixes=("2001:db8:0:0:1::/80",)),
        },
    )
    flows = FlowTable(network, "vpc-1", Clock())
    flows.note(packet("ACCEPT in", "172.31.16.139", "172.31.17.70"))
    flows.note(packet("ACCEPT out", "2001:db8:0:0:1::7", "2001:db8::5"))
    flows.note(packet("ACCEPT in", "172.31.16.139", "172.31.17.80"))
    assert [record.interface for record in flows.flush()] == ["eni-b", "eni-b"]


def test_awss_own_example_of_accepted_traffic() -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-records-examples.html (its ENI has other numbers)"""
    flows, clock = table()
    for second in range(20):
        clock.now = 1418530010.0 + min(second * 4, 60)
        flows.note(packet("ACCEPT in", "172.31.9.69", "172.31.16.139", length=212 if second else 221))
    (record,) = flows.flush()
    assert record.line() == "2 123456789010 eni-a 172.31.9.69 172.31.16.139 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"


def test_a_flow_is_counted_apart_at_each_eni_direction_and_verdict() -> None:
    flows, _clock = table()
    flows.note(packet("ACCEPT out", "172.31.16.139", "172.31.17.21"))
    flows.note(packet("REJECT in", "172.31.16.139", "172.31.17.21"))
    flows.note(packet("ACCEPT in", "172.31.17.21", "172.31.16.139", ports=(22, 20641)))
    flows.note(packet("ACCEPT out", "172.31.16.139", "172.31.17.21", length=40))
    found = [(record.interface, record.source_port, record.packets, record.octets, record.action) for record in flows.flush()]
    assert found == [("eni-a", 20641, 2, 100, "ACCEPT"), ("eni-a", 22, 1, 60, "ACCEPT"), ("eni-b", 20641, 1, 60, "REJECT")]
    assert flows.flush() == []


@pytest.mark.parametrize(
    ("prefix", "source", "destination", "shown"),
    [
        ("ACCEPT in", "198.51.100.1", "172.31.16.140", ("198.51.100.1", "172.31.16.139")),
        ("ACCEPT out", "172.31.16.140", "198.51.100.1", ("172.31.16.139", "198.51.100.1")),
        ("ACCEPT in eni-b", "172.31.16.139", "198.51.100.1", ("172.31.16.139", "172.31.17.21")),
        ("ACCEPT out eni-b", "10.9.9.9", "198.51.100.1", ("172.31.17.21", "198.51.100.1")),
        ("ACCEPT out", "2001:db8::5", "3fff:fff::1", ("2001:db8::5", "3fff:fff::1")),
    ],
)
def test_an_enis_own_end_is_its_primary_address(prefix: str, source: str, destination: str, shown: tuple[str, str]) -> None:
    flows, _clock = table()
    flows.note(packet(prefix, source, destination))
    (record,) = flows.flush()
    assert (record.source, record.destination) == shown


def test_only_tcp_and_udp_have_ports() -> None:
    flows, _clock = table()
    flows.note(packet("ACCEPT in", "203.0.113.12", "172.31.16.139", 1, (0, 0), 84))
    flows.note(packet("ACCEPT in", "203.0.113.12", "172.31.16.139", 50, (7, 9), 100))
    assert [(record.protocol, record.source_port, record.destination_port) for record in flows.flush()] == [(1, 0, 0), (50, 0, 0)]


def test_what_belongs_to_no_eni_here_is_not_counted() -> None:
    flows, _clock = table()
    flows.note(packet("ACCEPT out", "172.31.99.1", "172.31.98.1"))
    assert flows.flush() == []


def test_quiet_and_lossy_intervals_say_so() -> None:
    flows, clock = table()
    clock.now += 60
    flows.note(packet("ACCEPT in", "203.0.113.12", "172.31.16.139"))
    (counted, quiet) = flows.flush(("eni-a", "eni-b", "eni-gone"))
    assert counted.status == "OK"
    assert quiet.line() == "2 123456789010 eni-b - - - - - - - 1418530010 1418530070 - NODATA"
    flows.note(packet("ACCEPT in", "203.0.113.12", "172.31.16.139"))
    flows.lose()
    assert [(record.interface, record.status) for record in flows.flush(("eni-a", "eni-b"))] == [
        ("eni-a", "SKIPDATA"),
        ("eni-a", "OK"),
        ("eni-b", "SKIPDATA"),
    ]
    flows.note(packet("ACCEPT in", "203.0.113.12", "172.31.16.139"))
    flows.lose()
    assert [(record.interface, record.status) for record in flows.flush()] == [("eni-a", "SKIPDATA"), ("eni-a", "OK")]
    assert flows.flush() == []


def test_an_eni_with_too_many_flows_skips_and_says_so() -> None:
    """Whoever sends to every port fills no memory, and takes no other ENI's records away."""
    flows, _clock = table()
    for number in range(MOST + 500):
        flows.note(packet("ACCEPT in", f"203.{number // 65536}.{number // 256 % 256}.{number % 256}", "172.31.16.139"))
    flows.note(packet("ACCEPT in", "203.0.113.12", "172.31.17.21"))
    records = flows.flush(("eni-a", "eni-b"))
    assert Counter((record.interface, record.status) for record in records) == {
        ("eni-a", "OK"): MOST,
        ("eni-a", "SKIPDATA"): 1,
        ("eni-b", "OK"): 1,
    }
    # A flow that is counted already goes on being counted, and the next interval begins anew.
    assert [record.status for record in flows.flush(("eni-a",))] == ["NODATA"]


def test_an_eni_that_is_gone_still_gets_its_last_records() -> None:
    flows, _clock = table()
    flows.note(packet("ACCEPT in", "203.0.113.12", "172.31.17.21"))
    flows.update(Network())
    assert [record.interface for record in flows.flush()] == ["eni-b"]


def test_each_flow_log_gets_what_it_asked_for() -> None:
    base: dict[str, Any] = {"account": "123456789010", "start": 1, "end": 2, "source": "10.0.0.1", "destination": "10.0.0.2", "packets": 1}
    records = [
        Record("eni-a", action="ACCEPT", **base),
        Record("eni-a", action="REJECT", **base),
        Record("eni-b", action="ACCEPT", **base),
        Record("eni-far", action="ACCEPT", **base),
        Record("eni-b", "123456789010", 1, 2, status="NODATA"),
    ]
    found = [(item.log.id, item.stream, [line.split()[-2] for _time, line in item.events]) for item in deliveries(NETWORK, records)]
    assert found == [
        ("fl-eni", "eni-a-reject", ["REJECT"]),
        ("fl-subnet", "eni-b-accept", ["ACCEPT", "-"]),
        ("fl-vpc", "eni-a-all", ["ACCEPT", "REJECT"]),
        ("fl-vpc", "eni-b-all", ["ACCEPT", "-"]),
    ]
    assert deliveries(NETWORK, records)[0].events[0][0] == 2000
    assert watched(NETWORK) == {"vpc-1": ("eni-a", "eni-b")}


def ipv4(protocol: int, payload: bytes, *, options: bytes = b"", fragment: int = 0, length: int = 0) -> bytes:
    words = 5 + len(options) // 4
    total = length or words * 4 + len(payload)
    ends = socket.inet_aton("10.0.0.5") + socket.inet_aton("10.1.0.7")
    return struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 0, fragment, 64, protocol, 0) + ends + options + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    ends = socket.inet_pton(socket.AF_INET6, "2001:db8::5") + socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


TCP_SYN = struct.pack("!HHIIBBHHH", 1234, 22, 0, 0, 0x50, 0x02, 0, 0, 0)


def test_packets_from_their_first_bytes() -> None:
    syn = parsed(ipv4(6, TCP_SYN, length=1500), 22, "ssh")
    assert syn == Packet(22, "ssh", "10.0.0.5", "10.1.0.7", 6, 1234, 22, 1500, 2)
    assert syn is not None and syn.opens
    with_options = parsed(ipv4(17, struct.pack("!HHHH", 53, 54, 8, 0), options=b"\1\1\1\1"))
    assert with_options is not None and (with_options.source_port, with_options.destination_port, with_options.opens) == (53, 54, False)
    later_fragment = parsed(ipv4(17, b"\xff" * 8, fragment=185))
    assert later_fragment is not None and later_fragment.source_port == 0
    six = parsed(ipv6(6, TCP_SYN))
    assert six == Packet(0, "", "2001:db8::5", "2001:db8::7", 6, 1234, 22, 60, 2)
    extended = parsed(ipv6(0, bytes([6, 0, 1, 4, 0, 0, 0, 0]) + TCP_SYN))
    assert extended is not None and (extended.protocol, extended.destination_port, extended.length) == (6, 22, 68)


@pytest.mark.parametrize("data", [b"", b"\x45", b"\x60" + bytes(30), b"\x15" + bytes(60)])
def test_what_is_no_whole_ip_header_is_no_packet(data: bytes) -> None:
    assert parsed(data) is None


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body + b"\0" * (-len(body) % 4)


def test_several_messages_in_one_read() -> None:
    told = struct.pack("!BBH", 2, 0, 8) + attribute(1, b"\x08\0\2\0") + attribute(10, b"REJECT in\0") + attribute(9, ipv4(6, TCP_SYN))
    found = list(packets(message(0x0400, told) + message(2, bytes(20)) + message(0x0400, told)))
    assert [(item.group, item.prefix, item.destination_port) for item in found] == [(8, "REJECT in", 22)] * 2
    assert list(packets(message(0x0400, told)[:10])) == []
