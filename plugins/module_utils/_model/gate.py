# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one boundary between outside and model: described items are checked against AWS's grammar before they are parsed.

Whatever a describe call or a file says comes through here: what EC2 tells as ids, accounts, Regions, zones, addresses, blocks, DNS names
and ARNs matches their grammar or the item is left out with a fault; every other text is made a part of one line. What the Network holds
is therefore safe in a path, in a line of a file and as an argument. The keys are EC2's own, which mean the same in each of its calls:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Types.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import grammar
from .files import ID_KEYS, Item, Place, item_id

BAD_ACCOUNT, BAD_ADDRESS, BAD_ARN, BAD_CIDR, BAD_DNS_NAME, BAD_ID, BAD_PROTOCOL, BAD_REGION, BAD_SHAPE, BAD_ZONE = (
    "BAD_ACCOUNT",
    "BAD_ADDRESS",
    "BAD_ARN",
    "BAD_CIDR",
    "BAD_DNS_NAME",
    "BAD_ID",
    "BAD_PROTOCOL",
    "BAD_REGION",
    "BAD_SHAPE",
    "BAD_ZONE",
)
#: How many faults are told one by one; what is more is counted.
TOLD = 20
_SHOWN = 80


@dataclass(frozen=True, order=True)
class Fault:
    """An item that is left out, and why. ``item``: its id, or its number in the file; ``field``: as ``PrivateIpAddresses[0].PublicIp``."""

    account: str
    region: str
    file: str
    item: str
    field: str
    code: str
    message: str

    def __str__(self) -> str:
        where = f"account {self.account}, Region {self.region}, {self.file}: {self.item}"
        return f"{where}: {self.field}{' ' if self.field else ''}{self.message}; left out [{self.code}]"


@dataclass(frozen=True)
class Rule:
    """What a text must be. ``noun`` completes "is no …"."""

    code: str
    noun: str
    holds: Callable[[str], bool]


def _id(*prefixes: str) -> Rule:
    noun = f"id such as {prefixes[0]}-0123456789abcdef0" if prefixes else "id of a resource"
    return Rule(BAD_ID, noun, lambda text: grammar.is_id(text, *prefixes))


_ACCOUNT = Rule(BAD_ACCOUNT, "12-digit account id", lambda text: bool(grammar.WORD.fullmatch(text)))
_WORD = Rule(BAD_ID, "id", lambda text: bool(grammar.WORD.fullmatch(text)))
_LINK = Rule(BAD_ID, "id", lambda text: bool(grammar.LINK.fullmatch(text)))
_REGION = Rule(BAD_REGION, "Region", lambda text: bool(grammar.REGION.fullmatch(text)))
_ZONE = Rule(BAD_ZONE, "Availability Zone", lambda text: bool(grammar.ZONE.fullmatch(text)))
_IPV4 = Rule(BAD_ADDRESS, "IPv4 address", lambda text: ":" not in text and grammar.is_address(text))
_IPV6 = Rule(BAD_ADDRESS, "IPv6 address", lambda text: ":" in text and grammar.is_address(text))
_ADDRESS = Rule(BAD_ADDRESS, "IP address", grammar.is_address)
_BLOCK = Rule(BAD_CIDR, "CIDR block", grammar.is_block)
_BLOCK4 = Rule(BAD_CIDR, "IPv4 CIDR block", lambda text: ":" not in text and grammar.is_block(text))
_BLOCK6 = Rule(BAD_CIDR, "IPv6 CIDR block", lambda text: ":" in text and grammar.is_block(text))
_DNS_NAME = Rule(BAD_DNS_NAME, "DNS name", lambda text: bool(grammar.DNS_NAME.fullmatch(text)))
_PROTOCOL = Rule(BAD_PROTOCOL, "protocol's number or name", lambda text: bool(grammar.PROTOCOL.fullmatch(text)))
_ARN = Rule(BAD_ARN, "ARN", lambda text: bool(grammar.ARN.fullmatch(text)))

