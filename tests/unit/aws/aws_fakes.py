# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins that need no endpoint: a clock that only moves when someone sleeps, and clients that answer by script."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError


class Clock:
    """Time that passes only by sleeping. Thread-safe."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)


@cache
def service_model(name: str) -> Any:
    """AWS's own model of a service, as botocore ships it."""
    import botocore.session

    return botocore.session.get_session().get_service_model(name)


def refusal(code: str, message: str = "No.", status: int = 400, operation: str = "Operation") -> ClientError:
    """What botocore raises when AWS answers with an error."""
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


class FakeBoto:
    """A boto3 client that answers each operation from a list: an exception is raised, a mapping returned. ``asked``: the parameters."""

    def __init__(self, service: str, script: dict[str, list[Any]]) -> None:
        model = service_model(service)
        methods = {xform_name(name): name for name in model.operation_names}
        self.meta = SimpleNamespace(service_model=model, method_to_api_mapping=methods, endpoint_url="https://ec2.us-east-1.amazonaws.com")
        self.asked: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._script = script

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = self.meta.method_to_api_mapping[name]

        def answer(**params: Any) -> Any:
            self.asked[operation].append(params)
            step = self._script[operation].pop(0)
            if isinstance(step, Exception):
                raise step
            return {"ResponseMetadata": {}, **step}

        return answer


class FakeSessions:
    """One account with one client for each service."""

    def __init__(self, script: dict[str, list[Any]]) -> None:
        self._script = script
        self._clients: dict[str, FakeBoto] = {}

    def name_of(self, account: str) -> str:
        return "ops" if account == "111111111111" else ""

    def client(self, account: str, service: str, region: str) -> Any:
        return self._clients.setdefault(service, FakeBoto(service, self._script))

    named_client = client


class FakeApi:
    """Pages by account, Region and action, from a table; counts what is asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, str, dict[str, Any]]] = []
        self._lock = threading.Lock()

    def pages(self, account: str, region: str, action: str, **params: Any) -> list[dict[str, Any]]:
        with self._lock:
            self.asked.append((account, region, action, params))
        found = self.answers.get(action, [])
        result = found(params) if callable(found) else found
        if isinstance(result, Exception):
            raise result
        return list(result)

    def call(self, account: str, region: str, action: str, **params: Any) -> dict[str, Any]:
        with self._lock:
            self.asked.append((account, region, action, params))
        found = self.answers.get(action, {})
        result = found(params) if callable(found) else found
        if isinstance(result, Exception):
            raise result
        return dict(result)

    def actions(self) -> list[str]:
        """The actions that were asked, sorted."""
        return sorted(action.partition(":")[2] for _mark, _mark, action, _mark in self.asked)
