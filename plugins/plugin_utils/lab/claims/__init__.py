# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each call reads of its parameters: whatever nobody reads is refused, so that nothing is accepted and dropped.

A file of this package declares, for the calls of a service, the paths of the parameters that the fidelity layer or the emulator reads, by
botocore's names, lists left out (``NetworkInterfaces.SubnetId``). A path stands for all below it, unless longer paths with the same start
are declared. A call that is not declared is not offered. Everything else of botocore's model is refused when a request gives it a
value other than AWS's default; a parameter that the model has not is refused as AWS refuses it
(UnknownParameter, https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-codes.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ..calls import Refusal
from . import ec2_beside, ec2_network, harmless, iam, ssm, sts

# Read for every action by the endpoint itself and by fidelity/tokens.py.
_ALWAYS = {"ec2": frozenset({"DryRun", "ClientToken"})}
# Of a query request, beside the parameters of its action:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html
_COMMON = frozenset({"Action", "Version", "AUTHPARAMS", "AWSAccessKeyId", "Expires", "SecurityToken", "Signature", "SignatureMethod",
                     "SignatureVersion", "Timestamp"})  # fmt: skip


def _paths(service: str, *declarations: Mapping[str, str]) -> dict[str, frozenset[str]]:
    always = _ALWAYS.get(service, frozenset())
    return {action: frozenset(text.split()) | always for part in declarations for action, text in part.items()}


# Service -> action -> the paths that it reads. A service that is not here is left to the emulator.
READ: dict[str, dict[str, frozenset[str]]] = {
    "ec2": _paths("ec2", ec2_network.READ, ec2_beside.READ),
    "iam": _paths("iam", iam.READ),
    "ssm": _paths("ssm", ssm.READ),
    "sts": _paths("sts", sts.READ),
}


def offered(service: str, action: str) -> bool:
    """Whether the lab answers an action; every action of a service without declarations is left to the emulator."""
    return service not in READ or action in READ[service]


def check(service: str, action: str, params: Mapping[str, Any]) -> None:
    """Refuse the first parameter with a value that nobody reads."""
    paths = READ.get(service, {}).get(action)
    if paths is None:
        return
    for path, value in _unread(params, paths, ""):
        if not harmless.is_default(action, path, value):
            raise Refusal(
                "UnsupportedOperation",
                f"{action}: the embedded lab does not support the parameter {path} with the value {str(value)[:80]!r}; leave it out.",
            )


def _unread(value: Mapping[str, Any], paths: Iterable[str], above: str) -> Iterator[tuple[str, Any]]:
    """The paths and values that a structure holds and that ``paths`` do not cover, without those that ask for nothing."""
    for name, item in value.items():
        path = f"{above}{name}"
        below = [other for other in paths if other.startswith(f"{path}.")]
        if below:
            for part in item if isinstance(item, list) else [item]:
                if isinstance(part, Mapping):
                    yield from _unread(part, below, f"{path}.")
        elif path not in paths:
            yield from _leaves(item, path)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, path)
    elif value is not None:
        yield path, value


# The code of a parameter that a service's model requires and a request lacks; in EC2, MissingParameter.
_LACKING = {"iam": "ValidationError", "sts": "ValidationError", "ssm": "ValidationException", "route53": "InvalidInput"}


def check_required(service: str, operation: Any, params: Mapping[str, Any]) -> None:
    """Refuse a request without a parameter that botocore's model requires, at whatever depth; SDKs do not send such a one."""
    lacking = next(_lacking(operation.input_shape, params, ""), None)
    if lacking is not None:
        raise Refusal(_LACKING.get(service, "MissingParameter"), f"The request must contain the parameter {lacking}")


def _lacking(shape: Any, value: Any, above: str) -> Iterator[str]:
    if shape is None:
        return
    if shape.type_name == "structure" and isinstance(value, Mapping):
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"{above}{name}"
        for name, item in value.items():
            if name in shape.members:
                yield from _lacking(shape.members[name], item, f"{above}{name}.")
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from _lacking(shape.member, item, above)


def check_names(operation: Any, form: Mapping[str, str]) -> None:
    """Refuse a parameter of an EC2 or query request that botocore's model does not have, at whatever depth."""
    for key in form:
        if key not in _COMMON and not key.startswith("X-Amz-") and not _known(operation.input_shape, key.split("."), operation):
            raise Refusal("UnknownParameter", f"The parameter {key} is not recognized")


def _known(shape: Any, parts: list[str], operation: Any) -> bool:
    if shape is None:
        return False
    if not parts:
        return True
    ec2 = operation.service_model.protocol == "ec2"
    if shape.type_name == "structure":
        member = _wire_names(shape, ec2).get(parts[0])
        return member is not None and _known(member, parts[1:], operation)
    if shape.type_name == "list":
        rest = parts
        if not ec2 and not shape.serialization.get("flattened") and not parts[0].isdigit():
            rest = parts[1:]
        return not rest or (rest[0].isdigit() and _known(shape.member, rest[1:], operation))
    return bool(shape.type_name == "map")


@lru_cache(maxsize=4096)
def _wire_names(shape: Any, ec2: bool) -> dict[str, Any]:
    """The members of a structure by their names in a request."""
    result = {}
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        if ec2:
            wire = member.serialization.get("queryName") or wire[:1].upper() + wire[1:]
        result[wire] = member
    return result
