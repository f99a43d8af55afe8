# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow logs: resources, destinations, duplicates, delivery."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from .vpc_helpers import Vpc, make_vpc, refused

ROLE = "arn:aws:iam::111111111111:role/flow-logs"


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def make(vpc: Vpc, **more: Any) -> dict[str, Any]:
    wanted = {
        "ResourceType": "VPC",
        "ResourceIds": [vpc.id],
        "TrafficType": "ALL",
        "LogGroupName": "flows",
        "DeliverLogsPermissionArn": ROLE,
    }
    return dict(vpc.client.create_flow_logs(**{key: value for key, value in {**wanted, **more}.items() if value is not None}))


def trust(service: str) -> str:
    return json.dumps(
        {"Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}], "Version": "2012-10-17"}
    )


def roles(lab: Any) -> list[Callable[[], Any]]:
    """What AWS needs of the role, step by step: that it is there, that flow logs may assume it, that it may write."""
    iam = lab.client("iam")
    allowed = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    return [
        lambda: iam.create_role(RoleName="flow-logs", AssumeRolePolicyDocument=trust("ec2.amazonaws.com")),
        lambda: iam.put_role_policy(RoleName="flow-logs", PolicyName="write", PolicyDocument=policy),
        lambda: iam.update_assume_role_policy(RoleName="flow-logs", PolicyDocument=trust("vpc-flow-logs.amazonaws.com")),
    ]


def test_a_flow_log(vpc: Vpc, lab: Any) -> None:
    tags = [{"ResourceType": "vpc-flow-log", "Tags": [{"Key": "Name", "Value": "all"}]}]
    (key,) = make(vpc, TagSpecifications=tags)["FlowLogIds"]
    (found,) = vpc.client.describe_flow_logs(Filter=[{"Name": "resource-id", "Values": [vpc.id]}])["FlowLogs"]
    assert (found["FlowLogId"], found["FlowLogStatus"], found["TrafficType"], found["MaxAggregationInterval"]) == (
        key,
        "ACTIVE",
        "ALL",
        600,
    )
    assert (found["DeliverLogsStatus"], found["DeliverLogsErrorMessage"], found["Tags"]) == ("FAILED", "Access error", tags[0]["Tags"])
    lab.client("logs").create_log_group(logGroupName="flows")
    for needed in roles(lab):
        assert vpc.client.describe_flow_logs(FlowLogIds=[key])["FlowLogs"][0]["DeliverLogsErrorMessage"] == "Access error"
        needed()
    assert vpc.client.describe_flow_logs(FlowLogIds=[key])["FlowLogs"][0]["DeliverLogsStatus"] == "SUCCESS"
    with refused("FlowLogAlreadyExists"):
        make(vpc)
    make(vpc, LogGroupName="others")
    with refused("FlowLogsLimitExceeded"):
        make(vpc, LogGroupName="third")
    vpc.client.delete_flow_logs(FlowLogIds=[key])
    with refused("InvalidFlowLogId.NotFound"):
        vpc.client.delete_flow_logs(FlowLogIds=[key])


def test_what_aws_refuses(vpc: Vpc) -> None:
    for more, code in (
        ({"ResourceIds": ["vpc-0123456789abcdef0"]}, "InvalidVpcID.NotFound"),
        ({"ResourceType": "Subnet", "ResourceIds": ["subnet-0123456789abcdef0"]}, "InvalidSubnetID.NotFound"),
        ({"TrafficType": None}, "MissingParameter"),
        ({"DeliverLogsPermissionArn": None}, "InvalidParameterValue"),
        ({"LogGroupName": None}, "InvalidParameterValue"),
        ({"MaxAggregationInterval": 61}, "InvalidParameterValue"),
    ):
        with refused(code):
            make(vpc, **more)
    assert vpc.client.describe_flow_logs()["FlowLogs"] == []


def test_a_bucket_that_is_not_there_is_told(vpc: Vpc, lab: Any) -> None:
    to_s3 = {
        "LogDestinationType": "s3",
        "LogDestination": "arn:aws:s3:::flows/of/mine",
        "LogGroupName": None,
        "DeliverLogsPermissionArn": None,
    }
    answer = make(vpc, **to_s3)
    assert (answer["FlowLogIds"], answer["Unsuccessful"][0]["ResourceId"]) == ([], vpc.id)
    lab.client("s3").create_bucket(Bucket="flows")
    assert make(vpc, **to_s3)["Unsuccessful"] == []
