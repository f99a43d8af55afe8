# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VPC itself: primary block and DNS attributes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import AclEntry, Association, NetworkAcl, Route, RouteTable, Rule, SecurityGroup, Vpc
from ..actions import Action, Found, Wanted
from ..context import Context, ipv6_name, tagged
from ..draft import Draft
from .base import Kind, Run, locate_by_tags, tag_specifications, update_tags

#: Attribute to its parameter of ModifyVpcAttribute; hostnames need support, so support comes first.
#: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-support
DNS = {"dns_support": "EnableDnsSupport", "dns_hostnames": "EnableDnsHostnames"}
NEW = {"dns_support": True, "dns_hostnames": False}


class VpcKind(Kind):
    """A VPC of ours; adopted ones only get a name here."""

    name = "vpc"
    fixed = frozenset({"cidr"})

    def register(self, ctx: Context) -> None:
        for name, spec in ctx.vpcs.items():
            if spec.remote:
                continue
            found = ctx.ownership.candidates(spec)
            if spec.ours and ctx.absent:
                found = [vpc for vpc in found if ctx.ours(vpc)]
            used = [vpc.id for vpc in found if vpc.id in ctx.ownership.used] if spec.ours else []
            if len(used) > 1 and not ctx.absent:
                ctx.fault(spec.path, f"{' and '.join(used)} are all tagged as vpcs.{name} and in use: take the tags from all but one")
            if not found:
                continue
            ctx.register(f"vpcs.{name}", found[0].id)
            if spec.ours and found[0].ipv6_cidrs and spec.ipv6 == "amazon":
                ctx.register(ipv6_name(name), found[0].ipv6_cidrs[0])

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, spec in ctx.vpcs.items():
            if not spec.ours:
                continue
            attrs: dict[str, Any] = {"cidr": spec.cidrs[0], "tags": ctx.tags(f"vpcs.{name}", name, extra=spec.tags)}
            if spec.dns is not None:
                attrs |= dict.fromkeys(DNS, spec.dns)
            yield Wanted(self.name, f"vpcs.{name}", ctx.account(spec), spec.region, attrs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(ctx, ctx.network.vpcs, _attrs, lambda vpc: vpc.id in ctx.ownership.used)
        for name, spec in ctx.vpcs.items():
            there = ctx.network.vpcs.get(ctx.ids.get(f"vpcs.{name}", ""))
            if spec.ours and there is not None and not ctx.ours(there):
                # None of ours, and in the way of the one that is declared.
                yield Found(f"vpcs.{name}", there.id, there.account, there.region, _attrs(there), ours=False)

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(action, "ec2:CreateVpc", CidrBlock=after["cidr"], TagSpecifications=tag_specifications("vpc", after["tags"]))
        identifier = str(made["Vpc"]["VpcId"])
        run.know(action.name, identifier)
        self._attributes(run, action, identifier, NEW)
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        self._attributes(run, action, action.id, action.before or {})
        update_tags(run, action, action.id)

    def _attributes(self, run: Run, action: Action, identifier: str, before: Any) -> None:
        after = action.after or {}
        order = DNS if after.get("dns_support") else reversed(DNS)
        for key in order:
            if key in after and after[key] != before.get(key):
                run.call(action, "ec2:ModifyVpcAttribute", VpcId=identifier, **{DNS[key]: {"Value": after[key]}})

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteVpc", VpcId=action.id)

    def locate(self, run: Run, action: Action) -> str:
        return locate_by_tags(run, action, "ec2:DescribeVpcs", "VpcId")

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            gone = draft.target(action)
            draft.drop("vpcs", gone)
            for collection in ("route_tables", "network_acls", "security_groups"):
                for item in [item for item in draft.items[collection].values() if item.vpc == gone]:
                    draft.drop(collection, item.id)
            for rule in [rule for rule in draft.rules.values() if rule.group not in draft.security_groups]:
                draft.drop("rules", rule.id)
            return
        if action.op == "update":
            identifier = draft.target(action)
            draft.change("vpcs", identifier, **{key: after[key] for key in DNS if key in after})
            draft.retag("vpcs", identifier, action)
            return
        identifier = draft.new(action)
        where: dict[str, Any] = {"account": action.account, "region": action.region}
        draft.vpcs[identifier] = Vpc(
            id=identifier, **where, tags=after["tags"], cidrs=(after["cidr"],), **{key: after.get(key, NEW[key]) for key in DNS}
        )
        # What AWS makes with every VPC. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html
        local = Route(after["cidr"], "local", "local", origin="CreateRouteTable")
        table, acl, group = (f"{identifier}.{part}" for part in ("main", "acl", "default"))
        draft.route_tables[table] = RouteTable(
            id=table, **where, vpc=identifier, routes=(local,), associations=(Association(f"{table}.assoc", main=True),)
        )
        draft.network_acls[acl] = NetworkAcl(id=acl, **where, vpc=identifier, default=True, entries=default_entries(ipv6=False))
        draft.security_groups[group] = SecurityGroup(
            id=group, **where, vpc=identifier, group_name="default", description="default VPC security group"
        )
        for rule in (
            Rule(id=f"{group}.in", **where, group=group, egress=False, protocol="-1", source_group=group, source_account=action.account),
            Rule(id=f"{group}.out", **where, group=group, egress=True, protocol="-1", cidr="0.0.0.0/0"),
        ):
            draft.rules[rule.id] = rule


def default_entries(*, ipv6: bool, allow: bool = True) -> tuple[AclEntry, ...]:
    """The entries of a default ACL, or (``allow`` false) of a new one, which denies all.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
    """
    entries = []
    for egress in (False, True):
        if allow:
            entries.append(AclEntry(100, egress, True, "-1", "0.0.0.0/0"))
            if ipv6:
                entries.append(AclEntry(101, egress, True, "-1", "::/0"))
        entries.append(AclEntry(32767, egress, False, "-1", "0.0.0.0/0"))
        if ipv6:
            entries.append(AclEntry(32768, egress, False, "-1", "::/0"))
    return tuple(entries)


def _attrs(vpc: Vpc) -> dict[str, Any]:
    return {"cidr": vpc.cidrs[0], "cidrs": [*vpc.cidrs, *vpc.ipv6_cidrs], **{key: getattr(vpc, key) for key in DNS}}
