# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peerings: ``between``, ``hub`` with ``spokes``, and ``mesh`` as pairs of requester and accepter; which tables get routes, and to what."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

from ..errors import Code
from .blocks import Block, inside, parse
from .draft import ADOPTED, OURS, REMOTE, Draft, Work
from .faults import Broken, Cursor, Key, either, join, show
from .schema import SCHEMA
from .services import needs_dns
from .tables import use
from .types import PeeringSpec


@dataclass(frozen=True)
class _Pair:
    requester: Draft
    accepter: Draft
    path: Key


def pairs(work: Work) -> None:
    """Fills ``work.pairs``. Hub, first of ``between`` and earlier in ``mesh`` request, unless only the other side is in our hands."""
    section = work.root["peerings"]
    work.pairs_damaged |= section.broken or any(isinstance(item, Broken) for item in section.value or ())
    seen: dict[frozenset[str], str] = {}
    for item in section.each():
        told: set[Key] = set()
        shared = _Shared(work, item)
        for pair in _members(work, item):
            left, right = pair.requester, pair.accepter
            joined = frozenset((left.name, right.name))
            if left is right:
                work.faults.add(pair.path, f"{left.name} cannot be peered with itself")
                continue
            if joined in seen:
                work.faults.add(
                    pair.path, f"{left.name} and {right.name} are joined by {seen[joined]} already: AWS keeps one connection to a pair"
                )
                continue
            seen[joined] = show(pair.path)
            if left.kind == right.kind == REMOTE:
                work.faults.add(pair.path, f"{left.name} and {right.name} are both remote: one side must be ours or adopted")
                continue
            work.pairs.append(_spec(work, item, pair, shared, told))
        shared.unused()


def _members(work: Work, item: Cursor) -> list[_Pair]:
    forms = [key for key in ("between", "hub", "mesh") if key in item]
    if "spokes" in item and "hub" not in item:
        work.faults.add(item.path, "`spokes` need a `hub`")
    elif "hub" in item and "spokes" not in item:
        work.faults.add(item.path, "`hub` needs its `spokes`")
    elif len(forms) != 1:
        said = f"says {join(forms)}" if forms else "says not whom it joins"
        work.faults.add(item.path, f"{said}: give one of `between`, `hub` with `spokes`, and `mesh`")
    if len(forms) != 1 or any(item[key].damaged() for key in ("between", "hub", "spokes", "mesh")):
        work.pairs_damaged = True
        return []
    if forms == ["hub"]:
        hub = work.find_vpc(item.text("hub"), item["hub"].path)
        found = []
        listed = _known(work, item["spokes"])
        work.pairs_damaged |= hub is None
        for spoke, path in listed if hub is not None else []:
            if hub is spoke:
                work.faults.add(path, f"{spoke.name} is the hub itself: take it out of the spokes")
            elif hub is not None:
                found.append(_Pair(hub, spoke, path))
        return found
    if forms == ["between"]:
        if item["between"].value[0] == item["between"].value[1] and work.vpc_known(item["between"].value[0]):
            work.faults.add(item.path, f"{item['between'].value[0]} cannot be peered with itself")
            return []
        ends = _known(work, item["between"])
        return [_Pair(ends[0][0], ends[1][0], item.path)] if len(ends) == 2 else []
    return [_Pair(left, right, path) for (left, _other), (right, path) in combinations(_known(work, item["mesh"]), 2)]


def _known(work: Work, section: Cursor) -> list[tuple[Draft, Key]]:
    found: dict[str, tuple[Draft, Key]] = {}
    for name in section.each():
        draft = work.find_vpc(name.value, name.path)
        work.pairs_damaged |= draft is None
        if draft is not None and draft.name in found:
            work.faults.add(name.path, f"{draft.name} is named twice in {show(section.path)}")
        elif draft is not None:
            found[draft.name] = (draft, name.path)
    return list(found.values())


def remotes(work: Work) -> None:
    """Tells what a remote VPC must declare. A connection that its peerings name by id tells it all; one that the other owner requests tells
    the blocks."""
    for draft in work.drafts.values():
        told = draft.cursor["remote"]
        if draft.remote is None or told.broken or work.pairs_damaged:
            continue
        joined = [pair for pair in work.pairs if draft.name in (pair.requester, pair.accepter)]
        named = bool(joined) and all(pair.id for pair in joined)
        requested = bool(joined) and all(pair.accept_only for pair in joined)
        for key, spared in (("owner", named), ("id", named), ("cidr", named or requested)):
            if key not in told and not spared:
                title = SCHEMA["properties"]["vpcs"]["additionalProperties"]["properties"]["remote"]["properties"][key]["title"]
                work.faults.add(told.path, f"`{key}` is missing: it must be {title}", Code.SCHEMA)
        if named and "region" not in told and "region" not in draft.cursor:
            draft.remote = replace(draft.remote, region="")


