# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the kernel, as far as the sync must remember it: namespaces by their descriptors, devices by their indices, wires."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from ..state import ROUTER, Address, Wire
from . import content, netlink
from .content import Devices, Key
from .netlink import Netlink, NetlinkError, Request
from .nft import Table
from .system import inside

_FIRST_INDEX = 1000
"""Of our devices: far from those that the kernel's modules may put into a new namespace of their own (``sit0``, ``tunl0``)."""
_DYING = 0x7FFFFFF0
"""The link group of devices that are about to be deleted together."""
_OPEN = 256
"""How many sockets of rtnetlink may be open at once."""
_PATIENCE = 2.0
"""Seconds to wait at most for what the kernel does in the background."""


@dataclass
class Held:
    """A namespace: its profile, its descriptor, its ruleset, the index of each device, and settings as they were before the state's own."""

    profile: str
    descriptor: int
    table: Table
    devices: dict[str, int]
    before: dict[str, str] = field(default_factory=dict)


class Failed(Exception):
    """A change that could not be made, in the namespace that it was of."""

    def __init__(self, namespace: str, error: Exception) -> None:
        self.namespace = namespace
        super().__init__(f"{namespace}: {error}" if namespace else str(error))


class Links:
    """Sockets of rtnetlink that are open for the time of one change: one in each namespace that needs it."""

    def __init__(self, held: Mapping[str, Held], stack: ExitStack) -> None:
        self._held = held
        self._stack = stack
        self._open: dict[str, Netlink] = {}
        self._ipv6: dict[str, list[str]] = {}

    def _here(self, name: str) -> Netlink:
        """A socket of the namespace ``name``, in which the calling thread is."""
        if len(self._open) >= _OPEN:
            self._stack.close()
            self._open.clear()
        self._open[name] = self._stack.enter_context(Netlink())
        return self._open[name]

    def outside(self) -> Netlink:
        """A socket of the calling thread's own namespace."""
        return self._open.get("") or self._here("")

    def run(self, name: str, requests: list[Request]) -> None:
        """Send requests in a namespace; none need no socket. Raises Failed."""
        if not requests:
            return
        try:
            self._socket(name).run(requests)
        except (OSError, NetlinkError) as error:
            raise Failed(name, error) from error
        for request in requests:
            match request:
                case Request(kind=netlink.NEWADDR, about=Address(cidr=cidr)) if ":" in cidr:
                    self._ipv6.setdefault(name, []).append(cidr.partition("/")[0])

    def settle(self) -> None:
        """Wait for the new IPv6 addresses: the kernel answers for one some moments after it took it, without saying when."""
        limit = time.monotonic() + _PATIENCE
        for name, addresses in self._ipv6.items():
            waiting = addresses
            while waiting and name in self._held and time.monotonic() < limit:
                try:
                    answers = self._socket(name).ask([netlink.ask_route(address) for address in waiting])
                except OSError as error:
                    raise Failed(name, error) from error
                waiting = [address for address, answer in zip(waiting, answers, strict=True) if not netlink.is_local(answer)]
                if waiting:
                    time.sleep(0.001)
        self._ipv6.clear()

    def _socket(self, name: str) -> Netlink:
        if name not in self._open:
            with inside(self._held[name].descriptor):
                self._here(name)
        return self._open[name]


