# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network that can be changed: what simulating a plan works on."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from .._model.network import PLANNED, Network
from .actions import Action, Ref


class Draft:
    """The collections of a Network as plain dicts by id, and the ids by name. ``freeze`` gives a Network again."""

    def __init__(self, network: Network, ids: Mapping[str, str]) -> None:
        self._network = network
        self.ids = dict(ids)
        self.items: dict[str, dict[str, Any]] = {
            field.name: dict(getattr(network, field.name))
            for field in fields(network)
            if field.name not in ("others", "complete", "untold", "warnings", "faults")
        }

    def __getattr__(self, collection: str) -> dict[str, Any]:
        try:
            return self.__dict__["items"][collection]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(collection) from None

    def id(self, value: Any) -> str:
        """The id behind a Ref, or the value itself."""
        return self.ids[value.name] if isinstance(value, Ref) else str(value)

    def new(self, action: Action) -> str:
        """The id that stands for what the action would make."""
        self.ids[action.name] = PLANNED + action.name
        return self.ids[action.name]

    def target(self, action: Action) -> str:
        """The id of what the action changes or removes."""
        return action.id or self.ids[action.name]

    def change(self, collection: str, identifier: str, **values: Any) -> None:
        """Replace some fields of one object."""
        self.items[collection][identifier] = replace(self.items[collection][identifier], **values)

    def retag(self, collection: str, identifier: str, action: Action) -> None:
        """Merge the wanted tags."""
        if wanted := (action.after or {}).get("tags"):
            self.change(collection, identifier, tags={**self.items[collection][identifier].tags, **wanted})

    def drop(self, collection: str, identifier: str) -> None:
        """Remove one object."""
        self.items[collection].pop(identifier, None)

    def freeze(self) -> Network:
        """The network as it would be."""
        items: dict[str, Any] = dict(self.items)
        return replace(self._network, **items)


def planned_ipv6(name: str) -> str:
    """A stand-in for the /56 that Amazon will choose: from the documentation range, so that it cannot be anybody's.

    https://www.rfc-editor.org/rfc/rfc3849
    """
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")
    return str(ipaddress.IPv6Network((int(ipaddress.IPv6Address("2001:db8::")) + (digest << 72), 56)))


def nth_ipv6_subnet(block: str, index: int) -> str:
    """The Nth /64 of a block."""
    network = ipaddress.IPv6Network(block)
    return str(ipaddress.IPv6Network((int(network.network_address) + (index << 64), 64)))
