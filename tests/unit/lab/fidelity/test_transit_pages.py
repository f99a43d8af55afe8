# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transit gateways are described in pages."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import refused


def test_pages_of_transit_gateways(lab: Any) -> None:
    client = lab.client("ec2")
    made = {client.create_transit_gateway()["TransitGateway"]["TransitGatewayId"] for _turn in range(7)}
    first = client.describe_transit_gateways(MaxResults=5)
    rest = client.describe_transit_gateways(MaxResults=5, NextToken=first["NextToken"])
    told = [item["TransitGatewayId"] for item in (*first["TransitGateways"], *rest["TransitGateways"])]
    assert (len(first["TransitGateways"]), set(told), "NextToken" in rest) == (5, made, False) and len(told) == 7


@pytest.mark.parametrize("kind", ["gateways", "gateway_attachments", "gateway_vpc_attachments", "gateway_route_tables"])
def test_tokens_and_sizes_are_judged(lab: Any, kind: str) -> None:
    ask = getattr(lab.client("ec2"), f"describe_transit_{kind}")
    assert "NextToken" not in ask(MaxResults=1000)
    with refused("InvalidParameterValue", "The token 'nonsense' is invalid"):
        ask(NextToken="nonsense")
