# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of parameters that nobody reads and that change nothing: AWS's defaults, and wishes that the lab meets by itself.

Nothing, zero, false and the empty text ask for nothing, except for the options that AWS turns on by itself (``_NOT_OFF``).
"""

from __future__ import annotations

from typing import Any

_EMPTY: tuple[Any, ...] = ("", b"", 0, False)

# Options that are not off by default, wherever they stand: here "false" is a wish.
_NOT_OFF = ("AssociatePublicIpAddress", "DeleteOnTermination", "SourceDestCheck")

# Action ("*" for every one), path -> the values that change nothing (none listed: any value), and why.
HARMLESS: dict[tuple[str, str], tuple[tuple[Any, ...], str]] = {
    ("*", "IncludeManagedResources"): ((), "no resource of the lab is managed by a service provider"),
    ("AssumeRole", "Tags.Key"): ((), "the permission to pass them is judged; no condition on tags is"),
    ("AssumeRole", "Tags.Value"): ((), "the permission to pass them is judged; no condition on tags is"),
    ("CreateKeyPair", "KeyFormat"): (("pem",), "the default"),
    ("CreateNatGateway", "AvailabilityMode"): (("zonal",), "the default"),
    ("CreateVolume", "OutpostArn"): (("",), "no Outpost"),
    ("DescribeAddressesAttribute", "Attribute"): (("domain-name",), "the only attribute"),
    ("DescribeAvailabilityZones", "AllAvailabilityZones"): ((), "the lab has no Local or Wavelength Zones to opt in to"),
    ("DescribeImages", "IncludeDeprecated"): ((), "no image of the lab is deprecated"),
    ("DescribeInstanceTypes", "IncludeUnsupportedInRegion"): ((), "every type is supported in every Region of the lab"),
    ("DescribeRegions", "AllRegions"): ((), "every Region of the lab is enabled"),
    ("DescribeVpcEndpointServices", "ServiceRegions"): ((), "a service of the lab is in the caller's Region"),
    ("DetachNetworkInterface", "Force"): ((), "a detachment in the lab never hangs"),
    ("DetachVolume", "Force"): ((), "a detachment in the lab never hangs"),
    ("GetConsoleOutput", "Latest"): ((), "the lab always answers the latest output"),
    ("ListPolicies", "PolicyUsageFilter"): (("PermissionsPolicy",), "policies of the lab are used as permissions"),
    ("ModifyVpcEndpointServicePermissions", "PermissionType"): (("ALLOW",), "the only type"),
    ("RunInstances", "CapacityReservationSpecification.CapacityReservationPreference"): (("open",), "the default"),
    ("RunInstances", "NetworkPerformanceOptions.BandwidthWeighting"): (("default",), "the default"),
    # How DescribeSecurityGroups shows a reference: requests repeat it, and the pair is known by group and owner.
    **{
        (action, f"IpPermissions.UserIdGroupPairs.{name}"): ((), "shown by AWS; a pair is known by its group and owner")
        for action in (
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "RevokeSecurityGroupEgress",
            "RevokeSecurityGroupIngress",
            "UpdateSecurityGroupRuleDescriptionsEgress",
            "UpdateSecurityGroupRuleDescriptionsIngress",
        )
        for name in ("PeeringStatus", "VpcId", "VpcPeeringConnectionId")
    },
}


def is_default(action: str, path: str, value: Any) -> bool:
    """Whether a value that nobody reads changes nothing."""
    if value in _EMPTY:
        return not (value is False and path.endswith(_NOT_OFF))
    found = HARMLESS.get((action, path)) or HARMLESS.get(("*", path))
    return found is not None and (not found[0] or value in found[0])
