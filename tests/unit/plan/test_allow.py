# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The narrowest rules for an ``allow``, and which rules are ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Rule

from .conftest import TWO, World, ops


def rules(found: World) -> list[str]:
    return [action.name for action in found.plan() if action.kind == "rule"]


def test_one_region_gets_a_reference(world: Callable[[str], World]) -> None:
    assert rules(world(TWO)) == ["vpcs.b.security_groups.db.allow: tcp 443 from vpcs.a.security_groups.web"]
    (rule,) = [action for action in world(TWO).plan() if action.kind == "rule"]
    assert "source_account" not in rule.after


def test_another_account_is_named(world: Callable[[str], World]) -> None:
    text = TWO.replace("vpcs:", "accounts: {one: {profile: one}, two: {profile: two}}\nvpcs:")
    text = text.replace("cidr: 10.0.0.0/16", "account: one, cidr: 10.0.0.0/16").replace(
        "cidr: 172.16.0.0/16", "account: two, cidr: 172.16.0.0/16"
    )
    (rule,) = [action for action in world(text).plan() if action.kind == "rule"]
    assert (rule.account, rule.after["source_account"]) == ("222222222222", "111111111111")


def test_another_region_gets_the_subnets_blocks(world: Callable[[str], World]) -> None:
    text = TWO.replace("cidr: 172.16.0.0/16", "region: eu-west-1, cidr: 172.16.0.0/16")
    assert rules(world(text)) == ["vpcs.b.security_groups.db.allow: tcp 443 from 10.0.1.0/24"]


def test_restricted_egress_is_opened_too(world: Callable[[str], World]) -> None:
    text = TWO.replace("security_groups: {web: {}}", "security_groups: {web: {egress: []}}")
    assert rules(world(text)) == [
        "vpcs.a.security_groups.web.allow: tcp 443 to vpcs.b.security_groups.db",
        "vpcs.b.security_groups.db.allow: tcp 443 from vpcs.a.security_groups.web",
    ]


def test_a_raw_rule_that_refers_to_the_peers_group_waits_for_the_connection(world: Callable[[str], World]) -> None:
    text = TWO.replace("security_groups: {db: {}}", "security_groups: {db: {rules: [{from: a.web, tcp: 8080}, {from: db, tcp: 9000}]}}")
    actions = [action for action in world(text).plan() if action.kind == "rule" and ".ingress" in action.name]
    across, own = sorted(actions, key=lambda action: action.stage)
    assert (across.stage, own.stage) == ("rules", "vpcs")
    assert "vpcs.a.security_groups.web" in across.name
    plan = world(text).plan()
    order = [action.name for action in plan]
    assert order.index(across.name) > next(place for place, name in enumerate(order) if name.endswith(".acceptance"))


def test_icmp_over_ipv6_is_a_protocol_of_its_own(world: Callable[[str], World]) -> None:
    text = TWO.replace("tcp: 443", "icmp: true").replace("cidr: 10.0.0.0/16", "ipv6: true, cidr: 10.0.0.0/16")
    text = text.replace("cidr: 172.16.0.0/16", "ipv6: true, cidr: 172.16.0.0/16")
    assert [name.partition("allow: ")[2].split()[0] for name in rules(world(text))] == ["icmp", "icmpv6"]


def test_a_foreign_rule_that_says_the_same_serves_and_stays(built: World) -> None:
    (rule,) = [rule for rule in built.network.rules.values() if rule.protocol == "tcp"]
    foreign = built.with_("rules", replace(rule, tags={}))
    assert ops(foreign.plan()) == []
    assert not [line for line in ops(foreign.plan(absent=True)) if line.startswith("delete rule")]


def test_a_foreign_rule_beside_ours_is_left(built: World) -> None:
    group = next(item.id for item in built.network.security_groups.values() if item.name.endswith("db"))
    foreign = Rule(
        id="sgr-theirs",
        account="111111111111",
        region="us-east-1",
        group=group,
        egress=False,
        protocol="tcp",
        from_port=22,
        to_port=22,
        cidr="10.0.0.0/8",
    )
    assert ops(built.with_("rules", foreign).plan()) == []


def test_an_allow_that_is_no_longer_there_goes(built: World) -> None:
    assert ops(built.under(TWO.partition("allow:")[0]).plan()) == [
        "delete rule vpcs.b.security_groups.db.allow: tcp 443 from vpcs.a.security_groups.web"
    ]


def test_through_leaves_later_stages_out(world: Callable[[str], World]) -> None:
    fresh = world(TWO)
    stages = {name: {action.stage for action in fresh.plan(through=name)} for name in ("vpcs", "peerings", "routes", "rules", "all")}
    assert stages == {
        "vpcs": {"vpcs"},
        "peerings": {"vpcs", "peerings"},
        "routes": {"vpcs", "peerings", "routes"},
        "rules": {"vpcs", "peerings", "routes", "rules"},
        "all": {"vpcs", "peerings", "routes", "rules"},
    }
    step = fresh
    for name in ("vpcs", "peerings", "routes", "rules"):
        step = step.apply(through=name)
        assert not step.plan(through=name).actions
    assert not step.plan().actions


def test_through_leaves_removals_of_later_stages_out_and_what_rests_on_them(built: World) -> None:
    less = built.under(TWO.partition("peerings:")[0])
    assert ops(less.plan(through="peerings")) == []
    assert {action.kind for action in less.plan()} == {"peering", "route", "rule"}
