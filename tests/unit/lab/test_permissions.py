# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM policies, enforced on request: deny by default, explicit deny, Regions, what a request needs beside its own action."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.permissions import Request, decide, needed
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
from botocore.exceptions import ClientError

ACCOUNT = "111111111111"


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, resource=resource, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


HERE = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
TAGGED = {"StringEquals": {"aws:RequestTag/cloudnet:topology": "x"}}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([], ""),
        ([allow("ec2:CreateVpc")], "Allow"),
        ([allow("EC2:createvpc")], "Allow"),
        ([allow("ec2:Create*")], "Allow"),
        ([allow("ec2:Create?")], ""),
        ([allow("ec2:DeleteVpc")], ""),
        ([allow("*"), deny("ec2:*Vpc")], "Deny"),
        ([deny("ec2:*Vpc"), allow("*")], "Deny"),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "Allow"),
        ([{"Effect": "Allow", "NotAction": ["ec2:CreateVpc"], "Resource": "*"}], ""),
        ([allow("ec2:*", resource="arn:aws:ec2:us-east-1:111111111111:*")], "Allow"),
        ([allow("ec2:*", resource="arn:aws:ec2:us-east-1:222222222222:*")], ""),
        ([allow("ec2:*", resource=["arn:aws:ec2:eu-west-1:*:*", "arn:aws:s3:::b"])], ""),
        ([allow("ec2:*", resource="arn:aws:ec2:*:*:vpc/*")], "Allow"),
        ([allow("*"), deny("ec2:*", resource="arn:aws:ec2:*:*:vpc/vpc-1")], "Allow"),
        ([allow("*"), deny("ec2:*", resource="arn:aws:ec2:*:*:*")], "Deny"),
        ([allow("ec2:*", Condition=HERE)], ""),
        ([allow("*"), deny("*", Condition={"StringNotEquals": HERE["StringEquals"]})], "Deny"),
        ([allow("ec2:*", Condition={"StringLike": {"ec2:Region": ["us-*"]}})], "Allow"),
        ([allow("ec2:*", Condition=TAGGED)], "Allow"),
        ([allow("*"), deny("ec2:*", Condition=TAGGED)], "Allow"),
        ([allow("ec2:*", Condition={**HERE, "StringLike": TAGGED["StringEquals"]})], ""),
    ],
)
def test_a_policy_decides(statements: list[dict[str, Any]], expected: str) -> None:
    request = Request("ec2:CreateVpc", ACCOUNT, "us-east-1", f"arn:aws:iam::{ACCOUNT}:user/ann")
    assert decide([document(*statements)], request) == expected
    assert decide([json.loads(document(statement)) for statement in statements], request) == expected


def test_what_a_request_needs() -> None:
    tags = {"TagSpecification.1.ResourceType": "vpc"}
    assert list(needed("ec2", "CreateVpc", tags)) == [("ec2:CreateVpc", ""), ("ec2:CreateTags", "")]
    assert list(needed("ec2", "CreateVpc", {})) == [("ec2:CreateVpc", "")]
    assert [action for action, _other in needed("ec2", "RunInstances", {"IamInstanceProfile.Name": "p"})] == [
        "ec2:RunInstances",
        "iam:PassRole",
    ]
    assert list(needed("sts", "AssumeRole", {"RoleArn": "arn:x"})) == [("sts:AssumeRole", "arn:x")]


class Person:
    """An IAM user of the lab with a policy that can be changed."""

    def __init__(self, lab: RunningLab, *statements: dict[str, Any]) -> None:
        self.lab, self.iam = lab, lab.client("iam")
        self.iam.create_user(UserName="ann")
        self.key = self.iam.create_access_key(UserName="ann")["AccessKey"]
        if statements:
            self.may(*statements)

    def may(self, *statements: dict[str, Any]) -> None:
        self.iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document(*statements))

    def client(self, service: str, region: str = "us-east-1") -> Any:
        return self.lab.client_of(service, self.key["AccessKeyId"], self.key["SecretAccessKey"], region=region)


