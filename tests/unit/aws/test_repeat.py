# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which calls may be repeated, held against AWS's own service model, and how long each kind of failure is borne."""

from __future__ import annotations

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws import repeat

from .aws_fakes import Clock, service_model


def has_token(operation: str) -> bool:
    shape = service_model("ec2").operation_model(operation).input_shape
    return bool(shape and "ClientToken" in shape.members)


def test_the_table_of_unrepeatable_calls_holds_none_with_a_token_and_none_that_does_not_exist() -> None:
    names = set(service_model("ec2").operation_names)
    for action in (*repeat.ONCE, *repeat.ALREADY):
        assert action.removeprefix("ec2:") in names
    assert [action for action in repeat.ONCE if has_token(action.removeprefix("ec2:"))] == []
    assert repeat.ONCE.isdisjoint(repeat.ALREADY)


def test_no_creating_call_is_repeated_blindly() -> None:
    """Whatever creates and takes no token is in ALREADY (a repetition says so) or not repeated, whether a table names it or not."""
    creating = [
        name for name in service_model("ec2").operation_names if name.startswith(("Create", "Allocate", "Run", "Request", "Import", "Copy"))
    ]
    assert len(creating) > 90
    for name in creating:
        action = f"ec2:{name}"
        if has_token(name):
            assert repeat.repeatable(action, token=True)
        elif action not in repeat.ALREADY and name != "CreateTags":
            assert not repeat.repeatable(action, token=False), action


def test_the_vpc_domain_is_in_the_tables() -> None:
    """A reader finds every creating call of the domain that takes no token in one of the two tables."""
    named = {
        f"ec2:{name}"
        for name in (
            "AllocateAddress",
            "CreateInternetGateway",
            "CreateNetworkAclEntry",
            "CreateRoute",
            "CreateSecurityGroup",
            "CreateSubnet",
        )
    } | {
        "ec2:CreateVpc",
        "ec2:CreateVpcPeeringConnection",
        "ec2:AssociateRouteTable",
        "ec2:AssociateVpcCidrBlock",
        "ec2:AssociateSubnetCidrBlock",
    }
    assert named <= repeat.ONCE | repeat.ALREADY.keys()


@pytest.mark.parametrize(
    ("action", "safe"),
    [
        ("ec2:DescribeVpcs", True),
        ("ec2:DeleteVpc", True),
        ("ec2:CreateTags", True),
        ("ec2:CreateRoute", True),
        ("ec2:ReplaceRoute", True),
        ("ec2:ModifyVpcAttribute", True),
        ("ec2:AuthorizeSecurityGroupIngress", True),
        ("ec2:AcceptVpcPeeringConnection", True),
        ("ec2:CreateVpcPeeringConnection", False),
        ("ec2:CreateVpc", False),
        ("ec2:AssociateVpcCidrBlock", False),
        ("ec2:ReplaceRouteTableAssociation", False),
        ("ec2:ModifyManagedPrefixList", False),
        ("ec2:RunInstances", False),
    ],
)
def test_repeatable(action: str, safe: bool) -> None:
    assert repeat.repeatable(action, token=False) is safe


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("RequestLimitExceeded", 503, repeat.THROTTLED),
        ("Throttling", 400, repeat.THROTTLED),
        ("InternalError", 500, repeat.LOST),
        ("Unavailable", 503, repeat.LOST),
        ("InternalFailure", 400, repeat.LOST),
        ("InvalidVpcID.NotFound", 400, repeat.FINAL),
        ("UnauthorizedOperation", 403, repeat.FINAL),
    ],
)
def test_kinds(code: str, status: int, kind: str) -> None:
    assert repeat.kind_of(code, status) == kind


@pytest.mark.parametrize(
    ("action", "code", "done"),
    [
        ("ec2:CreateRoute", "RouteAlreadyExists", True),
        ("ec2:CreateRoute", "InvalidRouteTableID.NotFound", False),
        ("ec2:AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", True),
        ("ec2:RevokeSecurityGroupEgress", "InvalidPermission.NotFound", True),
        ("ec2:DeleteRoute", "InvalidRoute.NotFound", True),
        ("ec2:AcceptVpcPeeringConnection", "OperationNotPermitted", False),
        ("ec2:DeleteVpc", "InvalidVpcID.NotFound", True),
        ("ec2:DeleteNatGateway", "NatGatewayNotFound", True),
        ("ec2:DeleteVpc", "DependencyViolation", False),
        ("ec2:ReleaseAddress", "InvalidAllocationID.NotFound", True),
        ("ec2:ModifyVpcAttribute", "InvalidVpcID.NotFound", False),
    ],
)
def test_already_done(action: str, code: str, done: bool) -> None:
    assert repeat.already_done(action, code) is done


@pytest.mark.parametrize("kind", [repeat.THROTTLED, repeat.LOST, repeat.NOT_SENT, repeat.NOT_YET])
def test_waits_grow_spread_and_end(kind: str) -> None:
    patience = repeat.PATIENCE[kind]
    longest = [repeat.delay(kind, n, lambda: 1.0) for n in range(patience.tries)]
    shortest = [repeat.delay(kind, n, lambda: 0.0) for n in range(patience.tries)]
    assert longest[0] == pytest.approx(patience.first) and longest == sorted(longest)
    assert max(longest) <= patience.cap
    assert shortest == pytest.approx([wait / 2 for wait in longest if wait is not None])
    assert repeat.delay(kind, patience.tries) is None


def test_what_is_final_is_not_repeated() -> None:
    assert repeat.delay(repeat.FINAL, 0) is None


def test_ids_are_found_anywhere() -> None:
    value = {"A": [{"B": "vpc-0123456789abcdef0"}, "see sg-12345678 and 10.0.0.0/8"], "C": 7, "D": "vpc-short"}
    assert repeat.ids_in(value) == {"vpc-0123456789abcdef0", "sg-12345678"}
    assert repeat.ids_in({}) == repeat.ids_in([]) == set()


def test_an_unknown_id_is_a_matter_of_time_only_if_it_was_just_made() -> None:
    clock = Clock()
    fresh = repeat.Fresh(60, clock)
    fresh.made("ec2:CreateSubnet", {"VpcId": "vpc-12345678"}, {"Subnet": {"SubnetId": "subnet-12345678", "VpcId": "vpc-12345678"}})
    gone = "The subnet ID 'subnet-12345678' does not exist"
    assert fresh.explains("InvalidSubnetID.NotFound", gone, {})
    assert fresh.explains("InvalidSubnetID.NotFound", "no id here", {"SubnetIds": ["subnet-12345678"]})
    assert not fresh.explains("DependencyViolation", gone, {})
    # The VPC was given, not made: that it is unknown is the user's mistake.
    assert not fresh.explains("InvalidVpcID.NotFound", "The vpc ID 'vpc-12345678' does not exist", {"SubnetId": "subnet-12345678"})
    clock.now = 61
    assert not fresh.explains("InvalidSubnetID.NotFound", gone, {})


def test_reading_makes_nothing_fresh() -> None:
    fresh = repeat.Fresh(60, Clock())
    fresh.made("ec2:DescribeVpcs", {}, {"Vpcs": [{"VpcId": "vpc-12345678"}]})
    assert not fresh.explains("InvalidVpcID.NotFound", "vpc-12345678", {})
