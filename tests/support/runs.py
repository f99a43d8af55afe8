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
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils import estate as estate_module
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws import client as client_module
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.client import Client
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.observe import observe_all
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.pacing import Pacer
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.waiters import Watcher
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.apply import apply
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
    """``calls``: actions in the order in which they were sent, by this run alone. ``rest``: what a plan made afterwards would still do.

    ``seconds``: of converging alone.
    """

    killed: bool
    error: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    state: Canonical = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Running:
    """A run that was started in a child; ``finish`` waits for its end."""

    child: int
    pipe: int
    kill: Kill | None
    account: str

    def finish(self) -> Run:
        """How it ended. The account's number is told as ACCOUNT, so that runs in several accounts can be compared."""
        with os.fdopen(self.pipe) as pipe:
            text = pipe.read().replace(self.account, ACCOUNT)
        _other, status = os.waitpid(self.child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL and self.kill is not None, f"the run died of signal {os.WTERMSIG(status)}"
            return Run(killed=True)
        told: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()}
        return Run(**told)


class Runner:
    """Converges one topology in one account of a lab, in a child of this process for each run. This process should have no threads.

    The clients are made once, here, and inherited: nothing is sent before a child sends it, so no connection is shared.
    """

    def __init__(self, lab: LabProcess, topology: Topology, account: str = ACCOUNT) -> None:
        remember_models()
        self._topology = topology
        self._account = account
        self._params = lab.params(account)
        warm = Estate(topology, self._params, target="lab")
        for service in SERVICES:
            warm.sessions.named_client("", service, REGION)
        self._sessions = warm.sessions

    def run(self, kill: Kill | None = None, *, workers: int | None = None, haste: float = 1.0, as_aws: bool = False) -> Run:
        """One run to its end; parameters as ``start``'s."""
        return self.start(kill, workers=workers, haste=haste, as_aws=as_aws).finish()

    def start(self, kill: Kill | None = None, *, workers: int | None = None, haste: float = 1.0, as_aws: bool = False) -> Running:
        """Begin a run.

        ``workers``: of apply (its own number when None). ``haste``: the client waits so many times shorter before it repeats a call, and
        its token buckets are larger by the square of that. ``as_aws``: the client paces its calls from the first on, as it does on AWS.
        """
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            try:
                told = self._child(kill, workers, haste, as_aws)
            except BaseException:
                told = {"killed": False, "error": traceback.format_exc()}
            with os.fdopen(writing, "w") as pipe:
                json.dump(told, pipe)
            sys.stdout.flush()
            os._exit(0)
        os.close(writing)
        return Running(child, reading, kill, self._account)

    def _child(self, kill: Kill | None, workers: int | None, haste: float, as_aws: bool) -> dict[str, Any]:
        sent = _watch(kill)
        if workers is not None:
            vars(estate_module)["apply"] = functools.partial(apply, workers=workers)
        if as_aws:
            vars(client_module)["is_loopback"] = lambda _url: False
        estate = Estate(self._topology, self._params, target="lab")
        estate.sessions = self._sessions
        estate.client = Client(self._sessions, Pacer(factor=haste**2), sleep=lambda seconds: time.sleep(seconds / haste))
        estate.watcher = Watcher(estate.client)
        start = time.monotonic()
        try:
            result = estate.converge(Options())
        except CloudnetError as error:
            return {"killed": False, "error": f"{type(error).__name__}: {error}", "calls": sent}
        seconds, calls = time.monotonic() - start, list(sent)
        network = build(observe_all(estate.client, [(self._account, REGION)]))
        rest = estate.plan(network, Options())
        return {
            "killed": False,
            "counts": result.plan.counts,
            "calls": calls,
            "seconds": seconds,
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
