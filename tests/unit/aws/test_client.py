# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call: counted, repeated only where that is safe, and paged with as few requests as AWS allows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.client import PAGE_SIZES, Client
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import READS
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.pacing import Pacer
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AccessDenied, AwsError, EndpointUnreachable, MaybeDone
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from .aws_fakes import Clock, FakeBoto, FakeSessions, refusal, service_model

ME, HERE = "111111111111", "us-east-1"
BROKEN = boto.ConnectionClosedError(endpoint_url="https://ec2.us-east-1.amazonaws.com/")
REFUSED = boto.EndpointConnectionError(endpoint_url="https://ec2.us-east-1.amazonaws.com/")
INTERNAL = refusal("InternalError", "An internal error has occurred", 500)
THROTTLE = refusal("RequestLimitExceeded", "Request limit exceeded.", 503)


def client(**script: list[Any]) -> tuple[Client, FakeBoto, Clock]:
    clock = Clock()
    sessions = FakeSessions(script)
    made = Client(sessions, Pacer(clock=clock, sleep=clock.sleep), sleep=clock.sleep, chance=lambda: 1.0, clock=clock)  # type: ignore[arg-type]
    return made, sessions.client(ME, "ec2", HERE), clock


def test_an_answer_without_its_metadata() -> None:
    api, _other, _other = client(CreateVpc=[{"Vpc": {"VpcId": "vpc-1"}}])
    assert api.call(ME, HERE, "ec2:CreateVpc", CidrBlock="10.0.0.0/16") == {"Vpc": {"VpcId": "vpc-1"}}
    assert api.calls == {"ec2:CreateVpc": 1}


@pytest.mark.parametrize("action", ["ec2:CreateVpc", "ec2:CreateRoute", "ec2:DescribeVpcs"])
def test_a_throttle_is_repeated_for_every_call_as_nothing_was_done(action: str) -> None:
    api, _other, clock = client(**{action[4:]: [THROTTLE, THROTTLE, {}]})
    assert api.call(ME, HERE, action) == {}
    assert api.calls == {action: 3}
    assert clock.slept == [0.4, 0.8]


@pytest.mark.parametrize(("url", "paced"), [("https://ec2.us-east-1.amazonaws.com", True), ("http://127.0.0.1:4566", False)])
def test_an_emulator_is_not_waited_for_before_it_throttles(url: str, paced: bool) -> None:
    api, fake, clock = client(CreateVpcEndpoint=[{"VpcEndpoint": {}} for _turn in range(8)])
    fake.meta.endpoint_url = url
    for _turn in range(8):
        api.call(ME, HERE, "ec2:CreateVpcEndpoint", VpcId="vpc-1", ServiceName="ssm")
    assert (clock.now > 0) is paced


def test_throttles_without_end_are_an_error() -> None:
    api, _other, _other = client(CreateRoute=[THROTTLE] * 30)
    with pytest.raises(AwsError, match="RequestLimitExceeded"):
        api.call(ME, HERE, "ec2:CreateRoute", RouteTableId="rtb-1")
    assert api.calls["ec2:CreateRoute"] == 21


@pytest.mark.parametrize("failure", [BROKEN, INTERNAL, boto.ReadTimeoutError(endpoint_url="x"), ResponseParserError("<html>")])
def test_a_lost_answer_to_a_creating_call_is_handed_to_the_caller(failure: Exception) -> None:
    api, _other, _other = client(CreateVpcPeeringConnection=[failure, {}])
    with pytest.raises(MaybeDone, match="it may have taken effect all the same") as caught:
        api.call(ME, HERE, "ec2:CreateVpcPeeringConnection", VpcId="vpc-1", PeerVpcId="vpc-2")
    assert api.calls == {"ec2:CreateVpcPeeringConnection": 1}
    assert (caught.value.action, caught.value.account, caught.value.region) == ("ec2:CreateVpcPeeringConnection", ME, HERE)


@pytest.mark.parametrize("failure", [BROKEN, INTERNAL])
def test_a_lost_answer_with_a_client_token_is_repeated_under_the_same_token(failure: Exception) -> None:
    api, boto3, _other = client(CreateNatGateway=[failure, failure, {"NatGateway": {}}])
    assert api.call(ME, HERE, "ec2:CreateNatGateway", SubnetId="subnet-1") == {"NatGateway": {}}
    tokens = {asked["ClientToken"] for asked in boto3.asked["CreateNatGateway"]}
    assert len(tokens) == 1 and len(tokens.pop()) == 36


