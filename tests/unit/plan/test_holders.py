# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of others stands on what a plan removes: named with id and owner, and only what would really hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Address,
    Association,
    Endpoint,
    Instance,
    Interface,
    InternetGateway,
    NatGateway,
    NetworkAcl,
    Peering,
    PeeringSide,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    TransitAttachment,
)
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.holders import FILES, holders, places
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.kinds import KINDS
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import Code

from .conftest import World

TEXT = """
name: pair
region: us-east-1
prefix_lists: {offices: [203.0.113.0/24]}
vpcs:
  dev:
    cidr: [10.52.0.0/16, 10.60.0.0/16]
    subnets: {a: {cidr: 10.52.1.0/24, az: a, public: true}, b: {cidr: 10.52.2.0/24, az: a, nat: a}}
    security_groups: {app: {rules: [{from: offices, tcp: 443}]}}
    network_acls: {store: {subnets: [b], inbound: [{number: 100, cidr: 0.0.0.0/0}], outbound: [{number: 100, cidr: 0.0.0.0/0}]}}
  ops: {cidr: 10.53.0.0/16, subnets: {a: {cidr: 10.53.1.0/24, az: a}}}
peerings: [{between: [dev, ops]}]
"""
DEV, SUBNET, GROUP = "planned:vpcs.dev", "planned:vpcs.dev.subnets.a", "planned:vpcs.dev.security_groups.app"
ME: dict[str, Any] = {"account": "111111111111", "region": "us-east-1"}
THEM: dict[str, Any] = {"account": "222222222222", "region": "us-east-1"}
OURS = {"cloudnet:topology": "pair", "cloudnet:name": "vpcs.dev.instances.x"}


@pytest.fixture
def built(world: Callable[[str], World]) -> World:
    return world(TEXT).apply()


def told(there: World, *, instances_go: bool = True, under: str = "") -> list[str]:
    """The findings of removing all of it, or what a narrower topology no longer has."""
    wanted = there.under(under) if under else there
    plan = wanted.plan() if under else wanted.plan(absent=True)
    found = holders(wanted.topology, wanted.network, plan, instances_go=instances_go)
    assert {finding.code for finding in found} <= {Code.HELD}
    return [str(finding) for finding in found]


def side(vpc: str, account: str) -> PeeringSide:
    return PeeringSide(vpc, account, "us-east-1")


def pcx(status: str, one: PeeringSide, other: PeeringSide) -> Peering:
    return Peering(id="pcx-theirs", status=status, requester=one, accepter=other, **ME)


def interface(id_: str = "eni-theirs", **more: Any) -> Interface:
    return Interface(**{"id": id_, "vpc": DEV, "subnet": SUBNET, **ME, **more})


def test_nothing_of_others_holds_nothing(built: World) -> None:
    assert told(built) == []
    (nat,) = built.network.nat_gateways.values()
    own = built.with_("nat_gateways", replace(nat, interfaces=("eni-nat",))).with_("interfaces", interface("eni-nat", type="nat_gateway"))
    assert told(own) == []


