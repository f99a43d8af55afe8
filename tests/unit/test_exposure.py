# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How wide a group is open, however its rules are written."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import ids_after, simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.width import public, together, wide
from ansible_collections.cloudnet.vpc.plugins.module_utils.exposure import exposed

LISTS = {"halves": ["0.0.0.0/1", "128.0.0.0/1"], "nine": ["9.0.0.0/8"], "offices": ["198.51.100.0/24"]}


def told(rules: list[dict[str, Any]], **vpc: Any) -> list[str]:
    """What is said of a group of a plan from nothing."""
    hub = {"cidr": "10.0.0.0/16", "subnets": {"edge": {"cidr": "10.0.1.0/24"}}, "security_groups": {"ssh": {"rules": rules}}, **vpc}
    topology = load({"name": "b", "region": "us-east-1", "prefix_lists": LISTS, "vpcs": {"hub": hub}})
    todo = plan(topology, Network(), {"": "111111111111"})
    return exposed(topology, simulate(Network(), todo), ids_after(Network(), todo))


WHERE = "vpcs.hub.security_groups.ssh: lets"


@pytest.mark.parametrize(
    ("sources", "size"),
    [
        (["0.0.0.0/0"], "the whole internet in for tcp 22 (0.0.0.0/0)"),
        (["0.0.0.0/1", "128.0.0.0/1"], "the whole internet in for tcp 22 (0.0.0.0/1, 128.0.0.0/1)"),
        (["halves"], "the whole internet in for tcp 22 (0.0.0.0/1, 128.0.0.0/1)"),
        # Private space is nobody's on the internet: what is left out of it changes nothing.
        (["0.0.0.0/5", "8.0.0.0/7", "11.0.0.0/8", "12.0.0.0/6", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/2", "128.0.0.0/1"],
         "the whole internet in for tcp 22 (0.0.0.0/5, 8.0.0.0/7, 11.0.0.0/8, 12.0.0.0/6 and 4 more)"),
        (["8.0.0.0/7"], "33,554,432 public addresses, more than a /8, in for tcp 22 (8.0.0.0/7)"),
        (["8.0.0.0/8", "nine"], "33,554,432 public addresses, more than a /8, in for tcp 22 (8.0.0.0/8, 9.0.0.0/8)"),
        (["8.0.0.0/8", "198.51.100.0/24"], "16,777,472 public addresses, more than a /8, in for tcp 22 (8.0.0.0/8, 198.51.100.0/24)"),
        (["8.0.0.0/8"], ""),
        (["8.0.0.0/8", "8.0.0.0/9", "8.8.8.8/32"], ""),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"], ""),
        (["offices"], ""),
        (["::/0"], "the whole internet in for tcp 22 over IPv6 (::/0)"),
        (["2000::/3"], "the whole internet in for tcp 22 over IPv6 (2000::/3)"),
        (["2000::/4", "3000::/4"], "the whole internet in for tcp 22 over IPv6 (2000::/4, 3000::/4)"),
        (["2a00::/12"], f"{2**116:,} public addresses, more than a /16, in for tcp 22 over IPv6 (2a00::/12)"),
        (["2001::/16"], ""),
        (["fc00::/7"], ""),
    ],
)  # fmt: skip
def test_width(sources: list[str], size: str) -> None:
    found = told([{"from": source, "tcp": 22} for source in sources])
    assert found == ([f"{WHERE} {size}: name the blocks that need it"] if size else [])


def test_what_counts_together_is_what_lets_the_same_traffic_in() -> None:
    one, other = "8.0.0.0/8", "9.0.0.0/8"
    assert told([{"from": one, "tcp": 22}, {"from": other, "tcp": 443}]) == []
    assert told([{"from": one, "tcp": 22}, {"from": other, "udp": 22}]) == []
    both = "33,554,432 public addresses, more than a /8, in for"
    end = "(8.0.0.0/8, 9.0.0.0/8): name the blocks that need it"
    assert told([{"from": one, "tcp": "20-30"}, {"from": other, "tcp": "25-40"}]) == [f"{WHERE} {both} tcp 25-30 {end}"]
    assert told([{"from": one, "protocol": "all"}, {"from": other, "icmp": True}]) == [f"{WHERE} {both} icmp {end}"]
    assert told([{"from": one, "protocol": "all"}, {"from": other, "tcp": [22, 443]}]) == [f"{WHERE} {both} tcp 22, tcp 443 {end}"]
    assert told([{"from": "internet", "protocol": "all"}])[0].startswith(f"{WHERE} the whole internet in for all traffic (0.0.0.0/0)")


def test_a_bastion_is_told_where_it_is_declared() -> None:
    access = {"bastion": {"subnet": "edge", "from": "0.0.0.0/0"}}
    subnets = {"edge": {"cidr": "10.0.1.0/24", "public": True}}
    (line,) = told([], subnets=subnets, access=access)
    assert line == "vpcs.hub.access.bastion: lets the whole internet in for tcp 22 (0.0.0.0/0): name the blocks that need it"


def test_what_is_sent_out_is_no_exposure() -> None:
    groups = {"ssh": {"rules": [], "egress": [{"to": "0.0.0.0/0", "tcp": 443}]}}
    assert told([], security_groups=groups) == []


def test_blocks_together() -> None:
    halves = [ip_network("10.0.0.0/17"), ip_network("10.0.128.0/17"), ip_network("2001:db8::/32")]
    assert together(ip_network("10.0.0.0/16"), halves)
    assert not together(ip_network("10.0.0.0/15"), halves)
    assert together(ip_network("2001:db8:1::/48"), halves)
    assert public(halves, 4) == 0 and public([ip_network("100.0.0.0/9")], 4) == 2**23 - 2**22
    assert not wide(2**24, 4) and wide(2**24 + 1, 4) and not wide(2**112, 6) and wide(2**112 + 1, 6)
