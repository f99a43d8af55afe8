# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC flow logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import FlowLog
from ..actions import Action, Found, Wanted
from ..context import Context, tagged
from ..draft import Draft
from .base import Run, TaggedKind, tag_specifications


class FlowLogKind(TaggedKind):
    """The flow log of a whole VPC. AWS cannot change one in place."""

    name = "flow_log"
    fixed = frozenset({"vpc", "traffic", "to", "role"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, vpc in ctx.vpcs.items():
            if (spec := vpc.flow_logs) and not vpc.remote:
                full = f"vpcs.{name}.flow_logs"
                attrs: dict[str, Any] = {"vpc": ctx.vpc_ref(name), "traffic": spec.traffic, "to": _destination(spec.to)}
                if spec.role:
                    attrs["role"] = spec.role
                attrs["tags"] = ctx.tags(full, name, vpc)
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(
            ctx,
            ctx.network.flow_logs,
            lambda item: {
                "vpc": ctx.refer(item.resource),
                "traffic": item.traffic,
                "to": _destination(item.destination),
                "role": item.role,
            },
        )

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        request: dict[str, Any] = {
            "ResourceIds": [after["vpc"]],
            "ResourceType": "VPC",
            "TrafficType": after["traffic"],
            "TagSpecifications": tag_specifications("vpc-flow-log", after["tags"]),
        }
        to = str(after["to"])
        if to.startswith("arn:"):
            request |= {"LogDestination": to, "LogDestinationType": "s3" if ":s3:" in to else "kinesis-data-firehose"}
        else:
            request |= {"LogGroupName": to, "LogDestinationType": "cloud-watch-logs"}
        if after.get("role"):
            request["DeliverLogsPermissionArn"] = after["role"]
        made = run.call(action, "ec2:CreateFlowLogs", **request)
        if failed := made.get("Unsuccessful"):
            # The call as a whole succeeds even when it made nothing.
            raise run.refused(action, "ec2:CreateFlowLogs", failed[0]["Error"])
        return [str(made["FlowLogIds"][0])]

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteFlowLogs", FlowLogIds=[action.id])

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            draft.drop("flow_logs", draft.target(action))
        elif action.op == "update":
            draft.retag("flow_logs", draft.target(action), action)
        else:
            identifier = draft.new(action)
            draft.flow_logs[identifier] = FlowLog(
                id=identifier,
                account=action.account,
                region=action.region,
                tags=after["tags"],
                resource=draft.id(after["vpc"]),
                traffic=after["traffic"],
                destination=after["to"],
                role=after.get("role", ""),
            )


def _destination(to: str) -> str:
    """Where a flow log goes in one spelling: a log group by its name, anything else by its ARN."""
    return to.rsplit(":log-group:", 1)[-1].removesuffix(":*") if ":log-group:" in to else to
