# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped playbooks as their users run them: from any folder, with nothing set up, in an environment that would lead astray.

What they say and decide, on a lab without a data plane; packets are the business of molecule's scenarios.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from .conftest import TOPOLOGY

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
LAB = "playbooks-test"

#: What a user's shell may hold; each of these would send a run elsewhere if it counted.
HOSTILE = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "x" * 40,
    "AWS_SESSION_TOKEN": "token",
    "AWS_PROFILE": "production",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL_EC2": "https://ec2.example.invalid",
    "AWS_ENDPOINT_URL_STS": "https://sts.example.invalid",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
}


class Runs:
    """Runs playbooks in a folder of their own, on a lab of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_", "EC2_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**kept, **HOSTILE, "HOME": str(self.home), "PATH": path, "PWD": str(folder), "ANSIBLE_NOCOLOR": "1"}

    def play(self, name: str, *words: str, code: int = 0, **environment: str) -> str:
        """One playbook's output; it must end with ``code``."""
        lab = ("-e", f"lab_name={LAB}", "-e", "cloudnet_lab_twin=off")
        command = ["ansible-playbook", str(ROOT / "playbooks" / f"{name}.yml"), *lab, *words]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        assert "[DEPRECATION WARNING]" not in done.stdout, done.stdout
        return done.stdout

    @property
    def config(self) -> Path:
        return self.home / ".local" / "state" / "cloudnet" / LAB / "config"

    def ec2(self, monkeypatch: pytest.MonkeyPatch, profile: str = "lab") -> Any:
        """EC2 of the lab, as one of its profiles."""
        monkeypatch.setenv("AWS_CONFIG_FILE", str(self.config))
        return boto3.session.Session(profile_name=profile).client("ec2")

    def artifact(self, topology: str, name: str) -> Any:
        return json.loads((self.folder / "artifacts" / topology / name).read_text())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    made = Runs(tmp_path_factory.mktemp("user"))
    try:
        yield made
    finally:
        made.play("lab", "-e", "lab_state=stopped")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


def changed(output: str) -> int:
    """The recap's count."""
    (count,) = re.findall(r"^localhost .* changed=(\d+) ", output, re.MULTILINE)
    return int(count)


def ours(ec2: Any) -> list[str]:
    """What carries our tag."""
    return [tag["ResourceId"] for tag in ec2.describe_tags(Filters=[{"Name": "key", "Values": ["cloudnet:topology"]}])["Tags"]]


def live(ec2: Any) -> list[str]:
    """VPCs by id, and what is in them that counts."""
    return [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]]


#: The pair of the module tests, with something to expect.
EXPECTING = {
    **TOPOLOGY,
    "expect": [
        {"from": "dev.app", "to": "ops.admin", "tcp": 443},
        {"from": "ops.admin", "to": "dev.app", "icmp": True, "reachable": False},
    ],
}


