# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of rtnetlink, byte for byte as <linux/rtnetlink.h> and its neighbours lay them out, on a machine that stores low bytes first."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from unittest import mock

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import netlink
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.netlink import Failure, Netlink, NetlinkError, Request
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import Address, Neighbour, Route, Rule, Wire, WireEnd

pytestmark = pytest.mark.skipif(sys.byteorder != "little" or sys.platform != "linux", reason="the bytes are those of common Linux machines")


def shown(request: Request) -> str:
    """A body in hexadecimal, four bytes a word."""
    return request.body.hex(" ", 4)


def words(text: str) -> str:
    """What is compared: comments after ``#`` are for readers."""
    return " ".join(word for line in text.splitlines() for word in line.partition("#")[0].split())


MESSAGES = {
    "an IPv4 address": (
        netlink.add_address(Address("eth0", "10.0.0.5/24"), 7),
        20,
        0x600,  # create, exclusive
        """
        02180000 07000000           # family 2, prefix 24, no flags, scope global; index 7
        08000200 0a000005           # local
        08000100 0a000005           # address
        08000800 00020000           # flags: noprefixroute
        """,
    ),
    "an IPv6 address": (
        netlink.add_address(Address("lo", "fd00::5/128"), 1),
        20,
        0x600,
        """
        0a800000 01000000
        14000200 fd000000 00000000 00000000 00000005
        14000100 fd000000 00000000 00000000 00000005
        08000800 02020000           # noprefixroute, nodad
        """,
    ),
    "no address": (
        netlink.delete_address(Address("eth0", "10.0.0.5/24"), 7),
        21,
        0,
        "02180000 07000000 08000200 0a000005 08000100 0a000005",
    ),
    "a route to a device": (
        netlink.put_route(Route(254, "10.0.0.5/32", device="e5"), 7),
        24,
        0x500,  # create, replace
        """
        02200000 fe04fd01 00000000  # family 2, prefix 32; table 254, protocol static, scope link, unicast; no flags
        08000f00 fe000000           # table
        08000100 0a000005           # destination
        08000400 07000000           # device
        """,
    ),
    "a route by a gateway, with an MTU and a source, in a high table": (
        netlink.put_route(Route(1000, "10.1.0.0/16", device="x", via="169.254.0.1", mtu=8500, source="10.0.0.5"), 9),
        24,
        0x500,
        """
        02100000 00040001 04000000  # table 0: see the attribute; scope universe; onlink
        08000f00 e8030000
        08000100 0a010000
        08000400 09000000
        08000500 a9fe0001           # gateway
        0c000800 08000200 34210000  # metrics: MTU
        08000700 0a000005           # preferred source
        """,
    ),
    "an IPv4 route by an IPv6 gateway": (
        netlink.put_route(Route(254, "0.0.0.0/0", device="eth0", via="fe80::1"), 7),
        24,
        0x500,
        """
        02000000 fe040001 04000000
        08000f00 fe000000
        08000400 07000000
        16001200 0a00fe80 00000000 00000000 00000000 00010000  # via, with its family, padded
        """,
    ),
    "a blackhole for all of IPv6": (
        netlink.put_route(Route(1000, "::/0", "blackhole")),
        24,
        0x500,
        "0a000000 00040006 00000000 08000f00 e8030000",
    ),
    "a throw": (
        netlink.put_route(Route(1000, "10.0.0.0/16", "throw")),
        24,
        0x500,
        "02100000 00040009 00000000 08000f00 e8030000 08000100 0a000000",
    ),
    "a local route": (
        netlink.put_route(Route(254, "203.0.113.0/24", "local")),
        24,
        0x500,
        "02180000 fe04fe02 00000000 08000f00 fe000000 08000100 cb007100 08000400 01000000",  # scope host, device lo
    ),
    "no route": (
        netlink.delete_route(Route(254, "10.0.0.5/32", device="e5")),
        25,
        0,
        "02200000 fe04ff01 00000000 08000f00 fe000000 08000100 0a000005",  # scope nowhere: any
    ),
    "a rule by mark": (
        netlink.add_rule(Rule(4, 100, 1000, 1000)),
        32,
        0x600,
        """
        02000000 00000001 00000000  # family 2; action: to table
        08000600 64000000           # priority
        08000f00 e8030000           # table
        08000a00 e8030000           # mark
        08001000 ffffffff           # all of its bits
        """,
    ),
    "a rule by source": (
        netlink.add_rule(Rule(4, 200, 10, source="10.0.2.5/32")),
        32,
        0x600,
        "02002000 0a000001 00000000 08000200 0a000205 08000600 c8000000 08000f00 0a000000",
    ),
    "no rule, of IPv6": (netlink.delete_rule(Rule(6, 100, 254)), 33, 0, "0a000000 fe000001 00000000 08000600 64000000 08000f00 fe000000"),
    "a neighbour": (
        netlink.put_neighbour(Neighbour("e5", "10.0.0.5", "02:00:00:00:01:05"), 7),
        28,
        0x500,
        """
        02000000 07000000 80000000  # family 2; index 7; permanent
        08000100 0a000005
        0a000200 02000000 01050000  # hardware address, padded
        """,
    ),
    "no neighbour": (netlink.delete_neighbour(Neighbour("e5", "10.0.0.5", ""), 7), 29, 0, "02000000 07000000 80000000 08000100 0a000005"),
    "a device up": (netlink.link_up(1, "lo"), 19, 0, "00000000 01000000 01000000 01000000"),
    "another MTU and group": (
        netlink.change_link(7, "e5", mtu=1500, group=3),
        19,
        0,
        "00000000 07000000 00000000 00000000 08000400 dc050000 08001b00 03000000",
    ),
    "no device": (netlink.delete_link(7, "e5"), 17, 0, "00000000 07000000 00000000 00000000"),
    "no devices of a group": (netlink.delete_links(9, "all"), 17, 0, "00000000 00000000 00000000 00000000 08001b00 09000000"),
    "a wire": (
        netlink.new_wire(
            Wire(WireEnd("one", "a", "02:00:00:00:00:01", 5), WireEnd("two", "b", "02:00:00:00:00:02", 6), 8500), (30, 7), (31, 8)
        ),
        16,
        0x600,
        """
        00000000 07000000 00000000 00000000            # index 7
        06000300 61000000                              # name
        0a000100 02000000 00010000                     # hardware address
        08000400 34210000                              # MTU
        08001b00 05000000                              # group
        08001c00 1e000000                              # descriptor of the namespace
        08001f00 01000000 08002000 01000000            # queues
        64001200 09000100 76657468 00000000            # kind: veth
        54000200 50000100                              # its data, of which the peer is all
        00000000 08000000 00000000 00000000
        06000300 62000000 0a000100 02000000 00020000
        08000400 34210000 08001b00 06000000 08001c00 1f000000 08001f00 01000000 08002000 01000000
        """,
    ),
}


