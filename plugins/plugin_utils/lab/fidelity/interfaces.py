# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces: made with addresses of their subnet and groups of their VPC, changed, attached, shown as AWS shows them.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html and the pages of the other actions;
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html for the interfaces of services.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..calls import Call, Refusal, instead
from .addresses import private_name, public_name, take, take_ipv6
from .interface_attachments import attachment, attachment_fields, attachment_or_ended
from .interface_options import check_tracking, shown
from .shapes import (
    clean,
    find_group,
    find_subnet,
    invalid,
    keep,
    missing,
    named,
    new_id,
    paged,
    put_tags,
    tags_asked,
    tags_of,
)


def groups_for(call: Call, subnet: Any, ids: Sequence[str]) -> list[Any]:
    """The groups of an interface: those named, else the VPC's default one; all of them of the subnet's VPC."""
    backend = call.backend()
    if not ids:
        default = backend.get_default_security_group(subnet.vpc_id)
        return [default] if default is not None else []
    groups = [find_group(backend, item) for item in dict.fromkeys(ids)]
    for group in groups:
        if group.vpc_id != subnet.vpc_id:
            raise Refusal("InvalidParameter", f"Security group {group.id} and subnet {subnet.id} belong to different networks.")
    if len(groups) > call.lab.quotas["groups_per_eni"]:
        raise Refusal("SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.")
    return groups


def make(
    call: Call,
    subnet: Any,
    addresses: Sequence[str],
    groups: Sequence[Any],
    description: str = "",
    ipv6: Sequence[str] = (),
    service: str = "",
) -> Any:
    """A network interface in the emulator's table.

    ``addresses``: the primary one first. ``service``: the interface type of the service that owns it.
    """
    backend = call.backend()
    if len(backend.enis) >= call.lab.quotas["network_interfaces"]:
        raise Refusal("NetworkInterfaceLimitExceeded", "The maximum number of network interfaces has been reached.")
    eni = backend.create_network_interface(subnet, addresses[0], description=description)
    eni.private_ip_addresses = [{"Primary": index == 0, "PrivateIpAddress": item} for index, item in enumerate(addresses)]
    eni.ipv6_addresses = list(ipv6)
    eni._group_set = list(groups)
    if service:
        eni.interface_type, eni.requester_managed, eni.status = service, True, "in-use"
        eni.lab_attachment = new_id("ela-attach" if service == "nat_gateway" else "eni-attach")
    return eni


def find(backend: Any, eni: str) -> Any:
    """The emulator's interface object, or InvalidNetworkInterfaceID.NotFound."""
    found = backend.enis.get(eni)
    if found is None:
        raise Refusal("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni}' does not exist")
    return found


def release(backend: Any, eni: str) -> None:
    """Remove an interface and its tags; its addresses are free again."""
    backend.enis.pop(eni, None)
    backend.tags.pop(eni, None)


