# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``compile_network``: a Network to what the kernel is to hold. Pure, and apart from everything that predicts where packets go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ....module_utils._model.network import Network
from ..state import KernelState, Namespace, Wire
from .filters import router_ruleset
from .gateways import INTERNET, gateway_namespaces, gateway_wires, internet
from .hosts import host_namespace, host_wires, shared_namespaces
from .outside import Outside
from .ports import Cache, standing
from .routers import router, wires
from .sites import Host, Outlet, Site, Transit
from .transit import transit_namespace, transit_wires
from .views import cut

__all__ = ["Memo", "compile_network", "standing"]

T = TypeVar("T")


@dataclass(frozen=True)
class _Part:
    """What one thing compiles to."""

    namespaces: tuple[Namespace, ...]
    wires: frozenset[Wire]


@dataclass
class _Parts(Generic[T]):
    """Things of one kind as they were compiled last, by name."""

    make: Callable[[T], _Part]
    known: dict[str, tuple[T, _Part]] = field(default_factory=dict)

    def of(self, things: Iterable[tuple[str, T]]) -> list[_Part]:
        """A part for each thing: what is equal to what it was keeps its part. Things that are gone are forgotten."""
        found = {}
        for name, thing in things:
            former = self.known.get(name)
            if former is None:
                found[name] = (thing, self.make(thing))
            elif former[0] is thing or former[0] == thing:
                found[name] = former
            else:
                found[name] = (thing, _kept(former[1], self.make(thing)))
        self.known = found
        return [part for _thing, part in found.values()]


def _kept(former: _Part, made: _Part) -> _Part:
    """A part made anew, with the former one's objects for all that is as it was: whoever compares them then is done at once."""
    before = {item.name: item for item in former.namespaces}
    same = (before[item.name] if before.get(item.name) == item else item for item in made.namespaces)
    return _Part(tuple(same), former.wires if former.wires == made.wires else made.wires)


class Memo:
    """What the last compilation made, for the next one of a network that is mostly the same. Belongs to one thread at a time."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.sites: _Parts[Site] = _Parts(_site)
        self.hosts: _Parts[Host] = _Parts(_host)
        self.transits: _Parts[Transit] = _Parts(_transit)
        self.internet: _Parts[tuple[tuple[Outlet, ...], Outside]] = _Parts(_internet)
        self.wires: tuple[tuple[frozenset[Wire], ...], frozenset[Wire]] = ((), frozenset())


def compile_network(network: Network, live: frozenset[str] = frozenset(), memo: Memo | None = None) -> KernelState:
    """The kernel's state for a network. ``live``: hosts in use (instance ids; an ENI's id for one without an instance).

    Hosts that routes lead through (``standing``) are in use whether they are named or not. With a ``memo``, namespaces of what has not
    changed are the same objects as last time. A VPC in which nothing answers has no router.
    """
    memo = memo if memo is not None else Memo()
    views = cut(network, live | standing(network), memo.cache)
    parts = [
        *memo.sites.of(views.sites.items()),
        *memo.hosts.of(views.hosts.items()),
        *memo.transits.of(views.transits.items()),
        *memo.internet.of([(INTERNET, (views.outlets, views.around))] if views.outlets else []),
    ]
    wired = tuple(part.wires for part in parts if part.wires)
    before, everything = memo.wires
    if len(before) != len(wired) or any(one is not other for one, other in zip(before, wired, strict=True)):
        everything = frozenset().union(*wired)
        memo.wires = (wired, everything)
    return KernelState({item.name: item for part in parts for item in part.namespaces}, everything)


def _site(site: Site) -> _Part:
    made = (router(site, router_ruleset(site.view)), *shared_namespaces(site), *gateway_namespaces(site))
    return _Part(made, frozenset((*wires(site), *gateway_wires(site))))


def _host(item: Host) -> _Part:
    return _Part((host_namespace(item),), frozenset(host_wires(item)))


def _transit(item: Transit) -> _Part:
    return _Part((transit_namespace(item),), frozenset(transit_wires(item)))


def _internet(seen: tuple[tuple[Outlet, ...], Outside]) -> _Part:
    return _Part((internet(*seen),), frozenset())
