# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel holds what the state says: packets follow it, nothing is sent for what is there already, and a failure changes nothing."""

from __future__ import annotations

import errno
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import nft
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.netlink import Netlink
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.nft import Nft, NftError, Table
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.system import inside
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import (
    HOST,
    MAIN,
    PARKING,
    ROUTER,
    Address,
    Chain,
    KernelState,
    Namespace,
    Neighbour,
    NftSet,
    Route,
    Rule,
    Ruleset,
    Wire,
    WireEnd,
)
from support.kernel_sight import links, sight
from support.namespaces import KINDS, inside_both_trees, needs_namespaces, run_in_tree

pytestmark = needs_namespaces

GATE = "02:00:00:00:00:01"
FORWARD = "type filter hook forward priority 0; policy drop;"
PORT = 7000


def host(name: str, address: str, *more: Address) -> Namespace:
    """An instance on ``eth0``: its IPv4 address, an IPv6 one that ends alike, and default routes."""
    number = address.rpartition(".")[2]
    return Namespace(
        name,
        HOST,
        frozenset({Address("eth0", f"{address}/24"), Address("eth0", f"fd00:a::{number}/128"), *more}),
        frozenset(
            {
                Route(MAIN, "0.0.0.0/0", device="eth0", via="169.254.0.1", source=address),
                Route(MAIN, "::/0", device="eth0", via="fe80::1"),
            }
        ),
        frozenset(),
        frozenset({Neighbour("eth0", "169.254.0.1", GATE), Neighbour("eth0", "fe80::1", GATE)}),
    )


def wire(name: str, number: int, router: str = "vpc-1", group: int = 1000, mtu: int = 9001) -> Wire:
    return Wire(WireEnd(router, f"e{number}", GATE, group), WireEnd(name, "eth0", f"02:00:00:00:01:{number:02x}"), mtu)


def router(numbers: Iterable[int], rules: tuple[str, ...] = ("accept",), name: str = "vpc-1") -> Namespace:
    """A router with an instance ``10.0.0.N`` on ``eN`` for each number."""
    numbers = list(numbers)
    ways = {Route(MAIN, f"10.0.0.{number}/32", device=f"e{number}") for number in numbers}
    ways |= {Route(MAIN, f"fd00:a::{number}/128", device=f"e{number}") for number in numbers}
    neighbours = {Neighbour(f"e{number}", f"10.0.0.{number}", f"02:00:00:00:01:{number:02x}") for number in numbers}
    neighbours |= {Neighbour(f"e{number}", f"fd00:a::{number}", f"02:00:00:00:01:{number:02x}") for number in numbers}
    return Namespace(
        name,
        ROUTER,
        frozenset({Address("lo", "10.0.0.1/32")}),
        frozenset({Route(MAIN, "0.0.0.0/0", "blackhole"), Route(1000, "10.0.0.0/16", "throw"), *ways}),
        frozenset({Rule(4, 100, 1000, 1000), Rule(6, 100, 1000, 1000), Rule(4, 200, 1001, source="10.9.0.0/16")}),
        frozenset(neighbours),
        Ruleset(chains={"forward": Chain("forward", rules, FORWARD)}),
    )


def network(numbers: Iterable[int] = (5, 6), rules: tuple[str, ...] = ("accept",)) -> KernelState:
    """One router and its instances ``i-N``."""
    numbers = list(numbers)
    namespaces = [router(numbers, rules), *(host(f"i-{number}", f"10.0.0.{number}") for number in numbers)]
    return KernelState({each.name: each for each in namespaces}, frozenset(wire(f"i-{number}", number) for number in numbers))


def having(state: KernelState, *namespaces: Namespace) -> KernelState:
    """The state with these namespaces in place of those of the same name, or besides."""
    return KernelState({**state.namespaces, **{each.name: each for each in namespaces}}, state.wires)


def everything(kernel: NetworkKernel) -> list[str]:
    """All that the kernel has in all namespaces, a line each."""
    found: list[str] = []
    for name in kernel.state.namespaces:
        with inside(kernel.descriptor(name)):
            found += [f"{name}: {line}" for line in sight()]
        # A table that was built anew has the other name.
        rules = kernel.listed(name).replace(nft.TABLES[1], nft.TABLES[0])
        found += [f"{name}: {number:03} {line}" for number, line in enumerate(rules.splitlines())]
    return sorted(found)


def same(found: list[str], wanted: list[str], about: str = "") -> None:
    """Fail with the lines that only the one or the other has."""
    more, less = [line for line in found if line not in wanted], [line for line in wanted if line not in found]
    if found != wanted:
        raise AssertionError(f"{about}: too much: {more}, missing: {less}, all: {len(found)} and {len(wanted)}")


