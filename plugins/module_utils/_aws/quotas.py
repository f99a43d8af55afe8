# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quotas that a plan must stay within: live ones from Service Quotas where the credentials allow it, AWS's defaults otherwise.

Names are ours (the lab uses the same); codes are Service Quotas'. Defaults:
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import AwsError, CredentialsError, EndpointUnreachable
from .seam import Caller


@dataclass(frozen=True)
class Quota:
    """``code``: of Service Quotas, under service ``vpc`` or ``ec2``; empty for one that it does not know. ``default``: of a new account."""

    default: int
    code: str = ""
    service: str = "vpc"


QUOTAS: Mapping[str, Quota] = {
    "vpcs": Quota(5, "L-F678F1CE"),
    "internet_gateways": Quota(5, "L-A4707A72"),
    "egress_only_internet_gateways": Quota(5, "L-45FE3B85"),
    "nat_gateways_per_az": Quota(5, "L-FE5A380F"),
    "subnets_per_vpc": Quota(200, "L-407747CB"),
    "ipv4_cidrs_per_vpc": Quota(5, "L-83CA0A9D"),
    "ipv6_cidrs_per_vpc": Quota(5, "L-085A6257"),
    "route_tables_per_vpc": Quota(200, "L-589F43AA"),
    "routes_per_table": Quota(500, "L-93826ACB"),
    "peerings_active": Quota(50, "L-7E9ECCDB"),
    "peerings_outstanding": Quota(25, "L-DC9F7029"),
    "security_groups": Quota(2500, "L-E79EC296"),
    "rules_per_group": Quota(60, "L-0EA8095F"),
    "groups_per_eni": Quota(5, "L-2AFB9258"),
    "network_acls_per_vpc": Quota(200, "L-B4A6D682"),
    "acl_rules": Quota(20, "L-2AEEBF1A"),
    "elastic_ips": Quota(5, "L-0263D0A3", "ec2"),
    "gateway_endpoints": Quota(20, "L-1B52E74A"),
    "interface_endpoints_per_vpc": Quota(50, "L-29B6F2EB"),
    "network_interfaces": Quota(5000, "L-DF5E4CA3"),
    "prefix_lists": Quota(100),
    "prefix_list_entries": Quota(1000),
    "flow_logs_per_resource": Quota(2),
}
DEFAULTS: Mapping[str, int] = {name: quota.default for name, quota in QUOTAS.items()}


@dataclass(frozen=True)
class Quotas:
    """``values``: by name (QUOTAS).

    ``live``: the names that Service Quotas told; the others are AWS's defaults. ``reason``: why not, for people.
    """

    values: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULTS))
    live: frozenset[str] = frozenset()
    reason: str = ""

    def __getitem__(self, name: str) -> int:
        return self.values[name]


def read(api: Caller, account: str, region: str, *, services: tuple[str, ...] = ("vpc",)) -> Quotas:
    """The quotas of one account and Region, in one paged call per service. Without the permission, or the service, the defaults.

    ``services``: add ``ec2`` when elastic IP addresses are at stake. Raises CredentialsError and EndpointUnreachable only.
    """
    codes = {(quota.service, quota.code): name for name, quota in QUOTAS.items() if quota.code}
    values = dict(DEFAULTS)
    live = set()
    reason = ""
    for service in services:
        try:
            items = api.pages(account, region, "servicequotas:ListServiceQuotas", ServiceCode=service)
        except (CredentialsError, EndpointUnreachable):
            raise
        except AwsError as error:
            reason = str(error)
            continue
        for item in items:
            name = codes.get((service, str(item.get("QuotaCode"))))
            if name and item.get("Value") is not None:
                values[name] = int(item["Value"])
                live.add(name)
    return Quotas(values, frozenset(live), reason)
