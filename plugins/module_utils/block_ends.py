# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks that rules of security groups name, as ends beside the named ones."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from ._reach.endpoints import End
from ._reach.index import Index
from ._topology.blocks import Block
from ._topology.width import together

#: The whole internet, which is an end of its own.
WHOLE = ("0.0.0.0/0", "::/0")


def named_by(index: Index, groups: Iterable[str], *, egress: bool) -> list[str]:
    """Every block that the rules of some groups name in one direction, by itself or in a prefix list whose entries are known."""
    found: dict[str, None] = {}
    for rule in (rule for group in groups for rule in index.group_rules.get((group, egress), ())):
        known = index.network.prefix_lists.get(rule.prefix_list)
        found |= dict.fromkeys([rule.cidr] if rule.cidr else known.entries or () if known else ())
    return list(found)


def stood_for(block: str, owned: Sequence[Block], ends: Iterable[End]) -> bool:
    """Whether named ends stand for a block: it is all of VPCs' own blocks (``owned``), and one of the ends is in it."""
    network = ipaddress.ip_network(block)
    if not together(network, owned):
        return False
    return any(
        ipaddress.ip_address(address) in network for end in ends if end.kind == "host" for address in (end.ipv4, end.ipv6) if address
    )