def told(function: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        function(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.fixture
def enforcing(lab: RunningLab) -> RunningLab:
    lab.control.config(enforce_iam=True)
    return lab


def test_it_is_off_unless_asked_for(lab: RunningLab) -> None:
    assert lab.control.status()["settings"]["enforce_iam"] is False
    Person(lab).client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    lab.control.config(enforce_iam=True)
    lab.control.reset()
    assert lab.control.status()["settings"]["enforce_iam"] is False


def test_nothing_is_allowed_by_itself(enforcing: RunningLab) -> None:
    person = Person(enforcing)
    code, message = told(person.client("ec2").create_vpc, CidrBlock="10.0.0.0/16")
    assert code == "UnauthorizedOperation"
    assert "arn:aws:iam::111111111111:user/ann is not authorized to perform: ec2:CreateVpc" in message
    assert "no identity-based policy allows" in message
    assert told(person.client("ssm").describe_parameters)[0] == "AccessDeniedException"
    assert told(person.client("iam").list_users)[0] == "AccessDenied"
    assert person.client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert enforcing.client("ec2").describe_vpcs()["Vpcs"] == []


def test_what_is_allowed_and_no_more(enforcing: RunningLab) -> None:
    person = Person(enforcing, allow("ec2:CreateVpc", "ec2:Describe*"))
    ec2 = person.client("ec2")
    made = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    assert [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"]] == [made]
    assert "ec2:DeleteVpc" in told(ec2.delete_vpc, VpcId=made)[1]
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]
    assert "ec2:CreateTags" in told(ec2.create_vpc, CidrBlock="10.1.0.0/16", TagSpecifications=tags)[1]
    person.may(allow("ec2:*"), deny("ec2:CreateVpc", Condition={"StringNotEquals": HERE["StringEquals"]}))
    code, message = told(ec2.create_vpc, CidrBlock="10.1.0.0/16", TagSpecifications=tags)
    assert (code, "explicit deny" in message) == ("UnauthorizedOperation", True)
    person.client("ec2", "eu-west-1").create_vpc(CidrBlock="10.1.0.0/16", TagSpecifications=tags)


def test_a_dry_run_tells_whether_it_may(enforcing: RunningLab) -> None:
    person = Person(enforcing, allow("ec2:CreateVpc"))
    ec2 = person.client("ec2")
    assert told(ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)[0] == "DryRunOperation"
    assert told(ec2.describe_vpcs, DryRun=True)[0] == "UnauthorizedOperation"


def test_groups_and_attached_policies_count(enforcing: RunningLab) -> None:
    person = Person(enforcing)
    iam = person.iam
    iam.create_group(GroupName="net")
    iam.add_user_to_group(GroupName="net", UserName="ann")
    iam.put_group_policy(GroupName="net", PolicyName="p", PolicyDocument=document(allow("ec2:DescribeVpcs")))
    person.client("ec2").describe_vpcs()
    assert told(person.client("ec2").describe_subnets)[0] == "UnauthorizedOperation"
    arn = iam.create_policy(PolicyName="more", PolicyDocument=document(allow("ec2:DescribeSubnets")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="ann", PolicyArn=arn)
    person.client("ec2").describe_subnets()


def test_an_assumed_role_may_what_role_and_session_allow(enforcing: RunningLab) -> None:
    iam, sts = enforcing.client("iam"), enforcing.client("sts")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName="net", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]

    def assume(**more: Any) -> Any:
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="me", **more)["Credentials"]
        return enforcing.client_of("ec2", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    code, message = told(assume().describe_vpcs)
    assert (code, "assumed-role/net/me is not authorized to perform: ec2:DescribeVpcs" in message) == ("UnauthorizedOperation", True)
    iam.put_role_policy(RoleName="net", PolicyName="p", PolicyDocument=document(allow("ec2:Describe*")))
    assume().describe_vpcs()
    narrow = assume(Policy=document(allow("ec2:DescribeSubnets", "ec2:CreateVpc")))
    narrow.describe_subnets()
    assert "no session policy allows" in told(narrow.describe_vpcs)[1]
    assert "no identity-based policy allows" in told(narrow.create_vpc, CidrBlock="10.0.0.0/16")[1]


def test_a_role_must_be_allowed_on_both_sides(enforcing: RunningLab) -> None:
    person = Person(enforcing)
    there = {"RoleArn": "arn:aws:iam::222222222222:role/cloudnet", "RoleSessionName": "me"}
    code, message = told(person.client("sts").assume_role, **there)
    assert (code, "sts:AssumeRole" in message) == ("AccessDenied", True)
    person.may(allow("sts:AssumeRole", resource="arn:aws:iam::222222222222:role/other"))
    assert told(person.client("sts").assume_role, **there)[0] == "AccessDenied"
    person.may(allow("sts:AssumeRole", resource="arn:aws:iam::222222222222:role/cloud*"))
    person.client("sts").assume_role(**there)


def test_the_setting_is_a_yes_or_no(lab: RunningLab) -> None:
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError

    with pytest.raises(LabError, match="enforce_iam"):
        lab.control.config(enforce_iam="maybe")
