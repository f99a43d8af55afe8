# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the short forms of a topology stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import PeeringSpec, Place, RouteSpec, SubnetSpec, Topology
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import TopologyError

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted([*(ROOT / "docs" / "examples").glob("*.yml"), *(ROOT / "playbooks" / "topologies").glob("*.yml")])


def one(vpc: dict[str, Any], **more: Any) -> Topology:
    return load({"name": "t", "region": "us-east-1", "vpcs": {"v": {"cidr": "10.0.0.0/16", **vpc}}, **more})


def routes(topology: Topology, table: str, vpc: str = "v") -> list[tuple[str, str, str]]:
    return [(route.to, route.via, route.target) for route in topology.vpcs[vpc].route_tables[table].routes]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_load_without_warnings(path: Path) -> None:
    topology = load(path)
    assert topology.peerings
    assert topology.allows
    assert topology.warnings == ()


def test_hub_and_spokes_keep_their_order() -> None:
    topology = load(ROOT / "docs" / "examples" / "finance_hub.yml")
    assert [(pair.requester, pair.accepter, pair.dns, pair.path) for pair in topology.peerings] == [
        ("finance", "marketing", True, "peerings[0].spokes[0]"),
        ("finance", "developer", True, "peerings[0].spokes[1]"),
    ]
    assert topology.peerings[0].tables == {"finance": ("private", "public"), "marketing": ("private",)}
    assert {name: vpc.dns for name, vpc in topology.vpcs.items()} == {"finance": True, "marketing": True, "developer": True}
    finance = topology.vpcs["finance"]
    assert finance.internet_gateway
    assert finance.ssm
    assert {name: (spec.service, spec.subnets, spec.groups, spec.private_dns) for name, spec in finance.endpoints.items()} == {
        name: (f"com.amazonaws.us-east-1.{name}", ("server",), ("ssm_endpoint",), True) for name in ("ssm", "ssmmessages", "ec2messages")
    }
    assert [(rule.group, rule.from_port) for rule in finance.security_groups["ssm_endpoint"].rules] == [("db", 443)]
    assert [(str(allow.source), str(allow.target), allow.protocol, allow.from_port) for allow in topology.allows] == [
        ("marketing.web", "finance.db", "tcp", 443),
        ("marketing.web", "finance.db", "tcp", 3306),
        ("marketing.web", "finance.db", "icmp", -1),
    ]
    assert topology.expects[0].source == Place("subnet", "marketing", "app")
    assert topology.expects[0].target == Place("instance", "finance", "financeserver")
    assert [expect.reachable for expect in topology.expects] == [True, False]


def test_mesh_is_every_pair_once() -> None:
    topology = load(ROOT / "docs" / "examples" / "mesh.yml")
    names = ["north", "east", "south", "west"]
    assert [(pair.requester, pair.accepter) for pair in topology.peerings] == [
        (left, right) for index, left in enumerate(names) for right in names[index + 1 :]
    ]


def test_one_sided_roles() -> None:
    """Who cannot be asked on somebody's behalf is never the requester, unless the other side only accepts."""
    topology = load(ROOT / "docs" / "examples" / "one_sided.yml")
    assert [(pair.requester, pair.accepter, pair.accept_only) for pair in topology.peerings] == [
        ("orders", "partner", False),
        ("partner", "reports", True),
    ]
    assert all("partner" not in pair.tables for pair in topology.peerings)
    partner = topology.vpcs["partner"]
    assert partner.remote is not None
    assert (partner.ours, partner.remote.owner, partner.cidrs) == (False, "210987654321", ("10.200.0.0/16",))
    swapped = {**_remote(), "peerings": [{"between": ["far", "v"]}]}
    assert load(swapped).peerings[0].name == "v:far"


def _remote() -> dict[str, Any]:
    far = {"remote": {"owner": "210987654321", "id": "vpc-0a1b2c3d4e5f60718", "cidr": "10.200.0.0/16"}}
    return {"name": "t", "region": "us-east-1", "vpcs": {"far": far, "v": {"cidr": "10.0.0.0/16"}}}


