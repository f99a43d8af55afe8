# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All pairs of many ends, over classes of ends that are alike, so that ten thousand interfaces cost what their kinds cost.

Two ends are alike when they have the same subnet and groups, and no rule, entry, route or prefix list tells their addresses apart:
all blocks that hold the one hold the other. Between VPCs it does not even matter which of the subnets with the same table and ACL it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .._model.network import Network
from . import public_access
from .endpoints import End, of_interface, resolve
from .index import Index
from .pathless import without_a_path
from .reach import Journey, journey, reach, value
from .standing import placed
from .traffic import Traffic, traffic
from .verdict import BLOCKED, REACHABLE, UNKNOWN, Verdict

#: Itself.
SELF = "-"
_MARKS = {REACHABLE: "yes", BLOCKED: "X", UNKNOWN: "?", SELF: "-"}
_CODES = (BLOCKED, REACHABLE, UNKNOWN)


@dataclass(frozen=True)
class Question:
    """``port`` as in traffic.traffic."""

    protocol: str = "tcp"
    port: object = None

    def __str__(self) -> str:
        return str(traffic(self.protocol, self.port))


@dataclass(frozen=True)
class Matrix:
    """``names``: the ends, in order; ``questions``; ``cells``: per question one byte for every pair of classes, row by row of sources.

    ``classes``: each end's class; ``ends``: one end of each class.
    """

    network: Network
    names: tuple[str, ...]
    members: tuple[End, ...]
    questions: tuple[Question, ...]
    classes: tuple[int, ...]
    cells: tuple[bytes, ...]
    family: int = 4
    counted: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _width(self) -> int:
        return max(self.classes, default=-1) + 1

    @cached_property
    def _elsewhere(self) -> tuple[bool, ...]:
        """Of each end whether it is in no VPC. What goes on between two of these is nobody's question here."""
        return tuple(not end.vpc for end in self.members)

    def verdict(self, source: int, destination: int, question: int = 0) -> str:
        """One cell by the positions of its ends; ``-`` for an end and itself, and for two that are in no VPC."""
        if source == destination or (self._elsewhere[source] and self._elsewhere[destination]):
            return SELF
        # Two ends of one class differ from an end and itself: their cell is that of the class with itself, computed for two of it.
        return _CODES[self.cells[question][self.classes[source] * self._width + self.classes[destination]]]

    def explain(self, source: int, destination: int, question: int = 0) -> Verdict:
        """The whole verdict behind a cell."""
        asked = self.questions[question]
        return reach(self.network, self.members[source], self.members[destination], asked.protocol, asked.port, family=self.family)

    def counts(self, question: int = 0) -> dict[str, int]:
        """How many ordered pairs are reachable, blocked and unknown; pairs that are not asked for are left out."""
        sizes, elsewhere = [0] * self._width, set()
        for class_, outside in zip(self.classes, self._elsewhere, strict=True):
            sizes[class_] += 1
            if outside:
                elsewhere.add(class_)
        found = dict.fromkeys((REACHABLE, BLOCKED, UNKNOWN), 0)
        for row, size in enumerate(sizes):
            for column, other in enumerate(sizes):
                pairs = size * (other - 1 if row == column else other)
                if pairs and not {row, column} <= elsewhere:
                    found[_CODES[self.cells[question][row * self._width + column]]] += pairs
        return found

    def rows(self) -> Iterator[dict[str, Any]]:
        """One row a pair and question, for JSON and Jinja: source, destination, question, verdict."""
        for question, asked in enumerate(self.questions):
            for source, name in enumerate(self.names):
                for destination, other in enumerate(self.names):
                    if (found := self.verdict(source, destination, question)) != SELF:
                        yield {
                            "source": name,
                            "destination": other,
                            "protocol": asked.protocol,
                            "port": asked.port,
                            "verdict": found,
                        }

    def table(self, question: int = 0) -> str:
        """As text, a row a source: ``yes``, ``X`` for blocked, ``?`` for unknown, and a last line with the share that gets through."""
        asked = str(self.questions[question])
        width = max(len(name) for name in (asked, *self.names))
        columns = [max(len(name), 3) for name in self.names]
        heads = "  ".join(f"{name:<{size}}" for name, size in zip(self.names, columns, strict=True))
        lines = [f"{asked:<{width}}    {heads}"]
        for source, name in enumerate(self.names):
            marks = (_MARKS[self.verdict(source, destination, question)] for destination in range(len(self.names)))
            lines.append(f"{name:<{width}} -> " + "  ".join(f"{mark:<{size}}" for mark, size in zip(marks, columns, strict=True)))
        found = self.counts(question)
        pairs = sum(found.values())
        share = f" ({round(100 * found[REACHABLE] / pairs)} %)" if pairs else ""
        unknown = f", {found[UNKNOWN]} unknown" if found[UNKNOWN] else ""
        lines.append(f"{found[REACHABLE]} of {pairs} reachable{share}{unknown}")
        return "\n".join(line.rstrip() for line in lines)


def interfaces(network: Network) -> dict[str, End]:
    """Every interface that an instance or nobody holds, by id: those that AWS's services manage are left out."""
    index = Index.of(network)
    return {
        id_: of_interface(index, item, id_)
        for id_, item in sorted(network.interfaces.items())
        if item.type in ("interface", "efa", "") and not item.requester_managed
    }


