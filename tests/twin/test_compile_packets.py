# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packets do in small networks as they are compiled, in a real kernel: TCP, UDP and pings, asked and answered."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import Memo, compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import CONTROLLER, SERVER, SERVER_6, service_address

from ..support.namespaces import inside_tree, needs_namespaces
from ..support.packets import Ears, Flow, ask
from ..support.twin_cases import hosts, internet, peering, tables, transit
from ..support.twin_networks import Builder

pytestmark = needs_namespaces

Way = tuple[str, str, str]
"""Asking namespace, address asked (a leading ``ADDRESS>`` is the one to ask from), and the namespace that is to answer."""


def answered(kernel: NetworkKernel, ways: Iterable[Way], protocols: Iterable[str] = ("tcp", "udp", "icmp")) -> dict[str, set[str]]:
    """``who address`` to the protocols that were answered."""
    asked = [(way, protocol) for way in ways for protocol in protocols]
    flows = []
    for (source, target, receiver), protocol in asked:
        bind, _arrow, address = target.rpartition(">")
        # A router's kind of namespace has no unprivileged pings.
        if protocol == "icmp" and not bind and source == "internet":
            bind = SERVER_6 if ":" in address else CONTROLLER
        flows.append(Flow(source, address, receiver, protocol, 80 if protocol != "icmp" else 0, bind))
    receivers = sorted({receiver for _source, _target, receiver in ways})
    at = {name: [item.cidr.partition("/")[0] for item in kernel.state.namespaces[name].addresses] for name in receivers}
    ears = Ears(kernel, receivers, ports=(80,), at=at)
    try:
        said = ask(kernel, ears, flows, quiet=0.7)
    finally:
        ears.close()
    found: dict[str, set[str]] = {}
    for ((source, target, _receiver), protocol), yes in zip(asked, said, strict=True):
        found.setdefault(f"{source} {target}", set()).update([protocol] if yes else [])
    return found


def check(kernel: NetworkKernel, works: Iterable[Way], lost: Iterable[Way]) -> None:
    """All three protocols work, or none does."""
    works, lost = list(works), list(lost)
    found = answered(kernel, (*works, *lost))
    wrong = {}
    for source, target, receiver in (*works, *lost):
        expected = set[str]() if (source, target, receiver) in lost else {"tcp", "udp", "icmp"}
        # A listener at all addresses of a block answers a datagram from any of them.
        if receiver.startswith("services:"):
            expected -= {"udp"}
        if found[f"{source} {target}"] != expected:
            wrong[f"{source} {target}"] = found[f"{source} {target}"]
    assert not wrong


def kernel_of(made: Builder, live: frozenset[str]) -> NetworkKernel:
    kernel = NetworkKernel()
    kernel.apply(compile_network(made.network(), live))
    return kernel


@inside_tree
def test_peering() -> None:
    kernel = kernel_of(*peering())
    check(
        kernel,
        [
            ("i-a1", "10.0.2.5", "park:vpc-a"),
            ("i-a1", "10.0.2.6", "park:vpc-a"),
            ("i-a1", "10.0.1.6", "park:vpc-a"),
            ("i-a1", "2600:a:0:1::6", "park:vpc-a"),
            ("i-a1", "10.1.1.5", "i-b1"),
            ("i-a1", "10.11.1.5", "park:vpc-b"),
            ("i-a1", "2600:b:0:1::5", "i-b1"),
            ("i-b1", "10.0.1.5", "i-a1"),
            ("i-b1", "10.2.1.5", "i-c1"),
            ("i-c1", "10.1.1.5", "i-b1"),
        ],
        [
            ("i-a1", "10.2.1.5", "i-c1"),  # a peer's peer
            ("i-c1", "10.0.1.5", "i-a1"),
            ("i-a1", "10.3.1.5", "park:vpc-d"),  # the connection is pending
            ("i-a1", "10.0.1.7", "park:vpc-a"),  # nobody
            ("i-c1", "10.11.1.5", "park:vpc-b"),  # no route for the second block
        ],
    )


@inside_tree
def test_a_peering_that_ends_takes_its_packets_and_comes_back() -> None:
    made, live = peering()
    kernel, memo = NetworkKernel(), Memo()
    way = [("i-a1", "10.1.1.5", "i-b1")]
    for status in ("active", "deleted", "active"):
        made.peering("pcx-ab", "vpc-a", "vpc-b", status=status)
        kernel.apply(compile_network(made.network(), live, memo))
        check(kernel, way if status == "active" else [], [] if status == "active" else way)


