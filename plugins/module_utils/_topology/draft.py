# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology while it is being expanded: mutable, local to one call of ``load``, and frozen into types.Topology at its end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .blocks import Block
from .faults import Cursor, Faults, Key, either, join, show
from .types import (
    AclSpec,
    BastionSpec,
    EndpointSpec,
    FlowLogSpec,
    GroupSpec,
    InstanceSpec,
    PeeringSpec,
    Place,
    RemoteSpec,
    RouteSpec,
    SubnetSpec,
)

GROUP_ID = re.compile(r"sg-([0-9a-f]{8}|[0-9a-f]{17})\Z")
#: As AWS writes a group of another account. https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
OWNED_GROUP = re.compile(r"([0-9]{12})/(sg-([0-9a-f]{8}|[0-9a-f]{17}))\Z")
OURS, ADOPTED, REMOTE = "ours", "adopted", "remote"


@dataclass
class Draft:
    """One VPC. ``blocks`` are its declared CIDR blocks with the path of each; ``unsure`` when one of them could not be read.

    ``families``: the name of a subnet that is in several zones, to the names of its subnets. ``routes``: table to destination to route.
    """

    name: str
    cursor: Cursor
    kind: str
    region: str = ""
    account: str = ""
    remote: RemoteSpec | None = None
    blocks: list[tuple[Key, Block]] = field(default_factory=list)
    unsure: bool = False
    ipv6: str = ""
    ipv6_block: Block | None = None
    dns: bool | None = None
    dns_why: str = ""
    subnets: dict[str, SubnetSpec] = field(default_factory=dict)
    subnet_blocks: dict[str, Block] = field(default_factory=dict)
    subnet_places: dict[str, Key] = field(default_factory=dict)
    families: dict[str, tuple[str, ...]] = field(default_factory=dict)
    table_refs: dict[str, str] = field(default_factory=dict)
    table_paths: dict[str, Key] = field(default_factory=dict)
    routes: dict[str, dict[str, RouteSpec]] = field(default_factory=dict)
    groups: dict[str, GroupSpec] = field(default_factory=dict)
    acls: dict[str, AclSpec] = field(default_factory=dict)
    endpoints: dict[str, EndpointSpec] = field(default_factory=dict)
    instances: dict[str, InstanceSpec] = field(default_factory=dict)
    flow_logs: FlowLogSpec | None = None
    bastion: BastionSpec | None = None
    internet_gateway: bool = False
    egress_only_gateway: bool = False
    nat_subnets: list[str] = field(default_factory=list)

    @property
    def path(self) -> Key:
        """Where it is declared."""
        return ("vpcs", self.name)

    @property
    def ipv4_blocks(self) -> list[Block]:
        """Declared IPv4 blocks."""
        return [block for _other, block in self.blocks if block.version == 4]

    def knows(self, kind: str, name: str) -> bool:
        """Whether ``subnets``, ``security_groups``, ``instances`` … holds a name, or may hold it for all we can read."""
        section = self.cursor[kind]
        return self.cursor.broken or section.broken or name in section or (kind == "subnets" and name in self.families)

    def subnet_names(self) -> list[str]:
        """What a reference may say: every subnet, and every name that stands for several."""
        return [*self.subnets, *self.families]

    def members(self, name: str) -> tuple[str, ...]:
        """The subnets that a name stands for, empty when there is none."""
        return (name,) if name in self.subnets else self.families.get(name, ())

    def place(self, kind: str, name: str) -> Place:
        """One of its groups, subnets or instances as an end."""
        sections = (self.groups, self.subnets, self.instances)
        return Place(kind, self.name, name, shared=sum(name in section for section in sections) > 1)

    def find_subnets(self, name: str, where: Key, faults: Faults) -> tuple[str, ...]:
        """The same, with a fault for a name that is not declared."""
        found = self.members(name)
        if not found and not self.knows("subnets", name):
            faults.add(where, f"vpcs.{self.name} has no subnet '{name}'{either(name, self.subnet_names(), 'it has')}")
        return found

    def find_subnet(self, name: str, where: Key, faults: Faults) -> str:
        """One subnet; a name that stands for several is a fault, an empty string then."""
        found = self.find_subnets(name, where, faults)
        if len(found) > 1:
            faults.add(where, f"'{name}' is in several zones: choose {join(found, 'or')}")
        return found[0] if len(found) == 1 else ""

    def find_group(self, name: str, where: Key, faults: Faults) -> bool:
        """Whether a group of this VPC has that name; a fault if not."""
        if name in self.groups:
            return True
        if self.kind != OURS and GROUP_ID.match(name):
            self.groups[name] = GroupSpec(name, ref=name, path=show(where))
            return True
        if not self.knows("security_groups", name):
            more = " (an adopted VPC's groups are declared too: by their name or id, under security_groups)" if self.kind == ADOPTED else ""
            faults.add(where, f"vpcs.{self.name} has no security group '{name}'{either(name, self.groups, 'it has')}{more}")
        return False


@dataclass
class Work:
    """The whole document. ``pairs_damaged`` when a peering could not be read: then none is said to be missing."""

    root: Cursor
    faults: Faults
    drafts: dict[str, Draft] = field(default_factory=dict)
    prefix_lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pairs: list[PeeringSpec] = field(default_factory=list)
    pairs_damaged: bool = False

    def vpc_known(self, name: str) -> bool:
        """Whether a VPC of that name is declared, readable or not."""
        return name in self.drafts or self.root["vpcs"].broken or name in self.root["vpcs"]

    def find_vpc(self, name: str, where: Key) -> Draft | None:
        """A VPC by name; a fault when there is none."""
        if not self.vpc_known(name):
            self.faults.add(where, f"no VPC is called '{name}'{either(name, self.root['vpcs'].names(), 'there are')}")
        return self.drafts.get(name)

    def pair(self, left: str, right: str) -> PeeringSpec | None:
        """The peering that joins two VPCs directly."""
        return next((pair for pair in self.pairs if {pair.requester, pair.accepter} == {left, right}), None)

    def peered(self, left: str, right: str) -> bool:
        """Whether a peering joins two VPCs directly, for all that can be read."""
        return self.pairs_damaged or self.pair(left, right) is not None
