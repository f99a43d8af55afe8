# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS allows as a CIDR block of a VPC, a subnet and a route: pure functions over addresses, and their refusals.

Sources: "VPC CIDR blocks" (https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html), "Subnet CIDR blocks"
(https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html), "Route table concepts"
(https://docs.aws.amazon.com/vpc/latest/userguide/RouteTables.html).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from ..calls import Refusal
from .shapes import invalid

Network = IPv4Network | IPv6Network

# Blocks that no VPC may hold: "this network", loopback, link-local, multicast and beyond.
_NEVER = tuple(IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
_TEN = IPv4Network("10.0.0.0/8")
_RFC1918 = (_TEN, IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
_DEFAULT_VPC = IPv4Network("172.31.0.0/16")
_BENCHMARK = IPv4Network("198.19.0.0/16")
_TEN_LOW, _TEN_FIRST = IPv4Network("10.0.0.0/15"), IPv4Network("10.0.0.0/16")
# Destinations that a route table never takes ("reserved for use by AWS services").
_UNROUTABLE: tuple[Network, ...] = (IPv4Network("169.254.168.0/22"), IPv6Network("fd00:ec2::/32"))
_RESTRICTED = (
    "Use a CIDR from the same private address range as the current VPC CIDR, or use a publicly-routable CIDR. "
    "For additional restrictions, see https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"
)


@lru_cache(maxsize=65536)
def _parse(text: str) -> Network:
    if "/" not in text:
        raise ValueError(text)
    return ip_network(text.strip(), strict=False)


def parse(text: str, parameter: str, version: int) -> Network:
    """A CIDR block, its host bits cleared as AWS clears them; InvalidParameterValue names the parameter when it is none.

    "If you specify 100.68.0.18/18, we modify it to 100.68.0.0/18" (CreateVpc, CreateSubnet, CreateRoute).
    """
    try:
        network = _parse(text)
    except ValueError:
        network = None
    if network is None or network.version != version:
        kind = "IPv6 CIDR" if version == 6 else "CIDR"
        raise invalid(f"Value ({text}) for parameter {parameter} is invalid. This is not a valid {kind} block.")
    return network


def within(inner: Network, outer: Network) -> bool:
    """Whether every address of ``inner`` is in ``outer``; blocks of two families never are."""
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner.subnet_of(outer)
    return False


def overlap(left: Iterable[str], right: Iterable[str]) -> bool:
    """Whether any block of one list shares an address with any of the other (both families may be mixed)."""
    others = [_parse(text) for text in right]
    return any(one.version == other.version and one.overlaps(other) for one in map(_parse, left) for other in others)


def check_vpc_block(block: IPv4Network) -> None:
    """A VPC's IPv4 block is a /16 to a /28 outside the reserved ranges; InvalidVpc.Range otherwise."""
    if not 16 <= block.prefixlen <= 28 or any(block.overlaps(never) for never in _NEVER):
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' is invalid.")


def restricted(block: IPv4Network, primary: IPv4Network, present: Iterable[IPv4Network]) -> bool:
    """Whether AWS restricts ``block`` as a secondary block, by the table "IPv4 CIDR block association restrictions".

    Restricted are private ranges other than the primary's own; 198.19.0.0/16 beside any other primary; 172.31.0.0/16 beside a
    172.16.0.0/12 primary; and 10.0.0.0/16 where a block of 10.0.0.0/15 is present.
    """
    own = next((private for private in _RFC1918 if primary.subnet_of(private)), None)
    if any(block.overlaps(private) and private != own for private in _RFC1918):
        return True
    if block.overlaps(_BENCHMARK) and not primary.subnet_of(_BENCHMARK):
        return True
    if own is not None and primary.subnet_of(_RFC1918[1]) and block.overlaps(_DEFAULT_VPC):
        return True
    return block.overlaps(_TEN_FIRST) and any(item.subnet_of(_TEN_LOW) for item in present)


def check_secondary(block: IPv4Network, primary: IPv4Network, present: Iterable[IPv4Network]) -> None:
    """A further IPv4 block of a VPC: its size, AWS's restricted ranges, no overlap with what the VPC holds."""
    present = list(present)
    check_vpc_block(block)
    if any(block.overlaps(item) for item in present):
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' conflicts with another CIDR block of the VPC.")
    if restricted(block, primary, present):
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' is restricted. {_RESTRICTED}")


def check_against_routes(block: Network, destinations: Iterable[str]) -> None:
    """A new block must not be "the same or larger than a destination CIDR range in a route in any of the VPC route tables"."""
    for text in destinations:
        if within(_parse(text), block):
            raise Refusal(
                "InvalidVpc.Range",
                f"The CIDR '{block}' is the same as or larger than the destination '{text}' of a route in a route table of the VPC.",
            )


def check_subnet_block(block: IPv4Network, of_vpc: Iterable[IPv4Network], present: Iterable[IPv4Network]) -> None:
    """A subnet's IPv4 block: /16 to /28 inside one block of the VPC (InvalidSubnet.Range), beside the others (InvalidSubnet.Conflict)."""
    if not 16 <= block.prefixlen <= 28 or not any(block.subnet_of(item) for item in of_vpc):
        raise Refusal("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    if any(block.overlaps(item) for item in present):
        raise Refusal("InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet")


def check_subnet_block6(block: IPv6Network, of_vpc: Iterable[IPv6Network], present: Iterable[IPv6Network]) -> None:
    """A subnet's IPv6 block: /44 to /64 in steps of 4, inside one block of the VPC, beside the others."""
    if block.prefixlen not in range(44, 65, 4) or not any(block.subnet_of(item) for item in of_vpc):
        raise Refusal("InvalidSubnet.Range", f"The CIDR '{block}' is invalid.")
    if any(block.overlaps(item) for item in present):
        raise Refusal("InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet")


def check_routable(destination: Network) -> None:
    """AWS takes no route to (a part of) the ranges it keeps for its own services."""
    for block in _UNROUTABLE:
        if within(destination, block):
            raise invalid(f"The destination CIDR block {destination} is within {block}, which is reserved for use by AWS services.")
