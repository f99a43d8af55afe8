# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology's names in the observed network: which VPC, table, group, connection is there. What was not read is unknown, not absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .._model.network import Network, Peering, Resource, RouteTable, SecurityGroup, Vpc
from ..errors import Code, Finding
from .blocks import Block, parse
from .ownership import Ownership
from .types import PeeringSpec, Topology, VpcSpec


@dataclass
class Observed:
    """``identities``: account name to its 12-digit id. ``findings`` and ``warnings`` are filled by the checks."""

    topology: Topology
    network: Network
    identities: Mapping[str, str]
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _vpcs: dict[str, Vpc | None] = field(default_factory=dict)
    _blocks: dict[str, list[tuple[str, Block]]] = field(default_factory=dict)

    def fault(self, path: str, message: str, code: str = Code.PREFLIGHT) -> None:
        """Tells one fault."""
        self.findings.append(self.topology.finding(path, message, code))

    def warn(self, path: str, message: str) -> None:
        """Tells something that is no obstacle."""
        self.warnings.append(str(self.topology.finding(path, message)))

    def ours(self, resource: Resource) -> bool:
        """Whether this topology made it."""
        return self.ownership.ours(resource)

    @cached_property
    def ownership(self) -> Ownership:
        """Which resources are the topology's own."""
        return Ownership(self.topology, self.network, self.identities)

    def account(self, spec: VpcSpec) -> str:
        """The 12-digit account, or an empty string when nobody told."""
        return spec.remote.owner if spec.remote else self.identities.get(spec.account, "")

    def read(self, spec: VpcSpec, file: str) -> bool:
        """Whether a file of the snapshot was read for the VPC's account and Region. A network without such notes counts as read."""
        return not self.network.complete or (self.account(spec), spec.region, file) in self.network.complete

    def candidates(self, spec: VpcSpec) -> list[Vpc]:
        """The VPCs that a spec may mean: one, as a rule."""
        return self.ownership.candidates(spec)

    def vpc(self, name: str) -> Vpc | None:
        """The VPC that is there, None while it is only planned, or not read."""
        if name not in self._vpcs:
            spec = self.topology.vpcs[name]
            found = [] if spec.remote else self.candidates(spec)
            self._vpcs[name] = self.network.vpcs.get(spec.remote.id) if spec.remote else found[0] if found else None
        return self._vpcs[name]

    def vpc_id(self, name: str) -> str:
        """Its id, or an empty string."""
        spec = self.topology.vpcs[name]
        there = self.vpc(name)
        return there.id if there else spec.remote.id if spec.remote else spec.id

    def blocks(self, name: str) -> list[tuple[str, Block]]:
        """Every block of a VPC of both families with the words that say where it is known from.

        Of a VPC of ours what is declared, and the block that Amazon gave it; of the others what is there, and what is told of them.
        """
        if name in self._blocks:
            return self._blocks[name]
        spec, there = self.topology.vpcs[name], self.vpc(name)
        told = [*(spec.remote.cidrs if spec.remote else spec.cidrs), *([spec.ipv6] if "/" in spec.ipv6 and not spec.remote else [])]
        found = dict.fromkeys(told, f"vpcs.{name}")
        if there is not None:
            actual = there.ipv6_cidrs if spec.ours else (*there.cidrs, *there.ipv6_cidrs)
            found |= {text: f"vpcs.{name} ({there.id})" for text in actual if text not in found}
        self._blocks[name] = [(words, block) for text, words in found.items() if not isinstance(block := parse(text), str)]
        return self._blocks[name]

    def connections(self, spec: PeeringSpec) -> list[Peering]:
        """Every connection of a pair that AWS lists, live ones first."""
        pair = frozenset((self.vpc_id(spec.requester), self.vpc_id(spec.accepter)))
        if "" in pair or len(pair) < 2:
            return []
        return self.connections_of.get(pair, [])

    @cached_property
    def pairs_of(self) -> Mapping[str, list[PeeringSpec]]:
        """VPC's name to its declared pairs."""
        found: dict[str, list[PeeringSpec]] = {name: [] for name in self.topology.vpcs}
        for pair in self.topology.peerings:
            found[pair.requester].append(pair)
            found[pair.accepter].append(pair)
        return found

    @cached_property
    def connections_of(self) -> Mapping[frozenset[str], list[Peering]]:
        """A pair of VPC ids to its connections."""
        found: dict[frozenset[str], list[Peering]] = {}
        for peering in sorted(self.network.peerings.values(), key=lambda item: (not item.live, item.id)):
            found.setdefault(peering.pair, []).append(peering)
        return found

    def live(self, spec: PeeringSpec) -> Peering | None:
        """The connection that carries a pair, or will."""
        return next((peering for peering in self.connections(spec) if peering.live), None)

    def tables(self, vpc: str, name: str) -> list[RouteTable]:
        """The tables that a name means, in one VPC."""
        spec = self.topology.vpcs[vpc]
        there = self.network.tables_of.get(self.vpc_id(vpc), ())
        declared = spec.route_tables.get(name)
        ref = declared.ref if declared else ""
        if not ref:
            return [table for table in there if self.ours(table) and table.name == f"vpcs.{vpc}.route_tables.{name}"]
        if ref == "main":
            return [table for table in there if table.main]
        return [table for table in there if ref in (table.id, table.tags.get("Name"))]

    def groups(self, vpc: str, name: str) -> list[SecurityGroup]:
        """The groups that a name means, in one VPC."""
        spec = self.topology.vpcs[vpc].security_groups[name]
        there = self.network.groups_of.get(self.vpc_id(vpc), ())
        if not spec.ref:
            return [group for group in there if self.ours(group) and group.name == f"vpcs.{vpc}.security_groups.{name}"]
        return [group for group in there if spec.ref in (group.id, group.group_name)]
