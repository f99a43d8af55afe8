# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module network: its contract, its approvals, and each way in which AWS says no, in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.warnings import get_warning_messages
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

from .conftest import Invoke

DATA = Path(__file__).parent / "data"
BAD = """\
name: bad
region: us-east-1
vpcs:
  dev: {cidr: 10.0.0.0/8}
  ops: {cider: 10.1.0.0/16}
peerings:
  - {between: [dev, opps]}
"""
ACTION_KEYS = {"op", "kind", "name", "id", "account", "region", "before", "after", "why"}


def reads_only(result: dict[str, Any]) -> bool:
    return not [name for name in result["calls"] if not name.startswith(("ec2:Describe", "sts:GetCaller", "servicequotas:List"))]


def writes(lab: RunningLab) -> int:
    return int(lab.control.calls()["writes"])


def test_the_contract(invoke: Invoke, lab: RunningLab, topology: dict[str, Any]) -> None:
    planned = invoke("network", check=True, diff=True, topology=topology)
    assert planned["changed"] and reads_only(planned) and writes(lab) == 0
    assert set(planned["plan"]) == {"format_version", "topology", "fingerprint", "counts", "existing", "actions", "instances"}
    assert all(set(action) == ACTION_KEYS for action in planned["plan"]["actions"])
    assert re.fullmatch(r"[0-9a-f]{64}", planned["plan"]["fingerprint"])
    added = planned["plan"]["counts"]["add"]
    assert (
        f"\nPlan: {added} to add, 0 to change, 0 to remove\nFingerprint: {planned['plan']['fingerprint']}\n" in planned["diff"]["prepared"]
    )
    assert planned["outputs"]["vpcs"]["dev"]["id"] is None and planned["outputs"]["peerings"]["dev:ops"]["id"] is None

    made = invoke("network", topology=topology, approved=planned["plan"])
    assert made["changed"] and made["plan"] == planned["plan"] and "diff" not in made
    dev = made["outputs"]["vpcs"]["dev"]
    assert set(dev) == {"id", "account", "region", "cidrs", "subnets", "route_tables", "security_groups", "endpoints"}
    assert dev["id"].startswith("vpc-") and dev["account"] == "111111111111" and dev["subnets"]["app"].startswith("subnet-")
    assert made["outputs"]["peerings"]["dev:ops"]["status"] == "active"
    assert made["handoff"] == [] and made["identities"][""]["account"] == "111111111111"

    again = invoke("network", topology=topology)
    assert not again["changed"] and reads_only(again) and sum(again["calls"].values()) <= 14
    assert again["outputs"] == made["outputs"]

    gone = invoke("network", topology=topology, state="absent")
    assert gone["changed"] and gone["outputs"]["vpcs"]["dev"]["id"] is None
    assert not invoke("network", topology=topology, state="absent")["changed"]
    assert lab.client("ec2").describe_vpcs()["Vpcs"] == []


def test_one_stage_at_a_time(invoke: Invoke, lab: RunningLab, topology: dict[str, Any]) -> None:
    kinds: list[set[str]] = []
    for through in ("vpcs", "peerings", "routes", "rules"):
        kinds.append({action["kind"] for action in invoke("network", topology=topology, through=through)["plan"]["actions"]})
    assert "peering" not in kinds[0] and {"peering", "peering_acceptance"} <= kinds[1]
    assert kinds[2] == {"route"} and kinds[3] == {"rule"}
    assert not invoke("network", topology=topology)["changed"]


def test_region_of_vpc_before_document_before_task(invoke: Invoke, lab: RunningLab, topology: dict[str, Any]) -> None:
    topology["vpcs"]["ops"]["region"] = "eu-west-1"
    told = invoke("network", check=True, topology=topology, region="ap-south-1")["outputs"]["vpcs"]
    assert (told["dev"]["region"], told["ops"]["region"]) == ("us-east-1", "eu-west-1")
    del topology["region"]
    told = invoke("network", check=True, topology=topology, region="ap-south-1")["outputs"]["vpcs"]
    assert (told["dev"]["region"], told["ops"]["region"]) == ("ap-south-1", "eu-west-1")
    told = invoke("network", check=True, topology=topology)["outputs"]["vpcs"]
    assert told["dev"]["region"] == "us-east-1", "the environment's"