def test_adopted_vpcs_are_found_not_made() -> None:
    topology = load(ROOT / "docs" / "examples" / "adopted.yml")
    legacy, billing = topology.vpcs["legacy"], topology.vpcs["billing"]
    assert (legacy.ours, billing.ours, dict(billing.lookup)) == (False, False, {"Name": "billing", "stage": "production"})
    assert {name: table.ref for name, table in legacy.route_tables.items()} == {"main": "main", "Private subnets": "Private subnets"}
    assert {name: group.ref for name, group in legacy.security_groups.items()} == {"web": "web", "database": "sg-0fedcba9876543210"}
    assert topology.peerings[0].tables == {"tools": ("private",), "legacy": ("main", "Private subnets")}


def test_a_list_of_zones_makes_a_subnet_each() -> None:
    topology = one(
        {
            "subnets": {
                "edge": {"cidr": ["10.0.0.0/24", "10.0.1.0/24"], "az": ["a", "b"], "public": True},
                "app": {"cidr": ["10.0.2.0/24", "10.0.3.0/24"], "az": ["a", "us-east-1b"], "nat": "edge"},
                "db": {"cidr": "10.0.4.0/24"},
            },
            "security_groups": {"db": {}},
        },
        allow=[{"from": "subnet:v.app", "to": "v.db", "tcp": 5432}],
        expect=[{"from": "v.app", "to": "v.edge", "tcp": 22}],
    )
    v = topology.vpcs["v"]
    assert v.subnets["app_b"] == SubnetSpec(
        "app_b", "10.0.3.0/24", zone="us-east-1b", nat="edge_a", table="private_nat_edge_a", path="vpcs.v.subnets.app"
    )
    assert list(v.subnets) == ["edge_a", "edge_b", "app_a", "app_b", "db"]
    assert [str(allow.source) for allow in topology.allows] == ["v.app_a", "v.app_b"]
    assert len(topology.expects) == 4


def test_each_zone_uses_its_own_nat_gateway() -> None:
    topology = one(
        {
            "subnets": {
                "edge": {"cidr": ["10.0.0.0/24", "10.0.1.0/24"], "az": ["a", "b"], "public": True},
                "app": {"cidr": ["10.0.2.0/24", "10.0.3.0/24"], "az": ["a", "b"], "nat": "edge"},
                "db": {"cidr": "10.0.4.0/24"},
            }
        }
    )
    v = topology.vpcs["v"]
    assert v.nat_subnets == ("edge_a", "edge_b")
    assert {name: spec.table for name, spec in v.subnets.items()} == {
        "edge_a": "public",
        "edge_b": "public",
        "app_a": "private_nat_edge_a",
        "app_b": "private_nat_edge_b",
        "db": "private",
    }
    assert routes(topology, "private_nat_edge_b") == [("0.0.0.0/0", "nat", "edge_b")]
    assert routes(topology, "private") == []
    assert routes(topology, "public") == [("0.0.0.0/0", "internet", "")]


def test_one_nat_gateway_serves_the_private_table() -> None:
    topology = one({"subnets": {"edge": {"cidr": "10.0.0.0/24", "public": True}, "app": {"cidr": "10.0.1.0/24", "nat": "edge"}}})
    assert routes(topology, "private") == [("0.0.0.0/0", "nat", "edge")]
    assert list(topology.vpcs["v"].route_tables) == ["public", "private"]


