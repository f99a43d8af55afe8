# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topology and network in, plan out. Pure: it calls nobody and changes nothing."""

from __future__ import annotations

import heapq
import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .._model.network import Network
from .._topology.types import Topology
from ..errors import PreflightError
from .actions import SECOND, STAGES, WITH_SECOND, Action, Found, Plan, Wanted, refs
from .context import Context
from .kinds import KINDS
from .kinds.base import Kind
from .machines import kept, launches, undeclared


@dataclass
class _Work:
    """Actions so far, and for each by key what it needs beyond its own references. ``wanted``: all that shall be there, by name."""

    wanted: dict[str, Wanted] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, action: Action, needs: tuple[str, ...]) -> None:
        self.actions[action.key] = action
        self.extra[action.key] = needs


def plan(
    topology: Topology,
    network: Network,
    accounts: Mapping[str, str],
    *,
    absent: bool = False,
    through: str = "all",
    narrow: bool = False,
    launch: Mapping[str, str] | None = None,
    terminate: bool = False,
) -> Plan:
    """What leads from ``network`` to ``topology`` (or, ``absent``, to nothing of it).

    ``accounts``: name of an account in the topology to its 12-digit id. ``through``: the last stage of STAGES that is planned, or ``all``.
    ``narrow``: never an object that the topology does not name. ``launch``: settings that the launches of instances share; ``terminate``:
    instances that are declared no longer are to end. Raises PreflightError with every conflict at once.
    """
    ctx = Context(topology, network, accounts, absent=absent, narrow=narrow)
    for kind in KINDS:
        kind.register(ctx)
    last = len(STAGES) if through == "all" else STAGES.index(through) + 1
    stages = STAGES[:last]
    work, left = _Work(), set[str]()
    for kind in KINDS:
        _one_kind(ctx, kind, work, left, stages)
    _check_references(ctx, work)
    if ctx.findings:
        raise PreflightError(ctx.findings)
    if not narrow:
        ctx.warnings += ctx.ownership.reports()
    _go_with_seconds(work)
    _keep_what_is_needed(work, left)
    _link(work)
    actions = tuple(replace(work.actions[key], needs=frozenset(work.needs[key])) for key in _order(work))
    made = ctx.ownership.made(ctx.ids.values())
    idle = undeclared(ctx)
    if not (terminate or absent):
        ctx.warnings += kept(idle)
    warnings = tuple(dict.fromkeys(ctx.warnings))
    return Plan(topology.name, actions, dict(ctx.ids), made, warnings, launches(ctx, launch or {}), idle, terminate or absent)


def _one_kind(ctx: Context, kind: Kind, work: _Work, left: set[str], stages: tuple[str, ...]) -> None:
    declared: dict[str, Wanted] = {}
    for wish in kind.wanted(ctx):
        first = declared.setdefault(wish.name, wish)
        if first.attrs != wish.attrs:
            ctx.fault(wish.path, f"{wish.name}: {first.path} wants something else of it: keep one of the two")
    wanted = {} if ctx.absent else declared
    work.wanted |= wanted
    found: dict[str, list[Found]] = defaultdict(list)
    for item in kind.found(ctx):
        found[item.name].append(item)
    for name, wish in wanted.items():
        there = _choose(ctx, kind, wish, found.get(name, []))
        if wish.stage not in stages:
            continue
        if there is None:
            work.add(Action("create", kind.name, name, wish.account, wish.region, wish.stage, None, wish.attrs, wish.why), wish.needs)
        elif changed := kind.changed(wish, there):
            if message := kind.conflict(ctx, wish, there, changed):
                ctx.fault(wish.path or name, message if wish.path in ("", name) else f"{name}: {message}")
                continue
            before = {key: _like(there.attrs.get(key), value) for key, value in wish.attrs.items()}
            why = "differs in " + ", ".join(sorted(changed))
            where = (there.account, there.region, wish.stage)
            work.add(Action("update", kind.name, name, *where, before, wish.attrs, why, there.id, ours=there.ours), wish.needs)
    for name, items in found.items():
        kept = _choose(ctx, kind, wanted[name], items) if name in wanted else None
        for item in items:
            if item is kept or not item.ours or not kind.removable:
                continue
            if ctx.narrow and not (ctx.absent and (name in declared or kind.precise)):
                continue
            why = SECOND if name in wanted else "is to go" if ctx.absent else item.why_removed
            action = Action("delete", kind.name, name, item.account, item.region, item.stage, dict(item.attrs), None, why, item.id)
            if item.stage in stages:
                work.add(action, item.needs)
            else:
                left |= {*refs(item.attrs), *item.needs}


