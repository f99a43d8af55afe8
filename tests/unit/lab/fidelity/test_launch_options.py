# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What RunInstances and Modify*Attribute are told is kept and shown, or refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from .vpc_helpers import Vpc, make_vpc, refused

AMI = "ami-0123456789abcdef0"


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def _launch(vpc: Vpc, **options: Any) -> str:
    subnets = vpc.client.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])["Subnets"]
    subnet = subnets[0]["SubnetId"] if subnets else vpc.subnet("10.0.1.0/24", AvailabilityZone="us-east-1a")
    options = {"InstanceType": "t3.micro", "ImageId": AMI, "SubnetId": subnet, **options}
    made = vpc.client.run_instances(MinCount=1, MaxCount=1, **options)["Instances"][0]
    return str(made["InstanceId"])


def _shown(vpc: Vpc, key: str) -> Any:
    return vpc.client.describe_instances(InstanceIds=[key])["Reservations"][0]["Instances"][0]


def _attribute(vpc: Vpc, key: str, name: str) -> Any:
    answer = vpc.client.describe_instance_attribute(InstanceId=key, Attribute=name)
    return answer[name[0].upper() + name[1:]]


@pytest.mark.parametrize(
    ("option", "given", "shown", "kind"),
    [
        ("MaintenanceOptions", {"AutoRecovery": "disabled"}, {"AutoRecovery": "disabled", "RebootMigration": "default"}, "t3.micro"),
        ("CpuOptions", {"CoreCount": 1, "ThreadsPerCore": 1}, {"CoreCount": 1, "ThreadsPerCore": 1}, "m5.xlarge"),
        ("CpuOptions", {}, {"CoreCount": 2, "ThreadsPerCore": 2}, "m5.xlarge"),
        ("EnclaveOptions", {"Enabled": True}, {"Enabled": True}, "m5.xlarge"),
        ("HibernationOptions", {"Configured": True}, {"Configured": True}, "t3.micro"),
        ("HibernationOptions", {}, {"Configured": False}, "t3.micro"),
        ("NetworkPerformanceOptions", {"BandwidthWeighting": "default"}, {"BandwidthWeighting": "default"}, "t3.micro"),
    ],
)  # fmt: skip
def test_options_are_kept(vpc: Vpc, option: str, given: Any, shown: Any, kind: str) -> None:
    assert _shown(vpc, _launch(vpc, InstanceType=kind, **{option: given}))[option] == shown


def test_placement_and_monitoring(vpc: Vpc) -> None:
    key = _launch(
        vpc, InstanceType="m5.large", Placement={"Tenancy": "dedicated", "AvailabilityZone": "us-east-1a"}, Monitoring={"Enabled": True}
    )
    shown = _shown(vpc, key)
    assert (shown["Placement"]["Tenancy"], shown["Monitoring"]["State"]) == ("dedicated", "enabled")
    found = vpc.client.describe_instances(Filters=[{"Name": "tenancy", "Values": ["dedicated"]}])["Reservations"]
    assert [item["Instances"][0]["InstanceId"] for item in found] == [key]


def test_a_dedicated_vpc_makes_dedicated_instances(lab: Any) -> None:
    vpc = make_vpc(lab, InstanceTenancy="dedicated")
    assert _shown(vpc, _launch(vpc))["Placement"]["Tenancy"] == "dedicated"


def test_termination_and_stop_protection(vpc: Vpc) -> None:
    client, key = vpc.client, _launch(vpc, DisableApiTermination=True, DisableApiStop=True)
    assert _attribute(vpc, key, "disableApiTermination") == {"Value": True}
    with refused("OperationNotPermitted", "disableApiTermination"):
        client.terminate_instances(InstanceIds=[key])
    with refused("OperationNotPermitted", "disableApiStop"):
        client.stop_instances(InstanceIds=[key])
    assert _shown(vpc, key)["State"]["Name"] == "running"
    client.modify_instance_attribute(InstanceId=key, DisableApiStop={"Value": False})
    client.modify_instance_attribute(InstanceId=key, DisableApiTermination={"Value": False})
    client.stop_instances(InstanceIds=[key])
    client.terminate_instances(InstanceIds=[key])
    assert _shown(vpc, key)["State"]["Name"] == "terminated"


