# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd calls of a lab, drawn from botocore's models: missing and odd and unknown ids, wrong types, huge, unicode, negative.

No answer may have HTTP 500 or more, nor a form that botocore cannot read. Faults that the lab's net turned into refusals are counted
too, by where they arose: they are limits that the lab says to be its own. From ``tests/``::

    PYTHONPATH=.:../playbooks/collections python -m support.fuzz --calls 100000 --seed 1
"""

from __future__ import annotations

import argparse
import logging
import random
import re
import sys
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import claims
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import LOG, Lab
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import parse_reply, service_model

from .in_process import InProcess

SERVICES = ("ec2", "iam", "route53", "ssm", "sts")
_WEIGHTS = (12, 3, 2, 3, 1)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.:]+")
_ID = re.compile(r"\b[a-z]+(?:-[a-z]+)*-[0-9a-f]{8,17}\b")
_TEXTS = (
    *(
        "",
        " ",
        "x",
        "0",
        "-1",
        "nonsense",
        "default",
        "self",
        "*",
        "null",
        "true",
        "None",
        "\u00e4\u00df\u6c34\U0001f40d",
        "x" * 5000,
        "a\tb\nc",
    ),
    *("10.0.0.0/16", "10.0.1.0/24", "10.0.0.0/33", "10.0.0.5/16", "0.0.0.0/0", "::/0", "2001:db8::/56", "10.0.0.5", "999.1.1.1", "fe80::1"),
    *(
        "us-east-1a",
        "us-east-1",
        "mars-1",
        "tcp",
        "icmp",
        "-1",
        "ipsec.1",
        "t3.micro",
        "gp3",
        "instance",
        "vpc",
        "com.amazonaws.us-east-1.s3",
    ),
    *(
        "ami-0123456789abcdef0",
        "vpc-0123456789abcdef0",
        "subnet-",
        "sg-zzz",
        "i-0123456789abcdef0",
        "arn:aws:iam::111111111111:role/x",
        "arn:aws",
    ),
    *('{"Version":"2012-10-17","Statement":[]}', "{", "2026-01-01T00:00:00Z", "example.com.", "AWS-RunShellScript", "/a/b", "a.b"),
)
_NUMBERS = (-(2**31), -1, 0, 1, 2, 5, 28, 64, 443, 1000, 65536, 2**31, 10**12, "x", "", "1.5")
_RESET_EVERY = 2500


class Drawer:
    """Draws parameters; ``ids`` are those that the lab has given out."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.ids: list[str] = []

    def params(self, service: str, action: str, shape: Any) -> dict[str, Any]:
        """Parameters of an action; mostly of those that the lab reads, since others are refused unseen."""
        read = {path.partition(".")[0] for path in claims.READ.get(service, {}).get(action, ())}
        chance = self.random
        result = {}
        for name, member in (shape.members if shape is not None else {}).items():
            likely = 0.9 if name in shape.required_members else 0.4 if name in read or service not in claims.READ else 0.02
            if name == "DryRun":
                likely = 0.03
            if chance.random() < likely:
                result[name] = self.value(member, name, 0)
        return result

    def value(self, shape: Any, name: str, depth: int) -> Any:
        chance, kind = self.random, shape.type_name
        if chance.random() < 0.03:  # of a wrong type
            return chance.choice(_TEXTS) if kind in ("string", "integer", "long", "boolean") else self.text(shape, name)
        if kind == "structure":
            if depth > 4:
                return {}
            names = [item for item in shape.members if chance.random() < (0.9 if item in shape.required_members else 0.35)]
            return {item: self.value(shape.members[item], item, depth + 1) for item in names}
        if kind == "list":
            return [self.value(shape.member, name, depth + 1) for _turn in range(chance.choice((0, 1, 1, 1, 2, 7)))]
        if kind == "map":
            return {self.text(shape.key, name): self.value(shape.value, name, depth + 1) for _turn in range(chance.choice((0, 1, 2)))}
        if kind == "boolean":
            return chance.choice((True, False))
        if kind in ("integer", "long", "float", "double"):
            return chance.choice(_NUMBERS)
        if kind == "timestamp":
            return chance.choice((datetime(2026, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)))
        if kind == "blob":
            return chance.choice((b"", b"x", b"\xff\x00", b"#!/bin/sh\n", b"x" * 20000))
        return self.text(shape, name)

    def text(self, shape: Any, name: str) -> str:
        chance = self.random
        if getattr(shape, "enum", None) and chance.random() < 0.7:
            return str(chance.choice(shape.enum))
        if self.ids and re.search("I[dD]s?$|Arn$|Name$|Resources?$", name) and chance.random() < 0.75:
            stem = re.sub(r"I[dD]s?$", "", name).lower()
            fitting = [item for item in self.ids if item.partition("-")[0] in stem] or self.ids
            return chance.choice(fitting)
        return chance.choice(_TEXTS)

    def remember(self, body: bytes) -> None:
        found = _ID.findall(body[:20000].decode("utf-8", "replace"))
        self.ids = (self.ids + [item for item in found if item not in self.ids][:20])[-400:]


