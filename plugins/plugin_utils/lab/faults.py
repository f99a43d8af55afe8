# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request, seeded: what AWS does to a client on a bad day, when a test asks for it.

A fault is a mapping, as ``LabControl.config(faults=[...])`` takes it:

``kind``
    ``throttle`` (RequestLimitExceeded, 503), ``internal`` (InternalError, 500), ``unavailable`` (Unavailable, 503), ``reset_before`` and
    ``reset_after`` (the connection is reset, without and with the call's effect), ``denied``, ``expired``, ``not_found`` (for ``seconds``
    after its creation an object is not found by name, and is missing from lists), ``hold_before`` and ``hold_after`` (no answer until the
    fault is taken away or the client leaves: ``held`` in the lab's status counts them, so that a test can kill a client exactly there).
``actions``
    one pattern or a list, as ``ec2:Create*``, ``*:*``, ``write`` or ``read`` (default ``ec2:*``).
``rate``, ``seed``
    the share of calls hit (default 1) and the seed. Whether the n-th call of an action is hit depends on the seed, the action and n
    only, not on how threads interleave.
``skip``, ``times``
    let so many matching calls pass first (default 0), and hit at most so many (default no limit).
``account``
    hit this account only.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .counting import is_read

KINDS = (
    "throttle",
    "internal",
    "unavailable",
    "reset_before",
    "reset_after",
    "denied",
    "expired",
    "not_found",
    "hold_before",
    "hold_after",
)
_KEYS = {"kind", "actions", "rate", "seed", "skip", "times", "seconds", "account"}


@dataclass(frozen=True)
class Fault:
    kind: str
    actions: tuple[str, ...] = ("ec2:*",)
    rate: float = 1.0
    seed: int = 0
    skip: int = 0
    times: int | None = None
    seconds: float = 1.0
    account: str = ""

    def matches(self, service: str, action: str, account: str) -> bool:
        if self.account and account != self.account:
            return False
        name = f"{service}:{action}"
        sort = "read" if is_read(service, action) else "write"
        return any(pattern == sort or fnmatchcase(name, pattern) for pattern in self.actions)


def read_fault(wanted: Mapping[str, Any]) -> Fault:
    """A fault from its mapping; raises ValueError that names the key at fault."""
    unknown = sorted(set(wanted) - _KEYS)
    if unknown:
        raise ValueError(f"fault: unknown key {', '.join(unknown)}; known are {', '.join(sorted(_KEYS))}")
    kind = wanted.get("kind")
    if kind not in KINDS:
        raise ValueError(f"fault: kind {kind!r} is none of {', '.join(KINDS)}")
    actions = wanted.get("actions", "ec2:*")
    times = wanted.get("times")
    try:
        rate = float(wanted.get("rate", 1.0))
        fault = Fault(
            kind=kind,
            actions=(actions,) if isinstance(actions, str) else tuple(str(pattern) for pattern in actions),
            rate=rate,
            seed=int(wanted.get("seed", 0)),
            skip=int(wanted.get("skip", 0)),
            times=None if times is None else int(times),
            seconds=float(wanted.get("seconds", 1.0)),
            account=str(wanted.get("account", "")),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"fault {kind}: {error}") from error
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"fault {kind}: rate {rate} is not between 0 and 1")
    return fault


