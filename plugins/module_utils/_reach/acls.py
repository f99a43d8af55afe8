# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network ACLs: stateless, at the subnet, the lowest number first, and ``*`` denies.

https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
"""

from __future__ import annotations

from dataclasses import dataclass

from .._model.network import AclEntry, NetworkAcl
from .blocks import BlockSet, holds
from .index import Index
from .traffic import Span, Traffic, common, rule_traffic, subtract

#: From this number on the entries are AWS's own ``*``.
LAST = 32766


@dataclass(frozen=True)
class Decision:
    """What an ACL says in one direction. ``allowed``, ``denied``: parts of the span; ``allow``, ``deny``: the first entry of each that
    decided a part. ``deny`` is None where nothing matched, which denies as well.
    """

    allowed: tuple[Span, ...]
    denied: tuple[Span, ...]
    allow: AclEntry | None
    deny: AclEntry | None


def decide(index: Index, acl: NetworkAcl, egress: bool, asked: Traffic, address: str) -> Decision:
    """What an ACL says of traffic to (``egress``) or from an address; remembered.

    A port in an entry is the packet's destination port, in both directions, so an answer is matched by the client's ephemeral port.
    """
    blocks: BlockSet | None = index.memo.get(("acl blocks", acl.id))
    if blocks is None:
        blocks = index.memo["acl blocks", acl.id] = BlockSet({entry.cidr for entry in acl.entries})
    key = ("acl", acl.id, egress, asked, blocks.longest(address))
    found: Decision | None = index.memo.get(key)
    if found is None:
        found = index.memo[key] = _decide(acl, egress, asked, address)
    return found


def admits_nothing(acl: NetworkAcl, egress: bool, asked: Traffic) -> bool:
    """Whether an ACL lets nothing of a question pass, whatever its address: no entry that allows speaks of it."""
    for entry in acl.entries:
        low, high = entry.icmp if entry.icmp is not None else (entry.from_port, entry.to_port)
        if entry.egress == egress and entry.allow and asked.covered(entry.protocol, low, high) is not None:
            return False
    return True


def _decide(acl: NetworkAcl, egress: bool, asked: Traffic, address: str) -> Decision:
    left = [asked.span]
    allowed: list[Span] = []
    denied: list[Span] = []
    allow = deny = None
    for entry in acl.entries:  # in the order in which AWS tries them
        if entry.egress != egress or not left:
            continue
        low, high = entry.icmp if entry.icmp is not None else (entry.from_port, entry.to_port)
        part = asked.covered(entry.protocol, low, high)
        if part is None or not holds(entry.cidr, address):
            continue
        decided = common(left, part)
        if not decided:
            continue
        left = subtract(left, part)
        if entry.allow:
            allow = allow or entry
            allowed += decided
        else:
            deny = deny or entry
            denied += decided
    return Decision(tuple(sorted(allowed)), tuple(sorted(denied + left)), allow, deny)


def entry_text(entry: AclEntry | None) -> str:
    """``100: deny tcp 22 0.0.0.0/0``; ``*`` is AWS's own last entry."""
    if entry is None:
        return "*: deny all"
    low, high = entry.icmp if entry.icmp is not None else (entry.from_port, entry.to_port)
    number = "*" if entry.number > LAST else str(entry.number)
    return f"{number}: {'allow' if entry.allow else 'deny'} {rule_traffic(entry.protocol, low, high)} {entry.cidr}"


def free_number(acl: NetworkAcl, egress: bool, deny: AclEntry | None) -> int:
    """A number under which an entry would come before the one that denies: one less, or the nearest free one below; 0 when none is."""
    used = {entry.number for entry in acl.entries if entry.egress == egress}
    if deny is None or deny.number > LAST:
        top = max((number for number in used if number <= LAST), default=0)
        return next((number for number in (top + 100, top + 10, top + 1) if number <= LAST), 0)
    return next((number for number in range(deny.number - 1, 0, -1) if number not in used), 0)