@pytest.mark.parametrize("about", MESSAGES)
def test_message(about: str) -> None:
    request, kind, flags, body = MESSAGES[about]
    assert (request.kind, request.flags) == (kind, flags)
    assert shown(request) == words(body)


def test_only_the_last_asks_for_an_answer() -> None:
    first, second = netlink.link_up(1, "lo"), netlink.change_link(7, "e5", mac="02:00:00:00:00:09")
    data = netlink.encode([first, second], 40)
    assert struct.unpack_from("=IHHII", data) == (32, 19, 0x1, 40, 0)
    # A message begins at a multiple of four; its own length says where its last attribute ends.
    assert struct.unpack_from("=IHHII", data, 32) == (32 + 12, 19, 0x1 | 0x4, 41, 0)
    assert len(data) == 32 + 44


def test_pieces_fit_one_send() -> None:
    many = [netlink.link_up(index, "x") for index in range(1000)]
    found = list(netlink.pieces(many))
    assert [request for piece in found for request in piece] == many
    assert max(len(piece) for piece in found) == 400
    large = [Request(24, 0, bytes(40_000), "x")] * 5
    assert [len(piece) for piece in netlink.pieces(large)] == [2, 2, 1]
    asked = [netlink.ask_route("10.0.0.1")] * 120
    assert [len(piece) for piece in netlink.pieces(asked)] == [50, 50, 20]


