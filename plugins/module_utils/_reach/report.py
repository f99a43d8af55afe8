# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as text for people."""

from __future__ import annotations

from collections.abc import Iterator

from .verdict import Blocker, Trace, Unknown, Verdict


def text(verdict: Verdict, *, hops: bool = True) -> str:
    """The question and its answer, both paths (``hops``), and everything in the way with what would open it. No line end at the end."""
    lines = [f"{verdict.source} -> {verdict.destination}, {verdict.traffic}: {verdict.verdict}"]
    if verdict.mtu:
        lines[0] += f" (packets up to {verdict.mtu} bytes)"
    if hops:
        lines += _path("forward", verdict.forward)
        if verdict.back:
            lines += _path("return", verdict.back)
    for number, blocker in enumerate(verdict.blockers, 1):
        lines += _blocker(number, blocker)
    for unknown in verdict.unknowns:
        lines += _unknown(unknown)
    if verdict.dns_why:
        lines.append(f"public name resolves to the private address: {_WORDS[verdict.dns]} ({verdict.dns_why})")
    return "\n".join(lines)


_WORDS = {True: "yes", False: "no", None: "unknown"}


def _path(title: str, trace: Trace) -> Iterator[str]:
    yield f"{title}: {trace.disposition.value}"
    for hop in trace.hops:
        rule = f" [{hop.rule}]" if hop.rule else ""
        mark = "~" if hop.assumed else " "
        yield f" {mark} {hop.step.value:<24} {' '.join(part for part in (hop.name, hop.detail) if part)}{rule}"


def _blocker(number: int, blocker: Blocker) -> Iterator[str]:
    yield f"{number}. {blocker.code} at {blocker.name} ({blocker.direction}{', unsure' if blocker.unsure else ''})"
    yield f"   {blocker.why}"
    if blocker.rule:
        yield f"   decided by: {blocker.rule}"
    yield f"   to open it: {blocker.fix.text}"


def _unknown(unknown: Unknown) -> Iterator[str]:
    yield f"?  {unknown.code} at {unknown.name} ({unknown.direction})"
    yield f"   {unknown.why}"
    if unknown.missing:
        yield f"   would tell: {unknown.missing}"
