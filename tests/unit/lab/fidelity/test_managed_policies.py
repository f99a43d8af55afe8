# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's managed policies: in every account, by name and in the list."""

from __future__ import annotations

import json
from typing import Any

CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
OWN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}]}


def listed(iam: Any, **more: Any) -> list[str]:
    pages = iam.get_paginator("list_policies").paginate(**more)
    return [policy["Arn"] for page in pages for policy in page["Policies"]]


def test_all_are_listed_once(lab: Any) -> None:
    iam = lab.client("iam")
    iam.get_policy(PolicyArn=CORE)
    own = iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(OWN))["Policy"]["Arn"]
    aws = listed(iam, Scope="AWS")
    assert len(aws) > 1000 and len(aws) == len(set(aws))
    assert CORE in aws and own not in aws
    assert listed(iam, Scope="Local") == [own]
    assert sorted(listed(iam)) == sorted([*aws, own])
    assert listed(iam, Scope="AWS", OnlyAttached=True) == []
    service = listed(iam, Scope="AWS", PathPrefix="/aws-service-role/")
    assert service and all(":policy/aws-service-role/" in arn for arn in service)


def test_a_reset_forgets_them(lab: Any) -> None:
    assert len(listed(lab.client("iam"), Scope="AWS")) > 1000
    lab.control.reset()
    assert len(listed(lab.client("iam"), Scope="AWS")) > 1000