def test_approval_by_file_fingerprint_and_plan(invoke: Invoke, lab: RunningLab, topology: dict[str, Any], tmp_path: Path) -> None:
    plan = invoke("network", check=True, topology=topology)["plan"]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    for approved in (plan, str(file), plan["fingerprint"]):
        assert invoke("network", topology=topology, approved=approved)["changed"]
        assert not invoke("network", topology=topology, approved=approved)["changed"]
        invoke("network", topology=topology, state="absent")
    drifted = {**topology, "allow": [*topology["allow"], {"from": "dev.servers", "to": "ops.tools", "tcp": 22}]}
    lab.control.reset_calls()
    for approved in (plan, str(file), plan["fingerprint"]):
        refused = invoke("network", topology=drifted, approved=approved)
        assert refused["failed"] and not refused["changed"] and refused["msg"].startswith("approved: ")
    assert "tcp 22" in invoke("network", topology=drifted, approved=plan)["msg"]
    assert writes(lab) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is neither a file nor a fingerprint of 64 hexadecimal digits"),
        ("{", "is not JSON"),
        ("[]", "holds no plan"),
        ("{}", "format_version None is not 2"),
        ('{"format_version": 2, "topology": "pair", "fingerprint": "0", "actions": []}', "was changed after it was written"),
    ],
)
def test_a_wrong_approval_is_told_in_a_line(
    invoke: Invoke, lab: RunningLab, topology: dict[str, Any], tmp_path: Path, content: str | None, said: str
) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_text(content)
    result = invoke("network", topology=topology, approved=str(file))
    assert result["failed"] and said in result["msg"] and "\n" not in result["msg"] and writes(lab) == 0


def test_part_of_a_fingerprint(invoke: Invoke, lab: RunningLab, topology: dict[str, Any]) -> None:
    result = invoke("network", topology=topology, approved="0123456789abcdef")
    assert result["msg"] == "approved: 0123456789abcdef is 16 characters of a fingerprint, which has 64: give all of it"