class _Shared:
    """The keys ``routes`` and ``cidrs`` of one item, which say things of several VPCs; one that the item does not join is a fault."""

    def __init__(self, work: Work, item: Cursor) -> None:
        self._work = work
        self._item = item
        self._joined: set[str] = set()
        self._tables: dict[str, tuple[str, ...]] = {}
        self._blocks: dict[tuple[str, str], tuple[str, ...]] = {}

    def _sections(self) -> list[Cursor]:
        return [self._item["routes"], self._item["cidrs"]["only"], self._item["cidrs"]["except"]]

    def unused(self) -> None:
        """Tells of names that none of the item's pairs has."""
        for section in self._sections():
            for name, value in section.items():
                if self._joined and name not in self._joined and self._work.find_vpc(name, value.path) is not None:
                    self._work.faults.add(
                        value.path, f"{name} is not joined by {show(self._item.path)}{either(name, sorted(self._joined), 'it joins')}"
                    )

    def tables(self, draft: Draft, told: set[Key]) -> tuple[str, ...]:
        """The tables of one VPC that get routes."""
        self._joined.add(draft.name)
        if draft.name not in self._tables:
            self._tables[draft.name] = self._find_tables(draft, told)
        return self._tables[draft.name]

    def _find_tables(self, draft: Draft, told: set[Key]) -> tuple[str, ...]:
        routes, faults = self._item["routes"], self._work.faults
        wish = routes[draft.name]
        if draft.kind == REMOTE:
            if draft.name in routes:
                faults.add(wish.path, f"{draft.name} is remote: its owner sets its routes")
            return ()
        if draft.name not in routes or routes.broken:
            if draft.kind == ADOPTED and not routes.broken and self._item.path not in told:
                told.add(self._item.path)
                faults.add(
                    self._item.path,
                    f"{draft.name} is adopted, so say which of its tables get routes: routes: {{{draft.name}: [main]}}, by id, "
                    "Name tag or main; [] for none",
                )
            return () if draft.kind == ADOPTED else tuple(dict.fromkeys(spec.table for spec in draft.subnets.values() if spec.table))
        found = []
        for item in wish.each():
            if draft.kind == OURS and item.value not in draft.table_refs:
                if not draft.cursor["route_tables"].broken and not draft.cursor["subnets"].damaged():
                    faults.add(
                        item.path, f"vpcs.{draft.name} has no route table '{item.value}'{either(item.value, draft.table_refs, 'it has')}"
                    )
                continue
            found.append(use(self._work, draft, item.value, item.path))
        return tuple(dict.fromkeys(found))

    def narrowed(self, draft: Draft, key: str) -> tuple[str, ...] | None:
        """The blocks of one VPC under ``only`` or ``except``; None when nothing is said of it."""
        section = self._item["cidrs"][key]
        self._joined.add(draft.name)
        if draft.name not in section:
            return None
        if (draft.name, key) not in self._blocks:
            found = [text for text in (self._narrow(draft, key, item) for item in section[draft.name].each()) if text]
            self._blocks[draft.name, key] = tuple(dict.fromkeys(found))
        return self._blocks[draft.name, key]

    def _narrow(self, draft: Draft, key: str, item: Cursor) -> str:
        block = parse(item.value)
        declared: list[Block] = [other for _other, other in draft.blocks]
        known = join((str(other) for other in declared), "and")
        # Amazon's IPv6 block is not known beforehand, and an adopted VPC need not declare its blocks.
        sure = not draft.unsure and any(other.version == getattr(block, "version", 0) for other in declared)
        if isinstance(block, str):
            self._work.faults.add(item.path, block)
        elif key == "only" and sure and not inside(block, declared):
            self._work.faults.add(item.path, f"{block} is outside the blocks of vpcs.{draft.name} ({known})")
        elif key == "except" and sure and block not in declared:
            self._work.faults.add(
                item.path, f"{block} is not one of the blocks of vpcs.{draft.name} ({known}): to route a part of a block, use `only`"
            )
        else:
            return str(block)
        return ""


def _spec(work: Work, item: Cursor, pair: _Pair, shared: _Shared, told: set[Key]) -> PeeringSpec:
    left, right = pair.requester, pair.accepter
    accept_only = item.flag("accept_only") is True
    remote = next((draft for draft in (left, right) if draft.kind == REMOTE), None)
    if accept_only and remote is None:
        work.faults.add(
            (*item.path, "accept_only"), f"neither {left.name} nor {right.name} is remote, so nobody else requests: leave it out"
        )
    if remote is not None and (left is remote) != accept_only:
        left, right = right, left
    if "id" in item and "between" not in item:
        work.faults.add((*item.path, "id"), "names one connection: use `between`")
    dns = item.flag("dns")
    for draft in (left, right):
        if dns and draft.kind != REMOTE:
            needs_dns(work, draft, item["dns"], "peering DNS")
    tables = {draft.name: found for draft in (left, right) if (found := shared.tables(draft, told))}
    only = {draft.name: blocks for draft in (left, right) if (blocks := shared.narrowed(draft, "only"))}
    without = {draft.name: blocks for draft in (left, right) if (blocks := shared.narrowed(draft, "except"))}
    return PeeringSpec(
        left.name, right.name, dns, tables, only, without, accept_only, item.text("id"), item.mapping("tags"), show(pair.path)
    )
