# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks by which reach and the kernel are compared hold every kind of end, and all that stands above rules."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network

from tests.support.wild_networks import wild
from tests.support.wild_questions import Questions

SEEDS = range(60)


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    return [wild(seed) for seed in SEEDS]


def test_the_same_seed_is_the_same_network() -> None:
    assert wild(7) == wild(7) != wild(8)


def test_every_kind_of_interface_is_there(networks: list[Network]) -> None:
    enis = [item for network in networks for item in network.interfaces.values()]
    types = Counter(item.type for item in enis)
    for name in (
        "interface",
        "lambda",
        "network_load_balancer",
        "vpc_endpoint",
        "gateway_load_balancer_endpoint",
        "nat_gateway",
        "transit_gateway",
    ):
        assert types[name] >= 10, name
    balancers = [bool(item.groups) for item in enis if item.type == "network_load_balancer"]
    assert {True, False} == set(balancers)
    assert {item.status for item in enis} == {"in-use", "available"}
    assert any(item.ipv4_prefixes for item in enis)
    assert any(item.ipv6_prefixes for item in enis)
    assert any(item.deny_igw for item in enis)
    assert {item.connectivity for network in networks for item in network.nat_gateways.values()} == {"public", "private"}
    states = {item.state for network in networks for item in network.instances.values()}
    assert states == {"running", "stopped", "stopping", "shutting-down", "terminated"}


def test_every_kind_of_endpoint_is_there(networks: list[Network]) -> None:
    endpoints = [(item.type, item.state == "available") for network in networks for item in network.endpoints.values()]
    assert set(endpoints) == {(kind, state) for kind in ("Interface", "Gateway", "GatewayLoadBalancer") for state in (True, False)}
    for network in networks:
        for table in network.route_tables.values():
            for route in table.routes:
                if route.via == "endpoint":
                    assert network.endpoints[route.target].type == "Gateway"
    routed = [
        network.prefix_lists.get(route.destination)
        for network in networks
        for table in network.route_tables.values()
        for route in table.routes
        if route.via == "endpoint"
    ]
    assert {None if item is None else bool(item.entries) for item in routed} == {None, True, False}


def test_routes_lead_out_of_what_was_read_and_come_twice(networks: list[Network]) -> None:
    tables = [table for network in networks for table in network.route_tables.values()]
    away = {(route.via, route.destination) for table in tables for route in table.routes if route.via in ("vpn", "transit_gateway")}
    for via in ("vpn", "transit_gateway"):
        assert {(via, "10.99.0.0/16"), (via, "203.0.113.0/24"), (via, "198.51.100.0/24")} <= away
    twice = 0
    for table in tables:
        static = {route.destination for route in table.routes if not route.propagated}
        twice += any(route.destination in static for route in table.routes if route.propagated)
    assert twice >= 5
    attachments = {item.type for network in networks for item in network.transit_attachments.values()}
    assert {"vpc", "vpn", "direct-connect-gateway"} <= attachments


def test_groups_admit_nobody_and_belong_to_other_vpcs(networks: list[Network]) -> None:
    closed = [
        group
        for network in networks
        for group in network.security_groups
        if not any(not rule.egress for rule in network.rules_of.get(group, ()))
    ]
    assert len(closed) >= 5
    guests = [
        item
        for network in networks
        for item in network.interfaces.values()
        for group in item.groups
        if network.security_groups[group].vpc != item.vpc
    ]
    assert len(guests) >= 5


def test_what_stands_above_rules_is_there(networks: list[Network]) -> None:
    modes = {item.mode for network in networks for item in network.public_access.values()}
    assert modes == {"off", "block-bidirectional", "block-ingress"}
    exclusions = {
        (item.resource.partition("-")[0], item.mode) for network in networks for item in network.public_access_exclusions.values()
    }
    assert exclusions == {(kind, mode) for kind in ("vpc", "subnet") for mode in ("allow-bidirectional", "allow-egress")}
    controls = [item for network in networks for item in network.encryption_controls.values()]
    assert {item.mode for item in controls} == {"monitor", "enforce"}
    assert {item.exclusions["VpcPeering"] for item in controls if item.mode == "enforce"} == {"enabled", "disabled"}


def test_every_kind_of_question_is_asked(networks: list[Network]) -> None:
    asked: Counter[str] = Counter()
    for seed, network in zip(SEEDS, networks, strict=True):
        cases = Questions(network, random.Random(seed)).draw(60)
        asked.update(case.kind for case in cases)
    assert len(asked) == 14
    assert min(asked.values()) >= 30