def test_a_bad_topology_calls_nobody(invoke: Invoke, lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(BAD)
    lab.control.reset_calls()
    result = invoke("network", topology=str(file))
    assert result["failed"] and len(result["msg"].splitlines()) == len(result["findings"]) >= 3
    assert {finding["line"] for finding in result["findings"]} >= {4, 5, 7}
    assert lab.control.calls()["total"] == 0


NOBODY = dict.fromkeys(
    ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), ""
)
ERRORS = [
    ({"profile": "nobody"}, {}, [], "ambient account: no profile 'nobody' in the AWS config files"),
    ({}, {**NOBODY, "AWS_CONFIG_FILE": "/dev/null"}, [], "no AWS credentials found"),
    ({}, {}, [{"kind": "expired", "actions": "*:*"}], "the credentials have expired (ExpiredToken from sts:GetCallerIdentity)"),
    (
        {},
        {},
        [{"kind": "denied", "actions": "ec2:DescribeVpcs"}],
        "ec2:DescribeVpcs: access denied in account 111111111111, Region us-east-1",
    ),
    ({"endpoint_url": "http://127.0.0.1:9"}, {}, [], "no answer from http://127.0.0.1:9"),
    ({"endpoint_url": "nowhere"}, {}, [], "endpoint_url must be a URL"),
    ({"target": "aws"}, {}, [], "target is aws, but the endpoint is http://127.0.0.1:"),
    ({"target": "lab", "endpoint_url": "https://ec2.us-east-1.amazonaws.com"}, {}, [], "target is lab, but the endpoint is https://ec2."),
    ({"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "wrong"}, NOBODY, [], "does not accept the credentials"),
]


@pytest.mark.parametrize(("arguments", "environment", "faults", "said"), ERRORS, ids=[case[3][:40] for case in ERRORS])
def test_every_no_is_one_line(
    invoke: Invoke,
    lab: RunningLab,
    monkeypatch: pytest.MonkeyPatch,
    topology: dict[str, Any],
    arguments: dict[str, Any],
    environment: dict[str, str],
    faults: list[dict[str, Any]],
    said: str,
) -> None:
    for name, value in environment.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name)
    lab.control.config(faults=faults)
    lab.control.reset_calls()
    result = invoke("network", topology=topology, **arguments)
    assert result["failed"] and said in result["msg"], result["msg"]
    assert "\n" not in result["msg"] and "Traceback" not in json.dumps(result) and not result["changed"]
    assert writes(lab) == 0


@pytest.mark.parametrize("service", ["EC2", "STS", "SERVICE_QUOTAS"])
def test_a_hostile_endpoint_is_refused_before_the_first_call(
    invoke: Invoke, lab: RunningLab, monkeypatch: pytest.MonkeyPatch, topology: dict[str, Any], service: str
) -> None:
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", "https://example.invalid")
    monkeypatch.delenv("AWS_URL")
    lab.control.reset_calls()
    result = invoke("network", topology=topology, target="lab")
    assert result["failed"] and "target is lab, but the endpoint is https://example.invalid" in result["msg"]
    assert lab.control.calls()["total"] == 0


def test_what_was_done_is_told_when_something_failed(invoke: Invoke, lab: RunningLab, topology: dict[str, Any]) -> None:
    lab.control.config(faults=[{"kind": "denied", "actions": "ec2:CreateRoute"}])
    result = invoke("network", topology=topology)
    assert result["failed"] and result["changed"] and "vpcs.dev" in result["done"] and "peerings.dev:ops" in result["done"]
    assert {failure["name"].split(".routes.")[0] for failure in result["failures"]} >= {"vpcs.dev.route_tables.private"}
    assert all("access denied" in failure["message"] or "not tried" in failure["message"] for failure in result["failures"])
    lab.control.config(faults=[])
    rest = invoke("network", topology=topology)
    assert {action["kind"] for action in rest["plan"]["actions"]} == {"route"}


def test_the_journal(invoke: Invoke, lab: RunningLab, topology: dict[str, Any], tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.touch()
    made = invoke("network", topology=topology, journal=str(journal))
    start, *steps = [json.loads(line) for line in journal.read_text().splitlines()]
    assert start["event"] == "start" and start["identities"] == made["identities"] and start["regions"] == ["us-east-1"]
    assert sorted(step["name"] for step in steps) == sorted(action["name"] for action in made["plan"]["actions"])
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))
    assert not invoke("network", topology=topology, journal=str(tmp_path / "not there")).get("failed")


def test_snapshot(invoke: Invoke, lab: RunningLab, topology: dict[str, Any], tmp_path: Path) -> None:
    made = invoke("network", topology=topology)
    lab.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    dest = tmp_path / "snapshot"
    assert "folder" not in invoke("snapshot_info", check=True, topology=topology, dest=str(dest)) and not dest.exists()
    whole = invoke("snapshot_info", regions=["us-east-1", "eu-west-1"], dest=str(dest))
    assert not whole["changed"] and whole["folder"] == str(dest)
    assert whole["counts"]["111111111111"]["us-east-1"]["Vpcs"] == 3 and whole["counts"]["111111111111"]["eu-west-1"]["Vpcs"] == 0
    assert len(json.loads((dest / "accounts/111111111111/us-east-1/VpcPeeringConnections.json").read_text())["VpcPeeringConnections"]) == 1
    ids = [vpc["id"] for vpc in made["outputs"]["vpcs"].values()]
    part = invoke("snapshot_info", topology=topology, vpc_ids=ids)
    assert part["counts"]["111111111111"]["us-east-1"]["Subnets"] == 2 and "folder" not in part
    assert "eu-west-1" not in part["counts"]["111111111111"]


