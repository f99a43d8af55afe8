# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager: nodes that are online only through the data plane, and commands that go to exactly the instances asked for.

The data plane is a seam: ``lab.executor``, an Executor, or absent. Without one no node is online, and every command is refused as
AWS refuses one for an instance whose agent never called. Commands run in ssm_commands.py; the rest of Systems Manager (documents,
parameters) is the emulator's.
Sources: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html,
https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html (statuses).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from ..calls import Call, Refusal, instead
from .instances import every
from .shapes import clean, page
from .ssm_commands import ENDED, Command, Executor, Invocation, Outcome, begin, cancel_command, status_of
from .ssm_outputs import asked_outputs, keep

__all__ = ["Executor", "Outcome"]

_OUTPUT, _ERRORS = 24000, 8000
_PARTS = {"AWS-RunShellScript": "aws:runShellScript"}
_MANY = re.compile(r"(?:[1-9]\d{0,6})|(?:[1-9]\d?%)|(?:100%)")
_SOME = re.compile(r"(?:\d{1,7})|(?:\d{1,2}%)|(?:100%)")
_DELIVERY = (30, 2592000)


def _executor(call: Call) -> Executor | None:
    return cast("Executor | None", call.lab.executor)


def _nodes(call: Call) -> dict[str, dict[str, Any]]:
    """The managed nodes, of the instances that exist: Online, or ConnectionLost while the agent is not heard or the instance stopped."""
    executor = _executor(call)
    if executor is None:
        return {}
    states = {item.id: item.state for item in every(call.backend())}
    nodes: dict[str, dict[str, Any]] = {}
    for key, value in executor.online(call.account, call.region).items():
        if states.get(key, "terminated") not in ("terminated", "shutting-down"):
            nodes[key] = {"PingStatus": "Online", **value, **({} if states[key] == "running" else {"PingStatus": "ConnectionLost"})}
    return nodes


def _online(call: Call) -> dict[str, dict[str, Any]]:
    """The nodes whose agent is connected."""
    return {key: node for key, node in _nodes(call).items() if node["PingStatus"] == "Online"}


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
    # An instance that has lost its interfaces (a terminated one) has no address, and is no node.
    addresses = {item.id: item.private_ip_address for item in every(call.backend()) if item.nics}
    now, tags, nodes = call.lab.now(), call.backend().tags, []
    for key, agent in _nodes(call).items():
        told = {"PlatformType": "Linux", "ResourceType": "EC2Instance", "AgentVersion": "3.3.0.0", "LastPingDateTime": now, **agent}
        nodes.append({"InstanceId": key, "IsLatestVersion": True, "IPAddress": addresses.get(key), **told})
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


def _targets(call: Call, nodes: Mapping[str, Any]) -> list[str]:
    """Exactly the nodes that a command means; an instance named by id that is no managed node, or does not run, is refused.

    One whose connection is lost is none of these: the command waits for it, until TimeoutSeconds.
    """
    ids = [str(item) for item in call.params.get("InstanceIds") or []]
    if ids:
        running = {item.id for item in every(call.backend()) if item.state == "running"}
        lacking = [item for item in ids if item not in nodes or item not in running]
        if lacking:
            raise Refusal("InvalidInstanceId", f"Instances [[{', '.join(lacking)}]] not in a valid state for account {call.account}")
        return list(dict.fromkeys(ids))
    targets = call.params.get("Targets") or []
    if not targets:
        raise Refusal("InvalidParameters", "Specify the instances by InstanceIds or by Targets.")
    tags, found = call.backend().tags, list(nodes)
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
    """Have nodes run a shell document: the answer does not wait for them."""
    params, executor = call.params, _executor(call)
    document = str(params.get("DocumentName") or "").rsplit("/", 1)[-1]
    chosen = _targets(call, _nodes(call))
    if document not in _PARTS:
        raise Refusal("InvalidDocument", f"The embedded lab runs {', '.join(_PARTS)}, not '{document}'.")
    parameters = {key: list(value) if not isinstance(value, str) else [value] for key, value in (params.get("Parameters") or {}).items()}
    if not parameters.get("commands"):
        raise Refusal("InvalidParameters", "The parameter commands is required by AWS-RunShellScript.")
    lasts = str(parameters.get("executionTimeout", ["3600"])[0])
    if not lasts.isdigit() or not 1 <= int(lasts) <= 172800:
        raise Refusal("InvalidParameters", f"executionTimeout: '{lasts}' is not a number of seconds from 1 to 172800.")
    waits = int(params.get("TimeoutSeconds") or 3600)
    if not _DELIVERY[0] <= waits <= _DELIVERY[1]:
        raise _constraint("timeoutSeconds", waits, f"have value between {_DELIVERY[0]} and {_DELIVERY[1]}")
    concurrency, errors = str(params.get("MaxConcurrency") or "50"), str(params.get("MaxErrors") or "0")
    for name, value, pattern in (("maxConcurrency", concurrency, _MANY), ("maxErrors", errors, _SOME)):
        if not pattern.fullmatch(value):
            raise _constraint(name, value, "be a number, or a percentage")
    outputs = asked_outputs(call, document)
    command = Command(
        document=document,
        parameters=parameters,
        invocations={instance: Invocation() for instance in chosen},
        targets=[dict(item) for item in params.get("Targets") or []],
        now=call.lab.now,
        requested=call.lab.now(),
        comment=str(params.get("Comment") or ""),
        waits=waits,
        lasts=int(lasts),
        concurrency=concurrency,
        errors=errors,
        outputs=outputs,
    )

    def kept(instance: str, outcome: Outcome) -> None:
        said = {"stdout": outcome.output, "stderr": outcome.error}
        keep(call.lab, outputs, call.account, call.region, command.id, instance, said)

    command.keep = kept
    _commands(call)[command.id] = command
    shown = {**_show(command), "Status": "Pending", "StatusDetails": "Pending"}
    if executor is not None and chosen:
        begin(command, executor, call.account, call.region)
    return {"Command": shown}


