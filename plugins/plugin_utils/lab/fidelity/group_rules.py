# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security group rules as values: what AWS accepts, how it writes them down, and how it shows them. Pure.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html (protocols, ports, ICMP),
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html (CIDRs are canonicalised, descriptions),
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups (how rules count).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..calls import Refusal
from .shapes import clean, invalid, new_id

Kind = Literal["ipv4", "ipv6", "group", "prefix_list"]
Key = tuple[bool, str, int | None, int | None, str, str]

_NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
_KEYWORDS = {"tcp", "udp", "icmp", "icmpv6", "-1"}
_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a group. ``value`` is a CIDR, a group id or a prefix list id; ports are ``None`` where AWS shows none.

    ``owner`` is the account of a referenced group and ``peering`` the connection over which it was accepted, if in another VPC.
    """

    id: str
    group: str
    egress: bool
    protocol: str
    from_port: int | None
    to_port: int | None
    kind: Kind
    value: str
    owner: str = ""
    vpc: str = ""
    peering: str = ""
    description: str | None = None

    @property
    def key(self) -> Key:
        """What makes two rules of one group the same rule (the description does not)."""
        return (self.egress, self.protocol, self.from_port, self.to_port, self.kind, self.value)


@dataclass(frozen=True, slots=True)
class Reference:
    """A group that a rule refers to: its id, its account, and its VPC and the connection when in another VPC."""

    value: str
    owner: str = ""
    vpc: str = ""
    peering: str = ""


def protocol_of(value: Any) -> str:
    """A protocol as AWS writes it down: tcp, udp, icmp, icmpv6, -1, or a number as text."""
    text = str(value if value is not None else "").strip().lower()
    text = _NAMES.get(text, text)
    if text in _KEYWORDS or (text.isdigit() and int(text) <= 255):
        return text
    if not text:
        raise Refusal("MissingParameter", "The request must contain the parameter ipProtocol")
    raise invalid(f"Invalid value '{value}' for IP protocol. Unknown protocol.")


def ports_of(protocol: str, first: Any, last: Any) -> tuple[int | None, int | None]:
    """The port range, or ICMP type and code, of a rule; ``(None, None)`` for protocols that have none."""
    if protocol not in ("tcp", "udp", "icmp", "icmpv6"):
        return None, None
    if protocol == "icmpv6" and first is None and last is None:
        return -1, -1
    if first is None or last is None:
        what = "ports with TCP/UDP" if protocol in ("tcp", "udp") else "type and code with ICMP"
        raise invalid(f"Invalid value 'Must specify both from and to {what}.' for portRange.")
    start, end = int(first), int(last)
    if protocol in ("tcp", "udp"):
        if not (0 <= start <= 65535 and 0 <= end <= 65535) or start > end:
            raise invalid(f"Invalid value '{start}-{end}' for portRange: a {protocol.upper()} range lies within 0-65535, low to high.")
    elif not (-1 <= start <= 255 and -1 <= end <= 255):
        raise invalid(f"ICMP code ({end}) and type ({start}) must lie within -1 and 255.")
    elif start == -1 and end != -1:
        raise invalid(f"ICMP code ({end}) must be -1 if ICMP type is -1.")
    return start, end


def cidr_of(value: Any, version: Literal[4, 6]) -> str:
    """A CIDR block in canonical form: AWS clears the host bits and accepts a bare address in neither family."""
    text = str(value)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or network.version != version or "/" not in text:
        raise invalid(f"CIDR block {text} is malformed")
    return str(network)


def description_of(value: Any) -> str | None:
    """A rule's description, or AWS's refusal of its characters or length; an empty one is none."""
    if value is None or value == "":
        return None
    if not _DESCRIPTION.fullmatch(str(value)):
        raise invalid("Invalid rule description: up to 255 characters of a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
    return str(value)


Resolve = Callable[[Mapping[str, Any]], Reference]


def sources(permission: Mapping[str, Any], group: str, egress: bool, resolve: Resolve) -> Iterator[Rule]:
    """The rules of one IpPermission. ``resolve`` finds the group of a UserIdGroupPair."""
    protocol = protocol_of(permission.get("IpProtocol"))
    first, last = ports_of(protocol, permission.get("FromPort"), permission.get("ToPort"))
    empty = Rule("", group, egress, protocol, first, last, "ipv4", "")
    for item in permission.get("IpRanges") or []:
        yield replace(empty, value=cidr_of(item.get("CidrIp"), 4), description=description_of(item.get("Description")))
    for item in permission.get("Ipv6Ranges") or []:
        yield replace(empty, kind="ipv6", value=cidr_of(item.get("CidrIpv6"), 6), description=description_of(item.get("Description")))
    for item in permission.get("UserIdGroupPairs") or []:
        found = resolve(item)
        named = replace(empty, kind="group", description=description_of(item.get("Description")))
        yield replace(named, value=found.value, owner=found.owner, vpc=found.vpc, peering=found.peering)
    for item in permission.get("PrefixListIds") or []:
        text = description_of(item.get("Description"))
        yield replace(empty, kind="prefix_list", value=str(item.get("PrefixListId")), description=text)


def default_rules(group: str, *, default: bool, ipv6: bool, account: str) -> list[Rule]:
    """What a new group holds: everything out, and in a VPC's default group everything in from its own members.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    """
    rules = [Rule(new_id("sgr"), group, True, "-1", None, None, "ipv4", "0.0.0.0/0")]
    if ipv6:
        rules.append(Rule(new_id("sgr"), group, True, "-1", None, None, "ipv6", "::/0"))
    if default:
        rules.append(Rule(new_id("sgr"), group, False, "-1", None, None, "group", group, owner=account))
    return rules


