# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network made by amazon.aws's modules and the AWS CLI, which know nothing of this collection: packets follow every call."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import lifecycle
from support.namespaces import needs_namespaces

from .whole_lab import ROOT, WholeLab, whole_lab

pytestmark = [needs_namespaces, pytest.mark.skipif(shutil.which("ssh") is None, reason="OpenSSH's client is not installed")]
LAB = ROOT / "playbooks" / "lab.yml"
PLAY = Path(__file__).parent / "playbooks" / "public_api.yml"
REFUSED, SILENT = "refused", "silent"


def command_line() -> str:
    """The AWS CLI beside this interpreter or in PATH; what is there and does not run is none."""
    for path in (str(Path(sys.executable).with_name("aws")), shutil.which("aws")):
        if path and shutil.which(path) and not subprocess.run([path, "--version"], capture_output=True, check=False).returncode:
            return path
    return ""


class Caller:
    """Calls of EC2's API by the AWS CLI, where there is one, else by boto3: ``name`` says which."""

    def __init__(self, lab: WholeLab) -> None:
        self._lab, self._path = lab, command_line()
        self.name = "aws" if self._path else "boto3"

    def __call__(self, action: str, **parameters: str) -> None:
        """Call an action, named as the CLI names it, with parameters as AWS names them."""
        if not self._path:
            method = getattr(self._lab.client(), action.replace("-", "_"))
            assert method(**{name: _value(value) for name, value in parameters.items()})
            return
        words = [word for name, value in parameters.items() for word in (f"--{_dashed(name)}", value)]
        done = self._lab.run(self._path, "ec2", action, *words, "--output", "json")
        assert done.returncode == 0, done.stderr


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def _value(text: str) -> Any:
    """A parameter as boto3 wants it: the CLI's short form of one permission is the only structure used here."""
    if "IpProtocol=" not in text:
        return text
    found: dict[str, Any] = dict(part.split("=", 1) for part in text.split(",") if not part.startswith("IpRanges"))
    found.update(FromPort=int(found["FromPort"]), ToPort=int(found["ToPort"]))
    return [{**found, "IpRanges": [{"CidrIp": text.rpartition("CidrIp=")[2].rstrip("}]")}]}]


def permission(protocol: str, port: int, cidr: str) -> str:
    return f"IpProtocol={protocol},FromPort={port},ToPort={port},IpRanges=[{{CidrIp={cidr}}}]"


def test_packets_follow_amazon_aws_and_the_cli(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    with whole_lab("public-api", tmp_path) as lab:
        said = lab.playbook(PLAY, variables={"public_key": (tmp_path / "key.pub").read_text()})
        assert "failed=0" in said
        call, ec2 = Caller(lab), lab.client()
        found = {item["Tags"][0]["Value"]: item for answer in ec2.describe_instances()["Reservations"] for item in answer["Instances"]}
        app, data = found["app"], found["data"]
        (peering,) = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
        filters = [{"Name": "vpc-id", "Values": [data["VpcId"]]}]
        table = ec2.describe_route_tables(Filters=filters)["RouteTables"][0]["RouteTableId"]
        group = data["SecurityGroups"][0]["GroupId"]
        target = data["PrivateIpAddress"]

        def ping() -> bool:
            return lab.ssh("app", f"ping -c 1 -W 1 {target}").returncode == 0

        def tcp(port: int) -> str:
            """What a connection to the port meets."""
            said = lab.ssh("app", f"curl -sS -o /dev/null --max-time 2 http://{target}:{port}/ 2>&1; echo $?").stdout.split()
            return {"0": "answered", "7": REFUSED, "28": SILENT}[said[-1]]

        # In the order in which people find out: the peering is active and the route there, and neither suffices.
        assert peering["Status"]["Code"] == "active"
        seen = [("peering and route", ping())]
        call(
            "create-route", RouteTableId=table, DestinationCidrBlock="10.7.0.0/16", VpcPeeringConnectionId=peering["VpcPeeringConnectionId"]
        )
        seen.append(("route back", ping()))
        call("authorize-security-group-ingress", GroupId=group, IpPermissions=permission("icmp", -1, "10.7.1.0/24"))
        seen.append(("rule", ping()))
        lab.module("cloudnet.vpc.snapshot_info", dest=str(tmp_path / "snapshot"))
        call("revoke-security-group-ingress", GroupId=group, IpPermissions=permission("icmp", -1, "10.7.1.0/24"))
        call("authorize-security-group-ingress", GroupId=group, IpPermissions=permission("icmp", -1, "10.7.1.99/32"))
        seen.append(("a rule for another", ping()))  # each ping is a flow of its own: none rides on an earlier one
        assert seen == [("peering and route", False), ("route back", False), ("rule", True), ("a rule for another", False)]

        call("authorize-security-group-ingress", GroupId=group, IpPermissions=permission("tcp", 8080, "10.7.0.0/16"))
        assert (tcp(8080), tcp(8081)) == (REFUSED, SILENT)
        assert lab.ssh("data", "nohup python3 -m http.server 8080 >/dev/null 2>&1 &").returncode == 0
        deadline = time.monotonic() + 30
        while tcp(8080) == REFUSED:  # it is on its way
            assert time.monotonic() < deadline
        assert tcp(8080) == "answered"
        call("delete-vpc-peering-connection", VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
        assert tcp(8080) == SILENT

        # From the internet, by the public address, with the key pair's key: the group admits the controller and port 22.
        known = ("-i", str(tmp_path / "key"), "-o", "IdentitiesOnly=yes")
        assert lab.ssh(f"ec2-user@{app['PublicIpAddress']}", "hostname", *known).stdout == "ip-10-7-1-4\n"
        print(f"by amazon.aws and {call.name}")
        try_a_copy(lab, tmp_path / "snapshot", target)


def try_a_copy(lab: WholeLab, snapshot: Path, target: str) -> None:
    """Packets on a copy of the network as it was when it was described, in a lab of its own whose API is empty."""
    words = ("-e", "lab_name=copy", "-e", f"snapshot={snapshot}")
    try:
        said = lab.playbook(LAB, *words)
        assert "lab copy shows the snapshot" in said and "2 instances" in said
        copy = WholeLab("copy", lab.folder, lifecycle.find("copy"))
        assert copy.client().describe_vpcs()["Vpcs"] == []
        lines = (f"ping -c 1 -W 1 {target} > /dev/null; echo $?", f"curl -s --max-time 2 http://{target}:8080; echo $?", "hostname")
        assert copy.ssh("app", "; ".join(lines)).stdout.split() == ["0", "28", "ip-10-7-1-4"]
        assert copy.ssh("data", "ping -c 1 -W 1 10.7.1.4 > /dev/null").returncode == 1
    finally:
        lifecycle.stop("copy")


def test_the_short_form_is_read_as_the_cli_reads_it() -> None:
    wanted: Sequence[Any] = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    assert _value(permission("tcp", 80, "10.0.0.0/8")) == wanted
    assert _dashed("VpcPeeringConnectionId") == "vpc-peering-connection-id"
