# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ModifyVpcAttribute and ModifySubnetAttribute: one attribute a call, and DNS hostnames only where DNS resolution is on.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html ("You cannot modify the DNS resolution
and DNS hostnames attributes in the same request"; "You can only enable DNS hostnames if you've enabled DNS support") and
API_ModifySubnetAttribute.html ("You can only modify one attribute at a time").
"""

from __future__ import annotations

from ..calls import Call, Refusal, before
from .shapes import find_subnet, find_vpc, missing

_VPC = ("EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics")


def _one(given: list[str]) -> None:
    if not given:
        raise Refusal("MissingParameter", "The request must contain an attribute to modify.")
    if len(given) > 1:
        raise Refusal("InvalidParameterCombination", f"Fields for multiple attribute types specified: {', '.join(given)}")


@before("ec2", "ModifyVpcAttribute")
def vpc_attribute(call: Call) -> None:
    """One attribute of a VPC that exists."""
    if not call.params.get("VpcId"):
        raise missing("vpcId")
    vpc = find_vpc(call.backend(), str(call.params["VpcId"]))
    _one([name for name in _VPC if name in call.params])
    if (call.params.get("EnableDnsHostnames") or {}).get("Value") and not vpc.enable_dns_support:
        raise Refusal("InvalidParameterCombination", f"DNS hostnames cannot be enabled on {vpc.id} while its DNS support is disabled.")


@before("ec2", "ModifySubnetAttribute")
def subnet_attribute(call: Call) -> None:
    """One attribute of a subnet that exists."""
    if not call.params.get("SubnetId"):
        raise missing("subnetId")
    find_subnet(call.backend(), str(call.params["SubnetId"]))
    _one([name for name in call.params if name not in ("SubnetId", "DryRun")])
