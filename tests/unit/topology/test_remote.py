# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A remote VPC: what is declared of it is held against its connection, and what is not declared is taken from there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Association,
    Network,
    Peering,
    PeeringSide,
    Route,
    RouteTable,
    Vpc,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.actions import Plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.preflight import preflight
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.resolve import resolved
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import RemoteSpec, Topology

ME, THEM = "111111111111", "222222222222"
APPS, VENDOR, OTHER = "vpc-0123456789abcdef0", "vpc-0123456789abcdef1", "vpc-0123456789abcdef2"
PCX = "pcx-0123456789abcdef0"
WHERE: dict[str, Any] = {"account": ME, "region": "us-east-1"}
TABLE = RouteTable(id="rtb-0123456789abcdef0", vpc=APPS, associations=(Association("a", main=True),), **WHERE)


def topology(remote: dict[str, Any], **peering: Any) -> Topology:
    vpcs = {"apps": {"id": APPS}, "vendor": {"remote": remote}}
    pair = {"between": ["vendor", "apps"], "accept_only": True, "routes": {"apps": ["main"]}, **peering}
    return load({"name": "t", "region": "us-east-1", "vpcs": vpcs, "peerings": [pair]})


def network(
    *blocks: str, status: str = "active", region: str = "us-east-1", accepter: str = APPS, routes: tuple[Route, ...] = (), six: str = ""
) -> Network:
    """Our VPC and a connection that the vendor requested, which tells its blocks."""
    vpc = Vpc(id=APPS, cidrs=("10.82.0.0/16",), ipv6_cidrs=(six,) if six else (), **WHERE)
    four = tuple(block for block in blocks if ":" not in block)
    theirs = PeeringSide(VENDOR, THEM, region, four, tuple(block for block in blocks if ":" in block))
    pcx = Peering(id=PCX, status=status, requester=theirs, accepter=PeeringSide(accepter, ME, "us-east-1", vpc.cidrs), **WHERE)
    complete = frozenset({(ME, "us-east-1", "VpcPeeringConnections"), (ME, "us-east-1", "Vpcs")})
    return Network(vpcs={APPS: vpc}, peerings={PCX: pcx}, route_tables={TABLE.id: replace(TABLE, routes=routes)}, complete=complete)


def check(wish: Topology, there: Network) -> tuple[list[str], list[str]]:
    findings, warnings = preflight(wish, there, {"": ME})
    return [str(finding) for finding in findings], warnings


def routes(todo: Plan) -> list[str]:
    return [str((action.after or action.before or {})["destination"]) for action in todo if action.kind == "route"]


DECLARED = {"owner": THEM, "id": VENDOR, "cidr": "10.83.0.0/16"}
MORE = (
    "vpcs.vendor.remote.cidr: vendor has 100.68.0.0/16 too, says the active connection: nothing is routed there; "
    "add it to `cidr`, or leave it out by the peering's `cidrs: {except: …}`"
)


@pytest.mark.parametrize(
    ("declared", "peering", "blocks", "findings", "warnings"),
    [
        ("10.83.0.0/16", {}, ("10.83.0.0/16",), [], []),
        ("10.83.0.0/16", {}, ("10.83.0.0/16", "100.68.0.0/16"), [], [MORE]),
        (["10.83.0.0/16", "100.68.0.0/16"], {}, ("10.83.0.0/16", "100.68.0.0/16"), [], []),
        ("10.83.0.0/16", {"cidrs": {"only": {"vendor": ["10.83.7.0/24"]}}}, ("10.83.0.0/16", "100.68.0.0/16"), [], []),
        (
            ["10.83.0.0/16", "100.68.0.0/16"],
            {"cidrs": {"except": {"vendor": ["100.68.0.0/16"]}}},
            ("10.83.0.0/16", "100.68.0.0/16"),
            [],
            [],
        ),
        (
            "10.88.0.0/16",
            {},
            ("10.83.0.0/16", "100.68.0.0/16"),
            [
                "vpcs.vendor.remote.cidr: vendor has 10.83.0.0/16 and 100.68.0.0/16, says the active connection, not 10.88.0.0/16: "
                "correct it"
            ],
            [],
        ),
        # A vendor's IPv6 block matters only where our side has one too.
        ("10.83.0.0/16", {}, ("10.83.0.0/16", "2001:db8:1::/56"), [], []),
    ],
)
def test_blocks_against_the_active_connection(
    declared: Any, peering: dict[str, Any], blocks: tuple[str, ...], findings: list[str], warnings: list[str]
) -> None:
    wish = topology({**DECLARED, "cidr": declared}, **peering)
    assert check(wish, network(*blocks)) == (findings, warnings)


