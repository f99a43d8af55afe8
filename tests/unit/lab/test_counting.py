# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting API calls: what a benchmark reads must be what was asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.counting import is_read
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from botocore.exceptions import ClientError


def test_calls_are_counted_by_action_account_and_region(lab: RunningLab) -> None:
    lab.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    lab.client("ec2").describe_vpcs()
    lab.client("ec2", region="eu-west-1").describe_vpcs()
    lab.client("ec2", account="222222222222").describe_vpcs()
    lab.client("sts").get_caller_identity()
    lab.client("iam").create_user(UserName="ann")
    counts = lab.control.calls()
    assert counts["actions"] == {"ec2:CreateVpc": 1, "ec2:DescribeVpcs": 3, "iam:CreateUser": 1, "sts:GetCallerIdentity": 1}
    assert (counts["total"], counts["reads"], counts["writes"]) == (6, 4, 2)
    assert counts["places"]["111111111111"]["eu-west-1"] == {"ec2:DescribeVpcs": 1}
    assert counts["places"]["222222222222"] == {"us-east-1": {"ec2:DescribeVpcs": 1}}


def test_refused_calls_count_too_and_their_codes(lab: RunningLab) -> None:
    with pytest.raises(ClientError):
        lab.client("ec2").create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    with pytest.raises(ClientError):
        lab.client_of("ec2", "AKIAIOSFODNN7EXAMPLE", "x").describe_vpcs()
    counts = lab.control.calls()
    assert counts["total"] == 2
    assert counts["errors"] == {"DryRunOperation": 1, "AuthFailure": 1}
    assert counts["places"][""] == {"us-east-1": {"ec2:DescribeVpcs": 1}}


def test_counts_start_again_when_told(lab: RunningLab) -> None:
    lab.client("ec2").describe_vpcs()
    assert lab.control.reset_calls()["total"] == 1
    assert lab.control.calls()["total"] == 0


def test_control_itself_is_no_api_call(lab: RunningLab) -> None:
    for _turn in range(3):
        lab.control.status()
    assert lab.control.calls()["total"] == 0


def test_nothing_is_lost_between_threads(lab: RunningLab) -> None:
    ec2 = lab.client("ec2")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: ec2.describe_vpcs(), range(200)))
    assert lab.control.calls()["actions"] == {"ec2:DescribeVpcs": 200}


@pytest.mark.parametrize(
    ("service", "action", "read"),
    [
        ("ec2", "DescribeVpcs", True),
        ("ec2", "GetManagedPrefixListEntries", True),
        ("ec2", "SearchTransitGatewayRoutes", True),
        ("sts", "AssumeRole", True),
        ("ec2", "CreateVpc", False),
        ("ec2", "AuthorizeSecurityGroupIngress", False),
        ("ssm", "SendCommand", False),
        ("s3", "PutObject", False),
    ],
)
def test_what_is_a_read(service: str, action: str, read: bool) -> None:
    assert is_read(service, action) is read
