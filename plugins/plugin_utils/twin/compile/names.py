# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, numbers and hardware addresses in the kernel: the same for the same AWS id, whatever else there is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

GATEWAY = "169.254.0.1"
"""Next hop of everything that leaves a namespace by a wire: no device has it, each wire's permanent neighbour entry answers for it."""
GATEWAY_6 = "fe80::1"
ROUTER_MAC = "02:00:00:00:00:01"
"""Of every end of a wire at a router or gateway: each wire is a link of its own, so one is enough."""
PARKED_MAC = "02:00:00:00:00:02"

_LOWEST, _SPAN = 1000, 60000


def _digest(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=16).hexdigest()


def device(letter: str, identity: str) -> str:
    """A device's name, 15 characters at most: a letter for the kind (``e`` ENI, ``x`` peering, ``t`` transit gateway…) and a digest."""
    return letter + _digest(identity)[:11]


def mac(identity: str) -> str:
    """A locally administered address for an ENI."""
    found = _digest(identity)
    return "02:" + ":".join(found[place : place + 2] for place in range(2, 12, 2))


def numbers(identities: Iterable[str], lowest: int = _LOWEST, span: int = _SPAN) -> dict[str, int]:
    """A number for each, for marks, routing tables and link groups: from its digest, the next free one where two meet."""
    found: dict[str, int] = {}
    taken: set[int] = set()
    for identity in sorted(identities):
        number = lowest + int(_digest(identity)[:8], 16) % span
        while number in taken:
            number = lowest + (number + 1 - lowest) % span
        taken.add(number)
        found[identity] = number
    return found