@inside_tree
def test_a_parked_instance_that_wakes_answers_at_the_same_address() -> None:
    made, live = peering()
    kernel, memo = NetworkKernel(), Memo()
    for awake, receiver in ((live, "park:vpc-b"), (live | {"i-b2"}, "i-b2"), (live, "park:vpc-b")):
        kernel.apply(compile_network(made.network(), awake, memo))
        check(kernel, [("i-a1", "10.11.1.5", receiver)], [])


@inside_tree
def test_tables() -> None:
    made, live = tables()
    kernel = kernel_of(made, live)
    through = [("i-1", "10.0.2.5", "i-2"), ("i-2", "10.0.1.5", "i-1")]
    check(
        kernel,
        [
            *through,
            ("i-1", "10.0.1.6", "i-near"),
            ("i-3", "10.1.1.5", "park:vpc-b"),
            ("i-3", "10.2.1.5", "park:vpc-c"),
            ("i-4", "10.1.1.5", "park:vpc-b"),
            ("i-4", "10.0.1.5", "i-1"),
        ],
        [
            ("i-4", "10.2.1.5", "park:vpc-c"),  # the hole has the longer prefix
            ("i-1", "10.1.1.5", "park:vpc-b"),
        ],
    )
    # Between the two subnets the middlebox is passed; with its check on it passes nothing, while neighbours still reach one another.
    made.put("interfaces", replace(made.fields["interfaces"]["eni-m"], source_dest_check=True))
    kernel.apply(compile_network(made.network(), live))
    check(kernel, [("i-1", "10.0.1.6", "i-near"), ("i-near", "10.0.1.5", "i-1")], through)


@inside_tree
def test_internet() -> None:
    kernel = kernel_of(*internet())
    check(
        kernel,
        [
            ("i-web", SERVER, "internet"),
            ("i-web", SERVER_6, "internet"),
            ("i-app", SERVER, "internet"),
            ("i-app", SERVER_6, "internet"),
            ("internet", f"{CONTROLLER}>198.18.0.5", "i-web"),
            ("internet", f"{SERVER_6}>2600:a:0:1::5", "i-web"),
            ("i-web", "198.18.0.6", "i-bastion"),
            ("i-web", "198.18.0.5", "i-web"),
            ("i-app", "198.18.0.5", "i-web"),
            ("i-app", "10.0.2.50", "serve:vpc-a"),
            ("i-app", "52.216.1.1", "services:vpc-a"),
            ("i-app", service_address("s3.us-east-1.amazonaws.com"), "services:vpc-a"),
            ("i-b", "10.0.1.5", "i-web"),
        ],
        [
            ("i-plain", SERVER, "internet"),  # it has no public address
            ("i-in", SERVER, "internet"),  # a private NAT gateway has none
            ("internet", f"{CONTROLLER}>198.18.0.100", "i-app"),  # nothing begins at a NAT gateway
            ("i-web", "10.0.1.100", "nat-pub"),
            ("i-web", "52.216.1.1", "services:vpc-a"),  # its table has no route to the endpoint
            ("i-b", SERVER, "internet"),  # edge to edge
            ("i-b", "52.216.1.1", "services:vpc-a"),
        ],
    )
    sts = service_address("sts.us-east-1.amazonaws.com")
    assert answered(kernel, [("i-app", sts, "internet"), ("i-b", sts, "internet")], ("icmp",)) == {
        f"i-app {sts}": {"icmp"},
        f"i-b {sts}": set(),
    }
    # An egress-only gateway lets nothing in.
    assert answered(kernel, [("internet", f"{SERVER_6}>2600:a:0:2::5", "i-app")], ("tcp", "icmp")) == {
        f"internet {SERVER_6}>2600:a:0:2::5": set()
    }


@inside_tree
def test_a_public_address_that_moves() -> None:
    made, live = internet()
    kernel, memo = NetworkKernel(), Memo()
    for first, second, receiver in ({"10.0.1.5": "198.18.0.5"}, {}, "i-web"), ({}, {"10.0.1.7": "198.18.0.5"}, "i-plain"):
        for name, pairs in (("eni-web", first), ("eni-plain", second)):
            made.put("interfaces", replace(made.fields["interfaces"][name], public_ips=pairs))
        kernel.apply(compile_network(made.network(), live, memo))
        there = ("internet", f"{CONTROLLER}>198.18.0.5", receiver)
        other = "i-plain" if receiver == "i-web" else "i-web"
        check(kernel, [there, (receiver, SERVER, "internet")], [(other, SERVER, "internet")])


