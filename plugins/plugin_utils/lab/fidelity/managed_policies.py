# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's own IAM policies, there when they are asked for: the emulator has their text, and makes all 1,300 for every account or none.

Source: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/about-managed-policy-reference.html
"""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

from ..calls import Call, before

_ARN = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)")


@before("iam", "AttachRolePolicy", "AttachUserPolicy", "AttachGroupPolicy", "GetPolicy", "GetPolicyVersion", "ListPolicyVersions")
def have_policy(call: Call) -> None:
    """Make the AWS managed policy that a call names, if AWS has one of that name and the account has not been asked for it yet."""
    arn = str(call.params.get("PolicyArn") or "")
    match, iam = _ARN.fullmatch(arn), call.backend("iam")
    if match is None or arn in iam.managed_policies:
        return
    text: str = importlib.import_module("moto.iam.aws_managed_policies").aws_managed_policies_data
    name = json.dumps(match[1])
    start = text.find(f"\n {name}:{{")
    if start < 0:
        return
    data, _end = json.JSONDecoder().raw_decode(text, start + len(name) + 3)
    models: Any = importlib.import_module("moto.iam.models")
    made = models.AWSManagedPolicy.from_data(match[1], iam.account_id, iam.region_name, data)
    if made.arn == arn:
        iam.managed_policies[arn] = made
        iam.aws_managed_policies.append(made)
