# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a route may point at, and whether what it points at still carries traffic.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html, API_Route.html ("blackhole: the route's
target isn't available (for example, the specified gateway isn't attached to the VPC, or the specified NAT instance has been
terminated)"), and https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-routing.html for routes to a pending connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from ..calls import Call, Refusal
from .cidr_rules import Network
from .peering_book import find_peering
from .peering_states import DEAD
from .shapes import find_instance, invalid

# The parameters that name a target; LocalTarget is ReplaceRoute's alone.
TARGETS = (
    "GatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "InstanceId",
    "VpcPeeringConnectionId",
    "TransitGatewayId",
    "EgressOnlyInternetGatewayId",
    "VpcEndpointId",
    "CarrierGatewayId",
    "LocalGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
)
# Targets of a route whose destination lies inside the VPC's own blocks.
MIDDLEBOX = frozenset({"NatGatewayId", "NetworkInterfaceId", "InstanceId", "VpcEndpointId"})
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT_ENDED = frozenset({"deleting", "deleted", "failed"})


@dataclass(frozen=True)
class Target:
    """A checked target: the member of the emulator's Route that holds it, the object, and the request's parameter."""

    parameter: str
    member: str
    value: Any


def _other_network(table: Any, noun: str, key: str) -> Refusal:
    return invalid(f"route table {table.id} and {noun} {key} belong to different networks")


def _gateway(call: Call, table: Any, key: str) -> Target:
    backend = call.backend()
    if key.startswith("igw-"):
        gateway = backend.internet_gateways.get(key)
        if gateway is None:
            raise Refusal("InvalidInternetGatewayID.NotFound", f"The internetGateway ID '{key}' does not exist")
        if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
            raise _other_network(table, "network gateway", key)
        return Target("GatewayId", "gateway", gateway)
    if key.startswith("vgw-"):
        gateway = backend.vpn_gateways.get(key)
        if gateway is None:
            raise Refusal("InvalidVpnGatewayID.NotFound", f"The vpnGateway ID '{key}' does not exist")
        if not _vpn_attached(gateway, table.vpc_id):
            raise _other_network(table, "network gateway", key)
        return Target("GatewayId", "gateway", gateway)
    if key.startswith("vpce-"):
        raise invalid("Cannot create or replace a prefix list route targeting a VPC Endpoint.")
    raise Refusal("InvalidGatewayID.NotFound", f"The gateway ID '{key}' does not exist")


def _vpn_attached(gateway: Any, vpc: str) -> bool:
    attachment = gateway.attachments.get(vpc)
    return attachment is not None and attachment.state == "attached"


def _nat(call: Call, table: Any, key: str) -> Target:
    gateway = call.backend().nat_gateways.get(key)
    if gateway is None or gateway.state in _NAT_ENDED:
        raise Refusal("InvalidNatGatewayID.NotFound", f"The natGateway ID '{key}' does not exist")
    if gateway.vpc_id != table.vpc_id:
        raise _other_network(table, "NAT gateway", key)
    return Target("NatGatewayId", "nat_gateway", gateway)


def _interface(call: Call, table: Any, key: str) -> Target:
    eni = call.backend().enis.get(key)
    if eni is None:
        raise Refusal("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{key}' does not exist")
    if eni.subnet.vpc_id != table.vpc_id:
        raise _other_network(table, "interface", key)
    return Target("NetworkInterfaceId", "interface", eni)


def _instance(call: Call, table: Any, key: str) -> Target:
    instance = find_instance(call.backend(), key)
    if instance.vpc_id != table.vpc_id:
        raise _other_network(table, "instance", key)
    if len(instance.nics) > 1:
        raise Refusal(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{key}'. Please specify an interface ID for the operation instead.",
        )
    return Target("InstanceId", "instance", instance)


def _peering(call: Call, table: Any, key: str) -> Target:
    peering = find_peering(call, key)
    if table.vpc_id not in (peering.requester.vpc, peering.accepter.vpc):
        raise _other_network(table, "VPC peering connection", key)
    code = peering.code
    if code in DEAD or code == "deleting":
        raise Refusal(
            "InvalidStateTransition",
            f"VPC peering connection {key} is {code}: a route can only go to one that is active or awaits acceptance.",
        )
    return Target("VpcPeeringConnectionId", "vpc_pcx", peering)


def _egress_only(call: Call, table: Any, key: str) -> Target:
    gateway = call.backend().egress_only_internet_gateways.get(key)
    if gateway is None:
        raise Refusal("InvalidGatewayID.NotFound", f"The eigw ID '{key}' does not exist")
    if gateway.vpc_id != table.vpc_id:
        raise _other_network(table, "network gateway", key)
    return Target("EgressOnlyInternetGatewayId", "egress_only_igw", gateway)


def _transit_attached(backend: Any, gateway: str, vpc: str) -> bool:
    return any(
        item.transit_gateway_id == gateway and item.resource_type == "vpc" and item.resource_id == vpc and item.state == "available"
        for item in backend.transit_gateway_attachments.values()
    )


def _transit(call: Call, table: Any, key: str) -> Target:
    backend = call.backend()
    gateway = backend.transit_gateways.get(key)
    if gateway is None or not _transit_attached(backend, key, table.vpc_id):
        raise Refusal("InvalidTransitGatewayID.NotFound", f"Transit Gateway {key} does not exist, or is not attached to {table.vpc_id}.")
    return Target("TransitGatewayId", "transit_gateway", gateway)


