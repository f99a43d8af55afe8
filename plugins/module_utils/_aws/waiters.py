# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for states, as data: which call tells a kind's state, which states are the end of it, and how often it is worth asking.

All waits for one kind in one account and Region share their calls: twenty pending connections are one describe call a tick.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import AwsError
from .seam import Caller

#: In place of a state, for what the call no longer lists.
GONE = "gone"


@dataclass(frozen=True)
class Waiter:
    """``filter``: name of the id filter (asking by filter never fails for an id that is not known yet).

    ``state``: path of keys to the state. ``fatal``: states from which the wanted one cannot be reached, unless it is the wanted one.
    ``first``, ``cap``: seconds between calls at first, and at the longest.
    """

    action: str
    filter: str
    id: str
    state: tuple[str, ...]
    fatal: tuple[str, ...] = ()
    first: float = 0.2
    cap: float = 5.0
    filters: str = "Filters"
    reason: tuple[str, ...] = ()


_DEAD_PEERING = ("failed", "rejected", "expired", "deleted")

#: By file of the snapshot.
WAITERS: Mapping[str, Waiter] = {
    "Vpcs": Waiter("ec2:DescribeVpcs", "vpc-id", "VpcId", ("State",)),
    "Subnets": Waiter("ec2:DescribeSubnets", "subnet-id", "SubnetId", ("State",)),
    "VpcPeeringConnections": Waiter(
        "ec2:DescribeVpcPeeringConnections",
        "vpc-peering-connection-id",
        "VpcPeeringConnectionId",
        ("Status", "Code"),
        _DEAD_PEERING,
        reason=("Status", "Message"),
    ),
    # A NAT gateway takes a minute or two to come, and as long to go.
    "NatGateways": Waiter(
        "ec2:DescribeNatGateways",
        "nat-gateway-id",
        "NatGatewayId",
        ("State",),
        ("failed", "deleted"),
        0.5,
        15.0,
        "Filter",
        ("FailureMessage",),
    ),
    "VpcEndpoints": Waiter(
        "ec2:DescribeVpcEndpoints",
        "vpc-endpoint-id",
        "VpcEndpointId",
        ("State",),
        ("failed", "rejected", "expired", "deleted"),
        0.5,
        15.0,
        reason=("LastError", "Message"),
    ),
    "ManagedPrefixLists": Waiter(
        "ec2:DescribeManagedPrefixLists",
        "prefix-list-id",
        "PrefixListId",
        ("State",),
        ("create-failed", "modify-failed", "restore-failed", "delete-failed"),
        reason=("StateMessage",),
    ),
    "NetworkInterfaces": Waiter(
        "ec2:DescribeNetworkInterfaces", "network-interface-id", "NetworkInterfaceId", ("Status",), first=0.5, cap=10.0
    ),
    "InternetGateways": Waiter("ec2:DescribeInternetGateways", "internet-gateway-id", "InternetGatewayId", ()),
    "RouteTables": Waiter("ec2:DescribeRouteTables", "route-table-id", "RouteTableId", ()),
    "SecurityGroups": Waiter("ec2:DescribeSecurityGroups", "group-id", "GroupId", ()),
    "NetworkAcls": Waiter("ec2:DescribeNetworkAcls", "network-acl-id", "NetworkAclId", ()),
}

#: What a kind without states of its own is in while the call lists it.
PRESENT = "present"


@dataclass
class _Wait:
    wanted: frozenset[str]
    deadline: float
    item: dict[str, Any] | None = None
    error: AwsError | None = None
    done: bool = False
    last: str = ""
    seen: bool = False


@dataclass
class _Poller:
    """The waits of one account, Region and kind. One of the waiting threads asks for all of them."""

    condition: threading.Condition = field(default_factory=threading.Condition)
    waits: dict[str, list[_Wait]] = field(default_factory=dict)
    asking: bool = False
    attempt: int = 0
    due: float = 0.0


