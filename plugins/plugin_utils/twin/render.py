# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's state as text: what people read and golden tests compare. The same state is always the same text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_interface

from .state import MAIN, Chain, KernelState, Namespace, NftSet, Route, Rule, Wire, WireEnd

_TABLES = {MAIN: "main", 255: "local"}


def render(state: KernelState) -> str:
    """Wires, then namespaces by name, each with its addresses, rules, routes, neighbours and nftables, sorted."""
    lines = [_wire(wire) for wire in sorted(state.wires)]
    for name in sorted(state.namespaces):
        lines += ["", *_namespace(state.namespaces[name])]
    return "\n".join(lines).strip() + "\n" if lines else ""


def _wire(wire: Wire) -> str:
    return f"wire {_end(wire.left)} -- {_end(wire.right)} mtu {wire.mtu}"


def _end(end: WireEnd) -> str:
    return f"{end.namespace}/{end.name} {end.mac}" + (f" group {end.group}" if end.group else "")


def _namespace(item: Namespace) -> Iterator[str]:
    yield f"namespace {item.name} ({item.profile})"
    for key in sorted(item.sysctls):
        yield f"  sysctl {key} = {item.sysctls[key]}"
    for address in sorted(item.addresses, key=lambda found: (found.device, *_place(found.cidr))):
        yield f"  address {address.cidr} dev {address.device}"
    for rule in sorted(item.rules, key=lambda found: (found.family, found.priority, found.mark or 0, found.source)):
        yield f"  rule {_rule(rule)}"
    for route in sorted(item.routes, key=lambda found: (found.table != MAIN, found.table, *_place(found.destination))):
        yield f"  route {_route(route)}"
    for entry in sorted(item.neighbours):
        yield f"  neighbour {entry.address} dev {entry.device} is {entry.mac}"
    sets, chains = item.ruleset.sets, item.ruleset.chains
    yield from _indented(line for name in sorted(sets) for line in _set(sets[name]))
    hooked = sorted(name for name in chains if chains[name].hook)
    yield from _indented(line for name in (*hooked, *sorted(chains.keys() - set(hooked))) for line in _chain(chains[name]))


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _place(cidr: str) -> tuple[int, int, int]:
    found = ip_interface(cidr)
    return found.version, int(found.ip), found.network.prefixlen


def _rule(rule: Rule) -> str:
    marked = f" mark {rule.mark}" if rule.mark is not None else ""
    source = f" from {rule.source}" if rule.source else ""
    return f"IPv{rule.family} {rule.priority}:{source}{marked} table {_TABLES.get(rule.table, rule.table)}"


def _route(route: Route) -> str:
    words = [f"table {_TABLES.get(route.table, route.table)}", route.destination]
    if route.kind != "unicast":
        words.append(route.kind)
    for name, value in (("via", route.via), ("dev", route.device), ("mtu", route.mtu), ("src", route.source)):
        if value:
            words.append(f"{name} {value}")
    return " ".join(words)


def _set(item: NftSet) -> Iterator[str]:
    flags = f" flags {','.join(item.flags)}" if item.flags else ""
    yield f"{'map' if item.is_map else 'set'} {item.name} ({item.type}){flags}"
    yield from (f"  {element}" for element in sorted(item.elements))


def _chain(item: Chain) -> Iterator[str]:
    yield f"chain {item.name}" + (f" {{ {item.hook} }}" if item.hook else "")
    yield from (f"  {rule}" for rule in item.rules)
