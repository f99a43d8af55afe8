# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nftables may be handed: addresses in digits only, for it asks a resolver for any other, and no command within a command.

The model's gate lets nothing else in; this holds whatever the rules were made of.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ....module_utils._model.grammar import is_address, is_block

#: A rule is of these characters: none ends a command, begins a comment or another line.
_RULE = re.compile(r'[A-Za-z0-9_ .,:/@{}"!=<>&|+*-]*')
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
#: What stands where an address is compared or put: up to the next word, or a whole anonymous set or map.
_OPERAND = re.compile(r"\b(?:saddr|daddr|[ds]nat ip6? to) (?:!= )?(\{[^}]*\}|[^ ]+)")
_ADDRESS_TYPES = ("ipv4_addr", "ipv6_addr")
#: What follows that is no address: the next step of an expression.
_WORDS = frozenset({"map", "vmap", "ip", "ip6", "."})


def check_rule(rule: str) -> None:
    """Raise ValueError for a rule that holds anything but words, numbers and addresses in digits."""
    if not _RULE.fullmatch(rule):
        raise ValueError(f"{rule!r} is no rule")
    for match in _OPERAND.finditer(rule):
        operand = match.group(1)
        if operand.startswith("{"):
            for item in operand.strip("{} ").split(","):
                _check_operand(item.partition(" : ")[0].partition(" . ")[0].strip())
        else:
            _check_operand(operand.rstrip(","))


def _check_operand(operand: str) -> None:
    if operand in _WORDS or (operand.startswith("@") and _NAME.fullmatch(operand[1:])) or _is_range(operand):
        return
    address, colon, ports = operand.rpartition(":")
    if colon and is_address(address) and re.fullmatch(r"[0-9]+(?:-[0-9]+)?", ports):
        return
    raise ValueError(f"{operand!r} is no address")


def _is_range(text: str) -> bool:
    first, dash, last = text.partition("-")
    return is_block(text) if not dash else is_address(first) and is_address(last)


@lru_cache(maxsize=4096)
def _address_parts(kind: str) -> tuple[tuple[int, int], ...]:
    """Where a set's type has addresses: (0 for keys or 1 for values, place)."""
    return tuple(
        (side, place)
        for side, types in enumerate(kind.split(" : "))
        for place, one in enumerate(types.split(" . "))
        if one.strip() in _ADDRESS_TYPES
    )


def check_element(kind: str, element: str) -> None:
    """Raise ValueError for an element of a set of that type whose addresses are none in digits, or that holds more than an element."""
    if not _RULE.fullmatch(element) or "{" in element or "," in element:
        raise ValueError(f"{element!r} is no element")
    sides = [side.split(" . ") for side in element.split(" : ")]
    for side, place in _address_parts(kind):
        if side >= len(sides) or place >= len(sides[side]) or not _is_range(sides[side][place].strip()):
            raise ValueError(f"{element!r} is no element of {kind}")
