# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of a raw rule, and what must be there before AWS takes it: blocks, a prefix list, or a group, here or in a peered VPC.

A group of a peered VPC can be named only while the connection is active, and that of another account only with its owner.
https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._topology.types import PeeringSpec, RuleSpec, VpcSpec
from .actions import Ref
from .allow import connection, named
from .context import Context, prefix_list_name
from .states import will_be_active


@dataclass(frozen=True)
class Peer:
    """``attrs``: what the rule's attributes say of it. ``over``: the declared peerings, one of which it needs."""

    attrs: dict[str, Any]
    over: tuple[PeeringSpec, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of what must be done first."""
        return tuple(f"peerings.{spec.name}.acceptance" for spec in self.over)


@dataclass(frozen=True)
class _Group:
    """A group by its one spelling, its 12-digit owner where that is known, and the VPCs of the topology that it may be in."""

    ref: Ref | str
    owner: str
    homes: tuple[str, ...]


def peers(ctx: Context, vpc: VpcSpec, rule: RuleSpec) -> list[Peer]:
    """The peers of one rule of a group in ``vpc``; none for a group that AWS cannot know yet, which is then a warning."""
    if rule.group:
        return _of_group(ctx, vpc, rule)
    if rule.prefix_list:
        own = rule.prefix_list in ctx.topology.prefix_lists
        listed = Ref(prefix_list_name(rule.prefix_list, vpc.account, vpc.region)) if own else rule.prefix_list
        return [Peer({"prefix_list": ctx.refer(listed)})]
    return [Peer({"cidr": ctx.refer(cidr)}) for cidr in rule.cidrs]


def _of_group(ctx: Context, vpc: VpcSpec, rule: RuleSpec) -> list[Peer]:
    group = _named(ctx, vpc, rule)
    over = _over(ctx, vpc, group.homes)
    active = tuple(spec for spec in over if will_be_active(ctx, spec))
    if over and not active and not named(ctx, group.ref):
        waits = f"the rule for {rule.group} can be made once {over[0].name} is active"
        ctx.warn(rule.path, f"{waits}, which the other owner makes it; run again then")
        return []
    across = {"source_account": group.owner} if group.owner and group.owner != ctx.account(vpc) else {}
    return [Peer({"source_group": group.ref, **across}, active)]


def _named(ctx: Context, vpc: VpcSpec, rule: RuleSpec) -> _Group:
    home, _mark, name = rule.group.rpartition(".")
    home = home or vpc.name
    if rule.group.startswith("sg-") or home not in ctx.topology.vpcs:
        return _by_id(ctx, vpc, rule)
    return _Group(ctx.group_ref(home, name), ctx.account(ctx.topology.vpcs[home]), (home,))


def _by_id(ctx: Context, vpc: VpcSpec, rule: RuleSpec) -> _Group:
    """A group that is named by its id alone, or by owner and id: the observed one, else one of a VPC of others."""
    observed = ctx.network.security_groups.get(rule.group)
    if observed is not None:
        if rule.group_owner and rule.group_owner != observed.account:
            ctx.fault(rule.path, f"{rule.group} belongs to account {observed.account}, not {rule.group_owner}")
        home = ctx.names.get(observed.vpc, "").removeprefix("vpcs.")
        return _Group(ctx.refer(rule.group), observed.account, (home,) if home in ctx.topology.vpcs else ())
    remote = [item for item in ctx.topology.vpcs.values() if item.remote and connection(ctx, vpc.name, item.name)]
    declared = [item for item in remote if any(group.ref == rule.group for group in item.security_groups.values())]
    near = declared or [item for item in remote if ctx.region(item) == vpc.region and rule.group_owner in ("", ctx.account(item))]
    owners = {ctx.account(item) for item in near}
    if not rule.group_owner and len(owners) > 1:
        ctx.fault(rule.path, f"{rule.group} may belong to any of {', '.join(sorted(owners))}: write its owner too, as OWNER/{rule.group}")
    owner = rule.group_owner or (owners.pop() if len(owners) == 1 else "")
    return _Group(rule.group, owner, tuple(item.name for item in near))


def _over(ctx: Context, vpc: VpcSpec, homes: Iterable[str]) -> tuple[PeeringSpec, ...]:
    found = (connection(ctx, vpc.name, home) for home in homes if home != vpc.name)
    return tuple(spec for spec in found if spec is not None)
