# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pure rules of CIDR blocks, each row of AWS's table of restricted associations."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity import cidr_rules


@pytest.mark.parametrize(
    ("primary", "block", "bad"),
    [
        ("10.2.0.0/16", "10.3.0.0/16", False),
        ("10.2.0.0/16", "10.0.0.0/20", False),
        ("10.0.0.0/24", "10.0.128.0/20", True),
        ("10.1.0.0/16", "10.0.0.0/16", True),
        ("10.0.0.0/16", "10.1.0.0/16", False),
        ("10.2.0.0/16", "172.16.0.0/16", True),
        ("10.2.0.0/16", "192.168.0.0/16", True),
        ("10.2.0.0/16", "100.64.0.0/16", False),
        ("10.2.0.0/16", "100.127.255.0/24", False),
        ("10.2.0.0/16", "52.0.0.0/16", False),
        ("10.2.0.0/16", "198.19.0.0/16", True),
        ("10.2.0.0/16", "198.18.0.0/16", False),
        ("172.16.0.0/16", "172.20.0.0/16", False),
        ("172.16.0.0/16", "172.31.0.0/16", True),
        ("172.16.0.0/16", "172.31.9.0/24", True),
        ("172.16.0.0/16", "10.0.0.0/16", True),
        ("172.16.0.0/16", "100.64.0.0/16", False),
        ("192.168.0.0/20", "192.168.64.0/20", False),
        ("192.168.0.0/20", "10.0.0.0/16", True),
        ("192.168.0.0/20", "172.16.0.0/16", True),
        ("192.168.0.0/20", "198.19.1.0/24", True),
        ("198.19.0.0/20", "10.0.0.0/16", True),
        ("198.19.0.0/20", "198.19.64.0/20", False),
        ("198.19.0.0/20", "100.64.0.0/16", False),
        ("100.64.0.0/16", "10.0.0.0/16", True),
        ("100.64.0.0/16", "100.65.0.0/16", False),
        ("52.0.0.0/16", "172.16.0.0/16", True),
        ("52.0.0.0/16", "53.0.0.0/16", False),
    ],
)
def test_restricted_associations(primary: str, block: str, bad: bool) -> None:
    assert cidr_rules.restricted(IPv4Network(block), IPv4Network(primary), [IPv4Network(primary)]) is bad


def test_ten_slash_fifteen_counts_wherever_it_is() -> None:
    """ "If any of the CIDR blocks associated with the VPC are from the 10.0.0.0/15 range", not only the primary."""
    primary = IPv4Network("10.9.0.0/16")
    assert cidr_rules.restricted(IPv4Network("10.0.0.0/16"), primary, [primary, IPv4Network("10.1.0.0/24")]) is True


@pytest.mark.parametrize(
    "block", ["10.0.0.0/15", "10.0.0.0/29", "127.0.0.0/16", "169.254.0.0/16", "0.0.0.0/16", "224.0.0.0/16", "240.1.0.0/16"]
)
def test_blocks_of_no_vpc(block: str) -> None:
    with pytest.raises(Refusal) as caught:
        cidr_rules.check_vpc_block(IPv4Network(block))
    assert caught.value.code == "InvalidVpc.Range"


@pytest.mark.parametrize("block", ["10.0.0.0/16", "10.0.0.0/28", "172.31.0.0/16", "100.64.0.0/16", "52.0.0.0/16"])
def test_blocks_of_a_vpc(block: str) -> None:
    cidr_rules.check_vpc_block(IPv4Network(block))


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("10.0.1.0/24", None),
        ("10.5.0.0/28", None),
        ("10.0.0.0/29", "InvalidSubnet.Range"),
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("10.0.0.0/15", "InvalidSubnet.Range"),
        ("10.0.2.128/25", "InvalidSubnet.Conflict"),
        ("10.0.0.0/20", "InvalidSubnet.Conflict"),
    ],
)
def test_subnets(block: str, code: str | None) -> None:
    arguments = (IPv4Network(block), [IPv4Network("10.0.0.0/16"), IPv4Network("10.5.0.0/24")], [IPv4Network("10.0.2.0/24")])
    if code is None:
        cidr_rules.check_subnet_block(*arguments)
        return
    with pytest.raises(Refusal) as caught:
        cidr_rules.check_subnet_block(*arguments)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("2001:db8:0:1001::/64", None),
        ("2001:db8:0:1010::/60", None),
        ("2001:db8:0:1010::/62", "InvalidSubnet.Range"),
        ("2001:db8:0:1010::/80", "InvalidSubnet.Range"),
        ("2001:db8:0:2000::/64", "InvalidSubnet.Range"),
        ("2001:db8:0:1000::/64", "InvalidSubnet.Conflict"),
    ],
)
def test_ipv6_subnets(block: str, code: str | None) -> None:
    arguments = (IPv6Network(block), [IPv6Network("2001:db8:0:1000::/56")], [IPv6Network("2001:db8:0:1000::/64")])
    if code is None:
        cidr_rules.check_subnet_block6(*arguments)
        return
    with pytest.raises(Refusal) as caught:
        cidr_rules.check_subnet_block6(*arguments)
    assert caught.value.code == code


def test_overlap_across_families() -> None:
    assert cidr_rules.overlap(["10.0.0.0/16", "2001:db8::/56"], ["2001:db8:0:1::/64"])
    assert not cidr_rules.overlap(["10.0.0.0/16", "2001:db8::/56"], ["10.1.0.0/16", "2001:db9::/56"])
    assert not cidr_rules.overlap([], ["10.0.0.0/8"])
