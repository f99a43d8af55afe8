# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of a topology's named ends can talk to whom: whether its expectations hold, and all pairs as a matrix.

Pure: it takes networks, observed or simulated. What was not observed is ``unknown``, never a guess.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

from ._model.network import Network, Rule
from ._plan.context import Context
from ._plan.kinds import KINDS
from ._plan.planner import plan
from ._plan.simulate import ids_after, simulate
from ._reach.endpoints import AmbiguousEnd, End, of_block, resolve
from ._reach.explain import other
from ._reach.matrix import Matrix, Question, matrix
from ._reach.traffic import traffic
from ._reach.verdict import BLOCKED, FORWARD, REACHABLE, UNKNOWN, Blocker, Disposition, Trace, Verdict
from ._topology.resolve import resolved
from ._topology.types import Expect, Place, Topology
from .block_ends import WHOLE, named_by, stood_for
from .ends import Spot, World, spots
from .errors import CloudnetError
from .hints import judged

#: Something of the topology is not there. Ours: AWS's analyzer is only asked about what is.
NOT_THERE = "NOT_THERE"


@dataclass(frozen=True)
class Query:
    """A question with the answer that it must get. Ends are places of a topology, or what reach takes: an id, an address, ``internet``."""

    source: Place | str
    destination: Place | str
    protocol: str = "tcp"
    port: int | str | None = None
    reachable: bool = True
    path: str = ""


def ids_of(topology: Topology, network: Network, accounts: Mapping[str, str]) -> dict[str, str]:
    """The topology's names to the ids of what is there. ``accounts``: account name to 12-digit id."""
    ctx = Context(topology, network, accounts)
    for kind in KINDS:
        kind.register(ctx)
    return dict(ctx.ids)


def accounts_in(topology: Topology, network: Network) -> dict[str, str]:
    """The topology's account names to 12-digit ids, as a network tells them: no one says who we are where nothing is called.

    By the account's own id or role, else by a VPC of it that is there, else the only account there is; else empty.
    """
    observed = {vpc.account for vpc in network.vpcs.values()} | {account for account, _region, _file in network.complete}
    found: dict[str, str] = {}
    for vpc in topology.vpcs.values():
        spec = topology.accounts.get(vpc.account)
        told = (spec.id or next((part for part in spec.role_arn.split(":") if part.isdigit() and len(part) == 12), "")) if spec else ""
        there = (
            item.account for item in network.vpcs.values()
            if item.id == vpc.id or (item.topology == topology.name and item.name == f"vpcs.{vpc.name}")
        )  # fmt: skip
        found[vpc.account] = found.get(vpc.account) or told or next(there, "")
    return {name: account or (next(iter(observed)) if len(observed) == 1 else "") for name, account in found.items()}


def world_of(topology: Topology, network: Network, accounts: Mapping[str, str], *, simulated: bool) -> World:
    """The topology in a network: as it is there, or as its plan would make it. Raises PreflightError for what cannot be planned."""
    topology = resolved(topology, network, accounts)
    if not simulated:
        return World(topology, network, ids_of(topology, network, accounts))
    todo = plan(topology, network, accounts)
    return World(topology, simulate(network, todo), ids_after(network, todo))


def queries(expects: Iterable[Expect]) -> list[Query]:
    """The topology's expectations as questions."""
    return [Query(item.source, item.target, item.protocol, item.port, item.reachable, item.path) for item in expects]


def questions(topology: Topology, rules: Iterable[Rule] = ()) -> list[Question]:
    """What the topology's allows, expectations and rules speak of, and ``rules``, in pieces that do not overlap; a ping where they speak of
    nothing."""
    spans: dict[str, set[tuple[int, int]]] = {"tcp": set(), "udp": set()}
    rest: dict[Question, None] = {}
    for protocol, low, high in (*_spoken(topology), *((rule.protocol, rule.from_port, rule.to_port) for rule in rules)):
        if protocol in spans:
            spans[protocol].add((low or 0, 65535 if high is None else high))
        elif protocol in ("icmp", "icmpv6", "-1"):
            # A rule for everything is told apart from none by a ping.
            ping = protocol == "-1" or low in (None, -1, 8, 128)
            rest[Question("icmp", None if ping else f"{low}/{-1 if high is None else high}")] = None
        else:
            rest[Question(protocol)] = None
    ports = [Question(protocol, port_of(*piece)) for protocol, found in spans.items() for piece in _pieces(found)]
    return [*ports, *rest] or [Question("icmp")]


