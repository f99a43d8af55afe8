# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as data: what is wanted, what was found, the actions between the two, and the fingerprint under which they are approved."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ApprovalError

FORMAT_VERSION = 1

#: In the order in which a lesson applies them. ``through: routes`` leaves rules out.
STAGES = ("vpcs", "peerings", "routes", "rules")


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

    ``weight``: how much depends on it, to choose between two of one name.
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
    why_removed: str = "ours, no longer declared"


@dataclass(frozen=True)
class Action:
    """One step. ``before`` is None for a create, ``after`` for a delete. ``id`` is empty for what is to be made.

    ``needs`` holds the names of the actions (key: name) that must have succeeded first.
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

    @property
    def key(self) -> str:
        """Unique in a plan: duplicates of one name are removed by id."""
        return f"{self.name}#{self.id}" if self.op == "delete" else self.name

    def public(self) -> dict[str, Any]:
        """As modules return it and ``plan.json`` holds it: free of ids and times that the run decides."""
        return {
            "op": self.op,
            "kind": self.kind,
            "name": self.name,
            "account": self.account,
            "region": self.region,
            "before": plain(self.before),
            "after": plain(self.after),
            "why": self.why,
        }

    def end(self) -> str:
        """What this action leaves behind, for approvals: an update to the same end as an approved create is covered by it."""
        return canonical([self.kind, self.name, self.account, self.region, plain(self.after)])


@dataclass(frozen=True)
class Plan:
    """Actions in an order in which they can be done one after the other.

    ``ids`` holds the ids, by name, of everything that is there already.
    """

    topology: str
    actions: tuple[Action, ...] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

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
    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON of what would be done, in hex."""
        return fingerprint_of(self.topology, [action.public() for action in self.actions])

    def public(self) -> dict[str, Any]:
        """As modules return it: ``format_version``, ``topology``, ``fingerprint``, ``counts``, ``actions``."""
        return {
            "format_version": FORMAT_VERSION,
            "topology": self.topology,
            "fingerprint": self.fingerprint,
            "counts": self.counts,
            "actions": [action.public() for action in self.actions],
        }


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


def fingerprint_of(topology: str, actions: Iterable[Mapping[str, Any]]) -> str:
    """The fingerprint of a plan's public actions. Their order does not count, nor does the wording of ``why``."""
    lines = sorted(canonical({key: item for key, item in action.items() if key != "why"}) for action in actions)
    return hashlib.sha256(canonical([FORMAT_VERSION, topology, lines]).encode()).hexdigest()


def refs(value: Any) -> set[str]:
    """All names that a value refers to."""
    if isinstance(value, Ref):
        return {value.name}
    if isinstance(value, Mapping):
        return {name for item in value.values() for name in refs(item)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return {name for item in value for name in refs(item)}
    return set()


def check_approval(plan: Plan, approved: Mapping[str, Any] | str) -> None:
    """Refuse a plan that holds anything which was not approved.

    ``approved`` is the mapping that ``Plan.public`` gave, or a bare fingerprint. A plan that is a remainder of the approved one (a run
    was killed halfway) is covered by it: each action must lead to an end that the approved plan leads to as well. Raises ApprovalError.
    """
    if isinstance(approved, str):
        if plan.actions and approved != plan.fingerprint:
            raise ApprovalError(
                f"approved: the plan's fingerprint is {plan.fingerprint}, {approved} was approved. Review the new plan;"
                " to finish a run that was cut off, approve by the plan's file."
            )
        return
    if approved.get("format_version") != FORMAT_VERSION:
        raise ApprovalError(f"approved: format_version {approved.get('format_version')!r} is not {FORMAT_VERSION}. Write the plan again.")
    actions = list(approved.get("actions", ()))
    stated, real = approved.get("fingerprint"), fingerprint_of(str(approved.get("topology", "")), actions)
    if stated != real:
        raise ApprovalError(
            f"approved: the file was changed after it was written (its fingerprint says {stated}, its actions give {real}). "
            "Write the plan again."
        )
    if approved.get("topology") != plan.topology:
        raise ApprovalError(f"approved: the file is a plan of topology {approved.get('topology')!r}, not of {plan.topology!r}.")
    ends = {canonical([action[key] for key in ("kind", "name", "account", "region", "after")]) for action in actions}
    extra = [action for action in plan if action.end() not in ends]
    if extra:
        lines = "\n".join(f"  {action.op} {action.kind} {action.name} ({action.why})" for action in extra)
        raise ApprovalError(f"approved: {len(extra)} of {len(plan)} actions are not in the approved plan; review a new one:\n{lines}")
