# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every gate, as many at a time as two processor cores hold; show one line for each, and a gate's output only where it fails.

``python tests/tools/gates.py [--list] [--jobs N] [GATE...]``, from the checkout's root in the environment that tests/tools/run makes.
Ends with code 1 when a gate failed. The last lines are pytest's own summaries and the total.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from gates_list import GATES, Gate
from gates_tools import Context, GateFailed, GateSkipped, Tests, make_home, stop_labs

SHOWN = 60
"""Lines of a failed gate's log that are shown of its end, and at most of the errors before."""


@dataclass
class Result:
    """How a gate ended; ``problem`` is empty where it passed, ``skipped`` says what it would have needed."""

    gate: Gate
    seconds: float
    problem: str = ""
    skipped: str = ""
    tests: list[Tests] = field(default_factory=list)


def run(gate: Gate, context: Context) -> Result:
    """Run one gate to its end."""
    start = time.monotonic()
    problem = skipped = ""
    try:
        gate.check(context)
    except GateSkipped as reason:
        skipped = str(reason)
    except GateFailed as failure:
        problem = str(failure)
    except Exception as failure:  # a gate's own fault is a failure too, and the others go on
        problem = f"{type(failure).__name__}: {failure}"
        context.note(problem)
    return Result(gate, time.monotonic() - start, problem, skipped, context.tests)


def names_it(name: str, gate: Gate) -> bool:
    """Whether a word names a gate, by itself or with others of its kind."""
    return gate.name == name or gate.name.startswith(f"{name}:")


def chosen(names: list[str]) -> list[Gate]:
    """The gates to run, in order, with those that they need; ``molecule`` names all of its. Raises SystemExit for what names none."""
    unknown = [name for name in names if not any(names_it(name, gate) for gate in GATES)]
    if unknown:
        raise SystemExit(f"no such gate: {', '.join(unknown)}. There are: {', '.join(gate.name for gate in GATES)}")
    wanted = {gate.name for gate in GATES if (any(names_it(name, gate) for name in names) if names else not gate.asked)}
    for gate in reversed(GATES):
        if gate.name in wanted:
            wanted.update(gate.needs)
    return [gate for gate in GATES if gate.name in wanted]


def schedule(gates: list[Gate], jobs: int) -> Iterator[Result]:
    """Run gates as their needs are met, never more than ``jobs`` worth at once, and yield each as it ends.

    A gate whose need failed is not run, and counts as failed: what it would have said is not known.
    """
    waiting, running = list(gates), dict[Future[Result], Gate]()
    ended: dict[str, bool] = {}
    with ThreadPoolExecutor(len(gates)) as pool:
        while waiting or running:
            for gate in list(waiting):
                failed = [name for name in gate.needs if ended.get(name) is False]
                if failed:
                    waiting.remove(gate)
                    ended[gate.name] = False
                    yield Result(gate, 0.0, f"not run, for {failed[0]} failed")
                    continue
                busy = sum(min(each.weight, jobs) for each in running.values())
                if all(name in ended for name in gate.needs) and busy + min(gate.weight, jobs) <= jobs + 0.01:
                    waiting.remove(gate)
                    running[pool.submit(run, gate, Context(gate.name))] = gate
            if running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    gate = running.pop(future)
                    result = future.result()
                    ended[gate.name] = not result.problem
                    yield result


def show(result: Result) -> None:
    """One line; for a failed gate its log's end too."""
    state = "FAILED" if result.problem else "skipped" if result.skipped else "ok"
    print(f"{result.gate.name:<34} {state:<7} {result.seconds:6.1f} s{'  ' if result.skipped else ''}{result.skipped}", flush=True)
    if result.problem:
        log = Context(result.gate.name).log
        lines = log.read_text(errors="replace").splitlines() if log.exists() and result.seconds else []
        print(f"  {result.problem}")
        told = [line for line in lines[:-SHOWN] if re.search(r"\b(ERROR|FATAL|FAILED|error|fatal)\b", line)]
        for line in [*told[:SHOWN], *lines[-SHOWN:]]:
            print(f"  | {line}")
        if len(lines) > SHOWN:
            print(f"  (all {len(lines)} lines: {log})", flush=True)


def main() -> int:
    """Run the gates that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("gates", nargs="*", metavar="GATE", help="only these, and what they need")
    parser.add_argument("--list", action="store_true", help="list the gates")
    parser.add_argument("--jobs", type=int, default=max(1, min(2, os.cpu_count() or 1)), help="how many at once (2)")
    arguments = parser.parse_args()
    if arguments.list:
        for gate in GATES:
            print(f"{gate.name:<34} {gate.check.__doc__}")
        return 0
    start = time.monotonic()
    make_home()
    results = []
    try:
        for result in schedule(chosen(arguments.gates), max(1, arguments.jobs)):
            show(result)
            results.append(result)
    finally:
        stop_labs()
    tests = [each for result in results for each in result.tests]
    failed = [result for result in results if result.problem]
    print()
    for each in tests:
        print(f"{each.name}: {each.summary}")
    if failed:
        print(f"failed gates: {', '.join(result.gate.name for result in failed)}")
    ran = [result for result in results if not result.skipped]
    print(f"{len(ran) - len(failed)} of {len(ran)} gates ok in {time.monotonic() - start:.0f} s; tests and gates together:")
    # A gate that runs tests and fails counts by its tests, any other by itself.
    others = [result for result in ran if not any(each.failed for each in result.tests)]
    passed = sum(each.passed for each in tests) + sum(1 for result in others if not result.problem)
    broken = sum(each.failed for each in tests) + sum(1 for result in others if result.problem)
    print(f"{passed} passed, {broken} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