class Watcher:
    """Waits for states through ``api``. Thread-safe."""

    def __init__(self, api: Caller, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._lock = threading.Lock()
        self._pollers: dict[tuple[str, str, str], _Poller] = {}

    def wait(self, account: str, region: str, kind: str, id: str, wanted: Iterable[str], timeout: float) -> dict[str, Any]:
        """The item as described once it is in one of the ``wanted`` states; an empty mapping when that is GONE and it is.

        ``kind``: a key of WAITERS. ``timeout``: seconds. Raises AwsError for a state from which there is no way, and when the time is over.
        """
        waiter = WAITERS[kind]
        now = self._clock()
        mine = _Wait(frozenset(wanted), now + timeout)
        with self._lock:
            poller = self._pollers.setdefault((account, region, kind), _Poller())
        with poller.condition:
            if not poller.waits:
                poller.due = now
            # A newcomer may be done at once: look soon, whatever the others' pace is.
            poller.attempt = 0
            poller.due = min(poller.due, now + waiter.first)
            poller.waits.setdefault(id, []).append(mine)
            poller.condition.notify_all()
            try:
                while not mine.done:
                    self._turn(poller, account, region, kind)
            finally:
                _leave(poller, id, mine)
        if mine.error:
            raise mine.error
        return mine.item or {}

    def _turn(self, poller: _Poller, account: str, region: str, kind: str) -> None:
        """One step of a waiting thread, with the condition held: ask if it is time and nobody does, else sleep until something changes."""
        waiter = WAITERS[kind]
        pause = poller.due - self._clock()
        if poller.asking or pause > 0:
            poller.condition.wait(None if poller.asking else pause)
            return
        poller.asking = True
        # Who comes while we ask waits for the next answer: this one may tell of the time before what he did.
        asked = {id_: list(waits) for id_, waits in poller.waits.items()}
        ids = sorted(asked)
        poller.condition.release()
        try:
            items, error = self._ask(waiter, account, region, ids)
        finally:
            poller.condition.acquire()
            poller.asking = False
        now = self._clock()
        for id_ in ids:
            for wait in asked[id_]:
                _settle(wait, waiter, items.get(id_), error, now, f"{kind} {id_} in account {account}, Region {region}", id_)
            for wait in [wait for wait in asked[id_] if wait.done]:
                _leave(poller, id_, wait)
        pace = min(waiter.cap, waiter.first * 1.6**poller.attempt)
        poller.attempt += 1
        ends = [wait.deadline for waits in poller.waits.values() for wait in waits]
        poller.due = min([now + pace, *ends])
        poller.condition.notify_all()

    def _ask(self, waiter: Waiter, account: str, region: str, ids: list[str]) -> tuple[dict[str, dict[str, Any]], AwsError | None]:
        found: dict[str, dict[str, Any]] = {}
        try:
            for start in range(0, len(ids), 200):
                filters = {waiter.filters: [{"Name": waiter.filter, "Values": ids[start : start + 200]}]}
                found |= {item[waiter.id]: item for item in self._api.pages(account, region, waiter.action, **filters)}
        except AwsError as error:
            return {}, error
        return found, None


def _leave(poller: _Poller, id_: str, mine: _Wait) -> None:
    left = [wait for wait in poller.waits.get(id_, ()) if wait is not mine]
    if left:
        poller.waits[id_] = left
    else:
        poller.waits.pop(id_, None)


def state_of(waiter: Waiter, item: Mapping[str, Any] | None) -> str:
    """The state of a described item, in lower case as AWS spells some both ways; GONE when it is not listed."""
    if item is None:
        return GONE
    value: Any = item
    for key in waiter.state:
        value = value.get(key) if isinstance(value, Mapping) else None
    return str(value).lower() if waiter.state and value else PRESENT


def _settle(wait: _Wait, waiter: Waiter, item: dict[str, Any] | None, error: AwsError | None, now: float, what: str, id_: str) -> None:
    if error is not None:
        wait.error, wait.done = error, True
        return
    state = state_of(waiter, item)
    # Not listed at first may mean not listed yet: an item counts as gone only when it was seen, or when nothing else is waited for.
    wait.seen = wait.seen or item is not None
    if state in wait.wanted:
        wait.item, wait.done = item, True
    elif state in waiter.fatal or (state == GONE and wait.seen):
        reason: Any = item
        for key in waiter.reason:
            reason = reason.get(key) if isinstance(reason, Mapping) else None
        because = f" ({reason})" if waiter.reason and reason else ""
        wait.error = _failure(f"{what} is {state}{because}, and will not become {' or '.join(sorted(wait.wanted))}", waiter, id_)
        wait.done = True
    elif now >= wait.deadline:
        text = (
            f"{what} is still {state} and not {' or '.join(sorted(wait.wanted))}: the time to wait is over; run again to go on from there"
        )
        wait.error, wait.done = _failure(text, waiter, id_, "WaitTimedOut"), True


def _failure(text: str, waiter: Waiter, id_: str, code: str = "WaitFailed") -> AwsError:
    return AwsError(text, code=code, action=waiter.action, resource=id_)
