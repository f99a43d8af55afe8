# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudnet.vpc.reachability on the lab, on folders that others wrote, and before anything is built; connectivity as network returns it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

from .conftest import Invoke

FINANCE = Path(__file__).parents[3] / "docs" / "examples" / "finance_hub.yml"
#: What only tells what is there and who we are.
READS = ("Describe", "Get", "List", "Search")


@pytest.fixture
def expecting(topology: dict[str, Any]) -> dict[str, Any]:
    return {
        **topology,
        "expect": [
            {"from": "dev.app", "to": "ops.admin", "tcp": 443},
            {"from": "ops.admin", "to": "dev.app", "tcp": 443, "reachable": False},
        ],
    }


@pytest.fixture
def built(invoke: Invoke, lab: RunningLab, expecting: dict[str, Any]) -> Iterator[dict[str, Any]]:
    result = invoke("network", topology=expecting)
    assert "failed" not in result, result
    yield result


def only_reads(calls: dict[str, int]) -> bool:
    return all(action.partition(":")[2].startswith(READS) for action in calls)


def rows(result: dict[str, Any], key: str = "opened") -> list[str]:
    return [f"{row['from']} -> {row['to']} {row['traffic']}" for row in result["connectivity"][key]]


def test_the_network_module_says_what_opens_and_closes(invoke: Invoke, lab: RunningLab, expecting: dict[str, Any]) -> None:
    planned = invoke("network", check=True, diff=True, topology=expecting)
    made = invoke("network", topology=expecting)
    assert rows(planned) == rows(made) == ["dev.servers -> ops.tools tcp 443"]
    assert [row["ok"] for row in planned["connectivity"]["expect"]] == [True, True]
    assert "\n  opens: dev.servers -> ops.tools tcp 443\n" in planned["diff"]["prepared"]

    again = invoke("network", diff=True, topology=expecting)
    assert not again["changed"] and rows(again) == [] and [row["ok"] for row in again["connectivity"]["expect"]] == [True, True]

    gone = invoke("network", check=True, topology={**expecting, "allow": []})
    assert rows(gone, "closed") == ["dev.servers -> ops.tools tcp 443"]
    (warning,) = [text for text in warnings(gone) if "is to be reachable" in text]
    assert warning.startswith("expect[0]: dev.app -> ops.admin tcp 443 is to be reachable, and is blocked: SG_HAS_NO_RULES")

    removed = invoke("network", topology=expecting, state="absent")
    assert rows(removed, "closed") == ["dev.servers -> ops.tools tcp 443"] and removed["connectivity"]["expect"] == []


def warnings(result: dict[str, Any]) -> list[str]:
    return [str(item.get("event", {}).get("msg", item)) if isinstance(item, dict) else str(item) for item in result.get("warnings", [])]


def test_nothing_more_is_read_where_there_is_nothing_to_say(invoke: Invoke, lab: RunningLab, topology: dict[str, Any]) -> None:
    assert rows(invoke("network", topology=topology)) == ["dev.servers -> ops.tools tcp 443"]
    again = invoke("network", topology=topology)
    assert again["connectivity"] == {"opened": [], "closed": [], "unknown": [], "expect": []}
    assert "ec2:DescribeNetworkAcls" not in again["calls"]
    expecting = {**topology, "expect": [{"from": "dev.app", "to": "ops.admin", "tcp": 443}]}
    asked = invoke("network", topology=expecting)
    assert asked["calls"]["ec2:DescribeNetworkAcls"] == 1 and asked["connectivity"]["expect"][0]["ok"] is True


