# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoint as an AWS client sees it: answers, refusals in AWS's shape, what the fidelity layer may do, and the transport."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import calls
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Call, Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from botocore.exceptions import ClientError

# Not of any area of the fidelity layer, so that these tests hold whatever it does.
KEY = ("ec2", "CreateCustomerGateway")
LIST = ("ec2", "DescribeCustomerGateways")


def refusal(function: Any, **params: Any) -> tuple[str, int, str]:
    """(code, HTTP status, message) of the error that a call must answer."""
    with pytest.raises(ClientError) as caught:
        function(**params)
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations of a test end with it."""
    for name in ("CHECKS", "AMENDMENTS"):
        table = getattr(calls, name)
        for key in (KEY, LIST):
            monkeypatch.setitem(table, key, list(table.get(key, [])))
    answers = dict(calls.ANSWERS)
    yield
    calls.ANSWERS.clear()
    calls.ANSWERS.update(answers)


def test_an_empty_account_has_nothing(lab: RunningLab) -> None:
    ec2 = lab.client("ec2", region="eu-west-1")
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert ec2.describe_subnets()["Subnets"] == []
    assert ec2.describe_security_groups()["SecurityGroups"] == []
    assert ec2.describe_route_tables()["RouteTables"] == []


def test_the_first_subnet_of_a_zone_is_no_default_subnet(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]
    assert (subnet["DefaultForAz"], subnet["MapPublicIpOnLaunch"]) == (False, False)


def test_a_default_vpc_can_be_made(ec2: Any) -> None:
    vpc = ec2.create_default_vpc()["Vpc"]
    assert vpc["IsDefault"] is True
    assert [found["VpcId"] for found in ec2.describe_vpcs()["Vpcs"]] == [vpc["VpcId"]]
    assert refusal(ec2.create_default_vpc)[0] == "DefaultVpcAlreadyExists"


def test_accounts_and_regions_are_apart(lab: RunningLab) -> None:
    made = lab.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    assert made["OwnerId"] == "111111111111"
    assert lab.client("ec2", account="222222222222").describe_vpcs()["Vpcs"] == []
    assert lab.client("ec2", region="eu-west-1").describe_vpcs()["Vpcs"] == []
    assert len(lab.client("ec2").describe_vpcs()["Vpcs"]) == 1


@pytest.mark.parametrize(
    ("service", "method", "params", "names"),
    [
        ("ec2", "describe_fpga_images", {}, "ec2:DescribeFpgaImages"),
        ("sts", "decode_authorization_message", {"EncodedMessage": "x"}, "sts:DecodeAuthorizationMessage"),
        ("iam", "list_organizations_features", {}, "iam:ListOrganizationsFeatures"),
        ("lightsail", "get_bundles", {}, "lightsail:GetBundles"),
        ("route53", "list_geo_locations", {}, "route53:ListGeoLocations"),
        ("workmail", "list_organizations", {}, "workmail:ListOrganizations"),
    ],
)
def test_what_the_emulator_lacks_is_said_in_aws_shape(
    lab: RunningLab, service: str, method: str, params: dict[str, Any], names: str
) -> None:
    code, status, message = refusal(getattr(lab.client(service), method), **params)
    assert (code, status) == ("UnsupportedOperation", 400)
    assert names in message


def test_a_dry_run_of_what_the_emulator_lacks_is_no_success(ec2: Any) -> None:
    assert refusal(ec2.describe_fpga_images, DryRun=True)[0] == "UnsupportedOperation"


def signed(lab: RunningLab, body: str, service: str, headers: dict[str, str]) -> dict[str, str]:
    """The headers, with the first account's signature of a request to /."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    owner = next(iter(lab.lab.accounts.by_id.values()))
    request = AWSRequest("POST", f"{lab.url}/", {"Content-Type": headers["Content-Type"]}, body)
    SigV4Auth(Credentials(owner.access_key, owner.secret), service, "us-east-1").add_auth(request)
    return {**headers, **dict(request.headers.items())}