def reaches(kernel: NetworkKernel, source: str, destination: str, to: str, seconds: float = 0.25) -> bool:
    """Whether a datagram that ``source`` sends to the address ``to`` arrives in ``destination``."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with kernel.socket(destination, family, socket.SOCK_DGRAM) as server, kernel.socket(source, family, socket.SOCK_DGRAM) as client:
        server.bind((to, PORT))
        server.settimeout(seconds)
        client.sendto(b"hello", (to, PORT))
        try:
            return server.recv(16) == b"hello"
        except TimeoutError:
            return False


@inside_both_trees
def test_packets_follow() -> None:
    kernel = NetworkKernel()
    closed = network(rules=())
    kernel.apply(closed)
    assert not reaches(kernel, "i-5", "i-6", "10.0.0.6")
    kernel.apply(network(rules=("ip saddr 10.0.0.5 accept", "ip6 saddr fd00:a::5 accept")))
    assert reaches(kernel, "i-5", "i-6", "10.0.0.6") and reaches(kernel, "i-5", "i-6", "fd00:a::6")
    assert not reaches(kernel, "i-6", "i-5", "10.0.0.5") and not reaches(kernel, "i-6", "i-5", "fd00:a::5")
    kernel.apply(closed)
    assert not reaches(kernel, "i-5", "i-6", "10.0.0.6")


@inside_both_trees
def test_refused_when_nobody_listens() -> None:
    kernel = NetworkKernel()
    kernel.apply(network())
    with kernel.socket("i-5", socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            client.connect(("10.0.0.6", 22))
    # Unreachable ports are told of at any rate.
    for port in range(2000, 2020):
        with kernel.socket("i-5", socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("10.0.0.6", port))
            client.send(b"x")
            client.settimeout(5)
            with pytest.raises(ConnectionRefusedError):
                client.recv(1)


@inside_both_trees
def test_same_again_sends_nothing() -> None:
    kernel = NetworkKernel()
    kernel.apply(network())
    sent, ran = Netlink.sent, Nft.sent
    kernel.apply(network())
    assert (Netlink.sent, Nft.sent) == (sent, ran)


@inside_both_trees
def test_one_chain_is_one_transaction() -> None:
    kernel = NetworkKernel()
    kernel.apply(network())
    sent, ran = Netlink.sent, Nft.sent
    kernel.apply(network(rules=("udp dport 7000 accept",)))
    assert (Netlink.sent, Nft.sent) == (sent, ran + 1)
    assert "udp dport 7000 accept" in kernel.listed("vpc-1")


@inside_both_trees
def test_one_route_is_one_message() -> None:
    kernel = NetworkKernel()
    state = network()
    kernel.apply(state)
    sent, ran = Netlink.sent, Nft.sent
    one = state.namespaces["vpc-1"]
    kernel.apply(having(state, replace(one, routes=one.routes | {Route(1000, "10.7.0.0/16", "blackhole")})))
    assert (Netlink.sent, Nft.sent) == (sent + 1, ran)
    kernel.apply(state)
    assert (Netlink.sent, Nft.sent) == (sent + 2, ran)


@inside_both_trees
def test_state_is_the_same_by_whatever_way() -> None:
    """The kernel holds the same after changes to and fro as if it had been built at once."""
    small, large = network((5, 6)), network((5, 6, 7, 8), ("ip saddr 10.0.0.7 accept",))
    kernel, fresh = NetworkKernel(), NetworkKernel()
    fresh.apply(small)
    wanted = everything(fresh)
    kernel.apply(small)
    same(everything(kernel), wanted)
    kernel.apply(large)
    assert everything(kernel) != wanted
    kernel.apply(small)
    same(everything(kernel), wanted)
    other = NetworkKernel()
    other.apply(large)
    kernel.apply(large)
    same(everything(kernel), everything(other))
    kernel.apply(KernelState())
    kernel.apply(small)
    same(everything(kernel), wanted)


@inside_both_trees
def test_every_kind_of_content_changes() -> None:
    """Each item of a namespace, changed alone, ends as it does when it is built at once, and changes back."""
    state = network()
    one, five = state.namespaces["vpc-1"], state.namespaces["i-5"]
    way = Route(1000, "10.8.0.0/16", device="e6", via="169.254.9.9", mtu=1400)
    sixth = Route(1000, "fd00:8::/64", device="e6", via="fe80::1", mtu=1400)
    variants = {
        "routes of all kinds": replace(one, routes=one.routes | {way, sixth, Route(MAIN, "203.0.113.0/24", "local", device="lo")}),
        "a blackhole of what was a way": replace(one, routes=one.routes | {Route(1000, "10.8.0.0/16", "blackhole")}),
        "an IPv6 blackhole": replace(one, routes=one.routes | {Route(1000, "::/0", "blackhole")}),
        "another rule": replace(one, rules=frozenset({Rule(4, 100, 1002, 1002), Rule(6, 90, 1000)})),
        "no neighbours": replace(one, neighbours=frozenset()),
        "another neighbour": replace(one, neighbours=frozenset({Neighbour("e5", "10.0.0.5", "02:00:00:00:00:77")})),
        "more addresses": replace(one, addresses=one.addresses | {Address("lo", "169.254.169.253/32"), Address("lo", "fd00:ec2::253/128")}),
        "another prefix": replace(
            five, addresses=frozenset({Address("eth0", "10.0.0.5/16"), Address("eth0", "fd00:a::5/64")}), routes=five.routes
        ),
        "a second address of the same subnet, without the first": replace(
            five,
            addresses=frozenset({Address("eth0", "10.0.0.55/24")}),
            routes=frozenset({Route(MAIN, "0.0.0.0/0", device="eth0", via="169.254.0.1", source="10.0.0.55")}),
        ),
        "no routes": replace(one, routes=frozenset()),
        "settings": replace(one, sysctls={"ipv4/ip_default_ttl": "77"}),
        "no ruleset": replace(one, ruleset=Ruleset()),
        "another hook": replace(one, ruleset=Ruleset(chains={"forward": Chain("forward", ("accept",), FORWARD.replace("drop", "accept"))})),
    }
    kernel = NetworkKernel()
    kernel.apply(state)
    plain = everything(kernel)
    for about, namespace in variants.items():
        changed = having(state, namespace)
        at_once = NetworkKernel()
        at_once.apply(changed)
        kernel.apply(changed)
        same(everything(kernel), everything(at_once), about)
        assert namespace.sysctls == {} or _setting(kernel, namespace.name, "ipv4/ip_default_ttl") == "77"
        at_once.close()
        kernel.apply(state)
        same(everything(kernel), plain, f"and back from {about}")
        assert _setting(kernel, "vpc-1", "ipv4/ip_default_ttl") == "64"
    # And from each to the next, without the plain one between.
    for about, namespace in variants.items():
        changed = having(state, namespace)
        at_once = NetworkKernel()
        at_once.apply(changed)
        kernel.apply(changed)
        same(everything(kernel), everything(at_once), about)
        at_once.close()


def _setting(kernel: NetworkKernel, name: str, path: str) -> str:
    with inside(kernel.descriptor(name)):
        return Path("/proc/sys/net", path).read_text(encoding="ascii").strip()


@inside_both_trees
def test_wires_change_in_place_and_move() -> None:
    kernel = NetworkKernel()
    state = network((5, 6, 7), ("iifgroup 1000 accept",))
    kernel.apply(state)
    with inside(kernel.descriptor("i-5")):
        before = links()
    slow = replace(wire("i-5", 5, mtu=1500), right=WireEnd("i-5", "eth0", "02:00:00:00:01:99"))
    kept = {each for each in state.wires if each != wire("i-5", 5)}
    changed = KernelState(state.namespaces, frozenset({*kept, slow}))
    kernel.apply(changed)
    fresh = NetworkKernel()
    fresh.apply(changed)
    same(everything(kernel), everything(fresh))
    with inside(kernel.descriptor("i-5")):
        assert links() == before

    kernel.apply(state)
    grouped = {each for each in state.wires if each != wire("i-6", 6)} | {wire("i-6", 6, group=7)}
    assert reaches(kernel, "i-6", "i-5", "10.0.0.5")
    kernel.apply(KernelState(state.namespaces, frozenset(grouped)))
    assert not reaches(kernel, "i-6", "i-5", "10.0.0.5") and reaches(kernel, "i-5", "i-6", "10.0.0.6")

    # The device of i-7 at the router goes to another instance: another wire of the same name at one end.
    moved = KernelState(
        {**{name: each for name, each in state.namespaces.items() if name != "i-7"}, "i-9": host("i-9", "10.0.0.7")},
        frozenset({wire("i-5", 5), wire("i-6", 6), wire("i-9", 7)}),
    )
    kernel.apply(moved)
    assert reaches(kernel, "i-5", "i-9", "10.0.0.7")
    with pytest.raises(TwinError, match="no namespace i-7"):
        kernel.descriptor("i-7")


@inside_both_trees
def test_parked_address_goes_live_without_a_gap() -> None:
    """While an address moves from the parking namespace to one of its own every ping is answered by the one or the other."""
    live = network()
    base = {name: each for name, each in live.namespaces.items() if name != "i-6"}
    one = live.namespaces["vpc-1"]
    out = Wire(WireEnd("vpc-1", "park", GATE), WireEnd("park:vpc-1", "out", "02:00:00:00:00:02"))

    def parking(*addresses: str) -> Namespace:
        return Namespace(
            "park:vpc-1",
            PARKING,
            frozenset(Address("lo", f"{each}/32") for each in addresses),
            frozenset({Route(MAIN, "0.0.0.0/0", device="out", via="169.254.0.1")}),
            frozenset(),
            frozenset({Neighbour("out", "169.254.0.1", GATE)}),
        )

    route = Route(MAIN, "10.0.0.6/32", device="park", via="169.254.0.2")
    towards = Neighbour("park", "169.254.0.2", "02:00:00:00:00:02")
    ways = frozenset(each for each in one.routes if each.device != "e6")
    ends = frozenset(each for each in one.neighbours if each.device != "e6") | {towards}
    parked = KernelState(
        {**base, "vpc-1": replace(one, routes=ways | {route}, neighbours=ends), "park:vpc-1": parking("10.0.0.6", "10.0.0.9")},
        frozenset({wire("i-5", 5), out}),
    )
    woken = KernelState(
        {
            **base,
            "vpc-1": replace(one, neighbours=one.neighbours | {towards}),
            "i-6": host("i-6", "10.0.0.6"),
            "park:vpc-1": parking("10.0.0.9"),
        },
        frozenset({wire("i-5", 5), wire("i-6", 6), out}),
    )
    kernel = NetworkKernel()
    kernel.apply(parked)
    ping = kernel.socket("i-5", socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    ping.settimeout(0.2)
    lost: list[int] = []
    count = 0
    for _turn in range(20):
        done = threading.Event()

        def waking(done: threading.Event = done) -> None:
            time.sleep(0.01)
            kernel.apply(woken)
            time.sleep(0.01)
            done.set()

        thread = threading.Thread(target=waking)
        thread.start()
        while not done.is_set():
            count += 1
            ping.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, count & 0xFFFF), ("10.0.0.6", 0))
            try:
                ping.recv(64)
            except TimeoutError:
                lost.append(count)
        thread.join()
        assert reaches(kernel, "i-5", "i-6", "10.0.0.6")
        kernel.apply(parked)
    assert count > 100 and not lost, f"{len(lost)} of {count} lost"


@inside_both_trees
def test_large_switch_neither_leaks_nor_loses() -> None:
    """A ruleset far larger than a transaction is exchanged for another under traffic."""

    def rules(number: int) -> tuple[str, ...]:
        filler = tuple(f"ip saddr 192.0.2.{place % 250} udp dport {place + number} accept" for place in range(3000))
        return (*filler, "ip saddr 10.0.0.5 udp dport 7000 accept")

    kernel = NetworkKernel()
    kernel.apply(network((5, 6, 7), rules(1)))
    server = kernel.socket("i-6", socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("10.0.0.6", PORT))
    server.settimeout(0.3)
    allowed, refused = (kernel.socket(name, socket.AF_INET, socket.SOCK_DGRAM) for name in ("i-5", "i-7"))
    done, lost, leaked, count = threading.Event(), 0, 0, 0

    def sending() -> None:
        nonlocal lost, leaked, count
        while not done.is_set():
            count += 1
            refused.sendto(b"bad", ("10.0.0.6", PORT))
            allowed.sendto(b"good", ("10.0.0.6", PORT))
            try:
                while (got := server.recv(16)) != b"good":
                    leaked += got == b"bad"
            except TimeoutError:
                lost += 1

    thread = threading.Thread(target=sending)
    thread.start()
    for number in range(2, 5):
        kernel.apply(network((5, 6, 7), rules(number)))
    kernel.apply(network((5, 6, 7), ("ip saddr 10.0.0.5 accept",)))
    kernel.apply(network((5, 6, 7), rules(1)))
    done.set()
    thread.join()
    assert count > 100 and (lost, leaked) == (0, 0)
    assert kernel.listed("vpc-1").count("accept") == 3001


@inside_both_trees
def test_tracked_flows_outlive_their_rule_and_their_table() -> None:
    """A flow that was let in goes on when its rule goes, in place or with the whole table; translated ones too; new ones do not begin."""
    filler = tuple(f"ip saddr 192.0.2.{place % 250} udp dport {place + 1} accept" for place in range(2000))
    translate = Chain("nat", ("ip daddr 10.0.0.99 dnat ip to 10.0.0.6",), "type nat hook prerouting priority dstnat; policy accept;")

    def ruled(*rules: str) -> KernelState:
        chains = {"forward": Chain("forward", ("ct state established,related accept", *rules), FORWARD), "nat": translate}
        return having(network(), replace(router((5, 6)), ruleset=Ruleset(chains=chains)))

    kernel = NetworkKernel()
    kernel.apply(ruled("ip saddr 10.0.0.5 accept"))
    server = kernel.socket("i-6", socket.AF_INET, socket.SOCK_STREAM)
    server.bind(("10.0.0.6", PORT))
    server.listen()
    flows = []
    for to in ("10.0.0.6", "10.0.0.99"):
        client = kernel.socket("i-5", socket.AF_INET, socket.SOCK_STREAM)
        client.settimeout(3)
        client.connect((to, PORT))
        other, _address = server.accept()
        other.settimeout(3)
        flows.append((client, other))
    for rules in ((), filler, ("ip saddr 10.0.0.7 accept",)):
        kernel.apply(ruled(*rules))
        for client, other in flows:
            client.send(b"there")
            assert other.recv(16) == b"there"
            other.send(b"back")
            assert client.recv(16) == b"back"
        with kernel.socket("i-5", socket.AF_INET, socket.SOCK_STREAM) as late:
            late.settimeout(0.2)
            with pytest.raises(TimeoutError):
                late.connect(("10.0.0.6", PORT))


@inside_both_trees
def test_sets_change_by_their_elements() -> None:
    def ruled(addresses: frozenset[str], blocks: frozenset[str], gates: frozenset[str], extra: dict[str, Chain]) -> Namespace:
        sets = {
            "good": NftSet("good", "ipv4_addr", addresses),
            "blocks": NftSet("blocks", "ipv4_addr", blocks, ("interval",)),
            "gates": NftSet("gates", "ifname : verdict", gates),
        }
        chains = {"forward": Chain("forward", ("iifname vmap @gates",), FORWARD), "yes": Chain("yes", ("ip saddr @good accept",)), **extra}
        return replace(router((5, 6)), ruleset=Ruleset(sets, chains))

    kernel = NetworkKernel()
    state = network()
    first = ruled(frozenset({"10.0.0.6"}), frozenset({"10.0.0.0/8", "10.0.0.0/16"}), frozenset({'"e5" : jump yes'}), {})
    kernel.apply(having(state, first))
    assert not reaches(kernel, "i-5", "i-6", "10.0.0.6")
    second = ruled(frozenset({"10.0.0.6", "10.0.0.5"}), frozenset({"10.0.0.0/16", "10.1.0.0/16"}), frozenset({'"e5" : jump yes'}), {})
    kernel.apply(having(state, second))
    assert reaches(kernel, "i-5", "i-6", "10.0.0.6")
    other = {"other": Chain("other", ("ip saddr @blocks accept",))}
    third = ruled(frozenset(), frozenset({"10.0.0.5/32"}), frozenset({'"e5" : jump other', '"e6" : jump other'}), other)
    kernel.apply(having(state, third))
    assert reaches(kernel, "i-5", "i-6", "10.0.0.6") and not reaches(kernel, "i-6", "i-5", "10.0.0.5")
    kernel.apply(having(state, first))
    assert not reaches(kernel, "i-5", "i-6", "10.0.0.6")
    assert "other" not in kernel.listed("vpc-1") and "10.0.0.0/8" in kernel.listed("vpc-1")


def _broken() -> dict[str, tuple[KernelState, str]]:
    """States that cannot be, beside much that can, and what is said of them."""
    more = network((5, 6, 7), ("udp dport 7000 accept",))
    one = more.namespaces["vpc-1"]
    rules = Ruleset(chains={"forward": Chain("forward", ("accept", "ip saddr nonsense"), FORWARD)})
    missing = Ruleset(chains={"forward": Chain("forward", ("jump nowhere",), FORWARD)})
    element = Ruleset({"s": NftSet("s", "ipv4_addr", frozenset({"10.0.0.300"}))}, one.ruleset.chains)
    two = frozenset({Route(MAIN, "10.0.0.9/32", "blackhole"), Route(MAIN, "10.0.0.9/32", device="e5")})
    lost = replace(wire("i-7", 7), left=WireEnd("vpc-1", "e7-which-is-too-long", GATE))
    nowhere = replace(host("i-8", "10.0.0.8"), routes=frozenset({Route(MAIN, "0.0.0.0/0", device="eth0", via="169.254.0.1")}))
    return {
        "a rule that nft does not know": (having(more, replace(one, ruleset=rules)), "vpc-1: nftables: "),
        "a chain that is not there": (having(more, replace(one, ruleset=missing)), "vpc-1: nftables: "),
        "an element that is none": (having(more, replace(one, ruleset=element)), "vpc-1: nftables: "),
        "a new namespace's rules": (having(more, replace(more.namespaces["i-7"], ruleset=rules)), "i-7: nftables: "),
        "two routes in one place": (having(more, replace(one, routes=one.routes | two)), "two routes to 10.0.0.9/32"),
        "a route by no device": (having(more, replace(one, routes=one.routes | {Route(MAIN, "10.9.0.0/16", device="x")})), "no device x"),
        "an instance without its wire": (having(more, nowhere), "i-8: address .* on eth0: there is no device eth0"),
        "an address that is none": (having(more, replace(one, addresses=frozenset({Address("lo", "10.0.0.999/32")}))), "10.0.0.999"),
        "a source that is not there": (
            having(more, replace(one, routes=one.routes | {Route(MAIN, "10.9.0.0/16", device="e5", source="9.9.9.9")})),
            "vpc-1: unicast route 10.9.0.0/16 dev e5 in table 254: Invalid argument",
        ),
        "a long name": (KernelState(more.namespaces, more.wires - {wire("i-7", 7)} | {lost}), "no device can have the name"),
        "a device of two wires": (KernelState(more.namespaces, more.wires | {wire("i-6", 7)}), "two wires end at"),
        "a namespace that is not there": (KernelState(more.namespaces, more.wires | {wire("i-8", 8)}), "no namespace i-8"),
        "a setting that is none": (having(more, replace(one, sysctls={"ipv4/nonsense": "1"})), "vpc-1: .*No such file"),
        "another profile": (having(more, replace(one, profile=HOST)), "profile cannot change"),
    }


def _some_ruleset(chance: random.Random) -> Ruleset:
    """Chains that jump only to those before them, sets of all kinds that are used, maps from addresses and from blocks to chains."""
    numbers = sorted(chance.sample(range(6), chance.randint(1, 6)))
    sets = {
        "singles": NftSet("singles", "ipv4_addr", frozenset(f"10.0.{chance.randint(0, 9)}.{chance.randint(0, 9)}" for _each in range(8))),
        "blocks": NftSet(
            "blocks",
            "ipv4_addr",
            frozenset(f"10.{chance.randint(0, 9)}.0.0/{chance.choice((15, 16))}" for _each in range(3)),
            ("interval",),
        ),
        "pairs": NftSet(
            "pairs", "ipv4_addr . inet_service", frozenset(f"10.0.0.{chance.randint(0, 9)} . {chance.randint(1, 9)}" for _each in range(4))
        ),
    }
    sets["blocks"] = replace(sets["blocks"], elements=frozenset(str(ip_network(each, strict=False)) for each in sets["blocks"].elements))
    matches = ["ip saddr @singles", "ip daddr @blocks", "ip saddr . tcp dport @pairs", "udp dport 53"]
    chains: dict[str, Chain] = {}
    for number in numbers:
        known = ["accept", "drop", *(f"jump {name}" for name in chains)]
        rules = tuple(f"{chance.choice(matches)} {chance.choice(known)}" for _each in range(chance.randint(0, 4)))
        chains[f"chain_{number}"] = Chain(f"chain_{number}", rules)
    gates = frozenset(f"10.0.0.{number} : jump {chance.choice(sorted(chains))}" for number in range(chance.randint(0, 5)))
    ways = frozenset(f"10.{number}.0.0/16 : jump {chance.choice(sorted(chains))}" for number in range(chance.randint(0, 5)))
    for name, found, flags in (("gates", gates, ()), ("ways", ways, ("interval",))):
        if chance.random() < 0.8:
            sets[name] = NftSet(name, "ipv4_addr : verdict", found, flags)
    uses = tuple(f"ip {end} vmap @{name}" for name, end in (("gates", "saddr"), ("ways", "daddr")) if name in sets)
    chains["forward"] = Chain("forward", uses, FORWARD)
    return Ruleset(sets, chains)


def _in_parts(listed: str) -> dict[str, list[str]]:
    """A listed ruleset by its sets and chains: these are in the order in which they came, and so are a set's elements."""
    found: dict[str, list[str]] = {}
    for part in re.findall(r"^\t(\w+ \w+) \{\n(.*?)^\t\}", listed, re.MULTILINE | re.DOTALL):
        name, body = part
        if name.startswith(("set", "map")):
            found[name] = sorted(" ".join(body.split()).replace("elements = { ", "").replace(" }", "").split(", "))
            found[name] = sorted(re.sub(r"(type|flags) [\w .:]*?(?= \d|$)", "", each).strip() for each in found[name])
        else:
            found[name] = [line.strip() for line in body.splitlines()]
    return found