#: Key to what its value (or each value of a list) must be.
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("VpcId", "PeerVpcId"), _id("vpc")),
    **dict.fromkeys(("SubnetId", "SubnetIds"), _id("subnet")),
    **dict.fromkeys(("RouteTableId", "RouteTableIds"), _id("rtb")),
    **dict.fromkeys(("NetworkInterfaceId", "NetworkInterfaceIds"), _id("eni")),
    **dict.fromkeys(("PrefixListId", "DestinationPrefixListId"), _id("pl")),
    # Placement groups have a GroupId too.
    **dict.fromkeys(("GroupId", "GroupIds", "ReferencedGroupId"), _id("sg", "pg")),
    "SecurityGroupRuleId": _id("sgr"),
    "NetworkAclId": _id("acl"),
    "InternetGatewayId": _id("igw"),
    "EgressOnlyInternetGatewayId": _id("eigw"),
    "NatGatewayId": _id("nat"),
    "VpcEndpointId": _id("vpce"),
    "VpcPeeringConnectionId": _id("pcx"),
    "InstanceId": _id("i", "mi"),
    "ReservationId": _id("r"),
    "AllocationId": _id("eipalloc"),
    "FlowLogId": _id("fl"),
    "TransitGatewayId": _id("tgw"),
    "TransitGatewayAttachmentId": _id("tgw-attach"),
    "TransitGatewayRouteTableId": _id("tgw-rtb"),
    "VpnGatewayId": _id("vgw"),
    "VpnConnectionId": _id("vpn"),
    "CustomerGatewayId": _id("cgw"),
    **dict.fromkeys(("CarrierGatewayId", "LocalGatewayId"), _id()),
    # ``local``, ``default``, a Direct Connect gateway's UUID.
    **dict.fromkeys(("AvailabilityZoneId", "DhcpOptionsId", "ExclusionId", "GatewayId", "ResourceId", "VpcEncryptionControlId"), _WORD),
    **dict.fromkeys(("AssociationId", "AttachmentId", "NetworkAclAssociationId", "RouteTableAssociationId"), _LINK),
    # An owner may be one of AWS's own, such as amazon-elb.
    **dict.fromkeys(
        (
            "OwnerId",
            "UserId",
            "GroupOwnerId",
            "InstanceOwnerId",
            "IpOwnerId",
            "NetworkInterfaceOwnerId",
            "PeerOwnerId",
            "ResourceOwnerId",
            "TransitGatewayOwnerId",
            "VpcOwnerId",
            "AwsAccountId",
        ),
        _ACCOUNT,
    ),
    **dict.fromkeys(("AwsRegion", "Region", "RegionName"), _REGION),
    "AvailabilityZone": _ZONE,
    **dict.fromkeys(("PrivateIpAddress", "PrivateIp", "PublicIp", "PublicIpAddress", "CarrierIp", "CustomerOwnedIp"), _IPV4),
    "Ipv6Address": _IPV6,
    "IpAddress": _ADDRESS,
    **dict.fromkeys(("CidrBlock", "CidrIp", "CidrIpv4", "Ipv4Prefix"), _BLOCK4),
    **dict.fromkeys(("CidrIpv6", "DestinationIpv6CidrBlock", "Ipv6CidrBlock", "Ipv6Prefix"), _BLOCK6),
    # A transit gateway's route has its IPv6 block under the same key.
    **dict.fromkeys(("Cidr", "Cidrs", "DestinationCidrBlock"), _BLOCK),
    **dict.fromkeys(("DnsName", "PrivateDnsName", "PublicDnsName", "ServiceName"), _DNS_NAME),
    **dict.fromkeys(("IpProtocol", "Protocol"), _PROTOCOL),
    **dict.fromkeys(("CoreNetworkArn", "DeliverLogsPermissionArn", "ResourceArn"), _ARN),
}
#: The files in which keys have EC2's meaning. Of other services' (a target group's ``Protocol`` is HTTP) the model reads nothing.
CHECKED = frozenset({*ID_KEYS, "SecurityGroupVpcAssociations"})
#: Texts of many lines, kept as they are.
_DOCUMENTS = frozenset({"PolicyDocument"})


class _Wrong(Exception):
    """A value that breaks a rule: where in the item, which rule, and the value."""

    def __init__(self, field: str, code: str, message: str) -> None:
        super().__init__(message)
        self.field, self.code, self.message = field, code, message


