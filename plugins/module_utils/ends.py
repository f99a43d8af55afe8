# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology's names as ends of a path, in a network that is observed or only planned.

A group is something that carries it, in any of the VPC's subnets; a subnet is something in it with the groups of the instances that are
declared there, else with all groups of the VPC, else with its default group; an instance that is not there yet stands in its subnet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ._model.network import Instance, Network, Subnet
from ._reach.blocks import candidates, plainest
from ._reach.endpoints import End, launchable, resolve, some_address
from ._reach.index import Index
from ._topology.types import InstanceSpec, Place, Topology, VpcSpec
from .errors import CloudnetError

PREFIXES = ("instance", "subnet", "group")


@dataclass(frozen=True)
class Spot:
    """Where a place could be. ``subnet``: its name in the place's VPC, or an id.

    ``groups``: names of groups of the VPC, or ids; none for the VPC's default one.
    """

    place: Place
    subnet: str = ""
    groups: tuple[str, ...] = ()

    @property
    def vpc(self) -> str:
        """The VPC's name in the topology, empty for what is outside of all."""
        return self.place.vpc

    @property
    def instance(self) -> str:
        """The name of the instance that it is, else empty."""
        return self.place.name if self.place.kind == "instance" else ""

    def __str__(self) -> str:
        """The place; for a group the subnet too, for it could be in several, which says as well that it is a group."""
        return f"{self.place.vpc}.{self.place.name} in {self.subnet}" if self.place.kind == "group" else str(self.place)


@dataclass(frozen=True)
class World:
    """A topology in a network. ``ids``: the topology's full names (``vpcs.a.subnets.b``) to ids, ``planned:`` ones too."""

    topology: Topology
    network: Network
    ids: Mapping[str, str]

    @cached_property
    def index(self) -> Index:
        """The network's look-ups."""
        return Index.of(self.network)

    def vpc_id(self, name: str) -> str:
        """The id of a VPC, empty while there is none."""
        spec = self.topology.vpcs[name]
        return spec.remote.id if spec.remote else self.ids.get(f"vpcs.{name}", spec.id)

    def subnet(self, spot: Spot) -> Subnet | None:
        """The subnet of a spot."""
        return self.network.subnets.get(self.ids.get(f"vpcs.{spot.vpc}.subnets.{spot.subnet}", spot.subnet))

    def groups(self, spot: Spot) -> tuple[str, ...] | None:
        """Its groups' ids, None when one is not there. AWS takes the VPC's default group where none is named.

        https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
        """
        if not spot.groups:
            there = self.network.groups_of.get(self.vpc_id(spot.vpc), ())
            return tuple(group.id for group in there if group.group_name == "default")
        found = [self.ids.get(f"vpcs.{spot.vpc}.security_groups.{name}", name) for name in spot.groups]
        return tuple(found) if all(group in self.network.security_groups for group in found) else None

    def end(self, spot: Spot) -> End | None:
        """The spot as an end of a path, None while something of it is not there."""
        if spot.instance and (running := self.instance(spot.vpc, spot.instance)):
            return replace(resolve(self.index, running.id), text=str(spot))
        subnet, groups = self.subnet(spot), self.groups(spot)
        if subnet is None or groups is None:
            return None
        address = self.topology.vpcs[spot.vpc].instances[spot.instance].private_ip if spot.instance else ""
        return launchable(self.index, subnet, groups, str(spot), address)

    def unread(self, spot: Spot) -> str:
        """The file that would tell whether the spot is there, where it was not read; else an empty string."""
        vpc = self.network.vpcs.get(self.vpc_id(spot.vpc))
        if vpc is None:
            region, read = self.topology.vpcs[spot.vpc].region, self.network.complete
            return "" if not read or any(place[1:] == (region, "Vpcs") for place in read) else f"{region}/Vpcs.json"
        return self.index.missing("Subnets", vpc) or self.index.missing("SecurityGroups", vpc)

    def instance(self, vpc: str, name: str) -> Instance | None:
        """A declared instance that is there: by our tags, else by its address or its Name in the VPC."""
        spec, here = self.topology.vpcs[vpc].instances[name], self.vpc_id(vpc)
        there = [item for item in self.network.instances.values() if item.vpc == here and item.state not in ("terminated", "shutting-down")]
        full = f"vpcs.{vpc}.instances.{name}"
        ways = (
            lambda item: item.topology == self.topology.name and item.name == full,
            lambda item: bool(spec.private_ip) and item.private_ip == spec.private_ip,
            lambda item: item.tags.get("Name") in (name, f"{vpc}.{name}", f"{self.topology.name}-{vpc}-{name}"),
        )
        return next((item for way in ways for item in there if way(item)), None)

    def subnets(self, vpc: str) -> tuple[str, ...]:
        """The VPC's declared subnets by name; those that are there by id, where none is declared."""
        spec = self.topology.vpcs[vpc]
        return tuple(spec.subnets) or tuple(sorted(item.id for item in self.network.subnets_of.get(self.vpc_id(vpc), ())))

    def spots_of(self, place: Place) -> list[Spot]:
        """Where something of a name could be: one spot for an instance or subnet, one in each subnet for a group."""
        spec = self.topology.vpcs[place.vpc]
        if place.kind == "instance":
            return [instance_spot(spec, spec.instances[place.name])]
        if place.kind == "subnet":
            return [Spot(place, place.name, subnet_groups(spec, place.name))]
        return [Spot(place, subnet, (place.name,)) for subnet in self.subnets(place.vpc)]

    def place(self, text: str) -> Place | None:
        """What ``vpc.name`` means: an instance, else a subnet, else a group; None for what names nothing of the topology.

        Raises CloudnetError for a name in one of its VPCs that is not there.
        """
        prefix, colon, rest = text.partition(":")
        vpc, dot, name = (rest if colon and prefix in PREFIXES else text).partition(".")
        if not dot or vpc not in self.topology.vpcs:
            return None
        spec = self.topology.vpcs[vpc]
        members = {"instance": spec.instances, "subnet": spec.subnets, "group": spec.security_groups}
        kinds = (prefix,) if prefix in PREFIXES and colon else PREFIXES
        found = next((kind for kind in kinds if name in members[kind]), "")
        if not found:
            known = sorted({item for kind in kinds for item in members[kind]})
            raise CloudnetError(f"'{text}' is no {' or '.join(kinds)} of vpcs.{vpc}: it has {', '.join(known) or 'none'}")
        return spec.place(found, name)

    def ends(self, place: Place | str, near: End | None = None) -> list[tuple[str, End | None]]:
        """The ends that a place stands for, with their names; None for what is not there.

        Raises CloudnetError for what names nothing, or of which it was not read whether it is there.
        """
        if isinstance(place, str):
            meant = self.place(place)
            if meant is None:
                return [(place, resolve(self.index, place, near))]
            place = meant
        if place.kind == "internet":
            return [("internet", resolve(self.index, "internet"))]
        if place.kind == "cidr":
            address, _slash, length = place.name.partition("/")
            wide = length not in ("32", "128")
            address = some_address(self.index, place.name) if wide else address
            return [(place.name, replace(resolve(self.index, address, near, anybody=wide), text=address))]
        if self.topology.vpcs[place.vpc].remote:
            raise CloudnetError(f"{place} is in a VPC for which there are no credentials: name an address of it")
        found = []
        for spot in self.spots_of(place):
            end = self.end(spot)
            if end is None and (file := self.unread(spot)):
                raise CloudnetError(f"whether {spot.place} is there was not read ({file})")
            found.append((str(spot), end))
        return found


