# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request takes of IAM: its own action, those that AWS asks for beside it, and on which resources, as far as the request tells.

Sources: AWS's service authorization reference, its columns "Resource types" and "Dependent actions", for
EC2 (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html),
IAM (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html),
Systems Manager (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html) and
Service Quotas (https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html). What comes from another
page names it where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Actions that know no resource: a statement about them must be about "*". EC2's Describe actions are the most of them
# (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policies-for-amazon-ec2.html), except those that read one thing's attribute.
_ON_EVERYTHING = frozenset(
    {
        "iam:ListAccountAliases",
        "servicequotas:ListServiceQuotas",
        "ssm:DescribeInstanceInformation",
        "ssm:GetCommandInvocation",
        "ssm:ListCommandInvocations",
    }
)
_TAGGING = {
    "CreateInstanceProfile": "TagInstanceProfile",
    "CreateOpenIDConnectProvider": "TagOpenIDConnectProvider",
    "CreatePolicy": "TagPolicy",
    "CreateRole": "TagRole",
    "CreateSAMLProvider": "TagSAMLProvider",
    "CreateUser": "TagUser",
    "CreateVirtualMFADevice": "TagMFADevice",
    "UploadServerCertificate": "TagServerCertificate",
}
# Of the names that a request of IAM's gives, the first here is what it is about: AddRoleToInstanceProfile is about the profile.
_IAM_NAMES = (
    ("InstanceProfileName", "instance-profile"),
    ("GroupName", "group"),
    ("RoleName", "role"),
    ("UserName", "user"),
    ("PolicyName", "policy"),
)


@dataclass(frozen=True)
class Need:
    """One permission. ``resource``: an ARN, "*" for an action that knows none, "" where the request alone does not tell.

    ``keys``: condition keys that the request decides, lower case. ``instead``: another action that does as well, or "".
    """

    action: str
    resource: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    instead: str = ""


@dataclass(frozen=True)
class Place:
    """Where a request is made. ``iam`` is the emulator's IAM of the account, or None where names need no looking up."""

    account: str
    region: str
    iam: Any = None

    def arn(self, sort: str, name: str, path: str = "") -> str:
        """That of a role, user, group, policy or instance profile, with its path where it exists."""
        known: Mapping[str, Any] = {"role": "roles", "user": "users", "instance-profile": "instance_profiles", "group": "groups"}
        items = vars(self.iam).get(known.get(sort, ""), {}) if self.iam is not None else {}
        for item in items.values():
            if item.name == name:
                return str(item.arn)
        return f"arn:aws:iam::{self.account}:{sort}{path or '/'}{name}"

    def roles_of(self, profile: Mapping[str, str]) -> list[str]:
        """The ARNs of an instance profile's roles, by the profile's ``Name`` or ``Arn``; [""] when it is unknown."""
        items = self.iam.instance_profiles.values() if self.iam is not None else ()
        found = [role.arn for item in items if profile.get("Arn") == item.arn or profile.get("Name") == item.name for role in item.roles]
        return found or [""]

    def parameter(self, name: str) -> str:
        """A parameter's ARN. Public parameters have no account:
        https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html."""
        if name.startswith("arn:"):
            return name
        owner = "" if name.startswith("/aws/service/") else self.account
        return f"arn:aws:ssm:{self.region}:{owner}:parameter/{name.removeprefix('/')}"


def required(service: str, action: str, params: Mapping[str, Any], place: Place) -> list[Need]:
    """All that a request needs, its own action first. ``service`` is the name in IAM's actions, ``params`` are in boto3's shape. Pure."""
    beside = {"ec2": _ec2, "iam": _iam, "logs": _logs, "ssm": _ssm, "sts": _sts}.get(service)
    needs = list(beside(action, params, place)) if beside else []
    own = f"{service}:{action}"
    if any(need.action == own for need in needs):
        return needs
    return [Need(own, "*" if _knows_no_resource(own) else ""), *needs]


def _knows_no_resource(action: str) -> bool:
    return action in _ON_EVERYTHING or (
        action.startswith("ec2:Describe") and not action.endswith(("Attribute", "VpcEndpointServicePermissions"))
    )


