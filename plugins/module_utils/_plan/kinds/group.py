# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups; their rules are a kind of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import Rule, SecurityGroup
from ..._model.parse import tags
from ..._model.rules import rule
from ..actions import Action, Found, Wanted
from ..context import Context, ipv6_name, tagged
from ..draft import Draft
from .base import Run, TaggedKind, locate_by_tags, tag_specifications, update_tags

#: AWS puts this into every new group, and the same for ::/0 where the VPC has an IPv6 block by then.
#: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
ALL_OUT = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


class GroupKind(TaggedKind):
    """A security group. ``default_egress`` is AWS's own all-out rules: both families' go once a topology declares ``egress``."""

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
                # Made before the VPC's IPv6 block, a group would lack the rule that AWS gives it after.
                needs = (ipv6_name(vpc_name) if vpc.ipv6 == "amazon" else f"vpcs.{vpc_name}.cidrs.{vpc.ipv6}",) if vpc.ipv6 else ()
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, needs=needs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(
            ctx,
            ctx.network.security_groups,
            lambda group: {
                "vpc": ctx.refer(group.vpc),
                "group_name": group.group_name,
                "description": group.description,
                "default_egress": _default_egress(ctx.network.rules_of.get(group.id, ())),
            },
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
            self._close(run, action, identifier)
        return [identifier]

    def _close(self, run: Run, action: Action, identifier: str) -> None:
        """Take AWS's own rules away: by their ids, as only AWS knows whether there is one for IPv6."""
        filters = [{"Name": "group-id", "Values": [identifier]}]

        def listed() -> list[str]:
            rules = run.pages(action, "ec2:DescribeSecurityGroupRules", Filters=filters)
            found = [rule(item, action.account, action.region, tags(item)) for item in rules]
            return [item.id for item in default_rules(found)]

        run.call(
            action,
            "ec2:RevokeSecurityGroupEgress",
            GroupId=identifier,
            SecurityGroupRuleIds=run.until(action, "its default rules are listed", listed),
        )

    def update(self, run: Run, action: Action) -> None:
        before, after = action.before or {}, action.after or {}
        if before.get("default_egress", True) != after["default_egress"]:
            if after["default_egress"]:
                run.call(action, "ec2:AuthorizeSecurityGroupEgress", GroupId=action.id, IpPermissions=ALL_OUT)
            else:
                self._close(run, action, action.id)
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
            for item in [item for item in draft.rules.values() if item.group == gone]:
                draft.drop("rules", item.id)
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
        if action.op == "create" and draft.vpcs[draft.security_groups[identifier].vpc].ipv6_cidrs:
            _open(draft, action, identifier, "out6", "::/0")
        rules = [item for item in draft.rules.values() if item.group == identifier]
        if not after["default_egress"]:
            for there in default_rules(rules):
                draft.drop("rules", there.id)
        elif _default_egress(rules) is not True:
            _open(draft, action, identifier, "out", "0.0.0.0/0")


def _open(draft: Draft, action: Action, group: str, label: str, cidr: str) -> None:
    where: dict[str, Any] = {"account": action.account, "region": action.region}
    draft.rules[f"{group}.{label}"] = Rule(id=f"{group}.{label}", **where, group=group, egress=True, protocol="-1", cidr=cidr)


def default_rules(rules: Sequence[Rule]) -> list[Rule]:
    """AWS's own all-out rules among a group's rules: untagged, as AWS leaves them."""
    return [item for item in rules if item.egress and item.protocol == "-1" and item.cidr in ("0.0.0.0/0", "::/0") and not item.topology]


def _default_egress(rules: Sequence[Rule]) -> bool | str:
    """Whether the default is there; half of it is neither one nor the other."""
    blocks = {item.cidr for item in default_rules(rules)}
    return "IPv6 only" if blocks == {"::/0"} else bool(blocks)
