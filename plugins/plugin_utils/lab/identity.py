# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is calling: access keys to accounts and principals, temporary credentials with their end, and AWS's refusals.

Codes and messages are those of AWS: EC2's from "Error codes for the Amazon EC2 API"
(https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-codes.html), the others' from each service's "Common errors".
Signatures are verified (signatures.py), so that a wrong secret is found on the lab as it would be on AWS.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .calls import Refusal
from .signatures import verify
from .wire import Arrival


@dataclass(frozen=True)
class Credential:
    """An access key that the lab knows. ``expires`` is None for an IAM user's key; ``token`` is "" then.

    ``session_policy`` is what a role was assumed with to be narrower than it is.
    """

    access_key: str
    secret: str
    account: str
    principal: str
    user_id: str = ""
    token: str = ""
    expires: datetime | None = None
    session_policy: str = ""


class Credentials:
    """All access keys of a lab: those that it made itself, and those that were made in it with IAM's CreateAccessKey."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Credential] = {}

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def add(self, credential: Credential) -> None:
        with self._lock:
            self._known[credential.access_key] = credential

    def find(self, access_key: str) -> Credential | None:
        return self._known.get(access_key) or _user_key(access_key)

    def issue(self, account: str, principal: str, user_id: str, expires: datetime) -> Credential:
        """New temporary credentials, as STS gives them."""
        key = "ASIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _turn in range(16))
        credential = Credential(key, secrets.token_urlsafe(30), account, principal, user_id, secrets.token_urlsafe(120), expires)
        self.add(credential)
        return credential

    def authenticate(self, arrival: Arrival, protocol: str, now: datetime) -> Credential:
        """The caller's credential. Raises Refusal as AWS does: unsigned, unknown key, wrong token, expired, wrong secret."""
        if not arrival.signed:
            raise Refusal(*missing_token(protocol))
        credential = self.find(arrival.access_key)
        if credential is None or arrival.token != credential.token:
            raise Refusal(*unknown_key(arrival.service, protocol))
        if credential.expires is not None and credential.expires <= now:
            raise expired(arrival.service, protocol)
        if not verify(arrival, credential.secret):
            raise wrong_secret(protocol)
        return credential


def missing_token(protocol: str) -> tuple[str, str, int]:
    """A request that is not signed."""
    code = "MissingAuthenticationTokenException" if protocol in ("json", "rest-json") else "MissingAuthenticationToken"
    return code, "Request is missing Authentication Token", 400 if protocol == "json" else 403


def unknown_key(service: str, protocol: str) -> tuple[str, str, int]:
    if protocol == "ec2":
        return "AuthFailure", "AWS was not able to validate the provided access credentials", 401
    if service == "s3":
        return "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403
    if protocol in ("json", "rest-json"):
        return "UnrecognizedClientException", "The security token included in the request is invalid.", 400 if protocol == "json" else 403
    return "InvalidClientTokenId", "The security token included in the request is invalid.", 403


def wrong_secret(protocol: str) -> Refusal:
    """A signature that the key's secret does not make; EC2 tells no more than of an unknown key."""
    if protocol == "ec2":
        return Refusal(*unknown_key("ec2", protocol))
    code = "InvalidSignatureException" if protocol in ("json", "rest-json") else "SignatureDoesNotMatch"
    text = (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
        "method. Consult the service documentation for details."
    )
    return Refusal(code, text, 400 if protocol == "json" else 403)


def expired(service: str, protocol: str) -> Refusal:
    """Temporary credentials past their end: each service family has its own code for it."""
    if protocol == "ec2":
        return Refusal("RequestExpired", "Request has expired.", 400)
    if service == "s3":
        return Refusal("ExpiredToken", "The provided token has expired.", 400)
    if protocol in ("json", "rest-json"):
        return Refusal("ExpiredTokenException", "The security token included in the request is expired", 400 if protocol == "json" else 403)
    return Refusal("ExpiredToken", "The security token included in the request is expired", 403)


def denied(
    service: str, protocol: str, action: str, principal: str, why: str = "because no identity-based policy allows the action", on: str = ""
) -> Refusal:
    """What a principal without the permission is told; EC2 names the action, as AWS does since 2021, and so do the others.

    ``on``: the ARN of the resource, or "" when it is not known.
    """
    said = f"User: {principal} is not authorized to perform: {service}:{action}" + (f" on resource: {on}" if on else "")
    if protocol == "ec2":
        return Refusal("UnauthorizedOperation", f"You are not authorized to perform this operation. {said} {why}.", 403)
    code = "AccessDeniedException" if protocol in ("json", "rest-json") else "AccessDenied"
    return Refusal(code, f"{said} {why}", 400 if protocol == "json" else 403)


def _user_key(access_key: str) -> Credential | None:
    """A key that somebody made in the lab through IAM."""
    from moto.iam.models import iam_backends

    for account in list(iam_backends):
        key: Any = iam_backends[account]["aws"].access_keys.get(access_key)
        if key is not None and key.status == "Active" and key.user_name:
            user = iam_backends[account]["aws"].users.get(key.user_name)
            if user is not None and key in user.access_keys:
                return Credential(access_key, key.secret_access_key, account, user.arn, user.id)
    return None
