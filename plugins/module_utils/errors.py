# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error that this collection raises, so that callers can catch as widely or as narrowly as they need.

::

    CloudnetError                 one line for people: what, where, what to do
    ├── FindingsError             several at once, each with its path in the input
    │   ├── TopologyError         the input itself is wrong
    │   └── PreflightError        the input is sound, but cannot be built on what is there
    ├── SnapshotError             a saved snapshot cannot be read
    ├── ApprovalError             what remains to be done is not what was approved
    ├── ApplyError                some actions failed; the others were done
    └── AwsError                  the API said no: code, action, account, Region, resource
        ├── CredentialsError      none, wrong profile, expired, not accepted
        ├── AccessDenied          the identity may not do the action
        ├── MaybeDone             the answer was lost: a creating call may have taken effect
        └── EndpointUnreachable   no answer from the endpoint
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


class Code:
    """What kind of fault a finding is, for programs: messages are for people, and their words may change."""

    SYNTAX = "syntax"  # the file cannot be read, or a value of it
    SCHEMA = "schema"  # a key is unknown or missing, or a value has the wrong form
    TOPOLOGY = "topology"  # the parts do not fit together
    NO_REGION = "no_region"  # no Region is named, and nobody else gave one
    PREFLIGHT = "preflight"  # what is there does not fit
    QUOTA = "quota"  # more than AWS lets the account have
    CONFLICT = "conflict"  # something stands where the topology wants something else
    HELD = "held"  # something of others stands on what is to go


@dataclass(frozen=True, order=True)
class Finding:
    """One fault of an input.

    ``path`` as a reader would point at it, such as ``vpcs.dev.cidr``; ``file`` is the name of the file, empty for a mapping, and ``line``
    its line where that is known (from 1). ``code`` is one of Code, or empty for what is worth knowing and no fault.
    """

    path: str
    message: str
    line: int = 0
    code: str = ""
    file: str = ""

    def __str__(self) -> str:
        where = f"{self.path} (line {self.line})" if self.line else self.path
        if self.file:
            place = f"{self.file}:{self.line}" if self.line else self.file
            where = place if self.path in ("", self.file) else f"{place}: {self.path}"
        return f"{where}: {self.message}" if where else self.message


class CloudnetError(Exception):
    """The base of all of ours. ``str(error)`` is fit to be shown as it is."""

    def details(self) -> dict[str, Any]:
        """What it knows beside its words, as tasks return it."""
        return {}


class FindingsError(CloudnetError):
    """All faults at once; ``str`` is one fault a line."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(dict.fromkeys(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))

    def details(self) -> dict[str, Any]:
        """``findings``: each as a mapping."""
        return {"findings": [asdict(finding) for finding in self.findings]}


class TopologyError(FindingsError):
    """The topology is wrong in itself: schema, references, overlaps."""


class PreflightError(FindingsError):
    """The topology cannot be built on what the accounts hold. Raised before any write."""


class SnapshotError(CloudnetError):
    """A snapshot folder or file cannot be read."""


class ApprovalError(CloudnetError):
    """Something would be done that the approved plan does not hold."""


class ApplyError(CloudnetError):
    """Some actions failed. ``failures`` holds (action's name, message); what could be done was done, and a next run goes on from there."""

    def __init__(self, failures: Iterable[tuple[str, str]]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join(f"{name}: {message}" for name, message in self.failures))

    def details(self) -> dict[str, Any]:
        """``failures``: each with the action's name and the message."""
        return {"failures": [{"name": name, "message": message} for name, message in self.failures]}


class AwsError(CloudnetError):
    """An API call failed. ``code`` is AWS's own error code, ``action`` such as ``ec2:CreateRoute``."""

    def __init__(self, message: str, *, code: str = "", action: str = "", account: str = "", region: str = "", resource: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.action = action
        self.account = account
        self.region = region
        self.resource = resource

    def details(self) -> dict[str, Any]:
        """``error``: AWS's code, and of which call in which account and Region."""
        return {"error": {key: getattr(self, key) for key in ("code", "action", "account", "region", "resource")}}

    @property
    def not_found(self) -> bool:
        """Whether AWS says that the thing is not there (``InvalidVpcID.NotFound``, ``NatGatewayNotFound``)."""
        return self.code.endswith(("NotFound", "NotFoundException"))


class CredentialsError(AwsError):
    """No credentials, a profile that does not exist, an expired token, or keys that AWS does not accept."""


class AccessDenied(AwsError):
    """The identity may not call the action."""


class MaybeDone(AwsError):
    """The connection broke, or AWS failed, before the answer to a call that must not be repeated blindly: list again before anything
    else.
    """


class EndpointUnreachable(AwsError):
    """No answer from the endpoint: wrong Region, no network, or no lab running."""
