# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub with 20 spokes, VPCs there already, 60 ms on every request: cloudnet.vpc.network beside amazon.aws's modules, in one run.

Per spoke a peering, its acceptance, two routes and two rules. Then what a second run of large networks costs: hub with 124 spokes, mesh of
40 VPCs. Times are whole ``ansible-playbook`` runs, so they hold Ansible's start; calls are counted by the lab.

    python tests/bench/hub.py [--spokes N] [--latency MS] [--ours] [--small]

``--ours`` leaves amazon.aws out (ten minutes), ``--small`` the large networks (five).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
COLLECTIONS = TESTS.parent / "playbooks" / "collections"
for folder in (TESTS, COLLECTIONS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from support.lab import REGION, LabProcess  # noqa: E402
from support.runs import Runner  # noqa: E402
from support.scenarios import hub, hub_document, make_vpcs, mesh  # noqa: E402

#: AWS gives these on request; the lab has them settable.
ROOM = {"peerings_active": 125, "peerings_outstanding": 125, "rules_per_group": 200}
#: What each change costs in amazon.aws.ec2_vpc_route_table beside its calls: a fixed pause of its own, in seconds.
ROUTE_TABLE_PAUSE = 5


@dataclass(frozen=True)
class Row:
    """One run: whole seconds of it, the processor's seconds among them (the lab's own apart), and the calls that the lab counted."""

    what: str
    seconds: float
    processor: float
    calls: int
    writes: int
    changed: bool


def main(arguments: Sequence[str] = ()) -> list[Row]:
    """Measure, print the table, and give its rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spokes", type=int, default=20, help="of the hub (20)")
    parser.add_argument("--latency", type=float, default=60, help="milliseconds on every request (60)")
    parser.add_argument("--ours", action="store_true", help="without amazon.aws's modules")
    parser.add_argument("--small", action="store_true", help="without the large networks")
    wanted = parser.parse_args(arguments)
    rows: list[Row] = []
    with LabProcess() as lab:
        rows += _both_runs(lab, wanted, "cloudnet.vpc.network, one task", ours)
        if not wanted.ours:
            rows += _both_runs(lab, wanted, "amazon.aws modules in loops", amazon)
        show(rows)
        if not wanted.small:
            large = [*_large(lab, "hub with 124 spokes", 125), *_large(lab, "mesh of 40 (780 peerings)", 40)]
            print("\nThe engine alone, in process, without pacing and without latency:")
            show(large)
            rows += large
    return rows


def _both_runs(lab: LabProcess, wanted: argparse.Namespace, title: str, play: Any) -> list[Row]:
    lab.control.reset()
    ids = make_vpcs(lab.client(), wanted.spokes + 1)
    tasks = play(lab, ids)
    lab.control.config(latency_ms=wanted.latency)
    rows = [_playbook(lab, f"{title}, {which} run", tasks) for which in ("first", "second")]
    lab.control.config(latency_ms=0)
    return rows


def _playbook(lab: LabProcess, what: str, tasks: list[dict[str, Any]]) -> Row:
    key, secret = lab.keys["111111111111"]
    defaults = {"access_key": key, "secret_key": secret, "region": REGION, "endpoint_url": lab.url}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "module_defaults": {"group/amazon.aws.aws": defaults, "cloudnet.vpc.network": defaults},
        "tasks": tasks,
    }
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "play.json"
        path.write_text(json.dumps([play]), encoding="utf-8")
        lab.control.reset_calls()
        start, before = time.monotonic(), _processor()
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", path],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds, processor = time.monotonic() - start, _processor() - before
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    told = lab.control.calls()
    return Row(what, seconds, processor, told["total"], told["writes"], "changed=0" not in done.stdout)


def _processor() -> float:
    """Seconds of the processor that ended children have used, which tell more than a busy machine's clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(_lab: LabProcess, ids: Sequence[str]) -> list[dict[str, Any]]:
    """One task."""
    return [{"cloudnet.vpc.network": {"topology": hub_document(ids)}}]


def amazon(lab: LabProcess, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Each module in a loop over the spokes; nothing of others is purged, and ids of tables and groups are given, not looked up."""
    ec2 = lab.client()
    tables = {item["VpcId"]: item["RouteTableId"] for item in ec2.describe_route_tables()["RouteTables"]}
    groups = {item["VpcId"]: item["GroupId"] for item in ec2.describe_security_groups()["SecurityGroups"]}
    blocks = {item["VpcId"]: item["CidrBlock"] for item in ec2.describe_vpcs()["Vpcs"]}
    center = {"vpc": ids[0], "table": tables[ids[0]], "group": groups[ids[0]], "cidr": blocks[ids[0]]}
    spokes = [{"vpc": vpc, "table": tables[vpc], "group": groups[vpc], "cidr": blocks[vpc]} for vpc in ids[1:]]
    over = {"loop": spokes, "loop_control": {"label": "{{ item.vpc }}", "index_var": "number"}}
    pcx = "{{ requested.results[number].peering_id }}"

    def route(vpc: str, table: str, to: str) -> dict[str, Any]:
        routes = [{"dest": to, "vpc_peering_connection_id": pcx}]
        told = {"vpc_id": vpc, "lookup": "id", "route_table_id": table, "purge_routes": False, "routes": routes}
        return {"amazon.aws.ec2_vpc_route_table": told, **over}

    def rule(group: str, port: int, source: str) -> dict[str, Any]:
        rules = [{"proto": "tcp", "from_port": port, "to_port": port, "group_id": source}]
        default = {"name": "default", "description": "default VPC security group", "group_id": group}
        told = {**default, "purge_rules": False, "purge_rules_egress": False, "rules": rules}
        return {"amazon.aws.ec2_security_group": told, **over}

    request = {"vpc_id": center["vpc"], "peer_vpc_id": "{{ item.vpc }}", "tags": {"Name": "{{ item.vpc }}"}}
    return [
        {"amazon.aws.ec2_vpc_peering": {"state": "present", **request}, "register": "requested", **over},
        {"amazon.aws.ec2_vpc_peering": {"state": "accept", "peering_id": pcx}, **over},
        route(center["vpc"], center["table"], "{{ item.cidr }}"),
        route("{{ item.vpc }}", "{{ item.table }}", center["cidr"]),
        rule(center["group"], 443, "{{ item.group }}"),
        rule("{{ item.group }}", 22, center["group"]),
    ]


def _large(lab: LabProcess, what: str, size: int) -> list[Row]:
    lab.control.reset()
    lab.control.config(quotas=ROOM)
    ids = make_vpcs(lab.client(), size)
    runner = Runner(lab, hub(ids) if size > 100 else mesh(ids))
    rows = []
    for which in ("first", "second"):
        lab.control.reset_calls()
        before = _processor()
        run = runner.run(haste=30)
        if run.error or run.rest:
            raise SystemExit(f"{what}, {which} run: {run.error or run.rest}")
        writes = sum(not call.startswith(("Describe", "Get", "List")) for call in run.calls)
        # Of the whole child, which also reads everything once more to compare.
        rows.append(Row(f"{what}, {which} run", run.seconds, _processor() - before, len(run.calls), writes, any(run.counts.values())))
    return rows


def show(rows: Sequence[Row]) -> None:
    """The table, then what there is to say about it."""
    print(f"\n{'':<46} {'seconds':>8} {'cpu s':>7} {'calls':>6} {'writes':>6}  changed")
    for row in rows:
        print(f"{row.what:<46} {row.seconds:8.1f} {row.processor:7.1f} {row.calls:6d} {row.writes:6d}  {'yes' if row.changed else 'no'}")
    for mine, theirs in zip(rows[:2], rows[2:4], strict=False):
        if theirs.what.startswith("amazon"):
            which = mine.what.rsplit(", ", 1)[1]
            print(f"{which}: {theirs.seconds / mine.seconds:.0f} times as fast, {theirs.calls / mine.calls:.0f} times fewer calls")
    if any(row.what.startswith("amazon") for row in rows):
        print(f"ec2_vpc_route_table itself sleeps {ROUTE_TABLE_PAUSE} s after each change: with 20 spokes 200 s of its first run are that.")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
