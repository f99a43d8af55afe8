# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which AWS, or the way to it, says no: one line each, with what, where, and what to do.

No secret is ever in a message: access key ids are masked, and the encoded authorization message, which tells about the account, is left
out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from ..errors import AccessDenied, AwsError, CredentialsError, EndpointUnreachable
from .targets import is_loopback

_DENIED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "UnauthorizedAccess", "Forbidden"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_REFUSED = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "IncompleteSignature",
        "InvalidAccessKeyId",
    }
)
_NOT_ENABLED = frozenset({"OptInRequired", "PendingVerification", "SubscriptionRequiredException"})
_REGIONS = frozenset({"InvalidRegion", "InvalidEndpoint", "RegionDisabledException"})

_KEY_ID = re.compile(r"\b(A[SK]IA|AROA|AIDA)[A-Z0-9]{8,}([A-Z0-9]{4})\b")
_ENCODED = re.compile(r"\s*Encoded authorization failure message:.*", re.DOTALL)
_SECRET = re.compile(r"(?<![\w/+=-])[A-Za-z0-9/+=]{40,}(?![\w/+=])")


@dataclass(frozen=True)
class Call:
    """What was tried: ``action`` as ``ec2:CreateRoute``, where, on what, and under which name in the topology the credentials stand."""

    action: str
    account: str = ""
    region: str = ""
    resource: str = ""
    name: str = ""

    @property
    def where(self) -> str:
        """For people: ``account 111122223333, Region us-east-1``."""
        account = f"account {self.account}" if self.account else f"account {self.name!r}" if self.name else "the ambient account"
        return f"{account}, Region {self.region}" if self.region else account

    @property
    def what(self) -> str:
        """For people: the action, and on what."""
        return f"{self.action} on {self.resource}" if self.resource else self.action


def one_line(text: str) -> str:
    """Without line breaks, encoded messages, key ids and anything that looks like a key."""
    text = _ENCODED.sub("", text)
    text = _KEY_ID.sub(lambda match: f"{match.group(1)}…{match.group(2)}", text)
    text = _SECRET.sub("…", text)
    return " ".join(text.split()).rstrip(".")


def resource_of(params: Mapping[str, Any]) -> str:
    """The ids and destinations that a call names, for messages: ``rtb-1 10.0.0.0/16``."""
    found = []
    for key, value in params.items():
        if key.startswith("Destination") or (key.endswith(("Id", "Name", "Arn")) and key not in ("ClientToken",)):
            found.append(str(value))
        elif (key.endswith("Ids") or key == "Resources") and isinstance(value, list | tuple) and value:
            found.append(str(value[0]) if len(value) == 1 else f"{value[0]} and {len(value) - 1} more")
        elif key == "CidrBlock":
            found.append(str(value))
    return " ".join(found[:3])


def from_answer(code: str, message: str, call: Call) -> AwsError:
    """An error that AWS answered with."""
    said = one_line(message)
    args = {"code": code, "action": call.action, "account": call.account, "region": call.region, "resource": call.resource}
    if code in _DENIED:
        return AccessDenied(f"{call.what}: access denied in {call.where} ({code}): {_denied(said, call)}", **args)
    if code in _EXPIRED:
        return CredentialsError(
            f"{call.where}: the credentials have expired ({code} from {call.action}): log in again or renew the session token", **args
        )
    if code in _REFUSED:
        text = f"{call.where}: AWS does not accept the credentials ({code} from {call.action}): {_credentials_hint(code)}"
        return CredentialsError(text, **args)
    if code in _NOT_ENABLED:
        return CredentialsError(
            f"{call.where}: the account may not use this yet ({code} from {call.action}): {said}; finish its registration", **args
        )
    if code in _REGIONS:
        return EndpointUnreachable(
            f"{call.what}: Region {call.region!r} is not one that this account can use ({code}): check the Region's name", **args
        )
    return AwsError(f"{call.what} failed in {call.where}: {code}: {said}", **args)


def _denied(said: str, call: Call) -> str:
    """AWS's sentence, without the opening that says nothing; else what to ask for."""
    said = re.sub(r"^You are not authorized to perform this operation\.?\s*", "", said).strip()
    return said or f"the identity needs a policy that allows {call.action}"


def _credentials_hint(code: str) -> str:
    if code.startswith(("Signature", "InvalidSignature", "IncompleteSignature")):
        return "the secret key does not belong to the access key, or this machine's clock is wrong"
    return "check the profile or keys, and that they are of this partition and, on the lab, of this lab"


