# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preflight says of a topology on a network that was observed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws import quotas as live_quotas
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Association,
    Endpoint,
    Network,
    Peering,
    PeeringSide,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Vpc,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.limits import QUOTAS
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.preflight import preflight

ME, OTHER = "111111111111", "222222222222"
LEGACY, BILLING = "vpc-0123456789abcdef0", "vpc-0123456789abcdef1"
WHERE: dict[str, Any] = {"account": ME, "region": "us-east-1"}


def document(**more: Any) -> dict[str, Any]:
    """An adopted VPC joined to one of ours."""
    vpcs = {
        "legacy": {"id": LEGACY, "security_groups": {"web": None}, **more.pop("legacy", {})},
        "dev": {
            "cidr": "10.1.0.0/16",
            "subnets": {"app": {"cidr": "10.1.1.0/24"}},
            "security_groups": {"srv": None},
            **more.pop("dev", {}),
        },
        **more.pop("vpcs", {}),
    }
    peering = {"between": ["dev", "legacy"], "routes": {"legacy": ["main"]}, **more.pop("peering", {})}
    return {"name": "t", "region": "us-east-1", "vpcs": vpcs, "peerings": [peering], **more}


def vpc(**more: Any) -> Vpc:
    return Vpc(**{"id": LEGACY, "cidrs": ("10.0.0.0/16",), "dns_support": True, "dns_hostnames": True, **WHERE, **more})


def table(*routes: Route, **more: Any) -> RouteTable:
    local = Route("10.0.0.0/16", "local", "local", origin="CreateRouteTable")
    main = (Association("rtbassoc-1", main=True),)
    return RouteTable(**{"id": "rtb-0a", "vpc": LEGACY, "routes": (local, *routes), "associations": main, **WHERE, **more})


def network(*items: Any, **more: Any) -> Network:
    found: dict[str, dict[str, Any]] = {}
    kinds = {
        Vpc: "vpcs",
        RouteTable: "route_tables",
        Peering: "peerings",
        SecurityGroup: "security_groups",
        Rule: "rules",
        Endpoint: "endpoints",
    }
    for item in items:
        found.setdefault(kinds[type(item)], {})[item.id] = item
    return Network(**found, **more)  # type: ignore[arg-type]


def peering(number: int, status: str, one: str, other: str, **more: Any) -> Peering:
    sides = {"requester": PeeringSide(one, ME, "us-east-1"), "accepter": PeeringSide(other, ME, "us-east-1")}
    return Peering(**{"id": f"pcx-{number:017x}", "status": status, **sides, **WHERE, **more})


def check(
    document: dict[str, Any], network: Network, quotas: Any = None, identities: dict[str, str] | None = None
) -> tuple[list[str], list[str]]:
    findings, warnings = preflight(load(document), network, identities or {"": ME}, quotas)
    return [str(finding) for finding in findings], warnings


OURS = {"cloudnet:topology": "t", "cloudnet:name": "vpcs.dev"}
DEV = "vpc-0aaaaaaaaaaaaaaaa"
GROUP = SecurityGroup(id="sg-0123456789abcdef0", vpc=LEGACY, group_name="web", **WHERE)


def test_nothing_in_the_way() -> None:
    assert check(document(), network(vpc(), table(), GROUP), {}) == ([], [])


