# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas: live where they can be read, AWS's defaults where not."""

from __future__ import annotations

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.quotas import DEFAULTS, QUOTAS, Quotas, read
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AccessDenied, EndpointUnreachable
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.quotas import DEFAULT_QUOTAS

from .aws_fakes import FakeApi

LIST = "servicequotas:ListServiceQuotas"


def test_live_values_by_name() -> None:
    told = [
        {"QuotaCode": "L-7E9ECCDB", "Value": 125.0},
        {"QuotaCode": "L-DC9F7029", "Value": 30.0},
        {"QuotaCode": "L-UNKNOWN", "Value": 1.0},
    ]
    api = FakeApi({LIST: told})
    quotas = read(api, "111111111111", "us-east-1")
    assert (quotas["peerings_active"], quotas["peerings_outstanding"], quotas["subnets_per_vpc"]) == (125, 30, 200)
    assert quotas.live == {"peerings_active", "peerings_outstanding"} and quotas.reason == ""
    assert api.asked == [("111111111111", "us-east-1", LIST, {"ServiceCode": "vpc"})]


def test_a_code_counts_only_under_its_service() -> None:
    api = FakeApi({LIST: lambda params: [{"QuotaCode": "L-0263D0A3", "Value": 9.0}] if params["ServiceCode"] == "ec2" else []})
    assert read(api, "111111111111", "us-east-1")["elastic_ips"] == 5
    assert read(api, "111111111111", "us-east-1", services=("vpc", "ec2"))["elastic_ips"] == 9


def test_without_the_permission_the_defaults_and_the_reason() -> None:
    quotas = read(FakeApi({LIST: AccessDenied("not allowed", action=LIST)}), "111111111111", "us-east-1")
    assert quotas == Quotas(DEFAULTS, frozenset(), "not allowed")


def test_an_endpoint_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(EndpointUnreachable):
        read(FakeApi({LIST: EndpointUnreachable("no answer")}), "111111111111", "us-east-1")


def test_the_names_are_the_labs() -> None:
    assert set(QUOTAS) == set(DEFAULT_QUOTAS)
    raised = {"vpcs", "internet_gateways", "egress_only_internet_gateways"}  # the lab starts with more of these, and says so
    assert {name: value for name, value in DEFAULTS.items() if name not in raised} == {
        name: value for name, value in DEFAULT_QUOTAS.items() if name not in raised
    }


def test_codes_are_distinct() -> None:
    codes = [(quota.service, quota.code) for quota in QUOTAS.values() if quota.code]
    assert len(set(codes)) == len(codes)
