# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC endpoints: interface endpoints with an interface per subnet and AWS's DNS names, gateway endpoints with routes in their tables.

The routes are kept by route_tables.py, from the tables that an endpoint names here.
Sources: https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html (one subnet per zone, default group,
private DNS needs both DNS attributes of the VPC), https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html (names),
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpoint.html.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from ..calls import Call, Refusal, instead
from .addresses import take, take_ipv6
from .endpoint_services import GATEWAY, known, private_names, zone_id
from .interfaces import groups_for, make, release, set_groups
from .route_tables import keep_endpoint_routes
from .shapes import clean, find_group, find_subnet, find_vpc, invalid, keep, missing, named, new_id, paged, put_tags, tags_asked, tags_of

_POLICY = json.dumps({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})


class Endpoint:
    """One endpoint, kept in the emulator's table under the emulator's member names (routes and VPCs look at them)."""

    def __init__(self, backend: Any, vpc: str, service: str, kind: str) -> None:
        self.id, self.ec2_backend, self.vpc_id, self.service_name, self.vpc_endpoint_type = new_id("vpce"), backend, vpc, service, kind
        self.state = "available"
        self.policy_document = _POLICY
        self.route_table_ids: list[str] = []
        self.destination_prefix_list_id: str | None = None
        self.private_dns_enabled = False
        self.enis: dict[str, str] = {}
        self.groups: list[Any] = []
        self.label = secrets.token_hex(4)
        self.address_type = "ipv4"
        self.dns_options: dict[str, Any] = {}
        self.created: Any = None

    @property
    def subnet_ids(self) -> list[str]:
        return list(self.enis)

    @property
    def network_interface_ids(self) -> list[str]:
        return list(self.enis.values())

    @property
    def short(self) -> str:
        """The service's short name, or an endpoint service's id."""
        return self.service_name.removeprefix(f"com.amazonaws.{self.ec2_backend.region_name}.").rsplit(".amazonaws.com", 1)[0]

    def get_tags(self) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self.ec2_backend.tags.get(self.id, {}).items()]


def dns_entries(endpoint: Endpoint) -> list[dict[str, str]]:
    """The endpoint's names: regional, one per zone, and the service's own where private DNS is on."""
    if endpoint.vpc_endpoint_type != "Interface":
        return []
    region = endpoint.ec2_backend.region_name
    short = endpoint.short.rsplit(".", 1)[-1] if endpoint.short.startswith("com.amazonaws.vpce") else endpoint.short
    zone = zone_id(f"vpce/{region}")
    domain = f"{short}.{region}.vpce.amazonaws.com"
    zones = sorted(find_subnet(endpoint.ec2_backend, subnet).availability_zone for subnet in endpoint.enis)
    hosts = [f"{endpoint.id}-{endpoint.label}", *(f"{endpoint.id}-{endpoint.label}-{name}" for name in zones)]
    entries = [{"DnsName": f"{host}.{domain}", "HostedZoneId": zone} for host in hosts]
    if endpoint.private_dns_enabled:
        entries += [{"DnsName": name, "HostedZoneId": zone_id(endpoint.id)} for name in private_names(short, region)]
    return entries


def _private_dns(call: Call, endpoint: Endpoint) -> None:
    """Whether private DNS can be on for an endpoint, or AWS's refusal."""
    vpc = find_vpc(call.backend(), endpoint.vpc_id)
    names = private_names(endpoint.short, call.region)
    if not names:
        raise Refusal(
            "InvalidParameter",
            f"Private DNS can't be enabled because the service {endpoint.service_name} does not provide a private DNS name.",
        )
    if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
        raise Refusal(
            "InvalidParameter",
            f"Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for {vpc.id}",
        )
    for other in call.backend().vpc_end_points.values():
        if other is not endpoint and other.vpc_id == vpc.id and other.private_dns_enabled and other.service_name == endpoint.service_name:
            raise Refusal(
                "InvalidParameter",
                f"private-dns-enabled cannot be set because there is already a conflicting DNS domain for {names[0]} in the VPC {vpc.id}",
            )


