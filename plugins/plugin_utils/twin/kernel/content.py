# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two states, as plain data and as requests to the kernel. Pure: nothing is sent from here.

A namespace changes in three steps, between which its ruleset is switched: ``closing`` takes away ways, ``opening`` adds, ``ending`` takes
away what nothing needs any more.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..state import ROUTER, Address, KernelState, Namespace, Neighbour, Route, Rule, Wire
from . import netlink
from .netlink import Request

_Item = TypeVar("_Item", Address, Route, Rule, Neighbour)

End = tuple[str, str]
"""A namespace and the name of a device in it."""
Key = tuple[End, End]
"""What a wire is known by: its two ends, in order."""


@dataclass(frozen=True)
class Devices:
    """A namespace's devices by name, and what happened to them on the way from the one state to the other.

    ``fresh`` were made: the kernel has nothing on them. ``renamed`` got another hardware address, with which it forgot their neighbours;
    ``resized`` another MTU, which it carried over to their IPv6 routes.
    """

    indices: Mapping[str, int]
    fresh: Collection[str] = frozenset()
    renamed: Collection[str] = frozenset()
    resized: Collection[str] = frozenset()

    def index(self, name: str, about: object) -> int:
        """A device's index. Raises ValueError for what names a device that is not there."""
        if name not in self.indices:
            raise ValueError(f"{netlink.describe(about)}: there is no device {name}")
        return self.indices[name]


@dataclass(frozen=True)
class Wires:
    """Wires that go, that come, and that change in place (as they were, as they shall be)."""

    gone: Mapping[Key, Wire] = field(default_factory=dict)
    come: Mapping[Key, Wire] = field(default_factory=dict)
    changed: Mapping[Key, tuple[Wire, Wire]] = field(default_factory=dict)


def key(wire: Wire) -> Key:
    """What a wire is known by, whichever end is called left."""
    ends = sorted(((wire.left.namespace, wire.left.name), (wire.right.namespace, wire.right.name)))
    return ends[0], ends[1]


def turned(wire: Wire) -> Wire:
    """The same wire with its ends in order."""
    return wire if key(wire)[0] == (wire.left.namespace, wire.left.name) else Wire(wire.right, wire.left, wire.mtu)


def wires(old: KernelState, new: KernelState) -> Wires:
    """Which wires differ. Raises ValueError for an end that no namespace holds, or that two wires have."""
    if old.wires is new.wires:
        return Wires()
    gone = {key(wire): turned(wire) for wire in old.wires - new.wires}
    come: dict[Key, Wire] = {}
    for wire in sorted(new.wires - old.wires):
        come[key(wire)] = turned(wire)
        for end in (wire.left, wire.right):
            if end.namespace not in new.namespaces:
                raise ValueError(f"{netlink.describe(wire)}: there is no namespace {end.namespace}")
            if not 0 < len(end.name.encode()) < 16 or end.name == "lo":
                raise ValueError(f"{netlink.describe(wire)}: no device can have the name {end.name!r}")
    if come:
        ends = [(end.namespace, end.name) for wire in new.wires for end in (wire.left, wire.right)]
        if len(set(ends)) < len(ends):
            twice = sorted(end for end in set(ends) if ends.count(end) > 1)
            raise ValueError(f"two wires end at device {twice[0][1]} of {twice[0][0]}")
    changed = {each: (gone.pop(each), come.pop(each)) for each in sorted(gone.keys() & come.keys())}
    return Wires(gone, come, {each: pair for each, pair in changed.items() if pair[0] != pair[1]})


def routes(namespace: Namespace) -> dict[tuple[int, str], Route]:
    """A namespace's routes by table and destination. Raises ValueError where two have both in common: the kernel would keep one."""
    found = {(route.table, route.destination): route for route in namespace.routes}
    if len(found) < len(namespace.routes):
        extra = sorted(namespace.routes - set(found.values()))[0]
        raise ValueError(f"two routes to {extra.destination} in table {extra.table} of {namespace.name}")
    return found


def _six(text: str) -> bool:
    return ":" in text


def only_ipv4(namespace: Namespace) -> Namespace:
    """A namespace without its IPv6, for a kernel that has none."""
    return Namespace(
        namespace.name,
        namespace.profile,
        frozenset(each for each in namespace.addresses if not _six(each.cidr)),
        frozenset(each for each in namespace.routes if not _six(each.destination + each.via)),
        frozenset(each for each in namespace.rules if each.family == 4),
        frozenset(each for each in namespace.neighbours if not _six(each.address)),
        namespace.ruleset,
        {path: value for path, value in namespace.sysctls.items() if not path.startswith("ipv6/")},
    )


def sound(namespace: Namespace) -> Namespace:
    """A namespace without what the kernel could never be asked for: addresses that are none and the like."""
    return replace(
        namespace,
        addresses=frozenset(each for each in namespace.addresses if _possible(lambda item: netlink.add_address(item, 1), each)),
        routes=frozenset(each for each in namespace.routes if _possible(netlink.put_route, each)),
        rules=frozenset(each for each in namespace.rules if _possible(netlink.add_rule, each)),
        neighbours=frozenset(each for each in namespace.neighbours if _possible(lambda item: netlink.put_neighbour(item, 1), each)),
    )


