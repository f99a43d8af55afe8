# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own describe calls, asked inside its process: no HTTP, no XML, no page, no fault that a test has set.

All of it runs under the lab's lock.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ....module_utils._model.files import ID_KEYS, Item
from ....module_utils._model.snapshot import plain
from ..calls import AMENDMENTS, ANSWERS, Call, Refusal
from ..fidelity.shapes import all_groups
from .needs import TRANSIT, Need

if TYPE_CHECKING:
    from ..core import Lab

#: What an item tells that another file holds and keeps up to date: a group's rules change without a new reading of the group.
_TOLD_ELSEWHERE = {"SecurityGroups": ("IpPermissions", "IpPermissionsEgress")}
_MEMBERS = {"Instances": "Reservations", "ManagedPrefixLists": "PrefixLists"}
#: File to the describe call and its parameter for ids ("" for none: then all are read and those asked for kept).
_CALLS: dict[str, tuple[str, str]] = {
    "Vpcs": ("DescribeVpcs", "VpcIds"),
    "Subnets": ("DescribeSubnets", "SubnetIds"),
    "RouteTables": ("DescribeRouteTables", "RouteTableIds"),
    "SecurityGroups": ("DescribeSecurityGroups", "GroupIds"),
    "SecurityGroupRules": ("DescribeSecurityGroupRules", "SecurityGroupRuleIds"),
    "NetworkAcls": ("DescribeNetworkAcls", "NetworkAclIds"),
    "VpcPeeringConnections": ("DescribeVpcPeeringConnections", "VpcPeeringConnectionIds"),
    "InternetGateways": ("DescribeInternetGateways", "InternetGatewayIds"),
    "EgressOnlyInternetGateways": ("DescribeEgressOnlyInternetGateways", ""),
    "NatGateways": ("DescribeNatGateways", ""),
    "Addresses": ("DescribeAddresses", ""),
    "VpcEndpoints": ("DescribeVpcEndpoints", "VpcEndpointIds"),
    "NetworkInterfaces": ("DescribeNetworkInterfaces", "NetworkInterfaceIds"),
    "Instances": ("DescribeInstances", "InstanceIds"),
    "ManagedPrefixLists": ("DescribeManagedPrefixLists", "PrefixListIds"),
    "FlowLogs": ("DescribeFlowLogs", ""),
    "TransitGateways": ("DescribeTransitGateways", ""),
    "TransitGatewayAttachments": ("DescribeTransitGatewayAttachments", ""),
    "TransitGatewayVpcAttachments": ("DescribeTransitGatewayVpcAttachments", ""),
    "TransitGatewayRouteTables": ("DescribeTransitGatewayRouteTables", ""),
}


def backends(service: str) -> list[tuple[str, str, Any]]:
    """(account, Region, the emulator's backend) of a service, wherever there is one already; none is made."""
    found: Any = importlib.import_module("moto.backends").get_backend(service)
    return [(account, region, backend) for account, regions in list(found.items()) for region, backend in list(regions.items())]


def ask(lab: Lab, account: str, region: str, action: str, **params: Any) -> dict[str, Any]:
    """The answer to an EC2 call, in boto3's shape. Raises Refusal."""
    call = Call(lab, "ec2", action, account, region, params)
    answer = ANSWERS.get(("ec2", action))
    result = answer(call) if answer is not None else call.emulate()
    for amendment in AMENDMENTS.get(("ec2", action), ()):
        result = amendment(call, result)
    return result


def read(lab: Lab, need: Need) -> list[Item]:
    """The items of a file that are asked for, as JSON values; those that are not there are left out."""
    place = need.account, need.region
    special = _SPECIAL.get(need.file)
    if special is not None:
        found = special(lab, *place, set(need.values) if need.by == "id" else None)
    elif need.file in TRANSIT and not lab.backend("ec2", *place).transit_gateways:
        found = []
    elif need.by == "id" and _CALLS[need.file][1]:
        found = _by_ids(lab, need)
    elif need.by in ("vpc", "group"):
        found = _filtered(lab, need)
    else:
        found = _list(need.file, ask(lab, *place, _CALLS[need.file][0]))
        if need.by == "id":
            found = [item for item in found if item.get(ID_KEYS[need.file]) in need.values]
    left_out = _TOLD_ELSEWHERE.get(need.file, ())
    return [plain({key: value for key, value in item.items() if key not in left_out}) for item in found]


