# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/policies: each policy holds what its job asks of AWS and nothing beside it, and each of its actions is really asked for.

What a job asks is written down by support/job_calls.py. Every kind of call in it is sent again here, signed by a role that may do what the
policy says without one action, and refused by that action's name; and with a role, document or policy that is not the job's, and refused
too. Every job runs whole under its policy, and is held against what was written down (slow); some parts of jobs run without one action,
to see what their users are told, and which they do without.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from support.job_calls import (
    EVERYTHING,
    POLICIES,
    Kind,
    actions,
    by_account,
    kinds,
    needed,
    policy,
    policy_name,
    recorded,
    without,
)
from support.job_runs import JOBS, PHASES, ROLE, ROOT, Job, Place, place

EACH = [pytest.param(job, profile, id=policy_name(job, profile)) for job in JOBS.values() for profile in job.accounts]
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
ACCOUNT = "111111111111"


@pytest.mark.parametrize(("job", "profile"), EACH)
def test_a_policy_is_what_its_job_asks_for(job: Any, profile: str) -> None:
    allowed, asked = Counter(actions(policy(job, profile))), needed(recorded(job)[profile])
    name = f"docs/policies/{policy_name(job, profile)}.json"
    assert not [f"{name} lacks {action}, which {job.name}.yml or delete.yml needs" for action in sorted(asked - set(allowed))]
    assert not [f"{name} allows {action}, which {job.name}.yml and delete.yml never need" for action in sorted(set(allowed) - asked)]
    assert set(allowed.values()) == {1}
    assert all(statement["Effect"] == "Allow" and statement["Sid"] for statement in policy(job, profile)["Statement"])


def test_every_policy_has_a_job() -> None:
    assert {path.stem for path in POLICIES.iterdir()} == {param.id for param in EACH}


def _arns(kind: Kind, action: str) -> list[str]:
    """The resources that a call's parameters name, for the actions whose statements are not about everything."""
    told, account = kind.params, ACCOUNT
    if action == "ssm:SendCommand":
        return [
            f"arn:aws:ssm:{kind.region}::document/{told['DocumentName']}",
            *(f"arn:aws:ec2:{kind.region}:{account}:instance/{one}" for one in told["InstanceIds"]),
        ]
    if action == "ssm:GetParameters":
        return [f"arn:aws:ssm:{kind.region}::parameter{told['ImageId'].removeprefix('resolve:ssm:')}"]
    if action == "iam:PassRole":
        # The role has its profile's name.
        named = told["RoleName"] if "RoleName" in told else str(*told["IamInstanceProfile"].values())
        return [f"arn:aws:iam::{account}:role/{named.rpartition('/')[2]}"]
    if action.startswith("iam:"):
        names = [("role", told.get("RoleName")), ("instance-profile", told.get("InstanceProfileName"))]
        found = [f"arn:aws:iam::{account}:{sort}/{name}" for sort, name in names if name]
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
        return found[-1:]
    return []


@pytest.mark.parametrize(("job", "profile"), EACH)
def test_resources_and_conditions_are_those_that_the_job_names(job: Any, profile: str) -> None:
    document = policy(job, profile)
    for statement in document["Statement"]:
        patterns = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        named = [
            (action, arn, kind)
            for action in statement["Action"]
            for kind in recorded(job)[profile]
            if action in kind.needs
            for arn in _arns(kind, action)
        ]
        if patterns == ["*"]:
            # Of these, the first knows no resources: everything else of IAM, and commands, must not be on everything.
            narrow = ("iam:ListAccountAliases", "iam:", "ssm:SendCommand", "ssm:GetParameter")
            assert not [action for action in statement["Action"] if action != narrow[0] and action.startswith(narrow[1:])]
            continue
        assert {action for action, _arn, _kind in named} == set(statement["Action"]), statement["Sid"]
        for action, arn, kind in named:
            assert any(fnmatchcase(arn, pattern) for pattern in patterns), f"{statement['Sid']}: {action} on {arn}"
            for key, wanted in (condition for test in statement.get("Condition", {}).values() for condition in test.items()):
                told = {"iam:PolicyARN": kind.params.get("PolicyArn"), "iam:PassedToService": "ec2.amazonaws.com"}
                assert told[key] == wanted
        for pattern in patterns:
            assert any(fnmatchcase(arn, pattern) for _action, arn, _kind in named), f"{statement['Sid']}: nothing is {pattern}"


@pytest.fixture(scope="module")
def lab() -> Iterator[Place]:
    """One without a data plane: what is judged is who may ask, which comes before everything else."""
    with place("policies", twin="off") as made:
        made.restrict({"operator": ACCOUNT}, {"operator": EVERYTHING})
        yield made


class Replay:
    """Sends written calls again as the lab's operator, whose policy can be changed."""

    def __init__(self, lab: Place) -> None:
        self._lab, self._iam = lab, lab.admin(ACCOUNT)
        self._clients: dict[tuple[str, str], Any] = {}

    def may(self, document: dict[str, Any]) -> None:
        self._iam.put_role_policy(RoleName=ROLE, PolicyName="job", PolicyDocument=json.dumps(document))

    def denied(self, kind: Kind) -> str:
        """What the caller is told when it may not, "" when it may, whatever else becomes of the call."""
        place_ = (kind.service, kind.region)
        if place_ not in self._clients:
            self._clients[place_] = self._lab.operator(ACCOUNT, *place_)
        try:
            getattr(self._clients[place_], xform_name(kind.action))(**kind.params)
        except ClientError as error:
            told = error.response["Error"]
            return str(told["Message"]) if told["Code"] in DENIED else ""
        return ""


