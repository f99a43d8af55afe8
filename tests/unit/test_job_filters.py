# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters behind the jobs: one peering after the other, one side of a topology, and what a preflight found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.filter.one_sided import one_sided
from ansible_collections.cloudnet.vpc.plugins.filter.preflight import preflight
from ansible_collections.cloudnet.vpc.plugins.filter.probes_across import probes_across
from ansible_collections.cloudnet.vpc.plugins.filter.without_peerings import without_peerings
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load

TOPOLOGIES = Path(__file__).parents[2] / "playbooks" / "topologies"


def document(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((TOPOLOGIES / f"{name}.yml").read_text())
    return read


PAPER = {
    "vpc": "shared",
    "owner": "210987654321",
    "id": "vpc-0a1b2c3d4e5f60718",
    "region": "us-east-1",
    "cidrs": ["10.100.0.0/16"],
    "subnets": {"private": "10.100.1.0/24"},
    "security_groups": {"services": "sg-0a1b2c3d4e5f60718"},
    "addresses": {"shared.directory": "10.100.1.7"},
}


def test_a_topology_without_a_spoke_is_whole_but_for_that_spokes_connections() -> None:
    whole = document("finance_hub")
    narrow = load(without_peerings(whole, ["finance:developer"]))
    assert [peering.name for peering in narrow.peerings] == ["finance:marketing"] and narrow.peerings[0].dns
    assert sorted(narrow.vpcs) == ["developer", "finance", "marketing"]
    ends = {(str(allow.source), str(allow.target)) for allow in narrow.allows}
    assert ends == {("marketing.marketing", "finance.finance"), ("finance.finance", "marketing.marketing")}
    # The two spokes are never joined, so what is expected between them does not depend on it.
    asked = {(str(one.source), str(one.target)) for one in narrow.expects}
    assert ("marketing.marketingserver", "developer.developerserver") in asked
    assert ("developer.developerserver", "finance.financeserver") not in asked
    assert without_peerings(whole, []) == whole and load(without_peerings(whole, [])) == load(whole)


def test_all_that_is_left_of_a_mesh_and_of_prefixed_ends() -> None:
    mesh = {
        "name": "m",
        "vpcs": {name: {} for name in "abc"},
        "peerings": [{"mesh": ["a", "b", "c"], "dns": True}, {"between": ["a", "x"]}],
        "allow": [{"from": ["group:a.g", "10.9.0.0/16", "c.g"], "to": ["b.g", "instance:c.i"], "tcp": 22}],
    }
    narrow = without_peerings(mesh, ["a:c"])
    assert narrow["peerings"] == [{"dns": True, "between": ["a", "b"]}, {"dns": True, "between": ["b", "c"]}, {"between": ["a", "x"]}]
    assert narrow["allow"] == [
        {"from": ["group:a.g", "10.9.0.0/16", "c.g"], "to": "b.g", "tcp": 22},
        {"from": ["10.9.0.0/16", "c.g"], "to": "instance:c.i", "tcp": 22},
    ]


def test_one_side_has_its_own_account_and_a_remote_vpc() -> None:
    side = load(one_sided(document("shared_services"), "development", PAPER))
    assert side.name == "shared-services-development" and [name for name in side.accounts if name] == ["development"]
    assert side.vpcs["shared"].remote is not None and side.vpcs["shared"].remote.owner == "210987654321"
    assert [(peering.name, peering.accept_only) for peering in side.peerings] == [("development:shared", False)]
    assert {str(allow.target) for allow in side.allows} == {"shared.services"}


def test_who_is_asked_only_accepts() -> None:
    paper = {**PAPER, "vpc": "development", "cidrs": ["10.101.0.0/16"], "security_groups": {"build": "sg-0a1b2c3d4e5f60719"}}
    side = load(one_sided(document("shared_services"), "shared", {**paper, "subnets": {}}))
    assert [(peering.name, peering.accept_only) for peering in side.peerings] == [("development:shared", True)]


def test_a_side_without_a_document_stands_alone() -> None:
    side = load(one_sided(document("shared_services"), "shared"))
    assert list(side.vpcs) == ["shared"] and not side.peerings and not side.allows


@pytest.mark.parametrize(
    ("paper", "message"),
    [
        ({**PAPER, "owner": ""}, "one_sided: the hand-off document lacks owner"),
        ({**PAPER, "vpc": "development"}, "one_sided: the hand-off document is of development itself: give the one of the other side"),
        ({**PAPER, "vpc": "ops"}, "one_sided: the hand-off document is of ops, which is no VPC of the topology"),
    ],
)
def test_a_document_that_is_of_no_use_is_refused(paper: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        one_sided(document("shared_services"), "development", paper)
    assert str(refused.value) == message


def test_an_unknown_peering_is_refused() -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        without_peerings(document("finance_hub"), ["finance:sales"])
    assert str(refused.value) == "without_peerings: finance:sales: no such peering; there are finance:developer, finance:marketing"


def test_probes_go_to_the_addresses_of_the_document() -> None:
    probes = probes_across(document("shared_services"), "development", PAPER)
    assert probes == [
        {"source": "development.builder", "destination": "10.100.1.7", "kind": "tcp", "port": 443, "expect": "reachable"},
        {"source": "development.builder", "destination": "10.100.1.7", "kind": "ping", "expect": "reachable"},
    ]
    assert [probe.get("expect") for probe in probes_across(document("shared_services"), "development", PAPER, done=False)] == [None, None]
    # What must not get through may be said before the other side is done.
    back = probes_across(document("shared_services"), "shared", {"addresses": {"development.builder": "10.101.1.7"}}, done=False)
    assert back == [{"source": "shared.directory", "destination": "10.101.1.7", "kind": "ping", "expect": "blocked"}]


def test_a_group_is_no_instance_of_its_name() -> None:
    vpcs = {"a": {"instances": {"app": {}}}, "b": {"instances": {"db": {}}}}
    wanted = {"source": "a.app", "destination": "10.1.0.7", "kind": "tcp", "port": 443, "expect": "reachable"}
    for source, target, probes in (
        ("instance:a.app", "b.db", [wanted]),
        ("subnet:a.app", "instance:b.db", []),
        ("group:a.app", "b.db", []),
        ("a.app", "subnet:b.db", []),
    ):
        asked = {"vpcs": vpcs, "expect": [{"from": source, "to": target, "tcp": 443}]}
        assert probes_across(asked, "a", {"addresses": {"b.db": "10.1.0.7"}}) == probes, (source, target)


FOUND = {
    "item": {"profile": "network", "account": "222222222222"},
    "account": "111111111111",
    "arn": "arn:aws:iam::111111111111:user/admin",
    "region": "us-east-1",
    "endpoint": "https://ec2.us-east-1.amazonaws.com",
    "versions": {"boto3": "1.40.0", "python": "3.9.1"},
    "quotas": {"vpcs": 5, "peerings_active": 50, "routes_per_table": 500},
    "quotas_told": ["vpcs"],
}


def test_each_thing_that_is_not_so_is_one_line() -> None:
    compared = preflight([FOUND], ["eu-west-1"], {"vpcs": 9}, {"python": "3.11.0", "amazon.aws": "10.1.0"}, "2.19.3")
    assert compared["faults"] == [
        "network: account is 111111111111, and must be 222222222222: look at the profile network",
        "network: Region is us-east-1, and must be eu-west-1: set the Region",
        "network: quota vpcs is 5, and must be at least 9: ask AWS for more (Service Quotas)",
        "this machine: amazon.aws is not there, and must be at least 10.1.0: update it",
        "this machine: python is 3.9.1, and must be at least 3.11.0: update it",
    ]
    assert compared["table"].count("FAIL") == 5


def test_nothing_wanted_is_nothing_wrong() -> None:
    compared = preflight([{**FOUND, "item": {"profile": "", "account": ""}}])
    assert compared["faults"] == [] and "FAIL" not in compared["table"]
    assert "50 (of a new account: Service Quotas did not tell)" in compared["table"]


def test_a_quota_that_nobody_knows_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match=r"^preflight: cats is no quota that is known; there are peerings_active, "):
        preflight([FOUND], quotas={"cats": 1})


def test_what_is_said_of_other_vpcs_goes_with_their_peering() -> None:
    """Of a hub's ``routes`` and ``cidrs``, what is about a spoke that is left out."""
    vpcs = {name: {"cidr": f"10.{number}.0.0/16", "subnets": {"s": {"cidr": f"10.{number}.1.0/24"}}} for number, name in enumerate("abc")}
    entry = {
        "hub": "a",
        "spokes": ["b", "c"],
        "routes": {"b": ["private"], "c": []},
        "cidrs": {"except": {"c": ["10.2.0.0/16"]}, "only": {"a": ["10.0.1.0/24"]}},
    }
    topology = {"name": "hub", "region": "us-east-1", "vpcs": vpcs, "peerings": [entry]}
    less = without_peerings(topology, ["a:c"])
    assert less["peerings"] == [
        {"between": ["a", "b"], "routes": {"b": ["private"]}, "cidrs": {"except": {}, "only": {"a": ["10.0.1.0/24"]}}}
    ]
    assert [(pair.name, dict(pair.only), dict(pair.without)) for pair in load(less).peerings] == [("a:b", {"a": ("10.0.1.0/24",)}, {})]
    paper = {"vpc": "b", "owner": "222222222222", "id": "vpc-0123456789abcdef0", "region": "us-east-1", "cidrs": ["10.1.0.0/16"]}
    (pair,) = load(one_sided(topology, "a", paper)).peerings
    assert dict(pair.only) == {"a": ("10.0.1.0/24",)} and not pair.without