def _list(file: str, answer: dict[str, Any]) -> list[Any]:
    items: list[Any] = answer.get(_MEMBERS.get(file, file)) or []
    if file == "Instances":
        return [instance for reservation in items for instance in reservation["Instances"]]
    return items


def _by_ids(lab: Lab, need: Need) -> list[Any]:
    """Those named. A describe call refuses them all when one is gone: then one by one."""
    action, member = _CALLS[need.file]

    def some(ids: Sequence[str]) -> list[Any]:
        return _list(need.file, ask(lab, need.account, need.region, action, **{member: list(ids)}))

    try:
        return some(need.values)
    except Refusal:
        found: list[Any] = []
        for id_ in need.values if len(need.values) > 1 else ():
            try:
                found += some((id_,))
            except Refusal:
                continue
        return found


def _filtered(lab: Lab, need: Need) -> list[Any]:
    values: Iterable[str] = need.values
    if need.by == "group":
        # Only groups that are there: the lab looks for their rules alone then.
        groups = all_groups(lab.backend("ec2", need.account, need.region))
        values = [value for value in need.values if value in groups]
    if not values:
        return []
    filters = [{"Name": {"vpc": "vpc-id", "group": "group-id"}[need.by], "Values": list(values)}]
    return _list(need.file, ask(lab, need.account, need.region, _CALLS[need.file][0], Filters=filters))


def _attributes(lab: Lab, account: str, region: str, ids: set[str] | None) -> list[Any]:
    """What DescribeVpcAttribute tells, one call for each VPC and attribute, is two flags of the emulator's VPC."""
    vpcs = lab.backend("ec2", account, region).vpcs
    return [
        {
            "VpcId": key,
            "EnableDnsSupport": {"Value": bool(vpc.enable_dns_support)},
            "EnableDnsHostnames": {"Value": bool(vpc.enable_dns_hostnames)},
        }
        for key, vpc in vpcs.items()
        if ids is None or key in ids
    ]


def _entries(lab: Lab, account: str, region: str, ids: set[str] | None) -> list[Any]:
    found = []
    for id_ in list(lab.backend("ec2", account, region).managed_prefix_lists):
        if ids is None or id_ in ids:
            entries: list[Any] = []
            token: str | None = ""
            while token is not None:
                more = {"NextToken": token} if token else {}
                answer = ask(lab, account, region, "GetManagedPrefixListEntries", PrefixListId=id_, **more)
                entries += answer["Entries"]
                token = answer.get("NextToken")
            found.append({"PrefixListId": id_, "Entries": entries})
    return found


def _per_table(action: str, member: str) -> Callable[[Lab, str, str, set[str] | None], list[Any]]:
    """Files that are made of a call for each transit gateway route table."""

    def read_tables(lab: Lab, account: str, region: str, ids: set[str] | None) -> list[Any]:
        backend, key, found = lab.backend("ec2", account, region), "TransitGatewayRouteTableId", []
        more = {"Filters": [{"Name": "type", "Values": ["static"]}]} if member == "Routes" else {}
        for id_ in list(backend.transit_gateways_route_tables) if backend.transit_gateways else ():
            if ids is None or id_ in ids:
                answer = ask(lab, account, region, action, **{key: id_}, **more)
                found.append({key: id_, member: answer.get(member) or []})
        return found

    return read_tables


_SPECIAL: dict[str, Callable[[Any, str, str, set[str] | None], list[Any]]] = {
    "VpcAttributes": _attributes,
    "PrefixListEntries": _entries,
    "TransitGatewayStaticRoutes": _per_table("SearchTransitGatewayRoutes", "Routes"),
    "TransitGatewayPropagations": _per_table("GetTransitGatewayRouteTablePropagations", "TransitGatewayRouteTablePropagations"),
}
