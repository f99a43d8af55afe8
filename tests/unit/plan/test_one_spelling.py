# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thing that is written by its id, or by one of two names, is the thing that is there: found again, changed once, never removed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Association,
    Network,
    RouteTable,
    SecurityGroup,
    Vpc,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.actions import Ref
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import PreflightError
from ansible_collections.cloudnet.vpc.plugins.module_utils.scopes import scopes

from .conftest import ACCOUNTS, World, ops

BASE = """
name: byid
region: us-east-1
prefix_lists: {offices: [203.0.113.0/24]}
vpcs:
  one:
    cidr: 10.44.0.0/16
    ipv6: true
    subnets: {edge: {cidr: 10.44.0.0/24, az: a, public: true, ipv6: 0}, a: {cidr: 10.44.1.0/24, az: a, ipv6: 1, nat: edge}}
    security_groups: {db: {rules: [{from: cache, tcp: 1}, {from: offices, tcp: 2}]}, cache: {}}
  two:
    cidr: 10.45.0.0/16
    ipv6: true
    subnets: {a: {cidr: 10.45.1.0/24, az: a, ipv6: 1}}
    security_groups: {app: {}}
peerings:
  - {between: [one, two]}
"""
#: The prefixes of ids by the Network's collections.
PREFIXES = {
    "vpcs": "vpc", "subnets": "subnet", "internet_gateways": "igw", "nat_gateways": "nat", "addresses": "eipalloc", "route_tables": "rtb",
    "security_groups": "sg", "rules": "sgr", "network_acls": "acl", "prefix_lists": "pl", "peerings": "pcx", "egress_only_gateways": "eigw",
    "endpoints": "vpce",
}  # fmt: skip


def real(network: Network) -> tuple[Network, dict[str, str]]:
    """A simulated network with ids as AWS gives them, and what each planned id became."""
    ids = {
        identifier: f"{prefix}-{number:017x}"
        for collection, prefix in PREFIXES.items()
        for number, identifier in enumerate(getattr(network, collection), 1)
    }
    ids |= {block: block.replace("2001:db8:", "2600:1f18:") for vpc in network.vpcs.values() for block in vpc.ipv6_cidrs}

    def renamed(value: Any) -> Any:
        if isinstance(value, str):
            return ids.get(value, value.replace("2001:db8:", "2600:1f18:"))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            held = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return type(value)(**{name: item if name in ("tags", "seen") else renamed(item) for name, item in held.items()})
        if isinstance(value, Mapping):
            return {renamed(key): renamed(item) for key, item in value.items()}
        return tuple(renamed(item) for item in value) if isinstance(value, tuple) else value

    return renamed(network), ids


@pytest.fixture
def there(world: Callable[[str], World]) -> tuple[World, dict[str, str]]:
    """BASE, as it is once it was built, and the id of each of its things by name."""
    built = world(BASE).apply()
    network, ids = real(built.network)
    found = World(built.topology, network)
    assert not found.plan().actions
    return found, {name.removeprefix("planned:"): identifier for name, identifier in ids.items()}


def edited(**parts: Any) -> str:
    """BASE with parts of vpcs.one, or of the only peering, written otherwise."""
    document = yaml.safe_load(BASE)
    document["peerings"][0] |= parts.pop("peering", {})
    document["vpcs"]["one"] |= parts
    return str(yaml.safe_dump(document))


def rules(*items: Mapping[str, Any]) -> dict[str, Any]:
    kept: list[Mapping[str, Any]] = [{"from": "cache", "tcp": 1}, {"from": "offices", "tcp": 2}]
    return {"security_groups": {"db": {"rules": [*kept, *items]}, "cache": {}}}


