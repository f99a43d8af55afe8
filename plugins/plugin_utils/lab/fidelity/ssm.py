# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager: nodes that are online only through the data plane, and commands that go to exactly the instances asked for.

The data plane is a seam: ``lab.executor``, an Executor, or absent. Without one no node is online, and every command is refused as
AWS refuses one for an instance whose agent never called. The rest of Systems Manager (documents, parameters) is the emulator's.
Sources: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html,
https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html (statuses).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from ..calls import Call, Refusal, instead
from .instances import every
from .shapes import clean, page

_OUTPUT = 24000
_PARTS = {"AWS-RunShellScript": "aws:runShellScript"}


@dataclass(frozen=True)
class Outcome:
    """What a command did on one node. ``status``: Success, Failed or TimedOut."""

    status: str
    exit_code: int
    output: str = ""
    error: str = ""
    seconds: float = 0.0


class Executor(Protocol):
    """The data plane, as Systems Manager needs it."""

    def online(self, account: str, region: str) -> Mapping[str, Mapping[str, Any]]:
        """The nodes whose agent is connected: instance id -> what the agent tells (ComputerName, AgentVersion, PlatformName, …)."""

    def run(self, account: str, region: str, instance: str, commands: Sequence[str], folder: str, seconds: float) -> Outcome:
        """Run shell lines on a node and wait for their end."""


@dataclass
class Command:
    """One command and what came of it, by instance id."""

    id: str
    document: str
    parameters: Mapping[str, Any]
    instances: list[str]
    targets: list[dict[str, Any]]
    requested: datetime
    comment: str
    seconds: int
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def _executor(call: Call) -> Executor | None:
    return cast("Executor | None", call.lab.executor)


def _online(call: Call) -> dict[str, dict[str, Any]]:
    """The nodes online, of the instances that exist and run."""
    executor = _executor(call)
    if executor is None:
        return {}
    running = {item.id for item in every(call.backend()) if item.state == "running"}
    return {key: dict(value) for key, value in executor.online(call.account, call.region).items() if key in running}


def _commands(call: Call) -> dict[str, Command]:
    return call.lab.state("ssm_commands", call.account, call.region)


# -- nodes ---------------------------------------------------------------------------------------------------------------------


_KEYS = {
    "InstanceIds": "InstanceId",
    "PingStatus": "PingStatus",
    "PlatformTypes": "PlatformType",
    "AgentVersion": "AgentVersion",
    "ResourceType": "ResourceType",
    "AssociationStatus": "AssociationStatus",
    "ActivationIds": "ActivationId",
    "IamRole": "IamRole",
}


@instead("ssm", "DescribeInstanceInformation")
def describe_nodes(call: Call) -> dict[str, Any]:
    """The managed nodes: an instance whose agent never reached the service is not one."""
    addresses = {item.id: item.private_ip_address for item in every(call.backend()) if item.state == "running"}
    now, tags, nodes = call.lab.now(), call.backend().tags, []
    for key, agent in _online(call).items():
        told = {"PingStatus": "Online", "PlatformType": "Linux", "ResourceType": "EC2Instance", "AgentVersion": "3.3.0.0", **agent}
        nodes.append({"InstanceId": key, "LastPingDateTime": now, "IsLatestVersion": True, "IPAddress": addresses[key], **told})
    older = [(item.get("key"), item.get("valueSet") or []) for item in call.params.get("InstanceInformationFilterList") or []]
    newer = [(item.get("Key"), item.get("Values") or []) for item in call.params.get("Filters") or []]
    for key, values in older + newer:
        if str(key).startswith("tag:"):
            nodes = [item for item in nodes if tags.get(item["InstanceId"], {}).get(str(key)[4:]) in values]
        elif key in ("tag-key",):
            nodes = [item for item in nodes if set(tags.get(item["InstanceId"], {})) & set(values)]
        elif key in _KEYS:
            nodes = [item for item in nodes if item.get(_KEYS[key]) in values]
        else:
            raise Refusal("InvalidInstanceInformationFilterValue", f"The filter '{key}' is invalid")
    shown, following = page(call, nodes, 5, 50, 50)
    return clean({"InstanceInformationList": shown, "NextToken": following})


@instead("ssm", "GetConnectionStatus")
def connection_status(call: Call) -> dict[str, Any]:
    """Whether a session could be started."""
    target = str(call.params.get("Target") or "")
    return {"Target": target, "Status": "connected" if target in _online(call) else "notconnected"}


