# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to make kernel states so: a large network at once, small changes of it, addresses that nobody uses, and the end of it all.

Run with ``make bench``; each figure is printed. What is held to a bound is the processor's time, the kernel's work for us included: others
may be at work on the machine. The states are made up here, about as large as compiled ones.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.names import GATEWAY, PARKED_MAC, ROUTER_MAC, device, mac
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.netlink import Netlink
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import (
    HOST,
    MAIN,
    PARKING,
    ROUTER,
    Address,
    Chain,
    KernelState,
    Namespace,
    Neighbour,
    NftSet,
    Route,
    Rule,
    Ruleset,
    Wire,
    WireEnd,
)
from support.namespaces import inside_both_trees, kind_of_tree, needs_namespaces

pytestmark = needs_namespaces

FORWARD = "type filter hook forward priority 0; policy drop;"


def ruleset(devices: Mapping[str, str], groups: int, rules: int) -> Ruleset:
    """A router's: each device jumps to one of the groups' chains, each with so many rules."""
    members = frozenset(devices.values())
    chains = {
        "forward": Chain("forward", ("ct state established,related accept", "ct state invalid drop", "oifname vmap @ingress"), FORWARD),
        **{
            f"group_{number}": Chain(f"group_{number}", tuple(f"ip saddr @members tcp dport {1000 + port} accept" for port in range(rules)))
            for number in range(groups)
        },
    }
    gates = frozenset(f'"{name}" : jump group_{place % groups}' for place, name in enumerate(sorted(devices)))
    return Ruleset({"members": NftSet("members", "ipv4_addr", members), "ingress": NftSet("ingress", "ifname : verdict", gates)}, chains)