def test_credits(vpc: Vpc) -> None:
    def credits(key: str) -> list[str]:
        found = vpc.client.describe_instance_credit_specifications(InstanceIds=[key])["InstanceCreditSpecifications"]
        return [item["CpuCredits"] for item in found]

    burst, plain, old = _launch(vpc), _launch(vpc, InstanceType="m5.large"), _launch(vpc, InstanceType="t2.micro")
    assert (credits(burst), credits(plain), credits(old)) == (["unlimited"], [], ["standard"])
    assert credits(_launch(vpc, CreditSpecification={"CpuCredits": "standard"})) == ["standard"]
    with refused("InstanceCreditSpecification.NotSupported"):
        _launch(vpc, InstanceType="m5.large", CreditSpecification={"CpuCredits": "standard"})
    answer = vpc.client.modify_instance_credit_specification(
        InstanceCreditSpecifications=[{"InstanceId": item, "CpuCredits": "standard"} for item in (burst, plain, "i-0123456789abcdef0")]
    )
    assert [item["InstanceId"] for item in answer["SuccessfulInstanceCreditSpecifications"]] == [burst]
    errors = {item["InstanceId"]: item["Error"]["Code"] for item in answer["UnsuccessfulInstanceCreditSpecifications"]}
    assert errors == {plain: "InstanceCreditSpecification.NotSupported", "i-0123456789abcdef0": "InvalidInstanceID.NotFound"}
    assert credits(burst) == ["standard"]


def test_private_names(vpc: Vpc) -> None:
    key = _launch(vpc, PrivateDnsNameOptions={"HostnameType": "resource-name", "EnableResourceNameDnsARecord": True})
    shown = _shown(vpc, key)
    assert shown["PrivateDnsName"] == f"{key}.ec2.internal"
    assert shown["PrivateDnsNameOptions"] == {
        "HostnameType": "resource-name", "EnableResourceNameDnsARecord": True, "EnableResourceNameDnsAAAARecord": False
    }  # fmt: skip
    with refused("IncorrectInstanceState"):
        vpc.client.modify_private_dns_name_options(InstanceId=key, PrivateDnsHostnameType="ip-name")
    vpc.client.stop_instances(InstanceIds=[key])
    vpc.client.modify_private_dns_name_options(InstanceId=key, PrivateDnsHostnameType="ip-name", EnableResourceNameDnsARecord=False)
    shown = _shown(vpc, key)
    assert shown["PrivateDnsName"].startswith("ip-10-0-1-")
    assert shown["PrivateDnsNameOptions"]["EnableResourceNameDnsARecord"] is False


def test_names_of_a_subnet_are_those_of_its_instances(vpc: Vpc) -> None:
    subnet = vpc.subnet("10.0.1.0/24")
    vpc.client.modify_subnet_attribute(SubnetId=subnet, PrivateDnsHostnameTypeOnLaunch="resource-name")
    key = _launch(vpc)
    assert _shown(vpc, key)["PrivateDnsName"] == f"{key}.ec2.internal"


def test_volumes_have_their_figures(vpc: Vpc) -> None:
    mappings = [
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 4000, "Throughput": 250}},
        {"DeviceName": "/dev/sdc", "Ebs": {"VolumeSize": 30, "VolumeType": "io2", "Iops": 900}},
        {"DeviceName": "/dev/sdd", "VirtualName": "ephemeral0"},
    ]
    devices = {item["DeviceName"]: item["Ebs"] for item in _shown(vpc, _launch(vpc, BlockDeviceMappings=mappings))["BlockDeviceMappings"]}
    assert set(devices) == {"/dev/sda1", "/dev/sdb", "/dev/sdc"}
    assert devices["/dev/sda1"]["DeleteOnTermination"] is True
    volumes = {item["VolumeId"]: item for item in vpc.client.describe_volumes()["Volumes"]}
    gp3, io2, root = (volumes[devices[name]["VolumeId"]] for name in ("/dev/sdb", "/dev/sdc", "/dev/sda1"))
    assert (gp3["Size"], gp3["VolumeType"], gp3["Iops"], gp3["Throughput"]) == (20, "gp3", 4000, 250)
    assert (io2["VolumeType"], io2["Iops"]) == ("io2", 900)
    assert root["Size"] == 8