def _check_subnets(call: Call, endpoint: Endpoint, ids: Sequence[str]) -> list[Any]:
    backend = call.backend()
    zones = {find_subnet(backend, item).availability_zone for item in endpoint.enis}
    subnets = []
    for item in ids:
        subnet = find_subnet(backend, item)
        if subnet.vpc_id != endpoint.vpc_id:
            raise Refusal("InvalidParameter", f"The subnet {item} is not in the VPC {endpoint.vpc_id}")
        if subnet.availability_zone in zones:
            raise Refusal("DuplicateSubnetsInSameZone", f"Found another VPC endpoint subnet in the availability zone of {item}")
        zones.add(subnet.availability_zone)
        subnets.append(subnet)
    return subnets


def _groups(call: Call, vpc: str, ids: Sequence[str]) -> list[Any]:
    groups = [find_group(call.backend(), item) for item in dict.fromkeys(ids)]
    for group in groups:
        if group.vpc_id != vpc:
            raise Refusal("InvalidGroup.NotFound", f"The security group '{group.id}' does not exist in VPC '{vpc}'")
    return groups


def _add_subnets(call: Call, endpoint: Endpoint, subnets: Sequence[Any]) -> None:
    backend = call.backend()
    wanted = {str(item.get("SubnetId")): item for item in call.params.get("SubnetConfigurations") or []}
    # All addresses are found before the first interface is made: the call makes all of them or none.
    plans = []
    for subnet in subnets:
        asked = wanted.get(subnet.id, {})
        addresses = take(backend, subnet, 1, [str(asked["Ipv4"])] if asked.get("Ipv4") else [])
        ipv6 = take_ipv6(backend, subnet, 1, [str(asked["Ipv6"])] if asked.get("Ipv6") else []) if endpoint.address_type != "ipv4" else []
        plans.append((subnet, addresses, ipv6))
    for subnet, addresses, ipv6 in plans:
        eni = make(call, subnet, addresses, endpoint.groups, f"VPC Endpoint Interface {endpoint.id}", ipv6, service="vpc_endpoint")
        endpoint.enis[subnet.id] = eni.id


def _tables(call: Call, endpoint: Endpoint, ids: Sequence[str]) -> None:
    backend = call.backend()
    for item in ids:
        table = backend.route_tables.get(item)
        if table is None:
            raise Refusal("InvalidRouteTableId.NotFound", f"The routeTable ID '{item}' does not exist")
        if table.vpc_id != endpoint.vpc_id:
            raise Refusal("InvalidParameter", f"The route table {item} is not in the VPC {endpoint.vpc_id}")
        for other in backend.vpc_end_points.values():
            if other is not endpoint and item in other.route_table_ids and other.service_name == endpoint.service_name:
                raise Refusal(
                    "RouteAlreadyExists",
                    f"route table {item} already has a route with destination-prefix-list-id {endpoint.destination_prefix_list_id}",
                )


def _check_quota(call: Call, vpc: str, kind: str) -> None:
    have = [item for item in call.backend().vpc_end_points.values() if item.vpc_endpoint_type == kind]
    if kind == "Interface":
        have = [item for item in have if item.vpc_id == vpc]
    limit = call.lab.quotas["interface_endpoints_per_vpc" if kind == "Interface" else "gateway_endpoints"]
    if len(have) >= limit:
        raise Refusal("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")


def _check_policy(text: Any) -> str:
    try:
        document = json.loads(str(text))
    except ValueError:
        document = None
    if not isinstance(document, dict) or "Statement" not in document:
        raise Refusal("InvalidPolicyDocument", "The policy document is not valid JSON with a Statement.")
    return str(text)


