# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ModifyVpcAttribute and ModifySubnetAttribute: one attribute a call, and DNS hostnames only where DNS resolution is on.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html ("You cannot modify the DNS resolution
and DNS hostnames attributes in the same request"; "You can only enable DNS hostnames if you've enabled DNS support") and
API_ModifySubnetAttribute.html ("You can only modify one attribute at a time").
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, Refusal, before, instead
from .emulated import subnet_blocks6, subnet_lni
from .shapes import find_subnet, find_vpc, invalid, missing

_VPC = ("EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics")


def _one(given: list[str]) -> None:
    if not given:
        raise Refusal("MissingParameter", "The request must contain an attribute to modify.")
    if len(given) > 1:
        raise Refusal("InvalidParameterCombination", f"Fields for multiple attribute types specified: {', '.join(given)}")


@before("ec2", "ModifyVpcAttribute")
def vpc_attribute(call: Call) -> None:
    """One attribute of a VPC that exists."""
    if not call.params.get("VpcId"):
        raise missing("vpcId")
    vpc = find_vpc(call.backend(), str(call.params["VpcId"]))
    _one([name for name in _VPC if name in call.params])
    if (call.params.get("EnableDnsHostnames") or {}).get("Value") and not vpc.enable_dns_support:
        raise Refusal("InvalidParameterCombination", f"DNS hostnames cannot be enabled on {vpc.id} while its DNS support is disabled.")


_SUBNET = (
    "AssignIpv6AddressOnCreation",
    "DisableLniAtDeviceIndex",
    "EnableDns64",
    "EnableLniAtDeviceIndex",
    "EnableResourceNameDnsAAAARecordOnLaunch",
    "EnableResourceNameDnsARecordOnLaunch",
    "MapPublicIpOnLaunch",
    "PrivateDnsHostnameTypeOnLaunch",
)
_RECORDS = {
    "EnableResourceNameDnsAAAARecordOnLaunch": "EnableResourceNameDnsAAAARecord",
    "EnableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecord",
}


@instead("ec2", "ModifySubnetAttribute")
def subnet_attribute(call: Call) -> dict[str, Any]:
    """One attribute of a subnet that exists."""
    if not call.params.get("SubnetId"):
        raise missing("subnetId")
    subnet = find_subnet(call.backend(), str(call.params["SubnetId"]))
    given = [name for name in _SUBNET if name in call.params]
    _one(given)
    name, value = given[0], call.params[given[0]]
    flag = bool(value.get("Value")) if isinstance(value, dict) else False
    if name == "PrivateDnsHostnameTypeOnLaunch":
        if value not in ("ip-name", "resource-name"):
            raise invalid(f"Value ({value}) for parameter privateDnsHostnameTypeOnLaunch is invalid.")
        subnet.private_dns_name_options_on_launch["HostnameType"] = value
    elif name in _RECORDS:
        subnet.private_dns_name_options_on_launch[_RECORDS[name]] = flag
    elif name == "EnableLniAtDeviceIndex":
        if int(value) < 1:
            raise invalid(f"Value ({value}) for parameter enableLniAtDeviceIndex is invalid: device index 0 is the primary interface's.")
        subnet.lab_lni = int(value)
    elif name == "DisableLniAtDeviceIndex":
        subnet.lab_lni = None if flag else subnet_lni(subnet)
    elif name == "EnableDns64":
        subnet.lab_dns64 = flag
    elif name == "MapPublicIpOnLaunch":
        subnet.map_public_ip_on_launch = flag
    else:
        if flag and not subnet_blocks6(subnet):
            raise Refusal("InvalidParameterValue", f"The subnet '{subnet.id}' has no IPv6 CIDR block.")
        subnet.assign_ipv6_address_on_creation = flag
    return {}
