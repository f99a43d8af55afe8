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


def test_every_attribute_of_a_subnet_is_kept(lab: Any) -> None:
    vpc = make_vpc(lab, AmazonProvidedIpv6CidrBlock=True)
    six = vpc.client.describe_vpcs(VpcIds=[vpc.id])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("/56", "/64")
    subnet = vpc.subnet("10.0.1.0/24", Ipv6CidrBlock=six)
    on = {"Value": True}
    for attribute in (
        {"PrivateDnsHostnameTypeOnLaunch": "resource-name"}, {"EnableResourceNameDnsARecordOnLaunch": on},
        {"EnableResourceNameDnsAAAARecordOnLaunch": on}, {"EnableDns64": on}, {"AssignIpv6AddressOnCreation": on},
        {"MapPublicIpOnLaunch": on}, {"EnableLniAtDeviceIndex": 1},
    ):  # fmt: skip
        vpc.client.modify_subnet_attribute(SubnetId=subnet, **attribute)
    (shown,) = vpc.client.describe_subnets(Filters=[{"Name": "enable-dns64", "Values": ["true"]}])["Subnets"]
    assert shown["PrivateDnsNameOptionsOnLaunch"] == {
        "HostnameType": "resource-name", "EnableResourceNameDnsARecord": True, "EnableResourceNameDnsAAAARecord": True
    }  # fmt: skip
    flags = ("EnableDns64", "AssignIpv6AddressOnCreation", "MapPublicIpOnLaunch", "EnableLniAtDeviceIndex")
    assert [shown[name] for name in flags] == [True, True, True, 1]
    vpc.client.modify_subnet_attribute(SubnetId=subnet, DisableLniAtDeviceIndex=on)
    assert "EnableLniAtDeviceIndex" not in vpc.client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]


def test_attributes_that_a_subnet_cannot_have(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet = vpc.subnet("10.0.1.0/24")
    with refused("InvalidParameterValue"):
        vpc.client.modify_subnet_attribute(SubnetId=subnet, AssignIpv6AddressOnCreation={"Value": True})
    with refused("UnsupportedOperation", "MapCustomerOwnedIpOnLaunch"):
        vpc.client.modify_subnet_attribute(SubnetId=subnet, MapCustomerOwnedIpOnLaunch={"Value": True})
    with refused("InvalidParameterValue"):
        vpc.client.modify_subnet_attribute(SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="host")
