# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids of transit gateways, of their attachments and tables that calls name: found, or refused as AWS refuses them.

The emulator fails at an unknown one. The codes are those that clients match (hashicorp/aws, its names of EC2's errors).
"""

from __future__ import annotations

from ..calls import Call, Refusal, before

_TABLES = {
    "TransitGatewayAttachmentId": ("transit_gateway_attachments", "InvalidTransitGatewayAttachmentID.NotFound", "transitGatewayAttachment"),
    "TransitGatewayId": ("transit_gateways", "InvalidTransitGatewayID.NotFound", "transitGateway"),
    "TransitGatewayRouteTableId": ("transit_gateways_route_tables", "InvalidRouteTableID.NotFound", "routeTable"),
}


@before(
    "ec2",
    "AcceptTransitGatewayPeeringAttachment",
    "AssociateTransitGatewayRouteTable",
    "CreateTransitGatewayRoute",
    "CreateTransitGatewayRouteTable",
    "CreateTransitGatewayVpcAttachment",
    "DeleteTransitGateway",
    "DeleteTransitGatewayPeeringAttachment",
    "DeleteTransitGatewayRoute",
    "DeleteTransitGatewayRouteTable",
    "DeleteTransitGatewayVpcAttachment",
    "DisableTransitGatewayRouteTablePropagation",
    "DisassociateTransitGatewayRouteTable",
    "EnableTransitGatewayRouteTablePropagation",
    "GetTransitGatewayRouteTableAssociations",
    "GetTransitGatewayRouteTablePropagations",
    "ModifyTransitGateway",
    "ModifyTransitGatewayVpcAttachment",
    "RejectTransitGatewayPeeringAttachment",
    "SearchTransitGatewayRoutes",
)
def known(call: Call) -> None:
    """Every id of the call is there."""
    for name, (table, code, noun) in _TABLES.items():
        asked = call.params.get(name)
        if asked is not None and asked not in getattr(call.backend(), table):
            raise Refusal(code, f"The {noun} ID '{asked}' does not exist")
