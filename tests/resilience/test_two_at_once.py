# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once, or a killed one whose VPC shows late: creating a VPC takes no client token, so there may be two of one name."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.apply import Progress
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import ApprovalError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate, Options
from support.lab import ACCOUNT, REGION, LabProcess

TOPOLOGY = {"name": "twice", "region": REGION, "vpcs": {"a": {"cidr": "10.0.0.0/16", "subnets": {"s": {"cidr": "10.0.1.0/24", "az": "a"}}}}}


class Other:
    """Somebody else who makes the same VPC as soon as ours is there."""

    def __init__(self, lab: LabProcess) -> None:
        self.ec2 = lab.client()
        self.vpc = ""

    def __call__(self, progress: Progress) -> None:
        if progress.action.kind == "vpc" and progress.action.op == "create" and not self.vpc:
            tags = [{"Key": key, "Value": value} for key, value in (progress.action.after or {})["tags"].items()]
            made = self.ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
            self.vpc = made["Vpc"]["VpcId"]


def estate(lab: LabProcess) -> Estate:
    key, secret = lab.keys[ACCOUNT]
    return Estate(load(TOPOLOGY), {"access_key": key, "secret_key": secret, "region": REGION, "endpoint_url": lab.url})


def vpcs(lab: LabProcess) -> list[Any]:
    return [vpc["VpcId"] for vpc in lab.client().describe_vpcs()["Vpcs"]]


def test_the_unused_one_goes(lab: LabProcess) -> None:
    other = Other(lab)
    result = estate(lab).converge(Options(progress=other))
    assert vpcs(lab) == [result.ids["vpcs.a"]]
    assert other.vpc and other.vpc != result.ids["vpcs.a"]
    assert not estate(lab).converge(Options(check=True)).changed


def test_under_an_approval_it_is_named_and_stays(lab: LabProcess) -> None:
    other = Other(lab)
    plan = estate(lab).converge(Options(check=True)).plan
    with pytest.raises(ApprovalError, match=r"delete vpc vpcs\.a \(a second one of this name\)"):
        estate(lab).converge(Options(progress=other, approved=plan.public()))
    assert other.vpc in vpcs(lab)
