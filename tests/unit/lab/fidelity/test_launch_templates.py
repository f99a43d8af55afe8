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
