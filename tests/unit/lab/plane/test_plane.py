# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane follows every write before it is answered: together for calls that come together, and not at all before something runs."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import Options
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.plane.attach import attach

from ..fidelity.vpc_helpers import B, Vpc, join, make_vpc, refused
from .conftest import Planes

IMAGE = "ami-12345678"


def launch(vpc: Vpc, cidr: str = "10.0.1.0/24", count: int = 1, **more: Any) -> list[str]:
    subnet = more.pop("SubnetId", None) or vpc.subnet(cidr)
    made = vpc.client.run_instances(ImageId=IMAGE, MinCount=count, MaxCount=count, SubnetId=subnet, **more)
    return [item["InstanceId"] for item in made["Instances"]]


def allow(vpc: Vpc, port: int) -> None:
    filters = [{"Name": "vpc-id", "Values": [vpc.id]}]
    group = vpc.client.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])


def ports(planes: Planes) -> set[int | None]:
    return {rule.from_port for rule in planes.twin.network.rules.values()}


def test_nothing_is_started_before_an_instance_runs(lab: Any, planes: Planes) -> None:
    vpc, other = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", account=B)
    join(vpc, other)
    allow(vpc, 22)
    told = lab.control.status()["plane"]
    assert (planes.twins, told["state"], told["why"], told["hosts"], told["snapshot"]) == ([], "idle", "", 0, False)
    (key,) = launch(vpc)
    assert (len(planes.twins), sorted(planes.twin.network.instances)) == (1, [key])
    assert (22 in ports(planes), len(planes.twin.network.peerings)) == (True, 1)
    assert lab.control.status()["plane"]["state"] == "on"
    assert lab.control.twin_text() == key
    assert planes.twin.keys[0].startswith("ssh-ed25519 ")


def test_a_write_is_answered_when_packets_follow_it_and_a_read_at_once(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    launch(vpc)
    planes.twin.slow = 0.3
    begun = time.monotonic()
    allow(vpc, 443)
    assert (time.monotonic() - begun > 0.3, 443 in ports(planes)) == (True, True)
    begun = time.monotonic()
    vpc.client.describe_vpcs()
    assert time.monotonic() - begun < 0.2


def test_calls_that_come_together_share_a_turn(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    launch(vpc)
    planes.twin.slow, before = 0.2, len(planes.twin.deltas)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda port: allow(vpc, port), range(8001, 8009)))
    assert ports(planes) >= set(range(8001, 8009))
    assert len(planes.twin.deltas) - before <= 3


