# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where two files of a snapshot tell the same thing and do not agree, or one holds a part only: warnings, one line for each file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from . import rules
from .files import Item, Place

Files = Mapping[Place, tuple[Item, ...]]
#: As many names as one line shows.
_SHOWN = 5


def contradictions(files: Files) -> tuple[str, ...]:
    """One line for each account, Region and kind of disagreement. What is misshapen is left to the parsers, which name it."""
    return (*_group_rules(files), *_interfaces(files))


def _items(files: Files, name: str) -> Iterator[tuple[str, str, Item]]:
    for (account, region, file), items in sorted(files.items(), key=lambda entry: entry[0]):
        if file == name:
            yield from ((account, region, item) for item in items)


def _group_rules(files: Files) -> Iterator[str]:
    """SecurityGroupRules against the groups' own IpPermissions: the same rules, told by two calls."""
    by_group: defaultdict[str, set[rules.Content]] = defaultdict(set)
    for account, region, item in _items(files, "SecurityGroupRules"):
        try:
            by_group[str(item.get("GroupId"))].add(rules.content(rules.rule(item, account, region, {})))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    found: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for account, region, item in _items(files, "SecurityGroups"):
        if (account, region, "SecurityGroupRules") not in files or not {"IpPermissions", "IpPermissionsEgress"} & item.keys():
            continue
        try:
            own = {rules.content(rule) for rule in rules.derived(item, account, region)}
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        told = by_group.get(str(item.get("GroupId")), set())
        if own != told:
            kind = _NOTHING if not told else _PART if told < own else _OTHER
            found[account, region, kind].append(str(item.get("GroupId")))
    for (account, region, kind), groups in sorted(found.items()):
        yield f"account {account}, Region {region}: " + kind.format(groups=_some(groups))


_NOTHING = "SecurityGroupRules.json holds no rules of {groups}, which SecurityGroups.json says to have some; those are used"
_PART = "SecurityGroupRules.json holds a part of the rules that SecurityGroups.json tells of {groups}; both are used"
_OTHER = "SecurityGroups.json and SecurityGroupRules.json tell different rules of {groups}; SecurityGroupRules.json is used"


def _interfaces(files: Files) -> Iterator[str]:
    """Interfaces that instances, endpoints and NAT gateways name, and NetworkInterfaces.json does not hold."""
    known = {item.get("NetworkInterfaceId") for _account, _region, item in _items(files, "NetworkInterfaces")}
    lacking: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for account, region, id_ in _named(files):
        if id_ not in known and (account, region, "NetworkInterfaces") in files:
            lacking[account, region].add(id_)
    for (account, region), ids in sorted(lacking.items()):
        where = f"account {account}, Region {region}"
        yield (
            f"{where}: NetworkInterfaces.json does not hold {_some(sorted(ids))}, which other files name; "
            "an address that no interface has may be in use"
        )


def _named(files: Files) -> Iterator[tuple[str, str, str]]:
    for account, region, reservation in _items(files, "Reservations"):
        for instance in _mappings(reservation, "Instances"):
            yield from ((account, region, id_) for id_ in _ids(instance, "NetworkInterfaces"))
    for account, region, instance in _items(files, "Instances"):
        yield from ((account, region, id_) for id_ in _ids(instance, "NetworkInterfaces"))
    for account, region, nat in _items(files, "NatGateways"):
        if nat.get("State") not in ("deleted", "deleting", "failed"):
            yield from ((account, region, id_) for id_ in _ids(nat, "NatGatewayAddresses"))
    for account, region, endpoint in _items(files, "VpcEndpoints"):
        if str(endpoint.get("State")).lower() not in ("deleted", "deleting", "failed", "rejected", "expired"):
            yield from ((account, region, str(id_)) for id_ in endpoint.get("NetworkInterfaceIds") or ())


def _mappings(item: Item, key: str) -> list[Item]:
    return [entry for entry in item.get(key) or () if isinstance(entry, Mapping)]


def _ids(item: Item, key: str) -> list[str]:
    return [str(entry["NetworkInterfaceId"]) for entry in _mappings(item, key) if entry.get("NetworkInterfaceId")]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