def test_declared_routes_join_those_that_public_and_nat_make() -> None:
    topology = one(
        {
            "ipv6": True,
            "subnets": {"edge": {"cidr": "10.0.0.0/24", "public": True, "ipv6": True}, "app": {"cidr": "10.0.1.0/24", "table": "app"}},
            "endpoints": [{"service": "com.amazonaws.vpce.us-east-1.vpce-svc-1", "name": "fw", "type": "GatewayLoadBalancer"}],
            "route_tables": {
                "app": {
                    "routes": [
                        {"to": "::/0", "via": "egress_only_gateway"},
                        {"to": "0.0.0.0/0", "via": "nat.edge"},
                        {"to": "offices", "via": "tgw-0123456789abcdef0"},
                        {"to": "192.168.0.0/16", "via": "endpoint.fw"},
                        {"to": "10.0.0.0/24", "via": "eni-0123456789abcdef0"},
                    ]
                },
                "public": {"routes": [{"to": "0.0.0.0/0", "via": "internet_gateway"}]},
            },
        },
        prefix_lists={"offices": ["203.0.113.0/24"]},
    )
    v = topology.vpcs["v"]
    assert (v.internet_gateway, v.egress_only_gateway, v.nat_subnets) == (True, True, ("edge",))
    assert routes(topology, "app") == [
        ("::/0", "egress_only", ""),
        ("0.0.0.0/0", "nat", "edge"),
        ("offices", "transit_gateway", "tgw-0123456789abcdef0"),
        ("192.168.0.0/16", "endpoint", "fw"),
        ("10.0.0.0/24", "eni", "eni-0123456789abcdef0"),
    ]
    assert v.route_tables["public"].routes == (
        RouteSpec("0.0.0.0/0", "internet", path="vpcs.v.subnets.edge"),
        RouteSpec("::/0", "internet", path="vpcs.v.subnets.edge"),
    )


def test_ipv6_numbers() -> None:
    subnets = {
        "a": {"cidr": "10.0.0.0/24", "ipv6": True},
        "b": {"cidr": "10.0.1.0/24", "ipv6": 0},
        "c": {"cidr": ["10.0.2.0/24", "10.0.3.0/24"], "az": ["a", "b"], "ipv6": 255 - 1},
        "d": {"cidr": "10.0.4.0/24", "ipv6": True},
        "e": {"cidr": "10.0.5.0/24", "ipv6": False},
    }
    amazon = one({"ipv6": True, "subnets": subnets}).vpcs["v"]
    assert [spec.ipv6 for spec in amazon.subnets.values()] == ["auto:1", "auto:0", "auto:254", "auto:255", "auto:2", ""]
    own = one({"ipv6": "2001:db8:0:100::/56", "subnets": subnets}).vpcs["v"]
    assert (amazon.ipv6, own.ipv6) == ("amazon", "2001:db8:0:100::/56")
    assert own.subnets["c_b"].ipv6 == "2001:db8:0:1ff::/64"


def test_the_bastions_group() -> None:
    subnets = {"edge": {"cidr": "10.0.0.0/24", "public": True}}
    vpc = {"subnets": subnets, "access": {"bastion": {"subnet": "edge", "from": "0.0.0.0/0"}}, "security_groups": {"web": {}}}
    topology = one(vpc, allow=[{"from": "v.bastion", "to": "v.web", "tcp": 22}])
    v = topology.vpcs["v"]
    assert v.bastion is not None
    assert (v.bastion.subnet, v.bastion.sources, v.bastion.group) == ("edge", ("0.0.0.0/0",), "bastion")
    assert [(rule.protocol, rule.from_port, rule.cidrs) for rule in v.security_groups["bastion"].rules] == [("tcp", 22, ("0.0.0.0/0",))]
    assert topology.allows[0].source == Place("group", "v", "bastion")


