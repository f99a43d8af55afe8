# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A router's nftables, made by hand-written views: whole rulesets against golden files, and what changes when one thing does.

With UPDATE_GOLDEN=1 the files are written anew, to be looked at in the diff.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import PrefixList
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.filters import router_ruleset
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.view import Crossing, Port, View
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import Chain, Ruleset

from ...support.router_views import OWNER, acl, by_group, egress, entry, host, ingress, script, subnet, vpc

GOLDEN = Path(__file__).parent / "golden"

PLAIN = View(
    vpc=vpc(),
    subnets=(subnet("subnet-a", "10.0.0.0/24"),),
    numbers={"subnet-a": 1001},
    acls={"subnet-a": acl("acl-1", entry(100, "in"), entry(100, "out"), entry(32767, "in", False), entry(32767, "out", False))},
    ports=(host("1", "subnet-a", "10.0.0.5", "sg-web", device="e1"), host("2", "subnet-a", "10.0.0.6", "sg-web")),
    rules=by_group(
        [egress("sg-web", cidr="0.0.0.0/0"), ingress("sg-web", "tcp", 80, cidr="0.0.0.0/0"), ingress("sg-web", source_group="sg-web")]
    ),
)

RULES = (
    egress("sg-web", cidr="0.0.0.0/0"),
    egress("sg-web", cidr="::/0"),
    ingress("sg-web", "6", 80, cidr="0.0.0.0/0"),
    ingress("sg-web", "tcp", 443, cidr="::/0"),
    ingress("sg-web", "tcp", 22, cidr="203.0.113.10/32"),
    ingress("sg-web", "udp", 0, 65535, cidr="2001:db8:1::/48"),
    ingress("sg-db", "tcp", 5432, source_group="sg-web"),
    ingress("sg-db", "udp", 1000, 2000, prefix_list="pl-4"),
    ingress("sg-db", "udp", 53, prefix_list="pl-6"),
    ingress("sg-db", "icmp", 8, -1, source_group="sg-far"),
    ingress("sg-db", "1", 3, 4, cidr="10.0.0.0/8"),
    ingress("sg-db", "58", -1, -1, cidr="::/0"),
    ingress("sg-db", "50", cidr="10.0.0.0/8"),
    egress("sg-db", "icmpv6", 128, 0, source_group="sg-web"),
    egress("sg-db", "tcp", 80, source_group="sg-far"),
)

EVERYTHING = View(
    vpc=vpc(cidrs=("10.0.0.0/16", "10.2.0.0/16"), ipv6_cidrs=("2001:db8::/56",)),
    subnets=(
        subnet("subnet-a", "10.0.0.0/24", ipv6_cidr="2001:db8:0:a::/64"),
        subnet("subnet-b", "10.0.1.0/24"),
        subnet("subnet-t", "10.2.9.0/28"),
        subnet("subnet-empty", "10.2.8.0/24"),
    ),
    numbers={"subnet-a": 1001, "subnet-b": 1002, "subnet-t": 1009, "subnet-empty": 1010},
    acls={
        "subnet-a": acl(
            "acl-1",
            entry(100, "in"),
            entry(101, "in", cidr="::/0"),
            entry(90, "in", False, "6", "10.9.0.0/16", from_port=22, to_port=22),
            entry(80, "in", True, "1", "10.8.0.0/16", icmp=(8, -1)),
            entry(81, "in", False, "58", "::/0", icmp=(128, 0)),
            entry(82, "in", False, "47", "10.8.0.0/16"),
            entry(100, "out", True, "17", "0.0.0.0/0", from_port=1024, to_port=65535),
        ),
        "subnet-b": acl("acl-2", entry(100, "in"), entry(100, "out")),
        "subnet-t": acl("acl-2", entry(100, "in"), entry(100, "out")),
    },
    ports=(
        host("1", "subnet-a", "10.0.0.5", "sg-web", device="e1", ipv6s=("2001:db8:0:a::5",), logged="ALL"),
        host("2", "subnet-b", "10.0.1.5", "sg-db", "sg-web", logged="REJECT"),
        host("3", "subnet-b", "10.0.1.9", "sg-db", device="e3", check=False, logged="ACCEPT"),
        host("4", "subnet-b", "10.0.1.10", "sg-db", check=False),
        Port("eni-e", "eni-e", "subnet-b", "endpoint", "serve", addresses=("10.0.1.30",), groups=("sg-web",)),
        Port("eni-n", "nat-1", "subnet-b", "nat", "n1", addresses=("10.0.1.20",), check=False, logged="REJECT"),
        Port("eni-t", "tgw-attach-1", "subnet-t", "transit", "t1", check=False),
    ),
    crossings=(
        Crossing(
            "pcx-1",
            "x1",
            "vpc-b",
            ("10.0.0.0/16", "10.2.0.0/16"),
            ("10.1.0.0/16", "fd00::/56"),
            members={"sg-far": frozenset({"10.1.0.7"})},
        ),
    ),
    rules=by_group(RULES),
    transit={"t1": {"sg-far": frozenset({"10.3.0.1"})}},
    prefix_lists={
        "pl-4": PrefixList(id="pl-4", list_name="x", entries=("10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32"), **OWNER),
        "pl-6": PrefixList(id="pl-6", list_name="y", family="IPv6", **OWNER),
    },
    gateways={"igw": "internet", "eigw": "egress_only", "services": "services", "t1": "transit"},
)

