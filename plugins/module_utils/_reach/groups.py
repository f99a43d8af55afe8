# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups: stateful, no denies, all rules of all groups of an interface add up; egress and ingress are gates of their own.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from .._model.network import Rule
from .blocks import BlockSet, any_holds, holds
from .index import Index
from .traffic import Span, Traffic, common, narrowed, rule_traffic, subtract

ALL, SOME, NONE, UNSURE = "all", "some", "none", "unknown"


class Link(NamedTuple):
    """How two interfaces are joined, which decides whether a rule that names the other's group admits it.

    ``references``: whether it does; otherwise ``code`` and ``why`` say what is in the way. ``way``: local, peering, transit or none.
    ``egress``: whether it does in egress rules too (a transit gateway serves ingress rules only).
    """

    way: str
    references: bool
    code: str = ""
    why: str = ""
    egress: bool = True


LOCAL = Link("local", True)


@dataclass(frozen=True)
class Gate:
    """What the groups of one interface say. ``verdict``: all, some, none or unknown. ``rule``: the one that admits.

    ``passing``: the spans that are admitted. ``near``: a rule that would admit but for ``code`` and ``why``. ``missing``: what would tell.
    """

    verdict: str
    rule: Rule | None = None
    passing: tuple[Span, ...] = ()
    near: Rule | None = None
    code: str = ""
    why: str = ""
    missing: str = ""


class Peer(NamedTuple):
    """The other end as this gate sees it. ``groups``: its own, None when they are not known. ``vpc`` is empty outside."""

    address: str
    groups: tuple[str, ...] | None
    vpc: str
    link: Link


def gate(index: Index, groups: tuple[str, ...], egress: bool, asked: Traffic, peer: Peer) -> Gate:
    """Whether an interface's groups let traffic out to (``egress``) or in from a peer.

    Remembered by what these groups can tell apart: the longest block of their own that holds the address, and the groups that they name.
    """
    blocks, named = _view(index, groups, egress)
    seen = None if peer.groups is None else tuple(group for group in peer.groups if group in named)
    rest = (peer.vpc, peer.link) if seen is None else (peer.link,) if seen else ()
    key = ("gate", groups, egress, asked, blocks.longest(peer.address), seen, rest)
    found: Gate | None = index.memo.get(key)
    if found is None:
        found = index.memo[key] = _gate(index, groups, egress, asked, peer)
    return found


def admits_nobody(index: Index, groups: tuple[str, ...], egress: bool, asked: Traffic) -> bool:
    """Whether groups let nothing of a question pass, wherever it comes from: no rule speaks of it at all."""
    if not groups or _unread(index, groups) is not None:
        return False
    rules = [rule for group in groups for rule in index.group_rules.get((group, egress), ())]
    return all(asked.covered(rule.protocol, rule.from_port, rule.to_port) is None for rule in rules)


def _view(index: Index, groups: tuple[str, ...], egress: bool) -> tuple[BlockSet, frozenset[str]]:
    """The blocks and the groups that the rules of some groups name."""
    key = ("view", groups, egress)
    found: tuple[BlockSet, frozenset[str]] | None = index.memo.get(key)
    if found is None:
        rules = [rule for group in groups for rule in index.group_rules.get((group, egress), ())]
        lists = [index.network.prefix_lists.get(rule.prefix_list) for rule in rules if rule.prefix_list]
        cidrs = [*(rule.cidr for rule in rules if rule.cidr), *(cidr for item in lists if item for cidr in item.entries or ())]
        found = index.memo[key] = BlockSet(cidrs), frozenset(rule.source_group for rule in rules if rule.source_group)
    return found


def _gate(index: Index, groups: tuple[str, ...], egress: bool, asked: Traffic, peer: Peer) -> Gate:
    left, first = [asked.span], None
    near: tuple[Rule, str, str] | None = None
    unsure: tuple[Rule, str, str] | None = None
    any_rules = False
    for group in groups:
        rules = index.group_rules.get((group, egress), ())
        any_rules = any_rules or bool(rules)
        for rule in rules:
            part = asked.covered(rule.protocol, rule.from_port, rule.to_port)
            if part is None or not common(left, part):
                continue
            admits, code, why = _admits(index, rule, egress, peer)
            if admits:
                first = first or rule
                left = subtract(left, part)
                if not left:
                    return Gate(ALL, rule, (asked.span,))
            elif admits is None:
                unsure = unsure or (rule, code, why)
            elif code:
                near = near or (rule, code, why)
    return _fell_short(index, groups, asked, left, first, near, unsure, any_rules, egress)


