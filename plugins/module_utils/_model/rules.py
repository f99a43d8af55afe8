# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protocols, ports and CIDR blocks in one form, and security group rules and ACL entries read from what AWS says of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from .network import AclEntry, Rule

#: Protocol numbers that AWS and people write by name. https://www.iana.org/assignments/protocol-numbers
PROTOCOLS: Mapping[str, str] = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": "-1", "ipv6-icmp": "icmpv6"}
_ICMP = ("icmp", "icmpv6")
_PORTED = ("tcp", "udp")


def protocol_name(value: Any) -> str:
    """``6`` and ``TCP`` become ``tcp``, ``all`` becomes ``-1``; a protocol without a name of ours stays a number."""
    text = str(value).strip().lower()
    return PROTOCOLS.get(text, text)


@lru_cache(maxsize=65536)
def canonical(cidr: str) -> str:
    """A block in canonical form: host bits cleared, IPv6 compressed; an address without a length is a /32 or /128.

    What is no block stays as it is.
    """
    try:
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError:
        return cidr


def ports(protocol: str, first: Any, last: Any) -> tuple[int | None, int | None]:
    """A rule's ports in one form: (None, None) for all; for ICMP (type, code), -1 for any; None for protocols without ports.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    """
    if protocol in _ICMP:
        return (-1 if first is None else int(first)), (-1 if last is None else int(last))
    if protocol not in _PORTED or first is None or last is None or int(first) == -1:
        return None, None
    low, high = int(first), int(last)
    return (None, None) if (low, high) == (0, 65535) else (low, high)


def rule(item: Mapping[str, Any], account: str, region: str, tags: Mapping[str, str]) -> Rule:
    """One item of SecurityGroupRules."""
    protocol = protocol_name(item.get("IpProtocol", "-1"))
    low, high = ports(protocol, item.get("FromPort"), item.get("ToPort"))
    peer = item.get("ReferencedGroupInfo") or {}
    return Rule(
        id=item["SecurityGroupRuleId"],
        account=str(item.get("GroupOwnerId") or account),
        region=region,
        tags=tags,
        group=item["GroupId"],
        egress=bool(item.get("IsEgress")),
        protocol=protocol,
        from_port=low,
        to_port=high,
        cidr=canonical(item.get("CidrIpv4") or item.get("CidrIpv6") or ""),
        prefix_list=item.get("PrefixListId") or "",
        source_group=peer.get("GroupId") or "",
        source_account=peer.get("UserId") or "",
        source_vpc=peer.get("VpcId") or "",
        peering=peer.get("VpcPeeringConnectionId") or "",
        peering_status=peer.get("PeeringStatus") or "",
        description=item.get("Description") or "",
    )


#: What a rule says, whatever its id.
Content: TypeAlias = "tuple[bool, str, int | None, int | None, str]"


def content(rule: Rule) -> Content:
    """What tells two rules of a group apart."""
    return rule.egress, rule.protocol, rule.from_port, rule.to_port, rule.cidr or rule.prefix_list or rule.source_group


def derived(group: Mapping[str, Any], account: str, region: str) -> Iterator[Rule]:
    """The rules in a group's own IpPermissions, for snapshots without SecurityGroupRules. Ids are made up, and the same on every run."""
    for egress, key in ((False, "IpPermissions"), (True, "IpPermissionsEgress")):
        for permission in group.get(key) or ():
            protocol = protocol_name(permission.get("IpProtocol", "-1"))
            low, high = ports(protocol, permission.get("FromPort"), permission.get("ToPort"))
            where = f"derived:{group['GroupId']}:{'egress' if egress else 'ingress'}:{protocol}:{low}-{high}"
            for peer, fields in _peers(permission):
                yield Rule(
                    id=f"{where}:{peer}",
                    account=str(group.get("OwnerId") or account),
                    region=region,
                    group=group["GroupId"],
                    egress=egress,
                    protocol=protocol,
                    from_port=low,
                    to_port=high,
                    **fields,
                )


def _peers(permission: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, name in (("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")):
        for entry in permission.get(key) or ():
            cidr = canonical(entry[name])
            yield cidr, {"cidr": cidr, "description": entry.get("Description") or ""}
    for entry in permission.get("PrefixListIds") or ():
        yield entry["PrefixListId"], {"prefix_list": entry["PrefixListId"], "description": entry.get("Description") or ""}
    for entry in permission.get("UserIdGroupPairs") or ():
        owner = entry.get("UserId") or ""
        yield (
            f"{owner}/{entry['GroupId']}" if owner else entry["GroupId"],
            {
                "source_group": entry["GroupId"],
                "source_account": owner,
                "source_vpc": entry.get("VpcId") or "",
                "peering": entry.get("VpcPeeringConnectionId") or "",
                "peering_status": entry.get("PeeringStatus") or "",
                "description": entry.get("Description") or "",
            },
        )


def acl_entry(item: Mapping[str, Any]) -> AclEntry:
    """One entry of a network ACL."""
    protocol = protocol_name(item.get("Protocol", "-1"))
    span = item.get("PortRange") or {}
    low, high = ports(protocol, span.get("From"), span.get("To")) if protocol in _PORTED else (None, None)
    icmp = item.get("IcmpTypeCode") or {}
    return AclEntry(
        number=int(item["RuleNumber"]),
        egress=bool(item.get("Egress")),
        allow=item.get("RuleAction") == "allow",
        protocol=protocol,
        cidr=canonical(item.get("CidrBlock") or item.get("Ipv6CidrBlock") or ""),
        from_port=low,
        to_port=high,
        icmp=(int(icmp.get("Type", -1)), int(icmp.get("Code", -1))) if protocol in _ICMP else None,
    )
