# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the engine in a child process: to its end, or killed with SIGKILL at one of its API calls."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils import estate as estate_module
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.estate import Estate, Options

from .canonical import Canonical, canonical
from .lab import ACCOUNT, REGION, LabProcess, remember_models

SERVICES = ("sts", "ec2", "service-quotas")


@dataclass(frozen=True)
class Kill:
    """At the ``call``-th API call (from 1): before it is sent, or once its effect took place and before its answer is processed."""

    call: int
    after: bool


@dataclass(frozen=True)
class Run:
    """``calls``: actions in the order in which they were sent, by this run alone. ``rest``: what a plan made afterwards would still do."""

    killed: bool
    error: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    state: Canonical = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class Runner:
    """Converges one topology on a lab, in a child of this process for each run. This process must have no threads.

    The clients are made once, here, and inherited: nothing is sent before a child sends it, so no connection is shared.
    """

    def __init__(self, lab: LabProcess, topology: Topology) -> None:
        remember_models()
        self._lab = lab
        self._topology = topology
        warm = Estate(topology, lab.params(), target="lab")
        for service in SERVICES:
            warm.sessions.named_client("", service, REGION)
        self._sessions = warm.sessions

    def run(self, kill: Kill | None = None, *, workers: int | None = None, prepare: Callable[[Estate], None] = lambda _: None) -> Run:
        """One run. ``workers``: of apply (its own number when None). ``prepare``: changes the estate before it runs, in the child."""
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            try:
                told = self._child(kill, workers, prepare)
            except BaseException:
                told = {"killed": False, "error": traceback.format_exc()}
            with os.fdopen(writing, "w") as pipe:
                json.dump(told, pipe)
            sys.stdout.flush()
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL and kill is not None, f"the run died of signal {os.WTERMSIG(status)}"
            return Run(killed=True)
        told = json.loads(text)
        return Run(**{key: tuple(value) if isinstance(value, list) else value for key, value in told.items()})

    def _child(self, kill: Kill | None, workers: int | None, prepare: Callable[[Estate], None]) -> dict[str, Any]:
        sent = _watch(kill)
        if workers is not None:
            estate_module.apply = functools.partial(estate_module.apply, workers=workers)  # type: ignore[assignment]
        estate = Estate(self._topology, self._lab.params(), target="lab")
        estate.sessions = estate.client.sessions = self._sessions
        prepare(estate)
        try:
            result = estate.converge(Options())
        except CloudnetError as error:
            return {"killed": False, "error": f"{type(error).__name__}: {error}", "calls": sent}
        calls = list(sent)
        network = build(observe_all(estate.client, [(ACCOUNT, REGION)]))
        rest = estate.plan(network, Options())
        return {
            "killed": False,
            "counts": result.plan.counts,
            "calls": calls,
            "rest": [f"{action.op} {action.name}: {action.why}" for action in rest],
            "state": canonical(network),
            "warnings": list(result.warnings),
        }


def _watch(kill: Kill | None) -> list[str]:
    """Note every request of this process where botocore sends it, and die at the one that is asked for. The last seam before the socket."""
    import botocore.httpsession

    session: Any = botocore.httpsession.URLLib3Session
    send, sent, lock = session.send, list[str](), threading.Lock()

    def watched(self: Any, request: Any) -> Any:
        with lock:
            sent.append(_action(request))
            number = len(sent)
        if kill and number == kill.call and not kill.after:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = send(self, request)
        if kill and number == kill.call and kill.after:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    session.send = watched
    return sent


def _action(request: Any) -> str:
    target = request.headers.get("X-Amz-Target")
    if target:
        return str(target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
    return next((part.removeprefix("Action=") for part in body.split("&") if part.startswith("Action=")), "unknown")
