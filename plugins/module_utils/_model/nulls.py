# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``null`` in a described item. AWS leaves out what it does not tell, other tools write null: both are read as not told.

Where something is told by its absence (no rule admits, no route leads there) a null is not an absence: the item is then left out with a
fault, and what its file would tell is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: File to the keys, wherever in an item, under which null or a null in the list hides something that decides.
_DECIDING: Mapping[str, frozenset[str]] = {
    "Vpcs": frozenset({"CidrBlockAssociationSet"}),
    "InternetGateways": frozenset({"Attachments", "VpcId"}),
    "EgressOnlyInternetGateways": frozenset({"Attachments", "VpcId"}),
    "RouteTables": frozenset({"Routes", "Associations"}),
    "NetworkAcls": frozenset({"Entries", "Associations", "SubnetId", "RuleNumber", "RuleAction", "Egress", "Protocol"}),
    "SecurityGroups": frozenset(
        {
            *("IpPermissions", "IpPermissionsEgress", "IpProtocol", "IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"),
            *("CidrIp", "CidrIpv6"),
        }
    ),
    "SecurityGroupRules": frozenset({"IsEgress", "IpProtocol"}),
    "VpcPeeringConnections": frozenset({"Status", "Code", "VpcId"}),
    "NetworkInterfaces": frozenset({"PrivateIpAddresses", "Groups"}),
    "PrefixListEntries": frozenset({"Cidr"}),
    "TransitGatewayStaticRoutes": frozenset({"Routes", "TransitGatewayAttachments"}),
    "TransitGatewayPropagations": frozenset({"TransitGatewayRouteTablePropagations"}),
}
#: File to a list of its items, and the keys of which each entry of it has one.
_ONE_OF: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "RouteTables": ("Associations", ("SubnetId", "GatewayId", "Main")),
    "NetworkAcls": ("Entries", ("CidrBlock", "Ipv6CidrBlock")),
}
#: Keys of these whose own null says "not told" by itself: only a null inside their list hides something.
_TOLD_BY_ABSENCE = frozenset({"Groups"})


def without(value: Any) -> Any:
    """A value without its nulls."""
    if isinstance(value, dict):
        return {key: without(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without(item) for item in value if item is not None]
    return value


def hiding(file: str, item: Any) -> str:
    """The field of an item whose null hides what decides, as ``Entries[2].RuleAction``; empty when there is none."""
    return _hiding(_DECIDING.get(file, frozenset()), item, "") or _lacking(file, item)


def _lacking(file: str, item: Any) -> str:
    """The entry of a list that has null where one of several keys must be."""
    name, keys = _ONE_OF.get(file, ("", ()))
    for number, entry in enumerate(item.get(name) or () if name and isinstance(item, dict) else ()):
        if isinstance(entry, dict) and not any(entry.get(key) for key in keys):
            nulls = [key for key in keys if key in entry and entry[key] is None]
            if nulls:
                return f"{name}[{number}].{nulls[0]}"
    return ""


def _hiding(keys: frozenset[str], value: Any, above: str) -> str:
    if not keys or not isinstance(value, dict):
        return ""
    for key, item in value.items():
        field = f"{above}{key}"
        if item is None and key in keys - _TOLD_BY_ABSENCE:
            return field
        for number, entry in enumerate(item if isinstance(item, list) else ()):
            if entry is None and key in keys:
                return f"{field}[{number}]"
            if found := _hiding(keys, entry, f"{field}[{number}]."):
                return found
        if found := _hiding(keys, item, f"{field}."):
            return found
    return ""
