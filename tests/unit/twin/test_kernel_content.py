# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two states, and in which order the kernel is told: without a kernel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel import content, netlink
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.content import Devices
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.netlink import Request
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import (
    HOST,
    MAIN,
    ROUTER,
    Address,
    KernelState,
    Namespace,
    Neighbour,
    Route,
    Rule,
    Wire,
    WireEnd,
)

DEVICES = Devices({"lo": 1, "e5": 7})
OLD = Namespace("vpc-1", ROUTER, routes=frozenset({Route(MAIN, "10.0.0.5/32", device="e5")}))
FULL = replace(
    OLD,
    addresses=frozenset({Address("lo", "10.0.0.1/32"), Address("lo", "fd00::1/128")}),
    routes=OLD.routes | {Route(MAIN, "::/0", "blackhole"), Route(9, "10.9.0.0/16", device="e5", via="169.254.0.1")},
    rules=frozenset({Rule(4, 100, 9, 9), Rule(6, 100, 9)}),
    neighbours=frozenset({Neighbour("e5", "10.0.0.5", "02:00:00:00:00:05"), Neighbour("e5", "fd00::5", "02:00:00:00:00:05")}),
)
NAMES = {"vpc-1": OLD, "i-5": Namespace("i-5", HOST), "i-6": Namespace("i-6", HOST)}


def told(requests: list[Request]) -> list[tuple[int, str]]:
    return [(request.kind, netlink.describe(request.about)) for request in requests]


def wire(name: str = "i-5", device: str = "e5", group: int = 0, mtu: int = 9001) -> Wire:
    return Wire(WireEnd("vpc-1", device, "02:00:00:00:00:01", group), WireEnd(name, "eth0", "02:00:00:00:00:05"), mtu)


def state(*wires: Wire) -> KernelState:
    return KernelState(NAMES, frozenset(wires))


def test_wires_by_their_ends() -> None:
    """A wire is the same whichever end is called left; what of it differs is changed in place."""
    one = wire()
    flipped = Wire(one.right, one.left, one.mtu)
    assert content.wires(state(one), state(flipped)) == content.Wires()
    found = content.wires(state(one), state(replace(flipped, mtu=1500)))
    assert not found.gone and not found.come
    assert list(found.changed.values()) == [(content.turned(one), replace(content.turned(one), mtu=1500))]
    moved = content.wires(state(one), state(wire("i-6")))
    assert [each.left.namespace for each in moved.gone.values()] == ["i-5"]
    assert [each.left.namespace for each in moved.come.values()] == ["i-6"]


WRONG = {
    "there is no namespace i-9": (wire("i-9"),),
    "no device can have the name": (wire(device="a-name-of-16-char"),),
    "no device can have the name 'lo'": (wire(device="lo"),),
    "two wires end at device e5 of vpc-1": (wire(), wire("i-6")),
}


