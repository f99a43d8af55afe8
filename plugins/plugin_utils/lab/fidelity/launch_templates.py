# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launch templates: tags of the template itself are no part of what it launches, and are shown as they are now.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html (TagSpecification: "the tags to apply to
the launch template on creation", apart from those in LaunchTemplateData), API_LaunchTemplate.html beside it.
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, after, before
from .shapes import tags_of


@before("ec2", "CreateLaunchTemplate", "CreateLaunchTemplateVersion")
def no_empty_user_data(call: Call) -> None:
    """An empty text is no user data: clients send one for a value that is not set, and look for none in what is launched."""
    data = call.params.get("LaunchTemplateData")
    if data and not data.get("UserData"):
        call.params["LaunchTemplateData"] = {key: value for key, value in data.items() if key != "UserData"}


@after("ec2", "CreateLaunchTemplate")
def tags_of_its_own(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Take the template's own tags out of its first version, where the emulator puts them."""
    made = call.backend().launch_templates[result["LaunchTemplate"]["LaunchTemplateId"]]
    data = made.versions[0].data
    own = call.params.get("LaunchTemplateData") or {}
    if own.get("TagSpecifications"):
        data["TagSpecifications"] = own["TagSpecifications"]
    else:
        data.pop("TagSpecifications", None)
    return result


@after("ec2", "DescribeLaunchTemplates", "ModifyLaunchTemplate")
def present_tags(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Show the tags that a template has, not those that it was made with."""
    one = result.get("LaunchTemplate")
    for shown in result.get("LaunchTemplates") or ([one] if one else []):
        shown["Tags"] = tags_of(call.backend(), shown["LaunchTemplateId"])
    return result
