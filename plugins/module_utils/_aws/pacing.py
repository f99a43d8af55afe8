# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token buckets as AWS keeps them, so that we wait before a call instead of being throttled after it.

One bucket per account, Region and action: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """``capacity`` calls at once, then ``refill`` calls a second."""

    capacity: float
    refill: float


READING = Rate(100, 20)
#: Listings with neither a filter nor a page size, for the three actions below.
UNBOUNDED = Rate(50, 10)
MUTATING = Rate(50, 5)

_UNBOUNDED_ACTIONS = ("ec2:DescribeInstances", "ec2:DescribeSecurityGroups", "ec2:DescribeNetworkInterfaces")
_READING_VERBS = ("Describe", "Get", "List", "Search")

#: Actions whose bucket is not the one of their kind.
RATES: Mapping[str, Rate] = {
    "ec2:CreateTags": Rate(100, 10),
    "ec2:DeleteTags": Rate(100, 10),
    "ec2:CreateVpcEndpoint": Rate(4, 0.3),
    "ec2:ModifyVpcEndpoint": Rate(4, 0.3),
    "ec2:DeleteVpcEndpoints": Rate(4, 0.3),
    "ec2:RunInstances": Rate(5, 2),
    "ec2:DescribeStaleSecurityGroups": Rate(20, 5),
    "ec2:DescribeSecurityGroupReferences": Rate(20, 5),
    # Service Quotas allows ten a second, without saving up more than that:
    # https://docs.aws.amazon.com/servicequotas/latest/userguide/reference.html
    "servicequotas:ListServiceQuotas": Rate(10, 10),
}

#: How much of the published rate is left after one throttle, and the least that is ever used: others in the account share the bucket.
_SHRINK, _LEAST, _RECOVER = 0.7, 0.2, 0.05
#: Seconds in which several throttles are one event: the calls that were under way together meet the same empty bucket.
_EVENT = 1.0


def rate_of(action: str, *, bounded: bool = True) -> Rate:
    """The bucket of an action (``ec2:CreateRoute``). ``bounded``: whether a filter or a page size is given."""
    if action in RATES:
        return RATES[action]
    if action in _UNBOUNDED_ACTIONS and not bounded:
        return UNBOUNDED
    return READING if action.partition(":")[2].startswith(_READING_VERBS) else MUTATING


class Bucket:
    """One token bucket. Thread-safe; whoever comes first is served first, as each call reserves its token before it waits for it.

    ``known``: whether the other side keeps this bucket. Where it may keep none, nobody waits until it has throttled once.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float], *, known: bool = True) -> None:
        self._rate = rate
        self._known = known
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = rate.capacity
        self._refill = rate.refill
        self._at = clock()
        self._throttled = self._at - _EVENT

    @property
    def refill(self) -> float:
        """Calls a second that are made at present."""
        return self._refill

    def reserve(self) -> float:
        """Take a token, of the future if there is none now. Returns the seconds to wait until it is there."""
        with self._lock:
            self._fill()
            if not self._known:
                # What it would hold now is not less than nothing, however much was called: it was never asked for.
                self._tokens = max(0.0, self._tokens - 1)
                return 0.0
            self._tokens -= 1
            return max(0.0, -self._tokens / self._refill)

    def throttled(self) -> None:
        """AWS said that its bucket is empty: someone else draws on it too.

        A stray throttle costs half of what was saved up, a series all of it.
        """
        with self._lock:
            self._fill()
            self._known = True
            if self._at - self._throttled >= _EVENT:
                self._throttled = self._at
                self._tokens = min(self._tokens, self._tokens / 2)
                self._refill = max(self._rate.refill * _LEAST, self._refill * _SHRINK)

    def served(self) -> None:
        """A call went through: come back to the published rate step by step."""
        with self._lock:
            if self._refill < self._rate.refill:
                self._fill()
                self._refill = min(self._rate.refill, self._refill + self._rate.refill * _RECOVER)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._rate.capacity, self._tokens + (now - self._at) * self._refill)
        self._at = now


class Pacer:
    """All buckets. ``factor`` scales every rate: more for an endpoint without AWS's limits, less to leave room for others."""

    def __init__(
        self,
        *,
        factor: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._factor = factor
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, str, bool], Bucket] = {}

    def bucket(self, account: str, region: str, action: str, *, bounded: bool = True, known: bool = True) -> Bucket:
        """The bucket that a call draws on; ``known``: as for Bucket."""
        key = (account, region, action, bounded)
        with self._lock:
            if key not in self._buckets:
                rate = rate_of(action, bounded=bounded)
                self._buckets[key] = Bucket(Rate(rate.capacity * self._factor, rate.refill * self._factor), self._clock, known=known)
            return self._buckets[key]

    def acquire(self, account: str, region: str, action: str, *, bounded: bool = True, known: bool = True) -> Bucket:
        """Wait exactly until the call may be made. Returns its bucket, to tell it how the call went."""
        bucket = self.bucket(account, region, action, bounded=bounded, known=known)
        wait = bucket.reserve()
        if wait > 0:
            self._sleep(wait)
        return bucket
