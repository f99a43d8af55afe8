# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What small networks compile to, as text that was read line by line. The routers' filters have golden texts of their own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.render import render
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import KernelState, Ruleset

from tests.support.twin_cases import CASES

GOLDEN = Path(__file__).parent / "golden"


def without_filters(state: KernelState) -> KernelState:
    return replace(
        state,
        namespaces={name: replace(item, ruleset=Ruleset()) if name.startswith("vpc-") else item for name, item in state.namespaces.items()},
    )


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    made, live = CASES[name]()
    text = render(without_filters(compile_network(made.network(), live)))
    file = GOLDEN / f"compile_{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


@pytest.mark.parametrize("name", CASES)
def test_everything_has_its_other_end(name: str) -> None:
    made, live = CASES[name]()
    for inside in (live, frozenset[str](), frozenset(made.network().instances)):
        state = compile_network(made.network(), inside)
        ends = [end for wire in state.wires for end in (wire.left, wire.right)]
        assert {end.namespace for end in ends} <= state.namespaces.keys()
        devices = {(end.namespace, end.name) for end in ends}
        assert len(devices) == len(ends), "two devices of one name"
        assert all(len(end.name) <= 15 for end in ends)
        macs = {}
        for wire in state.wires:
            macs[wire.left.namespace, wire.left.name] = wire.right.mac
            macs[wire.right.namespace, wire.right.name] = wire.left.mac
        for item in state.namespaces.values():
            used = {(item.name, route.device) for route in item.routes if route.device != "lo"} - {(item.name, "")}
            assert used <= devices, f"{item.name} has routes to devices that it lacks"
            for entry in item.neighbours:
                assert macs[item.name, entry.device] == entry.mac
            known = {(entry.device, entry.address) for entry in item.neighbours}
            assert {(route.device, route.via) for route in item.routes if route.via} <= known, f"{item.name}: next hops that nobody knows"
            numbered = {rule.table for rule in item.rules}
            assert {route.table for route in item.routes} - {254, 255} <= numbered, f"{item.name} has tables that nobody asks"
