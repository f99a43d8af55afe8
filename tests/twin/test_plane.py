# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane as the lab has it: a process of its own, told of a network, that leaves the host alone and nothing behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import FlowLog, Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.client import Delta, Twin, TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts, HostFacts
from support.lab import COLLECTIONS
from support.namespaces import needs_namespaces
from support.twin_networks import ACCOUNT, REGION, Builder

pytestmark = needs_namespaces


def two(first: str = "10.0", second: str = "10.1") -> Builder:
    """Two VPCs that are joined, an instance in each."""
    made = Builder()
    for name, block in (("a", first), ("b", second)):
        made.vpc(f"vpc-{name}", f"{block}.0.0/16")
        made.subnet(f"subnet-{name}", f"vpc-{name}", f"{block}.1.0/24")
        made.host(f"i-{name}", f"subnet-{name}", f"{block}.1.10")
    made.peering("pcx-ab", "vpc-a", "vpc-b")
    made.table("rtb-a", "vpc-a", {f"{second}.0.0/16": "pcx-ab"}, main=True)
    made.table("rtb-b", "vpc-b", {f"{first}.0.0/16": "pcx-ab"}, main=True)
    return made


def delta(network: Network, before: Network | None = None, facts: Facts | None = None) -> Delta:
    """All of a network, and what of an earlier one is gone."""
    before = before or Network()
    names = [
        item.name for item in dataclasses.fields(network) if item.name != "others" and isinstance(getattr(network, item.name), Mapping)
    ]
    gone = {name: tuple(key for key in getattr(before, name) if key not in getattr(network, name)) for name in names}
    return Delta({name: dict(getattr(network, name)) for name in names}, gone, facts)


@contextmanager
def plane(network: Network | None = None, facts: Facts | None = None) -> Iterator[Twin]:
    """A data plane, with a network."""
    twin = Twin.start()
    try:
        if network is not None:
            twin.update(delta(network, facts=facts or Facts()))
        yield twin
    finally:
        twin.close()


def ping(twin: Twin, source: str, address: str) -> bool:
    """Whether an echo comes back."""
    return bool(twin.run(source, [f"ping -c 1 -W 1 {address}"])["exit_code"] == 0)


