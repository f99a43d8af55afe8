# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The narrowest rules that make an ``allow`` work: a group reference inside one Region, blocks of addresses across Regions.

A reference needs an active connection and one Region for both groups; between Regions AWS refuses it.
https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .._topology.types import Allow, PeeringSpec, Place
from .actions import Ref
from .context import Context, prefix_list_name
from .states import will_be_active

Derived = tuple[str, tuple[str, ...], dict[str, Any]]


def derived(ctx: Context, allow: Allow) -> Iterator[Derived]:
    """(VPC's name, needs, attributes) of each rule that the ``allow`` asks of a group of ours or of one that we adopted."""
    target = ctx.topology.vpcs[allow.target.vpc]
    group = ctx.group_ref(target.name, allow.target.name)
    spec = connection(ctx, allow.source.vpc, target.name) if allow.source.vpc else None
    needs = (f"peerings.{spec.name}.acceptance",) if spec else ()
    for protocol, low, high in _protocols(ctx, allow):
        base = {"protocol": protocol, "from_port": low, "to_port": high, "description": f"{allow.source} to {allow.target}"}
        if not target.remote:
            for peer in _ends(ctx, allow.source, target.name, spec, protocol=protocol):
                yield target.name, needs, normal({"group": group, "egress": False, **base, **peer})
        if allow.source.kind == "group" and not ctx.topology.vpcs[allow.source.vpc].remote and _closed(ctx, allow.source):
            sender = ctx.group_ref(allow.source.vpc, allow.source.name)
            for peer in _ends(ctx, allow.target, allow.source.vpc, spec, protocol=protocol):
                yield allow.source.vpc, needs, normal({"group": sender, "egress": True, **base, **peer})


def connection(ctx: Context, one: str, other: str) -> PeeringSpec | None:
    """The declared peering of two VPCs."""
    return ctx.pairs.get(frozenset((one, other)))


def named(ctx: Context, group: Ref | str) -> bool:
    """Whether a rule names a group already. It is kept, whatever became of the connection: stale, it comes alive again with the next one.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html#vpc-peering-stale-groups
    """
    return any(rule.source_group == group for rule in ctx.network.rules.values())


