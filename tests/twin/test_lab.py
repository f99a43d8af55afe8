# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab with its data plane, by AWS's API alone: packets follow the calls, and nothing is left of either."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import lifecycle
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.record import process_start
from support.lab import ACCOUNT, LabProcess
from support.namespaces import needs_namespaces

pytestmark = [needs_namespaces, pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")]

PEER = "222222222222"
IMAGE = "ami-12345678"
CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


def trust(*services: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Place:
    """A VPC with a subnet and an instance, and what is in it."""

    def __init__(self, lab: LabProcess, account: str, cidr: str, **more: Any) -> None:
        self.ec2 = lab.client("ec2", account)
        self.vpc = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            self.ec2.modify_vpc_attribute(VpcId=self.vpc, **{attribute: {"Value": True}})
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr.replace("0.0/16", "1.0/24"))["Subnet"]["SubnetId"]
        made = self.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=self.subnet, **more)["Instances"][0]
        self.instance, self.address = made["InstanceId"], made["PrivateIpAddress"]
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}]
        self.table = self.ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"]
        self.group = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]

    def allow(self, protocol: str, port: int, cidr: str) -> None:
        permission = {"IpProtocol": protocol, "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[permission])


@pytest.fixture
def lab() -> Iterator[LabProcess]:
    with LabProcess(twin="required") as running:
        yield running


def until(wanted: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What the function gives once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)
    return found


def shell(lab: LabProcess, instance: str, line: str) -> tuple[str, str]:
    """(status, output) of a line that Systems Manager runs in an instance."""
    ssm = lab.client("ssm")
    sent = ssm.send_command(DocumentName="AWS-RunShellScript", InstanceIds=[instance], Parameters={"commands": [line]})["Command"]

    def ended() -> Any:
        found = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=instance)
        return found if found["Status"] not in ("Pending", "InProgress") else None

    found = until(ended)
    return found["Status"], found["StandardOutputContent"]


