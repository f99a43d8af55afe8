# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the lab keeps a security group's rules: on the emulator's group object, in AWS's terms.

The emulator's own rule objects know neither the connection over which a reference was accepted, nor a default group's own
reference, nor descriptions of prefix lists; they are replaced by ours the first time that a group is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .group_rules import Rule, default_rules


def has_ipv6(vpc: Any) -> bool:
    """Whether a VPC (the emulator's object, or ``None``) has an IPv6 CIDR block."""
    if vpc is None:
        return False
    blocks = vpc.get_cidr_block_association_set(ipv6=True)
    return any("disassociat" not in str(block.get("cidr_block_state")) for block in blocks)


def rules_of(group: Any) -> list[Rule]:
    """The rules of a group (the emulator's object), in the order in which they were made."""
    rules: list[Rule] | None = getattr(group, "lab_rules", None)
    if rules is None:
        backend = group.ec2_backend
        # Rules that the emulator's stack templates wrote are not AWS-shaped; a group starts as AWS starts it.
        rules = default_rules(
            group.id, default=bool(group.is_default), ipv6=has_ipv6(backend.vpcs.get(group.vpc_id)), account=backend.account_id
        )
        set_rules(group, rules)
    return rules


def set_rules(group: Any, rules: Iterable[Rule]) -> None:
    """Replace the rules of a group."""
    group.lab_rules = list(rules)
    group.ingress_rules, group.egress_rules = [], []
