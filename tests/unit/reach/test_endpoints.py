# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notations of ends and questions, and what is said of wrong ones: one line each."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.endpoints import of_block, resolve
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.index import Index
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.traffic import traffic
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.connectivity import Query, answer
from ansible_collections.cloudnet.vpc.plugins.module_utils.ends import World
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError

from . import terse

NETWORK: dict[str, Any] = {
    "vpcs": {"vpc-a": "10.0.0.0/16", "vpc-b": "10.0.0.0/16", "vpc-c": "10.5.0.0/16"},
    "subnets": {
        "subnet-a": {"vpc": "vpc-a", "cidr": "10.0.1.0/24", "public": True},
        "subnet-b": {"vpc": "vpc-b", "cidr": "10.0.1.0/24"},
        "subnet-c": {"vpc": "vpc-c", "cidr": "10.5.1.0/28"},
    },
    "groups": {"sg-a": {"vpc": "vpc-a", "in": ["tcp 22 10.0.1.8/29", "tcp 22 198.51.100.0/24"]}, "sg-b": {"vpc": "vpc-b"}},
    "hosts": {
        "i-a": {"subnet": "subnet-a", "ip": "10.0.1.20", "groups": ["sg-a"], "public": "203.0.113.77"},
        "eni-b": {"subnet": "subnet-b", "ip": "10.0.1.30", "groups": ["sg-b"]},
    },
    "endpoints": {"vpce-1": {"vpc": "vpc-a", "type": "Interface", "subnets": ["subnet-gone"], "groups": ["sg-a"]}},
}


@pytest.fixture
def index() -> Index:
    return Index.of(terse.network(NETWORK))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("i-gone", "i-gone is not in what was observed: is it of another account or Region, or gone?"),
        ("eni-gone", "eni-gone is not in what was observed: is it of another account or Region, or gone?"),
        ("subnet-a", "subnet-a needs its security groups: subnet-a+sg-…"),
        ("subnet-gone+sg-a", "subnet-gone+sg-a: subnet subnet-gone is not in what was observed"),
        ("subnet-a+sg-gone", "subnet-a+sg-gone: security group sg-gone is not in what was observed"),
        ("subnet-a+sg-b", "subnet-a+sg-b: sg-b is a group of vpc-b, and subnet-a is in vpc-a"),
        ("vpce-1", "vpce-1: neither its interfaces nor its subnets are in what was observed"),
        ("10.0.9.9", "10.0.9.9 could be in vpc-a or vpc-b: write 10.0.9.9@vpc-…"),
        ("10.0.9.9@vpc-x", "10.0.9.9@vpc-x: vpc-x is not in what was observed"),
        ("web", "'web' is no end of a path: write i-…, eni-…, vpce-…, an address, internet, or subnet-…+sg-…,sg-…"),
    ],
)
def test_a_wrong_end_is_one_line(index: Index, text: str, message: str) -> None:
    with pytest.raises(CloudnetError) as error:
        resolve(index, text)
    assert str(error.value) == message


def test_ends_that_are_there(index: Index) -> None:
    host = resolve(index, "i-a")
    assert (host.vpc, host.subnet, host.interface, host.ipv4, host.public, host.groups) == (
        "vpc-a",
        "subnet-a",
        "eni-a",
        "10.0.1.20",
        "203.0.113.77",
        ("sg-a",),
    )
    assert resolve(index, "10.0.1.20").interface == "eni-a"  # the only VPC with such an interface
    assert resolve(index, "10.0.1.30", resolve(index, "eni-b")).interface == "eni-b"
    assert resolve(index, "203.0.113.77").by_public
    assert resolve(index, "8.8.8.8").kind == "internet"
    assert resolve(index, "192.168.0.1").kind == "outside"


def test_what_is_not_launched_has_an_address_that_no_rule_names(index: Index) -> None:
    end = resolve(index, "subnet-a+sg-a")
    assert end.standin and end.ipv4 == "10.0.1.4"  # .10 lies in the /29 of a rule
    assert end.public  # the subnet gives public addresses


def test_the_internet_is_an_address_that_no_rule_names() -> None:
    data = NETWORK | {"groups": {**NETWORK["groups"], "sg-x": {"vpc": "vpc-a", "in": ["tcp 22 203.0.113.0/24"]}}}
    assert resolve(Index.of(terse.network(data)), "internet").ipv4 == "192.0.2.77"


