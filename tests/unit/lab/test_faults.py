# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab does to its clients when told to: latency, throttling, errors, broken connections, objects not found yet."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.environment import lab_environment
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.faults import KINDS, Fault, Faults, read_fault
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.pacing import Buckets, bucket
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from botocore.exceptions import ClientError, ConnectionClosedError


def code(function: Any, **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        function(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize(
    ("kind", "ec2_says", "sts_says", "ssm_says"),
    [
        ("throttle", ("RequestLimitExceeded", 503), ("Throttling", 400), ("ThrottlingException", 400)),
        ("internal", ("InternalError", 500), ("InternalError", 500), ("InternalError", 500)),
        ("unavailable", ("Unavailable", 503), ("ServiceUnavailable", 503), ("ServiceUnavailable", 503)),
        ("denied", ("UnauthorizedOperation", 403), ("AccessDenied", 403), ("AccessDeniedException", 400)),
        ("expired", ("RequestExpired", 400), ("ExpiredToken", 403), ("ExpiredTokenException", 400)),
    ],
)
def test_each_fault_has_its_service_familys_code(lab: RunningLab, kind: str, ec2_says: Any, sts_says: Any, ssm_says: Any) -> None:
    lab.control.config(faults=[{"kind": kind, "actions": "*"}])
    assert code(lab.client("ec2").create_vpc, CidrBlock="10.0.0.0/16") == ec2_says
    assert code(lab.client("sts").get_caller_identity) == sts_says
    assert code(lab.client("ssm").describe_parameters) == ssm_says
    assert lab.control.calls()["faults"] == {kind: 3}
    lab.control.config(faults=[])
    assert lab.client("ec2").describe_vpcs()["Vpcs"] == []


def test_a_denial_names_the_action_and_the_principal(lab: RunningLab) -> None:
    lab.control.config(faults=[{"kind": "denied", "actions": "ec2:CreateRoute"}])
    with pytest.raises(ClientError, match="arn:aws:iam::111111111111:user/cloudnet-lab is not authorized to perform: ec2:CreateRoute"):
        lab.client("ec2").create_route(RouteTableId="rtb-00000000", DestinationCidrBlock="10.0.0.0/8", GatewayId="igw-00000000")


def test_faults_hit_what_their_patterns_name(lab: RunningLab) -> None:
    ec2, peer = lab.client("ec2"), lab.client("ec2", account="222222222222")
    lab.control.config(faults=[{"kind": "throttle", "actions": "write", "account": "222222222222"}])
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    peer.describe_vpcs()
    assert code(peer.create_vpc, CidrBlock="10.0.0.0/16")[0] == "RequestLimitExceeded"
    lab.control.config(faults=[{"kind": "throttle", "actions": ["ec2:DescribeSub*", "ec2:CreateTags"]}])
    ec2.describe_vpcs()
    assert code(ec2.describe_subnets)[0] == "RequestLimitExceeded"


def test_faults_skip_and_end(lab: RunningLab) -> None:
    ec2 = lab.client("ec2")
    lab.control.config(faults=[{"kind": "internal", "skip": 2, "times": 1}])
    ec2.describe_vpcs()
    ec2.describe_vpcs()
    assert code(ec2.describe_vpcs)[0] == "InternalError"
    ec2.describe_vpcs()
    assert lab.control.status()["settings"]["faults"][0]["hits"] == 1


def test_a_seed_hits_the_same_calls_however_they_come() -> None:
    def hits(order: list[str]) -> dict[str, list[bool]]:
        faults = Faults()
        faults.set([Fault("throttle", rate=0.3, seed=7)])
        found: dict[str, list[bool]] = {"CreateRoute": [], "DescribeVpcs": []}
        for action in order:
            found[action].append(bool(faults.strike("ec2", action, "111111111111")))
        return found

    one = hits(["CreateRoute"] * 200 + ["DescribeVpcs"] * 200)
    other = hits(["DescribeVpcs", "CreateRoute"] * 200)
    assert one == other
    assert 0.2 < sum(one["CreateRoute"]) / 200 < 0.4
    assert one["CreateRoute"] != one["DescribeVpcs"]


@pytest.mark.parametrize(("kind", "made"), [("reset_before", 0), ("reset_after", 1)])
def test_a_reset_connection_may_have_taken_effect(lab: RunningLab, kind: str, made: int) -> None:
    ec2 = lab.client("ec2")
    lab.control.config(faults=[{"kind": kind, "actions": "ec2:CreateVpc"}])
    with pytest.raises(ConnectionClosedError):
        ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert len(ec2.describe_vpcs()["Vpcs"]) == made
    assert lab.control.calls()["faults"] == {kind: 1}


def test_a_reset_is_a_reset_and_no_orderly_end(lab: RunningLab) -> None:
    lab.control.config(faults=[{"kind": "reset_before", "actions": "*"}])
    with socket.create_connection(("127.0.0.1", lab.lab_port), timeout=10) as plain:
        plain.sendall(b"POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            plain.recv(100)


def test_botocores_own_retries_get_over_faults(lab: RunningLab) -> None:
    ec2 = lab.client("ec2", retries={"total_max_attempts": 4, "mode": "standard"})
    for kind in ("throttle", "internal", "unavailable", "reset_before"):
        lab.control.config(faults=[{"kind": kind, "times": 1}])
        assert ec2.describe_vpcs()["Vpcs"] == []


def test_what_was_made_is_not_found_at_first(lab: RunningLab) -> None:
    ec2 = lab.client("ec2")
    lab.control.config(faults=[{"kind": "not_found", "actions": "ec2:Create*", "seconds": 2.0}])
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    since = time.monotonic()
    assert code(ec2.describe_vpcs, VpcIds=[vpc]) == ("InvalidVpcID.NotFound", 400)
    assert code(ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.1.0/24") == ("InvalidVpcID.NotFound", 400)
    assert code(ec2.create_tags, Resources=[vpc], Tags=[{"Key": "a", "Value": "b"}])[0] == "InvalidVpcID.NotFound"
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert ec2.describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Vpcs"] == []
    assert lab.control.calls()["faults"] == {"not_found": 3}
    time.sleep(max(0.0, 2.1 - (time.monotonic() - since)))
    assert [found["VpcId"] for found in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]] == [vpc]


def test_a_rule_just_made_is_not_listed_either(lab: RunningLab) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    filters = [{"Name": "group-id", "Values": [group]}]
    before = len(ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"])
    lab.control.config(faults=[{"kind": "not_found", "actions": "ec2:Authorize*", "seconds": 0.8}])
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    since = time.monotonic()
    assert len(ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]) == before
    time.sleep(max(0.0, 0.9 - (time.monotonic() - since)))
    assert len(ec2.describe_security_group_rules(Filters=filters)["SecurityGroupRules"]) == before + 1


@pytest.mark.parametrize(("kind", "made"), [("hold_before", 0), ("hold_after", 1)])
def test_a_client_can_be_killed_just_before_and_just_after_a_call(lab: RunningLab, kind: str, made: int) -> None:
    lab.control.config(faults=[{"kind": kind, "actions": "ec2:CreateVpc", "times": 1}])
    settings = lab_environment({"url": lab.url, "config_file": lab.config_file, "credentials_file": "/dev/null"}, "lab")
    program = "import boto3; boto3.client('ec2').create_vpc(CidrBlock='10.0.0.0/16')"
    client = subprocess.Popen([sys.executable, "-c", program], env=settings)
    deadline = time.monotonic() + 30
    while not lab.control.status()["held"]:
        assert time.monotonic() < deadline, "the call never came"
        time.sleep(0.02)
    client.kill()
    client.wait()
    while lab.control.status()["held"]:
        assert time.monotonic() < deadline, "the lab did not see its client leave"
        time.sleep(0.02)
    assert len(lab.client("ec2").describe_vpcs()["Vpcs"]) == made


def test_a_held_call_goes_on_when_the_fault_is_taken_away(lab: RunningLab) -> None:
    lab.control.config(faults=[{"kind": "hold_before"}])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lab.client("ec2").describe_vpcs)
        while not lab.control.status()["held"]:
            time.sleep(0.01)
        assert not waiting.done()
        lab.control.config(faults=[])
        assert waiting.result(timeout=10)["Vpcs"] == []


def test_latency_is_added_to_each_request(lab: RunningLab) -> None:
    lab.client("ec2").describe_vpcs()
    lab.control.config(latency_ms=120)
    since = time.monotonic()
    lab.client("ec2").describe_vpcs()
    assert time.monotonic() - since >= 0.12
    assert lab.control.status()["settings"]["latency_ms"] == 120


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"faults": [{"kind": "flood"}]}, "kind 'flood' is none of"),
        ({"faults": [{"kind": "throttle", "rat": 1}]}, "unknown key rat"),
        ({"faults": [{"kind": "throttle", "rate": 2}]}, "rate 2.0 is not between 0 and 1"),
        ({"faults": [{"kind": "throttle", "times": "x"}]}, "fault throttle"),
        ({"latency_ms": -1}, "latency_ms: -1 is not"),
        ({"latency_ms": "fast"}, "latency_ms: 'fast' is not"),
        ({"throttle": "hard"}, "throttle: 'hard' is none of none, aws"),
        ({"quotas": {"planets": 9}}, "unknown quota planets; known are"),
        ({"quotas": {"vpcs": -1}}, "quota vpcs: -1 is not a whole number"),
        ({"speed": 1}, "unknown setting speed"),
    ],
)
def test_settings_are_refused_whole(lab: RunningLab, settings: dict[str, Any], says: str) -> None:
    before = lab.control.status()["settings"]
    with pytest.raises(LabError, match=says):
        lab.control.config(**{"quotas": {"vpcs": 3}, **settings} if "quotas" not in settings else settings)
    assert lab.control.status()["settings"] == before


