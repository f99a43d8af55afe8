# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as data: what is wanted, what was found, the actions between the two, and the fingerprint under which they are approved."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT_VERSION = 2

#: In the order in which a lesson applies them. ``through: routes`` leaves rules out.
STAGES = ("vpcs", "peerings", "routes", "rules")


#: Why the second of two resources with one name goes. Two runs at once may each have made one; they both, and the next, keep the same.
SECOND = "a second one of this name"
WITH_SECOND = "belongs to the second one of a name"
GONE_FROM_TOPOLOGY = "ours, no longer declared"


@dataclass(frozen=True, order=True)
class Ref:
    """Another resource of the plan by its name, in place of an id that may not exist yet."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Wanted:
    """One resource that the topology asks for.

    ``attrs`` holds JSON values and Refs; ``needs`` names what must be there first beside the Refs.
    """

    kind: str
    name: str
    account: str
    region: str
    attrs: Mapping[str, Any]
    stage: str = "vpcs"
    needs: tuple[str, ...] = ()
    why: str = "declared, not there"
    path: str = ""


@dataclass(frozen=True)
class Found:
    """One resource that is there. ``ours``: we may change and remove it.

    ``weight`` and then ``order`` (the id unless told) decide which of two with one name stays: the heavier, then the first in order.
    Both are such that every run that looks comes to the same choice, however far the others have come.
    """

    name: str
    id: str
    account: str
    region: str
    attrs: Mapping[str, Any]
    ours: bool = True
    stage: str = "vpcs"
    needs: tuple[str, ...] = ()
    weight: int = 0
    order: str = ""
    why_removed: str = GONE_FROM_TOPOLOGY


@dataclass(frozen=True)
class Action:
    """One step. ``before`` is None for a create, ``after`` for a delete. ``id`` is empty for what is to be made.

    ``needs`` holds the names of the actions (key: name) that must have succeeded first. ``ours``: what it changes is the topology's own.
    """

    op: str
    kind: str
    name: str
    account: str
    region: str
    stage: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    why: str
    id: str = ""
    needs: frozenset[str] = frozenset()
    ours: bool = True

    @property
    def marks(self) -> frozenset[str]:
        """The texts in what is there, tags aside: among them the ids of what it stands in and leads to."""
        return frozenset(leaves({key: value for key, value in (self.before or {}).items() if key != "tags"}))

    @property
    def key(self) -> str:
        """Unique in a plan: duplicates of one name are removed by id."""
        return f"{self.name}#{self.id}" if self.op == "delete" else self.name

    def public(self) -> dict[str, Any]:
        """As modules return it and ``plan.json`` holds it: free of ids and times that the run decides; ``id`` is None for a create."""
        return {
            "op": self.op,
            "kind": self.kind,
            "name": self.name,
            "id": self.id or None,
            "account": self.account,
            "region": self.region,
            "before": plain(self.before),
            "after": plain(self.after),
            "why": self.why,
        }

    @property
    def doubled(self) -> bool:
        """Whether it goes because another run made a thing of its name too, or goes with such a thing."""
        return self.why in (SECOND, WITH_SECOND)

    @property
    def concerns(self) -> frozenset[str]:
        """The names of what it changes or refers to, and of the VPCs in which that is."""
        names = {self.name, *refs(self.after)}
        return frozenset(names | {".".join(name.split(".")[:2]) for name in names if name.startswith("vpcs.")})

    def end(self) -> str:
        """What this action leaves behind, which is what an approval covers. A removal is of one thing, by its id."""
        return end_of(self.public())


@dataclass(frozen=True)
class Plan:
    """Actions in an order in which they can be done one after the other.

    ``ids`` holds the ids, by name, of everything that is there already; ``made`` those ids among them that the topology made itself.
    ``launches`` and ``undeclared``: the instances that the role ``instances`` is to launch, and those that are declared no longer (see
    machines.py), which it is to end where ``terminate`` says so.
    """

    topology: str
    actions: tuple[Action, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    made: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    launches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    undeclared: tuple[Mapping[str, str], ...] = ()
    terminate: bool = False

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions)

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def counts(self) -> dict[str, int]:
        """``{"add": n, "change": n, "remove": n}``."""
        ops = Counter(action.op for action in self.actions)
        return {"add": ops["create"], "change": ops["update"], "remove": ops["delete"]}

    @property
    def existing(self) -> dict[str, str]:
        """Name to id of what is there and what the actions build on: what they change or refer to, and the VPCs in which that is."""
        names = {name for action in self.actions if action.op != "delete" for name in action.concerns}
        return {name: self.ids[name] for name in sorted(names) if name in self.ids}

    @property
    def terminations(self) -> list[str]:
        """The ids of instances that are to end."""
        return sorted(item["id"] for item in self.undeclared) if self.terminate else []

    @property
    def empty(self) -> bool:
        """Whether nothing is to be done, by the engine or by the role that has the instances."""
        return not (self.actions or self.launches or self.terminations)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of what would be done to what, in hex."""
        return str(self.public()["fingerprint"])

    def public(self) -> dict[str, Any]:
        """As modules return it: ``format_version``, ``topology``, ``fingerprint``, ``counts``, ``existing``, ``actions``, ``instances``."""
        told = {
            "topology": self.topology,
            "existing": self.existing,
            "actions": [action.public() for action in self.actions],
            "instances": {
                "launch": {name: dict(launch) for name, launch in self.launches.items()},
                "terminate": self.terminations,
                "undeclared": [dict(item) for item in self.undeclared],
            },
        }
        return {"format_version": FORMAT_VERSION, "fingerprint": fingerprint_of(told), "counts": self.counts, **told}


def plain(value: Any) -> Any:
    """JSON values only: a Ref becomes ``{"ref": name}``."""
    if isinstance(value, Ref):
        return {"ref": value.name}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def canonical(value: Any) -> str:
    """One JSON text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def fingerprint_of(plan: Mapping[str, Any]) -> str:
    """The fingerprint of a plan as ``Plan.public`` gives it. The order of its actions does not count, nor does the wording of ``why``."""
    actions = plan.get("actions", ())
    lines = sorted(canonical({key: item for key, item in action.items() if key != "why"}) for action in actions)
    instances = {key: (plan.get("instances") or {}).get(key) for key in ("launch", "terminate")}
    told = [FORMAT_VERSION, str(plan.get("topology", "")), plan.get("existing", {}), lines, instances]
    return hashlib.sha256(canonical(told).encode()).hexdigest()


def end_of(action: Mapping[str, Any]) -> str:
    """What an action, as ``Action.public`` gives it, leaves behind. A removal is of one thing, so it is known by its id."""
    where = [action.get(key) for key in ("kind", "name", "account", "region")]
    return canonical([*where, "gone", action.get("id")] if action.get("op") == "delete" else [*where, action.get("after")])


def leaves(value: Any) -> Iterator[str]:
    """Every text in a value, at any depth; no Ref."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from leaves(item)


def refs(value: Any) -> set[str]:
    """All names that a value refers to."""
    if isinstance(value, Ref):
        return {value.name}
    if isinstance(value, Mapping):
        return {name for item in value.values() for name in refs(item)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return {name for item in value for name in refs(item)}
    return set()
