# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of others stands on a thing that a plan removes, so that AWS would refuse the removal when half of the rest is gone.

Each kind of thing cannot be deleted while something uses it: the pages of DeleteVpc, DeleteSubnet, DeleteSecurityGroup, DeleteRouteTable,
DeleteNetworkAcl, DeleteManagedPrefixList, DetachInternetGateway and ReleaseAddress say by what
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpc.html), and
https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html for the interfaces that AWS's services make.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network

from .._model.network import Interface, Network, Peering, Resource
from .._topology.faults import join
from .._topology.types import Topology
from ..errors import Code, Finding
from .actions import Action, Plan

#: The kinds that can be held, and the files of a snapshot that tell by what.
FILES = {
    "vpc": (
        "Subnets", "RouteTables", "SecurityGroups", "NetworkAcls", "InternetGateways", "EgressOnlyInternetGateways", "NatGateways",
        "VpcEndpoints", "NetworkInterfaces", "Reservations", "TransitGatewayVpcAttachments", "VpnGateways",
    ),
    "subnet": ("NetworkInterfaces", "Reservations", "NatGateways", "VpcEndpoints", "TransitGatewayVpcAttachments"),
    "security_group": ("NetworkInterfaces", "Reservations", "SecurityGroups", "SecurityGroupRules"),
    "route_table": ("RouteTables",),
    "network_acl": ("NetworkAcls",),
    "internet_gateway": ("NetworkInterfaces", "Reservations"),
    "address": (),
    "cidr": ("Subnets",),
    "prefix_list": (),
}  # fmt: skip
_ENDED = ("deleting", "deleted", "failed", "rejected", "expired", "terminated", "shutting-down", "detached")
#: What AWS calls interfaces of its own services, in people's words.
_SERVICES = {
    "lambda": "a Lambda function's interface",
    "nat_gateway": "a NAT gateway's interface",
    "transit_gateway": "a transit gateway attachment's interface",
    "network_load_balancer": "a Network Load Balancer's interface",
    "load_balancer": "a load balancer's interface",
    "gateway_load_balancer": "a Gateway Load Balancer's interface",
    "gateway_load_balancer_endpoint": "an endpoint's interface",
    "vpc_endpoint": "an endpoint's interface",
    "efa": "an interface",
    "interface": "an interface",
}


@dataclass(frozen=True)
class _Holder:
    """``id`` and the words for one thing that stays; ``inside``: the ids of what it stands in, from the VPC inwards."""

    id: str
    words: str
    inside: tuple[str, ...]


def holders(topology: Topology, network: Network, plan: Plan, *, instances_go: bool) -> list[Finding]:
    """One finding for each thing that is to be removed and cannot be, with everything that stands on it; what lies in a VPC that goes is
    told with the VPC. ``instances_go``: the instances that the plan names for it are terminated before it is applied.
    """
    return list(_Look(topology, network, plan, instances_go).findings())


def places(network: Network, plan: Plan) -> dict[tuple[str, str], dict[str, set[str]]]:
    """What must be read before that can be told: by account and Region, the files and the ids of the VPCs in question."""
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for action in plan:
        if action.op == "delete":
            for file in FILES.get(action.kind, ()):
                vpcs = found.setdefault((action.account, action.region), {}).setdefault(file, set())
                vpcs |= {vpc for vpc in (_vpc_of(network, plan, action),) if vpc}
    return {place: {file: vpcs for file, vpcs in files.items() if vpcs} for place, files in found.items()}


def _vpc_of(network: Network, plan: Plan, action: Action) -> str:
    """The id of the VPC in which a removed thing is, or an empty string."""
    if action.kind == "vpc":
        return action.id
    collections = (network.subnets, network.security_groups, network.route_tables, network.network_acls, network.internet_gateways)
    there = next((items[action.id] for items in collections if action.id in items), None)
    if there is not None:
        return str(there.vpc)
    named = (action.before or {}).get("vpc")
    return plan.ids.get(str(named), str(named or ""))