def admitted(item: Any, file: str, account: str, region: str, number: int = 0) -> tuple[Any, tuple[Fault, ...]]:
    """An item as it may come in, or None, and its faults. The very same object where nothing had to be changed.

    Of a reservation only the instances that have faults are left out. ``number``: the item's in its file, from 0.
    """
    instances = item.get("Instances") if file == "Reservations" and isinstance(item, Mapping) else None
    if not isinstance(instances, list) or not instances:
        return _checked(item, file, account, region, number)
    parts = [_checked(one, "Instances", account, region, place) for place, one in enumerate(instances)]
    kept = [one for one, _faults in parts if one is not None]
    rest, wrong = _checked({**item, "Instances": []}, file, account, region, number)
    faults = (*wrong, *(replace(fault, file=file) for _one, faults in parts for fault in faults))
    if rest is None:
        return None, faults
    same = len(kept) == len(instances) and all(new is old for new, old in zip(kept, instances, strict=True))
    if same and all(rest[key] is item[key] for key in item if key != "Instances"):
        return item, ()
    return {**rest, "Instances": kept}, faults


def _checked(item: Any, file: str, account: str, region: str, number: int) -> tuple[Any, tuple[Fault, ...]]:
    try:
        return _value(item, "", "", RULES if file in CHECKED else {}), ()
    except _Wrong as wrong:
        return None, (Fault(account, region, file, named(file, item, number), wrong.field, wrong.code, wrong.message),)


def named(file: str, item: Any, number: int) -> str:
    """An item by its id where that is one that can be shown, else by its number."""
    told = item_id(file, item) if isinstance(item, Mapping) else ""
    return told if grammar.WORD.fullmatch(told) or grammar.is_address(told) else f"item {number}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _value(value: Any, key: str, path: str, rules: Mapping[str, Rule]) -> Any:
    """A value as it may come in: itself, or a copy with changed texts. Raises _Wrong."""
    if isinstance(value, str):
        return _text(value, key, path, rules.get(key))
    if isinstance(value, Mapping):
        new = {name: _value(one, name, f"{path}.{name}" if path else name, rules) for name, one in value.items()}
        if any(new[name] is not value[name] for name in value):
            return new
    elif isinstance(value, list | tuple):
        found = [_value(one, key, f"{path}[{place}]", rules) for place, one in enumerate(value)]
        if any(one is not old for one, old in zip(found, value, strict=True)):
            return found
    elif key in rules and value is not None and not (rules[key] in (_ACCOUNT, _PROTOCOL) and _is_number(value)):
        raise _Wrong(path, rules[key].code, f"is {shown(value)}, a text was expected")
    return value


def _text(text: str, key: str, path: str, rule: Rule | None) -> str:
    if rule is None:
        return text if key in _DOCUMENTS or grammar.is_line(text) else grammar.line(text)
    if text and not rule.holds(text):
        raise _Wrong(path, rule.code, f"is {shown(text)}, which is no {rule.noun}")
    return text


def shown(value: Any) -> str:
    """A value in a message: short, quoted, in ASCII."""
    told = json.dumps(value, default=str)
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}…"


class Gate:
    """Admits the items of a snapshot: an object that is the very same as last time is not checked again, and gives the very same object."""

    def __init__(self) -> None:
        self._kept: dict[Place, dict[int, tuple[Any, Any, tuple[Fault, ...]]]] = {}

    def admit(
        self, files: Mapping[Place, tuple[Item, ...]], only: Iterable[str] | None = None
    ) -> tuple[dict[Place, tuple[Item, ...]], tuple[Fault, ...]]:
        """The files of a snapshot without the items that have faults, and the faults. ``only``: leave out other files; None for all."""
        wanted = None if only is None else frozenset(only)
        found: dict[Place, tuple[Item, ...]] = {}
        faults: list[Fault] = []
        for place, items in files.items():
            if wanted is not None and place[2] not in wanted:
                continue
            old, new, kept = self._kept.get(place, {}), {}, []
            for number, item in enumerate(items):
                known = old.get(id(item))
                if known is None:
                    known = (item, *admitted(item, place[2], place[0], place[1], number))
                new[id(item)] = known
                if known[1] is not None:
                    kept.append(known[1])
                faults += known[2]
            self._kept[place] = new
            found[place] = tuple(kept)
        return found, tuple(faults)


def warnings(faults: Iterable[Fault]) -> tuple[str, ...]:
    """The faults as lines, those of an item once, and the rest of many as a count of each code and file."""
    every = sorted(dict.fromkeys(faults))
    lines = [str(fault) for fault in every[:TOLD]]
    rest = Counter((fault.code, fault.file) for fault in every[TOLD:])
    lines += [f"{file}: {count} more left out [{code}]" for (code, file), count in sorted(rest.items())]
    return tuple(lines)
