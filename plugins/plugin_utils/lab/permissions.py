# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM policies, where the lab is told to enforce them: whether a user or an assumed role may ask for an action.

The order is AWS's: an explicit deny wins, else an allow is needed, from the identity's policies and from the session's where there is one
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html). What a request needs beside its own
action is asked for too (required.py): ec2:CreateTags for tags at creation, iam:PassRole for a role that is handed to a service.

It judges actions, Regions, accounts, and those resources and condition keys that the request itself names: IAM's roles and profiles,
documents and nodes of commands, parameters. Which of EC2's resources a request touches, and conditions on tags, it cannot know before
the request is carried out: there an allow is taken to hold and a deny not to. So a policy that fails here fails on AWS; one that passes
here may still be too narrow in its resources. Permissions boundaries and service control policies are not judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from .required import Place, required

# The services whose IAM action is the API's action by name, as they sign.
ENFORCED = ("ec2", "iam", "logs", "organizations", "route53", "servicequotas", "ssm", "sts")
# "No permissions are required to perform this operation": https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
_FREE = ("sts:GetCallerIdentity", "sts:GetSessionToken")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):(user|assumed-role)/(.+)")
_ALLOW, _DENY = "Allow", "Deny"
# ArnEquals and ArnLike "behave identically"
# (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html).
_EXACT = ("StringEquals", "StringNotEquals")
_OPERATORS = (*_EXACT, "StringLike", "StringNotLike", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike")


@dataclass(frozen=True)
class Request:
    """What is asked for: ``action`` as ``ec2:CreateVpc``.

    ``resource`` is its ARN where the request alone tells it, "*" where the action knows none, else "". ``keys`` are condition keys, in
    lower case, that the request decides.
    """

    action: str
    account: str
    region: str
    principal: str
    resource: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)


def _list(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _like(pattern: str, value: str) -> bool:
    """IAM's wildcards, ``*`` and ``?``; a bracket is a plain character."""
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def _resource_holds(statement: Mapping[str, Any], request: Request) -> bool | None:
    """Whether the statement is about the request's resource; None where only AWS could say."""
    if "NotResource" in statement:
        return not any(_like(pattern, request.resource) for pattern in _list(statement["NotResource"])) if request.resource else None
    unknown = False
    for pattern in _list(statement.get("Resource", "*")):
        if pattern == "*":
            return True
        if request.resource:
            if _like(pattern, request.resource):
                return True
            continue
        parts = pattern.split(":", 5)
        if len(parts) < 6:
            continue
        own = (request.action.split(":")[0], request.region, request.account)
        if all(not part or _like(part, value) for part, value in zip(parts[2:5], own, strict=True)):
            if parts[5] == "*":
                return True
            unknown = True
    return None if unknown else False


def _condition_holds(conditions: Mapping[str, Any], request: Request) -> bool | None:
    """Whether all conditions hold; None where one is about something that the request alone does not tell."""
    known = {
        "aws:requestedregion": request.region,
        "ec2:region": request.region,
        "aws:principalaccount": request.account,
        "aws:principalarn": request.principal,
        **request.keys,
    }
    unknown = False
    for operator, tests in conditions.items():
        name = operator.removesuffix("IfExists")
        for key, wanted in tests.items():
            value = known.get(key.lower())
            if value is None or name not in _OPERATORS:
                unknown = True
                continue
            equal = any(pattern == value if name in _EXACT else _like(pattern, value) for pattern in _list(wanted))
            if equal == ("Not" in name):
                return False
    return None if unknown else True


def _concerns(statement: Mapping[str, Any], request: Request) -> bool:
    """Whether a statement applies; what cannot be judged counts for an allow, and not for a deny."""
    member = "NotAction" if "NotAction" in statement else "Action"
    named = any(_like(pattern.lower(), request.action.lower()) for pattern in _list(statement.get(member, [])))
    if named == (member == "NotAction"):
        return False
    judged = (_resource_holds(statement, request), _condition_holds(statement.get("Condition") or {}, request))
    return False not in judged and (None not in judged or statement.get("Effect") == _ALLOW)


def decide(policies: Iterable[Any], request: Request) -> str:
    """``Allow``, ``Deny`` (explicitly) or "" (nothing allows it) over policy documents (mappings or JSON). Pure."""
    allowed = ""
    for document in policies:
        policy = json.loads(unquote(document)) if isinstance(document, str) else document
        statements = policy.get("Statement") or []
        for statement in statements if isinstance(statements, list) else [statements]:
            if _concerns(statement, request):
                if statement.get("Effect") == _DENY:
                    return _DENY
                allowed = _ALLOW
    return allowed


def _default(attached: Any) -> list[Any]:
    """The document of a managed policy's default version."""
    return [version.document for version in attached.versions if version.is_default]


def _of_user(iam: Any, name: str) -> Iterator[Any]:
    for policy in iam.list_user_policies(name):
        yield iam.get_user_policy(name, policy)["policy_document"]
    for attached in iam.list_attached_user_policies(name)[0]:
        yield from _default(attached)
    for group in iam.get_groups_for_user(name):
        for policy in iam.list_group_policies(group.name):
            yield iam.get_group_policy(group.name, policy)["policy_document"]
        for attached in iam.list_attached_group_policies(group.name)[0]:
            yield from _default(attached)


def policies_of_role(iam: Any, name: str) -> Iterator[Any]:
    """The documents of all policies of a role: its own, and the default versions of those attached to it."""
    for policy in iam.list_role_policies(name):
        yield iam.get_role_policy(name, policy)[1]
    for attached in iam.list_attached_role_policies(name)[0]:
        yield from _default(attached)


@dataclass(frozen=True)
class Refused:
    """The first thing that a principal lacks: the IAM action, its resource where the request tells one, and why, as AWS says it."""

    action: str
    resource: str
    why: str


def refused(
    iam: Any, principal: str, session_policy: str, service: str, action: str, region: str, params: Mapping[str, Any]
) -> Refused | None:
    """What a principal lacks for a request, None when it may.

    ``iam`` is the emulator's IAM of the principal's account, ``service`` the name that requests are signed for, ``params`` are in boto3's
    shape. Services that are not in ENFORCED, and principals that are neither a user nor an assumed role, are not judged.
    """
    match = _PRINCIPAL.fullmatch(principal)
    if match is None or service not in ENFORCED or f"{service}:{action}" in _FREE:
        return None
    account, kind, name = match[1], match[2], match[3]
    if kind == "user":
        documents = list(_of_user(iam, name.rsplit("/", 1)[-1]))
    else:
        role = name.split("/", 1)[0]
        documents = list(policies_of_role(iam, role))
        principal = f"arn:aws:iam::{account}:role/{role}"
    for need in required(service, action, params, Place(account, region, iam)):
        said = [
            _judge(documents, session_policy, Request(one, account, region, principal, need.resource, need.keys))
            for one in (need.action, need.instead)
            if one
        ]
        if "" not in said:
            return Refused(need.action, "" if need.resource == "*" else need.resource, said[0])
    return None


def _judge(documents: list[Any], session_policy: str, request: Request) -> str:
    """Why a request is not allowed, "" when it is; in AWS's words
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html)."""
    said = decide(documents, request)
    if said == _DENY:
        return "with an explicit deny in an identity-based policy"
    if said != _ALLOW:
        return f"because no identity-based policy allows the {request.action} action"
    if session_policy:
        said = decide([session_policy], request)
        if said == _DENY:
            return "with an explicit deny in a session policy"
        if said != _ALLOW:
            return f"because no session policy allows the {request.action} action"
    return ""
