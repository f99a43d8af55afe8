# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""STS as the lab answers it: roles must exist and trust the caller, temporary credentials are known and end, the caller is who it is.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from .calls import Call, Refusal, instead
from .identity import Credential

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+")


def _invalid(parameter: str, value: object, rule: str) -> Refusal:
    return Refusal(
        "ValidationError", f"1 validation error detected: Value '{value}' at '{parameter}' failed to satisfy constraint: Member must {rule}"
    )


def _trusts(document: Any, call: Call) -> bool:
    """Whether a role's trust policy lets the caller in, by its principals (conditions are not judged)."""
    policy = json.loads(unquote(document)) if isinstance(document, str) else document
    statements = policy.get("Statement", [])
    names = {call.principal, call.account, f"arn:aws:iam::{call.account}:root"}
    session = re.fullmatch(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+", call.principal)
    if session:
        names.add(f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}")
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal", {})
        allowed = principal if isinstance(principal, str) else principal.get("AWS", [])
        if statement.get("Effect") == "Allow" and any(
            name == "*" or name in names for name in ([allowed] if isinstance(allowed, str) else allowed)
        ):
            actions = statement.get("Action", [])
            return any(fnmatchcase("sts:AssumeRole", action) for action in ([actions] if isinstance(actions, str) else actions))
    return False


@instead("sts", "AssumeRole")
def assume_role(call: Call) -> dict[str, Any]:
    arn, session = call.params.get("RoleArn", ""), call.params.get("RoleSessionName", "")
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", session):
        raise _invalid("roleSessionName", session, "satisfy regular expression pattern: [\\w+=,.@-]* and have length between 2 and 64")
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        raise Refusal("ValidationError", f"{arn} is invalid")
    seconds = int(call.params.get("DurationSeconds", 3600))
    if not 900 <= seconds <= 43200:
        raise _invalid("durationSeconds", seconds, "have value between 900 and 43200")
    iam = call.backend("iam", account=match[1])
    role = next((role for role in iam.get_roles() if role.arn == arn), None)
    if role is None or not _trusts(role.assume_role_policy_document, call):
        raise Refusal("AccessDenied", f"User: {call.principal} is not authorized to perform: sts:AssumeRole on resource: {arn}", 403)
    made = call.backend("sts").assume_role(
        region_name=call.region,
        role_session_name=session,
        role_arn=arn,
        policy=call.params.get("Policy", ""),
        duration=seconds,
        external_id=call.params.get("ExternalId", ""),
    )
    ends = call.lab.now() + timedelta(seconds=seconds)
    user_id = f"{role.id}:{session}"
    policy = call.params.get("Policy", "")
    call.lab.credentials.add(
        Credential(made.access_key_id, made.secret_access_key, match[1], made.arn, user_id, made.session_token, ends, policy)
    )
    answer: dict[str, Any] = {
        "Credentials": {
            "AccessKeyId": made.access_key_id,
            "SecretAccessKey": made.secret_access_key,
            "SessionToken": made.session_token,
            "Expiration": ends,
        },
        "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": made.arn},
        "PackedPolicySize": 6,
    }
    if call.params.get("SourceIdentity"):
        answer["SourceIdentity"] = call.params["SourceIdentity"]
    return answer


@instead("sts", "GetSessionToken")
def get_session_token(call: Call) -> dict[str, Any]:
    return {"Credentials": _temporary(call, call.principal, _user_id(call))}


@instead("sts", "GetFederationToken")
def get_federation_token(call: Call) -> dict[str, Any]:
    name = call.params.get("Name", "")
    arn, user_id = f"arn:aws:sts::{call.account}:federated-user/{name}", f"{call.account}:{name}"
    return {
        "Credentials": _temporary(call, arn, user_id),
        "FederatedUser": {"FederatedUserId": user_id, "Arn": arn},
        "PackedPolicySize": 6,
    }


def _temporary(call: Call, principal: str, user_id: str) -> dict[str, Any]:
    ends = call.lab.now() + timedelta(seconds=int(call.params.get("DurationSeconds", 43200)))
    made = call.lab.credentials.issue(call.account, principal, user_id, ends)
    return {"AccessKeyId": made.access_key, "SecretAccessKey": made.secret, "SessionToken": made.token, "Expiration": ends}


def _user_id(call: Call) -> str:
    known = call.lab.credentials.find(call.access_key)
    return known.user_id if known else ""


@instead("sts", "GetCallerIdentity")
def get_caller_identity(call: Call) -> dict[str, Any]:
    return {"UserId": _user_id(call), "Account": call.account, "Arn": call.principal}


@instead("sts", "GetAccessKeyInfo")
def get_access_key_info(call: Call) -> dict[str, Any]:
    known = call.lab.credentials.find(call.params.get("AccessKeyId", ""))
    if known is None:
        raise Refusal("ValidationError", f"Access key {call.params.get('AccessKeyId', '')} is not known")
    return {"Account": known.account}