def _check_references(ctx: Context, work: _Work) -> None:
    """What is written by its id, is ours, and is declared no longer would go while something still needs it."""
    going = {action.name: action for action in work.actions.values() if action.op == "delete" and action.name not in work.wanted}
    for wish in work.wanted.values():
        for name in sorted(refs(wish.attrs) & going.keys()):
            ctx.fault(
                wish.path or wish.name,
                f"{wish.name} needs {going[name].id} ({name}), which this topology made and declares no longer: declare it again, "
                "or take the reference out",
            )


def _choose(ctx: Context, kind: Kind, wish: Wanted, items: Iterable[Found]) -> Found | None:
    """Of several with one name: the registered one, else the one that its kind keeps."""
    listed = list(items)
    return next((item for item in listed if item.id == ctx.ids.get(wish.name)), None) or kind.choose(ctx, wish, listed)


def _like(before: Any, after: Any) -> Any:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return {key: before.get(key) for key in after}
    return before


def _keep_what_is_needed(work: _Work, left: set[str]) -> None:
    """A removal that a later stage would have to make possible is left out with that stage."""
    while True:
        keep = [key for key, action in work.actions.items() if action.op == "delete" and action.name in left]
        if not keep:
            return
        for key in keep:
            left |= {*refs(work.actions.pop(key).before), *work.extra.pop(key)}


def _go_with_seconds(work: _Work) -> None:
    """What stands in the second of two things of one name, or leads to it, goes for the same reason."""
    going = {action.id for action in work.actions.values() if action.op == "delete" and action.doubled}
    while more := [key for key, action in work.actions.items() if action.op == "delete" and not action.doubled and going & action.marks]:
        for key in more:
            work.actions[key] = replace(work.actions[key], why=WITH_SECOND)
            going.add(work.actions[key].id)


def _link(work: _Work) -> None:
    made = {action.name for action in work.actions.values() if action.op != "delete"}
    going: dict[str, list[str]] = defaultdict(list)
    # What stands in the second of two VPCs of one name knows it by its id.
    by_id = {action.id: action.name for action in work.actions.values() if action.op == "delete"}
    for key, action in work.actions.items():
        if action.op == "delete":
            going[action.name].append(key)
    for key, action in work.actions.items():
        before = refs(action.before) | (set(work.extra[key]) if action.op == "delete" else set())
        for identifier in by_id.keys() & action.marks:
            if (gone := f"{by_id[identifier]}#{identifier}") != key:
                work.needs[gone].add(key)
        for name in before:
            for gone in going.get(name, ()):
                if gone != key:
                    work.needs[gone].add(key)
        if action.op != "delete":
            for name in refs(action.after) | set(work.extra[key]):
                base = name if name in made else name.removesuffix(".ipv6")
                if base in made and base != action.name:
                    work.needs[key].add(base)
    _make_room(work)


def _make_room(work: _Work) -> None:
    """A new subnet can only take a block once the old one that holds it is gone; a route's new target does not matter to the old one."""
    old = [(key, action) for key, action in work.actions.items() if (action.op, action.kind) == ("delete", "subnet")]
    for key, action in work.actions.items():
        if (action.op, action.kind) == ("create", "subnet") and action.after:
            for gone, other in old:
                before = other.before or {}
                blocks = [ipaddress.ip_network(attrs["cidr"]) for attrs in (before, action.after)]
                if before["vpc"] == action.after["vpc"] and blocks[0].overlaps(blocks[1]):
                    work.needs[key].add(gone)


def _order(work: _Work) -> list[str]:
    """Every action after what it needs; otherwise additions in the order of the kinds, then removals in the opposite order."""
    position = {kind.name: index for index, kind in enumerate(KINDS)}
    rank = {
        key: (action.op == "delete", -position[action.kind] if action.op == "delete" else position[action.kind], action.name, key)
        for key, action in work.actions.items()
    }
    waiting = {key: len(work.needs[key]) for key in work.actions}
    after: dict[str, list[str]] = defaultdict(list)
    for key in work.actions:
        for need in work.needs[key]:
            after[need].append(key)
    ready = [(rank[key], key) for key, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        _other, key = heapq.heappop(ready)
        order.append(key)
        for follower in after[key]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, (rank[follower], follower))
    if len(order) != len(work.actions):
        stuck = sorted(work.actions.keys() - set(order))
        raise RuntimeError(f"the plan's actions need one another in a circle: {', '.join(stuck)}")
    return order
