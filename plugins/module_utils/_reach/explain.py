# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that people know, and the smallest change that opens what is blocked, in the topology's own keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._model.network import PLANNED, AclEntry, Network, NetworkAcl, Peering, Resource, RouteTable, Subnet
from .acls import free_number
from .endpoints import End
from .index import Index
from .traffic import ICMP, PORTED, Traffic
from .verdict import Fix

_PARTS = (".subnets.", ".security_groups.", ".route_tables.", ".network_acls.", ".endpoints.", ".nat_gateways.")


def name(resource: Resource | None, fallback: str = "") -> str:
    """``finance.db`` for what a topology made, else its Name tag, else its id."""
    if resource is None:
        return fallback
    if resource.name:
        short = resource.name.removeprefix("vpcs.").removeprefix("peerings.")
        for part in _PARTS:
            short = short.replace(part, ".")
        return short
    return resource.tags.get("Name") or resource.id


def vpc_name(network: Network, vpc: str) -> str:
    """A VPC's name; its id when it was not observed or has none."""
    return name(network.vpcs.get(vpc), vpc)


def end_name(index: Index, end: End) -> str:
    """The end as a topology would call it, where it can."""
    network = index.network
    if end.kind == "internet":
        return end.text
    if end.endpoint:
        return name(network.endpoints.get(end.endpoint), end.endpoint)
    if end.instance:
        return name(network.instances.get(end.instance), end.instance)
    if end.interface:
        return name(network.interfaces.get(end.interface), end.interface)
    return name(network.subnets[end.subnet], end.text) if end.standin and end.subnet in network.subnets else end.text


def protocol_keys(asked: Traffic) -> dict[str, Any]:
    """A question as the keys of an ``allow``: ``{"tcp": 443}``, ``{"icmp": True}``, ``{"protocol": 47}``."""
    if asked.protocol in PORTED:
        low, high = asked.span
        if (low, high) == (0, 65535):
            return {asked.protocol: True}
        return {asked.protocol: low if low == high else f"{low}-{high}"}
    if asked.protocol in ICMP:
        return {"icmp": True}
    return {"protocol": -1 if asked.protocol == "-1" else int(asked.protocol)}


def flow(mapping: Mapping[str, Any]) -> str:
    """A small mapping in YAML's flow style, as the topology would have it."""

    def show(value: Any) -> str:
        if isinstance(value, Mapping):
            return flow(value)
        if isinstance(value, list | tuple):
            return "[" + ", ".join(show(item) for item in value) + "]"
        return str(value).lower() if isinstance(value, bool) else str(value)

    return "{" + ", ".join(f"{key}: {show(value)}" for key, value in mapping.items()) + "}"


def _place(index: Index, end: End, family: int, by_group: bool) -> str:
    """How an ``allow`` names an end: its group, else its subnet, else its address."""
    network = index.network
    if end.kind == "internet":
        return end.text if end.text == "internet" or end.standin else f"{end.text}/{32 if family == 4 else 128}"
    if by_group and end.groups and (group := network.security_groups.get(end.groups[0])):
        return _told_apart("group", group, network.subnets_of.get(group.vpc, ()))
    subnet = network.subnets.get(end.subnet)
    if subnet is None or not subnet.name:
        return block_of(network, end, family)
    return _told_apart("subnet", subnet, network.groups_of.get(subnet.vpc, ()))


def _told_apart(kind: str, found: Resource, others: Iterable[Resource]) -> str:
    """A name as an ``allow`` takes it: with its kind where a group and a subnet of the VPC share it."""
    text = name(found)
    return f"{kind}:{text}" if any(name(item) == text for item in others) else text


def block_of(network: Network, end: End, family: int) -> str:
    """The narrowest block that stands for an end: its address, or its subnet's block while it has none of its own."""
    if end.kind == "internet" and end.text == "internet":
        return "0.0.0.0/0" if family == 4 else "::/0"
    if end.standin and "/" in end.text:
        return end.text
    subnet = network.subnets.get(end.subnet)
    if end.standin and subnet:
        return subnet.cidr if family == 4 else subnet.ipv6_cidr
    return f"{end.address(family)}/{32 if family == 4 else 128}"