def _ec2(action: str, params: Mapping[str, Any], place: Place) -> Iterator[Need]:
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    if params.get("TagSpecifications") and action != "CreateTags":
        yield Need("ec2:CreateTags")
    # RunInstances, AssociateIamInstanceProfile, ReplaceIamInstanceProfileAssociation
    for role in place.roles_of(params["IamInstanceProfile"]) if params.get("IamInstanceProfile") else ():
        yield _pass(role, "ec2.amazonaws.com")
    image = str(params.get("ImageId") or "")
    if action == "RunInstances" and image.startswith("resolve:ssm:"):
        # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-systems-manager-parameter-to-find-AMI.html; after a second colon
        # stands a version or a label, except in an ARN.
        name = image.removeprefix("resolve:ssm:")
        yield Need("ssm:GetParameters", place.parameter(name if name.startswith("arn:") else name.partition(":")[0]))
    if action == "CreateFlowLogs" and params.get("DeliverLogsPermissionArn"):
        yield _pass(str(params["DeliverLogsPermissionArn"]), "vpc-flow-logs.amazonaws.com")
    if action == "CreateVpcEndpoint" and params.get("VpcEndpointType") == "Interface" and params.get("PrivateDnsEnabled", True):
        # Private DNS is a hosted zone of AWS's that the VPC is associated with.
        yield Need("route53:AssociateVPCWithHostedZone")


def _pass(role: str, service: str) -> Need:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    return Need("iam:PassRole", role, {"iam:passedtoservice": service})


def _iam(action: str, params: Mapping[str, Any], place: Place) -> Iterator[Need]:
    named = [(sort, str(params[member])) for member, sort in _IAM_NAMES if params.get(member)]
    about = place.arn(*named[0], str(params.get("Path") or "")) if named else str(params.get("PolicyArn") or "")
    keys = {"iam:policyarn": str(params["PolicyArn"])} if params.get("PolicyArn") and named else {}
    if params.get("PermissionsBoundary"):
        keys["iam:permissionsboundary"] = str(params["PermissionsBoundary"])
    own = f"iam:{action}"
    yield Need(own, about or ("*" if _knows_no_resource(own) else ""), keys)
    if params.get("Tags") and action in _TAGGING:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
        yield Need(f"iam:{_TAGGING[action]}", about)
    if action == "AddRoleToInstanceProfile":
        yield _pass(place.arn("role", str(params.get("RoleName") or "")), "ec2.amazonaws.com")


def _logs(action: str, params: Mapping[str, Any], place: Place) -> Iterator[Need]:
    if action == "CreateLogGroup" and params.get("tags"):
        # "you must have either": https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
        arn = f"arn:aws:logs:{place.region}:{place.account}:log-group:{params.get('logGroupName', '')}"
        yield Need("logs:TagResource", arn, instead="logs:TagLogGroup")


def _ssm(action: str, params: Mapping[str, Any], place: Place) -> Iterator[Need]:
    if action == "SendCommand":
        # The document and every node: https://docs.aws.amazon.com/systems-manager/latest/userguide/run-command-setting-up.html
        name = str(params.get("DocumentName") or "")
        owner = "" if name.startswith("AWS-") else place.account
        yield Need("ssm:SendCommand", name if name.startswith("arn:") else f"arn:aws:ssm:{place.region}:{owner}:document/{name}")
        for node in params.get("InstanceIds") or []:
            kind = "ec2" if str(node).startswith("i-") else "ssm"
            sort = "instance" if kind == "ec2" else "managed-instance"
            yield Need("ssm:SendCommand", f"arn:aws:{kind}:{place.region}:{place.account}:{sort}/{node}")
    elif action in ("GetParameter", "GetParameters"):
        for name in params.get("Names") or [params.get("Name") or ""]:
            yield Need(f"ssm:{action}", place.parameter(str(name)))


def _sts(action: str, params: Mapping[str, Any], place: Place) -> Iterator[Need]:
    if action == "AssumeRole":
        role = str(params.get("RoleArn") or "")
        yield Need("sts:AssumeRole", role)
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
        if params.get("Tags"):
            yield Need("sts:TagSession", role)
        if params.get("SourceIdentity"):
            yield Need("sts:SetSourceIdentity", role)