CASES = {
    "group of the same VPC": lambda ids: rules({"from": ids["vpcs.one.security_groups.cache"], "tcp": 9}),
    "group of itself": lambda ids: rules({"from": ids["vpcs.one.security_groups.db"], "tcp": 9}),
    "group of the peer": lambda ids: rules({"from": ids["vpcs.two.security_groups.app"], "tcp": 9}),
    "group with its owner": lambda ids: rules({"from": f"111111111111/{ids['vpcs.two.security_groups.app']}", "tcp": 9}),
    "prefix list": lambda ids: rules({"from": ids["prefix_lists.offices:us-east-1"], "tcp": 9}),
    "IPv6 block of the peer": lambda ids: rules({"from": ids["2001:db8:two"], "tcp": 9}),
    "IPv6 block of a subnet": lambda ids: rules({"from": ids["2001:db8:two"].replace("00::/56", "01::/64"), "tcp": 9}),
    "protocol by number": lambda ids: rules({"from": "10.9.0.0/16", "protocol": 6}, {"from": "10.9.0.0/16", "protocol": "UDP"}),
    "all ports in full": lambda ids: rules({"from": "10.9.0.0/16", "tcp": "0-65535"}),
    "IPv6 in capitals": lambda ids: rules({"from": "2001:0DB8:00AA:0000::/56", "tcp": 9}),
    "internet gateway": lambda ids: route(to="198.18.1.0/24", via=ids["vpcs.one.internet_gateway"]),
    "NAT gateway": lambda ids: route(to="198.18.1.0/24", via=ids["vpcs.one.nat_gateways.edge"]),
    "prefix list of a route": lambda ids: route(to=ids["prefix_lists.offices:us-east-1"], via=ids["vpcs.one.internet_gateway"]),
    "IPv6 block of a route": lambda ids: route(to="2001:DB8:0:aa00::/56", via=ids["vpcs.one.internet_gateway"]),
    "transit gateway": lambda ids: route(to="198.18.1.0/24", via="tgw-0123456789abcdef0"),
    "interface": lambda ids: route(to="198.18.1.0/24", via="eni-0123456789abcdef0"),
}


def route(**item: str) -> dict[str, Any]:
    return {"route_tables": {"public": {"routes": [item]}}}


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_by_its_id_is_added_once_and_stays(there: tuple[World, dict[str, str]], name: str) -> None:
    built, ids = there
    ids["2001:db8:two"] = next(vpc.ipv6_cidrs[0] for vpc in built.network.vpcs.values() if vpc.cidrs == ("10.45.0.0/16",))
    wanted = built.under(edited(**CASES[name](ids)))
    first = wanted.plan()
    assert {action.op for action in first} == {"create"}, ops(first)
    assert len(first) in (1, 2)
    again = wanted.apply()
    assert not again.plan().actions, ops(again.plan())


def test_a_peers_group_by_its_id_is_known_by_name_and_waits_for_the_connection(there: tuple[World, dict[str, str]]) -> None:
    built, ids = there
    (pcx,) = built.network.peerings
    apart = built.without("peerings", pcx).under(edited(**rules({"from": ids["vpcs.two.security_groups.app"], "tcp": 9})))
    (rule,) = [action for action in apart.plan() if action.kind == "rule"]
    assert rule.after is not None
    assert (rule.stage, rule.after["source_group"]) == ("rules", Ref("vpcs.two.security_groups.app"))
    assert "peerings.one:two.acceptance" in rule.needs


def test_blocks_that_narrow_a_peering_may_be_written_as_they_are(there: tuple[World, dict[str, str]]) -> None:
    built, _ids = there
    six = next(vpc.ipv6_cidrs[0] for vpc in built.network.vpcs.values() if vpc.cidrs == ("10.45.0.0/16",))
    left_out = built.under(edited(peering={"cidrs": {"except": {"two": [six]}}}))
    assert {action.op for action in left_out.plan()} == {"delete"}
    assert not left_out.apply().plan().actions
    alone = built.under(edited(peering={"cidrs": {"only": {"two": [six]}}}))
    assert {action.op for action in alone.plan()} == {"delete"}
    assert not alone.apply().plan().actions


def test_a_list_that_is_used_by_its_id_alone_is_in_use(there: tuple[World, dict[str, str]]) -> None:
    built, ids = there
    listed = ids["prefix_lists.offices:us-east-1"]
    groups = {"db": {"rules": [{"from": "cache", "tcp": 1}, {"from": listed, "tcp": 2}]}, "cache": {}}
    assert not built.under(edited(security_groups=groups)).plan().actions


def test_what_is_needed_by_its_id_and_declared_no_longer_is_refused(there: tuple[World, dict[str, str]]) -> None:
    built, ids = there
    cache = ids["vpcs.one.security_groups.cache"]
    wanted = built.under(edited(security_groups={"db": {"rules": [{"from": cache, "tcp": 1}]}}))
    with pytest.raises(PreflightError) as caught:
        wanted.plan()
    (finding,) = caught.value.findings
    assert finding.path == "vpcs.one.security_groups.db.rules[0]"
    assert f"needs {cache} (vpcs.one.security_groups.cache), which this topology made and declares no longer" in finding.message


