# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of the internet's few hosts, which keep to these unless the network has them (``compile.outside``), and of what every VPC has.

The blocks are set aside for documentation and benchmarks, so that nothing of the real world is meant by them: RFC 5737, RFC 2544, RFC 9637.
"""

from __future__ import annotations

import hashlib
from ipaddress import IPv4Network, IPv6Network, ip_address

CONTROLLER = "203.0.113.10"
"""Where the user's own connections come from, as an instance's public address sees them."""
CONTROLLER_6 = "3fff:fff::10"
SERVER, SERVER_6 = "198.51.100.1", "3fff:fff::1"
"""A server on the internet: answers pings, and on TCP 80 and 443."""
SERVER_NAME = "server.internet.test"

SERVICES = IPv4Network("203.0.113.128/25")
"""AWS's own public service addresses: a name has one, and may share it with another, as they all only answer on 443."""
SERVICES_6 = IPv6Network("3fff:fff:1::/64")

RESOLVERS = ("169.254.169.253", "fd00:ec2::253")
METADATA = ("169.254.169.254", "fd00:ec2::254")


def service_address(name: str, block: IPv4Network | IPv6Network = SERVICES) -> str:
    """The address of an AWS service name such as ``ssm.us-east-1.amazonaws.com`` in a block: the same in every lab."""
    digest = int(hashlib.blake2s(name.lower().encode(), digest_size=8).hexdigest(), 16)
    return str(ip_address(int(block.network_address) + 1 + digest % (min(block.num_addresses, 1 << 16) - 2)))
