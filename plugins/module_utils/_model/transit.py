# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transit gateways from what the describe calls say of them. Each function takes (item, account, region) of the side that told it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTransitGatewayAttachments.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .network import TransitAttachment, TransitGateway, TransitRoute, TransitTable
from .rules import canonical

Item = Mapping[str, Any]


def gateway(item: Item, account: str, region: str) -> TransitGateway:
    """One of TransitGateways."""
    return TransitGateway(
        **_common(item, "TransitGatewayId", str(item.get("OwnerId") or account), region),
        state=item.get("State") or "available",
        group_references=_enabled(item),
        encryption=((item.get("Options") or {}).get("EncryptionSupport") or {}).get("EncryptionState") or "",
    )


def attachment(item: Item, account: str, region: str, details: Item | None) -> TransitAttachment:
    """One of TransitGatewayAttachments or TransitGatewayVpcAttachments; ``details``: its item of the latter file, where there is one."""
    link = item.get("Association") or {}
    subnets = (details or {}).get("SubnetIds")
    return TransitAttachment(
        **_common(item, "TransitGatewayAttachmentId", str(item.get("ResourceOwnerId") or item.get("VpcOwnerId") or account), region),
        gateway=item["TransitGatewayId"],
        type=item.get("ResourceType") or "vpc",
        resource=item.get("ResourceId") or item.get("VpcId") or "",
        state=item.get("State") or "available",
        table=link.get("TransitGatewayRouteTableId") or "" if link.get("State", "associated") == "associated" else "",
        subnets=None if subnets is None else tuple(subnets),
        group_references=_enabled(details or {}),
    )


def table(item: Item, account: str, region: str, routes: Item | None, propagations: Item | None) -> TransitTable:
    """One of TransitGatewayRouteTables; ``routes``, ``propagations``: its items of the files that tell these, None when they do not."""
    return TransitTable(
        **_common(item, "TransitGatewayRouteTableId", account, region),
        gateway=item["TransitGatewayId"],
        state=item.get("State") or "available",
        routes=None if routes is None else tuple(_route(entry) for entry in routes.get("Routes") or ()),
        propagations=None
        if propagations is None
        else tuple(
            entry["TransitGatewayAttachmentId"]
            for entry in propagations.get("TransitGatewayRouteTablePropagations") or ()
            if entry.get("TransitGatewayAttachmentId") and entry.get("State", "enabled") == "enabled"
        ),
    )


def _route(entry: Item) -> TransitRoute:
    targets = entry.get("TransitGatewayAttachments") or ()
    block = entry.get("DestinationCidrBlock")
    return TransitRoute(
        destination=canonical(block) if block else entry.get("PrefixListId") or "",
        attachment=next((target["TransitGatewayAttachmentId"] for target in targets if target.get("TransitGatewayAttachmentId")), ""),
        state=entry.get("State") or "active",
    )


def _enabled(item: Item) -> bool | None:
    value = (item.get("Options") or {}).get("SecurityGroupReferencingSupport")
    return None if value is None else value == "enable"


def _common(item: Item, key: str, account: str, region: str) -> dict[str, Any]:
    return {
        "id": item[key],
        "account": account,
        "region": region,
        "tags": {tag["Key"]: tag.get("Value") or "" for tag in item.get("Tags") or ()},
    }