def test_packets_follow_the_api(lab: LabProcess) -> None:
    iam, ssm = lab.client("iam"), lab.client("ssm")
    iam.create_role(RoleName="node", AssumeRolePolicyDocument=trust("ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"))
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    iam.attach_role_policy(RoleName="node", PolicyArn=CORE)
    iam.attach_role_policy(RoleName="node", PolicyArn="arn:aws:iam::aws:policy/CloudWatchLogsFullAccess")
    one = Place(lab, ACCOUNT, "10.1.0.0/16", IamInstanceProfile={"Name": "node"})
    two = Place(lab, PEER, "10.2.0.0/16")

    def status() -> str:
        nodes = ssm.describe_instance_information()["InstanceInformationList"]
        return str(nodes[0]["PingStatus"]) if nodes else ""

    assert status() == ""
    for service in ("ssm", "ssmmessages"):
        name = f"com.amazonaws.us-east-1.{service}"
        one.ec2.create_vpc_endpoint(VpcId=one.vpc, ServiceName=name, VpcEndpointType="Interface", SubnetIds=[one.subnet])
    until(lambda: status() == "Online")  # the default group lets its members in
    assert shell(lab, one.instance, "hostname") == ("Success", "ip-10-1-1-4\n")

    ping = f"ping -c 1 -W 1 {two.address} > /dev/null && echo through || echo lost"
    steps = [shell(lab, one.instance, ping)[1].strip()]
    peering = one.ec2.create_vpc_peering_connection(VpcId=one.vpc, PeerVpcId=two.vpc, PeerOwnerId=PEER)["VpcPeeringConnection"]
    key = peering["VpcPeeringConnectionId"]
    two.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    steps.append(shell(lab, one.instance, ping)[1].strip())
    one.ec2.create_route(RouteTableId=one.table, DestinationCidrBlock="10.2.0.0/16", VpcPeeringConnectionId=key)
    two.ec2.create_route(RouteTableId=two.table, DestinationCidrBlock="10.1.0.0/16", VpcPeeringConnectionId=key)
    steps.append(shell(lab, one.instance, ping)[1].strip())
    two.allow("icmp", -1, "10.1.0.0/16")
    steps.append(shell(lab, one.instance, ping)[1].strip())
    assert steps == ["lost", "lost", "lost", "through"]

    logs = lab.client("logs")
    logs.create_log_group(logGroupName="flows")
    role = f"arn:aws:iam::{ACCOUNT}:role/node"
    one.ec2.create_flow_logs(
        ResourceType="VPC", ResourceIds=[one.vpc], TrafficType="ALL", LogGroupName="flows", DeliverLogsPermissionArn=role
    )
    assert shell(lab, one.instance, ping)[1] == "through\n"

    def logged() -> bool:
        lines = [event["message"].split() for event in logs.filter_log_events(logGroupName="flows")["events"]]
        return ["10.1.1.4", two.address, "1", "ACCEPT"] in [[line[3], line[4], line[7], line[12]] for line in lines]

    until(logged)
    two.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert shell(lab, one.instance, ping)[1] == "lost\n"

    token = "$(curl -sX PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')"
    base = "http://169.254.169.254/latest/meta-data/iam/security-credentials"
    told = json.loads(shell(lab, one.instance, f'curl -s -H "X-aws-ec2-metadata-token: {token}" {base}/node')[1])
    import boto3

    keys = {"aws_access_key_id": told["AccessKeyId"], "aws_secret_access_key": told["SecretAccessKey"], "aws_session_token": told["Token"]}
    session: Any = boto3.session.Session(region_name="us-east-1", **keys)
    caller = session.client("sts", endpoint_url=lab.url).get_caller_identity()
    assert caller["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/node/{one.instance}"

    one.ec2.stop_instances(InstanceIds=[one.instance])
    assert status() == "ConnectionLost"
    lab.control.reset()
    assert (lab.control.status()["plane"]["hosts"], lab.control.hosts()["hosts"]) == (0, [])
    assert "vpc-" not in lab.control.twin_text()


def test_instances_are_known_by_their_keys_and_reached_by_ssh(lab: LabProcess) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    place = Place(lab, ACCOUNT, "10.1.0.0/16", TagSpecifications=tags, UserData="#!/bin/sh\necho from user data > /tmp/made\n")
    told = lab.control.hosts()
    (host,) = told["hosts"]
    console = place.ec2.get_console_output(InstanceId=place.instance)["Output"]
    assert host["host_keys"] and all(key in console for key in host["host_keys"])
    command = ["ssh", "-F", told["ssh_config"], "web"]
    assert subprocess.run([*command, "hostname"], capture_output=True, text=True, check=True).stdout == "ip-10-1-1-4\n"
    said = until(lambda: subprocess.run([*command, "cat /tmp/made"], capture_output=True, text=True, check=False).stdout)
    assert said == "from user data\n"
    place.ec2.terminate_instances(InstanceIds=[place.instance])
    assert subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 255


def test_a_killed_lab_takes_its_data_plane_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    found = lifecycle.start("killed", {"twin": "required"})
    try:
        assert found.record is not None
        monkeypatch.setenv("AWS_CONFIG_FILE", found.record.config_file)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", found.record.credentials_file)
        session: Any = boto3.session.Session(profile_name="lab")
        ec2 = session.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=subnet, UserData="#!/bin/sh\nsleep 1000\n")
        way_in = Path(found.status["plane"]["ssh_socket"])
        assert way_in.is_socket() and way_in.stat().st_mode & 0o777 == 0o600
        tree = descendants(found.record.pid)
        assert tree
        os.kill(found.record.pid, signal.SIGKILL)
        until(lambda: not any(process_start(pid) == start for pid, start in tree.items()), 5.0)
        again = lifecycle.start("killed", {"twin": "required"})
        assert (again.status["plane"]["state"], way_in.exists()) == ("idle", False)
    finally:
        lifecycle.stop("killed")


def test_a_killed_data_plane_is_known_at_once_and_ssh_ends_with_the_reason(lab: LabProcess) -> None:
    place = Place(lab, ACCOUNT, "10.0.0.0/16")
    told = lab.control.status()["plane"]
    command = ["ssh", "-F", told["ssh_config"], place.instance]
    assert subprocess.run([*command, "echo", "there"], capture_output=True, text=True, timeout=90, check=False).stdout == "there\n"
    held = subprocess.Popen([*command, "sleep", "1000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: "sleep" in subprocess.run([*command, "ps", "ax"], capture_output=True, text=True, timeout=30, check=False).stdout, 30.0)
    (outer,) = children(lab.control.status()["pid"])
    os.kill(outer, signal.SIGKILL)
    assert held.wait(10) == 255, "a session that was open ends"
    until(lambda: lab.control.status()["plane"]["state"] == "failed", 5.0)
    assert "the data plane was killed by SIGKILL at " in lab.control.status()["plane"]["why"]
    ended = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=10, check=False)
    assert ended.returncode == 255 and "the data plane was killed by SIGKILL at " in ended.stderr
    until(lambda: lab.control.status()["plane"]["state"] == "on", 30.0)
    assert "its instances are new" in lab.control.status()["plane"]["warnings"][0]
    assert subprocess.run([*command, "echo", "again"], capture_output=True, text=True, timeout=90, check=False).stdout == "again\n"


def children(pid: int) -> list[int]:
    """The processes that one started itself."""
    told = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in told.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and "twin.daemon" in row[2]]


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, with their beginnings."""
    told = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in told.splitlines())}
    below: set[int] = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return {child: process_start(child) for child in below - {pid}}
