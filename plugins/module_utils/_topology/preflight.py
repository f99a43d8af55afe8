# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the topology can be built on what the accounts hold: every finding at once, before any write. It only reads a Network."""

from __future__ import annotations

from collections.abc import Mapping

from .._model.network import Network, Vpc
from ..errors import Finding
from .blocks import inside, overlaps, parse
from .faults import either, join
from .limits import Quotas, check_quotas
from .observed import Observed
from .resolve import connection, remote_side, resolved
from .types import PeeringSpec, Topology, VpcSpec


def preflight(
    topology: Topology, network: Network, identities: Mapping[str, str], quotas: Quotas | None = None
) -> tuple[list[Finding], list[str]]:
    """What stands in the way, and what is worth knowing.

    ``identities``: account name (empty for the ambient one) to its 12-digit id. ``quotas``: name (limits.QUOTAS) to number,
    or such a mapping for each (account id, Region); AWS's defaults stand for what is not known. None: nothing is to be added, so no quota
    can be exceeded. What the network does not hold is planned, or was not read; neither is a fault in itself.
    """
    seen = Observed(resolved(topology, network, identities), network, identities)
    _accounts(seen)
    for spec in seen.topology.vpcs.values():
        if spec.remote is None:
            _vpc(seen, spec)
            _names(seen, spec)
    _twins(seen)
    for pair in seen.topology.peerings:
        _connection(seen, pair)
        _remote(seen, pair, topology)
        _overlap(seen, pair)
    for spec in seen.topology.vpcs.values():
        _dns(seen, spec)
        _new_blocks(seen, spec)
    if quotas is not None:
        check_quotas(seen, quotas)
    return list(dict.fromkeys(seen.findings)), list(dict.fromkeys(seen.warnings))


def _accounts(seen: Observed) -> None:
    for name, account in seen.topology.accounts.items():
        actual = seen.identities.get(name, "")
        if account.id and actual and account.id != actual:
            seen.fault(f"accounts.{name}.id", f"the credentials are of account {actual}, not {account.id}: check the profile or role")


def _vpc(seen: Observed, spec: VpcSpec) -> None:
    """Adopted VPCs: found, found once, as declared, and owned by the account that we act as."""
    found = seen.candidates(spec)
    where = f"{spec.account or 'the account'} ({seen.account(spec) or 'unknown'}), {spec.region}"
    if not spec.ours and not found and seen.read(spec, "Vpcs"):
        wanted = spec.id or "VPC with " + join(f"{key}={value}" for key, value in spec.lookup.items())
        seen.fault(f"{spec.path}.{'id' if spec.id else 'lookup'}", f"there is no {wanted} in {where}: check the id, account and Region")
    if len(found) > 1 and not spec.ours:
        seen.fault(f"{spec.path}.lookup", f"{join(vpc.label for vpc in found)} all carry these tags: add a tag, or name one by `id`")
        return
    for vpc in found[:1]:
        if spec.id and vpc.region != spec.region:
            seen.fault(f"{spec.path}.region", f"{vpc.id} is in {vpc.region}, not {spec.region}")
        if not spec.ours:
            _as_declared(seen, spec, vpc)
        _owner(seen, spec, vpc)


def _twins(seen: Observed) -> None:
    """One VPC under two names: by id and by tags, or found by two lookups. Two of one id are a fault of the topology itself."""
    names: dict[str, str] = {}
    for spec in seen.topology.vpcs.values():
        identifier = seen.vpc_id(spec.name)
        if identifier and names.setdefault(identifier, spec.name) != spec.name:
            seen.fault(spec.path, f"{identifier} is vpcs.{names[identifier]} already: declare a VPC once")


def _as_declared(seen: Observed, spec: VpcSpec, vpc: Vpc) -> None:
    if spec.cidrs and (spec.cidrs[0] != vpc.cidrs[0] or set(spec.cidrs) != set(vpc.cidrs)):
        actual, declared = join(vpc.cidrs), join(spec.cidrs)
        seen.fault(
            f"{spec.path}.cidr", f"{vpc.id} has {actual}, not {declared}: an adopted VPC's blocks are only checked; correct or drop them"
        )
    if spec.ipv6 and not (vpc.ipv6_cidrs if spec.ipv6 == "amazon" else spec.ipv6 in vpc.ipv6_cidrs):
        wanted = "no IPv6 block" if spec.ipv6 == "amazon" else f"{join(vpc.ipv6_cidrs)}, not {spec.ipv6}"
        seen.fault(f"{spec.path}.ipv6", f"{vpc.id} has {wanted}: an adopted VPC's blocks are only checked; add it there, or drop it here")


