# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lab and its data plane talk: frames on a socket pair, each with the number of the question that it belongs to.

Questions are pickled, since they carry the network's own objects and come from the lab itself; answers are JSON, since the process that
gives them also faces what runs inside the instances: nothing that it says is ever executed.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any

from ...module_utils._model.network import Network, Resource
from .facts import Facts

HEADER = struct.Struct("!QI")
"""Length of what follows, number of the question."""


@dataclass(frozen=True)
class Delta:
    """What changed in the network: ``changed`` and ``removed`` by the Network's field, then id. ``facts`` None: as before."""

    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facts: Facts | None = None

    def onto(self, network: Network) -> Network:
        """The network with the change; what it does not name is the very same object as before."""
        values: dict[str, Any] = {}
        for name in {*self.changed, *self.removed}:
            values[name] = {**getattr(network, name), **self.changed.get(name, {})}
            for gone in self.removed.get(name, ()):
                values[name].pop(gone, None)
        return replace(network, **values) if values else network


@cache
def _fields(kind: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """A dataclass's fields, and what reads them all."""
    names = tuple(item.name for item in fields(kind))
    return names, attrgetter(*names)


def _made(kind: type, *values: Any) -> Any:
    """An object of the network. Its attributes are set one by one: then all of a class share their names, at half the memory."""
    made: Any = object.__new__(kind)
    for name, value in zip(_fields(kind)[0], values, strict=True):
        object.__setattr__(made, name, value)
    return made


class _Pickler(pickle.Pickler):
    def reducer_override(self, item: Any) -> Any:
        """The network's objects as their fields' values, in order."""
        if not isinstance(item, Resource):
            return NotImplemented
        kind: Any = type(item)
        return _made, (kind, *_fields(kind)[1](item))


def question(number: int, operation: str, arguments: Mapping[str, Any]) -> bytes:
    """A question as it goes over the wire."""
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump((operation, dict(arguments)))
    body = stream.getvalue()
    return HEADER.pack(len(body), number) + body


def read_question(body: bytes) -> tuple[str, dict[str, Any]]:
    """The operation and its arguments. Only for what comes from the lab."""
    operation, arguments = pickle.loads(body)
    return str(operation), dict(arguments)


def answer(number: int, value: Any = None, error: str = "") -> bytes:
    """An answer as it goes over the wire. Times go as ISO 8601."""
    body = json.dumps({"error": error} if error else {"value": value}, default=_plain).encode()
    return HEADER.pack(len(body), number) + body


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not for the wire")


def read_answer(body: bytes) -> tuple[Any, str]:
    """The value and the error, one of them empty."""
    found = json.loads(body)
    return found.get("value"), str(found.get("error", ""))
