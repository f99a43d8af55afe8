# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules about one connection: made, made again, changed, removed, removed again, each first in check mode."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

from .conftest import Invoke

PAIR = ("requester_vpc_id", "accepter_vpc_id")


def ask(vpcs: tuple[str, str]) -> dict[str, str]:
    return dict(zip(PAIR, vpcs, strict=True))


def statuses(ec2: Any) -> list[str]:
    return sorted(item["Status"]["Code"] for item in ec2.describe_vpc_peering_connections()["VpcPeeringConnections"])


@pytest.fixture
def peering(invoke: Invoke, vpcs: tuple[str, str]) -> str:
    """An active connection of the two VPCs."""
    return str(invoke("peering", **ask(vpcs))["peering"]["id"])


def test_a_connection_through_its_life(invoke: Invoke, ec2: Any, vpcs: tuple[str, str]) -> None:
    planned = invoke("peering", check=True, diff=True, **ask(vpcs), dns=True)
    assert planned["changed"] and planned["peering"] is None and statuses(ec2) == []
    assert "Plan: 3 to add, 0 to change, 0 to remove" in planned["diff"]["prepared"]

    made = invoke("peering", **ask(vpcs), dns=True, tags={"stage": "test"})
    assert made["changed"] and made["peering"]["status"] == "active"
    assert made["peering"]["requester"]["dns"] is True and made["peering"]["accepter"]["dns"] is True
    assert made["peering"]["tags"]["stage"] == "test"

    again = invoke("peering", **ask(vpcs), dns=True, tags={"stage": "test"})
    assert not again["changed"] and again["peering"]["id"] == made["peering"]["id"]
    assert not [name for name in again["calls"] if not name.startswith(("ec2:Describe", "sts:Get"))]

    other_way = invoke("peering", **ask((vpcs[1], vpcs[0])))
    assert not other_way["changed"] and other_way["peering"]["id"] == made["peering"]["id"]

    changed = invoke("peering", peering_id=made["peering"]["id"], dns=False)
    assert changed["changed"] and changed["peering"]["accepter"]["dns"] is False

    gone = invoke("peering", check=True, peering_id=made["peering"]["id"], state="absent")
    assert gone["changed"] and statuses(ec2) == ["active"]
    gone = invoke("peering", peering_id=made["peering"]["id"], state="absent")
    assert gone["changed"] and gone["peering"] is None and statuses(ec2) == ["deleted"]
    assert not invoke("peering", peering_id=made["peering"]["id"], state="absent")["changed"]
    assert not invoke("peering", **ask(vpcs), state="absent")["changed"]

    anew = invoke("peering", **ask(vpcs))
    assert anew["changed"] and statuses(ec2) == ["active", "deleted"]


def test_another_topologys_connection_is_not_removed(invoke: Invoke, ec2: Any, vpcs: tuple[str, str]) -> None:
    made = invoke("peering", **ask(vpcs), topology="hub")["peering"]["id"]
    assert not invoke("peering", **ask(vpcs))["changed"]
    for check in (True, False):
        for named in (ask(vpcs), {"peering_id": made}):
            refused = invoke("peering", **named, state="absent", check=check)
            assert refused["failed"] and not refused["changed"]
            assert refused["msg"] == f"{made} was made by topology hub, so it stays: remove it there, or set topology to hub"
    assert statuses(ec2) == ["active"]
    assert invoke("peering", **ask(vpcs), state="absent", topology="hub")["changed"] and statuses(ec2) == ["deleted"]


def test_two_connections_of_one_vpc_are_two(invoke: Invoke, ec2: Any, vpcs: tuple[str, str]) -> None:
    third = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    one = invoke("peering", **ask(vpcs))["peering"]["id"]
    two = invoke("peering", **ask((vpcs[0], third)))["peering"]["id"]
    assert one != two and statuses(ec2) == ["active", "active"]
    invoke("peering", **ask(vpcs), state="absent")
    assert statuses(ec2) == ["active", "deleted"]


