# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed prefix lists: versions, a fixed maximum that counts in the quotas of what references them, AWS's own lists.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html (rules, versions, references, weights of AWS's
lists), https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyManagedPrefixList.html.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ..calls import Call, Refusal, instead
from .groups_store import rules_of
from .shapes import all_groups, clean, invalid, keep, missing, named, page, paged, put_tags, tags_asked, tags_of

# https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html#aws-managed-prefix-list-weights
AWS_WEIGHTS = {"s3": 1, "dynamodb": 1, "origin-facing": 55, "groundstation": 5, "vpc-lattice": 10}
_AT_ONCE = 100


def find_list(backend: Any, prefix_list: str) -> Any:
    """The emulator's prefix list object, or InvalidPrefixListID.NotFound."""
    found = backend.managed_prefix_lists.get(prefix_list)
    if found is None:
        raise Refusal("InvalidPrefixListID.NotFound", f"The prefix list ID '{prefix_list}' does not exist")
    return found


def _own(call: Call) -> Any:
    found = find_list(call.backend(), str(call.params.get("PrefixListId") or ""))
    if found.resource_owner_id == "AWS":
        raise Refusal("OperationNotPermitted", f"The prefix list '{found.id}' is managed by AWS and cannot be changed.")
    return found


def entries_of(prefix_list: Any, version: int | None = None) -> list[dict[str, str]]:
    """The entries of a version, by default the present one."""
    if prefix_list.version is None:
        return list(next(iter(prefix_list.entries.values()), []))
    return list(prefix_list.entries.get(version or prefix_list.version, []))


def canonical(entries: Sequence[Mapping[str, Any]], family: str) -> list[dict[str, str]]:
    """Entries with their CIDRs in canonical form, or AWS's refusal of a CIDR or of one given twice. Pure."""
    result: dict[str, dict[str, str]] = {}
    if len(entries) > _AT_ONCE:
        raise invalid(f"At most {_AT_ONCE} entries can be given in one request; {len(entries)} were.")
    for entry in entries:
        text = str(entry.get("Cidr") or "")
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise invalid(f"Invalid CIDR {text}") from None
        if f"IPv{network.version}" != family:
            raise invalid(f"The CIDR {text} is not of the prefix list's address family {family}")
        if str(network) in result:
            raise invalid(f"The CIDR {network} is given more than once")
        result[str(network)] = clean({"Cidr": str(network), "Description": entry.get("Description")})
    return list(result.values())


def changed(have: Sequence[Mapping[str, Any]], add: Sequence[Mapping[str, Any]], remove: Sequence[str], most: int) -> list[dict[str, str]]:
    """The entries after a change; an added CIDR that is there gets the new description. Pure; refuses what exceeds ``most``."""
    result = {str(entry["Cidr"]): dict(entry) for entry in have}
    for cidr in remove:
        if cidr not in result:
            raise invalid(f"The CIDR {cidr} is not in the prefix list")
        del result[cidr]
    result.update({str(entry["Cidr"]): dict(entry) for entry in add})
    if len(result) > most:
        raise Refusal("PrefixListMaxEntriesExceeded", f"The prefix list would hold {len(result)} entries; its maximum is {most}.")
    return list(result.values())


@instead("ec2", "CreateManagedPrefixList")
def create(call: Call) -> dict[str, Any]:
    """Make a prefix list with a maximum number of entries."""
    backend, params = call.backend(), call.params
    name, family = str(params.get("PrefixListName") or ""), str(params.get("AddressFamily") or "")
    for value, what in ((name, "PrefixListName"), (family, "AddressFamily"), (params.get("MaxEntries"), "MaxEntries")):
        if not value:
            raise missing(what)
    if name.startswith("com.amazonaws") or len(name) > 255:
        raise invalid(f"Value ({name}) for parameter PrefixListName is invalid: up to 255 characters, not starting with com.amazonaws.")
    if family not in ("IPv4", "IPv6"):
        raise invalid(f"Value ({family}) for parameter AddressFamily is invalid: IPv4 or IPv6.")
    most = _maximum(call, int(params["MaxEntries"]))
    entries = changed([], canonical(params.get("Entries") or [], family), [], most)
    tags = tags_asked(call, "prefix-list")
    if sum(item.resource_owner_id != "AWS" for item in backend.managed_prefix_lists.values()) >= call.lab.quotas["prefix_lists"]:
        raise Refusal("PrefixListLimitExceeded", "The maximum number of prefix lists has been reached.")
    made = backend.create_managed_prefix_list(address_family=family, entry=entries, max_entries=most, prefix_list_name=name)
    made.entries = {1: entries}
    made.max_entries = most
    put_tags(backend, made.id, tags)
    return {"PrefixList": {**show(call, made), "State": "create-in-progress"}}


