# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP option sets: a real default one in each Region, what a set may hold, and which VPC has which.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDhcpOptions.html, API_AssociateDhcpOptions.html ("The ID of the DHCP
options set, or default to associate no DHCP options with the VPC"), API_DeleteDhcpOptions.html (only once no VPC has it).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ..calls import Call, Refusal, after, instead
from .addresses import private_domain
from .shapes import find_vpc, invalid, keep, missing, named, paged, put_tags, tags_asked, tags_of

PROVIDED = "AmazonProvidedDNS"
NONE = "default"
_ADDRESSES = 4
_ADDRESS_KEYS = ("domain-name-servers", "ntp-servers", "netbios-name-servers")
_KEYS = (*_ADDRESS_KEYS, "domain-name", "netbios-node-type", "ipv6-address-preferred-lease-time")
# One domain, or several apart by spaces, which "some Linux operating systems accept".
_DOMAINS = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_. -]{0,253}[A-Za-z0-9_.])?")
_NODE_TYPES = ("1", "2", "4", "8")


def default_set(backend: Any) -> Any:
    """The Region's own set, made when it is first asked for: the Region's domain and Amazon's name servers."""
    for item in backend.dhcp_options_sets.values():
        if getattr(item, "lab_default", False):
            return item
    made = backend.create_dhcp_options()
    made.lab_default = True
    made.lab_options = {"domain-name": [private_domain(backend.region_name)], "domain-name-servers": [PROVIDED]}
    return made


def options_of(item: Any) -> dict[str, list[str]]:
    """What a set holds, by key."""
    held: dict[str, list[str]] = item.lab_options
    return held


def view(backend: Any, item: Any) -> dict[str, Any]:
    """A set in the shape of DescribeDhcpOptions."""
    pairs = options_of(item).items()
    return {
        "DhcpOptionsId": item.id,
        "OwnerId": backend.account_id,
        "DhcpConfigurations": [{"Key": key, "Values": [{"Value": value} for value in values]} for key, values in pairs],
        "Tags": tags_of(backend, item.id),
    }


def _checked(configurations: list[dict[str, Any]]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for item in configurations:
        key, values = str(item.get("Key") or ""), [str(value) for value in item.get("Values") or []]
        if key not in _KEYS:
            raise invalid(f"Value ({key}) for parameter Key is invalid. Unknown DHCP option.")
        if key in result:
            raise invalid(f"Value ({key}) for parameter Key is given twice.")
        if not values:
            raise missing("Value")
        if key in _ADDRESS_KEYS:
            if len(values) > _ADDRESSES:
                raise invalid(f"Value ({', '.join(values)}) for parameter value is invalid. At most {_ADDRESSES} addresses for {key}.")
            for value in values:
                _check_address(key, value)
        elif len(values) > 1:
            raise invalid(f"Value ({', '.join(values)}) for parameter value is invalid. One value for {key}.")
        elif key == "domain-name" and not _DOMAINS.fullmatch(values[0]):
            raise invalid(f"Value ({values[0]}) for parameter value is invalid. Invalid domain name.")
        elif key == "netbios-node-type" and values[0] not in _NODE_TYPES:
            raise invalid(f"Value ({values[0]}) for parameter value is invalid. Invalid netbios node type.")
        elif key == "ipv6-address-preferred-lease-time" and not values[0].isdigit():
            raise invalid(f"Value ({values[0]}) for parameter value is invalid. A number of seconds is expected.")
        result[key] = values
    if not result:
        raise missing("DhcpConfiguration")
    return result


def _check_address(key: str, value: str) -> None:
    if key == "domain-name-servers" and value == PROVIDED:
        return
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise invalid(f"Value ({value}) for parameter value is invalid. Invalid IP address: {value}") from error


@instead("ec2", "CreateDhcpOptions")
def create(call: Call) -> dict[str, Any]:
    """A set with one configuration or more."""
    backend = call.backend()
    options = _checked(call.params.get("DhcpConfigurations") or [])
    tags = tags_asked(call, "dhcp-options")
    made = backend.create_dhcp_options()
    made.lab_options = options
    put_tags(backend, made.id, tags)
    return {"DhcpOptions": view(backend, made)}


def _find(backend: Any, key: str) -> Any:
    default_set(backend)
    found = backend.dhcp_options_sets.get(key)
    if found is None:
        raise Refusal("InvalidDhcpOptionID.NotFound", f"The dhcpOption ID '{key}' does not exist")
    return found


@instead("ec2", "AssociateDhcpOptions")
def associate(call: Call) -> dict[str, Any]:
    """Give a VPC another set, or none."""
    backend, key = call.backend(), str(call.params.get("DhcpOptionsId") or "")
    if not key or not call.params.get("VpcId"):
        raise missing("vpcId" if key else "dhcpOptionsId")
    vpc = find_vpc(backend, str(call.params["VpcId"]))
    vpc.dhcp_options, vpc.lab_dhcp_chosen = (None if key == NONE else _find(backend, key)), True
    return {}


@instead("ec2", "DeleteDhcpOptions")
def delete(call: Call) -> dict[str, Any]:
    """Remove a set that no VPC has."""
    backend, key = call.backend(), str(call.params.get("DhcpOptionsId") or "")
    if not key:
        raise missing("dhcpOptionsId")
    found = _find(backend, key)
    holder = next((vpc for vpc in backend.vpcs.values() if vpc.dhcp_options is found), None)
    if holder is not None:
        raise Refusal("DependencyViolation", f"The dhcpOptions '{key}' has dependencies and cannot be deleted: {holder.id} uses it.")
    del backend.dhcp_options_sets[key]
    backend.tags.pop(key, None)
    return {}


_FIELDS: dict[str, Any] = {
    "dhcp-options-id": lambda item: item.id,
    "key": lambda item: list(options_of(item)),
    "owner-id": lambda item: item.ec2_backend.account_id,
    "value": lambda item: [value for values in options_of(item).values() for value in values],
}


@instead("ec2", "DescribeDhcpOptions")
def describe(call: Call) -> dict[str, Any]:
    """The sets of the caller's account and Region, its default one among them."""
    backend = call.backend()
    default_set(backend)
    items = named(call, "DhcpOptionsIds", backend.dhcp_options_sets, "InvalidDhcpOptionID.NotFound", "dhcpOption ID")
    items = keep(call, items, _FIELDS, lambda item: backend.tags.get(item.id, {}))
    return paged(call, "DhcpOptions", items, lambda item: view(backend, item))


def of_vpc(backend: Any, vpc: Any) -> Any:
    """The set that a VPC has, or ``None``; a default VPC that was there from the start has the Region's own."""
    if vpc.dhcp_options is None and vpc.is_default and not hasattr(vpc, "lab_dhcp_chosen"):
        vpc.dhcp_options, vpc.lab_dhcp_chosen = default_set(backend), True
    return vpc.dhcp_options


@after("ec2", "CreateVpc", "CreateDefaultVpc")
def of_a_new_vpc(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """A new VPC has the Region's default set."""
    backend = call.backend()
    vpc = backend.vpcs[result["Vpc"]["VpcId"]]
    vpc.dhcp_options = default_set(backend)
    return {**result, "Vpc": {**result["Vpc"], "DhcpOptionsId": vpc.dhcp_options.id}}
