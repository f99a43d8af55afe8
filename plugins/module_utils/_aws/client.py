# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's way to AWS: every call is paced, counted, repeated where that is safe, and fails in one line."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import AwsError, MaybeDone
from . import repeat
from .mapping import Call, from_answer, from_exception, resource_of
from .pacing import Pacer
from .sessions import Sessions
from .targets import is_loopback

#: Page sizes where the service model tells no limit. The others come from the model: as many items a call as AWS gives.
PAGE_SIZES: Mapping[str, int] = {
    "DescribeTags": 1000,
    "DescribeVpcEndpoints": 1000,
    "DescribeInstances": 1000,
    "DescribeFlowLogs": 1000,
    "DescribeSecurityGroupVpcAssociations": 1000,
}
#: IAM's prefix of an action is boto3's name of the service, but for these.
SERVICES: Mapping[str, str] = {"servicequotas": "service-quotas"}
#: Listing calls that cannot be narrowed by ids and paged at once: "you cannot specify this parameter and the IDs in the same request".
_IDS = ("Ids", "Names")

#: What botocore raises when nothing was sent, and when something was but no (whole) answer came.
_NOT_SENT = ("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError")
_BROKEN = (
    "ConnectionClosedError",
    "ReadTimeoutError",
    "ConnectionError",
    "HTTPClientError",
    "ResponseStreamingError",
    "IncompleteReadError",
)


