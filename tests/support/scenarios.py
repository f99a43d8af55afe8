# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that several kinds of tests build: a hub and a mesh of VPCs that are there already, and own VPCs with one of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology

from .lab import REGION


def make_vpcs(ec2: Any, count: int) -> list[str]:
    """VPCs 10.0.0.0/16, 10.1.0.0/16, ... as somebody else left them: a Name, and what AWS makes with each. Gives their ids."""
    made = []
    for number in range(count):
        tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": f"v{number}"}]}]
        made.append(ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"])
    return made


def hub(ids: Sequence[str], *, by_tag: bool = False) -> Topology:
    """The first VPC as hub, the others as spokes: per spoke a peering, its acceptance, two routes and two rules."""
    return load(hub_document(ids, by_tag=by_tag))


def hub_document(ids: Sequence[str], *, by_tag: bool = False) -> dict[str, Any]:
    """The hub as a topology document."""
    names = _names(ids)
    spokes = names[1:]
    return {
        **_document("hub", ids, by_tag),
        "peerings": [{"hub": names[0], "spokes": spokes, "routes": {name: ["main"] for name in names}}],
        "allow": [
            {"from": [f"{name}.default" for name in spokes], "to": f"{names[0]}.default", "tcp": 443},
            {"from": f"{names[0]}.default", "to": [f"{name}.default" for name in spokes], "tcp": 22},
        ],
    }


def mesh(ids: Sequence[str], *, rules: bool = True) -> Topology:
    """Every pair joined: n·(n−1)/2 peerings, two routes each, and one rule each way."""
    names = _names(ids)
    allows = [{"from": f"{one}.default", "to": f"{other}.default", "tcp": 443} for one, other in permutations(names, 2)]
    document = {**_document("mesh", ids, False), "peerings": [{"mesh": names, "routes": {name: ["main"] for name in names}}]}
    return load({**document, "allow": allows if rules else []})


def everything() -> Topology:
    """Two VPCs of our own with one of every kind that a plan knows."""
    return load(
        {
            "name": "everything",
            "region": REGION,
            "tags": {"project": "test"},
            "prefix_lists": {"office": ["203.0.113.0/24", "198.51.100.0/24"]},
            "vpcs": {
                "a": {
                    "cidr": ["10.0.0.0/16", "10.1.0.0/16"],
                    "ipv6": True,
                    "dns": True,
                    "subnets": {
                        "edge": {"cidr": "10.0.1.0/24", "az": "a", "public": True, "ipv6": True},
                        "app": {"cidr": "10.1.2.0/24", "az": "a", "nat": "edge", "ipv6": True},
                    },
                    "security_groups": {
                        "web": {"rules": [{"from": "office", "tcp": 443}, {"from": "0.0.0.0/0", "tcp": 80}], "egress": []},
                    },
                    "network_acls": {
                        "guard": {
                            "subnets": ["app"],
                            "inbound": [{"number": 100, "action": "allow", "protocol": "all", "cidr": "0.0.0.0/0"}],
                            "outbound": [{"number": 100, "action": "allow", "protocol": "all", "cidr": "0.0.0.0/0"}],
                        }
                    },
                    "endpoints": [
                        {"service": "ssm", "type": "Interface", "subnets": ["app"], "security_groups": ["web"], "private_dns": True},
                        {"service": "s3", "type": "Gateway"},
                    ],
                },
                "b": {
                    "cidr": "172.16.0.0/16",
                    "subnets": {"app": {"cidr": "172.16.1.0/24", "az": "b"}},
                    "security_groups": {"db": {}},
                },
            },
            "peerings": [{"between": ["a", "b"], "dns": True}],
            "allow": [{"from": "a.web", "to": "b.db", "tcp": [5432, 5433]}, {"from": "a.web", "to": "b.db", "icmp": True}],
        }
    )


def _names(ids: Sequence[str]) -> list[str]:
    return [f"v{number}" for number in range(len(ids))]


def _document(name: str, ids: Sequence[str], by_tag: bool) -> dict[str, Any]:
    vpcs = {
        key: {
            **({"lookup": {"Name": key}} if by_tag else {"id": identifier}),
            "cidr": f"10.{number}.0.0/16",
            "security_groups": {"default": {}},
        }
        for number, (key, identifier) in enumerate(zip(_names(ids), ids, strict=True))
    }
    return {"name": name, "region": REGION, "vpcs": vpcs}
