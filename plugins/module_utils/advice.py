# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no obstacle and still worth knowing before a plan is applied. Pure, and only of what was read: silence proves nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ._model.network import Network, Peering, Route, RouteTable
from ._topology.blocks import Block
from ._topology.limits import QUOTAS, limits
from ._topology.types import PeeringSpec, Topology
from .errors import Finding

#: From this part of a quota on it is worth a word.
NEAR = 0.8
#: A peering that is in one of these states comes back to no life. What names it is stale.
DEAD = ("deleted", "rejected", "failed", "expired", "deleting")


@dataclass(frozen=True)
class Look:
    """A topology and the network after its plan. ``ids``: full names to ids; ``accounts``: account name to 12-digit id."""

    topology: Topology
    network: Network
    ids: Mapping[str, str]
    accounts: Mapping[str, str]

    @cached_property
    def vpcs(self) -> Mapping[str, str]:
        """Name to id, of those that are known."""
        found = {name: spec.remote.id if spec.remote else self.ids.get(f"vpcs.{name}", "") for name, spec in self.topology.vpcs.items()}
        return {name: identifier for name, identifier in found.items() if identifier}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Id to name."""
        return {identifier: name for name, identifier in self.vpcs.items()}

    def blocks(self, vpc: str) -> list[Block]:
        """The blocks of a VPC by its id, empty where they are not known."""
        there = self.network.vpcs.get(vpc)
        if there is not None:
            return [ipaddress.ip_network(text) for text in (*there.cidrs, *there.ipv6_cidrs)]
        sides = (peering.side(vpc) for peering in self.network.peerings_of.get(vpc, ()))
        return next(([ipaddress.ip_network(text) for text in (*side.cidrs, *side.ipv6_cidrs)] for side in sides if side.cidrs), [])

    def called(self, vpc: str) -> str:
        """A VPC's name, else its id."""
        return self.names.get(vpc, vpc)


def advise(
    topology: Topology,
    network: Network,
    ids: Mapping[str, str],
    accounts: Mapping[str, str],
    quotas: Mapping[tuple[str, str], Mapping[str, int]] | None = None,
) -> list[str]:
    """One line for each thing worth knowing, with its place in the topology. ``quotas``: by (account, Region); AWS's defaults else."""
    look = Look(topology, network, ids, accounts)
    found = [*_routes(look), *_unused(look), *_stale(look), *_near(look, quotas or {}), *_broad(topology)]
    return list(dict.fromkeys(str(topology.finding(item.path, item.message)) for item in found))


def _routes(look: Look) -> Iterator[Finding]:
    """Blackholes, and routes over a peering for more than is behind it."""
    for name, vpc in look.vpcs.items():
        for table in look.network.tables_of.get(vpc, ()):
            for route in table.routes:
                waiting = look.network.peerings.get(route.target)
                if route.blackhole and waiting is not None and waiting.live and waiting.status != "active":
                    state = f"which is {waiting.status}: nothing passes until it is active"
                    yield Finding(f"vpcs.{name}", f"{table.label} sends {route.destination} to {route.target}, {state}")
                elif route.blackhole:
                    yield Finding(
                        f"vpcs.{name}",
                        f"{table.label} sends {route.destination} to {route.target}, which is gone (blackhole): remove the route",
                    )
                elif route.via == "peering" and "/" in route.destination and (peering := look.network.peerings.get(route.target)):
                    yield from _beyond(look, name, vpc, table, route, peering)


def _beyond(look: Look, name: str, vpc: str, table: RouteTable, route: Route, peering: Peering) -> Iterator[Finding]:
    """https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations"""
    other = peering.other(vpc).vpc
    blocks, wanted = look.blocks(other), ipaddress.ip_network(route.destination)
    same = [block for block in blocks if block.version == wanted.version]
    if not same or any(_inside(wanted, block) for block in same):
        return
    where = f"{table.label} sends {route.destination} to {route.target}"
    if any(wanted.overlaps(block) for block in same):
        held = ", ".join(str(block) for block in same)
        yield Finding(f"vpcs.{name}", f"{where}, which is wider than needed: {look.called(other)} has {held}")
        return
    third = next(
        (far for far in look.vpcs.values() if far not in (vpc, other) and any(_meet(wanted, block) for block in look.blocks(far))), ""
    )
    hope = f": to reach {look.called(third)}, add {{between: [{name}, {look.called(third)}]}}" if third else ""
    yield Finding(f"vpcs.{name}", f"{where}, but {look.called(other)} does not have it, and peering is not transitive{hope}")


def _inside(one: Block, other: Block) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def _meet(one: Block, other: Block) -> bool:
    return one.version == other.version and one.overlaps(other)


