# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager: no data plane, no node; with one, exactly the nodes asked for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity.ssm import Outcome

from .test_instances import run
from .vpc_helpers import Vpc, make_vpc, refused


class Recorder:
    """A data plane that remembers what ran where; ``online`` nodes answer, and ``false`` fails."""

    def __init__(self, nodes: Sequence[str]) -> None:
        self.nodes, self.ran = list(nodes), []  # type: list[str], list[tuple[str, tuple[str, ...]]]

    def online(self, account: str, region: str) -> Mapping[str, Mapping[str, Any]]:
        return {node: {"ComputerName": f"{node}.local", "PlatformName": "Amazon Linux"} for node in self.nodes}

    def run(self, account: str, region: str, instance: str, commands: Sequence[str], folder: str, seconds: float) -> Outcome:
        self.ran.append((instance, tuple(commands)))
        return Outcome("Failed", 1, "", "no") if "false" in commands else Outcome("Success", 0, f"on {instance}\n", "", 0.25)


@pytest.fixture
def ids(lab: Any) -> list[str]:
    vpc: Vpc = make_vpc(lab)
    return [item["InstanceId"] for item in run(vpc, 3, SubnetId=vpc.subnet("10.0.1.0/24"))]


@pytest.fixture
def plane(lab: Any, ids: list[str]) -> Iterator[Recorder]:
    lab.lab.executor = Recorder(ids)
    yield lab.lab.executor
    lab.lab.executor = None