def test_a_log_group_by_its_arn_is_the_log_group_of_that_name(there: tuple[World, dict[str, str]]) -> None:
    built, _ids = there
    logged = {"to": "/vpc/one", "role": "arn:aws:iam::111111111111:role/flows"}
    done = built.under(edited(flow_logs=logged)).apply()
    for arn in ("arn:aws:logs:us-east-1:111111111111:log-group:/vpc/one", "arn:aws:logs:us-east-1:111111111111:log-group:/vpc/one:*"):
        assert not done.under(edited(flow_logs={**logged, "to": arn})).plan().actions


ADOPTED = """
name: old
region: us-east-1
vpcs:
  a: {cidr: 10.0.0.0/16, subnets: {s: {cidr: 10.0.1.0/24, az: a}}, security_groups: {web: {}}}
  old:
    id: vpc-0123456789abcdef0
    security_groups: {db: {rules: [{from: sg-0123456789abcdef1, tcp: 1}]}, sg-0123456789abcdef0: {rules: [{from: 10.0.0.0/16, tcp: 2}]}}
    subnets: {n: {cidr: 192.168.7.0/24, table: rtb-0123456789abcdef0}}
    endpoints: [{service: s3, route_tables: [main, rtb-0123456789abcdef0]},
      {service: ssm, subnets: [n], security_groups: [db, sg-0123456789abcdef0], private_dns: false}]
peerings:
  - {between: [a, old], routes: {old: [main, rtb-0123456789abcdef0]}}
allow:
  - {from: a.web, to: [old.db, old.sg-0123456789abcdef0], tcp: 443}
"""
OLD = Vpc(id="vpc-0123456789abcdef0", account="111111111111", region="us-east-1", cidrs=("192.168.0.0/16",))
MAIN = RouteTable(
    id="rtb-0123456789abcdef0", account="111111111111", region="us-east-1", vpc=OLD.id, associations=(Association("x", main=True),)
)


def group(number: int, name: str, **more: str) -> SecurityGroup:
    where = {"account": "111111111111", "region": "us-east-1", "vpc": OLD.id, **more}
    return SecurityGroup(id=f"sg-0123456789abcdef{number}", group_name=name, **where)  # type: ignore[arg-type]


def test_two_names_of_one_thing_in_an_adopted_vpc_are_one(world: Callable[[str], World]) -> None:
    there = world(ADOPTED).with_("vpcs", OLD).with_("route_tables", MAIN).with_("security_groups", group(0, "db"), group(1, "app"))
    first = there.plan()
    names = [action.name for action in first]
    assert len(set(names)) == len(names)
    table = "vpcs.old.route_tables.rtb-0123456789abcdef0"  # named first, by a subnet
    assert [name for name in names if name.endswith("routes.10.0.0.0/16")] == [f"{table}.routes.10.0.0.0/16"]
    assert sum("old.security_groups" in name and "tcp 443" in name for name in names) == 1
    (gateway,) = [action.after for action in first if action.kind == "endpoint" and action.after and action.after["type"] == "Gateway"]
    assert gateway["tables"] == [Ref(table)]
    assert not there.apply().plan().actions


def test_one_table_under_two_names_cannot_lead_a_destination_to_two_places(world: Callable[[str], World]) -> None:
    text = """
name: old
region: us-east-1
vpcs:
  old:
    id: vpc-0123456789abcdef0
    route_tables:
      main: {routes: [{to: 10.9.0.0/16, via: tgw-0123456789abcdef0}]}
      rtb-0123456789abcdef0: {routes: [{to: 10.9.0.0/16, via: eni-0123456789abcdef0}]}
"""
    there = world(text).with_("vpcs", OLD).with_("route_tables", MAIN)
    with pytest.raises(PreflightError, match=r"routes\[0\]: .*main.routes.10.9.0.0/16: .* wants something else of it"):
        there.plan()


ACROSS = """
name: sgids
region: us-east-1
accounts: {two: {id: "222222222222"}}
vpcs:
  ours: {cidr: 10.40.0.0/16, subnets: {a: {cidr: 10.40.1.0/24, az: a}}, security_groups: {db: {rules: [{from: PEER, tcp: 5432}]}}}
  theirs: {account: two, id: vpc-0123456789abcdef0}
peerings:
  - {between: [ours, theirs], routes: {theirs: []}}
"""
THEIRS = Vpc(id=OLD.id, account="222222222222", region="us-east-1", cidrs=("10.41.0.0/16",))


