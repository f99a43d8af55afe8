# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dependencies run one way, as the design says: read from the syntax of every plugin file, so that a guarded import counts too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
OURS = "ansible_collections.cloudnet.vpc.plugins"

ALLOWED: dict[str, set[str]] = {
    "module_utils.errors": set(),
    "module_utils._model": {"module_utils.errors"},
    "module_utils._topology": {"module_utils._model", "module_utils.errors"},
    "module_utils._reach": {"module_utils._model", "module_utils.errors"},
    "module_utils._aws": {"module_utils._model", "module_utils.errors"},
    "module_utils._plan": {
        "module_utils._aws",
        "module_utils._model",
        "module_utils._reach",
        "module_utils._topology",
        "module_utils.errors",
    },
    "module_utils": {
        "module_utils._aws",
        "module_utils._model",
        "module_utils._plan",
        "module_utils._reach",
        "module_utils._topology",
        "module_utils.errors",
    },
    "modules": {"module_utils", "module_utils._aws", "module_utils._model", "module_utils._topology", "module_utils.errors"},
    "plugin_utils.twin": {"module_utils._model", "module_utils.errors"},
    "plugin_utils.lab": {"plugin_utils.twin", "module_utils._model", "module_utils._topology", "module_utils.errors"},
    "plugin_utils.lab.testing": {"plugin_utils.lab"},
    "plugin_utils": {"module_utils._model", "module_utils._topology", "module_utils.errors"},
    "action": {"plugin_utils", "plugin_utils.lab", "module_utils", "module_utils._model", "module_utils._topology", "module_utils.errors"},
    "filter": {"plugin_utils", "plugin_utils.lab", "module_utils", "module_utils._model", "module_utils._topology", "module_utils.errors"},
    "inventory": {"plugin_utils", "plugin_utils.lab", "module_utils", "module_utils._aws", "module_utils._model", "module_utils.errors"},
    "doc_fragments": set(),
}
"""Which rooms a room may import from, beside itself. ``module_utils`` alone is the files that lie directly in it."""

ONLY_IN: dict[str, set[str]] = {
    "boto3": {"module_utils._aws", "plugin_utils.lab.testing"},
    "botocore": {"module_utils._aws", "plugin_utils.lab", "plugin_utils.lab.testing"},
    "jsonschema": {"module_utils._topology"},
    "moto": {"plugin_utils.lab"},
}
"""Third-party packages that have their place. In the engine that is ``_aws``; the lab's side of the wire reads AWS's service model from
botocore, and its test support holds clients to try it with."""


def room(module: str) -> str:
    """The room of a module below ``plugins``: the longest of the names in ALLOWED that holds it."""
    names = [name for name in ALLOWED if module == name or module.startswith(f"{name}.")]
    return max(names, key=len) if names else module.partition(".")[0]


def imports(source: str, module: str, is_package: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the line and the absolute name of everything that a file imports.

    ``module`` is the file's own name below ``plugins``, by which relative imports are resolved; ``from a import b`` yields ``a.b``, for
    b may be a module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = f"{OURS}.{module}".split(".")
                kept = parts[: len(parts) - node.level + (1 if is_package else 0)]
                base = ".".join([*kept, base] if base else kept)
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if called in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value)


def faults(source: str, module: str, is_package: bool = False) -> list[str]:
    """What a file imports against the rules, one line each."""
    here = room(module)
    found = []
    for line, name in imports(source, module, is_package):
        if name.startswith(f"{OURS}."):
            target = name.removeprefix(f"{OURS}.")
            there = room(target)
            if there != here and there not in ALLOWED.get(here, set()):
                found.append(f"{module}:{line}: {here} must not import {there} ({target})")
        elif name.startswith("ansible_collections.cloudnet"):
            found.append(f"{module}:{line}: imports {name}, which is outside plugins")
        else:
            top = name.partition(".")[0]
            if top in ONLY_IN and here not in ONLY_IN[top]:
                found.append(f"{module}:{line}: only {', '.join(sorted(ONLY_IN[top]))} may import {top}")
    return found


def files() -> list[Path]:
    """Every Python file of the plugins."""
    return sorted(path for path in PLUGINS.rglob("*.py") if "__pycache__" not in path.parts)


def test_every_file_keeps_to_the_directions() -> None:
    found = []
    for path in files():
        is_package = path.name == "__init__.py"
        relative = path.relative_to(PLUGINS).with_suffix("")
        module = ".".join(relative.parent.parts if is_package else relative.parts)
        found += faults(path.read_text(), module, is_package)
    assert not found, "\n".join(found)


def test_every_room_is_known() -> None:
    rooms = {path.relative_to(PLUGINS).parts[0] for path in files()}
    rooms |= {".".join(path.relative_to(PLUGINS).parts[:2]) for path in files() if len(path.relative_to(PLUGINS).parts) > 2}
    plain = {name for name in rooms if name.split(".")[0] in {"modules", "action", "filter", "inventory", "doc_fragments"}}
    assert rooms - plain <= set(ALLOWED), "a new room needs a line in ALLOWED"


@pytest.mark.parametrize(
    ("source", "module", "said"),
    [
        ("from .._aws import observe", "module_utils._model.network", "_model must not import module_utils._aws"),
        ("from .. import _plan", "module_utils._model.network", "_model must not import module_utils._plan"),
        ("from ..estate import run", "module_utils._plan.route", "module_utils._plan must not import module_utils (module_utils.estate"),
        ("from ..._aws import paging", "module_utils._topology.deep.file", "_topology must not import module_utils._aws"),
        (f"import {OURS}.plugin_utils.lab.core", "module_utils.estate", "module_utils must not import plugin_utils.lab"),
        (f"from {OURS}.module_utils._plan import graph", "modules.network", "modules must not import module_utils._plan"),
        ("from ..lab import core", "plugin_utils.twin.kernel", "plugin_utils.twin must not import plugin_utils.lab"),
        (
            "try:\n    import boto3\nexcept ImportError:\n    boto3 = None",
            "module_utils._plan.apply",
            "module_utils._aws, plugin_utils.lab.testing may import boto3",
        ),
        ("def late():\n    from botocore.session import Session", "module_utils.estate", "may import botocore"),
        ("import jsonschema.validators", "module_utils._aws.session", "only module_utils._topology may import jsonschema"),
        ("import importlib\nimportlib.import_module('moto.ec2')", "action.lab", "only plugin_utils.lab may import moto"),
        ("from ansible_collections.cloudnet.vpc.tests import x", "action.lab", "outside plugins"),
    ],
)
def test_a_wrong_import_is_found(source: str, module: str, said: str) -> None:
    assert any(said in fault for fault in faults(source, module)), faults(source, module)


@pytest.mark.parametrize(
    ("source", "module", "is_package"),
    [
        ("from .network import Network\nfrom ..errors import CloudnetError", "module_utils._model.snapshot", False),
        ("from .network import Network\nfrom ..errors import CloudnetError", "module_utils._model", True),
        ("from .._model.network import Network", "module_utils._plan.route", False),
        ("import boto3\nfrom botocore.exceptions import ClientError", "module_utils._aws.session", False),
        ("from ansible_collections.amazon.aws.plugins.module_utils.botocore import x", "module_utils._aws.session", False),
        ("from ...module_utils._model.network import Network", "plugin_utils.twin.compile", False),
        ("from ..twin.sync import sync", "plugin_utils.lab.core", False),
    ],
)
def test_a_right_import_passes(source: str, module: str, is_package: bool) -> None:
    assert faults(source, module, is_package) == []
