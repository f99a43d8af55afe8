# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan opens and closes: between a topology's named ends, to and from the internet, and the blocks that rules name.

A block is an end of its own towards the groups whose rules name it, unless named ends stand in all of it: so a plan that opens a port says
so, whoever may come. One change is one line: the groups that a rule is of, with their instances behind them. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations, product
from typing import Any

from ._model.network import Network
from ._reach.endpoints import End, of_block
from ._reach.matrix import Question
from ._reach.reach import Journey, journey, shut, value
from ._reach.standing import placed
from ._reach.traffic import traffic
from ._reach.verdict import BLOCKED, REACHABLE, UNKNOWN
from ._topology.types import Place, Topology
from ._topology.width import public
from .block_ends import WHOLE, named_by, stood_for
from .connectivity import check, port_of, queries, questions, words_of
from .ends import Spot, World, spots, subnet_kind
from .errors import CloudnetError

INTERNET = Spot(Place("internet"))
CHANGES = ("opened", "closed", "unknown")


@dataclass(frozen=True)
class _Told:
    """A change between two ends. ``source``, ``target``: a place where all of it is alike, else a spot of it."""

    change: str
    source: Place | Spot
    target: Place | Spot
    question: Question
    family: int


def changes(
    topology: Topology,
    before: Network,
    after: Network,
    ids_before: Mapping[str, str],
    ids_later: Mapping[str, str],
    *,
    expects: bool = True,
) -> dict[str, Any]:
    """``opened``, ``closed``, ``unknown``: rows of from, to, protocol, port, families, traffic, from_instances, to_instances. ``expect``:
    as check's.

    Between every two named ends of one VPC or of two that are joined, to and from the internet where there is a gateway, and the blocks
    that rules name, both ways. ``opened`` was blocked or not there and is reachable; ``unknown`` differs, but one of the two answers is not
    known. ``from_instances``, ``to_instances``: the instances that carry the groups at the ends, of which the same is true.
    """
    old, new = World(topology, before, ids_before), World(topology, after, ids_later)
    rows: dict[str, list[dict[str, Any]]] = {change: [] for change in CHANGES}
    if before is not after:
        sides = (_Answers(old), _Answers(new))
        # A rule that goes speaks of ports of which the topology no longer does.
        going = [before.rules[key] for key in sorted(before.rules.keys() - after.rules.keys())]
        asked = questions(topology, (rule for rule in going if rule.protocol != "-1"))
        found = spots(old, new, planned=False)
        told = _without_implied(_told(sides, asked, found))
        for row in _rows(told, _carriers((old, new), found)):
            rows[row.pop("change")].append(row)
    return {**rows, "expect": check(new, queries(topology.expects)) if expects else []}


