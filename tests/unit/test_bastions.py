# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cloudnet.vpc.bastions: who may log in, whether that is everybody, and who is behind a bastion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.cloudnet.vpc.plugins.filter.bastions import bastions, whole

SHIPPED = Path(__file__).parents[2] / "playbooks" / "topologies" / "file_transfer.yml"


@pytest.fixture
def topology() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    return found


@pytest.mark.parametrize(
    ("ranges", "wanted"),
    [
        (["203.0.113.10/32"], []),
        (["0.0.0.0/0"], ["0.0.0.0/0"]),
        (["198.51.100.7/32", "::/0"], ["::/0"]),
        (["0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0/1 + 128.0.0.0/1"]),
        (["0.0.0.0/1", "128.0.0.0/2"], []),
        # Nobody comes from private or reserved space.
        (["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"], ["0.0.0.0/1 + 128.0.0.0/2 + 192.0.0.0/3"]),
        (["2000::/3"], ["2000::/3"]),
        (["::/1", "8000::/1", "0.0.0.0/0"], ["0.0.0.0/0", "::/1 + 8000::/1"]),
        ([], []),
    ],
)
def test_the_whole_internet(ranges: list[str], wanted: list[str]) -> None:
    assert whole(ranges) == wanted


def test_the_shipped_topology() -> None:
    acc, dell = bastions(str(SHIPPED))
    assert (acc["vpc"], acc["ranges"], acc["world"]) == ("acc", ["203.0.113.10/32"], [])
    assert acc["hosts"] == [
        {"name": "acc.bastion", "via": "", "key": "acc", "key_file": "acc-us-east-1.pem", "profile": "", "region": "us-east-1"},
        {"name": "acc.server", "via": "acc.bastion", "key": "acc", "key_file": "acc-us-east-1.pem", "profile": "", "region": "us-east-1"},
    ]
    assert [host["key_file"] for host in dell["hosts"]] == ["dell-ap-south-1.pem"] * 2


def test_a_profile_is_part_of_a_keys_name(topology: dict[str, Any]) -> None:
    topology["accounts"] = {"theirs": {"profile": "partner"}}
    topology["vpcs"]["dell"]["account"] = "theirs"
    assert bastions(topology)[1]["hosts"][0]["key_file"] == "dell-partner-ap-south-1.pem"
    topology["accounts"]["theirs"]["role_arn"] = "arn:aws:iam::222222222222:role/x"
    with pytest.raises(AnsibleFilterError, match=r"accounts\.theirs has a role_arn, .* give it a profile with that role_arn instead"):
        bastions(topology)


@pytest.mark.parametrize("how", ["rule", "all", "prefix_list", "allow"])
def test_a_side_door_is_seen(topology: dict[str, Any], how: str) -> None:
    acc = topology["vpcs"]["acc"]
    acc["instances"]["bastion"]["security_groups"].append("extra")
    rules: dict[str, list[dict[str, Any]]] = {
        "rule": [{"tcp": "20-30", "from": "0.0.0.0/0"}],
        "all": [{"protocol": "all", "from": "0.0.0.0/0"}],
        "prefix_list": [{"tcp": 22, "from": "everywhere"}],
        "allow": [],
    }
    acc["security_groups"]["extra"] = {"rules": rules[how]}
    if how == "prefix_list":
        topology["prefix_lists"] = {"everywhere": ["0.0.0.0/1", "128.0.0.0/1"]}
    if how == "allow":
        topology["allow"].append({"from": "internet", "to": "group:acc.extra", "tcp": 22})
    assert bastions(topology)[0]["world"]
    acc["instances"]["bastion"]["security_groups"].remove("extra")
    assert not bastions(topology)[0]["world"]


def test_another_port_is_no_door(topology: dict[str, Any]) -> None:
    acc = topology["vpcs"]["acc"]
    acc["instances"]["bastion"]["security_groups"].append("web")
    acc["security_groups"]["web"] = {"rules": [{"tcp": 443, "from": "0.0.0.0/0"}]}
    assert not bastions(topology)[0]["world"]


def test_mistakes_are_told_in_one_line(topology: dict[str, Any]) -> None:
    del topology["vpcs"]["acc"]["instances"]["bastion"]
    topology["expect"] = []
    with pytest.raises(AnsibleFilterError, match=r"vpcs\.acc\.instances: none is in the subnet public and the security group bastion"):
        bastions(topology)
    with pytest.raises(AnsibleFilterError, match="takes a topology, not int"):
        bastions(1)
    with pytest.raises(AnsibleFilterError, match="from"):
        bastions({"name": "x", "region": "us-east-1", "vpcs": {"a": {"cidr": "10.0.0.0/16", "access": {"bastion": {"subnet": "p"}}}}})
