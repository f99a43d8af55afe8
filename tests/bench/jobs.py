# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each shipped job on a lab of its own: the playbook, the playbook again, delete.yml; wall seconds, the processor's, and API calls.

Beside them the network of peer.yml's topology with its instances by plain amazon.aws tasks (playbooks/plain.yml), which neither plan nor
predict, send no packets, and leave DNS resolution over the peering out. Times are whole ``ansible-playbook`` runs; the lab, with its
instances in the kernel, runs on the same processors.

    python tests/bench/jobs.py [--outputs FOLDER] [JOB…]

With a folder, what each run printed is in JOB-PHASE.txt there, of which support.transcripts makes those of docs/.

Jobs are peer, deploy, two_vpc_lab, finance_hub, file_transfer, shared_services and plain; all of them where none is named.
"""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
COLLECTIONS = TESTS.parent / "playbooks" / "collections"
for folder in (TESTS, COLLECTIONS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from support.job_runs import JOBS, PHASES, Place, place  # noqa: E402

PLAIN = TESTS / "bench" / "playbooks" / "plain.yml"


@dataclass(frozen=True)
class Row:
    """One run: seconds of the wall, the processor's seconds (the lab's own apart), the calls that the lab counted."""

    job: str
    phase: str
    seconds: float
    processor: float
    calls: int
    writes: int
    changed: bool


def main(arguments: Sequence[str] = ()) -> list[Row]:
    """Measure, print the table as it grows, and give its rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    known = [*JOBS, "plain"]
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(known)} (all)")
    parser.add_argument("--outputs", type=Path, metavar="FOLDER", help="keep there what each run printed")
    told_to = parser.parse_args(arguments)
    wanted = told_to.jobs or known
    if unknown := sorted({*wanted} - {*known}):
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join(known)}")
    rows: list[Row] = []
    print(f"\n{'':<28} {'seconds':>8} {'cpu s':>7} {'calls':>6} {'writes':>6}  changed")
    for name in wanted:
        with place(f"bench-{name.replace('_', '-')}") as lab:
            for phase in PHASES:
                row = _run(lab, name, phase, told_to.outputs)
                rows.append(row)
                told = f"{row.seconds:8.1f} {row.processor:7.1f} {row.calls:6d} {row.writes:6d}  {'yes' if row.changed else 'no'}"
                print(f"{f'{name}, {phase}':<28} {told}", flush=True)
    return rows


def _run(lab: Place, name: str, phase: str, outputs: Path | None) -> Row:
    lab.control.reset_calls()
    before = _processor()
    if name in JOBS:
        done = lab.play(*JOBS[name].command(phase, restricted=False))
    else:
        # It finds the lab by the environment alone, as any AWS program does, and knows nothing of labs.
        state = "absent" if phase == "delete" else "present"
        done = lab.play(str(PLAIN), "-e", f"state={state}", variables=lab.variables("lab"))
    if outputs:
        outputs.mkdir(parents=True, exist_ok=True)
        (outputs / f"{name}-{phase}.txt").write_text(done.output, encoding="utf-8")
    if done.code:
        raise SystemExit(f"{name}, {phase}: failed\n{done.output[-3000:]}")
    told = lab.control.calls()
    return Row(name, phase, done.seconds, _processor() - before, told["total"], told["writes"], done.changed)


def _processor() -> float:
    """Seconds of the processor that ended children have used, which tell more than a busy machine's clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
