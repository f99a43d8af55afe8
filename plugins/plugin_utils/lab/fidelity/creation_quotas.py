# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas on how many VPCs, subnets, tables and gateways there may be (those of peerings, routes and CIDR blocks are beside their calls).

Source: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html; codes from
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
"""

from __future__ import annotations

from ..calls import Call, Refusal, before
from .emulated import subnets_of, tables_of


def _check(call: Call, quota: str, count: int, code: str, noun: str) -> None:
    limit = call.lab.quotas[quota]
    if count >= limit:
        raise Refusal(code, f"The maximum number of {noun} has been reached: {limit}.")


@before("ec2", "CreateVpc")
def vpcs(call: Call) -> None:
    """VPCs per Region."""
    _check(call, "vpcs", len(call.backend().vpcs), "VpcLimitExceeded", "VPCs")


@before("ec2", "CreateSubnet")
def subnets(call: Call) -> None:
    """Subnets per VPC."""
    vpc = str(call.params.get("VpcId"))
    _check(call, "subnets_per_vpc", len(subnets_of(call.backend(), vpc)), "SubnetLimitExceeded", f"subnets of {vpc}")


@before("ec2", "CreateRouteTable")
def route_tables(call: Call) -> None:
    """Route tables per VPC, the main one included."""
    vpc = str(call.params.get("VpcId"))
    _check(call, "route_tables_per_vpc", len(tables_of(call.backend(), vpc)), "RouteTableLimitExceeded", f"route tables of {vpc}")


@before("ec2", "CreateInternetGateway")
def internet_gateways(call: Call) -> None:
    """Internet gateways per Region."""
    _check(call, "internet_gateways", len(call.backend().internet_gateways), "InternetGatewayLimitExceeded", "internet gateways")


@before("ec2", "CreateEgressOnlyInternetGateway")
def egress_only_gateways(call: Call) -> None:
    """Egress-only internet gateways per Region."""
    count = len(call.backend().egress_only_internet_gateways)
    _check(call, "egress_only_internet_gateways", count, "InternetGatewayLimitExceeded", "egress-only internet gateways")
