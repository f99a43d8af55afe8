# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many calls the engine makes: the same on any machine, and what keeps it fast on AWS."""

from __future__ import annotations

from collections import Counter

import pytest
from support.lab import LabProcess
from support.patience import times
from support.runs import Run, Runner
from support.scenarios import hub, make_vpcs, mesh

#: Room for the large networks below, which AWS gives on request: https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-connection-quotas.html
ROOM = {"peerings_active": 125, "peerings_outstanding": 125, "rules_per_group": 200}


#: Most items that AWS gives in one answer. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html and others
PAGES = {"peerings": 1000, "route_tables": 100, "rules": 1000, "security_groups": 1000, "vpcs": 1000}


def twice(lab: LabProcess, size: int, shape: str) -> tuple[Run, Run]:
    lab.control.config(quotas=ROOM, latency_ms=10)
    ids = make_vpcs(lab.client(), size)
    runner = Runner(lab, hub(ids) if shape == "hub" else mesh(ids))
    first, second = runner.run(haste=10), runner.run()
    for run in (first, second):
        assert not run.error and not run.rest, run
    assert second.counts == {"add": 0, "change": 0, "remove": 0}
    return first, second


def test_hub_of_20(lab: LabProcess) -> None:
    first, second = twice(lab, 21, "hub")
    assert first.counts == {"add": 120, "change": 0, "remove": 0}
    assert len(first.calls) <= 130, Counter(first.calls)
    assert len(second.calls) <= 8, second.calls


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "size", "peerings"), [("hub", 125, 124), ("mesh", times(24, 40), times(276, 780))])
def test_the_second_run_only_grows_by_pages(lab: LabProcess, shape: str, size: int, peerings: int) -> None:
    """As many calls as a hub of two spokes needs, and one more for each further page."""
    _other, small = twice(lab, 3, shape)
    lab.control.reset()
    _other, second = twice(lab, size, shape)
    assert len(second.state["peerings"]) == peerings
    pages = sum((len(second.state[kind]) - 1) // size for kind, size in PAGES.items())
    # Tags are listed one by one: the Name, and our two, of every connection and every rule.
    tags = sum(len(entry["tags"]) for entry in second.state["rules"]) + sum(len(entry["seen"]) * 3 for entry in second.state["peerings"])
    extra = Counter(second.calls) - Counter(small.calls)
    assert len(second.calls) <= len(small.calls) + pages + tags // 1000, extra
