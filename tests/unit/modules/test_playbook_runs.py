# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped playbooks as their users run them: from any folder, with nothing set up, in an environment that would lead astray."""

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

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
DATA = Path(__file__).parent / "data"
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
        command = ["ansible-playbook", str(ROOT / "playbooks" / f"{name}.yml"), "-e", f"lab_name={LAB}", *words]
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


def names(ec2: Any) -> list[str]:
    """The instances that run, by their Name tags."""
    found = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
    tags = [tag for group in found for item in group["Instances"] for tag in item["Tags"]]
    return sorted(tag["Value"] for tag in tags if tag["Key"] == "Name")


#: With packets, or predicted where this machine has no data plane.
PROVED = re.compile(r"6 of 6 expectations hold, (6 shown by packets, 0|0 shown by packets, 6) predicted\.")


def proof(output: str) -> list[str]:
    """The last table of intended, predicted and observed, without times."""
    table = output.rpartition("Show what is intended, predicted and observed]")[2].split("\n\n")[0]
    return [re.sub(r" [0-9.]+ ms", "", line).rstrip() for line in table.splitlines()[1:]]


def test_from_an_empty_account_to_an_empty_account(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = runs.play("peer", "--check", "--diff")
    assert re.search(r"^Plan: \d+ to add, 0 to change, 0 to remove$", planned, re.MULTILINE)
    ec2 = runs.ec2(monkeypatch)
    assert live(ec2) == []
    plan = runs.artifact("two-vpcs", "plan.json")
    assert plan["format_version"] == 1 and f"Fingerprint: {plan['fingerprint']}" in planned
    assert not (runs.folder / "artifacts" / "two-vpcs" / "outputs.json").exists()

    # Nobody can say yes where there is no terminal.
    asked = runs.play("peer", "-e", "approve=ask", code=2)
    assert f"Not approved, so nothing was changed. To approve exactly this plan, run again with approve={plan['fingerprint']}" in asked
    assert live(ec2) == []

    made = runs.play("apply", "-e", "approve=artifacts/two-vpcs/plan.json")
    assert changed(made) == 1 and "account  111111111111" in made and "target   the lab at http://127.0.0.1:" in made
    outputs = runs.artifact("two-vpcs", "outputs.json")
    assert sorted(live(ec2)) == sorted(vpc["id"] for vpc in outputs["vpcs"].values())
    assert outputs["peerings"]["dev:ops"]["id"] in made
    assert runs.artifact("two-vpcs", "snapshot/accounts/111111111111/us-east-1/Vpcs.json")["Vpcs"]

    # An approved plan is of the network; the instances that it declares come with the next run, which has nothing else to do.
    again = runs.play("peer")
    assert changed(again) == 1 and "Plan: nothing to do" in again and "Before the" not in again
    assert names(ec2) == ["two-vpcs-dev-server", "two-vpcs-ops-tool"] and PROVED.search(again)
    assert runs.artifact("two-vpcs", "outputs.json") == outputs

    # What drifted since the approval is refused, by name.
    runs.play("plan")
    table = outputs["vpcs"]["dev"]["route_tables"]
    ec2.delete_route(RouteTableId=next(iter(table.values())), DestinationCidrBlock="10.1.0.0/16")
    refused = runs.play("apply", "-e", f"approve={runs.folder}/artifacts/two-vpcs/plan.json", code=2)
    assert "1 of 1 actions are not in the approved plan" in refused and "routes.10.1.0.0/16" in refused
    assert changed(runs.play("peer")) == 1

    # What others put beside stays, and nothing of ours does.
    stranger = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    removed = runs.play("delete")
    assert changed(removed) == 2 and "Nothing of two-vpcs is left." in removed
    assert live(ec2) == [stranger] and names(ec2) == []
    assert changed(runs.play("delete")) == 0
    ec2.delete_vpc(VpcId=stranger)


def test_step_by_step_with_packets(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.play("plan")
    ec2 = runs.ec2(monkeypatch)
    made = runs.play("peer", "-e", f"approve={runs.folder}/artifacts/two-vpcs/plan.json")
    shown = [text.split("\n\n")[0] for text in made.split("\nBefore the ")[1:]]
    assert [text.partition(":")[0] for text in shown] == ["peering connections", "routes", "rules"]
    for text, code in zip(shown, ("DISCONNECTED_VPCS", "NO_ROUTE_TO_DESTINATION", "SG_HAS_NO_RULES"), strict=True):
        (ping,) = re.findall(r"^ok  dev\.server +ops\.tool +icmp +reachable +blocked +(?:blocked|\(predicted\)) +(.*)$", text, re.MULTILINE)
        assert code in ping
    # VPCs, instances, connection, routes, rules.
    assert changed(made) == 5 and PROVED.search(made) and len(names(ec2)) == 2

    again = runs.play("peer")
    assert changed(again) == 0 and "Before the" not in again and PROVED.search(again)
    assert proof(again) == proof(made)
    assert changed(runs.play("delete")) == 2 and live(ec2) == [] and names(ec2) == []


def test_one_side(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.play("lab")
    partner = runs.ec2(monkeypatch, "lab-peer")
    theirs = partner.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    file = runs.folder / "one_sided.yml"
    file.write_text((DATA / "one_sided.yml").read_text().replace("id: PARTNER", f"id: {theirs}"))
    made = runs.play("peer", "-e", "cloudnet_topology=one_sided.yml")
    identifier = runs.artifact("one-sided", "outputs.json")["peerings"]["orders:partner"]["id"]
    assert f"For the owner of {theirs} (account 222222222222, us-east-1): peering orders:partner" in made
    assert re.search(rf"connection: {identifier}, pending-acceptance; \d+ hours left", made)
    partner.accept_vpc_peering_connection(VpcPeeringConnectionId=identifier)
    runs.play("peer", "-e", "cloudnet_topology=one_sided.yml")
    assert changed(runs.play("peer", "-e", "cloudnet_topology=one_sided.yml")) == 0
    assert changed(runs.play("delete", "-e", "cloudnet_topology=one_sided.yml")) == 1
    assert live(partner) == [theirs]
    partner.delete_vpc(VpcId=theirs)


def test_a_mistake_is_told_with_its_line(runs: Runs) -> None:
    file = runs.folder / "mistake.yml"
    file.write_text("name: mistake\nregion: us-east-1\nvpcs:\n  dev: {cidr: 10.0.0.0/16}\npeerings:\n  - {between: [dev, opps]}\n")
    told = runs.play("peer", "-e", "cloudnet_topology=mistake.yml", code=2)
    assert "(line 6)" in told and "opps" in told
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
    told = runs.play("peer", "-e", "cloudnet_target=aws", "-e", "cloudnet_profile=lab", "-e", "cloudnet_region=us-east-1", code=2, **lab)
    assert "target is aws, but the endpoint is http://127.0.0.1:" in told