@pytest.mark.parametrize("written", ["sg-0123456789abcdef1", "222222222222/sg-0123456789abcdef1"])
def test_a_group_of_another_account_by_its_id_carries_its_owner_and_waits(world: Callable[[str], World], written: str) -> None:
    text = ACROSS.replace("PEER", written)
    there = world(text).with_("vpcs", THEIRS).with_("security_groups", group(1, "app", account="222222222222"))
    (rule,) = [action for action in there.plan() if action.kind == "rule"]
    assert rule.after is not None
    assert (rule.after["source_group"], rule.after["source_account"]) == ("sg-0123456789abcdef1", "222222222222")
    assert rule.stage == "rules"
    assert "peerings.ours:theirs.acceptance" in rule.needs
    assert not there.apply().plan().actions


def test_a_group_under_the_wrong_owner_is_refused(world: Callable[[str], World]) -> None:
    there = world(ACROSS.replace("PEER", "333333333333/sg-0123456789abcdef1"))
    there = there.with_("vpcs", THEIRS).with_("security_groups", group(1, "app", account="222222222222"))
    with pytest.raises(PreflightError, match="sg-0123456789abcdef1 belongs to account 222222222222, not 333333333333"):
        there.plan()


def test_the_groups_of_a_peer_are_read_where_a_rule_names_one_by_its_id() -> None:
    for written, files in (("sg-0123456789abcdef1", {"SecurityGroups"}), ("db", set())):
        topology = load(yaml.safe_load(ACROSS.replace("PEER", written)))
        (theirs,) = [scope for scope in scopes(topology, ACCOUNTS) if scope.account == "222222222222"]
        assert theirs.files == files


REMOTE = """
name: remote
region: us-east-1
vpcs:
  ours: {cidr: 10.40.0.0/16, subnets: {a: {cidr: 10.40.1.0/24, az: a}}, security_groups: {db: {rules: [{from: PEER, tcp: 5432}]}}}
  partner:
    remote: {owner: "222222222222", id: vpc-0123456789abcdef0, cidr: 10.41.0.0/16}
    security_groups: {app: {ref: sg-0123456789abcdef1}}
peerings:
  - {between: [ours, partner]}
"""


@pytest.mark.parametrize("written", ["partner.app", "sg-0123456789abcdef1", "222222222222/sg-0123456789abcdef2", "sg-0123456789abcdef2"])
def test_a_rule_for_a_remote_group_comes_once_the_connection_is_active(world: Callable[[str], World], written: str) -> None:
    there = world(REMOTE.replace("PEER", written))
    first = there.plan()
    assert not [action for action in first if action.kind == "rule"]
    assert "the rule for" in first.warnings[0]
    requested = there.apply()
    (pcx,) = requested.network.peerings.values()
    active = requested.with_("peerings", dataclasses.replace(pcx, status="active"))
    (rule,) = active.plan().actions
    assert rule.after is not None
    assert (rule.after["source_group"][:3], rule.after["source_account"]) == ("sg-", "222222222222")
    done = active.apply()
    assert not done.plan().actions
    # When the connection is lost, the rule is kept: it is stale, and comes alive again with a new connection.
    lost = done.with_("peerings", dataclasses.replace(pcx, status="deleted"))
    assert not [action for action in lost.plan() if action.kind == "rule"]


def test_a_rule_of_allow_is_kept_while_a_remote_connection_is_lost(world: Callable[[str], World]) -> None:
    document = yaml.safe_load(REMOTE.replace("PEER", "10.9.0.0/16"))
    document["allow"] = [{"from": "partner.app", "to": "ours.db", "tcp": 443}]
    there = world(yaml.safe_dump(document)).apply()
    (pcx,) = there.network.peerings.values()
    done = there.with_("peerings", dataclasses.replace(pcx, status="active")).apply()
    assert "sg-0123456789abcdef1" in {rule.source_group for rule in done.network.rules.values()}
    lost = done.with_("peerings", dataclasses.replace(pcx, status="deleted"))
    assert not [action for action in lost.plan() if action.kind == "rule"]


def test_an_id_that_may_belong_to_two_owners_needs_one(world: Callable[[str], World]) -> None:
    document = yaml.safe_load(REMOTE.replace("PEER", "sg-0123456789abcdef2"))
    document["vpcs"]["other"] = {"remote": {"owner": "333333333333", "id": "vpc-0123456789abcdef1", "cidr": "10.42.0.0/16"}}
    document["peerings"].append({"between": ["ours", "other"]})
    with pytest.raises(PreflightError, match="may belong to any of 222222222222, 333333333333: write its owner too, as OWNER/sg-"):
        world(yaml.safe_dump(document)).plan()
    # It does not keep what is there from going.
    assert not world(yaml.safe_dump(document)).plan(absent=True).actions