def allow(index: Index, source: End, destination: End, asked: Traffic, family: int, egress: bool, by_group: bool, seen_as: str = "") -> Fix:
    """An ``allow`` that puts the missing rule on the group of the end whose gate is shut.

    ``seen_as``: the block of the address that arrives, where a gateway changed it.
    """
    wish = {
        "from": seen_as or _place(index, source, family, by_group or egress),
        "to": _place(index, destination, family, True) if not egress or by_group else _place(index, destination, family, False),
        **protocol_keys(asked),
    }
    group = (source if egress else destination).groups
    where = name(index.network.security_groups.get(group[0]), group[0]) if group else "its security group"
    return Fix("allow", f"allow: {flow(wish)} (an {'outbound' if egress else 'inbound'} rule of {where})", {"allow": [wish]})


def peer(network: Network, one: str, other: str) -> Fix:
    """A peering that is not there."""
    wish = {"between": sorted((vpc_name(network, one), vpc_name(network, other)))}
    return Fix("peering", f"peerings: {flow(wish)}", {"peerings": [wish]})


def accept(network: Network, peering: Peering) -> Fix:
    """What brings a connection to life."""
    if peering.status == "pending-acceptance":
        side = peering.accepter
        # https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-lifecycle
        until = f"before {peering.expires:%Y-%m-%d %H:%M %Z}" if peering.expires else "within 7 days of the request"
        return Fix("accept", f"accept {peering.id} as account {side.account} in {side.region} ({until})", {"accept": peering.id})
    if peering.status in ("provisioning", "initiating-request"):
        return Fix("accept", f"wait until {peering.id} is active; it is {peering.status}", {"accept": peering.id})
    found = peer(network, peering.requester.vpc, peering.accepter.vpc)
    return Fix("peering", f"{peering.id} is {peering.status} and stays so; make a new one: {found.text}", found.change)


def route(network: Network, table: RouteTable, to: str, via: str, target: str, peering: Peering | None = None) -> Fix:
    """A route that is missing, or goes the wrong way."""
    vpc, short = vpc_name(network, table.vpc), name(table).rpartition(".")[2] or table.id
    text = f"route {to} via {target.removeprefix(PLANNED)} in route table {name(table)}"
    if peering is not None:
        other = vpc_name(network, peering.other(table.vpc).vpc)
        wish = {"between": [vpc, other], "routes": {vpc: [short]}}
        return Fix("route", f"{text}; peerings: {flow(wish)}", {"peerings": [wish]})
    wish = {"vpcs": {vpc: {"route_tables": {short: {"routes": [{"to": to, "via": target if via != "internet" else "internet"}]}}}}}
    return Fix("route", text, wish)


def public_subnet(network: Network, subnet: Subnet) -> Fix:
    """A way to the internet for a subnet that has none."""
    vpc, short = vpc_name(network, subnet.vpc), name(subnet).rpartition(".")[2] or subnet.id
    wish = {"vpcs": {vpc: {"subnets": {short: {"public": True}}}}}
    return Fix("route", f"subnets.{short}: {{public: true}} in vpcs.{vpc}, or nat: with a public subnet for outbound traffic alone", wish)


def acl_entry(network: Network, acl: NetworkAcl, egress: bool, asked: Traffic, cidr: str, deny: AclEntry | None) -> Fix:
    """An entry before the one that denies."""
    number = free_number(acl, egress, deny)
    entry: dict[str, Any] = {"number": number, "cidr": cidr}
    if asked.protocol != "-1":
        entry |= protocol_keys(asked)
    side = "outbound" if egress else "inbound"
    vpc, short = vpc_name(network, acl.vpc), name(acl).rpartition(".")[2] or acl.id
    if not number:
        return Fix("acl", f"no number is free before the entry that denies: renumber the {side} entries of {name(acl)}")
    return Fix(
        "acl", f"network_acls.{short}.{side}: {flow(entry)} in vpcs.{vpc}", {"vpcs": {vpc: {"network_acls": {short: {side: [entry]}}}}}
    )


def other(text: str) -> Fix:
    """A change that the topology has no key for."""
    return Fix("other", text)
