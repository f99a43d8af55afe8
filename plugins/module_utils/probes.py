# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes: questions put to the network with packets, held against what is intended and what reach predicts.

A refusal (a TCP reset, an ICMP port unreachable) is an answer of the destination: the packets got through, and nobody listens. So no
service needs to run for a TCP probe. For UDP an echo is started on the destination where it can be, for an ICMP message may be stopped
where the answer itself would not be, and silence is no answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .probe_script import BLOCKED, ERROR, REACHABLE, REFUSED, Answer, Ask, answers, listener, measured, script
from .probe_ways import Ran, Seat, Task, Way
from .render import columns

#: Probes in one script, so that its output fits into the 24,000 characters that Systems Manager keeps.
BATCH = 60
#: Seconds that an echo outlasts its probes.
OUTLAST = 30
PACKET, PREDICTED = "packet", "predicted"
UNKNOWN = "unknown"
UNSENT = "there is no data plane, or none is to be used (via: none)"


@dataclass(frozen=True)
class Prediction:
    """What reach says. ``verdict``: reachable, blocked or unknown. ``why``: the blockers. ``mtu``: bytes, where it is reachable."""

    verdict: str
    why: str = ""
    mtu: int | None = None
    blockers: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Job:
    """One probe. ``ask`` and ``seat`` are None where nothing can be sent, for which ``note`` gives the reason.

    ``intended``: reachable, blocked, or empty for no matter. ``echo``: where a UDP probe's echo is to run. ``wanted``: an address that a
    name must resolve to. ``path``: its place in the input.
    """

    source: str
    target: str
    traffic: str
    ask: Ask | None = None
    seat: Seat | None = None
    intended: str = ""
    prediction: Prediction | None = None
    echo: Seat | None = None
    wanted: str = ""
    path: str = ""
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """A job with what was seen; ``answer`` is None where nothing was sent."""

    job: Job
    answer: Answer | None = None
    way: str = ""
    note: str = ""

    @property
    def observed(self) -> str:
        """reachable, refused, blocked, error; empty where nothing was sent."""
        return self.answer.seen if self.answer else ""

    @property
    def verdict(self) -> str:
        """Whether packets get through: reachable, blocked, unknown or error; as predicted, where nothing was sent."""
        if self.answer:
            return REACHABLE if self.answer.seen == REFUSED else self.answer.seen
        return self.job.prediction.verdict if self.job.prediction else UNKNOWN

    @property
    def contradiction(self) -> str:
        """Where the packet and the prediction disagree: a line that names both; else empty."""
        said, answer, ask = self.job.prediction, self.answer, self.job.ask
        if said is None or answer is None or ask is None or said.verdict == UNKNOWN or self.verdict == ERROR:
            return ""
        if said.verdict != self.verdict:
            saw = {REACHABLE: "it got through", REFUSED: "it got through (refused)"}.get(answer.seen, f"it did not: {answer.detail}")
            because = f" ({said.why})" if said.why else ""
            return f"reach predicts {said.verdict}{because}, but the packet was sent, and {saw}"
        size = measured(ask.kind, answer).get("mtu") if ask.kind == "mtu" and not ask.size else None
        if size and said.mtu and size != said.mtu:
            return f"reach predicts a path MTU of {said.mtu} bytes, but packets of {size} bytes are the largest that get through"
        return ""

    @property
    def as_intended(self) -> bool | None:
        """Whether the verdict is the intended one; None when it cannot be told."""
        if self.job.intended and self.verdict not in (REACHABLE, BLOCKED):
            return None
        if self.job.intended and self.verdict != self.job.intended:
            return False
        return not (self.job.wanted and self.answer and self.job.wanted not in measured("dns", self.answer).get("addresses", ()))

    @property
    def why(self) -> str:
        """The reason in one line, where it is not as intended, contradicted, or nothing was sent; else what blocks, if something does."""
        said = self.job.prediction.why if self.job.prediction else ""
        if self.contradiction:
            return self.contradiction
        if self.answer is None:
            return said
        if self.answer.seen == ERROR:
            return self.answer.detail or "it could not be told"
        if self.job.wanted and self.as_intended is False and self.verdict == REACHABLE:
            found = ", ".join(measured("dns", self.answer).get("addresses", ()))
            return f"{self.job.target} resolves to {found}, not to {self.job.wanted}"
        return said or (self.answer.detail if self.answer.seen != REACHABLE else "")

    def as_dict(self) -> dict[str, Any]:
        """The row that modules return."""
        job, answer = self.job, self.answer
        found = measured(job.ask.kind, answer) if job.ask and answer else {}
        return {
            "from": job.source,
            "to": job.target,
            "traffic": job.traffic,
            "kind": job.ask.kind if job.ask else "",
            "address": job.ask.target if job.ask else "",
            "port": (job.ask.port or None) if job.ask else None,
            "intended": job.intended or None,
            "predicted": job.prediction.verdict if job.prediction else None,
            "observed": self.observed or None,
            "verdict": self.verdict,
            "by": PACKET if answer else PREDICTED,
            "via": self.way if answer else "",
            "ok": False if self.contradiction or self.observed == ERROR else self.as_intended,
            "agrees": not self.contradiction,
            "why": self.why,
            "note": "" if answer else self.note or job.note,
            "measured": found,
            "detail": answer.detail if answer else "",
            "seconds": answer.seconds if answer else 0.0,
            "blockers": [dict(item) for item in job.prediction.blockers] if job.prediction else [],
            "path": job.path,
        }


