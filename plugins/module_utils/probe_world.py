# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instances stand for the names of a topology, what reach predicts between them, and the probes that tell whether it is so.

An instance stands for itself; for a subnet or a group, the declared instances in it that run, one for each set of groups and subnet:
those that are alike there get the same answers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ._model.network import Instance
from ._reach.endpoints import End, resolve
from ._topology.types import Place
from .connectivity import Query, check, queries, why
from .ends import World
from .errors import CloudnetError
from .hints import judged
from .probe_script import Ask
from .probe_ways import Seat
from .probes import Job, Prediction

_NOBODY = "no instance that is declared there runs"


@dataclass(frozen=True)
class Manner:
    """How probes are sent. ``hosts``: names for ssh, by an instance's id or as ``vpc.name``; else the id."""

    timeout: int = 3
    count: int = 2
    hosts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """A probe as it was asked for. ``source`` and ``target`` as a user writes them; ``ask`` with the target still to be found."""

    source: str
    target: str
    ask: Ask
    intended: str = ""
    wanted: str = ""
    path: str = ""


@dataclass(frozen=True)
class _Stand:
    """A running instance, or an address, with the name under which it is shown. ``place``: where the topology declares it."""

    name: str
    instance: Instance | None
    end: End
    place: Place | None = None

    def seat(self, manner: Manner) -> Seat | None:
        """Where a script of the instance runs; None for an address."""
        if self.instance is None:
            return None
        called = f"{self.place.vpc}.{self.place.name}" if self.place else ""
        names = (self.instance.id, called, str(self.place))
        host = next((manner.hosts[name] for name in names if manner.hosts.get(name)), self.instance.id)
        return Seat(self.name, self.instance.id, self.instance.account, self.instance.region, host)


def of_expectations(world: World, manner: Manner) -> list[Job]:
    """The probes that tell whether the topology's expectations hold; those that no packet can tell are left to reach, with the reason."""
    return [job for query in queries(world.topology.expects) for job in _of_query(world, query, manner)]


def _of_query(world: World, query: Query, manner: Manner) -> Iterator[Job]:
    kind = _kind(query)
    if not kind:
        yield _unsent(world, query, "a probe is a ping, or a packet to one TCP or UDP port")
        return
    sources = _stands(world, query.source)
    targets = [item for source in sources[:1] for item in _stands(world, query.destination, source.end)]
    if not sources or not targets:
        yield _unsent(world, query, _nobody(query, sources))
        return
    pairs = [
        (source, target) for source in sources for target in targets if source.end.instance != target.end.instance or not source.instance
    ]
    if not pairs:
        yield _unsent(world, query, "both ends are the same instance")
    for source, target in pairs:
        verdict = judged(world, source.end, target.end, query.protocol, query.port)
        said = Prediction(verdict.verdict, why(verdict), verdict.mtu, tuple(item.as_dict() for item in verdict.blockers))
        address = target.end.address(verdict.family)
        ask = Ask(kind, address, query.port if isinstance(query.port, int) else 0, manner.timeout, manner.count)
        words = "icmp" if kind == "ping" else f"{kind} {query.port}"
        intended = "reachable" if query.reachable else "blocked"
        seat = source.seat(manner)
        echo = target.seat(manner) if kind == "udp" else None
        if not address:
            yield Job(source.name, target.name, words, None, None, intended, said, path=query.path, note=f"{target.name} has no address")
            continue
        yield Job(source.name, target.name, words, ask, seat, intended, said, echo, path=query.path)


def _kind(query: Query) -> str:
    """The kind of probe that tells it; empty where there is none."""
    if query.protocol == "icmp" and query.port in (None, 8, "8"):
        return "ping"
    return query.protocol if query.protocol in ("tcp", "udp") and isinstance(query.port, int) else ""


def _unsent(world: World, query: Query, note: str) -> Job:
    """What only reach tells."""
    (row,) = check(world, [query])
    said = Prediction(row["found"], row["why"], None, tuple(row["blockers"]))
    return Job(row["from"], row["to"], row["traffic"], None, None, row["expected"], said, path=query.path, note=note)


def _nobody(query: Query, sources: Sequence[_Stand]) -> str:
    place = query.destination if sources else query.source
    if isinstance(place, Place) and place.kind == "internet":
        return "the internet is no host to send from or to: give an address"
    if isinstance(place, Place) and place.kind == "cidr":
        return "a block is no host to send from or to: give an address" if sources else "nobody can be asked to send from an address"
    return f"{place}: {_NOBODY}"


