# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NAT gateways: an interface with an address of the subnet, the states that AWS goes through, failures that show only afterwards.

How long a gateway stays pending or deleting is the lab's setting ``lab.state("settings")["nat_seconds"]``, 0 unless set.
Sources: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html (failure codes; deleted and failed gateways
stay visible for about an hour), https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..calls import Call, Refusal, instead
from .addresses import take
from .elastic_ips import by_allocation, has_gateway, tie, untie
from .interfaces import make, release
from .shapes import all_subnets, clean, find_subnet, invalid, keep, missing, new_id, paged, put_tags, tags_asked, tags_of

_VISIBLE = timedelta(hours=1)
_LIVE = ("pending", "available", "deleting")


def refresh(call: Call) -> None:
    """Bring every gateway of the account and Region to the state that the lab's clock gives it."""
    backend, now = call.backend(), call.lab.now()
    for key, nat in list(backend.nat_gateways.items()):
        ends = nat.lab_due
        if nat.state == "pending" and now >= ends:
            nat.state = "available"
        elif nat.state == "deleting" and now >= ends:
            _free(call, nat)
            nat.state = "deleted"
        if nat.state in ("deleted", "failed") and now - nat.lab_gone_at >= _VISIBLE:
            del backend.nat_gateways[key]
            backend.tags.pop(key, None)


def _due(call: Call) -> Any:
    return call.lab.now() + timedelta(seconds=float(call.lab.state("settings").get("nat_seconds", 0)))


def _free(call: Call, nat: Any) -> None:
    backend = call.backend()
    for item in nat.address_set:
        for eip in backend.addresses:
            if eip.allocation_id == item.get("AllocationId"):
                untie(call, eip)
    if nat._eni is not None:
        release(backend, nat._eni.id)


class _Nat:
    """A NAT gateway, with the members that the emulator's own routes and subnets look at."""

    def __init__(self, backend: Any, subnet: Any, kind: str) -> None:
        self.id, self.ec2_backend, self.subnet_id, self.vpc_id = new_id("nat"), backend, subnet.id, subnet.vpc_id
        self.connectivity_type, self.state, self.private_ip = kind, "pending", ""
        self.address_set: list[dict[str, Any]] = []
        self._eni: Any = None
        self.lab_failure: tuple[str, str] | None = None
        self.lab_created: Any = None
        self.lab_gone_at: Any = None
        self.lab_due: Any = None

    def get_tags(self) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self.ec2_backend.tags.get(self.id, {}).items()]


def _address(nat: _Nat, private: str, eip: Any = None, primary: bool = True) -> dict[str, Any]:
    entry = {"NetworkInterfaceId": nat._eni.id, "PrivateIp": private, "IsPrimary": primary, "Status": "succeeded"}
    if eip is not None:
        entry.update(AllocationId=eip.allocation_id, PublicIp=eip.public_ip, AssociationId=tie(eip, nat._eni, private))
    return entry


def _failure(call: Call, kind: str, subnet: Any, eips: list[Any]) -> tuple[str, str] | None:
    """Why a gateway that AWS accepts will nevertheless fail."""
    if kind == "public" and not has_gateway(call.backend(), subnet.vpc_id):
        return "Gateway.NotAttached", f"Network {subnet.vpc_id} has no Internet gateway attached"
    for eip in eips:
        if eip.association_id:
            return "Resource.AlreadyAssociated", f"Elastic IP address [{eip.allocation_id}] is already associated"
    return None


