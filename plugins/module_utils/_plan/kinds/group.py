# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups; their rules are a kind of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import Rule, SecurityGroup
from ..actions import Action, Found, Wanted
from ..context import Context, tagged
from ..draft import Draft
from .base import Run, TaggedKind, locate_by_tags, tag_specifications, update_tags

#: AWS puts this into every new group. https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
ALL_OUT = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


class GroupKind(TaggedKind):
    """A security group. ``default_egress`` is AWS's own all-out rule: it goes once a topology declares ``egress``."""

    name = "security_group"
    fixed = frozenset({"vpc", "group_name"})

    def register(self, ctx: Context) -> None:
        super().register(ctx)
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.security_groups.items():
                if spec.ref and (group := ctx.group(vpc_name, spec.ref)):
                    ctx.register(f"vpcs.{vpc_name}.security_groups.{name}", group.id)

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.security_groups.items():
                if spec.ref or vpc.remote:
                    continue
                full = f"vpcs.{vpc_name}.security_groups.{name}"
                attrs = {
                    "vpc": ctx.vpc_ref(vpc_name),
                    "group_name": f"{ctx.topology.name}-{name}",
                    "description": spec.description or f"{name} of {ctx.topology.name}",
                    "default_egress": spec.egress is None,
                    "tags": ctx.tags(full, f"{vpc_name}-{name}", vpc),
                }
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(
            ctx,
            ctx.network.security_groups,
            lambda group: {
                "vpc": ctx.refer(group.vpc),
                "group_name": group.group_name,
                "description": group.description,
                "default_egress": default_egress(ctx.network.rules_of.get(group.id, ())) is not None,
            },
            lambda group: len(ctx.network.rules_of.get(group.id, ())),
        )

    def changed(self, wanted: Wanted, found: Found) -> dict[str, Any]:
        # A group's description cannot be changed; it is words for people, and no reason to refuse a run.
        return {key: value for key, value in super().changed(wanted, found).items() if key != "description"}

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(
            action,
            "ec2:CreateSecurityGroup",
            VpcId=after["vpc"],
            GroupName=after["group_name"],
            Description=after["description"],
            TagSpecifications=tag_specifications("security-group", after["tags"]),
        )
        identifier = str(made["GroupId"])
        run.know(action.name, identifier)
        if not after["default_egress"]:
            run.call(action, "ec2:RevokeSecurityGroupEgress", GroupId=identifier, IpPermissions=ALL_OUT)
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        before, after = action.before or {}, action.after or {}
        if before.get("default_egress", True) != after["default_egress"]:
            operation = "ec2:AuthorizeSecurityGroupEgress" if after["default_egress"] else "ec2:RevokeSecurityGroupEgress"
            run.call(action, operation, GroupId=action.id, IpPermissions=ALL_OUT)
        update_tags(run, action, action.id)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteSecurityGroup", GroupId=action.id)

    def locate(self, run: Run, action: Action) -> str:
        return locate_by_tags(run, action, "ec2:DescribeSecurityGroups", "GroupId")

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            gone = draft.target(action)
            draft.drop("security_groups", gone)
            for rule in [rule for rule in draft.rules.values() if rule.group == gone]:
                draft.drop("rules", rule.id)
            return
        if action.op == "update":
            identifier = draft.target(action)
            draft.retag("security_groups", identifier, action)
        else:
            identifier = draft.new(action)
            draft.security_groups[identifier] = SecurityGroup(
                id=identifier,
                account=action.account,
                region=action.region,
                tags=after["tags"],
                vpc=draft.id(after["vpc"]),
                group_name=after["group_name"],
                description=after["description"],
            )
        rules = [rule for rule in draft.rules.values() if rule.group == identifier]
        there = default_egress(rules)
        if after["default_egress"] and there is None:
            rule = Rule(
                id=f"{identifier}.out",
                account=action.account,
                region=action.region,
                group=identifier,
                egress=True,
                protocol="-1",
                cidr="0.0.0.0/0",
            )
            draft.rules[rule.id] = rule
        elif not after["default_egress"] and there is not None:
            draft.drop("rules", there.id)


def default_egress(rules: Sequence[Rule]) -> Rule | None:
    """AWS's own all-out rule among a group's rules: untagged, as AWS leaves it."""
    return next((rule for rule in rules if rule.egress and rule.protocol == "-1" and rule.cidr == "0.0.0.0/0" and not rule.topology), None)
