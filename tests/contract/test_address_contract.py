# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces and their addresses, as AWS documents them."""

from __future__ import annotations

from typing import Any

from .vpc_contract import network, refused


def test_addresses_are_of_the_subnet_and_not_the_reserved_ones(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    with network(endpoint) as net:
        subnet = net.subnet("10.123.1.0/28")
        before = net.client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"]
        assert before == 11
        made = [net.client.create_network_interface(SubnetId=subnet)["NetworkInterface"] for _turn in range(3)]
        for eni in made:
            net.later("delete_network_interface", NetworkInterfaceId=eni["NetworkInterfaceId"])
        found = {eni["PrivateIpAddress"] for eni in made}
        assert len(found) == 3
        assert found <= {f"10.123.1.{last}" for last in range(4, 15)}
        assert net.client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["AvailableIpAddressCount"] == 8
        for address, code in (
            ("10.123.1.1", "InvalidParameterValue"),
            ("10.9.9.9", "InvalidParameterValue"),
            (min(found), "InvalidIPAddress.InUse"),
        ):
            with refused(code):
                net.client.create_network_interface(SubnetId=subnet, PrivateIpAddress=address)


def test_elastic_addresses(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html
    client = endpoint.client("ec2")
    allocation = client.allocate_address(Domain="vpc")["AllocationId"]
    client.create_tags(Resources=[allocation], Tags=[{"Key": "Name", "Value": "contract"}])
    found = client.describe_tags(Filters=[{"Name": "resource-id", "Values": [allocation]}])["Tags"]
    client.release_address(AllocationId=allocation)
    assert [tag["ResourceType"] for tag in found] == ["elastic-ip"]
    with refused("InvalidAllocationID.NotFound"):
        client.release_address(AllocationId=allocation)
