# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which resources are a topology's own: those that carry its tag and stand where their name says.

Anybody who may tag a resource can give it our tags, so a tag alone decides nothing: a subnet must lie in the VPC that its name says, a
connection must join the two VPCs of its name. What carries our tag and does not fit is reported, and neither changed nor removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .._model.network import NAME_TAG, TOPOLOGY_TAG, Address, FlowLog, Network, Peering, PrefixList, Resource, Rule, Vpc
from .types import Topology, VpcSpec

#: The collections of a Network whose resources can be ours, and what their names say after ``vpcs.X.``. A name follows a dot.
PLACES: Mapping[str, str] = {
    "subnets": "subnets.",
    "internet_gateways": "internet_gateway",
    "egress_only_gateways": "egress_only_gateway",
    "addresses": "addresses.",
    "nat_gateways": "nat_gateways.",
    "route_tables": "route_tables.",
    "security_groups": "security_groups.",
    "rules": "security_groups.",
    "network_acls": "network_acls.",
    "endpoints": "endpoints.",
    "flow_logs": "flow_logs",
    "instances": "instances.",
}

#: Every collection whose resources carry our tags.
COLLECTIONS = ("vpcs", *PLACES, "prefix_lists", "peerings")

#: What is listed for a while after its end, and needs no report then.
_ENDED = ("deleting", "deleted", "failed", "delete-complete", "shutting-down", "terminated", "rejected", "expired")

#: Interfaces that come and go with a gateway or an endpoint.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html
_OF_GATEWAYS = ("nat_gateway", "vpc_endpoint", "gateway_load_balancer_endpoint", "transit_gateway")


def ended(resource: Resource) -> bool:
    """Whether it is only listed for a while after its end."""
    return str(getattr(resource, "status", "") or getattr(resource, "state", "")).lower() in _ENDED