def instance_spot(spec: VpcSpec, instance: InstanceSpec) -> Spot:
    """Where a declared instance is, or will be."""
    return Spot(spec.place("instance", instance.name), instance.subnet, instance.security_groups)


def subnet_groups(spec: VpcSpec, subnet: str) -> tuple[str, ...]:
    """The groups of what is in a subnet: those of the instances that are declared there, else all that are for instances."""
    used = {group: None for item in spec.instances.values() if item.subnet == subnet for group in item.security_groups}
    return tuple(used) or instance_groups(spec)


def instance_groups(spec: VpcSpec) -> tuple[str, ...]:
    """The VPC's groups but for those that only its endpoints carry."""
    own = {group for item in spec.endpoints.values() for group in item.groups}
    carried = {group for item in spec.instances.values() for group in item.security_groups}
    return tuple(name for name in spec.security_groups if name not in own - carried)


def spots(*worlds: World, planned: bool = True) -> list[Spot]:
    """Every named end of a topology: instances, groups where they can be, and subnets of a VPC without groups.

    Of a group's subnets, those alike in every one of ``worlds`` are one spot. ``planned``: also instances that are not there in the last.
    """
    last = worlds[-1]
    found: list[Spot] = []
    for vpc, spec in last.topology.vpcs.items():
        if spec.remote:
            continue
        found += [instance_spot(spec, item) for name, item in spec.instances.items() if planned or last.instance(vpc, name)]
        places: dict[object, str] = {}
        names = dict.fromkeys(name for world in worlds for name in world.subnets(vpc))
        for name in names:
            places.setdefault(subnet_kind(worlds, vpc, name), name)
        if groups := instance_groups(spec):
            found += [Spot(spec.place("group", group), subnet, (group,)) for group in groups for subnet in places.values()]
        else:
            found += [Spot(spec.place("subnet", name), name) for name in names]
    return found


def subnet_kind(worlds: Iterable[World], vpc: str, name: str) -> object:
    """What tells a subnet of a VPC from its neighbours in some worlds: equal for those that are alike in every one."""
    return tuple(_kind(world, Spot(Place("subnet", vpc, name), name)) for world in worlds)


def _kind(world: World, spot: Spot) -> object:
    """What tells a subnet from its neighbours: table, ACL, doors, zone where a transit gateway asks for it, and which of the blocks that
    the network names it lies in, its VPC's own among them: a VPC has several, and not all are routed to or let in everywhere."""
    subnet, index = world.subnet(spot), world.index
    if subnet is None:
        return None
    table, acl = index.table(subnet), index.acl(subnet)
    blocks = tuple(
        index.named_blocks.longest(plainest(index.named_blocks, candidates(cidr))) for cidr in (subnet.cidr, subnet.ipv6_cidr) if cidr
    )
    doors = tuple(nat.id for nat in index.nats_of.get(subnet.vpc, ()) if nat.subnet == subnet.id)
    zone = subnet.zone if world.network.transit_attachments else ""
    return (table.id if table else "", acl.id if acl else "", subnet.map_public_ip, doors, zone, blocks)
