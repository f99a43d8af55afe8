# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What network interfaces are attached to, for a while after its end too, and addresses that move between them."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import refused


@pytest.fixture
def detached(lab: Any) -> tuple[Any, str, str, str]:
    """(client, instance, interface, attachment): attached, and detached again."""
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    launch = {"ImageId": "ami-12345678", "InstanceType": "t3.micro", "SubnetId": subnet, "MinCount": 1, "MaxCount": 1}
    instance = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    eni = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    attachment = ec2.attach_network_interface(InstanceId=instance, NetworkInterfaceId=eni, DeviceIndex=1)["AttachmentId"]
    ec2.detach_network_interface(AttachmentId=attachment, Force=True)
    return ec2, instance, eni, attachment


def by(ec2: Any, name: str, value: str) -> list[dict[str, Any]]:
    return list(ec2.describe_network_interfaces(Filters=[{"Name": f"attachment.{name}", "Values": [value]}])["NetworkInterfaces"])


def test_an_ended_attachment_is_seen_detached(lab: Any, detached: tuple[Any, str, str, str]) -> None:
    ec2, instance, eni, attachment = detached
    for name, value in (("attachment-id", attachment), ("status", "detached")):
        shown = by(ec2, name, value)
        assert [(item["NetworkInterfaceId"], item["Status"]) for item in shown] == [(eni, "available")]
        assert {key: shown[0]["Attachment"][key] for key in ("AttachmentId", "InstanceId", "Status")} == {
            "AttachmentId": attachment,
            "InstanceId": instance,
            "Status": "detached",
        }
    lab.control.advance(61)
    assert not by(ec2, "attachment-id", attachment)


def test_nobody_else_sees_it(detached: tuple[Any, str, str, str]) -> None:
    ec2, instance, eni, attachment = detached
    assert [item["NetworkInterfaceId"] for item in by(ec2, "instance-id", instance)] != [eni]
    assert "Attachment" not in ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    assert len(ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["NetworkInterfaces"]) == 1
    with refused("InvalidAttachmentID.NotFound"):
        ec2.detach_network_interface(AttachmentId=attachment)


def test_an_interface_that_is_attached_anew_shows_that(detached: tuple[Any, str, str, str]) -> None:
    ec2, instance, eni, attachment = detached
    again = ec2.attach_network_interface(InstanceId=instance, NetworkInterfaceId=eni, DeviceIndex=1)["AttachmentId"]
    assert [item["Attachment"]["Status"] for item in by(ec2, "attachment-id", again)] == ["attached"]
    assert not by(ec2, "attachment-id", attachment)


def test_an_address_is_released_in_its_own_border_group(lab: Any) -> None:
    ec2 = lab.client("ec2")
    made = ec2.allocate_address(Domain="vpc")
    with refused("InvalidAddress.NotFound"):
        ec2.release_address(AllocationId=made["AllocationId"], NetworkBorderGroup="us-east-1-bos-1")
    ec2.release_address(AllocationId=made["AllocationId"], NetworkBorderGroup=made["NetworkBorderGroup"])
    assert not ec2.describe_addresses()["Addresses"]


def test_an_address_moves_only_when_that_is_allowed(lab: Any) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    enis = [ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"] for _turn in range(2)]
    first, second = (eni["NetworkInterfaceId"] for eni in enis)

    def addresses(eni: str) -> list[str]:
        shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
        return [item["PrivateIpAddress"] for item in shown["PrivateIpAddresses"] if not item["Primary"]]

    ec2.assign_private_ip_addresses(NetworkInterfaceId=first, PrivateIpAddresses=["10.0.1.99"])
    with refused("InvalidParameterValue", "[10.0.1.99] assigned, but move is not allowed."):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=second, PrivateIpAddresses=["10.0.1.99"])
    assert (addresses(first), addresses(second)) == (["10.0.1.99"], [])
    ec2.assign_private_ip_addresses(NetworkInterfaceId=second, PrivateIpAddresses=["10.0.1.99"], AllowReassignment=True)
    assert (addresses(first), addresses(second)) == ([], ["10.0.1.99"])
    with refused("InvalidParameterValue", "cannot be moved"):
        primary = [enis[0]["PrivateIpAddress"]]
        ec2.assign_private_ip_addresses(NetworkInterfaceId=second, PrivateIpAddresses=primary, AllowReassignment=True)
