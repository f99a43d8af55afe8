# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One API call as the lab sees it, and the registry of the places where the lab answers as AWS does and the emulator does not.

A file of the fidelity layer registers plain functions by service and action::

    @before("ec2", "CreateRoute")
    def target_must_be_live(call: Call) -> None:  # may raise Refusal, may change call.params
        ...

    @instead("ec2", "DescribeVpcPeeringConnections")
    def describe(call: Call) -> dict[str, Any]:  # the emulator is not asked
        ...

    @after("ec2", "CreateNatGateway")
    def address_from_the_subnet(call: Call, result: dict[str, Any]) -> dict[str, Any]:
        ...

Parameters and results are in AWS's own shape, as boto3 takes and gives them (``{"VpcPeeringConnectionIds": [...]}``,
``{"VpcPeeringConnections": [...]}``); decoding and encoding is the endpoint's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core import Lab


class Refusal(Exception):
    """An error answer in AWS's shape: ``code`` as AWS spells it, ``message`` for people, HTTP ``status``."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


@dataclass
class Call:
    """One decoded request. ``account`` and ``region`` are the caller's; ``params`` are in boto3's shape."""

    lab: Lab
    service: str
    action: str
    account: str
    region: str
    params: dict[str, Any] = field(default_factory=dict)
    principal: str = ""
    access_key: str = ""

    def backend(self, service: str = "ec2", account: str | None = None, region: str | None = None) -> Any:
        """The emulator's own backend object of a service, by default of the caller's account and Region."""
        return self.lab.backend(service, account or self.account, region or self.region)

    def emulate(self, action: str | None = None, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the emulator itself (no check, no ``instead``, no amendment) and return its answer in boto3's shape.

        By default it is asked this call as it stands; an ``instead`` uses it to amend a question, or to put several.
        Raises Refusal where the emulator refuses or has no such action.
        """
        return self.lab.emulate(self, action or self.action, self.params if params is None else params)


Check = Callable[[Call], None]
Answer = Callable[[Call], dict[str, Any]]
Amendment = Callable[[Call, dict[str, Any]], dict[str, Any]]
Key = tuple[str, str]

CHECKS: dict[Key, list[Check]] = defaultdict(list)
ANSWERS: dict[Key, Answer] = {}
AMENDMENTS: dict[Key, list[Amendment]] = defaultdict(list)


def before(service: str, *actions: str) -> Callable[[Check], Check]:
    """Run a check before the emulator is asked; it raises Refusal, or may change ``call.params``."""

    def register(function: Check) -> Check:
        for action in actions:
            CHECKS[service, action].append(function)
        return function

    return register


def instead(service: str, *actions: str) -> Callable[[Answer], Answer]:
    """Answer in the emulator's place (after the checks)."""

    def register(function: Answer) -> Answer:
        for action in actions:
            if (service, action) in ANSWERS:
                raise ValueError(f"{service}:{action} is answered twice")
            ANSWERS[service, action] = function
        return function

    return register


def after(service: str, *actions: str) -> Callable[[Amendment], Amendment]:
    """Amend the answer (and the emulator's state) once the emulator, or an ``instead``, has succeeded."""

    def register(function: Amendment) -> Amendment:
        for action in actions:
            AMENDMENTS[service, action].append(function)
        return function

    return register
