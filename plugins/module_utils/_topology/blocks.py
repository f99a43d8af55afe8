# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CIDR blocks: parsing with words, AWS's sizes and ranges, overlap. Blocks are ``ipaddress`` networks inside, canonical strings outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import combinations
from typing import TypeAlias, TypeVar

Block: TypeAlias = "IPv4Network | IPv6Network"
Label = TypeVar("Label")

_RFC1918 = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_TEST = IPv4Network("198.19.0.0/16")
#: Never an address of an instance: this host, loopback, link-local, multicast and reserved.
#: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
_UNUSABLE = tuple(ip_network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
_UNUSABLE6 = tuple(ip_network(text) for text in ("::/8", "fe80::/10", "ff00::/8"))
#: Reserved for AWS's services; no route can lead there. https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html
UNROUTABLE = tuple(ip_network(text) for text in ("169.254.168.0/22", "fd00:ec2::/32"))


@lru_cache(maxsize=8192)
def parse(text: str) -> IPv4Network | IPv6Network | str:
    """The block, or what is wrong with the text."""
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        loose = ip_network(text, strict=False)
    except ValueError:
        return f"{text} is not a CIDR block such as 10.0.0.0/16 or 2001:db8::/32"
    return f"{text} has host bits set: did you mean {loose}?"


def address(text: str) -> IPv4Address | IPv6Address | None:
    """A single address, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def overlapping(left: Block, right: Block) -> bool:
    """Whether two blocks of one family share an address."""
    return left.version == right.version and left.overlaps(right)


def inside(inner: Block, outer: Iterable[Block]) -> bool:
    """Whether a block lies wholly in one of the others."""
    return any(inner.version == block.version and inner.subnet_of(block) for block in outer)  # type: ignore[arg-type]


def vpc_fault(block: Block) -> str:
    """Why a VPC cannot have this IPv4 block, or an empty string. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""
    if not 16 <= block.prefixlen <= 28:
        return f"{block} is a /{block.prefixlen}: AWS takes VPC blocks from /16 to /28"
    unusable = next((other for other in _UNUSABLE if overlapping(block, other)), None)
    return (
        f"{block} lies in {unusable}, which instances cannot use: take one of 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16"
        if unusable
        else ""
    )


def vpc_fault6(block: Block) -> str:
    """Why a VPC cannot have this IPv6 block. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html#vpc-sizing-ipv6"""
    if block.version != 6:
        return f"{block} is not an IPv6 block: IPv4 blocks stand in `cidr`"
    if not (44 <= block.prefixlen <= 60 and block.prefixlen % 4 == 0):
        return f"{block} is a /{block.prefixlen}: AWS takes IPv6 blocks of a VPC from /44 to /60 in steps of 4"
    return f"{block} cannot be used by instances" if any(overlapping(block, other) for other in _UNUSABLE6) else ""


def secondary_fault(primary: Block, others: Sequence[Block], block: Block) -> str:
    """Why a block cannot be added to a VPC beside its primary and the other ones.

    The table "IPv4 CIDR block association restrictions" of https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    """
    home = next((item for item in _RFC1918 if inside(primary, [item])), None)
    target = next((item for item in _RFC1918 if overlapping(block, item)), None)
    if home is None and target is not None:
        return f"{block} cannot be added to a VPC whose primary block is {primary}: AWS takes no RFC 1918 block there"
    if home is not None and target is not None and target != home:
        return f"{block} cannot be added to a VPC whose primary block is {primary}: of the RFC 1918 ranges AWS takes only {home} there"
    if overlapping(block, _TEST) and not inside(primary, [_TEST]):
        return f"{block} cannot be added to a VPC: AWS keeps {_TEST} for itself"
    low, pair, default = IPv4Network("10.0.0.0/16"), IPv4Network("10.0.0.0/15"), IPv4Network("172.31.0.0/16")
    if inside(block, [low]) and any(inside(other, [pair]) for other in (primary, *others)):
        return f"{block} cannot be added to a VPC that has a block in {pair}: AWS takes no further one from {low}"
    if home == _RFC1918[1] and inside(block, [default]):
        return f"{block} cannot be added to a VPC whose primary block is in {home}: AWS takes none from {default}"
    return ""


def overlaps(left: Sequence[tuple[Label, Block]], right: Sequence[tuple[Label, Block]]) -> list[tuple[Label, Block, Label, Block]]:
    """Every overlapping pair of labelled blocks: label, block, other label, other block."""
    return [(label, block, other, against) for label, block in left for other, against in right if overlapping(block, against)]


def clashes(blocks: Sequence[tuple[Label, Block]]) -> list[tuple[Label, Block, Label, Block]]:
    """Overlapping pairs within one list: the later one, then the earlier."""
    return [
        (later, block, earlier, against) for (earlier, against), (later, block) in combinations(blocks, 2) if overlapping(block, against)
    ]