def send(lab: Any, **more: Any) -> dict[str, Any]:
    return dict(
        lab.client("ssm").send_command(**{"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["id"]}, **more})["Command"]
    )


def settled(lab: Any, command: dict[str, Any]) -> dict[str, Any]:
    """The command once all of it has ended."""
    for _turn in range(200):
        (found,) = lab.client("ssm").list_commands(CommandId=command["CommandId"])["Commands"]
        if found["Status"] not in ("Pending", "InProgress"):
            return dict(found)
        time.sleep(0.02)
    raise AssertionError(f"it does not end: {found}")


def test_without_a_data_plane_no_node_is_managed(lab: Any, ids: list[str]) -> None:
    assert lab.client("ssm").describe_instance_information()["InstanceInformationList"] == []
    with refused("InvalidInstanceId", ids[0]):
        send(lab, InstanceIds=ids[:1])
    assert lab.client("ssm").list_commands()["Commands"] == []
    with refused("TargetNotConnected"):
        lab.client("ssm").start_session(Target=ids[0])
    assert lab.client("ssm").get_connection_status(Target=ids[0])["Status"] == "notconnected"


def test_exactly_the_nodes_asked_for(lab: Any, ids: list[str], plane: Recorder) -> None:
    client = lab.client("ssm")
    command = send(lab, InstanceIds=ids[1:2])
    assert command["Status"] == "Pending"
    settled(lab, command)
    assert (command["InstanceIds"], command["TargetCount"], plane.ran) == (ids[1:2], 1, [(ids[1], ("id",))])
    (invocation,) = client.list_command_invocations(CommandId=command["CommandId"], Details=True)["CommandInvocations"]
    assert (invocation["InstanceId"], invocation["Status"], invocation["CommandPlugins"][0]["Output"]) == (
        ids[1],
        "Success",
        f"on {ids[1]}\n",
    )
    one = client.get_command_invocation(CommandId=command["CommandId"], InstanceId=ids[1])
    assert (one["ResponseCode"], one["StandardOutputContent"], one["ExecutionElapsedTime"]) == (0, f"on {ids[1]}\n", "PT0.250S")
    with refused("InvocationDoesNotExist"):
        client.get_command_invocation(CommandId=command["CommandId"], InstanceId=ids[0])
    assert client.list_commands(InstanceId=ids[0])["Commands"] == []


def test_targets_by_tag(lab: Any, ids: list[str], plane: Recorder) -> None:
    lab.client("ec2").create_tags(Resources=ids[2:], Tags=[{"Key": "tier", "Value": "db"}])
    settled(lab, send(lab, Targets=[{"Key": "tag:tier", "Values": ["db"]}]))
    assert [node for node, _other in plane.ran] == ids[2:]


def test_a_failing_command_is_told(lab: Any, ids: list[str], plane: Recorder) -> None:
    command = send(lab, InstanceIds=ids[:1], Parameters={"commands": ["false"]})
    client = lab.client("ssm")
    assert settled(lab, command)["Status"] == "Failed"
    one = client.get_command_invocation(CommandId=command["CommandId"], InstanceId=ids[0])
    assert (one["Status"], one["ResponseCode"], one["StandardErrorContent"]) == ("Failed", 1, "no")


def test_a_stopped_instance_is_a_lost_node(lab: Any, ids: list[str], plane: Recorder) -> None:
    lab.client("ec2").stop_instances(InstanceIds=ids[:1])
    found = lab.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert [(node["InstanceId"], node["PingStatus"], node["IPAddress"]) for node in found] == [
        (ids[0], "ConnectionLost", "10.0.1.4"),
        (ids[1], "Online", "10.0.1.5"),
        (ids[2], "Online", "10.0.1.6"),
    ]
    with refused("InvalidInstanceId"):
        send(lab, InstanceIds=ids)
    assert plane.ran == []
    with refused("UnsupportedOperation", "SendCommand"):
        lab.client("ssm").start_session(Target=ids[1])
    with refused("InvalidDocument"):
        send(lab, InstanceIds=ids[1:], DocumentName="AWS-RunPowerShellScript")


class Gate(Recorder):
    """Nodes whose commands end when the test opens the gate; ``lost`` ones are not connected."""

    def __init__(self, nodes: Sequence[str]) -> None:
        super().__init__(nodes)
        self.open, self.lost, self.at_once, self.most = threading.Event(), set[str](), 0, 0

    def online(self, account: str, region: str) -> Mapping[str, Mapping[str, Any]]:
        return {node: {"PingStatus": "ConnectionLost" if node in self.lost else "Online"} for node in self.nodes}

    def run(self, account: str, region: str, instance: str, commands: Sequence[str], folder: str, seconds: float) -> Outcome:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.open.wait(10)
        self.at_once -= 1
        return super().run(account, region, instance, commands, folder, seconds)


@pytest.fixture
def gate(lab: Any, ids: list[str]) -> Iterator[Gate]:
    lab.lab.executor = Gate(ids)
    yield lab.lab.executor
    lab.lab.executor.open.set()
    lab.lab.executor = None


def states(lab: Any, command: dict[str, Any]) -> dict[str, str]:
    found = lab.client("ssm").list_command_invocations(CommandId=command["CommandId"])["CommandInvocations"]
    return {item["InstanceId"]: item["StatusDetails"] for item in found}


def reaches(lab: Any, command: dict[str, Any], wanted: dict[str, str]) -> None:
    for _turn in range(200):
        if states(lab, command) == wanted:
            return
        time.sleep(0.02)
    assert states(lab, command) == wanted


def test_commands_run_beside_the_lab(lab: Any, ids: list[str], gate: Gate) -> None:
    command = send(lab, InstanceIds=ids)
    reaches(lab, command, dict.fromkeys(ids, "InProgress"))
    one = lab.client("ssm").get_command_invocation(CommandId=command["CommandId"], InstanceId=ids[0])
    assert (one["Status"], one["ResponseCode"], one["StandardOutputContent"]) == ("InProgress", -1, "")
    gate.open.set()
    assert settled(lab, command)["CompletedCount"] == 3
    assert gate.most == 3


def test_no_more_at_once_than_asked_for_and_an_end_after_the_first_error(lab: Any, ids: list[str], gate: Gate) -> None:
    gate.open.set()
    found = settled(lab, send(lab, InstanceIds=ids, MaxConcurrency="1", Parameters={"commands": ["false"]}))
    assert (found["Status"], found["ErrorCount"], gate.most) == ("Failed", 1, 1)
    assert sorted(states(lab, found).values()) == ["Failed", "Terminated", "Terminated"]
    assert (
        settled(lab, send(lab, InstanceIds=ids, MaxConcurrency="50%", MaxErrors="100%", Parameters={"commands": ["false"]}))["ErrorCount"]
        == 3
    )
    with refused("ValidationException", "maxConcurrency"):
        send(lab, InstanceIds=ids, MaxConcurrency="none")


def test_a_lost_node_gets_its_command_when_it_is_back(lab: Any, ids: list[str], gate: Gate) -> None:
    gate.lost, _open = {ids[0]}, gate.open.set()
    command = send(lab, InstanceIds=ids[:2])
    reaches(lab, command, {ids[0]: "Pending", ids[1]: "Success"})
    assert lab.client("ssm").get_connection_status(Target=ids[0])["Status"] == "notconnected"
    gate.lost = set()
    assert settled(lab, command)["Status"] == "Success"


def test_cancelling(lab: Any, ids: list[str], gate: Gate) -> None:
    gate.lost = {ids[0]}
    command = send(lab, InstanceIds=ids[:2])
    reaches(lab, command, {ids[0]: "Pending", ids[1]: "InProgress"})
    lab.client("ssm").cancel_command(CommandId=command["CommandId"], InstanceIds=ids[:1])
    reaches(lab, command, {ids[0]: "Cancelled", ids[1]: "InProgress"})
    gate.open.set()
    assert settled(lab, command)["Status"] == "Cancelled"
    lab.client("ssm").cancel_command(CommandId=command["CommandId"])
    assert states(lab, command) == {ids[0]: "Cancelled", ids[1]: "Success"}


def role(lab: Any, instance: str, *actions: str) -> None:
    """Give an instance a role that allows some actions."""
    iam = lab.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
    }
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
    iam.create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(trust))
    iam.put_role_policy(RoleName="node", PolicyName="out", PolicyDocument=json.dumps(allowed))
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    lab.client("ec2").associate_iam_instance_profile(InstanceId=instance, IamInstanceProfile={"Name": "node"})


