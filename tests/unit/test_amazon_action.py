# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of amazon.aws that announce, at every call, the end of what nobody here reads: run by actions of ours, which leave that out."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.amazon_action import text_of

ROOT = Path(__file__).parents[2]
PLUGINS = "ansible_collections.cloudnet.vpc.plugins"
RAW = "In a release after 2026-05-01 iam_role.assume_role_policy_document_raw will no longer be returned."
#: Options whose default amazon.aws announces to go, unless they are said.
DEFAULTS = {"iam_role": {"create_instance_profile": False, "delete_instance_profile": False}, "iam_role_info": {}}
OTHER = {"msg": "paths must begin and end with /", "collection_name": "amazon.aws"}


class Task(SimpleNamespace):
    """As much of a task as the action reads."""

    async_val = 0
    check_mode = False
    diff = False


def run(name: str, args: dict[str, Any], answer: dict[str, Any], defaults: Any = ()) -> tuple[dict[str, Any], list[Any]]:
    """An action's result where the module behind it answers so, and what it was asked."""
    asked: list[Any] = []

    class Action(importlib.import_module(f"{PLUGINS}.action.{name}").ActionModule):  # type: ignore[misc, name-defined]
        def _execute_module(self, module: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            asked.append((module, module_args))
            return dict(answer)

    templar = SimpleNamespace(template=lambda value: value)
    task = Task(args=args, module_defaults=list(defaults), action=name)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    action = Action(task, connection, SimpleNamespace(check_mode=False), None, templar, None)
    return action.run(task_vars={}), asked


@pytest.mark.parametrize("name", ["iam_role", "iam_role_info"])
def test_what_nobody_reads_is_not_announced_and_all_else_is(name: str) -> None:
    result, asked = run(name, {"name": "nodes"}, {"changed": True, "deprecations": [{"msg": RAW}]})
    assert "deprecations" not in result and result["changed"]
    assert asked == [(f"amazon.aws.{name}", {"name": "nodes", **DEFAULTS[name]})]
    told, _asked = run(name, {"name": "nodes"}, {"failed": True, "msg": "no", "deprecations": [{"msg": RAW}, OTHER]})
    assert told["deprecations"] == [OTHER] and told["failed"] and told["msg"] == "no"


def test_a_deprecations_words_in_every_form() -> None:
    assert text_of({"msg": RAW}) == RAW == text_of(SimpleNamespace(event=SimpleNamespace(msg=RAW))) == text_of(RAW)


def test_defaults_of_a_play_reach_the_module() -> None:
    defaults = [{"group/amazon.aws.aws": {"region": "eu-west-1", "profile": "one"}}, {"amazon.aws.iam_role": {"profile": "two"}}]
    _result, asked = run("iam_role", {"name": "nodes"}, {}, defaults)
    keys = {"access_key": "", "secret_key": "", "session_token": ""}
    assert asked[0][1] == {**keys, "region": "eu-west-1", "profile": "two", "name": "nodes", **DEFAULTS["iam_role"]}
    # What the task says comes before; without a profile, keys count.
    _result, asked = run("iam_role", {"name": "nodes", "region": "us-east-1", "access_key": "AKIA"}, {}, defaults[:0])
    assert asked[0][1] == {"name": "nodes", "region": "us-east-1", "access_key": "AKIA", **DEFAULTS["iam_role"]}


def test_nothing_here_runs_what_announces_at_every_call() -> None:
    """And none of it reads the value whose end is announced."""
    files = [path for folder in ("playbooks", "roles", "molecule") for path in (ROOT / folder).rglob("*.yml")]
    texts = {path: path.read_text() for path in files if "collections" not in path.parts}
    assert len(texts) > 50
    wrong = [str(path) for path, text in texts.items() if "amazon.aws.iam_role" in text or "policy_document_raw" in text]
    assert wrong == []


@pytest.mark.parametrize("name", ["iam_role", "iam_role_info"])
def test_documentation_and_arguments_agree(name: str) -> None:
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    keys = ("type", "elements", "required", "default", "choices")
    assert {option: {key: value[key] for key in keys if key in value} for option, value in documented.items()} == module.ARGUMENTS
