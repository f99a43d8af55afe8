# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do a plan: concurrently over its graph, batched where one call takes many, never more requests for peering open than the quota.

It may be killed at any moment. Everything is tagged as it is made, so the next run finds what exists and goes on from there.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..errors import AwsError, CloudnetError, MaybeDone
from .actions import Action, Plan, Ref
from .api import Api
from .kinds.base import Kind
from .simulate import BY_NAME

#: Enough to fill the token buckets of a hub with 60 ms a call, and few enough for one connection pool.
WORKERS = 16

#: After a create whose answer was lost: when to look for what it may have made, in seconds. AWS's lists lag behind its writes.
LOOK_AGAIN = (0.3, 0.7, 1.5, 3.0)


class Watcher(Protocol):
    """Waits for states; concurrent waits for one kind share their describe calls."""

    def wait(self, account: str, region: str, kind: str, identifier: str, states: Sequence[str], timeout: float) -> dict[str, Any]:
        """The described item once it is in one of the states. Raises AwsError when it ends in another, or in time."""


#: What the watcher calls the kinds that have states: the file of a snapshot that tells them.
FILES = {
    "peering": "VpcPeeringConnections",
    "nat_gateway": "NatGateways",
    "endpoint": "VpcEndpoints",
    "prefix_list": "ManagedPrefixLists",
}


@dataclass(frozen=True)
class Progress:
    """One line of the journal: an action that was done, or failed."""

    number: int
    total: int
    action: Action
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class Failure:
    """An action that failed, and AWS's code where it has one."""

    action: Action
    message: str
    code: str = ""


@dataclass
class Outcome:
    """``ids``: name to id of everything that is there now. ``failed``: what failed; what needed it is in ``skipped``.

    ``created``: name to the action that made it and its id.
    """

    ids: dict[str, str]
    done: list[Action] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    created: dict[str, tuple[Action, str]] = field(default_factory=dict)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """What failed, and what was not tried for that, each with its reason in a line."""
        lost = [(name, "not tried: something that it needs failed") for name in self.skipped]
        return [*((item.action.name, item.message) for item in self.failed), *lost]


@dataclass
class _Node:
    """Actions that go together, in one call where the kind can."""

    kind: Kind
    actions: list[Action]
    waiting: int = 0


@dataclass(frozen=True)
class _Done:
    """What became of an action: ``error`` is empty when all went well, SKIPPED when it was not tried."""

    action: Action
    seconds: float
    error: str = ""
    code: str = ""


