# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cloudnet.vpc.show: prints what people are to read as lines of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.grammar import line as printable
from ansible_collections.cloudnet.vpc.plugins.module_utils.render import (
    change_set,
    connectivity_lines,
    handoff_text,
    outputs_table,
    parameters_table,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "text": {"type": "raw"},
    "parameters": {"type": "dict"},
    "plan": {"type": "raw"},
    "connectivity": {"type": "dict"},
    "outputs": {"type": "dict"},
    "handoff": {"type": "list", "elements": "dict"},
}


def text_of(arguments: Mapping[str, Any]) -> str:
    """What is to be printed; blocks are parted by an empty line. Raises ValueError for what is none of ours."""
    blocks = []
    if (words := arguments["text"]) not in (None, ""):
        # Of an instance's output, a tag or an error, no control character reaches the terminal.
        given = "\n".join(str(item) for item in words) if isinstance(words, list) else str(words)
        blocks.append("\n".join(printable(text) for text in given.split("\n")))
    if arguments["parameters"]:
        blocks.append(parameters_table(arguments["parameters"]))
    if arguments["plan"]:
        blocks.append(change_set(plan_of(arguments["plan"]), arguments["connectivity"]))
    elif arguments["connectivity"]:
        blocks.append("\n".join(connectivity_lines(arguments["connectivity"])))
    if arguments["outputs"]:
        blocks.append(outputs_table(arguments["outputs"]))
    if arguments["handoff"]:
        blocks.append(handoff_text(arguments["handoff"]))
    return "\n\n".join(block for block in blocks if block)


def plan_of(value: Any) -> Mapping[str, Any]:
    """A plan, from a mapping or a file."""
    where = "plan"
    if isinstance(value, str):
        where = value
        try:
            value = json.loads(Path(value).expanduser().read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{where} cannot be read: {error.strerror}") from None
        except ValueError:
            raise ValueError(f"{where} is not JSON") from None
    if not isinstance(value, Mapping) or not {"actions", "counts", "fingerprint"} <= set(value):
        raise ValueError(f"{where} is not a plan as cloudnet.vpc.network returns it")
    return value


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs on the controller only, and changes nothing."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            text = text_of(arguments)
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        if text and not self._task.no_log:
            Display().display(text)
        result.update(changed=False, lines=text.splitlines())
        return result