def test_two_calls_have_two_tokens_and_a_given_one_stays() -> None:
    api, boto3, _other = client(CreateRouteTable=[{}, {}, {}])
    api.call(ME, HERE, "ec2:CreateRouteTable", VpcId="vpc-1")
    api.call(ME, HERE, "ec2:CreateRouteTable", VpcId="vpc-1")
    api.call(ME, HERE, "ec2:CreateRouteTable", VpcId="vpc-1", ClientToken="mine")
    tokens = [asked["ClientToken"] for asked in boto3.asked["CreateRouteTable"]]
    assert len(set(tokens)) == 3 and tokens[2] == "mine"


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("ec2:CreateRoute", "RouteAlreadyExists"),
        ("ec2:AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate"),
        ("ec2:RevokeSecurityGroupIngress", "InvalidPermission.NotFound"),
        ("ec2:DeleteRoute", "InvalidRoute.NotFound"),
        ("ec2:DeleteSubnet", "InvalidSubnetID.NotFound"),
        ("ec2:AcceptVpcPeeringConnection", "InvalidStateTransition"),
    ],
)
def test_already_done_is_success_only_after_a_lost_answer(action: str, code: str) -> None:
    lost, _other, _other = client(**{action[4:]: [BROKEN, refusal(code)]})
    assert lost.call(ME, HERE, action) == {}
    for before in ([], [THROTTLE], [REFUSED]):
        plain, _other, _other = client(**{action[4:]: [*before, refusal(code)]})
        with pytest.raises(AwsError) as caught:
            plain.call(ME, HERE, action)
        assert caught.value.code == code


def test_what_was_never_sent_is_repeated_a_little_even_if_it_creates() -> None:
    api, _other, _other = client(CreateVpc=[REFUSED, {"Vpc": {}}])
    assert api.call(ME, HERE, "ec2:CreateVpc") == {"Vpc": {}}
    gone, _other, clock = client(CreateVpc=[REFUSED] * 9)
    with pytest.raises(EndpointUnreachable, match=r"no answer from https://ec2\.us-east-1"):
        gone.call(ME, HERE, "ec2:CreateVpc")
    assert gone.calls["ec2:CreateVpc"] == 3 and clock.now < 2


def test_an_id_just_made_may_be_unknown_for_a_while() -> None:
    unknown = refusal("InvalidSubnetID.NotFound", "The subnet ID 'subnet-12345678' does not exist")
    api, _other, clock = client(
        CreateSubnet=[{"Subnet": {"SubnetId": "subnet-12345678"}}], ModifySubnetAttribute=[unknown, unknown, unknown, {}]
    )
    api.call(ME, HERE, "ec2:CreateSubnet", VpcId="vpc-1")
    assert api.call(ME, HERE, "ec2:ModifySubnetAttribute", SubnetId="subnet-12345678") == {}
    assert api.calls["ec2:ModifySubnetAttribute"] == 4 and 0 < clock.now < 10


def test_an_id_just_made_that_never_appears_is_an_error_in_the_end() -> None:
    unknown = refusal("InvalidSubnetID.NotFound", "The subnet ID 'subnet-12345678' does not exist")
    api, _other, clock = client(CreateSubnet=[{"Subnet": {"SubnetId": "subnet-12345678"}}], ModifySubnetAttribute=[unknown] * 99)
    api.call(ME, HERE, "ec2:CreateSubnet", VpcId="vpc-1")
    with pytest.raises(AwsError, match=r"InvalidSubnetID\.NotFound"):
        api.call(ME, HERE, "ec2:ModifySubnetAttribute", SubnetId="subnet-12345678")
    assert clock.now <= 80


def test_what_is_to_go_and_is_not_there_is_no_matter_of_time() -> None:
    """It was listed before, so somebody else was quicker."""
    unknown = refusal("InvalidSubnetID.NotFound", "The subnet ID 'subnet-12345678' does not exist")
    api, _other, clock = client(CreateSubnet=[{"Subnet": {"SubnetId": "subnet-12345678"}}], DeleteSubnet=[unknown] * 99)
    api.call(ME, HERE, "ec2:CreateSubnet", VpcId="vpc-1")
    with pytest.raises(AwsError) as caught:
        api.call(ME, HERE, "ec2:DeleteSubnet", SubnetId="subnet-12345678")
    assert caught.value.not_found and clock.now == 0


def test_an_id_that_we_did_not_make_is_an_error_at_once() -> None:
    api, _other, clock = client(
        ModifySubnetAttribute=[refusal("InvalidSubnetID.NotFound", "The subnet ID 'subnet-12345678' does not exist")]
    )
    with pytest.raises(
        AwsError, match=r"ec2:ModifySubnetAttribute on subnet-12345678 failed in account 111111111111, Region us-east-1: Invalid"
    ):
        api.call(ME, HERE, "ec2:ModifySubnetAttribute", SubnetId="subnet-12345678")
    assert clock.now == 0