def _owner(seen: Observed, spec: VpcSpec, vpc: Vpc) -> None:
    """A participant cannot act on a shared VPC's peerings, tables or gateways.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing-share-subnet-working-with.html
    """
    account = seen.account(spec)
    if not account or vpc.account == account:
        return
    peered = bool(seen.pairs_of[spec.name])
    what = "peerings" if peered else "route tables" if spec.route_tables else "subnets" if spec.subnets else ""
    if what:
        seen.fault(
            spec.path,
            f"{vpc.id} belongs to account {vpc.account} and is only shared with {account}, which cannot act on its {what}: use the "
            "owner's credentials",
        )
    else:
        seen.warn(spec.path, f"{vpc.id} belongs to account {vpc.account} and is only shared with {account}")


def _names(seen: Observed, spec: VpcSpec) -> None:
    """Tables and groups of adopted VPCs that must exist, once. Every VPC has a table and a group: none at all means not read."""
    vpc = seen.vpc_id(spec.name)
    tables, groups = seen.network.tables_of.get(vpc, ()), seen.network.groups_of.get(vpc, ())
    for table in spec.route_tables.values():
        if table.ref and tables:
            found = seen.tables(spec.name, table.name)
            known = ["main", *(label for item in tables for label in (item.tags.get("Name", ""), item.id) if label)]
            if not found:
                seen.fault(table.path, f"{vpc} has no route table '{table.ref}'{either(table.ref, known, 'it has')}")
            elif len(found) > 1:
                seen.fault(table.path, f"'{table.ref}' is the Name of {join(item.id for item in found)}: name the table by its id")
    for group in spec.security_groups.values():
        if group.ref and groups and not seen.groups(spec.name, group.name):
            known = [label for item in groups for label in (item.group_name, item.id)]
            seen.fault(group.path, f"{vpc} has no security group '{group.ref}'{either(group.ref, known, 'it has')}")
        for rule in (*group.rules, *(group.egress or ())):
            other = seen.network.security_groups.get(rule.group)
            if other is not None and other.region != spec.region:
                seen.fault(
                    rule.path,
                    f"{rule.group} is in {other.region}, {spec.path} in {spec.region}: a rule cannot name a group of another Region",
                )


def _connection(seen: Observed, pair: PeeringSpec) -> None:
    """A connection that is there already: ours, somebody else's (it will do), or a dead one (it does not matter)."""
    listed, live = seen.connections(pair), seen.live(pair)
    if pair.id:
        named = seen.network.peerings.get(pair.id)
        if named is None:
            read = any(file == "VpcPeeringConnections" for _account, _region, file in seen.network.complete)
            if seen.network.peerings or read:
                seen.fault(f"{pair.path}.id", f"there is no {pair.id}: check the id, account and Region, or leave it out")
        elif named.pair != {seen.vpc_id(pair.requester), seen.vpc_id(pair.accepter)} - {""}:
            seen.fault(f"{pair.path}.id", f"{pair.id} joins {join(sorted(named.pair))}, not {pair.requester} and {pair.accepter}")
        elif not named.live:
            seen.fault(f"{pair.path}.id", f"{pair.id} is {named.status} and cannot come alive again: leave `id` out, and a new one is made")
        return
    if live is None:
        dead = [f"{item.id} ({item.status})" for item in listed if item.status in ("failed", "rejected", "expired")]
        if dead and not pair.accept_only:
            seen.warn(
                pair.path,
                f"an earlier request between {pair.requester} and {pair.accepter} came to nothing: {join(dead)}; a new one is made",
            )
        if pair.accept_only and seen.vpc(pair.accepter) is not None:
            seen.warn(pair.path, f"{pair.requester} has sent no request yet: until its owner does, there is nothing to accept")
    elif not seen.ours(live) and not pair.accept_only:
        seen.warn(
            pair.path,
            f"{live.id} ({live.status}) joins {pair.requester} and {pair.accepter} already, made by others: it is used, and left "
            "at teardown",
        )


def _remote(seen: Observed, pair: PeeringSpec, topology: Topology) -> None:
    """What is declared of a remote VPC, in ``topology``, against what the connection tells of it: its blocks only while it is active.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcPeeringConnection.html
    """
    there = connection(seen, pair)
    for name, other in ((pair.requester, pair.accepter), (pair.accepter, pair.requester)):
        spec = seen.topology.vpcs[name]
        side = remote_side(seen, pair, name)
        if spec.remote is None or side is None or there is None or not there.live:
            continue
        for key, declared, actual in (("owner", spec.remote.owner, side.account), ("region", spec.remote.region, side.region)):
            if actual and declared != actual:
                what = "belongs to account" if key == "owner" else "is in"
                seen.fault(f"{spec.path}.remote.{key}", f"{side.vpc} {what} {actual}, says {there.id}, not {declared}: correct it")
        if there.status == "active":
            remote = topology.vpcs[name].remote
            told = (*side.cidrs, *side.ipv6_cidrs)
            if remote is not None and remote.cidrs:
                _remote_blocks(seen, pair, spec, other, remote.cidrs, told)
            else:
                _narrowed(seen, pair, name, told)
        elif not spec.remote.cidrs:
            advice = "until then nothing is routed there; run again then, or declare `cidr`"
            seen.warn(f"{spec.path}.remote", f"AWS tells the blocks of {name} once {there.id} is active: {advice}")