WRONG = {
    "300.1.1.1 is no IP address": lambda: netlink.add_address(Address("lo", "300.1.1.1/32"), 1),
    "10.0.0.0/33 has no prefix of that length": lambda: netlink.put_route(Route(254, "10.0.0.0/33", "blackhole")),
    "prohibit is no kind of route": lambda: netlink.put_route(Route(254, "10.0.0.0/8", "prohibit")),
    "02:00 is no hardware address": lambda: netlink.put_neighbour(Neighbour("e5", "10.0.0.5", "02:00"), 1),
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_values(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WRONG[message]()


DESCRIBED = {
    "address 10.0.0.5/24 on eth0": Address("eth0", "10.0.0.5/24"),
    "unicast route 10.1.0.0/16 via 169.254.0.1 dev x in table 1000": Route(1000, "10.1.0.0/16", device="x", via="169.254.0.1"),
    "blackhole route ::/0 in table 254": Route(254, "::/0", "blackhole"),
    "IPv4 rule 100 for mark 7 to table 7": Rule(4, 100, 7, 7),
    "IPv4 rule 200 from 10.0.2.5/32 to table 7": Rule(4, 200, 7, source="10.0.2.5/32"),
    "neighbour 10.0.0.5 on e5": Neighbour("e5", "10.0.0.5", ""),
    "wire vpc-1/e5 to i-5/eth0": Wire(WireEnd("vpc-1", "e5", ""), WireEnd("i-5", "eth0", "")),
    "device lo": "device lo",
}


@pytest.mark.parametrize("text", DESCRIBED)
def test_described(text: str) -> None:
    assert netlink.describe(DESCRIBED[text]) == text


def answer(sequence: int, code: int, words: str = "") -> bytes:
    """An answer as the kernel gives it: the code, the header of the message that it is for, and words in an attribute."""
    extra = netlink.attribute(1, words.encode() + b"\0") if words else b""
    flags = 0x100 | (0x200 if words else 0)
    body = struct.pack("=i", -code) + struct.pack("=IHHII", 16, 24, 0x5, sequence, 0) + extra
    return struct.pack("=IHHII", 16 + len(body), 2, flags, sequence, 0) + body


class Wired:
    """In place of the kernel: answers that are ready, in the order in which they are received."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []

    def sendto(self, data: bytes, _address: object) -> None:
        self.sent.append(data)

    def recv(self, _size: int) -> bytes:
        if not self.answers:
            raise TimeoutError("no answer")
        return self.answers.pop(0)

    def close(self) -> None:
        pass


def linked(*answers: bytes) -> tuple[Netlink, Wired]:
    kernel = Wired(*answers)
    with mock.patch.object(socket, "socket") as made, mock.patch.object(netlink, "high", lambda number: number):
        made.return_value = mock.MagicMock()
        link = Netlink()
    link._socket = kernel  # type: ignore[assignment]
    return link, kernel


ROUTES = [Route(254, f"10.{number}.0.0/16", device="x") for number in range(3)]


def test_failures_are_named_in_the_kernels_words() -> None:
    link, kernel = linked(answer(2, errno.ENETDOWN, "Device is down") + answer(3, 0))
    failures = link.send(netlink.put_route(route, 9) for route in ROUTES)
    assert [str(failure) for failure in failures] == ["unicast route 10.1.0.0/16 dev x in table 254: Network is down (Device is down)"]
    assert len(kernel.sent) == 1


def test_run_raises_with_the_first_and_the_count() -> None:
    link, _kernel = linked(answer(1, errno.EINVAL), answer(2, errno.EINVAL), answer(3, errno.EEXIST))
    with pytest.raises(NetlinkError) as caught:
        link.run(netlink.put_route(route, 9) for route in ROUTES)
    assert str(caught.value) == "unicast route 10.0.0.0/16 dev x in table 254: Invalid argument (and 2 more)"
    assert [failure.number for failure in caught.value.failures] == [errno.EINVAL, errno.EINVAL, errno.EEXIST]


def test_what_is_gone_already_is_no_failure() -> None:
    link, _kernel = linked(answer(1, errno.ESRCH), answer(2, errno.ENOENT), answer(3, errno.ESRCH))
    assert link.send(netlink.delete_route(route) for route in ROUTES) == []
    link, _kernel = linked(answer(1, errno.EEXIST))
    request = netlink.add_address(Address("lo", "10.0.0.1/32"), 1)
    assert link.send([request]) == [Failure(request, errno.EEXIST)]
    link, _kernel = linked(answer(1, errno.EEXIST))
    assert link.send([netlink.forgiving(request)]) == []


def test_an_answer_that_never_comes_is_an_error() -> None:
    link, _kernel = linked(answer(1, errno.EINVAL))
    with pytest.raises(TimeoutError):
        link.send(netlink.put_route(route, 9) for route in ROUTES)


def test_questions_and_their_answers() -> None:
    def told(sequence: int, kind: int) -> bytes:
        body = struct.pack("=BBBBBBBBI", 10, 128, 0, 0, 255, 2, 0, kind, 0)
        return struct.pack("=IHHII", 16 + len(body), 24, 0, sequence, 0) + body

    link, _kernel = linked(told(1, 2), told(3, 1) + answer(2, errno.ENETUNREACH), answer(3, 0))
    found = link.ask([netlink.ask_route(address) for address in ("fd00::1", "fd00::2", "fd00::3")])
    assert [netlink.is_local(each) for each in found] == [True, False, False]