def _maximum(call: Call, most: int) -> int:
    limit = call.lab.quotas["prefix_list_entries"]
    if not 1 <= most <= limit:
        raise invalid(f"Value ({most}) for parameter MaxEntries is invalid: 1 to {limit}.")
    return most


def references(backend: Any, prefix_list: str) -> list[str]:
    """The ids of the security groups and route tables that reference a prefix list."""
    found = [
        group.id
        for group in all_groups(backend).values()
        if any(rule.kind == "prefix_list" and rule.value == prefix_list for rule in rules_of(group))
    ]
    for table in list(backend.route_tables.values()):
        if any(route.destination_prefix_list is not None and route.destination_prefix_list.id == prefix_list for route in table.routes):
            found.append(table.id)
    return found


def _too_small(call: Call, prefix_list: Any, most: int) -> list[str]:
    """The referencing resources whose quota a new maximum would break."""
    from .groups import check_count

    backend, old, broken = call.backend(), prefix_list.max_entries, []
    prefix_list.max_entries = most
    try:
        for resource in references(backend, prefix_list.id):
            if resource.startswith("rtb-"):
                routes = [route for route in backend.route_tables[resource].routes if not route.local]
                weight = sum(
                    int(route.destination_prefix_list.max_entries or 1) if route.destination_prefix_list is not None else 1
                    for route in routes
                )
                if weight > call.lab.quotas["routes_per_table"]:
                    broken.append(resource)
                continue
            try:
                check_count(call, rules_of(all_groups(backend)[resource]))
            except Refusal:
                broken.append(resource)
    finally:
        prefix_list.max_entries = old
    return broken


def _version(call: Call, prefix_list: Any) -> None:
    given = call.params.get("CurrentVersion")
    if given is None:
        raise missing("CurrentVersion")
    if int(given) != prefix_list.version:
        text = f"The prefix list has the incorrect version number: it is {prefix_list.version}, not {given}"
        raise Refusal("PrefixListVersionMismatch", text)


@instead("ec2", "ModifyManagedPrefixList")
def modify(call: Call) -> dict[str, Any]:
    """Change entries (a new version), or the maximum, or the name."""
    found, params = _own(call), call.params
    add = canonical(params.get("AddEntries") or [], found.address_family)
    remove = [entry["Cidr"] for entry in canonical(params.get("RemoveEntries") or [], found.address_family)]
    most = params.get("MaxEntries")
    if most is not None and (add or remove):
        raise Refusal("InvalidParameterCombination", "The entries and the maximum of a prefix list cannot be changed in one request.")
    if add or remove:
        _version(call, found)
        entries = changed(entries_of(found), add, remove, int(found.max_entries))
        found.version += 1
        found.entries[found.version] = entries
    if most is not None:
        number = _maximum(call, int(most))
        if number < len(entries_of(found)):
            raise invalid(f"The prefix list holds {len(entries_of(found))} entries; the maximum cannot be {number}.")
        broken = _too_small(call, found, number)
        if broken:
            found.state = "modify-failed"
            found.state_message = f"The new maximum of {number} exceeds the quota of {', '.join(broken[:10])}"
            return {"PrefixList": {**show(call, found), "State": "modify-in-progress"}}
        found.max_entries = number
    if params.get("PrefixListName"):
        found.prefix_list_name = str(params["PrefixListName"])
    found.state, found.state_message = "modify-complete", None
    return {"PrefixList": {**show(call, found), "State": "modify-in-progress"}}


@instead("ec2", "RestoreManagedPrefixListVersion")
def restore(call: Call) -> dict[str, Any]:
    """Make a new version with the entries of an earlier one."""
    found = _own(call)
    _version(call, found)
    previous = int(call.params.get("PreviousVersion") or 0)
    if previous not in found.entries:
        raise invalid(f"The prefix list '{found.id}' has no version {previous}")
    entries = changed([], found.entries[previous], [], int(found.max_entries))
    found.version += 1
    found.entries[found.version] = entries
    found.state = "restore-complete"
    return {"PrefixList": {**show(call, found), "State": "restore-in-progress"}}


