# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ssh server without a data plane: instances are processes of this machine in a folder each, their networks its loopback.

What it cannot show (that a program sees nothing of the host, that groups decide) is shown where the whole data plane runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Instance, Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import ssh_config
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts, HostFacts
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane, TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.entry import Entry
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.ssh.server import SshServer

WEB, DB = "i-00000000000000001", "i-00000000000000002"
WEB_PUBLIC, WEB_PRIVATE, DB_PRIVATE = "198.18.0.5", "10.0.0.5", "10.0.0.6"
SILENT = "198.18.0.9"
_ADDRESSES = {WEB_PUBLIC: WEB, WEB_PRIVATE: WEB, DB_PRIVATE: DB}


class Loopback(socket.socket):
    """A socket that takes the addresses of the networks for ports of the loopback."""

    namespace = ""
    ports: dict[str, int] = {}
    silent: socket.socket

    def bind(self, address: Any) -> None:
        own = "::1" if self.family == socket.AF_INET6 else "127.0.0.1"
        if self.namespace == "internet":
            return
        super().bind((own, 0 if address[1] == 22 else address[1]))
        if address[1] == 22 and self.family == socket.AF_INET:
            self.ports[self.namespace] = self.getsockname()[1]

    def connect(self, address: Any) -> None:
        host, port = address[0], address[1]
        if host == SILENT:
            host, port = self.silent.getsockname()
        elif port == 22:
            host, port = "127.0.0.1", self.ports.get(_ADDRESSES.get(host, ""), 1)
        super().connect((host, port))


class LoopbackKernel:
    """A kernel (see seams.Kernel) of one network."""

    def apply(self, state: Any) -> None:
        raise TwinError("there are no namespaces here")

    def socket(self, namespace: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        made = Loopback(family, kind, protocol)
        made.namespace = namespace
        return made

    def descriptor(self, namespace: str) -> int:
        raise TwinError("there are no namespaces here")

    def close(self) -> None:
        """Nothing to let go of."""


class Child:
    """A process (see seams.Running)."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self._process = process

    async def wait(self) -> int:
        return await self._process.wait()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Folders:
    """Machines (see seams.Machines) that are folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.children: list[Child] = []

    async def boot(self, machine: Any) -> None:
        self.home(machine.id)

    async def halt(self, id: str) -> None:
        """Nothing runs on."""

    async def discard(self, id: str) -> None:
        """Nothing runs on."""

    async def close(self) -> None:
        for child in self.children:
            child.signal(signal.SIGKILL)

    def running(self, id: str) -> bool:
        return True

    def home(self, id: str) -> Path:
        home = self.folder / id / "home"
        home.mkdir(parents=True, exist_ok=True)
        return home

    def agent_folder(self, id: str) -> Path:
        folder = self.folder / id / "agent"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

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
    ) -> Child:
        def own() -> None:
            # Who runs the tests may ignore them, as nohup and a shell's background do; instances do not.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            if terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        home = self.home(id)
        # Where instances see the folder of agents, this machine may have nothing.
        given = {name: value.replace("/run/agent", str(self.agent_folder(id))) for name, value in (environment or {}).items()}
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.DEVNULL if stdout is None else stdout,
                stderr=subprocess.DEVNULL if stderr is None else stderr,
                env={"PATH": os.environ["PATH"], "HOME": str(home), "USER": "ec2-user", **given},
                cwd=home,
                start_new_session=True,
                preexec_fn=own,
            )
        except OSError as error:
            raise TwinError(f"{id}: {argv[0]}: {error.strerror}") from error
        self.children.append(Child(process))
        return self.children[-1]


class Place:
    """Two instances, a server for them, and the files of their user. ``run`` runs a command of OpenSSH's client with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.state = folder / "state of it"
        self.state.mkdir()
        self.machines = Folders(folder / "machines")
        self.key = folder / "user.pem"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        public = (folder / "user.pem.pub").read_text().strip()
        self.lab_key = ssh_config.ensure_key(self.state)
        common = {"account": "123456789012", "region": "us-east-1", "vpc": "vpc-1", "subnet": "subnet-1", "state": "running"}
        web = Instance(id=WEB, tags={"Name": "Web 1"}, private_ip=WEB_PRIVATE, public_ip=WEB_PUBLIC, **common)  # type: ignore[arg-type]
        db = Instance(id=DB, tags={"Name": "db"}, private_ip=DB_PRIVATE, **common)  # type: ignore[arg-type]
        facts = {WEB: HostFacts(WEB, authorized=(public,), key_name="user"), DB: HostFacts(DB, authorized=(public,), key_name="user")}
        self.plane = Plane(Network(instances={WEB: web, DB: db}), Facts(MappingProxyType(facts)), frozenset({WEB, DB}))
        self.woken: list[str] = []
        # A port whose queue is full answers nothing.
        Loopback.silent = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.waiting = [socket.create_connection(Loopback.silent.getsockname())]
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="ssh")
        self.thread.start()
        try:
            self.server, self.entry = self.call(self._start)
        except BaseException:
            self.stop()
            raise
        self.configure()

    async def wake(self, host: str) -> None:
        """See seams.Waker."""
        self.woken.append(host)

    async def _start(self) -> tuple[SshServer, Entry]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.socket))
        listener.listen()
        kernel = LoopbackKernel()
        server = SshServer(kernel, self.machines, self, lambda: self.plane)
        entry = Entry(listener, server, kernel, self, lambda: self.plane)
        await server.start()
        await entry.start()
        await server.serve(WEB)
        await server.serve(DB)
        server.authorize(self.lab_key)
        return server, entry

    def configure(self) -> None:
        """Write the user's files as they are now."""
        listed = [
            {
                "id": item.id,
                "name": item.tags.get("Name", ""),
                "account": item.account,
                "region": item.region,
                "private_ip": item.private_ip,
                "public_ip": item.public_ip,
                "key_name": "user",
                "user": "ec2-user",
                "host_keys": self.server.host_keys(item.id),
                "state": item.state,
            }
            for item in self.plane.network.instances.values()
        ]
        written = ssh_config.write(self.state, str(self.socket), listed, {"user": str(self.key)}, sys.executable)
        self.config = written.config

    def call(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run a coroutine in the server's loop."""

        async def body() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(body(), self.loop).result(30)

    def stop(self) -> None:
        """End it."""

        async def close() -> None:
            await self.entry.close()
            await self.server.close()
            await self.machines.close()
            await asyncio.sleep(0.1)

        with contextlib.suppress(AttributeError):
            self.call(close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()
        for made in (*self.waiting, Loopback.silent):
            made.close()

    def home(self, host: str = WEB) -> Path:
        """The home folder of an instance."""
        return self.machines.home(host)

    def environment(self) -> dict[str, str]:
        """Of the client: nothing of the user's own."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "SHELL": "/bin/sh", "LANG": "C.UTF-8"}

    def run(self, program: str, *words: str, **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run ssh, scp or sftp with the lab's configuration."""
        options = {"capture_output": True, "timeout": 60, "env": self.environment(), **options}
        if "input" not in options and "stdin" not in options:
            options["stdin"] = subprocess.DEVNULL
        return subprocess.run([program, "-F", str(self.config), *words], check=False, **options)


@contextlib.contextmanager
def place(folder: Path) -> Iterator[Place]:
    """A place, ended afterwards."""
    made = Place(folder)
    try:
        yield made
    finally:
        made.stop()