@pytest.mark.parametrize(("job", "profile"), EACH)
def test_each_action_is_refused_when_it_is_taken_away(lab: Place, job: Any, profile: str) -> None:
    document, replay, found = policy(job, profile), Replay(lab), recorded(job)[profile]
    replay.may(document)
    assert [kind.action for kind in found if replay.denied(kind)] == []
    for action in actions(document):
        replay.may(without(document, action))
        told = [replay.denied(kind) for kind in found if action in kind.needs]
        assert told and all(f"is not authorized to perform: {action} " in message for message in told), (action, told)


#: Of calls that a policy allows on some things only: what else the same call could be about.
OTHERS = {
    "AddRoleToInstanceProfile": {"RoleName": "admin"},
    "AttachRolePolicy": {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    "CreateInstanceProfile": {"InstanceProfileName": "admin"},
    "CreateRole": {"RoleName": "admin"},
    "DeleteRole": {"RoleName": "admin"},
    "SendCommand": {"DocumentName": "AWS-RunRemoteScript"},
}


@pytest.mark.parametrize(("job", "profile"), EACH)
def test_what_is_not_the_jobs_is_refused(lab: Place, job: Any, profile: str) -> None:
    replay, found = Replay(lab), recorded(job)[profile]
    replay.may(policy(job, profile))
    asked = {kind.action: kind for kind in found if kind.action in OTHERS}
    assert (set(asked) == set(OTHERS)) == ("ssm:SendCommand" in actions(policy(job, profile)))
    for action, kind in asked.items():
        changed = Kind(**{**vars(kind), "params": {**kind.params, **OTHERS[action]}})
        assert "is not authorized to perform: " in replay.denied(changed), action
    # An image that is named by another parameter is looked up for the caller as well, and so may not be read.
    launches = [kind for kind in found if kind.action == "RunInstances" and "ssm:GetParameters" in kind.needs]
    for kind in launches:
        secret = Kind(**{**vars(kind), "params": {**kind.params, "ImageId": "resolve:ssm:/secret/of/others"}})
        assert "perform: ssm:GetParameters on resource: " in replay.denied(secret)
    assert launches or job.name == "file_transfer"


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS.values(), ids=str)
def test_a_whole_job_under_its_policy(job: Job) -> None:
    """Made and removed by roles that may do what the policies say and nothing else; the second run asks for nothing that the first did not.

    peer.yml runs without a data plane, which is faster: as on AWS its instances have no way to Systems Manager, and packets are predicted.
    """
    written, asked = recorded(job), {profile: set[str]() for profile in job.accounts}
    with place(f"policy-{job.name}", recording=True, **({"twin": "off"} if job.name == "peer" else {})) as own:
        own.restrict(job.accounts, {profile: policy(job, profile) for profile in job.accounts})
        for phase in ("first", "delete"):
            done = own.play(*job.command(phase, restricted=True))
            noted = own.noted()
            assert [call for call in noted if call["code"] in DENIED] == []
            assert (done.code, done.changed) == (0, True), done.output[-3000:]
            assert "[DEPRECATION WARNING]" not in done.output, done.output
            for profile, call in by_account(job, phase, noted):
                asked[profile] |= needed(kinds([call]))
    for profile, found in written.items():
        before = needed(kind for kind in found if set(kind.phases) & {"first", "delete"})
        now, name = asked[profile], policy_name(job, profile)
        assert needed(kind for kind in found if kind.phases == ("second",)) <= before
        hint = f"write it down anew: python -m support.job_calls {job.name}, and mend docs/policies/{name}.json"
        assert now == before, f"{hint}; new: {sorted(now - before)}, gone: {sorted(before - now)}"
        assert set(PHASES) == {phase for kind in found for phase in kind.phases}


TOPOLOGY = ROOT / "playbooks" / "topologies" / "two_vpcs.yml"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
PARTS = [
    ("peer", "ec2:DescribeVpcs", None),
    ("peer", "ec2:CreateVpcPeeringConnection", {"cloudnet.vpc.network": {"topology": str(TOPOLOGY)}}),
    ("finance_hub", "iam:CreateRole", {"amazon.aws.iam_role": {"name": "cloudnet-ssm-x", "assume_role_policy_document": TRUST}}),
]


def playbook(lab: Place, task: dict[str, Any]) -> str:
    """The path of a playbook of one task."""
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}
    path = lab.folder / "task.json"
    path.write_text(json.dumps([play | {"vars": {"ansible_python_interpreter": sys.executable}}]))
    return str(path)


@pytest.mark.parametrize(("job", "action", "task"), PARTS, ids=["the playbook peer.yml", "cloudnet.vpc.network", "amazon.aws.iam_role"])
def test_users_are_told_which_action_they_lack(lab: Place, job: str, action: str, task: dict[str, Any] | None) -> None:
    """A playbook or a task as a user runs it, under the policy of its job without one action: one line that names it."""
    Replay(lab).may(without(policy(JOBS[job], "operator"), action))
    words = [playbook(lab, task)] if task else JOBS[job].command("first", restricted=True)
    done = lab.play(*words, variables=lab.variables("operator") if task else None)
    lines = [line for line in done.output.splitlines() if f"is not authorized to perform: {action} " in line]
    assert done.code == 2 and lines, done.output[-3000:]
    assert "Traceback" not in done.output


def test_quotas_may_be_left_out(lab: Place) -> None:
    """As docs/policies.md says of ReadQuotas: AWS's defaults are taken then."""
    Replay(lab).may(without(policy(JOBS["peer"], "operator"), "servicequotas:ListServiceQuotas"))
    done = lab.play(playbook(lab, {"cloudnet.vpc.network": {"topology": str(TOPOLOGY)}}), "--check", variables=lab.variables("operator"))
    assert done.code == 0, done.output[-3000:]
