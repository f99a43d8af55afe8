# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tag alone makes nothing ours: what carries our tags must stand where its name says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    NAME_TAG,
    TOPOLOGY_TAG,
    Address,
    EgressOnlyGateway,
    Endpoint,
    FlowLog,
    Instance,
    InternetGateway,
    NatGateway,
    Network,
    NetworkAcl,
    Peering,
    PeeringSide,
    PrefixList,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    Vpc,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.ownership import COLLECTIONS, Ownership
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load

TOPOLOGY = load(
    yaml.safe_load("""
name: mine
region: us-east-1
accounts: {one: {id: "111111111111"}, two: {id: "222222222222"}}
vpcs:
  a: {cidr: 10.0.0.0/16, account: one}
  b: {cidr: [10.1.0.0/16, 10.2.0.0/16], account: two}
  old: {id: vpc-0123456789abcdef0, account: one}
  far: {remote: {owner: "333333333333", id: vpc-0fedcba9876543210, cidr: 10.9.0.0/16}}
peerings:
  - {between: [a, b]}
""")
)
ACCOUNTS = {"one": "111111111111", "two": "222222222222"}
HERE: dict[str, Any] = {"account": "111111111111", "region": "us-east-1"}
THERE: dict[str, Any] = {"account": "222222222222", "region": "us-east-1"}
A, B, OLD, THEIRS, FORMER = "vpc-a", "vpc-b", "vpc-0123456789abcdef0", "vpc-theirs", "vpc-former"


def tags(name: str) -> dict[str, str]:
    return {TOPOLOGY_TAG: "mine", NAME_TAG: name}


VPCS = (
    Vpc(id=A, **HERE, tags=tags("vpcs.a"), cidrs=("10.0.0.0/16",)),
    Vpc(id=B, **THERE, tags=tags("vpcs.b"), cidrs=("10.2.0.0/16", "10.1.0.0/16")),
    Vpc(id=OLD, **HERE, cidrs=("10.5.0.0/16",)),
    Vpc(id=THEIRS, **HERE, cidrs=("10.6.0.0/16",)),
    Vpc(id=FORMER, **HERE, tags=tags("vpcs.former"), cidrs=("10.7.0.0/16",)),
)

#: Collection to what makes one of its resources in a VPC, and the last part of its name.
INSIDE: dict[str, tuple[Callable[..., Any], str]] = {
    "subnets": (lambda vpc, **more: Subnet(vpc=vpc, cidr="10.0.1.0/24", **more), "subnets.s"),
    "internet_gateways": (lambda vpc, **more: InternetGateway(vpc=vpc, **more), "internet_gateway"),
    "egress_only_gateways": (lambda vpc, **more: EgressOnlyGateway(vpc=vpc, **more), "egress_only_gateway"),
    "nat_gateways": (lambda vpc, **more: NatGateway(vpc=vpc, subnet="subnet-1", **more), "nat_gateways.s"),
    "route_tables": (lambda vpc, **more: RouteTable(vpc=vpc, **more), "route_tables.private"),
    "security_groups": (lambda vpc, **more: SecurityGroup(vpc=vpc, group_name="g", **more), "security_groups.g"),
    "network_acls": (lambda vpc, **more: NetworkAcl(vpc=vpc, **more), "network_acls.n"),
    "endpoints": (lambda vpc, **more: Endpoint(vpc=vpc, service="com.amazonaws.us-east-1.s3", type="Gateway", **more), "endpoints.s3"),
    "flow_logs": (lambda vpc, **more: FlowLog(resource=vpc, traffic="ALL", **more), "flow_logs"),
    "instances": (lambda vpc, **more: Instance(vpc=vpc, state="running", **more), "instances.i"),
}


def ownership(*extra: tuple[str, Any]) -> Ownership:
    network = Network(vpcs={vpc.id: vpc for vpc in VPCS})
    for collection, item in extra:
        network = replace(network, **{collection: {**getattr(network, collection), item.id: item}})
    return Ownership(TOPOLOGY, network, ACCOUNTS)


def test_every_kind_that_lies_in_a_vpc_is_drawn() -> None:
    assert set(INSIDE) | {"vpcs", "rules", "addresses", "prefix_lists", "peerings"} == set(COLLECTIONS)


