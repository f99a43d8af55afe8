# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a topology's names mean as ends of a path, what a plan opens and closes between them, and whether expectations hold."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Instance, Interface, Network, PrefixList, Route, Vpc
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import ids_after, simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils.connectivity import (
    Query,
    accounts_in,
    answer,
    check,
    matrix_text,
    named_matrix,
    queries,
    questions,
    world_of,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils.ends import World
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.evidence import ALWAYS, missing
from ansible_collections.cloudnet.vpc.plugins.module_utils.openings import changes
from ansible_collections.cloudnet.vpc.plugins.module_utils.render import connectivity_lines, expect_failure, expect_table

FINANCE = Path(__file__).parents[2] / "docs" / "examples" / "finance_hub.yml"
ACCOUNTS = {"": "111111111111"}

PAIR: dict[str, Any] = {
    "name": "pair",
    "region": "us-east-1",
    "vpcs": {
        "a": {
            "cidr": "10.0.0.0/16",
            "subnets": {"app": {"cidr": "10.0.1.0/24", "az": "a"}, "far": {"cidr": "10.0.2.0/24", "az": "b", "table": "far"}},
            "route_tables": {"far": {}},
            "security_groups": {"web": {}},
        },
        "b": {"cidr": "10.1.0.0/16", "subnets": {"db": {"cidr": "10.1.1.0/24", "az": "a"}}, "security_groups": {"sql": {}}},
    },
    "peerings": [{"between": ["a", "b"]}],
    "allow": [{"from": "a.web", "to": "b.sql", "tcp": ["80-90", 85]}],
}


def pair(**changed: Any) -> dict[str, Any]:
    return {**copy.deepcopy(PAIR), **changed}


def stage(document: Any, through: str = "all", start: Network | None = None) -> tuple[dict[str, Any], World]:
    """What a plan from nothing (or ``start``) changes, and the world after it."""
    topology = load(document)
    before = start or Network()
    todo = plan(topology, before, ACCOUNTS, through=through)
    after, ids = simulate(before, todo), ids_after(before, todo)
    return changes(topology, before, after, todo.ids, ids), World(topology, after, ids)


def opens(told: dict[str, Any], key: str = "opened") -> list[str]:
    return [f"{row['from']} -> {row['to']} {row['traffic']}" for row in told[key] if "internet" not in (row["from"], row["to"])]


@pytest.mark.parametrize(
    ("through", "codes"),
    [
        ("vpcs", ["DISCONNECTED_VPCS", "SG_HAS_NO_RULES"]),
        ("peerings", ["NO_ROUTE_TO_DESTINATION", "SG_HAS_NO_RULES", "NO_ROUTE_TO_DESTINATION"]),
        ("routes", ["SG_HAS_NO_RULES"]),
        ("rules", []),
    ],
)
def test_the_finance_hub_step_by_step(through: str, codes: list[str]) -> None:
    told, _world = stage(FINANCE, through)
    https, transitive = told["expect"]
    assert [item["code"] for item in https["blockers"]] == codes
    assert (https["found"], https["ok"]) == (("reachable", True) if not codes else ("blocked", False))
    assert (transitive["found"], transitive["ok"]) == ("blocked", True)
    assert [item["code"] for item in transitive["blockers"]][:1] == ["DISCONNECTED_VPCS"]
    wanted = ["marketing.web -> finance.db tcp 443", "marketing.web -> finance.db tcp 3306", "marketing.web -> finance.db icmp"]
    assert opens(told) == ([] if codes else wanted)


def test_what_fails_is_told_with_what_would_open_it() -> None:
    told, _world = stage(FINANCE, "routes")
    (row, _other) = told["expect"]
    assert expect_failure(row) == (
        "expect[0]: marketing.app -> finance.financeserver tcp 443 is to be reachable, and is blocked: SG_HAS_NO_RULES: finance.db "
        "(inbound) for tcp 443 from 10.0.1.10: no inbound rules at all; to open it: allow: {from: marketing.web, to: finance.db, tcp: 443} "
        "(an inbound rule of finance.db)"
    )
    assert f"expect fails: {expect_failure(row)}" in connectivity_lines(told)
    assert [line.split()[0] for line in expect_table(told["expect"]).splitlines()] == ["FROM", "FAIL", "ok"]


def test_a_removal_closes_what_it_opened() -> None:
    _told, world = stage(PAIR)
    told, after = stage(pair(allow=[]), start=world.network)
    assert opens(told, "closed") == ["a.web -> b.sql tcp 80-90"]
    assert told["opened"] == [] and told["unknown"] == []
    told, after = stage(pair(allow=[{"from": "a.web", "to": "b.sql", "tcp": "86-95"}]), start=world.network)
    assert opens(told, "closed") == ["a.web -> b.sql tcp 80-85"] and opens(told) == ["a.web -> b.sql tcp 91-95"]
    told, after = stage(pair(allow=[], expect=[{"from": "a.app", "to": "b.db", "tcp": 85, "reachable": False}]), start=world.network)
    assert opens(told, "closed") == ["a.web -> b.sql tcp 80-90"]
    assert [row["ok"] for row in told["expect"]] == [True]
    topology = load(PAIR)
    gone = plan(topology, world.network, ACCOUNTS, absent=True)
    told = changes(topology, world.network, simulate(world.network, gone), gone.ids, ids_after(world.network, gone), expects=False)
    assert opens(told, "closed") == ["a.web -> b.sql tcp 80-90"]
    assert told["expect"] == [] and after.ids


def test_subnets_that_differ_are_told_apart() -> None:
    narrow = pair(peerings=[{"between": ["a", "b"], "routes": {"a": ["private"], "b": ["private"]}}])
    told, world = stage(narrow)
    assert opens(told) == ["a.web in app -> b.sql tcp 80-90"]
    assert named_matrix(world).names == ("a.web in app", "a.web in far", "b.sql")
    told, world = stage(PAIR)
    assert opens(told) == ["a.web -> b.sql tcp 80-90"]
    assert named_matrix(world).names == ("a.web", "b.sql")


#: Subnet, group and instance of each VPC share a name; a group and a subnet of one share it with nobody's instance.
SAME: dict[str, Any] = {
    "name": "same-names",
    "region": "us-east-1",
    "vpcs": {
        "web": {
            "cidr": "10.0.0.0/16",
            "subnets": {"app": {"cidr": "10.0.1.0/24", "az": "a"}, "far": {"cidr": "10.0.2.0/24", "az": "b", "table": "far"}},
            "route_tables": {"far": {}},
            "security_groups": {"app": {}, "far": {}},
            "instances": {"app": {"subnet": "app", "security_groups": ["app"]}},
        },
        "data": {
            "cidr": "10.1.0.0/16",
            "subnets": {"db": {"cidr": "10.1.1.0/24", "az": "a"}},
            "security_groups": {"db": {}},
            "instances": {"db": {"subnet": "db", "security_groups": ["db"]}},
        },
    },
    "peerings": [{"between": ["web", "data"], "routes": {"web": ["private"], "data": ["private"]}}],
    "allow": [{"from": "group:web.app", "to": "group:data.db", "tcp": 5432}],
    "expect": [
        {"from": "instance:web.app", "to": "instance:data.db", "tcp": 5432},
        {"from": "subnet:web.app", "to": "subnet:data.db", "tcp": 5432},
        {"from": "web.far", "to": "subnet:data.db", "tcp": 5432, "reachable": False},
    ],
}


HUB: dict[str, Any] = {
    "name": "hub",
    "region": "us-east-1",
    "vpcs": {
        "hub": {
            "cidr": "10.70.0.0/16",
            "subnets": {"run": {"cidr": "10.70.1.0/24", "az": "a"}},
            "security_groups": {"db": {"rules": [{"from": "10.71.0.0/16", "tcp": 5432}]}},
        },
        "eks": {
            "cidr": ["10.71.0.0/16", "100.65.0.0/16"],
            "subnets": {"node": {"cidr": "10.71.1.0/24", "az": "a"}, "pod": {"cidr": "100.65.0.0/18", "az": "a"}},
            "security_groups": {"work": {}},
        },
    },
    "peerings": [{"between": ["hub", "eks"]}],
}


def test_subnets_of_different_blocks_of_a_vpc_are_different_ends() -> None:
    told, world = stage(HUB)
    assert opens(told) == ["eks.work in node -> hub.db tcp 5432"]
    assert named_matrix(world).names == ("hub.db", "eks.work in node", "eks.work in pod")
    # A block that is not routed to tells them apart as well as one that no rule lets in.
    open_to_all = copy.deepcopy(HUB)
    open_to_all["vpcs"]["hub"]["security_groups"]["db"]["rules"] = [{"from": "eks", "tcp": 5432}]
    open_to_all["peerings"][0]["cidrs"] = {"except": {"eks": ["100.65.0.0/16"]}}
    assert opens(stage(open_to_all)[0]) == ["eks.work in node -> hub.db tcp 5432"]
    del open_to_all["peerings"][0]["cidrs"]
    assert opens(stage(open_to_all)[0]) == ["eks.work -> hub.db tcp 5432"]


def bastion(*sources: str, **vpc: Any) -> dict[str, Any]:
    """A VPC with a group that lets ssh in, in a public subnet."""
    subnets = {"edge": {"cidr": "10.0.1.0/24", "az": "a", "public": True}}
    rules = [{"from": source, "tcp": 22} for source in sources]
    hub = {"cidr": "10.0.0.0/16", "subnets": subnets, "security_groups": {"ssh": {"rules": rules}}}
    lists = {"offices": ["198.51.100.0/24", "9.0.0.0/8"]}
    return {"name": "b", "region": "us-east-1", "prefix_lists": lists, "vpcs": {"hub": {**hub, **vpc}}}


@pytest.mark.parametrize(
    ("sources", "lines"),
    [
        (["8.0.0.0/7"], ["opens: 8.0.0.0/7 -> hub.ssh tcp 22"]),
        (["198.51.100.7/32"], ["opens: 198.51.100.7/32 -> hub.ssh tcp 22"]),
        (["8.0.0.0/7", "8.8.8.0/24"], ["opens: 8.0.0.0/7 -> hub.ssh tcp 22", "opens: 8.8.8.0/24 -> hub.ssh tcp 22"]),
        (["0.0.0.0/0"], ["opens: internet -> hub.ssh tcp 22"]),
        (["0.0.0.0/1", "128.0.0.0/1"], ["opens: internet -> hub.ssh tcp 22"]),
        (["0.0.0.0/1"], ["opens: 0.0.0.0/1 -> hub.ssh tcp 22"]),
        (["0.0.0.0/0", "203.0.113.0/24"], ["opens: internet -> hub.ssh tcp 22"]),
        (["offices"], ["opens: 198.51.100.0/24 -> hub.ssh tcp 22", "opens: 9.0.0.0/8 -> hub.ssh tcp 22"]),
        # No subnet is there, so nobody can be.
        (["10.0.9.0/24"], []),
        # Whose it is, and which way they come, is not known.
        (["192.168.7.0/24"], ["may change: 192.168.7.0/24 -> hub.ssh tcp 22 (not all that decides is known)"]),
        # Where a named end stands for all of it, that is told.
        (["10.0.0.0/16"], ["opens: hub.far -> hub.ssh tcp 22"]),
    ],
)
def test_a_plan_that_opens_a_port_says_so(sources: list[str], lines: list[str]) -> None:
    groups = {"ssh": {"rules": [{"from": source, "tcp": 22} for source in sources]}} | ({"far": {}} if "10.0.0.0/16" in sources else {})
    told, world = stage(bastion(*sources, security_groups=groups))
    assert [line for line in connectivity_lines(told) if "-> internet" not in line] == lines
    nothing = {**groups, "ssh": {}}
    told, _world = stage(bastion(security_groups=nothing), start=world.network)
    closed = [line.replace("opens:", "closes:") for line in lines]
    assert connectivity_lines(told) == closed


def test_blocks_are_ends_of_the_matrix() -> None:
    _told, world = stage(bastion("8.0.0.0/7", "offices"))
    found = named_matrix(world)
    assert found.names == ("hub.ssh", "198.51.100.0/24", "8.0.0.0/7", "9.0.0.0/8")
    rows = {(row["source"], row["destination"]): row["verdict"] for row in found.rows()}
    # Nothing is asked of two that are both elsewhere.
    assert set(rows) == {(one, other) for one in found.names for other in found.names if (one == "hub.ssh") != (other == "hub.ssh")}
    assert {rows[block, "hub.ssh"] for block in found.names[1:]} == {"reachable"}
    assert found.counts() == {"reachable": 6, "blocked": 0, "unknown": 0}
    assert found.table().splitlines()[2].split() == ["198.51.100.0/24", "->", "yes", "-", "-", "-"]
    # For people, blocks of which the same is true are one.
    assert matrix_text(found) == (
        "tcp 22                        hub.ssh  198.51.100.0/24 and 2 more\n"
        "hub.ssh                    -> -        yes\n"
        "198.51.100.0/24 and 2 more -> yes      -\n"
        "2 of 2 reachable (100 %)"
    )
    _told, world = stage(bastion("0.0.0.0/0"))
    assert named_matrix(world).names == ("hub.ssh", "internet")


def test_one_rule_is_one_line_with_the_instances_behind_it() -> None:
    document = pair()
    document["vpcs"]["a"]["instances"] = {
        "one": {"subnet": "app", "security_groups": ["web"]},
        "two": {"subnet": "far", "security_groups": ["web"]},
    }
    document["vpcs"]["b"]["instances"] = {"base": {"subnet": "db", "security_groups": ["sql"]}}
    _told, world = stage(document)
    there = {}
    for number, (vpc, name, subnet, _group) in enumerate(
        (("a", "one", "app", "web"), ("a", "two", "far", "web"), ("b", "base", "db", "sql"))
    ):
        known = world.network.subnets[world.ids[f"vpcs.{vpc}.subnets.{subnet}"]]
        there[f"i-{number}"] = Instance(
            id=f"i-{number}",
            account="111111111111",
            region="us-east-1",
            tags={"cloudnet:topology": "pair", "cloudnet:name": f"vpcs.{vpc}.instances.{name}"},
            vpc=known.vpc,
            subnet=known.id,
            state="running",
            private_ip=known.cidr.replace(".0/24", ".20"),
            interfaces=(f"eni-{number}",),
        )
    interfaces = {
        item.interfaces[0]: Interface(
            id=item.interfaces[0],
            account=item.account,
            region=item.region,
            vpc=item.vpc,
            subnet=item.subnet,
            groups=(world.ids[f"vpcs.{group}"],),
            private_ips=(item.private_ip,),
            instance=item.id,
            type="interface",
        )
        for item, group in zip(there.values(), ("a.security_groups.web", "a.security_groups.web", "b.security_groups.sql"), strict=True)
    }
    start = replace(world.network, instances=there, interfaces=interfaces)
    told, _after = stage({**document, "allow": []}, start=start)
    assert connectivity_lines(told) == ["closes: a.web -> b.sql tcp 80-90 (from a.one, a.two to b.base)"]
    (row,) = told["closed"]
    assert (row["from_instances"], row["to_instances"]) == (["a.one", "a.two"], ["b.base"])
    # One whose subnet has no route is not behind it.
    narrow = {**document, "peerings": [{"between": ["a", "b"], "routes": {"a": ["private"], "b": ["private"]}}]}
    told, _after = stage(narrow, start=start)
    assert connectivity_lines(told) == ["closes: a.web in far -> b.sql tcp 80-90 (from a.two to b.base)"]


def test_things_that_share_a_name_are_different_ends() -> None:
    told, world = stage(SAME)
    assert opens(told) == ["web.app in app -> group:data.db tcp 5432"]
    found = named_matrix(world)
    assert found.names == (
        "instance:web.app",
        "web.app in app",
        "web.app in far",
        "group:web.far",
        "instance:data.db",
        "group:data.db",
    )
    assert {(row["source"], row["destination"]) for row in found.rows() if row["verdict"] == "reachable"} == {
        (source, target) for source in ("instance:web.app", "web.app in app") for target in ("instance:data.db", "group:data.db")
    }
    rows = check(world, queries(world.topology.expects))
    assert [(row["from"], row["to"], row["ok"]) for row in rows] == [
        ("instance:web.app", "instance:data.db", True),
        ("subnet:web.app", "subnet:data.db", True),
        ("subnet:web.far", "subnet:data.db", True),
    ]


def test_what_would_open_it_can_be_pasted_where_names_are_shared() -> None:
    told, _world = stage({**SAME, "allow": []})
    (fix,) = [item["fix"] for item in told["expect"][0]["blockers"]]
    assert fix["change"] == {"allow": [{"from": "group:web.app", "to": "group:data.db", "tcp": 5432}]}
    told, _world = stage({**SAME, **fix["change"]})
    assert [row["ok"] for row in told["expect"]] == [True, True, True]


def test_ports_are_cut_where_rules_begin_and_end() -> None:
    asked = [str(item) for item in questions(load(PAIR))]
    assert asked == ["tcp 80-84", "tcp 85", "tcp 86-90"]
    assert [str(item) for item in questions(load(pair(allow=[])))] == ["icmp echo request"]


def test_a_plan_of_nothing_changes_nothing() -> None:
    _told, world = stage(PAIR)
    told, _world = stage(PAIR, start=world.network)
    assert {key: value for key, value in told.items() if value} == {}


def test_what_was_not_read_is_unknown() -> None:
    """The same network as AWS would tell it, but for one file."""
    document = pair(expect=[{"from": "a.app", "to": "b.db", "tcp": 85}])
    _told, world = stage(document)
    files = ("Vpcs", "SecurityGroupRules", "VpcPeeringConnections", *ALWAYS)
    real = observed(world.network)
    full = replace(real, complete=frozenset(("111111111111", "us-east-1", file) for file in files))
    topology = load(document)
    there = world_of(topology, full, ACCOUNTS, simulated=False)
    assert [row["found"] for row in check(there, queries(topology.expects))] == ["reachable"]
    assert missing(topology, full, there.ids, ACCOUNTS) == []
    for file, field in (
        ("NetworkAcls", "network_acls"),
        ("RouteTables", "route_tables"),
        ("Subnets", "subnets"),
        ("SecurityGroups", "security_groups"),
    ):
        less = replace(full, complete=full.complete - {("111111111111", "us-east-1", file)}, **{field: {}})
        part = world_of(topology, less, ACCOUNTS, simulated=False)
        (row,) = check(part, queries(topology.expects))
        assert (row["found"], row["ok"]) == ("unknown", None), file
        assert file in row["why"] + str(row["unknowns"])
        assert [item.file for item in missing(topology, less, part.ids, ACCOUNTS)] == [file]


def observed(network: Network) -> Network:
    """A simulated network with ids as AWS gives them."""

    def real(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("planned:", "real-")
        if isinstance(value, tuple):
            return tuple(real(item) for item in value)
        if isinstance(value, dict):
            return {real(key): real(item) for key, item in value.items()}
        if hasattr(value, "__dataclass_fields__"):
            return replace(value, **{name: real(getattr(value, name)) for name in value.__dataclass_fields__})
        return value

    result: Network = real(network)
    return result


def test_an_instance_is_found_and_has_its_own_state() -> None:
    _told, world = stage(FINANCE)
    subnet, group = world.ids["vpcs.finance.subnets.server"], world.ids["vpcs.finance.security_groups.db"]
    stopped = Instance(
        id="i-1",
        account="111111111111",
        region="us-east-1",
        tags={},
        vpc=world.ids["vpcs.finance"],
        subnet=subnet,
        state="stopped",
        private_ip="172.31.1.199",
    )
    assert group in world.network.security_groups
    there = World(world.topology, replace(world.network, instances={"i-1": stopped}), world.ids)
    (row, _other) = check(there, queries(world.topology.expects))
    assert "BAD_STATE" in [item["code"] for item in row["blockers"]]


@pytest.mark.parametrize(
    ("source", "destination", "verdict"),
    [
        ("marketing.app", "finance.financeserver", "reachable"),
        ("group:marketing.web", "group:finance.db", "reachable"),
        ("marketing.web", "finance.db", "reachable"),
        ("developer.dev", "finance.db", "blocked"),
        ("internet", "finance.financeserver", "blocked"),
    ],
)
def test_notations(source: str, destination: str, verdict: str) -> None:
    _told, world = stage(FINANCE)
    assert answer(world, Query(source, destination, "tcp", 443)).verdict == verdict


def test_a_name_that_is_not_there_is_told_with_those_that_are() -> None:
    _told, world = stage(FINANCE)
    with pytest.raises(
        CloudnetError, match=r"'finance.serve' is no instance or subnet or group of vpcs.finance: it has db, edge, financeserver"
    ):
        answer(world, Query("finance.serve", "marketing.app"))
    with pytest.raises(CloudnetError, match="is no end of a path"):
        answer(world, Query("somewhere", "marketing.app"))


def test_what_is_not_there_yet_is_blocked_by_that() -> None:
    topology = load(FINANCE)
    row, other = check(World(topology, Network(), {}), queries(topology.expects))
    assert [item["code"] for item in row["blockers"]] == ["NOT_THERE"] and row["ok"] is False
    assert other["ok"] is True


def test_the_matrix_as_text() -> None:
    _told, world = stage(FINANCE)
    text = matrix_text(named_matrix(world))
    lines = text.splitlines()
    assert lines[0].split() == ["tcp", "443", "finance.financeserver", "finance.db", "marketing.web", "developer.tools"]
    assert lines[3].split() == ["marketing.web", "->", "yes", "yes", "-", "X"]
    assert lines[-1] == "2 of 12 reachable (17 %); the same for tcp 3306, icmp echo request"


def test_accounts_are_known_from_what_is_there() -> None:
    document = pair(accounts={"one": {"profile": "p"}, "two": {"role_arn": "arn:aws:iam::222222222222:role/x"}})
    document["vpcs"]["a"]["account"], document["vpcs"]["b"]["account"] = "one", "two"
    topology = load(document)
    todo = plan(topology, Network(), {"one": "111111111111", "two": "222222222222"})
    assert accounts_in(topology, simulate(Network(), todo)) == {"one": "111111111111", "two": "222222222222"}


def test_gateways_of_an_adopted_vpc_are_read_where_rules_speak_of_what_is_outside() -> None:
    network = Network(
        vpcs={"vpc-0123456789abcdef0": Vpc(id="vpc-0123456789abcdef0", account="111111111111", region="us-east-1", cidrs=("10.0.0.0/16",))}
    )
    for rules, doors in (
        ([{"from": "198.51.100.7/32", "tcp": 22}], True),
        ([{"from": "internet", "tcp": 22}], True),
        ([{"from": "pl-0123456789abcdef0", "tcp": 22}], True),
        ([{"from": "10.0.0.0/16", "tcp": 22}], False),
    ):
        adopted = {"id": "vpc-0123456789abcdef0", "security_groups": {"ssh": {"rules": rules}}}
        topology = load({"name": "a", "region": "us-east-1", "vpcs": {"hub": adopted}})
        wanted = {item.file for item in missing(topology, network, {"vpcs.hub": "vpc-0123456789abcdef0"}, ACCOUNTS)}
        assert ({"InternetGateways", "NatGateways", "EgressOnlyInternetGateways"} <= wanted) is doors, rules


def test_lists_that_rules_will_name_are_read_and_told() -> None:
    """Before the rule is there, and in an account where nothing of the topology is."""
    topology = load(bastion("pl-0123456789abcdef0"))
    wanted = missing(topology, Network(), {}, ACCOUNTS)
    assert [(item.file, item.ids) for item in wanted] == [
        ("ManagedPrefixLists", ("pl-0123456789abcdef0",)),
        ("PrefixListEntries", ("pl-0123456789abcdef0",)),
    ]
    allowed = load({**bastion(), "allow": [{"from": "pl-0123456789abcdef0", "to": "hub.ssh", "tcp": 22}]})
    assert missing(allowed, Network(), {}, ACCOUNTS) == wanted
    entries = ("8.0.0.0/7", "198.51.100.0/24")
    listed = PrefixList(id="pl-0123456789abcdef0", account="111111111111", region="us-east-1", list_name="far", entries=entries)
    told, _world = stage(bastion("pl-0123456789abcdef0"), start=Network(prefix_lists={listed.id: listed}))
    assert [line for line in connectivity_lines(told) if "-> internet" not in line] == [
        "opens: 198.51.100.0/24 -> hub.ssh tcp 22",
        "opens: 8.0.0.0/7 -> hub.ssh tcp 22",
    ]
    # Where the entries cannot be read, it is not known who may come; that somebody may is said.
    told, _world = stage(bastion("pl-0123456789abcdef0"))
    assert "may change: internet -> hub.ssh tcp 22 (not all that decides is known)" in connectivity_lines(told)


def test_a_public_block_that_the_tables_send_elsewhere_is_there() -> None:
    """Behind a VPN, say: who gets in is not known, and it is not the internet."""
    _told, world = stage(bastion())
    table = world.network.route_tables[world.ids["vpcs.hub.route_tables.public"]]
    elsewhere = replace(table, routes=(*table.routes, Route("8.0.0.0/7", "vpn", "vgw-0123456789abcdef0")))
    start = replace(world.network, route_tables={**world.network.route_tables, table.id: elsewhere})
    told, after = stage(bastion("8.0.0.0/7"), start=start)
    line = "may change: 8.0.0.0/7 -> hub.ssh tcp 22 (not all that decides is known)"
    assert [text for text in connectivity_lines(told) if "internet" not in text] == [line]
    rows = {(row["source"], row["destination"]): row["verdict"] for row in named_matrix(after).rows()}
    assert rows["8.0.0.0/7", "hub.ssh"] == "unknown"
