# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply a plan until nothing is left of it, also while other runs work at the same topology.

AWS has no lock, and what makes a VPC, a subnet or a gateway takes no client token. So two runs may each make a thing of one name. Every run
keeps the same one of them (``Kind.choose``) and removes at once what it made itself and nobody keeps; what another run made gets time to be
removed by that run. What failed because another run was quicker is looked at again instead of being told as a failure.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ._model.network import Network
from ._model.snapshot import Snapshot
from ._plan.actions import Action, Plan, refs
from ._plan.apply import Outcome
from ._plan.approval import check_approval
from ._topology.ownership import Ownership, ended
from .errors import ApplyError, CloudnetError, PreflightError

#: After a write: when to look again for what AWS's lists do not show yet, in seconds.
LAG = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)

#: How long another run gets to remove the second thing that it made, and to move on from where two runs met, in seconds.
GRACE = (0.5, 1.0, 2.0, 3.0, 3.0, 3.0)

#: So many times in all a plan is made and applied; each time something else was done by somebody.
ROUNDS = 20

#: Codes with which AWS says that somebody else was quicker, that he is still at it, and what is at least worth another look: AWS's words
#: for a second internet gateway or private name, and what ended while it was waited for.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
_QUICKER = r"NotFound|Already|Duplicate|Conflict|NotAttached"
_AT_IT = _QUICKER + r"|DependencyViolation|InUse|IncorrectState|InvalidStateTransition"
_WORTH_A_LOOK = _AT_IT + r"|InvalidParameter|WaitFailed"

#: Kinds whose results have ids of their own, and the collection that holds them.
COLLECTIONS = {
    "vpc": "vpcs",
    "subnet": "subnets",
    "internet_gateway": "internet_gateways",
    "egress_only_gateway": "egress_only_gateways",
    "address": "addresses",
    "nat_gateway": "nat_gateways",
    "route_table": "route_tables",
    "prefix_list": "prefix_lists",
    "security_group": "security_groups",
    "network_acl": "network_acls",
    "endpoint": "endpoints",
    "flow_log": "flow_logs",
    "peering": "peerings",
}

Seen = tuple[Snapshot, Network, Plan]


class Observer(Protocol):
    """Observes and plans. Raises CloudnetError."""

    def __call__(self) -> Seen:
        """What is there, and what is still to be done."""


def part(plan: Plan, concerns: Callable[[Action], bool]) -> Plan:
    """The actions of a plan that concern somebody."""
    kept = [action for action in plan if concerns(action)]
    keys = {action.key for action in kept}
    return replace(plan, actions=tuple(replace(action, needs=action.needs & keys) for action in kept))


def seconds(plan: Plan) -> bool:
    """Whether two things of one name are there, so that another run may be at work."""
    return any(action.doubled for action in plan)


def doubled(network: Network, ownership: Ownership) -> bool:
    """Whether two things of a topology's own have one name: another run may be at work, or was cut off."""
    names = Counter(
        (collection, item.name)
        for collection in COLLECTIONS.values()
        for item in getattr(network, collection).values()
        if item.name and not ended(item) and ownership.ours(item)
    )
    return any(count > 1 for count in names.values())