@dataclass
class Ownership:
    """``accounts``: the topology's account name to its 12-digit id; one that is not known is not compared."""

    topology: Topology
    network: Network
    accounts: Mapping[str, str]
    _faults: dict[str, str] = field(default_factory=dict)

    def ours(self, resource: Resource) -> bool:
        """Whether this topology made it: it carries the tag, on any side that was seen, and fits its name."""
        return self._tags(resource) is not None and not self.fault(resource)

    def fault(self, resource: Resource) -> str:
        """Why a resource that carries the topology's tag does not fit its name, or an empty string."""
        if resource.id not in self._faults:
            self._faults[resource.id] = self._fault(resource)
        return self._faults[resource.id]

    def made(self, identifiers: Iterable[str]) -> frozenset[str]:
        """Those of the ids that are of resources of ours."""
        collections = [getattr(self.network, name) for name in COLLECTIONS]
        items = (next((items[id_] for items in collections if id_ in items), None) for id_ in identifiers)
        return frozenset(item.id for item in items if item is not None and self.ours(item))

    def candidates(self, spec: VpcSpec) -> list[Vpc]:
        """The VPCs that a declared VPC may mean, one as a rule; the first is meant.

        Two of one name may be there after two runs at once: the one that is in use comes first, then the smaller id, so that every run
        means the same. One whose block differs is none of ours, but stands in the way: it is told when there is no other, so that no
        second one is made beside it.
        """
        if spec.remote:
            return [vpc for vpc in self.network.vpcs.values() if vpc.id == spec.remote.id]
        if spec.id:
            return [vpc for vpc in self.network.vpcs.values() if vpc.id == spec.id]
        there = [vpc for vpc in self.network.vpcs.values() if self._here(spec, vpc)]
        if spec.lookup:
            return [vpc for vpc in there if all(vpc.tags.get(key) == value for key, value in spec.lookup.items())]
        mine = [vpc for vpc in there if vpc.topology == self.topology.name and vpc.id not in self.adopted]
        named = [vpc for vpc in mine if vpc.name == f"vpcs.{spec.name}"]
        named.sort(key=lambda vpc: (vpc.id not in self.used, vpc.id))
        return [vpc for vpc in named if not self.fault(vpc)] or named

    @cached_property
    def used(self) -> frozenset[str]:
        """The VPCs with instances, or interfaces that are of no gateway or endpoint: with what no run of ours can make again."""
        instances = {item.vpc for item in self.network.instances.values() if not ended(item)}
        interfaces = {item.vpc for item in self.network.interfaces.values() if item.type not in _OF_GATEWAYS}
        return frozenset(instances | interfaces)

    @cached_property
    def adopted(self) -> Mapping[str, str]:
        """The ids of VPCs that the topology names by ``id`` or ``lookup``, or that are remote, and their names. They are never ours."""
        found: dict[str, str] = {}
        for name, spec in self.topology.vpcs.items():
            if not spec.ours:
                found |= {vpc.id: name for vpc in self.candidates(spec)[:1]}
                found |= {spec.remote.id: name} if spec.remote and spec.remote.id else {}
        return found

    @cached_property
    def vpcs(self) -> Mapping[str, str]:
        """The ids of all VPCs of the topology, and their names: adopted, remote, and made by us, whether still declared or not."""
        return {vpc.id: vpc.name.removeprefix("vpcs.") for vpc in self.network.vpcs.values() if self.ours(vpc)} | dict(self.adopted)

    @cached_property
    def strays(self) -> tuple[tuple[Resource, str], ...]:
        """Every resource that carries the topology's tag and does not fit, with the reason."""
        return tuple(
            (item, reason)
            for collection in COLLECTIONS
            for item in getattr(self.network, collection).values()
            if self._tags(item) is not None and item.id not in self.adopted and not ended(item) and (reason := self.fault(item))
        )

    def reports(self) -> Iterator[str]:
        """A line for each stray: what it is, whose, why it is none of ours, and what to do."""
        for item, reason in self.strays:
            where = f"account {item.account}, {item.region}"
            name = (self._tags(item) or {}).get(NAME_TAG, "") or "no name"
            yield f"{item.id} ({where}) carries the tags of {self.topology.name} as {name}, but {reason}: it is neither changed nor removed"

    def _tags(self, resource: Resource) -> Mapping[str, str] | None:
        """The tags that name the topology; tags of a connection are each side's own."""
        seen = resource.seen.values() if isinstance(resource, Peering) else ()
        return next((tags for tags in (resource.tags, *seen) if tags.get(TOPOLOGY_TAG) == self.topology.name), None)

    def _here(self, spec: VpcSpec, resource: Resource) -> bool:
        """Whether a resource is in the account and the Region of a declared VPC."""
        return resource.region == spec.region and self.accounts.get(spec.account, resource.account) in ("", resource.account)

    def _fault(self, resource: Resource) -> str:
        name = (self._tags(resource) or {}).get(NAME_TAG, "")
        if isinstance(resource, Peering):
            return self._peering(resource, name)
        if isinstance(resource, PrefixList):
            return self._prefix_list(resource, name)
        vpc, _dot, rest = name.removeprefix("vpcs.").partition(".")
        if not name.startswith("vpcs.") or not vpc:
            return "that is no name of such a resource"
        if isinstance(resource, Vpc):
            return "that is no name of a VPC" if rest else self._vpc(resource, vpc)
        words = next(words for collection, words in PLACES.items() if resource.id in getattr(self.network, collection))
        if not (rest.startswith(words) and len(rest) > len(words) if words.endswith(".") else rest == words):
            return "that is no name of such a resource"
        if isinstance(resource, Address):
            return self._address(resource, vpc)
        return self._inside(resource, vpc)

    def _vpc(self, vpc: Vpc, name: str) -> str:
        if vpc.default or vpc.shared:
            return f"it is {'a default VPC' if vpc.default else 'shared by another account'}, which no topology makes"
        if vpc.id in self.adopted:
            return f"the topology adopts it as vpcs.{self.adopted[vpc.id]}"
        spec = self.topology.vpcs.get(name)
        if spec is None:
            return ""
        if not spec.ours:
            return f"vpcs.{name} is {spec.remote.id if spec.remote else spec.id or 'looked up by tags'}"
        if not self._here(spec, vpc):
            return f"vpcs.{name} is declared in account {self.accounts.get(spec.account, '')}, {spec.region}"
        if vpc.cidrs and vpc.cidrs[0] not in spec.cidrs:
            return f"its block {vpc.cidrs[0]} is not one of vpcs.{name} ({', '.join(spec.cidrs)})"
        return ""

    def _inside(self, resource: Resource, name: str) -> str:
        """Of what belongs to a VPC."""
        vpc = self._vpc_of(resource)
        if vpc is None:
            return ""
        if not vpc:
            # Nothing says where a detached gateway belongs but the place of the VPC in its name.
            return self._elsewhere(resource, name)
        if self.vpcs.get(vpc) != name:
            known = f"vpcs.{self.vpcs[vpc]}" if vpc in self.vpcs else "no VPC of the topology"
            return f"it lies in {vpc}, which is {known}"
        return self._elsewhere(resource, name)

    def _vpc_of(self, resource: Any) -> str | None:
        """The id of the VPC that a resource belongs to; empty for none, None where it cannot be told."""
        if isinstance(resource, Rule):
            group = self.network.security_groups.get(resource.group)
            return group.vpc if group else None
        return str(resource.resource if isinstance(resource, FlowLog) else resource.vpc)

    def _elsewhere(self, resource: Resource, name: str) -> str:
        """What belongs to a VPC is in its Region, and in the account with which the topology acts there."""
        spec = self.topology.vpcs.get(name)
        if spec is None or spec.remote or self._here(spec, resource):
            return ""
        return f"vpcs.{name} is declared in account {self.accounts.get(spec.account, '')}, {spec.region}"

    def _address(self, address: Address, name: str) -> str:
        gateways = [gateway for gateway in self.network.nat_gateways.values() if address.id in gateway.allocations]
        if address.instance or (address.association and not gateways):
            return f"it is associated with {address.instance or address.interface or 'something'}, which is no NAT gateway of ours"
        return next((reason for gateway in gateways if (reason := self._inside(gateway, name))), "") or self._elsewhere(address, name)

    def _prefix_list(self, prefix_list: PrefixList, name: str) -> str:
        start, _colon, place = name.partition(":")
        account, _colon, region = place.rpartition(":")
        if not start.startswith("prefix_lists.") or len(start) == len("prefix_lists."):
            return "that is no name of a prefix list"
        if region != prefix_list.region or self.accounts.get(account, prefix_list.account) not in ("", prefix_list.account):
            return "its name says another account or Region"
        return ""

    def _peering(self, peering: Peering, name: str) -> str:
        outside = sorted(peering.pair - self.vpcs.keys())
        if outside:
            return (
                f"of what it joins, {' and '.join(outside)} is declared nowhere in the topology (declare it to have the connection removed)"
            )
        # The module for single connections names VPCs by their ids.
        ends = [self.vpcs.get(end, end) for end in name.removeprefix("peerings.").split(":")]
        if not name.startswith("peerings.") or len(ends) != 2:
            return "that is no name of a connection"
        if sorted(ends) != sorted(self.vpcs[vpc] for vpc in peering.pair):
            return f"it joins {' and '.join(sorted(f'vpcs.{self.vpcs[vpc]}' for vpc in peering.pair))}"
        return ""
