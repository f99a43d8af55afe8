# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that hold some VPCs of a Region only: of the others nothing is known, and nothing is absent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach

from . import terse

HUB = yaml.safe_load((Path(__file__).parent / "cases" / "peering_hub.yml").read_text())["network"]


def test_a_vpc_without_table_group_and_acl_was_left_out() -> None:
    """Every VPC has a main route table, a default group and a default ACL: ``--filters Name=vpc-id`` left this one out."""
    whole = terse.snapshot(HUB)
    kept = {
        place: tuple(item for item in items if place[2] in ("Vpcs", "VpcPeeringConnections") or item.get("VpcId", "vpc-a") != "vpc-b")
        for place, items in whole.files.items()
    }
    network = build(replace(whole, files=kept))
    assert not network.tables_of.get("vpc-b") and network.tables_of.get("vpc-a")
    found = reach(network, "i-a", "10.1.1.10", "tcp", 443)
    assert found.verdict == "unknown" and not [item for item in found.blockers if not item.unsure]
    assert "111111111111/us-east-1/Subnets.json" in {item.missing for item in found.unknowns}


@pytest.mark.parametrize("address", ["10.1.9.9", "10.1.1.99"])
def test_of_a_vpc_that_was_read_what_is_not_there_is_absent(address: str) -> None:
    assert reach(terse.network(HUB), "i-a", address, "tcp", 443).verdict == "blocked"
