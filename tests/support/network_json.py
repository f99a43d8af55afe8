# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Network as JSON and back, for cases that are kept; only what differs from the classes' defaults is written."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model import network as model

Network = model.Network


def dump(network: Network) -> dict[str, Any]:
    """Everything that is not as by default."""
    return typing.cast("dict[str, Any]", _dump(network))


def _dump(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {}
        for field in dataclasses.fields(value):
            inner = getattr(value, field.name)
            default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
            if inner != default:
                found[field.name] = _dump(inner)
        return found
    if isinstance(value, Mapping):
        return {key: _dump(inner) for key, inner in value.items()}
    if isinstance(value, frozenset):
        return [_dump(inner) for inner in sorted(value)]
    if isinstance(value, tuple | list):
        return [_dump(inner) for inner in value]
    return value


def load(value: Mapping[str, Any]) -> Network:
    """The network again."""
    return typing.cast("Network", _load(Network, value))


def _load(kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{key: _load(hints[key], inner) for key, inner in value.items()})
    if origin is frozenset:
        return frozenset(_load(arguments[0], inner) for inner in value)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if len(arguments) == 2 and arguments[1] is Ellipsis else arguments
        return tuple(_load(one, inner) for one, inner in zip(kinds, value, strict=True))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _load(arguments[1], inner) for key, inner in value.items()}
    if type(None) in arguments:
        return None if value is None else _load(next(one for one in arguments if one is not type(None)), value)
    return value
