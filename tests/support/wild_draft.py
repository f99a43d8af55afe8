# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is drawn by chance so far, and the ids and addresses that are still free."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Subnet

ACCOUNT = "111111111111"


@dataclass
class Draft:
    """``open``: rules let nearly everything through, so that what else is in the way shows.

    ``lists``: gateway endpoint to its prefix list.
    """

    chance: random.Random
    open: bool = False
    count: int = 0
    public: int = 10
    prefixes: int = 0
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)

    def id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}-{self.count:017x}"

    def put(self, kind: str, thing: Any) -> Any:
        self.things.setdefault(kind, {})[thing.id] = thing
        return thing

    def of(self, kind: str, vpc: str = "") -> list[Any]:
        return [item for item in self.things.get(kind, {}).values() if not vpc or item.vpc == vpc]

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share


def owned(region: str) -> dict[str, str]:
    return {"account": ACCOUNT, "region": region}


def free_address(draft: Draft, subnet: Subnet) -> str:
    block = ip_network(subnet.cidr)
    taken = draft.used.setdefault(subnet.id, set())
    address = str(block[10 + len(taken)])
    taken.add(address)
    return address


def public_address(draft: Draft) -> str:
    draft.public += 1
    return f"198.18.{draft.public // 250}.{draft.public % 250 + 1}"