class Faults:
    """The faults in force. ``strike`` says which of them hit a call; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._generation = 0
        self.held = 0
        self.set(())

    def set(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._faults = list(faults)
            self._seen: Counter[tuple[int, str]] = Counter()
            self._passed: Counter[int] = Counter()
            self._hits: Counter[int] = Counter()
            self._generation += 1
            self._changed.notify_all()

    def snapshot(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {**fault.__dict__, "actions": list(fault.actions), "hits": self._hits[index]} for index, fault in enumerate(self._faults)
            ]

    def strike(self, service: str, action: str, account: str) -> list[Fault]:
        """The faults that hit this call, in the order in which they were set."""
        if not self._faults:
            return []
        hit = []
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not fault.matches(service, action, account):
                    continue
                self._passed[index] += 1
                number = self._seen[index, action] = self._seen[index, action] + 1
                if self._passed[index] <= fault.skip or (fault.times is not None and self._hits[index] >= fault.times):
                    continue
                if fault.rate < 1.0 and random.Random(f"{fault.seed}/{service}:{action}/{number}").random() >= fault.rate:
                    continue
                if fault.kind != "not_found":
                    self._hits[index] += 1
                hit.append(fault)
        return hit

    def hold(self, gone: Any) -> None:
        """Wait until the faults change, or ``gone()`` says that the client has left."""
        with self._changed:
            generation = self._generation
            self.held += 1
            try:
                while generation == self._generation and not gone():
                    self._changed.wait(0.05)
            finally:
                self.held -= 1


# What a Create call makes: the prefix of its id. An id that only the answer holds and that has this prefix is the new object's.
_MAKES = {
    "AllocateAddress": "eipalloc",
    "AssociateRouteTable": "rtbassoc",
    "AuthorizeSecurityGroupEgress": "sgr",
    "AuthorizeSecurityGroupIngress": "sgr",
    "CreateEgressOnlyInternetGateway": "eigw",
    "CreateFlowLogs": "fl",
    "CreateInternetGateway": "igw",
    "CreateManagedPrefixList": "pl",
    "CreateNatGateway": "nat",
    "CreateNetworkAcl": "acl",
    "CreateNetworkInterface": "eni",
    "CreateRouteTable": "rtb",
    "CreateSecurityGroup": "sg",
    "CreateSubnet": "subnet",
    "CreateTransitGateway": "tgw",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpce",
    "CreateVpcPeeringConnection": "pcx",
    "RunInstances": "i",
}
# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-error-codes.html
_NOT_FOUND = {
    "acl": "InvalidNetworkAclID.NotFound",
    "eigw": "InvalidGatewayID.NotFound",
    "eipalloc": "InvalidAllocationID.NotFound",
    "eni": "InvalidNetworkInterfaceID.NotFound",
    "fl": "InvalidFlowLogId.NotFound",
    "i": "InvalidInstanceID.NotFound",
    "igw": "InvalidInternetGatewayID.NotFound",
    "nat": "NatGatewayNotFound",
    "pcx": "InvalidVpcPeeringConnectionID.NotFound",
    "pl": "InvalidPrefixListID.NotFound",
    "rtb": "InvalidRouteTableID.NotFound",
    "rtbassoc": "InvalidAssociationID.NotFound",
    "sg": "InvalidGroup.NotFound",
    "sgr": "InvalidSecurityGroupRuleId.NotFound",
    "subnet": "InvalidSubnetID.NotFound",
    "tgw": "InvalidTransitGatewayID.NotFound",
    "vpc": "InvalidVpcID.NotFound",
    "vpce": "InvalidVpcEndpointId.NotFound",
}
# The key under which an object of a kind carries its own id in a list.
_OWN_KEY = {
    "acl": "NetworkAclId",
    "eigw": "EgressOnlyInternetGatewayId",
    "eipalloc": "AllocationId",
    "eni": "NetworkInterfaceId",
    "fl": "FlowLogId",
    "i": "InstanceId",
    "igw": "InternetGatewayId",
    "nat": "NatGatewayId",
    "pcx": "VpcPeeringConnectionId",
    "pl": "PrefixListId",
    "rtb": "RouteTableId",
    "rtbassoc": "RouteTableAssociationId",
    "sg": "GroupId",
    "sgr": "SecurityGroupRuleId",
    "subnet": "SubnetId",
    "tgw": "TransitGatewayId",
    "vpc": "VpcId",
    "vpce": "VpcEndpointId",
}
_LISTS = {
    "DescribeAddresses": ("Addresses", "eipalloc"),
    "DescribeEgressOnlyInternetGateways": ("EgressOnlyInternetGateways", "eigw"),
    "DescribeFlowLogs": ("FlowLogs", "fl"),
    "DescribeInternetGateways": ("InternetGateways", "igw"),
    "DescribeManagedPrefixLists": ("PrefixLists", "pl"),
    "DescribeNatGateways": ("NatGateways", "nat"),
    "DescribeNetworkAcls": ("NetworkAcls", "acl"),
    "DescribeNetworkInterfaces": ("NetworkInterfaces", "eni"),
    "DescribeRouteTables": ("RouteTables", "rtb"),
    "DescribeSecurityGroupRules": ("SecurityGroupRules", "sgr"),
    "DescribeSecurityGroups": ("SecurityGroups", "sg"),
    "DescribeSubnets": ("Subnets", "subnet"),
    "DescribeTransitGateways": ("TransitGateways", "tgw"),
    "DescribeVpcEndpoints": ("VpcEndpoints", "vpce"),
    "DescribeVpcPeeringConnections": ("VpcPeeringConnections", "pcx"),
    "DescribeVpcs": ("Vpcs", "vpc"),
}


class Unsettled:
    """Objects that exist but are not seen yet: the API's eventual consistency, made certain.

    See https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def clear(self) -> None:
        self._until = {}

    def hide(self, action: str, params: Mapping[str, Any], result: Mapping[str, Any], seconds: float) -> bool:
        """Hide what this call made, for ``seconds``; False when it made nothing that can be hidden."""
        prefix = _MAKES.get(action)
        if prefix is None:
            return False
        named = set(_strings(params))
        until = time.monotonic() + seconds
        new = [value for value in _strings(result) if value.startswith(f"{prefix}-") and value not in named]
        self._until = {**self._until, **dict.fromkeys(new, until)}
        return bool(new)

    def hidden(self) -> set[str]:
        if not self._until:
            return set()
        now = time.monotonic()
        self._until = {name: until for name, until in self._until.items() if until > now}
        return set(self._until)

    def named(self, params: Mapping[str, Any]) -> tuple[str, str] | None:
        """(code, message) for the first hidden object that the parameters name (a filter does not name), else None."""
        hidden = self.hidden()
        if not hidden:
            return None
        for value in _strings({key: value for key, value in params.items() if key not in ("Filters", "Filter")}):
            if value in hidden:
                prefix = value.split("-", 1)[0]
                return _NOT_FOUND.get(prefix, "InvalidParameterValue"), f"The ID '{value}' does not exist"
        return None

    def strain(self, action: str, result: dict[str, Any]) -> dict[str, Any]:
        """The answer of a list without the objects that are hidden."""
        hidden = self.hidden()
        if not hidden:
            return result
        if action == "DescribeInstances":
            kept = [
                {**reservation, "Instances": instances}
                for reservation in result.get("Reservations", [])
                if (instances := [instance for instance in reservation.get("Instances", []) if instance.get("InstanceId") not in hidden])
            ]
            return {**result, "Reservations": kept}
        if action not in _LISTS:
            return result
        name, prefix = _LISTS[action]
        kept = [item for item in result.get(name, []) if item.get(_OWN_KEY[prefix]) not in hidden]
        return {**result, name: kept}


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
