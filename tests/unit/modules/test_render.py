# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that people read, each against a golden file. With UPDATE_GOLDEN=1 they are written anew, to be looked at in the diff."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.action import show
from ansible_collections.cloudnet.vpc.plugins.module_utils import render

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, Callable[[Any], str]] = {
    "change_set": render.change_set,
    "nothing_to_do": render.change_set,
    "outputs": render.outputs_table,
    "handoff": render.handoff_text,
    "parameters": render.parameters_table,
    "progress": lambda events: "\n".join(render.progress_line(event) for event in events),
    "identities": lambda value: render.identity_table(**value),
}


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    given = json.loads((GOLDEN / f"{name}.json").read_text())
    text = CASES[name](given) + "\n"
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()
    assert not any(line != line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("vpcs.dev", "dev"),
        ("vpcs.dev.subnets.app", "dev.app"),
        ("vpcs.dev.subnets.app.table", "dev.app"),
        ("vpcs.dev.route_tables.private.routes.10.1.0.0/16", "dev.private: 10.1.0.0/16"),
        ("vpcs.dev.route_tables.private.routes.prefix_lists.offices", "dev.private: offices"),
        ("vpcs.dev.cidrs.10.2.0.0/16", "dev.10.2.0.0/16"),
        ("vpcs.dev.security_groups.db.allow: tcp 443 from vpcs.ops.security_groups.web", "dev.db: tcp 443 from ops.web"),
        ("vpcs.dev.security_groups.db.egress: all to 0.0.0.0/0", "dev.db: all to 0.0.0.0/0"),
        ("vpcs.dev.security_groups.db.allow: tcp 443 from 10.0.0.0/16", "dev.db: tcp 443 from 10.0.0.0/16"),
        ("vpcs.dev.internet_gateway", "dev.internet_gateway"),
        ("peerings.dev:ops", "dev:ops"),
        ("peerings.dev:ops.acceptance", "dev:ops"),
        ("peerings.dev:ops.dns.dev", "dev:ops"),
        ("rtb-0123.routes.10.1.0.0/16", "rtb-0123.routes.10.1.0.0/16"),
    ],
)
def test_short_names(name: str, short: str) -> None:
    assert render.short(name) == short


def test_a_plan_of_the_engine_can_be_rendered_from_its_file() -> None:
    plan = json.loads((GOLDEN / "change_set.json").read_text())
    lines = render.change_set(plan).splitlines()
    assert lines[-1] == f"Fingerprint: {plan['fingerprint']}"
    assert sum(line.startswith(("    + ", "    ~ ", "    - ")) for line in lines) == len(plan["actions"])


def test_no_control_character_of_a_text_reaches_the_terminal() -> None:
    arguments = dict.fromkeys(show.ARGUMENTS) | {"text": ["one\x1b]0;title\x07", "two\ttabs\x9b31m"]}
    assert show.text_of(arguments) == "one\ufffd]0;title\ufffd\ntwo tabs\ufffd31m"