def _unused(look: Look) -> Iterator[Finding]:
    """Declared peerings that no route of a VPC uses, or that no rule of a group lets anything over. Only where tables, or groups, were
    read."""
    for spec in look.topology.peerings:
        ends = (look.vpcs.get(spec.requester, ""), look.vpcs.get(spec.accepter, ""))
        live = next((item for item in look.network.peerings.values() if item.live and item.pair == {*ends}), None)
        if live is None or any(look.topology.vpcs[name].remote for name in (spec.requester, spec.accepter)):
            continue
        without = [
            name
            for name, vpc in zip((spec.requester, spec.accepter), ends, strict=True)
            if look.network.tables_of.get(vpc)
            and not any(route.target == live.id for table in look.network.tables_of[vpc] for route in table.routes)
        ]
        left_out = [name for name in without if not spec.routed(_other(spec, name), map(str, look.blocks(look.vpcs[_other(spec, name)])))]
        if left_out:
            yield Finding(
                f"{spec.path}.cidrs",
                f"{' and '.join(left_out)} gets no route to any block over {spec.name}, so nothing is answered over it",
            )
        elif without:
            yield Finding(
                spec.path,
                f"no route of {' or '.join(without)} uses {spec.requester}:{spec.accepter}, so nothing is answered over it: name tables in "
                "`routes`",
            )
        elif all(look.network.groups_of.get(vpc) for vpc in ends) and not _ruled(look, spec, *ends):
            yield Finding(
                spec.path, f"no rule lets anything in over {spec.requester}:{spec.accepter}: add it to `allow`, or drop the peering"
            )


def _other(spec: PeeringSpec, name: str) -> str:
    return spec.accepter if name == spec.requester else spec.requester


def _ruled(look: Look, spec: PeeringSpec, one: str, other: str) -> bool:
    """Whether a group of either VPC lets something of the other in. A prefix list may hold anything."""
    for here, there in ((one, other), (other, one)):
        routed = spec.routed(look.called(there), map(str, look.blocks(there)))
        blocks, groups = [ipaddress.ip_network(text) for text in routed], {group.id for group in look.network.groups_of.get(there, ())}
        for group in look.network.groups_of.get(here, ()):
            for rule in look.network.rules_of.get(group.id, ()):
                if rule.egress:
                    continue
                if rule.prefix_list or rule.source_group in groups:
                    return True
                if rule.cidr and any(_meet(ipaddress.ip_network(rule.cidr), block) for block in blocks):
                    return True
    return False


def _stale(look: Look) -> Iterator[Finding]:
    """https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html#vpc-peering-stale-groups"""
    for rule in look.network.rules.values():
        group = look.network.security_groups.get(rule.group)
        if group is None or group.vpc not in look.names or not rule.peering:
            continue
        known = look.network.peerings.get(rule.peering)
        status = known.status if known else rule.peering_status
        if status in DEAD:
            yield Finding(
                f"vpcs.{look.names[group.vpc]}",
                f"{rule.id} of {group.label} names {rule.source_group} over {rule.peering}, which is {status}: the rule is stale, remove "
                "it",
            )


def _near(look: Look, quotas: Mapping[tuple[str, str], Mapping[str, int]]) -> Iterator[Finding]:
    """Quotas of which little is left after the plan. https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-connection-quotas.html"""
    for name, vpc in look.vpcs.items():
        spec = look.topology.vpcs[name]
        if spec.remote:
            continue
        most = limits(quotas, (look.accounts.get(spec.account, ""), spec.region)) if quotas else dict(QUOTAS)
        count = sum(item.status == "active" for item in look.network.peerings_of.get(vpc, ()))
        if most["peerings_active"] * NEAR <= count <= most["peerings_active"]:
            yield Finding(
                f"vpcs.{name}",
                f"has {count} of at most {most['peerings_active']} active peering connections: a transit gateway joins thousands of VPCs",
            )
        for group in look.network.groups_of.get(vpc, ()):
            count = sum(not rule.egress and ":" not in rule.cidr for rule in look.network.rules_of.get(group.id, ()))
            if most["rules_per_group"] * NEAR <= count <= most["rules_per_group"]:
                yield Finding(
                    f"vpcs.{name}", f"{group.label} has {count} of at most {most['rules_per_group']} inbound rules: merge ports or sources"
                )


def _broad(topology: Topology) -> Iterator[Finding]:
    """Allows for every port where the expectations between the same VPCs name only some."""
    for allow in topology.allows:
        if not allow.source.vpc or allow.protocol not in ("tcp", "udp", "-1") or allow.from_port is not None:
            continue
        needed = [
            item
            for item in topology.expects
            if item.reachable and (item.source.vpc, item.target.vpc) == (allow.source.vpc, allow.target.vpc)
            and allow.protocol in ("-1", item.protocol)
        ]  # fmt: skip
        if needed and (allow.protocol == "-1" or all(item.port is not None for item in needed)):
            words = ", ".join(dict.fromkeys(f"{item.protocol} {item.port}" if item.port is not None else item.protocol for item in needed))
            opens = "everything" if allow.protocol == "-1" else f"every {allow.protocol} port"
            yield Finding(
                allow.path, f"opens {opens} from {allow.source} to {allow.target}, and `expect` needs {words}: name what is needed"
            )
