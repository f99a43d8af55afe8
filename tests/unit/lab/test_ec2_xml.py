# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2's answers: what botocore reads back is what was written, and what the emulator's serializer would have said."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.ec2_xml import ec2_answer
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import operation_model

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANSWERS: dict[str, dict[str, Any]] = {
    "DescribeVpcs": {
        "Vpcs": [
            {
                "VpcId": "vpc-1",
                "IsDefault": False,
                "CidrBlockAssociationSet": [{"AssociationId": "a", "CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}],
                "Ipv6CidrBlockAssociationSet": [],
                "Tags": [{"Key": "Name", "Value": "a < b & \"c\" 'd' é ↔"}, {"Key": "empty", "Value": ""}],
            },
            {"VpcId": "vpc-2", "IsDefault": True},
        ],
        "NextToken": "more==",
    },
    "DescribeVpcPeeringConnections": {
        "VpcPeeringConnections": [
            {"VpcPeeringConnectionId": "pcx-1", "ExpirationTime": WHEN, "Status": {"Code": "active", "Message": "Active"}}
        ]
    },
    "DescribeRouteTables": {"RouteTables": [{"Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "State": "blackhole"}], "Associations": []}]},
    "DescribeSubnets": {"Subnets": [{"AvailableIpAddressCount": 251, "MapPublicIpOnLaunch": True}]},
    "DescribeSecurityGroups": {
        "SecurityGroups": [
            {
                "IpPermissions": [
                    {"FromPort": 0, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
                ]
            }
        ]
    },
    "DescribeInstances": {
        "Reservations": [{"Instances": [{"InstanceId": "i-1", "LaunchTime": WHEN, "State": {"Code": 16, "Name": "running"}}]}]
    },
    "CreateRoute": {"Return": True},
    "DeleteRoute": {},
}


def _read(action: str, body: bytes) -> dict[str, Any]:
    from botocore.parsers import create_parser

    operation = operation_model("ec2", action)
    parsed = create_parser("ec2").parse({"body": body, "headers": {}, "status_code": 200}, operation.output_shape)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "id-1"
    return dict(parsed)


@pytest.mark.parametrize("action", sorted(ANSWERS))
def test_what_is_written_is_read_back(action: str) -> None:
    assert _read(action, ec2_answer(operation_model("ec2", action), ANSWERS[action], "id-1")) == ANSWERS[action]


@pytest.mark.parametrize("action", sorted(ANSWERS))
def test_the_emulators_serializer_says_the_same(action: str) -> None:
    from moto.core.serialize import SerializationContext, get_serializer_class

    operation = operation_model("ec2", action)
    theirs = get_serializer_class("ec2", "ec2")(operation, context=SerializationContext("id-1")).serialize(ANSWERS[action])["body"]
    body = theirs.encode() if isinstance(theirs, str) else theirs
    assert _read(action, ec2_answer(operation, ANSWERS[action], "id-1")) == _read(action, body)


def test_times_have_milliseconds() -> None:
    moment = WHEN.replace(microsecond=678901)
    answer = {"VpcPeeringConnections": [{"ExpirationTime": moment}]}
    body = ec2_answer(operation_model("ec2", "DescribeVpcPeeringConnections"), answer, "id-1")
    assert b"<expirationTime>2026-01-02T03:04:05.678Z</expirationTime>" in body


def test_empty_members_are_left_out() -> None:
    operation = operation_model("ec2", "DescribeVpcs")
    assert _read("DescribeVpcs", ec2_answer(operation, {"Vpcs": [{"VpcId": "v", "State": None}], "Colour": "red"}, "id-1")) == {
        "Vpcs": [{"VpcId": "v"}]
    }


def test_every_answer_of_ec2_has_a_writer() -> None:
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import service_model

    model = service_model("ec2")
    for name in model.operation_names:
        assert f"<{name}Response " in ec2_answer(model.operation_model(name), {}, "id-1").decode()


def test_a_mesh_is_written_in_a_blink() -> None:
    one = {
        "VpcPeeringConnectionId": "pcx-0123456789abcdef0",
        "Status": {"Code": "active", "Message": "Active"},
        "RequesterVpcInfo": {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "CidrBlockSet": [{"CidrBlock": "10.0.0.0/16"}]},
        "AccepterVpcInfo": {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16", "CidrBlockSet": [{"CidrBlock": "10.1.0.0/16"}]},
        "Tags": [{"Key": "Name", "Value": "a to b"}, {"Key": "cloudnet:topology", "Value": "mesh"}],
    }
    operation, answer = operation_model("ec2", "DescribeVpcPeeringConnections"), {"VpcPeeringConnections": [one] * 780}
    times = []
    for _turn in range(3):
        start = time.perf_counter()
        ec2_answer(operation, answer, "id-1")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1