class Client:
    """Implements ``Api`` for the accounts of ``sessions``. Thread-safe.

    ``calls``: how many requests went out, by action, repetitions included.
    """

    def __init__(
        self,
        sessions: Sessions,
        pacer: Pacer | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sessions = sessions
        self.pacer = pacer or Pacer()
        self.calls: Counter[str] = Counter()
        self.fresh = repeat.Fresh(clock=clock)
        self._sleep = sleep
        self._chance = chance
        self._lock = threading.Lock()
        self._methods: dict[str, dict[str, str]] = {}

    def call(self, account: str, region: str, action: str, **params: Any) -> dict[str, Any]:
        """One call (``ec2:CreateRoute``), in boto3's parameters and answer, without ``ResponseMetadata``.

        A repeated call that finds its own earlier effect (RouteAlreadyExists and the like) succeeds with an empty answer: read again what
        you need of it.
        Raises MaybeDone when the answer to a call that must not be repeated was lost, else AwsError or a class below it.
        """
        service = _service(action)
        name = self.sessions.name_of(account)
        return self._perform(
            self.sessions.client(account, service, region), Call(action, account, region, resource_of(params), name), params
        )

    def pages(self, account: str, region: str, action: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a listing call, from all pages, in AWS's order; a call that answers with one mapping has one item."""
        operation = action.partition(":")[2]
        model = self.sessions.client(account, _service(action), region).meta.service_model.operation_model(operation)
        outputs = model.output_shape.members
        key = next((name for kind in ("list", "structure") for name, shape in outputs.items() if shape.type_name == kind), "")
        members = model.input_shape.members
        limit = members.get("MaxResults")
        paged = limit is not None and "MaxResults" not in params and not any(name.endswith(_IDS) and params.get(name) for name in params)
        if paged and limit is not None:
            size = PAGE_SIZES.get(operation) or limit.metadata.get("max")
            if size:
                params = params | {"MaxResults": size}
        items: list[dict[str, Any]] = []
        seen: set[str] = set()
        while True:
            answer = self.call(account, region, action, **params)
            told = answer.get(key) or []
            items += [told] if isinstance(told, dict) else told
            token = answer.get("NextToken") or ""
            if not token:
                return items
            if token in seen:
                raise AwsError(
                    f"{action} in account {account}, Region {region}: the same page came twice",
                    action=action,
                    account=account,
                    region=region,
                )
            seen.add(token)
            params = params | {"NextToken": token}

    def identity(self, name: str, region: str) -> dict[str, Any]:
        """sts:GetCallerIdentity with the credentials that go by a name in the topology (the empty one is the ambient account's)."""
        client = self.sessions.named_client(name, "sts", region)
        return self._perform(client, Call("sts:GetCallerIdentity", region=region, name=name), {})

    def _perform(self, client: Any, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        operation = call.action.partition(":")[2]
        model = client.meta.service_model.operation_model(operation)
        members = model.input_shape.members if model.input_shape else {}
        given = dict(params)
        if "ClientToken" in members:  # ours, as boto3's own would be a new one on every repetition
            given.setdefault("ClientToken", str(uuid.uuid4()))
        method = getattr(client, self._method(client, operation))
        safe = repeat.repeatable(call.action, token="ClientToken" in given)
        bounded = bool(given.get("Filters") or given.get("MaxResults") or any(key.endswith("Ids") for key in given))
        # An emulator on this machine may limit nothing, or keep AWS's rates so that they can be tried: its first throttle tells.
        known = not is_loopback(str(client.meta.endpoint_url))
        attempts: Counter[str] = Counter()
        lost = False
        while True:
            bucket = self.pacer.acquire(call.account or call.name, call.region, call.action, bounded=bounded, known=known)
            with self._lock:
                self.calls[call.action] += 1
            try:
                answer = method(**given)
            except Exception as error:
                kind, mapped = self._judge(error, call, given, str(client.meta.endpoint_url))
                if kind == repeat.THROTTLED:
                    bucket.throttled()
                if lost and repeat.already_done(call.action, mapped.code):
                    return {}
                if kind == repeat.LOST:
                    if not safe:
                        raise MaybeDone(f"{mapped}; it may have taken effect all the same", **_fields(mapped)) from error
                    lost = True
                wait = repeat.delay(kind, attempts[kind], self._chance)
                if wait is None:
                    raise mapped from error
                attempts[kind] += 1
                self._sleep(wait)
            else:
                bucket.served()
                self.fresh.made(call.action, given, answer)
                refused = _refused(answer, call)
                if refused and not (lost and repeat.already_done(call.action, refused.code)):
                    raise refused
                return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    def _method(self, client: Any, operation: str) -> str:
        """The client's method for an operation: ``describe_vpcs`` for ``DescribeVpcs``."""
        service = client.meta.service_model.service_name
        if service not in self._methods:
            self._methods[service] = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        return self._methods[service][operation]

    def _judge(self, error: Exception, call: Call, params: Mapping[str, Any], url: str) -> tuple[str, AwsError]:
        """The kind of failure, and the error to raise when it is not to be repeated."""
        response = getattr(error, "response", None)
        if isinstance(response, Mapping) and "Error" in response:
            code, message = str(response["Error"].get("Code", "")), str(response["Error"].get("Message", ""))
            status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)
            if code.isdigit():  # no error of AWS's: a gateway's page of HTML, of which botocore makes what it can
                code = "UnreadableAnswer"
                return repeat.kind_of(code, status), from_answer(
                    code, f"the endpoint answered with HTTP status {status} and no AWS error", call
                )
            mapped = from_exception(error, call, url)
            if mapped.action != call.action:  # the credentials failed before the call itself was sent
                return (repeat.THROTTLED if code in repeat.THROTTLES else repeat.NOT_SENT if status >= 500 else repeat.FINAL), mapped
            if not repeat.removes(call.action) and self.fresh.explains(code, message, params):
                return repeat.NOT_YET, mapped
            return repeat.kind_of(code, status), mapped
        names = [kind.__name__ for kind in type(error).__mro__]
        if type(error).__name__ == "ResponseParserError":
            return repeat.LOST, from_answer("UnreadableAnswer", "the endpoint's answer is not one that AWS gives", call)
        if "SSLError" in names:  # a kind of broken connection to botocore, but no second try will mend it
            return repeat.FINAL, from_exception(error, call, url)
        if any(name in names for name in _NOT_SENT):
            return repeat.NOT_SENT, from_exception(error, call, url)
        return (repeat.LOST if any(name in names for name in _BROKEN) else repeat.FINAL), from_exception(error, call, url)


def _refused(answer: Mapping[str, Any], call: Call) -> AwsError | None:
    """Calls for several things at once (DeleteVpcEndpoints, CreateFlowLogs) succeed and list what they did not do: an error to us."""
    for item in answer.get("Unsuccessful") or ():
        told = item.get("Error") or {}
        where = replace(call, resource=str(item.get("ResourceId") or call.resource))
        return from_answer(str(told.get("Code", "Unsuccessful")), str(told.get("Message", "")), where)
    return None


def _service(action: str) -> str:
    prefix = action.partition(":")[0]
    return SERVICES.get(prefix, prefix)


def _fields(error: AwsError) -> dict[str, str]:
    return {"code": error.code, "action": error.action, "account": error.account, "region": error.region, "resource": error.resource}
