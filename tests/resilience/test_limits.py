# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas and request rates as AWS enforces them: kept within where they can be known, told in one line where they cannot."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from support.lab import LabProcess
from support.runs import Runner
from support.scenarios import hub, make_vpcs, mesh

OUTSTANDING = "OutstandingVpcPeeringConnectionLimitExceeded"


def test_the_lab_enforces_the_quota_of_requests(lab: LabProcess) -> None:
    lab.control.config(quotas={"peerings_outstanding": 3})
    ids = make_vpcs(lab.client(), 5)
    for spoke in ids[1:4]:
        lab.client().create_vpc_peering_connection(VpcId=ids[0], PeerVpcId=spoke)
    with pytest.raises(ClientError) as refusal:
        lab.client().create_vpc_peering_connection(VpcId=ids[0], PeerVpcId=ids[4])
    assert refusal.value.response["Error"]["Code"] == OUTSTANDING


@pytest.mark.parametrize("waiting", [0, 2])
def test_never_more_requests_than_the_quota(lab: LabProcess, waiting: int) -> None:
    """Ten spokes with room for three requests, and with room for one, as two of somebody else's are open."""
    lab.control.config(quotas={"peerings_outstanding": 3}, latency_ms=5)
    ids = make_vpcs(lab.client(), 11 + 2 * waiting)
    for number in range(waiting):
        lab.client().create_vpc_peering_connection(VpcId=ids[11 + 2 * number], PeerVpcId=ids[12 + 2 * number])
    lab.control.reset_calls()
    run = Runner(lab, hub(ids[:11])).run()
    assert not run.error and not run.rest, run
    assert sum(peering["status"] == "active" for peering in run.state["peerings"]) == 10
    assert lab.control.calls()["errors"] == {}


def test_a_quota_that_is_hit_halfway_is_one_line(lab: LabProcess) -> None:
    """The quota cannot be read here, so that it is met only by the sixth request."""
    lab.control.config(quotas={"peerings_active": 5}, faults=[{"kind": "denied", "actions": "*:ListServiceQuotas"}])
    ids = make_vpcs(lab.client(), 8)
    run = Runner(lab, hub(ids)).run()
    assert run.error.startswith("ApplyError: ")
    lines = run.error.removeprefix("ApplyError: ").splitlines()
    refused = [line for line in lines if "not tried" not in line]
    assert refused and "Traceback" not in run.error
    assert all(
        "ActiveVpcPeeringConnectionPerVpcLimitExceeded" in line and "111111111111" in line and "us-east-1" in line for line in refused
    ), lines
    lab.control.config(quotas={"peerings_active": 50}, faults=[])
    again = Runner(lab, hub(ids)).run()
    assert not again.error and not again.rest and sum(peering["status"] == "active" for peering in again.state["peerings"]) == 7


def test_a_quota_that_is_known_is_told_before_any_write(lab: LabProcess) -> None:
    lab.control.config(quotas={"peerings_active": 5})
    ids = make_vpcs(lab.client(), 8)
    lab.control.reset_calls()
    run = Runner(lab, hub(ids)).run()
    assert run.error.startswith("PreflightError: ") and "5" in run.error and len(run.error.splitlines()) == 1, run.error
    assert lab.control.calls()["writes"] == 0


@pytest.mark.slow
def test_a_mesh_stays_within_the_token_buckets(lab: LabProcess) -> None:
    """Mesh of 12: 66 requests and 132 routes do not fit into buckets of 50 that refill by 5 a second; they are waited for, not run into."""
    lab.control.config(throttle="aws", quotas={"rules_per_group": 200})
    ids = make_vpcs(lab.client(), 12)
    lab.control.reset_calls()
    run = Runner(lab, mesh(ids)).run(as_aws=True)
    told = lab.control.calls()
    assert not run.error and not run.rest, run
    assert len(run.state["peerings"]) == 66
    assert told["errors"].get("RequestLimitExceeded", 0) <= 3, told["errors"]
