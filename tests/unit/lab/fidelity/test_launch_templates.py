# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launch templates: their own tags, and what they launch with."""

from __future__ import annotations

from typing import Any

import pytest

FIRST = [{"Key": "Name", "Value": "first"}]
LAUNCHED = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "launched"}]}]


@pytest.mark.parametrize("inside", [[], LAUNCHED])
def test_the_templates_tags_are_not_its_instances(lab: Any, inside: list[dict[str, Any]]) -> None:
    ec2 = lab.client("ec2")
    data: dict[str, Any] = {"InstanceType": "t3.micro", **({"TagSpecifications": inside} if inside else {})}
    own = [{"ResourceType": "launch-template", "Tags": FIRST}]
    made = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data, TagSpecifications=own)["LaunchTemplate"]
    assert made["Tags"] == FIRST
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplateId"])["LaunchTemplateVersions"]
    assert [version["LaunchTemplateData"].get("TagSpecifications", []) for version in versions] == [inside]


def test_tags_are_shown_as_they_are_now(lab: Any) -> None:
    ec2 = lab.client("ec2")
    own = [{"ResourceType": "launch-template", "Tags": FIRST}]
    data = {"InstanceType": "t3.micro"}
    key = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data, TagSpecifications=own)["LaunchTemplate"][
        "LaunchTemplateId"
    ]
    ec2.create_tags(Resources=[key], Tags=[{"Key": "Name", "Value": "second"}])
    assert ec2.describe_launch_templates()["LaunchTemplates"][0]["Tags"] == [{"Key": "Name", "Value": "second"}]
    ec2.create_launch_template_version(LaunchTemplateId=key, LaunchTemplateData={"InstanceType": "t3.small"})
    changed = ec2.modify_launch_template(LaunchTemplateId=key, DefaultVersion="2")["LaunchTemplate"]
    assert (changed["DefaultVersionNumber"], changed["Tags"]) == (2, [{"Key": "Name", "Value": "second"}])
    ec2.delete_tags(Resources=[key])
    assert not ec2.describe_launch_templates()["LaunchTemplates"][0].get("Tags")


def test_empty_user_data_is_none(lab: Any) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    data = {"InstanceType": "t3.micro", "ImageId": "ami-12345678", "UserData": ""}
    key = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    shown = ec2.describe_launch_template_versions(LaunchTemplateId=key)["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert "UserData" not in shown
    launch = {"LaunchTemplate": {"LaunchTemplateId": key}, "SubnetId": subnet, "MinCount": 1, "MaxCount": 1}
    instance = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    assert ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")["UserData"] == {}
