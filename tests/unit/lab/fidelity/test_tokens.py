# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client tokens: one request put twice is one request, for every EC2 action whose model has a token."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import endpoint as endpoint_module
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Call

from .vpc_helpers import AWAY, B, Vpc, make_vpc, refused

_MODEL: Any = botocore.session.get_session().get_service_model("ec2")
IDEMPOTENT = [
    name
    for name in _MODEL.operation_names
    if _MODEL.operation_model(name).input_shape is not None and "ClientToken" in _MODEL.operation_model(name).input_shape.members
]


@pytest.fixture(scope="module")
def unchecked(running_lab: Any) -> Any:
    """A client that sends what it is given; one for all, since making it takes longer than what it is asked."""
    return running_lab.client("ec2", parameter_validation=False)


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def _some(shape: Any) -> Any:
    """Some value of a shape, not empty, so that it is sent."""
    if shape.type_name == "structure":
        name, member = next((name, member) for name, member in shape.members.items() if member.type_name != "blob")
        return {name: _some(member)}
    if shape.type_name == "list":
        return [_some(shape.member)]
    return {"integer": 1, "long": 1, "boolean": True, "timestamp": "2026-01-01T00:00:00Z"}.get(shape.type_name, "x")


def _another(action: str) -> dict[str, Any]:
    """Some parameter of the action beside its token; empty when it has none."""
    members = _MODEL.operation_model(action).input_shape.members
    return next(({name: _some(shape)} for name, shape in members.items() if name not in ("ClientToken", "DryRun")), {})


def test_the_model_knows_the_actions_that_matter() -> None:
    assert {name for name in IDEMPOTENT if not _another(name)} == {"DisableCapacityManager"}
    assert {
        *("CreateRouteTable", "CreateNetworkAcl", "CreateEgressOnlyInternetGateway", "CreateNatGateway", "CreateVpcEndpoint"),
        *("CreateManagedPrefixList", "CreateFlowLogs", "RunInstances", "CreateNetworkInterface", "CreateLaunchTemplate", "CreateVolume"),
    } <= set(IDEMPOTENT)


@pytest.mark.parametrize("action", IDEMPOTENT)
def test_every_action_with_a_token(lab: Any, unchecked: Any, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    """Over the whole road but for the action's own answer, which only counts how often it was asked."""
    done: list[dict[str, Any]] = []

    def answer(call: Call) -> dict[str, Any]:
        done.append(call.params)
        return {}

    for registry in (endpoint_module.CHECKS, endpoint_module.AMENDMENTS):
        monkeypatch.delitem(registry, ("ec2", action), raising=False)
    monkeypatch.setitem(endpoint_module.ANSWERS, ("ec2", action), answer)
    monkeypatch.delitem(endpoint_module.claims.READ["ec2"], action, raising=False)
    monkeypatch.setattr(endpoint_module.claims, "check_required", lambda *_told: None)
    client = unchecked
    again = {"ClientToken": "one"}
    client._make_api_call(action, again)
    client._make_api_call(action, again)
    assert len(done) == 1
    if other := _another(action):
        with refused("IdempotentParameterMismatch", "one"):
            client._make_api_call(action, {**again, **other})
    client._make_api_call(action, {"ClientToken": "another"})
    assert len(done) == 2


def _made(vpc: Vpc) -> list[tuple[str, dict[str, Any], str, str, str]]:
    """(call, parameters, describe call, its list, other parameter) of creating calls, each answered by another part of the lab."""
    return [
        ("create_route_table", {"VpcId": vpc.id}, "describe_route_tables", "RouteTables", "VpcId"),
        ("create_network_acl", {"VpcId": vpc.id}, "describe_network_acls", "NetworkAcls", "VpcId"),
        (
            "create_egress_only_internet_gateway",
            {"VpcId": vpc.id},
            "describe_egress_only_internet_gateways",
            "EgressOnlyInternetGateways",
            "VpcId",
        ),
        (
            "create_vpc_endpoint",
            {"VpcId": vpc.id, "ServiceName": "com.amazonaws.us-east-1.s3"},
            "describe_vpc_endpoints",
            "VpcEndpoints",
            "ServiceName",
        ),
        (
            "create_launch_template",
            {"LaunchTemplateName": "t", "LaunchTemplateData": {"InstanceType": "t3.micro"}},
            "describe_launch_templates",
            "LaunchTemplates",
            "LaunchTemplateName",
        ),
        ("create_volume", {"AvailabilityZone": "us-east-1a", "Size": 1}, "describe_volumes", "Volumes", "AvailabilityZone"),
    ]


@pytest.mark.parametrize("number", range(6))
def test_one_token_makes_one(vpc: Vpc, number: int) -> None:
    call, params, describe, member, varied = _made(vpc)[number]
    client = vpc.client
    before = len(getattr(client, describe)()[member])
    first = getattr(client, call)(ClientToken="t", **params)
    second = getattr(client, call)(ClientToken="t", **params)
    for answer in (first, second):
        answer.pop("ResponseMetadata")
    assert first == second
    assert len(getattr(client, describe)()[member]) == before + 1
    with refused("IdempotentParameterMismatch"):
        getattr(client, call)(ClientToken="t", **{**params, varied: "other"})


def test_a_lost_answer_makes_one_table(vpc: Vpc, lab: Any) -> None:
    """botocore puts its own token into a request and keeps it over its retries."""
    client = lab.client("ec2", retries={"total_max_attempts": 4})
    lab.control.config(faults=[{"kind": "reset_after", "actions": "ec2:CreateRouteTable", "times": 2}])
    made = client.create_route_table(VpcId=vpc.id)["RouteTable"]["RouteTableId"]
    own = {"Name": "vpc-id", "Values": [vpc.id]}
    tables = client.describe_route_tables(Filters=[own, {"Name": "association.main", "Values": ["false"]}])
    everything = client.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])["RouteTables"]
    assert tables["RouteTables"] == []
    assert [table["RouteTableId"] for table in everything if not table["Associations"]] == [made]
    assert lab.control.calls()["faults"]["reset_after"] == 2


def test_the_quota_is_not_met_twice(vpc: Vpc, lab: Any) -> None:
    lab.control.config(quotas={"route_tables_per_vpc": 2})
    first = vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t")["RouteTable"]
    assert vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t")["RouteTable"] == first
    with refused("RouteTableLimitExceeded"):
        vpc.client.create_route_table(VpcId=vpc.id, ClientToken="u")


def test_a_refused_request_may_be_put_again(vpc: Vpc, lab: Any) -> None:
    lab.control.config(quotas={"route_tables_per_vpc": 1})
    with refused("RouteTableLimitExceeded"):
        vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t")
    lab.control.config(quotas={"route_tables_per_vpc": 2})
    assert vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t")["RouteTable"]["VpcId"] == vpc.id


def test_a_dry_run_takes_no_token(vpc: Vpc) -> None:
    with refused("DryRunOperation"):
        vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t", DryRun=True)
    made = vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t")["RouteTable"]["RouteTableId"]
    with refused("DryRunOperation"):
        vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t", DryRun=True)
    assert vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t")["RouteTable"]["RouteTableId"] == made


def test_a_token_is_the_accounts_and_the_regions(vpc: Vpc, lab: Any) -> None:
    made = {vpc.client.create_route_table(VpcId=vpc.id, ClientToken="t")["RouteTable"]["RouteTableId"]}
    for other in (make_vpc(lab, account=B), make_vpc(lab, region=AWAY)):
        made.add(other.client.create_route_table(VpcId=other.id, ClientToken="t")["RouteTable"]["RouteTableId"])
    assert len(made) == 3
