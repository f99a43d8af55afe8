# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kind of resource is to the planner, to the simulation and to the application."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from ...errors import AwsError
from ..actions import Action, Found, Wanted
from ..context import Context
from ..draft import Draft

#: The state of what is no longer listed.
GONE = "gone"


class Run(Protocol):
    """What applying an action may use. ``topology`` is the topology's name."""

    topology: str

    def call(self, action: Action, operation: str, **params: Any) -> dict[str, Any]:
        """``operation`` (``ec2:CreateRoute``) in the action's account and Region; Refs in the parameters become ids."""

    def pages(self, action: Action, operation: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a describe call."""

    def wait(self, action: Action, kind: str, identifier: str, states: Sequence[str], timeout: float = 300) -> dict[str, Any]:
        """Wait until a resource is in one of the states; gives the described item."""

    def until(self, action: Action, what: str, look: Callable[[], Any], timeout: float = 120) -> Any:
        """Look until there is something, for what has no state of its own to wait for; gives it."""

    def id(self, value: Any) -> str:
        """The id behind a Ref (or the value itself)."""

    def know(self, name: str, identifier: str) -> None:
        """Let later actions find this value by name."""

    def refused(self, action: Action, operation: str, error: Mapping[str, Any]) -> AwsError:
        """The error for a refusal that a successful answer carries inside (``Code``, ``Message``)."""


class Kind(ABC):
    """One kind of AWS resource: how it is derived from a topology, recognised in a network, changed, and simulated."""

    name: ClassVar[str]
    #: Attributes that AWS cannot change in place: a difference is refused, as replacing would cut traffic without a word.
    fixed: ClassVar[frozenset[str]] = frozenset()
    #: Attributes that say where it stands. What stands elsewhere (in the second of two VPCs of one name) is never taken for what is wanted.
    placed: ClassVar[frozenset[str]] = frozenset({"vpc"})
    #: Whether it can be removed by itself; else it goes with what it belongs to.
    removable: ClassVar[bool] = True
    #: Whether, in a narrow plan, ``Found.ours`` already means no more than what the topology names.
    precise: ClassVar[bool] = False
    #: How many of one batch one API call takes; 1: no batching.
    batch: ClassVar[int] = 1

    def register(self, ctx: Context) -> None:
        """Make the names of what is there known. Runs for all kinds, in order, before anything is planned."""
        return

    @abstractmethod
    def wanted(self, ctx: Context) -> Iterable[Wanted]:
        """Everything of this kind that the topology asks for."""

    @abstractmethod
    def found(self, ctx: Context) -> Iterable[Found]:
        """What is there and is ours, or stands where something wanted would stand."""

    def changed(self, wanted: Wanted, found: Found) -> dict[str, Any]:
        """The wanted attributes that differ. Tags that we did not ask for are left alone."""
        return {key: value for key, value in wanted.attrs.items() if not same(key, value, found.attrs.get(key))}

    def conflict(self, ctx: Context, wanted: Wanted, found: Found, changed: Mapping[str, Any]) -> str:
        """Why a difference must be refused, or an empty string."""
        stuck = [
            f"{key} is {found.attrs.get(key)} and cannot become {wanted.attrs[key]} in place" for key in sorted(self.fixed & changed.keys())
        ]
        # Of two that carry one name the reader must know which is meant.
        which = f" ({found.id})" if found.id else ""
        return "; ".join(stuck) + f": remove it first{which}, or give it another name" if stuck else ""

    def serves(self, ctx: Context, wanted: Wanted, found: Found) -> bool:
        """Whether it stands where the wanted one is to stand. Another one of its name is a second one, and goes."""
        return all(wanted.attrs[key] == found.attrs.get(key) for key in self.placed & wanted.attrs.keys())

    def choose(self, ctx: Context, wanted: Wanted | None, items: Iterable[Found]) -> Found | None:
        """Of several with one name, the one that is kept.

        Decided by what cannot change any more, so that runs which meet half-made things all keep the same one.
        """
        serving = [item for item in items if wanted is None or self.serves(ctx, wanted, item)]
        return min(serving, key=lambda item: (self._unfit(wanted, item), -item.weight, item.order or item.id), default=None)

    def _unfit(self, wanted: Wanted | None, found: Found) -> int:
        """How many attributes that cannot be changed in place are other than wanted."""
        return len(self.fixed & self.changed(wanted, found).keys()) if wanted else 0

    def group_key(self, action: Action) -> object:
        """Actions with equal keys may share one API call (where ``batch`` is above 1)."""
        return action.key

    @abstractmethod
    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        """Make them (one, unless the kind batches); gives their ids."""

    def update(self, run: Run, action: Action) -> None:
        """Change what is there to ``action.after``."""
        raise TypeError(f"{self.name} has nothing that could be updated")

    @abstractmethod
    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        """Remove them."""

    def locate(self, run: Run, action: Action) -> str:
        """The id of what an ambiguous create (a connection lost before the answer) may have made, or an empty string."""
        return ""

    @abstractmethod
    def simulate(self, draft: Draft, action: Action) -> None:
        """Do to the draft what AWS would do."""


class TaggedKind(Kind):
    """A kind that is known by our two tags. Of two with one name the chosen one counts, and the planner removes the other."""

    def register(self, ctx: Context) -> None:
        items: dict[str, list[Found]] = {}
        for found in self.found(ctx):
            items.setdefault(found.name, []).append(found)
        wanted = {item.name: item for item in self.wanted(ctx) if item.name in items}
        for name, several in items.items():
            if chosen := self.choose(ctx, wanted.get(name), several):
                ctx.register(name, chosen.id)

    def update(self, run: Run, action: Action) -> None:
        update_tags(run, action, action.id)


def same(key: str, wanted: Any, found: Any) -> bool:
    """Whether an attribute is as wanted. Tags: those that we want must be there."""
    if key == "tags":
        return all((found or {}).get(name) == value for name, value in wanted.items())
    return bool(wanted == found)


def tag_specifications(resource_type: str, tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tags in the shape in which creating calls take them."""
    return [{"ResourceType": resource_type, "Tags": tag_list(tags)}]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as AWS's list of pairs."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def update_tags(run: Run, action: Action, identifier: str) -> None:
    """Write the wanted tags where they differ."""
    before, after = dict((action.before or {}).get("tags") or {}), dict((action.after or {}).get("tags") or {})
    missing = {key: value for key, value in after.items() if before.get(key) != value}
    if missing:
        run.call(action, "ec2:CreateTags", Resources=[identifier], Tags=tag_list(missing))


def locate_by_tags(run: Run, action: Action, operation: str, id_key: str) -> str:
    """The id of what carries our two tags, or an empty string."""
    from ..._model.network import NAME_TAG, TOPOLOGY_TAG

    tags = (action.after or {})["tags"]
    filters = [{"Name": f"tag:{key}", "Values": [tags[key]]} for key in (TOPOLOGY_TAG, NAME_TAG)]
    items = run.pages(action, operation, **{"Filter" if operation in FILTER_SINGULAR else "Filters": filters})
    return next((str(item[id_key]) for item in items if str(item.get("State", "")) not in ("deleted", "deleting", "failed")), "")


#: Operations whose parameter is named Filter, in the singular.
FILTER_SINGULAR = ("ec2:DescribeNatGateways", "ec2:DescribeFlowLogs")
