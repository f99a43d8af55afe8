# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups with their raw rules, and network ACLs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .blocks import parse
from .draft import GROUP_ID, OURS, REMOTE, Draft, Work
from .faults import Cursor, Key, show
from .places import target
from .protocols import KEYS, Traffic, one_range, traffic
from .types import AclEntrySpec, AclSpec, GroupSpec, RuleSpec

_MAX_ACL_ENTRIES = 40  # https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-nacls


def declare(work: Work, draft: Draft) -> None:
    """The groups by name, still without rules."""
    for name, cursor in draft.cursor["security_groups"].items():
        ref = cursor.text("ref", "" if draft.kind == OURS else name)
        if draft.kind == OURS and (name == "default" or name.startswith("sg-")):
            # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
            work.faults.add(cursor.path, f"AWS makes no group of the name {name}: choose another")
        if draft.kind == OURS and "ref" in cursor:
            work.faults.add((*cursor.path, "ref"), f"vpcs.{draft.name} is ours, so its groups are made, not found: leave `ref` out")
        if draft.kind == REMOTE:
            if not GROUP_ID.match(ref) and not cursor["ref"].broken:
                work.faults.add(
                    cursor.path, f"vpcs.{draft.name} is remote, so its groups cannot be looked up: give this one's id (ref: sg-…)"
                )
            for key in ("rules", "egress"):
                if key in cursor:
                    work.faults.add((*cursor.path, key), f"vpcs.{draft.name} is remote, another owner's: we cannot set its rules")
        draft.groups[name] = GroupSpec(name, ref=ref, description=cursor.text("description"), path=show(cursor.path))


def rules(work: Work, draft: Draft) -> None:
    """The raw rules of every declared group. Peerings are known by now."""
    if draft.kind == REMOTE:
        return
    for name, cursor in draft.cursor["security_groups"].items():
        inbound = tuple(rule for item in cursor["rules"].each() for rule in _rule(work, draft, item, "from"))
        egress = (
            tuple(rule for item in cursor["egress"].each() for rule in _rule(work, draft, item, "to"))
            if isinstance(cursor["egress"].value, list)
            else None
        )
        draft.groups[name] = replace(draft.groups[name], rules=(*draft.groups[name].rules, *inbound), egress=egress)


def _rule(work: Work, draft: Draft, item: Cursor, side: str) -> Iterator[RuleSpec]:
    path, words = show(item.path), item.text("description")
    found = [place for peer in item[side].each() for place in target(work, draft, peer)]
    for passing in traffic(item, work.faults):
        blocks = tuple(dict.fromkeys(block for place in found for block in place.cidrs))
        for one, cidrs in _families(work, item, passing, blocks):
            yield RuleSpec(one.protocol, one.from_port, one.to_port, cidrs=cidrs, description=words, path=path)
        for place in dict.fromkeys(place for place in found if not place.cidrs):
            both = passing.protocol == "icmp" and passing.from_port == -1 and draft.ipv6 and not place.prefix_list
            for protocol in (passing.protocol, *(("icmpv6",) if both else ())):
                yield RuleSpec(
                    protocol,
                    passing.from_port,
                    passing.to_port,
                    prefix_list=place.prefix_list,
                    group=place.group,
                    description=words,
                    path=path,
                    group_owner=place.owner,
                )


def _families(work: Work, item: Cursor, passing: Traffic, blocks: tuple[str, ...]) -> Iterator[tuple[Traffic, tuple[str, ...]]]:
    """ICMP is another protocol in IPv6, with types of its own."""
    if passing.protocol not in ("icmp", "icmpv6"):
        if blocks:
            yield passing, blocks
        return
    four = tuple(block for block in blocks if ":" not in block)
    six = tuple(block for block in blocks if ":" in block)
    if passing.protocol == "icmp" and four:
        yield passing, four
    if passing.protocol == "icmpv6" and four and not six:
        work.faults.add((*item.path, "protocol"), f"ICMPv6 belongs to IPv6, and {four[0]} is IPv4: use icmp: true")
    if six and passing.from_port == -1:
        yield Traffic("icmpv6", -1, -1), six
    elif six:
        work.faults.add((*item.path, "icmp"), f"type {passing.from_port} is ICMP's, and {six[0]} is IPv6: use protocol: icmpv6 there")