def test_an_ipv6_block_that_is_not_declared_where_both_sides_have_one() -> None:
    _findings, warnings = check(topology(DECLARED), network("10.83.0.0/16", "2001:db8:1::/56", six="2001:db8:2::/56"))
    assert warnings == [MORE.replace("100.68.0.0/16", "2001:db8:1::/56")]


def test_a_pending_connection_tells_no_blocks() -> None:
    assert check(topology(DECLARED), network(status="pending-acceptance")) == ([], [])


def test_owner_and_region_against_the_connection() -> None:
    findings, _warnings = check(topology({**DECLARED, "owner": "333333333333"}, id=PCX), network("10.83.0.0/16", region="eu-west-1"))
    assert findings == [
        f"vpcs.vendor.remote.owner: {VENDOR} belongs to account {THEM}, says {PCX}, not 333333333333: correct it",
    ]
    findings, _warnings = check(topology({**DECLARED, "region": "us-east-1"}), network("10.83.0.0/16", region="eu-west-1"))
    assert findings == [f"vpcs.vendor.remote.region: {VENDOR} is in eu-west-1, says {PCX}, not us-east-1: correct it"]


def test_a_request_is_accepted_by_its_id_alone() -> None:
    wish = topology({}, id=PCX)
    pending = network(status="pending-acceptance")
    todo = plan(wish, pending, {"": ME})
    assert [(action.op, action.kind) for action in todo] == [("create", "peering_acceptance")]
    _findings, (warning,) = check(wish, pending)
    assert warning.startswith(f"vpcs.vendor.remote: AWS tells the blocks of vendor once {PCX} is active: ")
    active = network("192.168.248.0/21", region="eu-west-1")
    told = resolved(wish, active, {"": ME}).vpcs["vendor"]
    assert (told.remote, told.region) == (RemoteSpec(THEM, VENDOR, ("192.168.248.0/21",), "eu-west-1"), "eu-west-1")
    todo = plan(wish, active, {"": ME})
    assert routes(todo) == ["192.168.248.0/21"]
    assert not plan(wish, simulate(active, todo), {"": ME}).actions
    assert check(wish, active) == ([], [])


def test_blocks_alone_may_be_left_to_the_connection_that_the_owner_requests() -> None:
    wish = topology({"owner": THEM, "id": VENDOR})
    assert routes(plan(wish, network("10.83.0.0/16", "10.84.0.0/16"), {"": ME})) == ["10.83.0.0/16", "10.84.0.0/16"]


def test_a_narrowed_peering_against_blocks_that_the_connection_tells() -> None:
    wish = topology({}, id=PCX, cidrs={"only": {"vendor": ["10.83.7.0/24", "10.99.0.0/16"]}})
    findings, warnings = check(wish, network("10.83.0.0/16", "100.68.0.0/16"))
    assert findings == ["peerings[0].cidrs.only.vendor: 10.99.0.0/16 is outside the blocks of vpcs.vendor (10.83.0.0/16 and 100.68.0.0/16)"]
    assert warnings == []


def test_an_id_of_a_connection_between_others_tells_nothing() -> None:
    wish, strange = topology({}, id=PCX), network("10.83.0.0/16", accepter=OTHER)
    assert resolved(wish, strange, {"": ME}) is wish
    assert not plan(wish, strange, {"": ME}).actions
    findings, _warnings = check(wish, strange)
    assert findings == [f"peerings[0].id: {PCX} joins {APPS.replace('f0', 'f1')} and {OTHER}, not vendor and apps"]


def test_a_connection_that_is_not_there_is_a_fault_in_an_account_without_any() -> None:
    findings, _warnings = check(topology({}, id=PCX), replace(network(), peerings={}))
    assert findings == [f"peerings[0].id: there is no {PCX}: check the id, account and Region, or leave it out"]


def test_what_is_declared_in_full_is_left_alone() -> None:
    wish = topology(DECLARED)
    assert resolved(wish, network("10.83.0.0/16", "100.68.0.0/16"), {"": ME}) is wish
