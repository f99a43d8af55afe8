# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS services that VPC endpoints reach, their DNS names, and DescribeVpcEndpointServices.

Sources: https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html (service names),
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html (S3 and DynamoDB only).
"""

from __future__ import annotations

import hashlib
from typing import Any

from ..calls import Call, Refusal, instead
from .shapes import clean, keep, page

_INTERFACE = [
    "access-analyzer",
    "account",
    "acm-pca",
    "application-autoscaling",
    "appmesh",
    "appmesh-envoy-management",
    "apprunner",
    "appsync-api",
    "athena",
    "autoscaling",
    "autoscaling-plans",
    "backup",
    "batch",
    "bedrock",
    "bedrock-runtime",
    "cassandra",
    "cloudcontrolapi",
    "cloudformation",
    "cloudhsmv2",
    "cloudtrail",
    "codeartifact.api",
    "codeartifact.repositories",
    "codebuild",
    "codecommit",
    "codedeploy",
    "codepipeline",
    "config",
    "databrew",
    "datasync",
    "dms",
    "ds",
    "dynamodb",
    "ebs",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "eks",
    "eks-auth",
    "elasticache",
    "elasticbeanstalk",
    "elasticfilesystem",
    "elasticloadbalancing",
    "elasticmapreduce",
    "email-smtp",
    "emr-containers",
    "events",
    "evidently",
    "execute-api",
    "fis",
    "fsx",
    "git-codecommit",
    "glue",
    "guardduty-data",
    "imagebuilder",
    "inspector2",
    "iot.data",
    "kendra",
    "kinesis-firehose",
    "kinesis-streams",
    "kms",
    "lakeformation",
    "lambda",
    "license-manager",
    "logs",
    "macie2",
    "mgn",
    "monitoring",
    "networkmonitor",
    "organizations",
    "proton",
    "rds",
    "rds-data",
    "redshift",
    "redshift-data",
    "rekognition",
    "resource-groups",
    "rolesanywhere",
    "route53resolver",
    "s3",
    "sagemaker.api",
    "sagemaker.runtime",
    "secretsmanager",
    "securityhub",
    "servicecatalog",
    "servicediscovery",
    "sns",
    "sqs",
    "ssm",
    "ssm-contacts",
    "ssm-incidents",
    "ssmmessages",
    "states",
    "storagegateway",
    "sts",
    "swf",
    "synthetics",
    "tagging",
    "textract",
    "transcribe",
    "transfer",
    "transfer.server",
    "translate",
    "verifiedpermissions",
    "vpc-lattice",
    "workspaces",
    "xray",
]
GATEWAY = ("s3", "dynamodb")
# Where the private name is not the service's own; ``*`` stands for any host below it.
_NAMES = {
    "acm-pca": ["acm-pca"],
    "appsync-api": ["appsync"],
    "codeartifact.api": ["codeartifact"],
    "codeartifact.repositories": ["*.d.codeartifact"],
    "ecr.api": ["api.ecr"],
    "ecr.dkr": ["dkr.ecr", "*.dkr.ecr"],
    "ecs-agent": ["ecs-a"],
    "ecs-telemetry": ["ecs-t"],
    "email-smtp": ["email-smtp"],
    "execute-api": ["execute-api", "*.execute-api"],
    "iot.data": ["data.iot"],
    "kinesis-firehose": ["firehose"],
    "kinesis-streams": ["kinesis"],
    "s3": ["s3", "*.s3"],
    "sagemaker.api": ["api.sagemaker"],
    "sagemaker.runtime": ["runtime.sagemaker"],
}


def names() -> list[tuple[str, str]]:
    """Every (service, endpoint type), sorted."""
    return sorted([*((name, "Interface") for name in _INTERFACE), *((name, "Gateway") for name in GATEWAY)])


def private_names(service: str, region: str) -> list[str]:
    """The names that private DNS makes resolve to the endpoint; none for DynamoDB's interface endpoint."""
    if service == "dynamodb":
        return []
    return [f"{name}.{region}.amazonaws.com" for name in _NAMES.get(service, [service])]


def known(service_name: str, region: str) -> str | None:
    """The short name of a service's full name in a Region, or ``None`` for one that AWS does not offer."""
    short = service_name.removeprefix(f"com.amazonaws.{region}.")
    return short if short != service_name and short in _INTERFACE else None


def zone_id(text: str) -> str:
    """A hosted zone's id, the same each time for the same text."""
    return "Z" + hashlib.sha256(text.encode()).hexdigest()[:20].upper()


def _detail(call: Call, short: str, kind: str, zones: list[str]) -> dict[str, Any]:
    name = f"com.amazonaws.{call.region}.{short}"
    private = private_names(short, call.region) if kind == "Interface" else []
    base = f"{short}.{call.region}.vpce.amazonaws.com" if kind == "Interface" else f"{short}.{call.region}.amazonaws.com"
    return clean(
        {
            "ServiceName": name,
            "ServiceId": "vpce-svc-" + hashlib.sha256(f"{name}/{kind}".encode()).hexdigest()[:17],
            "ServiceType": [{"ServiceType": kind}],
            "ServiceRegion": call.region,
            "AvailabilityZones": zones,
            "Owner": "amazon",
            "BaseEndpointDnsNames": [base],
            "PrivateDnsName": private[0] if private else None,
            "PrivateDnsNames": [{"PrivateDnsName": item} for item in private] or None,
            "PrivateDnsNameVerificationState": "verified" if private else None,
            "VpcEndpointPolicySupported": True,
            "AcceptanceRequired": False,
            "ManagesVpcEndpoints": False,
            "Tags": [],
            "SupportedIpAddressTypes": ["ipv4"],
        }
    )


@instead("ec2", "DescribeVpcEndpointServices")
def describe(call: Call) -> dict[str, Any]:
    """AWS's services of the Region, and the endpoint services that the account made."""
    backend = call.backend()
    zones = sorted(zone.name for zone in backend.describe_availability_zones())
    items = [_detail(call, short, kind, zones) for short, kind in names()]
    items += [item.to_dict() for item in backend.configurations.values()]
    wanted = call.params.get("ServiceNames") or []
    have = {item["ServiceName"] for item in items}
    for name in wanted:
        if name not in have:
            raise Refusal("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    if wanted:
        items = [item for item in items if item["ServiceName"] in wanted]
    fields: dict[str, Any] = {
        "owner": lambda item: item.get("Owner"),
        "service-name": lambda item: item["ServiceName"],
        "service-type": lambda item: [kind["ServiceType"] for kind in item["ServiceType"]],
        "service-region": lambda item: item.get("ServiceRegion"),
        "supported-ip-address-types": lambda item: item.get("SupportedIpAddressTypes", []),
    }
    items = keep(call, items, fields, lambda item: {tag["Key"]: tag["Value"] for tag in item.get("Tags") or []})
    shown, following = page(call, items, 1, 1000, 1000)
    return clean({"ServiceNames": sorted({item["ServiceName"] for item in shown}), "ServiceDetails": shown, "NextToken": following})