CASES = {"plain": PLAIN, "everything": EVERYTHING}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    text = script(router_ruleset(CASES[name]))
    file = GOLDEN / f"filters_{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_named_is_there(name: str) -> None:
    ruleset = router_ruleset(CASES[name])
    lines = [line for chain in ruleset.chains.values() for line in chain.rules] + [
        item for each in ruleset.sets.values() for item in each.elements
    ]
    words = [line.replace(",", " ").split() for line in lines]
    chains = {after for line in words for before, after in pairwise(line) if before in ("jump", "goto")}
    sets = {word[1:] for line in words for word in line if word.startswith("@")}
    assert chains <= set(ruleset.chains)
    assert sets <= set(ruleset.sets)
    reached = chains | {chain.name for chain in ruleset.chains.values() if chain.hook}
    assert reached == set(ruleset.chains)


def changed(before: Ruleset, after: Ruleset) -> set[str]:
    """Names of the chains and sets that differ."""
    chains = {name for name in before.chains.keys() | after.chains.keys() if before.chains.get(name) != after.chains.get(name)}
    return chains | {name for name in before.sets.keys() | after.sets.keys() if before.sets.get(name) != after.sets.get(name)}


def test_a_rule_changes_its_groups_chain_alone() -> None:
    more = replace(EVERYTHING, rules=by_group((*RULES, ingress("sg-db", "tcp", 5433, cidr="10.0.0.0/8"))))
    assert changed(router_ruleset(EVERYTHING), router_ruleset(more)) == {"sg-db_in"}


def test_the_order_in_which_rules_are_listed_means_nothing() -> None:
    assert router_ruleset(replace(EVERYTHING, rules=by_group(reversed(RULES)))) == router_ruleset(EVERYTHING)


def test_an_acl_entry_changes_its_acls_chain_alone() -> None:
    more = {
        **EVERYTHING.acls,
        "subnet-b": acl("acl-2", entry(90, "in", False, "6"), entry(100, "in"), entry(100, "out")),
        "subnet-t": acl("acl-2"),
    }
    assert changed(router_ruleset(EVERYTHING), router_ruleset(replace(EVERYTHING, acls=more))) <= {"acl-2_in", "acl-2_out"}


def test_a_member_changes_elements_alone() -> None:
    more = replace(PLAIN, ports=(*PLAIN.ports, host("3", "subnet-a", "10.0.0.7", "sg-web")))
    assert changed(router_ruleset(PLAIN), router_ruleset(more)) == {"addresses_4", "egress_gates_4", "ingress_gates_4", "from_sg-web_4"}


def test_first_use_moves_an_eni_from_its_address_to_its_device() -> None:
    used = replace(
        PLAIN, ports=(PLAIN.ports[0], host("2", "subnet-a", "10.0.0.6", "sg-web", device="e2"), host("9", "subnet-a", "10.0.0.9", "sg-web"))
    )
    parked = replace(PLAIN, ports=(*PLAIN.ports, host("9", "subnet-a", "10.0.0.9", "sg-web")))
    before, after = router_ruleset(parked), router_ruleset(used)
    assert not {name for name in changed(before, after) if name in before.chains}
    assert '"e2" . 10.0.0.6' in after.sets["addresses_4"].elements
    assert '"e2" : jump' in " ".join(after.sets["ingress_gates"].elements)
    assert not any(element.startswith("10.0.0.6 ") for element in after.sets["ingress_gates_4"].elements)


def test_watching_an_eni_leaves_the_gates_alone() -> None:
    watched = replace(PLAIN, ports=(PLAIN.ports[0], replace(PLAIN.ports[1], logged="ALL")))
    assert changed(router_ruleset(PLAIN), router_ruleset(watched)) == {
        "accepted_in",
        "accepted_out",
        "refused_in",
        "refused_out",
        "logged_accept_4",
        "logged_reject_4",
    }


