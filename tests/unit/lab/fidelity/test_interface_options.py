# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Idle timeouts of tracked connections, and prefixes of interfaces."""

from __future__ import annotations

from typing import Any

from .vpc_helpers import make_vpc, refused


def test_timeouts_are_kept(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet, client = vpc.subnet("10.0.1.0/24"), vpc.client
    made = client.create_network_interface(SubnetId=subnet, ConnectionTrackingSpecification={"TcpEstablishedTimeout": 600})
    key = made["NetworkInterface"]["NetworkInterfaceId"]

    def shown() -> Any:
        return client.describe_network_interfaces(NetworkInterfaceIds=[key])["NetworkInterfaces"][0].get("ConnectionTrackingConfiguration")

    assert shown() == {"TcpEstablishedTimeout": 600}
    client.modify_network_interface_attribute(NetworkInterfaceId=key, ConnectionTrackingSpecification={"UdpTimeout": 45})
    assert shown() == {"TcpEstablishedTimeout": 600, "UdpTimeout": 45}
    for odd in ({"TcpEstablishedTimeout": 59}, {"UdpStreamTimeout": 181}, {"UdpTimeout": 61}):
        with refused("InvalidParameterValue"):
            client.modify_network_interface_attribute(NetworkInterfaceId=key, ConnectionTrackingSpecification=odd)
        with refused("InvalidParameterValue"):
            client.create_network_interface(SubnetId=subnet, ConnectionTrackingSpecification=odd)


def test_prefixes_are_blocks_of_their_own(lab: Any) -> None:
    vpc = make_vpc(lab)
    subnet, client = vpc.subnet("10.0.1.0/26"), vpc.client
    key, other = (client.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"] for _turn in range(2))
    assert client.assign_private_ip_addresses(NetworkInterfaceId=key, Ipv4PrefixCount=1)["AssignedIpv4Prefixes"] == [
        {"Ipv4Prefix": "10.0.1.32/28"}
    ]
    client.assign_private_ip_addresses(NetworkInterfaceId=key, Ipv4Prefixes=["10.0.1.16/28"])
    (shown,) = client.describe_network_interfaces(NetworkInterfaceIds=[key])["NetworkInterfaces"]
    assert [item["Ipv4Prefix"] for item in shown["Ipv4Prefixes"]] == ["10.0.1.32/28", "10.0.1.16/28"]
    with refused("InvalidIPAddress.InUse"):
        client.assign_private_ip_addresses(NetworkInterfaceId=other, Ipv4Prefixes=["10.0.1.16/28"])
    with refused("InsufficientCidrBlocks"):
        client.assign_private_ip_addresses(NetworkInterfaceId=other, Ipv4PrefixCount=1)
    with refused("InvalidIPAddress.InUse"):
        client.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.1.40")
    client.unassign_private_ip_addresses(NetworkInterfaceId=key, Ipv4Prefixes=["10.0.1.32/28"])
    client.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.1.40")