def network(vpcs: int, hosts: int, peerings: int, parked: int = 0, groups: int = 6, rules: int = 5) -> KernelState:
    """So many VPCs with so many live hosts each, peerings between VPCs that are near one another, and parked addresses for each VPC."""
    wires: list[Wire] = []
    routes: dict[int, list[Route]] = {vpc: [] for vpc in range(vpcs)}
    neighbours: dict[int, list[Neighbour]] = {vpc: [] for vpc in range(vpcs)}
    devices: dict[int, dict[str, str]] = {vpc: {} for vpc in range(vpcs)}
    namespaces: dict[str, Namespace] = {}
    for vpc in range(vpcs):
        for host in range(hosts):
            name, address = f"i-{vpc}-{host}", f"10.{vpc}.0.{host + 5}"
            link, hardware = device("e", name), mac(name)
            wires.append(Wire(WireEnd(f"vpc-{vpc}", link, ROUTER_MAC, 1000), WireEnd(name, "eth0", hardware)))
            devices[vpc][link] = address
            routes[vpc].append(Route(MAIN, f"{address}/32", device=link))
            neighbours[vpc].append(Neighbour(link, address, hardware))
            namespaces[name] = Namespace(
                name,
                HOST,
                frozenset({Address("eth0", f"{address}/24")}),
                frozenset({Route(MAIN, "0.0.0.0/0", device="eth0", via=f"10.{vpc}.0.1")}),
                frozenset(),
                frozenset({Neighbour("eth0", f"10.{vpc}.0.1", ROUTER_MAC)}),
            )
        if parked:
            namespaces[f"park:vpc-{vpc}"] = park(vpc, parked)
            wires.append(Wire(WireEnd(f"vpc-{vpc}", "park", ROUTER_MAC), WireEnd(f"park:vpc-{vpc}", "out", PARKED_MAC)))
            neighbours[vpc].append(Neighbour("park", "169.254.0.2", PARKED_MAC))
            routes[vpc] += [Route(MAIN, address.cidr, device="park", via="169.254.0.2") for address in parked_addresses(vpc, parked)]
    for number in range(peerings):
        one = number % vpcs
        other = (one + 1 + number // vpcs) % vpcs
        link = device("x", f"pcx-{number}")
        wires.append(Wire(WireEnd(f"vpc-{one}", link, ROUTER_MAC, 7), WireEnd(f"vpc-{other}", link, ROUTER_MAC, 7)))
        for here, there in ((one, other), (other, one)):
            routes[here].append(Route(1000, f"10.{there}.0.0/16", device=link, via=GATEWAY))
            neighbours[here].append(Neighbour(link, GATEWAY, ROUTER_MAC))
    for vpc in range(vpcs):
        main = (Route(MAIN, "0.0.0.0/0", "blackhole"), Route(1000, "0.0.0.0/0", "blackhole"), Route(1000, f"10.{vpc}.0.0/16", "throw"))
        namespaces[f"vpc-{vpc}"] = Namespace(
            f"vpc-{vpc}",
            ROUTER,
            frozenset({Address("lo", f"10.{vpc}.0.1/32")}),
            frozenset({*main, *routes[vpc]}),
            frozenset({Rule(4, 100, 1000, 1000)}),
            frozenset(neighbours[vpc]),
            ruleset(devices[vpc], groups, rules),
        )
    return KernelState(namespaces, frozenset(wires))


def parked_addresses(vpc: int, count: int) -> frozenset[Address]:
    return frozenset(Address("lo", f"10.{vpc}.{1 + number // 200}.{5 + number % 200}/32") for number in range(count))


def park(vpc: int, count: int) -> Namespace:
    return Namespace(
        f"park:vpc-{vpc}",
        PARKING,
        parked_addresses(vpc, count),
        frozenset({Route(MAIN, "0.0.0.0/0", device="out", via=GATEWAY)}),
        frozenset(),
        frozenset({Neighbour("out", GATEWAY, ROUTER_MAC)}),
    )


def resident() -> float:
    """MiB of memory that are available on this machine, as the kernel reckons."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    return 0.0


@inside_both_trees
def test_large_network() -> None:
    state = network(vpcs=100, hosts=10, peerings=300)
    kernel = NetworkKernel()
    start, worked = time.perf_counter(), time.process_time()
    kernel.apply(state)
    built, work = time.perf_counter() - start, time.process_time() - worked

    sent = Netlink.sent
    start = time.perf_counter()
    kernel.apply(KernelState(dict(state.namespaces), state.wires))
    again = time.perf_counter() - start
    assert Netlink.sent == sent

    changes: list[float] = []
    for turn in range(20):
        changed = _one_rule(kernel.state, turn)
        start = time.perf_counter()
        kernel.apply(changed)
        changes.append(time.perf_counter() - start)
    routed: list[float] = []
    for turn in range(20):
        changed = _one_route(kernel.state, turn)
        start = time.perf_counter()
        kernel.apply(changed)
        routed.append(time.perf_counter() - start)
    start = time.perf_counter()
    kernel.close()
    closed = time.perf_counter() - start
    rule, route = statistics.median(changes) * 1000, statistics.median(routed) * 1000
    print(
        f"\n{kind_of_tree()}: 100 routers, 1,000 hosts, 300 peerings: {built:.2f} s ({work:.2f} s of work); again {again * 1000:.1f} ms; "
        f"one chain {rule:.2f} ms (at most {max(changes) * 1000:.1f}); one route {route:.2f} ms; closed in {closed:.2f} s"
    )
    assert work < 3.0 and rule < 10 and route < 10 and closed < 3.0


@inside_both_trees
def test_parked_addresses() -> None:
    state = network(vpcs=100, hosts=0, peerings=0)
    parked = {f"park:vpc-{vpc}": park(vpc, 100) for vpc in range(100)}
    wires = [Wire(WireEnd(f"vpc-{vpc}", "park", ROUTER_MAC), WireEnd(f"park:vpc-{vpc}", "out", PARKED_MAC)) for vpc in range(100)]
    kernel = NetworkKernel()
    kernel.apply(state)
    before = resident()
    start, worked = time.perf_counter(), time.process_time()
    kernel.apply(KernelState({**state.namespaces, **parked}, state.wires | frozenset(wires)))
    took, work = time.perf_counter() - start, time.process_time() - worked
    memory = before - resident()
    start = time.perf_counter()
    kernel.close()
    closed = time.perf_counter() - start
    print(
        f"\n{kind_of_tree()}: 10,000 addresses in 100 parking namespaces: {took:.2f} s ({work:.2f} s of work), "
        f"about {memory:.0f} MiB; closed in {closed:.2f} s"
    )
    assert work < 1.0 and closed < 3.0


def _one_rule(state: KernelState, turn: int) -> KernelState:
    """One more rule in one group of one VPC."""
    name = f"vpc-{turn % 5}"
    old = state.namespaces[name]
    group = old.ruleset.chains["group_1"]
    chains = {**old.ruleset.chains, "group_1": replace(group, rules=(*group.rules, f"tcp dport {turn + 1} accept"))}
    changed = replace(old, ruleset=replace(old.ruleset, chains=chains))
    return KernelState({**state.namespaces, name: changed}, state.wires)


def _one_route(state: KernelState, turn: int) -> KernelState:
    """One more route in one VPC."""
    name = f"vpc-{turn % 5}"
    old = state.namespaces[name]
    changed = replace(old, routes=old.routes | {Route(1000, f"172.16.{turn}.0/24", "blackhole")})
    return KernelState({**state.namespaces, name: changed}, state.wires)