def test_a_topology_is_checked_before_and_after_it_is_built(invoke: Invoke, lab: RunningLab, expecting: dict[str, Any]) -> None:
    before = invoke("reachability", topology=expecting)
    assert not before["changed"] and [row["found"] for row in before["expect"]] == ["reachable", "blocked"]
    assert only_reads(before["calls"])
    there = invoke("reachability", topology=expecting, plan="none")
    assert there["failed"] and there["msg"].startswith("1 of 2 expectations do not hold\n")
    assert "NOT_THERE: dev.app is not there" in there["table"]
    invoke("network", topology=expecting, through="peerings")
    there = invoke("reachability", topology=expecting, plan="none")
    codes = [item["code"] for item in there["expect"][0]["blockers"]]
    assert there["failed"] and codes == ["NO_ROUTE_TO_DESTINATION", "SG_HAS_NO_RULES", "NO_ROUTE_TO_DESTINATION"]
    invoke("network", topology=expecting)
    there = invoke("reachability", topology=expecting, plan="none", matrix=True)
    assert "failed" not in there and [row["ok"] for row in there["expect"]] == [True, True]
    assert {(row["source"], row["destination"]): row["verdict"] for row in there["matrix"]} == {
        ("dev.servers", "ops.tools"): "reachable",
        ("ops.tools", "dev.servers"): "blocked",
    }
    assert there["matrix_text"].endswith("1 of 2 reachable (50 %)")


def test_one_question_of_live_aws_by_ids(invoke: Invoke, lab: RunningLab, built: dict[str, Any]) -> None:
    dev, ops = built["outputs"]["vpcs"]["dev"], built["outputs"]["vpcs"]["ops"]
    source = f"{dev['subnets']['app']}+{dev['security_groups']['servers']}"
    destination = f"{ops['subnets']['admin']}+{ops['security_groups']['tools']}"
    good = invoke("reachability", source=source, destination=destination, port=443, regions=["us-east-1"])
    assert (good["verdict"], good["blockers"], good["mtu"]) == ("reachable", [], 9001)
    assert "route" in [hop["step"] for hop in good["forward"]["hops"]] and good["return"]["disposition"] == "delivered"
    bad = invoke("reachability", check=True, source=source, destination=destination, port="80-90")
    (blocker,) = bad["blockers"]
    assert bad["verdict"] == "blocked" and blocker["code"] == "ENI_SG_RULES_MISMATCH" and blocker["direction"] == "forward"
    assert blocker["fix"]["change"] == {"allow": [{"from": "dev.servers", "to": "ops.tools", "tcp": "80-90"}]}
    named = invoke("reachability", topology=_plain(built), source="dev.app", destination="group:ops.tools", port=443, plan="none")
    assert named["verdict"] == "reachable" and "expect" not in named


def _plain(built: dict[str, Any]) -> dict[str, Any]:
    from .conftest import TOPOLOGY

    assert built["plan"]["topology"] == TOPOLOGY["name"]
    return dict(TOPOLOGY)