class _Look:
    def __init__(self, topology: Topology, network: Network, plan: Plan, instances_go: bool) -> None:
        self.topology, self.network, self.plan, self.instances_go = topology, network, plan, instances_go
        self.removals = {action.id: action for action in plan if action.op == "delete" and action.id}

    def findings(self) -> Iterator[Finding]:
        held: dict[str, dict[str, str]] = {}
        for holder in self._all():
            outermost = next((place for place in holder.inside if place in self.removals), "")
            if outermost and not self._goes(holder.id):
                held.setdefault(outermost, {})[holder.id] = holder.words
        for identifier, action in self.removals.items():
            if identifier in held:
                things = list(held[identifier].values())
                verb, those = ("is", "that") if len(things) == 1 else ("are", "these")
                message = f"{identifier} cannot go while {join(things)} {verb} on it: nothing was removed; remove {those} first"
                yield self.topology.finding(action.name, message, Code.HELD)

    def _goes(self, identifier: str) -> bool:
        """Whether something is removed by the plan, goes with what is, or is gone by the time."""
        return identifier in self.removals or identifier in self._with_them

    @cached_property
    def _with_them(self) -> frozenset[str]:
        """The interfaces of NAT gateways and endpoints that go, and instances that are terminated before, with theirs."""
        found: set[str] = set()
        for items in (self.network.nat_gateways, self.network.endpoints):
            found |= {eni for id_, item in items.items() if id_ in self.removals or item.state in _ENDED for eni in item.interfaces}
        ours = {
            item.id
            for item in self.network.instances.values()
            if item.state in _ENDED or (self.instances_go and item.id in self.plan.terminations)
        }
        found |= ours | {eni.id for eni in self.network.interfaces.values() if eni.instance in ours}
        return frozenset(found)

    def _all(self) -> Iterator[_Holder]:
        yield from self._connections()
        yield from self._interfaces()
        yield from self._gateways()
        yield from self._parts()
        yield from self._uses()

    def _connections(self) -> Iterator[_Holder]:
        for peering in self.network.peerings.values():
            for side, other in (peering.sides, peering.sides[::-1]):
                # A pending request that the VPC itself made to another account goes with it.
                # https://docs.aws.amazon.com/vpc/latest/peering/delete-vpc-peering-connection.html
                goes = peering.status == "pending-acceptance" and side is peering.requester and side.account != other.account
                if peering.live and not goes:
                    words = f"{peering.id} (a peering connection with {other.vpc} of account {other.account}{self._made_by(peering)})"
                    yield _Holder(peering.id, words, (side.vpc,))
        for attachment in self.network.transit_attachments.values():
            if attachment.type == "vpc" and attachment.state not in _ENDED:
                words = f"{attachment.id} (an attachment to {attachment.gateway}, of account {attachment.account})"
                yield _Holder(attachment.id, words, (attachment.resource, *(attachment.subnets or ())))
        for item in self.network.others.get("VpnGateways", ()):
            for link in item.get("VpcAttachments") or ():
                if str(link.get("State")) not in _ENDED:
                    words = f"{item.get('VpnGatewayId')} (a virtual private gateway)"
                    yield _Holder(str(item.get("VpnGatewayId")), words, (str(link.get("VpcId")),))

    def _interfaces(self) -> Iterator[_Holder]:
        listed = {
            eni
            for items in (self.network.nat_gateways, self.network.endpoints)
            for item in items.values()
            if item.state not in _ENDED
            for eni in item.interfaces
        }
        for eni in self.network.interfaces.values():
            if eni.id in listed:
                continue
            inside = (eni.vpc, eni.subnet, *eni.groups, *(self._doors(eni.vpc) if eni.public_ips else ()))
            if eni.instance:
                instance = self.network.instances.get(eni.instance)
                mine = instance is not None and instance.topology == self.topology.name
                whose = "an instance of this topology" if mine else f"an instance of account {eni.account}"
                if not self._goes(eni.id) and (instance or self._read(eni, "Reservations")):
                    yield _Holder(eni.instance, f"{eni.instance} ({whose}, by {eni.id} in {eni.subnet})", inside)
            else:
                yield _Holder(eni.id, f"{eni.id} ({self._described(eni)} in {eni.subnet}, of account {eni.account})", inside)

    def _read(self, item: Resource, file: str) -> bool:
        """Whether a file was read of the account and Region of something. A network without such notes counts as read."""
        return not self.network.complete or (item.account, item.region, file) in self.network.complete

    def _doors(self, vpc: str) -> tuple[str, ...]:
        """The internet gateways of a VPC: none can be detached while an interface has a public address."""
        return tuple(gateway.id for gateway in self.network.internet_gateways.values() if gateway.vpc == vpc)

    def _described(self, eni: Interface) -> str:
        what = _SERVICES.get(eni.type, f"an interface of type {eni.type}")
        return f"{what} {eni.description!r}" if eni.description else what

    def _gateways(self) -> Iterator[_Holder]:
        network = self.network
        for nat in network.nat_gateways.values():
            if nat.state not in _ENDED:
                doors = self._doors(nat.vpc) if nat.connectivity == "public" else ()
                yield _Holder(nat.id, self._words(nat, "a NAT gateway"), (nat.vpc, nat.subnet, *nat.allocations, *doors))
        for endpoint in network.endpoints.values():
            if endpoint.state not in _ENDED:
                words = self._words(endpoint, f"an endpoint of {endpoint.service}")
                yield _Holder(endpoint.id, words, (endpoint.vpc, *endpoint.subnets, *endpoint.groups))
        for gateways, noun in ((network.internet_gateways, "an internet"), (network.egress_only_gateways, "an egress-only internet")):
            for gateway in gateways.values():
                yield _Holder(gateway.id, self._words(gateway, f"{noun} gateway"), (gateway.vpc,))

    def _parts(self) -> Iterator[_Holder]:
        network = self.network
        for subnet in network.subnets.values():
            yield _Holder(
                subnet.id, self._words(subnet, "a subnet"), (subnet.vpc, *self._blocks_of(subnet.vpc, subnet.cidr, subnet.ipv6_cidr))
            )
        for group in network.security_groups.values():
            if group.group_name != "default":
                yield _Holder(group.id, self._words(group, f"the group {group.group_name}"), (group.vpc,))
        for table in network.route_tables.values():
            if not table.main:
                yield _Holder(table.id, self._words(table, "a route table"), (table.vpc,))
        for acl in network.network_acls.values():
            if not acl.default:
                yield _Holder(acl.id, self._words(acl, "a network ACL"), (acl.vpc,))

    def _blocks_of(self, vpc: str, *blocks: str) -> Iterator[str]:
        """The associations, about to be removed, of the VPC's blocks in which a subnet's blocks lie."""
        there = self.network.vpcs.get(vpc)
        for whole, association in (there.associations if there else {}).items():
            if association in self.removals and any(_within(block, whole) for block in blocks if block):
                yield association

    def _uses(self) -> Iterator[_Holder]:
        """Who uses a table, an ACL, a group, an address or a prefix list of ours."""
        network, changed = self.network, {action.id for action in self.plan}
        for table in network.route_tables.values():
            for link in table.associations if table.id in self.removals else ():
                user = link.subnet or link.gateway
                if user and link.id not in changed:
                    yield _Holder(user, f"{user} (which uses it)", (table.id,))
            for route in table.routes:
                listed = route.destination in self.removals and f"{table.id}|{route.destination}" not in self.removals
                if listed and table.id not in self.removals:
                    yield _Holder(table.id, self._words(table, "a route table that names it"), (route.destination,))
        for acl in network.network_acls.values():
            for subnet, association in acl.associations.items() if acl.id in self.removals else ():
                if association not in changed:
                    yield _Holder(subnet, f"{subnet} (which it guards)", (acl.id,))
        for address in network.addresses.values():
            user = address.interface or address.instance
            if user and address.association and address.id in self.removals:
                yield _Holder(user, f"{user} (which has it)", (address.id,))
        yield from self._rules()

    def _rules(self) -> Iterator[_Holder]:
        """Rules that name a group or a prefix list of ours. One of a peered VPC is no obstacle to a group: it goes stale.

        https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html#vpc-peering-stale-groups
        """
        network = self.network
        for rule in network.rules.values():
            named = tuple(name for name in (rule.source_group, rule.prefix_list) if name in self.removals)
            group, source = network.security_groups.get(rule.group), network.security_groups.get(rule.source_group)
            if named and group is not None and rule.group not in self.removals and (source is None or source.vpc == group.vpc):
                words = f"{rule.id} (a rule of {group.group_name} ({group.id}) of account {rule.account}, which names it)"
                yield _Holder(rule.id, words, (group.vpc, *named))
        for group in network.security_groups.values():
            for vpc in group.associated_vpcs if group.id in self.removals else ():
                yield _Holder(f"{group.id}@{vpc}", f"its association with {vpc}", (group.id,))

    def _words(self, item: Resource, noun: str) -> str:
        name = item.tags.get("Name", "")
        return f"{item.id} ({noun}{f' {name!r}' if name else ''} of account {item.account}{self._made_by(item)})"

    def _made_by(self, item: Resource | Peering) -> str:
        if item.topology and item.topology != self.topology.name:
            return f", made by the topology {item.topology}"
        return ""


def _within(block: str, whole: str) -> bool:
    inner, outer = ip_network(block), ip_network(whole)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
