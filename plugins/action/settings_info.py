# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the variables that a run of a playbook was given, on the controller. The documentation is in plugins/modules/settings_info.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.run_variables import PLAYBOOK_VARIABLES, role_variables, unknown

ARGUMENTS: dict[str, dict[str, Any]] = {
    "target": {"type": "str", "default": "lab"},
    "topology": {"type": "raw"},
    "demonstration": {"type": "path"},
}
TARGETS = ("lab", "aws")


def settled(arguments: dict[str, Any]) -> dict[str, Any]:
    """Where a run goes and on what. Raises ValueError in one line."""
    target, topology = arguments["target"], arguments["topology"]
    if target not in TARGETS:
        raise ValueError(f"cloudnet_target is {target}, but must be lab or aws")
    if topology == "":
        raise ValueError("cloudnet_topology is empty: give it a topology file (-e cloudnet_topology=FILE), or leave it out")
    if topology is None and target == "aws" and arguments["demonstration"]:
        raise ValueError("there is no default topology on AWS: name the file (-e cloudnet_topology=FILE)")
    return {"target": target, "topology": arguments["demonstration"] if topology is None else topology}


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only, and changes nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        # What was given with -e, by name or in a file. What plays and roles set among themselves is none of it.
        lines = unknown(load_extra_vars(self._loader), PLAYBOOK_VARIABLES | role_variables())
        if lines:
            return {**result, "failed": True, "msg": "; ".join(lines)}
        try:
            found = {**result, "changed": False, **settled(arguments)}
        except ValueError as error:
            return {**result, "failed": True, "msg": str(error)}
        # A mapping may hold user data and external ids: it is registered, and -v shows none of it.
        return {**found, "_ansible_no_log": True} if isinstance(found["topology"], Mapping) else found