def _stands(world: World, place: Place | str, near: End | None = None) -> list[_Stand]:
    """Who stands for a place. ``near``: the other end; only with it may an address stand for itself."""
    if isinstance(place, str):
        return []
    if place.kind == "cidr":
        block = ipaddress.ip_network(place.name)
        if near is None or block.num_addresses > 1:
            return []
        address = str(block.network_address)
        return [_Stand(address, None, resolve(world.index, address, near))]
    if place.kind not in ("instance", "subnet", "group") or world.topology.vpcs[place.vpc].remote:
        return []
    found: dict[object, _Stand] = {}
    vpc = world.topology.vpcs[place.vpc]
    for name, spec in vpc.instances.items():
        meant = {"instance": name == place.name, "subnet": spec.subnet == place.name, "group": place.name in spec.security_groups}
        running = world.instance(place.vpc, name) if meant[place.kind] else None
        if running is not None and running.state == "running":
            end, where = resolve(world.index, running.id), vpc.place("instance", name)
            found.setdefault((end.subnet, end.groups), _Stand(str(where), running, end, where))
    return list(found.values())


def of_wishes(world: World, wishes: Sequence[Wish], manner: Manner, *, predict: bool) -> list[Job]:
    """Probes between instances (ids, or names of the topology) and addresses or names that the source can look up.

    ``predict``: say what reach makes of each. Raises CloudnetError for a source that is no running instance.
    """
    return [_of_wish(world, wish, manner, predict) for wish in wishes]


def _of_wish(world: World, wish: Wish, manner: Manner, predict: bool) -> Job:
    source = _instance(world, wish.source)
    if source is None:
        if wish.source.startswith("i-") and world.topology.vpcs:
            hint = "among those of the topology: leave the topology out to ask from another"
        else:
            hint = "that runs: write i-…, or vpc.name with a topology"
        raise CloudnetError(f"{wish.path}: source: {wish.source} is no instance {hint}")
    target = _instance(world, wish.target) if wish.ask.kind not in ("dns",) else None
    address, there = wish.target, None
    if target is not None:
        there = target.end
        family = 4 if source.end.ipv4 and there.ipv4 else 6
        address = there.address(family)
    elif wish.ask.kind in ("ping", "tcp", "udp", "mtu") and _address(address):
        there = resolve(world.index, address, source.end)
    ask = filled(wish.ask, address)
    echo = target.seat(manner) if target is not None and ask.kind == "udp" else None
    said = prediction(world, source.end, there, ask) if predict else None
    return Job(wish.source, wish.target, words(ask), ask, source.seat(manner), wish.intended, said, echo, wish.wanted, wish.path)


def filled(ask: Ask, address: str) -> Ask:
    """The question with its target; a URL is made of an address where none is given."""
    if ask.target:
        return ask
    if ask.kind == "http":
        host = f"[{address}]" if ":" in address else address
        scheme = "https" if ask.port == 443 else "http"
        address = f"{scheme}://{host}{f':{ask.port}' if ask.port else ''}/"
    return Ask(ask.kind, address, ask.port, ask.timeout, ask.count, ask.size)


def words(ask: Ask) -> str:
    """The probe for people: ``icmp``, ``tcp 443``, ``http``, ``dns``, ``mtu 1500``."""
    number = ask.size if ask.kind == "mtu" else ask.port
    return "icmp" if ask.kind == "ping" else f"{ask.kind} {number}" if number else ask.kind


def prediction(world: World, here: End, there: End | None, ask: Ask) -> Prediction | None:
    """What reach says of a probe between two ends; None of what it does not tell: names, URLs by name."""
    if there is None or ask.kind == "dns":
        return None
    protocol = {"ping": "icmp", "mtu": "icmp", "http": "tcp"}.get(ask.kind, ask.kind)
    port: int | None = ask.port or None
    if ask.kind == "http":
        port = ask.port or (443 if ask.target.startswith("https:") else 80)
    try:
        verdict = judged(world, here, there, protocol, port)
    except CloudnetError:
        return None
    fits = verdict.verdict
    if ask.kind == "mtu" and ask.size and verdict.mtu and ask.size > verdict.mtu:
        fits = "blocked"
    return Prediction(fits, why(verdict), verdict.mtu, tuple(item.as_dict() for item in verdict.blockers))


def _instance(world: World, text: str) -> _Stand | None:
    """The instance that an id or a name of the topology means, called so; None for what is neither."""
    if text.startswith("i-"):
        found = world.network.instances.get(text)
        if found is None or found.state != "running":
            return None
        return _Stand(text, found, resolve(world.index, found.id), _declared(world, found))
    place = None if _address(text) else world.place(text)
    stands = _stands(world, place) if place is not None else []
    if place is not None and not stands:
        raise CloudnetError(f"{text}: {_NOBODY}")
    return replace(stands[0], name=text) if stands else None


def _declared(world: World, instance: Instance) -> Place | None:
    """The place of the topology that an instance is."""
    for vpc in world.topology.vpcs.values():
        for name in vpc.instances:
            running = world.instance(vpc.name, name)
            if running is not None and running.id == instance.id:
                return vpc.place("instance", name)
    return None


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
