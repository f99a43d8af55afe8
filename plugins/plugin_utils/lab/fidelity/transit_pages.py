# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of the calls that describe transit gateways, which the emulator answers whole.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTransitGateways.html
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, after
from .shapes import clean, page

_MEMBERS = {
    "DescribeTransitGateways": "TransitGateways",
    "DescribeTransitGatewayAttachments": "TransitGatewayAttachments",
    "DescribeTransitGatewayVpcAttachments": "TransitGatewayVpcAttachments",
    "DescribeTransitGatewayRouteTables": "TransitGatewayRouteTables",
}


@after("ec2", *_MEMBERS)
def pages(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """MaxResults and NextToken."""
    member = _MEMBERS[call.action]
    shown, following = page(call, result.get(member) or [])
    return clean({**result, member: shown, "NextToken": following})