# -- commands ------------------------------------------------------------------------------------------------------------------


def _targets(call: Call, online: Mapping[str, Any]) -> list[str]:
    """Exactly the nodes that a command means; an instance named by id that is not online is refused."""
    ids = [str(item) for item in call.params.get("InstanceIds") or []]
    if ids:
        lacking = [item for item in ids if item not in online]
        if lacking:
            raise Refusal("InvalidInstanceId", f"Instances [[{', '.join(lacking)}]] not in a valid state for account {call.account}")
        return list(dict.fromkeys(ids))
    targets = call.params.get("Targets") or []
    if not targets:
        raise Refusal("InvalidParameters", "Specify the instances by InstanceIds or by Targets.")
    tags, found = call.backend().tags, list(online)
    for target in targets:
        key, values = str(target.get("Key") or ""), target.get("Values") or []
        if key in ("InstanceIds", "instanceids"):
            found = [item for item in found if item in values]
        elif key.startswith("tag:"):
            found = [item for item in found if tags.get(item, {}).get(key[4:]) in values]
        elif key == "tag-key":
            found = [item for item in found if set(tags.get(item, {})) & set(values)]
        else:
            raise Refusal("InvalidTarget", f"The target key '{key}' is not supported by the embedded lab: InstanceIds, tag:NAME, tag-key.")
    return found


@instead("ssm", "SendCommand")
def send(call: Call) -> dict[str, Any]:
    """Run a shell document on nodes that are online."""
    params = call.params
    document = str(params.get("DocumentName") or "").rsplit("/", 1)[-1]
    chosen = _targets(call, _online(call))
    executor = _executor(call)
    if document not in _PARTS:
        raise Refusal("InvalidDocument", f"The embedded lab runs {', '.join(_PARTS)}, not '{document}'.")
    parameters = {key: list(value) if not isinstance(value, str) else [value] for key, value in (params.get("Parameters") or {}).items()}
    if not parameters.get("commands"):
        raise Refusal("InvalidParameters", "The parameter commands is required by AWS-RunShellScript.")
    lasts = parameters.get("executionTimeout", ["3600"])[0]
    command = Command(
        str(uuid.uuid4()),
        document,
        parameters,
        chosen,
        [dict(item) for item in params.get("Targets") or []],
        call.lab.now(),
        str(params.get("Comment") or ""),
        int(params.get("TimeoutSeconds") or 3600),
    )
    for instance in chosen:
        if executor is None:
            raise ValueError("a node is online without an executor")  # only an executor makes a node online
        folder = str((parameters.get("workingDirectory") or [""])[0])
        command.outcomes[instance] = executor.run(call.account, call.region, instance, parameters["commands"], folder, float(lasts))
    _commands(call)[command.id] = command
    return {"Command": {**_show(command), "Status": "Pending", "StatusDetails": "Pending"}}


def _status(command: Command) -> str:
    worst = [outcome.status for outcome in command.outcomes.values() if outcome.status != "Success"]
    return worst[0] if worst else "Success"


def _show(command: Command) -> dict[str, Any]:
    status = _status(command)
    return {
        "CommandId": command.id,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "ExpiresAfter": command.requested + timedelta(seconds=command.seconds),
        "Parameters": dict(command.parameters),
        "InstanceIds": [] if command.targets else list(command.instances),
        "Targets": command.targets,
        "RequestedDateTime": command.requested,
        "Status": status,
        "StatusDetails": status,
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        "TargetCount": len(command.instances),
        "CompletedCount": len(command.outcomes),
        "ErrorCount": sum(outcome.status == "Failed" for outcome in command.outcomes.values()),
        "DeliveryTimedOutCount": 0,
        "TimeoutSeconds": command.seconds,
    }


def _find(call: Call) -> Command:
    found = _commands(call).get(str(call.params.get("CommandId") or ""))
    if found is None:
        raise Refusal("InvalidCommandId", f"The command ID '{call.params.get('CommandId')}' does not exist")
    return found


def _chosen(call: Call) -> list[Command]:
    """The commands that a listing call means, the latest first."""
    items = [_find(call)] if call.params.get("CommandId") else list(reversed(_commands(call).values()))
    instance = call.params.get("InstanceId")
    if instance:
        items = [item for item in items if instance in item.instances]
    for entry in call.params.get("Filters") or []:
        key, value = entry.get("key"), str(entry.get("value"))
        if key == "Status":
            items = [item for item in items if _status(item) == value]
        elif key == "DocumentName":
            items = [item for item in items if item.document == value]
        elif key in ("InvokedAfter", "InvokedBefore"):
            when = datetime.fromisoformat(value.replace("Z", "+00:00"))
            items = [item for item in items if (item.requested >= when) == (key == "InvokedAfter")]
        else:
            raise Refusal("InvalidFilterKey", f"The filter key '{key}' is invalid")
    return items


