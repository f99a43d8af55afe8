# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2's request token buckets, so that a client's pacing can be proven: one per action, account and Region.

Sizes and refill rates: "Request throttling for the Amazon EC2 API"
(https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .calls import Refusal

_MUTATING = (50, 5.0)
_DESCRIBE = (100, 20.0)
_UNFILTERED = (50, 10.0)
_COSTLY_WITHOUT_FILTER = frozenset({"DescribeInstances", "DescribeSecurityGroups", "DescribeNetworkInterfaces"})
_OWN: dict[str, tuple[int, float]] = {
    "DescribeStaleSecurityGroups": (20, 5.0),
    "DescribeSecurityGroupReferences": (20, 5.0),
    "CreateTags": (100, 10.0),
    "DeleteTags": (100, 10.0),
    "CreateVpcEndpoint": (4, 0.3),
    "ModifyVpcEndpoint": (4, 0.3),
    "DeleteVpcEndpoints": (4, 0.3),
    "RunInstances": (5, 2.0),
}


def bucket(action: str, params: Mapping[str, Any]) -> tuple[int, float]:
    """(size, tokens per second) of an EC2 action's bucket; some reads cost more with neither filter nor page size."""
    if action in _OWN:
        return _OWN[action]
    if not action.startswith(("Describe", "Get", "List", "Search")):
        return _MUTATING
    plain = not any(name == "MaxResults" or name.startswith("Filter") for name in params)
    return _UNFILTERED if plain and action in _COSTLY_WITHOUT_FILTER else _DESCRIBE


class Buckets:
    """``take`` raises RequestLimitExceeded when a bucket is empty. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[tuple[str, str, str, float], tuple[float, float]] = {}

    def clear(self) -> None:
        with self._lock:
            self._levels.clear()

    def take(self, action: str, account: str, region: str, params: Mapping[str, Any]) -> None:
        size, refill = bucket(action, params)
        key = (action, account, region, float(size))
        now = self._clock()
        with self._lock:
            level, since = self._levels.get(key, (float(size), now))
            level = min(float(size), level + (now - since) * refill)
            enough = level >= 1.0
            self._levels[key] = (level - 1.0 if enough else level, now)
        if not enough:
            raise limit_exceeded()


def limit_exceeded() -> Refusal:
    return Refusal("RequestLimitExceeded", "Request limit exceeded.", 503)