def _endpoint(call: Call, table: Any, key: str) -> Target:
    endpoint = call.backend().vpc_end_points.get(key)
    if endpoint is None or endpoint.state == "deleted":
        raise Refusal("InvalidVpcEndpointId.NotFound", f"The VpcEndpoint ID '{key}' does not exist")
    if endpoint.vpc_endpoint_type != "GatewayLoadBalancer":
        raise Refusal("RouteNotSupported", f"VPC endpoint {key} is of a type that cannot be the target of a route.")
    if endpoint.vpc_id != table.vpc_id:
        raise _other_network(table, "VPC endpoint", key)
    return Target("VpcEndpointId", "vpc_endpoint_id", key)


def _carrier(call: Call, table: Any, key: str) -> Target:
    gateway = call.backend().carrier_gateways.get(key)
    if gateway is None:
        raise Refusal("InvalidCarrierGatewayID.NotFound", f"The carrierGateway ID '{key}' does not exist")
    if gateway.vpc_id != table.vpc_id:
        raise _other_network(table, "carrier gateway", key)
    return Target("CarrierGatewayId", "carrier_gateway", gateway)


_FINDERS: dict[str, Callable[[Call, Any, str], Target]] = {
    "GatewayId": _gateway,
    "NatGatewayId": _nat,
    "NetworkInterfaceId": _interface,
    "InstanceId": _instance,
    "VpcPeeringConnectionId": _peering,
    "TransitGatewayId": _transit,
    "EgressOnlyInternetGatewayId": _egress_only,
    "VpcEndpointId": _endpoint,
    "CarrierGatewayId": _carrier,
}


def find_target(call: Call, table: Any, parameter: str, destination: Network | None) -> Target:
    """The target of a route in ``table``, or AWS's refusal: unknown, of another VPC, or not for this family of addresses."""
    if parameter not in _FINDERS:
        raise Refusal("UnsupportedOperation", f"{parameter} is not supported by the embedded lab as the target of a route.")
    if parameter == "EgressOnlyInternetGatewayId" and isinstance(destination, IPv4Network):
        raise invalid("An egress-only internet gateway can be the target of IPv6 routes only.")
    if parameter == "NatGatewayId" and isinstance(destination, IPv6Network) and not destination.subnet_of(_NAT64):
        raise invalid(f"A NAT gateway can be the target of IPv4 routes, and of {_NAT64} for NAT64, only.")
    return _FINDERS[parameter](call, table, str(call.params[parameter]))


# -- does it carry traffic? ----------------------------------------------------------------------------------------------------


@dataclass
class Health:
    """Whether targets carry traffic, found once for each target while a call is answered."""

    backend: Any
    known: dict[tuple[str, int], bool] = field(default_factory=dict)

    def carries(self, vpc: str, target: Any, test: Callable[[Any, str, Any], bool]) -> bool:
        key = (vpc, id(target))
        if key not in self.known:
            self.known[key] = test(self.backend, vpc, target)
        return self.known[key]


def peering_carries(_backend: Any, _vpc: str, peering: Any) -> bool:
    """Only an active connection does: a route to a pending one is a blackhole "until the connection is active"."""
    return bool(peering._status.code == "active")


def gateway_carries(backend: Any, vpc: str, gateway: Any) -> bool:
    """An internet or virtual private gateway attached to the VPC, or a gateway endpoint that exists."""
    key = str(gateway.id)
    if key.startswith("igw-"):
        return bool(key in backend.internet_gateways and gateway.vpc is not None and gateway.vpc.id == vpc)
    if key.startswith("vgw-"):
        return key in backend.vpn_gateways and _vpn_attached(gateway, vpc)
    return bool(key in backend.vpc_end_points and gateway.state not in ("deleted", "deleting"))


def nat_carries(backend: Any, _vpc: str, gateway: Any) -> bool:
    """A NAT gateway that is neither failed nor on its way out."""
    return gateway.id in backend.nat_gateways and gateway.state not in _NAT_ENDED


def instance_carries(_backend: Any, _vpc: str, instance: Any) -> bool:
    """A running instance (a stopped or terminated one is a blackhole)."""
    return bool(instance._state.name in ("running", "pending"))


def interface_carries(backend: Any, vpc: str, eni: Any) -> bool:
    """An interface in use: attached to a running instance, or one that AWS itself manages."""
    if eni.id not in backend.enis:
        return False
    if eni.instance is not None:
        return instance_carries(backend, vpc, eni.instance)
    return bool(getattr(eni, "requester_managed", False) or eni.interface_type != "interface")


def egress_only_carries(backend: Any, _vpc: str, gateway: Any) -> bool:
    return gateway.id in backend.egress_only_internet_gateways


def transit_carries(backend: Any, vpc: str, gateway: Any) -> bool:
    return gateway.id in backend.transit_gateways and _transit_attached(backend, gateway.id, vpc)


def carrier_carries(backend: Any, _vpc: str, gateway: Any) -> bool:
    return gateway.id in backend.carrier_gateways


def endpoint_carries(backend: Any, _vpc: str, endpoint: Any) -> bool:
    found = backend.vpc_end_points.get(endpoint)
    return found is not None and found.state not in ("deleted", "deleting")