@pytest.mark.parametrize(
    ("told", "seen", "expected"),
    [
        (
            document(),
            network(vpc(id=BILLING)),
            f"vpcs.legacy.id: there is no {LEGACY} in the account ({ME}), us-east-1: check the id, account and Region",
        ),
        (
            document(legacy={"cidr": "10.2.0.0/16"}),
            network(vpc(), table()),
            f"vpcs.legacy.cidr: {LEGACY} has 10.0.0.0/16, not 10.2.0.0/16: an adopted VPC's blocks are only checked; correct or drop them",
        ),
        (
            document(legacy={"ipv6": True}),
            network(vpc(), table()),
            f"vpcs.legacy.ipv6: {LEGACY} has no IPv6 block: an adopted VPC's blocks are only checked; add it there, or drop it here",
        ),
        (
            document(vpcs={"again": {"lookup": {"Name": "legacy"}}}),
            network(vpc(tags={"Name": "legacy"}), table()),
            f"vpcs.again: {LEGACY} is vpcs.legacy already: declare a VPC once",
        ),
        (document(), network(vpc(region="eu-west-1"), table()), f"vpcs.legacy.region: {LEGACY} is in eu-west-1, not us-east-1"),
        (
            document(),
            network(vpc(account=OTHER), table()),
            f"vpcs.legacy: {LEGACY} belongs to account {OTHER} and is only shared with {ME}, which cannot act on its peerings: use "
            "the owner's credentials",
        ),
        (
            document(),
            network(vpc(cidrs=("10.0.0.0/16", "10.1.128.0/20")), table()),
            f"peerings[0]: 10.1.0.0/16 of vpcs.dev overlaps 10.1.128.0/20 of vpcs.legacy ({LEGACY}): AWS refuses the connection, "
            "whatever is routed",
        ),
        (
            document(dev={"ipv6": "2001:db8::/56"}),
            network(vpc(ipv6_cidrs=("2001:db8::/60",)), table()),
            f"peerings[0]: 2001:db8::/56 of vpcs.dev overlaps 2001:db8::/60 of vpcs.legacy ({LEGACY}): AWS refuses the connection, "
            "whatever is routed",
        ),
        (
            document(peering={"dns": True}),
            network(vpc(dns_hostnames=False), table()),
            f"vpcs.legacy: {LEGACY} has DNS hostnames off, which peering DNS (peerings[0]) needs:"
            f" aws ec2 modify-vpc-attribute --vpc-id {LEGACY} --enable-dns-hostnames",
        ),
        (
            document(peering={"routes": {"legacy": ["Privat"]}}),
            network(vpc(), table(tags={"Name": "Private"})),
            f"peerings[0].routes.legacy[0]: {LEGACY} has no route table 'Privat'; did you mean 'Private'?",
        ),
        (
            document(peering={"routes": {"legacy": ["Private"]}}),
            network(vpc(), table(tags={"Name": "Private"}), table(id="rtb-0b", tags={"Name": "Private"}, associations=())),
            "peerings[0].routes.legacy[0]: 'Private' is the Name of rtb-0a and rtb-0b: name the table by its id",
        ),
        (
            document(legacy={"security_groups": {"wbe": None}}),
            network(vpc(), table(), GROUP),
            f"vpcs.legacy.security_groups.wbe: {LEGACY} has no security group 'wbe'; did you mean 'web'?",
        ),
        (
            document(dev={"security_groups": {"srv": {"rules": [{"from": "sg-0fedcba9876543210", "tcp": 22}]}}}),
            network(vpc(), table(), SecurityGroup(id="sg-0fedcba9876543210", vpc="vpc-1", group_name="x", account=ME, region="eu-west-1")),
            "vpcs.dev.security_groups.srv.rules[0]: sg-0fedcba9876543210 is in eu-west-1, vpcs.dev in us-east-1:"
            " a rule cannot name a group of another Region",
        ),
        (
            document(peering={"id": "pcx-0123456789abcdef0"}),
            network(vpc(), table(), peering(1, "active", "vpc-8", "vpc-9")),
            "peerings[0].id: there is no pcx-0123456789abcdef0: check the id, account and Region, or leave it out",
        ),
        (
            document(peering={"id": "pcx-00000000000000001"}),
            network(vpc(), table(), peering(1, "active", "vpc-8", "vpc-9")),
            "peerings[0].id: pcx-00000000000000001 joins vpc-8 and vpc-9, not dev and legacy",
        ),
        (
            document(peering={"id": "pcx-00000000000000001"}),
            network(vpc(), table(), vpc(id=DEV, cidrs=("10.1.0.0/16",), tags=OURS), peering(1, "rejected", DEV, LEGACY)),
            "peerings[0].id: pcx-00000000000000001 is rejected and cannot come alive again: leave `id` out, and a new one is made",
        ),
        (
            document(dev={"cidr": ["10.1.0.0/16", "10.7.0.0/16"]}),
            network(
                vpc(),
                table(),
                vpc(id=DEV, cidrs=("10.1.0.0/16",), tags=OURS),
                table(Route("10.7.3.0/24", "transit_gateway", "tgw-1"), id="rtb-0d", vpc=DEV),
            ),
            f"vpcs.dev.cidr: 10.7.0.0/16 cannot be added to {DEV}: rtb-0d has a route to 10.7.3.0/24, to tgw-1",
        ),
    ],
)
def test_finding(told: dict[str, Any], seen: Network, expected: str) -> None:
    assert check(told, seen)[0] == [expected]


def test_lookup_finds_several_or_none() -> None:
    told = document(legacy={"id": None, "lookup": {"Name": "old"}})
    del told["vpcs"]["legacy"]["id"]
    twice = network(vpc(tags={"Name": "old"}), vpc(id=BILLING, tags={"Name": "old"}))
    several = f"vpcs.legacy.lookup: old ({LEGACY}) and old ({BILLING}) all carry these tags: add a tag, or name one by `id`"
    assert several in check(told, twice)[0]
    assert check(told, network(vpc()))[0] == [
        f"vpcs.legacy.lookup: there is no VPC with Name=old in the account ({ME}), us-east-1: check the id, account and Region"
    ]


