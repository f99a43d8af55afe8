# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: its accounts, clock, quotas and state, and the one lock under which it changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from .accounts import DEFAULT_ACCOUNTS, Accounts, read_accounts
from .calls import Call
from .counting import Counts
from .emulator import Emulator
from .faults import Faults, read_fault
from .identity import Credentials
from .pacing import Buckets
from .quotas import DEFAULT_QUOTAS, check_quotas
from .unsettled import Unsettled
from .wire import Arrival, parse_reply, reencode, service_model

LOG = logging.getLogger("cloudnet.lab")
Listener = Callable[[Call, dict[str, Any] | None], None]
THROTTLES = ("none", "aws")


@dataclass(frozen=True)
class Options:
    """How a lab is to be. ``accounts``: names, 12-digit numbers or {name, id}, beside the default two. ``latency_ms``: for each request.

    ``twin``: off, auto (a data plane where the machine lets it) or required. ``snapshot``: a folder that the data plane shows instead of
    what the lab's API holds.
    """

    accounts: tuple[Any, ...] = ()
    region: str = "us-east-1"
    latency_ms: float = 0.0
    quotas: Mapping[str, int] = field(default_factory=dict)
    throttle: str = "none"
    default_vpc: bool = False
    enforce_iam: bool = False
    twin: str = "off"
    snapshot: str = ""


