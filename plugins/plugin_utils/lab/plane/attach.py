# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a lab its data plane, with what belongs to it: the way in by ssh, the executor of Systems Manager, the delivery of flow logs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ....module_utils.errors import SnapshotError
from ...twin.client import Twin, TwinError
from .. import ssh_config
from ..core import LOG, Lab
from .executor import NodeExecutor
from .flow_records import FlowRecords
from .hosts import listing
from .plane import CHOICES, OFF, DataPlane
from .snapshots import open_snapshot

SOCKET = "ssh.sock"
NEEDS = {"asyncssh": "asyncssh", "dnspython": "dns"}
"""Libraries without which the data plane does not start, by the names under which they are installed."""


def attach(lab: Lab, folder: Path, sockets: Path, start: Callable[..., Twin] = Twin.start, why_not: str | None = None) -> None:
    """Prepare the data plane as the lab's options say; nothing is started before an instance runs, unless a snapshot is shown.

    ``folder``: for the ssh configuration, the lab's own key and the log. ``sockets``: for the socket by which the user comes in.
    ``why_not``: why there can be none ("" when there can); found out when it is None.
    Raises ValueError, in one line, for an unknown option, and where what is required cannot be had; OSError for a folder that cannot be
    written.
    """
    wanted, snapshot = lab.options.twin, lab.options.snapshot
    if wanted not in CHOICES:
        raise ValueError(f"twin: {wanted!r} is none of {', '.join(CHOICES)}")
    (sockets / SOCKET).unlink(missing_ok=True)
    if wanted == OFF:
        if snapshot:
            raise ValueError("snapshot: a snapshot is shown by the data plane, which twin: off leaves out")
        return
    refused, missing = _trial() if why_not is None else (why_not, ())
    for protection in missing:
        LOG.warning("a protection from instances is missing: %s", protection)
    if refused and (wanted == "required" or snapshot):
        raise ValueError(
            f"the data plane that {'twin: required' if wanted == 'required' else 'the snapshot'} needs cannot be had: {refused}"
        )
    try:
        fixed = open_snapshot(snapshot) if snapshot else None
    except SnapshotError as error:
        raise ValueError(f"snapshot: {error}") from error

    # The files are there before the first instance is, so that who is told of them finds them; a former lab's hosts are gone from them.
    written = ssh_config.write(folder, str(sockets / SOCKET), ())

    def begin(listener: socket.socket | None, log: Path | None, options: Any) -> Twin:
        twin = start(listener, log, options)
        # Without the lab's own key the way in by the network's own means remains: it is not worth more than a line.
        try:
            twin.authorize(ssh_config.ensure_key(folder))
        except (OSError, TwinError) as error:
            LOG.warning("no way in by the lab's own key: %s", error)
        return twin

    def write(plane: DataPlane) -> None:
        ssh_config.write(folder, str(sockets / SOCKET), listing(plane))

    plane = DataPlane(
        lab,
        ssh=(str(sockets / SOCKET), str(written.config)),
        start=begin,
        why_not=refused,
        missing=missing,
        log=folder / "lab.log",
        bind=lambda: _bind(sockets / SOCKET),
        fixed=fixed,
        on_hosts=write,
    )
    lab.plane, lab.executor, lab.flow_records = plane, NodeExecutor(plane), FlowRecords(lab, plane)
    plane.on_tick.append(lab.flow_records.deliver)
    if fixed is not None:
        try:
            plane.open()
        except TwinError as error:
            plane.close()
            raise ValueError(f"snapshot: {error}") from error


def plane_status(lab: Lab) -> dict[str, Any]:
    """A lab's ``{state, why, hosts, snapshot, warnings, missing, ssh_socket, ssh_config}``; see DataPlane.status."""
    if lab.plane is None:
        return {
            "state": OFF,
            "why": "the lab was started with twin: off",
            "hosts": 0,
            "snapshot": False,
            "warnings": [],
            "missing": [],
            "ssh_socket": "",
            "ssh_config": "",
        }
    found: dict[str, Any] = lab.plane.status()
    return found


def _trial() -> tuple[str, tuple[str, ...]]:
    """Why there can be no data plane on this machine, and which protections from instances it refuses, in words. Known before there is an
    instance, so that nobody counts on packets until then."""
    from ...twin.kernel.support import trial
    from ...twin.machines.confine import MISSING

    lacking = [name for name, package in NEEDS.items() if importlib.util.find_spec(package) is None]
    if lacking:
        return f"the data plane needs {' and '.join(lacking)}: pip install {' '.join(lacking)}", ()
    found = trial()
    return found.why_not, tuple(MISSING[name] for name in found.missing)


def _bind(path: Path) -> socket.socket:
    """A listening socket that only its owner can connect to."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        os.chmod(path, 0o600)
        listener.listen(64)
    except OSError:
        listener.close()
        raise
    return listener