def test_a_root_volume_of_another_type_needs_no_size(vpc: Vpc) -> None:
    key = _launch(vpc, BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeType": "gp3"}}])
    (mapping,) = _shown(vpc, key)["BlockDeviceMappings"]
    (volume,) = vpc.client.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
    assert (volume["VolumeType"], volume["Size"], volume["Iops"], volume["Throughput"]) == ("gp3", 8, 3000, 125)


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("InvalidParameterValue", {"Placement": {"AvailabilityZone": "us-east-1b"}}),
        ("InvalidParameterValue", {"InstanceType": "zz9.huge"}),
        ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "nope"}}),
        ("InvalidParameterValue", {"IamInstanceProfile": {"Arn": "arn:aws:iam::111111111111:instance-profile/nope"}}),
        ("InvalidParameterValue", {"UserData": "x" * 16385}),
        ("InvalidParameterValue", {"InstanceType": "m5.xlarge", "CpuOptions": {"CoreCount": 9}}),
        ("InvalidParameterCombination", {"EnclaveOptions": {"Enabled": True}, "HibernationOptions": {"Configured": True}}),
        ("InvalidParameterCombination", {"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 8, "Iops": 5000}}]}),
        ("MissingParameter", {"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 8, "VolumeType": "io1"}}]}),
        ("UnsupportedOperation", {"Placement": {"GroupName": "cluster"}}),
        ("UnsupportedOperation", {"LicenseSpecifications": [{"LicenseConfigurationArn": "arn:aws:license-manager:x"}]}),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused(vpc: Vpc, code: str, options: dict[str, Any]) -> None:
    with refused(code):
        _launch(vpc, **options)
    assert vpc.client.describe_instances()["Reservations"] == []


def test_a_template_gives_what_the_request_does_not(vpc: Vpc) -> None:
    data = {
        "ImageId": AMI, "InstanceType": "t3.small", "DisableApiTermination": True, "MaintenanceOptions": {"AutoRecovery": "disabled"},
        "UserData": base64.b64encode(b"#!/bin/sh\n").decode(), "Monitoring": {"Enabled": True},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "made"}]}],
    }  # fmt: skip
    vpc.client.create_launch_template(LaunchTemplateName="base", LaunchTemplateData=data)
    subnet = vpc.subnet("10.0.1.0/24")
    answer = vpc.client.run_instances(
        MinCount=1, MaxCount=1, SubnetId=subnet, InstanceType="t3.nano", LaunchTemplate={"LaunchTemplateName": "base"}
    )
    key = answer["Instances"][0]["InstanceId"]
    shown = _shown(vpc, key)
    assert (shown["InstanceType"], shown["ImageId"], shown["MaintenanceOptions"]["AutoRecovery"]) == ("t3.nano", AMI, "disabled")
    assert shown["Monitoring"]["State"] == "enabled"
    assert {"Key": "Name", "Value": "made"} in shown["Tags"]
    assert _attribute(vpc, key, "disableApiTermination") == {"Value": True}
    assert base64.b64decode(_attribute(vpc, key, "userData")["Value"]) == b"#!/bin/sh\n"


def test_what_a_template_asks_for_and_nobody_reads_is_refused_at_launch(vpc: Vpc) -> None:
    vpc.client.create_launch_template(LaunchTemplateName="odd", LaunchTemplateData={"ImageId": AMI, "Placement": {"GroupName": "x"}})
    with refused("UnsupportedOperation", "Placement.GroupName"):
        vpc.client.run_instances(MinCount=1, MaxCount=1, SubnetId=vpc.subnet("10.0.1.0/24"), LaunchTemplate={"LaunchTemplateName": "odd"})


# -- attributes of what runs ---------------------------------------------------------------------------------------------------


