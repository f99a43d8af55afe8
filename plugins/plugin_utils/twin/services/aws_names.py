# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names of ``amazonaws.com`` are AWS services' public ones.

Source: https://docs.aws.amazon.com/general/latest/gr/rande.html (Regional, global and dual-stack endpoints).
"""

from __future__ import annotations

import re

from ....module_utils._model.grammar import REGION
from ....module_utils._model.network import Network

_REGIONAL = re.compile(rf"(?P<hosts>[a-z0-9.-]+)\.(?P<region>{REGION.pattern})\.(?P<domain>amazonaws\.com|api\.aws)")
_GLOBAL = re.compile(r"(?P<service>[a-z0-9-]+)\.amazonaws\.com")
_GLOBALS = frozenset({"iam", "sts", "route53", "cloudfront", "organizations", "s3", "ec2", "support", "waf", "globalaccelerator"})
_BELOW = ("s3", "execute-api", "dkr.ecr", "d.codeartifact")
"""Services whose users have hosts of their own below the name: a bucket, an API, a registry. They share the service's address."""

_NAMES = (
    "access-analyzer account acm acm-pca api.ecr api.sagemaker apigateway application-autoscaling apprunner appsync athena autoscaling "
    "backup batch bedrock bedrock-runtime cassandra cloudcontrolapi cloudformation cloudtrail codeartifact codebuild codecommit "
    "codedeploy codepipeline cognito-idp config d.codeartifact data.iot datasync dkr.ecr dms ds dynamodb ebs ec2 ec2messages ecs ecs-a "
    "ecs-t eks eks-auth elasticache elasticbeanstalk elasticfilesystem elasticloadbalancing elasticmapreduce email email-smtp events "
    "execute-api firehose fis fsx git-codecommit glue guardduty imagebuilder inspector2 kinesis kms lakeformation lambda license-manager "
    "logs macie2 monitoring network-firewall organizations pricing rds rds-data redshift redshift-data rekognition resource-groups "
    "route53resolver runtime.sagemaker s3 s3-control secretsmanager securityhub servicecatalog servicediscovery servicequotas "
    "sns sqs ssm ssm-contacts ssm-incidents ssmmessages states storagegateway sts support swf synthetics tagging textract transcribe "
    "transfer translate vpc-lattice workspaces xray "
)
_SERVICES = frozenset(_NAMES.split())


def service_host(name: str, network: Network) -> str:
    """The service's own name, ``s3.us-east-1.amazonaws.com`` for a bucket's too, or an empty string for what is no service.

    Services that an endpoint of the network names count beside the usual ones. ``name`` is in lower case.
    """
    if match := _REGIONAL.fullmatch(name):
        hosts, region, domain = match["hosts"].removesuffix(".dualstack"), match["region"], match["domain"]
        for service in _BELOW:
            if hosts == service or hosts.endswith(f".{service}"):
                hosts = service
        if hosts not in _SERVICES:
            named = f"com.amazonaws.{region}.{'.'.join(reversed(hosts.split('.')))}"
            if not any(item.service == named for item in network.endpoints.values()):
                return ""
        return f"{hosts}.{region}.{domain}"
    if match := _GLOBAL.fullmatch(name):
        return name if match["service"] in _GLOBALS else ""
    if name.endswith(".s3.amazonaws.com"):
        return "s3.amazonaws.com"
    return ""