OUT = {"OutputS3BucketName": "out", "OutputS3KeyPrefix": "p", "CloudWatchOutputConfig": {"CloudWatchOutputEnabled": True}}


def test_output_is_kept_where_the_role_lets_the_agent(lab: Any, ids: list[str], plane: Recorder) -> None:
    s3, logs, ssm = (lab.client(name) for name in ("s3", "logs", "ssm"))
    s3.create_bucket(Bucket="out")
    first = settled(lab, send(lab, InstanceIds=ids[:1], **OUT))
    assert s3.list_objects_v2(Bucket="out")["KeyCount"] == 0
    assert logs.describe_log_groups()["logGroups"] == []

    role(lab, ids[0], "s3:PutObject", "logs:*")
    command = settled(lab, send(lab, InstanceIds=ids[:1], **OUT))
    key = f"p/{command['CommandId']}/{ids[0]}/awsrunShellScript/0.awsrunShellScript/stdout"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="out")["Contents"]] == [key]
    assert s3.get_object(Bucket="out", Key=key)["Body"].read() == f"on {ids[0]}\n".encode()
    group = "/aws/ssm/AWS-RunShellScript"
    streams = [item["logStreamName"] for item in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    assert streams == [f"{command['CommandId']}/{ids[0]}/aws-runShellScript/stdout"]
    events = logs.get_log_events(logGroupName=group, logStreamName=streams[0])["events"]
    assert [event["message"] for event in events] == [f"on {ids[0]}"]

    url = f"https://s3.us-east-1.amazonaws.com/out/{key}"
    assert ssm.get_command_invocation(CommandId=command["CommandId"], InstanceId=ids[0])["StandardOutputUrl"] == url
    (shown,) = ssm.list_command_invocations(CommandId=command["CommandId"], Details=True)["CommandInvocations"]
    assert (shown["StandardOutputUrl"], shown["CommandPlugins"][0]["OutputS3BucketName"]) == (url, "out")
    assert (first["OutputS3BucketName"], first["CloudWatchOutputConfig"]) == (
        "out",
        {"CloudWatchLogGroupName": group, "CloudWatchOutputEnabled": True},
    )


def test_a_bucket_that_nobody_has(lab: Any, ids: list[str], plane: Recorder) -> None:
    with refused("InvalidOutputFolder", "no-such-bucket"):
        send(lab, InstanceIds=ids[:1], OutputS3BucketName="no-such-bucket")
    assert plane.ran == []


def test_nobody_has_the_tag(lab: Any, ids: list[str], plane: Recorder) -> None:
    command = settled(lab, send(lab, Targets=[{"Key": "tag:Env", "Values": ["none"]}]))
    assert (command["Status"], command["StatusDetails"], command["TargetCount"]) == ("Success", "NoInstancesInTag", 0)


def test_an_instance_without_interfaces_does_not_break_the_list(lab: Any, ids: list[str], plane: Recorder) -> None:
    ec2 = lab.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    nic = {"DeviceIndex": 0, "NetworkInterfaceId": eni}
    launch = {"ImageId": "ami-12345678", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, "NetworkInterfaces": [nic]}
    gone = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[gone])
    shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    assert (shown["Status"], "Attachment" in shown) == ("available", False)
    assert {item["InstanceId"] for item in lab.client("ssm").describe_instance_information()["InstanceInformationList"]} == set(ids)
