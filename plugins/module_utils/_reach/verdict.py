# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer is made of: typed hops, blockers, what is not known, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

REACHABLE, BLOCKED, UNKNOWN = "reachable", "blocked", "unknown"
FORWARD, RETURN, BOTH = "forward", "return", "both"


class Step(StrEnum):
    """Every kind of hop that there is."""

    SOURCE = "source"
    EGRESS_RULE = "security group out"
    ACL_OUT = "network acl out"
    ROUTE = "route"
    LOCAL = "local"
    PEERING = "peering connection"
    TRANSIT_GATEWAY = "transit gateway"
    TRANSIT_ROUTE = "transit gateway route"
    INTERNET_GATEWAY = "internet gateway"
    EGRESS_ONLY_GATEWAY = "egress-only internet gateway"
    NAT_GATEWAY = "nat gateway"
    ENDPOINT = "vpc endpoint"
    APPLIANCE = "network interface on the way"
    INTERNET = "internet"
    ACL_IN = "network acl in"
    INGRESS_RULE = "security group in"
    TRACKED = "answer of a tracked connection"
    DESTINATION = "destination"
    END = "end of what can be said"


class Disposition(StrEnum):
    """How a path ends."""

    DELIVERED = "delivered"
    DROPPED = "dropped"
    UNSURE = "unknown"


#: Codes of AWS's Reachability Analyzer that are used here with its meaning.
#: https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html
AWS_CODES = frozenset(
    {
        "BAD_STATE",
        "BAD_STATE_ATTACHMENT",
        "BAD_STATE_ROUTE",
        "DISCONNECTED_VPCS",
        "ENI_SG_RULES_MISMATCH",
        "ENI_SOURCE_DEST_CHECK_RESTRICTION",
        "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS",
        "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS",
        "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS",
        "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
        "MORE_SPECIFIC_ROUTE",
        "NO_ROUTE_TO_DESTINATION",
        "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR",
        "PROTOCOL_RESTRICTION",
        "SG_HAS_NO_RULES",
        "SG_REFERENCES_NOT_PRESERVED",
        "SUBNET_ACL_RESTRICTION",
        "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION",
        "TGW_ROUTE_AZ_RESTRICTION",
        "TGW_RTB_BAD_STATE_ROUTE",
        "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT",
        "UNKNOWN_PEERED_SGS",
        "VPC_BLOCK_PUBLIC_ACCESS_ENABLED",
        "VPCE_GATEWAY_PROTOCOL_RESTRICTION",
        "VPCE_INTRA_VPC_TRAFFIC",
    }
)
#: Ours, where AWS has none.
OWN_CODES: Mapping[str, str] = {
    "ASYMMETRIC_NAT": "the answer leaves through a NAT or egress-only gateway that never saw the question",
    "NO_INTERNET_GATEWAY": "the VPC has no internet gateway",
    "NO_ADDRESS_OF_FAMILY": "one end has no address of the family that is asked for",
    "NO_SUCH_SUBNET": "the address lies in the VPC's blocks, but in no subnet",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC4193_EGRESS": "an internet gateway carries no unique local IPv6 addresses",
    "NO_SUCH_ADDRESS": "no host has the address, and no other can",
    "SERVICE_INTERFACE": "an interface that a service of AWS runs accepts nothing unasked, or starts nothing",
    "RESOLVER_RESTRICTION": "the VPC's resolver answers its own VPC alone, and only while DNS resolution is on",
    "VPC_ENCRYPTION_ENFORCED": "the VPC enforces encryption in transit, and this way is neither encrypted by AWS nor excluded",
    "NOT_ROUTED": "the address is never routed (loopback, multicast, link-local of IPv6)",
}
BLOCKER_CODES = AWS_CODES | frozenset(OWN_CODES)

#: Why something is not known.
UNKNOWN_CODES: Mapping[str, str] = {
    "NOT_OBSERVED": "a file of the snapshot is missing, or an object is not in it",
    "UNSUPPORTED_TARGET": "what lies behind this target cannot be modelled",
    "AMBIGUOUS_PREFIX_LISTS": "two prefix lists hold the block, and AWS picks one at random",
    "APPLIANCE": "whether the instance on the way forwards is its own affair",
    "PARTIAL": "only a part of what is asked for gets through",
    "NO_INTERFACE": "no interface has the address, so its security groups are not known",
    "GROUP_ASSOCIATION": "a group counts in a VPC by association, and AWS does not say whether a connection passes that on",
    "IN_TRANSITION": "something is being attached, detached or switched over",
    "LOOP": "the path comes back to where it was",
    "ONE_SIDED": "a gateway that tracks connections sees one direction only, and AWS does not say what it does then",
}


