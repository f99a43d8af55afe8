# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two readers of one network: what reach says of a flow, and what the kernel does with its packets. They must never differ.

``python -m support.differential --seeds 0 100 --flows 60 [--show SEED]``: a program, since the namespaces need a process with one thread.
It prints one JSON line for each disagreement and one with the counts, and ends with status 1 where there was a disagreement.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin import tree
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import Memo, compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.outside import outside
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.render import render

from . import network_json
from .packets import PORTS, Ears, Flow, ask
from .wild_networks import wild

Case = tuple[Flow, str, str, int]
"""The flow in packets, and reach's source, destination and family."""


def cases(network: Network, chance: random.Random, count: int) -> list[Case]:
    """Questions of which each has one meaning for both readers."""
    running = [item for item in network.instances.values() if item.state == "running"]
    enis = {item.id: network.interfaces[item.interfaces[0]] for item in network.instances.values()}
    known = Counter(address for item in network.interfaces.values() for address in (*item.private_ips, *item.ipv6s))
    found: list[Case] = []
    around = outside(network)
    if not running:
        return found
    for _number in range(count * 4):
        if len(found) == count:
            break
        protocol, port = chance.choice((("tcp", 0), ("tcp", 0), ("udp", 0), ("icmp", 0)))
        port = chance.choice(PORTS) if protocol != "icmp" else 0
        source, target = chance.choice(running), chance.choice(list(network.instances.values()))
        there = network.interfaces[chance.choice(target.interfaces)]
        kind = chance.choice(("private",) * 6 + ("six", "six", "public", "out", "out6", "in", "in"))
        if kind == "in":
            if there.public_ips:
                public = there.public_ips[there.private_ips[0]]
                found.append((Flow("internet", public, target.id, protocol, port, around.controller), around.controller, public, 4))
            continue
        if kind == "out":
            found.append((Flow(source.id, around.server, "internet", protocol, port), source.id, around.server, 4))
            continue
        if kind == "out6":
            if enis[source.id].ipv6s:
                found.append((Flow(source.id, around.server_6, "internet", protocol, port), source.id, around.server_6, 6))
            continue
        if source.id == target.id:
            continue
        addresses = {"private": there.private_ips, "six": there.ipv6s, "public": tuple(there.public_ips.values())}[kind]
        family = 6 if kind == "six" else 4
        if not addresses or (family == 6 and not enis[source.id].ipv6s):
            continue
        address = chance.choice(addresses)
        # An echo does not say who sent it.
        if protocol == "icmp" and known[address] > 1:
            continue
        found.append(
            (
                Flow(source.id, address, target.id, protocol, port),
                source.id,
                address if kind == "public" else f"{address}@{there.vpc}",
                family,
            )
        )
    return found