def _spoken(topology: Topology) -> Iterator[tuple[str, int | None, int | None]]:
    yield from ((item.protocol, item.from_port, item.to_port) for item in topology.allows)
    yield from ((item.protocol, item.port, item.port) for item in topology.expects)
    for vpc in topology.vpcs.values():
        for group in vpc.security_groups.values():
            yield from ((rule.protocol, rule.from_port, rule.to_port) for rule in (*group.rules, *(group.egress or ())))


def _pieces(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping ranges cut where one begins or ends, so that no rule lets a part of a piece through."""
    spans = list(spans)
    cuts = sorted({low for low, _high in spans} | {high + 1 for _low, high in spans})
    pieces = [(low, after - 1) for low, after in pairwise(cuts)]
    return [(low, high) for low, high in pieces if any(first <= low and high <= last for first, last in spans)]


def port_of(low: int, high: int) -> int | str | None:
    """A range of ports as a question has it: None for all, a number for one."""
    return None if (low, high) == (0, 65535) else low if low == high else f"{low}-{high}"


def words_of(protocol: str, port: object) -> str:
    """A question for people: ``tcp 443``, ``icmp``."""
    return protocol if protocol == "icmp" and port is None else str(traffic(protocol, port))


def check(world: World, asked: Iterable[Query]) -> list[dict[str, Any]]:
    """Each question with ``expected``, ``found``, ``ok`` (None where it is not known), ``why``, ``blockers``, ``unknowns``, and its place.

    Where a name is several ends, all must give the expected answer.
    """
    return [_checked(world, query) for query in asked]


def _checked(world: World, query: Query) -> dict[str, Any]:
    wanted = REACHABLE if query.reachable else BLOCKED
    row: dict[str, Any] = {
        "from": str(query.source),
        "to": str(query.destination),
        "protocol": query.protocol,
        "port": query.port,
        "traffic": words_of(query.protocol, query.port),
        "expected": wanted,
        "path": query.path,
    }
    try:
        worst = answer(world, query)
    except CloudnetError as error:
        return {**row, "found": UNKNOWN, "ok": None, "why": str(error), "blockers": [], "unknowns": []}
    return {
        **row,
        "found": worst.verdict,
        "ok": True if worst.verdict == wanted else None if worst.verdict == UNKNOWN else False,
        "why": why(worst),
        "blockers": [item.as_dict() for item in worst.blockers],
        "unknowns": [item.as_dict() for item in worst.unknowns],
    }


_NamedEnd: TypeAlias = "tuple[str, End | None]"


def _pairs(world: World, query: Query) -> list[tuple[_NamedEnd, _NamedEnd]]:
    """Every source with every destination. An address that several VPCs have is told apart by the other end, on either side."""
    try:
        return [(source, target) for source in world.ends(query.source) for target in world.ends(query.destination, source[1])]
    except AmbiguousEnd:
        return [(source, target) for target in world.ends(query.destination) for source in world.ends(query.source, target[1])]


def answer(world: World, query: Query) -> Verdict:
    """The verdict on a question. Where its names are several ends, that which is furthest from what is wanted.

    Raises CloudnetError for an end that is no notation, names nothing, or of which it is not known whether it is there.
    """
    wanted = REACHABLE if query.reachable else BLOCKED
    found = []
    for (name, source), (target_name, target) in _pairs(world, query):
        if source is None or target is None:
            found.append(_absent(name if source is None else target_name, name, target_name, query))
        else:
            found.append(judged(world, source, target, query.protocol, query.port))
    if not found:
        return _absent("a subnet to be in", str(query.source), str(query.destination), query)
    return max(found, key=lambda verdict: (verdict.verdict != wanted) + (verdict.verdict not in (wanted, UNKNOWN)))


def _absent(missing: str, source: str, destination: str, query: Query) -> Verdict:
    blocker = Blocker(NOT_THERE, FORWARD, missing, missing, f"{missing} is not there", "", other("apply the topology"))
    trace = Trace(Disposition.DROPPED)
    return Verdict(BLOCKED, source, destination, words_of(query.protocol, query.port), 4, trace, None, (blocker,))


def why(verdict: Verdict) -> str:
    """The reason in one line: the blockers' codes with what stops it, or what is not known."""
    if verdict.verdict == REACHABLE:
        return ""
    sure = [f"{item.code}: {item.why}" for item in verdict.blockers if not item.unsure]
    notes = sure or [f"{item.code}: {item.why}" for item in verdict.unknowns] + [f"{item.code}: {item.why}" for item in verdict.blockers]
    return "; ".join(dict.fromkeys(notes))


def named_matrix(world: World) -> Matrix:
    """All pairs of the topology's named ends that are there, and of the blocks that their groups' rules name, for what the topology speaks
    of. A group whose subnets agree is one end."""
    asked = questions(world.topology)
    there: dict[Spot, End] = {spot: end for spot in spots(world) if (end := world.end(spot)) is not None}
    outside = _outside(world, list(there.values()))
    listed = list(there)
    by_place: dict[Place, list[int]] = {}
    for number, spot in enumerate(listed):
        by_place.setdefault(spot.place, []).append(number)
    if all(len(members) == 1 for members in by_place.values()):
        return matrix(world.network, {**{spot.place: end for spot, end in there.items()}, **outside}, asked)
    whole = matrix(world.network, {**there, **outside}, asked)
    kept: dict[Place | Spot, End] = {}
    for place, members in by_place.items():
        others = [number for number in range(len(whole.names)) if number not in members]
        views = {
            tuple((whole.verdict(one, far, item), whole.verdict(far, one, item)) for far in others for item in range(len(asked)))
            for one in members
        }
        if len(views) == 1:
            kept[place] = there[listed[members[0]]]
        else:
            kept |= {listed[one]: there[listed[one]] for one in members}
    return matrix(world.network, {**kept, **outside}, asked)


def _outside(world: World, ends: Sequence[End]) -> dict[Place, End]:
    """The blocks that the rules of ends' groups name and no named end stands for, with the internet where one names all of it.

    Of egress the rules for everything are left out: AWS gives one to each group.
    """
    groups = dict.fromkeys(group for end in ends for group in end.groups or ())
    named = named_by(world.index, groups, egress=False)
    blocks = [*named, *(block for block in named_by(world.index, groups, egress=True) if block not in WHOLE)]
    owned = [
        ipaddress.ip_network(cidr) for name, spec in world.topology.vpcs.items() if not spec.remote
        for cidr in world.index.cidrs(world.vpc_id(name))
    ]  # fmt: skip
    found: dict[Place, End] = {}
    for block in sorted(dict.fromkeys(blocks)):
        if block in WHOLE:
            found[Place("internet")] = resolve(world.index, "internet")
        elif not stood_for(block, owned, ends):
            with suppress(CloudnetError):  # of several VPCs: which is meant depends on who asks
                found[Place("cidr", name=block)] = of_block(world.index, block)
    return found


def matrix_text(found: Matrix) -> str:
    """A table for each question; questions with the same answers share one. Blocks that are alike everywhere share a row and a column."""
    if not found.names:
        return "nothing of the topology is there"
    found = _fewer_blocks(found)
    alike: dict[bytes, list[int]] = {}
    for number, cells in enumerate(found.cells):
        alike.setdefault(cells, []).append(number)
    tables = []
    for first, *rest in alike.values():
        same = f"; the same for {', '.join(str(found.questions[number]) for number in rest)}" if rest else ""
        tables.append(found.table(first) + same)
    return "\n\n".join(tables)


def _fewer_blocks(found: Matrix) -> Matrix:
    """The matrix with one end for all blocks outside that are alike to every other end, called by the first of them."""
    outside = [number for number, end in enumerate(found.members) if not end.vpc]
    rest = [number for number in range(len(found.names)) if number not in outside]
    alike: dict[object, list[int]] = {}
    for one in outside:
        asked = range(len(found.questions))
        view = tuple((found.verdict(one, far, item), found.verdict(far, one, item)) for far in rest for item in asked)
        alike.setdefault((view, found.names[one] if found.names[one] == "internet" else ""), []).append(one)
    names = dict(enumerate(found.names))
    names |= {first: f"{names[first]} and {len(more)} more" for first, *more in alike.values() if more}
    kept = sorted([*rest, *(first for first, *_more in alike.values())])
    return replace(
        found,
        names=tuple(names[number] for number in kept),
        members=tuple(found.members[number] for number in kept),
        classes=tuple(found.classes[number] for number in kept),
    )
