# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request, seeded: what AWS does to a client on a bad day, when a test asks for it.

A fault is a mapping, as ``LabControl.config(faults=[...])`` takes it:

``kind``
    ``throttle`` (RequestLimitExceeded, 503), ``internal`` (InternalError, 500), ``unavailable`` (Unavailable, 503), ``reset_before`` and
    ``reset_after`` (the connection is reset, without and with the call's effect), ``denied``, ``expired``, ``not_found`` (for ``seconds``
    after its creation an object is not found by name, and is missing from lists), ``hold_before`` and ``hold_after`` (no answer until the
    fault is taken away or the client leaves: ``held`` in the lab's status counts them, so that a test can kill a client exactly there).
``actions``
    one pattern or a list, as ``ec2:Create*``, ``*:*``, ``write`` or ``read`` (default ``ec2:*``).
``rate``, ``seed``
    the share of calls hit (default 1) and the seed. Whether the n-th call of an action is hit depends on the seed, the action and n
    only, not on how threads interleave.
``skip``, ``times``
    let so many matching calls pass first (default 0), and hit at most so many (default no limit).
``account``
    hit this account only.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .counting import is_read

KINDS = (
    "throttle",
    "internal",
    "unavailable",
    "reset_before",
    "reset_after",
    "denied",
    "expired",
    "not_found",
    "hold_before",
    "hold_after",
)
_KEYS = {"kind", "actions", "rate", "seed", "skip", "times", "seconds", "account"}


@dataclass(frozen=True)
class Fault:
    kind: str
    actions: tuple[str, ...] = ("ec2:*",)
    rate: float = 1.0
    seed: int = 0
    skip: int = 0
    times: int | None = None
    seconds: float = 1.0
    account: str = ""

    def matches(self, service: str, action: str, account: str) -> bool:
        if self.account and account != self.account:
            return False
        name = f"{service}:{action}"
        sort = "read" if is_read(service, action) else "write"
        return any(pattern == sort or fnmatchcase(name, pattern) for pattern in self.actions)


def read_fault(wanted: Mapping[str, Any]) -> Fault:
    """A fault from its mapping; raises ValueError that names the key at fault."""
    unknown = sorted(set(wanted) - _KEYS)
    if unknown:
        raise ValueError(f"fault: unknown key {', '.join(unknown)}; known are {', '.join(sorted(_KEYS))}")
    kind = wanted.get("kind")
    if kind not in KINDS:
        raise ValueError(f"fault: kind {kind!r} is none of {', '.join(KINDS)}")
    actions = wanted.get("actions", "ec2:*")
    times = wanted.get("times")
    try:
        rate = float(wanted.get("rate", 1.0))
        fault = Fault(
            kind=kind,
            actions=(actions,) if isinstance(actions, str) else tuple(str(pattern) for pattern in actions),
            rate=rate,
            seed=int(wanted.get("seed", 0)),
            skip=int(wanted.get("skip", 0)),
            times=None if times is None else int(times),
            seconds=float(wanted.get("seconds", 1.0)),
            account=str(wanted.get("account", "")),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"fault {kind}: {error}") from error
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"fault {kind}: rate {rate} is not between 0 and 1")
    return fault


class Faults:
    """The faults in force. ``strike`` says which of them hit a call; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._generation = 0
        self.held = 0
        self.set(())

    def set(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._faults = list(faults)
            self._seen: Counter[tuple[int, str]] = Counter()
            self._passed: Counter[int] = Counter()
            self._hits: Counter[int] = Counter()
            self._generation += 1
            self._changed.notify_all()

    def snapshot(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {**fault.__dict__, "actions": list(fault.actions), "hits": self._hits[index]} for index, fault in enumerate(self._faults)
            ]

    def strike(self, service: str, action: str, account: str) -> list[Fault]:
        """The faults that hit this call, in the order in which they were set."""
        if not self._faults:
            return []
        hit = []
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not fault.matches(service, action, account):
                    continue
                self._passed[index] += 1
                number = self._seen[index, action] = self._seen[index, action] + 1
                if self._passed[index] <= fault.skip or (fault.times is not None and self._hits[index] >= fault.times):
                    continue
                if fault.rate < 1.0 and random.Random(f"{fault.seed}/{service}:{action}/{number}").random() >= fault.rate:
                    continue
                if fault.kind != "not_found":
                    self._hits[index] += 1
                hit.append(fault)
        return hit

    def hold(self, gone: Any) -> None:
        """Wait until the faults change, or ``gone()`` says that the client has left."""
        with self._changed:
            generation = self._generation
            self.held += 1
            try:
                while generation == self._generation and not gone():
                    self._changed.wait(0.05)
            finally:
                self.held -= 1
