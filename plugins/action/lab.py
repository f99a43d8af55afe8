# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cloudnet.vpc.lab: starts the lab's process, which outlives the play, and finds, empties and ends it."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.lifecycle import Found, find, pending, reset, start, stop

ARGUMENTS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["started", "stopped", "reset"], "default": "started"},
    "accounts": {"type": "list", "elements": "str"},
    "topology_accounts": {"type": "dict"},
    "region": {"type": "str"},
    "port": {"type": "int"},
    "latency_ms": {"type": "float"},
    "quotas": {"type": "dict"},
    "throttle": {"type": "str", "choices": ["none", "aws"]},
    "faults": {"type": "list", "elements": "dict"},
    "default_vpc": {"type": "bool"},
    "enforce_iam": {"type": "bool"},
    "twin": {"type": "str", "choices": ["auto", "off", "required"]},
    "snapshot": {"type": "path"},
}
_OPTIONS = ("accounts", "region", "port", "latency_ms", "quotas", "throttle", "faults", "default_vpc", "enforce_iam", "twin", "snapshot")


def shown(found: Found, changed: bool) -> dict[str, Any]:
    """A lab as the module returns it; the control's token is not in it."""
    result: dict[str, Any] = {
        "changed": changed,
        "name": found.name,
        "running": found.record is not None,
        "messages": list(found.messages),
        "msg": "; ".join(found.messages),
    }
    if found.record is None:
        return result
    accounts = list(found.status["accounts"])
    return {
        **result,
        "url": found.record.url,
        "port": found.record.port,
        "region": found.record.region,
        "config_file": found.record.config_file,
        "credentials_file": found.record.credentials_file,
        "log_file": found.record.log_file,
        "profile": accounts[0]["profiles"][0],
        "profiles": {profile: account["id"] for account in accounts for profile in account["profiles"]},
        "accounts": accounts,
        "topology_accounts": dict(found.topology),
        "settings": found.status["settings"],
        "plane": {key: value for key, value in found.status["plane"].items() if not key.startswith("ssh_")},
        "ssh_config": found.status["plane"]["ssh_config"],
    }


def act(arguments: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Do what the task says, and return its result. Raises LabError."""
    name, state, topology = arguments["name"], arguments["state"], arguments["topology_accounts"]
    options = {key: arguments[key] for key in _OPTIONS if arguments[key] not in (None, "")}
    if "snapshot" in options:
        options["snapshot"] = os.path.abspath(options["snapshot"])
    if check_mode:
        found = find(name)
        if state == "stopped":
            return shown(found, found.record is not None)
        changes = pending(found, options, topology)
        return shown(found, changes or state == "reset")
    if state == "stopped":
        found = stop(name)
    elif state == "reset":
        found = reset(name, options, topology)
    else:
        found = start(name, options, topology)
    return shown(found, found.changed)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only: nothing is copied to a host, and no Python runs there."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            result.update(act(arguments, bool(self._task.check_mode)))
        except LabError as error:
            raise AnsibleActionFail(str(error)) from error
        return result
