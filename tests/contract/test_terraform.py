# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Terraform with its AWS provider on the lab: all is made, found as it was asked for, changed in place, and gone again.

Resources of the VPC domain, 52 types of them, stand in ``tests/contract/terraform``. Terraform reads back each attribute that it
has set, so its second plan is a witness that nothing was accepted and dropped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.lab import LabProcess
from support.terraform import Run, Terraform, lacking

MOST_SECONDS = 60
"""The provider itself waits up to 20 s for some resources; what takes longer was repeated because of an answer."""
GONE = {"deleted", "terminated", "shutting-down"}
ACCOUNTS = ("111111111111", "222222222222")
KINDS = (
    *("describe_vpcs", "describe_subnets", "describe_route_tables", "describe_network_acls", "describe_security_groups"),
    *("describe_internet_gateways", "describe_egress_only_internet_gateways", "describe_nat_gateways", "describe_addresses"),
    *("describe_network_interfaces", "describe_vpc_endpoints", "describe_vpc_peering_connections", "describe_flow_logs"),
    *("describe_instances", "describe_launch_templates", "describe_key_pairs", "describe_volumes"),
)


def ids(lab: Any) -> set[str]:
    """The ids of everything that EC2 shows in both accounts, without what is shown for a while after its end."""
    found: set[str] = set()
    for account in ACCOUNTS:
        ec2 = lab.client("ec2", account)
        for kind in KINDS:
            answer = getattr(ec2, kind)()
            items = next(value for key, value in answer.items() if isinstance(value, list) and key != "ResponseMetadata")
            if kind == "describe_instances":
                items = [instance for reservation in items for instance in reservation["Instances"]]
            for item in items:
                state = item.get("State") or item.get("Status")
                if (state.get("Name") or state.get("Code") if isinstance(state, dict) else state) in GONE:
                    continue
                found.add(str(next(value for key, value in item.items() if key.endswith("Id") and key not in ("OwnerId", "VpcId"))))
    return found


def slow(run: Run) -> dict[str, int]:
    return {name: seconds for name, seconds in run.seconds.items() if seconds > MOST_SECONDS}


@pytest.mark.terraform
def test_terraform_makes_changes_and_destroys(tmp_path: Path) -> None:
    if lacking():
        pytest.skip(lacking())
    every = {"slow": "true"} if os.environ.get("CLOUDNET_LONG") else {}
    with LabProcess() as lab:
        terraform = Terraform(tmp_path, lab)
        before = ids(lab)
        for changed in ("false", "true"):
            made = terraform.apply(changed=changed, **every)
            assert made.code == 0, made.shown()
            assert not slow(made) or every
            again = terraform.plan(changed=changed, **every)
            assert again.code == 0, again.shown()
        gone = terraform.destroy(changed="true", **every)
        assert gone.code == 0, gone.shown()
        assert not slow(gone) or every
        assert ids(lab) - before == set()