def test_quotas_are_merged_and_end_with_a_reset(lab: RunningLab) -> None:
    assert lab.control.config(quotas={"peerings_outstanding": 3})["quotas"]["peerings_outstanding"] == 3
    assert lab.lab.quotas["peerings_outstanding"] == 3
    assert lab.lab.quotas["peerings_active"] == 50
    lab.control.reset()
    assert lab.lab.quotas["peerings_outstanding"] == 25


def test_every_kind_can_be_read() -> None:
    for kind in KINDS:
        assert read_fault({"kind": kind}).kind == kind


@pytest.mark.parametrize(
    ("action", "params", "expected"),
    [
        ("CreateVpcPeeringConnection", {}, (50, 5.0)),
        ("CreateRoute", {}, (50, 5.0)),
        ("CreateTags", {}, (100, 10.0)),
        ("DescribeVpcs", {}, (100, 20.0)),
        ("DescribeSecurityGroups", {}, (50, 10.0)),
        ("DescribeSecurityGroups", {"MaxResults": 100}, (100, 20.0)),
        ("DescribeInstances", {"Filters": []}, (100, 20.0)),
        ("DescribeInstances", {"Filter.1.Name": "vpc-id"}, (100, 20.0)),
        ("DescribeStaleSecurityGroups", {}, (20, 5.0)),
        ("CreateVpcEndpoint", {}, (4, 0.3)),
        ("RunInstances", {}, (5, 2.0)),
    ],
)
def test_buckets_are_aws_own(action: str, params: dict[str, Any], expected: tuple[int, float]) -> None:
    assert bucket(action, params) == expected


def test_a_bucket_empties_and_fills(lab: RunningLab) -> None:
    clock = [0.0]
    buckets = Buckets(clock=lambda: clock[0])

    def allowed(number: int, account: str = "1", region: str = "r") -> int:
        passed = 0
        for _turn in range(number):
            try:
                buckets.take("CreateRoute", account, region, {})
                passed += 1
            except Exception as error:
                assert "RequestLimitExceeded" in str(error)
        return passed

    assert allowed(60) == 50
    assert allowed(60, account="2") == 50
    assert allowed(60, region="s") == 50
    clock[0] = 2.0
    assert allowed(60) == 10
    clock[0] = 1000.0
    assert allowed(60) == 50


def test_the_lab_throttles_as_aws_when_told(lab: RunningLab) -> None:
    lab.control.config(throttle="aws")
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    refused = 0
    for _turn in range(5):
        try:
            ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", VpcEndpointType="Gateway")
        except ClientError as error:
            refused += error.response["Error"]["Code"] == "RequestLimitExceeded"
    assert refused == 1
    lab.client("ec2", account="222222222222").describe_vpcs()
    lab.control.config(throttle="none")
    ec2.describe_vpcs()
