# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook of amazon.aws's modules run twice: the second run finds everything as it wants it.

Only against the lab: on AWS the play costs money and minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLAY = Path(__file__).parent / "playbooks" / "second_run.yml"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE9Pb0JrS1hZ2m1Cw2yY8L8m0oXG0O2vT7M4Jt7vQm1x second-run"


def _run(folder: Path, variables: dict[str, str]) -> dict[str, Any]:
    """One run of the play; its JSON result. The play's words are shown when it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
    environment.update(ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", ANSIBLE_HOME=str(folder), ANSIBLE_LOCALHOST_WARNING="false")
    tool = Path(sys.executable).with_name("ansible-playbook")
    command = [str(tool), str(PLAY), "-i", "localhost,", "-e", json.dumps(variables)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return result


def _changed(result: dict[str, Any]) -> list[str]:
    return [task["task"]["name"] for play in result["plays"] for task in play["tasks"] if task["hosts"]["localhost"].get("changed")]


@pytest.mark.slow
def test_second_run_changes_nothing(endpoint: Any, tmp_path: Path) -> None:
    if endpoint.lab is None:
        pytest.skip("builds a NAT gateway and an instance: run against the lab only")
    ec2 = endpoint.client("ec2")
    owner = endpoint.lab.lab.accounts.by_id["111111111111"]
    image = (
        ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": ["al2023*"]}])["Images"]
        or ec2.describe_images()["Images"]
    )
    variables = {
        "endpoint": endpoint.url,
        "access": owner.access_key,
        "secret": owner.secret,
        "region": "us-east-1",
        "image": image[0]["ImageId"],
        "public_key": KEY,
    }
    first = _run(tmp_path, variables)
    assert "Launch an instance" in _changed(first)
    before = {name: sorted(str(tag) for tag in ec2.describe_tags()["Tags"]) for name in ("tags",)}
    second = _run(tmp_path, variables)
    assert _changed(second) == []
    assert second["stats"]["localhost"]["changed"] == 0
    assert {"tags": sorted(str(tag) for tag in ec2.describe_tags()["Tags"])} == before