@pytest.mark.parametrize("collection", INSIDE)
def test_what_lies_in_the_vpc_of_its_name_is_ours(collection: str) -> None:
    make, rest = INSIDE[collection]
    for vpc, name in ((A, "a"), (OLD, "old"), (FORMER, "former")):
        item = make(vpc, id="x-1", **HERE, tags=tags(f"vpcs.{name}.{rest}"))
        assert ownership((collection, item)).ours(item), name


@pytest.mark.parametrize("collection", INSIDE)
@pytest.mark.parametrize(
    ("vpc", "name", "where", "reason"),
    [
        (THEIRS, "vpcs.a.{}", HERE, "it lies in vpc-theirs, which is no VPC of the topology"),
        (FORMER, "vpcs.a.{}", HERE, "it lies in vpc-former, which is vpcs.former"),
        (THEIRS, "vpcs.gone.{}", HERE, "it lies in vpc-theirs, which is no VPC of the topology"),
        (A, "vpcs.a.{}", THERE, "vpcs.a is declared in account 111111111111, us-east-1"),
        (A, "vpcs.a.{}", {**HERE, "region": "eu-west-1"}, "vpcs.a is declared in account 111111111111, us-east-1"),
        (A, "vpcs.a", HERE, "that is no name of such a resource"),
        (A, "vpcs.a.other.{}", HERE, "that is no name of such a resource"),
        (A, "{}", HERE, "that is no name of such a resource"),
    ],
)
def test_what_does_not_fit_is_reported_and_not_ours(collection: str, vpc: str, name: str, where: dict[str, Any], reason: str) -> None:
    make, rest = INSIDE[collection]
    item = make(vpc, id="x-1", **where, tags=tags(name.format(rest)))
    found = ownership((collection, item))
    assert not found.ours(item)
    assert list(found.reports()) == [
        f"x-1 (account {where['account']}, {where['region']}) carries the tags of mine as {name.format(rest)}, but {reason}:"
        " it is neither changed nor removed"
    ]


def test_a_resource_without_our_tag_is_none_of_ours_and_no_news() -> None:
    item = Subnet(id="x-1", **HERE, vpc=A, cidr="10.0.1.0/24", tags={**tags("vpcs.a.subnets.s"), TOPOLOGY_TAG: "another"})
    found = ownership(("subnets", item))
    assert not found.ours(item) and not list(found.reports())


@pytest.mark.parametrize(
    ("vpc", "reason"),
    [
        (
            Vpc(id="vpc-x", **HERE, tags=tags("vpcs.a"), cidrs=("10.82.0.0/16",)),
            "its block 10.82.0.0/16 is not one of vpcs.a (10.0.0.0/16)",
        ),
        (Vpc(id="vpc-x", **THERE, tags=tags("vpcs.a"), cidrs=("10.0.0.0/16",)), "vpcs.a is declared in account 111111111111, us-east-1"),
        (Vpc(id="vpc-x", **HERE, tags=tags("vpcs.old"), cidrs=("10.0.0.0/16",)), f"vpcs.old is {OLD}"),
        (Vpc(id="vpc-x", **HERE, tags=tags("vpcs.far"), cidrs=("10.0.0.0/16",)), "vpcs.far is vpc-0fedcba9876543210"),
        (Vpc(id="vpc-x", **HERE, tags=tags("vpcs.a.subnets.s"), cidrs=("10.0.0.0/16",)), "that is no name of a VPC"),
        (
            Vpc(id="vpc-x", **HERE, tags=tags("vpcs.z"), cidrs=("172.31.0.0/16",), default=True),
            "it is a default VPC, which no topology makes",
        ),
        (Vpc(id="vpc-x", **HERE, tags=tags("vpcs.z"), cidrs=("10.0.0.0/16",), shared=True), "it is shared by another account, which"),
    ],
)
def test_a_vpc_is_ours_by_its_block_and_place(vpc: Vpc, reason: str) -> None:
    found = ownership(("vpcs", vpc))
    assert not found.ours(vpc) and reason in next(found.reports())
    assert found.ours(VPCS[0]) and found.ours(VPCS[1]) and found.ours(VPCS[4])


def test_an_adopted_vpc_is_never_ours_whatever_it_carries() -> None:
    adopted = replace(VPCS[2], tags=tags("vpcs.old"))
    found = ownership(("vpcs", adopted))
    assert not found.ours(adopted) and not list(found.reports())


