# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of amazon.aws for an action plugin of ours, without what it announces of values that nothing here reads.

amazon.aws says at every call of some modules that a return value will go; nothing that is asked for can prevent that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

#: The groups of module defaults that these modules belong to, the narrower one last.
GROUPS = ("group/amazon.aws.aws", "group/cloudnet.vpc.vpc")
#: Beside a profile, keys of the environment are refused: the profile counts.
NO_KEYS = {"access_key": "", "secret_key": "", "session_token": ""}


class AmazonAction(ActionBase):  # type: ignore[misc]
    """``MODULE``: what is run. ``UNREAD``: return values of it that nothing here reads, whose end is no news to anybody.

    ``DEFAULTS``: options that must be said, or the module announces that they will go.
    """

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False
    MODULE = ""
    UNREAD: tuple[str, ...] = ()
    DEFAULTS: Mapping[str, Any] = {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {**self.DEFAULTS, **self._defaults(), **self._task.args}
        if arguments.get("profile"):
            arguments = {**NO_KEYS, **arguments}
        result.update(self._execute_module(self.MODULE, module_args=arguments, task_vars=task_vars))
        kept = [item for item in result.pop("deprecations", None) or [] if not any(name in text_of(item) for name in self.UNREAD)]
        return {**result, **({"deprecations": kept} if kept else {})}

    def _defaults(self) -> dict[str, Any]:
        """What the play has for this module and its groups; Ansible itself looks for our own name alone."""
        found: dict[str, Any] = {}
        for defaults in self._task.module_defaults or []:
            for key in (*GROUPS, self.MODULE):
                found |= self._templar.template(defaults.get(key) or {})
        return found


def text_of(item: Any) -> str:
    """A deprecation's words, in the forms that Ansible has had for it."""
    if isinstance(item, Mapping):
        return str(item.get("msg") or item)
    return str(getattr(getattr(item, "event", None), "msg", item))
