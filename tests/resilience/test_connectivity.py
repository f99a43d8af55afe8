# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is said to open and close is what it opens and closes: the simulated network gives the verdicts of the applied one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import ids_after, simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils.connectivity import check, ids_of, queries
from ansible_collections.cloudnet.vpc.plugins.module_utils.ends import World
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Options
from ansible_collections.cloudnet.vpc.plugins.module_utils.openings import changes
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.patience import times
from support.topologies import topologies

from . import test_properties as properties

#: For each plan, how many connections were told to open or close.
OPENED: list[int] = []


@pytest.fixture(scope="module")
def lab_world() -> Iterator[properties.World]:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION")
    with pytest.MonkeyPatch.context() as patch, RunningLab() as running:
        patch.setenv("AWS_CONFIG_FILE", str(running.config_file))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in names:
            patch.delenv(name, raising=False)
        yield properties.World(running)
    # A property of nothing proves nothing.
    assert sum(OPENED) > 10


@settings(
    max_examples=times(3, 15),
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(document=topologies(), drop=st.integers(0, 5))
def test_a_simulated_verdict_is_that_after_applying(lab_world: properties.World, document: dict[str, Any], drop: int) -> None:
    names = list(document["vpcs"])
    ends = [{"from": f"{one}.s0", "to": f"{other}.s0"} for one in names for other in names if one != other]
    document["expect"] = [{**pair, "icmp": True, "reachable": False} for pair in ends]
    document["expect"] += [{**pair, "tcp": 443, "reachable": False} for pair in ends]
    less = copy.deepcopy(document)
    properties.shrink(less, drop)
    for wish, absent in ((document, False), (less, False), (less, True)):
        agree(lab_world, wish, absent)


def agree(world: properties.World, document: dict[str, Any], absent: bool) -> None:
    """Converge, and compare what was said before with what is there after."""
    before, estate = world.observe(), world.estate(document)
    topology = estate.topology
    plan = estate.plan(before, Options(absent=absent))
    simulated, ids = simulate(before, plan), ids_after(before, plan)
    said = changes(topology, before, simulated, plan.ids, ids)
    OPENED.append(len(said["opened"]) + len(said["closed"]))

    result = estate.converge(Options(absent=absent))
    after = world.observe()
    real = ids_of(topology, after, estate.accounts)
    for told in (changes(topology, before, after, plan.ids, real), dict(result.connectivity)):
        assert {key: rows(told, key) for key in ("opened", "closed", "unknown")} == {
            "opened": rows(said, "opened"),
            "closed": rows(said, "closed"),
            "unknown": [],
        }
    between = changes(topology, simulated, after, ids, real)
    assert [rows(between, key) for key in ("opened", "closed", "unknown")] == [[], [], []]
    if not absent:
        asked = queries(topology.expects)
        expected = [row["found"] for row in check(World(topology, after, real), asked)]
        assert [row["found"] for row in said["expect"]] == expected
        assert [row["found"] for row in result.connectivity["expect"]] == expected


def rows(told: dict[str, Any], key: str) -> list[str]:
    return sorted(f"{row['from']} -> {row['to']} {row['traffic']} {row['families']}" for row in told[key])
