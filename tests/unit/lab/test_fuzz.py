# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No call is answered with HTTP 500 on any input: a short run of support.fuzz, whose docstring has the line for a long one."""

from __future__ import annotations

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from support.fuzz import SERVICES, run
from support.in_process import InProcess


@pytest.mark.parametrize("seed", [1, 2])
def test_odd_calls_are_refused_as_aws_refuses(lab: RunningLab, seed: int) -> None:
    outcome = run(lab.lab, 700, seed, SERVICES)
    assert outcome.bad == []
    assert outcome.answered > 50
    assert outcome.calls > 600


@pytest.mark.parametrize(
    ("service", "action", "params", "code"),
    [
        ("ec2", "DeleteTransitGateway", {"TransitGatewayId": "tgw-0123456789abcdef0"}, "InvalidTransitGatewayID.NotFound"),
        ("ec2", "DeleteTransitGateway", {}, "MissingParameter"),
        ("ec2", "CreateTransitGatewayRouteTable", {"TransitGatewayId": "x"}, "InvalidTransitGatewayID.NotFound"),
        ("ec2", "DisassociateTransitGatewayRouteTable",
         {"TransitGatewayRouteTableId": "x", "TransitGatewayAttachmentId": "y"}, "InvalidTransitGatewayAttachmentID.NotFound"),
        ("ec2", "RequestSpotInstances", {"InstanceCount": 2**31, "LaunchSpecification": {}}, "MaxSpotInstanceCountExceeded"),
        ("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 2**31, "ImageId": "ami-0123456789abcdef0"}, "InstanceLimitExceeded"),
        ("iam", "TagRole", {"RoleName": "a", "Tags": [{"Key": "a"}]}, "ValidationError"),
        ("sts", "AssumeRoleWithSAML", {}, "ValidationError"),
        ("ssm", "PutParameter", {"Name": "a"}, "ValidationException"),
        ("route53", "ListHostedZones", {"Marker": "x"}, "InvalidToken"),
    ],
)  # fmt: skip
def test_what_failed_in_the_emulator(lab: RunningLab, service: str, action: str, params: dict[str, object], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        InProcess(lab.lab).ask(service, action, params)
    assert (refusal.value.code, refusal.value.status) == (code, 400)
