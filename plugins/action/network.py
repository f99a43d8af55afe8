# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of cloudnet.vpc.network: reads and checks the topology file, and shows what the module does while it does it."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import Overrides, load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.reading import read
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import CloudnetError
from ansible_collections.cloudnet.vpc.plugins.module_utils.render import identity_table, progress_line

#: How often the journal is looked at, in seconds.
INTERVAL = 0.1


def check(path: str, region: str) -> Any:
    """The topology in a file as plain data. Raises CloudnetError with every fault and its line.

    That no Region is known is left to the module, which knows its environment and profile too.
    """
    document = read(path)
    load(document, overrides=Overrides(region=region, region_later=True))
    return document.data


def line(event: dict[str, Any]) -> str:
    """One event of the journal as text."""
    if event["event"] == "start":
        return identity_table(event["target"], event["identities"], event["regions"])
    return progress_line(event)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Runs the module where the task says; on the controller itself it shows its progress."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        here = self._connection.transport == "local" and not self._connection.become
        try:
            if isinstance(arguments.get("topology"), str):
                path = self._find("topologies", arguments["topology"])
                data = check(path, str(arguments.get("region") or arguments.get("aws_region") or arguments.get("ec2_region") or ""))
                arguments["topology"] = path if here else data
            if isinstance(arguments.get("approved"), str):
                arguments["approved"] = self._plan(arguments["approved"], here)
        except CloudnetError as error:
            result.update(failed=True, msg=str(error), **error.details())
            return result
        # no_log is about all of a task: what it does is not shown then, as its result is not.
        if not here or arguments.get("journal") or self._task.no_log:
            result.update(self._module(arguments, task_vars))
            return result
        with self._journal(banner=not arguments.get("approved")) as journal:
            result.update(self._module({**arguments, "journal": journal}, task_vars))
        return result

    def _module(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        found: dict[str, Any] = self._execute_module("cloudnet.vpc.network", module_args=arguments, task_vars=task_vars)
        return found

    def _find(self, folder: str, name: str) -> str:
        """The path of a file, as Ansible finds one; the name itself when there is none, whose reader then says so."""
        path = os.path.expanduser(name)
        try:
            return path if os.path.isabs(path) else str(self._find_needle(folder, path))
        except AnsibleError:
            return path

    def _plan(self, approved: str, here: bool) -> Any:
        """An approved plan's file by its path or, for a module that runs elsewhere, by its content."""
        path = self._find("files", approved)
        if not Path(path).is_file():
            return approved
        if here:
            return os.path.abspath(path)
        try:
            return json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CloudnetError(f"approved: {path} is not a plan: {error}") from None

    @contextmanager
    def _journal(self, banner: bool) -> Iterator[str]:
        """A file that is shown line by line as it grows, until the block ends."""
        handle, path = tempfile.mkstemp(prefix="cloudnet-journal-")
        os.close(handle)
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(path, ended, banner), daemon=True)
        watcher.start()
        try:
            yield path
        finally:
            ended.set()
            watcher.join()
            os.unlink(path)

    def _watch(self, path: str, ended: threading.Event, banner: bool) -> None:
        display = Display()
        with open(path, encoding="utf-8") as file:
            rest = ""
            while True:
                last = ended.is_set()
                *lines, rest = (rest + file.read()).split("\n")
                for text in lines:
                    event = json.loads(text)
                    if banner or event["event"] != "start":
                        display.display(line(event))
                if last:
                    return
                ended.wait(INTERVAL)
