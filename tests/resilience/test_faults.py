# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""On AWS's bad days the engine gets where it would have got on a good one: throttles, 5xx, resets and answers that lag behind writes.

Each seed runs in an account of its own, with faults of its own, several at a time: they mostly wait.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from support.canonical import difference
from support.lab import LabProcess
from support.patience import times
from support.runs import Run, Runner
from support.scenarios import everything, hub, make_vpcs

SEEDS = times(12, 50)
TOGETHER = 5
#: Waits before repetitions are this many times shorter than on AWS; the lag of new objects is a true second.
HASTE = 4.0


@pytest.fixture(scope="module")
def labs() -> Iterator[LabProcess]:
    with LabProcess(accounts=[f"seed{number}" for number in range(TOGETHER)]) as running:
        yield running


Faults = list[dict[str, Any]]


def bad_day(seed: int) -> Faults:
    """20 % throttled, 5 % 5xx, 2 % resets (half before, half after the effect), and what is new not found for a second."""
    kinds: Faults = [
        {"kind": "throttle", "rate": 0.2},
        {"kind": "internal", "rate": 0.025},
        {"kind": "unavailable", "rate": 0.025},
        {"kind": "reset_before", "rate": 0.01},
        {"kind": "reset_after", "rate": 0.01},
        {"kind": "not_found", "seconds": 1.0, "actions": "ec2:*"},
    ]
    return [{"actions": "*:*", "seed": seed * 100 + number, **kind} for number, kind in enumerate(kinds)]


class World:
    """A scenario in several accounts of a lab at a time, and its undisturbed end."""

    def __init__(self, lab: LabProcess, scenario: str) -> None:
        self.lab = lab
        self.vpcs = 4 if scenario == "hub" else 0
        topology = hub([""] * self.vpcs, by_tag=True) if self.vpcs else everything()
        self.accounts = list(lab.keys)[-TOGETHER:]
        self.runners = [Runner(lab, topology, account) for account in self.accounts]
        self.hits: Counter[str] = Counter()
        (self.expected,) = self._together([[]])
        assert not self.expected.error and not self.expected.rest, self.expected

    def _together(self, cases: Sequence[Faults]) -> list[Run]:
        self.lab.control.reset()
        for account, _other in zip(self.accounts, cases, strict=False):
            make_vpcs(self.lab.client(account=account), self.vpcs)
        faults = [{**fault, "account": account} for account, case in zip(self.accounts, cases, strict=False) for fault in case]
        self.lab.control.config(faults=faults)
        started = [runner.start(haste=HASTE) for runner, _other in zip(self.runners, cases, strict=False)]
        runs = [running.finish() for running in started]
        self.hits.update(self.lab.control.calls()["faults"])
        return runs

    def wrong(self, cases: Mapping[str, Faults]) -> str:
        """What did not converge, or not to the undisturbed end, by the names of the cases; empty when all did."""
        told: list[str] = []
        names = list(cases)
        for first in range(0, len(names), TOGETHER):
            some = names[first : first + TOGETHER]
            for name, run in zip(some, self._together([cases[name] for name in some]), strict=True):
                if run.error or run.rest or run.state != self.expected.state:
                    told.append(f"{name}: {run.error or run.rest or difference(self.expected.state, run.state)}")
        return "\n".join(told)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["hub", "everything"])
def test_every_seed_converges(labs: LabProcess, scenario: str) -> None:
    """25 seeds of a hub whose VPCs are there, 25 of VPCs of our own with every kind."""
    world = World(labs, scenario)
    assert not (wrong := world.wrong({f"seed {seed}": bad_day(seed) for seed in range(SEEDS)})), wrong
    # A hub's connections are waited for by filter, which finds nothing instead of failing.
    for kind in ("throttle", "internal", "unavailable", "reset_before", "reset_after", *(("not_found",) if not world.vpcs else ())):
        assert world.hits[kind] > 5, f"{kind} struck only {world.hits[kind]} times"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_any_write_may_lose_its_answer(labs: LabProcess, kind: str) -> None:
    """The connection breaks at the first call of each writing action: whether it took effect or not, there is one of everything."""
    world = World(labs, "everything")
    writes = sorted({call for call in world.expected.calls if not call.startswith(("Describe", "Get", "List"))})
    assert len(writes) > 20
    assert not (wrong := world.wrong({f"{kind} {call}": [{"kind": kind, "actions": f"ec2:{call}", "times": 1}] for call in writes})), wrong
    assert world.hits[kind] == len(writes)
