# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on instances through Systems Manager: who is online, send, wait for the end, what came of it.

Sources: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html (50 instances a call; InvalidInstanceId for
what is no managed node), https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html (statuses),
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html (the first 24,000 characters of the output,
and 8,000 of the errors).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from .errors import AwsError

#: How many instances one SendCommand names at most, and one filter of DescribeInstanceInformation.
TARGETS, FILTER_VALUES = 50, 100
SHELL = "AWS-RunShellScript"
SUCCESS, UNDELIVERABLE, TIMED_OUT = "Success", "Undeliverable", "TimedOut"
#: The states of an invocation that last.
ENDED = frozenset({SUCCESS, "Cancelled", TIMED_OUT, "Failed"})
ONLINE = "Online"
#: What the instance is asked for again: at first, and at most, in seconds.
FIRST, CAP = 0.2, 3.0
#: Seconds that AWS waits at least for an agent to take a command, and that we wait for the news of its end.
DELIVERY, SLACK = 30, 30.0
_THREADS = 8
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?")


class Api(Protocol):
    """Paced calls, as _aws.client.Client makes them."""

    def call(self, account: str, region: str, action: str, **params: Any) -> dict[str, Any]: ...

    def pages(self, account: str, region: str, action: str, **params: Any) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Node:
    """What Systems Manager knows of an instance. ``status``: Online, ConnectionLost, Inactive; empty for what never registered."""

    id: str
    status: str = ""
    heard: str = ""

    @property
    def trouble(self) -> str:
        """Why no command would reach it, and what to do; empty when it is online."""
        if self.status == ONLINE:
            return ""
        if not self.status:
            return (
                "it is no managed node: its agent has never reached Systems Manager. It needs an instance profile with"
                " AmazonSSMManagedInstanceCore, and a way to ssm and ssmmessages on 443"
            )
        heard = f", last heard of {self.heard}" if self.heard else ""
        return (
            f"it is {self.status}{heard}: look whether it runs, and whether its group, the endpoints' group, the network ACLs and private"
            " DNS still let it out on 443"
        )


@dataclass(frozen=True)
class Document:
    """What to run. ``parameters``: of the document, each a list of texts. ``seconds``: how long it may take once it began."""

    name: str = SHELL
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seconds: int = 3600
    comment: str = ""


