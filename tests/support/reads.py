# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which texts stand in the code that answers an action: the layer's functions and the emulator's method, with all that they call.

A parameter that none of them names is read by nobody. A name that stands there may still be unread: this is a net, and no proof.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
import types
from collections.abc import Iterator
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import AMENDMENTS, ANSWERS, CHECKS

_EMULATOR = {
    "ec2": ("moto.ec2.responses", "EC2Response"),
    "iam": ("moto.iam.responses", "IamResponse"),
    "ssm": ("moto.ssm.responses", "SimpleSystemManagerResponse"),
    "sts": ("moto.sts.responses", "TokenResponse"),
}
_DEPTH = 7


def texts(service: str, action: str) -> frozenset[str]:
    """Every text in the code of an action, also in parts (``Placement.Tenancy``: both)."""
    key, seen = (service, action), set[Any]()
    functions: list[tuple[Any, Any]] = [(item, None) for item in [ANSWERS.get(key), *CHECKS.get(key, []), *AMENDMENTS.get(key, [])] if item]
    method = emulator_method(service, action)
    if method is not None:
        functions.append((method, _response_class(service)))
    found = {text for function, owner in functions for text in _constants(function, owner, seen, 0)}
    return frozenset(part for text in found for part in [text, *text.replace("[]", "").split(".")])


def emulator_method(service: str, action: str) -> Any:
    """The emulator's method for an action, if it has one that does something."""
    from moto.core.utils import camelcase_to_underscores

    owner = _response_class(service)
    method = None if owner is None else inspect.getattr_static(owner, camelcase_to_underscores(action), None)
    return method if isinstance(method, types.FunctionType) else None


def _response_class(service: str) -> Any:
    module, name = _EMULATOR[service]
    return getattr(importlib.import_module(module), name)


@functools.cache
def _tree(function: Any) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))


def _constants(function: Any, owner: Any, seen: set[Any], depth: int) -> Iterator[str]:
    if function in seen or depth > _DEPTH:
        return
    seen.add(function)
    names = function.__globals__
    for node in ast.walk(_tree(function)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        if isinstance(node, ast.Name) and node.id in names:
            value = names[node.id]
            if isinstance(value, types.FunctionType) and value.__module__.split(".")[0] in ("moto", "ansible_collections"):
                yield from _constants(value, owner, seen, depth + 1)
            elif isinstance(value, type) and value.__module__.startswith("ansible_collections"):
                for member in vars(value).values():
                    if isinstance(member, types.FunctionType) and member.__module__ == value.__module__ and member.__name__[0] != "_":
                        yield from _constants(member, value, seen, depth + 1)
            elif isinstance(value, tuple | frozenset | set | list | dict):
                yield from _texts_in(value)
            elif isinstance(value, str):
                yield value
        if owner is not None and isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            member = inspect.getattr_static(owner, node.attr, None)
            if isinstance(member, types.FunctionType):
                yield from _constants(member, owner, seen, depth + 1)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts_in(key)
            yield from _texts_in(item)
    elif isinstance(value, tuple | frozenset | set | list):
        for item in value:
            yield from _texts_in(item)