def chain(view: View, name: str) -> Chain:
    return router_ruleset(view).chains[name]


def test_a_reference_across_a_transit_gateway_holds_inbound_only() -> None:
    sets = router_ruleset(EVERYTHING).sets
    assert sets["from_sg-far_4"].elements == {'"x1" . 10.1.0.7', '"t1" . 10.3.0.1'}
    assert sets["to_sg-far_4"].elements == {'"x1" . 10.1.0.7'}


def test_a_prefix_list_that_was_not_read_lets_nothing_through() -> None:
    sets = router_ruleset(EVERYTHING).sets
    assert sets["pl-6_6"].elements == frozenset()
    assert sets["pl-4_4"].elements == {"10.0.0.0/8", "192.0.2.7/32"}


def test_rules_that_match_nothing_are_left_out() -> None:
    rules = by_group([ingress("sg-web", "icmp", 8, 0, cidr="::/0"), ingress("sg-web", "tcp", 90, 80, cidr="0.0.0.0/0")])
    assert chain(replace(PLAIN, rules=rules), "sg-web_in").rules == ()


def test_what_is_not_tracked_is_asked_of_few_rules() -> None:
    rules = [
        egress("sg-web", "tcp", 0, 65535, cidr="0.0.0.0/0"),
        egress("sg-web", cidr="::/0"),
        *(ingress("sg-web", "tcp", port, cidr="0.0.0.0/0") for port in (22, 80, 81, 443)),
        ingress("sg-web", "tcp", 70, 90, cidr="0.0.0.0/0"),
        ingress("sg-web", "tcp", 1000, cidr="10.0.0.0/8"),
        ingress("sg-web", "udp", 53, cidr="0.0.0.0/0"),
        ingress("sg-web", "udp", cidr="::/0"),
        ingress("sg-web", "icmp", -1, cidr="0.0.0.0/0"),
    ]
    chains = router_ruleset(replace(PLAIN, rules=by_group(rules))).chains
    assert chains["sg-web_in_open"].rules == (
        "meta nfproto ipv4 tcp dport { 22, 70-90, 443 } accept",
        "meta nfproto ipv4 udp dport 53 accept",
        "meta nfproto ipv6 meta l4proto udp accept",
    )
    (gate,) = (chain for name, chain in chains.items() if name.startswith("gate_in"))
    assert gate.rules == (
        "meta nfproto ipv4 meta l4proto tcp jump sg-web_in_open",  # no UDP goes back out over IPv4 whatever its port
        "meta nfproto ipv6 meta l4proto { tcp, udp } jump sg-web_in_open",
        "ct state new ct mark set ct mark | 2",
        "jump sg-web_in",
    )


def test_no_resolver_where_the_vpc_has_none() -> None:
    closed = replace(PLAIN, vpc=vpc(dns_support=False))
    assert any("dport 53" in line for line in chain(PLAIN, "input").rules)
    assert not any("dport 53" in line for line in chain(closed, "input").rules)
    assert any("169.254.169.254" in line for line in chain(closed, "input").rules)


def test_names_that_are_no_names_of_nftables() -> None:
    planned = replace(
        PLAIN,
        ports=(host("1", "subnet-a", "10.0.0.5", "planned:dev.web", device="e1"), host("2", "subnet-a", "10.0.0.6", "planned:dev/web")),
        rules=by_group(
            [ingress("planned:dev.web", "tcp", 80, source_group="planned:dev/web"), egress("planned:dev/web", cidr="0.0.0.0/0")]
        ),
    )
    names = router_ruleset(planned).chains
    assert len([name for name in names if name.startswith("planned_dev")]) == 4
    assert all(character.isalnum() or character in "_.-" for name in names for character in name)


def test_ten_thousand_parked_ones_and_a_thousand_rules() -> None:
    ports = tuple(host(str(n), "subnet-a", f"10.{n // 65536}.{n // 256 % 256}.{n % 256}", f"sg-{n % 10}") for n in range(10_000))
    rules = by_group(ingress(f"sg-{n % 10}", "tcp", n, source_group="sg-1") for n in range(1, 1001))
    start = time.perf_counter()
    ruleset = router_ruleset(replace(PLAIN, ports=ports, rules=rules))
    assert time.perf_counter() - start < 1
    assert len(ruleset.sets["ingress_gates_4"].elements) == 10_000
    assert sum(len(ruleset.chains[f"sg-{n}_in"].rules) for n in range(10)) == 1000
