# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of network interfaces beside their addresses: idle timeouts of tracked connections, and IPv4 prefixes.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ConnectionTrackingSpecificationRequest.html (the bounds),
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html ("a /28 IPv4 prefix", "assigned automatically" or by its block).
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

from ..calls import Refusal
from .addresses import used_in
from .cidr_rules import parse
from .shapes import invalid

_BOUNDS = {"TcpEstablishedTimeout": (60, 432000), "UdpStreamTimeout": (60, 180), "UdpTimeout": (30, 60)}
_LENGTH = 28


def check_tracking(asked: dict[str, Any]) -> dict[str, int]:
    """Timeouts in seconds, each inside its bounds."""
    result = {name: int(value) for name, value in asked.items() if value is not None}
    for name, value in result.items():
        low, high = _BOUNDS[name]
        if not low <= value <= high:
            raise invalid(f"Value ({value}) for parameter {name} is invalid. It is {low} to {high} seconds.")
    return result


def shown(eni: Any) -> dict[str, Any]:
    """The members of an interface that tell of its options; empty where it has none."""
    result: dict[str, Any] = {}
    if tracking := getattr(eni, "lab_tracking", None):
        result["ConnectionTrackingConfiguration"] = tracking
    if prefixes := getattr(eni, "lab_prefixes", None):
        result["Ipv4Prefixes"] = [{"Ipv4Prefix": item} for item in prefixes]
    return result


def take_prefixes(backend: Any, subnet: Any, count: int, wanted: list[str]) -> list[str]:
    """Free /28 blocks of a subnet, those asked for or the last ones: addresses are given from the first on. Nothing is assigned yet."""
    whole = IPv4Network(subnet.cidr_block)
    used = {int(IPv4Network(item).network_address) for item in used_in(backend, subnet.id) if ":" not in item}
    edges = {int(whole.network_address), int(whole.broadcast_address)}

    def free(block: IPv4Network) -> bool:
        first, last = int(block.network_address), int(block.broadcast_address)
        return not any(first <= number <= last for number in used | edges)

    found: list[IPv4Network] = []
    for text in wanted:
        block = IPv4Network(str(parse(text, "ipv4Prefix", 4)))
        if block.prefixlen != _LENGTH or not block.subnet_of(whole):
            raise invalid(f"Value ({text}) for parameter ipv4Prefix is invalid. It is a /{_LENGTH} of the subnet {whole}.")
        if not free(block) or block in found:
            raise Refusal("InvalidIPAddress.InUse", f"The prefix {block} is in use.")
        found.append(block)
    blocks = sorted(whole.subnets(new_prefix=_LENGTH), reverse=True) if whole.prefixlen <= _LENGTH else []
    found += [block for block in blocks if block not in found and free(block)][: max(count - len(found), 0)]
    if len(found) < count:
        raise Refusal("InsufficientCidrBlocks", f"The subnet '{subnet.id}' has not enough free /{_LENGTH} blocks.")
    return [str(block) for block in found]