def test_what_was_not_read_is_not_missing() -> None:
    assert check(document(), Network(complete=frozenset({(ME, "us-east-1", "Subnets")})))[0] == []
    assert len(check(document(), Network(complete=frozenset({(ME, "us-east-1", "Vpcs")})))[0]) == 1


def test_wrong_account() -> None:
    told = document(accounts={"a": {"id": OTHER}})
    assert check(told, network(vpc(), table(), GROUP), identities={"": ME, "a": ME})[0] == [
        f"accounts.a.id: the credentials are of account {ME}, not {OTHER}: check the profile or role"
    ]


def test_connections_of_others_and_dead_ones_are_told() -> None:
    there = vpc(id=DEV, cidrs=("10.1.0.0/16",), tags=OURS)
    alive = network(vpc(), table(), there, peering(7, "active", LEGACY, DEV))
    assert check(document(), alive) == (
        [],
        ["peerings[0]: pcx-00000000000000007 (active) joins dev and legacy already, made by others: it is used, and left at teardown"],
    )
    dead = network(
        vpc(), table(), there, *(peering(number, status, DEV, LEGACY) for number, status in enumerate(("failed", "expired", "deleted")))
    )
    assert check(document(), dead) == (
        [],
        [
            "peerings[0]: an earlier request between dev and legacy came to nothing:"
            " pcx-00000000000000000 (failed) and pcx-00000000000000001 (expired); a new one is made"
        ],
    )


def _connections(count: int) -> list[Peering]:
    return [peering(number, "active", LEGACY, f"vpc-{number:08x}") for number in range(count)]


@pytest.mark.parametrize(
    ("count", "quotas", "fails"), [(49, {}, False), (50, {}, True), (50, {"peerings_active": 125}, False), (50, None, False)]
)
def test_quota_of_connections(count: int, quotas: dict[str, int] | None, fails: bool) -> None:
    found, _other = check(document(), network(vpc(), table(), GROUP, *_connections(count)), quotas)
    text = "vpcs.legacy: would have 51 peering connections, and the quota is 50: join fewer VPCs, or ask AWS for more (Service Quotas)"
    assert found == ([text] if fails else [])


def test_quotas_of_each_place() -> None:
    seen = network(vpc(), table(), GROUP, *_connections(50))
    assert check(document(), seen, {(ME, "us-east-1"): {"peerings_active": 60}, (OTHER, "us-east-1"): {"peerings_active": 1}})[0] == []
    assert len(check(document(), seen, {(ME, "us-east-1"): {"peerings_active": 50}})[0]) == 1


def test_quotas_of_routes_rules_and_requests() -> None:
    rules = [Rule(id=f"sgr-{number}", group=GROUP.id, egress=False, protocol="tcp", cidr="10.0.0.0/8", **WHERE) for number in range(60)]
    routes = [Route(f"172.16.{number}.0/24", "transit_gateway", "tgw-1") for number in range(250)]
    told = document(allow=[{"from": "dev.srv", "to": "legacy.web", "tcp": 443}])
    found, _other = check(told, network(vpc(), table(*routes), GROUP, *rules), {"routes_per_table": 250})
    assert found == [
        "peerings[0].routes.legacy[0]: would have 251 IPv4 routes, and the quota is 250: use other tables, or larger blocks,"
        " or ask AWS for more (Service Quotas)",
        "vpcs.legacy.security_groups.web: would have 61 inbound IPv4 rules, and the quota is 60: merge ports or sources, or use "
        "another group,"
        " or ask AWS for more (Service Quotas)",
    ]
    partners = {
        f"p{number}": {"remote": {"owner": OTHER, "id": f"vpc-{number:017x}", "cidr": f"10.{number + 10}.0.0/16"}} for number in range(26)
    }
    told = document(vpcs=partners)
    told["peerings"].append({"hub": "dev", "spokes": list(partners)})
    assert check(told, network(vpc(), table(), GROUP), {})[0] == [
        f"vpcs.legacy: would have 26 unaccepted peering requests in {ME}, us-east-1, and the quota is 25: have some accepted first,"
        " or ask AWS for more (Service Quotas)"
    ]


def test_defaults_are_those_of_the_reader() -> None:
    assert {name: live_quotas.DEFAULTS[name] for name in QUOTAS} == dict(QUOTAS)