@dataclass
class Outcome:
    """What came of the calls. ``bad``: HTTP 500, or unreadable. ``own``: refusals by the lab's net, by call and place of the fault."""

    calls: int = 0
    answered: int = 0
    bad: list[str] = field(default_factory=list)
    own: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)


class _Faults(logging.Handler):
    """The latest fault that the lab logged."""

    def __init__(self) -> None:
        super().__init__()
        self.latest = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            place = traceback.extract_tb(error.__traceback__)[-1]
            self.latest = f"{type(error).__name__}: {str(error)[:120]} ({place.filename.rsplit('/', 3)[-1]}:{place.lineno} {place.name})"


def run(lab: Lab, calls: int, seed: int, services: tuple[str, ...] = SERVICES) -> Outcome:
    """So many calls of a lab, which is emptied now and then."""
    drawer, outcome, asker, faults = Drawer(seed), Outcome(), InProcess(lab), _Faults()
    chance = drawer.random
    actions = {service: _actions(service) for service in services}
    weights = [_WEIGHTS[SERVICES.index(service)] for service in services]
    propagate, LOG.propagate = LOG.propagate, False
    LOG.addHandler(faults)
    try:
        for number in range(calls):
            if number % _RESET_EVERY == 0:
                lab.reset()
                drawer.ids.clear()
            service = chance.choices(services, weights)[0]
            action = chance.choice(actions[service])
            params = drawer.params(service, action, service_model(service).operation_model(action).input_shape)
            _one(asker, outcome, drawer, faults, service, action, params)
    finally:
        LOG.removeHandler(faults)
        LOG.propagate = propagate
    return outcome


def _actions(service: str) -> list[str]:
    """All of a service's actions; those that the lab offers more often."""
    names = list(service_model(service).operation_names)
    return names + [name for name in names if service in claims.READ and claims.offered(service, name)] * 5


def _one(asker: InProcess, outcome: Outcome, drawer: Drawer, faults: _Faults, service: str, action: str, params: dict[str, Any]) -> None:
    faults.latest = ""
    try:
        arrival = asker.arrival(service, action, params)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
        return  # no client could write it
    reply = asker.handle(arrival)
    outcome.calls += 1
    if reply.status >= 500:
        outcome.bad.append(f"{service}:{action} HTTP {reply.status} {params!r:.300} {faults.latest}")
        return
    try:
        if reply.ok:
            parse_reply(service, action, str(service_model(service).protocol), reply)
            outcome.answered += 1
            drawer.remember(reply.body)
            return
        parse_reply(service, action, str(service_model(service).protocol), reply)
    except Exception as error:
        code = getattr(error, "code", "")
        if not _CODE.fullmatch(str(code)):
            outcome.bad.append(f"{service}:{action} cannot be read: {error!r:.200} {reply.body[:200]!r} {params!r:.300}")
            return
        outcome.codes[str(code)] += 1
        if faults.latest:
            outcome.own[f"{service}:{action} {faults.latest}"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--services", default=",".join(SERVICES))
    options = parser.parse_args()
    outcome = run(Lab(), options.calls, options.seed, tuple(options.services.split(",")))
    for line in outcome.bad[:50]:
        print("BAD", line)
    for line, count in outcome.own.most_common(80):
        print(f"{count:6} {line}")
    print(
        f"{outcome.calls} calls, {outcome.answered} answered, {sum(outcome.codes.values())} refused, {len(outcome.bad)} with HTTP 500 or "
        f"unreadable, {sum(outcome.own.values())} refused by the lab's net"
    )
    return 1 if outcome.bad else 0


if __name__ == "__main__":
    sys.exit(main())
