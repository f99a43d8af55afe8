# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags: AWS's names of the resource types, AWS's limits, and every tag that a creating call asks for.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TagSpecification.html (types),
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html (limits), https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html.
A tag belongs to the account and Region that wrote it: each has its own table in the emulator, and a peering connection's two
owners never see each other's. A resource's tags are deleted with it (Using_Tags.html): the emulator keeps the tags of what went with
something else (a VPC's main table, a group's rules), so that its table is swept before it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import Any

from ..calls import Call, Refusal, after, before, instead
from .group_references import rule_owner
from .groups_store import rules_of
from .instances import forget as forget_instances
from .nat import refresh as refresh_nats
from .peering_book import visible_peerings
from .shapes import all_groups, all_subnets, check_tags, invalid, keep, look_group, missing, paged, put_tags, tags_asked, tags_of

Known = Callable[[Any, str], bool]


def _in(member: str) -> Known:
    return lambda backend, resource: resource in getattr(backend, member)


def _instance(backend: Any, resource: str) -> bool:
    return any(item.id == resource for reservation in backend.reservations.values() for item in reservation.instances)


# prefix of the id -> AWS's type, whether it exists, the code of its absence, the noun in the message
_TYPES: dict[str, tuple[str, Known, str, str]] = {
    "acl": ("network-acl", _in("network_acls"), "InvalidNetworkAclID.NotFound", "networkAcl ID"),
    "ami": ("image", _in("amis"), "InvalidAMIID.NotFound", "image id"),
    "cagw": ("carrier-gateway", _in("carrier_gateways"), "InvalidCarrierGatewayID.NotFound", "carrierGateway ID"),
    "cgw": ("customer-gateway", _in("customer_gateways"), "InvalidCustomerGatewayID.NotFound", "customerGateway ID"),
    "dopt": ("dhcp-options", _in("dhcp_options_sets"), "InvalidDhcpOptionID.NotFound", "dhcpOption ID"),
    "eigw": ("egress-only-internet-gateway", _in("egress_only_internet_gateways"), "InvalidGatewayID.NotFound", "eigw ID"),
    "eipalloc": (
        "elastic-ip",
        lambda backend, resource: any(item.allocation_id == resource for item in backend.addresses),
        "InvalidAllocationID.NotFound",
        "allocation ID",
    ),
    "eni": ("network-interface", _in("enis"), "InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
    "fl": ("vpc-flow-log", _in("flow_logs"), "InvalidFlowLogId.NotFound", "flow log ID"),
    "i": ("instance", _instance, "InvalidInstanceID.NotFound", "instance ID"),
    "igw": ("internet-gateway", _in("internet_gateways"), "InvalidInternetGatewayID.NotFound", "internetGateway ID"),
    "key": (
        "key-pair",
        lambda backend, resource: any(item.id == resource for item in backend.key_pairs.values()),
        "InvalidKeyPair.NotFound",
        "key pair ID",
    ),
    "lt": ("launch-template", _in("launch_templates"), "InvalidLaunchTemplateId.NotFound", "launch template ID"),
    "nat": ("natgateway", _in("nat_gateways"), "InvalidNatGatewayID.NotFound", "natGateway ID"),
    "pcx": ("vpc-peering-connection", _in("vpc_pcxs"), "InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID"),
    "pl": ("prefix-list", _in("managed_prefix_lists"), "InvalidPrefixListID.NotFound", "prefix list ID"),
    "rtb": ("route-table", _in("route_tables"), "InvalidRouteTableID.NotFound", "routeTable ID"),
    "sg": (
        "security-group",
        lambda backend, resource: look_group(backend, resource) is not None,
        "InvalidGroup.NotFound",
        "security group",
    ),
    "sgr": (
        "security-group-rule",
        lambda backend, resource: rule_owner(backend, resource) is not None,
        "InvalidSecurityGroupRuleId.NotFound",
        "security group rule ID",
    ),
    "snap": ("snapshot", _in("snapshots"), "InvalidSnapshot.NotFound", "snapshot"),
    "subnet": ("subnet", lambda backend, resource: resource in all_subnets(backend), "InvalidSubnetID.NotFound", "subnet ID"),
    "tgw": ("transit-gateway", _in("transit_gateways"), "InvalidTransitGatewayID.NotFound", "transitGateway ID"),
    "tgw-attach": (
        "transit-gateway-attachment",
        _in("transit_gateway_attachments"),
        "InvalidTransitGatewayAttachmentID.NotFound",
        "transitGatewayAttachment ID",
    ),
    "tgw-rtb": ("transit-gateway-route-table", _in("transit_gateways_route_tables"), "InvalidRouteTableID.NotFound", "routeTable ID"),
    "vgw": ("vpn-gateway", _in("vpn_gateways"), "InvalidVpnGatewayID.NotFound", "vpnGateway ID"),
    "vol": ("volume", _in("volumes"), "InvalidVolume.NotFound", "volume"),
    "vpc": ("vpc", _in("vpcs"), "InvalidVpcID.NotFound", "vpc ID"),
    "vpce": ("vpc-endpoint", _in("vpc_end_points"), "InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id"),
    "vpce-svc": ("vpc-endpoint-service", _in("configurations"), "InvalidVpcEndpointServiceId.NotFound", "VpcEndpointServiceId"),
    "vpn": ("vpn-connection", _in("vpn_connections"), "InvalidVpnConnectionID.NotFound", "vpnConnection ID"),
}
# Types whose objects the emulator keeps in places of its own: their ids are taken as they come.
_OTHERS = {
    "eni-attach": "network-interface-attachment",
    "fleet": "fleet",
    "h": "dedicated-host",
    "scr": "subnet-cidr-reservation",
    "sfr": "spot-fleet-request",
    "sir": "spot-instances-request",
    "tmf": "traffic-mirror-filter",
    "tms": "traffic-mirror-session",
    "tmt": "traffic-mirror-target",
}


def type_of(resource: str) -> str:
    """AWS's name of the type of a resource id ("" for a prefix that AWS does not have)."""
    prefix = resource.rsplit("-", 1)[0]
    return _TYPES[prefix][0] if prefix in _TYPES else _OTHERS.get(prefix, "")


def check_exists(backend: Any, resource: str) -> None:
    """Raise AWS's refusal of an id that is malformed or names nothing."""
    prefix, _mark, digits = resource.rpartition("-")
    if not type_of(resource) or not digits or not all(char in "0123456789abcdef" for char in digits):
        raise Refusal("InvalidID", f"The ID '{resource}' is not valid")
    if prefix in _TYPES:
        _other, known, code, noun = _TYPES[prefix]
        if not known(backend, resource):
            raise Refusal(code, f"The {noun} '{resource}' does not exist")


def _resources(call: Call) -> list[str]:
    ids = [str(item) for item in call.params.get("Resources") or []]
    if not ids:
        raise missing("resourceIdSet")
    for resource in ids:
        check_exists(call.backend(), resource)
    return ids


@instead("ec2", "CreateTags")
def create(call: Call) -> dict[str, Any]:
    """Write tags on resources: all of them, or none with a refusal."""
    backend, ids = call.backend(), _resources(call)
    if not call.params.get("Tags"):
        raise missing("tagSet")
    tags = check_tags(call.params["Tags"])
    for resource in ids:
        check_tags([], len(set(backend.tags.get(resource, {})) | set(tags)))
    for resource in ids:
        put_tags(backend, resource, tags)
    return {"Return": True}


@instead("ec2", "DeleteTags")
def delete(call: Call) -> dict[str, Any]:
    """Remove tags: those named (with that value, if one is given), or all that are not AWS's own; what is not there is no error."""
    backend, wanted = call.backend(), call.params.get("Tags")
    for resource in [str(item) for item in call.params.get("Resources") or []]:
        if not type_of(resource):
            raise Refusal("InvalidID", f"The ID '{resource}' is not valid")
        have = backend.tags.get(resource)
        if not have:
            continue
        if not wanted:
            for key in [key for key in have if not key.startswith("aws:")]:
                del have[key]
        for tag in wanted or []:
            key, value = str(tag.get("Key", "")), tag.get("Value")
            if key.lower().startswith("aws:"):
                raise invalid("Tag keys starting with 'aws:' are reserved for internal use")
            if key in have and (value is None or have[key] == value):
                del have[key]
    return {"Return": True}


# Where one look-up walks over all objects of a type, a sweep takes the ids of all at once instead.
_ALL: dict[str, Callable[[Any], Container[str]]] = {
    "eipalloc": lambda backend: {item.allocation_id for item in backend.addresses},
    "i": lambda backend: {item.id for reservation in backend.reservations.values() for item in reservation.instances},
    "key": lambda backend: {item.id for item in backend.key_pairs.values()},
    "sg": all_groups,
    "sgr": lambda backend: {rule.id for group in all_groups(backend).values() for rule in rules_of(group)},
    "subnet": all_subnets,
}


def sweep(call: Call, ids: Iterable[str]) -> None:
    """Drop the tags of those resources that exist no more; one that AWS shows for a while after its end keeps them as long."""
    backend = call.backend()
    groups: dict[str, list[str]] = {}
    for resource in ids:
        groups.setdefault(resource.rpartition("-")[0], []).append(resource)
    for prefix, refresh in (("i", forget_instances), ("nat", refresh_nats), ("pcx", visible_peerings)):
        if prefix in groups:
            refresh(call)
    for prefix, members in groups.items():
        if prefix not in _TYPES:
            continue
        if prefix in _ALL:
            present = _ALL[prefix](backend)
            gone = [resource for resource in members if resource not in present]
        else:
            gone = [resource for resource in members if not _TYPES[prefix][1](backend, resource)]
        for resource in gone:
            backend.tags.pop(resource, None)


@instead("ec2", "DescribeTags")
def describe(call: Call) -> dict[str, Any]:
    """The tags that the account wrote in the Region, of resources that are there."""
    table = call.backend().tags
    # A resource's tags are one look-up; only other questions walk the whole table.
    chosen = [entry.get("Values") or [] for entry in call.params.get("Filters") or [] if entry.get("Name") == "resource-id"]
    exact = bool(chosen) and not any(mark in value for value in chosen[0] for mark in "*?\\")
    asked = [item for item in dict.fromkeys(chosen[0]) if item in table] if exact else list(table)
    sweep(call, asked)
    ids = [item for item in asked if item in table]
    items = [(resource, key, value) for resource in ids for key, value in table[resource].items()]
    fields: dict[str, Any] = {
        "key": lambda item: item[1],
        "resource-id": lambda item: item[0],
        "resource-type": lambda item: type_of(item[0]),
        "value": lambda item: item[2],
    }
    items = keep(call, items, fields, lambda item: {item[1]: item[2]})

    def render(item: tuple[str, str, str]) -> dict[str, str]:
        return {"ResourceId": item[0], "ResourceType": type_of(item[0]), "Key": item[1], "Value": item[2]}

    return paged(call, "Tags", items, render)


# -- tags at creation ----------------------------------------------------------------------------------------------------------

# action -> the types that it can tag
_AT_CREATION = {
    "AllocateAddress": ("elastic-ip",),
    "AuthorizeSecurityGroupEgress": ("security-group-rule",),
    "AuthorizeSecurityGroupIngress": ("security-group-rule",),
    "CreateCustomerGateway": ("customer-gateway",),
    "CreateDhcpOptions": ("dhcp-options",),
    "CreateEgressOnlyInternetGateway": ("egress-only-internet-gateway",),
    "CreateFlowLogs": ("vpc-flow-log",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateKeyPair": ("key-pair",),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateManagedPrefixList": ("prefix-list",),
    "CreateNatGateway": ("natgateway",),
    "CreateNetworkAcl": ("network-acl",),
    "CreateNetworkInterface": ("network-interface",),
    "CreateRouteTable": ("route-table",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSubnet": ("subnet",),
    "CreateVolume": ("volume",),
    "CreateVpc": ("vpc",),
    "CreateVpcEndpoint": ("vpc-endpoint",),
    "CreateVpcPeeringConnection": ("vpc-peering-connection",),
    "CreateVpnGateway": ("vpn-gateway",),
    "ImportKeyPair": ("key-pair",),
    "RunInstances": ("instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"),
}
# What the emulator answers: where the new resource's id stands.
_ANSWERED: dict[str, tuple[str, str]] = {
    "CreateCustomerGateway": ("CustomerGateway", "CustomerGatewayId"),
    "CreateDhcpOptions": ("DhcpOptions", "DhcpOptionsId"),
    "CreateEgressOnlyInternetGateway": ("EgressOnlyInternetGateway", "EgressOnlyInternetGatewayId"),
    "CreateInternetGateway": ("InternetGateway", "InternetGatewayId"),
    "CreateRouteTable": ("RouteTable", "RouteTableId"),
    "CreateSubnet": ("Subnet", "SubnetId"),
    "CreateVpc": ("Vpc", "VpcId"),
    "CreateVpnGateway": ("VpnGateway", "VpnGatewayId"),
}


@before("ec2", *_AT_CREATION)
def check_specifications(call: Call) -> None:
    """Refuse a creating call whose tags AWS would refuse, before anything is made."""
    allowed = _AT_CREATION[call.action]
    for spec in call.params.get("TagSpecifications") or []:
        kind = spec.get("ResourceType")
        if kind not in allowed:
            raise invalid(f"'{kind}' is not a valid taggable resource type for this operation.")
        check_tags(spec.get("Tags") or [])


@after("ec2", *_ANSWERED)
def keep_specified(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Write the tags of a creating call that the emulator answered, and show them."""
    outer, inner = _ANSWERED[call.action]
    made = result.get(outer)
    if not isinstance(made, dict) or inner not in made:
        return result
    backend = call.backend()
    put_tags(backend, made[inner], tags_asked(call, *_AT_CREATION[call.action]))
    return {**result, outer: {**made, "Tags": tags_of(backend, made[inner])}}
