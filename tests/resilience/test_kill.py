# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is killed at any moment is finished by the next one, to the very state that an undisturbed run reaches.

The engine runs in a child process, which is sent SIGKILL at one of its API calls: before the call is sent, or after it took effect and
before the answer is looked at. With one worker the calls come in one order, so that every one of them is met.
"""

from __future__ import annotations

import random

import pytest
from support.canonical import difference
from support.lab import LabProcess
from support.runs import Kill, Run, Runner
from support.scenarios import everything, hub, make_vpcs

READS = ("Describe", "Get", "List")


def fresh(lab: LabProcess, vpcs: int) -> None:
    lab.control.reset()
    make_vpcs(lab.client(), vpcs)


def undisturbed(lab: LabProcess, runner: Runner, vpcs: int, workers: int | None) -> Run:
    fresh(lab, vpcs)
    run = runner.run(workers=workers)
    assert not run.error and not run.rest, run
    assert len(run.calls) > 20 and any(not call.startswith(READS) for call in run.calls)
    return run


def killed_then_finished(lab: LabProcess, runner: Runner, vpcs: int, kill: Kill, expected: Run, workers: int | None) -> str:
    """What is wrong after a kill and another run; empty when all is well."""
    fresh(lab, vpcs)
    first = runner.run(kill, workers=workers)
    if not first.killed:
        return f"{kill}: the run was not killed: {first.error or 'it made fewer calls'}"
    second = runner.run(workers=workers)
    if second.error:
        return f"{kill}: {second.error}"
    if second.rest:
        return f"{kill}: still to be done: {second.rest}"
    wrong = difference(expected.state, second.state)
    return f"{kill}:\n{wrong}" if wrong else ""


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_hub_killed_at_every_call(lab: LabProcess, after: bool) -> None:
    """Hub with two spokes, VPCs there already."""
    make_vpcs(lab.client(), 3)
    runner = Runner(lab, hub(["", "", ""], by_tag=True))
    expected = undisturbed(lab, runner, 3, workers=1)
    assert len(expected.state["peerings"]) == 2
    wrong = [killed_then_finished(lab, runner, 3, Kill(number + 1, after), expected, 1) for number in range(len(expected.calls))]
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.slow
def test_own_vpcs_killed_after_writes(lab: LabProcess) -> None:
    """VPCs of our own with every kind of resource: killed after the first and the last call of each writing action.

    Just before a call is, to AWS, the same as just after the one before it, so those moments are met too.
    """
    runner = Runner(lab, everything())
    expected = undisturbed(lab, runner, 0, workers=1)
    calls = ["", *expected.calls]
    writes = {number for number, call in enumerate(calls) if call and not call.startswith(READS)}
    firsts = {calls.index(calls[number]) for number in writes}
    lasts = {max(other for other in writes if calls[other] == calls[number]) for number in writes}
    wrong = [killed_then_finished(lab, runner, 0, Kill(number, True), expected, 1) for number in sorted(firsts | lasts)]
    assert len(wrong) >= 20
    assert not any(wrong), "\n".join(filter(None, wrong))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["hub", "everything"])
def test_killed_while_many_calls_are_under_way(lab: LabProcess, scenario: str) -> None:
    """With the engine's own concurrency, at random calls."""
    vpcs = 5 if scenario == "hub" else 0
    runner = Runner(lab, hub([""] * vpcs, by_tag=True) if vpcs else everything())
    expected = undisturbed(lab, runner, vpcs, workers=None)
    chance = random.Random(scenario)
    writing = [number + 1 for number, call in enumerate(expected.calls) if not call.startswith(READS)]
    kills = [Kill(chance.randint(min(writing), max(writing)), chance.random() < 0.5) for _turn in range(8)]
    wrong = [killed_then_finished(lab, runner, vpcs, kill, expected, None) for kill in kills]
    assert not any(wrong), "\n".join(filter(None, wrong))
