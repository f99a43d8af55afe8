# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of a topology's named ends can talk to whom: what a plan opens and closes, whether its expectations hold, and all pairs as a matrix.

Pure: it takes networks, observed or simulated. What was not observed is ``unknown``, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any, TypeAlias

from ._model.network import Network, Rule
from ._plan.context import Context
from ._plan.kinds import KINDS
from ._plan.planner import plan
from ._plan.simulate import ids_after, simulate
from ._reach.endpoints import End
from ._reach.explain import other
from ._reach.matrix import Matrix, Question, matrix
from ._reach.reach import Journey, journey, reach, value
from ._reach.traffic import traffic
from ._reach.verdict import BLOCKED, FORWARD, REACHABLE, UNKNOWN, Blocker, Disposition, Trace, Verdict
from ._topology.types import Expect, Place, Topology
from .ends import Spot, World, spots
from .errors import CloudnetError

#: Something of the topology is not there. Ours: AWS's analyzer is only asked about what is.
NOT_THERE = "NOT_THERE"
INTERNET = Spot(Place("internet"))
#: ((question, family), from, to, change): an end is a place where all of it is alike, else a spot.
Told: TypeAlias = "tuple[tuple[Question, int], Place | Spot, Place | Spot, str]"


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
    ports = [Question(protocol, _port(*piece)) for protocol, found in spans.items() for piece in _pieces(found)]
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


def _port(low: int, high: int) -> int | str | None:
    return None if (low, high) == (0, 65535) else low if low == high else f"{low}-{high}"


def changes(
    topology: Topology,
    before: Network,
    after: Network,
    ids_before: Mapping[str, str],
    ids_later: Mapping[str, str],
    *,
    expects: bool = True,
) -> dict[str, Any]:
    """``opened``, ``closed``, ``unknown``: rows of from, to, protocol, port, families, traffic. ``expect``: as check's.

    Between every two named ends of one VPC or of two that are joined, and to and from the internet where there is a gateway, both ways.
    ``opened`` was blocked or not there and is reachable; ``unknown`` differs, but one of the two answers is not known.
    """
    old, new = World(topology, before, ids_before), World(topology, after, ids_later)
    told: dict[str, list[dict[str, Any]]] = {"opened": [], "closed": [], "unknown": []}
    if before is not after:
        sides = [_Answers(old), _Answers(new)]
        # A rule that goes speaks of ports of which the topology no longer does.
        going = [before.rules[key] for key in sorted(before.rules.keys() - after.rules.keys())]
        asked = questions(topology, (rule for rule in going if rule.protocol != "-1"))
        for row in _rows(_told(sides, asked, spots(old, new, planned=False))):
            told[row.pop("change")].append(row)
    return {**told, "expect": check(new, queries(topology.expects)) if expects else []}


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

    def end(self, spot: Spot) -> End | None:
        """The spot's end, found once."""
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
            return self.world.vpc_id(one or other_vpc) in self.index.gateways_of
        here, there = self.world.vpc_id(one), self.world.vpc_id(other_vpc)
        return here == there or (here, there) in self.linked or {here, there} <= self.transit

    def word(self, one: Spot, other: Spot, question: Question, family: int) -> str:
        """reachable, blocked (or not there), unknown."""
        source, destination = self.end(one), self.end(other)
        if source is None or destination is None:
            unread = any(self.world.unread(spot) for spot, end in ((one, source), (other, destination)) if end is None)
            return UNKNOWN if unread else BLOCKED
        if not self.joined(one.vpc, other.vpc):
            return BLOCKED
        if family not in source.families or family not in destination.families:
            return BLOCKED
        asked = traffic(question.protocol, question.port, family=family)
        ends = ((end.vpc, end.subnet, end.interface, end.address(family), end.public) for end in (source, destination))
        key = (*ends, question, family)
        way = self.ways.get(key)
        if way is None:
            way = self.ways[key] = journey(self.index, source, destination, asked, family)
        return value(self.index, source, destination, asked, family, way)


def _told(sides: Sequence[_Answers], asked: Sequence[Question], found: Sequence[Spot]) -> Iterator[Told]:
    """((question, family), from, to, change), by places where all spots of a place agree, else spot by spot."""
    by_place: dict[Place, list[Spot]] = {}
    for spot in (*found, INTERNET):
        by_place.setdefault(spot.place, []).append(spot)
    families = (4, 6) if any(end and 6 in end.families for side in sides for spot in found if (end := side.end(spot))) else (4,)
    for one, other_place in permutations(by_place, 2):
        if not any(side.joined(one.vpc, other_place.vpc) for side in sides):
            continue
        pairs = [(here, there) for here in by_place[one] for there in by_place[other_place]]
        for question in asked:
            for family in families:
                answers = {pair: _change(*(side.word(*pair, question, family) for side in sides)) for pair in pairs}
                if len(set(answers.values())) == 1:
                    yield (question, family), one, other_place, min(answers.values())
                else:
                    for (here, there), change in answers.items():
                        yield (question, family), _key(here, by_place), _key(there, by_place), change