@pytest.mark.parametrize(
    ("protocol", "port", "message"),
    [
        ("tpc", 80, "protocol 'tpc' is none of tcp, udp, icmp, -1 and the numbers 0 to 255"),
        ("256", None, "protocol '256' is none of tcp, udp, icmp, -1 and the numbers 0 to 255"),
        ("tcp", "http", "port 'http' is not a port (443) or a range (80-90)"),
        ("tcp", "90-80", "port 90-80 is no port or range of ports from 0 to 65535"),
        ("udp", 65536, "port 65536 is no port or range of ports from 0 to 65535"),
        ("47", 80, "protocol 47 has no ports; leave port 80 out"),
        ("icmp", "8/0/1", "port '8/0/1' is not an ICMP type (8) or type and code (8/0)"),
    ],
)
def test_a_wrong_question_is_one_line(protocol: str, port: Any, message: str) -> None:
    with pytest.raises(CloudnetError) as error:
        traffic(protocol, port)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("protocol", "port", "family", "said", "answer"),
    [
        ("tcp", 443, 4, "tcp 443", "tcp 1024-65535"),
        ("TCP", "80-90", 4, "tcp 80-90", "tcp 1024-65535"),
        ("17", None, 4, "udp all ports", "udp 1024-65535"),
        ("icmp", None, 4, "icmp echo request", "icmp echo reply"),
        ("icmp", "8/0", 6, "icmpv6 echo request", "icmpv6 echo reply"),
        ("icmp", 3, 4, "icmp type 3", "None"),
        ("icmp", -1, 4, "icmp", "icmp"),
        ("all", None, 4, "all traffic", "all traffic"),
        (50, None, 4, "protocol 50", "protocol 50"),
    ],
)
def test_questions_and_their_answers(protocol: str | int, port: Any, family: int, said: str, answer: str) -> None:
    asked = traffic(protocol, port, family=family)
    assert (str(asked), str(asked.reply())) == (said, answer)


def test_a_host_reaches_itself_and_a_message_that_asks_nothing_needs_no_way_back(index: Index) -> None:
    assert reach(index.network, "i-a", "10.0.1.20@vpc-a", "tcp", 9).reachable
    assert reach(index.network, "i-a", "subnet-a+sg-a", "icmp", "3/4").back is None


def test_an_address_of_several_vpcs_is_told_apart_by_the_other_end_on_either_side() -> None:
    """10.0.1.30 is in the blocks of vpc-a and vpc-b, and only vpc-b has such an interface; 10.0.9.9 is nobody's."""
    data = NETWORK | {"peerings": {"pcx-1": ["vpc-c", "vpc-b"]}, "endpoints": {}}
    data["hosts"] = {**data["hosts"], "i-c": {"subnet": "subnet-c", "ip": "10.5.1.7", "groups": ["sg-c"]}}
    data["groups"] = {**data["groups"], "sg-c": {"vpc": "vpc-c"}}
    network = terse.network(data)
    world = World(Topology("snapshot"), network, {})
    for source, destination in (("10.0.9.9", "i-c"), ("i-c", "10.0.9.9")):
        assert reach(network, source, destination, "tcp", 22).blockers
        assert answer(world, Query(source, destination, "tcp", 22)).verdict == "blocked"
    with pytest.raises(CloudnetError, match=r"10\.0\.9\.9 could be in vpc-a or vpc-b: write 10\.0\.9\.9@vpc-…"):
        answer(world, Query("10.0.9.9", "10.0.9.9", "tcp", 22))


def test_a_block_of_a_rule_stands_for_whoever_is_there_one_day(index: Index) -> None:
    """10.5.1.0/28 has no interface yet; 10.5.1.9 is a NAT gateway's, and what a rule means by it comes through that."""
    assert resolve(index, "10.5.1.8").nobody and not of_block(index, "10.5.1.0/28").nobody
    assert not of_block(index, "10.5.1.8/32").nobody
    network = terse.network(NETWORK | {"nats": {"nat-1": {"subnet": "subnet-c", "ip": "10.5.1.9"}}})
    index = Index.of(network)
    assert resolve(index, "10.5.1.9").service == "nat_gateway" and not of_block(index, "10.5.1.9/32").service
