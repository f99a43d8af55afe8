# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a packet means beside what is intended and what is predicted; ways to send it that fail; and what is asked again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils.probe_script import Ask
from ansible_collections.cloudnet.vpc.plugins.module_utils.probe_ways import Ran, Seat, Ssh, Ssm, Task
from ansible_collections.cloudnet.vpc.plugins.module_utils.probes import Job, Outcome, Prediction, send, table
from ansible_collections.cloudnet.vpc.plugins.module_utils.ssm import Commands

from .aws.aws_fakes import Clock, FakeApi

A, B = Seat("dev.server", "i-a", "1", "r", "i-a"), Seat("ops.tool", "i-b", "1", "r", "i-b")
OPEN, SHUT = Prediction("reachable", mtu=9001), Prediction("blocked", "NO_ROUTE_TO_DESTINATION: no route")
Say = Callable[[str], tuple[str, str, str]]


class Told:
    """A way on which every probe gets an answer: ``say`` takes the script's line and gives seen, value, detail."""

    name = "told"

    def __init__(self, say: Say | Mapping[str, Ran] | str = "reachable") -> None:
        self.say = say
        self.rounds: list[list[str]] = []

    def run(self, tasks: Mapping[Seat, Task]) -> dict[Seat, Ran]:
        self.rounds.append([seat.name for seat in tasks])
        return {seat: self._one(seat, task.text) for seat, task in tasks.items()}

    def _one(self, seat: Seat, text: str) -> Ran:
        if isinstance(self.say, Mapping):
            return self.say[seat.name]
        mark = re.search(r"cloudnet[0-9a-f]{12}", text)
        assert mark is not None
        if "os.fork" in text:
            return Ran(f"{mark[0]} \n")
        lines = []
        for line in text.splitlines():
            if match := re.match(r"probe_(\w+) (\d+) (.*) &$", line):
                seen, value, detail = self.say(line) if callable(self.say) else (self.say, "", "")
                lines.append(f"{mark[0]} " + json.dumps({"id": int(match[2]), "seen": seen, "ms": 7, "value": value, "detail": detail}))
        return Ran("\n".join([*lines, f"{mark[0]} end"]))


def job(intended: str = "reachable", said: Prediction | None = OPEN, kind: str = "ping", **more: Any) -> Job:
    asked = Ask(kind, "10.1.1.4", 443 if kind in ("tcp", "udp") else 0)
    return Job("dev.server", "ops.tool", kind, asked, A, intended, said, **more)


def one(seen: str, item: Job, value: str = "", detail: str = "") -> dict[str, Any]:
    (found,) = send([item], Told(lambda _line: (seen, value, detail)))
    return found.as_dict()


@pytest.mark.parametrize(
    ("seen", "intended", "said", "ok", "agrees"),
    [
        ("reachable", "reachable", OPEN, True, True),
        ("refused", "reachable", OPEN, True, True),
        ("blocked", "blocked", SHUT, True, True),
        ("blocked", "reachable", OPEN, False, False),
        ("reachable", "blocked", SHUT, False, False),
        ("refused", "blocked", SHUT, False, False),
        ("blocked", "reachable", SHUT, False, True),
        ("reachable", "blocked", OPEN, False, True),
        # As intended, and still a prediction was wrong.
        ("reachable", "reachable", SHUT, False, False),
        ("blocked", "blocked", Prediction("unknown", "a file"), True, True),
        ("reachable", "", None, True, True),
        ("blocked", "", OPEN, False, False),
        ("error", "reachable", OPEN, False, True),
        ("error", "", None, False, True),
    ],
)
def test_verdicts(seen: str, intended: str, said: Prediction | None, ok: bool, agrees: bool) -> None:
    row = one(seen, job(intended, said))
    assert (row["observed"], row["ok"], row["agrees"], row["by"], row["via"]) == (seen, ok, agrees, "packet", "told")
    assert row["verdict"] == {"refused": "reachable"}.get(seen, seen)


def test_a_disagreement_names_both() -> None:
    lost = one("blocked", job(), detail="no answer in 3 s")
    assert lost["why"] == "reach predicts reachable, but the packet was sent, and it did not: no answer in 3 s"
    leaked = one("refused", job("blocked", SHUT))
    assert (
        leaked["why"] == "reach predicts blocked (NO_ROUTE_TO_DESTINATION: no route), but the packet was sent, and it got through (refused)"
    )


