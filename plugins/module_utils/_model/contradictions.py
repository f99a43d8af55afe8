# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where two files of a snapshot tell the same thing and do not agree, or one holds a part only: warnings, one line for each file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from . import rules
from .network import Rule
from .snapshot import Item, Snapshot

#: As many names as one line shows.
_SHOWN = 5


def contradictions(snapshot: Snapshot) -> tuple[str, ...]:
    """One line for each account, Region and file in question. What is misshapen is left to the parsers, which name it."""
    return (*_group_rules(snapshot), *_interfaces(snapshot))


def _group_rules(snapshot: Snapshot) -> Iterator[str]:
    """SecurityGroupRules against the groups' own IpPermissions: the same rules, told by two calls."""
    by_group: defaultdict[str, set[tuple[object, ...]]] = defaultdict(set)
    for account, region, item in snapshot.items("SecurityGroupRules"):
        try:
            by_group[str(item.get("GroupId"))].add(_content(rules.rule(item, account, region, {})))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    partial: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    different: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for account, region, item in snapshot.items("SecurityGroups"):
        if (account, region, "SecurityGroupRules") not in snapshot.files or not {"IpPermissions", "IpPermissionsEgress"} & item.keys():
            continue
        try:
            own = {_content(rule) for rule in rules.derived(item, account, region)}
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        told = by_group.get(str(item.get("GroupId")), set())
        if own and not told:
            partial[account, region].append(str(item.get("GroupId")))
        elif own != told:
            different[account, region].append(str(item.get("GroupId")))
    for (account, region), groups in sorted(partial.items()):
        where = f"account {account}, Region {region}"
        yield (
            f"{where}: SecurityGroupRules.json holds no rules of {_some(groups)}, "
            "which SecurityGroups.json says to have some; those are used"
        )
    for (account, region), groups in sorted(different.items()):
        where = (
            f"account {account}, Region {region}: SecurityGroups.json and SecurityGroupRules.json tell different rules of {_some(groups)}"
        )
        yield f"{where}; SecurityGroupRules.json is used"


def _content(rule: Rule) -> tuple[object, ...]:
    peer = rule.cidr or rule.prefix_list or rule.source_group
    return rule.egress, rule.protocol, rule.from_port, rule.to_port, peer


def _interfaces(snapshot: Snapshot) -> Iterator[str]:
    """Interfaces that instances, endpoints and NAT gateways name, and NetworkInterfaces.json does not hold."""
    known = {item.get("NetworkInterfaceId") for _account, _region, item in snapshot.items("NetworkInterfaces")}
    lacking: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for account, region, id_ in _named(snapshot):
        if id_ not in known and (account, region, "NetworkInterfaces") in snapshot.files:
            lacking[account, region].add(id_)
    for (account, region), ids in sorted(lacking.items()):
        where = f"account {account}, Region {region}"
        yield (
            f"{where}: NetworkInterfaces.json does not hold {_some(sorted(ids))}, which other files name; "
            "an address that no interface has may be in use"
        )


def _named(snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
    for account, region, reservation in snapshot.items("Reservations"):
        for instance in _mappings(reservation, "Instances"):
            yield from ((account, region, id_) for id_ in _ids(instance, "NetworkInterfaces"))
    for account, region, instance in snapshot.items("Instances"):
        yield from ((account, region, id_) for id_ in _ids(instance, "NetworkInterfaces"))
    for account, region, nat in snapshot.items("NatGateways"):
        if nat.get("State") not in ("deleted", "deleting", "failed"):
            yield from ((account, region, id_) for id_ in _ids(nat, "NatGatewayAddresses"))
    for account, region, endpoint in snapshot.items("VpcEndpoints"):
        if str(endpoint.get("State")).lower() not in ("deleted", "deleting", "failed", "rejected", "expired"):
            yield from ((account, region, str(id_)) for id_ in endpoint.get("NetworkInterfaceIds") or ())


def _mappings(item: Item, key: str) -> list[Item]:
    return [entry for entry in item.get(key) or () if isinstance(entry, Mapping)]


def _ids(item: Item, key: str) -> list[str]:
    return [str(entry["NetworkInterfaceId"]) for entry in _mappings(item, key) if entry.get("NetworkInterfaceId")]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