class Application:
    """``approved``: the plan that was approved, as ``Plan.public`` gives it; None where none is asked for.

    ``do``: applies a plan; ``look``: observes and plans.
    """

    def __init__(
        self,
        do: Callable[[Plan], Outcome],
        look: Observer,
        approved: Mapping[str, Any] | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._do = do
        self._look = look
        self._approved = approved
        self._sleep = sleep
        self._grace = list(GRACE)
        self._made: set[str] = set()
        self._done: set[str] = set()
        #: What was seen last.
        self.last: Seen | None = None

    def run(self, plan: Plan) -> Seen:
        """Do it, and look until nothing is left. Raises ApplyError, ApprovalError."""
        todo = plan
        for _round in range(ROUNDS):
            outcome = self._do(todo)
            if any(not re.search(_WORTH_A_LOOK, item.code) for item in outcome.failed):
                raise ApplyError(outcome.failures)
            self._made |= {outcome.ids[action.name] for action in todo if _makes(action) and action.name in outcome.ids}
            self._done |= {_place(action, outcome.ids) for action in outcome.done}
            seen = self._seen(outcome)
            self._judge(outcome, todo, seen[2])
            while not (todo := self._mine(seen[2])).actions:
                if not seen[2].actions:
                    return seen
                self._sleep(self._grace.pop(0))
                seen = self._again()
            self.last = seen
            if self._approved is not None:
                check_approval(part(todo, lambda action: not self._own(action)), self._approved)
        raise ApplyError(
            (action.name, f"is still to be done after all was done ({action.why}): somebody else changes it too") for action in todo
        )

    def _mine(self, rest: Plan) -> Plan:
        """What is to be done now: all, but the second things that another run made, as long as that run has the time to remove them."""
        if not self._grace:
            return rest
        return part(rest, lambda action: not action.doubled or self._own(action))

    def _own(self, action: Action) -> bool:
        """Whether an action removes what this very run made, or what stands in that: a run may take back its own unasked."""
        return action.op == "delete" and bool(self._made & {action.id, *action.marks})

    def _judge(self, outcome: Outcome, todo: Plan, rest: Plan) -> None:
        """Raise ApplyError for what failed and is still to be done, unless another run may be the reason."""
        places = {_place(action, rest.ids) for action in rest}
        still = [item for item in outcome.failed if _place(item.action, outcome.ids) in places]
        if not still:
            return
        met = all(re.search(_AT_IT, item.code) for item in still)
        moved = {action.key for action in rest} != {action.key for action in todo}
        other = seconds(rest) or seconds(todo) or all(re.search(_QUICKER, item.code) for item in still)
        if not (met and (moved or other) and self._grace):
            raise ApplyError(outcome.failures)
        self._sleep(self._grace.pop(0))

    def _again(self) -> Seen:
        """Look once more. In the middle of another run's work a plan may be impossible for a moment."""
        while True:
            try:
                return self._look()
            except PreflightError:
                if not self._grace:
                    raise
                self._sleep(self._grace.pop(0))

    def _seen(self, outcome: Outcome) -> Seen:
        """Look until AWS's lists show what was made. What this run has just done is not done again because a list lags."""
        pauses = iter(LAG)
        while True:
            try:
                seen = self._again_or_fail(outcome)
            except PreflightError:
                if (pause := next(pauses, None)) is None:
                    raise
                self._sleep(pause)
                continue
            if not any(self._lagging(outcome, seen[1], seen[2])) or (pause := next(pauses, None)) is None:
                return seen
            self._sleep(pause)

    def _again_or_fail(self, outcome: Outcome) -> Seen:
        try:
            return self._look()
        except CloudnetError as error:
            if outcome.failed and not isinstance(error, PreflightError):
                raise ApplyError(outcome.failures) from None
            raise

    def _lagging(self, outcome: Outcome, network: Network, rest: Plan) -> Iterator[str]:
        """What was done and is not seen, though nothing else stands in its place."""
        for name, (action, identifier) in outcome.created.items():
            if action.kind not in COLLECTIONS or identifier in getattr(network, COLLECTIONS[action.kind]):
                continue
            above = [ref for ref in refs(action.after) if outcome.ids.get(ref) != rest.ids.get(ref)]
            if rest.ids.get(name, identifier) == identifier and not above:
                yield name
        # A rule that its group tells and the list of rules does not yet has none of our tags: it would be taken for somebody else's.
        groups = {str((action.after or {})["group"]): action.name for action in outcome.done if action.kind == "rule" and action.after}
        touched = {outcome.ids.get(group, group): name for group, name in groups.items()}
        yield from (touched[rule.group] for rule in network.rules.values() if rule.group in touched and not rule.id.startswith("sgr-"))
        yield from (action.name for action in rest if _place(action, rest.ids) in self._done)


def _makes(action: Action) -> bool:
    return action.op == "create" and action.kind in COLLECTIONS


def _place(action: Action, ids: Mapping[str, str]) -> str:
    """What an action leaves behind, and on which things."""
    return " ".join([action.end(), *(f"{name}={ids.get(name, '')}" for name in sorted(refs(action.after)))])