def send(
    jobs: Sequence[Job],
    way: Way | None,
    *,
    settle: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Outcome]:
    """Put all jobs to the network at once, and say what came of each, in their order. ``way`` None: nothing is sent.

    ``settle``: what the packets contradict is asked again for so many seconds, for AWS takes a moment to let a change take effect.
    Raises CloudnetError.
    """
    if way is None:
        return [Outcome(job, note="" if job.ask is None else UNSENT) for job in jobs]
    end = clock() + settle
    found = _once(jobs, way)
    pause = 0.5
    while clock() < end:
        again = [number for number, item in enumerate(found) if item.contradiction or _surprising(item)]
        if not again:
            break
        sleep(min(pause, max(0.0, end - clock())))
        pause *= 2
        for number, item in zip(again, _once([jobs[number] for number in again], way), strict=True):
            found[number] = item
    return found


def _surprising(outcome: Outcome) -> bool:
    """Whether there is reason to ask again: not what is intended, where nothing was predicted."""
    return outcome.answer is not None and outcome.job.prediction is None and outcome.as_intended is False


def _once(jobs: Sequence[Job], way: Way) -> list[Outcome]:
    mark = f"cloudnet{secrets.token_hex(6)}"
    deaf = _echoes(jobs, way, mark)
    tasks: dict[tuple[Seat, int], list[int]] = {}
    seats: dict[Seat, int] = {}
    for number, job in enumerate(jobs):
        if job.ask is not None and job.seat is not None:
            batch = seats[job.seat] = seats.get(job.seat, -1) + 1
            tasks.setdefault((job.seat, batch // BATCH), []).append(number)
    found: dict[int, Outcome] = {}
    for round_ in sorted({batch for _seat, batch in tasks}):
        mine = {seat: numbers for (seat, batch), numbers in tasks.items() if batch == round_}
        asks = {seat: [ask for number in numbers if (ask := jobs[number].ask) is not None] for seat, numbers in mine.items()}
        ran = way.run({seat: Task(script(items, mark), max(item.seconds for item in items)) for seat, items in asks.items()})
        for seat, numbers in mine.items():
            for number, outcome in zip(numbers, _outcomes([jobs[item] for item in numbers], ran[seat], mark, way.name), strict=True):
                found[number] = _told(outcome, deaf)
    return [found.get(number) or Outcome(job) for number, job in enumerate(jobs)]


def _outcomes(jobs: Sequence[Job], ran: Ran, mark: str, way: str) -> list[Outcome]:
    """What came of the jobs of one script."""
    if ran.absent and not ran.output:
        if all(job.prediction is not None for job in jobs):
            return [Outcome(job, note=ran.trouble) for job in jobs]
        return [Outcome(job, Answer(ERROR, detail=ran.trouble), way) for job in jobs]
    told = answers(ran.output, mark, len(jobs))
    missing = [replace(item, detail=f"{ran.trouble}: {item.detail}") if item.seen == ERROR and ran.trouble else item for item in told]
    return [Outcome(job, item, way) for job, item in zip(jobs, missing, strict=True)]


def _echoes(jobs: Iterable[Job], way: Way, mark: str) -> dict[Seat, str]:
    """Start an echo on the destinations of UDP probes; what could not be started, with the reason."""
    ports: dict[Seat, set[int]] = {}
    seconds: dict[Seat, float] = {}
    for job in jobs:
        if job.echo is not None and job.seat is not None and job.ask is not None:
            ports.setdefault(job.echo, set()).add(job.ask.port)
            seconds[job.echo] = max(seconds.get(job.echo, 0.0), job.ask.seconds)
    if not ports:
        return {}
    ran = way.run({seat: Task(listener(found, seconds[seat] + OUTLAST, mark), 10.0) for seat, found in ports.items()})
    deaf: dict[Seat, str] = {}
    for seat, result in ran.items():
        said = [line.partition(" ")[2].strip() for line in result.output.splitlines() if line.startswith(mark)]
        reason = result.trouble or ("no answer" if not said else said[0])
        if reason:
            deaf[seat] = reason
    return deaf


def _told(outcome: Outcome, deaf: Mapping[Seat, str]) -> Outcome:
    """A silent UDP probe says why there was nobody to answer it."""
    echo, answer = outcome.job.echo, outcome.answer
    if echo is None or echo not in deaf or answer is None or answer.seen != BLOCKED:
        return outcome
    return replace(outcome, answer=replace(answer, detail=f"{answer.detail} (no echo on {echo.name}: {deaf[echo]})"))


def table(rows: Sequence[Mapping[str, Any]], *, staged: bool = False) -> str:
    """Intended, predicted and observed, a line for each probe, and below it why some were not sent.

    ``staged``: of a network that is not whole yet, so that ok means as predicted, not as intended. What blocks where that is right is told
    by its codes alone.
    """
    lines: list[tuple[str, ...]] = [("", "FROM", "TO", "TRAFFIC", "INTENDED", "PREDICTED", "OBSERVED", "WHY")]
    for row in rows:
        held = (row["agrees"] and row["observed"] != ERROR) if staged else row["ok"]
        mark = "?" if held is None else "ok" if held else "FAIL"
        codes = ", ".join(dict.fromkeys(item["code"] for item in row["blockers"]))
        why = codes if held and codes else row["why"]
        words = (row["from"], row["to"], row["traffic"], row["intended"] or "-", row["predicted"] or "-", _seen(row), why)
        lines.append((mark, *words))
    reasons: dict[str, int] = {}
    for row in rows:
        if row["by"] == PREDICTED:
            reasons[row["note"]] = reasons.get(row["note"], 0) + 1
    notes = [f"{count} of {len(rows)} not sent, only predicted: {note}" for note, count in reasons.items()]
    return "\n".join([*columns(lines), *notes])


def _seen(row: Mapping[str, Any]) -> str:
    if row["by"] == PREDICTED:
        return "(predicted)"
    found = row["measured"]
    more = [f" {found[key]:g}{unit}" for key, unit in (("mtu", " bytes"), ("rtt_ms", " ms"), ("code", "")) if key in found]
    more += [f" {', '.join(found['addresses'])}"] if found.get("addresses") else []
    return str(row["observed"]) + "".join(more)