def test_from_an_empty_account_to_an_empty_account(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.play("lab", "-e", "lab_state=reset")
    (runs.folder / "pair.yml").write_text(json.dumps(EXPECTING))
    chosen, kept = ("-e", "cloudnet_topology=pair.yml"), ("-e", "approve=artifacts/pair/plan.json")

    planned = runs.play("peer", *chosen, "--check", "--diff")
    assert re.search(r"^Plan: \d+ to add, 0 to change, 0 to remove$", planned, re.MULTILINE)
    assert "\n  opens: dev.servers -> ops.tools tcp 443\n" in planned and "expect fails" not in planned
    ec2 = runs.ec2(monkeypatch)
    assert live(ec2) == []
    plan = runs.artifact("pair", "plan.json")
    assert plan["format_version"] == 2 and f"Fingerprint: {plan['fingerprint']}" in planned
    assert not (runs.folder / "artifacts" / "pair" / "outputs.json").exists()

    # Nobody can say yes where there is no terminal.
    asked = runs.play("peer", *chosen, "-e", "approve=ask", code=2)
    assert f"Not approved, so nothing was changed. To approve exactly this plan, run again with approve={plan['fingerprint']}" in asked
    assert live(ec2) == []

    # A part of what was approved, by a path that starts where the user stands.
    made = runs.play("apply", *chosen, *kept, "-e", "cloudnet_through=routes")
    assert changed(made) == 1 and "account  111111111111" in made and "target   the lab at http://127.0.0.1:" in made
    assert "expect fails: expect[0]: dev.app -> ops.admin tcp 443 is to be reachable, and is blocked: SG_HAS_NO_RULES" in made
    outputs = runs.artifact("pair", "outputs.json")
    assert sorted(live(ec2)) == sorted(vpc["id"] for vpc in outputs["vpcs"].values())
    assert outputs["peerings"]["dev:ops"]["id"] in made
    assert runs.artifact("pair", "snapshot/accounts/111111111111/us-east-1/Vpcs.json")["Vpcs"]

    wrong = runs.play("verify", *chosen, code=2)
    assert "1 of 2 expectations do not hold. To open what is to be reachable: allow: {from: dev.servers, to: ops.tools, tcp: 443}" in wrong
    assert "FAIL  dev.app" in wrong and changed(wrong) == 0

    # What drifted since the approval is refused, by name.
    runs.play("plan", *chosen)
    table = outputs["vpcs"]["dev"]["route_tables"]
    ec2.delete_route(RouteTableId=next(iter(table.values())), DestinationCidrBlock="10.1.0.0/16")
    refused = runs.play("apply", *chosen, "-e", f"approve={runs.folder}/artifacts/pair/plan.json", code=2)
    assert "1 of 2 actions are not in the approved plan" in refused and "routes.10.1.0.0/16" in refused

    # Then the rest, which is a rule, and the route that went.
    whole = runs.play("peer", *chosen)
    assert changed(whole) == 1 and "Plan: 2 to add, 0 to change, 0 to remove" in whole
    assert "dev.servers -> -            yes" in whole and "1 of 2 reachable (50 %)" in whole
    assert runs.artifact("pair", "outputs.json") == outputs
    # In check mode too, for it only reads.
    right = runs.play("verify", *chosen, "--check")
    assert "2 of 2 expectations hold." in right and changed(right) == 0

    # What others put beside stays, and nothing of ours does.
    stranger = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    removed = runs.play("delete", *chosen)
    assert changed(removed) == 1 and "Nothing of pair is left." in removed
    # Deleted connections stay listed for a while, as on AWS.
    assert live(ec2) == [stranger] and not [name for name in ours(ec2) if not name.startswith("pcx-")]


#: Subnet, group and instance share a name, as people's do.
SAME = {
    "name": "same",
    "region": "us-east-1",
    "vpcs": {
        vpc: {
            "cidr": f"10.{number}.0.0/16",
            "subnets": {name: {"cidr": f"10.{number}.1.0/24", "az": "a"}},
            "security_groups": {name: {}},
            "instances": {name: {"subnet": name, "security_groups": [name]}},
        }
        for number, (vpc, name) in enumerate((("web", "app"), ("data", "db")))
    },
    "peerings": [{"between": ["web", "data"]}],
    "allow": [{"from": "group:web.app", "to": "group:data.db", "tcp": 5432}],
}


def test_names_that_several_things_share(runs: Runs) -> None:
    runs.play("lab", "-e", "lab_state=reset")
    (runs.folder / "same.yml").write_text(json.dumps(SAME))
    told = runs.play("peer", "-e", "cloudnet_topology=same.yml")
    assert "\n  opens: group:web.app -> group:data.db tcp 5432\n" in told
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert "tcp 5432 instance:web.app group:web.app instance:data.db group:data.db" in lines
    assert "group:web.app -> X - yes yes" in lines and "4 of 12 reachable (33 %)" in lines
    # One rule that goes is one line, with the instances behind it.
    (runs.folder / "same.yml").write_text(json.dumps({**SAME, "allow": []}))
    told = runs.play("peer", "-e", "cloudnet_topology=same.yml", "--check")
    assert [line.strip() for line in told.splitlines() if "closes:" in line] == [
        "closes: group:web.app -> group:data.db tcp 5432 (from instance:web.app to instance:data.db)"
    ]


#: An instance, and a rule that a lesson makes later than it.
LATER = {
    "name": "later",
    "region": "us-east-1",
    "vpcs": {
        "dev": {
            "cidr": "10.0.0.0/16",
            "subnets": {"app": {"cidr": "10.0.1.0/24", "az": "a"}},
            "security_groups": {"web": {}},
            "instances": {"one": {"subnet": "app", "security_groups": ["web"]}},
        }
    },
    "allow": [{"from": "dev.web", "to": "dev.web", "tcp": 22}],
}


def test_an_approved_part_of_a_plan_covers_its_launches(runs: Runs) -> None:
    runs.play("lab", "-e", "lab_state=reset")
    (runs.folder / "later.yml").write_text(json.dumps(LATER))
    words = ("-e", "cloudnet_topology=later.yml", "-e", "cloudnet_through=vpcs", "-e", "cloudnet_via=none")
    runs.play("peer", *words, "--check")
    done = runs.play("peer", *words, "-e", f"approve={runs.artifact('later', 'plan.json')['fingerprint']}")
    assert "changed: [localhost] => (item=dev.one)" in done


def test_the_last_instance_ends_before_its_subnet_goes(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.play("lab", "-e", "lab_state=reset")
    words = ("-e", "cloudnet_topology=later.yml", "-e", "cloudnet_via=none")
    (runs.folder / "later.yml").write_text(json.dumps(LATER))
    runs.play("peer", *words, "-e", "cloudnet_through=vpcs")
    ec2 = runs.ec2(monkeypatch)
    (subnet,) = (item["SubnetId"] for item in ec2.describe_subnets()["Subnets"])
    (runs.folder / "later.yml").write_text(json.dumps({**LATER, "vpcs": {"dev": {"cidr": "10.0.0.0/16"}}, "allow": []}))
    runs.play("peer", *words, "-e", "cloudnet_instances_undeclared=terminate")
    assert subnet not in [item["SubnetId"] for item in ec2.describe_subnets()["Subnets"]]


def test_a_mistake_is_told_with_its_line(runs: Runs) -> None:
    file = runs.folder / "mistake.yml"
    file.write_text("name: mistake\nregion: us-east-1\nvpcs:\n  dev: {cidr: 10.0.0.0/16}\npeerings:\n  - {between: [dev, opps]}\n")
    told = runs.play("peer", "-e", "cloudnet_topology=mistake.yml", code=2)
    assert "mistake.yml:6: peerings[0]" in told and "opps" in told and '"code": "topology"' in told
    assert "no such file" in runs.play("peer", "-e", "cloudnet_topology=nowhere.yml", code=2)
    assert "cloudnet_target is moon, but must be lab or aws" in runs.play("peer", "-e", "cloudnet_target=moon", code=2)
    assert "say what was approved" in runs.play("apply", code=2)


def test_aws_is_not_the_lab(runs: Runs) -> None:
    runs.play("lab")
    lab = {
        "AWS_ENDPOINT_URL_EC2": "http://127.0.0.1:9",
        "AWS_CONFIG_FILE": str(runs.config),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    }
    aws = ("-e", "cloudnet_target=aws", "-e", "cloudnet_profile=lab", "-e", "cloudnet_region=us-east-1")
    # There the demonstration is nobody's topology.
    assert "there is no default topology on AWS: name the file" in runs.play("delete", *aws, code=2, **lab)
    told = runs.play("peer", *aws, "-e", f"cloudnet_topology={ROOT}/playbooks/topologies/two_vpcs.yml", code=2, **lab)
    assert "target is aws, but the endpoint is http://127.0.0.1:" in told


def test_accounts_that_have_roles_get_profiles_on_aws(runs: Runs) -> None:
    text = (ROOT / "playbooks" / "topologies" / "shared_services.yml").read_text()
    for name, account in (("shared", "333333333333"), ("development", "444444444444")):
        text = text.replace(f"{{profile: {name}}}", f"{{role_arn: 'arn:aws:iam::{account}:role/network'}}")
    (runs.folder / "roles.yml").write_text(text)
    (runs.home / ".aws").mkdir()
    (runs.home / ".aws" / "credentials").write_text("[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = hidden\n")
    words = ("-e", "cloudnet_target=aws", "-e", "cloudnet_profile=mine", "-e", "cloudnet_topology=roles.yml", "-vvv")
    # Nobody is asked: the guard against the lab's kind of endpoint sees to that. An endpoint of a service would come before this one.
    nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_EC2": "", "AWS_ENDPOINT_URL_STS": ""}
    told = runs.play("plan", *words, code=2, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="false", **nobody)
    assert "target is aws, but the endpoint is http://127.0.0.1:9" in told and "hidden" not in told
    written = runs.folder / "artifacts" / "shared-services" / "aws_config"
    assert written.stat().st_mode & 0o777 == 0o600
    lines = written.read_text().splitlines()
    assert lines[2:] == [
        "[profile cloudnet-shared]",
        "role_arn = arn:aws:iam::333333333333:role/network",
        "role_session_name = cloudnet",
        "source_profile = mine",
        "region = us-east-1",
        "",
        "[profile cloudnet-development]",
        "role_arn = arn:aws:iam::444444444444:role/network",
        "role_session_name = cloudnet",
        "source_profile = mine",
        "region = us-east-1",
    ]
