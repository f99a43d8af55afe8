# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a topology that is an argument holds of secrets is in nothing that a task shows, and no_log is about what it shows while it runs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.action import network
from ansible_collections.cloudnet.vpc.plugins.module_utils.modules import HIDDEN, hidden

from .conftest import Invoke

TOPOLOGY: dict[str, Any] = {
    "name": "t",
    "region": "us-east-1",
    "accounts": {"far": {"role_arn": "arn:aws:iam::222222222222:role/x", "external_id": "the-external-id"}},
    "vpcs": {
        "a": {
            "cidr": "10.0.0.0/16",
            "subnets": {"s": {"cidr": "10.0.1.0/24", "az": "a"}},
            "instances": {"i": {"subnet": "s", "user_data": "#!/bin/sh\necho the-user-data\n"}},
        }
    },
}


def test_secrets_of_any_depth_are_replaced_and_nothing_else() -> None:
    told = hidden({"topology": TOPOLOGY, "regions": ["us-east-1"], "other": ({"user_data": "x"},), "user_data": ""})
    assert told["topology"]["accounts"]["far"] == {"role_arn": "arn:aws:iam::222222222222:role/x", "external_id": HIDDEN}
    assert told["topology"]["vpcs"]["a"]["instances"]["i"] == {"subnet": "s", "user_data": HIDDEN}
    assert told["other"] == [{"user_data": HIDDEN}] and told["user_data"] == "" and told["regions"] == ["us-east-1"]
    assert TOPOLOGY["accounts"]["far"]["external_id"] == "the-external-id", "the argument itself stays"


@pytest.mark.parametrize("module", ["network", "reachability", "preflight_info", "snapshot_info", "host_keys_info"])
@pytest.mark.parametrize("wrong", [{}, {"no_such_option": 1}])
def test_the_invocation_holds_none_however_the_module_ends(invoke: Invoke, module: str, wrong: dict[str, Any]) -> None:
    result = invoke(module, topology=TOPOLOGY, **wrong)
    assert result["failed"], "there is no lab and no account here"
    text = json.dumps(result)
    assert "the-external-id" not in text and "the-user-data" not in text
    assert result["invocation"]["module_args"]["topology"]["accounts"]["far"]["external_id"] == HIDDEN


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {{ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"}}
  tasks:
    - name: Show
      cloudnet.vpc.show: {{text: what-is-shown}}
      no_log: {no_log}
"""


@pytest.mark.parametrize("no_log", [True, False])
def test_no_log_is_silence(tmp_path: Path, no_log: bool) -> None:
    play = tmp_path / "play.yml"
    play.write_text(PLAY.format(no_log=str(no_log).lower()))
    done = subprocess.run(["ansible-playbook", str(play)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("what-is-shown" in done.stdout) is not no_log


@pytest.mark.parametrize("no_log", [True, False])
def test_progress_is_shown_unless_no_log_says_otherwise(monkeypatch: pytest.MonkeyPatch, no_log: bool) -> None:
    given: list[dict[str, Any]] = []
    action = object.__new__(network.ActionModule)
    action._task = SimpleNamespace(args={"topology": TOPOLOGY}, no_log=no_log, check_mode=False, async_val=0)
    action._connection = SimpleNamespace(transport="local", become=None)
    monkeypatch.setattr(network.ActionBase, "run", lambda *_args: {})
    monkeypatch.setattr(network.ActionModule, "_module", lambda _self, arguments, _vars: given.append(arguments) or {"changed": False})
    assert action.run() == {"changed": False}
    assert ("journal" in given[0]) is not no_log


def test_what_topology_info_is_told_is_registered_and_not_shown(tmp_path: Path) -> None:
    play = tmp_path / "play.yml"
    play.write_text(
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n"
        f"  vars:\n    topology: {json.dumps(TOPOLOGY)}\n  tasks:\n"
        "    - {cloudnet.vpc.topology_info: {topology: '{{ topology }}'}, register: read}\n"
        "    - assert:\n        quiet: true\n        that:\n"
        "          - read.instances[0].user_data | length > 9 and read.accounts.far.external_id | length > 9\n"
    )
    done = subprocess.run(["ansible-playbook", "-vvvv", str(play)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the-user-data" not in done.stdout and "the-external-id" not in done.stdout


def test_what_playbooks_settle_on_is_not_shown(tmp_path: Path) -> None:
    tasks = Path(__file__).parents[3] / "playbooks" / "tasks" / "target.yml"
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"cloudnet_topology": TOPOLOGY, "cloudnet_target": "aws", "cloudnet_artifacts": str(tmp_path)}))
    play = tmp_path / "play.yml"
    play.write_text(
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n"
        "  vars: {ansible_python_interpreter: '{{ ansible_playbook_python }}'}\n  tasks:\n"
        f"    - ansible.builtin.include_tasks: {tasks}\n"
        "    - ansible.builtin.assert: {quiet: true, that: 'cloudnet_run.instances[0].user_data | length > 9'}\n"
    )
    command = ["ansible-playbook", "-vvvv", "-e", f"@{given}", str(play)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Go by them" in done.stdout
    assert "the-user-data" not in done.stdout and "the-external-id" not in done.stdout