def test_another_account_accepts(invoke: Invoke, lab: RunningLab, vpcs: tuple[str, str]) -> None:
    theirs = lab.client("ec2", "222222222222").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = invoke("peering", **ask((vpcs[0], theirs)), accepter_profile="lab-peer")
    assert made["peering"]["status"] == "active" and made["peering"]["accepter"]["account"] == "222222222222"
    assert not invoke("peering", **ask((vpcs[0], theirs)), accepter_profile="lab-peer")["changed"]
    role = "arn:aws:iam::222222222222:role/cloudnet"
    assert not invoke("peering", **ask((vpcs[0], theirs)), accepter_role_arn=role)["changed"]


def test_one_side_only(invoke: Invoke, lab: RunningLab, vpcs: tuple[str, str]) -> None:
    partner = lab.client("ec2", "222222222222")
    theirs = partner.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    made = invoke("peering", **ask((vpcs[0], theirs)), accepter_account="222222222222")
    identifier = made["peering"]["id"]
    assert made["changed"] and made["peering"]["status"] == "pending-acceptance"
    (paper,) = made["handoff"]
    assert paper["id"] == identifier and paper["owner"] == "222222222222" and 160 < paper["hours_left"] <= 168
    assert any(identifier in step and "accept" in step for step in paper["steps"])
    again = invoke("peering", **ask((vpcs[0], theirs)), accepter_account="222222222222")
    assert not again["changed"]
    partner.accept_vpc_peering_connection(VpcPeeringConnectionId=identifier)
    after = invoke("peering", peering_id=identifier)
    assert not after["changed"] and after["peering"]["status"] == "active"


def test_accepting_only(invoke: Invoke, lab: RunningLab, vpcs: tuple[str, str]) -> None:
    partner = lab.client("ec2", "222222222222")
    theirs = partner.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    wish = {**ask((theirs, vpcs[0])), "requester_account": "222222222222", "accept_only": True}
    before = invoke("peering", **wish)
    assert not before["changed"] and before["peering"] is None
    asked = partner.create_vpc_peering_connection(VpcId=theirs, PeerVpcId=vpcs[0], PeerOwnerId="111111111111")
    identifier = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    made = invoke("peering", **wish)
    assert made["changed"] and made["peering"]["id"] == identifier and made["peering"]["status"] == "active"
    assert not invoke("peering", peering_id=identifier, accept_only=True)["changed"]


@pytest.mark.parametrize("dead", ["rejected", "failed", "expired", "deleted"])
def test_a_dead_connection_is_told_of_by_its_id(invoke: Invoke, lab: RunningLab, ec2: Any, vpcs: tuple[str, str], dead: str) -> None:
    other = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] if dead == "failed" else vpcs[1]
    identifier = ec2.create_vpc_peering_connection(VpcId=vpcs[0], PeerVpcId=other)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    if dead == "rejected":
        ec2.reject_vpc_peering_connection(VpcPeeringConnectionId=identifier)
    elif dead == "deleted":
        ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=identifier)
    elif dead == "expired":
        lab.control.advance(7 * 24 * 3600 + 60)
    assert statuses(ec2) == [dead]
    for module, more in (("peering", {}), ("peering_routes", {"requester": {"route_tables": ["main"]}})):
        result = invoke(module, peering_id=identifier, **more)
        assert result["failed"] and "\n" not in result["msg"]
        assert result["msg"].startswith(f"peering_id: {identifier} is {dead}") and "request a new connection" in result["msg"]
    assert not invoke("peering", peering_id=identifier, state="absent")["changed"]