@inside_both_trees
def test_rulesets_by_chance() -> None:
    """From any ruleset to any other in the kernel: in the end there is what loading it at once makes."""
    chance = random.Random(4)
    kernel = NetworkKernel()
    empty = replace(router(()), ruleset=Ruleset())
    kernel.apply(KernelState({"vpc-1": empty}))
    for turn in range(60):
        wanted = KernelState({"vpc-1": replace(empty, ruleset=_some_ruleset(chance))})
        kernel.apply(wanted)
        fresh = NetworkKernel()
        fresh.apply(wanted)
        left, right = _in_parts(kernel.listed("vpc-1")), _in_parts(fresh.listed("vpc-1"))
        fresh.close()
        assert left == right and len(left) >= len(wanted.namespaces["vpc-1"].ruleset.chains), turn


@inside_both_trees
def test_failure_leaves_the_last_good_state() -> None:
    kernel = NetworkKernel()
    good = network((5, 6), ("ip saddr 10.0.0.5 accept",))
    kernel.apply(good)
    before = everything(kernel)
    held = {name: os.fstat(kernel.descriptor(name)).st_ino for name in good.namespaces}
    for about, (state, message) in _broken().items():
        with pytest.raises(TwinError, match=message):
            kernel.apply(state)
        assert kernel.state is good
        same(everything(kernel), before, about)
        # The very same namespaces: processes live in them.
        assert {name: os.fstat(kernel.descriptor(name)).st_ino for name in good.namespaces} == held, about
        assert reaches(kernel, "i-5", "i-6", "10.0.0.6") and not reaches(kernel, "i-6", "i-5", "10.0.0.5", 0.1), about
        with pytest.raises(TwinError, match="no namespace i-7"):
            kernel.descriptor("i-7")
    kernel.apply(network((5, 6, 7), ("udp dport 7000 accept",)))
    assert reaches(kernel, "i-7", "i-6", "10.0.0.6")