def weight(rules: Iterable[Rule], entries: Callable[[str], tuple[str, int]]) -> tuple[int, int]:
    """How many rules count for IPv4 and for IPv6: a group counts in both families, a prefix list its maximum in its own.

    ``entries`` gives a prefix list's address family and its maximum number of entries.
    """
    four = six = 0
    for rule in rules:
        if rule.kind == "prefix_list":
            family, most = entries(rule.value)
            four, six = (four + most, six) if family == "IPv4" else (four, six + most)
        else:
            four += rule.kind in ("ipv4", "group")
            six += rule.kind in ("ipv6", "group")
    return four, six


def said(rule: Rule) -> str:
    """A rule in the words of AWS's refusals."""
    ports = "" if rule.from_port is None else f", from port: {rule.from_port}, to port: {rule.to_port}"
    protocol = "ALL" if rule.protocol == "-1" else rule.protocol.upper()
    return f"peer: {rule.value}, {protocol}{ports}, ALLOW"


def permissions(rules: Iterable[Rule], pair: Callable[[Rule], dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules of one direction as IpPermissions: one per protocol and port range. ``pair`` renders a group reference."""
    result: dict[tuple[str, int | None, int | None], dict[str, Any]] = {}
    for rule in rules:
        entry = result.get((rule.protocol, rule.from_port, rule.to_port))
        if entry is None:
            entry = clean({"IpProtocol": rule.protocol, "FromPort": rule.from_port, "ToPort": rule.to_port})
            entry.update(IpRanges=[], Ipv6Ranges=[], UserIdGroupPairs=[], PrefixListIds=[])
            result[rule.protocol, rule.from_port, rule.to_port] = entry
        if rule.kind == "ipv4":
            entry["IpRanges"].append(clean({"CidrIp": rule.value, "Description": rule.description}))
        elif rule.kind == "ipv6":
            entry["Ipv6Ranges"].append(clean({"CidrIpv6": rule.value, "Description": rule.description}))
        elif rule.kind == "prefix_list":
            entry["PrefixListIds"].append(clean({"PrefixListId": rule.value, "Description": rule.description}))
        else:
            entry["UserIdGroupPairs"].append(pair(rule))
    return list(result.values())


_MEMBERS = {"ipv4": "CidrIpv4", "ipv6": "CidrIpv6", "prefix_list": "PrefixListId"}


def single(rule: Rule) -> dict[str, Any]:
    """A rule as DescribeSecurityGroupRules shows it, without what depends on the account (tags, owner, reference).

    Absent ports are -1 there, unlike in IpPermissions.
    """
    shown = {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group,
        "IsEgress": rule.egress,
        "IpProtocol": rule.protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "Description": rule.description,
    }
    if rule.kind != "group":
        shown[_MEMBERS[rule.kind]] = rule.value
    return clean(shown)
