# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several engines that converge one topology in one account at the same moment, each call with a delay by chance."""

from __future__ import annotations

import functools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.client import Client
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.pacing import Pacer
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.waiters import Watcher
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.ownership import ended
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.applying import COLLECTIONS
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate, Options

from .canonical import Canonical, canonical
from .lab import ACCOUNT, REGION

#: The engines wait so many times shorter than on AWS; a call takes at most so many seconds longer, before and after it takes effect.
HASTE = 20.0
DELAY = 0.02


@dataclass(frozen=True)
class Raced:
    """``errors``: of engines that did not end well. ``doubles``: names that several things carry. ``rest``: what a third run would do."""

    errors: tuple[str, ...]
    doubles: tuple[str, ...]
    rest: tuple[str, ...]
    state: Canonical
    warnings: tuple[str, ...] = ()


@dataclass
class Track:
    """A topology in an account of a running lab, whose clients are made once. ``approve``: each engine acts under its own approved plan."""

    params: dict[str, Any]
    topology: Topology
    approve: bool = False
    _sessions: Any = field(default=None)

    def __post_init__(self) -> None:
        warm = Estate(self.topology, self.params, target="lab")
        for service in ("sts", "ec2", "service-quotas"):
            warm.sessions.named_client("", service, REGION)
        self._sessions = warm.sessions

    def estate(self) -> Estate:
        estate = Estate(self.topology, self.params, target="lab")
        estate.sessions = self._sessions
        estate.client = Client(self._sessions, Pacer(factor=HASTE**2), sleep=lambda seconds: time.sleep(seconds / HASTE))
        estate.watcher = Watcher(estate.client)
        estate.sleep = lambda seconds: time.sleep(seconds / HASTE)
        return estate

    def race(self, engines: int, seed: int, *, absent: bool = False) -> Raced:
        """Let them start together, and look at what they leave."""
        errors: list[str] = []
        start = threading.Barrier(engines)

        def run() -> None:
            estate = self.estate()
            try:
                plan = estate.converge(Options(absent=absent, check=True)).plan if self.approve else None
                start.wait()
                estate.converge(Options(absent=absent, approved=plan.public() if plan else None))
            except CloudnetError as error:
                errors.append(f"{type(error).__name__}: {error}")
            except Exception as error:
                errors.append(f"crash: {error!r}")
                raise

        threads = [threading.Thread(target=run, name=f"engine-{number}") for number in range(engines)]
        with delays(seed):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return self.look(errors, absent=absent)

    def look(self, errors: list[str], *, absent: bool = False) -> Raced:
        """What is there now."""
        estate = self.estate()
        network = build(observe_all(estate.client, [(ACCOUNT, REGION)]))
        items = [item for collection in COLLECTIONS.values() for item in getattr(network, collection).values()]
        names = Counter(item.name for item in items if item.name and not ended(item))
        plan = estate.plan(network, Options(absent=absent))
        return Raced(
            tuple(errors),
            tuple(sorted(name for name, count in names.items() if count > 1)),
            tuple(f"{action.op} {action.name}: {action.why}" for action in plan),
            canonical(network),
            plan.warnings,
        )


@contextmanager
def delays(seed: int) -> Iterator[None]:
    """Each call of this process waits a little before it is sent, and its answer waits a little before it is read."""
    import botocore.httpsession

    session: Any = botocore.httpsession.URLLib3Session
    send, chance, lock = session.send, random.Random(seed), threading.Lock()

    @functools.wraps(send)
    def delayed(self: Any, request: Any) -> Any:
        with lock:
            # Mostly short and now and then long, so that engines overtake one another.
            before, after = (DELAY * chance.random() ** 3 for _other in range(2))
        time.sleep(before)
        answer = send(self, request)
        time.sleep(after)
        return answer

    session.send = delayed
    try:
        yield
    finally:
        session.send = send
