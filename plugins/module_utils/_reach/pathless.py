# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts without a path: an end and itself, the resolver, ends that refuse; and the pieces of every verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from . import explain
from .endpoints import End
from .index import Index
from .standing import Objection, ask_resolver, beside_host, objections
from .traffic import Traffic
from .verdict import (
    BLOCKED,
    BOTH,
    FORWARD,
    REACHABLE,
    Blocker,
    Disposition,
    Hop,
    Step,
    Trace,
    Unknown,
    Verdict,
    concluded,
)

_Note = TypeVar("_Note", Blocker, Unknown)


def without_a_path(index: Index, source: End, destination: End, asked: Traffic, family: int) -> Verdict | None:
    """The verdict where there is no path to follow: an end and itself, the resolver or another service beside the host; else None."""
    if destination.resolver and source.kind == "host":
        return _of_resolver(index, source, destination, asked, family)
    if destination.beside and source.kind == "host":
        said = [*objections(index, source, True, asked), beside_host(destination.text)]
        return _refused(index, source, destination, asked, family, said)
    if source.kind == "service":
        return _refused(index, source, destination, asked, family, objections(index, source, True, asked))
    same = (source.vpc, source.address(family)) == (destination.vpc, destination.address(family))
    if source.kind != "host" or destination.kind != "host" or not same or source.standin or destination.standin:
        return None
    found = [*objections(index, source, True, asked), *objections(index, destination, False, asked)]
    if found:
        return _refused(index, source, destination, asked, family, found)
    hops = (ending(index, Step.SOURCE, source, family), ending(index, Step.DESTINATION, destination, family))
    trace = Trace(Disposition.DELIVERED, hops)
    return Verdict(REACHABLE, source.text, destination.text, str(asked), family, trace, Trace(Disposition.DELIVERED, hops[::-1]), mtu=9001)


def _of_resolver(index: Index, source: End, destination: End, asked: Traffic, family: int) -> Verdict:
    found = [*objections(index, source, True, asked)]
    asking = ask_resolver(index, source, destination, asked)
    if asking is not None:
        found.append(asking)
    if found:
        return _refused(index, source, destination, asked, family, found)
    hops = (ending(index, Step.SOURCE, source, family), ending(index, Step.DESTINATION, destination, family))
    trace = Trace(Disposition.DELIVERED, hops)
    return Verdict(REACHABLE, source.text, destination.text, str(asked), family, trace, Trace(Disposition.DELIVERED, hops[::-1]))


def _refused(index: Index, source: End, destination: End, asked: Traffic, family: int, found: Iterable[Objection]) -> Verdict:
    """The verdict of what the ends say of themselves, with no path."""
    notes = [noted(item, explain.end_name(index, destination if item.component == destination.text else source)) for item in found]
    blockers = merged([note for note in notes if isinstance(note, Blocker)])
    unknowns = merged([note for note in notes if isinstance(note, Unknown)])
    hops = (ending(index, Step.SOURCE, source, family or 4),)
    trace = Trace(disposition(blockers, unknowns, FORWARD), hops)
    return Verdict(concluded(blockers, unknowns), source.text, destination.text, str(asked), family or 4, trace, None, blockers, unknowns)


def noted(item: Objection, name: str) -> Blocker | Unknown:
    """An objection as what a verdict lists."""
    if item.sure:
        return Blocker(item.code, FORWARD, item.component, name, item.why, "", explain.other(item.to_open))
    return Unknown(item.code, FORWARD, item.component, name, item.why, item.missing)


def merged(notes: Iterable[_Note]) -> tuple[_Note, ...]:
    """Each note once: one that both directions met has direction ``both``."""
    found: dict[tuple[str, ...], _Note] = {}
    for note in notes:
        rule = note.rule if isinstance(note, Blocker) else ""
        key = (note.code, note.component, rule, "" if note.code in _SHARED else note.why)
        before = found.get(key)
        if before is None:
            found[key] = note
        elif before.direction != note.direction:
            found[key] = replace(before, direction=BOTH)
    return tuple(found.values())


#: What is one thing, whichever way it is met.
_SHARED = ("DISCONNECTED_VPCS", "BAD_STATE", "VPC_BLOCK_PUBLIC_ACCESS_ENABLED", "NO_SUCH_SUBNET")


def disposition(blockers: Iterable[Blocker], unknowns: Iterable[Unknown], direction: str) -> Disposition:
    """How a path in this direction ends, by what is in its way."""
    here = (direction, BOTH)
    if any(blocker.direction in here and not blocker.unsure for blocker in blockers):
        return Disposition.DROPPED
    unsure = any(blocker.direction in here for blocker in blockers) or any(unknown.direction in here for unknown in unknowns)
    return Disposition.UNSURE if unsure else Disposition.DELIVERED


def ending(index: Index, step: Step, end: End, family: int, assumed: bool = False) -> Hop:
    """The hop at which a path starts or ends."""
    where = explain.vpc_name(index.network, end.vpc) if end.vpc else ""
    component = end.interface or end.instance or end.subnet or end.endpoint or end.text
    address = end.address(family)
    stands = " (an address that it could have)" if end.standin else ""
    detail = "internet" if end.kind == "internet" and end.text == "internet" else f"{address}{stands}{f' in {where}' if where else ''}"
    return Hop(step, component, explain.end_name(index, end), detail, assumed=assumed)


def no_common_family(index: Index, source: End, destination: End, asked: Traffic, family: int) -> Verdict:
    """The verdict where the ends have no address of the family that is asked for, or of one family."""
    said = [item for end, egress in ((source, True), (destination, False)) for item in objections(index, end, egress, asked) if item.sure]
    if said:  # what is gone or stopped has no address, and needs none
        return _refused(index, source, destination, asked, family, said)
    asked_for = f"IPv{family}" if family else "the same family"
    who = [end for end in (source, destination) if family not in end.families] if family else [source, destination]
    name = " and ".join(explain.end_name(index, end) for end in who)
    fix = explain.other("give the subnet and the interface an address of that family")
    blocker = Blocker("NO_ADDRESS_OF_FAMILY", FORWARD, who[0].text, name, f"{name}: no addresses of {asked_for}", "", fix)
    trace = Trace(Disposition.DROPPED, ())
    return Verdict(BLOCKED, source.text, destination.text, str(asked), family or 4, trace, None, (blocker,))
