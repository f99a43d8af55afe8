# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as processes (see seams.Machines): the daemon's side, which keeps their disks and asks the zygote for everything else."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..cgroups import Groups
from ..host_ids import Slots
from ..kernel.system import MNT_DETACH, MS_NODEV, mount, umount
from ..seams import Machine, NetworkNamespaces, TwinError
from . import files
from .asking import GoneError, Process, Zygote
from .calls import clone_mount
from .init import Boot, Launch
from .memory import namespace
from .root import DISK_SIZE
from .userdata import boot_script

_INODES = 65536
_PATIENCE = 5.0
"""Seconds until the end of an instance that ends by itself must have been told."""


@dataclass
class _Disk:
    """An instance that was booted once. ``filled``: its disk has its first files; ``seeded``: its user data was run.

    ``wanted``: it is to run; ``process``: its process 1, None when it does not run. ``first``: of its ids (see host_ids.py), -1 for
    none yet.
    """

    folder: Path
    machine: Machine
    filled: bool = False
    seeded: bool = False
    wanted: bool = False
    first: int = -1
    process: Process | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ProcessMachines:
    """Instances as processes. To be made by a process without threads, which is root in a user and a mount namespace of its own.

    ``folder``: where disks are mounted; a private file system in memory. ``missing``: protections that the tree
    misses. ``groups``: the lab's control group. ``ids``: whether an instance's root and its user are different ids. Raises TwinError.
    """

    def __init__(self, kernel: NetworkNamespaces, folder: Path, missing: Iterable[str] = (), groups: Groups | None = None) -> None:
        self._kernel = kernel
        self._disks = folder / "disks"
        self._disks.mkdir(mode=0o700, parents=True, exist_ok=True)
        image = folder / "image"
        image.mkdir(mode=0o700, exist_ok=True)
        self._zygote = Zygote(str(image))
        self._slots = Slots(self._zygote.slots)
        self.ids = self._zygote.slots > 0
        # Protections that this kernel refuses, as far as instances were booted; see confine.MISSING.
        self.missing = self._zygote.missing
        self.missing.update(missing)
        self._groups = groups or Groups(None)
        # No control group limits their memory: it must be watched.
        self.watched = self._groups.folder is None
        self._machines: dict[str, _Disk] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # -- seams.Machines --------------------------------------------------------------------------------------------------------------

    async def boot(self, machine: Machine) -> None:
        """See seams.Machines. An instance that runs under another number of boots is ended first."""
        disk = self._machines.get(machine.id)
        if disk is None:
            # By digest: whatever an instance is called, its disk and its control group are folders of ours.
            disk = self._machines[machine.id] = _Disk(self._disks / sha256(machine.id.encode()).hexdigest()[:32], machine)
        # A caller who gives up must not leave an instance behind of which nobody knows whether it runs.
        await asyncio.shield(self._background(self._boot(disk, machine)))

    async def _boot(self, disk: _Disk, machine: Machine) -> None:
        async with disk.lock:
            if self._machines.get(machine.id) is not disk:
                raise TwinError(f"{machine.id} is terminated")
            if disk.process is not None:
                if disk.machine.boots == machine.boots:
                    return
                await self._end(disk)
            disk.machine = machine
            await self._start(disk)
            disk.wanted = True
        if machine.user_data and not disk.seeded:
            disk.seeded = True
            self._background(self._seed(machine.id))

    def _background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def halt(self, id: str) -> None:
        """See seams.Machines."""
        disk = self._machines.get(id)
        if disk is not None:
            async with disk.lock:
                disk.wanted = False
                await self._end(disk)

    async def discard(self, id: str) -> None:
        """See seams.Machines."""
        await self.halt(id)
        disk = self._machines.pop(id, None)
        if disk is None:
            return
        async with disk.lock:
            # A boot may have waited for the lock behind us.
            await self._end(disk)
            if disk.folder.is_dir():
                with suppress(OSError):
                    umount(disk.folder, MNT_DETACH)
                with suppress(OSError):
                    disk.folder.rmdir()
            self._groups.remove(disk.folder.name)
            if disk.first >= 0:
                self._slots.leave(disk.first)

    async def spawn(
        self,
        id: str,
        argv: Sequence[str],
        *,
        root: bool = False,
        environment: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        terminal: bool = False,
        folder: str = "",
    ) -> Process:
        """See seams.Machines. ``environment`` comes on top of a login's."""
        disk = self._machines.get(id)
        if disk is None or not disk.wanted:
            raise TwinError(f"{id} does not run")
        if not argv:
            raise TwinError(f"{id}: no program to run")
        user = "root" if root else disk.machine.user
        given = [(number, handle) for number, handle in enumerate((stdin, stdout, stderr)) if handle is not None]
        request = Launch(
            argv=tuple(argv),
            root=root or user == "root",
            ids=self.ids,
            environment=login(user, environment or {}),
            folder=folder,
            terminal=terminal,
            given=tuple(number for number, _handle in given),
        )
        try:
            try:
                return await self._launch(disk, given, request)
            except GoneError:
                return await self._launch(disk, given, request)
        except TwinError as error:
            raise TwinError(f"{id}: {argv[0]} does not start: {error}") from None

    async def _launch(self, disk: _Disk, given: Sequence[tuple[int, int]], request: Launch) -> Process:
        if disk.process is None:
            # It rebooted itself: what ends an instance from within is no stop.
            await self.boot(disk.machine)
        first = disk.process
        try:
            return await self._zygote.request([handle for _number, handle in given], do="spawn", instance=disk.machine.id, request=request)
        except GoneError:
            if first is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(first.wait(), _PATIENCE)
            raise

    def running(self, id: str) -> bool:
        """See seams.Machines."""
        disk = self._machines.get(id)
        return disk is not None and disk.process is not None

    def name_of(self, number: int) -> str:
        """The instance whose namespace of process ids has that number."""
        for id, disk in self._machines.items():
            with suppress(OSError):
                if disk.process is not None and namespace(str(disk.process.pid)) == number:
                    return id
        return "an instance"

    async def close(self) -> None:
        """See seams.Machines."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*(self.discard(id) for id in list(self._machines)), return_exceptions=True)
        await self._zygote.close()

    # -- the agent's folder ----------------------------------------------------------------------------------------------------------

    def agent_folder(self, id: str) -> Path:
        """The folder that a booted instance sees as ``/run/agent``; its user's, 0700. Its contents are the user's to change: whoever makes
        a socket here must not follow links (see ``agent_socket``). Raises TwinError."""
        disk = self._machines.get(id)
        if disk is None or not disk.filled:
            raise TwinError(f"{id} does not run")
        return disk.folder / "agent"

    def agent_socket(self, id: str, name: str) -> tuple[socket.socket, str]:
        """A listening socket in that folder, and its path as programs in the instance see it. Raises TwinError."""
        path = self.agent_folder(id) / name
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The mode comes from the mask: a later chmod could be led elsewhere by a link.
        mask = os.umask(0)
        try:
            listener.bind(str(path))
            listener.listen(16)
        except OSError as error:
            listener.close()
            raise TwinError(f"{id}: no socket {name} for the agent: {error.strerror}") from None
        finally:
            os.umask(mask)
        listener.setblocking(False)
        return listener, f"/run/agent/{name}"

    # -- starting and ending -----------------------------------------------------------------------------------------------------------

    async def _start(self, disk: _Disk) -> None:
        machine = disk.machine
        script = boot_script(machine.user_data, machine.user) if machine.user_data and not disk.filled else b""
        handle = group = -1
        try:
            if not disk.folder.is_dir():
                disk.folder.mkdir(mode=0o700)
                if disk.first < 0:
                    disk.first, alone = self._slots.take()
                    if self.ids and not alone:
                        self.missing.add("ids")
                owner = disk.first
                # Set-user-ID counts on it: what an instance's root gives that bit to can only become that root.
                mount("disk", disk.folder, "tmpfs", MS_NODEV, f"mode=755,uid={owner},gid={owner},size={DISK_SIZE},nr_inodes={_INODES}")
            handle = clone_mount(str(disk.folder))
            boot = Boot(
                hostname=machine.hostname,
                user=machine.user,
                first=not disk.filled,
                ids=self.ids,
                boot_files=files.boot_files(machine),
                etc=files.etc(machine),
                home_files=files.home_files(machine),
                private_files={files.USER_DATA: machine.user_data, files.BOOT_SCRIPT: script} if script else {},
            )
            network = self._kernel.descriptor(machine.id)
            group = self._groups.open(disk.folder.name)
            if group < 0:
                self.missing.add("memory")
            handles = [network, handle, *([group] if group >= 0 else [])]
            process = await self._zygote.request(handles, do="boot", instance=machine.id, first=disk.first, boot=boot)
        except (OSError, TwinError) as error:
            raise TwinError(f"{machine.id} does not boot: {error}") from None
        finally:
            for descriptor in (handle, group):
                if descriptor >= 0:
                    os.close(descriptor)
        disk.filled = True
        disk.process = process

        def ended() -> None:
            if disk.process is process:
                disk.process = None

        process.when_ended(ended)

    async def _end(self, disk: _Disk) -> None:
        process = disk.process
        if process is not None:
            self._zygote.ask(do="kill", instance=disk.machine.id)
            await process.wait()
            disk.process = None

    async def _seed(self, id: str) -> None:
        with suppress(TwinError):
            process = await self.spawn(id, ["/bin/sh", files.BOOT_SCRIPT], root=True, folder="/")
            await process.wait()


def login(user: str, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: a login's, and what the caller adds to it."""
    return {**files.environment(user), **more}
