# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the peer's public name gives its private address: each side's option governs its own names."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach

from . import terse


def _network(**changes: Any) -> dict[str, Any]:
    return {
        "vpcs": {"vpc-a": {"cidr": "10.0.0.0/16"}, "vpc-b": {"cidr": "10.1.0.0/16", "dns": changes.pop("hostnames", True)}},
        "subnets": {"subnet-a": {"vpc": "vpc-a", "cidr": "10.0.1.0/24"}, "subnet-b": {"vpc": "vpc-b", "cidr": "10.1.1.0/24"}},
        "peerings": {"pcx-1": ["vpc-a", "vpc-b", changes.pop("status", "active")]},
        "groups": {"sg-a": {"vpc": "vpc-a"}, "sg-b": {"vpc": "vpc-b"}},
        "hosts": {
            "i-a": {"subnet": "subnet-a", "ip": "10.0.1.10", "groups": ["sg-a"], "public": "198.51.100.1"},
            "i-b": {"subnet": "subnet-b", "ip": "10.1.1.10", "groups": ["sg-b"], "public": "198.51.100.2"},
            "i-b2": {"subnet": "subnet-b", "ip": "10.1.1.11", "groups": ["sg-b"]},
        },
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "ends", "found", "why"),
    [
        ({"dns": {"pcx-1": [False, True]}}, ("i-a", "i-b"), True, "vpc-b's side of pcx-1 has DNS resolution from the other VPC on"),
        ({"dns": {"pcx-1": [False, True]}}, ("i-b", "i-a"), False, "vpc-a's side of pcx-1 has DNS resolution from the other VPC off"),
        ({"hostnames": False, "dns": {"pcx-1": [True, True]}}, ("i-a", "i-b"), False, "DNS resolution is off in vpc-b"),
        ({"status": "pending-acceptance"}, ("i-a", "i-b"), False, "no active peering connection"),
        ({"missing": ["VpcAttributes"]}, ("i-a", "i-b"), None, "was not observed (VpcAttributes.json)"),
        ({}, ("i-a", "i-b2"), None, ""),
        ({}, ("i-b2", "i-b"), True, "both are in one VPC"),
    ],
)
def test_names(changes: dict[str, Any], ends: tuple[str, str], found: bool | None, why: str) -> None:
    verdict = reach(terse.network(_network(**changes)), *ends, "tcp", 443)
    assert verdict.dns is found
    assert why in verdict.dns_why if why else verdict.dns_why == ""
