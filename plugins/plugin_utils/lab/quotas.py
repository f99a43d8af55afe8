# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service quotas that the lab enforces, by short name, as numbers that a test can lower.

Defaults are AWS's own ("Amazon VPC quotas", https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html, and
"VPC peering connection quotas", https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-connection-quotas.html), but for two:
``vpcs`` and ``internet_gateways`` are 5 on a new AWS account and 200 here, so that a hub with a hundred spokes needs no request
to raise them. Set ``vpcs`` to 5 to see what a new account says.
"""

from __future__ import annotations

DEFAULT_QUOTAS: dict[str, int] = {
    "vpcs": 200,
    "internet_gateways": 200,
    "egress_only_internet_gateways": 200,
    "nat_gateways_per_az": 5,
    "subnets_per_vpc": 200,
    "ipv4_cidrs_per_vpc": 5,
    "ipv6_cidrs_per_vpc": 5,
    "route_tables_per_vpc": 200,
    "routes_per_table": 500,
    "peerings_active": 50,
    "peerings_outstanding": 25,
    "security_groups": 2500,
    "rules_per_group": 60,
    "groups_per_eni": 5,
    "network_acls_per_vpc": 200,
    "acl_rules": 20,
    "elastic_ips": 5,
    "gateway_endpoints": 20,
    "interface_endpoints_per_vpc": 50,
    "network_interfaces": 5000,
    "prefix_lists": 100,
    "prefix_list_entries": 1000,
    "flow_logs_per_resource": 2,
}


def check_quotas(wanted: dict[str, object]) -> dict[str, int]:
    """Return ``wanted`` as whole numbers; raises ValueError naming every unknown name and every value that is no count."""
    unknown = sorted(set(wanted) - set(DEFAULT_QUOTAS))
    if unknown:
        raise ValueError(f"unknown quota {', '.join(unknown)}; known are {', '.join(sorted(DEFAULT_QUOTAS))}")
    result: dict[str, int] = {}
    for name, value in wanted.items():
        if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdigit():
            raise ValueError(f"quota {name}: {value!r} is not a whole number of 0 or more")
        result[name] = int(value)
    return result
