# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology as plain data, before the engine reads it: what filters need to take it apart. The engine's own checks come after them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations
from typing import Any

#: What may stand before the name of an end, as in ``group:finance.db``.
KINDS = frozenset({"group", "instance", "subnet", "vpc"})


def listed(value: Any) -> list[Any]:
    """Where a topology wants a list, a single value will do."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def pairs(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Requester and accepter of each connection that an entry of ``peerings`` declares, in its order."""
    if "hub" in entry:
        return [(str(entry["hub"]), str(spoke)) for spoke in listed(entry.get("spokes"))]
    return list(combinations([str(name) for name in listed(entry.get("mesh") or entry.get("between"))], 2))


def between(entry: Mapping[str, Any], pair: tuple[str, str]) -> dict[str, Any]:
    """One connection of an entry of ``peerings``, as an entry of its own: with what the entry says of its two VPCs alone."""
    rest = {key: value for key, value in entry.items() if key not in {"between", "hub", "mesh", "spokes", "routes", "cidrs"}}
    if isinstance(routes := entry.get("routes"), Mapping):
        rest["routes"] = {name: tables for name, tables in routes.items() if name in pair}
    if isinstance(cidrs := entry.get("cidrs"), Mapping):
        rest["cidrs"] = {key: {name: blocks for name, blocks in (of or {}).items() if name in pair} for key, of in cidrs.items()}
    return {**rest, "between": list(pair)}


def bare(end: Any) -> str:
    """An end without the word that says what it is: ``finance.db`` of ``group:finance.db``."""
    kind, colon, rest = str(end).partition(":")
    return rest if colon and kind in KINDS else str(end)


def instance_of(end: Any) -> str:
    """The instance that an end of ``expect`` may be, as ``vpc.name``; empty where the end says that it is something else."""
    return "" if str(end).startswith(("group:", "subnet:", "vpc:")) else bare(end)


def vpc_of(end: Any, vpcs: Collection[str]) -> str:
    """The VPC of an end; empty for blocks, addresses and the like."""
    name = bare(end).partition(".")[0]
    return name if name in vpcs else ""