def alive(process: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def children(process: int) -> list[int]:
    """All processes below it."""
    found = [int(item) for item in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [*found, *(below for item in found for below in children(item))]


def gone(processes: list[int], seconds: float = 5.0) -> bool:
    """Whether all have ended in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(item) for item in processes):
            return True
        time.sleep(0.02)
    return False


def host_network() -> dict[str, Any]:
    """Interfaces, routes, rules, nftables and settings of the network that this process is in."""
    found: dict[str, Any] = {}
    for command in (["ip", "-j", "address"], ["ip", "route", "show", "table", "all"], ["ip", "rule"], ["nft", "list", "ruleset"]):
        found[" ".join(command)] = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    # Numbers that count or age are no settings.
    found["ip -j address"] = [line for line in found["ip -j address"].split(",") if "valid_life_time" not in line]
    for path in sorted(Path("/proc/sys/net").rglob("*")):
        if path.is_file() and "conntrack_count" not in path.name and "stat" not in path.name:
            try:
                found[str(path)] = path.read_text()
            except OSError:
                continue
    return found


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()


def test_packets_follow_what_is_told_and_the_host_is_left_alone() -> None:
    before, mounted = host_network(), mounts()
    network = two().network()
    with plane(network) as twin:
        assert ping(twin, "i-a", "10.1.1.10")
        closed = dataclasses.replace(network, rules={key: rule for key, rule in network.rules.items() if rule.group != "sg-b"})
        twin.update(delta(closed, network))
        assert not ping(twin, "i-a", "10.1.1.10")
        twin.update(delta(network, closed))
        assert ping(twin, "i-a", "10.1.1.10")
        assert host_network() == before
        assert mounts() == mounted
        processes = [twin.pid, *children(twin.pid)]
        assert len(processes) > 3
    assert gone(processes)
    assert host_network() == before
    assert mounts() == mounted


@pytest.mark.parametrize("victim", ["outer", "inner", "lab"])
def test_whoever_is_killed_nothing_is_left(victim: str) -> None:
    program = (
        "import sys, time\n"
        "from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.client import Twin\n"
        "twin = Twin.start()\nprint(twin.pid, flush=True)\ntime.sleep(60)\n"
    )
    lab = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    )
    assert lab.stdout is not None
    try:
        outer = int(lab.stdout.readline())
        below = children(outer)
        os.kill({"outer": outer, "inner": below[0], "lab": lab.pid}[victim], signal.SIGKILL)
        assert gone([outer, *below])
    finally:
        lab.kill()
        lab.wait()
        lab.stdout.close()


def test_nothing_of_the_host_nor_of_another_plane_answers_from_inside() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, plane(two().network()) as twin, plane(two("10.5", "10.6").network()) as other:
        assert ping(other, "i-a", "10.6.1.10")
        port = listener.getsockname()[1]
        found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout.split()
        lines = [
            f"timeout 2 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null && echo {address} answers"
            for address in ("127.0.0.1", *(item for item in found if ":" not in item))
        ]
        lines += [
            f"ping -c 1 -W 1 {address} >/dev/null && echo {address} answers" for address in (*found, "10.6.1.10", "10.5.1.10", "192.0.2.1")
        ]
        assert twin.run("i-a", lines)["output"] == ""


def test_an_instance_that_nobody_used_answers_a_ping_refuses_and_wakes_when_somebody_logs_in() -> None:
    network = two().network()
    facts = Facts({host: HostFacts(host) for host in ("i-a", "i-b")})
    with plane(network, facts) as twin:
        said = twin.run("i-a", ["ping -c 1 -W 1 10.1.1.10 >/dev/null && echo echo", "bash -c 'exec 3<>/dev/tcp/10.1.1.10/81' 2>&1"])
        assert "echo" in said["output"]
        assert "refused" in said["output"]
        assert "namespace i-b" not in twin.text()
        greeting = twin.run("i-a", ["timeout 8 bash -c 'exec 3<>/dev/tcp/10.1.1.10/22; head -c 7 <&3'"])
        assert greeting["output"] == "SSH-2.0"
        assert "i-b" in twin.text()


def test_stopped_instances_answer_nothing_and_come_back_with_their_home() -> None:
    network = two().network()
    with plane(network) as twin:
        twin.run("i-b", ["echo kept > /home/ec2-user/note"])
        instance = dataclasses.replace(network.instances["i-b"], state="stopped")
        stopped = dataclasses.replace(network, instances={**network.instances, "i-b": instance})
        twin.update(delta(stopped, network))
        assert not ping(twin, "i-a", "10.1.1.10")
        with pytest.raises(TwinError, match="i-b does not run"):
            twin.run("i-b", ["true"])
        twin.update(delta(network, stopped))
        assert ping(twin, "i-a", "10.1.1.10")
        assert twin.run("i-b", ["cat /home/ec2-user/note"])["output"] == "kept\n"


def test_flow_logs_tell_accepted_and_rejected_flows_with_the_right_eni() -> None:
    made = two()
    made.put("flow_logs", FlowLog(id="fl-b", account=ACCOUNT, region=REGION, resource="vpc-b", traffic="ALL", destination="logs"))
    network = made.network()
    eni = next(item.id for item in network.interfaces.values() if item.instance == "i-b")
    with plane(network) as twin:
        assert ping(twin, "i-a", "10.1.1.10")
        time.sleep(0.3)
        accepted = twin.flow_records()
        closed = dataclasses.replace(network, rules={key: rule for key, rule in network.rules.items() if rule.group != "sg-b"})
        twin.update(delta(closed, network))
        assert not ping(twin, "i-a", "10.1.1.10")
        time.sleep(0.3)
        rejected = twin.flow_records()
    incoming = f"2 {ACCOUNT} {eni} 10.0.1.10 10.1.1.10 0 0 1 1 84"
    assert [item["line"] for item in accepted if item["line"].startswith(incoming) and item["line"].endswith("ACCEPT OK")]
    assert [item["line"] for item in rejected if item["line"].startswith(incoming) and item["line"].endswith("REJECT OK")]
    assert {item["eni"] for item in (*accepted, *rejected)} == {eni}


def test_emptied_it_holds_nothing_and_goes_on() -> None:
    network = two().network()
    with plane(network) as twin:
        twin.run("i-a", ["touch /home/ec2-user/old"])
        twin.reset()
        assert "vpc-" not in twin.text()
        twin.update(delta(network, facts=Facts()))
        assert ping(twin, "i-a", "10.1.1.10")
        assert twin.run("i-a", ["ls /home/ec2-user"])["output"] == ""
