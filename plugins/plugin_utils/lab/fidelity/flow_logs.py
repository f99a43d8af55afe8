# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flow logs: one per resource asked for, refused when the resource has one to the same destination.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html; the states of delivery:
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-troubleshooting.html (no log group: delivery fails with "Access error").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ..calls import Call, Refusal, instead
from ..permissions import Request, decide, policies_of_role
from .interfaces import find as find_interface
from .shapes import clean, find_subnet, find_vpc, invalid, keep, missing, new_id, paged, put_tags, tags_asked, tags_of

if TYPE_CHECKING:
    from ..core import Lab

_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} "
    "${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
)
_ACCESS = "Access error"
_DESTINATIONS = ("cloud-watch-logs", "s3", "kinesis-data-firehose")


@dataclass
class FlowLog:
    """One flow log, kept in the emulator's table of them."""

    id: str
    resource_id: str
    traffic: str
    kind: str
    group: str | None
    destination: str | None
    role: str | None
    interval: int
    format: str
    created: datetime
    options: dict[str, Any] | None = None


def _exists(call: Call, kind: str, resource: str) -> None:
    backend = call.backend()
    if kind == "VPC":
        find_vpc(backend, resource)
    elif kind == "Subnet":
        find_subnet(backend, resource)
    elif kind == "NetworkInterface":
        find_interface(backend, resource)
    elif kind == "TransitGateway":
        if resource not in backend.transit_gateways:
            raise Refusal("InvalidTransitGatewayID.NotFound", f"Transit Gateway {resource} was deleted or does not exist.")
    elif kind == "TransitGatewayAttachment":
        if resource not in backend.transit_gateway_attachments:
            raise Refusal(
                "InvalidTransitGatewayAttachmentID.NotFound", f"Transit Gateway Attachment {resource} was deleted or does not exist."
            )
    else:
        raise invalid(f"Value ({kind}) for parameter resourceType is invalid.")


def _group_of(params: dict[str, Any]) -> str | None:
    if params.get("LogGroupName"):
        return str(params["LogGroupName"])
    parts = str(params.get("LogDestination") or "").split(":")
    return parts[6] if len(parts) > 6 and parts[2] == "logs" else None


@instead("ec2", "CreateFlowLogs")
def create(call: Call) -> dict[str, Any]:
    """Make a flow log for each resource."""
    backend, params = call.backend(), call.params
    kind, resources = str(params.get("ResourceType") or ""), [str(item) for item in params.get("ResourceIds") or []]
    if not resources:
        raise missing("ResourceId")
    traffic = str(params.get("TrafficType") or "")
    if not traffic and not kind.startswith("TransitGateway"):
        raise missing("TrafficType")
    if traffic and traffic not in ("ACCEPT", "REJECT", "ALL"):
        raise invalid(f"Value ({traffic}) for parameter trafficType is invalid: ACCEPT, REJECT or ALL.")
    to = str(params.get("LogDestinationType") or "cloud-watch-logs")
    if to not in _DESTINATIONS:
        raise invalid(f"Value ({to}) for parameter logDestinationType is invalid: {', '.join(_DESTINATIONS)}.")
    group, destination, role = _group_of(params), params.get("LogDestination"), params.get("DeliverLogsPermissionArn")
    if not group and not destination:
        raise invalid("LogDestination can't be empty if LogGroupName is not provided.")
    if to != "cloud-watch-logs" and params.get("LogGroupName"):
        raise invalid("LogGroupName can only be given for the log destination type cloud-watch-logs.")
    if to == "cloud-watch-logs" and not role:
        raise invalid("DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.")
    interval = int(params.get("MaxAggregationInterval") or 600)
    if interval not in (60, 600):
        raise invalid("Invalid Flow Log Max Aggregation Interval: 60 or 600 seconds")
    for resource in resources:
        _exists(call, kind, resource)
        same = [item for item in backend.flow_logs.values() if item.resource_id == resource]
        if any((item.kind, item.group, item.destination) == (to, group, destination) for item in same):
            raise Refusal(
                "FlowLogAlreadyExists",
                "Error. There is an existing Flow Log with the same configuration and log destination.",
            )
        if len(same) >= call.lab.quotas["flow_logs_per_resource"]:
            raise Refusal("FlowLogsLimitExceeded", f"The maximum number of flow logs has been reached for {resource}.")
    tags = tags_asked(call, "vpc-flow-log")
    made: list[str] = []
    failed: list[dict[str, Any]] = []
    for resource in resources:
        if to == "s3" and (bucket := _lacking_bucket(call, str(destination))):
            failed.append({"ResourceId": resource, "Error": {"Code": "400", "Message": f"LogDestination: {bucket} does not exist."}})
            continue
        log = FlowLog(
            new_id("fl"),
            resource,
            traffic,
            to,
            group,
            str(destination) if destination else None,
            str(role) if role else None,
            interval,
            str(params.get("LogFormat") or _FORMAT),
            call.lab.now(),
            params.get("DestinationOptions"),
        )
        backend.flow_logs[log.id] = log
        put_tags(backend, log.id, tags)
        made.append(log.id)
    return clean({"FlowLogIds": made, "Unsuccessful": failed, "ClientToken": params.get("ClientToken")})


