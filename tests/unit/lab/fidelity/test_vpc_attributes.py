# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes go one at a time."""

from __future__ import annotations

from typing import Any

from .vpc_helpers import make_vpc, refused

ON, OFF = {"Value": True}, {"Value": False}


def test_vpc_attributes(lab: Any) -> None:
    vpc = make_vpc(lab)
    modify = vpc.client.modify_vpc_attribute
    with refused("InvalidParameterCombination", "EnableDnsSupport", "EnableDnsHostnames"):
        modify(VpcId=vpc.id, EnableDnsSupport=ON, EnableDnsHostnames=ON)
    with refused("MissingParameter"):
        modify(VpcId=vpc.id)
    with refused("InvalidVpcID.NotFound"):
        modify(VpcId="vpc-0123456789abcdef0", EnableDnsSupport=ON)
    modify(VpcId=vpc.id, EnableDnsSupport=OFF)
    with refused("InvalidParameterCombination", vpc.id):
        modify(VpcId=vpc.id, EnableDnsHostnames=ON)
    modify(VpcId=vpc.id, EnableDnsSupport=ON)
    modify(VpcId=vpc.id, EnableDnsHostnames=ON)
    assert vpc.client.describe_vpc_attribute(VpcId=vpc.id, Attribute="enableDnsHostnames")["EnableDnsHostnames"] == ON


def test_subnet_attributes(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet = vpc.subnet("10.0.1.0/24")
    modify = vpc.client.modify_subnet_attribute
    with refused("InvalidParameterCombination"):
        modify(SubnetId=subnet, MapPublicIpOnLaunch=ON, AssignIpv6AddressOnCreation=ON)
    with refused("InvalidSubnetID.NotFound"):
        modify(SubnetId="subnet-0123456789abcdef0", MapPublicIpOnLaunch=ON)
    modify(SubnetId=subnet, MapPublicIpOnLaunch=ON)
    assert vpc.client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"] is True
