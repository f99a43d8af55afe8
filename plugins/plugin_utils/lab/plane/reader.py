# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's state as a Network, kept up to date by reading again only what a call can have changed.

Reading is done under the lab's lock, building is not. What did not change stays the very same object, which the data plane relies on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ....module_utils._model.build import SOURCES, Memo, part
from ....module_utils._model.files import ID_KEYS, Item, Place
from ....module_utils._model.network import Network
from ....module_utils._model.snapshot import Snapshot
from . import asking
from .needs import Need, everything, follow

_FIELDS: dict[str, set[str]] = {}
for _name, _files in SOURCES.items():
    for _file in _files:
        _FIELDS.setdefault(_file, set()).add(_name)
#: The member of an item that holds what a need is about.
_GROUPED = {"vpc": "VpcId", "group": "GroupId"}


class Reader:
    """``network`` is what was built last. Not safe against itself: one thread reads."""

    def __init__(self, lab: Any) -> None:
        self._lab = lab
        self._held: dict[Place, dict[str, Item]] = {}
        self._places: set[tuple[str, str]] = set()
        self._stale: set[str] = set()
        self._memo = Memo()
        self.network = Network()

    @property
    def unread(self) -> bool:
        """Whether nothing was read so far."""
        return not self._places

    def read_all(self) -> None:
        """Everything of every account and Region that there is, under the lab's lock."""
        self._places.clear()
        self.read(Need(account, region, "Vpcs") for account, region, _backend in asking.backends("ec2"))

    def read(self, needs: Iterable[Need]) -> None:
        """What is needed, and what follows from its change, under the lab's lock."""
        places = {(account, region) for account, region, _backend in asking.backends("ec2")}
        waiting, done = list(needs), set()
        while waiting:
            need = waiting.pop()
            place, whole = (need.account, need.region), Need(need.account, need.region, need.file)
            if need in done or whole in done or place not in places:
                continue
            if place not in self._places:  # seen for the first time
                self._places.add(place)
                waiting += everything(*place)
                continue
            done.add(need)
            changed = self._take(need, asking.read(self._lab, need))
            if changed:
                self._stale.add(need.file)
                waiting += follow(need, changed, self._held)

    def _take(self, need: Need, items: list[Item]) -> list[Item]:
        """Put what was read in the place of what was known; returns what changed, as it was and as it is."""
        held = self._held.setdefault((need.account, need.region, need.file), {})
        key = ID_KEYS[need.file]
        fresh = {str(item[key]): item for item in items}
        if need.by == "id":
            before = {id_: held[id_] for id_ in need.values if id_ in held}
        elif need.by:
            member, values = _GROUPED[need.by], set(need.values)
            before = {id_: item for id_, item in held.items() if item.get(member) in values}
        else:
            before = dict(held)
        changed: list[Item] = []
        for id_, item in fresh.items():
            old = before.get(id_)
            if old != item:
                held[id_] = item
                changed += [item] if old is None else [old, item]
        for id_ in before.keys() - fresh.keys():
            changed.append(held.pop(id_))
        return changed

    def build(self) -> None:
        """Make ``network`` of what was read. Needs no lock."""
        names = sorted({name for file in self._stale for name in _FIELDS[file]})
        self._stale.clear()
        if not names:
            return
        files = {file for name in names for file in SOURCES[name]}
        snapshot = Snapshot({place: tuple(items.values()) for place, items in self._held.items() if place[2] in files})
        fresh: dict[str, Any] = {name: self._part(snapshot, name) for name in names}
        self.network = replace(self.network, **fresh)

    def _part(self, snapshot: Snapshot, name: str) -> Mapping[str, Any]:
        """A field, with the objects of before where they are equal: some of what an item tells is no part of the Network."""
        before: Mapping[str, Any] = getattr(self.network, name)
        after = part(snapshot, name, self._memo)
        for id_, thing in after.items():
            old = before.get(id_)
            if old is not thing and old == thing:
                after[id_] = old
        return after


def difference(before: Network, after: Network) -> tuple[dict[str, dict[str, Any]], dict[str, tuple[str, ...]]]:
    """(changed, removed) by field and id: what is not the very same object in both. Fields outside SOURCES are not compared."""
    changed: dict[str, dict[str, Any]] = {}
    removed: dict[str, tuple[str, ...]] = {}
    for name in SOURCES:
        old, new = getattr(before, name), getattr(after, name)
        if old is new:
            continue
        other = {id_: thing for id_, thing in new.items() if old.get(id_) is not thing}
        if other:
            changed[name] = other
        if gone := old.keys() - new.keys():
            removed[name] = tuple(sorted(gone))
    return changed, removed
