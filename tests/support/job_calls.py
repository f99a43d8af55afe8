# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each shipped job asks of AWS, kept in ``job_calls/JOB.json``, and the policies in docs/policies that are held against it.

    PYTHONPATH=tests:playbooks/collections python -m support.job_calls [JOB…]

runs the jobs on labs of their own (the playbook, the playbook again, delete.yml; minutes for each), as a role that may do everything,
and writes down one call of every kind: what was asked, with which parameters, in which of the three runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .job_runs import JOBS, PHASES, ROOT, Job, place

RECORDS = Path(__file__).with_name("job_calls")
POLICIES = ROOT / "docs" / "policies"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
#: "No permissions are required": https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
FREE = frozenset({"sts:GetCallerIdentity"})


@dataclass(frozen=True)
class Kind:
    """One kind of call that a job makes. ``needs``: the IAM actions that it takes; ``params``: those of one such call; ``phases``: when."""

    service: str
    action: str
    region: str
    needs: tuple[str, ...]
    phases: tuple[str, ...]
    params: Mapping[str, Any]


def kinds(calls: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Kind]:
    """The kinds among (phase, noted call) pairs, in order of their names; the first call of each kind stands for it. Pure."""
    found: dict[tuple[str, ...], Kind] = {}
    for phase, call in calls:
        needs = tuple(need for need in call["needs"] if need not in FREE)
        if not needs:
            continue
        name = (call["service"], call["action"], *needs)
        former = found.get(name)
        phases = tuple(item for item in PHASES if item == phase or (former and item in former.phases))
        first = former or Kind(call["service"], call["action"], call["region"], needs, (), call["params"])
        found[name] = Kind(first.service, first.action, first.region, needs, phases, first.params)
    return [found[name] for name in sorted(found)]


def needed(found: Iterable[Kind]) -> set[str]:
    """The IAM actions that calls take together."""
    return {need for kind in found for need in kind.needs}


def recorded(job: Job) -> dict[str, list[Kind]]:
    """Of each of a job's accounts, by its profile: what was written down."""
    told = json.loads((RECORDS / f"{job.name}.json").read_text(encoding="utf-8"))
    return {
        profile: [Kind(**{**item, "needs": tuple(item["needs"]), "phases": tuple(item["phases"])}) for item in items]
        for profile, items in told.items()
    }


def policy_name(job: Job, profile: str) -> str:
    """A job in one account has a policy of its name; in several, one for each."""
    return job.name if len(job.accounts) == 1 else f"{job.name}_{profile}"


def policy(job: Job, profile: str) -> dict[str, Any]:
    """The document that is shipped."""
    return dict(json.loads((POLICIES / f"{policy_name(job, profile)}.json").read_text(encoding="utf-8")))


def actions(document: Mapping[str, Any]) -> list[str]:
    """All actions of a policy, as often as they are named."""
    return [action for statement in document["Statement"] for action in statement["Action"]]


def without(document: Mapping[str, Any], action: str) -> dict[str, Any]:
    """The policy with one action taken away. Pure."""
    kept = ({**item, "Action": [other for other in item["Action"] if other != action]} for item in document["Statement"])
    return {**document, "Statement": [item for item in kept if item["Action"]]}


def by_account(job: Job, phase: str, noted: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, Mapping[str, Any]]]]:
    """(profile, (phase, call)) of noted calls."""
    profiles = {account: profile for profile, account in job.accounts.items()}
    for call in noted:
        yield profiles[call["account"]], (phase, call)


def record(job: Job) -> None:
    """Run a job and write its file."""
    made: dict[str, list[tuple[str, Mapping[str, Any]]]] = {profile: [] for profile in job.accounts}
    with place(f"record-{job.name}", recording=True) as lab:
        lab.restrict(job.accounts, dict.fromkeys(job.accounts, EVERYTHING))
        for phase in PHASES:
            done = lab.play(*job.command(phase, restricted=True))
            if done.code:
                raise SystemExit(f"{job.name}, {phase}: failed\n{done.output[-3000:]}")
            for profile, call in by_account(job, phase, lab.noted()):
                made[profile].append(call)
            print(f"{job.name}, {phase}: {done.seconds:.0f} s", flush=True)
    told = {profile: [vars(kind) for kind in kinds(calls)] for profile, calls in made.items()}
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{job.name}.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or list(JOBS):
        record(JOBS[wanted])
