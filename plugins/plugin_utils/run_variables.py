# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that the playbooks of this collection take, and those that were given and that none of them takes.

Ansible ignores a variable that nobody reads, so a mistyped one would run something else than what was meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.faults import either

PREFIX = "cloudnet_"
#: What the playbooks themselves read; tests/unit/test_playbooks.py compares it with them. Those of roles are in their argument specs.
PLAYBOOK_VARIABLES = frozenset(
    {
        "cloudnet_account",
        "cloudnet_artifacts",
        "cloudnet_flow_logs_days",
        "cloudnet_instance_profile",
        "cloudnet_key",
        "cloudnet_key_folder",
        "cloudnet_online_timeout",
        "cloudnet_profile",
        "cloudnet_region",
        "cloudnet_replace_routes",
        "cloudnet_ssh_config",
        "cloudnet_state",
        "cloudnet_target",
        "cloudnet_through",
        "cloudnet_topology",
        "cloudnet_via",
        "cloudnet_wait_online",
    }
)
ROLES = Path(__file__).parents[2] / "roles"
#: From this likeness on, a name without our prefix is taken for one of ours that is mistyped.
LIKENESS = 0.88


def role_variables(roles: Path = ROLES) -> frozenset[str]:
    """Every option of the collection's roles, as their argument specs have them."""
    found: set[str] = set()
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        specs: Mapping[str, Any] = yaml_load(path.read_text(encoding="utf-8"))["argument_specs"]
        found |= {name for spec in specs.values() for name in spec.get("options") or {}}
    return frozenset(found)


def unknown(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """A line for each name that is meant for us and that nothing takes, with the one that it may be."""
    taken = sorted(known)
    lines = []
    for name in sorted(set(given) - set(taken)):
        if name.startswith(PREFIX):
            lines.append(f"{name} is no variable of these playbooks{either(name, taken, 'they take')}")
        elif near := difflib.get_close_matches(name.lower(), taken, n=1, cutoff=LIKENESS):
            lines.append(f"{name} is no variable of these playbooks; did you mean '{near[0]}'?")
    return lines
