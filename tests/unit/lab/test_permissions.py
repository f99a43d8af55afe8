# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM policies, enforced on request: deny by default, explicit deny, Regions, what a request needs beside its own action."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.permissions import Request, decide
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.required import Place, required
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


ROLES = "arn:aws:iam::111111111111:role/app-*"
TO_EC2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
CORE = {"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"}}


@pytest.mark.parametrize(
    ("statements", "resource", "keys", "expected"),
    [
        ([allow("iam:*", resource=ROLES)], "arn:aws:iam::111111111111:role/app-1", {}, "Allow"),
        ([allow("iam:*", resource=ROLES)], "arn:aws:iam::111111111111:role/admin", {}, ""),
        ([allow("*"), deny("iam:*", resource=ROLES)], "arn:aws:iam::111111111111:role/app-1", {}, "Deny"),
        ([allow("*"), {"Effect": "Deny", "Action": "*", "NotResource": ROLES}], "arn:aws:iam::111111111111:role/admin", {}, "Deny"),
        ([allow("*"), {"Effect": "Deny", "Action": "*", "NotResource": ROLES}], "arn:aws:iam::111111111111:role/app-1", {}, "Allow"),
        ([allow("*"), {"Effect": "Deny", "Action": "*", "NotResource": ROLES}], "", {}, "Allow"),
        ([allow("iam:*", resource=ROLES)], "*", {}, ""),
        ([allow("iam:*")], "*", {}, "Allow"),
        ([allow("iam:*", Condition=TO_EC2)], "", {"iam:passedtoservice": "ec2.amazonaws.com"}, "Allow"),
        ([allow("iam:*", Condition=TO_EC2)], "", {"iam:passedtoservice": "lambda.amazonaws.com"}, ""),
        ([allow("iam:*", Condition=CORE)], "", {"iam:policyarn": "arn:aws:iam::aws:policy/AdministratorAccess"}, ""),
        (
            [allow("*"), deny("*", Condition={"ArnNotEquals": CORE["ArnEquals"]})],
            "",
            {"iam:policyarn": "arn:aws:iam::aws:policy/X"},
            "Deny",
        ),
    ],
)
def test_what_a_request_names_is_judged(statements: list[dict[str, Any]], resource: str, keys: dict[str, str], expected: str) -> None:
    request = Request("iam:PassRole", ACCOUNT, "us-east-1", f"arn:aws:iam::{ACCOUNT}:user/ann", resource, keys)
    assert decide([document(*statements)], request) == expected


TAGS = [{"Key": "a", "Value": "b"}]
SPECIFICATIONS = [{"ResourceType": "vpc", "Tags": TAGS}]
HERE_ = "arn:aws:{}:us-east-1:111111111111:"