def compare(
    kernel: NetworkKernel, network: Network, questions: list[Case], memo: Memo | None = None
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Build the network, ask both, and tell where they differ."""
    live = frozenset(item.id for item in network.instances.values() if item.state == "running")
    kernel.apply(compile_network(network, live, memo))
    state = compile_network(network, live, memo)
    counts: Counter[str] = Counter()
    asked: list[tuple[Case, Any]] = []
    for case in questions:
        flow, source, target, family = case
        if flow.source not in state.namespaces:
            counts["no namespace"] += 1
            continue
        verdict = reach(network, source, target, flow.protocol, flow.port or None, family=family)
        counts[verdict.verdict] += 1
        if verdict.verdict != "unknown":
            asked.append((case, verdict))
    hosts = [name for name in (*live, "internet") if name in state.namespaces]
    around = outside(network)
    at = {"internet": (around.server, around.server_6)}
    for item in network.interfaces.values():
        at[item.instance] = (*at.get(item.instance, ()), *item.private_ips, *item.ipv6s)
    ears = Ears(kernel, hosts, at=at)
    try:
        observed = ask(kernel, ears, [case[0] for case, _verdict in asked])
        wrong = [place for place, got in enumerate(observed) if got != asked[place][1].reachable]
        # On a busy machine an answer may come late: who disagrees is asked again, at leisure.
        again = ask(kernel, ears, [asked[place][0][0] for place in wrong], quiet=2.0, longest=6.0) if wrong else []
    finally:
        ears.close()
    differences = []
    for place, got in zip(wrong, again, strict=True):
        (flow, source, target, _family), verdict = asked[place]
        if got != verdict.reachable:
            differences.append(
                {
                    "question": asked[place][0],
                    "flow": f"{flow.protocol} {source} -> {target} ({flow.target}) port {flow.port}",
                    "reach": verdict.verdict,
                    "kernel": "answers" if got else "silent",
                    "blockers": [
                        f"{item.code} {item.direction} {item.component} {item.text}"[:300] if hasattr(item, "text") else str(item)[:300]
                        for item in verdict.blockers
                    ],
                    "path": [f"{hop.step} {hop.component}" for hop in verdict.forward.hops],
                    "back": [f"{hop.step} {hop.component}" for hop in verdict.back.hops] if verdict.back else [],
                }
            )
    counts["compared"] += len(asked)
    return differences, counts


def differs(kernel: NetworkKernel, network: Network, case: Case) -> bool:
    """Whether the two readers differ on this one question; a network that one of them cannot read does not count."""
    try:
        return bool(compare(kernel, network, [case])[0])
    except Exception:
        return False


def shrink(kernel: NetworkKernel, network: Network, case: Case) -> Network:
    """The same disagreement with as little around it as can be."""
    changed = True
    while changed:
        changed = False
        for field in fields(network):
            if field.name in ("complete", "warnings", "others"):
                continue
            for key in list(getattr(network, field.name)):
                smaller = replace(network, **{field.name: {one: item for one, item in getattr(network, field.name).items() if one != key}})
                if differs(kernel, smaller, case):
                    network, changed = smaller, True
        for table in list(network.route_tables.values()):
            for route in table.routes:
                kept = replace(table, routes=tuple(item for item in network.route_tables[table.id].routes if item != route))
                smaller = replace(network, route_tables={**network.route_tables, table.id: kept})
                if route.via != "local" and differs(kernel, smaller, case):
                    network, changed = smaller, True
    return network


def keep(folder: Path, name: str, network: Network, case: Case) -> None:
    """Write a case, for a person to say what it is about and who was right (``story``, ``reachable``)."""
    flow, source, target, family = case
    told = {
        "story": "",
        "reachable": None,
        "flow": asdict(flow),
        "source": source,
        "target": target,
        "family": family,
        "network": network_json.dump(network),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def kept(folder: Path) -> list[dict[str, Any]]:
    """The cases of a folder, with their networks read."""
    found = []
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        found.append({**told, "name": path.stem, "network": network_json.load(told["network"]), "flow": Flow(**told["flow"])})
    return found


def again(folder: Path) -> int:
    """Ask every kept case again: reach and the kernel must both say what is written there. One JSON line a case."""
    kernel = NetworkKernel()
    bad = 0
    for case in kept(folder):
        question = (case["flow"], case["source"], case["target"], case["family"])
        differences, _counts = compare(kernel, case["network"], [question])
        for difference in differences:
            del difference["question"]
        verdict = reach(
            case["network"], case["source"], case["target"], case["flow"].protocol, case["flow"].port or None, family=case["family"]
        )
        fine = not differences and verdict.reachable is case["reachable"]
        bad += not fine
        print(json.dumps({"case": case["name"], "fine": fine, "reach": verdict.verdict, "differences": differences}), flush=True)
    kernel.close()
    return 1 if bad else 0


def inside(seeds: range, flows: int, show: bool, save: Path | None = None) -> int:
    """The program's work, as process 1 of its own namespaces."""
    kernel = NetworkKernel()
    total: Counter[str] = Counter()
    bad = 0
    began = time.monotonic()
    memo = Memo()
    for seed in seeds:
        network = wild(seed)
        questions = cases(network, random.Random(seed), flows)
        # The difference to the network before is applied, by a memory that is new now and then.
        memo = Memo() if seed % 3 == 0 else memo
        differences, counts = compare(kernel, network, questions, memo)
        total.update(counts)
        for difference in differences:
            bad += 1
            question = difference.pop("question")
            if save is not None:
                keep(save, f"seed_{seed}_{bad}", shrink(kernel, network, question), question)
            print(json.dumps({"seed": seed, **difference}), flush=True)
        if show:
            live = frozenset(item.id for item in network.instances.values() if item.state == "running")
            print(render(compile_network(network, live)))
    print(json.dumps({"networks": len(seeds), **total, "disagreements": bad, "seconds": round(time.monotonic() - began, 1)}), flush=True)
    kernel.close()
    return 1 if bad else 0


def main() -> int:
    """Parse, enter namespaces, run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs=2, type=int, default=(0, 20), metavar=("FIRST", "END"))
    parser.add_argument("--flows", type=int, default=60, help="questions a network")
    parser.add_argument("--show", action="store_true", help="print what the kernel is to hold")
    parser.add_argument("--save", type=Path, help="a folder for the cases found, made as small as can be")
    parser.add_argument("--again", type=Path, help="ask the kept cases of a folder, and nothing else")
    given = parser.parse_args()
    tree.enter()
    child = os.fork()
    if child == 0:
        code = 2
        try:
            tree.settle()
            code = again(given.again) if given.again else inside(range(*given.seeds), given.flows, given.show, given.save)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    _other, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