class _Answers:
    """The verdicts' words in one network. The way is worked out once for all groups that are in the same two places."""

    def __init__(self, world: World) -> None:
        self.world, self.index = world, world.index
        self.ends: dict[Spot, End | None] = {}
        self.ways: dict[tuple[Any, ...], Journey] = {}
        self.links: dict[tuple[str, str], bool] = {}
        self.linked = {pair for peering in world.network.peerings.values() for pair in permutations(peering.pair)}
        self.transit = {item.resource for item in world.network.transit_attachments.values()}
        self.transit |= {
            table.vpc for table in world.network.route_tables.values() if any(item.via == "transit_gateway" for item in table.routes)
        }

    @cached_property
    def blocks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """The blocks of the topology's own VPCs, where named ends are."""
        ours = (self.world.vpc_id(name) for name, spec in self.world.topology.vpcs.items() if not spec.remote)
        return tuple(ipaddress.ip_network(cidr) for vpc in ours if vpc for cidr in self.index.cidrs(vpc))

    def end(self, spot: Spot) -> End | None:
        """A named spot's end, found once."""
        if spot not in self.ends:
            self.ends[spot] = self.world.ends(spot.place)[0][1] if spot is INTERNET else self.world.end(spot)
        return self.ends[spot]

    def joined(self, one: str, other_vpc: str) -> bool:
        """Whether anything could lead from the one VPC to the other, by their names; the internet has none."""
        pair = (one, other_vpc)
        if pair not in self.links:
            self.links[pair] = self._linked(*pair)
        return self.links[pair]

    def _linked(self, one: str, other_vpc: str) -> bool:
        if not one or not other_vpc:
            vpc = self.world.vpc_id(one or other_vpc)
            known = self.world.network.vpcs.get(vpc)
            return vpc in self.index.gateways_of or bool(known and self.index.missing("InternetGateways", known))
        here, there = self.world.vpc_id(one), self.world.vpc_id(other_vpc)
        return here == there or (here, there) in self.linked or {here, there} <= self.transit

    def word(self, one: Spot, other: Spot, question: Question, family: int) -> str:
        """reachable, blocked (or not there), unknown. One of the two may be a block that a rule of the other names."""
        near = [spot for spot in (one, other) if spot.place.kind != "cidr"]
        missing = [spot for spot in near if self.end(spot) is None]
        if missing:
            return UNKNOWN if any(self.world.unread(spot) for spot in missing) else BLOCKED
        if len(near) == 2 and not self.joined(one.vpc, other.vpc):
            return BLOCKED
        try:
            source, destination = self._end(one, other), self._end(other, one)
        except CloudnetError:  # a block of several VPCs, and nothing says whose is meant
            return UNKNOWN
        if source is None or destination is None or family not in source.families or family not in destination.families:
            return BLOCKED
        asked = traffic(question.protocol, question.port, family=family)
        ends = ((end.kind, end.vpc, end.subnet, end.interface, end.address(family), end.public) for end in (source, destination))
        key = (*ends, question, family)
        way = self.ways.get(key)
        if way is None:
            way = self.ways[key] = journey(self.index, source, destination, asked, family)
        found = value(self.index, source, destination, asked, family, way)
        if found == UNKNOWN and len(near) == 1 and shut(self.index, source, destination, asked, way, egress=near[0] is one):
            # Whatever the way to or from a block is: the group whose rules name it does not let this through.
            return BLOCKED
        return found

    def _end(self, spot: Spot, other: Spot) -> End | None:
        near = self.end(other) if spot.place.kind == "cidr" else None
        return placed(self.index, of_block(self.index, spot.place.name, near), near) if near else self.end(spot)


def _told(sides: Sequence[_Answers], asked: Sequence[Question], found: Sequence[Spot]) -> list[_Told]:
    """Every change, by places where all spots of a place agree, else spot by spot."""
    by_place: dict[Place, list[Spot]] = {}
    for spot in (*found, INTERNET):
        by_place.setdefault(spot.place, []).append(spot)
    families = (4, 6) if any(end and 6 in end.families for side in sides for spot in found if (end := side.end(spot))) else (4,)
    told: list[_Told] = []
    for one, other in permutations(by_place, 2):
        if any(side.joined(one.vpc, other.vpc) for side in sides):
            told += _between(sides, asked, families, by_place[one], by_place[other])
    for members in by_place.values():
        for egress in (False, True):
            for block in _blocks(sides, found, members, egress):
                far, family = [Spot(Place("cidr", name=block))], (6,) if ":" in block else (4,)
                told += _between(sides, asked, family, *((members, far) if egress else (far, members)))
    return told


def _blocks(sides: Sequence[_Answers], found: Sequence[Spot], members: Sequence[Spot], egress: bool) -> list[str]:
    """The blocks that the rules of some spots' groups name, before or after, and for which no named end stands."""
    named: dict[str, None] = {}
    for side in sides:
        groups = dict.fromkeys(group for spot in members if (end := side.end(spot)) for group in end.groups or ())
        blocks = [block for block in named_by(side.index, groups, egress=egress) if block not in WHOLE]
        if blocks:
            ends = [end for spot in found if (end := side.end(spot))]
            named |= dict.fromkeys(block for block in blocks if not stood_for(block, side.blocks, ends))
    return sorted(named)


def _between(
    sides: Sequence[_Answers],
    asked: Sequence[Question],
    families: Sequence[int],
    here: Sequence[Spot],
    there: Sequence[Spot],
) -> Iterator[_Told]:
    for question, family in product(asked, families):
        answers = {
            (one, other): _change(*(side.word(one, other, question, family) for side in sides)) for one, other in product(here, there)
        }
        if len(set(answers.values())) == 1:
            answers = {(here[0], there[0]): answers[here[0], there[0]]}
            keys: dict[Spot, Place | Spot] = {here[0]: here[0].place, there[0]: there[0].place}
        else:
            keys = {spot: spot if len(spots_) > 1 else spot.place for spots_ in (here, there) for spot in spots_}
        for (one, other), change in answers.items():
            if change:
                yield _Told(change, keys[one], keys[other], question, family)