@instead("ec2", "DeleteManagedPrefixList")
def delete(call: Call) -> dict[str, Any]:
    """Remove a list that nothing references."""
    backend, found = call.backend(), _own(call)
    used = references(backend, found.id)
    if used:
        raise Refusal("DependencyViolation", f"The prefix list '{found.id}' is referenced by {', '.join(used[:10])} and cannot be deleted.")
    shown = {**show(call, found), "State": "delete-in-progress"}
    del backend.managed_prefix_lists[found.id]
    backend.tags.pop(found.id, None)
    return {"PrefixList": shown}


def show(call: Call, found: Any) -> dict[str, Any]:
    """A prefix list as DescribeManagedPrefixLists shows it; AWS's own show neither version nor maximum."""
    aws = found.resource_owner_id == "AWS"
    owner = "aws" if aws else call.account
    return clean(
        {
            "PrefixListId": found.id,
            "PrefixListName": found.prefix_list_name,
            "AddressFamily": found.address_family,
            "State": found.state,
            "StateMessage": found.state_message,
            "PrefixListArn": f"arn:aws:ec2:{call.region}:{owner}:prefix-list/{found.id}",
            "MaxEntries": None if aws else int(found.max_entries),
            "Version": None if aws else int(found.version),
            "OwnerId": "AWS" if aws else call.account,
            "Tags": tags_of(call.backend(), found.id),
        }
    )


@instead("ec2", "DescribeManagedPrefixLists")
def describe(call: Call) -> dict[str, Any]:
    """AWS's prefix lists and the account's."""
    backend = call.backend()
    items = named(call, "PrefixListIds", backend.managed_prefix_lists, "InvalidPrefixListID.NotFound", "prefix list ID")
    fields = {
        "owner-id": lambda item: "AWS" if item.resource_owner_id == "AWS" else call.account,
        "prefix-list-id": lambda item: item.id,
        "prefix-list-name": lambda item: item.prefix_list_name,
    }
    items = keep(call, items, fields, lambda item: backend.tags.get(item.id, {}))
    return paged(call, "PrefixLists", items, lambda item: show(call, item), 1, 100)


@instead("ec2", "DescribePrefixLists")
def describe_aws(call: Call) -> dict[str, Any]:
    """AWS's lists of the services that have gateway endpoints, with their CIDRs."""
    lists = call.backend().managed_prefix_lists
    table = {key: item for key, item in lists.items() if item.prefix_list_name in gateway_services(call.region)}
    items = named(call, "PrefixListIds", table, "InvalidPrefixListId.NotFound", "prefix list ID")
    fields = {"prefix-list-id": lambda item: item.id, "prefix-list-name": lambda item: item.prefix_list_name}
    items = keep(call, items, fields, lambda item: {})

    def render(item: Any) -> dict[str, Any]:
        cidrs = [entry["Cidr"] for entry in entries_of(item)]
        return {"PrefixListId": item.id, "PrefixListName": item.prefix_list_name, "Cidrs": cidrs}

    return paged(call, "PrefixLists", items, render)


def gateway_services(region: str) -> tuple[str, ...]:
    """The names of the services with gateway endpoints."""
    return (f"com.amazonaws.{region}.s3", f"com.amazonaws.{region}.dynamodb")


@instead("ec2", "GetManagedPrefixListEntries")
def get_entries(call: Call) -> dict[str, Any]:
    """The entries of a version."""
    found = find_list(call.backend(), str(call.params.get("PrefixListId") or ""))
    version = int(call.params["TargetVersion"]) if call.params.get("TargetVersion") else None
    if version is not None and found.version is not None and version not in found.entries:
        raise invalid(f"The prefix list '{found.id}' has no version {version}")
    shown, following = page(call, entries_of(found, version), 1, 100, 100)
    return clean({"Entries": shown, "NextToken": following})


@instead("ec2", "GetManagedPrefixListAssociations")
def get_associations(call: Call) -> dict[str, Any]:
    """What references a list."""
    found = find_list(call.backend(), str(call.params.get("PrefixListId") or ""))
    items = references(call.backend(), found.id)
    return paged(call, "PrefixListAssociations", items, lambda item: {"ResourceId": item, "ResourceOwner": call.account})
