# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids that describe calls name: their form, and whether they are found, with AWS's own spelling of each code.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, where the spelling differs from code to code and some
resources have no code for a malformed id; that of transit gateways and pools of addresses is not there, and is as seen in use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..calls import Call, Refusal

_FORMS: dict[str, tuple[str, str]] = {
    "CustomerGatewayIds": ("cgw", "InvalidCustomerGatewayId.Malformed"),
    "DhcpOptionsIds": ("dopt", "InvalidDhcpOptionsId.Malformed"),
    "GroupIds": ("sg", "InvalidGroupId.Malformed"),
    "HostIds": ("h", "InvalidHostID.Malformed"),
    "ImageIds": ("ami", "InvalidAMIID.Malformed"),
    "InstanceIds": ("i", "InvalidInstanceID.Malformed"),
    "InternetGatewayIds": ("igw", "InvalidInternetGatewayId.Malformed"),
    "LaunchTemplateIds": ("lt", "InvalidLaunchTemplateId.Malformed"),
    "NatGatewayIds": ("nat", "NatGatewayMalformed"),
    "NetworkAclIds": ("acl", "InvalidNetworkAclId.Malformed"),
    "NetworkInterfaceIds": ("eni", "InvalidNetworkInterfaceId.Malformed"),
    "PrefixListIds": ("pl", "InvalidPrefixListId.Malformed"),
    "RouteTableIds": ("rtb", "InvalidRouteTableId.Malformed"),
    "SnapshotIds": ("snap", "InvalidSnapshotID.Malformed"),
    "SubnetIds": ("subnet", "InvalidSubnetID.Malformed"),
    "VolumeIds": ("vol", "InvalidVolumeID.Malformed"),
    "VpcEndpointIds": ("vpce", "InvalidVpcEndpointId.Malformed"),
    "VpcIds": ("vpc", "InvalidVpcID.Malformed"),
    "VpcPeeringConnectionIds": ("pcx", "InvalidVpcPeeringConnectionId.Malformed"),
}
_DIGITS = re.compile(r"[0-9a-f]{8}|[0-9a-f]{17}")

# Of calls whose answer the emulator gives without what it does not find: parameter -> the item's member, the code, the noun.
_ABSENT: dict[str, tuple[str, str, str]] = {
    "AssociationIds": ("AssociationId", "InvalidAssociationID.NotFound", "association ID"),
    "CarrierGatewayIds": ("CarrierGatewayId", "InvalidCarrierGatewayID.NotFound", "carrierGateway ID"),
    "CustomerGatewayIds": ("CustomerGatewayId", "InvalidCustomerGatewayID.NotFound", "customerGateway ID"),
    "HostIds": ("HostId", "InvalidHostID.NotFound", "host ID"),
    "KeyPairIds": ("KeyPairId", "InvalidKeyPair.NotFound", "key pair ID"),
    "LaunchTemplateIds": ("LaunchTemplateId", "InvalidLaunchTemplateId.NotFound", "launch template ID"),
    "PoolIds": ("PoolId", "InvalidPoolID.NotFound", "pool ID"),
    "SpotFleetRequestIds": ("SpotFleetRequestId", "InvalidSpotFleetRequestId.NotFound", "spot fleet request ID"),
    "SpotInstanceRequestIds": ("SpotInstanceRequestId", "InvalidSpotInstanceRequestID.NotFound", "spot instance request ID"),
    "TrafficMirrorFilterIds": ("TrafficMirrorFilterId", "InvalidTrafficMirrorFilterNotFound", "traffic mirror filter ID"),
    "TrafficMirrorSessionIds": ("TrafficMirrorSessionId", "InvalidTrafficMirrorSessionNotFound", "traffic mirror session ID"),
    "TrafficMirrorTargetIds": ("TrafficMirrorTargetId", "InvalidTrafficMirrorTargetNoFound", "traffic mirror target ID"),
    "TransitGatewayAttachmentIds": (
        "TransitGatewayAttachmentId",
        "InvalidTransitGatewayAttachmentID.NotFound",
        "transitGatewayAttachment ID",
    ),
    "TransitGatewayIds": ("TransitGatewayId", "InvalidTransitGatewayID.NotFound", "transitGateway ID"),
    "TransitGatewayRouteTableIds": ("TransitGatewayRouteTableId", "InvalidRouteTableID.NotFound", "routeTable ID"),
    "VpnGatewayIds": ("VpnGatewayId", "InvalidVpnGatewayID.NotFound", "vpnGateway ID"),
    "ZoneIds": ("ZoneId", "InvalidParameterValue", "availability zone-id"),
    "ZoneNames": ("ZoneName", "InvalidParameterValue", "availability zone"),
}


def check_forms(call: Call) -> None:
    """Refuse an id of a describe call that is not of its resource's form; before anything is looked up, as AWS."""
    if call.service != "ec2" or not call.action.startswith("Describe"):
        return
    for name, (prefix, code) in _FORMS.items():
        for value in call.params.get(name) or ():
            head, _dash, digits = str(value).partition("-")
            if head != prefix or not _DIGITS.fullmatch(digits):
                raise Refusal(code, f'Invalid id: "{value}" (expecting "{prefix}-...")')


def check_found(call: Call, items: Sequence[Mapping[str, Any]]) -> None:
    """Refuse the first id of a call that is none of the items'."""
    for name, (member, code, noun) in _ABSENT.items():
        asked = call.params.get(name) or ()
        known = {item.get(member) for item in items}
        absent = next((value for value in asked if value not in known), None)
        if absent is not None:
            raise Refusal(code, f"The {noun} '{absent}' does not exist")