@instead("ec2", "CreateVpcEndpoint")
def create(call: Call) -> dict[str, Any]:
    """Make an endpoint for a service."""
    backend, params = call.backend(), call.params
    vpc = find_vpc(backend, str(params.get("VpcId") or ""))
    kind, service = str(params.get("VpcEndpointType") or "Gateway"), str(params.get("ServiceName") or "")
    if not service:
        raise missing("ServiceName")
    if kind not in ("Interface", "Gateway"):
        raise Refusal("UnsupportedOperation", f"Endpoints of type {kind} are not supported by the embedded lab.")
    own = any(item.to_dict()["ServiceName"] == service for item in backend.configurations.values())
    short = known(service, call.region)
    if short is None and not own:
        raise Refusal("InvalidServiceName", f"The Vpc Endpoint Service '{service}' does not exist")
    if kind == "Gateway" and short not in GATEWAY:
        raise Refusal("InvalidParameter", f"Endpoint type (Gateway) does not match available service types ([Interface]) of {service}.")
    if kind == "Interface" and params.get("RouteTableIds"):
        raise Refusal("InvalidParameter", "Route table IDs are only supported for Gateway type VPC Endpoints.")
    if kind == "Gateway" and (params.get("SubnetIds") or params.get("SecurityGroupIds")):
        raise Refusal("InvalidParameter", "Subnet and security group IDs are only supported for Interface type VPC Endpoints.")
    _check_quota(call, vpc.id, kind)
    tags = tags_asked(call, "vpc-endpoint")
    endpoint = Endpoint(backend, vpc.id, service, kind)
    endpoint.created = call.lab.now()
    endpoint.address_type = str(params.get("IpAddressType") or "ipv4")
    endpoint.dns_options = dict(params.get("DnsOptions") or {})
    if params.get("PolicyDocument"):
        endpoint.policy_document = _check_policy(params["PolicyDocument"])
    if kind == "Gateway":
        lists = backend.managed_prefix_lists.values()
        endpoint.destination_prefix_list_id = next(item.id for item in lists if item.prefix_list_name == service)
        ids = list(dict.fromkeys(params.get("RouteTableIds") or []))
        _tables(call, endpoint, ids)
        endpoint.route_table_ids = ids
    else:
        # S3 and DynamoDB have no private DNS unless asked; every other AWS service has.
        wanted = params.get("PrivateDnsEnabled")
        endpoint.private_dns_enabled = bool(wanted) if wanted is not None else bool(short and short not in GATEWAY)
        if endpoint.private_dns_enabled:
            _private_dns(call, endpoint)
        subnets = _check_subnets(call, endpoint, list(dict.fromkeys(params.get("SubnetIds") or [])))
        asked = params.get("SecurityGroupIds") or []
        if subnets:
            endpoint.groups = groups_for(call, subnets[0], asked)
        else:
            endpoint.groups = _groups(call, vpc.id, asked) or [backend.get_default_security_group(vpc.id)]
        _add_subnets(call, endpoint, subnets)
    backend.vpc_end_points[endpoint.id] = endpoint
    put_tags(backend, endpoint.id, tags)
    answer = {**show(call, endpoint), "State": "pending" if kind == "Interface" else "available"}
    return clean({"VpcEndpoint": answer, "ClientToken": params.get("ClientToken")})