class Wiring:
    """The wires that there are. ``held``: the namespaces, as the kernel's side remembers them, whose devices are noted there."""

    def __init__(self, held: Mapping[str, Held]) -> None:
        self.wires: dict[Key, Wire] = {}
        self._held = held
        self._next_index = _FIRST_INDEX

    def forget_lost(self) -> None:
        """Take wires as gone that a namespace has taken with it: a veth goes with either."""
        for each in [each for each in self.wires if each[0][0] not in self._held or each[1][0] not in self._held]:
            self.forget(each)

    def forget(self, each: Key) -> None:
        """Take a wire as gone."""
        self.wires.pop(each, None)
        for namespace, name in each:
            held = self._held.get(namespace)
            if held is not None:
                held.devices.pop(name, None)

    def remove(self, gone: Mapping[Key, Wire], dying: Collection[str], links: Links) -> None:
        """Delete wires, those that end in one namespace together. One between two dying namespaces goes with them."""
        lost = set(dying)
        there = {each: wire for each, wire in gone.items() if each in self.wires and not (each[0][0] in lost and each[1][0] in lost)}
        many = Counter(namespace for each in there for namespace, _name in each if namespace not in lost)
        batches: dict[str, list[Key]] = {}
        for each in there:
            # The namespace with the most of them: a deletion waits for all processors, and those of one namespace share the wait.
            side = max((end for end in each if end[0] in many), key=lambda end: (many[end[0]], end))
            batches.setdefault(side[0], []).append(each)
        for namespace, keys in sorted(batches.items()):
            devices = self._held[namespace].devices
            ours = [(devices[name], there[each]) for each in keys for place, name in each if place == namespace and name in devices]
            if len(ours) == 1:
                requests = [netlink.delete_link(*ours[0])]
            else:
                requests = [netlink.if_there(netlink.change_link(index, wire, group=_DYING)) for index, wire in ours]
                requests.append(netlink.delete_links(_DYING, f"the {len(ours)} wires that go"))
            links.run(namespace, requests)
            for each in keys:
                self.forget(each)

    def make(self, wires: content.Wires, links: Links) -> dict[str, Devices]:
        """Make wires, and change those that stay. What happened to the devices, by namespace."""
        fresh: dict[str, set[str]] = {}
        renamed: dict[str, set[str]] = {}
        resized: dict[str, set[str]] = {}
        by_place: dict[str, list[Request]] = {}
        for each, (was, wire) in wires.changed.items():
            for (namespace, name), before, after in zip(each, (was.left, was.right), (wire.left, wire.right), strict=True):
                mac = after.mac if before.mac != after.mac else None
                group = after.group if before.group != after.group else None
                mtu = wire.mtu if was.mtu != wire.mtu else None
                if mac is not None:
                    renamed.setdefault(namespace, set()).add(name)
                if mtu is not None:
                    resized.setdefault(namespace, set()).add(name)
                if (mac, group, mtu) != (None, None, None):
                    index = self._held[namespace].devices[name]
                    by_place.setdefault(namespace, []).append(netlink.change_link(index, wire, mtu=mtu, mac=mac, group=group))
            # Even when it fails halfway the wire is no longer as it was, and whoever goes back must know.
            self.wires[each] = wire
        for namespace, requests in by_place.items():
            links.run(namespace, requests)
        made: list[tuple[Request, Key, int]] = []
        for each, wire in wires.come.items():
            left, right = self._held[each[0][0]], self._held[each[1][0]]
            index = self._next_index
            self._next_index += 2
            made.append((netlink.new_wire(wire, (left.descriptor, index), (right.descriptor, index + 1)), each, index))
        for _request, each, index in made:
            # Taken as made until the kernel says otherwise: where its answer is lost, going back must delete it.
            self.wires[each] = wires.come[each]
            for offset, (namespace, name) in enumerate(each):
                self._held[namespace].devices[name] = index + offset
                fresh.setdefault(namespace, set()).add(name)
        failures = links.outside().send(request for request, _each, _index in made) if made else []
        refused = {id(failure.request) for failure in failures}
        for request, each, _index in made:
            if id(request) in refused:
                self.forget(each)
        if failures:
            raise NetlinkError(failures)
        for namespace, names in fresh.items():
            held = self._held[namespace]
            if held.profile == ROUTER:
                links.run(namespace, [netlink.link_up(held.devices[name], f"device {name}") for name in sorted(names)])
        return {
            name: Devices(self._held[name].devices, fresh.get(name, ()), renamed.get(name, ()), resized.get(name, ()))
            for name in {**fresh, **renamed, **resized}
        }