def _possible(make: Callable[[_Item], Request], item: _Item) -> bool:
    try:
        make(item)
    except (ValueError, struct.error):
        return False
    return True


def closing(old: Namespace, new: Namespace) -> list[Request]:
    """Take away the ways that have no successor. What shuts ways stays until the end."""
    if old.routes is new.routes:
        return []
    kept = routes(new)
    return [
        netlink.delete_route(route)
        for place, route in sorted(routes(old).items())
        if place not in kept and route.kind in ("unicast", "local")
    ]


def opening(old: Namespace | None, new: Namespace, devices: Devices) -> list[Request]:
    """Add what is new, and again what the kernel forgot with a device: addresses, then neighbours, routes and rules.

    New devices of routers are up already, and must only learn that the other end is too; those of others are set up here.
    """
    fresh = devices.fresh
    found = [] if old else [netlink.link_up(netlink.LOOPBACK, "device lo")]
    start = netlink.settle_link if new.profile == ROUTER else netlink.link_up
    found += [start(devices.index(name, name), f"device {name}") for name in sorted(fresh)]
    before = old.addresses if old else frozenset()
    moved = {(each.device, each.cidr.partition("/")[0]): each for each in before - new.addresses if _six(each.cidr)}
    for address in _new(before, new.addresses, lambda each: each.device in fresh):
        # IPv6 knows an address on a device once, whatever its prefix.
        former = moved.get((address.device, address.cidr.partition("/")[0]))
        index = devices.index(address.device, address)
        if former is not None and address.device not in fresh:
            found.append(netlink.delete_address(former, index))
        found.append(netlink.add_address(address, index))
    again = {*fresh, *devices.renamed}
    for neighbour in _new(old.neighbours if old else frozenset(), new.neighbours, lambda each: each.device in again):
        found.append(netlink.put_neighbour(neighbour, devices.index(neighbour.device, neighbour)))
    # Routes that lead through a gateway of another family or through a device need the addresses before.
    for route in _new(old.routes if old else frozenset(), new.routes, lambda each: _lost(each, devices)):
        found.append(netlink.put_route(route, devices.index(route.device, route) if route.device else 0))
    found += [netlink.add_rule(rule) for rule in _new(old.rules if old else frozenset(), new.rules, lambda each: False)]
    return found


def ending(old: Namespace, new: Namespace, devices: Devices) -> list[Request]:
    """Take away what is left over. What was on a device that went is gone already."""
    found: list[Request] = []
    there = {name for name in devices.indices if name not in devices.fresh}
    if old.rules is not new.rules:
        found += [netlink.delete_rule(rule) for rule in sorted(old.rules - new.rules, key=_order)]
    if old.routes is not new.routes:
        kept = routes(new)
        found += [
            netlink.delete_route(route)
            for place, route in sorted(routes(old).items())
            if place not in kept and route.kind not in ("unicast", "local")
        ]
    if old.neighbours is not new.neighbours:
        kept_ways = {(each.device, each.address) for each in new.neighbours}
        found += [
            netlink.delete_neighbour(each, devices.indices[each.device])
            for each in sorted(old.neighbours - new.neighbours)
            if each.device in there and (each.device, each.address) not in kept_ways
        ]
    if old.addresses is not new.addresses:
        kept_six = {(each.device, each.cidr.partition("/")[0]) for each in new.addresses if _six(each.cidr)}
        gone = [
            each
            for each in sorted(old.addresses - new.addresses)
            if each.device in there and (each.device, each.cidr.partition("/")[0]) not in kept_six
        ]
        found += [netlink.delete_address(each, devices.indices[each.device]) for each in gone]
        # With its last address the kernel drops, or strips, the routes that prefer it as their source.
        lost = {each.cidr.partition("/")[0] for each in gone}
        for route in sorted(each for each in new.routes if each.source in lost):
            found.append(netlink.put_route(route, devices.index(route.device, route) if route.device else 0))
    return found


def _lost(route: Route, devices: Devices) -> bool:
    """Whether the kernel forgot a route, or changed it, with its device."""
    return route.device in devices.fresh or (bool(route.mtu) and route.device in devices.resized and _six(route.destination))


def _order(item: Address | Route | Rule | Neighbour) -> tuple[object, ...]:
    """To sort by: what a person would, and cheaper to compare than whole items."""
    match item:
        case Address():
            return item.device, item.cidr
        case Route():
            return item.table, item.destination
        case Neighbour():
            return item.device, item.address
    return item.family, item.priority, item.table, -1 if item.mark is None else item.mark, item.source


def _new(old: frozenset[_Item], new: frozenset[_Item], again: Callable[[_Item], bool]) -> Iterable[_Item]:
    """What is only in the new one, and what the kernel must be told again, in order."""
    if not old:
        return sorted(new, key=_order)
    told = set() if old is new else set(new - old)
    told.update(item for item in new if again(item))
    return sorted(told, key=_order)
