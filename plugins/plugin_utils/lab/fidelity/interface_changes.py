# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to network interfaces: attributes, attachments, further addresses.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html and the pages of the other
actions; https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html (those of services cannot be changed).
"""

from __future__ import annotations

from typing import Any

from ..calls import Call, Refusal, instead
from .addresses import take, take_ipv6
from .interface_attachments import attachment, end_attachment
from .interface_options import check_tracking, take_prefixes
from .interfaces import find, groups_for, identifiers, set_groups
from .shapes import clean, find_instance, invalid


@instead("ec2", "DescribeNetworkInterfaceAttribute")
def describe_attribute(call: Call) -> dict[str, Any]:
    """One attribute of an interface."""
    backend = call.backend()
    eni = find(backend, str(call.params.get("NetworkInterfaceId") or ""))
    values: dict[str, Any] = {
        "description": {"Description": {"Value": eni.description}},
        "groupSet": {"Groups": identifiers(eni)},
        "sourceDestCheck": {"SourceDestCheck": {"Value": bool(eni.source_dest_check)}},
        "attachment": clean({"Attachment": attachment(eni)}),
        "associatePublicIpAddress": {"AssociatePublicIpAddress": bool(eni.public_ip_auto_assign)},
    }
    asked = str(call.params.get("Attribute") or "")
    if asked not in values:
        raise invalid(f"Value ({asked}) for parameter attribute is invalid. Unknown attribute.")
    return {"NetworkInterfaceId": eni.id, **values[asked]}


@instead("ec2", "ModifyNetworkInterfaceAttribute", "ResetNetworkInterfaceAttribute")
def modify(call: Call) -> dict[str, Any]:
    """Change groups, description, source/destination check, or what happens at termination."""
    backend, params = call.backend(), call.params
    eni = find(backend, str(params.get("NetworkInterfaceId") or ""))
    if eni.requester_managed:
        raise Refusal("AuthFailure", "You do not have permission to access the specified resource.")
    if call.action.startswith("Reset"):
        eni.source_dest_check = True
        return {"Return": True}
    if params.get("Groups"):
        set_groups(eni, groups_for(call, eni.subnet, params["Groups"]))
    if params.get("SourceDestCheck") is not None:
        eni.source_dest_check = bool(params["SourceDestCheck"].get("Value"))
        if eni.instance is not None and eni.device_index == 0:
            eni.instance.source_dest_check = eni.source_dest_check
    if params.get("ConnectionTrackingSpecification"):
        eni.lab_tracking = {**getattr(eni, "lab_tracking", {}), **check_tracking(params["ConnectionTrackingSpecification"])}
    if params.get("Description") is not None:
        eni.description = str(params["Description"].get("Value") or "")
    if params.get("Attachment"):
        if params["Attachment"].get("AttachmentId") != eni.attachment_id:
            raise Refusal("InvalidAttachmentID.NotFound", f"The attachment '{params['Attachment'].get('AttachmentId')}' does not exist")
        eni.delete_on_termination = bool(params["Attachment"].get("DeleteOnTermination"))
    return {"Return": True}


@instead("ec2", "AttachNetworkInterface")
def attach(call: Call) -> dict[str, Any]:
    """Attach an interface to an instance of its zone."""
    backend, params = call.backend(), call.params
    eni = find(backend, str(params.get("NetworkInterfaceId") or ""))
    instance = find_instance(backend, str(params.get("InstanceId") or ""))
    index = int(params.get("DeviceIndex") or 0)
    if eni.status == "in-use":
        raise Refusal("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
    if instance.state == "terminated":
        raise Refusal("IncorrectState", f"Instance '{instance.id}' is not in a state from which an interface can be attached.")
    if index in instance.nics:
        raise invalid(f"Instance '{instance.id}' already has an interface attached at device index '{index}'.")
    if instance.availability_zone != eni.subnet.availability_zone:
        raise Refusal(
            "InvalidParameterCombination",
            "You may not attach a network interface to an instance if they are not in the same availability zone",
        )
    return {"AttachmentId": instance.attach_eni(eni, index), "NetworkCardIndex": 0}


@instead("ec2", "DetachNetworkInterface")
def detach(call: Call) -> dict[str, Any]:
    """Detach an interface; the primary one, and those of services, stay."""
    wanted = str(call.params.get("AttachmentId") or "")
    for eni in list(call.backend().enis.values()):
        if getattr(eni, "lab_attachment", None) == wanted:
            raise Refusal("OperationNotPermitted", f"You are not allowed to manage '{wanted.rsplit('-', 1)[0]}' attachments.")
        if eni.attachment_id == wanted and eni.instance is not None:
            if eni.device_index == 0:
                raise Refusal("OperationNotPermitted", "The network interface at device index 0 cannot be detached.")
            end_attachment(call, eni)
            return {"Return": True}
    raise Refusal("InvalidAttachmentID.NotFound", f"The attachment '{wanted}' does not exist")


# -- further addresses ---------------------------------------------------------------------------------------------------------


@instead("ec2", "AssignPrivateIpAddresses")
def assign(call: Call) -> dict[str, Any]:
    """Give an interface secondary addresses; another's only where ``AllowReassignment`` says so.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssignPrivateIpAddresses.html
    """
    backend, params = call.backend(), call.params
    eni = find(backend, str(params.get("NetworkInterfaceId") or ""))
    wanted = [str(item) for item in params.get("PrivateIpAddresses") or []]
    _move_here(backend, eni, wanted, allowed=bool(params.get("AllowReassignment")))
    listed = [str(item) for item in params.get("Ipv4Prefixes") or []]
    number = int(params.get("SecondaryPrivateIpAddressCount") or 0)
    prefixes = take_prefixes(backend, eni.subnet, max(len(listed), int(params.get("Ipv4PrefixCount") or 0)), listed)
    if prefixes and (wanted or number):
        raise Refusal("InvalidParameterCombination", "Private IP addresses and prefixes cannot be assigned in one request.")
    new = take(backend, eni.subnet, max(len(wanted), number), wanted)
    eni.private_ip_addresses += [{"Primary": False, "PrivateIpAddress": item} for item in new]
    eni.lab_prefixes = [*getattr(eni, "lab_prefixes", ()), *prefixes]
    return {
        "NetworkInterfaceId": eni.id,
        "AssignedPrivateIpAddresses": [{"PrivateIpAddress": item} for item in new],
        "AssignedIpv4Prefixes": [{"Ipv4Prefix": item} for item in prefixes],
    }


def _move_here(backend: Any, eni: Any, wanted: list[str], allowed: bool) -> None:
    """Free those of the wanted addresses that are secondary ones of the subnet's other interfaces."""
    held = {
        item["PrivateIpAddress"]: (other, item)
        for other in list(backend.enis.values())
        if other is not eni and other.subnet.id == eni.subnet.id
        for item in other.private_ip_addresses
    }
    taken = [address for address in wanted if address in held]
    if not taken:
        return
    if not allowed:
        raise invalid(f"{taken} assigned, but move is not allowed.".replace("'", ""))
    for address in taken:
        if held[address][1].get("Primary"):
            raise invalid(f"The primary address {address} of interface {held[address][0].id} cannot be moved.")
    for address in taken:
        other = held[address][0]
        other.private_ip_addresses = [item for item in other.private_ip_addresses if item["PrivateIpAddress"] != address]