def _constraint(name: str, value: object, rule: str) -> Refusal:
    return Refusal("ValidationException", f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}")


def _show(command: Command) -> dict[str, Any]:
    status, details = status_of(command)
    invocations = list(command.invocations.values())
    return {
        "CommandId": command.id,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "ExpiresAfter": command.requested + timedelta(seconds=command.waits),
        "Parameters": dict(command.parameters),
        "InstanceIds": [] if command.targets else list(command.invocations),
        "Targets": command.targets,
        "RequestedDateTime": command.requested,
        "Status": status,
        "StatusDetails": details,
        "MaxConcurrency": command.concurrency,
        "MaxErrors": command.errors,
        "TargetCount": len(invocations),
        "CompletedCount": sum(item.status in ENDED for item in invocations),
        "ErrorCount": sum(item.status in ("Failed", "TimedOut") for item in invocations),
        "DeliveryTimedOutCount": sum(item.details == "DeliveryTimedOut" for item in invocations),
        "TimeoutSeconds": command.waits,
        **command.outputs.shown(),
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
        items = [item for item in items if instance in item.invocations]
    for entry in call.params.get("Filters") or []:
        key, value = entry.get("key"), str(entry.get("value"))
        if key == "Status":
            items = [item for item in items if status_of(item)[0] == value]
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
    items = [(command, key) for command in _chosen(call) for key in command.invocations if instance in (None, "", key)]
    shown, following = page(call, items, 1, 50, 50)

    def render(command: Command, key: str) -> dict[str, Any]:
        found = command.invocations[key]
        plugin = clean(
            {
                "Name": _PARTS[command.document],
                "Status": found.status,
                "StatusDetails": found.details,
                "ResponseCode": found.exit_code,
                "ResponseStartDateTime": found.started,
                "ResponseFinishDateTime": found.ended,
                "OutputS3BucketName": command.outputs.bucket,
                "OutputS3KeyPrefix": command.outputs.prefix,
                "StandardOutputUrl": command.outputs.url(command.id, key, "stdout"),
                "StandardErrorUrl": command.outputs.url(command.id, key, "stderr"),
                "Output": (found.output + (f"\n----------ERROR-------\n{found.error}" if found.error else ""))[:2500],
            }
        )
        return {
            "CommandId": command.id,
            "InstanceId": key,
            "Comment": command.comment,
            "DocumentName": command.document,
            "RequestedDateTime": command.requested,
            "Status": found.status,
            "StatusDetails": found.details,
            "StandardOutputUrl": command.outputs.url(command.id, key, "stdout"),
            "StandardErrorUrl": command.outputs.url(command.id, key, "stderr"),
            "CloudWatchOutputConfig": command.outputs.logs(),
            "CommandPlugins": [plugin] if details else [],
        }

    return clean({"CommandInvocations": [render(command, key) for command, key in shown], "NextToken": following})


@instead("ssm", "GetCommandInvocation")
def get_invocation(call: Call) -> dict[str, Any]:
    """What a command did on one node, or that it has not ended: then the response code is -1."""
    command, instance = _find(call), str(call.params.get("InstanceId") or "")
    found = command.invocations.get(instance)
    if found is None:
        raise Refusal("InvocationDoesNotExist", f"The command {command.id} has no invocation on {instance}")
    plugin = call.params.get("PluginName")
    if plugin and plugin != _PARTS[command.document]:
        raise Refusal("InvalidPluginName", f"The plugin name '{plugin}' is not valid; it is {_PARTS[command.document]}")
    return {
        "CommandId": command.id,
        "InstanceId": instance,
        "Comment": command.comment,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "PluginName": _PARTS[command.document],
        "ResponseCode": found.exit_code,
        "ExecutionStartDateTime": _stamp(found.started),
        "ExecutionElapsedTime": f"PT{found.seconds:.3f}S" if found.ended and found.started else "",
        "ExecutionEndDateTime": _stamp(found.ended) if found.started else "",
        "Status": found.status,
        "StatusDetails": found.details,
        "StandardOutputContent": found.output[:_OUTPUT],
        "StandardOutputUrl": command.outputs.url(command.id, instance, "stdout"),
        "StandardErrorContent": found.error[:_ERRORS],
        "StandardErrorUrl": command.outputs.url(command.id, instance, "stderr"),
        "CloudWatchOutputConfig": command.outputs.logs(),
    }


def _stamp(when: datetime | None) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if when else ""


@instead("ssm", "CancelCommand")
def cancel(call: Call) -> dict[str, Any]:
    """Cancel what has not ended: "there is no guarantee that the command will be terminated and the underlying process stopped"."""
    command = _find(call)
    wanted = [str(item) for item in call.params.get("InstanceIds") or []]
    lacking = [item for item in wanted if item not in command.invocations]
    if lacking:
        raise Refusal("InvalidInstanceId", f"Instances [[{', '.join(lacking)}]] not in a valid state for account {call.account}")
    cancel_command(command, wanted)
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