def test_raw_rules() -> None:
    topology = one(
        {
            "ipv6": "2001:db8::/56",
            "subnets": {"app": {"cidr": "10.0.0.0/24", "ipv6": 1}},
            "security_groups": {
                "web": {
                    "rules": [
                        {"from": ["0.0.0.0/0", "2001:db8::/32"], "tcp": [80, "8000-8010"], "icmp": True},
                        {"from": ["web", "offices", "subnet:v.app", "sg-0123456789abcdef0"], "udp": True},
                        {"from": "v", "protocol": "esp"},
                        {"from": "internet", "protocol": "all"},
                    ],
                    "egress": [],
                }
            },
        },
        prefix_lists={"offices": ["203.0.113.0/24"]},
    )
    group = topology.vpcs["v"].security_groups["web"]
    assert group.egress == ()
    assert [(rule.protocol, rule.from_port, rule.to_port, rule.cidrs, rule.prefix_list, rule.group) for rule in group.rules] == [
        ("tcp", 80, 80, ("0.0.0.0/0", "2001:db8::/32"), "", ""),
        ("tcp", 8000, 8010, ("0.0.0.0/0", "2001:db8::/32"), "", ""),
        ("icmp", -1, -1, ("0.0.0.0/0",), "", ""),
        ("icmpv6", -1, -1, ("2001:db8::/32",), "", ""),
        ("udp", None, None, ("10.0.0.0/24", "2001:db8:0:1::/64"), "", ""),
        ("udp", None, None, (), "", "web"),
        ("udp", None, None, (), "offices", ""),
        ("udp", None, None, (), "", "sg-0123456789abcdef0"),
        ("50", None, None, ("10.0.0.0/16", "2001:db8::/56"), "", ""),
        ("-1", None, None, ("0.0.0.0/0", "::/0"), "", ""),
    ]


def test_sources_of_allow() -> None:
    topology = one(
        {
            "subnets": {"app": {"cidr": "10.0.0.0/24"}},
            "security_groups": {"web": {}, "db": {}},
            "instances": {"one": {"subnet": "app", "private_ip": "10.0.0.9", "security_groups": ["db"]}, "two": {"subnet": "app"}},
        },
        allow=[
            {
                "from": [
                    "v",
                    "offices",
                    "internet",
                    "10.9.0.1",
                    "pl-0123456789abcdef0",
                    "instance:v.one",
                    "instance:v.two",
                    "2001:db8::/32",
                ],
                "to": "instance:v.one",
                "icmp": True,
            }
        ],
        prefix_lists={"offices": ["203.0.113.0/24"]},
    )
    assert [(allow.source, str(allow.target), allow.protocol) for allow in topology.allows] == [
        (Place("vpc", "v"), "v.db", "icmp"),
        (Place("prefix_list", name="offices"), "v.db", "icmp"),
        (Place("internet"), "v.db", "icmp"),
        (Place("cidr", name="10.9.0.1/32"), "v.db", "icmp"),
        (Place("prefix_list", name="pl-0123456789abcdef0"), "v.db", "icmp"),
        (Place("cidr", name="10.0.0.9/32"), "v.db", "icmp"),
        (Place("subnet", "v", "app"), "v.db", "icmp"),
        (Place("cidr", name="2001:db8::/32"), "v.db", "icmpv6"),
    ]


def test_acl_entries() -> None:
    acl = {
        "subnets": "app",
        "inbound": [
            {"number": 10, "cidr": "0.0.0.0/0", "tcp": "1024-65535"},
            {"number": 20, "cidr": "::/0", "icmp": True, "action": "deny"},
            {"number": 30, "cidr": "10.0.0.0/8", "icmp": {"type": 8, "code": 0}},
            {"number": 40, "cidr": "10.0.0.0/8"},
        ],
    }
    topology = one({"subnets": {"app": {"cidr": "10.0.0.0/24"}}, "network_acls": {"edge": acl}})
    found = topology.vpcs["v"].network_acls["edge"]
    assert found.subnets == ("app",)
    assert [(item.number, item.allow, item.protocol, item.from_port, item.to_port, item.icmp) for item in found.inbound] == [
        (10, True, "tcp", 1024, 65535, None),
        (20, False, "icmpv6", None, None, (-1, -1)),
        (30, True, "icmp", None, None, (8, 0)),
        (40, True, "-1", None, None, None),
    ]
    assert topology.warnings == (
        "vpcs.v.network_acls.edge.outbound: has no entries, so nothing gets out, not even answers: a network ACL keeps no state",
    )


