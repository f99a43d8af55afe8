# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudnet.vpc.preflight_info on the lab, with and without Service Quotas."""

from __future__ import annotations

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

from .conftest import Invoke


def test_who_where_with_what_and_within_what(invoke: Invoke, lab: RunningLab) -> None:
    result = invoke("preflight_info", target="lab")
    assert (result["account"], result["region"]) == ("111111111111", "us-east-1")
    assert result["arn"].startswith("arn:aws:iam::111111111111:user/") and result["endpoint"] == lab.url
    assert set(result["versions"]) == {"amazon.aws", "boto3", "botocore", "python"} and all(result["versions"].values())
    assert {"vpcs", "peerings_active"} <= set(result["quotas_told"]) and result["quotas_reason"] == ""
    assert set(result["calls"]) == {"sts:GetCallerIdentity", "servicequotas:ListServiceQuotas"} and not result["changed"]


def test_quotas_that_may_not_be_read_are_those_of_a_new_account(invoke: Invoke, lab: RunningLab) -> None:
    lab.control.config(faults=[{"kind": "denied", "actions": "service-quotas:*"}])
    result = invoke("preflight_info")
    assert result["quotas_told"] == [] and "AccessDenied" in result["quotas_reason"]
    assert (result["quotas"]["vpcs"], result["quotas"]["peerings_active"]) == (5, 50)


def test_another_account_by_its_profile(invoke: Invoke, lab: RunningLab) -> None:
    assert invoke("preflight_info", profile="lab-peer", region="eu-west-1")["account"] == "222222222222"


def test_no_region_is_one_line(invoke: Invoke, lab: RunningLab, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_PROFILE", "default")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "default")
    result = invoke("preflight_info")
    assert result["failed"] and "\n" not in result["msg"]


def test_the_wrong_place_is_refused_before_anything_is_asked(invoke: Invoke, lab: RunningLab) -> None:
    result = invoke("preflight_info", target="aws")
    assert result["failed"] and "aws" in result["msg"]