def _remote_blocks(seen: Observed, pair: PeeringSpec, spec: VpcSpec, other: str, declared: tuple[str, ...], told: tuple[str, ...]) -> None:
    """``declared``: the blocks that the topology gives a remote VPC; ``told``: those that the active connection tells."""
    known, actual = ([block for text in texts if not isinstance(block := parse(text), str)] for texts in (declared, told))
    path = f"{spec.path}.remote.cidr"
    wrong = [str(block) for block in known if not inside(block, actual)]
    if actual and wrong:
        seen.fault(path, f"{spec.name} has {join(told)}, says the active connection, not {join(wrong)}: correct it")
        return
    six = any(block.version == 6 for _words, block in seen.blocks(other))
    left_out = pair.without.get(spec.name, ())
    more = [block for block in actual if not inside(block, known) and str(block) not in left_out and (six or block.version == 4)]
    if more and spec.name not in pair.only:
        blocks, advice = join(str(block) for block in more), "add it to `cidr`, or leave it out by the peering's `cidrs: {except: …}`"
        seen.warn(path, f"{spec.name} has {blocks} too, says the active connection: nothing is routed there; {advice}")


def _narrowed(seen: Observed, pair: PeeringSpec, name: str, told: tuple[str, ...]) -> None:
    """What a peering is narrowed to, where the topology leaves the blocks to the connection."""
    actual = [block for text in told if not isinstance(block := parse(text), str)]
    for text in pair.only.get(name, ()):
        block = parse(text)
        if actual and not isinstance(block, str) and not inside(block, actual):
            path = f"{pair.path.partition('.')[0]}.cidrs.only.{name}"
            seen.fault(path, f"{text} is outside the blocks of vpcs.{name} ({join(told)})")


def _overlap(seen: Observed, pair: PeeringSpec) -> None:
    """Every block of both families, secondary ones that nobody declared included.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations
    """
    live = seen.live(pair)
    if live is not None and live.status in ("active", "provisioning"):
        return
    for left, block, right, other in overlaps(seen.blocks(pair.requester), seen.blocks(pair.accepter)):
        seen.fault(pair.path, f"{block} of {left} overlaps {other} of {right}: AWS refuses the connection, whatever is routed")


def _dns(seen: Observed, spec: VpcSpec) -> None:
    """Attributes that only an adopted VPC's owner turns on. https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html"""
    vpc = None if spec.ours or spec.remote else seen.vpc(spec.name)
    if vpc is None:
        return
    why = [f"peering DNS ({pair.path})" for pair in seen.pairs_of[spec.name] if pair.dns]
    why += [f"private DNS ({endpoint.path})" for endpoint in spec.endpoints.values() if endpoint.private_dns]
    why += [f"`dns` ({spec.path}.dns)"] if spec.dns else []
    attributes = (("DNS support", "--enable-dns-support", vpc.dns_support), ("DNS hostnames", "--enable-dns-hostnames", vpc.dns_hostnames))
    off = [(words, option) for words, option, on in attributes if on is False]
    for words, option in off if why else ():
        seen.fault(spec.path, f"{vpc.id} has {words} off, which {why[0]} needs: aws ec2 modify-vpc-attribute --vpc-id {vpc.id} {option}")


def _new_blocks(seen: Observed, spec: VpcSpec) -> None:
    """A block that is added must not hold the destination of a route; and none is added by a requester while its request is pending.

    https://docs.aws.amazon.com/vpc/latest/userguide/add-ipv4-cidr.html
    """
    vpc = seen.vpc(spec.name) if spec.ours else None
    for text in spec.cidrs if vpc is not None else ():
        block = parse(text)
        if vpc is None or text in vpc.cidrs or isinstance(block, str):
            continue
        for table in seen.network.tables_of.get(vpc.id, ()):
            for route in table.routes:
                to = parse(route.destination) if "/" in route.destination else ""
                if not isinstance(to, str) and route.target != "local" and inside(to, [block]):
                    seen.fault(
                        f"{spec.path}.cidr", f"{text} cannot be added to {vpc.id}: {table.label} has a route to {to}, to {route.target}"
                    )
        for peering in seen.network.peerings_of.get(vpc.id, ()):
            if peering.status == "pending-acceptance" and peering.requester.vpc == vpc.id:
                seen.warn(f"{spec.path}.cidr", f"{text} can be added to {vpc.id} only once {peering.id}, which it requested, is accepted")