@inside_tree
def test_block_public_access() -> None:
    made, live = internet()
    kernel, memo = NetworkKernel(), Memo()
    web = [("i-web", SERVER, "internet"), ("i-web", SERVER_6, "internet"), ("internet", f"{CONTROLLER}>198.18.0.5", "i-web")]
    app = [("i-app", SERVER, "internet"), ("i-app", SERVER_6, "internet")]
    peer = [("i-b", "10.0.1.5", "i-web")]
    for mode, works, lost in (("block-ingress", app, web), ("block-bidirectional", [], web + app), ("off", web + app, [])):
        made.put("vpcs", replace(made.fields["vpcs"]["vpc-a"], block_public_access=mode))
        kernel.apply(compile_network(made.network(), live, memo))
        check(kernel, works + peer, lost)


@inside_tree
def test_transit() -> None:
    made, live = transit()
    kernel = kernel_of(made, live)
    check(
        kernel,
        [
            ("i-a1", "10.1.1.5", "i-b1"),
            ("i-b1", "10.0.1.5", "i-a1"),
            ("i-a1", "2600:b:0:1::5", "i-b1"),
            ("i-a1", "10.3.1.5", "i-d1"),
            ("i-d1", "10.0.1.5", "i-a1"),
        ],
        [
            ("i-a1", "10.1.2.5", "i-b2"),  # a hole
            ("i-a2", "10.1.1.5", "i-b1"),  # no attachment in its zone
            ("i-b2", "10.0.2.5", "i-a2"),
            ("i-a1", "10.2.1.5", "i-c1"),  # its table does not know it
            ("i-c1", "10.0.1.5", "i-a1"),
            ("i-a1", "10.9.9.9", "i-b1"),
        ],
    )
    # What arrives goes by the table of the attachment's subnet.
    made.table("rtb-b8", "vpc-b", {"10.1.1.0/24": "blackhole"}, ["subnet-b8", "subnet-b9"])
    kernel.apply(compile_network(made.network(), live))
    check(kernel, [], [("i-a1", "10.1.1.5", "i-b1")])


@inside_tree
def test_tables_that_lead_in_a_circle_end() -> None:
    made, live = transit()
    made.table("rtb-a9", "vpc-a", {"10.9.0.0/16": "tgw-1"}, ["subnet-a9"])
    made.transit_table("tgw-rtb-1", "tgw-1", {"10.9.0.0/16": "tgw-attach-a"}, ("tgw-attach-a", "tgw-attach-b"))
    check(kernel_of(made, live), [("i-a1", "10.1.1.5", "i-b1")], [("i-a1", "10.9.0.1", "i-b1")])


@inside_tree
def test_a_host_with_two_interfaces_answers_by_each() -> None:
    made, live = hosts()
    made.host("i-asks", "subnet-1", "10.0.1.50", "2600:a:0:1::50")
    check(
        kernel_of(made, live | {"i-asks"}),
        [
            ("i-asks", address, "i-two")
            for address in ("10.0.1.5", "10.0.1.6", "10.0.2.5", "2600:a:0:1::5", "2600:a:0:2::5", "2600:a:0:2::6")
        ]
        + [("i-two", "10.0.1.50", "i-asks"), ("i-two", "10.0.2.5>10.0.1.50", "i-asks"), ("i-two", "10.0.2.20", "park:vpc-a")],
        [("i-asks", f"10.0.{last}", "park:vpc-a") for last in ("2.21", "3.30", "3.31", "3.32")],
    )


@pytest.mark.parametrize(
    ("case", "source", "target", "mtu"),
    [
        (peering, "i-a1", "10.0.2.5", 9001),
        (peering, "i-b1", "10.2.1.5", 9001),
        (peering, "i-a1", "10.1.1.5", 8500),
        (peering, "i-a1", "2600:b:0:1::5", 8500),
        (transit, "i-a1", "10.1.1.5", 8500),
        (internet, "i-web", SERVER, 1500),
        (internet, "i-web", SERVER_6, 1500),
        (internet, "i-app", SERVER, 1500),
        (internet, "i-app", SERVER_6, 1500),
    ],
)
@inside_tree
def test_path_mtu(case: object, source: str, target: str, mtu: int) -> None:
    made, live = case()  # type: ignore[operator]
    kernel = kernel_of(made, live)
    six = ":" in target
    with kernel.socket(source, socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        level, discover, do, found = (41, 23, 2, 24) if six else (0, 10, 2, 14)
        probe.setsockopt(level, discover, do)
        probe.connect((target, 9))
        for _turn in range(3):
            try:
                probe.send(bytes(9001 - (48 if six else 28)))
            except OSError as error:
                assert error.errno in (errno.EMSGSIZE, errno.ECONNREFUSED)
        assert probe.getsockopt(level, found) == mtu
