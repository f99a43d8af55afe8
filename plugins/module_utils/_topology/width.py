# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of the public address space some blocks hold together, however they are written."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from .blocks import Block, inside

#: IPv4 space that is not public: https://www.iana.org/assignments/iana-ipv4-special-registry, and all from 224.0.0.0 on.
_NOT_PUBLIC = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
    )
)
#: All of IPv6's global unicast space that IANA gives out: https://www.iana.org/assignments/ipv6-unicast-address-assignments
_PUBLIC6 = IPv6Network("2000::/3")
#: Addresses of each family that are public at all.
PUBLIC = {4: 2**32 - sum(block.num_addresses for block in _NOT_PUBLIC), 6: _PUBLIC6.num_addresses}
#: The longest prefix whose size is not yet wide. For IPv4 a /8, one of the 256 parts of all there is. For IPv6 a /16: the registries hold
#: some six /12s in all, so a /16 is about a hundredth of what is in use, and far more than any provider or cloud Region has.
WIDE_PREFIX = {4: 8, 6: 16}


def merged(blocks: Iterable[Block]) -> list[Block]:
    """The fewest blocks that hold the same addresses, IPv4 first."""
    known = list(blocks)
    four = collapse_addresses(block for block in known if isinstance(block, IPv4Network))
    six = collapse_addresses(block for block in known if isinstance(block, IPv6Network))
    return [*four, *six]


def together(inner: Block, outer: Iterable[Block]) -> bool:
    """Whether some blocks hold all of another, between them."""
    return inside(inner, merged(block for block in outer if block.version == inner.version))


def public(blocks: Iterable[Block], family: int) -> int:
    """How many public addresses of a family some blocks hold, each counted once."""
    return sum(_public(block) for block in merged(blocks) if block.version == family)


def wide(count: int, family: int) -> bool:
    """Whether so many public addresses are more than one network's."""
    return count > 1 << ((32 if family == 4 else 128) - WIDE_PREFIX[family])


def _public(block: Block) -> int:
    if isinstance(block, IPv6Network):
        return _overlap(block, _PUBLIC6)
    return block.num_addresses - sum(_overlap(block, other) for other in _NOT_PUBLIC)


def _overlap(one: Block, other: Block) -> int:
    """Addresses of both: blocks nest, or are apart."""
    return min(one.num_addresses, other.num_addresses) if one.version == other.version and one.overlaps(other) else 0
