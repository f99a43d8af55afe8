# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client tokens: the same call twice with one token is one call, with AWS's refusal when its parameters differ.

Source: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from ..calls import Answer, Call, Refusal

# AWS keeps tokens for a day or more; the lab keeps the latest, which serves a retry and bounds its memory.
_KEPT = 5000


def idempotent(answer: Answer) -> Answer:
    """Give the first answer again when a token is seen again in one account and Region."""

    @wraps(answer)
    def once(call: Call) -> dict[str, Any]:
        token = call.params.get("ClientToken")
        if not token:
            return answer(call)
        seen: dict[Any, tuple[dict[str, Any], dict[str, Any]]] = call.lab.state("client_tokens", call.account, call.region)
        key = (call.action, str(token))
        asked = {name: value for name, value in call.params.items() if name != "DryRun"}
        if key in seen:
            before, result = seen[key]
            if before != asked:
                raise Refusal(
                    "IdempotentParameterMismatch",
                    f"Arguments on this idempotent request are inconsistent with arguments used in previous request(s): {token}",
                )
            return result
        result = answer(call)
        seen[key] = (asked, result)
        if len(seen) > _KEPT:
            del seen[next(iter(seen))]
        return result

    return once
