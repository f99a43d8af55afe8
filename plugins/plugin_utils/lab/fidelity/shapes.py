# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several areas of the fidelity layer need alike: filters, paging, tags at creation, look-ups over the emulator's objects.

Filters follow AWS: the values of one filter are alternatives, several filters must all hold, ``*`` and ``?`` are wildcards
unless a backslash stands before them (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html).
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from ..calls import Call, Refusal

Item = TypeVar("Item")
Value = str | bool | int | None
Field = Callable[[Item], "Value | Iterable[Value]"]

TAGS_PER_RESOURCE = 50
_TAG_KEY, _TAG_VALUE = 128, 256


def new_id(prefix: str) -> str:
    """A resource id in AWS's long form: the prefix and 17 hexadecimal digits."""
    return f"{prefix}-{secrets.token_hex(9)[:17]}"


def clean(value: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping without its empty members (``None``), which AWS leaves out of an answer."""
    return {key: item for key, item in value.items() if item is not None}


def invalid(message: str) -> Refusal:
    """AWS's general refusal of a parameter's value."""
    return Refusal("InvalidParameterValue", message)


def missing(parameter: str) -> Refusal:
    """AWS's refusal of a request that lacks a required parameter."""
    return Refusal("MissingParameter", f"The request must contain the parameter {parameter}")


# -- tags ----------------------------------------------------------------------------------------------------------------------


def tags_of(backend: Any, resource: str) -> list[dict[str, str]]:
    """A resource's tags as AWS lists them, read straight from the emulator's table (its own search is linear in all tags)."""
    return [{"Key": key, "Value": value} for key, value in backend.tags.get(resource, {}).items()]


def check_tags(tags: Sequence[Mapping[str, str]], have: int = 0) -> dict[str, str]:
    """Tags as a mapping, or AWS's refusal: reserved prefix, length, number, one key twice.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
    """
    result: dict[str, str] = {}
    for tag in tags:
        key, value = str(tag.get("Key", "")), str(tag.get("Value", "") or "")
        if not key:
            raise missing("Key")
        if key.lower().startswith("aws:"):
            raise invalid("Tag keys starting with 'aws:' are reserved for internal use")
        if len(key) > _TAG_KEY:
            raise invalid(f"Tag key exceeds the maximum length of {_TAG_KEY} characters")
        if len(value) > _TAG_VALUE:
            raise invalid(f"Tag value exceeds the maximum length of {_TAG_VALUE} characters")
        if key in result:
            raise invalid(f"Duplicate tag key '{key}' specified.")
        result[key] = value
    if len(result) + have > TAGS_PER_RESOURCE:
        raise Refusal("TagLimitExceeded", f"The maximum number of tags for a resource is {TAGS_PER_RESOURCE}")
    return result


def tags_asked(call: Call, *types: str) -> dict[str, str]:
    """The tags that a creating call gives to resources of one of ``types``."""
    result: list[Mapping[str, str]] = []
    for spec in call.params.get("TagSpecifications") or []:
        if spec.get("ResourceType") in types:
            result += spec.get("Tags") or []
    return check_tags(result)


def put_tags(backend: Any, resource: str, tags: Mapping[str, str]) -> None:
    """Write tags into the emulator's table."""
    if tags:
        backend.tags[resource].update(tags)


# -- filters and paging --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _pattern(value: str) -> Callable[[str], bool] | None:
    """A test for a value with wildcards; ``None`` when it holds none, and equality serves."""
    if not any(mark in value for mark in "*?\\"):
        return None
    text, index = "", 0
    while index < len(value):
        char = value[index]
        if char == "\\" and index + 1 < len(value):
            index += 1
            text += re.escape(value[index])
        else:
            text += {"*": ".*", "?": "."}.get(char, re.escape(char))
        index += 1
    compiled = re.compile(text, re.DOTALL)
    return lambda given: compiled.fullmatch(given) is not None


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def holds(wanted: Sequence[str], given: Value | Iterable[Value]) -> bool:
    """Whether one of an object's values is one of a filter's."""
    values = [given] if given is None or isinstance(given, str | bool | int) else list(given)
    texts = {_text(value) for value in values if value is not None}
    if not texts:
        return False
    for want in wanted:
        test = _pattern(want)
        if want in texts if test is None else any(test(text) for text in texts):
            return True
    return False


def keep(
    call: Call,
    items: Iterable[Item],
    fields: Mapping[str, Field[Item]],
    tags: Callable[[Item], Mapping[str, str]],
    member: str = "Filters",
    render: Callable[[Item], Mapping[str, Any]] | None = None,
) -> list[Item]:
    """The items that pass the request's filters; an unknown filter is refused as AWS refuses it.

    ``fields`` are read from the emulator's objects, which is quick; with ``render`` every other filter that AWS documents for the call is
    read from the item as it is shown (see describing.by_view).
    """
    result = list(items)
    for entry in call.params.get(member) or []:
        name, wanted = str(entry.get("Name", "")), [str(value) for value in entry.get("Values") or []]
        if not wanted:
            raise invalid(f"The filter '{name}' has no values")
        read = _reader(call.action, name, fields, tags, render)
        result = [item for item in result if holds(wanted, read(item))]
    return result


def _reader(
    action: str,
    name: str,
    fields: Mapping[str, Field[Item]],
    tags: Callable[[Item], Mapping[str, str]],
    render: Callable[[Item], Mapping[str, Any]] | None,
) -> Field[Item]:
    """What a filter of this name looks at."""
    if name in fields:
        return fields[name]
    if name.startswith("tag:"):
        return lambda item: tags(item).get(name[4:])
    if name == "tag-key":
        return lambda item: list(tags(item))
    if name == "tag-value":
        return lambda item: list(tags(item).values())
    if render is not None:
        from .describing import by_view, check_name  # which filters and pages as this file does

        check_name(action, name)
        return lambda item: by_view(action, name, render(item))
    raise invalid(f"The filter '{name}' is invalid")


def page(call: Call, items: Sequence[Item], low: int = 5, high: int = 1000, whole: int | None = None) -> tuple[list[Item], str | None]:
    """One page of a list and the token of the next one.

    ``low`` and ``high`` bound MaxResults as the action's page says; ``whole`` is the page size when none is given (all).
    """
    size = call.params.get("MaxResults")
    if size is not None:
        size = int(size)
        if size < low:
            raise invalid(f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than or equal to {low}.")
        size = min(size, high)
    token, start = call.params.get("NextToken"), 0
    if token:
        try:
            kind, _mark, number = base64.b64decode(str(token).encode(), validate=True).decode().partition(":")
            start = int(number)
        except (binascii.Error, UnicodeDecodeError, ValueError):
            kind = ""
        if kind != call.action or start < 0:
            raise invalid(f"The token '{token}' is invalid")
    size = size or whole or max(len(items), 1)
    end = start + size
    following = base64.b64encode(f"{call.action}:{end}".encode()).decode() if end < len(items) else None
    return list(items[start:end]), following


def paged(call: Call, member: str, items: Sequence[Item], render: Callable[[Item], Any], low: int = 5, high: int = 1000) -> dict[str, Any]:
    """A describe call's answer: one page rendered, with NextToken where more follows (only what is shown is rendered)."""
    shown, following = page(call, items, low, high)
    return clean({member: [render(item) for item in shown], "NextToken": following})


def named(call: Call, member: str, table: Mapping[str, Item], code: str, noun: str) -> list[Item]:
    """The objects that a call names by id, or all; an unknown id is refused as AWS refuses it."""
    ids = call.params.get(member) or []
    if not ids:
        return list(table.values())
    absent = [item for item in ids if item not in table]
    if absent:
        raise Refusal(code, f"The {noun} '{absent[0]}' does not exist")
    return [table[item] for item in dict.fromkeys(ids)]


# -- the emulator's objects ----------------------------------------------------------------------------------------------------


def find_vpc(backend: Any, vpc: str) -> Any:
    """The emulator's VPC object, or InvalidVpcID.NotFound."""
    found = backend.vpcs.get(vpc)
    if found is None:
        raise Refusal("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist")
    return found


def find_subnet(backend: Any, subnet: str) -> Any:
    """The emulator's subnet object, or InvalidSubnetID.NotFound."""
    for zone in backend.subnets.values():
        if subnet in zone:
            return zone[subnet]
    raise Refusal("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")


def look_group(backend: Any, group: str) -> Any:
    """The emulator's security group object, or ``None``."""
    for groups in list(backend.groups.values()):
        if group in groups:
            return groups[group]
    return None


def find_group(backend: Any, group: str) -> Any:
    """The emulator's security group object, or InvalidGroup.NotFound."""
    found = look_group(backend, group)
    if found is None:
        if not group.startswith("sg-"):
            raise Refusal("InvalidGroupId.Malformed", f'Invalid id: "{group}" (expecting "sg-...")')
        raise Refusal("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
    return found


def all_groups(backend: Any) -> dict[str, Any]:
    """Every security group of an account and Region by id."""
    return {key: group for groups in list(backend.groups.values()) for key, group in groups.items()}


def all_subnets(backend: Any) -> dict[str, Any]:
    """Every subnet of an account and Region by id."""
    return {key: subnet for zone in list(backend.subnets.values()) for key, subnet in zone.items()}


def find_instance(backend: Any, instance: str) -> Any:
    """The emulator's instance object, or InvalidInstanceID.NotFound."""
    for reservation in backend.reservations.values():
        for item in reservation.instances:
            if item.id == instance:
                return item
    raise Refusal("InvalidInstanceID.NotFound", f"The instance ID '{instance}' does not exist")