def test_routes(invoke: Invoke, ec2: Any, vpcs: tuple[str, str], peering: str) -> None:
    extra = ec2.create_route_table(VpcId=vpcs[1])["RouteTable"]["RouteTableId"]
    ec2.create_tags(Resources=[extra], Tags=[{"Key": "Name", "Value": "private"}])
    wish = {"peering_id": peering, "requester": {"route_tables": ["main"]}, "accepter": {"route_tables": ["main", "private"]}}
    planned = invoke("peering_routes", check=True, diff=True, **wish)
    assert planned["plan"]["counts"] == {"add": 3, "change": 0, "remove": 0} and len(planned["routes"]) == 3
    made = invoke("peering_routes", **wish)
    assert made["changed"] and {route["state"] for route in made["routes"]} == {"active"}
    assert sorted(route["destination"] for route in made["routes"]) == ["10.0.0.0/16", "10.0.0.0/16", "10.1.0.0/16"]
    again = invoke("peering_routes", **wish)
    assert not again["changed"] and again["routes"] == made["routes"]

    narrow = {"peering_id": peering, "requester": {"route_tables": ["main"], "destinations": ["10.1.5.0/24"]}}
    assert invoke("peering_routes", **narrow)["plan"]["counts"]["add"] == 1
    only = invoke("peering_routes", **narrow, state="absent")
    assert only["plan"]["counts"]["remove"] == 1 and len(only["routes"]) == 1

    gone = invoke("peering_routes", check=True, peering_id=peering, accepter={"route_tables": ["private"]}, state="absent")
    assert gone["changed"] and gone["plan"]["counts"]["remove"] == 1
    gone = invoke("peering_routes", **wish, state="absent")
    assert gone["changed"] and gone["routes"] == [] and statuses(ec2) == ["active"]
    assert not invoke("peering_routes", **wish, state="absent")["changed"]


def test_a_route_of_others_is_refused_and_taken_over(invoke: Invoke, ec2: Any, vpcs: tuple[str, str], peering: str) -> None:
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpcs[0])
    table = ec2.create_route_table(VpcId=vpcs[0])["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.1.0.0/16", GatewayId=gateway)
    wish = {"peering_id": peering, "requester": {"route_tables": [table]}}
    refused = invoke("peering_routes", **wish)
    assert refused["failed"] and gateway in refused["msg"] and "replace_routes" in refused["msg"]
    taken = invoke("peering_routes", **wish, replace_routes=True)
    assert taken["plan"]["counts"]["change"] == 1 and [route["route_table"] for route in taken["routes"]] == [table]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"requester": {"route_tables": ["nowhere"]}}, "nowhere"),
        (
            {"requester": {"route_tables": ["main"], "destinations": ["10.1.0.1/16"]}},
            "requester.destinations: 10.1.0.1/16 has host bits set",
        ),
        ({"requester": {"route_tables": ["main"], "destinations": ["here"]}}, "requester.destinations: 'here' does not appear"),
    ],
)
def test_wrong_routes_are_told_in_a_line(invoke: Invoke, ec2: Any, peering: str, more: dict[str, Any], said: str) -> None:
    result = invoke("peering_routes", peering_id=peering, **more)
    assert result["failed"] and said in result["msg"] and "\n" not in result["msg"]


def test_rules(invoke: Invoke, ec2: Any, vpcs: tuple[str, str], peering: str) -> None:
    web = ec2.create_security_group(VpcId=vpcs[0], GroupName="web", Description="web")["GroupId"]
    db = ec2.create_security_group(VpcId=vpcs[1], GroupName="db", Description="db")["GroupId"]
    foreign = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
    ec2.authorize_security_group_ingress(GroupId=db, IpPermissions=[foreign])
    wish = {"peering_id": peering, "allow": [{"from": "requester.web", "to": f"accepter.{db}", "tcp": [443, "3306-3307"], "icmp": True}]}
    assert invoke("peering_rules", check=True, **wish)["plan"]["counts"]["add"] == 3
    made = invoke("peering_rules", **wish)
    assert made["changed"] and [rule["source_group"] for rule in made["rules"]] == [web] * 3
    assert not invoke("peering_rules", **wish)["changed"]
    fewer = {"peering_id": peering, "allow": [{"from": "requester.web", "to": "accepter.db", "tcp": 443}]}
    assert not invoke("peering_rules", **fewer)["changed"], "rules that the task does not name are not its business"
    gone = invoke("peering_rules", **fewer, state="absent")
    assert gone["plan"]["counts"] == {"add": 0, "change": 0, "remove": 1} and len(gone["rules"]) == 2
    assert invoke("peering_rules", **wish, state="absent")["plan"]["counts"]["remove"] == 2
    assert not invoke("peering_rules", **wish, state="absent")["changed"]
    (left,) = ec2.describe_security_groups(GroupIds=[db])["SecurityGroups"][0]["IpPermissions"]
    assert left["FromPort"] == 22, "what others wrote stays"


