# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides who reaches whom beyond what planning reads: what is asked for, and what a refusal leaves unknown."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.client import Client
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AccessDenied, AwsError, CredentialsError
from ansible_collections.cloudnet.vpc.plugins.module_utils.evidence import ALWAYS, DOORS, FEATURES, Missing, read

from .aws.aws_fakes import FakeApi

ME, HERE = "111111111111", "us-east-1"


def told(answers: dict[str, Any], *files: str) -> tuple[Any, FakeApi]:
    api = FakeApi(answers)
    return read(cast(Client, api), [Missing(ME, HERE, file, ("vpc-1",)) for file in files]), api


def test_every_file_is_a_call_narrowed_to_the_vpcs_where_aws_can() -> None:
    found, api = told({"ec2:DescribeSecurityGroupVpcAssociations": [{"GroupId": "sg-1", "VpcId": "vpc-1"}]}, *ALWAYS, *DOORS)
    assert {place[2] for place in found.files} == {*ALWAYS, *DOORS} and len(api.asked) == len({*ALWAYS, *DOORS})
    narrowed = {action.removeprefix("ec2:Describe") for _account, _region, action, params in api.asked if params}
    assert narrowed == {"Subnets", "RouteTables", "SecurityGroups", "SecurityGroupVpcAssociations", "NetworkAcls", "NatGateways"}
    assert found.files[ME, HERE, "SecurityGroupVpcAssociations"] == ({"GroupId": "sg-1", "VpcId": "vpc-1"},)


@pytest.mark.parametrize("file", [*FEATURES, "NetworkAcls"])
def test_what_may_not_be_read_is_a_warning_and_unknown(file: str) -> None:
    denied = AccessDenied("not allowed", code="UnauthorizedOperation")
    found, _api = told({f"ec2:Describe{file}": denied}, file, "Subnets")
    assert found.warnings == (f"{file} was not read, so what it decides is unknown: not allowed",)
    assert found.untold == {(ME, HERE, file)} and (ME, HERE, file) not in found.files and (ME, HERE, "Subnets") in found.files


@pytest.mark.parametrize("file", FEATURES)
def test_a_feature_that_an_endpoint_does_not_know_is_off(file: str) -> None:
    found, _api = told({f"ec2:Describe{file}": AwsError("no such call", code="InvalidAction")}, file)
    assert (found.warnings, found.untold, found.files) == ((), frozenset(), {})


def test_credentials_that_do_not_hold_are_an_error() -> None:
    with pytest.raises(CredentialsError):
        told({"ec2:DescribeSubnets": CredentialsError("expired")}, "Subnets", "RouteTables")
