# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which groups let in the whole internet, or more public addresses than one network has. Pure, and only of rules that were read."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from ._model.network import Network, Rule
from ._reach.traffic import PORTED, Traffic
from ._topology.blocks import Block
from ._topology.types import Topology
from ._topology.width import PUBLIC, WIDE_PREFIX, public, wide
from .errors import Finding

#: So many blocks of a group are shown.
SHOWN = 4


def exposed(topology: Topology, network: Network, ids: Mapping[str, str]) -> list[str]:
    """One line for each group of the topology whose rules let in the whole internet, or more public addresses than one network has.

    Counted is what all rules for the same traffic let in together, however it is written: in blocks, in halves, in prefix lists.
    """
    found = []
    for name, spec in topology.vpcs.items():
        for group, declared in spec.security_groups.items():
            full = f"vpcs.{name}.security_groups.{group}"
            items = _exposed(network, declared.path or full, network.rules_of.get(ids.get(full, ""), ()))
            found += [str(topology.finding(item.path, item.message)) for item in items]
    return list(dict.fromkeys(found))


def _exposed(network: Network, where: str, rules: Iterable[Rule]) -> Iterator[Finding]:
    sources = [(rule, blocks) for rule in rules if not rule.egress and (blocks := _sources(network, rule))]
    told: dict[tuple[int, str, tuple[str, ...]], list[str]] = {}
    for piece in _pieces(rule for rule, _blocks in sources):
        passing = [blocks for rule, blocks in sources if _passes(rule, piece)]
        for family in (4, 6):
            named = sorted({block for blocks in passing for block in blocks if block.version == family})
            count = public(named, family)
            if wide(count, family):
                whole = count == PUBLIC[family]
                size = "the whole internet" if whole else f"{count:,} public addresses, more than a /{WIDE_PREFIX[family]},"
                told.setdefault((family, size, tuple(map(str, named))), []).append(str(piece))
    for (family, size, shown), words in told.items():
        more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
        over = " over IPv6" if family == 6 else ""
        yield Finding(
            where, f"lets {size} in for {', '.join(words)}{over} ({', '.join(shown[:SHOWN])}{more}): name the blocks that need it"
        )


def _sources(network: Network, rule: Rule) -> list[Block]:
    known = network.prefix_lists.get(rule.prefix_list)
    return [ipaddress.ip_network(text) for text in ([rule.cidr] if rule.cidr else known.entries or () if known else ())]


def _pieces(rules: Iterable[Rule]) -> Iterator[Traffic]:
    """The traffic that some rules speak of; of ports, cut where one begins or ends."""
    spans: dict[str, set[tuple[int, int]]] = {}
    rest: dict[Traffic, None] = {}
    for rule in rules:
        if rule.protocol in PORTED:
            spans.setdefault(rule.protocol, set()).add(Traffic(rule.protocol, rule.from_port, rule.to_port).span)
        else:
            rest[Traffic(rule.protocol, rule.from_port, rule.to_port)] = None
    for protocol, found in spans.items():
        cuts = sorted({low for low, _high in found} | {high + 1 for _low, high in found})
        for low, after in pairwise(cuts):
            if any(first <= low and after - 1 <= last for first, last in found):
                yield Traffic(protocol, low, after - 1)
    yield from rest


def _passes(rule: Rule, piece: Traffic) -> bool:
    """Whether a rule is about all of a piece."""
    return piece.covered(rule.protocol, rule.from_port, rule.to_port) == piece.span
