# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job whose operator begins with nothing, and is given one action at a time: the one that the failing playbook names.

    PYTHONPATH=tests:playbooks/collections python -m support.job_growth [JOB…]

runs the playbook and delete.yml on a lab again and again, each time under the part of the job's policy that was asked for so far. Every
run but the last of a phase must fail, and its output must name an action of the policy; the next run goes on from there, as a person's
would. In the end all of the policy was asked for, apart from what a run goes on without. Where a module keeps to itself what IAM said, the
line ends in "in silence", the lab's own log tells the action, and the program ends with 1. As many runs as there are actions: a quarter
to half an hour for a job, on a machine that does nothing else.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from .job_calls import actions, policy
from .job_runs import JOBS, ROLE, Job, Place, place

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_TOLD = re.compile(r"User: arn:aws:sts::(\d{12}):assumed-role/operator/\S+ is not authorized to perform: (\w[\w-]*:\w+) ")
# An identity without any policy would do as well; IAM refuses a document without statements.
_NOTHING = {"Sid": "Nothing", "Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": "*"}


class Stuck(Exception):
    """A run failed and named no action that the policy could give, or the policy has what nobody asked for."""


def part(document: Mapping[str, Any], given: set[str]) -> dict[str, Any]:
    """The policy with the given actions only, on the same resources and conditions. Pure."""
    kept = ({**item, "Action": [action for action in item["Action"] if action in given]} for item in document["Statement"])
    return {**document, "Statement": [_NOTHING, *(item for item in kept if item["Action"])]}


def named(output: str, job: Job) -> tuple[str, str] | None:
    """(profile, action) of the last refusal that a run's output tells, None without one. Pure."""
    found = _TOLD.findall(output)
    profiles = {account: profile for profile, account in job.accounts.items()}
    return (profiles[found[-1][0]], found[-1][1]) if found else None


def grow(job: Job) -> Iterator[str]:
    """A line for each run, those with "in silence" where the playbook's output does not name what it lacks. Raises Stuck."""
    whole = {profile: policy(job, profile) for profile in job.accounts}
    given: dict[str, set[str]] = {profile: set() for profile in job.accounts}
    without: dict[str, set[str]] = {profile: set() for profile in job.accounts}
    with place(f"growth-{job.name}", recording=True, **({"twin": "off"} if job.name == "peer" else {})) as lab:
        lab.restrict(job.accounts, {profile: part(whole[profile], set()) for profile in job.accounts})
        for phase in ("first", "delete"):
            yield from _grow(lab, job, phase, whole, given, without)
    for profile, document in whole.items():
        lacking = set(actions(document)) - given[profile]
        if lacking - without[profile]:
            raise Stuck(f"{profile}: nobody asked for {sorted(lacking - without[profile])}")
        if lacking:
            yield f"{profile}: every run goes on without {', '.join(sorted(lacking))}"


def _grow(
    lab: Place, job: Job, phase: str, whole: Mapping[str, Any], given: dict[str, set[str]], without: dict[str, set[str]]
) -> Iterator[str]:
    accounts = {account: profile for profile, account in job.accounts.items()}
    while True:
        done = lab.play(*job.command(phase, restricted=True))
        # Of what a call needs, the lab asks in order: what it was refused for is the first that is not given.
        calls = ((accounts[call["account"]], call["needs"]) for call in lab.noted() if call["code"] in DENIED)
        refused = [(profile, need) for profile, needs in calls for need in [need for need in needs if need not in given[profile]][:1]]
        for profile, need in refused:
            without[profile].add(need)
        if done.code == 0:
            yield f"{job.name}, {phase}: done, {done.seconds:.0f} s"
            return
        told = named(done.output, job)
        asked = told or (refused[-1] if refused else None)
        if asked is None or asked[1] in given[asked[0]] or asked[1] not in actions(whole[asked[0]]):
            raise Stuck(f"{job.name}, {phase}: failed, and named {asked}\n{done.output[-3000:]}")
        profile, action = asked
        given[profile].add(action)
        document = json.dumps(part(whole[profile], given[profile]))
        lab.admin(job.accounts[profile]).put_role_policy(RoleName=ROLE, PolicyName="job", PolicyDocument=document)
        yield f"{job.name}, {phase}: {profile} lacks {action}{'' if told else ', in silence'}, {done.seconds:.0f} s"


if __name__ == "__main__":
    silent = False
    for wanted in sys.argv[1:] or list(JOBS):
        try:
            for line in grow(JOBS[wanted]):
                silent |= ", in silence" in line
                print(line, flush=True)
        except Stuck as stuck:
            raise SystemExit(str(stuck)) from None
    sys.exit(silent)