def test_the_path_mtu_is_predicted_too() -> None:
    assert one("reachable", job(kind="mtu"), "9001")["agrees"]
    wrong = one("reachable", job(kind="mtu"), "1500")
    assert not wrong["agrees"] and "9001 bytes" in wrong["why"] and "1500 bytes" in wrong["why"]


def test_a_name_must_resolve_to_the_address() -> None:
    asked = Job("dev.server", "db", "dns db", Ask("dns", "db"), A, "reachable", None, wanted="10.1.1.4")
    assert one("reachable", asked, "10.1.1.4 ::1")["ok"]
    wrong = one("reachable", asked, "10.9.9.9")
    assert wrong["ok"] is False and wrong["why"] == "db resolves to 10.9.9.9, not to 10.1.1.4"


def test_without_a_data_plane_it_is_predicted_and_marked() -> None:
    rows = [item.as_dict() for item in send([job(), job("reachable", SHUT), job("blocked", Prediction("unknown"))], None)]
    assert [(row["verdict"], row["ok"]) for row in rows] == [("reachable", True), ("blocked", False), ("unknown", None)]
    assert {(row["by"], row["observed"], row["via"]) for row in rows} == {("predicted", None, "")}
    assert "3 of 3 not sent, only predicted: there is no data plane" in table(rows) and table(rows).count("(predicted)") == 3


def test_one_script_for_a_source() -> None:
    way = Told()
    jobs = [replace(job(), seat=A if number % 2 else B) for number in range(130)]
    assert len(send(jobs, way)) == 130
    # 65 of each source, in scripts of 60.
    assert way.rounds == [["ops.tool", "dev.server"], ["ops.tool", "dev.server"]]


def test_udp_has_an_echo() -> None:
    way = Told("reachable")
    send([job(kind="udp", echo=B), job(kind="tcp")], way)
    assert way.rounds == [["ops.tool"], ["dev.server"]]


def test_what_was_not_sent_is_predicted_or_an_error() -> None:
    away = Told({"dev.server": Ran(trouble="ssh i-a: no route to host", absent=True)})
    (predicted,) = send([job()], away)
    assert (
        predicted.answer is None and predicted.as_dict()["by"] == "predicted" and predicted.as_dict()["note"] == "ssh i-a: no route to host"
    )
    (failed,) = send([job(said=None)], away)
    assert failed.as_dict()["observed"] == "error" and failed.as_dict()["why"] == "ssh i-a: no route to host"


def test_a_script_that_broke_off_is_an_error() -> None:
    (found,) = send([job()], Told({"dev.server": Ran("some words\n", trouble="i-a: TimedOut")}))
    assert (
        found.as_dict()["why"].startswith("i-a: TimedOut: the script on the instance did not come to its end") and not found.as_dict()["ok"]
    )


def test_a_contradiction_gets_time_to_settle() -> None:
    left = ["blocked", "blocked", "reachable"]
    clock = Clock()
    way = Told(lambda _line: (left.pop(0), "", ""))
    (found,) = send([job()], way, settle=10, clock=clock, sleep=clock.sleep)
    assert found.observed == "reachable" and len(way.rounds) == 3 and 0 < clock.now < 10

    way = Told("blocked")
    (found,) = send([job()], way, settle=10, clock=clock, sleep=clock.sleep)
    assert found.contradiction and len(way.rounds) > 3
    # What is as predicted is not asked again, intended or not.
    way = Told("blocked")
    send([job("reachable", SHUT)], way, settle=10, clock=clock, sleep=clock.sleep)
    assert len(way.rounds) == 1


