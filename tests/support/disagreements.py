# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A question on which two readers of a network differ: made as small as it can be, and kept in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network

from . import network_json
from .packets import Flow
from .wild_questions import Case

_NOT_OBJECTS = ("complete", "untold", "warnings", "others")


def shrink(network: Network, differs: Callable[[Network], bool]) -> Network:
    """The same disagreement with as little around it as can be: VPCs go first, then kinds of objects, single ones, and routes."""
    for attempts in (_without_vpcs, _without_kinds, _without_objects, _without_routes, _without_objects):
        changed = True
        while changed:
            changed = False
            for smaller in attempts(network):
                if differs(smaller):
                    network, changed = smaller, True
                    break
    return network


def _kinds(network: Network) -> list[str]:
    return [field.name for field in fields(network) if field.name not in _NOT_OBJECTS and getattr(network, field.name)]


def _without_vpcs(network: Network) -> Iterator[Network]:
    for vpc in network.vpcs:
        kept = {
            name: {key: item for key, item in getattr(network, name).items() if getattr(item, "vpc", "") != vpc} for name in _kinds(network)
        }
        yield replace(network, **{**kept, "vpcs": {key: item for key, item in network.vpcs.items() if key != vpc}})


def _without_kinds(network: Network) -> Iterator[Network]:
    for name in _kinds(network):
        yield replace(network, **{name: {}})


def _without_objects(network: Network) -> Iterator[Network]:
    for name in _kinds(network):
        objects = getattr(network, name)
        keys = list(objects)
        # Halves first: most objects have nothing to do with it.
        for size in (len(keys) // 2, len(keys) // 4, 1):
            for start in range(0, len(keys), size) if size else ():
                gone = set(keys[start : start + size])
                yield replace(network, **{name: {key: item for key, item in objects.items() if key not in gone}})


def _without_routes(network: Network) -> Iterator[Network]:
    for table in network.route_tables.values():
        for route in table.routes:
            if route.via != "local":
                kept = replace(table, routes=tuple(item for item in table.routes if item is not route))
                yield replace(network, route_tables={**network.route_tables, table.id: kept})


def keep(folder: Path, name: str, network: Network, case: Case, more: dict[str, Any] | None = None) -> None:
    """Write a case, for a person to say what it is about and who was right (``story``, ``reachable``)."""
    told = {
        "story": "",
        "reachable": None,
        "flow": asdict(case.flow),
        "source": case.source,
        "target": case.target,
        "family": case.family,
        "network": network_json.dump(network),
        **(more or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def kept(folder: Path) -> list[dict[str, Any]]:
    """The cases of a folder, with their networks read."""
    found = []
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        found.append({**told, "name": path.stem, "network": network_json.load(told["network"]), "flow": Flow(**told["flow"])})
    return found