@pytest.mark.parametrize("message", WRONG)
def test_wires_that_cannot_be(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        content.wires(state(), state(*WRONG[message]))


def test_two_routes_in_one_place() -> None:
    twice = replace(OLD, routes=OLD.routes | {Route(MAIN, "10.0.0.5/32", "blackhole")})
    with pytest.raises(ValueError, match=r"two routes to 10\.0\.0\.5/32 in table 254 of vpc-1"):
        content.routes(twice)


def test_a_new_namespace_is_told_in_order() -> None:
    """Devices, then addresses, then what leads through them; a router's new devices are up already."""
    assert told(content.opening(None, FULL, replace(DEVICES, fresh={"e5"}))) == [
        (19, "device lo"),
        (18, "device e5"),
        (20, "address 10.0.0.1/32 on lo"),
        (20, "address fd00::1/128 on lo"),
        (28, "neighbour 10.0.0.5 on e5"),
        (28, "neighbour fd00::5 on e5"),
        (24, "unicast route 10.9.0.0/16 via 169.254.0.1 dev e5 in table 9"),
        (24, "unicast route 10.0.0.5/32 dev e5 in table 254"),
        (24, "blackhole route ::/0 in table 254"),
        (32, "IPv4 rule 100 for mark 9 to table 9"),
        (32, "IPv6 rule 100 to table 9"),
    ]
    assert told(content.opening(None, replace(FULL, profile=HOST), replace(DEVICES, fresh={"e5"})))[1] == (19, "device e5")


def test_a_device_made_anew_has_lost_all() -> None:
    again = told(content.opening(FULL, FULL, replace(DEVICES, fresh={"e5"})))
    assert again == [
        (18, "device e5"),
        (28, "neighbour 10.0.0.5 on e5"),
        (28, "neighbour fd00::5 on e5"),
        (24, "unicast route 10.9.0.0/16 via 169.254.0.1 dev e5 in table 9"),
        (24, "unicast route 10.0.0.5/32 dev e5 in table 254"),
    ]
    assert told(content.opening(FULL, FULL, DEVICES)) == []
    assert told(content.opening(FULL, FULL, replace(DEVICES, renamed={"e5"}))) == again[1:3]


def test_an_mtu_is_carried_over_to_routes_of_ipv6() -> None:
    limited = replace(
        FULL, routes=frozenset({Route(9, "fd00:9::/64", device="e5", mtu=1400), Route(9, "10.9.0.0/16", device="e5", mtu=1400)})
    )
    assert told(content.opening(limited, limited, replace(DEVICES, resized={"e5"}))) == [
        (24, "unicast route fd00:9::/64 dev e5 in table 9")
    ]


def test_ways_go_before_and_barriers_after() -> None:
    bare = Namespace("vpc-1", ROUTER)
    assert told(content.closing(FULL, bare)) == [
        (25, "unicast route 10.9.0.0/16 via 169.254.0.1 dev e5 in table 9"),
        (25, "unicast route 10.0.0.5/32 dev e5 in table 254"),
    ]
    assert told(content.ending(FULL, bare, DEVICES)) == [
        (33, "IPv4 rule 100 for mark 9 to table 9"),
        (33, "IPv6 rule 100 to table 9"),
        (25, "blackhole route ::/0 in table 254"),
        (29, "neighbour 10.0.0.5 on e5"),
        (29, "neighbour fd00::5 on e5"),
        (21, "address 10.0.0.1/32 on lo"),
        (21, "address fd00::1/128 on lo"),
    ]
    # What was on a device went with it.
    assert (29, "neighbour 10.0.0.5 on e5") not in told(content.ending(FULL, bare, Devices({"lo": 1})))


def test_what_is_replaced_is_not_taken_away_before() -> None:
    other = replace(OLD, routes=frozenset({Route(MAIN, "10.0.0.5/32", device="lo")}))
    assert content.closing(OLD, other) == [] and content.ending(OLD, other, DEVICES) == []
    assert told(content.opening(OLD, other, DEVICES)) == [(24, "unicast route 10.0.0.5/32 dev lo in table 254")]


def test_another_prefix() -> None:
    """IPv4 may have an address with two prefixes for a moment; IPv6 knows it once, so that it goes before."""
    four = (
        replace(OLD, addresses=frozenset({Address("e5", "10.0.0.5/24")})),
        replace(OLD, addresses=frozenset({Address("e5", "10.0.0.5/16")})),
    )
    assert told(content.opening(*four, DEVICES)) == [(20, "address 10.0.0.5/16 on e5")]
    assert told(content.ending(*four, DEVICES)) == [(21, "address 10.0.0.5/24 on e5")]
    six = (
        replace(OLD, addresses=frozenset({Address("e5", "fd00::5/64")})),
        replace(OLD, addresses=frozenset({Address("e5", "fd00::5/128")})),
    )
    assert told(content.opening(*six, DEVICES)) == [(21, "address fd00::5/64 on e5"), (20, "address fd00::5/128 on e5")]
    assert content.ending(*six, DEVICES) == []


def test_routes_that_prefer_a_source_that_moves_are_told_again() -> None:
    """With the address the kernel drops them, even when another device has it by then."""
    route = Route(MAIN, "0.0.0.0/0", device="e5", via="169.254.0.1", source="10.0.0.5")
    old = replace(OLD, addresses=frozenset({Address("lo", "10.0.0.5/32")}), routes=frozenset({route}))
    new = replace(old, addresses=frozenset({Address("e5", "10.0.0.5/24")}))
    assert told(content.ending(old, new, DEVICES)) == [
        (21, "address 10.0.0.5/32 on lo"),
        (24, "unicast route 0.0.0.0/0 via 169.254.0.1 dev e5 in table 254"),
    ]


def test_without_ipv6() -> None:
    full = replace(
        FULL,
        routes=FULL.routes | {Route(MAIN, "10.8.0.0/16", device="e5", via="fe80::1")},
        sysctls={"ipv4/ip_default_ttl": "64", "ipv6/conf/all/forwarding": "1"},
    )
    four = content.only_ipv4(full)
    assert told(content.opening(None, four, DEVICES)) == [
        (19, "device lo"),
        (20, "address 10.0.0.1/32 on lo"),
        (28, "neighbour 10.0.0.5 on e5"),
        (24, "unicast route 10.9.0.0/16 via 169.254.0.1 dev e5 in table 9"),
        (24, "unicast route 10.0.0.5/32 dev e5 in table 254"),
        (32, "IPv4 rule 100 for mark 9 to table 9"),
    ]
    assert four.sysctls == {"ipv4/ip_default_ttl": "64"}


def test_what_can_never_be_asked_for() -> None:
    wrong = replace(
        FULL,
        addresses=FULL.addresses | {Address("lo", "10.0.0.999/32")},
        routes=FULL.routes
        | {Route(MAIN, "10.0.0.0/99", "throw"), Route(MAIN, "10.3.0.0/16", "nonsense"), Route(-1, "10.4.0.0/16", "throw")},
        rules=FULL.rules | {Rule(4, -5, 9)},
        neighbours=FULL.neighbours | {Neighbour("e5", "10.0.0.6", "nonsense")},
    )
    assert content.sound(wrong) == FULL
    with pytest.raises(ValueError, match="there is no device e6"):
        content.opening(None, replace(FULL, neighbours=frozenset({Neighbour("e6", "10.0.0.6", "02:00:00:00:00:06")})), DEVICES)
