# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot folder shown by the data plane: the network as it was, an instance behind every interface, and an API that stays empty."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import Snapshot, load, plain, save
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import ssh_config
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import Options
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.attach import attach
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.snapshots import open_snapshot, people
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.nft import load as load_rules
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.render import render

from ..fidelity.vpc_helpers import HOME, A, make_vpc
from .conftest import Planes
from .test_plane import launch

READS = {
    "Vpcs": "describe_vpcs",
    "Subnets": "describe_subnets",
    "RouteTables": "describe_route_tables",
    "SecurityGroups": "describe_security_groups",
    "SecurityGroupRules": "describe_security_group_rules",
    "NetworkAcls": "describe_network_acls",
    "VpcPeeringConnections": "describe_vpc_peering_connections",
    "NetworkInterfaces": "describe_network_interfaces",
    "Reservations": "describe_instances",
    "NatGateways": "describe_nat_gateways",
    "VpcEndpoints": "describe_vpc_endpoints",
}


@pytest.fixture
def folder(lab: Any, tmp_path: Path) -> Path:
    """A snapshot of a VPC with a running instance, a stopped one, an interface alone, a NAT gateway and an endpoint."""
    vpc = make_vpc(lab)
    subnet = vpc.subnet("10.0.1.0/24")
    launch(vpc, SubnetId=subnet)
    (stopped,) = launch(vpc, SubnetId=subnet)
    vpc.client.stop_instances(InstanceIds=[stopped])
    vpc.client.create_network_interface(SubnetId=subnet, Description="database of the shop")
    vpc.client.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")
    service = f"com.amazonaws.{HOME}.ssm"
    vpc.client.create_vpc_endpoint(
        VpcId=vpc.id, ServiceName=service, VpcEndpointType="Interface", SubnetIds=[subnet], PrivateDnsEnabled=False
    )
    files = {(A, HOME, file): tuple(plain(getattr(vpc.client, name)()[file])) for file, name in READS.items()}
    save(Snapshot(files), tmp_path / "saved")
    lab.control.reset()
    return tmp_path / "saved"


@pytest.fixture
def shown(lab: Any, folder: Path, tmp_path: Path) -> Iterator[Planes]:
    """The lab, showing the snapshot."""
    found = Planes()
    lab.lab.options = Options(twin="auto", snapshot=str(folder))
    attach(lab.lab, tmp_path, tmp_path, found.start, "")
    yield found
    lab.lab.plane.close()
    lab.lab.plane = lab.lab.executor = lab.lab.flow_records = None
    lab.lab.options = Options()


def test_every_interface_has_an_instance(folder: Path) -> None:
    plain_network = build(load(folder))
    network, facts = open_snapshot(folder)
    assert len(plain_network.interfaces) == 5
    assert {item.state for item in network.instances.values()} == {"running"}
    assert len(network.instances) == 3
    (made,) = [item for id_, item in network.instances.items() if id_ not in plain_network.instances]
    assert (made.tags["Name"], made.private_ip, network.interfaces[made.interfaces[0]].instance) == (
        "database of the shop",
        "10.0.1.6",
        made.id,
    )
    apart = {eni.type for eni in network.interfaces.values() if not eni.instance}
    assert apart == {"nat_gateway", "vpc_endpoint"}
    assert set(facts.hosts) == set(network.instances)
    assert (network.route_tables, network.rules) == (plain_network.route_tables, plain_network.rules)
    assert people(network)[0].instances == network.instances


def test_the_data_plane_shows_it_from_the_start(lab: Any, shown: Planes) -> None:
    assert (len(shown.twins), len(shown.twin.network.instances)) == (1, 3)
    told = lab.control.status()["plane"]
    assert (told["state"], told["snapshot"], told["hosts"]) == ("on", True, 3)
    assert {host["name"] for host in lab.control.hosts()["hosts"]} == {"", "database of the shop"}
    assert "Host database-of-the-shop " in Path(lab.control.hosts()["ssh_config"]).read_text()


def test_the_api_is_another_matter(lab: Any, shown: Planes) -> None:
    ec2 = lab.client("ec2")
    assert (ec2.describe_vpcs()["Vpcs"], ec2.describe_instances()["Reservations"]) == ([], [])
    launch(make_vpc(lab, "10.5.0.0/16"), "10.5.1.0/24")
    lab.control.reset()
    assert (len(shown.twin.network.vpcs), len(shown.twin.network.instances), shown.twin.resets) == (1, 3, 0)


def edited(folder: Path, file: str, before: str, after: str) -> None:
    path = folder / "accounts" / A / HOME / f"{file}.json"
    text = path.read_text(encoding="utf-8")
    assert json.dumps(before) in text
    path.write_text(text.replace(json.dumps(before), json.dumps(after)), encoding="utf-8")


@pytest.mark.parametrize(
    "hostile", ['i-00000000000000001\nMatch exec "touch PWN"\n#', "../../home/someone/victim", "i-1 evil", "-oProxyCommand=id"]
)
def test_a_hostile_id_is_neither_a_path_nor_a_line(folder: Path, tmp_path: Path, hostile: str) -> None:
    victim = next(iter(build(load(folder)).instances))
    for file in ("Reservations", "NetworkInterfaces"):
        edited(folder, file, victim, hostile)
    network, facts = open_snapshot(folder)
    assert network.instances and victim not in network.instances and hostile not in network.instances
    assert [warning.partition("; left out ")[2] for warning in network.warnings if "left out" in warning] == ["[BAD_ID]", "[BAD_ID]"]
    state = compile_network(network, frozenset(network.instances))
    assert hostile not in state.namespaces and not any(hostile in text for text in (render(state), *facts.hosts))
    listed = [{"id": id_, "state": "running", "private_ip": item.private_ip} for id_, item in network.instances.items()]
    written = ssh_config.write(tmp_path, "/run/lab.sock", listed)
    assert "PWN" not in written.config.read_text(encoding="utf-8")


@pytest.mark.parametrize("address", ["1.23.456.78", "9.789.789.789", "evil.example", "localhost", "10.0.1.4\n"])
def test_an_address_that_is_none_reaches_no_resolver(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    eni = next(item for item in build(load(folder)).interfaces.values() if item.instance)
    edited(folder, "NetworkInterfaces", eni.private_ips[0], address)
    edited(folder, "Reservations", eni.private_ips[0], address)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", lambda *_args, **_more: pytest.fail("a resolver was asked"))
        network, _facts = open_snapshot(folder)
        state = compile_network(network, frozenset(network.instances))
        for namespace in state.namespaces.values():
            load_rules(namespace.ruleset)  # raises for a word that nftables would look up
    assert any(f"{eni.id}: " in warning and warning.endswith("[BAD_ADDRESS]") for warning in network.warnings)
    assert eni.id not in network.interfaces and eni.instance not in network.instances
