# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and CIDR blocks as numbers. Parsing is remembered: a network of ten thousand addresses names few blocks, many times."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple


class Ip(NamedTuple):
    """An address: ``family`` 4 or 6, ``value`` its number."""

    family: int
    value: int


class Block(NamedTuple):
    """A CIDR block: the network's number, its mask as a number, its length in bits."""

    family: int
    value: int
    mask: int
    length: int

    def holds(self, ip: Ip) -> bool:
        """Whether an address lies in it."""
        return ip.family == self.family and ip.value & self.mask == self.value


@lru_cache(maxsize=262144)
def ip(text: str) -> Ip:
    """An address from its text. Raises ValueError."""
    found = ipaddress.ip_address(text)
    return Ip(found.version, int(found))


@lru_cache(maxsize=262144)
def block(text: str) -> Block:
    """A block from its text; an address is a block of one. Raises ValueError."""
    found = ipaddress.ip_network(text, strict=False)
    return Block(found.version, int(found.network_address), int(found.netmask), found.prefixlen)


@lru_cache(maxsize=262144)
def holds(cidr: str, address: str) -> bool:
    """Whether an address lies in a block, both as text. What is no block holds nothing: snapshots of others may be misshapen."""
    try:
        return block(cidr).holds(ip(address))
    except ValueError:
        return False


def any_holds(cidrs: Iterable[str], address: str) -> bool:
    """Whether an address lies in one of several blocks."""
    return any(holds(cidr, address) for cidr in cidrs)


def text(found: Ip) -> str:
    """An address as text."""
    return str(ipaddress.IPv4Address(found.value) if found.family == 4 else ipaddress.IPv6Address(found.value))


#: Blocks of addresses that only mean something inside somebody's network: an internet gateway carries none of them.
#: https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html (IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS, …RFC6598…)
PRIVATE: Mapping[str, tuple[str, ...]] = {
    "RFC1918": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "RFC6598": ("100.64.0.0/10",),
    "RFC4193": ("fc00::/7",),
}
#: Answered beside the instance itself. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html (link-local addresses)
HOST_SERVICES = ("169.254.0.0/16", "fd00:ec2::/32")
#: Never routed: loopback, multicast, and so on.
RESERVED = ("127.0.0.0/8", "::1/128", "224.0.0.0/4", "ff00::/8", "fe80::/10", "0.0.0.0/8", "255.255.255.255/32")


@lru_cache(maxsize=65536)
def private(address: str) -> str:
    """The RFC that makes an address private, or an empty string for a public one."""
    return next((rfc for rfc, cidrs in PRIVATE.items() if any_holds(cidrs, address)), "")


class BlockSet:
    """Blocks for longest-prefix questions: lengths from the longest, and per length the networks."""

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._nets: dict[int, dict[int, dict[int, str]]] = {4: {}, 6: {}}
        for cidr in cidrs:
            try:
                found = block(cidr)
            except ValueError:
                continue
            self._nets[found.family].setdefault(found.length, {})[found.value] = cidr
        self._order = {family: sorted(nets, reverse=True) for family, nets in self._nets.items()}

    def longest(self, address: str) -> str:
        """The longest block that holds an address, or an empty string. Which others hold it follows: blocks nest."""
        family, value = ip(address)
        bits = 32 if family == 4 else 128
        nets = self._nets[family]
        for length in self._order[family]:
            found = nets[length].get(value >> (bits - length) << (bits - length))
            if found is not None:
                return found
        return ""


#: Candidates for "some public address", of ranges kept for documentation, which are nobody's. The one that the rules say least of is taken.
#: https://www.rfc-editor.org/rfc/rfc5737, https://www.rfc-editor.org/rfc/rfc3849
PUBLIC = {
    4: ("203.0.113.77", "198.51.100.77", "192.0.2.77", "8.8.8.8", "1.1.1.1", "52.95.110.1", "151.101.1.1"),
    6: ("3fff::77", "2a00:1450:4001::77", "2606:4700::77", "2001:4860:4860::77"),
}


def plainest(named: BlockSet, candidates: Iterable[str]) -> str:
    """Of several addresses the one that the network's rules and routes say least of in particular; the first of equals."""
    return min(candidates, key=lambda address: block(found).length if (found := named.longest(address)) else -1)


def candidates(cidr: str) -> list[str]:
    """Host addresses of a subnet that could stand for one that is not there yet: spread over it, none of the five that AWS keeps.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    found = block(cidr)
    size = 1 << ((32 if found.family == 4 else 128) - found.length)
    offsets = dict.fromkeys([min(10, size - 2), 4, size - 2, *(size * part // 16 + 5 for part in range(1, 16))])
    return [text(Ip(found.family, found.value + offset)) for offset in offsets if 4 <= offset < size - 1] or [
        text(Ip(found.family, found.value))
    ]
