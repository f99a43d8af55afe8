# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protocols, ports and blocks come in one form, whoever tells them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model import rules
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import AclEntry


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("6", "tcp"),
        (6, "tcp"),
        ("TCP", "tcp"),
        ("17", "udp"),
        ("1", "icmp"),
        ("58", "icmpv6"),
        ("-1", "-1"),
        (-1, "-1"),
        ("all", "-1"),
        ("50", "50"),
    ],
)
def test_protocols(told: Any, name: str) -> None:
    assert rules.protocol_name(told) == name


@pytest.mark.parametrize(
    ("told", "form"),
    [
        ("10.1.2.3/16", "10.1.0.0/16"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("2001:DB8:0::1/32", "2001:db8::/32"),
        ("::/0", "::/0"),
        ("pl-1", "pl-1"),
        ("", ""),
    ],
)
def test_blocks(told: str, form: str) -> None:
    assert rules.canonical(told) == form


@pytest.mark.parametrize(
    ("protocol", "first", "last", "form"),
    [
        ("tcp", 443, 443, (443, 443)),
        ("tcp", 0, 65535, (None, None)),
        ("udp", None, None, (None, None)),
        ("tcp", 0, 0, (0, 0)),
        ("-1", -1, -1, (None, None)),
        ("-1", None, None, (None, None)),
        ("icmp", 8, -1, (8, -1)),
        ("icmp", None, None, (-1, -1)),
        ("icmpv6", 128, 0, (128, 0)),
        ("50", -1, -1, (None, None)),
    ],
)
def test_ports(protocol: str, first: Any, last: Any, form: Any) -> None:
    assert rules.ports(protocol, first, last) == form


GROUP = {
    "GroupId": "sg-1",
    "OwnerId": "111111111111",
    "VpcId": "vpc-1",
    "IpPermissions": [
        {
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": 443,
            "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "inside"}, {"CidrIp": "192.168.0.0/16"}],
            "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32"}],
            "PrefixListIds": [{"PrefixListId": "pl-1"}],
            "UserIdGroupPairs": [
                {"GroupId": "sg-1", "UserId": "111111111111"},
                {
                    "GroupId": "sg-9",
                    "UserId": "222222222222",
                    "VpcId": "vpc-9",
                    "VpcPeeringConnectionId": "pcx-1",
                    "PeeringStatus": "active",
                },
            ],
        },
        {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
    ],
    "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
}
#: The same group's rules as DescribeSecurityGroupRules tells them.
TOLD: list[dict[str, Any]] = [
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8", "Description": "inside"},
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "192.168.0.0/16"},
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv6": "2001:db8::/32"},
    {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListId": "pl-1"},
    {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "ReferencedGroupInfo": {"GroupId": "sg-1", "UserId": "111111111111"},
    },
    {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "ReferencedGroupInfo": {
            "GroupId": "sg-9",
            "UserId": "222222222222",
            "VpcId": "vpc-9",
            "VpcPeeringConnectionId": "pcx-1",
            "PeeringStatus": "active",
        },
    },
    {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "CidrIpv4": "10.0.0.0/8"},
    {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv4": "0.0.0.0/0", "IsEgress": True},
]


def test_derived_rules_equal_the_described_ones_but_for_their_ids() -> None:
    described = [
        rules.rule(
            {"SecurityGroupRuleId": f"sgr-{n}", "GroupId": "sg-1", "GroupOwnerId": "111111111111"} | item, "111111111111", "us-east-1", {}
        )
        for n, item in enumerate(TOLD)
    ]
    derived = list(rules.derived(GROUP, "111111111111", "us-east-1"))
    assert [replace(rule, id="") for rule in derived] == [replace(rule, id="") for rule in described]


def test_derived_ids_are_stable_and_distinct() -> None:
    first = [rule.id for rule in rules.derived(GROUP, "111111111111", "us-east-1")]
    assert first == [rule.id for rule in rules.derived(GROUP, "111111111111", "us-east-1")]
    assert len(set(first)) == len(first) == 8
    assert first[0] == "derived:sg-1:ingress:tcp:443-443:10.0.0.0/8"
    assert first[-1] == "derived:sg-1:egress:-1:None-None:0.0.0.0/0"


@pytest.mark.parametrize(
    ("told", "entry"),
    [
        (
            {
                "RuleNumber": 100,
                "Protocol": "6",
                "RuleAction": "allow",
                "Egress": False,
                "CidrBlock": "10.0.0.0/8",
                "PortRange": {"From": 80, "To": 81},
            },
            AclEntry(100, False, True, "tcp", "10.0.0.0/8", 80, 81),
        ),
        (
            {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": True, "CidrBlock": "0.0.0.0/0"},
            AclEntry(32767, True, False, "-1", "0.0.0.0/0"),
        ),
        (
            {"RuleNumber": 1, "Protocol": "1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0", "IcmpTypeCode": {"Type": 8, "Code": -1}},
            AclEntry(1, False, True, "icmp", "0.0.0.0/0", icmp=(8, -1)),
        ),
        (
            {"RuleNumber": 2, "Protocol": "17", "RuleAction": "allow", "Ipv6CidrBlock": "::/0", "PortRange": {"From": 0, "To": 65535}},
            AclEntry(2, False, True, "udp", "::/0"),
        ),
    ],
)
def test_acl_entries(told: dict[str, Any], entry: AclEntry) -> None:
    assert rules.acl_entry(told) == entry
