# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema's faults in our words, and the document with every faulty value replaced by BROKEN; jsonschema's wording never gets out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from ..errors import CloudnetError, Code
from .faults import BROKEN, Broken, Cursor, Faults, Key, nearest
from .schema import SCHEMA

#: Words that people bring along from other tools, or from the neighbouring key.
_HINTS = {
    "cidr_block": "cidr",
    "cidrs": "cidr",
    "availability_zone": "az",
    "zone": "az",
    "azs": "az",
    "zones": "az",
    "vpc_id": "id",
    "groups": "security_groups",
    "security_group": "security_groups",
    "acls": "network_acls",
    "nat_gateway": "nat",
    "nacls": "network_acls",
    "instance_type": "type",
    "route_table": "table",
    "source": "from",
    "destination": "to",
    "src": "from",
    "dst": "to",
    "peering": "peerings",
    "dns_resolution": "dns",
    "owner_id": "owner",
    "log_group": "to",
}
_ADVICE = {
    "port": "ports stand with their protocol, such as tcp: 443",
    "ports": "ports stand with their protocol, such as tcp: [80, 443]",
    "icmpv6": "icmp: true covers it where both ends have IPv6; for it alone, protocol: icmpv6",
    "transit_gateway": "a transit gateway is a route's target (via: tgw-…)",
}


def check(data: Any, faults: Faults) -> Cursor:
    """Tells every fault against the schema; returns a copy of the document in which what is faulty is BROKEN."""
    broken: list[Key] = []
    dropped: list[Key] = []
    errors = [error for error in _validator().iter_errors(data) if not isinstance(error.instance, Broken)]
    for error in sorted(errors, key=lambda error: _position(data, error.absolute_path)):
        path: Key = tuple(error.absolute_path)
        for where, message, fate, meant in _say(error, path):
            faults.add(where, message, Code.SCHEMA)
            if fate == "drop":
                dropped.append(where)
                # What a misspelled key holds was meant for its neighbour: then that one is there, and not understood.
                broken.extend([(*path, meant)] if meant and meant not in error.instance else [])
            elif fate == "break":
                broken.append(where)
    copied = _copy(data)
    for where in dropped:
        _put(copied, where, drop=True)
    for where in broken:
        _put(copied, where, drop=False)
    return Cursor(copied if isinstance(copied, dict) else BROKEN)


@lru_cache(maxsize=1)
def _validator() -> Any:
    try:
        import jsonschema
    except ImportError:
        raise CloudnetError("checking a topology needs the Python package jsonschema: pip install jsonschema") from None
    plain: Any = jsonschema.Draft202012Validator
    extend: Any = jsonschema.validators.extend
    # A whole number is an int here, as in YAML: 1.0 is none, and true is not 1.
    types = plain.TYPE_CHECKER.redefine("integer", lambda _checker, value: isinstance(value, int) and not isinstance(value, bool))
    return extend(plain, type_checker=types)(SCHEMA)


def _position(data: Any, path: Iterable[str | int]) -> list[int]:
    """Where a path stands in the document, for an order that does not depend on jsonschema's."""
    found = []
    for part in path:
        found.append(part if isinstance(part, int) else list(data).index(part))
        data = data[part]
    return found


def _say(error: Any, path: Key) -> Iterator[tuple[Key, str, str, str]]:
    """Path, message, what becomes of the value (``break`` it, ``drop`` it, or nothing), and for an unknown key the one that was meant."""
    schema: dict[str, Any] = error.schema
    title = schema.get("title", "something else")
    value = error.instance
    kind = error.validator
    if kind == "additionalProperties":
        known = list(schema["properties"])
        for key in value:
            if key not in known:
                meant = _meant(key, known)
                hint = _ADVICE.get(key) or (f"did you mean '{meant}'?" if meant else "known here: " + ", ".join(known))
                yield (*path, key), f"unknown key; {hint}", "drop", meant
    elif kind == "required":
        known = list(schema["properties"])
        meant_keys = {_meant(key, known) for key in value if key not in known}
        for key in error.validator_value:
            if key not in value and key not in meant_keys:
                wanted = schema["properties"][key]
                wanted = SCHEMA["$defs"][wanted["$ref"].rsplit("/", 1)[1]] if "$ref" in wanted else wanted
                message = f"is missing: it must be {wanted['title']}"
                yield (path, f"`{key}` {message}", "break", "") if path else ((key,), message, "", "")
    elif "propertyNames" in error.absolute_schema_path and isinstance(value, str):
        yield (*path, value), f"{value!r} is not {title}", "break", ""
    else:
        yield path, _value_fault(kind, title, value, error.validator_value), "break", ""


def _value_fault(kind: str, title: str, value: Any, wanted: Any) -> str:
    if kind == "enum":
        return f"must be {title}, not {describe(value)}{nearest(value, wanted) if isinstance(value, str) else ''}"
    if kind == "uniqueItems":
        return f"holds {describe(next((item for index, item in enumerate(value) if item in value[:index]), None))} twice"
    if kind in ("minItems", "minProperties", "minLength") and not value:
        return f"is empty: it must be {title}"
    if kind in ("maxItems", "minItems"):
        return f"must be {title}, not a list of {len(value)}"
    if kind == "maxLength":
        return f"must be {title}, not one of {len(value)} characters"
    return f"must be {title}, not {describe(value)}{_advice(title, value)}"


def _meant(key: str, known: list[str]) -> str:
    """The known key that an unknown one was probably meant to be, or an empty string."""
    hint = _HINTS.get(key, "")
    if hint in known:
        return hint
    found = difflib.get_close_matches(key, known, n=1)
    return found[0] if found and key not in _ADVICE else ""


def _advice(title: str, value: Any) -> str:
    if "account id in quotes" in title and isinstance(value, int):
        return ": a number loses its leading zeros"
    if isinstance(value, str) and re.match(r"[0-9]{1,3}(\.[0-9]{1,3}){3}\Z", value) and title.startswith("a CIDR"):
        return f"; a single address is {value}/32"
    return ""


def describe(value: Any) -> str:
    """A value as people call it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"the number {value}"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else f"{value[:57]}…"
        return repr(shown)
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "something unreadable"


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _put(root: Any, path: Key, *, drop: bool) -> None:
    for part in path[:-1]:
        try:
            root = root[part]
        except (KeyError, IndexError, TypeError):
            return  # something around it is broken already
    if isinstance(root, (dict, list)) and not (drop and path[-1] not in root):
        if drop and isinstance(root, dict):
            del root[path[-1]]
        else:
            root[path[-1]] = BROKEN  # type: ignore[index]
