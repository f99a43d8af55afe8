# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several engines apply one topology at once: all end well, there is one of each thing, and the next run has nothing to do."""

from __future__ import annotations

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from support.canonical import difference
from support.lab import REGION, LabProcess
from support.patience import times
from support.races import Raced, Track
from support.scenarios import everything

#: Of the long run (CLOUDNET_LONG=1): about ten minutes.
SEEDS = 50


def pair() -> Topology:
    return load(
        {
            "name": "race",
            "region": REGION,
            "vpcs": {
                "a": {
                    "cidr": "10.90.0.0/16",
                    "subnets": {"s": {"cidr": "10.90.1.0/24", "az": "a", "public": True}},
                    "security_groups": {"g": {}},
                },
                "b": {"cidr": "10.91.0.0/16", "subnets": {"s": {"cidr": "10.91.1.0/24", "az": "a"}}, "security_groups": {"h": {}}},
            },
            "peerings": [{"between": ["a", "b"]}],
            "allow": [{"from": "a.g", "to": "b.h", "icmp": True}],
        }
    )


def raced(lab: LabProcess, topology: Topology, engines: int, seeds: range, *, approve: bool = False) -> str:
    """What went wrong, by seed; empty when all was well. What is there in the end must be what one engine alone makes."""
    track = Track(lab.params(), topology, approve)
    alone = _fresh(lab, track, 1, 0)
    assert not alone.errors and not alone.rest and not alone.doubles, alone
    told = []
    for seed in seeds:
        found = _fresh(lab, track, engines, seed)
        if wrong := [*found.errors, *found.doubles, *found.rest, difference(alone.state, found.state)]:
            told += [f"seed {seed}: {line}" for line in wrong if line]
    return "\n".join(told)


def _fresh(lab: LabProcess, track: Track, engines: int, seed: int) -> Raced:
    lab.control.reset()
    return track.race(engines, seed)


@pytest.mark.parametrize("engines", [2, 4])
def test_one_of_each_thing_is_left(lab: LabProcess, engines: int) -> None:
    assert not (wrong := raced(lab, pair(), engines, range(times(3, SEEDS)))), wrong


@pytest.mark.parametrize("engines", [2, 4])
def test_each_under_its_own_approval(lab: LabProcess, engines: int) -> None:
    """An approval names no removal: each engine takes back what it made itself, and that needs nobody's word."""
    assert not (wrong := raced(lab, pair(), engines, range(times(3, SEEDS)), approve=True)), wrong


@pytest.mark.parametrize("engines", [2, 4])
def test_every_kind_of_resource(lab: LabProcess, engines: int) -> None:
    assert not (wrong := raced(lab, everything(), engines, range(times(2, SEEDS)))), wrong


def test_two_that_remove_one_topology(lab: LabProcess) -> None:
    """What another run removed first is removed."""
    track = Track(lab.params(), everything())
    for seed in range(times(2, SEEDS)):
        assert not _fresh(lab, track, 1, seed).errors
        gone = track.race(2, seed, absent=True)
        assert not gone.errors and not gone.rest and not gone.state["vpcs"], (seed, gone)