@dataclass(frozen=True)
class Hop:
    """``component``: AWS's id; ``name``: for people; ``detail``: what happened there; ``rule``: what decided.

    ``assumed``: beyond a blocker, as if that were removed.
    """

    step: Step
    component: str = ""
    name: str = ""
    detail: str = ""
    rule: str = ""
    assumed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "step": self.step.name.lower(),
            "component": self.component,
            "name": self.name,
            "detail": self.detail,
            "rule": self.rule,
            "assumed": self.assumed,
        }


@dataclass(frozen=True)
class Trace:
    """One direction. ``disposition`` tells of what is there, so a path with a blocker is dropped, however far the hops go on."""

    disposition: Disposition
    hops: tuple[Hop, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"disposition": self.disposition.value, "hops": [hop.as_dict() for hop in self.hops]}


@dataclass(frozen=True)
class Fix:
    """The smallest change that removes a blocker. ``kind``: allow, route, peering, accept, acl, or other.

    ``change``: in the topology's keys (``allow``, ``peerings``, ``vpcs``), or empty where the topology cannot say it.
    """

    kind: str
    text: str
    change: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": self.kind, "text": self.text, "change": dict(self.change)}


@dataclass(frozen=True)
class Blocker:
    """One thing that stops the packet. ``code``: one of BLOCKER_CODES. ``direction``: forward, return or both.

    ``component``, ``name``: what stops it; ``rule``: the route, rule or entry that decides, empty when one is missing.
    ``unsure``: found beyond something unknown, so it may not be on the way.
    """

    code: str
    direction: str
    component: str
    name: str
    why: str
    rule: str = ""
    fix: Fix = Fix("other", "")
    unsure: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "code": self.code,
            "aws_code": self.code in AWS_CODES,
            "direction": self.direction,
            "component": self.component,
            "name": self.name,
            "rule": self.rule,
            "why": self.why,
            "fix": self.fix.as_dict(),
            "unsure": self.unsure,
        }


@dataclass(frozen=True)
class Unknown:
    """One thing that cannot be said. ``code``: one of UNKNOWN_CODES. ``missing``: the file of the snapshot that would tell."""

    code: str
    direction: str
    component: str
    name: str
    why: str
    missing: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "code": self.code,
            "direction": self.direction,
            "component": self.component,
            "name": self.name,
            "why": self.why,
            "missing": self.missing,
        }


@dataclass(frozen=True)
class Verdict:
    """The answer. ``verdict``: reachable, blocked or unknown. ``back`` is None when nothing comes back (a one-way message).

    ``mtu``: the largest packet in bytes; None unless reachable. ``dns``: whether the destination's public name resolves to its private
    address from the source; None when there is no such name, or it is not known; ``dns_why`` says more.
    """

    verdict: str
    source: str
    destination: str
    traffic: str
    family: int
    forward: Trace
    back: Trace | None
    blockers: tuple[Blocker, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    mtu: int | None = None
    dns: bool | None = None
    dns_why: str = ""

    @property
    def reachable(self) -> bool:
        """Whether it is certain that the traffic passes, and its answer too."""
        return self.verdict == REACHABLE

    @property
    def codes(self) -> tuple[str, ...]:
        """The blockers' codes, in their order."""
        return tuple(blocker.code for blocker in self.blockers)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and Jinja."""
        return {
            "verdict": self.verdict,
            "source": self.source,
            "destination": self.destination,
            "traffic": self.traffic,
            "family": self.family,
            "forward": self.forward.as_dict(),
            "return": self.back.as_dict() if self.back else None,
            "blockers": [blocker.as_dict() for blocker in self.blockers],
            "unknowns": [unknown.as_dict() for unknown in self.unknowns],
            "mtu": self.mtu,
            "dns": self.dns,
            "dns_why": self.dns_why,
        }


def concluded(blockers: tuple[Blocker, ...], unknowns: tuple[Unknown, ...]) -> str:
    """Every gate must let the packet through: one sure blocker blocks, whatever else is not known."""
    if any(not blocker.unsure for blocker in blockers):
        return BLOCKED
    return UNKNOWN if unknowns or blockers else REACHABLE
