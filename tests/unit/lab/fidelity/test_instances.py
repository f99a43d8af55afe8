# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances at the API's level: addresses, groups, options, life and death."""

from __future__ import annotations

from typing import Any

import pytest

from .test_addresses import free, gateway
from .vpc_helpers import Vpc, make_vpc, refused

AMI = "ami-0123456789abcdef0"


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def run(vpc: Vpc, count: int = 1, **more: Any) -> list[dict[str, Any]]:
    return list(
        vpc.client.run_instances(**{"ImageId": AMI, "InstanceType": "t3.micro", "MinCount": count, "MaxCount": count, **more})["Instances"]
    )


def one(vpc: Vpc, key: str) -> dict[str, Any]:
    return dict(vpc.client.describe_instances(InstanceIds=[key])["Reservations"][0]["Instances"][0])


def test_a_launch(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    group = vpc.client.create_security_group(GroupName="g", Description="g", VpcId=vpc.id)["GroupId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
    made = run(vpc, 3, SubnetId=subnet, SecurityGroupIds=[group], TagSpecifications=tags, MetadataOptions=options)
    assert [item["PrivateIpAddress"] for item in made] == ["10.0.1.4", "10.0.1.5", "10.0.1.6"]
    assert {item["State"]["Name"] for item in made} == {"pending"}
    found = one(vpc, made[0]["InstanceId"])
    assert (found["State"]["Name"], found["SubnetId"], found["VpcId"], found["Tags"]) == ("running", subnet, vpc.id, tags[0]["Tags"])
    assert found["SecurityGroups"] == [{"GroupId": group, "GroupName": "g"}] == found["NetworkInterfaces"][0]["Groups"]
    assert (found["MetadataOptions"]["HttpTokens"], found["MetadataOptions"]["HttpPutResponseHopLimit"]) == ("required", 2)
    assert (found["PrivateDnsName"], found["PublicDnsName"]) == ("ip-10-0-1-4.ec2.internal", "")
    assert found["NetworkInterfaces"][0]["Attachment"]["DeleteOnTermination"] is True
    assert free(vpc, subnet) == 248


def test_one_token_launches_once(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    ids = {run(vpc, SubnetId=subnet, ClientToken="again")[0]["InstanceId"] for _turn in range(2)}
    assert len(ids) == 1
    with refused("IdempotentParameterMismatch"):
        run(vpc, SubnetId=subnet, ClientToken="again", InstanceType="t3.large")


def test_what_aws_refuses(vpc: Vpc, lab: Any) -> None:
    subnet, small = vpc.subnet("10.0.1.0/24"), vpc.subnet("10.0.2.0/28")
    other = make_vpc(lab, "10.1.0.0/16")
    foreign = other.client.create_security_group(GroupName="g", Description="g", VpcId=other.id)["GroupId"]
    run(vpc, SubnetId=subnet, PrivateIpAddress="10.0.1.9")
    for more, code in (
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SubnetId": subnet, "SecurityGroupIds": [foreign]}, "InvalidParameter"),
        ({"SubnetId": subnet, "SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"SubnetId": subnet, "PrivateIpAddress": "10.0.1.9"}, "InvalidIPAddress.InUse"),
        ({"SubnetId": subnet, "PrivateIpAddress": "10.0.1.1"}, "InvalidParameterValue"),
        ({"SubnetId": subnet, "KeyName": "nobody"}, "InvalidKeyPair.NotFound"),
        ({"SubnetId": subnet, "ImageId": "nonsense"}, "InvalidAMIID.Malformed"),
        ({"SubnetId": small, "MinCount": 12, "MaxCount": 12}, "InsufficientFreeAddressesInSubnet"),
        ({}, "VPCIdNotSpecified"),
    ):
        with refused(code):
            run(vpc, **more)
    assert len(vpc.client.describe_network_interfaces()["NetworkInterfaces"]) == 1


def test_addresses_are_used_again_and_again(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.2.0/28")
    for _turn in range(4):
        made = run(vpc, 11, SubnetId=subnet)
        assert sorted(item["PrivateIpAddress"] for item in made) == sorted(f"10.0.2.{last}" for last in range(4, 15))
        vpc.client.terminate_instances(InstanceIds=[item["InstanceId"] for item in made])
    assert run(vpc, SubnetId=subnet, PrivateIpAddress="10.0.2.7")[0]["PrivateIpAddress"] == "10.0.2.7"


def test_public_addresses(vpc: Vpc) -> None:
    vpc.client.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": True})
    subnet = vpc.subnet("10.0.1.0/24")
    vpc.client.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    key = run(vpc, SubnetId=subnet)[0]["InstanceId"]
    found = one(vpc, key)
    address = found["PublicIpAddress"]
    assert address.startswith("198.18.")
    assert found["PublicDnsName"] == f"ec2-{address.replace('.', '-')}.compute-1.amazonaws.com"
    assert found["NetworkInterfaces"][0]["Association"]["IpOwnerId"] == "amazon"
    vpc.client.stop_instances(InstanceIds=[key])
    assert "PublicIpAddress" not in one(vpc, key)
    vpc.client.start_instances(InstanceIds=[key])
    assert one(vpc, key)["PublicIpAddress"] not in (address, None)
    gateway(vpc)
    allocation = vpc.client.allocate_address(Domain="vpc")
    vpc.client.associate_address(AllocationId=allocation["AllocationId"], InstanceId=key)
    assert one(vpc, key)["PublicIpAddress"] == allocation["PublicIp"]
    vpc.client.stop_instances(InstanceIds=[key])
    vpc.client.start_instances(InstanceIds=[key])
    assert one(vpc, key)["PublicIpAddress"] == allocation["PublicIp"]
    vpc.client.terminate_instances(InstanceIds=[key])
    assert "AssociationId" not in vpc.client.describe_addresses()["Addresses"][0]


def test_a_terminated_instance_lingers_for_an_hour(vpc: Vpc, lab: Any) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    key = run(vpc, SubnetId=subnet)[0]["InstanceId"]
    vpc.client.terminate_instances(InstanceIds=[key])
    found = one(vpc, key)
    assert (found["State"]["Name"], found["NetworkInterfaces"], found["SecurityGroups"]) == ("terminated", [], [])
    assert not {"SubnetId", "VpcId", "PrivateIpAddress"} & set(found)
    assert free(vpc, subnet) == 251
    with refused("IncorrectInstanceState"):
        vpc.client.start_instances(InstanceIds=[key])
    lab.lab.advance(3601)
    with refused("InvalidInstanceID.NotFound", key):
        one(vpc, key)
    assert vpc.client.describe_instances()["Reservations"] == []


def test_a_launch_on_an_interface_that_exists(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    eni = vpc.client.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.1.77")["NetworkInterface"]["NetworkInterfaceId"]
    key = run(vpc, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": eni}])[0]["InstanceId"]
    assert one(vpc, key)["PrivateIpAddress"] == "10.0.1.77"
    with refused("InvalidNetworkInterface.InUse"):
        run(vpc, NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": eni}])
    vpc.client.terminate_instances(InstanceIds=[key])
    (left,) = vpc.client.describe_network_interfaces()["NetworkInterfaces"]
    assert (left["NetworkInterfaceId"], left["Status"]) == (eni, "available")


def test_a_second_interface(vpc: Vpc) -> None:
    first, second = vpc.subnet("10.0.1.0/24", AvailabilityZone="us-east-1a"), vpc.subnet("10.0.2.0/24", AvailabilityZone="us-east-1a")
    key = run(vpc, NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": first}, {"DeviceIndex": 1, "SubnetId": second}])[0]["InstanceId"]
    assert [eni["PrivateIpAddress"] for eni in one(vpc, key)["NetworkInterfaces"]] == ["10.0.1.4", "10.0.2.4"]
    eni = vpc.client.create_network_interface(SubnetId=second)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("InvalidParameterValue", "device index '1'"):
        vpc.client.attach_network_interface(NetworkInterfaceId=eni, InstanceId=key, DeviceIndex=1)
    attachment = vpc.client.attach_network_interface(NetworkInterfaceId=eni, InstanceId=key, DeviceIndex=2)["AttachmentId"]
    assert len(one(vpc, key)["NetworkInterfaces"]) == 3
    vpc.client.detach_network_interface(AttachmentId=attachment)
    with refused("OperationNotPermitted"):
        vpc.client.detach_network_interface(AttachmentId=one(vpc, key)["NetworkInterfaces"][0]["Attachment"]["AttachmentId"])


def test_a_launch_template_says_where(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    group = vpc.client.create_security_group(GroupName="g", Description="g", VpcId=vpc.id)["GroupId"]
    data = {"ImageId": AMI, "InstanceType": "t3.micro", "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}]}
    vpc.client.create_launch_template(LaunchTemplateName="here", LaunchTemplateData=data)
    (made,) = vpc.client.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "here"})["Instances"]
    assert (made["PrivateIpAddress"], made["SecurityGroups"][0]["GroupId"], made["ImageId"]) == ("10.0.1.4", group, AMI)
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        vpc.client.run_instances(MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "nowhere"})


def test_groups_change(vpc: Vpc, lab: Any) -> None:
    groups = [vpc.client.create_security_group(GroupName=f"g{number}", Description="g", VpcId=vpc.id)["GroupId"] for number in range(2)]
    key = run(vpc, SubnetId=vpc.subnet("10.0.1.0/24"), SecurityGroupIds=groups[:1])[0]["InstanceId"]
    vpc.client.modify_instance_attribute(InstanceId=key, Groups=groups[1:])
    found = one(vpc, key)
    assert (
        [item["GroupId"] for item in found["SecurityGroups"]]
        == groups[1:]
        == [item["GroupId"] for item in found["NetworkInterfaces"][0]["Groups"]]
    )
    vpc.client.delete_security_group(GroupId=groups[0])
    other = make_vpc(lab, "10.1.0.0/16")
    foreign = other.client.create_security_group(GroupName="g", Description="g", VpcId=other.id)["GroupId"]
    with refused("InvalidParameter"):
        vpc.client.modify_instance_attribute(InstanceId=key, Groups=[foreign])


def test_filters_and_paging(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    ids = [item["InstanceId"] for item in run(vpc, 7, SubnetId=subnet)]
    vpc.client.stop_instances(InstanceIds=ids[:1])
    pages = vpc.client.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    found = [[item["InstanceId"] for reservation in page["Reservations"] for item in reservation["Instances"]] for page in pages]
    assert [len(page) for page in found] == [5, 2] and [item for page in found for item in page] == ids
    for name, value, count in (
        ("instance-state-name", "stopped", 1),
        ("private-ip-address", "10.0.1.6", 1),
        ("network-interface.subnet-id", subnet, 7),
        ("vpc-id", vpc.id, 7),
        ("image-id", "ami-0*", 7),
    ):
        answer = vpc.client.describe_instances(Filters=[{"Name": name, "Values": [value]}])["Reservations"]
        assert sum(len(reservation["Instances"]) for reservation in answer) == count
    with refused("InvalidInstanceID.NotFound"):
        vpc.client.describe_instances(InstanceIds=["i-0123456789abcdef0"])
    with refused("InvalidInstanceID.Malformed"):
        vpc.client.describe_instances(InstanceIds=["nonsense"])
