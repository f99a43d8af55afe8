# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC endpoints: interface ones with their groups and private DNS, gateway ones with their tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import Endpoint
from ..actions import Action, Found, Ref, Wanted
from ..context import Context, referred, tagged
from ..draft import Draft
from .base import GONE, Run, TaggedKind, tag_specifications, update_tags


class EndpointKind(TaggedKind):
    """An endpoint. Its network interfaces are AWS's to make, so a simulated one has none."""

    name = "endpoint"
    fixed = frozenset({"vpc", "service", "type"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            base = f"vpcs.{vpc_name}"
            for name, spec in vpc.endpoints.items():
                full = f"{base}.endpoints.{name}"
                attrs: dict[str, Any] = {"vpc": ctx.vpc_ref(vpc_name), "service": spec.service, "type": spec.type}
                if spec.type == "Gateway":
                    attrs["tables"] = referred(ctx, (ctx.table_ref(vpc_name, table) for table in spec.tables))
                else:
                    attrs["subnets"] = referred(ctx, (Ref(f"{base}.subnets.{subnet}") for subnet in spec.subnets))
                    attrs["private_dns"] = spec.private_dns
                    if spec.groups:
                        attrs["groups"] = referred(ctx, (ctx.group_ref(vpc_name, group) for group in spec.groups))
                if spec.policy:
                    attrs["policy"] = _policy(spec.policy)
                attrs["tags"] = ctx.tags(full, f"{vpc_name}-{name}", vpc)
                needs = tuple(f"{base}.subnets.{subnet}.table" for subnet in spec.subnets)
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, needs=needs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        alive = {key: item for key, item in ctx.network.endpoints.items() if item.state.lower() not in ("deleting", "deleted", "failed")}
        yield from tagged(
            ctx,
            alive,
            lambda item: {
                "vpc": ctx.refer(item.vpc),
                "service": item.service,
                "type": item.type,
                "tables": referred(ctx, item.tables),
                "subnets": referred(ctx, item.subnets),
                "groups": referred(ctx, item.groups),
                "private_dns": item.private_dns,
                "policy": _policy(item.policy) if item.policy else "",
            },
        )

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        request: dict[str, Any] = {
            "VpcId": after["vpc"],
            "ServiceName": after["service"],
            "VpcEndpointType": after["type"],
            "TagSpecifications": tag_specifications("vpc-endpoint", after["tags"]),
        }
        for key, parameter in (("tables", "RouteTableIds"), ("subnets", "SubnetIds"), ("groups", "SecurityGroupIds")):
            if after.get(key):
                request[parameter] = after[key]
        if "private_dns" in after:
            request["PrivateDnsEnabled"] = after["private_dns"]
        if after.get("policy"):
            request["PolicyDocument"] = after["policy"]
        identifier = str(run.call(action, "ec2:CreateVpcEndpoint", **request)["VpcEndpoint"]["VpcEndpointId"])
        run.know(action.name, identifier)
        run.wait(action, "endpoint", identifier, ("available",), timeout=600)
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        before, after = action.before or {}, action.after or {}
        request: dict[str, Any] = {}
        for key, noun in (("tables", "RouteTableIds"), ("subnets", "SubnetIds"), ("groups", "SecurityGroupIds")):
            if key in after:
                old, new = {run.id(item) for item in before[key]}, {run.id(item) for item in after[key]}
                request |= {f"Add{noun}": sorted(new - old)} if new - old else {}
                request |= {f"Remove{noun}": sorted(old - new)} if old - new else {}
        if "private_dns" in after and after["private_dns"] != before["private_dns"]:
            request["PrivateDnsEnabled"] = after["private_dns"]
        if "policy" in after and after["policy"] != before["policy"]:
            request["PolicyDocument"] = after["policy"]
        if request:
            run.call(action, "ec2:ModifyVpcEndpoint", VpcEndpointId=action.id, **request)
            run.wait(action, "endpoint", action.id, ("available",), timeout=600)
        update_tags(run, action, action.id)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteVpcEndpoints", VpcEndpointIds=[action.id])
            # Its interfaces hold the subnet and the groups until it is gone.
            run.wait(action, "endpoint", action.id, ("deleted", GONE), timeout=600)

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            draft.drop("endpoints", draft.target(action))
            return
        values: dict[str, Any] = {key: tuple(draft.id(item) for item in after.get(key, ())) for key in ("tables", "subnets", "groups")}
        values = {key: value for key, value in values.items() if key in after}
        if action.op == "update":
            if "private_dns" in after:
                draft.change("endpoints", draft.target(action), private_dns=after["private_dns"])
            draft.change("endpoints", draft.target(action), **values)
            draft.retag("endpoints", draft.target(action), action)
            return
        identifier = draft.new(action)
        draft.endpoints[identifier] = Endpoint(
            id=identifier,
            account=action.account,
            region=action.region,
            tags=after["tags"],
            vpc=draft.id(after["vpc"]),
            service=after["service"],
            type=after["type"],
            private_dns=after.get("private_dns", False),
            **values,
        )


def _policy(text: str) -> str:
    """A policy document in one spelling."""
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except ValueError:
        return text
