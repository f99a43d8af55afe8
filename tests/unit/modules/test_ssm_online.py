# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudnet.vpc.ssm_online on the lab, with a data plane that says who is online: whether it waits, and what it says is in the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

from .conftest import Invoke

IMAGE = "ami-0123456789abcdef0"
NAME = "private.node"


class Agents:
    """Instances whose agents are online, each once it was asked for so many times."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}

    def online(self, account: str, region: str) -> Mapping[str, Mapping[str, Any]]:
        there: dict[str, Mapping[str, Any]] = {node: {"ComputerName": node} for node, left in self.left.items() if left <= 0}
        self.left = {node: left - 1 for node, left in self.left.items()}
        return there


@pytest.fixture
def agents(lab: RunningLab) -> Iterator[Agents]:
    made = Agents()
    lab.lab.executor = made
    yield made
    lab.lab.executor = None


@pytest.fixture
def private() -> dict[str, Any]:
    """One node, and endpoints whose group lets it in."""
    endpoints = [{"service": service, "security_groups": ["doors"]} for service in ("ssm", "ssmmessages")]
    return {
        "name": "access",
        "region": "us-east-1",
        "vpcs": {
            "private": {
                "cidr": "10.0.0.0/16",
                "subnets": {"servers": {"cidr": "10.0.1.0/24", "az": "a"}},
                "security_groups": {"server": {}, "doors": {"rules": [{"from": "server", "tcp": 443}]}},
                "endpoints": endpoints,
                "instances": {"node": {"subnet": "servers", "security_groups": ["server"], "private_ip": "10.0.1.10"}},
            },
        },
    }


def launch(lab: RunningLab, ec2: Any, made: dict[str, Any], *, profile: bool = True) -> str:
    """The node, as the role instances launches it."""
    vpc = made["outputs"]["vpcs"]["private"]
    given: dict[str, Any] = {}
    if profile:
        iam = lab.client("iam")
        iam.create_instance_profile(InstanceProfileName="node")
        given["IamInstanceProfile"] = {"Name": "node"}
    tags = [{"Key": "cloudnet:topology", "Value": "access"}, {"Key": "cloudnet:name", "Value": "vpcs.private.instances.node"}]
    told = ec2.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType="t3.micro", SubnetId=vpc["subnets"]["servers"], PrivateIpAddress="10.0.1.10",
        SecurityGroupIds=[vpc["security_groups"]["server"]], TagSpecifications=[{"ResourceType": "instance", "Tags": tags}], **given,
    )  # fmt: skip
    return str(told["Instances"][0]["InstanceId"])


def test_it_waits_until_the_node_is_online(lab: RunningLab, ec2: Any, invoke: Invoke, agents: Agents, private: dict[str, Any]) -> None:
    node = launch(lab, ec2, invoke("network", topology=private))
    agents.left[node] = 3
    result = invoke("ssm_online", topology=private, timeout=30)
    assert "failed" not in result and not result["changed"], result
    assert result["nodes"] == {NAME: {"id": node, "online": True, "status": "Online", "obstacles": []}}
    assert result["calls"]["ssm:DescribeInstanceInformation"] == 4


def test_a_closed_group_is_named_at_once(lab: RunningLab, ec2: Any, invoke: Invoke, agents: Agents, private: dict[str, Any]) -> None:
    private["vpcs"]["private"]["security_groups"]["doors"]["rules"] = [{"from": "10.9.0.0/16", "tcp": 443}]
    made = invoke("network", topology=private)
    node, group = launch(lab, ec2, made), made["outputs"]["vpcs"]["private"]["security_groups"]["doors"]
    result = invoke("ssm_online", topology=private, timeout=600, patience=0)
    assert result["failed"] and result["seconds"] < 60
    said = rf"{re.escape(f'{NAME} ({node})')} is not online after \d s: endpoint ssm vpce-"
    assert re.match(said, result["msg"]) and "\n" not in result["msg"]
    (obstacle,) = result["nodes"][NAME]["obstacles"]
    assert obstacle["services"] == ["ssm", "ssmmessages"] and obstacle["code"] == "ENI_SG_RULES_MISMATCH" and obstacle["sure"]
    assert group in obstacle["what"] and "no inbound rule matches" in obstacle["why"]
    assert "allow: {from: private.server, to: private.doors, tcp: 443}" in obstacle["fix"]
    # In check mode it looks, says the same, and does not fail.
    looked = invoke("ssm_online", check=True, topology=private)
    assert "failed" not in looked and looked["nodes"][NAME]["obstacles"] == [obstacle]


def test_without_endpoint_and_profile(lab: RunningLab, ec2: Any, invoke: Invoke, agents: Agents, private: dict[str, Any]) -> None:
    del private["vpcs"]["private"]["endpoints"]
    launch(lab, ec2, invoke("network", topology=private), profile=False)
    assert invoke("ssm_online", topology=private)["nodes"] == {}
    result = invoke("ssm_online", topology=private, instances=[NAME], timeout=5, patience=0)
    why = [item["why"] for item in result["nodes"][NAME]["obstacles"]]
    assert why[0] == "it has no instance profile" and len(why) == 3
    for service, text in zip(("ssm", "ssmmessages"), why[1:], strict=True):
        assert text.startswith(f"there is no endpoint for {service} in its VPC, and it has no way to the internet: no route to ")


def test_private_dns_needs_the_vpcs_attributes(lab: RunningLab, ec2: Any, invoke: Invoke, agents: Agents, private: dict[str, Any]) -> None:
    made = invoke("network", topology=private)
    launch(lab, ec2, made)
    vpc = made["outputs"]["vpcs"]["private"]["id"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    (obstacle,) = invoke("ssm_online", topology=private, timeout=0)["nodes"][NAME]["obstacles"]
    assert obstacle["what"] == f"VPC {vpc}" and obstacle["why"].startswith("DNS hostnames off") and obstacle["fix"] == "dns: true"


def test_in_an_open_network_it_is_the_role(lab: RunningLab, ec2: Any, invoke: Invoke, agents: Agents, private: dict[str, Any]) -> None:
    launch(lab, ec2, invoke("network", topology=private))
    result = invoke("ssm_online", topology=private, timeout=1, patience=0)
    assert result["nodes"][NAME]["obstacles"] == [] and result["seconds"] >= 1
    assert "nothing in the network is in its way: look whether the role" in result["msg"]


def test_what_is_not_there_is_told(invoke: Invoke, agents: Agents, private: dict[str, Any]) -> None:
    invoke("network", topology=private)
    told = invoke("ssm_online", topology=private, timeout=0)["msg"]
    assert re.search(r"private\.node \(no instance\) is not online after \d s: there is no such instance", told)
    wrong = invoke("ssm_online", topology=private, instances=["private.other"])
    assert wrong["msg"] == "instances: private.other: no such instance; the topology declares private.node"