def test_the_table() -> None:
    code = {"code": "NO_ROUTE_TO_DESTINATION"}
    rows = [
        one("reachable", job(), "0.41"),
        one("refused", job("reachable", kind="tcp")),
        one("blocked", job("blocked", replace(SHUT, blockers=(code,))), detail="no answer in 3 s"),
        one("blocked", job("reachable", replace(SHUT, blockers=(code,))), detail="no answer in 3 s"),
    ]
    assert table(rows).splitlines() == [
        "      FROM        TO        TRAFFIC  INTENDED   PREDICTED  OBSERVED           WHY",
        "ok    dev.server  ops.tool  ping     reachable  reachable  reachable 0.41 ms",
        "ok    dev.server  ops.tool  tcp      reachable  reachable  refused",
        "ok    dev.server  ops.tool  ping     blocked    blocked    blocked            NO_ROUTE_TO_DESTINATION",
        "FAIL  dev.server  ops.tool  ping     reachable  blocked    blocked            NO_ROUTE_TO_DESTINATION: no route",
    ]
    assert table(rows, staged=True).splitlines()[4].startswith("ok  dev.server")


def fake(folder: Path, text: str) -> str:
    path = folder / "ssh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_ssh_gets_the_script_and_asks_nobody(tmp_path: Path) -> None:
    command = fake(tmp_path, f'echo "$@" >{tmp_path}/words; exec sh -s')
    ran = Ssh("/some/ssh config", command).run({A: Task("echo hello", 5)})
    assert ran == {A: Ran("hello\n")}
    words = (tmp_path / "words").read_text().split()
    assert words[:3] == ["-F", "/some/ssh", "config"] and "BatchMode=yes" in words and words[-4:] == ["--", "i-a", "sh", "-s"]


@pytest.mark.parametrize(
    ("text", "trouble", "absent"),
    [
        ("echo Permission denied. >&2; exit 255", "ssh i-a: Permission denied.", True),
        ("cat >/dev/null; exit 3", "ssh i-a: exit code 3", False),
    ],
)
def test_ssh_that_fails(tmp_path: Path, text: str, trouble: str, absent: bool) -> None:
    (ran,) = Ssh(command=fake(tmp_path, text)).run({A: Task("echo hello", 5)}).values()
    assert (ran.trouble, ran.absent) == (trouble, absent)


def test_no_ssh_at_all(tmp_path: Path) -> None:
    (ran,) = Ssh(command=os.fspath(tmp_path / "nothing")).run({A: Task("true", 5)}).values()
    assert ran.absent and "is not installed here" in ran.trouble
    (ran,) = Ssh(command="true").run({replace(A, host="-oProxyCommand=id"): Task("true", 5)}).values()
    assert ran.absent and "no name for ssh" in ran.trouble


def test_systems_manager_runs_the_script() -> None:
    clock = Clock()
    api = FakeApi({
        "ssm:DescribeInstanceInformation": [{"InstanceId": "i-a", "PingStatus": "Online"}],
        "ssm:SendCommand": {"Command": {"CommandId": "c"}},
        "ssm:ListCommandInvocations": [{"InstanceId": "i-a", "Status": "Success"}],
        "ssm:GetCommandInvocation": {"Status": "Success", "ResponseCode": 0, "StandardOutputContent": "hello\n"},
    })  # fmt: skip
    way = Ssm(api, 5, lambda used, account, region: Commands(used, account, region, clock=clock, sleep=clock.sleep))
    ran = way.run({A: Task("echo hello", 5), B: Task("echo hello", 5)})
    assert ran[A] == Ran("hello\n")
    assert ran[B].absent and ran[B].trouble.startswith("i-b: it is no managed node") and 5 <= clock.now < 10
    (sent,) = [params for _one, _two, action, params in api.asked if action == "ssm:SendCommand"]
    assert sent["InstanceIds"] == ["i-a"] and sent["Parameters"]["commands"] == ["echo hello"]


def test_an_outcome_without_a_prediction_is_unknown() -> None:
    assert Outcome(job(said=None)).verdict == "unknown" and Outcome(job(said=None)).as_intended is None


def test_one_instance_is_one_place_to_run_whatever_it_is_called() -> None:
    """Otherwise two echoes would start on one port of it, and the second would be said to hear nothing."""
    told = Told()
    asked = [job(kind="udp", echo=replace(B, name=name)) for name in ("ops.tool", "instance:ops.tool", "i-b")]
    assert [item.observed for item in send(asked, told)] == ["reachable"] * 3
    assert told.rounds == [["ops.tool"], ["dev.server"]]