class Runner:
    """The Run that kinds see."""

    def __init__(self, topology: str, api: Api, watcher: Watcher, ids: Mapping[str, str]) -> None:
        self.topology = topology
        self._api = api
        self._watcher = watcher
        self._ids = dict(ids)
        self._lock = threading.Lock()

    @property
    def ids(self) -> dict[str, str]:
        """A copy of what is known."""
        with self._lock:
            return dict(self._ids)

    def id(self, value: Any) -> str:
        """The id behind a Ref."""
        if not isinstance(value, Ref):
            return str(value)
        with self._lock:
            return self._ids[value.name]

    def know(self, name: str, identifier: str) -> None:
        """Remember an id by name."""
        with self._lock:
            self._ids[name] = identifier

    def call(self, action: Action, operation: str, **params: Any) -> dict[str, Any]:
        """Call AWS for an action."""
        return self._api.call(action.account, action.region, operation, **self._resolved(params))

    def pages(self, action: Action, operation: str, **params: Any) -> list[dict[str, Any]]:
        """List for an action."""
        return self._api.pages(action.account, action.region, operation, **self._resolved(params))

    def wait(self, action: Action, kind: str, identifier: str, states: Sequence[str], timeout: float = 300) -> dict[str, Any]:
        """Wait for a state."""
        return self._watcher.wait(action.account, action.region, FILES[kind], identifier, states, timeout)

    def until(self, action: Action, what: str, look: Callable[[], Any], timeout: float = 120) -> Any:
        """Look, at growing intervals, until there is something."""
        deadline, pause = time.monotonic() + timeout, 0.1
        while not (found := look()):
            if time.monotonic() > deadline:
                raise AwsError(
                    f"{action.name}: waited {timeout:.0f} s in vain until {what}; run again to go on from there", resource=action.name
                )
            time.sleep(pause)
            pause = min(pause * 1.6, 5.0)
        return found

    def refused(self, action: Action, operation: str, error: Mapping[str, Any]) -> AwsError:
        """An error that came inside a successful answer."""
        code, message = str(error.get("Code", "")), str(error.get("Message", ""))
        return AwsError(
            f"{operation} in {action.region} of account {action.account}: {code}: {message}",
            code=code,
            action=operation,
            account=action.account,
            region=action.region,
            resource=action.name,
        )

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, Ref):
            return self.id(value)
        if isinstance(value, dict):
            return {key: self._resolved(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._resolved(item) for item in value]
        return value


def apply(
    plan: Plan,
    api: Api,
    watcher: Watcher,
    *,
    open_requests: Mapping[tuple[str, str], int] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    workers: int = WORKERS,
) -> Outcome:
    """Do every action after what it needs. ``open_requests``: by (account, Region), how many more peering requests may be open at once.

    Never raises for a call that failed: see ``Outcome.failures``. What does not depend on it is still done.
    """
    return _Application(plan, api, watcher, open_requests or {}, progress).run(workers)


class _Application:
    def __init__(
        self, plan: Plan, api: Api, watcher: Watcher, open_requests: Mapping[tuple[str, str], int], progress: Callable[[Progress], None]
    ) -> None:
        self.plan = plan
        self.runner = Runner(plan.topology, api, watcher, plan.ids)
        self.progress = progress
        self.outcome = Outcome(dict(plan.ids))
        self.nodes = _nodes(plan)
        self.node_of = {action.key: node for node in self.nodes for action in node.actions}
        self.followers: dict[int, list[_Node]] = defaultdict(list)
        for node in self.nodes:
            before = {id(self.node_of[need]): self.node_of[need] for action in node.actions for need in action.needs}
            before.pop(id(node), None)
            node.waiting = len(before)
            for key in before:
                self.followers[key].append(node)
        self.bad: set[str] = set()
        self.tokens = dict(open_requests)
        self.accepted_for = {need: action.key for action in plan if action.kind == "peering_acceptance" for need in action.needs}

    def run(self, workers: int) -> Outcome:
        order = {id(node): index for index, node in enumerate(self.nodes)}
        ready = [node for node in self.nodes if not node.waiting]
        running: dict[Future[list[_Done]], _Node] = {}
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="apply") as pool:
            while ready or running:
                # Acceptances first: each makes room for another request.
                ready.sort(key=lambda node: (node.kind.name != "peering_acceptance", order[id(node)]))
                held = []
                for node in ready:
                    if len(running) >= workers or not self._may_start(node):
                        held.append(node)
                        continue
                    running[pool.submit(self._do, node)] = node
                if not running:
                    for node in held:
                        said = "no further peering request may be open: the quota of outstanding requests is used up"
                        self._settle([_Done(action, 0.0, said) for action in node.actions])
                    ready = [follower for node in held for follower in self._released(node)]
                    continue
                ready = held
                finished, _other = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    node = running.pop(future)
                    self._settle(future.result())
                    ready += self._released(node)
        self.outcome.ids = self.runner.ids
        return self.outcome

    def _may_start(self, node: _Node) -> bool:
        action = node.actions[0]
        if node.kind.name != "peering" or action.op != "create":
            return True
        where = (action.account, action.region)
        if self.tokens.get(where, 1) <= 0:
            return False
        if where in self.tokens:
            self.tokens[where] -= 1
        return True

    def _released(self, node: _Node) -> list[_Node]:
        released = []
        for follower in self.followers[id(node)]:
            follower.waiting -= 1
            if not follower.waiting:
                released.append(follower)
        return released

    def _settle(self, results: list[_Done]) -> None:
        for item in results:
            action, error = item.action, item.error
            if error == SKIPPED:
                self.outcome.skipped.append(action.name)
            elif error:
                self.outcome.failed.append(Failure(action, error, item.code))
            else:
                self.outcome.done.append(action)
            if error:
                self.bad.add(action.key)
            if error != SKIPPED:
                count = len(self.outcome.done) + len(self.outcome.failed)
                self.progress(Progress(count, len(self.plan), action, item.seconds, error))
            self._give_back(action, failed=bool(error))

    def _give_back(self, action: Action, *, failed: bool) -> None:
        request = None
        if action.kind == "peering_acceptance":
            request = next((self.node_of[need].actions[0] for need in action.needs if self.node_of[need].kind.name == "peering"), None)
        elif action.kind == "peering" and action.op == "create" and failed and action.key not in self.accepted_for:
            request = action
        if request is not None and (where := (request.account, request.region)) in self.tokens:
            self.tokens[where] += 1

    def _do(self, node: _Node) -> list[_Done]:
        results = [_Done(action, 0.0, SKIPPED) for action in node.actions if action.needs & self.bad]
        todo = [action for action in node.actions if not action.needs & self.bad]
        start = time.monotonic()
        try:
            if todo:
                self._perform(node.kind, todo)
        except CloudnetError as error:
            if len(todo) == 1 or isinstance(error, MaybeDone):
                if isinstance(error, AwsError) and error.not_found and todo[0].op == "delete":
                    return results + [_Done(action, time.monotonic() - start) for action in todo]
                code = error.code if isinstance(error, AwsError) else ""
                return results + [_Done(action, time.monotonic() - start, str(error), code) for action in todo]
            # One bad member spoils a whole call: take them one by one, so that only the bad one fails.
            for action in todo:
                results += self._do(_Node(node.kind, [action]))
            return results
        return results + [_Done(action, time.monotonic() - start) for action in todo]

    def _perform(self, kind: Kind, actions: list[Action]) -> None:
        op = actions[0].op
        if op == "delete":
            kind.delete(self.runner, actions)
        elif op == "update":
            for action in actions:
                kind.update(self.runner, action)
        else:
            for action, identifier in zip(actions, self._create(kind, actions), strict=True):
                if identifier:
                    self.runner.know(action.name, identifier)
                    self.outcome.created[action.name] = (action, identifier)

    def _create(self, kind: Kind, actions: list[Action]) -> Sequence[str]:
        for _turn in range(3):
            try:
                return kind.create(self.runner, actions)
            except MaybeDone as error:
                last = error
            if len(actions) == 1 and (identifier := self._look(kind, actions[0])):
                self.runner.know(actions[0].name, identifier)
                kind.update(self.runner, replace(actions[0], id=identifier, before={}))
                return [identifier]
        raise last

    def _look(self, kind: Kind, action: Action) -> str:
        for delay in LOOK_AGAIN:
            time.sleep(delay)
            if identifier := kind.locate(self.runner, action):
                return identifier
        return ""


#: Marks an action that was not tried, because what it needs failed.
SKIPPED = "skipped"


def _nodes(plan: Plan) -> list[_Node]:
    nodes: list[_Node] = []
    open_nodes: dict[object, _Node] = {}
    for action in plan:
        kind = BY_NAME[action.kind]
        key = (action.op, action.kind, kind.group_key(action))
        node = open_nodes.get(key)
        if kind.batch == 1 or action.op == "update" or node is None or len(node.actions) >= kind.batch:
            node = open_nodes[key] = _Node(kind, [])
            nodes.append(node)
        node.actions.append(action)
    return nodes