def _key(spot: Spot, by_place: Mapping[Place, Sequence[Spot]]) -> Place | Spot:
    return spot if len(by_place[spot.place]) > 1 else spot.place


def _change(before: str, after: str) -> str:
    if before == after:
        return ""
    return {(BLOCKED, REACHABLE): "opened", (REACHABLE, BLOCKED): "closed"}.get((before, after), "unknown")


def _rows(told: Iterable[Told]) -> Iterator[dict[str, Any]]:
    """What changes, with adjacent pieces of ports and both families told at once."""
    families: dict[tuple[str, Place | Spot, Place | Spot, Question], list[int]] = {}
    for (question, family), one, other_end, change in told:
        if change:
            families.setdefault((change, one, other_end, question), []).append(family)
    grouped: dict[tuple[str, Place | Spot, Place | Spot, str, tuple[int, ...]], list[object]] = {}
    for (change, one, other_end, question), found in families.items():
        grouped.setdefault((change, one, other_end, question.protocol, tuple(found)), []).append(question.port)
    for (change, one, other_end, protocol, found_in), ports in grouped.items():
        for port in _merged(protocol, ports):
            words = words_of(protocol, port) + (" (IPv6)" if found_in == (6,) else "")
            row = {"from": str(one), "to": str(other_end), "protocol": protocol, "port": port, "families": list(found_in), "traffic": words}
            yield {**row, "change": change}


def _merged(protocol: str, ports: list[Any]) -> list[Any]:
    if protocol not in ("tcp", "udp"):
        return ports
    spans: list[tuple[int, int]] = []
    for low, high in sorted(traffic(protocol, port).span for port in ports):
        if spans and spans[-1][1] + 1 == low:
            spans[-1] = (spans[-1][0], high)
        else:
            spans.append((low, high))
    return [_port(*span) for span in spans]


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


def answer(world: World, query: Query) -> Verdict:
    """The verdict on a question. Where its names are several ends, that which is furthest from what is wanted.

    Raises CloudnetError for an end that is no notation, names nothing, or of which it is not known whether it is there.
    """
    wanted = REACHABLE if query.reachable else BLOCKED
    found = []
    for name, source in world.ends(query.source):
        for target_name, target in world.ends(query.destination, source):
            if source is None or target is None:
                found.append(_absent(name if source is None else target_name, name, target_name, query))
            else:
                found.append(reach(world.network, source, target, query.protocol, query.port))
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
    """All pairs of the topology's named ends that are there, for what the topology speaks of. A group whose subnets agree is one end."""
    asked = questions(world.topology)
    there = {spot: end for spot in spots(world) if (end := world.end(spot)) is not None}
    listed = list(there)
    by_place: dict[Place, list[int]] = {}
    for number, spot in enumerate(listed):
        by_place.setdefault(spot.place, []).append(number)
    if all(len(members) == 1 for members in by_place.values()):
        return matrix(world.network, {spot.place: end for spot, end in there.items()}, asked)
    whole = matrix(world.network, there, asked)
    kept: dict[Place | Spot, End] = {}
    for place, members in by_place.items():
        others = [number for number in range(len(listed)) if number not in members]
        views = {
            tuple((whole.verdict(one, far, item), whole.verdict(far, one, item)) for far in others for item in range(len(asked)))
            for one in members
        }
        if len(views) == 1:
            kept[place] = there[listed[members[0]]]
        else:
            kept |= {listed[one]: there[listed[one]] for one in members}
    return matrix(world.network, kept, asked)


def matrix_text(found: Matrix) -> str:
    """A table for each question; questions with the same answers share one."""
    if not found.names:
        return "nothing of the topology is there"
    alike: dict[bytes, list[int]] = {}
    for number, cells in enumerate(found.cells):
        alike.setdefault(cells, []).append(number)
    tables = []
    for first, *rest in alike.values():
        same = f"; the same for {', '.join(str(found.questions[number]) for number in rest)}" if rest else ""
        tables.append(found.table(first) + same)
    return "\n\n".join(tables)
