# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters and pages of every describe call, read from the answer's own shape.

A filter is the path of members in an item of the answer, in AWS's spelling: ``network-interface.subnet-id`` is
``NetworkInterfaces.SubnetId``; where AWS's name is another, ``filter_paths`` has it. Which filters a call has is in botocore's
documentation of the call. Calls that the emulator answers are filtered and paged here altogether, without asking it; those of this
layer know some filters by the emulator's objects, which is quicker (shapes.keep), and come here with the rest.
Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html and the API page of each call.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ..calls import Call, Refusal
from ..wire import operation_model
from .describe_ids import check_forms, check_found
from .filter_paths import NOWHERE, PATHS
from .shapes import holds, invalid, page

_FILTERS = ("Filters", "Filter")
_NAME = re.compile(r"<li>\s*<p>\s*<code>([^<]+)</code>")
_TAGS = ("Tags", "TagSet")
#: Where the items of an answer stand deeper than in one list.
_ITEMS = {"DescribeInstances": ("Reservations", "Instances")}
_VALUES, _FILTERS_AT_MOST = 200, 50
#: Their handlers filter and page by themselves: this layer's (shapes.keep and shapes.paged), and the emulator's search of routes.
BY_THEMSELVES = frozenset(
    {
        "DescribeAddresses",
        "DescribeDhcpOptions",
        "DescribeEgressOnlyInternetGateways",
        "DescribeFlowLogs",
        "DescribeInstances",
        "DescribeInternetGateways",
        "DescribeManagedPrefixLists",
        "DescribeNatGateways",
        "DescribeNetworkAcls",
        "DescribeNetworkInterfaces",
        "DescribePrefixLists",
        "DescribeRouteTables",
        "DescribeSecurityGroupRules",
        "DescribeSecurityGroups",
        "DescribeStaleSecurityGroups",
        "DescribeSubnets",
        "DescribeTags",
        "DescribeVpcEndpointServices",
        "DescribeVpcEndpoints",
        "DescribeVpcPeeringConnections",
        "DescribeVpcs",
        "GetManagedPrefixListAssociations",
        "GetManagedPrefixListEntries",
        "SearchTransitGatewayRoutes",
    }
)


#: Lists of values that a call may name its items by, which the emulator does not look at: parameter -> member. ``self`` is the caller.
_NAMED_BY = {"DescribeKeyPairs": {"KeyPairIds": "KeyPairId"}, "DescribeSnapshots": {"OwnerIds": "OwnerId"}}


#: The emulator's own lists are long: what it can narrow by itself it is asked to narrow first.
_NARROWED = {
    "DescribeImages": frozenset(
        {"architecture", "image-id", "name", "owner-id", "owner-alias", "root-device-type", "state", "virtualization-type"}
    ),
    "DescribeInstanceTypes": frozenset({"instance-type"}),
    "DescribeSnapshots": frozenset({"snapshot-id", "volume-id", "owner-id"}),
}


# -- what a call has -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def filter_member(action: str) -> str:
    """The parameter of a call's filters, or ""."""
    shape = operation_model("ec2", action).input_shape
    found = [name for name in _FILTERS if shape is not None and name in shape.members and shape.members[name].type_name == "list"]
    return found[0] if found else ""


@lru_cache(maxsize=512)
def documented(action: str) -> tuple[str, ...]:
    """The filters that AWS documents for a call; ``tag:`` stands for tags by their keys."""
    member = filter_member(action)
    if not member:
        return ()
    text = operation_model("ec2", action).input_shape.members[member].documentation
    names = [html.unescape(name).strip() for name in _NAME.findall(text)]
    return tuple(dict.fromkeys("tag:" if name == "tag" or name.startswith("tag:") else name for name in names))


@lru_cache(maxsize=512)
def item_members(action: str) -> tuple[str, ...]:
    """The members of the answer that hold the call's items."""
    shape = operation_model("ec2", action).output_shape
    return tuple(name for name, member in shape.members.items() if member.type_name == "list" and member.member.type_name == "structure")


def _plain(name: str) -> str:
    text = name.replace("-", "").replace("_", "").lower()
    if text.endswith("sses"):
        return text[:-2]
    return text[:-1] if text.endswith("s") and not text.endswith("ss") else text


@lru_cache(maxsize=512)
def _index(action: str) -> dict[str, tuple[str, ...]]:
    """The paths of an item by their plain spelling."""
    shape = operation_model("ec2", action).output_shape
    for member in _ITEMS.get(action) or item_members(action)[:1]:
        shape = shape.members[member].member
    return {"".join(_plain(part) for part in path): path for path in _paths(shape, (), ())}


