# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind reads while planning: the topology, the network, and the names of what is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .._model.network import NAME_TAG, TOPOLOGY_TAG, Network, Peering, Resource, RouteTable, SecurityGroup
from .._topology.ownership import Ownership
from .._topology.resolve import resolved
from .._topology.types import PeeringSpec, Topology, VpcSpec
from ..errors import Code, Finding
from .actions import Found, Ref


@dataclass
class Context:
    """``accounts``: the topology's account name to its 12-digit id. ``ids``: our name to the id (or block) of what is there.

    ``narrow``: plan exactly the objects that the topology names and never an undeclared one (the single-purpose modules).
    """

    topology: Topology
    network: Network
    accounts: Mapping[str, str]
    absent: bool = False
    narrow: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _connections: dict[tuple[str, str, str], Peering | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.topology = resolved(self.topology, self.network, self.accounts)

    @cached_property
    def declared(self) -> Mapping[str, PeeringSpec]:
        """The declared peerings by the ids of their connections, live or dead."""
        return {found.id: spec for spec in self.topology.peerings if (found := self.connection(spec))}

    @cached_property
    def pairs(self) -> Mapping[frozenset[str], PeeringSpec]:
        """The declared peerings by the names of their two VPCs; of two for one pair the first."""
        return {frozenset((spec.requester, spec.accepter)): spec for spec in reversed(self.topology.peerings)}

    @cached_property
    def peerings(self) -> Mapping[str, PeeringSpec]:
        """The declared peerings by our names for them."""
        return {f"peerings.{spec.name}": spec for spec in self.topology.peerings}

    @cached_property
    def vpcs(self) -> Mapping[str, VpcSpec]:
        """The VPCs for which we hold credentials."""
        return {name: vpc for name, vpc in self.topology.vpcs.items() if not vpc.remote}

    def fault(self, path: str, message: str, code: str = Code.CONFLICT) -> None:
        """Tell what stands in the way of the plan; ``path`` is a path of the topology, or our name of a thing.

        What a topology asks for in vain is no reason to leave what it made.
        """
        if self.absent:
            return
        self.findings.append(self.topology.finding(path, message, code))

    def warn(self, path: str, message: str) -> None:
        """Tell something that is worth knowing and no obstacle."""
        self.warnings.append(str(self.topology.finding(path, message)))

    def register(self, name: str, identifier: str) -> None:
        """Let later kinds find this resource by name, and its name by id."""
        self.ids[name] = identifier
        self.names.setdefault(identifier, name)

    def refer(self, value: Ref | str) -> Ref | str:
        """The one spelling of a thing, however it is written: by its id (of an IPv6 block: the block), or by one of several names.

        A Ref by the name under which it was registered first, else the value as it is. What is wanted and what is found both pass here.
        """
        identifier = self.ids.get(value.name, "") if isinstance(value, Ref) else value
        return Ref(self.names[identifier]) if identifier in self.names else value

    def ours(self, resource: Resource) -> bool:
        """Whether this topology made it: it carries the topology's tag and fits its name."""
        return self.ownership.ours(resource)

    @cached_property
    def ownership(self) -> Ownership:
        """Which resources are the topology's own."""
        return Ownership(self.topology, self.network, self.accounts)

    def tags(self, name: str, label: str, vpc: VpcSpec | None = None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The tags of a new resource: the topology's, the VPC's, then what tells it as ours. Name tells people what it is."""
        of_vpc = {key: value for key, value in (vpc.tags if vpc else {}).items() if key != "Name"}
        return {
            **{key: value for key, value in self.topology.tags.items() if key != "Name"},
            **of_vpc,
            "Name": f"{self.topology.name}-{label}"[:256],
            **(extra or {}),
            TOPOLOGY_TAG: self.topology.name,
            NAME_TAG: name,
        }

    def account(self, vpc: VpcSpec) -> str:
        """The 12-digit account of a VPC."""
        return vpc.remote.owner if vpc.remote else self.accounts[vpc.account]

    def region(self, vpc: VpcSpec) -> str:
        """The Region of a VPC."""
        return (vpc.remote.region if vpc.remote else "") or vpc.region

    def vpc_id(self, name: str) -> str:
        """The id of a VPC by its name in the topology, or an empty string while it is only planned."""
        spec = self.topology.vpcs[name]
        return spec.remote.id if spec.remote else self.ids.get(f"vpcs.{name}", "")

    def vpc_ref(self, name: str) -> Ref | str:
        """How attributes name a VPC: a remote one by its own id."""
        spec = self.topology.vpcs[name]
        return spec.remote.id if spec.remote else self.refer(Ref(f"vpcs.{name}"))

    def table_ref(self, vpc: str, name: str) -> Ref | str:
        """How attributes name a route table; in an adopted VPC one table may have several names."""
        return self.refer(Ref(f"vpcs.{vpc}.route_tables.{name}"))

    def group_ref(self, vpc: str, name: str) -> Ref | str:
        """How attributes name a security group: one of a remote VPC by its own id."""
        spec = self.topology.vpcs[vpc]
        return spec.security_groups[name].ref if spec.remote else self.refer(Ref(f"vpcs.{vpc}.security_groups.{name}"))

    def cidrs(self, name: str) -> tuple[str, ...]:
        """All IPv4 blocks of a VPC: those that are there, then those that are declared and not there yet."""
        spec = self.topology.vpcs[name]
        there = self.network.vpcs.get(self.vpc_id(name))
        declared = spec.remote.cidrs if spec.remote else spec.cidrs
        if there is None:
            return tuple(cidr for cidr in declared if ":" not in cidr)
        kept = [cidr for cidr in there.cidrs if not spec.ours or cidr in declared]
        return tuple(dict.fromkeys([*kept, *(declared if spec.ours else ())]))

    def ipv6_cidrs(self, name: str) -> tuple[Ref | str, ...]:
        """All IPv6 blocks; an Amazon-provided one of ours is a Ref, as its value is known only once it is there."""
        spec = self.topology.vpcs[name]
        if spec.remote:
            return tuple(cidr for cidr in spec.remote.cidrs if ":" in cidr)
        if spec.ours:
            return (Ref(ipv6_name(name)),) if spec.ipv6 == "amazon" else (spec.ipv6,) if spec.ipv6 else ()
        there = self.network.vpcs.get(self.vpc_id(name))
        return there.ipv6_cidrs if there else ()

    def connection(self, spec: PeeringSpec) -> Peering | None:
        """The connection that serves a pair: the live one first, in either direction; a dead one only as a last resort, so that it can be
        named. VPCs are registered before anybody asks, so that the answer never changes; it is asked for every route."""
        key = (spec.requester, spec.accepter, spec.id)
        if key not in self._connections:
            self._connections[key] = self._connection(spec)
        return self._connections[key]

    def _connection(self, spec: PeeringSpec) -> Peering | None:
        if spec.id:
            return self.network.peerings.get(spec.id)
        pair = frozenset((self.vpc_id(spec.requester), self.vpc_id(spec.accepter)))
        if "" in pair or len(pair) < 2:
            return None
        found = [item for item in self.network.peerings_of.get(self.vpc_id(spec.requester), ()) if item.pair == pair]
        return next(iter(sorted(found, key=lambda item: (not item.live, item.status != "deleting", not self.ours(item), item.id))), None)

    def table(self, vpc: str, ref: str) -> RouteTable | None:
        """A table of an adopted VPC by id, by Name tag, or ``main``."""
        tables = self.network.tables_of.get(self.vpc_id(vpc), ())
        if ref == "main":
            return next((table for table in tables if table.main), None)
        return next((table for table in tables if ref in (table.id, table.tags.get("Name"))), None)

    def group(self, vpc: str, ref: str) -> SecurityGroup | None:
        """A group of an adopted VPC by id or name."""
        groups = self.network.groups_of.get(self.vpc_id(vpc), ())
        return next((group for group in groups if ref in (group.id, group.group_name)), None)

    @property
    def homes(self) -> Mapping[str, tuple[tuple[str, str, str], ...]]:
        """Prefix list name to the (account name, account id, Region) triples in which something of the topology uses it."""
        found: dict[str, dict[tuple[str, str, str], None]] = {name: {} for name in self.topology.prefix_lists}
        for vpc in self.topology.vpcs.values():
            if vpc.remote:
                continue
            home = (vpc.account, self.account(vpc), vpc.region)
            used = {route.to for table in vpc.route_tables.values() for route in table.routes}
            used |= {rule.prefix_list for group in vpc.security_groups.values() for rule in (*group.rules, *(group.egress or ()))}
            used |= {
                allow.source.name for allow in self.topology.allows if allow.source.kind == "prefix_list" and allow.target.vpc == vpc.name
            }
            for name in found:
                full = prefix_list_name(name, vpc.account, vpc.region)
                if name in used or self.ids.get(full) in used:
                    found[name][home] = None
        return {name: tuple(homes) for name, homes in found.items()}


def ipv6_name(vpc: str) -> str:
    """The name under which a VPC's Amazon-provided block is known."""
    return f"vpcs.{vpc}.ipv6"


def prefix_list_name(name: str, account: str, region: str) -> str:
    """The name of a list in one account and Region; ``account`` is the topology's name for it."""
    return ":".join(part for part in (f"prefix_lists.{name}", account, region) if part)


def tagged(
    ctx: Context, items: Mapping[str, Any], attrs: Callable[[Any], Mapping[str, Any]], weight: Callable[[Any], int] = lambda _: 0
) -> Iterator[Found]:
    """Every resource of a collection that this topology made, with its attributes and tags."""
    for item in items.values():
        if ctx.ours(item) and item.name:
            yield Found(item.name, item.id, item.account, item.region, {**attrs(item), "tags": dict(item.tags)}, weight=weight(item))


def referred(ctx: Context, values: Iterable[Ref | str]) -> list[Any]:
    """Each thing once, in its one spelling and in a stable order."""
    return sorted({ctx.refer(value) for value in values}, key=str)