def peering(requester: str, accepter: str, name: str) -> Peering:
    sides = [PeeringSide(vpc, "111111111111", "us-east-1") for vpc in (requester, accepter)]
    return Peering(id="pcx-1", **HERE, tags=tags(name), status="active", requester=sides[0], accepter=sides[1])


@pytest.mark.parametrize(
    "there",
    [
        peering(A, B, "peerings.a:b"),
        peering(B, A, "peerings.a:b"),
        peering(A, OLD, "peerings.a:old"),
        peering(FORMER, A, "peerings.former:a"),
        peering(A, "vpc-0fedcba9876543210", "peerings.a:far"),
        peering(A, OLD, f"peerings.{OLD}:{A}"),
    ],
)
def test_a_connection_of_two_vpcs_of_the_topology_is_ours(there: Peering) -> None:
    assert ownership(("peerings", there)).ours(there)


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (peering(THEIRS, "vpc-more", "peerings.x:y"), "vpc-more and vpc-theirs is declared nowhere in the topology"),
        (peering(A, THEIRS, "peerings.a:b"), "vpc-theirs is declared nowhere in the topology"),
        (peering(A, OLD, "peerings.a:b"), "it joins vpcs.a and vpcs.old"),
        (peering(A, B, "vpcs.a"), "that is no name of a connection"),
    ],
)
def test_a_connection_of_other_vpcs_is_none_of_ours(there: Peering, reason: str) -> None:
    found = ownership(("peerings", there))
    assert not found.ours(there) and reason in next(found.reports())


def test_tags_of_either_side_of_a_connection_count() -> None:
    there = replace(peering(A, B, "peerings.a:b"), tags={}, seen={("222222222222", "us-east-1"): tags("peerings.a:b")})
    assert ownership(("peerings", there)).ours(there)


def test_a_rule_is_ours_in_a_group_of_the_vpc_of_its_name() -> None:
    groups = [("security_groups", SecurityGroup(id=f"sg-{vpc}", **HERE, vpc=vpc, group_name="g")) for vpc in (A, THEIRS)]
    for vpc, expected in ((A, True), (THEIRS, False)):
        rule = Rule(
            id="sgr-1",
            **HERE,
            tags=tags("vpcs.a.security_groups.g.allow"),
            group=f"sg-{vpc}",
            egress=False,
            protocol="-1",
            cidr="10.0.0.0/8",
        )
        assert ownership(*groups, ("rules", rule)).ours(rule) is expected


def test_an_address_is_ours_while_nothing_but_our_gateway_has_it() -> None:
    address = Address(id="eipalloc-1", **HERE, tags=tags("vpcs.a.addresses.s"), public_ip="198.51.100.1")
    ours = NatGateway(id="nat-1", **HERE, vpc=A, subnet="subnet-1", allocations=("eipalloc-1",))
    used = replace(address, association="eipassoc-1", interface="eni-1")
    assert ownership(("addresses", address)).ours(address)
    assert ownership(("addresses", used), ("nat_gateways", ours)).ours(used)
    assert not ownership(("addresses", used)).ours(used)
    assert not ownership(("addresses", used), ("nat_gateways", replace(ours, vpc=THEIRS))).ours(used)
    on_instance = replace(address, association="eipassoc-1", instance="i-1")
    assert not ownership(("addresses", on_instance)).ours(on_instance)
    elsewhere = replace(address, **THERE)
    assert not ownership(("addresses", elsewhere)).ours(elsewhere)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("prefix_lists.p:one:us-east-1", True),
        ("prefix_lists.p:two:us-east-1", False),
        ("prefix_lists.p:one:eu-west-1", False),
        ("vpcs.a", False),
    ],
)
def test_a_prefix_list_is_ours_in_the_place_of_its_name(name: str, expected: bool) -> None:
    there = PrefixList(id="pl-1", **HERE, tags=tags(name), list_name="p", state="create-complete")
    assert ownership(("prefix_lists", there)).ours(there) is expected


def test_what_has_ended_is_no_news() -> None:
    ended = replace(peering(THEIRS, "vpc-more", "peerings.x:y"), status="deleted")
    gone = NatGateway(id="nat-1", **HERE, tags=tags("vpcs.a.nat_gateways.s"), vpc=THEIRS, subnet="subnet-1", state="deleted")
    assert not list(ownership(("peerings", ended), ("nat_gateways", gone)).reports())