def test_a_failed_turn_is_told_and_made_up_for_by_the_next(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    launch(vpc)
    planes.twin.fails = "nft said no"
    allow(vpc, 443)  # it succeeds, as the rule is there
    assert lab.control.status()["plane"]["state"] == "failed"
    assert lab.control.status()["plane"]["why"] == "nft said no"
    planes.twin.fails = ""
    allow(vpc, 444)
    assert ({443, 444} <= ports(planes), lab.control.status()["plane"]["state"]) == (True, "on")


def test_a_twin_that_died_is_followed_by_another_that_is_told_all(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    (key,) = launch(vpc)
    planes.twin.alive = False
    assert "ended by itself" in lab.control.status()["plane"]["why"]
    allow(vpc, 443)
    assert (len(planes.twins), sorted(planes.twin.network.instances), 443 in ports(planes)) == (2, [key], True)
    assert lab.control.status()["plane"]["state"] == "on"


def ask_for_ssh(path: str) -> dict[str, Any]:
    """What the lab's socket answers to who wants a shell, within seconds."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as way:
        way.settimeout(5)
        way.connect(path)
        way.sendall(b'{"to": "x", "via": "console", "port": 22}\n')
        return dict(json.loads(way.recv(4096)))


def test_a_killed_twin_is_known_at_once_and_ssh_ends_with_the_reason(lab: Any, planes: Planes, caplog: pytest.LogCaptureFixture) -> None:
    vpc = make_vpc(lab)
    (key,) = launch(vpc)
    path = lab.control.status()["plane"]["ssh_socket"]
    planes.twin.alive = False
    planes.options["on_end"]("was killed by SIGKILL")
    assert "the data plane was killed by SIGKILL at " in caplog.text
    told = lab.control.status()["plane"]
    assert told["state"] == "failed" and told["why"].startswith("the data plane was killed by SIGKILL at ")
    assert "the next change, or the next ssh, starts another one, with new instances" in told["why"]
    assert ask_for_ssh(path)["error"].startswith("the data plane was killed by SIGKILL at ")
    deadline = time.monotonic() + 10
    while len(planes.twins) < 2 or lab.control.status()["plane"]["state"] != "on":
        assert time.monotonic() < deadline, "who comes by ssh starts another one"
        time.sleep(0.05)
    assert sorted(planes.twin.network.instances) == [key]
    (line,) = lab.control.status()["plane"]["warnings"]
    assert line.startswith("the data plane was killed by SIGKILL at ") and line.endswith("its instances are new (1 times so far)")


def test_a_twin_that_cannot_start_again_is_no_silence_at_the_socket(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    launch(vpc)
    path = lab.control.status()["plane"]["ssh_socket"]
    planes.twin.alive, planes.refuses = False, "the data plane did not start: no memory"
    planes.options["on_end"]("was killed by SIGKILL")
    allow(vpc, 443)
    assert ask_for_ssh(path) == {"error": "the data plane did not start: no memory"}


def test_where_it_cannot_start_the_lab_goes_on_without(lab: Any, planes: Planes) -> None:
    planes.refuses = "the data plane did not start: namespaces are refused"
    vpc = make_vpc(lab)
    launch(vpc)
    allow(vpc, 443)
    told = lab.control.status()["plane"]
    assert (told["state"], told["why"], told["hosts"], told["ssh_config"]) == ("refused", planes.refuses, 0, "")


def test_what_must_be_there_and_cannot_be_is_refused(lab: Any, tmp_path: Path) -> None:
    for options, why, words in (
        (Options(twin="required"), "no namespaces here", "no namespaces here"),
        (Options(twin="auto", snapshot=str(tmp_path)), "no namespaces here", "no namespaces here"),
        (Options(twin="off", snapshot=str(tmp_path)), "", "twin: off"),
        (Options(twin="perhaps"), "", "auto, off, required"),
        (Options(twin="auto", snapshot=str(tmp_path / "none")), "", "no such folder"),
    ):
        lab.lab.options = options
        with pytest.raises(ValueError, match=words):
            attach(lab.lab, tmp_path, tmp_path, Planes().start, why)
    lab.lab.options = Options()
    assert lab.lab.plane is None
    assert lab.control.status()["plane"]["state"] == "off"


def test_an_emptied_lab_has_an_empty_data_plane(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    launch(vpc)
    lab.control.reset()
    assert (planes.twin.resets, planes.twin.network.instances, lab.control.hosts()["hosts"]) == (1, {}, [])
    again = make_vpc(lab, "10.9.0.0/16")
    (key,) = launch(again, "10.9.1.0/24")
    assert (sorted(planes.twin.network.instances), sorted(planes.twin.network.vpcs)) == ([key], [again.id])
    assert len(planes.twins) == 1


def test_time_alone_changes_connections(lab: Any, planes: Planes) -> None:
    lab.lab.state("settings").update(peering_provisioning_s=0.5)
    vpc, other = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", account=B)
    launch(vpc)
    key = join(vpc, other)
    assert planes.twin.network.peerings[key].status == "provisioning"
    for _turn in range(100):
        if planes.twin.network.peerings[key].status == "active":
            break
        time.sleep(0.02)
    assert planes.twin.network.peerings[key].status == "active"
    pending = vpc.client.create_vpc_peering_connection(VpcId=vpc.id, PeerVpcId=make_vpc(lab, "10.2.0.0/16").id)["VpcPeeringConnection"]
    lab.control.advance(8 * 86400)
    assert planes.twin.network.peerings[pending["VpcPeeringConnectionId"]].status == "expired"


def test_hosts_and_their_ssh_configuration(lab: Any, planes: Planes, tmp_path: Path) -> None:
    vpc = make_vpc(lab)
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    vpc.client.create_key_pair(KeyName="mine", KeyType="ed25519")
    (key,) = launch(vpc, TagSpecifications=tags, KeyName="mine")
    (host,) = lab.control.hosts()["hosts"]
    known = {name: host[name] for name in ("id", "name", "account", "region", "vpc", "private_ip", "key_name", "user", "state")}
    assert known == {
        "id": key,
        "name": "web",
        "account": "111111111111",
        "region": "us-east-1",
        "vpc": vpc.id,
        "private_ip": "10.0.1.4",
        "key_name": "mine",
        "user": "ec2-user",
        "state": "running",
    }
    text = (tmp_path / "ssh_config").read_text()
    assert f"Host web {key}" in text
    console = vpc.client.get_console_output(InstanceId=key)["Output"]
    assert host["host_keys"][0] in console.partition("-----BEGIN SSH HOST KEY KEYS-----")[2]
    assert "SHA256:" in console
    vpc.client.terminate_instances(InstanceIds=[key])
    assert (lab.control.hosts()["hosts"], "web" in (tmp_path / "ssh_config").read_text()) == ([], False)


def test_an_error_waits_for_nothing(lab: Any, planes: Planes) -> None:
    vpc = make_vpc(lab)
    launch(vpc)
    before = len(planes.twin.deltas)
    with refused("InvalidVpcID.NotFound"):
        vpc.client.create_subnet(VpcId="vpc-0123456789abcdef0", CidrBlock="10.0.2.0/24")
    vpc.client.create_volume(AvailabilityZone="us-east-1a", Size=1)
    assert len(planes.twin.deltas) == before


def test_it_ends_with_its_thread(lab: Any, planes: Planes) -> None:
    launch(make_vpc(lab))
    lab.lab.plane.close()
    assert not planes.twin.alive
    assert "data-plane" not in {thread.name for thread in threading.enumerate()}