def test_endpoints() -> None:
    topology = one(
        {
            "subnets": {"app": {"cidr": ["10.0.0.0/24", "10.0.1.0/24"], "az": ["a", "b"]}, "db": {"cidr": "10.0.2.0/24", "az": "b"}},
            "security_groups": {"web": {}},
            "endpoints": [
                {"service": "s3", "policy": {"Version": "2012-10-17", "Statement": []}},
                {"service": "kms", "security_groups": ["web"]},
                {"service": "com.amazonaws.vpce.us-east-1.vpce-svc-1", "name": "vendor", "security_groups": "web", "subnets": "app"},
            ],
        }
    )
    v = topology.vpcs["v"]
    assert [(spec.name, spec.type, spec.subnets, spec.tables, spec.private_dns) for spec in v.endpoints.values()] == [
        ("s3", "Gateway", (), ("private",), False),
        ("kms", "Interface", ("app_a", "app_b"), (), True),
        ("vendor", "Interface", ("app_a", "app_b"), (), False),
    ]
    assert v.endpoints["s3"].policy == '{"Statement":[],"Version":"2012-10-17"}'
    assert v.dns is True


def test_narrowed_destinations() -> None:
    vpcs = {"a": {"cidr": ["10.0.0.0/16", "10.2.0.0/16"], "subnets": {"s": {"cidr": "10.0.0.0/24"}}}, "b": {"cidr": "10.1.0.0/16"}}
    told = {"only": {"b": "10.1.4.0/24"}, "except": {"a": ["10.2.0.0/16"]}}
    topology = load(
        {"name": "t", "region": "us-east-1", "vpcs": vpcs, "peerings": [{"between": ["a", "b"], "cidrs": told, "routes": {"a": []}}]}
    )
    assert topology.peerings == (
        PeeringSpec("a", "b", None, {}, {"b": ("10.1.4.0/24",)}, {"a": ("10.2.0.0/16",)}, False, "", {}, "peerings[0]"),
    )


def test_region_and_profile_come_from_the_nearest() -> None:
    vpcs = {"a": {"cidr": "10.0.0.0/16", "region": "eu-west-1"}, "b": {"cidr": "10.1.0.0/16"}}
    playbook = Overrides(region="ap-south-1", profile="mine")
    topology = load({"name": "t", "vpcs": vpcs}, overrides=playbook)
    assert {name: vpc.region for name, vpc in topology.vpcs.items()} == {"a": "eu-west-1", "b": "ap-south-1"}
    assert topology.accounts[""].profile == "mine"
    document = load({"name": "t", "region": "us-east-1", "account": "x", "accounts": {"x": None}, "vpcs": vpcs}, overrides=playbook)
    assert {name: (vpc.region, vpc.account) for name, vpc in document.vpcs.items()} == {"a": ("eu-west-1", "x"), "b": ("us-east-1", "x")}


def test_rules_between_regions_need_cidrs_but_allow_does_not() -> None:
    vpcs = {
        "a": {"cidr": "10.0.0.0/16", "security_groups": {"g": {}}},
        "b": {"cidr": "10.1.0.0/16", "region": "eu-west-1", "security_groups": {"g": {}}},
    }
    told = {
        "name": "t",
        "region": "us-east-1",
        "vpcs": vpcs,
        "peerings": [{"between": ["a", "b"]}],
        "allow": [{"from": "a.g", "to": "b.g", "tcp": 1}],
    }
    assert len(load(told).allows) == 1


def test_a_faulty_part_does_not_make_faults_elsewhere() -> None:
    """What is declared but broken still exists: names in it are known, and peerings through it are not missing."""
    vpcs = {"a": {"cidr": "10.0.0.0/99", "subnets": {"s": {"cidr": "10.0.0.0/24"}}, "security_groups": 5}, "b": 7}
    told = {
        "name": "t",
        "region": "us-east-1",
        "vpcs": vpcs,
        "peerings": [{"between": ["a", "b"], "routes": {"a": ["private"]}}, {"hub": "a"}],
        "allow": [{"from": "b.anything", "to": "a.whatever", "tcp": 443}],
    }
    with pytest.raises(TopologyError) as caught:
        load(told)
    assert [finding.path for finding in caught.value.findings] == ["vpcs.a.security_groups", "vpcs.b", "vpcs.a.cidr", "peerings[1]"]