@instead("ec2", "CreateNatGateway")
def create(call: Call) -> dict[str, Any]:
    """Make a NAT gateway in a subnet."""
    refresh(call)
    backend, params = call.backend(), call.params
    if not params.get("SubnetId"):
        raise missing("subnetId")
    subnet = find_subnet(backend, str(params["SubnetId"]))
    kind = str(params.get("ConnectivityType") or "public")
    allocations = [item for item in [params.get("AllocationId"), *(params.get("SecondaryAllocationIds") or [])] if item]
    if kind == "public" and not params.get("AllocationId"):
        raise missing("AllocationId")
    if kind == "private" and allocations:
        raise Refusal("InvalidParameterCombination", "An AllocationId cannot be given for a NAT gateway with connectivity type private.")
    eips = [by_allocation(backend, str(item)) for item in allocations]
    zone = subnet.availability_zone
    subnets = all_subnets(backend)
    inside = [item for item in backend.nat_gateways.values() if item.state in _LIVE and item.subnet_id in subnets]
    if sum(subnets[item.subnet_id].availability_zone == zone for item in inside) >= call.lab.quotas["nat_gateways_per_az"]:
        raise Refusal(
            "NatGatewayLimitExceeded",
            f"Performing this operation would exceed the limit of {call.lab.quotas['nat_gateways_per_az']} NAT gateways in {zone}",
        )
    tags = tags_asked(call, "natgateway")
    nat = _Nat(backend, subnet, kind)
    nat.lab_created, nat.lab_due = call.lab.now(), _due(call)
    nat.lab_failure = _failure(call, kind, subnet, eips)
    wanted = [str(item) for item in [params.get("PrivateIpAddress"), *(params.get("SecondaryPrivateIpAddresses") or [])] if item]
    count = max(1 + int(params.get("SecondaryPrivateIpAddressCount") or 0), len(eips), len(wanted), 1)
    if nat.lab_failure is None:
        try:
            private = take(backend, subnet, count, wanted)
        except Refusal as refusal:
            if refusal.code != "InsufficientFreeAddressesInSubnet":
                raise
            nat.lab_failure = ("InsufficientFreeAddressesInSubnet", "Subnet has insufficient free addresses to create this NAT gateway")
    if nat.lab_failure is not None:
        nat.state, nat.lab_gone_at = "failed", call.lab.now()
        nat.address_set = [{"AllocationId": str(item)} for item in allocations] or [{}]
    else:
        nat._eni = make(call, subnet, private, [], f"Interface for NAT Gateway {nat.id}", service="nat_gateway")
        nat._eni.source_dest_check = False
        nat.private_ip = private[0]
        for index, item in enumerate(private):
            nat.address_set.append(_address(nat, item, eips[index] if index < len(eips) else None, index == 0))
    backend.nat_gateways[nat.id] = nat
    put_tags(backend, nat.id, tags)
    answer = {**show(backend, nat), "State": "pending"}
    for name in ("FailureCode", "FailureMessage"):
        answer.pop(name, None)
    refresh(call)
    return clean({"NatGateway": answer, "ClientToken": params.get("ClientToken")})


def show(backend: Any, nat: Any) -> dict[str, Any]:
    """A NAT gateway as DescribeNatGateways shows it."""
    failure = nat.lab_failure or (None, None)
    return clean(
        {
            "NatGatewayId": nat.id,
            "SubnetId": nat.subnet_id,
            "VpcId": nat.vpc_id,
            "State": nat.state,
            "ConnectivityType": nat.connectivity_type,
            "CreateTime": nat.lab_created,
            "DeleteTime": nat.lab_gone_at,
            "FailureCode": failure[0],
            "FailureMessage": failure[1],
            "NatGatewayAddresses": [dict(item) for item in nat.address_set],
            "Tags": tags_of(backend, nat.id),
        }
    )


def find(call: Call, gateway: str) -> Any:
    """The gateway with an id, or NatGatewayNotFound."""
    found = call.backend().nat_gateways.get(gateway)
    if found is None:
        raise Refusal("NatGatewayNotFound", f"NAT gateway {gateway} was not found")
    return found


_FIELDS: dict[str, Any] = {
    "nat-gateway-id": lambda nat: nat.id,
    "state": lambda nat: nat.state,
    "subnet-id": lambda nat: nat.subnet_id,
    "vpc-id": lambda nat: nat.vpc_id,
}


@instead("ec2", "DescribeNatGateways")
def describe(call: Call) -> dict[str, Any]:
    """NAT gateways, the deleted and failed ones for an hour too."""
    refresh(call)
    backend = call.backend()
    ids = call.params.get("NatGatewayIds") or []
    items = [find(call, str(item)) for item in ids] if ids else list(backend.nat_gateways.values())
    member = "Filter" if call.params.get("Filter") else "Filters"
    items = keep(call, items, _FIELDS, lambda nat: backend.tags.get(nat.id, {}), member)
    return paged(call, "NatGateways", items, lambda nat: show(backend, nat))