@instead("ssm", "ListCommands")
def list_commands(call: Call) -> dict[str, Any]:
    """Commands, the latest first."""
    shown, following = page(call, _chosen(call), 1, 50, 50)
    return clean({"Commands": [_show(item) for item in shown], "NextToken": following})


@instead("ssm", "ListCommandInvocations")
def list_invocations(call: Call) -> dict[str, Any]:
    """What commands did, node by node."""
    instance, details = call.params.get("InstanceId"), bool(call.params.get("Details"))
    items = [(command, key) for command in _chosen(call) for key in command.instances if instance in (None, "", key)]
    shown, following = page(call, items, 1, 50, 50)

    def render(command: Command, key: str) -> dict[str, Any]:
        outcome = command.outcomes[key]
        plugin = {
            "Name": _PARTS[command.document],
            "Status": outcome.status,
            "StatusDetails": outcome.status,
            "ResponseCode": outcome.exit_code,
            "ResponseStartDateTime": command.requested,
            "ResponseFinishDateTime": command.requested + timedelta(seconds=outcome.seconds),
            "Output": (outcome.output + (f"\n----------ERROR-------\n{outcome.error}" if outcome.error else ""))[:2500],
        }
        return {
            "CommandId": command.id,
            "InstanceId": key,
            "Comment": command.comment,
            "DocumentName": command.document,
            "RequestedDateTime": command.requested,
            "Status": outcome.status,
            "StatusDetails": outcome.status,
            "CommandPlugins": [plugin] if details else [],
        }

    return clean({"CommandInvocations": [render(command, key) for command, key in shown], "NextToken": following})


@instead("ssm", "GetCommandInvocation")
def get_invocation(call: Call) -> dict[str, Any]:
    """What a command did on one node."""
    command, instance = _find(call), str(call.params.get("InstanceId") or "")
    outcome = command.outcomes.get(instance)
    if outcome is None:
        raise Refusal("InvocationDoesNotExist", f"The command {command.id} has no invocation on {instance}")
    plugin = call.params.get("PluginName")
    if plugin and plugin != _PARTS[command.document]:
        raise Refusal("InvalidPluginName", f"The plugin name '{plugin}' is not valid; it is {_PARTS[command.document]}")
    start, end = command.requested, command.requested + timedelta(seconds=outcome.seconds)
    return {
        "CommandId": command.id,
        "InstanceId": instance,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "PluginName": _PARTS[command.document],
        "ResponseCode": outcome.exit_code,
        "ExecutionStartDateTime": start.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "ExecutionElapsedTime": f"PT{outcome.seconds:.3f}S",
        "ExecutionEndDateTime": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "Status": outcome.status,
        "StatusDetails": outcome.status,
        "StandardOutputContent": outcome.output[:_OUTPUT],
        "StandardOutputUrl": "",
        "StandardErrorContent": outcome.error[:_OUTPUT],
        "StandardErrorUrl": "",
    }


@instead("ssm", "CancelCommand")
def cancel(call: Call) -> dict[str, Any]:
    """A command of the lab has ended when SendCommand answers, so that there is nothing left to cancel."""
    _find(call)
    return {}


@instead("ssm", "StartSession")
def start_session(call: Call) -> dict[str, Any]:
    """Sessions stream over a WebSocket of AWS's own protocol, which the lab does not speak."""
    target = str(call.params.get("Target") or "")
    if target not in _online(call):
        raise Refusal("TargetNotConnected", f"{target} is not connected.")
    raise Refusal("UnsupportedOperation", "StartSession: the embedded lab streams no sessions; use SendCommand, or ssh.")


@instead("ssm", "ResumeSession", "TerminateSession")
def no_session(call: Call) -> dict[str, Any]:
    """There are no sessions."""
    raise Refusal("DoesNotExistException", f"The session {call.params.get('SessionId')} does not exist")


@instead("ssm", "DescribeSessions")
def no_sessions(call: Call) -> dict[str, Any]:
    """There are no sessions."""
    return {"Sessions": []}
