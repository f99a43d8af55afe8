# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many API calls the lab has answered: by action, by account and Region, reads apart from writes."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

# CloudTrail's readOnly, which is the nearest thing to AWS's own word on what changes something, is true for these prefixes
# and for every STS action that hands out credentials:
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
_READ_PREFIXES = (
    *("Describe", "Get", "List", "Head", "Search", "Lookup", "BatchGet"),
    *("Check", "Simulate", "Validate", "Query", "Scan", "Select", "Test", "Filter"),
)


def is_read(service: str, action: str) -> bool:
    """Whether an action changes nothing, by its name."""
    return service == "sts" or action.startswith(_READ_PREFIXES)


_MOST = 10_000
"""How many different calls are told apart: callers choose these names, also those who have no key."""


class Counts:
    """A thread-safe tally; ``snapshot()`` is JSON, and its parts always add up to ``total``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        with self._lock:
            self._calls: Counter[tuple[str, str, str, str]] = Counter()
            self._errors: Counter[str] = Counter()
            self._faults: Counter[str] = Counter()

    def add(self, service: str, action: str, account: str, region: str) -> None:
        key = (service, action, account, region)
        with self._lock:
            if key not in self._calls and len(self._calls) >= _MOST:
                key = ("unknown", "unknown", "", "")
            self._calls[key] += 1

    def add_error(self, code: str) -> None:
        with self._lock:
            self._errors[code] += 1

    def add_fault(self, kind: str) -> None:
        with self._lock:
            self._faults[kind] += 1

    def snapshot(self) -> dict[str, Any]:
        """``{total, reads, writes, actions, places, errors, faults}``.

        ``actions`` is ``{"ec2:CreateVpc": n}``, ``places`` is ``{account: {region: {action: n}}}``, ``errors`` counts codes and
        ``faults`` kinds.
        Refused and faulted calls count as calls: AWS's token buckets count them too. A call with unknown credentials has the account "".
        """
        with self._lock:
            calls, errors, faults = dict(self._calls), dict(self._errors), dict(self._faults)
        actions: Counter[str] = Counter()
        places: dict[str, dict[str, Counter[str]]] = {}
        reads = 0
        for (service, action, account, region), number in calls.items():
            name = f"{service}:{action}"
            actions[name] += number
            places.setdefault(account, {}).setdefault(region, Counter())[name] += number
            reads += number if is_read(service, action) else 0
        total = sum(calls.values())
        return {
            "total": total,
            "reads": reads,
            "writes": total - reads,
            "actions": dict(sorted(actions.items())),
            "places": {
                account: {region: dict(sorted(names.items())) for region, names in regions.items()} for account, regions in places.items()
            },
            "errors": errors,
            "faults": faults,
        }
