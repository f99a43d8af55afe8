# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudnet.vpc.ssm_command on the lab, with a data plane that remembers what ran where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity.ssm import Outcome
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

from .conftest import Invoke


class Recorder:
    """Nodes that are online, and what ran on them. A node ``comes`` when it was asked for so many times."""

    def __init__(self, nodes: Mapping[str, int]) -> None:
        self.nodes = dict(nodes)
        self.ran: list[tuple[str, tuple[str, ...], str]] = []

    def online(self, account: str, region: str) -> Mapping[str, Mapping[str, Any]]:
        there = {node: {"ComputerName": node} for node, left in self.nodes.items() if left <= 0}
        self.nodes = {node: left - 1 for node, left in self.nodes.items()}
        return there

    def run(self, account: str, region: str, instance: str, commands: Sequence[str], folder: str, seconds: float) -> Outcome:
        self.ran.append((instance, tuple(commands), folder))
        if "false" in commands:
            return Outcome("Failed", 1, "", "it is false\n")
        return Outcome("Success", 0, f"line one\non {instance}\n", "", 0.25)


@pytest.fixture
def ids(ec2: Any, vpcs: tuple[str, str]) -> list[str]:
    subnet = ec2.create_subnet(VpcId=vpcs[0], CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    image = "ami-0123456789abcdef0"
    made = ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2, InstanceType="t3.micro", SubnetId=subnet)["Instances"]
    return [item["InstanceId"] for item in made]


@pytest.fixture
def plane(lab: RunningLab, ids: list[str]) -> Iterator[Recorder]:
    recorder = Recorder(dict.fromkeys(ids, 0))
    lab.lab.executor = recorder
    yield recorder
    lab.lab.executor = None


def test_it_runs_on_exactly_the_instances(invoke: Invoke, plane: Recorder, ids: list[str]) -> None:
    result = invoke("ssm_command", instance_ids=ids[:1], commands=["id", "uptime"], working_directory="/tmp", timeout=20)
    assert "failed" not in result, result
    told = result["instances"][ids[0]]
    assert (told["status"], told["exit_code"], told["stdout_lines"], told["why"]) == ("Success", 0, ["line one", f"on {ids[0]}"], "")
    assert result["changed"] and len(result["command_ids"]) == 1 and list(result["instances"]) == ids[:1]
    assert plane.ran == [(ids[0], ("id", "uptime"), "/tmp")]
    assert result["calls"]["ssm:SendCommand"] == 1


def test_check_mode_sends_nothing(invoke: Invoke, plane: Recorder, ids: list[str]) -> None:
    result = invoke("ssm_command", check=True, instance_ids=ids, commands=["id"])
    assert result["changed"] and "instances" not in result and plane.ran == [] and result["calls"] == {}


def test_a_failure_names_instance_and_reason(invoke: Invoke, plane: Recorder, ids: list[str]) -> None:
    result = invoke("ssm_command", instance_ids=ids[:1], commands=["false"])
    assert result["failed"] and result["msg"] == f"{ids[0]}: Failed with exit code 1: it is false"
    assert result["instances"][ids[0]]["exit_code"] == 1
    kept = invoke("ssm_command", instance_ids=ids[:1], commands=["false"], fail_on_error=False)
    assert "failed" not in kept and kept["instances"][ids[0]]["status"] == "Failed"


def test_it_waits_until_a_node_is_online(invoke: Invoke, plane: Recorder, ids: list[str]) -> None:
    plane.nodes[ids[1]] = 3
    result = invoke("ssm_command", instance_ids=ids, commands=["id"], wait_online=30)
    assert "failed" not in result and len(plane.ran) == 2


def test_an_instance_that_is_no_node_is_named(invoke: Invoke, plane: Recorder, ids: list[str]) -> None:
    plane.nodes[ids[1]] = 10**6
    result = invoke("ssm_command", instance_ids=ids, commands=["id"])
    assert result["failed"] and result["msg"].startswith(f"{ids[1]}: it is no managed node") and "\n" not in result["msg"]
    assert result["instances"][ids[0]]["status"] == "Success"


def test_what_is_asked_wrongly_is_one_line(invoke: Invoke, lab: RunningLab) -> None:
    assert invoke("ssm_command", instance_ids=["i-1"])["msg"] == "commands: nothing to run: give the lines of a script, or another document"
    assert "timeout: must be" in invoke("ssm_command", instance_ids=["i-1"], commands=["id"], timeout=0)["msg"]


def test_another_endpoint_is_refused_before_the_first_call(invoke: Invoke, lab: RunningLab) -> None:
    chosen = {"endpoint_url": "https://ssm.example.invalid", "target": "lab"}
    result = invoke("ssm_command", instance_ids=["i-00000000000000001"], commands=["id"], **chosen)
    assert "target is lab, but the endpoint is https://ssm.example.invalid" in result["msg"]
