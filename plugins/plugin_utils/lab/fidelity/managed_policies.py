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


def _text() -> str:
    text: str = importlib.import_module("moto.iam.aws_managed_policies").aws_managed_policies_data
    return text


def _make(iam: Any, name: str, data: dict[str, Any]) -> Any:
    models: Any = importlib.import_module("moto.iam.models")
    return models.AWSManagedPolicy.from_data(name, iam.account_id, iam.region_name, data)


def _add(iam: Any, policy: Any) -> None:
    iam.managed_policies[policy.arn] = policy
    iam.aws_managed_policies.append(policy)


@before("iam", "AttachRolePolicy", "AttachUserPolicy", "AttachGroupPolicy", "GetPolicy", "GetPolicyVersion", "ListPolicyVersions")
def have_policy(call: Call) -> None:
    """Make the AWS managed policy that a call names, if AWS has one of that name and the account has not been asked for it yet."""
    arn = str(call.params.get("PolicyArn") or "")
    match, iam = _ARN.fullmatch(arn), call.backend("iam")
    if match is None or arn in iam.managed_policies:
        return
    text, name = _text(), json.dumps(match[1])
    start = text.find(f"\n {name}:{{")
    if start < 0:
        return
    data, _end = json.JSONDecoder().raw_decode(text, start + len(name) + 3)
    made = _make(iam, match[1], data)
    if made.arn == arn:
        _add(iam, made)


@before("iam", "ListPolicies")
def have_all_policies(call: Call) -> None:
    """Make all of AWS's policies for an account that lists them: a list of attached ones, or of its own, has no need of them."""
    iam = call.backend("iam")
    if call.params.get("OnlyAttached") or call.params.get("Scope") == "Local" or call.lab.state("managed_policies").get(call.account):
        return
    for name, data in json.loads(_text()).items():
        made = _make(iam, name, data)
        if made.arn not in iam.managed_policies:
            _add(iam, made)
    call.lab.state("managed_policies")[call.account] = True