def test_one_side_of_a_network(invoke: Invoke, lab: RunningLab) -> None:
    """A VPC of an account for which there are no credentials: our half, a paper for its owner, and the rest once they accepted."""
    partner = lab.client("ec2", "222222222222")
    theirs = partner.create_vpc(CidrBlock="10.200.0.0/16")["Vpc"]["VpcId"]
    topology = yaml.safe_load((DATA / "one_sided.yml").read_text().replace("id: PARTNER", f"id: {theirs}"))
    made = invoke("network", topology=topology)
    identifier = made["outputs"]["peerings"]["orders:partner"]["id"]
    (paper,) = made["handoff"]
    assert (paper["id"], paper["status"], paper["owner"]) == (identifier, "pending-acceptance", "222222222222")
    assert 160 < paper["hours_left"] <= 168

    partner.accept_vpc_peering_connection(VpcPeeringConnectionId=identifier)
    invoke("network", topology=topology)
    again = invoke("network", topology=topology)
    assert not again["changed"] and again["outputs"]["peerings"]["orders:partner"]["status"] == "active"

    assert invoke("network", topology=topology, state="absent")["changed"]
    assert [vpc["VpcId"] for vpc in partner.describe_vpcs()["Vpcs"]] == [theirs]
    assert lab.client("ec2").describe_vpcs()["Vpcs"] == []


def test_what_others_put_on_ours_stops_a_removal_before_it_begins(invoke: Invoke, lab: RunningLab, topology: dict[str, Any]) -> None:
    made = invoke("network", topology=topology)["outputs"]["vpcs"]["dev"]
    ec2 = lab.client("ec2")
    group = ec2.create_security_group(VpcId=made["id"], GroupName="lambda", Description="x")["GroupId"]
    (subnet,) = made["subnets"].values()
    eni = ec2.create_network_interface(SubnetId=subnet, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    pcx = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=made["id"])["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=pcx)
    vgw = ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    ec2.attach_vpn_gateway(VpnGatewayId=vgw, VpcId=made["id"])
    lab.control.reset_calls()
    for check in (True, False):
        held = invoke("network", topology=topology, state="absent", check=check)
        (finding,) = held["findings"]
        assert (held["failed"], finding["code"], finding["path"]) == (True, "held", "vpcs.dev")
        assert finding["message"].startswith(f"{made['id']} cannot go while ")
        assert all(f"{name} (" in finding["message"] for name in (eni, group, pcx, vgw))
    assert writes(lab) == 0
    # Whoever only builds is not stopped by it.
    assert not invoke("network", topology=topology)["changed"]
    ec2.detach_vpn_gateway(VpnGatewayId=vgw, VpcId=made["id"])
    ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=pcx)
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    ec2.delete_security_group(GroupId=group)
    assert invoke("network", topology=topology, state="absent")["changed"]


def test_a_failing_expectation_is_told_with_its_line(invoke: Invoke, lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "t.yml"
    file.write_text(
        "name: t\nregion: us-east-1\nvpcs:\n"
        "  dev: {cidr: 10.0.0.0/16, subnets: {a: {cidr: 10.0.1.0/24}, b: {cidr: 10.0.2.0/24}}}\n"
        "expect:\n  - {from: dev.a, to: dev.b, tcp: 443, reachable: false}\n"
    )
    assert invoke("network", topology=str(file), check=True)["changed"]
    told = [line for line in get_warning_messages() if "expect[0]" in line]
    assert len(told) == 1, get_warning_messages()
    assert told[0].startswith("t.yml:6: expect[0]: dev.a -> dev.b tcp 443 is to be blocked, and is reachable")