def test_a_denial_is_final() -> None:
    api, _other, _other = client(CreateRoute=[refusal("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)])
    with pytest.raises(AccessDenied, match="ec2:CreateRoute"):
        api.call(ME, HERE, "ec2:CreateRoute")
    assert api.calls == {"ec2:CreateRoute": 1}


def test_a_page_of_html_says_so() -> None:
    api, _other, _other = client(CreateVpc=[refusal("502", "<html>Bad gateway</html>", 502)])
    with pytest.raises(MaybeDone, match="UnreadableAnswer: the endpoint answered with HTTP status 502 and no AWS error"):
        api.call(ME, HERE, "ec2:CreateVpc")


def test_what_a_call_for_several_did_not_do_is_an_error() -> None:
    told = {"Unsuccessful": [{"ResourceId": "vpce-1", "Error": {"Code": "InvalidVpcEndpoint.NotFound", "Message": "No such endpoint."}}]}
    api, _other, _other = client(DeleteVpcEndpoints=[told, {"Unsuccessful": []}])
    with pytest.raises(AwsError, match=r"ec2:DeleteVpcEndpoints on vpce-1 failed in .*: InvalidVpcEndpoint\.NotFound: No such endpoint"):
        api.call(ME, HERE, "ec2:DeleteVpcEndpoints", VpcEndpointIds=["vpce-1", "vpce-2"])
    assert api.call(ME, HERE, "ec2:DeleteVpcEndpoints", VpcEndpointIds=["vpce-2"]) == {"Unsuccessful": []}
    lost, _other, _other = client(DeleteVpcEndpoints=[BROKEN, told])
    assert lost.call(ME, HERE, "ec2:DeleteVpcEndpoints", VpcEndpointIds=["vpce-1"]) == told


def test_a_certificate_that_is_not_trusted_is_final() -> None:
    api, _other, _other = client(CreateVpc=[boto.SSLError(endpoint_url="https://x", error="self-signed")])
    with pytest.raises(EndpointUnreachable, match="check aws_ca_bundle and validate_certs"):
        api.call(ME, HERE, "ec2:CreateVpc")


def test_a_call_that_answers_with_one_mapping_has_one_item() -> None:
    mode = {"AwsRegion": HERE, "InternetGatewayBlockMode": "off"}
    api, _other, _other = client(DescribeVpcBlockPublicAccessOptions=[{"VpcBlockPublicAccessOptions": mode}, {}])
    assert api.pages(ME, HERE, "ec2:DescribeVpcBlockPublicAccessOptions") == [mode]
    assert api.pages(ME, HERE, "ec2:DescribeVpcBlockPublicAccessOptions") == []


def test_all_pages_in_order_each_as_large_as_can_be() -> None:
    api, boto3, _other = client(DescribeRouteTables=[{"RouteTables": [1, 2], "NextToken": "a"}, {"RouteTables": [3], "NextToken": ""}])
    assert api.pages(ME, HERE, "ec2:DescribeRouteTables", Filters=[{"Name": "vpc-id", "Values": ["vpc-1"]}]) == [1, 2, 3]
    assert [(asked["MaxResults"], asked.get("NextToken")) for asked in boto3.asked["DescribeRouteTables"]] == [(100, None), (100, "a")]


def test_ids_and_page_sizes_do_not_go_together() -> None:
    api, boto3, _other = client(DescribeInstances=[{"Reservations": []}], DescribeAddresses=[{"Addresses": [{"AllocationId": "x"}]}])
    api.pages(ME, HERE, "ec2:DescribeInstances", InstanceIds=["i-1"])
    assert boto3.asked["DescribeInstances"] == [{"InstanceIds": ["i-1"]}]
    assert api.pages(ME, HERE, "ec2:DescribeAddresses") == [{"AllocationId": "x"}]
    assert boto3.asked["DescribeAddresses"] == [{}]


def test_a_listing_that_turns_in_a_circle_is_an_error() -> None:
    api, _other, _other = client(DescribeVpcs=[{"Vpcs": [1], "NextToken": "a"}, {"Vpcs": [2], "NextToken": "a"}, {"Vpcs": []}])
    with pytest.raises(AwsError, match="the same page came twice"):
        api.pages(ME, HERE, "ec2:DescribeVpcs")


@pytest.mark.parametrize(
    ("file", "size"), [("RouteTables", 100), ("SecurityGroupRules", 1000), ("VpcPeeringConnections", 1000), ("ManagedPrefixLists", 100)]
)
def test_page_sizes_are_the_service_models_largest(file: str, size: int) -> None:
    operation = READS[file].action.partition(":")[2]
    api, boto3, _other = client(**{operation: [{}]})
    api.pages(ME, HERE, f"ec2:{operation}")
    assert boto3.asked[operation] == [{"MaxResults": size}]


def test_page_sizes_of_our_own_are_for_calls_whose_model_has_none() -> None:
    for operation in PAGE_SIZES:
        limit = service_model("ec2").operation_model(operation).input_shape.members["MaxResults"].metadata
        assert limit.get("max", 1000) == PAGE_SIZES[operation]


def test_quotas_live_under_another_name_in_boto3() -> None:
    api, _other, _other = client(ListServiceQuotas=[{"Quotas": [{"QuotaCode": "L-1"}]}])
    assert api.pages(ME, HERE, "servicequotas:ListServiceQuotas", ServiceCode="vpc") == [{"QuotaCode": "L-1"}]
    assert api.calls == {"servicequotas:ListServiceQuotas": 1}