def _paths(shape: Any, above: tuple[str, ...], over: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, member in shape.members.items():
        inner = member
        while inner.type_name == "list":
            inner = inner.member
        if inner.type_name == "structure" and inner.name not in over:
            yield from _paths(inner, (*above, name), (*over, inner.name))
        elif inner.type_name != "structure":
            yield (*above, name)


@lru_cache(maxsize=4096)
def path_of(action: str, name: str) -> tuple[str, ...] | None:
    """Where a filter looks in an item: a path, ``()`` for what no item of the lab ever has, ``None`` for what has no place."""
    named = PATHS.get(action, {}).get(name)
    if named is not None:
        return () if named == NOWHERE else tuple(named.split("."))
    return _index(action).get("".join(_plain(part) for part in name.split(".")))


def values_at(item: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """All values at a path, through lists."""
    if isinstance(item, list):
        for part in item:
            yield from values_at(part, path)
    elif not path:
        if item is not None:
            yield _moment(item) if isinstance(item, datetime) else item
    elif isinstance(item, Mapping) and path[0] in item:
        yield from values_at(item[path[0]], path[1:])


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"


def by_view(action: str, name: str, view: Mapping[str, Any]) -> list[Any]:
    """What a filter sees of an item as it is shown. Raises Refusal for a filter that the call has not, or that looks at no member."""
    if name.startswith("tag:") or name in ("tag-key", "tag-value"):
        tags: list[dict[str, str]] = next((view[member] for member in _TAGS if member in view), [])
        if name.startswith("tag:"):
            return [tag.get("Value", "") for tag in tags if tag.get("Key") == name[4:]]
        return [tag.get("Key" if name == "tag-key" else "Value", "") for tag in tags]
    check_name(action, name)
    path = path_of(action, name)
    return list(values_at(view, path)) if path else []


def check_name(action: str, name: str) -> None:
    """Refuse a filter that AWS does not document for the call, or that the lab cannot answer."""
    known = documented(action)
    if name.startswith("tag:") and ("tag:" in known or "tag-key" in known):
        return
    if name not in known and name not in PATHS.get(action, {}):
        raise invalid(f"The filter '{name}' is invalid")
    if name not in ("tag-key", "tag-value") and path_of(action, name) is None:
        raise Refusal("UnsupportedOperation", f"{action}: the embedded lab does not support the filter {name}.")


# -- calls that the emulator answers -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Selection:
    """What a call asked to be shown of the whole answer. ``named``: member -> the values that one of which an item must have."""

    call: Call
    filters: tuple[tuple[str, tuple[str, ...]], ...]
    named: Mapping[str, frozenset[str]]

    def of(self, result: dict[str, Any]) -> dict[str, Any]:
        """The answer with what passes the filters, one page of it. Raises Refusal for an id that nothing has."""
        action, shown = self.call.action, dict(result)
        shown.pop("NextToken", None)
        members = [member for member in item_members(action) if member in result]
        check_found(self.call, [item for member in members for item in result[member]])
        for member in members:
            items = [item for item in result[member] if self._passes(item)]
            shown[member], following = page(self.call, items, *bounds(action)) if _pages(action) else (items, None)
            if following:
                shown["NextToken"] = following
        return shown

    def _passes(self, item: Mapping[str, Any]) -> bool:
        return all(item.get(member) in values for member, values in self.named.items()) and all(
            holds(wanted, by_view(self.call.action, name, item)) for name, wanted in self.filters
        )


@lru_cache(maxsize=512)
def _pages(action: str) -> bool:
    shape = operation_model("ec2", action).input_shape
    return shape is not None and "MaxResults" in shape.members


@lru_cache(maxsize=512)
def bounds(action: str) -> tuple[int, int]:
    """The bounds of MaxResults: those of botocore's model, else those of most calls."""
    metadata = operation_model("ec2", action).input_shape.members["MaxResults"].metadata
    return int(metadata.get("min", 1)), int(metadata.get("max", 1000))


def check_filters(call: Call) -> list[tuple[str, tuple[str, ...]]]:
    """A call's filters, each of them one that it may have."""
    result = []
    given = call.params.get(filter_member(call.action)) or [] if filter_member(call.action) else []
    if len(given) > _FILTERS_AT_MOST:
        raise Refusal("FilterLimitExceeded", f"The request has more than {_FILTERS_AT_MOST} filters.")
    for entry in given:
        name, wanted = str(entry.get("Name", "")), tuple(str(value) for value in entry.get("Values") or ())
        if not wanted:
            raise invalid(f"The filter '{name}' has no values")
        if len(wanted) > _VALUES:
            raise Refusal("FilterLimitExceeded", f"The filter '{name}' has more than {_VALUES} values.")
        check_name(call.action, name)
        result.append((name, wanted))
    return result


def selects(service: str, action: str) -> bool:
    """Whether a call is filtered and paged here."""
    if service != "ec2" or action in BY_THEMSELVES or not action.startswith(("Describe", "Get")):
        return False
    return bool(filter_member(action)) or _pages(action) or action in _NAMED_BY


def select(call: Call) -> Selection | None:
    """Take filters and paging off a call that does not do them by itself; ``None`` for any other. Refuses ids that are none."""
    action = call.action
    check_forms(call)
    if not selects(call.service, action):
        return None
    filters = check_filters(call)
    if _pages(action):
        page(call, [], *bounds(action))  # refuses a size and a token that are none
        if call.params.get("MaxResults") and (ids := _ids_beside(call)):
            raise Refusal("InvalidParameterCombination", f"The parameter {ids} cannot be used with the parameter maxResults")
    named = {
        member: frozenset(call.account if value == "self" else str(value) for value in call.params[name])
        for name, member in _NAMED_BY.get(action, {}).items()
        if call.params.get(name)
    }
    selection = Selection(Call(call.lab, "ec2", action, call.account, call.region, dict(call.params)), tuple(filters), named)
    narrowed = [item for item in call.params.get(filter_member(action)) or () if item.get("Name") in _NARROWED.get(action, ())]
    for name in (filter_member(action), "MaxResults", "NextToken", *_NAMED_BY.get(action, ())):
        call.params.pop(name, None)
    if narrowed:
        call.params[filter_member(action)] = narrowed
    return selection


def _ids_beside(call: Call) -> str:
    """The ids of a call whose documentation says that they exclude MaxResults."""
    text = operation_model("ec2", call.action).input_shape.members["MaxResults"].documentation
    if "cannot specify this parameter and" not in text:
        return ""
    return next((name for name in call.params if name.endswith("Ids") and call.params[name]), "")
