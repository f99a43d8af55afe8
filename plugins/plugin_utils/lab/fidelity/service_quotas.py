# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service Quotas: the quotas that the lab enforces, under AWS's codes and names, so that a preflight reads the numbers that will hold.

Source: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html; the codes are those of
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html (its links to the Service Quotas console carry them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..calls import Call, Refusal, instead
from ..quotas import DEFAULT_QUOTAS
from .shapes import clean, page

_SERVICES = {"vpc": "Amazon Virtual Private Cloud (Amazon VPC)", "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)"}


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota. ``short`` is its name in the lab's settings, or "" when the lab does not enforce it; ``default`` is AWS's."""

    service: str
    code: str
    name: str
    short: str
    default: float
    adjustable: bool = True


QUOTAS = (
    Quota("vpc", "L-7E9ECCDB", "Active VPC peering connections per VPC", "peerings_active", 50),
    Quota("vpc", "L-3248932A", "Characters per VPC endpoint policy", "", 20480, False),
    Quota("vpc", "L-45FE3B85", "Egress-only internet gateways per Region", "egress_only_internet_gateways", 5),
    Quota("vpc", "L-1B52E74A", "Gateway VPC endpoints per Region", "gateway_endpoints", 20),
    Quota("vpc", "L-83CA0A9D", "IPv4 CIDR blocks per VPC", "ipv4_cidrs_per_vpc", 5),
    Quota("vpc", "L-085A6257", "IPv6 CIDR blocks per VPC", "ipv6_cidrs_per_vpc", 5),
    Quota("vpc", "L-0EA8095F", "Inbound or outbound rules per security group", "rules_per_group", 60),
    Quota("vpc", "L-29B6F2EB", "Interface VPC endpoints per VPC", "interface_endpoints_per_vpc", 50),
    Quota("vpc", "L-A4707A72", "Internet gateways per Region", "internet_gateways", 5),
    Quota("vpc", "L-FE5A380F", "NAT gateways per Availability Zone", "nat_gateways_per_az", 5),
    Quota("vpc", "L-B4A6D682", "Network ACLs per VPC", "network_acls_per_vpc", 200),
    Quota("vpc", "L-DF5E4CA3", "Network interfaces per Region", "network_interfaces", 5000),
    Quota("vpc", "L-DC9F7029", "Outstanding VPC peering connection requests", "peerings_outstanding", 25),
    Quota("vpc", "L-589F43AA", "Route tables per VPC", "route_tables_per_vpc", 200),
    Quota("vpc", "L-93826ACB", "Routes per route table", "routes_per_table", 500),
    Quota("vpc", "L-2AEEBF1A", "Rules per network ACL", "acl_rules", 20),
    Quota("vpc", "L-2AFB9258", "Security groups per network interface", "groups_per_eni", 5),
    Quota("vpc", "L-407747CB", "Subnets per VPC", "subnets_per_vpc", 200),
    Quota("vpc", "L-8312C5BB", "VPC peering connection request expiry hours", "", 168, False),
    Quota("vpc", "L-E79EC296", "VPC security groups per Region", "security_groups", 2500),
    Quota("vpc", "L-F678F1CE", "VPCs per Region", "vpcs", 5),
    Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", "elastic_ips", 5),
)


def _show(call: Call, quota: Quota, default: bool) -> dict[str, Any]:
    value = quota.default if default or quota.short not in DEFAULT_QUOTAS else call.lab.quotas[quota.short]
    return clean(
        {
            "ServiceCode": quota.service,
            "ServiceName": _SERVICES[quota.service],
            "QuotaArn": f"arn:aws:servicequotas:{call.region}:{'' if default else call.account}:{quota.service}/{quota.code}",
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": float(value),
            "Unit": "None",
            "Adjustable": quota.adjustable,
            "GlobalQuota": False,
            "QuotaAppliedAtLevel": None if default else "ACCOUNT",
        }
    )


def _service(call: Call) -> str:
    service = str(call.params.get("ServiceCode") or "")
    if service not in _SERVICES:
        raise Refusal("NoSuchResourceException", f"The embedded lab has quotas of {', '.join(_SERVICES)}, not of '{service}'.")
    return service


@instead("service-quotas", "ListServiceQuotas", "ListAWSDefaultServiceQuotas")
def list_quotas(call: Call) -> dict[str, Any]:
    """A service's quotas: in force, or AWS's defaults."""
    service, default = _service(call), call.action.startswith("ListAWSDefault")
    wanted = call.params.get("QuotaCode")
    items = [quota for quota in QUOTAS if quota.service == service and wanted in (None, quota.code)]
    shown, following = page(call, items, 1, 100, 100)
    return clean({"Quotas": [_show(call, quota, default) for quota in shown], "NextToken": following})


@instead("service-quotas", "GetServiceQuota", "GetAWSDefaultServiceQuota")
def get_quota(call: Call) -> dict[str, Any]:
    """One quota by its code."""
    service, code = _service(call), call.params.get("QuotaCode")
    for quota in QUOTAS:
        if (quota.service, quota.code) == (service, code):
            return {"Quota": _show(call, quota, call.action.startswith("GetAWSDefault"))}
    raise Refusal("NoSuchResourceException", f"The request failed because the specified service {service} has no quota {code}.")


@instead("service-quotas", "ListServices")
def list_services(call: Call) -> dict[str, Any]:
    """The services whose quotas the lab has."""
    return {"Services": [{"ServiceCode": code, "ServiceName": name} for code, name in _SERVICES.items()]}
