# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs at once, or a killed one whose VPC shows late: creating a VPC takes no client token, so there may be two of one name."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.apply import Progress
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import ApprovalError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate, Options
from support.lab import ACCOUNT, REGION, LabProcess

TOPOLOGY = {"name": "twice", "region": REGION, "vpcs": {"a": {"cidr": "10.0.0.0/16", "subnets": {"s": {"cidr": "10.0.1.0/24", "az": "a"}}}}}


class Other:
    """Somebody else who makes the same VPC as soon as ours is there, with a smaller id or a greater one, and is never seen again."""

    def __init__(self, lab: LabProcess, *, smaller: bool) -> None:
        self.ec2 = lab.client()
        self.smaller = smaller
        self.vpc = ""

    def __call__(self, progress: Progress) -> None:
        if progress.action.kind != "vpc" or progress.action.op != "create" or self.vpc:
            return
        (ours,) = (vpc["VpcId"] for vpc in self.ec2.describe_vpcs()["Vpcs"])
        while not self.vpc:
            made = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
            if (made < ours) is self.smaller:
                self.vpc = made
            else:
                self.ec2.delete_vpc(VpcId=made)
        tags = [{"Key": key, "Value": value} for key, value in (progress.action.after or {})["tags"].items()]
        self.ec2.create_tags(Resources=[self.vpc], Tags=tags)


def estate(lab: LabProcess) -> Estate:
    key, secret = lab.keys[ACCOUNT]
    made = Estate(load(TOPOLOGY), {"access_key": key, "secret_key": secret, "region": REGION, "endpoint_url": lab.url})
    made.sleep = lambda seconds: time.sleep(seconds / 20)
    return made


def vpcs(lab: LabProcess) -> list[Any]:
    return [vpc["VpcId"] for vpc in lab.client().describe_vpcs()["Vpcs"]]


@pytest.mark.parametrize("smaller", [False, True])
def test_the_same_one_stays_whoever_looks(lab: LabProcess, smaller: bool) -> None:
    other = Other(lab, smaller=smaller)
    result = estate(lab).converge(Options(progress=other))
    assert vpcs(lab) == [result.ids["vpcs.a"]]
    assert (result.ids["vpcs.a"] == other.vpc) is smaller
    assert not estate(lab).converge(Options(check=True)).changed


def test_one_that_is_in_use_stays_whatever_its_id(lab: LabProcess) -> None:
    other = Other(lab, smaller=True)

    def used(progress: Progress) -> None:
        """An instance, or whatever has an interface, is in ours by then."""
        other(progress)
        if progress.action.kind == "subnet":
            subnets = lab.client().describe_subnets(Filters=[{"Name": "vpc-id", "Values": [*{*vpcs(lab)} - {other.vpc}]}])["Subnets"]
            lab.client().create_network_interface(SubnetId=subnets[0]["SubnetId"])

    result = estate(lab).converge(Options(progress=used))
    assert result.ids["vpcs.a"] != other.vpc and vpcs(lab) == [result.ids["vpcs.a"]]


def test_what_another_run_left_needs_an_approval(lab: LabProcess) -> None:
    other = Other(lab, smaller=False)
    plan = estate(lab).converge(Options(check=True)).plan
    with pytest.raises(ApprovalError, match=r"delete vpc vpcs\.a \(a second one of this name\)"):
        estate(lab).converge(Options(progress=other, approved=plan.public()))
    assert other.vpc in vpcs(lab)
    # The next plan names it by its id, and an approval of that removes it.
    plan = estate(lab).converge(Options(check=True)).plan
    assert [action.id for action in plan] == [other.vpc]
    estate(lab).converge(Options(approved=plan.public()))
    assert other.vpc not in vpcs(lab)


def test_what_this_run_made_itself_does_not(lab: LabProcess) -> None:
    other = Other(lab, smaller=True)
    plan = estate(lab).converge(Options(check=True)).plan
    estate(lab).converge(Options(progress=other, approved=plan.fingerprint))
    assert vpcs(lab) == [other.vpc]