@instead("ec2", "UnassignPrivateIpAddresses")
def unassign(call: Call) -> dict[str, Any]:
    """Take secondary addresses away."""
    eni = find(call.backend(), str(call.params.get("NetworkInterfaceId") or ""))
    gone = [str(item) for item in call.params.get("PrivateIpAddresses") or []]
    have = {item["PrivateIpAddress"]: item for item in eni.private_ip_addresses}
    for item in gone:
        if item not in have:
            raise invalid(f"Some of the specified addresses are not assigned to interface {eni.id}: {item}")
        if have[item].get("Primary"):
            raise invalid(f"The primary address {item} of interface {eni.id} cannot be unassigned")
    prefixes = [str(item) for item in call.params.get("Ipv4Prefixes") or []]
    for item in prefixes:
        if item not in getattr(eni, "lab_prefixes", ()):
            raise invalid(f"Some of the specified prefixes are not assigned to interface {eni.id}: {item}")
    eni.private_ip_addresses = [item for item in eni.private_ip_addresses if item["PrivateIpAddress"] not in gone]
    eni.lab_prefixes = [item for item in getattr(eni, "lab_prefixes", ()) if item not in prefixes]
    return {"Return": True}


@instead("ec2", "AssignIpv6Addresses")
def assign_ipv6(call: Call) -> dict[str, Any]:
    """Give an interface IPv6 addresses from its subnet's block."""
    backend, params = call.backend(), call.params
    eni = find(backend, str(params.get("NetworkInterfaceId") or ""))
    wanted = [str(item) for item in params.get("Ipv6Addresses") or []]
    new = take_ipv6(backend, eni.subnet, max(len(wanted), int(params.get("Ipv6AddressCount") or 0)), wanted)
    eni.ipv6_addresses = [*eni.ipv6_addresses, *new]
    return {"NetworkInterfaceId": eni.id, "AssignedIpv6Addresses": new}


@instead("ec2", "UnassignIpv6Addresses")
def unassign_ipv6(call: Call) -> dict[str, Any]:
    """Take IPv6 addresses away."""
    eni = find(call.backend(), str(call.params.get("NetworkInterfaceId") or ""))
    gone = [str(item) for item in call.params.get("Ipv6Addresses") or []]
    for item in gone:
        if item not in eni.ipv6_addresses:
            raise invalid(f"Some of the specified addresses are not assigned to interface {eni.id}: {item}")
    eni.ipv6_addresses = [item for item in eni.ipv6_addresses if item not in gone]
    return {"NetworkInterfaceId": eni.id, "UnassignedIpv6Addresses": gone}