class Elastic:
    """The elastic IP addresses of an account and Region by the private address that they belong to; read once per describe call."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self._of: dict[tuple[str, str], Any] | None = None

    def association(self, eni: Any, address: str) -> dict[str, Any] | None:
        """What AWS shows of the public address of one private address of an interface."""
        if self._of is None:
            self._of = {}
            for eip in self.backend.addresses:
                if eip.eni is not None:
                    self._of[eip.eni.id, getattr(eip, "lab_private", None) or eip.eni.private_ip_address] = eip
        eip = self._of.get((eni.id, address))
        shown = self.backend.vpcs.get(eni.vpc_id)
        named_too = shown is not None and shown.enable_dns_hostnames
        region = self.backend.region_name
        if eip is not None:
            return {
                "AllocationId": eip.allocation_id,
                "AssociationId": eip.association_id,
                "IpOwnerId": self.backend.account_id,
                "PublicIp": eip.public_ip,
                "PublicDnsName": public_name(eip.public_ip, region) if named_too else "",
            }
        if eni.public_ip and address == eni.private_ip_address and eni.public_ip_auto_assign:
            return {
                "IpOwnerId": "amazon",
                "PublicIp": eni.public_ip,
                "PublicDnsName": public_name(eni.public_ip, region) if named_too else "",
            }
        return None


def identifiers(eni: Any) -> list[dict[str, str]]:
    """The groups of an interface as AWS lists them."""
    return [{"GroupId": group.id, "GroupName": group.name} for group in eni._group_set]


def show(backend: Any, eni: Any, elastic: Elastic) -> dict[str, Any]:
    """An interface as DescribeNetworkInterfaces shows it."""
    vpc, region = backend.vpcs.get(eni.vpc_id), backend.region_name
    named_too = vpc is not None and vpc.enable_dns_hostnames and vpc.enable_dns_support
    addresses = []
    for item in eni.private_ip_addresses:
        address = item["PrivateIpAddress"]
        addresses.append(
            clean(
                {
                    "Primary": bool(item.get("Primary")),
                    "PrivateIpAddress": address,
                    "PrivateDnsName": private_name(address, region) if named_too else None,
                    "Association": elastic.association(eni, address),
                }
            )
        )
    return clean(
        {
            "NetworkInterfaceId": eni.id,
            "SubnetId": eni.subnet.id,
            "VpcId": eni.vpc_id,
            "AvailabilityZone": eni.subnet.availability_zone,
            "AvailabilityZoneId": eni.subnet.availability_zone_id,
            "Description": eni.description,
            "OwnerId": backend.account_id,
            "RequesterManaged": bool(eni.requester_managed),
            "RequesterId": "amazon-aws" if eni.requester_managed else None,
            "InterfaceType": eni.interface_type,
            "Status": eni.status,
            "MacAddress": eni.mac_address,
            "PrivateIpAddress": eni.private_ip_address,
            "PrivateDnsName": private_name(eni.private_ip_address, region) if named_too and eni.private_ip_address else None,
            "PrivateIpAddresses": addresses,
            "Ipv6Addresses": [{"Ipv6Address": item} for item in eni.ipv6_addresses],
            "SourceDestCheck": bool(eni.source_dest_check),
            "Groups": identifiers(eni),
            "Association": elastic.association(eni, eni.private_ip_address),
            "Attachment": attachment(eni),
            "TagSet": tags_of(backend, eni.id),
            **shown(eni),
        }
    )


@instead("ec2", "CreateNetworkInterface")
def create(call: Call) -> dict[str, Any]:
    """Make an interface in a subnet, with the addresses asked for or the next free ones."""
    backend, params = call.backend(), call.params
    if not params.get("SubnetId"):
        raise missing("subnetId")
    subnet = find_subnet(backend, str(params["SubnetId"]))
    groups = groups_for(call, subnet, params.get("Groups") or [])
    wanted = [str(params["PrivateIpAddress"])] if params.get("PrivateIpAddress") else []
    listed = params.get("PrivateIpAddresses") or []
    if wanted and any(item.get("Primary") and item.get("PrivateIpAddress") != wanted[0] for item in listed):
        raise Refusal(
            "InvalidParameterCombination", "The parameter privateIpAddress cannot be used with a primary address in privateIpAddresses"
        )
    # The primary address leads; without one, the first of the list is taken for it unless the pool must give one.
    listed = sorted(listed, key=lambda item: not item.get("Primary"))
    extra = [str(item["PrivateIpAddress"]) for item in listed if item.get("PrivateIpAddress") not in wanted]
    count = int(params.get("SecondaryPrivateIpAddressCount") or 0)
    if count and len(listed) > 1:
        raise Refusal("InvalidParameterCombination", "The parameter secondaryPrivateIpAddressCount cannot be used with privateIpAddresses")
    if extra and not wanted and not listed[0].get("Primary"):
        primary = take(backend, subnet, len(extra) + 1, extra)
        found = [primary[-1], *primary[:-1]]
    else:
        found = take(backend, subnet, max(len(wanted) + len(extra), 1) + count, wanted + extra)
    six = [str(item["Ipv6Address"]) for item in params.get("Ipv6Addresses") or []]
    number = int(params.get("Ipv6AddressCount") or 0)
    ipv6 = take_ipv6(backend, subnet, max(number, len(six)), six)
    tags = tags_asked(call, "network-interface")
    tracking = check_tracking(params.get("ConnectionTrackingSpecification") or {})
    eni = make(call, subnet, found, groups, str(params.get("Description") or ""), ipv6)
    eni.lab_tracking = tracking
    if params.get("InterfaceType"):
        eni.interface_type = str(params["InterfaceType"])
    put_tags(backend, eni.id, tags)
    return clean({"NetworkInterface": show(backend, eni, Elastic(backend)), "ClientToken": params.get("ClientToken")})


@instead("ec2", "DeleteNetworkInterface")
def delete(call: Call) -> dict[str, Any]:
    """Remove an interface that is not attached."""
    backend = call.backend()
    eni = find(backend, str(call.params.get("NetworkInterfaceId") or ""))
    if eni.status == "in-use":
        raise invalid(f"Network interface '{eni.id}' is currently in use.")
    for eip in backend.addresses:
        if eip.eni is eni:
            eip.eni, eip.association_id = None, None
    release(backend, eni.id)
    return {"Return": True}


def _public(eni: Any, member: str) -> list[Any]:
    elastic = Elastic(eni.ec2_backend)
    found = (elastic.association(eni, item["PrivateIpAddress"]) for item in eni.private_ip_addresses)
    return [item.get(member) for item in found if item]


_FIELDS: dict[str, Any] = {
    "network-interface-id": lambda eni: eni.id,
    "subnet-id": lambda eni: eni.subnet.id,
    "vpc-id": lambda eni: eni.vpc_id,
    "availability-zone": lambda eni: eni.subnet.availability_zone,
    "availability-zone-id": lambda eni: eni.subnet.availability_zone_id,
    "description": lambda eni: eni.description,
    "group-id": lambda eni: [group.id for group in eni._group_set],
    "group-name": lambda eni: [group.name for group in eni._group_set],
    "interface-type": lambda eni: eni.interface_type,
    "status": lambda eni: eni.status,
    "mac-address": lambda eni: eni.mac_address,
    "owner-id": lambda eni: eni.ec2_backend.account_id,
    "requester-managed": lambda eni: bool(eni.requester_managed),
    "requester-id": lambda eni: "amazon-aws" if eni.requester_managed else None,
    "source-dest-check": lambda eni: bool(eni.source_dest_check),
    "private-ip-address": lambda eni: [item["PrivateIpAddress"] for item in eni.private_ip_addresses],
    "addresses.private-ip-address": lambda eni: [item["PrivateIpAddress"] for item in eni.private_ip_addresses],
    "addresses.primary": lambda eni: [bool(item.get("Primary")) for item in eni.private_ip_addresses],
    "addresses.association.public-ip": lambda eni: _public(eni, "PublicIp"),
    "association.public-ip": lambda eni: _public(eni, "PublicIp"),
    "association.allocation-id": lambda eni: _public(eni, "AllocationId"),
    "association.association-id": lambda eni: _public(eni, "AssociationId"),
    "association.ip-owner-id": lambda eni: _public(eni, "IpOwnerId"),
    "private-dns-name": lambda eni: private_name(eni.private_ip_address, eni.ec2_backend.region_name),
    "ipv6-addresses.ipv6-address": lambda eni: eni.ipv6_addresses,
}


@instead("ec2", "DescribeNetworkInterfaces")
def describe(call: Call) -> dict[str, Any]:
    """Interfaces, with filters and paging."""
    backend = call.backend()
    items = named(call, "NetworkInterfaceIds", backend.enis, "InvalidNetworkInterfaceID.NotFound", "networkInterface ID")
    attached, elastic = attachment_or_ended(call), Elastic(backend)

    def render(eni: Any) -> dict[str, Any]:
        return {**show(backend, eni, elastic), **clean({"Attachment": attached(eni)})}

    fields = {**_FIELDS, **attachment_fields(attached)}
    items = keep(call, items, fields, lambda eni: backend.tags.get(eni.id, {}), render=render)
    return paged(call, "NetworkInterfaces", items, render)


def set_groups(eni: Any, groups: Sequence[Any]) -> None:
    """Give an interface other groups; the primary interface's groups are also its instance's."""
    eni._group_set = list(groups)
    if eni.instance is not None and eni.device_index == 0:
        eni.instance.security_groups = list(groups)