def test_a_folder_needs_no_aws(
    invoke: Invoke, lab: RunningLab, built: dict[str, Any], expecting: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("snapshot_info", topology=expecting, dest=str(tmp_path / "s"))
    place = tmp_path / "s" / "accounts" / "111111111111" / "us-east-1"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = invoke("reachability", snapshot=str(tmp_path / "s"), topology=expecting, plan="none")
    assert "failed" not in result and result["calls"] == {}
    assert [row["found"] for row in result["expect"]] == ["reachable", "blocked"]

    # As somebody else may have saved it: one Region, flat, and not all of it.
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("Vpcs", "Subnets", "RouteTables", "SecurityGroups", "VpcPeeringConnections"):
        (flat / f"{name}.json").write_text((place / f"{name}.json").read_text())
    dev, ops = built["outputs"]["vpcs"]["dev"], built["outputs"]["vpcs"]["ops"]
    source = f"{dev['subnets']['app']}+{dev['security_groups']['servers']}"
    destination = f"{ops['subnets']['admin']}+{ops['security_groups']['tools']}"
    part = invoke("reachability", snapshot=str(flat), source=source, destination=destination, port=443)
    assert part["verdict"] == "unknown" and {item["missing"] for item in part["unknowns"]} == {"111111111111/us-east-1/NetworkAcls.json"}
    assert any("no NetworkAcls.json" in text for text in warnings(part))
    failing = invoke("reachability", snapshot=str(flat), expect=[{"source": source, "destination": destination, "port": 443}])
    assert failing["failed"] and failing["expect"][0]["ok"] is None


def test_accounts_are_read_by_their_profiles(invoke: Invoke, lab: RunningLab, built: dict[str, Any]) -> None:
    ops = built["outputs"]["vpcs"]["ops"]
    lab.control.accounts(topology={"one": {"profile": "one", "account_id": "111111111111"}})
    result = invoke(
        "reachability",
        accounts=["one"],
        regions=["us-east-1", "eu-west-1"],
        source="internet",
        destination=f"{ops['subnets']['admin']}+{ops['security_groups']['tools']}",
        port=443,
    )
    assert result["verdict"] == "blocked" and result["calls"]["ec2:DescribeVpcs"] == 2
    seen = invoke("snapshot_info", accounts=["one", "lab-peer"], regions=["us-east-1"])["counts"]
    assert (seen["111111111111"]["us-east-1"]["Vpcs"], seen["222222222222"]["us-east-1"]["Vpcs"]) == (2, 0)


def test_what_was_read_can_be_kept(
    invoke: Invoke, lab: RunningLab, built: dict[str, Any], expecting: dict[str, Any], tmp_path: Path
) -> None:
    """As snapshot_info keeps it, and it gives the same answers. Nothing is written in check mode."""
    dest = tmp_path / "kept"
    asked: dict[str, Any] = {"topology": expecting, "plan": "none", "matrix": True, "expect": []}
    assert "folder" not in invoke("reachability", check=True, dest=str(dest), **asked) and not dest.exists()
    live = invoke("reachability", dest=str(dest), **asked)
    assert live["folder"] == str(dest)
    ids = [vpc["id"] for vpc in built["outputs"]["vpcs"].values()]
    other = tmp_path / "other"
    invoke("snapshot_info", topology=expecting, vpc_ids=ids, dest=str(other))
    assert {path.relative_to(dest) for path in dest.rglob("*.json")} == {path.relative_to(other) for path in other.rglob("*.json")}
    assert invoke("reachability", snapshot=str(dest), **asked)["matrix"] == live["matrix"]
    assert (
        "mutually exclusive"
        in invoke("reachability", snapshot=str(dest), dest=str(other), source="internet", destination="internet")["msg"]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "nothing is asked: give source and destination, or expect, or a topology"),
        ({"source": "internet", "destination": "internet", "matrix": True}, "matrix: needs a topology, whose named ends it is about"),
        ({"source": "internet", "destination": "i-0"}, "i-0 is not in what was observed: is it of another account or Region, or gone?"),
        (
            {"source": "internet", "destination": "10.0.0.1", "protocol": "tcpx"},
            "protocol 'tcpx' is none of tcp, udp, icmp, -1 and the numbers 0 to 255",
        ),
        ({"snapshot": "/nowhere", "source": "internet", "destination": "internet"}, "/nowhere: no such folder"),
        ({"source": "internet"}, "parameters are required together: source, destination"),
    ],
)
def test_mistakes_are_told_in_a_line(invoke: Invoke, lab: RunningLab, arguments: dict[str, Any], said: str) -> None:
    result = invoke("reachability", **arguments)
    assert result["failed"] and said in result["msg"] and "Traceback" not in json.dumps(result)


def test_the_finance_hub_on_the_lab_step_by_step(invoke: Invoke, lab: RunningLab) -> None:
    for stage, codes in (
        ("vpcs", ["DISCONNECTED_VPCS", "SG_HAS_NO_RULES"]),
        ("peerings", ["NO_ROUTE_TO_DESTINATION", "SG_HAS_NO_RULES", "NO_ROUTE_TO_DESTINATION"]),
        ("routes", ["SG_HAS_NO_RULES"]),
        ("rules", []),
    ):
        made = invoke("network", topology=str(FINANCE), through=stage)
        assert "failed" not in made, made
        found = invoke("reachability", topology=str(FINANCE), plan="none")
        assert [item["code"] for item in found["expect"][0]["blockers"]] == codes, stage
        assert [row["found"] for row in found["expect"]] == [row["found"] for row in made["connectivity"]["expect"]], stage
