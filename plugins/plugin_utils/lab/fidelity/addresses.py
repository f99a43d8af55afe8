# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: a subnet's pool, the lab's public ones, and the DNS names that AWS makes of them.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html (the first four and the last address are reserved),
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html (names), RFC 2544 (198.18.0.0/15 is nobody's on the internet, so a
lab's public address never is a stranger's).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..calls import Refusal
from .shapes import invalid

if TYPE_CHECKING:
    from ..core import Lab

PUBLIC = ipaddress.IPv4Network("198.18.0.0/15")
_FIRST = 4


def private_domain(region: str) -> str:
    """The domain of private DNS names: ec2.internal, or with the Region outside us-east-1."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def private_name(address: str, region: str) -> str:
    """The IP-based private DNS name of an instance: ip-10-0-1-5.ec2.internal."""
    return f"ip-{address.replace('.', '-')}.{private_domain(region)}"


def public_name(address: str, region: str) -> str:
    """The public DNS name of a public address."""
    domain = "compute-1.amazonaws.com" if region == "us-east-1" else f"{region}.compute.amazonaws.com"
    return f"ec2-{address.replace('.', '-')}.{domain}"


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(str(cidr), strict=False)


def choose(cidr: str, used: Collection[str], count: int) -> list[str]:
    """The lowest ``count`` free addresses of a CIDR, fewer when it has fewer; the reserved ones are never among them. Pure."""
    network = _network(cidr)
    result: list[str] = []
    first, last = int(network.network_address) + _FIRST, int(network.broadcast_address) - 1
    build = ipaddress.IPv4Address if network.version == 4 else ipaddress.IPv6Address
    number = first
    while len(result) < count and number <= last:
        address = str(build(number))
        if address not in used:
            result.append(address)
        number += 1
    return result


def check(cidr: str, wanted: str, used: Collection[str]) -> str:
    """An address that a caller asked for, in canonical form, or AWS's refusal of it. Pure."""
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        raise invalid(f"invalid value for parameter address: {wanted}") from None
    network = _network(cidr)
    if address.version != network.version or address not in network:
        raise invalid(f"Address {wanted} does not fall within the subnet's address range")
    offset = int(address) - int(network.network_address)
    if offset < _FIRST or int(address) == int(network.broadcast_address):
        raise invalid(f"Address {wanted} is in subnet's reserved address range")
    if str(address) in used:
        raise Refusal("InvalidIPAddress.InUse", f"Address {wanted} is in use.")
    return str(address)


def _held(eni: Any) -> Iterable[str]:
    yield from (item["PrivateIpAddress"] for item in eni.private_ip_addresses)
    yield from eni.ipv6_addresses
    for prefix in getattr(eni, "lab_prefixes", ()):
        yield from (str(address) for address in ipaddress.IPv4Network(prefix))


def used_in(backend: Any, subnet: str) -> set[str]:
    """The private addresses, of both families, that network interfaces hold in a subnet."""
    return {address for eni in list(backend.enis.values()) if eni.subnet.id == subnet for address in _held(eni)}


def take(backend: Any, subnet: Any, count: int, wanted: Sequence[str] = ()) -> list[str]:
    """``count`` private IPv4 addresses of a subnet, the wanted ones first; they are held once an interface has them."""
    used, result = used_in(backend, subnet.id), []
    for address in wanted:
        result.append(check(subnet.cidr_block, address, used))
        used.add(result[-1])
    result += choose(subnet.cidr_block, used, count - len(result))
    if len(result) < count:
        raise Refusal(
            "InsufficientFreeAddressesInSubnet",
            f"There are not enough free addresses in subnet '{subnet.id}' to satisfy the requested number of addresses.",
        )
    return result


def ipv6_block(subnet: Any) -> str | None:
    """The IPv6 CIDR block of a subnet (the emulator's object), or ``None``."""
    for association in subnet.ipv6_cidr_block_associations.values():
        state = association.get("ipv6CidrBlockState")
        if "disassociat" not in str(state):
            return str(association.get("ipv6CidrBlock"))
    return None


def take_ipv6(backend: Any, subnet: Any, count: int, wanted: Sequence[str] = ()) -> list[str]:
    """IPv6 addresses from a subnet's /64, the wanted ones first."""
    if not count and not wanted:
        return []
    block = ipv6_block(subnet)
    if block is None:
        raise invalid(f"The subnet '{subnet.id}' has no IPv6 CIDR block")
    used, result = used_in(backend, subnet.id), []
    for address in wanted:
        result.append(check(block, address, used))
        used.add(result[-1])
    return result + choose(block, used, count - len(result))


def take_public(lab: Lab, wanted: str | None = None) -> str:
    """A public address that nobody in the whole lab has."""
    state = lab.state("public_addresses")
    used: set[str] = state.setdefault("used", set())
    if wanted is not None:
        if wanted in used:
            raise Refusal("InvalidAddress.NotFound", f"Address '{wanted}' is not available.")
        used.add(wanted)
        return wanted
    size, start = PUBLIC.num_addresses - 2, int(PUBLIC.network_address) + 1
    for _turn in range(size):
        step = int(state.get("next", 0))
        state["next"] = (step + 1) % size
        address = str(ipaddress.IPv4Address(start + step))
        if address not in used:
            used.add(address)
            return address
    raise Refusal("InsufficientAddressCapacity", "Not enough addresses available to satisfy the requested operation.")


def free_public(lab: Lab, address: str) -> None:
    """Give a public address back."""
    lab.state("public_addresses").setdefault("used", set()).discard(address)
