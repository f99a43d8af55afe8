# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CIDR blocks as numbers: thousands of them are compared at each compilation, so none is parsed twice."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple


class Block(NamedTuple):
    """``first`` and ``last`` address as numbers; ``length`` of the prefix; ``family`` 4 or 6."""

    family: int
    first: int
    last: int
    length: int

    def within(self, other: Block) -> bool:
        """Whether the other one holds all of it."""
        return self.family == other.family and other.first <= self.first and self.last <= other.last


@lru_cache(maxsize=1 << 16)
def block(cidr: str) -> Block:
    """A block, or an address alone. Raises ValueError for what is neither."""
    found = ip_network(cidr, strict=False)
    return Block(found.version, int(found.network_address), int(found.broadcast_address), found.prefixlen)


def nth(cidr: str, number: int) -> str:
    """An address of a block by its place: 0 is the block's own."""
    found = block(cidr)
    return str(IPv4Address(found.first + number) if found.family == 4 else IPv6Address(found.first + number))


def host(address: str) -> str:
    """An address as the block of it alone; a block as it is."""
    if "/" in address:
        return address
    return f"{address}/128" if ":" in address else f"{address}/32"
