# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client tokens: the same call twice with one token is one call, with AWS's refusal when its parameters differ.

It holds for every EC2 action whose model has a ClientToken, whoever answers it; the endpoint asks here before the first check, since
a repeated request must not meet the quota that its own first success has used up, and keeps here what came of it.
Source: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html: the retry of a request that succeeded succeeds and does
nothing more; a request that failed may be put again.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..calls import Call, Refusal
from ..wire import operation_model

# AWS keeps tokens for a day or more; the lab keeps the latest of an account and Region, which serves a retry and bounds its memory.
_KEPT = 5000


@lru_cache(maxsize=1024)
def takes_token(action: str) -> bool:
    """Whether an EC2 action is idempotent by client token: the model says so."""
    operation = operation_model("ec2", action)
    return operation is not None and operation.input_shape is not None and "ClientToken" in operation.input_shape.members


@dataclass(frozen=True)
class Ticket:
    """A request with a token that was not seen before; ``keep`` its result once it has succeeded."""

    seen: dict[Any, tuple[dict[str, Any], dict[str, Any]]]
    key: tuple[str, str]
    asked: dict[str, Any]

    def keep(self, result: dict[str, Any]) -> None:
        """Answer the same request with this from now on."""
        self.seen[self.key] = (self.asked, copy.deepcopy(result))
        if len(self.seen) > _KEPT:
            del self.seen[next(iter(self.seen))]


def recall(call: Call) -> Ticket | dict[str, Any] | None:
    """The first answer to this very request, or a ticket for a new one, or None when it carries no token (or only asks: DryRun).

    Raises IdempotentParameterMismatch when the token came with other parameters before.
    """
    token = call.params.get("ClientToken")
    if not token or call.service != "ec2" or call.params.get("DryRun") or not takes_token(call.action):
        return None
    seen: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = call.lab.state("client_tokens", call.account, call.region)
    key = (call.action, str(token))
    asked = {name: copy.deepcopy(value) for name, value in call.params.items() if name != "DryRun"}
    if key not in seen:
        return Ticket(seen, key, asked)
    before, result = seen[key]
    if before != asked:
        raise Refusal(
            "IdempotentParameterMismatch",
            f"Arguments on this idempotent request are inconsistent with arguments used in previous request(s): {token}",
        )
    return result
