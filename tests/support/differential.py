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
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin import tree
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.blocks import host
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.gateways import INTERNET
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.hosts import local
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import Memo, compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.render import render
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import Address, KernelState

from .disagreements import keep, kept, shrink
from .packets import PORTS, Ears, Flow, ask
from .wild_networks import wild
from .wild_questions import DNS, Case, Questions, in_use


def compare(
    kernel: NetworkKernel, network: Network, questions: list[Case], memo: Memo | None = None, longest: float = 6.0
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Build the network, ask both, and tell where they differ. ``longest``: seconds for the second answer of who disagrees."""
    state = _peopled(network, compile_network(network, in_use(network), memo), [case.flow for case in questions])
    kernel.apply(state)
    counts: Counter[str] = Counter()
    asked: list[tuple[Case, Any]] = []
    for case in questions:
        flow = case.flow
        verdict = reach(network, case.source, case.target, flow.protocol, flow.port or None, family=case.family)
        counts[verdict.verdict] += 1
        if case.kind and verdict.verdict != "unknown":
            counts[f"{case.kind}: {verdict.verdict}"] += 1
        if verdict.verdict != "unknown":
            asked.append((case, verdict))
    sent = [place for place, (case, _verdict) in enumerate(asked) if case.flow.target and case.flow.source in state.namespaces]
    flows = [asked[place][0].flow for place in sent]
    ears = Ears(kernel, state.namespaces, ports=(*PORTS, DNS), at=_addresses(state, flows))
    try:
        answered = dict(zip(sent, ask(kernel, ears, flows), strict=True))
        wrong = [place for place, (_case, verdict) in enumerate(asked) if answered.get(place, False) != verdict.reachable]
        # On a busy machine an answer may come late: who disagrees is asked again, at leisure.
        doubted = [place for place in wrong if place in answered]
        flows = [asked[place][0].flow for place in doubted]
        answered.update(zip(doubted, ask(kernel, ears, flows, quiet=longest / 3, longest=longest) if doubted else [], strict=True))
    finally:
        ears.close()
    differences = []
    for place in wrong:
        got = answered.get(place, False)
        case, verdict = asked[place]
        flow = case.flow
        if got != verdict.reachable:
            differences.append(
                {
                    "question": case,
                    "flow": f"{flow.protocol} {case.source} -> {case.target} ({flow.target}) port {flow.port}",
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
    counts["sent"] += len(sent)
    return differences, counts


def _peopled(network: Network, state: KernelState, flows: list[Flow]) -> KernelState:
    """The state with all who ask from the internet, and with AWS's services at the addresses of its lists: it has few hosts of its own."""
    internet = state.namespaces.get(INTERNET)
    if internet is None:
        return state
    asking = {Address("lo", host(flow.bind)) for flow in flows if flow.source == INTERNET}
    services = {local(block) for item in network.prefix_lists.values() if item.account == "AWS" for block in item.entries or ()}
    peopled = replace(internet, addresses=internet.addresses | asking, routes=internet.routes | services)
    return replace(state, namespaces={**state.namespaces, INTERNET: peopled})


def _addresses(state: KernelState, flows: list[Flow]) -> dict[str, set[str]]:
    """Where each namespace is asked: at its own addresses, and at those of a whole block that it answers for."""
    found = {name: {item.cidr.partition("/")[0] for item in place.addresses} for name, place in state.namespaces.items()}
    for name, place in state.namespaces.items():
        blocks = [ip_network(route.destination) for route in place.routes if route.kind == "local"]
        found[name] |= {flow.target for flow in flows if any(ip_address(flow.target) in block for block in blocks)}
    return found


def differs(kernel: NetworkKernel, network: Network, case: Case) -> bool:
    """Whether the two readers differ on this one question; a network that one of them cannot read does not count."""
    try:
        return bool(compare(kernel, network, [case], longest=1.0)[0])
    except Exception:
        return False


_WRITTEN = {True: "reachable", False: "blocked", None: "unknown"}
"""A kept case's ``reachable`` as a verdict."""


def again(folder: Path) -> int:
    """Ask every kept case again: reach and the kernel must both say what is written there. One JSON line a case."""
    kernel = NetworkKernel()
    bad = 0
    for case in kept(folder):
        question = Case(case["flow"], case["source"], case["target"], case["family"])
        differences, _counts = compare(kernel, case["network"], [question])
        for difference in differences:
            del difference["question"]
        verdict = reach(
            case["network"], case["source"], case["target"], case["flow"].protocol, case["flow"].port or None, family=case["family"]
        )
        fine = not differences and verdict.verdict == _WRITTEN[case["reachable"]]
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
        questions = Questions(network, random.Random(seed)).draw(flows)
        # The difference to the network before is applied, by a memory that is new now and then.
        memo = Memo() if seed % 3 == 0 else memo
        differences, counts = compare(kernel, network, questions, memo)
        total.update(counts)
        for difference in differences:
            bad += 1
            question = difference.pop("question")
            if save is not None:
                smaller = shrink(network, lambda other, question=question: differs(kernel, other, question))
                keep(save, f"seed_{seed}_{bad}", smaller, question)
            print(json.dumps({"seed": seed, **difference}), flush=True)
        if show:
            print(render(compile_network(network, in_use(network))))
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
