# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a snapshot, one for each describe call, and how their items are told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Any]
#: Account id, Region, file (without ``.json``).
Place = tuple[str, str, str]

#: File to the key that holds an item's id.
ID_KEYS: Mapping[str, str] = {
    "Vpcs": "VpcId",
    "VpcAttributes": "VpcId",
    "Subnets": "SubnetId",
    "RouteTables": "RouteTableId",
    "SecurityGroups": "GroupId",
    "SecurityGroupRules": "SecurityGroupRuleId",
    "NetworkAcls": "NetworkAclId",
    "VpcPeeringConnections": "VpcPeeringConnectionId",
    "InternetGateways": "InternetGatewayId",
    "EgressOnlyInternetGateways": "EgressOnlyInternetGatewayId",
    "NatGateways": "NatGatewayId",
    "Addresses": "AllocationId",
    "VpcEndpoints": "VpcEndpointId",
    "NetworkInterfaces": "NetworkInterfaceId",
    "Reservations": "ReservationId",
    "Instances": "InstanceId",
    "ManagedPrefixLists": "PrefixListId",
    "PrefixListEntries": "PrefixListId",
    "PrefixLists": "PrefixListId",
    "FlowLogs": "FlowLogId",
    "VpcBlockPublicAccessOptions": "AwsRegion",
    "VpcBlockPublicAccessExclusions": "ExclusionId",
    "VpcEncryptionControls": "VpcEncryptionControlId",
    "TransitGateways": "TransitGatewayId",
    "TransitGatewayAttachments": "TransitGatewayAttachmentId",
    "TransitGatewayVpcAttachments": "TransitGatewayAttachmentId",
    "TransitGatewayRouteTables": "TransitGatewayRouteTableId",
    "TransitGatewayStaticRoutes": "TransitGatewayRouteTableId",
    "TransitGatewayPropagations": "TransitGatewayRouteTableId",
    "VpnGateways": "VpnGatewayId",
    "VpnConnections": "VpnConnectionId",
    "CustomerGateways": "CustomerGatewayId",
    "DhcpOptions": "DhcpOptionsId",
    "AvailabilityZones": "ZoneName",
}


def item_id(file: str, item: Any) -> str:
    """An item's id; for files that are not known, its canonical JSON."""
    key = ID_KEYS.get(file, "")
    if isinstance(item, Mapping):
        if item.get(key):
            return str(item[key])
        if file == "Addresses":  # an address of EC2-Classic had no allocation
            return str(item.get("PublicIp", ""))
    return json.dumps(item, sort_keys=True)