@instead("ec2", "DeleteNatGateway")
def delete(call: Call) -> dict[str, Any]:
    """Begin to delete a gateway; its interface and its elastic addresses are free once it is deleted."""
    refresh(call)
    nat = find(call, str(call.params.get("NatGatewayId") or ""))
    if nat.state in ("pending", "available"):
        nat.state, nat.lab_due, nat.lab_gone_at = "deleting", _due(call), call.lab.now()
    elif nat.state == "failed":
        nat.state = "deleted"
    refresh(call)
    return {"NatGatewayId": nat.id}


def _usable(call: Call) -> Any:
    refresh(call)
    nat = find(call, str(call.params.get("NatGatewayId") or ""))
    if nat.state != "available":
        raise Refusal("IncorrectState", f"NAT gateway {nat.id} is in state {nat.state}, not available")
    return nat


@instead("ec2", "AssociateNatGatewayAddress")
def associate(call: Call) -> dict[str, Any]:
    """Give a public NAT gateway further elastic addresses, each with a private one of its own."""
    backend, nat = call.backend(), _usable(call)
    if nat.connectivity_type != "public":
        raise invalid(f"NAT gateway {nat.id} is private and takes no elastic IP address")
    eips = [by_allocation(backend, str(item)) for item in call.params.get("AllocationIds") or []]
    if not eips:
        raise missing("AllocationIds")
    for eip in eips:
        if eip.association_id:
            raise Refusal("Resource.AlreadyAssociated", f"Elastic IP address [{eip.allocation_id}] is already associated")
    wanted = [str(item) for item in call.params.get("PrivateIpAddresses") or []]
    private = take(backend, nat._eni.subnet, len(eips), wanted)
    nat._eni.private_ip_addresses += [{"Primary": False, "PrivateIpAddress": item} for item in private]
    new = [_address(nat, item, eip, False) for item, eip in zip(private, eips, strict=True)]
    nat.address_set += new
    return {"NatGatewayId": nat.id, "NatGatewayAddresses": [dict(item) for item in new]}


@instead("ec2", "DisassociateNatGatewayAddress", "UnassignPrivateNatGatewayAddress")
def disassociate(call: Call) -> dict[str, Any]:
    """Take secondary addresses from a NAT gateway; the primary one stays."""
    backend, nat, gone = call.backend(), _usable(call), []
    associations, private = call.params.get("AssociationIds") or [], call.params.get("PrivateIpAddresses") or []
    for wanted, member in [*((item, "AssociationId") for item in associations), *((item, "PrivateIp") for item in private)]:
        entry = next((item for item in nat.address_set if item.get(member) == wanted), None)
        if entry is None or entry["IsPrimary"]:
            raise invalid(f"{wanted} is not a secondary address of NAT gateway {nat.id}")
        gone.append(entry)
    for entry in gone:
        nat.address_set.remove(entry)
        for eip in backend.addresses:
            if eip.allocation_id == entry.get("AllocationId"):
                untie(call, eip)
        nat._eni.private_ip_addresses = [item for item in nat._eni.private_ip_addresses if item["PrivateIpAddress"] != entry["PrivateIp"]]
    return {"NatGatewayId": nat.id, "NatGatewayAddresses": [dict(item) for item in gone]}


@instead("ec2", "AssignPrivateNatGatewayAddress")
def assign(call: Call) -> dict[str, Any]:
    """Give a private NAT gateway further private addresses."""
    backend, nat = call.backend(), _usable(call)
    wanted = [str(item) for item in call.params.get("PrivateIpAddresses") or []]
    private = take(backend, nat._eni.subnet, max(int(call.params.get("PrivateIpAddressCount") or 0), len(wanted)), wanted)
    nat._eni.private_ip_addresses += [{"Primary": False, "PrivateIpAddress": item} for item in private]
    new = [_address(nat, item, None, False) for item in private]
    nat.address_set += new
    return {"NatGatewayId": nat.id, "NatGatewayAddresses": [dict(item) for item in new]}
