# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that are done by their action plugins take the same arguments in both, and say so when the module itself is run."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml

from .conftest import Invoke

PLUGINS = "ansible_collections.cloudnet.vpc.plugins"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("iam_role", {"name": "nodes"}),
        ("iam_role_info", {}),
        ("keep", {"folder": "here", "files": {}}),
        ("settings_info", {}),
        ("show", {}),
        ("topology_info", {"topology": "x.yml"}),
    ],
)
def test_the_stub_says_where_it_runs(invoke: Invoke, name: str, arguments: dict[str, Any]) -> None:
    result = invoke(name, **arguments)
    assert result["failed"] and result["msg"] == f"cloudnet.vpc.{name} runs on the controller, by its action plugin"


@pytest.mark.parametrize("name", ["keep", "settings_info", "show", "topology_info"])
def test_documentation_and_arguments_agree(name: str) -> None:
    documented = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").DOCUMENTATION)["options"]
    arguments = importlib.import_module(f"{PLUGINS}.action.{name}").ARGUMENTS
    keys = ("type", "elements", "required", "default")
    assert {option: {key: value[key] for key in keys if key in value} for option, value in documented.items()} == arguments
