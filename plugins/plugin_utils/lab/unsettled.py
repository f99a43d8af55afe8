# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that exist and cannot be found yet: the EC2 API's eventual consistency, when a test asks for it.

A describe and a write that name such an object answer its NotFound code; a list leaves it out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

# What a Create call makes: the prefix of its id. An id that only the answer holds and that has this prefix is the new object's.
_MAKES = {
    "AllocateAddress": "eipalloc",
    "AssociateRouteTable": "rtbassoc",
    "AuthorizeSecurityGroupEgress": "sgr",
    "AuthorizeSecurityGroupIngress": "sgr",
    "CreateEgressOnlyInternetGateway": "eigw",
    "CreateFlowLogs": "fl",
    "CreateInternetGateway": "igw",
    "CreateManagedPrefixList": "pl",
    "CreateNatGateway": "nat",
    "CreateNetworkAcl": "acl",
    "CreateNetworkInterface": "eni",
    "CreateRouteTable": "rtb",
    "CreateSecurityGroup": "sg",
    "CreateSubnet": "subnet",
    "CreateTransitGateway": "tgw",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpce",
    "CreateVpcPeeringConnection": "pcx",
    "RunInstances": "i",
}
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-codes.html
_NOT_FOUND = {
    "acl": "InvalidNetworkAclID.NotFound",
    "eigw": "InvalidGatewayID.NotFound",
    "eipalloc": "InvalidAllocationID.NotFound",
    "eni": "InvalidNetworkInterfaceID.NotFound",
    "fl": "InvalidFlowLogId.NotFound",
    "i": "InvalidInstanceID.NotFound",
    "igw": "InvalidInternetGatewayID.NotFound",
    "nat": "NatGatewayNotFound",
    "pcx": "InvalidVpcPeeringConnectionID.NotFound",
    "pl": "InvalidPrefixListID.NotFound",
    "rtb": "InvalidRouteTableID.NotFound",
    "rtbassoc": "InvalidAssociationID.NotFound",
    "sg": "InvalidGroup.NotFound",
    "sgr": "InvalidSecurityGroupRuleId.NotFound",
    "subnet": "InvalidSubnetID.NotFound",
    "tgw": "InvalidTransitGatewayID.NotFound",
    "vpc": "InvalidVpcID.NotFound",
    "vpce": "InvalidVpcEndpointId.NotFound",
}
# The key under which an object of a kind carries its own id in a list.
_OWN_KEY = {
    "acl": "NetworkAclId",
    "eigw": "EgressOnlyInternetGatewayId",
    "eipalloc": "AllocationId",
    "eni": "NetworkInterfaceId",
    "fl": "FlowLogId",
    "i": "InstanceId",
    "igw": "InternetGatewayId",
    "nat": "NatGatewayId",
    "pcx": "VpcPeeringConnectionId",
    "pl": "PrefixListId",
    "rtb": "RouteTableId",
    "rtbassoc": "RouteTableAssociationId",
    "sg": "GroupId",
    "sgr": "SecurityGroupRuleId",
    "subnet": "SubnetId",
    "tgw": "TransitGatewayId",
    "vpc": "VpcId",
    "vpce": "VpcEndpointId",
}
_LISTS = {
    "DescribeAddresses": ("Addresses", "eipalloc"),
    "DescribeEgressOnlyInternetGateways": ("EgressOnlyInternetGateways", "eigw"),
    "DescribeFlowLogs": ("FlowLogs", "fl"),
    "DescribeInternetGateways": ("InternetGateways", "igw"),
    "DescribeManagedPrefixLists": ("PrefixLists", "pl"),
    "DescribeNatGateways": ("NatGateways", "nat"),
    "DescribeNetworkAcls": ("NetworkAcls", "acl"),
    "DescribeNetworkInterfaces": ("NetworkInterfaces", "eni"),
    "DescribeRouteTables": ("RouteTables", "rtb"),
    "DescribeSecurityGroupRules": ("SecurityGroupRules", "sgr"),
    "DescribeSecurityGroups": ("SecurityGroups", "sg"),
    "DescribeSubnets": ("Subnets", "subnet"),
    "DescribeTransitGateways": ("TransitGateways", "tgw"),
    "DescribeVpcEndpoints": ("VpcEndpoints", "vpce"),
    "DescribeVpcPeeringConnections": ("VpcPeeringConnections", "pcx"),
    "DescribeVpcs": ("Vpcs", "vpc"),
}


class Unsettled:
    """Objects that exist but are not seen yet: the API's eventual consistency, made certain.

    See https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def clear(self) -> None:
        self._until = {}

    def hide(self, action: str, params: Mapping[str, Any], result: Mapping[str, Any], seconds: float) -> bool:
        """Hide what this call made, for ``seconds``; False when it made nothing that can be hidden."""
        prefix = _MAKES.get(action)
        if prefix is None:
            return False
        named = set(_strings(params))
        until = time.monotonic() + seconds
        new = [value for value in _strings(result) if value.startswith(f"{prefix}-") and value not in named]
        self._until = {**self._until, **dict.fromkeys(new, until)}
        return bool(new)

    def hidden(self) -> set[str]:
        if not self._until:
            return set()
        now = time.monotonic()
        self._until = {name: until for name, until in self._until.items() if until > now}
        return set(self._until)

    def named(self, params: Mapping[str, Any]) -> tuple[str, str] | None:
        """(code, message) for the first hidden object that the parameters name (a filter does not name), else None."""
        hidden = self.hidden()
        if not hidden:
            return None
        for value in _strings({key: value for key, value in params.items() if key not in ("Filters", "Filter")}):
            if value in hidden:
                prefix = value.split("-", 1)[0]
                return _NOT_FOUND.get(prefix, "InvalidParameterValue"), f"The ID '{value}' does not exist"
        return None

    def strain(self, action: str, result: dict[str, Any]) -> dict[str, Any]:
        """The answer of a list without the objects that are hidden."""
        hidden = self.hidden()
        if not hidden:
            return result
        if action == "DescribeInstances":
            kept = [
                {**reservation, "Instances": instances}
                for reservation in result.get("Reservations", [])
                if (instances := [instance for instance in reservation.get("Instances", []) if instance.get("InstanceId") not in hidden])
            ]
            return {**result, "Reservations": kept}
        if action not in _LISTS:
            return result
        name, prefix = _LISTS[action]
        kept = [item for item in result.get(name, []) if item.get(_OWN_KEY[prefix]) not in hidden]
        return {**result, name: kept}


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
