# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call had made or removed before it failed in the lab itself is put back: a refusal that changes half is worse than a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .calls import Call

if TYPE_CHECKING:
    from .core import Lab

# One small table for every resource: what it holds of each is not copied before each call.
_OUTER_ONLY = frozenset({"tags"})


@dataclass(frozen=True)
class Undo:
    """The tables of a service in the caller's account and Region, and the fidelity layer's own, as they were.

    Tables alone: an attribute of a resource that a failing call had already changed stays changed.
    """

    tables: tuple[tuple[Any, Any], ...]

    @classmethod
    def of(cls, lab: Lab, call: Call) -> Undo | None:
        """``None`` where the emulator has no such service."""
        try:
            backend = lab.backend(call.service, call.account, call.region)
        except (ImportError, KeyError, ValueError):
            return None
        tables: list[tuple[Any, Any]] = []
        for name, value in vars(backend).items():
            _remember(value, tables, deep=name not in _OUTER_ONLY)
        _remember(lab.states(), tables, deep=True)
        return cls(tuple(tables))

    def restore(self) -> None:
        for table, before in self.tables:
            if isinstance(table, list):
                table[:] = before
            else:
                table.clear()
                table.update(before)


def _remember(value: Any, tables: list[tuple[Any, Any]], deep: bool) -> None:
    if isinstance(value, dict):
        tables.append((value, dict(value)))
        if deep:
            for inner in value.values():
                if isinstance(inner, dict | list | set):
                    tables.append((inner, inner.copy()))
    elif isinstance(value, list | set):
        tables.append((value, value.copy()))
