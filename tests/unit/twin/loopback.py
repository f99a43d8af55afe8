# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kernel whose namespaces are all the tests' own one: services answer on loopback addresses, ports as the system gives them."""

from __future__ import annotations

import os
import socket

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import KernelState


class Loopback(socket.socket):
    """A socket that stays on loopback, whatever address it is told."""

    def bind(self, address: tuple[str, int]) -> None:  # type: ignore[override]
        super().bind(("127.0.0.1", 0))

    def setsockopt(self, level: int, name: int, value: int) -> None:  # type: ignore[override]
        if level != socket.IPPROTO_IPV6:
            super().setsockopt(level, name, value)


class LoopbackKernel:
    """``names`` are the namespaces that there are. ``made`` holds every socket: namespace, address family, kind, socket."""

    def __init__(self, *names: str) -> None:
        self.names = {name: os.open("/dev/null", os.O_RDONLY) for name in names}
        self.made: list[tuple[str, int, socket.socket]] = []

    def apply(self, state: KernelState) -> None:
        """Nothing here is applied."""

    def socket(self, namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this very namespace; IPv4, for loopback."""
        self.descriptor(namespace)
        made = Loopback(socket.AF_INET, kind, protocol)
        self.made.append((namespace, kind, made))
        return made

    def descriptor(self, namespace: str) -> int:
        """A file that stands for the namespace."""
        if namespace not in self.names:
            raise TwinError(f"there is no namespace {namespace}")
        return self.names[namespace]

    def remake(self, namespace: str) -> None:
        """Another namespace of the same name."""
        os.close(self.names[namespace])
        self.names[namespace] = os.open("/dev/zero", os.O_RDONLY)

    def close(self) -> None:
        """Let go."""
        for descriptor in self.names.values():
            os.close(descriptor)
        for _name, _kind, made in self.made:
            made.close()