def matrix(
    network: Network,
    ends: Mapping[Any, str | End] | Sequence[str],
    questions: Iterable[Question | tuple[str, object]] = (Question("icmp"),),
    *,
    family: int = 4,
) -> Matrix:
    """All ordered pairs of ``ends``: a key, whose text names it, to a notation or End; or notations alone. Cost: the classes squared, not
    the ends.

    Raises CloudnetError for an end that is not there.
    """
    index = Index.of(network)
    named = dict(ends) if isinstance(ends, Mapping) else {end: end for end in ends}
    members = tuple(end if isinstance(end, End) else resolve(index, end) for end in named.values())
    asked = tuple(item if isinstance(item, Question) else Question(*item) for item in questions)
    keys: dict[tuple[Any, ...], int] = {}
    firsts: list[list[End]] = []
    classes = []
    targets = _targets(network)
    for end in members:
        key = _class(index, end, family, targets)
        number = keys.setdefault(key, len(keys))
        if number == len(firsts):
            firsts.append([])
        if len(firsts[number]) < 2:
            firsts[number].append(end)
        classes.append(number)
    cells = tuple(_cells(index, firsts, list(keys), traffic(item.protocol, item.port, family=family), family) for item in asked)
    return Matrix(network, tuple(map(str, named)), members, asked, tuple(classes), cells, family)


def _targets(network: Network) -> frozenset[str]:
    """Interfaces that routes point to: whether one is the goal or on the way makes a difference."""
    found = {route.target for table in network.route_tables.values() for route in table.routes if route.via in ("eni", "instance")}
    return frozenset(found)


def _class(index: Index, end: End, family: int, targets: frozenset[str]) -> tuple[Any, ...]:
    """(what decides the way, what decides the gates): equal for ends that are alike."""
    address = end.address(family)
    alone = end.interface in targets or end.instance in targets or end.by_public or end.resolver or end.nobody
    if end.kind != "host" or not address or alone:
        return ((replace(end, text=""),), end.groups, end.state)
    block = index.named_blocks.longest(address)
    return ((end.vpc, end.subnet, block, bool(end.public)), end.groups, (end.state, end.unsettled, end.service, bool(end.endpoint)))


def _far(index: Index, way: tuple[Any, ...]) -> tuple[Any, ...]:
    """What of a class decides the way to another VPC: its subnet's table, ACL and zone, not which subnet it is."""
    if len(way) != 4:
        return way
    subnet = index.network.subnets.get(way[1])
    if subnet is None:
        return way
    table, acl = index.table(subnet), index.acl(subnet)
    zone = subnet.zone if index.network.transit_attachments else ""
    edge = (public_access.mode(index, subnet), subnet.map_public_ip)
    # A NAT gateway's own subnet is not like another one with the same table.
    doors = tuple(nat.id for nat in index.nats_of.get(subnet.vpc, ()) if nat.subnet == subnet.id)
    attached = tuple(item.id for item in index.network.transit_attachments.values() if subnet.id in (item.subnets or ()))
    return (way[0], table.id if table else way[1], acl.id if acl else way[1], zone, edge, doors, attached, *way[2:])


def _cells(index: Index, firsts: Sequence[Sequence[End]], keys: Sequence[tuple[Any, ...]], asked: Traffic, family: int) -> bytes:
    """Inside a VPC class by class; between VPCs by the fewer kinds of classes that differ from afar."""
    count = len(firsts)
    kinds: dict[tuple[Any, ...], int] = {}
    far = [kinds.setdefault((_far(index, key[0]), *key[1:]), len(kinds)) for key in keys]
    samples = {kind: ends[0] for kind, ends in zip(reversed(far), reversed(firsts), strict=True)}
    neighbours: dict[str, list[int]] = {}
    for number, ends in enumerate(firsts):
        neighbours.setdefault(ends[0].vpc, []).append(number)
    ways: dict[tuple[Any, ...], Journey] = {}

    def cell(source: End, destination: End, key: tuple[Any, ...]) -> int:
        if not source.address(family) or not destination.address(family) or not (source.vpc or destination.vpc):
            return _CODES.index(BLOCKED)
        source, destination = placed(index, source, destination), placed(index, destination, source)
        if destination.resolver or destination.beside or source.kind == "service":
            short = without_a_path(index, source, destination, asked, family)
            if short is not None:
                return _CODES.index(short.verdict)
        way = ways.get(key)
        if way is None:
            way = ways[key] = journey(index, source, destination, asked, family)
        return _CODES.index(value(index, source, destination, asked, family, way))

    # What decides the way alone, as small numbers: hashing the keys themselves would cost more than the rest.
    far_ways: dict[tuple[Any, ...], int] = {}
    far_way = {kind: far_ways.setdefault(key[0], len(far_ways)) for key, kind in kinds.items()}
    rows: dict[int, list[int]] = {}
    cells = bytearray()
    for row in range(count):
        kind = far[row]
        known = rows.get(kind)
        if known is None:
            known = rows[kind] = [cell(samples[kind], samples[other], (far_way[kind], far_way[other])) for other in range(len(kinds))]
        line = bytearray([known[other] for other in far])
        for column in neighbours[firsts[row][0].vpc]:
            # Of a class with itself two different ends are taken; a class of one has only itself, which is never asked for.
            destination = firsts[column][-1] if row == column else firsts[column][0]
            line[column] = cell(firsts[row][0], destination, (keys[row][0], keys[column][0], "near"))
        cells += line
    return bytes(cells)