@inside_both_trees
def test_failure_of_the_kernel_at_any_message() -> None:
    """Whichever message or transaction of a change fails, what was there is there again."""
    first, second = network((5, 6), ("accept",)), network((5, 7, 8), ("ip saddr 10.0.0.7 accept",))
    kernel = NetworkKernel()
    kernel.apply(first)
    before = everything(kernel)
    real_send, real_run = Netlink.send, Nft.run
    failing = 0
    while True:
        failing += 1
        count = 0

        def due(goal: int = failing) -> bool:
            nonlocal count
            count += 1
            return count == goal

        def send(self: Netlink, requests: Iterable[object]) -> list[object]:
            if due():
                # Half of them are done.
                asked = list(requests)
                real_send(self, asked[: len(asked) // 2])  # type: ignore[arg-type]
                raise OSError(errno.ENOBUFS, "made to fail")
            return real_send(self, requests)  # type: ignore[arg-type,return-value]

        def run(self: Nft, commands: list[str]) -> str:
            if due():
                raise NftError("made to fail")
            return real_run(self, commands)

        Netlink.send, Nft.run = send, run  # type: ignore[method-assign,assignment]
        try:
            kernel.apply(second)
        except TwinError as error:
            assert "made to fail" in str(error) and "all of it is gone" not in str(error)
        else:
            break
        finally:
            Netlink.send, Nft.run = real_send, real_run  # type: ignore[method-assign]
        same(everything(kernel), before, f"failure {failing}")
    assert failing > 8
    fresh = NetworkKernel()
    fresh.apply(second)
    same(everything(kernel), everything(fresh))


@inside_both_trees
def test_what_cannot_be_restored_is_made_anew() -> None:
    good = network((5, 6))
    kernel = NetworkKernel()
    kernel.apply(good)
    before, was = everything(kernel), {name: os.fstat(kernel.descriptor(name)).st_ino for name in good.namespaces}
    real, failures = Table.restore, [NftError("made to fail")]

    def restore(self: Table, ruleset: Ruleset) -> None:
        if failures:
            raise failures.pop()
        real(self, ruleset)

    Table.restore = restore  # type: ignore[method-assign]
    try:
        with pytest.raises(TwinError, match="no device x"):
            kernel.apply(
                having(network((5, 6), ("drop",)), replace(host("i-6", "10.0.0.6"), addresses=frozenset({Address("x", "10.0.0.7/32")})))
            )
    finally:
        Table.restore = real  # type: ignore[method-assign]
    now = {name: os.fstat(kernel.descriptor(name)).st_ino for name in good.namespaces}
    same(everything(kernel), before)
    assert reaches(kernel, "i-5", "i-6", "10.0.0.6")
    assert {name for name in now if now[name] != was[name]} == {"vpc-1"}


@inside_both_trees
def test_nothing_opens_while_a_router_is_made() -> None:
    """A flood that begins before there is a way finds none that the rules do not allow."""
    base = network((5,), ())
    kernel = NetworkKernel()
    kernel.apply(base)
    client = kernel.socket("i-5", socket.AF_INET, socket.SOCK_DGRAM)
    done = threading.Event()

    def flood() -> None:
        while not done.is_set():
            client.sendto(b"x", ("10.0.0.6", PORT))

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        for _turn in range(10):
            kernel.apply(network((5, 6), ("ip saddr 10.0.0.6 accept",)))
            with inside(kernel.descriptor("i-6")):
                counters = Path("/proc/thread-self/net/snmp").read_text(encoding="ascii")
            words = [line.split() for line in counters.splitlines() if line.startswith("Udp:")]
            datagrams = dict(zip(words[0], words[1], strict=True))
            assert (datagrams["InDatagrams"], datagrams["NoPorts"]) == ("0", "0")
            kernel.apply(base)
    finally:
        done.set()
        thread.join()


@inside_both_trees
def test_sockets_from_many_threads() -> None:
    kernel = NetworkKernel()
    state = network((5, 6, 7))
    kernel.apply(state)
    wrong: list[str] = []
    done = threading.Event()

    def work(name: str, address: str) -> None:
        while not done.is_set():
            with kernel.socket(name, socket.AF_INET, socket.SOCK_DGRAM) as made:
                try:
                    made.bind((address, 0))
                except OSError as error:
                    wrong.append(f"{name}: {error}")

    threads = [threading.Thread(target=work, args=(f"i-{number}", f"10.0.0.{number}")) for number in (5, 6, 5, 6)]
    for thread in threads:
        thread.start()
    for turn in range(40):
        kernel.apply(network((5, 6) if turn % 2 else (5, 6, 7, 8), ("accept",) if turn % 3 else ("drop",)))
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    with pytest.raises(TwinError, match="no namespace i-99"):
        kernel.socket("i-99", socket.AF_INET, socket.SOCK_DGRAM)


@inside_both_trees
def test_nothing_is_left_after_close() -> None:
    """The kernel counts namespaces for the limit of this user namespace: many more are made and closed than it allows at once."""
    kernel = NetworkKernel()
    files = len(os.listdir("/proc/self/fd"))
    Path("/proc/sys/user/max_net_namespaces").write_text("8", encoding="ascii")
    for turn in range(12):
        limit = time.monotonic() + 20
        while True:
            try:
                kernel.apply(network((5, 6, 7)))
                break
            except TwinError as error:
                # The former ones may still be on their way out.
                if "No space left" not in str(error) or time.monotonic() > limit:
                    raise AssertionError(f"turn {turn}: {error}") from error
                time.sleep(0.02)
        kernel.close()
        assert len(os.listdir("/proc/self/fd")) == files
    with pytest.raises(TwinError, match="no namespace vpc-1"):
        kernel.descriptor("vpc-1")


@inside_both_trees
def test_program_serves_where_there_is_no_library() -> None:
    nft._library = lambda: None  # type: ignore[assignment]
    if nft.program() is None:
        return
    kernel = NetworkKernel()
    kernel.apply(network(rules=("ip saddr 10.0.0.5 accept",)))
    assert reaches(kernel, "i-5", "i-6", "10.0.0.6") and not reaches(kernel, "i-6", "i-5", "10.0.0.5")
    before = everything(kernel)
    with pytest.raises(TwinError, match=r"nftables: .* in: add rule inet cloudnet forward ip saddr nonsense"):
        kernel.apply(network(rules=("ip saddr nonsense accept",)))
    same(everything(kernel), before)


def _network_of_the_host() -> tuple[list[str], str, dict[str, str]]:
    settings = {}
    for path in sorted(Path("/proc/sys/net/ipv4").rglob("*")) + sorted(Path("/proc/sys/net/ipv6/conf").rglob("*")):
        # They change by themselves, or cannot be read.
        if path.is_file() and os.access(path, os.R_OK) and path.stat().st_mode & 0o400:
            try:
                settings[str(path)] = path.read_text(encoding="ascii")
            except (OSError, UnicodeDecodeError):
                continue
    listed = ""
    if os.geteuid() == 0 and nft.program():
        listed = subprocess.run([str(nft.program()), "list", "ruleset"], capture_output=True, text=True, check=False).stdout
    return sight(), listed, settings


@pytest.mark.parametrize("rootless", KINDS)
def test_host_is_as_before(rootless: bool) -> None:
    before = _network_of_the_host()
    reading, writing = os.pipe()

    def build() -> None:
        kernel = NetworkKernel()
        kernel.apply(network())
        if not reaches(kernel, "i-5", "i-6", "10.0.0.6"):
            raise AssertionError("no packets")
        made = [f"net:[{os.fstat(kernel.descriptor(name)).st_ino}]" for name in kernel.state.namespaces]
        os.write(writing, " ".join(made).encode())
        # It ends without closing anything.

    said = run_in_tree(build, rootless=rootless)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        made = pipe.read().split()
    assert not said, said
    assert _network_of_the_host() == before
    assert len(made) == 3
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert os.readlink(process / "ns" / "net") not in made
        except OSError:
            continue


@inside_both_trees
def test_nothing_outside_answers_from_inside() -> None:
    """There is no way out of a namespace but by the wires of the state: not even to the loopback of the machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        kernel = NetworkKernel()
        kernel.apply(network())
        for name in ("i-5", "vpc-1"):
            with kernel.socket(name, socket.AF_INET, socket.SOCK_STREAM) as client:
                client.settimeout(2)
                with pytest.raises(OSError):
                    client.connect(("127.0.0.1", port))
        assert not select.select([listener], [], [], 0)[0]


def test_tree_says_what_failed() -> None:
    """The helper of these tests does not hide a failure."""

    def failing() -> None:
        raise ValueError("as meant")

    assert "ValueError: as meant" in run_in_tree(failing)
    assert "did not end in 1 s" in run_in_tree(lambda: time.sleep(60), seconds=1)
    assert "code" in run_in_tree(lambda: os._exit(3))
    assert sys.platform == "linux"
