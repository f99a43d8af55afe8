# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security group rules, raw and derived from ``allow``.

A rule is known by what it says; ours carry our tag, and AWS sees many in one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._model.network import NAME_TAG, TOPOLOGY_TAG, Rule
from ..actions import GONE_FROM_TOPOLOGY, WITH_SECOND, Action, Found, Ref, Wanted
from ..allow import derived, normal
from ..context import Context
from ..draft import Draft
from ..peers import peers
from .base import Kind, Run, tag_specifications

#: How many rules go into one call: a group holds 60 each way by default, at most 1000.
BATCH = 200


class RuleKind(Kind):
    """One rule of one group of ours, or of an adopted group that the topology names."""

    name = "rule"
    precise = True
    batch = BATCH

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        seen: set[object] = set()
        for wanted in self._all(ctx):
            key = content(wanted.attrs)
            if key not in seen:
                seen.add(key)
                yield wanted

    def _all(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.security_groups.items():
                group = ctx.group_ref(vpc_name, name)
                for egress, label, rules in ((False, "ingress", spec.rules), (True, "egress", spec.egress or ())):
                    for rule in rules:
                        for peer in peers(ctx, vpc, rule):
                            attrs = normal(
                                {
                                    "group": group,
                                    "egress": egress,
                                    "protocol": rule.protocol,
                                    "from_port": rule.from_port,
                                    "to_port": rule.to_port,
                                    **peer.attrs,
                                    "description": rule.description,
                                }
                            )
                            yield Wanted(
                                self.name,
                                rule_name(str(group), label, attrs),
                                ctx.account(vpc),
                                vpc.region,
                                attrs,
                                stage="rules" if peer.over else "vpcs",
                                needs=peer.needs,
                                path=rule.path or spec.path,
                            )
        for allow in ctx.topology.allows:
            for vpc_name, needs, attrs in derived(ctx, allow):
                vpc = ctx.topology.vpcs[vpc_name]
                name = rule_name(str(attrs["group"]), "allow", attrs)
                yield Wanted(self.name, name, ctx.account(vpc), vpc.region, attrs, stage="rules", needs=needs, path=allow.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        declared = {content(item.attrs): item for item in self.wanted(ctx)}
        connections = {item.pair: item for item in ctx.network.peerings.values() if item.live}
        for rule in ctx.network.rules.values():
            group = ctx.network.security_groups.get(rule.group)
            name = ctx.names.get(rule.group, "")
            mine = not ctx.narrow and ctx.ours(rule)
            if group is None or not (name or mine):
                continue
            attrs = _attrs(ctx, rule)
            wish = declared.get(content(attrs))
            if wish is None and not mine:
                continue
            label = rule.tags.get(NAME_TAG, "").rpartition(".")[2] or "ingress"
            full = wish.name if wish else rule_name(name or rule.group, label, attrs)
            needs: list[str] = []
            other = rule.source_vpc or getattr(ctx.network.security_groups.get(rule.source_group), "vpc", "")
            joined = ctx.network.peerings.get(rule.peering) or connections.get(frozenset((group.vpc, other)))
            if joined is not None and ctx.ours(joined) and joined.id in ctx.names:
                needs.append(ctx.names[joined.id])
            named = ctx.narrow and rule.topology == ctx.topology.name and wish is not None
            # Its group is the second of its name, and goes.
            second = not name and ctx.ours(group)
            yield Found(
                full,
                rule.id,
                rule.account,
                rule.region,
                attrs,
                ours=mine or named,
                stage="rules" if not second and (label == "allow" or (wish is not None and wish.stage == "rules")) else "vpcs",
                needs=tuple(needs),
                weight=int(rule.topology == ctx.topology.name),
                why_removed=WITH_SECOND if second else GONE_FROM_TOPOLOGY,
            )

    def changed(self, wanted: Wanted, found: Found) -> dict[str, Any]:
        if found.ours and wanted.attrs["description"] != found.attrs["description"]:
            return {"description": wanted.attrs["description"]}
        return {}

    def group_key(self, action: Action) -> object:
        attrs = action.after or action.before or {}
        label = action.name.partition(": ")[0] if action.op == "create" else ""
        return (action.op, action.account, action.region, str(attrs["group"]), attrs["egress"], label)

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        first = actions[0]
        after = first.after or {}
        # All rules of one call get the same tags, so the name tells the group and the origin, and the content tells the rest.
        tags = {TOPOLOGY_TAG: run.topology, NAME_TAG: first.name.partition(": ")[0]}
        operation = f"ec2:AuthorizeSecurityGroup{'Egress' if after['egress'] else 'Ingress'}"
        permissions = [permission(action.after or {}) for action in actions]
        run.call(
            first,
            operation,
            GroupId=after["group"],
            IpPermissions=permissions,
            TagSpecifications=tag_specifications("security-group-rule", tags),
        )
        return [""] * len(actions)

    def update(self, run: Run, action: Action) -> None:
        after = action.after or {}
        operation = f"ec2:UpdateSecurityGroupRuleDescriptions{'Egress' if after['egress'] else 'Ingress'}"
        descriptions = [{"SecurityGroupRuleId": action.id, "Description": after["description"]}]
        run.call(action, operation, GroupId=after["group"], SecurityGroupRuleDescriptions=descriptions)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        before = actions[0].before or {}
        operation = f"ec2:RevokeSecurityGroup{'Egress' if before['egress'] else 'Ingress'}"
        run.call(actions[0], operation, GroupId=before["group"], SecurityGroupRuleIds=[action.id for action in actions])

    def simulate(self, draft: Draft, action: Action) -> None:
        if action.op == "delete":
            draft.drop("rules", draft.target(action))
            return
        after = action.after or {}
        if action.op == "update":
            draft.change("rules", draft.target(action), description=after["description"])
            return
        identifier, group = draft.new(action), draft.security_groups[draft.id(after["group"])]
        source = draft.id(after["source_group"]) if "source_group" in after else ""
        other = draft.security_groups.get(source)
        across = other.vpc if other is not None and other.vpc != group.vpc else ""
        peering = (
            next((item for item in draft.peerings.values() if item.live and item.pair == {group.vpc, across}), None) if across else None
        )
        draft.rules[identifier] = Rule(
            id=identifier,
            account=action.account,
            region=action.region,
            tags={TOPOLOGY_TAG: _topology_of(group), NAME_TAG: action.name.partition(": ")[0]},
            group=group.id,
            egress=after["egress"],
            protocol=after["protocol"],
            from_port=after["from_port"],
            to_port=after["to_port"],
            cidr=draft.id(after["cidr"]) if "cidr" in after else "",
            prefix_list=draft.id(after["prefix_list"]) if "prefix_list" in after else "",
            source_group=source,
            source_account=(after.get("source_account") or action.account) if source else "",
            source_vpc=across,
            peering=peering.id if peering else "",
            peering_status=peering.status if peering else "",
            description=after["description"],
        )


def content(attrs: Mapping[str, Any]) -> object:
    """What makes two rules the same rule to AWS."""
    return tuple(
        str(attrs.get(key)) for key in ("group", "egress", "protocol", "from_port", "to_port", "cidr", "prefix_list", "source_group")
    )


def rule_name(group: str, label: str, attrs: Mapping[str, Any]) -> str:
    """``vpcs.finance.security_groups.db.allow: tcp 443 from vpcs.marketing.security_groups.web``."""
    return f"{group}.{label}: {describe(attrs)} {'to' if attrs['egress'] else 'from'} {peer(attrs)}"


def peer(attrs: Mapping[str, Any]) -> str:
    """The other end of a rule, for people."""
    return str(attrs.get("cidr") or attrs.get("prefix_list") or attrs.get("source_group"))


def describe(attrs: Mapping[str, Any]) -> str:
    """Protocol and ports, for people."""
    protocol, low, high = attrs["protocol"], attrs["from_port"], attrs["to_port"]
    if protocol == "-1":
        return "all"
    if low is None or (protocol in ("icmp", "icmpv6") and low == -1) or (low, high) == (0, 65535):
        return str(protocol)
    if protocol in ("icmp", "icmpv6"):
        return f"{protocol} {low}" + (f"/{high}" if high != -1 else "")
    return f"{protocol} {low}" + (f"-{high}" if high != low else "")


def permission(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """One rule in the shape in which Authorize takes it."""
    result: dict[str, Any] = {"IpProtocol": attrs["protocol"]}
    if attrs["from_port"] is not None:
        result |= {"FromPort": attrs["from_port"], "ToPort": attrs["to_port"]}
    words = {"Description": attrs["description"]} if attrs["description"] else {}
    if "cidr" in attrs:
        # A block that is known only by name is an Amazon-provided one, so IPv6.
        six = isinstance(attrs["cidr"], Ref) or ":" in attrs["cidr"]
        result["Ipv6Ranges" if six else "IpRanges"] = [{"CidrIpv6" if six else "CidrIp": attrs["cidr"], **words}]
    elif "prefix_list" in attrs:
        result["PrefixListIds"] = [{"PrefixListId": attrs["prefix_list"], **words}]
    else:
        account = {"UserId": attrs["source_account"]} if attrs.get("source_account") else {}
        result["UserIdGroupPairs"] = [{"GroupId": attrs["source_group"], **account, **words}]
    return result


def _attrs(ctx: Context, rule: Rule) -> dict[str, Any]:
    attrs: dict[str, Any] = {
        "group": ctx.refer(rule.group),
        "egress": rule.egress,
        "protocol": rule.protocol,
        "from_port": rule.from_port,
        "to_port": rule.to_port,
        "description": rule.description,
    }
    if rule.cidr:
        attrs["cidr"] = ctx.refer(rule.cidr)
    elif rule.prefix_list:
        attrs["prefix_list"] = ctx.refer(rule.prefix_list)
    else:
        attrs["source_group"] = ctx.refer(rule.source_group)
    return normal(attrs)


def _topology_of(group: Any) -> str:
    return str(group.tags.get(TOPOLOGY_TAG, ""))
