# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic IP addresses: from 198.18.0.0/15, each unique in the whole lab, associated with one private address at a time.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html and the pages of the other actions.
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, Refusal, instead
from .addresses import free_public, take_public
from .interfaces import find as find_interface
from .shapes import clean, find_instance, invalid, keep, missing, new_id, put_tags, tags_asked, tags_of


@instead("ec2", "AllocateAddress")
def allocate(call: Call) -> dict[str, Any]:
    """Reserve a public address for the account."""
    backend = call.backend()
    tags = tags_asked(call, "elastic-ip")
    if len(backend.addresses) >= call.lab.quotas["elastic_ips"]:
        raise Refusal("AddressLimitExceeded", "The maximum number of addresses has been reached.")
    eip = backend.allocate_address("vpc", address=take_public(call.lab, call.params.get("Address")))
    put_tags(backend, eip.allocation_id, tags)
    return {
        "PublicIp": eip.public_ip,
        "AllocationId": eip.allocation_id,
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": call.region,
        "Domain": "vpc",
    }


def by_allocation(backend: Any, allocation: str) -> Any:
    """The emulator's address object, or InvalidAllocationID.NotFound."""
    for eip in backend.addresses:
        if eip.allocation_id == allocation:
            return eip
    raise Refusal("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")


def _asked(call: Call) -> Any:
    backend, params = call.backend(), call.params
    if params.get("AllocationId"):
        return by_allocation(backend, str(params["AllocationId"]))
    if not params.get("PublicIp"):
        raise missing("allocationId or publicIp")
    for eip in backend.addresses:
        if eip.public_ip == params["PublicIp"]:
            return eip
    raise Refusal("InvalidAddress.NotFound", f"Address '{params['PublicIp']}' not found.")


def tie(eip: Any, eni: Any, private: str) -> str:
    """Associate an address with a private address of an interface; returns the new association's id."""
    eip.eni, eip.instance, eip.lab_private = eni, eni.instance, private
    eip.association_id = new_id("eipassoc")
    if private == eni.private_ip_address:
        eni.public_ip = eip.public_ip
    return str(eip.association_id)


def untie(call: Call, eip: Any) -> None:
    """End an address's association; an instance that was launched with a public address gets another one.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/WorkWithEIPs.html
    """
    eni = eip.eni
    if eni is not None and eni.public_ip == eip.public_ip:
        eni.public_ip = None
        if eni.public_ip_auto_assign and eni.instance is not None and eni.instance.state == "running":
            eni.public_ip = take_public(call.lab)
    eip.eni, eip.instance, eip.association_id, eip.lab_private = None, None, None, None


def has_gateway(backend: Any, vpc: str) -> bool:
    """Whether an internet gateway is attached to a VPC."""
    return any(gateway.vpc is not None and gateway.vpc.id == vpc for gateway in backend.internet_gateways.values())


@instead("ec2", "AssociateAddress")
def associate(call: Call) -> dict[str, Any]:
    """Associate an address with an instance's primary interface or with an interface."""
    backend, params = call.backend(), call.params
    eip = _asked(call)
    if bool(params.get("InstanceId")) == bool(params.get("NetworkInterfaceId")):
        raise Refusal("InvalidParameterCombination", "Specify either the instance ID or the network interface ID")
    if params.get("InstanceId"):
        instance = find_instance(backend, str(params["InstanceId"]))
        if 0 not in instance.nics or instance.state == "terminated":
            raise Refusal("InvalidInstanceID", f"The instance '{instance.id}' is not in a valid state for this operation.")
        eni = instance.nics[0]
    else:
        eni = find_interface(backend, str(params["NetworkInterfaceId"]))
    if eni.requester_managed:
        raise Refusal("AuthFailure", "You do not have permission to access the specified resource.")
    if not has_gateway(backend, eni.vpc_id):
        raise Refusal("Gateway.NotAttached", f"Network {eni.vpc_id} is not attached to any internet gateway")
    private = str(params.get("PrivateIpAddress") or eni.private_ip_address)
    if private not in [item["PrivateIpAddress"] for item in eni.private_ip_addresses]:
        raise invalid(f"You must specify an IP address that is assigned to {eni.id}; {private} is not.")
    holder: Any = next((item for item in backend.addresses if item.eni is eni and item.lab_private == private), None)
    if holder is eip:
        return {"AssociationId": eip.association_id}
    strict = params.get("AllowReassociation") is False
    if eip.association_id and strict:
        raise Refusal(
            "Resource.AlreadyAssociated", f"resource {eip.allocation_id} is already associated with associate-id {eip.association_id}"
        )
    if holder is not None and strict:
        raise Refusal("Resource.AlreadyAssociated", f"resource {eni.id} is already associated with address {holder.public_ip}")
    if eip.eni is not None and eip.eni.requester_managed:
        raise Refusal("AuthFailure", "You do not have permission to access the specified resource.")
    for old in (holder, eip):
        if old is not None and old.association_id:
            untie(call, old)
    if private == eni.private_ip_address and eni.public_ip:
        free_public(call.lab, eni.public_ip)
    return {"AssociationId": tie(eip, eni, private)}


