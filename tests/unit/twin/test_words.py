# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nftables is never handed: host names, which it would look up, and commands within commands."""

from __future__ import annotations

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.nft import NftError, load
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.words import check_element, check_rule
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import Chain, NftSet, Ruleset

GOOD_RULES = (
    "ip daddr 10.0.0.0/8 accept",
    "ip6 saddr 2001:db8::/32 tcp dport { 80, 443 } accept",
    "ip saddr { 10.0.0.1, 10.1.0.0/16 } drop",
    "ip saddr != @addresses_4 drop",
    "meta mark set ip saddr map @subnets_4",
    "meta mark set ip saddr map { 10.0.0.0/24 : 5, 10.0.1.0/24 : 6 }",
    'oifname "out" snat ip to ip saddr map @private',
    "ip protocol { tcp, udp } snat ip to 198.18.0.1:1024-65535",
    "ip protocol icmp snat ip to 198.18.0.1",
    "ip daddr vmap @ingress_gates_4",
)


@pytest.mark.parametrize("rule", GOOD_RULES)
def test_rules_of_words_and_numbers_pass(rule: str) -> None:
    check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "ip daddr 1.23.456.78 accept",
        "ip daddr localhost accept",
        "ip6 saddr evil.example accept",
        "ip saddr { 10.0.0.1, evil.example } drop",
        "ip saddr != evil drop",
        "snat ip to evil.example:1024-65535",
        "meta l4proto tcp } ; flush ruleset",
        "ip daddr 10.0.0.1 accept\nadd rule inet cloudnet x accept",
        "ip daddr 10.0.0.1 accept # x",
        "ip daddr $x accept",
    ],
)
def test_a_rule_with_anything_else_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"is no (rule|address)"):
        check_rule(rule)


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("ipv4_addr", "10.0.0.1"),
        ("ipv4_addr", "10.0.0.1-10.0.0.9"),
        ("ipv6_addr", "2001:db8::/64"),
        ("ipv4_addr : verdict", "10.0.0.5 : jump gate_1"),
        ("ipv4_addr : ipv4_addr", "198.18.0.1 : 10.0.0.5"),
        ("ipv4_addr . inet_service", "10.0.0.5 . 80"),
        ("ifname : mark", '"e1" : 4'),
    ],
)
def test_elements_with_addresses_in_digits_pass(kind: str, element: str) -> None:
    check_element(kind, element)


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("ipv4_addr", "1.23.456.78"),
        ("ipv4_addr", "evil.example"),
        ("ipv4_addr : verdict", "evil.example : accept"),
        ("ipv4_addr : ipv4_addr", "198.18.0.1 : evil"),
        ("ipv4_addr : ipv4_addr", "198.18.0.1"),
        ("ifname : mark", '"e1" : 4 } ; flush ruleset'),
        ("mark : verdict", "1 : accept, 2 : accept"),
    ],
)
def test_an_element_with_anything_else_is_refused(kind: str, element: str) -> None:
    with pytest.raises(ValueError, match="is no element"):
        check_element(kind, element)


def test_what_is_refused_is_in_no_command() -> None:
    with pytest.raises(NftError, match="'localhost' is no address in: add rule inet cloudnet c ip daddr localhost accept"):
        load(Ruleset({}, {"c": Chain("c", ("ip daddr localhost accept",))}))
    with pytest.raises(NftError, match="'localhost' is no element of ipv4_addr in: set s"):
        load(Ruleset({"s": NftSet("s", "ipv4_addr", frozenset({"localhost"}))}, {}))