def show(call: Call, endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint as DescribeVpcEndpoints shows it."""
    interface = endpoint.vpc_endpoint_type == "Interface"
    return clean(
        {
            "VpcEndpointId": endpoint.id,
            "VpcEndpointType": endpoint.vpc_endpoint_type,
            "VpcId": endpoint.vpc_id,
            "ServiceName": endpoint.service_name,
            "State": endpoint.state,
            "PolicyDocument": endpoint.policy_document,
            "RouteTableIds": list(endpoint.route_table_ids),
            "SubnetIds": endpoint.subnet_ids,
            "Groups": [{"GroupId": group.id, "GroupName": group.name} for group in endpoint.groups],
            "IpAddressType": endpoint.address_type if interface else None,
            "DnsOptions": {"DnsRecordIpType": "ipv4", **endpoint.dns_options} if interface else None,
            "PrivateDnsEnabled": endpoint.private_dns_enabled,
            "RequesterManaged": False,
            "NetworkInterfaceIds": endpoint.network_interface_ids,
            "DnsEntries": dns_entries(endpoint),
            "CreationTimestamp": endpoint.created,
            "OwnerId": call.account,
            "Tags": tags_of(call.backend(), endpoint.id),
        }
    )


_FIELDS: dict[str, Any] = {
    "ip-address-type": lambda item: item.address_type,
    "service-name": lambda item: item.service_name,
    "vpc-id": lambda item: item.vpc_id,
    "vpc-endpoint-id": lambda item: item.id,
    "vpc-endpoint-state": lambda item: item.state,
    "vpc-endpoint-type": lambda item: item.vpc_endpoint_type,
}


@instead("ec2", "DescribeVpcEndpoints")
def describe(call: Call) -> dict[str, Any]:
    """Endpoints, with filters and paging."""
    backend = call.backend()
    items = named(call, "VpcEndpointIds", backend.vpc_end_points, "InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id")
    items = keep(call, items, _FIELDS, lambda item: backend.tags.get(item.id, {}), render=lambda item: show(call, item))
    return paged(call, "VpcEndpoints", items, lambda item: show(call, item))


def _list(call: Call, member: str) -> list[str]:
    return [str(item) for item in call.params.get(member) or []]


@instead("ec2", "ModifyVpcEndpoint")
def modify(call: Call) -> dict[str, Any]:
    """Change an endpoint's tables, or its subnets, groups and private DNS; or its policy."""
    backend, params = call.backend(), call.params
    endpoint = backend.vpc_end_points.get(str(params.get("VpcEndpointId") or ""))
    if endpoint is None:
        raise Refusal("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{params.get('VpcEndpointId')}' does not exist")
    interface = endpoint.vpc_endpoint_type == "Interface"
    for member in (
        ("AddRouteTableIds", "RemoveRouteTableIds")
        if interface
        else ("AddSubnetIds", "RemoveSubnetIds", "AddSecurityGroupIds", "RemoveSecurityGroupIds")
    ):
        if params.get(member):
            raise Refusal("InvalidParameter", f"{member} is not supported for {endpoint.vpc_endpoint_type} type VPC Endpoints.")
    policy = _check_policy(params["PolicyDocument"]) if params.get("PolicyDocument") else None
    gone = _list(call, "RemoveRouteTableIds")
    tables = [item for item in endpoint.route_table_ids if item not in gone]
    new = [item for item in _list(call, "AddRouteTableIds") if item not in tables]
    _tables(call, endpoint, new)
    leaving = [item for item in _list(call, "RemoveSubnetIds") if item in endpoint.enis]
    freed = {item: endpoint.enis.pop(item) for item in leaving}
    try:
        subnets = _check_subnets(call, endpoint, [item for item in _list(call, "AddSubnetIds") if item not in endpoint.enis])
    except Refusal:
        endpoint.enis.update(freed)
        raise
    dropped = _list(call, "RemoveSecurityGroupIds")
    groups = [group for group in endpoint.groups if group.id not in dropped]
    added = _groups(call, endpoint.vpc_id, _list(call, "AddSecurityGroupIds"))
    groups += [group for group in added if group not in groups]
    if interface and not groups:
        endpoint.enis.update(freed)
        raise invalid("An interface endpoint needs at least one security group.")
    if len(groups) > call.lab.quotas["groups_per_eni"]:
        endpoint.enis.update(freed)
        raise Refusal("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
    if params.get("PrivateDnsEnabled") and not endpoint.private_dns_enabled:
        _private_dns(call, endpoint)
    endpoint.groups, endpoint.route_table_ids = groups, [*tables, *new]
    for eni in freed.values():
        release(backend, eni)
    _add_subnets(call, endpoint, subnets)
    for eni in endpoint.network_interface_ids:
        set_groups(backend.enis[eni], groups)
    if params.get("PrivateDnsEnabled") is not None:
        endpoint.private_dns_enabled = bool(params["PrivateDnsEnabled"])
    if params.get("ResetPolicy"):
        endpoint.policy_document = _POLICY
    if policy is not None:
        endpoint.policy_document = policy
    if params.get("DnsOptions"):
        endpoint.dns_options.update(params["DnsOptions"])
    if params.get("IpAddressType"):
        endpoint.address_type = str(params["IpAddressType"])
    return {"Return": True}


@instead("ec2", "DeleteVpcEndpoints")
def delete(call: Call) -> dict[str, Any]:
    """Remove endpoints with their interfaces and routes; unknown ids are told, and the others go."""
    backend, failed = call.backend(), []
    for item in _list(call, "VpcEndpointIds"):
        endpoint = backend.vpc_end_points.get(item)
        if endpoint is None:
            message = f"The Vpc Endpoint Id '{item}' does not exist"
            failed.append({"ResourceId": item, "Error": {"Code": "InvalidVpcEndpoint.NotFound", "Message": message}})
            continue
        endpoint.state = "deleted"
        keep_endpoint_routes(backend, endpoint)
        for eni in endpoint.network_interface_ids:
            release(backend, eni)
        del backend.vpc_end_points[item]
        backend.tags.pop(item, None)
    return {"Unsuccessful": failed}
