# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole data plane at size: told of a network, until packets follow. Prints a table; the limits are the project's own goals.

``python tests/bench/test_twin.py`` prints it without pytest, as root or rootless.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "playbooks" / "collections"), str(ROOT / "tests")]

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network, Route  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.client import Delta, Twin  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import compile_network  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import HOST, Address, KernelState, Namespace, Wire, WireEnd  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import Route as KernelRoute  # noqa: E402
from support.namespaces import run_in_tree  # noqa: E402
from support.twin_networks import Builder  # noqa: E402

FIELDS = [item.name for item in dataclasses.fields(Network) if item.name != "others" and isinstance(getattr(Network(), item.name), Mapping)]


def large(vpcs: int, hosts: int, peerings: int) -> Network:
    """VPCs with as many instances each, each joined to the next ones in a ring."""
    made = Builder()
    for number in range(vpcs):
        made.vpc(f"vpc-{number:04d}", f"10.{number}.0.0/16")
        made.subnet(f"subnet-{number:04d}", f"vpc-{number:04d}", f"10.{number}.0.0/20")
        for host in range(hosts // vpcs):
            made.host(f"i-{number:04d}{host:06d}", f"subnet-{number:04d}", f"10.{number}.{(host + 10) // 250}.{(host + 10) % 250 + 1}")
    routes: dict[int, dict[str, str]] = {number: {} for number in range(vpcs)}
    for number in range(peerings):
        one, other = number % vpcs, (number % vpcs + 1 + number // vpcs) % vpcs
        made.peering(f"pcx-{number:04d}", f"vpc-{one:04d}", f"vpc-{other:04d}")
        routes[one][f"10.{other}.0.0/16"] = routes[other][f"10.{one}.0.0/16"] = f"pcx-{number:04d}"
    for number, targets in routes.items():
        made.table(f"rtb-{number:04d}", f"vpc-{number:04d}", targets, main=True)
    return made.network()


def whole(network: Network) -> Delta:
    """Everything, told at once."""
    return Delta({name: dict(getattr(network, name)) for name in FIELDS}, facts=Facts())


def took(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory(twin: Twin) -> float:
    """MiB that the data plane's processes have for themselves (proportional share)."""
    found = [twin.pid]
    for process in found:
        found += [int(item) for item in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    total = 0
    for process in found:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def slab() -> float:
    """MiB of the kernel's own memory."""
    return sum(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("Slab:")) / 1024


def measure_large() -> dict[str, float]:
    """100 VPCs, 1,000 instances, 300 peerings; then single changes."""
    network = large(100, 1000, 300)
    twin = Twin.start()
    try:
        found = {"1,000 instances, 100 VPCs, 300 peerings (s)": took(lambda: twin.update(whole(network)))}
        rule = next(rule for rule in network.rules.values() if rule.group == "sg-0042" and not rule.egress)
        times = []
        for number in range(9):
            changed = dataclasses.replace(rule, protocol="tcp", from_port=1000 + number, to_port=1000 + number, cidr="10.0.0.0/8")
            times.append(took(lambda changed=changed: twin.update(Delta({"rules": {rule.id: changed}}))))  # type: ignore[misc]
        found["one rule changed (ms, median)"] = 1000 * statistics.median(times)
        table = network.route_tables["rtb-0042"]
        times = []
        for number in range(9):
            routes = (*table.routes, Route(f"172.16.{number}.0/24", "peering", "pcx-0042"))
            more = dataclasses.replace(table, routes=routes)
            times.append(took(lambda more=more: twin.update(Delta({"route_tables": {table.id: more}}))))  # type: ignore[misc]
        found["one route changed (ms, median)"] = 1000 * statistics.median(times)
        found["first use of an instance (ms)"] = 1000 * took(lambda: twin.run("i-0042000003", ["true"]))
        found["a command in it (ms)"] = 1000 * took(lambda: twin.run("i-0042000003", ["true"]))
        found["stop (s)"] = took(twin.close)
    finally:
        twin.close()
    return found


def measure_parked() -> dict[str, float]:
    """10,000 instances that nobody uses."""
    network = large(20, 10_000, 20)
    twin = Twin.start()
    try:
        before, kernel = memory(twin), slab()
        found = {"10,000 unused instances (s)": took(lambda: twin.update(whole(network)))}
        found["their memory, of processes (MiB)"] = memory(twin) - before
        found["their memory, of the kernel (MiB)"] = slab() - kernel
        found["all of the data plane (MiB)"] = memory(twin)
        found["stop of 10,000 (s)"] = took(twin.close)
    finally:
        twin.close()
    return found


def stream(kernel: NetworkKernel, sender: str, receiver: str, address: str, seconds: float) -> float:
    """Gbit/s of one TCP connection."""
    listener = kernel.socket(receiver, socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((address, 5001))
    listener.listen(1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        taken = listener.accept()[0]
        buffer, total, start = bytearray(1 << 20), 0, time.perf_counter()
        while got := taken.recv_into(buffer):
            total += got
        os.write(writing, f"{total * 8 / (time.perf_counter() - start) / 1e9}".encode())
        os._exit(0)
    listener.close()
    sending = kernel.socket(sender, socket.AF_INET, socket.SOCK_STREAM)
    sending.connect((address, 5001))
    load, end = bytes(1 << 20), time.perf_counter() + seconds
    while time.perf_counter() < end:
        sending.sendall(load)
    sending.close()
    found = float(os.read(reading, 100))
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    return found


def compared() -> None:
    """Two instances behind two routers with 1,000 rules, and two namespaces with nothing between; prints the medians and their ratio."""
    made = Builder()
    for name, block in (("a", "10.0"), ("b", "10.1")):
        made.vpc(f"vpc-{name}", f"{block}.0.0/16")
        made.subnet(f"subnet-{name}", f"vpc-{name}", f"{block}.1.0/24")
        made.host(f"i-{name}", f"subnet-{name}", f"{block}.1.10")
        for number in range(500):
            made.rule(f"sg-{name}", protocol="tcp", from_port=10_000 + number, to_port=10_000 + number, cidr=f"10.{number % 250}.0.0/16")
    # What is open to all in both directions is not tracked; most connections are.
    rules = made.fields["rules"]
    made.fields["rules"] = {key: rule for key, rule in rules.items() if rule.egress or rule.protocol != "-1"}
    made.rule("sg-b", protocol="tcp", from_port=5001, to_port=5001, cidr="10.0.0.0/16")
    made.peering("pcx-ab", "vpc-a", "vpc-b")
    made.table("rtb-a", "vpc-a", {"10.1.0.0/16": "pcx-ab"}, main=True)
    made.table("rtb-b", "vpc-b", {"10.0.0.0/16": "pcx-ab"}, main=True)
    state = compile_network(made.network(), frozenset({"i-a", "i-b"}))
    ends = [WireEnd(name, "eth0", f"02:00:00:00:01:0{number}") for number, name in enumerate(("bare-1", "bare-2"), 1)]
    bare = {
        end.namespace: Namespace(
            end.namespace,
            HOST,
            frozenset({Address("eth0", f"192.168.0.{number}/24")}),
            frozenset({KernelRoute(254, "192.168.0.0/24", device="eth0")}),
        )
        for number, end in enumerate(ends, 1)
    }
    kernel = NetworkKernel()
    kernel.apply(KernelState({**state.namespaces, **bare}, state.wires | {Wire(ends[0], ends[1], 9001)}))
    pairs = [
        (stream(kernel, "bare-1", "bare-2", "192.168.0.2", 0.7), stream(kernel, "i-a", "i-b", "10.1.1.10", 0.7)) for _number in range(5)
    ]
    plain, routed = (statistics.median(item) for item in zip(*pairs, strict=True))
    report({"bare wire (Gbit/s)": plain, "two routers, 1,000 rules (Gbit/s)": routed, "ratio": statistics.median(b / a for a, b in pairs)})
    if statistics.median(b / a for a, b in pairs) < 0.7:
        raise RuntimeError(f"{routed:.1f} of {plain:.1f} Gbit/s is less than 0.7")
    kernel.close()


def report(found: dict[str, float]) -> None:
    """A table for people."""
    for name, value in found.items():
        print(f"  {name:48} {value:10.2f}", flush=True)


def test_large_network() -> None:
    found = measure_large()
    report(found)
    assert found["1,000 instances, 100 VPCs, 300 peerings (s)"] < 5
    assert found["one rule changed (ms, median)"] < 100
    assert found["one route changed (ms, median)"] < 100
    assert found["stop (s)"] < 3


def test_unused_instances() -> None:
    found = measure_parked()
    report(found)
    assert found["10,000 unused instances (s)"] < 5
    assert found["all of the data plane (MiB)"] < 200
    assert found["stop of 10,000 (s)"] < 3


def test_throughput() -> None:
    assert run_in_tree(compared, 60) == ""


if __name__ == "__main__":
    print(f"python {sys.version.split()[0]}, {subprocess.run(['uname', '-r'], capture_output=True, text=True, check=True).stdout.strip()}")
    report(measure_large())
    report(measure_parked())
    print(run_in_tree(compared, 60))
