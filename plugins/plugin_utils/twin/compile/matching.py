# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule of a security group or network ACL matches, as nftables text: addresses, protocol, ports, ICMP types. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2s
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from . import blocks as cidrs

ANYWHERE = {"0.0.0.0/0": 4, "::/0": 6}
FAMILIES = (4, 6)
TCP_UDP = ("tcp", "udp")
_HEADER = {4: "ip", 6: "ip6"}
_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}
_ICMP_FAMILY = {"icmp": 4, "icmpv6": 6}
_LAST_PORT = 65535


def identifier(text: str) -> str:
    """An AWS id as a name of nftables. A planned one (``planned:dev.web``) has letters that must go, and gets a digest to stay unique."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", text)
    return plain if plain == text else f"{plain}_{blake2s(text.encode(), digest_size=4).hexdigest()}"


def family_of(address: str) -> int:
    """4 or 6, of an address or a CIDR block."""
    return 6 if ":" in address else 4


def quoted(names: Iterable[str]) -> str:
    """Device names as one match takes them: ``"e1"``, or ``{ "e1", "e2" }`` for several."""
    return one_of(f'"{name}"' for name in sorted(names))


def one_of(values: Iterable[str]) -> str:
    """A value, or an anonymous set of them."""
    found = list(values)
    return found[0] if len(found) == 1 else "{ " + ", ".join(found) + " }"


def collapsed(blocks: Iterable[str], family: int) -> tuple[str, ...]:
    """The blocks of one family without overlaps, as an interval set needs them, in order."""
    if family == 6:
        return tuple(str(block) for block in collapse_addresses(IPv6Network(block) for block in blocks if family_of(block) == 6))
    return tuple(str(block) for block in collapse_addresses(IPv4Network(block) for block in blocks if family_of(block) == 4))


def flags_of(elements: Iterable[str]) -> tuple[str, ...]:
    """The flags of a set by its elements: one that has blocks besides addresses is slower, so only that one is of intervals."""
    return ("interval",) if any("/" in element for element in elements) else ()


def address(side: str, cidr: str) -> str:
    """Match a block by ``side``, saddr or daddr; nothing but the family for all of it."""
    cidrs.block(cidr)  # raises ValueError: nftables would ask a resolver for a text that is no block
    if cidr in ANYWHERE:
        return f"meta nfproto ipv{ANYWHERE[cidr]}"
    block = ip_network(cidr, strict=False)
    text = str(block.network_address) if block.num_addresses == 1 else str(block)
    return f"{_HEADER[block.version]} {side} {text}"


def header(side: str, family: int) -> str:
    """The address's name in nftables: ``ip saddr``."""
    return f"{_HEADER[family]} {side}"


def protocol_name(protocol: str) -> str:
    """AWS's number or name as one name: tcp, udp, icmp, icmpv6, else the number; ``-1`` is all."""
    return _PROTOCOLS.get(protocol, protocol.lower())


def ports(protocol: str, from_port: int | None, to_port: int | None) -> str | None:
    """Match protocol and destination ports; empty for all. None: nothing can match.

    Ports of other protocols than TCP and UDP are not looked at, as on AWS:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
    """
    name = protocol_name(protocol)
    if name == "-1":
        return ""
    if name not in TCP_UDP:
        return f"meta l4proto {_number(name)}"
    ranges = merged_ranges([port_range(protocol, from_port, to_port)])
    return port_match(name, ranges) if ranges else None


def port_range(protocol: str, from_port: int | None, to_port: int | None) -> tuple[int, int]:
    """The first and last port that a rule of TCP, UDP or all protocols lets through."""
    if protocol_name(protocol) == "-1" or every_port(from_port, to_port):
        return 0, _LAST_PORT
    return from_port or 0, _LAST_PORT if to_port is None else to_port


def merged_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of ports in order, without overlaps; what ends before it begins is left out."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if low > high:
            continue
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return found


def port_match(protocol: str, ranges: list[tuple[int, int]]) -> str:
    """Match a protocol, tcp or udp, and destination ports in any of the ranges."""
    if ranges == [(0, _LAST_PORT)]:
        return f"meta l4proto {protocol}"
    return f"{protocol} dport {one_of(str(low) if low == high else f'{low}-{high}' for low, high in ranges)}"


def every_port(from_port: int | None, to_port: int | None) -> bool:
    """Whether a rule leaves no port out; AWS says so with nothing, -1, or the whole range."""
    return from_port in (None, -1, 0) and to_port in (None, -1, _LAST_PORT)


def icmp(protocol: str, type_: int | None, code: int | None, family: int) -> str | None:
    """Match an ICMP type and code (None and -1: any). None when packets of the family carry no such protocol."""
    name = protocol_name(protocol)
    if _ICMP_FAMILY[name] != family:
        return None
    if type_ is None or type_ == -1:
        return f"meta l4proto {_number(name)}"
    found = f"{name} type {type_}"
    return found if code is None or code == -1 else f"{found} {name} code {code}"


def traffic(protocol: str, from_port: int | None, to_port: int | None, family: int) -> str | None:
    """Match what a security group's rule says beside addresses: for ICMP its ports are type and code. None: nothing can match."""
    if protocol_name(protocol) in _ICMP_FAMILY:
        return icmp(protocol, from_port, to_port, family)
    return ports(protocol, from_port, to_port)


def _number(name: str) -> str:
    return {"icmp": "icmp", "icmpv6": "ipv6-icmp"}.get(name, name)


def rule(*parts: str) -> str:
    """A line out of its parts, empty ones left out."""
    return " ".join(part for part in parts if part)