@pytest.mark.parametrize(
    ("service", "action", "params", "expected"),
    [
        ("ec2", "CreateVpc", {}, [("ec2:CreateVpc", "")]),
        ("ec2", "CreateVpc", {"TagSpecifications": SPECIFICATIONS}, [("ec2:CreateVpc", ""), ("ec2:CreateTags", "")]),
        ("ec2", "CreateTags", {"Resources": ["vpc-1"], "Tags": TAGS}, [("ec2:CreateTags", "")]),
        ("ec2", "DescribeVpcs", {}, [("ec2:DescribeVpcs", "*")]),
        ("ec2", "DescribeVpcAttribute", {}, [("ec2:DescribeVpcAttribute", "")]),
        (
            "ec2",
            "RunInstances",
            {"IamInstanceProfile": {"Name": "p"}, "ImageId": "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023:7"},
            [
                ("ec2:RunInstances", ""),
                ("iam:PassRole", ""),
                ("ssm:GetParameters", "arn:aws:ssm:us-east-1::parameter/aws/service/ami-amazon-linux-latest/al2023"),
            ],
        ),
        (
            "ec2",
            "RunInstances",
            {"ImageId": "resolve:ssm:golden"},
            [("ec2:RunInstances", ""), ("ssm:GetParameters", HERE_.format("ssm") + "parameter/golden")],
        ),
        ("ec2", "RunInstances", {"ImageId": "ami-1"}, [("ec2:RunInstances", "")]),
        (
            "ec2",
            "CreateFlowLogs",
            {"DeliverLogsPermissionArn": "arn:aws:iam::111111111111:role/flow"},
            [("ec2:CreateFlowLogs", ""), ("iam:PassRole", "arn:aws:iam::111111111111:role/flow")],
        ),
        ("ec2", "CreateVpcEndpoint", {"VpcEndpointType": "Gateway"}, [("ec2:CreateVpcEndpoint", "")]),
        ("ec2", "CreateVpcEndpoint", {"VpcEndpointType": "Interface", "PrivateDnsEnabled": False}, [("ec2:CreateVpcEndpoint", "")]),
        (
            "ec2",
            "CreateVpcEndpoint",
            {"VpcEndpointType": "Interface"},
            [("ec2:CreateVpcEndpoint", ""), ("route53:AssociateVPCWithHostedZone", "")],
        ),
        ("iam", "ListAccountAliases", {}, [("iam:ListAccountAliases", "*")]),
        (
            "iam",
            "CreateRole",
            {"RoleName": "r", "Path": "/x/", "Tags": TAGS},
            [("iam:CreateRole", "arn:aws:iam::111111111111:role/x/r"), ("iam:TagRole", "arn:aws:iam::111111111111:role/x/r")],
        ),
        (
            "iam",
            "CreateInstanceProfile",
            {"InstanceProfileName": "p", "Tags": TAGS},
            [
                ("iam:CreateInstanceProfile", "arn:aws:iam::111111111111:instance-profile/p"),
                ("iam:TagInstanceProfile", "arn:aws:iam::111111111111:instance-profile/p"),
            ],
        ),
        ("iam", "CreateRole", {"RoleName": "r"}, [("iam:CreateRole", "arn:aws:iam::111111111111:role/r")]),
        (
            "iam",
            "AddRoleToInstanceProfile",
            {"RoleName": "r", "InstanceProfileName": "p"},
            [
                ("iam:AddRoleToInstanceProfile", "arn:aws:iam::111111111111:instance-profile/p"),
                ("iam:PassRole", "arn:aws:iam::111111111111:role/r"),
            ],
        ),
        ("iam", "GetPolicy", {"PolicyArn": "arn:aws:iam::aws:policy/X"}, [("iam:GetPolicy", "arn:aws:iam::aws:policy/X")]),
        ("logs", "CreateLogGroup", {"logGroupName": "g"}, [("logs:CreateLogGroup", "")]),
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "g", "tags": {"a": "b"}},
            [("logs:CreateLogGroup", ""), ("logs:TagResource", HERE_.format("logs") + "log-group:g")],
        ),
        ("servicequotas", "ListServiceQuotas", {"ServiceCode": "vpc"}, [("servicequotas:ListServiceQuotas", "*")]),
        (
            "ssm",
            "SendCommand",
            {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-1", "mi-2"]},
            [
                ("ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"),
                ("ssm:SendCommand", HERE_.format("ec2") + "instance/i-1"),
                ("ssm:SendCommand", HERE_.format("ssm") + "managed-instance/mi-2"),
            ],
        ),
        ("ssm", "SendCommand", {"DocumentName": "mine"}, [("ssm:SendCommand", HERE_.format("ssm") + "document/mine")]),
        (
            "ssm",
            "GetParameters",
            {"Names": ["/a/b", "c"]},
            [("ssm:GetParameters", HERE_.format("ssm") + "parameter/a/b"), ("ssm:GetParameters", HERE_.format("ssm") + "parameter/c")],
        ),
        ("sts", "AssumeRole", {"RoleArn": "arn:x"}, [("sts:AssumeRole", "arn:x")]),
        (
            "sts",
            "AssumeRole",
            {"RoleArn": "arn:x", "Tags": TAGS, "SourceIdentity": "me"},
            [("sts:AssumeRole", "arn:x"), ("sts:TagSession", "arn:x"), ("sts:SetSourceIdentity", "arn:x")],
        ),
    ],
)
def test_what_a_request_needs(service: str, action: str, params: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    found = required(service, action, params, Place(ACCOUNT, "us-east-1"))
    assert [(need.action, need.resource) for need in found] == expected


def test_what_is_passed_to_which_service() -> None:
    flow = required("ec2", "CreateFlowLogs", {"DeliverLogsPermissionArn": "arn:r"}, Place(ACCOUNT, "us-east-1"))
    profile = required("ec2", "AssociateIamInstanceProfile", {"IamInstanceProfile": {"Name": "p"}}, Place(ACCOUNT, "us-east-1"))
    assert [need.keys for need in flow[1:] + profile[1:]] == [
        {"iam:passedtoservice": "vpc-flow-logs.amazonaws.com"},
        {"iam:passedtoservice": "ec2.amazonaws.com"},
    ]
    (attached,) = required("iam", "AttachRolePolicy", {"RoleName": "r", "PolicyArn": "arn:p"}, Place(ACCOUNT, "us-east-1"))
    assert (attached.resource, attached.keys) == ("arn:aws:iam::111111111111:role/r", {"iam:policyarn": "arn:p"})


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


def test_a_role_and_its_profile(enforcing: RunningLab) -> None:
    """Tags at creation, a policy of one name only, a role that is handed on: each is asked for, on that role."""
    person = Person(enforcing, allow("iam:Create*", resource=["arn:aws:iam::*:role/app-*", "arn:aws:iam::*:instance-profile/app-*"]))
    iam = person.client("iam")
    trust = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    assert "role/other " in told(iam.create_role, RoleName="other", AssumeRolePolicyDocument=trust)[1]
    assert "iam:TagRole" in told(iam.create_role, RoleName="app-1", AssumeRolePolicyDocument=trust, Tags=TAGS)[1]
    iam.create_role(RoleName="app-1", AssumeRolePolicyDocument=trust)
    assert "iam:TagInstanceProfile" in told(iam.create_instance_profile, InstanceProfileName="app-1", Tags=TAGS)[1]
    iam.create_instance_profile(InstanceProfileName="app-1")
    both = {"InstanceProfileName": "app-1", "RoleName": "app-1"}
    assert "iam:AddRoleToInstanceProfile" in told(iam.add_role_to_instance_profile, **both)[1]
    person.may(allow("iam:Add*", "ec2:*"))
    code, message = told(iam.add_role_to_instance_profile, **both)
    assert (code, "iam:PassRole on resource: arn:aws:iam::111111111111:role/app-1 " in message) == ("AccessDenied", True)
    person.may(allow("iam:Add*", "ec2:*"), allow("iam:PassRole", resource=ROLES, Condition=TO_EC2), allow("iam:Attach*", Condition=CORE))
    iam.add_role_to_instance_profile(**both)
    other = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert "iam:AttachRolePolicy" in told(iam.attach_role_policy, RoleName="app-1", PolicyArn=other)[1]
    iam.attach_role_policy(RoleName="app-1", PolicyArn=CORE["ArnEquals"]["iam:PolicyARN"])


def test_an_instance_with_a_role_and_a_public_image(enforcing: RunningLab) -> None:
    admin = enforcing.client("iam")
    trust = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    for name in ("app-1", "admin"):
        admin.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        admin.create_instance_profile(InstanceProfileName=f"{name}-profile")
        admin.add_role_to_instance_profile(InstanceProfileName=f"{name}-profile", RoleName=name)
    image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    launch = {"ImageId": f"resolve:ssm:{image}", "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro"}
    person = Person(enforcing, allow("ec2:RunInstances"))
    ec2 = person.client("ec2")
    assert f"ssm:GetParameters on resource: arn:aws:ssm:us-east-1::parameter{image} " in told(ec2.run_instances, **launch)[1]
    readable = allow("ssm:GetParameters", resource="arn:aws:ssm:*::parameter/aws/service/ami-amazon-linux-latest/*")
    person.may(allow("ec2:RunInstances"), readable, allow("iam:PassRole", resource=ROLES))
    vpc = enforcing.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    launch["SubnetId"] = enforcing.client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    refused = told(ec2.run_instances, **launch, IamInstanceProfile={"Name": "admin-profile"})[1]
    assert "iam:PassRole on resource: arn:aws:iam::111111111111:role/admin " in refused
    ec2.run_instances(**launch, IamInstanceProfile={"Name": "app-1-profile"})


def test_private_dns_is_an_association(enforcing: RunningLab) -> None:
    vpc = enforcing.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for name in ("EnableDnsSupport", "EnableDnsHostnames"):
        enforcing.client("ec2").modify_vpc_attribute(VpcId=vpc, **{name: {"Value": True}})
    person = Person(enforcing, allow("ec2:CreateVpcEndpoint"))
    wanted = {"VpcId": vpc, "ServiceName": "com.amazonaws.us-east-1.ssm", "VpcEndpointType": "Interface"}
    assert "route53:AssociateVPCWithHostedZone" in told(person.client("ec2").create_vpc_endpoint, **wanted)[1]
    person.client("ec2").create_vpc_endpoint(**wanted, PrivateDnsEnabled=False)
    person.may(allow("ec2:CreateVpcEndpoint", "route53:AssociateVPCWithHostedZone"))
    person.client("ec2").create_vpc_endpoint(**wanted)


def test_other_services_that_are_judged(enforcing: RunningLab) -> None:
    person = Person(enforcing, allow("ssm:SendCommand", resource="arn:aws:ssm:*::document/AWS-RunShellScript"))
    quotas, logs = person.client("service-quotas"), person.client("logs")
    code, message = told(quotas.list_service_quotas, ServiceCode="vpc")
    assert (code, "servicequotas:ListServiceQuotas" in message) == ("AccessDeniedException", True)
    assert "route53:ListHostedZones" in told(person.client("route53").list_hosted_zones)[1]
    assert "organizations:DescribeOrganization" in told(person.client("organizations").describe_organization)[1]
    command = {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-0123456789abcdef0"], "Parameters": {"commands": ["id"]}}
    assert "instance/i-0123456789abcdef0 " in told(person.client("ssm").send_command, **command)[1]
    person.may(allow("servicequotas:*"), allow("logs:CreateLogGroup"))
    assert quotas.list_service_quotas(ServiceCode="vpc")["Quotas"]
    assert "logs:TagResource" in told(logs.create_log_group, logGroupName="g", tags={"a": "b"})[1]
    person.may(allow("logs:CreateLogGroup", "logs:TagLogGroup"))
    logs.create_log_group(logGroupName="g", tags={"a": "b"})


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