def _change(before: str, after: str) -> str:
    if before == after:
        return ""
    return {(BLOCKED, REACHABLE): "opened", (REACHABLE, BLOCKED): "closed"}.get((before, after), "unknown")


def _without_implied(told: Sequence[_Told]) -> list[_Told]:
    """What is said of the whole internet is not said again of a public block that a rule names."""
    known = set(told)

    def implied(item: _Told) -> bool:
        source, target = _widened(item.source), _widened(item.target)
        if (source, target) == (item.source, item.target):
            return False
        # The internet may be told of a whole place, and the block of a spot of it alone.
        places = [end.place if isinstance(end, Spot) else end for end in (source, target)]
        return bool(known & {replace(item, source=source, target=target), replace(item, source=places[0], target=places[1])})

    return [item for item in told if not implied(item)]


def _widened(end: Place | Spot) -> Place | Spot:
    """The internet for a block that is public, at least in part; any other end as it is."""
    if not isinstance(end, Place) or end.kind != "cidr":
        return end
    block = ipaddress.ip_network(end.name)
    return INTERNET.place if public([block], block.version) else end


def _carriers(worlds: Sequence[World], found: Sequence[Spot]) -> dict[Place | Spot, list[Place | Spot]]:
    """Each instance to the groups that it carries, and to those of them where it stands."""
    carriers: dict[Place | Spot, list[Place | Spot]] = {}
    for instance in found:
        if instance.place.kind == "instance":
            kind = subnet_kind(worlds, instance.vpc, instance.subnet)
            carried = [
                spot
                for spot in found
                if spot.place.kind == "group" and spot.vpc == instance.vpc and spot.place.name in instance.groups
                and subnet_kind(worlds, spot.vpc, spot.subnet) == kind
            ]  # fmt: skip
            carriers[instance.place] = [*carried, *(spot.place for spot in carried)]
    return carriers


def _rows(told: Sequence[_Told], carriers: Mapping[Place | Spot, Sequence[Place | Spot]]) -> Iterator[dict[str, Any]]:
    """What changes, with adjacent pieces of ports and both families told at once, and instances behind the groups that they carry."""
    known = set(told)
    behind: dict[_Told, list[_Told]] = {}
    kept: list[_Told] = []
    for item in told:
        pairs = product((item.source, *carriers.get(item.source, ())), (item.target, *carriers.get(item.target, ())))
        groups = [other for pair in pairs if (other := replace(item, source=pair[0], target=pair[1])) in known and other != item]
        if groups:
            for other in groups:
                behind.setdefault(other, []).append(item)
        else:
            kept.append(item)
    families: dict[tuple[Any, ...], list[int]] = {}
    for item in kept:
        sources = tuple(dict.fromkeys(str(other.source) for other in behind.get(item, ()) if other.source != item.source))
        targets = tuple(dict.fromkeys(str(other.target) for other in behind.get(item, ()) if other.target != item.target))
        families.setdefault((item.change, item.source, item.target, sources, targets, item.question), []).append(item.family)
    grouped: dict[tuple[Any, ...], list[object]] = {}
    for (*ends, question), found in families.items():
        grouped.setdefault((*ends, question.protocol, tuple(found)), []).append(question.port)
    for (change, source, target, sources, targets, protocol, found_in), ports in grouped.items():
        for port in _merged(protocol, ports):
            yield {
                "change": change,
                "from": str(source),
                "to": str(target),
                "protocol": protocol,
                "port": port,
                "families": list(found_in),
                "traffic": words_of(protocol, port) + (" (IPv6)" if found_in == (6,) else ""),
                "from_instances": list(sources),
                "to_instances": list(targets),
            }


def _merged(protocol: str, ports: list[Any]) -> list[Any]:
    if protocol not in ("tcp", "udp"):
        return ports
    spans: list[tuple[int, int]] = []
    for low, high in sorted(traffic(protocol, port).span for port in ports):
        if spans and spans[-1][1] + 1 == low:
            spans[-1] = (spans[-1][0], high)
        else:
            spans.append((low, high))
    return [port_of(*span) for span in spans]
