# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be gone before something can be deleted or detached: DependencyViolation, as on AWS.

Sources: the API pages of the actions (DeleteVpc: "You must detach or delete all gateways and resources that are associated with
the VPC before you can delete it"), and for peering connections
https://docs.aws.amazon.com/vpc/latest/peering/delete-vpc-peering-connection.html: a VPC with a pending request from another
account cannot be deleted; a request that it made itself to another account goes with it. The console deletes an active
connection first, by a call of its own; DeleteVpc alone refuses.
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, Refusal, after, before
from .emulated import NAT_GONE, interfaces, interfaces_in_vpc, live_endpoints, live_nats, subnets_of, tables_of
from .nat import refresh as refresh_nats
from .peering_book import live_peerings
from .peering_states import OPEN
from .shapes import find_subnet, find_vpc, invalid, missing


def _named(call: Call, member: str) -> str:
    value = call.params.get(member)
    if not value:
        raise missing(member[0].lower() + member[1:])
    return str(value)


def _violation(noun: str, key: str, why: list[str]) -> Refusal:
    return Refusal("DependencyViolation", f"The {noun} '{key}' has dependencies and cannot be deleted. ({', '.join(why[:5])})")


def _peerings_in_the_way(call: Call, vpc: str) -> list[str]:
    found = []
    for peering in live_peerings(call.lab, vpc):
        own_request = peering.code in OPEN and peering.requester.vpc == vpc and not peering.one_owner
        if not own_request and not peering.doomed:
            found.append(peering.id)
    return found


@before("ec2", "DeleteVpc")
def vpc_is_empty(call: Call) -> None:
    """Nothing but the main route table, the default group and the default network ACL may be left."""
    backend = call.backend()
    vpc = find_vpc(backend, _named(call, "VpcId")).id
    refresh_nats(call)
    why = [subnet.id for subnet in subnets_of(backend, vpc)]
    why += [item.id for item in interfaces_in_vpc(backend, vpc)]
    why += [item.id for item in live_nats(backend, vpc)]
    why += [item.id for item in backend.internet_gateways.values() if item.vpc is not None and item.vpc.id == vpc]
    why += [item.id for item in backend.egress_only_internet_gateways.values() if item.vpc_id == vpc]
    why += [item.id for item in live_endpoints(backend, vpc)]
    why += [item.id for item in tables_of(backend, vpc) if item.main_association_id is None]
    why += [item.id for item in backend.groups.get(vpc, {}).values() if item.name != "default"]
    why += [item.id for item in backend.network_acls.values() if item.vpc_id == vpc and not item.default]
    why += [item.id for item in backend.vpn_gateways.values() if vpc in item.attachments and item.attachments[vpc].state == "attached"]
    why += [
        item.id
        for item in backend.transit_gateway_attachments.values()
        if item.resource_type == "vpc" and item.resource_id == vpc and item.state not in ("deleted", "deleting")
    ]
    why += _peerings_in_the_way(call, vpc)
    if why:
        raise _violation("vpc", vpc, why)


@after("ec2", "DeleteVpc")
def leave_nothing_of_a_vpc(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """Its default network ACL goes with it, and so do its own requests to other accounts."""
    backend = call.backend()
    vpc = str(call.params["VpcId"])
    for key in [key for key, item in backend.network_acls.items() if item.vpc_id == vpc]:
        del backend.network_acls[key]
    for peering in live_peerings(call.lab, vpc):
        if peering.code in OPEN:
            peering.enter("deleted", call.account)
    return result


@before("ec2", "DeleteSubnet")
def subnet_is_empty(call: Call) -> None:
    """No interface may be left in it, whoever made it: an instance, a NAT gateway, an endpoint."""
    backend = call.backend()
    subnet = find_subnet(backend, _named(call, "SubnetId")).id
    refresh_nats(call)
    why = [item.id for item in interfaces(backend) if item.subnet.id == subnet]
    why += [item.id for item in backend.nat_gateways.values() if item.subnet_id == subnet and item.state not in NAT_GONE]
    if why:
        raise _violation("subnet", subnet, why)


@before("ec2", "DeleteRouteTable")
def table_is_unused(call: Call) -> None:
    """Not the main table, and none that a subnet or gateway uses."""
    key = _named(call, "RouteTableId")
    table = call.backend().route_tables.get(key)
    if table is None:
        raise Refusal("InvalidRouteTableID.NotFound", f"The routeTable ID '{key}' does not exist")
    why = [*table._associations.values()] + ([f"it is the main route table of {table.vpc_id}"] if table.main_association_id else [])
    if why:
        raise _violation("routeTable", key, why)


def _internet_gateway(call: Call) -> Any:
    key = _named(call, "InternetGatewayId")
    gateway = call.backend().internet_gateways.get(key)
    if gateway is None:
        raise Refusal("InvalidInternetGatewayID.NotFound", f"The internetGateway ID '{key}' does not exist")
    return gateway


@before("ec2", "AttachInternetGateway")
def one_gateway_each(call: Call) -> None:
    """A VPC has one internet gateway, and a gateway one VPC."""
    gateway = _internet_gateway(call)
    vpc = find_vpc(call.backend(), _named(call, "VpcId")).id
    if gateway.vpc is not None:
        raise Refusal("Resource.AlreadyAssociated", f"resource {gateway.id} is already attached to network {gateway.vpc.id}")
    if any(item.vpc is not None and item.vpc.id == vpc for item in call.backend().internet_gateways.values()):
        raise invalid(f"Network {vpc} already has an internet gateway attached")


@before("ec2", "DetachInternetGateway")
def no_mapped_addresses(call: Call) -> None:
    """AWS: "The VPC must not contain any running instances with Elastic IP addresses or public IPv4 addresses"."""
    gateway = _internet_gateway(call)
    vpc = _named(call, "VpcId")
    if gateway.vpc is None or gateway.vpc.id != vpc:
        raise Refusal("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {vpc}")
    backend = call.backend()
    refresh_nats(call)
    inside = {item.id for item in interfaces_in_vpc(backend, vpc)}
    mapped = [item.public_ip for item in backend.addresses if item.association_id and item.eni is not None and item.eni.id in inside]
    mapped += [item.public_ip for item in backend.enis.values() if item.id in inside and item.public_ip]
    if mapped:
        raise Refusal(
            "DependencyViolation",
            f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.",
        )


@before("ec2", "DeleteInternetGateway")
def gateway_is_detached(call: Call) -> None:
    """It must be detached first."""
    gateway = _internet_gateway(call)
    if gateway.vpc is not None:
        raise _violation("internetGateway", gateway.id, [f"attached to {gateway.vpc.id}"])


@before("ec2", "CreateEgressOnlyInternetGateway")
def egress_only_in_a_vpc(call: Call) -> None:
    """Its VPC must exist, and has at most one."""
    vpc = find_vpc(call.backend(), _named(call, "VpcId")).id
    if any(item.vpc_id == vpc for item in call.backend().egress_only_internet_gateways.values()):
        raise invalid(f"Network {vpc} already has an egress-only internet gateway attached")


@before("ec2", "DeleteEgressOnlyInternetGateway")
def egress_only_exists(call: Call) -> None:
    """An unknown one is refused; routes to a deleted one become blackholes."""
    key = _named(call, "EgressOnlyInternetGatewayId")
    if key not in call.backend().egress_only_internet_gateways:
        raise Refusal("InvalidGatewayID.NotFound", f"The eigw ID '{key}' does not exist")
