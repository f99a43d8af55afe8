# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A compilation with a memory is the same as one without, and touches only what a change concerns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import Memo, compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import KernelState

from tests.support.twin_cases import CASES, internet, peering, tables, transit
from tests.support.twin_networks import Builder


def renewed(before: KernelState, after: KernelState) -> set[str]:
    """Namespaces that are not the very same objects as before, and those that came or went."""
    names = before.namespaces.keys() | after.namespaces.keys()
    return {name for name in names if before.namespaces.get(name) is not after.namespaces.get(name)}


@pytest.mark.parametrize("name", CASES)
def test_an_equal_network_keeps_everything(name: str) -> None:
    (made, live), (again, _live) = CASES[name](), CASES[name]()
    memo = Memo()
    first = compile_network(made.network(), live, memo)
    second = compile_network(again.network(), live, memo)
    assert renewed(first, second) == set()
    assert first == second == compile_network(made.network(), live)


def one_rule(made: Builder) -> None:
    made.rule("sg-a", protocol="tcp", from_port=80, to_port=80, cidr="192.0.2.0/24")


def one_route(made: Builder) -> None:
    table = made.fields["route_tables"]["rtb-a"]
    made.put("route_tables", replace(table, routes=table.routes[:-1]))


def a_peering_ends(made: Builder) -> None:
    made.put("peerings", replace(made.fields["peerings"]["pcx-ab"], status="deleted"))


def an_instance_stops(made: Builder) -> None:
    made.state("i-b2", "stopped")


def a_live_one_stops(made: Builder) -> None:
    made.state("i-c1", "stopped")


def a_reference(made: Builder) -> None:
    made.rule("sg-b", protocol="tcp", from_port=80, to_port=80, source_group="sg-c", peering="pcx-bc")


CHANGES: list[tuple[Callable[[Builder], None], set[str]]] = [
    (one_rule, {"vpc-a"}),
    (one_route, {"vpc-a"}),
    (a_peering_ends, {"vpc-a", "vpc-b"}),
    (an_instance_stops, {"vpc-b", "park:vpc-b"}),
    # With nothing that answers the router goes, and the peering's wire with it.
    (a_live_one_stops, {"vpc-b", "vpc-c", "i-c1"}),
    (a_reference, {"vpc-b"}),
]


@pytest.mark.parametrize(("change", "concerned"), CHANGES, ids=[change.__name__ for change, _concerned in CHANGES])
def test_a_change_touches_what_it_concerns(change: Callable[[Builder], None], concerned: set[str]) -> None:
    made, live = peering()
    memo = Memo()
    before = compile_network(made.network(), live, memo)
    change(made)
    after = compile_network(made.network(), live, memo)
    assert renewed(before, after) == concerned
    assert after == compile_network(made.network(), live)


def test_members_of_a_referenced_group_concern_those_who_refer_to_it() -> None:
    made, live = peering()
    a_reference(made)
    memo = Memo()
    before = compile_network(made.network(), live, memo)
    made.host("i-c9", "subnet-c1", "10.2.1.9")
    after = compile_network(made.network(), live, memo)
    assert renewed(before, after) == {"vpc-b", "vpc-c", "park:vpc-c"}


def test_waking_moves_an_address() -> None:
    made, live = peering()
    memo = Memo()
    before = compile_network(made.network(), live, memo)
    after = compile_network(made.network(), live | {"i-b2"}, memo)
    assert renewed(before, after) == {"vpc-b", "park:vpc-b", "i-b2"}
    assert "park:vpc-b" not in after.namespaces
    assert compile_network(made.network(), live, memo) == before


def test_an_address_that_goes_public() -> None:
    made, live = internet()
    memo = Memo()
    before = compile_network(made.network(), live, memo)
    eni = made.fields["interfaces"]["eni-plain"]
    made.put("interfaces", replace(eni, public_ips={"10.0.1.7": "198.18.0.7"}))
    after = compile_network(made.network(), live, memo)
    # Routers know nothing of public addresses.
    assert renewed(before, after) == {"igw-a", "internet"}


def test_one_transit_route() -> None:
    made, live = transit()
    memo = Memo()
    before = compile_network(made.network(), live, memo)
    made.transit_table("tgw-rtb-2", "tgw-1", {"10.1.0.0/16": "tgw-attach-b"}, ("tgw-attach-a",))
    assert renewed(before, compile_network(made.network(), live, memo)) == {"tgw-1"}


def test_what_a_memo_held_of_another_network_does_not_show() -> None:
    memo = Memo()
    for case in (peering, internet, tables, transit, peering):
        made, live = case()
        assert compile_network(made.network(), live, memo) == compile_network(made.network(), live)