@pytest.mark.parametrize(
    ("allow", "said"),
    [
        ({"from": "requester.web", "to": "accepter.db", "tcp": 70000}, "allow[0].tcp"),
        ({"from": "asker.web", "to": "accepter.db", "tcp": 443}, "allow[0].from"),
        ({"from": "requester.web", "to": "accepter.db"}, "allow[0]"),
        ({"from": "requester", "to": "accepter.nobody", "tcp": 443}, "nobody"),
    ],
)
def test_wrong_rules_are_told_in_a_line(invoke: Invoke, ec2: Any, vpcs: tuple[str, str], peering: str, allow: Any, said: str) -> None:
    ec2.create_security_group(VpcId=vpcs[0], GroupName="web", Description="web")
    ec2.create_security_group(VpcId=vpcs[1], GroupName="db", Description="db")
    result = invoke("peering_rules", peering_id=peering, allow=[allow])
    assert result["failed"] and said in result["msg"], result["msg"]
    assert ec2.describe_security_group_rules()["SecurityGroupRules"]
    assert not [rule for rule in ec2.describe_security_group_rules()["SecurityGroupRules"] if rule.get("Tags")]


def test_info(invoke: Invoke, ec2: Any, vpcs: tuple[str, str], peering: str) -> None:
    third = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    pending = ec2.create_vpc_peering_connection(VpcId=third, PeerVpcId=vpcs[1])["VpcPeeringConnection"]["VpcPeeringConnectionId"]

    def ids(**more: Any) -> list[str]:
        return [item["id"] for item in invoke("peering_info", **more)["peerings"]]

    assert ids() == sorted([peering, pending])
    assert ids(vpc_ids=[vpcs[0]]) == [peering]
    assert ids(vpc_ids=[vpcs[1]]) == sorted([peering, pending])
    assert ids(statuses=["pending-acceptance"]) == [pending]
    assert ids(peering_ids=[peering], statuses=["deleted"]) == []
    assert ids(peering_ids=["pcx-0123456789abcdef0"]) == []
    assert ids(vpc_ids=[]) == []
    (told,) = invoke("peering_info", peering_ids=[peering])["peerings"]
    assert told["topology"] == "adhoc" and told["requester"]["cidrs"] == ["10.0.0.0/16"] and told["accepter"]["vpc"] == vpcs[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "one of the following is required: peering_id, requester_vpc_id"),
        ({"requester_vpc_id": "vpc-1"}, "parameters are required together: requester_vpc_id, accepter_vpc_id"),
        (
            {"peering_id": "pcx-0123456789abcdef0"},
            "peering_id: pcx-0123456789abcdef0 is not there in account 111111111111, Region us-east-1",
        ),
        ({"requester_vpc_id": "vpc-1", "accepter_vpc_id": "vpc-1"}, "accepter_vpc_id: vpc-1 cannot be peered with itself"),
        ({"requester_vpc_id": "vpc-1", "accepter_vpc_id": "vpc-2", "accepter_account": "1"}, "accepter_account: 1 is not 12 digits"),
        ({"requester_vpc_id": "vpc-0123456789abcdef0", "accepter_vpc_id": "vpc-0123456789abcdef1"}, "vpc-0123456789abcdef0"),
    ],
)
def test_wrong_arguments_are_told_in_a_line(invoke: Invoke, lab: RunningLab, arguments: dict[str, Any], said: str) -> None:
    result = invoke("peering", **arguments)
    assert result["failed"] and said in result["msg"], result["msg"]
    assert "Traceback" not in str(result)