def _fell_short(
    index: Index,
    groups: tuple[str, ...],
    asked: Traffic,
    left: list[Span],
    first: Rule | None,
    near: tuple[Rule, str, str] | None,
    unsure: tuple[Rule, str, str] | None,
    any_rules: bool,
    egress: bool,
) -> Gate:
    unread = _unread(index, groups)
    if unread is not None:
        return Gate(UNSURE, first, code="NOT_OBSERVED", why=f"the rules of {unread[1]} were not observed", missing=unread[0])
    if unsure is not None:
        return Gate(UNSURE, first, near=unsure[0], code=unsure[1], why=unsure[2])
    passing = [asked.span]
    for span in left:
        passing = subtract(passing, span)
    if first is not None:
        return Gate(SOME, first, tuple(passing), why=f"only {narrowed(asked, passing)} is admitted")
    if near is not None:
        return Gate(NONE, near=near[0], code=near[1], why=near[2])
    if not any_rules:
        return Gate(NONE, code="SG_HAS_NO_RULES", why=f"no {'outbound' if egress else 'inbound'} rules at all")
    return Gate(NONE, code="ENI_SG_RULES_MISMATCH", why=f"no {'outbound' if egress else 'inbound'} rule matches")


def _unread(index: Index, groups: tuple[str, ...]) -> tuple[str, str] | None:
    """(file, group) of the first group whose rules were not read."""
    for group in groups:
        found = index.network.security_groups.get(group)
        if found is None:
            return "SecurityGroups.json", group
        # SecurityGroups tells the rules too, where SecurityGroupRules is not there.
        if not found.rules_told:
            return f"{found.account}/{found.region}/SecurityGroupRules.json", group
        missing = index.missing("SecurityGroupRules", index.network.vpcs.get(found.vpc), "SecurityGroups")
        if missing:
            return missing, group
    return None


def _admits(index: Index, rule: Rule, egress: bool, peer: Peer) -> tuple[bool | None, str, str]:
    """(whether the rule's peer is this one; None when that cannot be said, code, why)."""
    if rule.cidr:
        return holds(rule.cidr, peer.address), "", ""
    if rule.prefix_list:
        known = index.network.prefix_lists.get(rule.prefix_list)
        if known is None or known.entries is None:
            return None, "NOT_OBSERVED", f"the entries of {rule.prefix_list} were not read (PrefixListEntries.json)"
        return any_holds(known.entries, peer.address), "", ""
    if peer.groups is None:
        if not peer.link.references or (peer.vpc and not _usable(index, rule, peer.vpc)):
            return False, "", ""
        return None, "UNKNOWN_PEERED_SGS", f"rule {rule.id} names {rule.source_group}, and the other end's groups are not known"
    if rule.source_group not in peer.groups:
        return False, "", ""
    link = peer.link
    if link.references and (link.egress or not egress):
        named = index.network.security_groups.get(rule.source_group)
        if link.way != "local" and named is not None and named.vpc != peer.vpc:
            why = f"rule {rule.id} names {rule.source_group} of {named.vpc}, which the other end has by its association with {peer.vpc}"
            return None, "GROUP_ASSOCIATION", f"{why}; whether that counts beyond {peer.vpc} AWS does not say"
        return True, "", ""
    return False, link.code or "SG_REFERENCES_NOT_PRESERVED", link.why or "a transit gateway passes groups on to inbound rules only"


def _usable(index: Index, rule: Rule, vpc: str) -> bool:
    """Whether an interface of a VPC may have the group that a rule names: it is the VPC's own, or associated with it.

    https://docs.aws.amazon.com/vpc/latest/userguide/security-group-assoc.html
    """
    if rule.source_vpc in ("", vpc):
        return True
    known = index.network.security_groups.get(rule.source_group)
    return (known is not None and vpc in known.associated_vpcs) or bool(
        index.untold("SecurityGroupVpcAssociations", index.network.vpcs.get(vpc))
    )


def rule_text(rule: Rule) -> str:
    """``sgr-1: tcp 443 from sg-2``, as the account has it."""
    peer = rule.cidr or rule.prefix_list or (f"{rule.source_account}/{rule.source_group}" if rule.peering else rule.source_group)
    id_ = rule.id.partition(": ")[0]  # a planned rule's id says the rest too
    return f"{id_}: {rule_traffic(rule.protocol, rule.from_port, rule.to_port)} {'to' if rule.egress else 'from'} {peer}"