def from_exception(error: Exception, call: Call, url: str = "") -> AwsError:
    """Any exception of botocore, without a call to AWS having been answered. ``url``: the endpoint, where it is known.

    Works by the names of the classes, so that this file needs no botocore.
    """
    args = {"code": type(error).__name__, "action": call.action, "account": call.account, "region": call.region, "resource": call.resource}
    names = {kind.__name__ for kind in type(error).__mro__}
    url = _endpoint(error) or url
    response = getattr(error, "response", None)
    if isinstance(response, Mapping) and "Error" in response:
        inner = str(getattr(error, "operation_name", "") or "")
        if inner == "AssumeRole" and not call.action.endswith(":AssumeRole"):
            call = replace(call, action="sts:AssumeRole", resource="")
        return from_answer(str(response["Error"].get("Code", "")), str(response["Error"].get("Message", "")), call)
    if "ProfileNotFound" in names:
        profile = getattr(error, "kwargs", {}).get("profile", "")
        if not profile:
            return CredentialsError(f"{_whose(call)}: AWS_PROFILE is set but empty: unset it, or set profile", **args)
        return CredentialsError(
            f"{_whose(call)}: no profile {profile!r} in the AWS config files: see `aws configure list-profiles`", **args
        )
    if names & {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "NoAuthTokenError"}:
        more = f" ({one_line(str(error))})" if "CredentialRetrievalError" in names or "PartialCredentialsError" in names else ""
        return CredentialsError(
            f"{_whose(call)}: no AWS credentials found{more}: set profile, or access_key and secret_key, or run on the lab", **args
        )
    if names & {
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "SSOError",
        "TokenRetrievalError",
        "LoginError",
        "LoginRefreshTokenExpired",
    }:
        return CredentialsError(f"{_whose(call)}: the single sign-on session has ended: run `aws sso login` for its profile", **args)
    if "NoRegionError" in names:
        return AwsError(f"{_whose(call)}: no Region given: set region, or AWS_REGION, or one in the profile", **args)
    if "InvalidRegionError" in names:
        return EndpointUnreachable(f"{call.region!r} is not the name of a Region: check region", **args)
    if "SSLError" in names:
        return EndpointUnreachable(f"{url or call.where}: TLS failed: {_reason(error)}: check aws_ca_bundle and validate_certs", **args)
    if "ProxyConnectionError" in names:
        return EndpointUnreachable(
            f"{url or call.where}: the proxy does not let us through: {_reason(error)}: check HTTPS_PROXY and NO_PROXY", **args
        )
    if names & {
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ConnectionError",
        "HTTPClientError",
        "ReadTimeoutError",
        "ConnectionClosedError",
    }:
        return EndpointUnreachable(f"no answer from {url or call.where} to {call.action}: {_reach_hint(error, url, call)}", **args)
    if "ParamValidationError" in names:
        return AwsError(f"{call.what}: wrong parameters: {one_line(str(error).replace('Parameter validation failed:', ''))}", **args)
    if names & {"ConfigParseError", "ConfigNotFound", "InvalidConfigError"}:
        return CredentialsError(f"{_whose(call)}: the AWS config file cannot be used: {one_line(str(error))}", **args)
    return AwsError(f"{call.what} failed in {call.where}: {type(error).__name__}: {one_line(str(error))}", **args)


def _whose(call: Call) -> str:
    return f"account {call.name!r}" if call.name else f"account {call.account}" if call.account else "the ambient account"


def _endpoint(error: Exception) -> str:
    return str(getattr(error, "kwargs", {}).get("endpoint_url", "") or "")


def _reason(error: Exception) -> str:
    inner = getattr(error, "kwargs", {}).get("error", "")
    return one_line(str(inner or error))


def _reach_hint(error: Exception, url: str, call: Call) -> str:
    if url and is_loopback(url):
        return "is the lab running? `make lab`, or the playbook cloudnet.vpc.lab, starts it"
    inner = str(getattr(error, "kwargs", {}).get("error", ""))
    host = urlsplit(url).hostname or ""
    if any(
        sign in inner for sign in ("Name or service not known", "nodename nor servname", "getaddrinfo", "NameResolutionError", "resolve")
    ):
        return f"{host or 'the host name'} does not exist: check the Region ({call.region or 'none given'}) and the network"
    if type(error).__name__ == "ConnectTimeoutError":
        return "the connection timed out: check the network, a proxy (HTTPS_PROXY), and the Region"
    if type(error).__name__ in ("ReadTimeoutError", "ConnectionClosedError"):
        return "the connection broke before the answer: run again"
    return f"check the network, a proxy (HTTPS_PROXY), and the Region ({call.region or 'none given'})"