@instead("ec2", "DisassociateAddress")
def disassociate(call: Call) -> dict[str, Any]:
    """End an association."""
    association = call.params.get("AssociationId")
    if association:
        eip = next((item for item in call.backend().addresses if item.association_id == association), None)
        if eip is None:
            raise Refusal("InvalidAssociationID.NotFound", f"The association ID '{association}' does not exist")
    else:
        eip = _asked(call)
    if eip.eni is not None and eip.eni.requester_managed:
        raise Refusal("AuthFailure", "You do not have permission to access the specified resource.")
    untie(call, eip)
    return {"Return": True}


@instead("ec2", "ReleaseAddress")
def release(call: Call) -> dict[str, Any]:
    """Give an address back; one that is associated is in use."""
    eip, backend = _asked(call), call.backend()
    border = call.params.get("NetworkBorderGroup") or call.region
    # "If you provide an incorrect network border group, you receive an InvalidAddress.NotFound error."
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html
    if border != call.region:
        raise Refusal("InvalidAddress.NotFound", f"Address {eip.public_ip} is not of the network border group '{border}'.")
    if eip.association_id:
        raise Refusal("InvalidIPAddress.InUse", f"Address {eip.public_ip} is in use.")
    backend.addresses.remove(eip)
    backend.tags.pop(eip.allocation_id, None)
    free_public(call.lab, eip.public_ip)
    return {"Return": True}


_FIELDS: dict[str, Any] = {
    "allocation-id": lambda eip: eip.allocation_id,
    "association-id": lambda eip: eip.association_id,
    "domain": lambda eip: "vpc",
    "instance-id": lambda eip: eip.eni.instance.id if eip.eni is not None and eip.eni.instance is not None else None,
    "network-border-group": lambda eip: eip.ec2_backend.region_name,
    "network-interface-id": lambda eip: eip.eni.id if eip.eni is not None else None,
    "network-interface-owner-id": lambda eip: eip.ec2_backend.account_id if eip.eni is not None else None,
    "private-ip-address": lambda eip: getattr(eip, "lab_private", None),
    "public-ip": lambda eip: eip.public_ip,
}


@instead("ec2", "DescribeAddresses")
def describe(call: Call) -> dict[str, Any]:
    """The account's addresses; AWS does not page them."""
    backend, params = call.backend(), call.params
    items = list(backend.addresses)
    for wanted in params.get("AllocationIds") or []:
        by_allocation(backend, str(wanted))
    for wanted in params.get("PublicIps") or []:
        if wanted not in [eip.public_ip for eip in items]:
            raise Refusal("InvalidAddress.NotFound", f"Address '{wanted}' not found.")
    if params.get("AllocationIds"):
        items = [eip for eip in items if eip.allocation_id in params["AllocationIds"]]
    if params.get("PublicIps"):
        items = [eip for eip in items if eip.public_ip in params["PublicIps"]]
    items = keep(call, items, _FIELDS, lambda eip: backend.tags.get(eip.allocation_id, {}))

    def show(eip: Any) -> dict[str, Any]:
        instance = eip.eni.instance if eip.eni is not None else None
        return clean(
            {
                "PublicIp": eip.public_ip,
                "AllocationId": eip.allocation_id,
                "Domain": "vpc",
                "PublicIpv4Pool": "amazon",
                "NetworkBorderGroup": backend.region_name,
                "AssociationId": eip.association_id,
                "InstanceId": instance.id if instance is not None else None,
                "NetworkInterfaceId": eip.eni.id if eip.eni is not None else None,
                "NetworkInterfaceOwnerId": call.account if eip.eni is not None else None,
                "PrivateIpAddress": getattr(eip, "lab_private", None),
                "SubnetId": eip.eni.subnet.id if eip.eni is not None else None,
                "Tags": tags_of(backend, eip.allocation_id) or None,
            }
        )

    return {"Addresses": [show(eip) for eip in items]}
