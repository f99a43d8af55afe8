# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that AWS has and the emulator has not: answered as an account that has none of the thing, or refused in plain words.

What is refused is refused as a check, so that a dry run is refused too.
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, Refusal, before, instead


def _refuse_ids(call: Call, member: str, code: str, noun: str) -> None:
    ids = call.params.get(member) or []
    if ids:
        raise Refusal(code, f"The {noun} '{ids[0]}' does not exist")


def _lacking(call: Call, what: str) -> Refusal:
    return Refusal("UnsupportedOperation", f"{call.action}: the embedded lab {what}.")


@instead("ec2", "DescribeInstanceConnectEndpoints")
def instance_connect_endpoints(call: Call) -> dict[str, Any]:
    """The lab has none."""
    _refuse_ids(call, "InstanceConnectEndpointIds", "InvalidInstanceConnectEndpointId.NotFound", "InstanceConnectEndpoint ID")
    return {"InstanceConnectEndpoints": []}


@before("ec2", "CreateInstanceConnectEndpoint", "DeleteInstanceConnectEndpoint", "ModifyInstanceConnectEndpoint")
def no_instance_connect(call: Call) -> None:
    """The lab makes none."""
    raise _lacking(call, "has no Instance Connect Endpoints; use Session Manager or a bastion")


@instead("ec2", "DescribeVpcBlockPublicAccessOptions")
def block_public_access(call: Call) -> dict[str, Any]:
    """Off, as in an account that never turned it on.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-basics.html
    """
    return {
        "VpcBlockPublicAccessOptions": {
            "AwsAccountId": call.account,
            "AwsRegion": call.region,
            "State": "default-state",
            "InternetGatewayBlockMode": "off",
            "ManagedBy": "account",
            "ExclusionsAllowed": "allowed",
        }
    }


@instead("ec2", "DescribeVpcBlockPublicAccessExclusions")
def exclusions(call: Call) -> dict[str, Any]:
    """There are none."""
    _refuse_ids(call, "ExclusionIds", "InvalidVpcBlockPublicAccessExclusionId.NotFound", "exclusion ID")
    return {"VpcBlockPublicAccessExclusions": []}


@instead("ec2", "DescribeVpcEncryptionControls")
def encryption_controls(call: Call) -> dict[str, Any]:
    """There are none: VPCs have them only once somebody turns them on.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-encryption-controls.html
    """
    _refuse_ids(call, "VpcEncryptionControlIds", "InvalidVpcEncryptionControlId.NotFound", "VPC Encryption Control ID")
    return {"VpcEncryptionControls": []}


@instead("ec2", "DescribeSecurityGroupVpcAssociations")
def group_associations(call: Call) -> dict[str, Any]:
    """Groups of the lab stay in the VPC in which they were made."""
    return {"SecurityGroupVpcAssociations": []}


@before("ec2", "CreateVpcEncryptionControl", "ModifyVpcEncryptionControl", "DeleteVpcEncryptionControl")
def no_encryption_controls(call: Call) -> None:
    """The lab does not encrypt: it would have to show in its packets what is dropped."""
    raise _lacking(call, "does not have VPC encryption controls")


@before(
    "ec2",
    "ModifyVpcBlockPublicAccessOptions",
    "CreateVpcBlockPublicAccessExclusion",
    "ModifyVpcBlockPublicAccessExclusion",
    "DeleteVpcBlockPublicAccessExclusion",
)
def no_block_public_access(call: Call) -> None:
    """The lab does not block: it would have to show it in its packets."""
    raise _lacking(call, "does not have VPC Block Public Access")


@before(
    "ec2",
    "CreateNetworkInsightsPath",
    "DeleteNetworkInsightsPath",
    "DescribeNetworkInsightsPaths",
    "StartNetworkInsightsAnalysis",
    "DeleteNetworkInsightsAnalysis",
    "DescribeNetworkInsightsAnalyses",
)
def no_reachability_analyzer(call: Call) -> None:
    """AWS's analysis is AWS's; the collection has its own."""
    raise _lacking(call, "does not have Reachability Analyzer; use cloudnet.vpc.reachability")


@before("ec2", "AssociateSecurityGroupVpc", "DisassociateSecurityGroupVpc")
def no_group_associations(call: Call) -> None:
    """Groups of the lab stay in the VPC in which they were made."""
    raise _lacking(call, "does not associate security groups with further VPCs")
