# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow logs: resources, destinations, duplicates, delivery."""

from __future__ import annotations

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
