# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cloudnet.vpc.keep does: writes documents into a folder of the host that the task is for, and starts no module there.

ansible.builtin.file for the folder and ansible.builtin.copy for each file are three Python processes or more, half a second each.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

ARGUMENTS: dict[str, dict[str, Any]] = {"folder": {"type": "str", "required": True}, "files": {"type": "dict", "required": True}}

#: A file's name and nothing else: what is kept stays in its folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


def text_of(value: Any) -> str:
    """What is written: a text as it is, anything else as JSON that people can read. Keys are in order, so that two runs can be compared."""
    return value if isinstance(value, str) else json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def texts(files: Mapping[str, Any]) -> dict[str, str]:
    """The texts by name. Raises ValueError with every name that is no file's."""
    wrong = [name for name in files if not _NAME.match(str(name))]
    if wrong:
        raise ValueError(
            f"files: {', '.join(map(str, wrong))}: give the name of a file in the folder, of letters, digits, '.', '_' and '-'"
        )
    return {str(name): text_of(value) for name, value in files.items()}


def write(folder: Path, name: str, text: str) -> None:
    """One file, whole or not at all."""
    handle, new = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(new, 0o644)
        os.replace(new, folder / name)
    except BaseException:
        os.unlink(new)
        raise


class ActionModule(ActionBase):  # type: ignore[misc]
    """Writes where the task says; the files tell of a run, and are no change of what it manages."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            documents = texts(arguments["files"])
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from None
        folder = self._remote_expand_user(arguments["folder"])
        result.update(changed=False, folder=folder, files=sorted(documents))
        if self._task.check_mode:
            return result
        if self._connection.transport == "local" and not self._connection.become:
            self._here(Path(folder), documents)
        else:
            self._there(folder, documents)
        return result

    def _here(self, folder: Path, documents: Mapping[str, str]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in documents.items():
                write(folder, name, text)
        except OSError as error:
            raise AnsibleActionFail(f"folder: {error.filename or folder} cannot be written: {error.strerror}") from None

    def _there(self, folder: str, documents: Mapping[str, str]) -> None:
        self._command(f"mkdir -p -- {shlex.quote(folder)}", folder)
        for name, text in documents.items():
            # On the way it has a name that nobody reads.
            new = os.path.join(folder, f".{name}.{uuid.uuid4().hex}")
            self._transfer_data(new, text)
            path = os.path.join(folder, name)
            self._command(f"chmod 0644 -- {shlex.quote(new)} && mv -f -- {shlex.quote(new)} {shlex.quote(path)}", path)

    def _command(self, command: str, path: str) -> None:
        ended = self._low_level_execute_command(command)
        if ended["rc"]:
            said = (ended["stderr"] or ended["stdout"]).strip().splitlines()
            raise AnsibleActionFail(f"folder: {path} cannot be written: {said[-1] if said else 'the command failed'}")