def acls(work: Work, draft: Draft) -> None:
    """Network ACLs: their subnets and entries. A subnet has one ACL."""
    guarded: dict[str, str] = {}
    for name, cursor in draft.cursor["network_acls"].items():
        if draft.kind == REMOTE:
            continue
        subnets: list[str] = []
        for item in cursor["subnets"].each():
            for subnet in draft.find_subnets(item.value, item.path, work.faults):
                if subnet in guarded:
                    work.faults.add(item.path, f"subnet '{subnet}' is guarded by network ACL '{guarded[subnet]}' already: a subnet has one")
                guarded.setdefault(subnet, name)
                subnets.append(subnet)
        inbound, outbound = (tuple(_entries(work, cursor[side])) for side in ("inbound", "outbound"))
        for side, entries, what in (("inbound", inbound, "gets in"), ("outbound", outbound, "gets out, not even answers")):
            if not entries and not cursor[side].damaged():
                work.faults.warn((*cursor.path, side), f"has no entries, so nothing {what}: a network ACL keeps no state")
        draft.acls[name] = AclSpec(name, tuple(dict.fromkeys(subnets)), inbound, outbound, show(cursor.path))


def _entries(work: Work, section: Cursor) -> Iterator[AclEntrySpec]:
    numbers: dict[int, Key] = {}
    count = 0
    for item in section.each():
        number, entry = item["number"].value, _entry(work, item)
        if number in numbers:
            work.faults.add(
                (*item.path, "number"), f"{number} is taken by {show(numbers[number])}: every entry of one direction has its own"
            )
        elif isinstance(number, int):
            numbers[number] = item.path
        count += 1
        if entry is not None:
            yield entry
    if count > _MAX_ACL_ENTRIES:
        work.faults.add(section.path, f"holds {count} entries: AWS takes at most {_MAX_ACL_ENTRIES} in each direction")


def _entry(work: Work, item: Cursor) -> AclEntrySpec | None:
    cidr = item["cidr"]
    block = parse(cidr.value) if isinstance(cidr.value, str) else None
    if isinstance(block, str):
        work.faults.add(cidr.path, block)
    said = [key for key in KEYS if key in item]
    if len(said) > 1:
        work.faults.add(item.path, "an entry holds one protocol: make an entry for each of " + ", ".join(said))
        return None
    passing = Traffic("-1")
    if said and said[0] in ("tcp", "udp"):
        ports = one_range(item[said[0]], work.faults)
        if item[said[0]].value is False:
            work.faults.add(item[said[0]].path, "false lets nothing pass: leave the entry out, or set its action")
        if ports is None:
            return None
        passing = Traffic(said[0], *ports)
    elif said:
        found = traffic(item, work.faults)
        if not found:
            return None
        passing = found[0]
    number = item["number"].value
    if block is None or isinstance(block, str) or not isinstance(number, int):
        return None
    if passing.protocol in ("icmp", "icmpv6"):
        protocol = passing.protocol
        if protocol == "icmp" and block.version == 6:
            if passing.from_port != -1:
                work.faults.add(
                    (*item.path, "icmp"), f"type {passing.from_port} is ICMP's, and {block} is IPv6: use protocol: icmpv6 there"
                )
                return None
            protocol = "icmpv6"
        elif protocol == "icmpv6" and block.version == 4:
            work.faults.add((*item.path, "protocol"), f"ICMPv6 belongs to IPv6, and {block} is IPv4: use icmp: true")
            return None
        icmp = (-1 if passing.from_port is None else passing.from_port, -1 if passing.to_port is None else passing.to_port)
        return AclEntrySpec(number, item.text("action", "allow") == "allow", protocol, str(block), icmp=icmp)
    return AclEntrySpec(number, item.text("action", "allow") == "allow", passing.protocol, str(block), passing.from_port, passing.to_port)