class Lab:
    """One lab. There is one per process, as the emulator's state is the process's.

    ``lock`` is held while a call is answered: the emulator iterates over the very dictionaries that it writes, so that not even reads are
    safe beside a write, and Python runs one thread at a time anyway. Latency, transport and decoding happen outside.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.lock = threading.RLock()
        self.emulator = Emulator(default_vpc=self.options.default_vpc)
        self.credentials = Credentials()
        self.accounts = Accounts(self.credentials)
        self.counts = Counts()
        self.faults = Faults()
        self.unsettled = Unsettled()
        self.buckets = Buckets()
        self.on_change: list[Listener] = []
        # The data plane, as fidelity.ssm.Executor has it; without one no node is online.
        self.executor: Any = None
        # What follows every write (plane.DataPlane) and delivers flow logs (plane.FlowRecords), once plane.attach has put them there.
        self.plane: Any = None
        self.flow_records: Any = None
        self.quotas: dict[str, int] = {}
        self.latency = 0.0
        self.throttle = "none"
        self.enforce_iam = False
        self._offset = timedelta()
        self._state: dict[tuple[str, str, str], dict[Any, Any]] = {}
        with self.lock:
            self.emulator.reset()
            for name, number in read_accounts([*DEFAULT_ACCOUNTS, *self.options.accounts]):
                self.accounts.add(name, number)
        self._apply_options()

    def _apply_options(self) -> None:
        self.quotas.clear()
        self.quotas.update(DEFAULT_QUOTAS)
        self.configure(
            {
                "latency_ms": self.options.latency_ms,
                "throttle": self.options.throttle,
                "quotas": dict(self.options.quotas),
                "faults": [],
                "enforce_iam": self.options.enforce_iam,
            }
        )

    def backend(self, service: str, account: str, region: str) -> Any:
        """The emulator's own backend object of a service in an account and Region."""
        return self.emulator.backend(service, account, region)

    def state(self, area: str, account: str = "", region: str = "") -> dict[Any, Any]:
        """A dictionary of the fidelity layer's own, kept until the lab is reset."""
        return self._state.setdefault((area, account, region), {})

    def states(self) -> dict[tuple[str, str, str], dict[Any, Any]]:
        """All that ``state`` has given out."""
        return self._state

    def now(self) -> datetime:
        """The lab's clock, in UTC; ``advance`` sets it forward, so that what takes AWS days can be seen in a test."""
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> datetime:
        if seconds < 0:
            raise ValueError("the clock only goes forward")
        with self.lock:
            self._offset += timedelta(seconds=seconds)
            if self.plane is not None:
                self.plane.everything()
        self.settle()
        return self.now()

    def emulate(self, call: Call, action: str, params: dict[str, Any]) -> dict[str, Any]:
        """The emulator's answer to an action with parameters, as the call's principal; see Call.emulate."""
        model = service_model(call.service)
        protocol = str(model.protocol)
        scope = f"{call.access_key or 'AKIAIOSFODNN7EXAMPLE'}/20260101/{call.region}/{model.signing_name}/aws4_request"
        headers = {"host": "127.0.0.1", "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
        base = Arrival("POST", "/", "", headers, b"", call.service, model.signing_name, call.region, call.access_key)
        base.account, base.principal = call.account, call.principal
        with self.lock:
            return parse_reply(call.service, action, protocol, self.emulator.ask(reencode(base, protocol, action, params)))

    def changed(self, call: Call, result: dict[str, Any] | None) -> None:
        """Tell the listeners of a successful write; a listener's own failure is logged and does not undo the write."""
        for listener in self.on_change:
            try:
                listener(call, result)
            except Exception:
                LOG.exception("a listener failed after %s:%s", call.service, call.action)

    def written(self, call: Call, params: Any, told: Any) -> None:
        """A write call has succeeded, under the lock: the data plane is to follow it. ``told``: the answer, decoded or as bytes."""
        if self.plane is not None:
            self.plane.mark(call.service, call.action, call.account, call.region, params, told)

    def settle(self) -> None:
        """Wait until packets follow what this thread's calls have changed. Not under the lock."""
        if self.plane is not None:
            self.plane.settle()

    def configure(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Set ``latency_ms``, ``throttle`` (none, aws), ``quotas`` (merged), ``faults`` (replaced), ``enforce_iam``; all or nothing.

        Returns the settings in force; raises ValueError that names the setting at fault.
        """
        unknown = sorted(set(wanted) - {"latency_ms", "throttle", "quotas", "faults", "enforce_iam"})
        if unknown:
            raise ValueError(f"unknown setting {', '.join(unknown)}; known are enforce_iam, faults, latency_ms, quotas, throttle")
        latency = wanted.get("latency_ms", self.latency * 1000)
        if isinstance(latency, bool) or not isinstance(latency, int | float) or not 0 <= latency <= 60_000:
            raise ValueError(f"latency_ms: {latency!r} is not a number of milliseconds between 0 and 60000")
        throttle = wanted.get("throttle", self.throttle)
        if throttle not in THROTTLES:
            raise ValueError(f"throttle: {throttle!r} is none of {', '.join(THROTTLES)}")
        enforce = wanted.get("enforce_iam", self.enforce_iam)
        if not isinstance(enforce, bool):
            raise ValueError(f"enforce_iam: {enforce!r} is neither true nor false")
        quotas = check_quotas(dict(wanted.get("quotas") or {}))
        faults = [read_fault(fault) for fault in wanted["faults"]] if "faults" in wanted else None
        with self.lock:
            self.latency, self.throttle, self.enforce_iam = latency / 1000, throttle, enforce
            self.quotas.update(quotas)
            self.buckets.clear()
            if faults is not None:
                self.faults.set(faults)
        return self.settings()

    def settings(self) -> dict[str, Any]:
        return {
            "latency_ms": self.latency * 1000,
            "throttle": self.throttle,
            "quotas": dict(self.quotas),
            "faults": self.faults.snapshot(),
            "enforce_iam": self.enforce_iam,
        }

    def reset(self) -> None:
        """An empty lab: no resources, the same accounts and keys, the settings of its start, the clock set right, counts at zero."""
        with self.lock:
            self.emulator.reset()
            self._state.clear()
            self.unsettled.clear()
            self.accounts.replant()
            self._offset = timedelta()
            self._apply_options()
            self.counts.reset()
            if self.plane is not None:
                self.plane.reset()
        self.settle()
