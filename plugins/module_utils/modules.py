# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules of the AWS-facing kind share: their arguments, the checks before the first call, and how they end."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ._aws.sessions import Sessions
from ._plan.apply import Progress
from ._topology.types import Topology
from .errors import CloudnetError
from .estate import Estate, Options, Result
from .outputs import outputs
from .render import change_set

#: Beside amazon.aws's own arguments for credentials, Region and endpoint.
TARGET: dict[str, Any] = {"target": {"type": "str", "choices": ["lab", "aws"]}}
#: Of the modules that are about one connection.
TOPOLOGY_NAME: dict[str, Any] = {"topology": {"type": "str", "default": "adhoc"}}
#: How to act in the account of the other side.
ACCEPTER: dict[str, Any] = {"accepter_profile": {"type": "str"}, "accepter_role_arn": {"type": "str"}}
STATE: dict[str, Any] = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}

#: The services that a run may call: each has its own endpoint variable, so each is checked.
SERVICES = ("sts", "ec2", "service-quotas")


#: Keys of a topology whose values are secrets, or may hold some. A topology that is a mapping is an argument, and -vvvv shows arguments.
SECRET_KEYS = frozenset({"external_id", "user_data"})
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def hidden(value: Any) -> Any:
    """Arguments as they may be shown: secrets in mappings of any depth are replaced, as Ansible replaces whole arguments."""
    if isinstance(value, Mapping):
        return {key: HIDDEN if key in SECRET_KEYS and item else hidden(item) for key, item in value.items()}
    return [hidden(item) for item in value] if isinstance(value, list | tuple) else value


class DiscreetModule(AnsibleModule):  # type: ignore[misc]
    """Tells its invocation without secrets, however it ends; ``no_log`` of an argument knows only the whole of it."""

    def _return_formatted(self, kwargs: dict[str, Any]) -> None:
        kwargs.setdefault("invocation", {"module_args": hidden(self.params)})
        super()._return_formatted(kwargs)


def aws_module(arguments: Mapping[str, Any], **more: Any) -> Any:
    """The module object: amazon.aws's arguments, ours, and check mode."""
    # Of amazon.aws's own settings this one cannot be given as an argument.
    settings = AnsibleAWSModule.default_settings
    usual, settings["module_class"] = settings["module_class"], DiscreetModule
    try:
        # What is missing is told by the engine, in one line: amazon.aws's own check exits with another.
        return AnsibleAWSModule(argument_spec={**TARGET, **arguments}, supports_check_mode=True, check_boto3=False, **more)
    finally:
        settings["module_class"] = usual


def finish(module: Any, work: Callable[[], Mapping[str, Any]], journal: Journal | None = None) -> None:
    """Do the work and end the module with its result; a CloudnetError ends it in the error's own words, without a traceback."""
    try:
        result = dict(work())
    except CloudnetError as error:
        done = journal.done if journal else []
        module.fail_json(msg=str(error), changed=bool(done), **({"done": done} if done else {}), **error.details())
        return
    warn_of(result.pop("warnings", ()))
    module.exit_json(**result)


def warn_of(warnings: Iterable[str]) -> None:
    """Let the module's end tell of some warnings.

    Not by amazon.aws's module object: that hands them to exit_json, which ansible-core announces to be deprecated.
    """
    for warning in warnings:
        warn(warning)


class Journal:
    """Appends a JSON line for what happens to a file that somebody watches, and keeps what was done. Never a reason for a run to fail."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self.done: list[str] = []

    def write(self, event: Mapping[str, Any]) -> None:
        """One line."""
        if not self._path:
            return
        try:
            # Not created: whoever watches has made it, for its own eyes only.
            with open(os.open(self._path, os.O_WRONLY | os.O_APPEND), "w", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
        except OSError:
            self._path = None

    def progress(self, step: Progress) -> None:
        """An action that was done, or failed."""
        action = step.action
        if not step.error:
            self.done.append(action.name)
        event = {"event": "action", "number": step.number, "total": step.total, "op": action.op, "kind": action.kind, "name": action.name}
        self.write({**event, "account": action.account, "region": action.region, "seconds": step.seconds, "error": step.error})


def params_of(module: Any) -> dict[str, Any]:
    """The module's parameters that concern the way to AWS are read by amazon.aws's own code, by name."""
    return dict(module.params)


def region_of(module: Any) -> str:
    """The Region of the module, its environment or its profile; may be empty."""
    return module.params.get("region") or Sessions(params_of(module)).region


def check_places(estate: Estate) -> str:
    """Refuse a wrong endpoint before anything is asked of any; gives the endpoint of EC2, for people."""
    names = sorted({vpc.account for vpc in estate.topology.vpcs.values() if not vpc.remote}) or [""]
    regions = sorted({vpc.region for vpc in estate.topology.vpcs.values() if not vpc.remote})
    urls = [estate.sessions.endpoint(name, service, region) for name in names for region in regions[:1] or [""] for service in SERVICES]
    return urls[1]


def converge(module: Any, topology: Topology, options: Options, journal: Journal | None = None) -> tuple[Estate, Result]:
    """The engine's road, with the endpoint checked first."""
    estate = Estate(topology, params_of(module), target=module.params["target"])
    endpoint = check_places(estate)
    if journal is not None:
        regions = sorted({vpc.region for vpc in topology.vpcs.values() if not vpc.remote})
        target = {"lab": f"the lab at {endpoint}", "aws": f"AWS, {endpoint}"}.get(module.params["target"] or "", endpoint)
        journal.write({"event": "start", "target": target, "identities": identities(estate), "regions": regions})
    return estate, estate.converge(options)


def identities(estate: Estate) -> dict[str, dict[str, str]]:
    """Who we are in each account, by its name in the topology (empty for the ambient one)."""
    return {name: {"account": who.account, "arn": who.arn} for name, who in sorted(estate.identities.items())}


def shown(module: Any, estate: Estate, result: Result) -> dict[str, Any]:
    """What every module that changes something returns."""
    plan = result.plan.public()
    found: dict[str, Any] = {
        "changed": result.changed,
        "plan": plan,
        "outputs": {
            **outputs(estate.topology, result.network, result.ids, estate.accounts),
            "undeclared": [dict(item) for item in result.plan.undeclared],
        },
        "handoff": result.handoff,
        "identities": identities(estate),
        "calls": dict(result.calls),
        "warnings": list(result.warnings),
    }
    if module._diff:
        found["diff"] = {"prepared": change_set(plan, result.connectivity) + "\n"}
    return found
