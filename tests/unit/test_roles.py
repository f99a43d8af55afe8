# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role says what it takes, once for Ansible and once for people, and both say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).parents[2] / "roles").iterdir() if path.is_dir())


def options(role: Path) -> dict[str, dict[str, Any]]:
    """The options of a role's main entry point."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_and_its_specification_agree(role: Path) -> None:
    spec, defaults = options(role), yaml.safe_load((role / "defaults" / "main.yml").read_text()) or {}
    assert {name: option["default"] for name, option in spec.items() if "default" in option} == defaults
    for name, option in spec.items():
        assert name.startswith(f"cloudnet_{role.name}_"), name
        assert option.get("type") and option.get("description"), name
        assert option["type"] != "list" or option.get("elements"), name
        assert not (option.get("required") and name in defaults), name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_roles_readme_names_every_variable(role: Path) -> None:
    readme = (role / "README.md").read_text()
    missing = [name for name in options(role) if f"`{name}`" not in readme]
    assert not missing