@dataclass(frozen=True)
class Invocation:
    """What came of a command on one instance.

    ``status``: Success, Failed, TimedOut, Cancelled, or Undeliverable when it was not even sent. ``why``: in words, where it is no success.
    ``exit_code`` is None when nothing ran. ``seconds``: from its begin to its end there.
    """

    instance: str
    status: str
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    seconds: float = 0.0
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As modules return it."""
        told = ("status", "exit_code", "stdout", "stderr", "seconds", "why")
        return {key: getattr(self, key) for key in told}


class Commands:
    """Systems Manager in one account and Region. Raises AwsError for what the API refuses; what one instance does is told, not raised."""

    def __init__(
        self,
        api: Api,
        account: str,
        region: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api, self._where = api, (account, region)
        self._clock, self._sleep = clock, sleep
        #: The ids of the commands that were sent.
        self.sent: list[str] = []

    def nodes(self, ids: Sequence[str]) -> dict[str, Node]:
        """What is known of each instance, asked for in as few calls as can be."""
        found = {id_: Node(id_) for id_ in ids}
        for some in _chunks(list(found), FILTER_VALUES):
            for item in self._listed(some):
                heard = item.get("LastPingDateTime")
                found[item["InstanceId"]] = Node(item["InstanceId"], str(item.get("PingStatus", "")), str(heard or ""))
        return found

    def _listed(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        try:
            return self._api.pages(*self._where, "ssm:DescribeInstanceInformation", Filters=[{"Key": "InstanceIds", "Values": list(ids)}])
        except AwsError as error:
            if error.code != "InvalidInstanceId":
                raise
            # One that is no node spoils the answer for the others.
            return [] if len(ids) == 1 else [item for id_ in ids for item in self._listed([id_])]

    def wait_online(self, ids: Sequence[str], seconds: float) -> dict[str, Node]:
        """The nodes once all are online, or when the time is over."""
        end, pauses = self._clock() + seconds, _Pauses()
        while True:
            found = self.nodes(ids)
            if all(not node.trouble for node in found.values()) or self._clock() >= end:
                return found
            self._sleep(min(pauses.next(), max(0.0, end - self._clock())))

    def run(self, ids: Sequence[str], document: Document, wait_online: float = 0.0) -> dict[str, Invocation]:
        """Run a document on instances and wait for its end; what came of it, by instance.

        ``wait_online``: seconds in which each may still come online. What is not online then is Undeliverable, and the others run.
        """
        wanted, end = list(dict.fromkeys(ids)), self._clock() + wait_online
        found: dict[str, Invocation] = {}
        nodes = self.wait_online(wanted, wait_online)
        ready = [id_ for id_ in wanted if not nodes[id_].trouble]
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            for done in pool.map(lambda some: self._batch(some, document, end), _chunks(ready, TARGETS)):
                found |= done
        for id_ in wanted:
            if nodes[id_].trouble:
                found[id_] = Invocation(id_, UNDELIVERABLE, why=nodes[id_].trouble)
        return {id_: found[id_] for id_ in wanted}

    def _batch(self, ids: Sequence[str], document: Document, end: float) -> dict[str, Invocation]:
        """One command, for up to TARGETS instances."""
        left, lost, pauses = list(ids), dict[str, Invocation](), _Pauses()
        while left:
            try:
                command = self._send(left, document)
                return lost | self._outcomes(command, left, document)
            except AwsError as error:
                if error.code != "InvalidInstanceId":
                    raise
                # A node that was listed a moment ago and is refused: it is on its way out, or not yet known everywhere.
                if self._clock() < end:
                    self._sleep(pauses.next())
                    continue
                nodes = self.nodes(left)
                gone = [id_ for id_ in left if nodes[id_].trouble] or left
                lost |= {id_: Invocation(id_, UNDELIVERABLE, why=nodes[id_].trouble or str(error)) for id_ in gone}
                left = [id_ for id_ in left if id_ not in lost]
        return lost

    def _send(self, ids: Sequence[str], document: Document) -> str:
        parameters = {key: list(value) for key, value in document.parameters.items()}
        if document.name == SHELL:
            parameters.setdefault("executionTimeout", [str(document.seconds)])
        given: dict[str, Any] = {"Comment": document.comment[:100]} if document.comment else {}
        answer = self._api.call(
            *self._where, "ssm:SendCommand", DocumentName=document.name, InstanceIds=list(ids), Parameters=parameters,
            TimeoutSeconds=DELIVERY, **given,
        )  # fmt: skip
        command = str(answer["Command"]["CommandId"])
        self.sent.append(command)
        return command

    def _outcomes(self, command: str, ids: Sequence[str], document: Document) -> dict[str, Invocation]:
        """Wait until the command has ended everywhere, and fetch what it said."""
        end, pauses = self._clock() + DELIVERY + document.seconds + SLACK, _Pauses()
        while True:
            listed = self._api.pages(*self._where, "ssm:ListCommandInvocations", CommandId=command)
            # What was sent a moment ago may not be listed yet.
            states = {item["InstanceId"]: item for item in listed}
            running = [id_ for id_ in ids if states.get(id_, {}).get("Status") not in ENDED]
            if not running or self._clock() >= end:
                break
            self._sleep(pauses.next())
        with ThreadPoolExecutor(max_workers=_THREADS) as pool:
            found = list(pool.map(lambda id_: self._outcome(command, id_), [id_ for id_ in ids if id_ not in running]))
        return {item.instance: item for item in found} | self._overdue(command, running, document)

    def _overdue(self, command: str, ids: Sequence[str], document: Document) -> dict[str, Invocation]:
        """Give up what has not ended: its node may have been lost while it ran."""
        if not ids:
            return {}
        self._api.call(*self._where, "ssm:CancelCommand", CommandId=command, InstanceIds=list(ids))
        nodes = self.nodes(ids)
        late = f"it had not ended after {document.seconds} s"
        return {id_: Invocation(id_, TIMED_OUT, why=nodes[id_].trouble or late) for id_ in ids}

    def _outcome(self, command: str, instance: str) -> Invocation:
        try:
            told = self._api.call(*self._where, "ssm:GetCommandInvocation", CommandId=command, InstanceId=instance)
        except AwsError as error:
            if error.code != "InvalidPluginName":
                raise
            return self._steps(command, instance)
        status, code = str(told.get("Status", "")), int(told.get("ResponseCode", -1))
        return Invocation(
            instance,
            status,
            None if code == -1 else code,
            str(told.get("StandardOutputContent") or ""),
            str(told.get("StandardErrorContent") or ""),
            duration(str(told.get("ExecutionElapsedTime") or "")),
            _why(status, str(told.get("StatusDetails") or ""), code, str(told.get("StandardErrorContent") or "")),
        )

    def _steps(self, command: str, instance: str) -> Invocation:
        """Of a document with several steps, which GetCommandInvocation tells one by one only: their outputs, as the list has them."""
        (told,) = self._api.pages(*self._where, "ssm:ListCommandInvocations", CommandId=command, InstanceId=instance, Details=True)
        steps = told.get("CommandPlugins") or []
        worst = max((int(step.get("ResponseCode") or 0) for step in steps), default=0)
        output = "".join(str(step.get("Output") or "") for step in steps)
        status = str(told.get("Status", ""))
        return Invocation(instance, status, worst, output, why=_why(status, str(told.get("StatusDetails") or ""), worst, ""))


class _Pauses:
    """Longer and longer, up to CAP."""

    def __init__(self) -> None:
        self._next = FIRST

    def next(self) -> float:
        """Seconds to wait now."""
        now, self._next = self._next, min(CAP, self._next * 1.5)
        return now


def _chunks(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _why(status: str, details: str, code: int, errors: str) -> str:
    """What failed, in a line; empty for a success."""
    if status == SUCCESS:
        return ""
    words = details if details and details != status else status
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "")
    ended = f"{words} with exit code {code}" if code > 0 else words
    return f"{ended}: {last}" if last else ended


def duration(text: str) -> float:
    """Seconds of an ISO 8601 duration such as ``PT1.234S`` (API_GetCommandInvocation); 0 where there is none."""
    match = _DURATION.fullmatch(text)
    if not match:
        return 0.0
    hours, minutes, seconds = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)


def failures(results: Iterable[Invocation]) -> str:
    """One line that names each instance that did not succeed, and what failed; empty when all did."""
    return "; ".join(f"{item.instance}: {item.why or item.status}" for item in results if item.status != SUCCESS)
