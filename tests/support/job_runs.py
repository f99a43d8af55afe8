# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped jobs, each run on a lab of its own: the playbook, the playbook again, and delete.yml; and who runs them.

``Operator`` is a role of the lab that may do what a policy says and nothing else: the identity under which a job is proven.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import lifecycle

from .lab import COLLECTIONS, REGION, TESTS
from .recording_lab import CALLS

ROOT = TESTS.parent
PLAYBOOKS = ROOT / "playbooks"
ROLE = "operator"
PHASES = ("first", "second", "delete")
#: The lab's first account, under the name by which the policies are told apart; the profile by which a playbook gets there.
ONE = {"operator": "111111111111"}


@dataclass(frozen=True)
class Job:
    """One shipped playbook. ``accounts``: of each policy, the profile that it is for and that profile's account.

    ``as_on_aws``: words that make it send packets on the lab as it does on AWS, through Systems Manager, or try to.
    """

    name: str
    topology: str
    accounts: Mapping[str, str]
    as_on_aws: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    def command(self, phase: str, *, restricted: bool) -> list[str]:
        """The words after ``ansible-playbook`` of one of PHASES."""
        if phase == "delete":
            words = [str(PLAYBOOKS / "delete.yml"), "-e", f"cloudnet_topology={PLAYBOOKS / 'topologies' / self.topology}"]
        else:
            words = [str(PLAYBOOKS / f"{self.name}.yml")]
        if restricted:
            words += [*self.as_on_aws, *(("-e", "cloudnet_profile=operator") if self.accounts is ONE else ())]
        return words


_SSM = ("-e", "cloudnet_via=ssm")
JOBS = {
    job.name: job
    for job in (
        Job("peer", "two_vpcs.yml", ONE, _SSM),
        Job("deploy", "deploy.yml", ONE, _SSM),
        Job("two_vpc_lab", "two_vpc_lab.yml", ONE),
        Job("finance_hub", "finance_hub.yml", ONE, _SSM),
        Job("file_transfer", "file_transfer.yml", ONE),
        Job("shared_services", "shared_services.yml", {"shared": "555555555555", "development": "666666666666"}, _SSM),
    )
}


@dataclass(frozen=True)
class Done:
    """One run of ``ansible-playbook``: ``seconds`` of the wall, what it printed, and its code."""

    seconds: float
    output: str
    code: int

    @property
    def changed(self) -> bool:
        return re.search(r"\bchanged=[1-9]", self.output) is not None


class Place:
    """A running lab of its own with a folder for what playbooks write; ``recording`` notes the operator's calls."""

    def __init__(self, folder: Path, name: str, recording: bool, **options: Any) -> None:
        self.folder, self.name = folder, name
        with _elsewhere(folder), _recording(recording):
            self.found = lifecycle.start(name, options)
        self.control = self.found.control
        self._log = folder / "state" / "cloudnet" / name / CALLS

    def close(self) -> None:
        with _elsewhere(self.folder):
            lifecycle.stop(self.name)

    def play(self, *words: str, variables: Mapping[str, str] | None = None) -> Done:
        """Run a playbook here, as its user would; ``variables`` of the environment beside those that everybody has."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_", "CLOUDNET_"))}
        environment |= {"XDG_STATE_HOME": str(self.folder / "state"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "false"}
        environment |= {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "PWD": str(self.folder), **(variables or {})}
        start = time.monotonic()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", *words, "-e", f"lab_name={self.name}"],
            cwd=self.folder, env=environment, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        return Done(time.monotonic() - start, done.stdout + done.stderr, done.returncode)

    def variables(self, profile: str) -> dict[str, str]:
        """The environment in which any AWS program finds the lab."""
        assert self.found.record is not None
        files = {"AWS_CONFIG_FILE": self.found.record.config_file, "AWS_SHARED_CREDENTIALS_FILE": self.found.record.credentials_file}
        return {**files, "AWS_PROFILE": profile, "AWS_REGION": REGION}

    def admin(self, account: str, service: str = "iam") -> Any:
        """A boto3 client of an account's administrator, whom no policy restricts."""
        import boto3

        assert self.found.record is not None
        source = boto3.session.Session(**self._keys(), region_name=REGION)
        role: Any = source.client("sts", endpoint_url=self.found.record.url)
        arn = f"arn:aws:iam::{account}:role/cloudnet"
        given = role.assume_role(RoleArn=arn, RoleSessionName="administrator")["Credentials"]
        return self._client(service, given)

    def operator(self, account: str, service: str, region: str) -> Any:
        """A boto3 client of the operator, without retries."""
        arn = f"arn:aws:iam::{account}:role/{ROLE}"
        given = self.admin(account, "sts").assume_role(RoleArn=arn, RoleSessionName="replay")["Credentials"]
        return self._client(service, given, region)

    def _client(self, service: str, given: Mapping[str, str], region: str = REGION) -> Any:
        import boto3
        from botocore.config import Config

        assert self.found.record is not None
        keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        session: Any = boto3.session.Session(*keys, region_name=region)
        # Requests go as they were recorded: what the account refuses, it must be asked.
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        return session.client(service, endpoint_url=self.found.record.url, config=config)

    def _keys(self) -> dict[str, str]:
        assert self.found.record is not None
        text = Path(self.found.record.config_file).read_text().partition("[default]")[2]
        return dict(re.findall(r"^(aws_access_key_id|aws_secret_access_key) = (.+)$", text, re.MULTILINE)[:2])

    def restrict(self, accounts: Mapping[str, str], policies: Mapping[str, Any]) -> None:
        """Make each profile's operator, who may do what its policy says and nothing else, and have the lab hold everybody to policies."""
        wanted = {profile: {"profile": profile, "role_arn": f"arn:aws:iam::{account}:role/{ROLE}"} for profile, account in accounts.items()}
        self.control.accounts(topology=wanted)
        for profile, account in accounts.items():
            iam = self.admin(account)
            iam.delete_role_policy(RoleName=ROLE, PolicyName="administrator")
            iam.put_role_policy(RoleName=ROLE, PolicyName="job", PolicyDocument=json.dumps(policies[profile]))
        self.control.config(enforce_iam=True)

    def noted(self) -> list[dict[str, Any]]:
        """The operator's calls since the last time that this was asked."""
        if not self._log.exists():
            return []
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        self._log.unlink()
        return lines


@contextmanager
def place(name: str, *, recording: bool = False, **options: Any) -> Iterator[Place]:
    """A lab that ends with the block, with all that was written."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="cloudnet-") as folder:
        made = Place(Path(folder), name, recording, **options)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def _elsewhere(folder: Path) -> Iterator[None]:
    """Labs of this block have their records in a folder of ours."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_STATE_HOME"]
        else:
            os.environ["XDG_STATE_HOME"] = before


@contextmanager
def _recording(wanted: bool) -> Iterator[None]:
    names = vars(lifecycle)
    before = (names["_MODULE"], names["collections_root"])
    if wanted:
        names.update(_MODULE="support.recording_lab", collections_root=lambda: f"{COLLECTIONS}{os.pathsep}{TESTS}")
    try:
        yield
    finally:
        names.update(_MODULE=before[0], collections_root=before[1])
