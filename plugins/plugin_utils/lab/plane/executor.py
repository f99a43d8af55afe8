# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane as Systems Manager and the instances' API need it: nodes, commands, consoles. See fidelity.ssm.Executor."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ...twin.client import TwinError
from ..core import LOG
from ..fidelity.ssm import Outcome
from .plane import DataPlane

_TELLS = ("ComputerName", "AgentVersion", "PlatformName", "PlatformVersion", "PlatformType", "PingStatus")


class NodeExecutor:
    """Nodes are online as the twin sees them; what it cannot say, no node is."""

    def __init__(self, plane: DataPlane) -> None:
        self._plane = plane
        self._said = ""

    def online(self, account: str, region: str) -> Mapping[str, Mapping[str, Any]]:
        """The managed nodes of an account and Region, with PingStatus and LastPingDateTime; Inactive ones are not listed."""
        twin, (network, _facts) = self._plane.twin, self._plane.known
        if twin is None or not twin.alive:
            return {}
        try:
            nodes = twin.nodes()
        except TwinError as error:
            if str(error) != self._said:  # it is asked many times a second
                self._said = str(error)
                LOG.error("Systems Manager's nodes: %s", error)
            return {}
        found: dict[str, dict[str, Any]] = {}
        for key, told in nodes.items():
            instance = network.instances.get(key)
            if instance is not None and (instance.account, instance.region) == (account, region):
                node = {name: told[name] for name in _TELLS if told.get(name)}
                node.setdefault("PingStatus", told.get("status") or "Online")
                if when := _time(told.get("LastPingDateTime")):
                    node["LastPingDateTime"] = when
                found[key] = node
        return found

    def run(self, account: str, region: str, instance: str, commands: Sequence[str], folder: str, seconds: float) -> Outcome:
        """Run shell lines in an instance and wait for their end; what the data plane refuses is a failure that says why."""
        twin = self._plane.twin
        if twin is None:
            return Outcome("Failed", 255, "", f"{instance} has no data plane to run in")
        try:
            told = twin.run(instance, commands, folder, seconds)
        except TwinError as error:
            return Outcome("Failed", 255, "", str(error))
        return Outcome(
            str(told.get("status") or "Failed"),
            int(told.get("exit_code") or 0),
            str(told.get("output") or ""),
            str(told.get("error") or ""),
            float(told.get("seconds") or 0.0),
        )

    def console(self, instance: str) -> str:
        """What the instance's console shows of its SSH host keys, as cloud-init prints them; "" while there are none."""
        twin, (network, _facts) = self._plane.twin, self._plane.known
        found = network.instances.get(instance)
        if twin is None or found is None:
            return ""
        try:
            keys = twin.host_keys([instance]).get(instance) or []
        except TwinError:
            return ""
        return console_text(f"ip-{found.private_ip.replace('.', '-')}", keys) if keys else ""


def console_text(hostname: str, keys: Sequence[str]) -> str:
    """Host keys between the lines by which people and tools find them.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/connect-to-linux-instance.html ("get the instance fingerprint")
    """
    lines = ["<14>ec2: #############################################################", "<14>ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----"]
    for key in keys:
        kind, _space, rest = key.partition(" ")
        digest = base64.b64encode(hashlib.sha256(base64.b64decode(rest.split()[0])).digest()).decode().rstrip("=")
        name = kind.removeprefix("ssh-").removeprefix("ecdsa-sha2-nistp").upper()
        lines.append(f"<14>ec2: {_BITS.get(kind, 256)} SHA256:{digest} root@{hostname} ({_NAMES.get(kind, name)})")
    lines += ["<14>ec2: -----END SSH HOST KEY FINGERPRINTS-----", "<14>ec2: #############################################################"]
    lines += ["-----BEGIN SSH HOST KEY KEYS-----", *(f"{key} root@{hostname}" if key.count(" ") == 1 else key for key in keys)]
    return "\n".join([*lines, "-----END SSH HOST KEY KEYS-----", ""])


_NAMES = {"ssh-ed25519": "ED25519", "ecdsa-sha2-nistp256": "ECDSA", "ssh-rsa": "RSA"}
_BITS = {"ssh-rsa": 3072}


def _time(value: Any) -> datetime | None:
    if isinstance(value, str) and value:
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) else None