def raw(lab: RunningLab, body: str, service: str = "ec2", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", lab.lab_port, timeout=10)
    given = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    connection.request("POST", "/", body, signed(lab, body, service, given))
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def test_an_action_that_ec2_has_never_had(lab: RunningLab) -> None:
    status, body = raw(lab, "Action=DescribeVpxs&Version=2016-11-15")
    assert status == 400
    assert b"<Code>InvalidAction</Code>" in body
    assert b"DescribeVpxs" in body


def test_parameters_that_cannot_be_read_are_the_callers_fault(lab: RunningLab) -> None:
    status, body = raw(lab, "Action=CreateSecurityGroup&GroupName=a&DryRun=true&MaxResults=x&Action=DescribeVpcPeeringConnections")
    assert status == 400
    assert b"<Code>InvalidParameterValue</Code>" in body


def test_a_failure_of_the_lab_is_refused_with_its_traceback_logged(
    lab: RunningLab, registry: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with HTTP 500: clients repeat that for minutes."""

    @calls.before(*LIST)
    def broken(call: Call) -> None:
        raise RuntimeError("a fault of ours")

    code, status, message = refusal(lab.client("ec2").describe_customer_gateways)
    assert (code, status) == ("UnsupportedOperation", 400)
    assert "ec2:DescribeCustomerGateways" in message
    assert "a fault of ours" in caplog.text


@pytest.mark.parametrize(
    ("service", "method", "action"),
    [
        ("sts", "get_session_token", "GetSessionToken"),
        ("ssm", "list_commands", "ListCommands"),
        ("route53", "list_hosted_zones", "ListHostedZones"),
    ],
)
def test_failures_of_the_lab_can_be_read_in_every_protocol(
    lab: RunningLab, monkeypatch: pytest.MonkeyPatch, service: str, method: str, action: str
) -> None:
    def broken(call: Call) -> dict[str, Any]:
        raise RuntimeError("a fault of ours")

    monkeypatch.setitem(calls.ANSWERS, (service, action), broken)
    assert refusal(getattr(lab.client(service), method))[:2] == ("UnsupportedOperation", 400)


def test_a_call_that_fails_in_the_lab_leaves_nothing_behind(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(call: Call, result: dict[str, Any]) -> dict[str, Any]:
        call.lab.state("made", call.account)["vpc"] = result["Vpc"]["VpcId"]
        raise RuntimeError("a fault of ours")

    monkeypatch.setitem(calls.AMENDMENTS, ("ec2", "CreateVpc"), [*calls.AMENDMENTS["ec2", "CreateVpc"], broken])
    ec2 = lab.client("ec2")
    ec2.create_key_pair(KeyName="kept")
    names = ("describe_vpcs", "describe_route_tables", "describe_security_groups", "describe_network_acls", "describe_tags")
    before = [{**getattr(ec2, name)(), "ResponseMetadata": None} for name in names]
    assert refusal(ec2.create_vpc, CidrBlock="10.0.0.0/16")[:2] == ("UnsupportedOperation", 400)
    assert [{**getattr(ec2, name)(), "ResponseMetadata": None} for name in names] == before
    assert lab.lab.state("made", "111111111111") == {}
    assert [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]] == ["kept"]


def test_checks_change_parameters_and_amendments_the_answer(lab: RunningLab, registry: None) -> None:
    @calls.before(*KEY)
    def other_address(call: Call) -> None:
        assert call.params["PublicIp"] == "198.18.0.1"
        call.params["PublicIp"] = "198.18.0.2"

    @calls.after(*KEY)
    def other_state(call: Call, result: dict[str, Any]) -> dict[str, Any]:
        result["CustomerGateway"]["State"] = "pending"
        return result

    ec2 = lab.client("ec2")
    made = ec2.create_customer_gateway(PublicIp="198.18.0.1", Type="ipsec.1", BgpAsn=65000)["CustomerGateway"]
    assert (made["IpAddress"], made["State"]) == ("198.18.0.2", "pending")
    found = ec2.describe_customer_gateways()["CustomerGateways"]
    assert [gateway["IpAddress"] for gateway in found] == ["198.18.0.2"]


def test_an_answer_of_ours_may_ask_the_emulator_itself(lab: RunningLab, registry: None) -> None:
    @calls.instead(*LIST)
    def first_only(call: Call) -> dict[str, Any]:
        return {"CustomerGateways": call.emulate()["CustomerGateways"][:1]}

    ec2 = lab.client("ec2")
    for last in (1, 2):
        ec2.create_customer_gateway(PublicIp=f"198.18.0.{last}", Type="ipsec.1", BgpAsn=65000)
    assert len(ec2.describe_customer_gateways()["CustomerGateways"]) == 1


def test_the_emulators_refusals_reach_those_who_ask_it(lab: RunningLab, registry: None) -> None:
    seen: list[Refusal] = []

    @calls.instead(*LIST)
    def asks_for_another(call: Call) -> dict[str, Any]:
        try:
            call.emulate("DescribeVpcs", {"VpcIds": ["vpc-00000000000000000"]})
        except Refusal as refused:
            seen.append(refused)
        return {"CustomerGateways": []}

    lab.client("ec2").describe_customer_gateways()
    assert [(refused.code, refused.status) for refused in seen] == [("InvalidVpcID.NotFound", 400)]


def test_a_refusal_is_answered_with_its_code_status_and_message(lab: RunningLab, registry: None) -> None:
    @calls.before(*LIST)
    def no(call: Call) -> None:
        raise Refusal("Some.Code", "a <message> & more", 409)

    assert refusal(lab.client("ec2").describe_customer_gateways) == ("Some.Code", 409, "a <message> & more")


def test_a_dry_run_passes_the_checks_and_changes_nothing(lab: RunningLab, registry: None) -> None:
    @calls.before(*KEY)
    def no_private_address(call: Call) -> None:
        if call.params["PublicIp"].startswith("10."):
            raise Refusal("InvalidParameterValue", "no")

    ec2 = lab.client("ec2")
    good = {"PublicIp": "198.18.0.1", "Type": "ipsec.1", "BgpAsn": 65000, "DryRun": True}
    assert refusal(ec2.create_customer_gateway, **good)[:2] == ("DryRunOperation", 412)
    assert refusal(ec2.create_customer_gateway, **{**good, "PublicIp": "10.0.0.1"})[0] == "InvalidParameterValue"
    assert ec2.describe_customer_gateways()["CustomerGateways"] == []
    assert refusal(ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)[:2] == ("DryRunOperation", 412)
    assert ec2.describe_vpcs()["Vpcs"] == []


def test_listeners_hear_of_writes_that_succeeded_before_the_caller_does(lab: RunningLab) -> None:
    heard: list[tuple[str, str, bool]] = []
    lab.lab.on_change.append(lambda call, result: heard.append((call.action, call.account, lab.lab.lock._is_owned())))  # type: ignore[attr-defined]
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert heard == [("CreateVpc", "111111111111", True)]
    ec2.describe_vpcs()
    with pytest.raises(ClientError):
        ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    with pytest.raises(ClientError):
        ec2.delete_vpc(VpcId="vpc-00000000000000000")
    assert len(heard) == 1
    ec2.create_customer_gateway(PublicIp="198.18.0.1", Type="ipsec.1", BgpAsn=65000)
    ec2.delete_vpc(VpcId=vpc)
    assert [action for action, _other, _other in heard] == ["CreateVpc", "CreateCustomerGateway", "DeleteVpc"]


def test_a_listener_that_fails_does_not_undo_the_write(lab: RunningLab, caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: Call, result: Any) -> None:
        raise RuntimeError("the data plane is gone")

    lab.lab.on_change.append(broken)
    ec2 = lab.client("ec2")
    ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert len(ec2.describe_vpcs()["Vpcs"]) == 1
    assert "the data plane is gone" in caplog.text


def test_state_and_clock_are_the_labs_and_go_with_a_reset(lab: RunningLab) -> None:
    lab.lab.state("area", "111111111111", "us-east-1")["x"] = 1
    assert lab.lab.state("area", "111111111111", "us-east-1") == {"x": 1}
    assert lab.lab.state("area", "222222222222", "us-east-1") == {}
    before = lab.lab.now()
    lab.control.advance(7 * 86400)
    assert 7 * 86400 <= (lab.lab.now() - before).total_seconds() < 7 * 86400 + 60
    lab.control.reset()
    assert lab.lab.state("area", "111111111111", "us-east-1") == {}
    assert (lab.lab.now() - before).total_seconds() < 60


def test_a_reset_empties_everything_and_keeps_the_keys(lab: RunningLab) -> None:
    lab.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    lab.client("s3").create_bucket(Bucket="cloudnet")
    lab.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))
    lab.control.reset()
    assert lab.client("ec2").describe_vpcs()["Vpcs"] == []
    assert lab.client("s3").list_buckets()["Buckets"] == []
    assert [role["RoleName"] for role in lab.client("iam").list_roles()["Roles"]] == ["cloudnet"]
    lab.client("s3", account="222222222222").create_bucket(Bucket="cloudnet")


def test_writes_from_many_threads_are_all_there(lab: RunningLab) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def make(number: int) -> str:
        ec2.describe_subnets()
        return str(ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"])

    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(make, range(48)))
    assert len(set(made)) == 48
    assert {subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]} == set(made)


def test_a_connection_is_kept_and_ends_when_the_client_says_so(lab: RunningLab) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lab.lab_port, timeout=10)
    for _turn in range(3):
        connection.request("POST", "/", "Action=DescribeVpcs", {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("connection")) == (403, "keep-alive")
        answer.read()
    connection.request("POST", "/", "", {"Connection": "close"})
    assert connection.getresponse().getheader("connection") == "close"
    connection.close()


def test_a_chunked_body_is_read(lab: RunningLab) -> None:
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    connection = http.client.HTTPConnection("127.0.0.1", lab.lab_port, timeout=10)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Transfer-Encoding": "chunked"}
    headers = signed(lab, body, "sts", headers)
    connection.request("POST", "/", iter([body[:7].encode(), body[7:].encode()]), headers, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"<Account>111111111111</Account>" in answer.read()
    connection.close()


def test_what_is_no_http_ends_the_connection_and_not_the_lab(lab: RunningLab) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", lab.lab_port), timeout=10) as plain:
        plain.sendall(b"nonsense\r\n\r\n")
        assert plain.recv(100) == b""
    assert lab.control.status()["name"] == "in-process"


def test_it_listens_on_the_loopback_interface_only(lab: RunningLab) -> None:
    assert lab.url.startswith("http://127.0.0.1:")
    assert lab._server.socket.getsockname()[0] == "127.0.0.1"


def test_control_wants_its_token(lab: RunningLab) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lab.lab_port, timeout=10)
    for headers in ({}, {"x-cloudnet-token": "guess"}):
        connection.request("POST", "/_cloudnet/reset", "{}", headers)
        answer = connection.getresponse()
        assert answer.status == 403
        answer.read()
    connection.close()


def test_objects_of_services_that_rest_uses_go_through(lab: RunningLab) -> None:
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="cloudnet")
    s3.put_object(Bucket="cloudnet", Key="a folder/a key", Body=b"hello")
    assert s3.get_object(Bucket="cloudnet", Key="a folder/a key")["Body"].read() == b"hello"
    assert s3.head_object(Bucket="cloudnet", Key="a folder/a key")["ContentLength"] == 5
    zone = lab.client("route53").create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]
    assert lab.client("route53").get_hosted_zone(Id=zone["Id"])["HostedZone"]["Name"] == "example.com."
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="flows")
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["flows"]
    assert lab.client("ssm").get_parameters_by_path(Path="/aws/service/ami-amazon-linux-latest")["Parameters"]


def test_the_emulators_memory_of_every_object_is_bounded(lab: RunningLab) -> None:
    from moto.ec2.models.vpcs import VPC

    tracked = VPC.instances_tracked  # type: ignore[attr-defined]
    tracked.extend([None] * 5000)
    ec2 = lab.client("ec2")
    for _turn in range(501):
        ec2.describe_vpcs()
        if len(tracked) <= 2000:
            return
    # Where describes are answered by the fidelity layer, the emulator is asked by writes only.
    for _turn in range(501):
        ec2.create_customer_gateway(PublicIp="198.18.0.1", Type="ipsec.1", BgpAsn=65000)
    assert len(tracked) <= 2000


def test_one_request_does_not_wait_for_anothers_latency(lab: RunningLab) -> None:
    import time

    lab.control.config(latency_ms=300)
    ec2 = lab.client("ec2")
    since = time.monotonic()
    threads = [threading.Thread(target=ec2.describe_vpcs) for _turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - since
    assert 0.3 <= took < 8 * 0.3
