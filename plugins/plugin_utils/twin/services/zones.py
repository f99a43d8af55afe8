# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route 53 private hosted zones: which one a name falls into as asked from a VPC, and what it holds for it.

Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html (the most specific zone answers
alone: a name that it lacks does not exist, whatever a wider zone or the internet says; both DNS attributes of the VPC must be on).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ..facts import Record, Zone
from .directory import Latest


def canonical(name: str) -> str:
    """Lower case, without the final dot; Route 53 spells ``*`` as ``\\052``."""
    return name.lower().rstrip(".").replace("\\052", "*")


@dataclass(frozen=True)
class ZoneIndex:
    """A zone's records by name; ``nodes``: every name that exists, for it has records or lies above one that has."""

    name: str
    records: Mapping[str, tuple[Record, ...]]
    nodes: frozenset[str]

    def at(self, name: str) -> tuple[Record, ...] | None:
        """The records that a name below the zone means, by wildcards too (RFC 4592); None when it does not exist."""
        if name in self.nodes:
            return self.records.get(name, ())
        above = name
        while above not in self.nodes and above != self.name:
            above = above.partition(".")[2]
        return self.records.get(f"*.{above}")


def _index(zone: Zone) -> ZoneIndex:
    name = canonical(zone.name)
    records: dict[str, list[Record]] = defaultdict(list)
    nodes = {name}
    for record in zone.records:
        place = canonical(record.name)
        records[place].append(record)
        while place != name and place.endswith(f".{name}"):
            nodes.add(place)
            place = place.partition(".")[2]
    return ZoneIndex(name, {key: tuple(value) for key, value in records.items()}, frozenset(nodes))


def _by_vpc(zones: tuple[Zone, ...]) -> Mapping[str, Mapping[str, ZoneIndex]]:
    found: dict[str, dict[str, ZoneIndex]] = defaultdict(dict)
    for zone in sorted(zones, key=lambda item: item.id):
        index = _index(zone)
        for vpc in zone.vpcs:
            found[vpc].setdefault(index.name, index)
    return found


_latest: Latest[Mapping[str, Mapping[str, ZoneIndex]]] = Latest(_by_vpc)


def zone_of(zones: tuple[Zone, ...], vpc: str, name: str) -> ZoneIndex | None:
    """The most specific private zone of a VPC that a name lies in. ``name`` is canonical."""
    mine = _latest(zones).get(vpc)
    while mine and name:
        if name in mine:
            return mine[name]
        name = name.partition(".")[2]
    return None
