# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a KernelState so, by the difference to the one that is there.

Namespaces have no names in the kernel: descriptors hold them, so that nothing is left of them when this process ends, however it ends.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack

from ..seams import TwinError
from ..state import ROUTER, KernelState, Namespace
from . import content, netlink, sysctls
from .content import Devices
from .held import Failed, Held, Links, Wiring
from .netlink import NetlinkError
from .nft import NftError, Table
from .system import CLONE_NEWNET, inside, setns, this_network_namespace, unshare

_CONNECTIONS = 256
"""How many rulesets may keep their connection: each costs a low descriptor and the library's memory of the ruleset."""
_FAILURES = (OSError, ValueError, NetlinkError, NftError)


class NetworkKernel:
    """The namespaces of one data plane; see seams.Kernel. ``state`` is the last one that was applied as a whole."""

    def __init__(self) -> None:
        self.state = KernelState()
        self._held: dict[str, Held] = {}
        self._wiring = Wiring(self._held)
        self._applying = threading.Lock()
        self._holding = threading.Lock()
        self._connected: list[str] = []

    def apply(self, state: KernelState) -> None:
        """Make it so. Raises TwinError with what could not be done and where; the last good state is there again then."""
        with self._applying:
            if state is self.state:
                return
            new = state if sysctls.has_ipv6() else KernelState(_four(state.namespaces), state.wires)
            old = self.state
            try:
                wires = _wires(old, new)
            except ValueError as error:
                raise TwinError(f"the kernel's network was left as it was: {error}") from error
            try:
                self._change(old, new, wires)
            except (*_FAILURES, Failed) as error:
                raise TwinError(f"the kernel's network was left as it was: {error}{self._go_back(old, new)}") from error
            except BaseException:
                self._go_back(old, new)
                raise
            self.state = new

    def socket(self, namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A new socket that lives in a namespace. Raises TwinError when there is none of that name, OSError as sockets do."""
        with self._holding, inside(self._find(namespace)):
            return socket.socket(family, kind, protocol)

    def descriptor(self, namespace: str) -> int:
        """A descriptor of the namespace, borrowed: it is closed when a later state lacks the namespace. Raises TwinError."""
        with self._holding:
            return self._find(namespace)

    def close(self) -> None:
        """Let go of all namespaces; the kernel takes them apart in the background, once no process and no socket is in them."""
        with self._applying:
            self._forget(list(self._held))
            self.state = KernelState()

    def listed(self, namespace: str) -> str:
        """A namespace's ruleset as nft prints it, for people and tests. Raises TwinError."""
        with self._applying:
            self._find(namespace)
            try:
                return self._held[namespace].table.listed()
            except NftError as error:
                raise TwinError(f"{namespace}: {error}") from error

    def _find(self, namespace: str) -> int:
        held = self._held.get(namespace)
        if held is None:
            raise TwinError(f"the data plane has no namespace {namespace}")
        return held.descriptor

    # The change as a whole.

    def _change(self, old: KernelState, new: KernelState, wires: content.Wires) -> None:
        """From the one to the other. Nothing opens in between: ways go before the rulesets change, and come after."""
        added = [name for name in new.namespaces if name not in old.namespaces]
        gone = [name for name in old.namespaces if name not in new.namespaces]
        changed = _changed(old.namespaces, new.namespaces)
        with ExitStack() as stack:
            links = Links(self._held, stack)
            self._create([new.namespaces[name] for name in added])
            for name in changed:
                links.run(name, content.closing(old.namespaces[name], new.namespaces[name]))
            self._wiring.remove(wires.gone, gone, links)
            for name in changed:
                self._switch(old.namespaces[name], new.namespaces[name])
            devices = self._wiring.make(wires, links)
            # Whoever takes an address over has it before routers lead there.
            touched = dict.fromkeys((*added, *changed, *(name for name in devices if name in new.namespaces)))
            for name in sorted(touched, key=lambda each: new.namespaces[each].profile == ROUTER):
                before = old.namespaces.get(name)
                found = devices.get(name) or Devices(self._held[name].devices)
                try:
                    requests = content.opening(before, new.namespaces[name], found)
                except ValueError as error:
                    raise Failed(name, error) from error
                links.run(name, requests)
            for name in changed:
                found = devices.get(name) or Devices(self._held[name].devices)
                links.run(name, content.ending(old.namespaces[name], new.namespaces[name], found))
            links.settle()
        self._forget(gone)

    def _go_back(self, old: KernelState, new: KernelState) -> str:
        """After a failed change have the last good state again, with what it takes. What to add to the error's text."""
        try:
            failed = self._undo(old, new)
        except (*_FAILURES, Failed):
            failed = set(old.namespaces)
        if not failed:
            return ""
        try:
            self._renew(old, failed)
            return ""
        except (*_FAILURES, Failed):
            pass
        self._forget(list(self._held))
        try:
            self._change(KernelState(), old, _wires(KernelState(), old))
            return ""
        except (*_FAILURES, Failed) as error:
            self._forget(list(self._held))
            self.state = KernelState()
            return f"; nor could it be restored, so all of it is gone: {error}"

    def _undo(self, old: KernelState, new: KernelState) -> set[str]:
        """Take the difference back, step by step, without knowing how far it went. The namespaces where that failed."""
        failed: set[str] = set()
        wanted = {content.key(wire): content.turned(wire) for wire in old.wires}
        with ExitStack() as stack:
            links = Links(self._held, stack)
            extra = {each: wire for each, wire in self._wiring.wires.items() if each not in wanted}
            self._wiring.remove(extra, [name for name in self._held if name not in old.namespaces], links)
            self._forget([name for name in self._held if name not in old.namespaces])
            changed = {
                each: (self._wiring.wires[each], wire) for each, wire in wanted.items() if self._wiring.wires.get(each, wire) != wire
            }
            missing = {each: wire for each, wire in wanted.items() if each not in self._wiring.wires}
            devices = self._wiring.make(content.Wires({}, missing, changed), links)
            touched = dict.fromkeys((*_changed(new.namespaces, old.namespaces), *devices))
            for name in sorted(touched, key=lambda each: old.namespaces[each].profile == ROUTER):
                there = old.namespaces[name]
                tried = content.sound(new.namespaces[name]) if name in new.namespaces else None
                found = devices.get(name) or Devices(self._held[name].devices)
                try:
                    if tried is not None and tried != there:
                        links.run(name, content.closing(tried, there))
                        if tried.ruleset != there.ruleset:
                            self._held[name].table.restore(there.ruleset)
                        self._settings(tried, there)
                    # All of it once more: what is there already is no failure.
                    links.run(name, [netlink.forgiving(request) for request in content.opening(None, there, found)])
                    if tried is not None:
                        links.run(name, content.ending(tried, there, found))
                except (*_FAILURES, Failed):
                    failed.add(name)
            links.settle()
        return failed

    def _renew(self, state: KernelState, names: Collection[str]) -> None:
        """Make namespaces anew, with all their wires. The kernel would take the wires away too, but later than now."""
        with ExitStack() as stack:
            lost = {each: wire for each, wire in self._wiring.wires.items() if {each[0][0], each[1][0]} & set(names)}
            self._wiring.remove(lost, names, Links(self._held, stack))
        self._forget(names)
        kept = KernelState(
            {name: each for name, each in state.namespaces.items() if name not in names},
            frozenset(wire for wire in state.wires if not {wire.left.namespace, wire.right.namespace} & set(names)),
        )
        self._change(kept, state, _wires(kept, state))

    # Namespaces.

    def _create(self, namespaces: Iterable[Namespace]) -> None:
        """New namespaces, each with its settings and its ruleset before anything leads into it."""
        back = this_network_namespace()
        try:
            for namespace in namespaces:
                try:
                    self._create_one(namespace, back)
                except _FAILURES as error:
                    raise Failed(namespace.name, error) from error
        finally:
            setns(back, CLONE_NEWNET)
            os.close(back)

    def _create_one(self, namespace: Namespace, back: int) -> None:
        profile = sysctls.of_profile(namespace.profile)
        unshare(CLONE_NEWNET)
        try:
            descriptor = this_network_namespace()
            held = Held(namespace.profile, descriptor, Table(descriptor), {"lo": netlink.LOOPBACK})
            with self._holding:
                self._held[namespace.name] = held
            sysctls.write(profile)
            held.table.load(namespace.ruleset)
            held.table.close()
            if namespace.ruleset.chains:
                # Connection tracking's settings appear with the first ruleset that tracks.
                sysctls.write({path: value for path, value in profile.items() if path.startswith("netfilter/")})
            held.before = {path: sysctls.read(path) for path in namespace.sysctls}
            sysctls.write(namespace.sysctls)
        finally:
            setns(back, CLONE_NEWNET)

    def _settings(self, old: Namespace, new: Namespace) -> None:
        """A namespace's own settings beyond its profile's; one that goes gets its former value."""
        if old.sysctls == new.sysctls:
            return
        held = self._held[new.name]
        with inside(held.descriptor):
            for path in new.sysctls:
                held.before.setdefault(path, sysctls.read(path))
            dropped = {path: held.before[path] for path in old.sysctls if path not in new.sysctls and path in held.before}
            sysctls.write({**dropped, **{path: value for path, value in new.sysctls.items() if old.sysctls.get(path) != value}})

    def _switch(self, old: Namespace, new: Namespace) -> None:
        """A namespace's settings and its ruleset."""
        try:
            if old.profile != new.profile:
                raise ValueError(f"its profile cannot change from {old.profile} to {new.profile}")
            self._settings(old, new)
            table = self._held[new.name].table
            table.change(old.ruleset, new.ruleset)
        except _FAILURES as error:
            raise Failed(new.name, error) from error
        if table.connected and new.name not in self._connected:
            self._connected.append(new.name)
            if len(self._connected) > _CONNECTIONS:
                oldest = self._held.get(self._connected.pop(0))
                if oldest is not None:
                    oldest.table.close()

    def _forget(self, names: Collection[str]) -> None:
        for name in names:
            with self._holding:
                held = self._held.pop(name, None)
                if held is not None:
                    os.close(held.descriptor)
            if held is not None:
                held.table.close()
        if names:
            lost = set(names)
            self._connected = [name for name in self._connected if name not in lost]
            self._wiring.forget_lost()


def _four(namespaces: Mapping[str, Namespace]) -> dict[str, Namespace]:
    return {name: content.only_ipv4(namespace) for name, namespace in namespaces.items()}


def _wires(old: KernelState, new: KernelState) -> content.Wires:
    """The wires that differ. Raises ValueError for a state that is wrong in itself, before anything is done about it."""
    for name, namespace in new.namespaces.items():
        if old.namespaces.get(name) is not namespace:
            content.routes(namespace)
    return content.wires(old, new)


def _changed(old: Mapping[str, Namespace], new: Mapping[str, Namespace]) -> list[str]:
    """Names of the namespaces that both have and that differ. Most are the very same object: those cost nothing."""
    return [name for name, each in new.items() if (before := old.get(name)) is not None and before is not each and before != each]