def _lacking_bucket(call: Call, destination: str) -> str:
    bucket = destination.split(":", 5)[-1].split("/", 1)[0]
    return "" if bucket in call.backend("s3").buckets else bucket


def access_error(lab: Lab, account: str, region: str, group: str | None, role: str | None) -> str | None:
    """Why records cannot be put into a log group, in AWS's words; None when they can.

    The group must be there, and the role too, trust the service of flow logs, and allow it to write
    (https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html).
    """
    if group not in lab.backend("logs", account, region).groups:
        return _ACCESS
    iam = lab.backend("iam", account, region)
    found = next((item for item in iam.get_roles() if item.arn == role), None)
    if found is None or not _trusts(found.assume_role_policy_document):
        return _ACCESS
    documents = list(policies_of_role(iam, found.name))
    resource = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:flow"
    asked = (Request(action, account, region, found.arn, resource) for action in ("logs:CreateLogStream", "logs:PutLogEvents"))
    return None if all(decide(documents, request) == "Allow" for request in asked) else _ACCESS


def _trusts(document: Any) -> bool:
    """Whether a trust policy lets the service of flow logs in."""
    policy = json.loads(unquote(document)) if isinstance(document, str) else document
    statements = policy.get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal") or {}
        named = [principal] if isinstance(principal, str) else [principal.get("Service"), principal.get("AWS")]
        flat = [name for item in named for name in (item if isinstance(item, list) else [item])]
        if statement.get("Effect") == "Allow" and {"*", "vpc-flow-logs.amazonaws.com"} & set(flat):
            return True
    return False


def _delivery(call: Call, log: FlowLog) -> tuple[str, str | None]:
    if log.kind != "cloud-watch-logs":
        return "SUCCESS", None
    why = access_error(call.lab, call.account, call.region, log.group, log.role)
    return ("FAILED", why) if why else ("SUCCESS", None)


@instead("ec2", "DescribeFlowLogs")
def describe(call: Call) -> dict[str, Any]:
    """Flow logs, with filters and paging."""
    backend = call.backend()
    items = list(backend.flow_logs.values())
    if ids := call.params.get("FlowLogIds"):
        absent = next((key for key in ids if key not in backend.flow_logs), None)
        if absent is not None:
            raise Refusal("InvalidFlowLogId.NotFound", f"The flow log ID '{absent}' does not exist")
        items = [item for item in items if item.id in ids]
    fields: dict[str, Any] = {
        "deliver-log-status": lambda item: _delivery(call, item)[0],
        "log-destination-type": lambda item: item.kind,
        "flow-log-id": lambda item: item.id,
        "log-group-name": lambda item: item.group,
        "resource-id": lambda item: item.resource_id,
        "traffic-type": lambda item: item.traffic,
    }
    member = "Filter" if call.params.get("Filter") else "Filters"
    items = keep(call, items, fields, lambda item: backend.tags.get(item.id, {}), member)

    def render(log: FlowLog) -> dict[str, Any]:
        status, message = _delivery(call, log)
        return clean(
            {
                "FlowLogId": log.id,
                "FlowLogStatus": "ACTIVE",
                "ResourceId": log.resource_id,
                "TrafficType": log.traffic or None,
                "LogDestinationType": log.kind,
                "LogDestination": log.destination,
                "LogGroupName": log.group,
                "LogFormat": log.format,
                "DeliverLogsPermissionArn": log.role,
                "DeliverLogsStatus": status,
                "DeliverLogsErrorMessage": message,
                "MaxAggregationInterval": log.interval,
                "DestinationOptions": log.options,
                "CreationTime": log.created,
                "Tags": tags_of(backend, log.id),
            }
        )

    return paged(call, "FlowLogs", items, render, 1)


@instead("ec2", "DeleteFlowLogs")
def delete(call: Call) -> dict[str, Any]:
    """Remove flow logs."""
    backend, ids = call.backend(), [str(item) for item in call.params.get("FlowLogIds") or []]
    lacking = [item for item in ids if item not in backend.flow_logs]
    if lacking:
        raise Refusal(
            "InvalidFlowLogId.NotFound",
            f"These flow log ids in the input list are not found: [TotalCount: {len(lacking)}] {' '.join(lacking)}",
        )
    for item in ids:
        backend.flow_logs.pop(item, None)
        backend.tags.pop(item, None)
    return {"Unsuccessful": []}
