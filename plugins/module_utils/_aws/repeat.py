# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which failures may be tried again, how often, and for which calls that is safe.

Three kinds of failure pass by themselves:

* **throttled**: AWS did nothing. Always safe to repeat.
* **lost**: the connection broke or AWS failed inside (5xx). The call may have taken effect or not. Safe for what is idempotent, by its
  nature or by a client token; anything else must be looked up first, so the caller gets ``MaybeDone``.
* **not yet**: an id that was made a moment ago is not known yet (eventual consistency).

https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and botocore's own list
THROTTLES = frozenset(
    {
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
#: Failures inside AWS that some services answer with a status below 500.
INTERNAL = frozenset(
    {"InternalError", "InternalFailure", "ServerInternal", "ServiceUnavailable", "ServiceUnavailableException", "Unavailable"}
)

#: Creating and replacing calls that take no client token: what they did cannot be told from a second answer.
#: tests/unit/aws compares this with the service model, so a new botocore that adds a token, or an action, is noticed.
ONCE = frozenset(
    {
        "ec2:AllocateAddress",
        "ec2:AssociateAddress",
        "ec2:AssociateRouteTable",
        "ec2:AssociateSubnetCidrBlock",
        "ec2:AssociateVpcCidrBlock",
        "ec2:CreateInternetGateway",
        "ec2:CreateKeyPair",
        "ec2:CreateSecurityGroup",
        "ec2:CreateSubnet",
        "ec2:CreateTransitGateway",
        "ec2:CreateTransitGatewayRouteTable",
        "ec2:CreateTransitGatewayVpcAttachment",
        "ec2:CreateVpc",
        "ec2:CreateVpcPeeringConnection",
        "ec2:CreateVpnGateway",
        "ec2:ModifyManagedPrefixList",  # a repetition meets its own new version
        "ec2:ReplaceNetworkAclAssociation",  # the old association is gone after the first
        "ec2:ReplaceRouteTableAssociation",
    }
)

#: Calls that say "already so" when repeated, and the codes in which they say it: success if the call before it was lost, an error
#: otherwise.
ALREADY: Mapping[str, tuple[str, ...]] = {
    "ec2:AcceptVpcPeeringConnection": ("InvalidStateTransition",),
    "ec2:AssociateSecurityGroupVpc": ("Resource.AlreadyAssociated", "InvalidSecurityGroupVpcAssociation.Duplicate"),
    "ec2:AttachInternetGateway": ("Resource.AlreadyAssociated",),
    "ec2:AuthorizeSecurityGroupEgress": ("InvalidPermission.Duplicate",),
    "ec2:AuthorizeSecurityGroupIngress": ("InvalidPermission.Duplicate",),
    "ec2:CreateNetworkAclEntry": ("NetworkAclEntryAlreadyExists",),
    "ec2:CreateRoute": ("RouteAlreadyExists",),
    "ec2:DeleteRoute": ("InvalidRoute.NotFound",),
    "ec2:DetachInternetGateway": ("Gateway.NotAttached",),
    "ec2:DeleteNetworkAclEntry": ("InvalidNetworkAclEntry.NotFound",),
    "ec2:DeleteVpcPeeringConnection": ("InvalidStateTransition", "InvalidVpcPeeringConnectionID.NotFound"),
    "ec2:RejectVpcPeeringConnection": ("InvalidStateTransition", "InvalidVpcPeeringConnectionID.NotFound"),
    "ec2:RevokeSecurityGroupEgress": ("InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"),
    "ec2:RevokeSecurityGroupIngress": ("InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"),
}
#: What is gone stays gone: any NotFound answers a repeated one of these.
_REMOVING = ("Delete", "Disassociate", "Detach", "Release", "Terminate")
_SAFE = ("Describe", "Get", "List", "Search", "Modify", "Replace", "Enable", "Disable", *_REMOVING)

_NOT_FOUND = re.compile(r"\.NotFound$|NotFound$|NotFoundException$")
_ID = re.compile(r"\b[a-z]{2,10}(?:-[a-z]+)*-(?:[0-9a-f]{17}|[0-9a-f]{8})\b")

THROTTLED, LOST, NOT_SENT, NOT_YET, FINAL = "throttled", "lost", "not sent", "not yet", "final"


@dataclass(frozen=True)
class Patience:
    """How long a kind of failure is borne: ``tries`` repetitions, after ``first`` seconds, then twice as long each time up to ``cap``."""

    tries: int
    first: float
    cap: float


PATIENCE: Mapping[str, Patience] = {
    THROTTLED: Patience(tries=20, first=0.4, cap=20.0),
    LOST: Patience(tries=8, first=0.2, cap=5.0),
    NOT_SENT: Patience(tries=2, first=0.3, cap=1.0),
    NOT_YET: Patience(tries=20, first=0.2, cap=4.0),
}


def delay(kind: str, attempt: int, chance: Callable[[], float] = random.random) -> float | None:
    """Seconds to wait before repetition ``attempt`` (from 0), or None when it is enough.

    Between half and the whole of the step, so that calls that failed together do not come again together.
    """
    patience = PATIENCE.get(kind)
    if patience is None or attempt >= patience.tries:
        return None
    step: float = min(patience.cap, patience.first * 2.0**attempt)
    return step * (0.5 + chance() / 2)


def repeatable(action: str, *, token: bool) -> bool:
    """Whether a call may be repeated when its answer was lost. ``token``: it carries a client token."""
    if action in ONCE:
        return token
    return token or action in ALREADY or action == "ec2:CreateTags" or action.partition(":")[2].startswith(_SAFE)


def already_done(action: str, code: str) -> bool:
    """Whether an error, after a lost answer, says that the lost call had taken effect."""
    if code in ALREADY.get(action, ()):
        return True
    return action.partition(":")[2].startswith(_REMOVING) and bool(_NOT_FOUND.search(code))


def removes(action: str) -> bool:
    """Whether a call takes something away. That was listed before, so a NotFound then means that somebody else was quicker."""
    return action.partition(":")[2].startswith((*_REMOVING, "Revoke"))


def kind_of(code: str, status: int) -> str:
    """The kind of failure that an answer of AWS is, without regard to what was made a moment ago."""
    if code in THROTTLES:  # some of them come with status 503: nothing was done all the same
        return THROTTLED
    return LOST if status >= 500 or code in INTERNAL else FINAL


def ids_in(value: Any) -> set[str]:
    """Every AWS resource id in a value, at any depth."""
    if isinstance(value, str):
        return set(_ID.findall(value))
    if isinstance(value, Mapping):
        return set().union(*(ids_in(item) for item in value.values())) if value else set()
    if isinstance(value, list | tuple | set | frozenset):
        return set().union(*(ids_in(item) for item in value)) if value else set()
    return set()


class Fresh:
    """The ids that this run made, for as long as the rest of AWS may not know them.

    Shared by all accounts: an accepter learns late what a requester made.
    """

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def made(self, action: str, params: Mapping[str, Any], response: Mapping[str, Any]) -> None:
        """Note what a successful creating call answered with, apart from what it was given."""
        if action.partition(":")[2].startswith(("Create", "Allocate", "Run", "Associate", "Authorize", "Request")):
            ids = ids_in(response) - ids_in(params)
            with self._lock:
                for id_ in ids:
                    self._until[id_] = self._clock() + self._seconds

    def explains(self, code: str, message: str, params: Mapping[str, Any]) -> bool:
        """Whether a NotFound is only a matter of time: it speaks of, or the call named, an id that was just made."""
        if not _NOT_FOUND.search(code):
            return False
        named = ids_in(message) or ids_in(params)
        now = self._clock()
        with self._lock:
            return any(self._until.get(id_, 0.0) > now for id_ in named)