def test_user_data_of_a_stopped_instance(vpc: Vpc) -> None:
    client, key = vpc.client, _launch(vpc, UserData="#!/bin/sh\necho one")
    with refused("IncorrectInstanceState", "stopped"):
        client.modify_instance_attribute(InstanceId=key, UserData={"Value": b"#!/bin/sh\necho two\n"})
    client.stop_instances(InstanceIds=[key])
    for data in (b"#!/bin/sh\necho two\n", b"\x1f\x8b\xff\x00 not text"):
        client.modify_instance_attribute(InstanceId=key, UserData={"Value": data})
        assert base64.b64decode(_attribute(vpc, key, "userData")["Value"]) == data
    with refused("InvalidParameterValue", "16384"):
        client.modify_instance_attribute(InstanceId=key, UserData={"Value": b"x" * 16385})
    client.modify_instance_attribute(InstanceId=key, UserData={"Value": b""})
    assert _attribute(vpc, key, "userData") == {}


def test_type_and_the_like_change_while_stopped(vpc: Vpc) -> None:
    client, key = vpc.client, _launch(vpc)
    with refused("IncorrectInstanceState"):
        client.modify_instance_attribute(InstanceId=key, InstanceType={"Value": "t3.small"})
    client.stop_instances(InstanceIds=[key])
    with refused("InvalidParameterValue", "zz9.huge"):
        client.modify_instance_attribute(InstanceId=key, InstanceType={"Value": "zz9.huge"})
    client.modify_instance_attribute(InstanceId=key, InstanceType={"Value": "m5.large"})
    client.modify_instance_attribute(InstanceId=key, Attribute="ebsOptimized", Value="true")
    client.modify_instance_attribute(InstanceId=key, EnclaveOptions={"Enabled": True})
    shown = _shown(vpc, key)
    assert (shown["InstanceType"], shown["EbsOptimized"], shown["EnclaveOptions"]["Enabled"]) == ("m5.large", True, True)
    client.modify_instance_attribute(InstanceId=key, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    assert _attribute(vpc, key, "instanceInitiatedShutdownBehavior") == {"Value": "terminate"}
    with refused("InvalidParameterCombination"):
        client.modify_instance_attribute(InstanceId=key, DisableApiStop={"Value": True}, EbsOptimized={"Value": False})
    with refused("MissingParameter"):
        client.modify_instance_attribute(InstanceId=key)
    client.modify_instance_attribute(
        InstanceId=key, BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"DeleteOnTermination": False}}]
    )
    assert _shown(vpc, key)["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is False


@pytest.mark.parametrize(
    "name",
    [
        "instanceType", "kernel", "ramdisk", "userData", "disableApiTermination", "instanceInitiatedShutdownBehavior", "rootDeviceName",
        "blockDeviceMapping", "productCodes", "sourceDestCheck", "groupSet", "ebsOptimized", "sriovNetSupport", "enaSupport",
        "enclaveOptions", "disableApiStop",
    ],
)  # fmt: skip
def test_every_attribute_can_be_read(vpc: Vpc, name: str) -> None:
    answer = vpc.client.describe_instance_attribute(InstanceId=_launch(vpc), Attribute=name)
    assert len(set(answer) - {"ResponseMetadata", "InstanceId"}) == 1


def test_monitoring_and_maintenance_change(vpc: Vpc) -> None:
    client, key = vpc.client, _launch(vpc)
    assert client.monitor_instances(InstanceIds=[key])["InstanceMonitorings"] == [{"InstanceId": key, "Monitoring": {"State": "pending"}}]
    assert _shown(vpc, key)["Monitoring"]["State"] == "enabled"
    assert client.unmonitor_instances(InstanceIds=[key])["InstanceMonitorings"][0]["Monitoring"]["State"] == "disabling"
    answer = client.modify_instance_maintenance_options(InstanceId=key, AutoRecovery="disabled")
    assert (answer["InstanceId"], answer["AutoRecovery"]) == (key, "disabled")
    assert _shown(vpc, key)["MaintenanceOptions"]["AutoRecovery"] == "disabled"