HOLDERS = {
    "connection": (
        "peerings",
        pcx("active", side("vpc-theirs", "111111111111"), side(DEV, "111111111111")),
        "pcx-theirs (a peering connection with vpc-theirs of account 111111111111)",
    ),
    "request": (
        "peerings",
        pcx("pending-acceptance", side("vpc-theirs", "111111111111"), side(DEV, "111111111111")),
        "pcx-theirs (a peering connection with vpc-theirs of account 111111111111)",
    ),
    "interface": (
        "interfaces",
        interface(description="theirs", account="222222222222"),
        f"eni-theirs (an interface 'theirs' in {SUBNET}, of account 222222222222)",
    ),
    "function": (
        "interfaces",
        interface(type="lambda", description="AWS Lambda VPC ENI-x"),
        f"eni-theirs (a Lambda function's interface 'AWS Lambda VPC ENI-x' in {SUBNET}, of account 111111111111)",
    ),
    "endpoint": (
        "endpoints",
        Endpoint(id="vpce-theirs", vpc=DEV, service="com.amazonaws.us-east-1.s3", type="Gateway", **ME),
        "vpce-theirs (an endpoint of com.amazonaws.us-east-1.s3 of account 111111111111)",
    ),
    "NAT gateway": (
        "nat_gateways",
        NatGateway(id="nat-theirs", vpc=DEV, subnet=SUBNET, tags={"Name": "out"}, **ME),
        "nat-theirs (a NAT gateway 'out' of account 111111111111)",
    ),
    "attachment": (
        "transit_attachments",
        TransitAttachment(id="tgw-attach-theirs", gateway="tgw-1", type="vpc", resource=DEV, subnets=(SUBNET,), **THEM),
        "tgw-attach-theirs (an attachment to tgw-1, of account 222222222222)",
    ),
    "group": (
        "security_groups",
        SecurityGroup(id="sg-theirs", vpc=DEV, group_name="lambda", **ME),
        "sg-theirs (the group lambda of account 111111111111)",
    ),
    "subnet": (
        "subnets",
        Subnet(id="subnet-theirs", vpc=DEV, cidr="10.52.9.0/24", **ME),
        "subnet-theirs (a subnet of account 111111111111)",
    ),
    "subnet of another topology": (
        "subnets",
        Subnet(id="subnet-theirs", vpc=DEV, cidr="10.52.9.0/24", tags={"cloudnet:topology": "other", "Name": "x"}, **ME),
        "subnet-theirs (a subnet 'x' of account 111111111111, made by the topology other)",
    ),
    "table": ("route_tables", RouteTable(id="rtb-theirs", vpc=DEV, **ME), "rtb-theirs (a route table of account 111111111111)"),
    "ACL": ("network_acls", NetworkAcl(id="acl-theirs", vpc=DEV, **ME), "acl-theirs (a network ACL of account 111111111111)"),
    "gateway": (
        "internet_gateways",
        InternetGateway(id="igw-theirs", vpc=DEV, **ME),
        "igw-theirs (an internet gateway of account 111111111111)",
    ),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_what_holds_a_vpc_is_named_once_with_the_vpc(built: World, name: str) -> None:
    collection, thing, words = HOLDERS[name]
    assert told(built.with_(collection, thing)) == [
        f"vpcs.dev: {DEV} cannot go while {words} is on it: nothing was removed; remove that first"
    ]


def test_all_at_once(built: World) -> None:
    there = built.with_("interfaces", interface(groups=("sg-theirs",))).with_(HOLDERS["group"][0], HOLDERS["group"][1])
    there = there.with_("peerings", HOLDERS["connection"][1])
    other = replace(HOLDERS["subnet"][1], vpc="planned:vpcs.ops", cidr="10.53.9.0/24")
    dev, ops = told(there.with_("subnets", other))
    assert (
        "pcx-theirs" in dev and "eni-theirs" in dev and "sg-theirs" in dev and " are on it: nothing was removed; remove these first" in dev
    )
    assert ops.startswith("vpcs.ops: planned:vpcs.ops cannot go while subnet-theirs")


def test_a_virtual_private_gateway_holds_a_vpc(built: World) -> None:
    gateway = {"VpnGatewayId": "vgw-1", "VpcAttachments": [{"VpcId": DEV, "State": "attached"}, {"VpcId": "vpc-x", "State": "attached"}]}
    there = World(built.topology, replace(built.network, others={"VpnGateways": (gateway,)}))
    (finding,) = told(there)
    assert "cannot go while vgw-1 (a virtual private gateway) is on it" in finding


def test_a_request_of_ours_to_another_account_goes_with_its_vpc(built: World) -> None:
    asked = pcx("pending-acceptance", side(DEV, "111111111111"), side("vpc-theirs", "222222222222"))
    assert told(built.with_("peerings", asked)) == []


@pytest.mark.parametrize("state", ["deleted", "deleting", "failed"])
def test_what_has_ended_holds_nothing(built: World, state: str) -> None:
    gone = replace(HOLDERS["NAT gateway"][1], state=state, interfaces=("eni-nat",))
    assert told(built.with_("nat_gateways", gone).with_("interfaces", interface("eni-nat", type="nat_gateway"))) == []


def test_instances(built: World) -> None:
    there = built.with_("interfaces", interface(instance="i-1"))
    mine = there.with_("instances", Instance(id="i-1", vpc=DEV, tags=OURS, state="running", **ME))
    assert told(mine) == []
    assert told(mine, instances_go=False) == [
        f"vpcs.dev: {DEV} cannot go while i-1 (an instance of this topology, by eni-theirs in {SUBNET}) is on it: nothing was removed; "
        "remove that first"
    ]
    ending = there.with_("instances", Instance(id="i-1", vpc=DEV, state="shutting-down", **ME))
    assert told(ending, instances_go=False) == []
    other = there.with_("instances", Instance(id="i-1", vpc=DEV, state="stopped", **ME))
    assert "i-1 (an instance of account 111111111111, by eni-theirs" in told(other)[0]
    # Whose it is cannot be told where instances were not read.
    unread = World(there.topology, replace(there.network, complete=frozenset({(*ME.values(), "NetworkInterfaces")})))
    assert told(unread) == []


def smaller(**changes: Any) -> str:
    """TEXT without something."""
    text = TEXT
    for old, new in changes.items():
        text = text.replace(*new) if isinstance(new, tuple) else text.replace(old, new)
    return text


def test_parts_that_a_topology_no_longer_has(built: World) -> None:
    no_group = smaller(group=("{app: {rules: [{from: offices, tcp: 443}]}}", "{}"))
    rule = Rule(id="sgr-theirs", group="sg-theirs", egress=False, protocol="-1", source_group=GROUP, **ME)
    there = built.with_("security_groups", HOLDERS["group"][1]).with_("rules", rule)
    assert told(there, under=no_group) == [
        f"vpcs.dev.security_groups.app: {GROUP} cannot go while sgr-theirs (a rule of lambda (sg-theirs) of account 111111111111, which "
        "names it) is on it: nothing was removed; remove that first"
    ]
    assert GROUP in told(built.with_("interfaces", interface(groups=(GROUP,))), under=no_group)[0]
    # A rule of a peered VPC goes stale, and is no obstacle.
    peered = built.with_("security_groups", replace(HOLDERS["group"][1], vpc="planned:vpcs.ops")).with_("rules", rule)
    assert told(peered, under=no_group) == []
    associated = built.with_("security_groups", replace(built.network.security_groups[GROUP], associated_vpcs=("vpc-other",)))
    assert "its association with vpc-other" in told(associated, under=no_group)[0]


def test_tables_acls_blocks_lists_and_addresses(built: World) -> None:
    no_acl = smaller(acl=("    network_acls:", "    tags: {a: b}\n    #"))
    (acl,) = [item for item in built.network.network_acls.values() if item.topology]
    guards = built.with_("network_acls", replace(acl, associations={**acl.associations, "subnet-theirs": "aclassoc-theirs"}))
    assert "cannot go while subnet-theirs (which it guards) is on it" in told(guards, under=no_acl)[0]
    no_block = smaller(block=("[10.52.0.0/16, 10.60.0.0/16]", "10.52.0.0/16"))
    dev = replace(built.network.vpcs[DEV], associations={"10.52.0.0/16": "vpc-cidr-1", "10.60.0.0/16": "vpc-cidr-2"})
    inside = built.with_("vpcs", dev).with_("subnets", replace(HOLDERS["subnet"][1], cidr="10.60.9.0/24"))
    assert "vpc-cidr-2 cannot go while subnet-theirs (a subnet" in told(inside, under=no_block)[0]
    assert told(built.with_("vpcs", dev), under=no_block) == []
    no_nat = smaller(nat=(", nat: a}", "}"))
    (address,) = built.network.addresses.values()
    taken = built.with_("addresses", Address(**{**vars(address), "association": "eipassoc-1", "interface": "eni-theirs"}))
    assert "cannot go while eni-theirs (which has it) is on it" in told(taken, under=no_nat)[0]
    no_list = smaller(
        one=("prefix_lists: {offices: [203.0.113.0/24]}", ""), two=("{app: {rules: [{from: offices, tcp: 443}]}}", "{app: {}}")
    )
    (listed,) = built.network.prefix_lists
    main = RouteTable(
        id="rtb-theirs",
        vpc="vpc-x",
        routes=(Route(listed, "transit_gateway", "tgw-1"),),
        associations=(Association("rtbassoc-x", main=True),),
        **ME,
    )
    assert (
        "rtb-theirs (a route table that names it of account 111111111111) is on it"
        in told(built.with_("route_tables", main), under=no_list)[0]
    )


def test_what_is_read(built: World) -> None:
    assert places(built.network, built.plan()) == {}
    files = places(built.network, built.plan(absent=True))["111111111111", "us-east-1"]
    assert set(files) == set(FILES["vpc"]) | {"SecurityGroupRules"}
    assert files["NetworkInterfaces"] == {DEV, "planned:vpcs.ops"}
    assert {kind.name for kind in KINDS} > set(FILES)