def normal(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Ports as AWS gives them back: none for all protocols, 0-65535 for all ports, -1 for any ICMP type or code."""
    result = dict(attrs)
    low, high = result["from_port"], result["to_port"]
    if result["protocol"] == "-1":
        low = high = None
    elif result["protocol"] in ("icmp", "icmpv6"):
        low, high = (-1 if low is None else low), (-1 if high is None else high)
    elif result["protocol"] in ("tcp", "udp"):
        low = 0 if low is None else low
        high = (65535 if result["to_port"] is None and result["from_port"] is None else low) if high is None else high
    else:
        low = high = None
    result["from_port"], result["to_port"] = low, high
    return result


def _protocols(ctx: Context, allow: Allow) -> Iterator[tuple[str, int | None, int | None]]:
    yield allow.protocol, allow.from_port, allow.to_port
    wide = allow.source.kind == "internet" or (allow.source.vpc and ctx.ipv6_cidrs(allow.source.vpc))
    both = wide and ctx.ipv6_cidrs(allow.target.vpc)
    if both and allow.protocol == "icmp" and allow.from_port in (None, -1):
        # ICMP of IPv6 is a protocol of its own.
        yield "icmpv6", -1, -1


def _ends(ctx: Context, place: Place, asker: str, spec: PeeringSpec | None, *, protocol: str) -> list[dict[str, Any]]:
    """How a rule of a group in VPC ``asker`` names a place."""
    if place.kind == "cidr":
        return [{"cidr": ctx.refer(place.name)}]
    if place.kind == "internet":
        everywhere = ["0.0.0.0/0", *(["::/0"] if ctx.ipv6_cidrs(asker) else [])]
        return [{"cidr": block} for block in everywhere if _fits(protocol, block)]
    mine = ctx.topology.vpcs[asker]
    if place.kind == "prefix_list":
        own = place.name in ctx.topology.prefix_lists
        listed = Ref(prefix_list_name(place.name, mine.account, mine.region)) if own else place.name
        return [{"prefix_list": ctx.refer(listed)}]
    vpc = ctx.topology.vpcs[place.vpc]
    near = place.vpc == asker or (ctx.region(vpc) == ctx.region(mine) and spec is not None and will_be_active(ctx, spec))
    if place.kind == "group" and (vpc.remote or near):
        across = {"source_account": ctx.account(vpc)} if ctx.account(vpc) != ctx.account(mine) else {}
        if not vpc.remote:
            return [{"source_group": ctx.group_ref(place.vpc, place.name), **across}]
        if ctx.region(vpc) == ctx.region(mine) and (theirs := vpc.security_groups[place.name].ref).startswith("sg-"):
            if near or named(ctx, theirs):
                return [{"source_group": theirs, **across}]
            ctx.warn(f"vpcs.{asker}", f"the rule for {place} ({theirs}) can be made once the connection is active; run again then")
            return []
    both = ctx.ipv6_cidrs(place.vpc) and ctx.ipv6_cidrs(asker)
    blocks = _blocks(ctx, place, spec, with_six=bool(both))
    if not blocks and spec and spec.narrowed(place.vpc):
        ctx.warn(f"{spec.path}.cidrs", f"{asker} gets no route to {place}, so no rule of {asker} is made for it")
    return [{"cidr": block} for block in blocks if _fits(protocol, block)]


def _blocks(ctx: Context, place: Place, spec: PeeringSpec | None, *, with_six: bool) -> list[Ref | str]:
    """The blocks of a place that the peering, if it is in another VPC, routes to."""
    vpc = ctx.topology.vpcs[place.vpc]
    names: list[str] = []
    if place.kind == "subnet":
        names = [place.name]
    elif place.kind == "instance":
        instance = vpc.instances[place.name]
        if instance.private_ip:
            return [*_parts(ctx, place.vpc, f"{instance.private_ip}/32", spec)]
        names = [instance.subnet]
    elif place.kind == "group":
        users = {item.subnet for item in vpc.instances.values() if place.name in item.security_groups}
        names = [name for name in vpc.subnets if name in users] or (list(vpc.subnets) if vpc.ours else [])
    if names:
        found: list[Ref | str] = [vpc.subnets[name].cidr for name in names]
        for name in names if with_six else ():
            if block := vpc.subnets[name].ipv6:
                found.append(Ref(f"vpcs.{place.vpc}.subnets.{name}.ipv6") if block.startswith("auto:") else block)
        return [part for block in found for part in _parts(ctx, place.vpc, block, spec)]
    blocks = map(ctx.refer, (*ctx.cidrs(place.vpc), *(ctx.ipv6_cidrs(place.vpc) if with_six else ())))
    return spec.routed(place.vpc, blocks, ctx.refer) if spec and spec.narrowed(place.vpc) else list(blocks)


def carried(ctx: Context, place: Place, spec: PeeringSpec) -> bool:
    """Whether the peering routes to anything of a place in one of its VPCs; what is named by itself, as a block, is nobody's to judge."""
    return not (place.vpc and spec.narrowed(place.vpc)) or bool(_blocks(ctx, place, spec, with_six=True))


def _parts(ctx: Context, vpc: str, block: Ref | str, spec: PeeringSpec | None) -> Iterable[Ref | str]:
    """What of a subnet's or an instance's block the peering routes to."""
    if spec is None or not spec.narrowed(vpc):
        return [block]
    if isinstance(block, str):
        return spec.parts(vpc, block)
    known = ctx.ids.get(block.name, "")
    if "/" in known:
        return [block] if spec.parts(vpc, known) else []
    # Of Amazon's block, which is not given out yet: a part of the VPC's own.
    six = [item for item in spec.routed(vpc, map(ctx.refer, ctx.ipv6_cidrs(vpc)), ctx.refer) if isinstance(item, Ref) or ":" in item]
    return [block] if six else []


def _fits(protocol: str, block: Ref | str) -> bool:
    """ICMP is a protocol of one family only. A block that is known only by name is an Amazon-provided one, so IPv6."""
    six = isinstance(block, Ref) or ":" in block
    return {"icmp": not six, "icmpv6": six}.get(protocol, True)


def _closed(ctx: Context, place: Place) -> bool:
    """Whether the sending group needs an egress rule: its egress is declared, or it is adopted and does not let everything out."""
    vpc = ctx.topology.vpcs[place.vpc]
    spec = vpc.security_groups[place.name]
    if spec.egress is not None:
        return True
    if not spec.ref:
        return False
    group = ctx.group(place.vpc, spec.ref)
    if group is None:
        return False
    rules = ctx.network.rules_of.get(group.id, ())
    return not any(
        rule.egress and rule.protocol == "-1" and rule.cidr == "0.0.0.0/0" and rule.topology != ctx.topology.name for rule in rules
    )
