# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloudnet.vpc.probe on the lab. Its packets go through an ssh of the test's, which answers as it was told and sends nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

from .conftest import Invoke

SSH = f"""#!{sys.executable}
import json, pathlib, re, sys
folder = pathlib.Path(__file__).parent
text, host = sys.stdin.read(), sys.argv[-2]
mark = re.search("cloudnet[0-9a-f]{{12}}", text)[0]
with open(folder / "log", "a") as log:
    print(host, "echo" if "os.fork" in text else "", *re.findall(r"^probe_.* &$", text, re.M), sep="|", file=log)
if "os.fork" in text:
    print(mark)
    sys.exit(0)
seen = json.loads((folder / "answers").read_text())
for line in re.findall(r"^probe_.* &$", text, re.M):
    number = int(line.split()[1])
    wanted = next((value for key, value in seen.items() if re.search(key, host + " " + line)), "blocked")
    print(mark, json.dumps({{"id": number, "seen": wanted, "ms": 3, "value": "", "detail": ""}}))
print(mark, "end")
"""


class FakeSsh:
    """Answers by regular expressions over the source's id and the script's line; ``log`` has what was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def answers(self, patterns: dict[str, str]) -> None:
        (self.folder / "answers").write_text(json.dumps(patterns))

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSsh:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(SSH)
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    made = FakeSsh(folder)
    made.answers({"": "reachable"})
    return made


@pytest.fixture
def expecting(topology: dict[str, Any]) -> dict[str, Any]:
    topology["vpcs"]["dev"]["instances"] = {"server": {"subnet": "app", "security_groups": ["servers"]}}
    topology["vpcs"]["ops"]["instances"] = {"tool": {"subnet": "admin", "security_groups": ["tools"]}}
    topology["allow"] = [{"from": "dev.servers", "to": "ops.tools", "tcp": 443, "udp": 53, "icmp": True}]
    topology["expect"] = [
        {"from": "dev.app", "to": "ops.admin", "tcp": 443, "icmp": True},
        {"from": "dev.server", "to": "ops.tool", "udp": 53},
        {"from": "group:ops.tools", "to": "group:dev.servers", "tcp": 22, "reachable": False},
        {"from": "internet", "to": "ops.tool", "tcp": 443, "reachable": False},
        {"from": "dev.server", "to": "10.9.0.0/24", "tcp": 443, "reachable": False},
    ]
    return topology


@pytest.fixture
def ids(lab: RunningLab, ec2: Any, invoke: Invoke, expecting: dict[str, Any]) -> dict[str, str]:
    """The network with both its instances, as the role launches them: by name the id, and the address as ``name@``."""
    outputs = invoke("network", topology=expecting)["outputs"]
    found = {}
    for vpc, name, subnet, group in (("dev", "server", "app", "servers"), ("ops", "tool", "admin", "tools")):
        there = outputs["vpcs"][vpc]
        tags = {"cloudnet:topology": "pair", "cloudnet:name": f"vpcs.{vpc}.instances.{name}"}
        (item,) = ec2.run_instances(
            ImageId="ami-0123456789abcdef0",
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            SubnetId=there["subnets"][subnet],
            SecurityGroupIds=[there["security_groups"][group]],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}],
        )["Instances"]
        found |= {f"{vpc}.{name}": item["InstanceId"], f"{vpc}.{name}@": item["PrivateIpAddress"]}
    return found


def right(ids: dict[str, str], ssh: FakeSsh) -> None:
    """Let packets do what this topology says."""
    ssh.answers({f"^{ids['dev.server']} probe_socket . tcp": "refused", f"^{ids['dev.server']}": "reachable", "": "blocked"})


def short(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(row["from"], row["to"], row["traffic"], row["predicted"], row["observed"], row["ok"]) for row in result["probes"]]


def test_the_topologys_expectations(invoke: Invoke, expecting: dict[str, Any], ids: dict[str, str], ssh: FakeSsh) -> None:
    right(ids, ssh)
    result = invoke("probe", topology=expecting, via="ssh", ssh_config="/lab/ssh_config")
    assert "failed" not in result, result["msg"]
    assert short(result) == [
        ("dev.server", "ops.tool", "tcp 443", "reachable", "refused", True),
        ("dev.server", "ops.tool", "icmp", "reachable", "reachable", True),
        ("dev.server", "ops.tool", "udp 53", "reachable", "reachable", True),
        ("ops.tool", "dev.server", "tcp 22", "blocked", "blocked", True),
        ("internet", "ops.tool", "tcp 443", "blocked", None, True),
        ("dev.server", "10.9.0.0/24", "tcp 443", "blocked", None, True),
    ]
    assert result["sent"] == 4 and result["disagreements"] == [] and not result["changed"]
    assert {row["address"] for row in result["probes"]} == {ids["dev.server@"], ids["ops.tool@"], ""}
    assert "2 of 6 not sent" not in result["table"] and result["table"].count("1 of 6 not sent, only predicted") == 2
    # One script for each source, and an echo for the datagrams.
    asked = sorted(line.partition("|")[0] for line in ssh.log)
    assert asked == sorted([ids["ops.tool"], ids["ops.tool"], ids["dev.server"]])


def test_a_packet_that_contradicts_fails_the_task(invoke: Invoke, expecting: dict[str, Any], ids: dict[str, str], ssh: FakeSsh) -> None:
    ssh.answers({"": "reachable"})
    result = invoke("probe", topology=expecting, ssh_config="/lab/ssh_config", settle=0)
    assert result["failed"] and result["msg"].startswith("1 of 6 probes are not as they must be\n")
    (line,) = result["disagreements"]
    assert line.startswith("ops.tool -> dev.server tcp 22: reach predicts blocked (") and line.endswith("and it got through")


def test_before_the_network_is_whole(invoke: Invoke, lab: RunningLab, expecting: dict[str, Any], ids: dict[str, str], ssh: FakeSsh) -> None:
    invoke("network", topology={**expecting, "allow": []})
    ssh.answers({"": "blocked"})
    staged = invoke("probe", topology=expecting, ssh_config="/lab/ssh_config", fail_on=["disagreement"])
    assert "failed" not in staged, staged["msg"]
    assert [row["ok"] for row in staged["probes"]][:4] == [False, False, False, True] and staged["disagreements"] == []
    whole = invoke("probe", topology=expecting, ssh_config="/lab/ssh_config")
    assert whole["failed"] and "SG_HAS_NO_RULES" in whole["table"]


def test_nothing_is_sent_where_there_is_no_way(invoke: Invoke, expecting: dict[str, Any], ids: dict[str, str], ssh: FakeSsh) -> None:
    other = invoke("probe", topology=expecting, via="none", probes=[{"source": "i-00000000000000001", "destination": "10.0.0.1"}])
    assert other["msg"].endswith("is no instance among those of the topology: leave the topology out to ask from another")
    result = invoke("probe", topology=expecting, via="none")
    assert "failed" not in result and result["sent"] == 0 and ssh.log == []
    assert {row["by"] for row in result["probes"]} == {"predicted"} and "there is no data plane" in result["table"]
    # Over Systems Manager, of which no instance here is a node: predicted, and why.
    managed = invoke("probe", topology=expecting, via="ssm")
    assert "failed" not in managed and managed["sent"] == 0
    assert "it is no managed node" in managed["probes"][0]["note"]


def test_before_anything_runs(invoke: Invoke, lab: RunningLab, expecting: dict[str, Any], ssh: FakeSsh) -> None:
    invoke("network", topology=expecting)
    result = invoke("probe", topology=expecting, ssh_config="/lab/ssh_config")
    assert "failed" not in result and result["sent"] == 0 and ssh.log == []
    assert result["probes"][0]["note"] == "dev.app: no instance that is declared there runs"


def test_probes_by_name_and_by_id(invoke: Invoke, expecting: dict[str, Any], ids: dict[str, str], ssh: FakeSsh) -> None:
    right(ids, ssh)
    probes = [
        {"source": "dev.server", "destination": "ops.tool", "expect": "reachable"},
        {"source": "ops.tool", "destination": ids["dev.server"], "kind": "tcp", "port": 22, "expect": "blocked"},
        {"source": "dev.server", "destination": "ops.tool", "kind": "http", "port": 443},
        {"source": "dev.server", "destination": "db.example.internal", "kind": "dns"},
        {"source": "dev.server", "destination": ids["ops.tool@"], "kind": "mtu"},
    ]
    result = invoke("probe", topology=expecting, probes=probes, ssh_config="/lab/ssh_config")
    assert "failed" not in result, result["msg"]
    assert [row["predicted"] for row in result["probes"]] == ["reachable", "blocked", "reachable", None, "reachable"]
    assert f"'https://{ids['ops.tool@']}:443/'" in "".join(ssh.log) or f"https://{ids['ops.tool@']}:443/" in "".join(ssh.log)

    plain = invoke("probe", probes=[{"source": ids["dev.server"], "destination": ids["ops.tool"]}], ssh_config="/lab/ssh_config")
    assert [(row["predicted"], row["observed"], row["address"]) for row in plain["probes"]] == [(None, "reachable", ids["ops.tool@"])]
    said = invoke("probe", probes=[{"source": ids["ops.tool"], "destination": ids["dev.server"], "expect": "blocked"}], via="none")
    assert [(row["predicted"], row["by"], row["ok"]) for row in said["probes"]] == [("blocked", "predicted", True)]


def test_ssh_hosts_are_found_by_the_instances_own_name(
    invoke: Invoke, expecting: dict[str, Any], ids: dict[str, str], ssh: FakeSsh
) -> None:
    probes = [{"source": source, "destination": "ops.tool"} for source in ("dev.server", "instance:dev.server", ids["dev.server"])]
    result = invoke("probe", topology=expecting, probes=probes, ssh_config="/lab/ssh_config", ssh_hosts={"dev.server": "jump.example"})
    assert [row["from"] for row in result["probes"]] == ["dev.server", "instance:dev.server", ids["dev.server"]]
    assert [line.partition("|")[0] for line in ssh.log] == ["jump.example"], result["table"]


def test_hosts_that_only_ssh_knows_need_no_account(invoke: Invoke, ssh: FakeSsh) -> None:
    asked = [{"source": "bastion", "destination": "10.0.0.9", "expect": "reachable"}]
    result = invoke("probe", probes=asked, via="ssh", ssh_hosts={"bastion": "jump.example"})
    assert "failed" not in result and result["calls"] == {} and ssh.log[0].startswith("jump.example|")
    ssh.answers({"": "blocked"})
    assert invoke("probe", probes=asked, via="ssh", settle=0)["failed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing is asked: give probes, or a topology with expect"),
        ({"probes": [{"source": "i-1", "destination": "10.0.0.1", "kind": "tcp"}]}, "probes[0]: tcp needs a port"),
        ({"probes": [{"source": "i-1", "destination": "10.0.0.1", "size": 1500}]}, "probes[0]: size is for mtu, not for ping"),
        (
            {"probes": [{"source": "i-00000000000000001", "destination": "10.0.0.1"}]},
            "probes[0]: source: i-00000000000000001 is no instance that runs: write i-…, or vpc.name with a topology",
        ),
        (
            {"probes": [{"source": "a", "destination": "10.0.0.1; id"}], "via": "ssh"},
            "probes[0]: '10.0.0.1; id' is neither an address nor a host's name",
        ),
    ],
)
def test_what_is_asked_wrongly_is_one_line(invoke: Invoke, lab: RunningLab, ssh: FakeSsh, arguments: dict[str, Any], message: str) -> None:
    result = invoke("probe", **arguments)
    assert result["failed"] and result["msg"] == message
