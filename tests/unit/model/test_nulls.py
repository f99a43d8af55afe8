# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace any value of a good snapshot by null: it is read, or refused in one line that names the file. Never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.build import build
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.snapshot import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.matrix import interfaces, matrix
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError, SnapshotError

from ..reach import terse

REACH = Path(__file__).parents[1] / "reach"
GOOD = REACH / "snapshots"
CASES = sorted(path.name for path in GOOD.iterdir() if (path / "accounts").is_dir())
ME, HERE = "111111111111", "us-east-1"
Path_ = tuple[str | int, ...]


def _paths(value: Any, here: Path_ = ()) -> Iterator[Path_]:
    """Every place of a JSON value, itself left out."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*here, key)
        yield from _paths(item, (*here, key))


def _without(value: Any, path: Path_) -> Any:
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _without(value[key], tuple(rest)) if rest else None
    return copy


def _kinds(data: dict[str, Any]) -> list[Path_]:
    """One path of each kind: the same keys, wherever in a list."""
    found: dict[tuple[str, ...], Path_] = {}
    for path in _paths(data):
        found.setdefault(tuple("*" if isinstance(part, int) else part for part in path), path)
    return list(found.values())


def _shared() -> dict[str, list[Path_]]:
    """Case to the kinds of value that no case before it has: the cases are much alike."""
    seen: set[tuple[str, ...]] = set()
    found = {}
    for case in CASES:
        kinds = {tuple("*" if isinstance(part, int) else part for part in path): path for path in _kinds(_data(case))}
        found[case] = [path for kind, path in kinds.items() if kind not in seen]
        seen |= kinds.keys()
    return {case: paths for case, paths in found.items() if paths}


def _data(case: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(next((GOOD / case).rglob("all.json")).read_text())
    return data


@pytest.mark.parametrize(("case", "paths"), _shared().items(), ids=_shared())
def test_any_value_may_be_null(case: str, paths: list[Path_], tmp_path: Path) -> None:
    data, place = _data(case), tmp_path / next((GOOD / case).rglob("all.json")).relative_to(GOOD / case)
    place.parent.mkdir(parents=True)
    for path in paths:
        place.write_text(json.dumps(_without(data, path)))
        try:
            network = build(load(tmp_path))
            matrix(network, interfaces(network), [("tcp", 443)]).counts()
        except CloudnetError as error:
            text = str(error)
            assert "\n" not in text and (str(path[0]) in text or not isinstance(error, SnapshotError)), (path, text)


ASKED = [
    *(("i-a", "i-b", "tcp", 443), ("i-b", "i-a", "tcp", 443), ("i-p", "i-a", "tcp", 443), ("i-a", "i-b", "udp", 1)),
    *(("internet", "i-a", "tcp", 443), ("i-p", "internet", "tcp", 443), ("i-a", "internet", "tcp", 443)),
]


def test_null_never_turns_an_answer_round(tmp_path: Path) -> None:
    """What is told by absence (no rule, no route, no address) is not told by null: the answer becomes unknown."""
    data, place = _data("nlb-without-groups"), tmp_path / ME / HERE / "all.json"
    place.parent.mkdir(parents=True)

    def answers(value: Any) -> list[str]:
        place.write_text(json.dumps(value))
        network = build(load(tmp_path))
        found = []
        for source, destination, protocol, port in ASKED:
            try:
                found.append(reach(network, source, destination, protocol, port).verdict)
            except CloudnetError:
                found.append("unknown")
        return found

    whole = answers(data)
    assert whole.count("reachable") == 6 and whole.count("blocked") == 1
    for path in _kinds(data):
        part = answers(_without(data, path))
        turned = [asked for asked, before, after in zip(ASKED, whole, part, strict=True) if {before, after} == {"reachable", "blocked"}]
        assert not turned, (path, turned)


@pytest.mark.parametrize("case", ["transit_gateway", "gateways", "peering_ipv6"])
def test_any_value_of_the_rarer_files_may_be_null(case: str, tmp_path: Path) -> None:
    """Transit gateways, egress-only gateways, prefix lists, IPv6."""
    told = terse.snapshot(yaml.safe_load((REACH / "cases" / f"{case}.yml").read_text())["network"])
    for place, items in sorted(told.files.items()):
        folder = tmp_path / place[0] / place[1]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{place[2]}.json").write_text(json.dumps({place[2]: items}))
    for file in sorted(tmp_path.rglob("*.json")):
        text = file.read_text()
        for kind in _kinds(json.loads(text)):
            file.write_text(json.dumps(_without(json.loads(text), kind)))
            try:
                build(load(tmp_path))
            except CloudnetError as error:
                assert "\n" not in str(error) and file.stem in str(error), (kind, str(error))
        file.write_text(text)
