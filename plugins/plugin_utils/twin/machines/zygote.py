# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process from which instances and their programs are forked: small, with one thread, and with nothing of the host's in its files.

It is asked over a socket of packets: one byte and descriptors, the first of which is a file in memory with the question. It answers in
JSON: ``{"key", "pid", "missing"}`` (protections that the kernel refused; see confine.py) or ``{"key", "error", "gone"}`` to a question
(gone: the instance ended by itself), ``{"exit", "status"}`` when something ended. What it imports is little on purpose: a fork takes as
long as there is memory to copy the tables of.

An instance needs two forks: one that enters the namespaces, whose ids are then mapped from here, and its child, process 1 of the new
namespace of process ids; the first ends at once, and the kernel gives its child to us. A program in an instance needs one.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import pickle
import resource
import selectors
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from ..kernel.system import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    no_new_privileges,
    parent_death_signal,
    prctl,
    setns,
    unshare,
)
from .calls import close_all_but, fork_into, leave_keyring
from .children import Birth, Instance, give, map_ids, slots
from .confine import PROCESSES, first_to_end, learn
from .files import USER_ID
from .init import Boot, Launch, idle, launch, open_to_looks, other_name, set_up
from .root import enter_template, parts
from .seccomp import install, program

_OWN = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP
_ALL = _OWN | CLONE_NEWNET
_DESCRIPTORS = 16
_GONE = (errno.ESRCH, errno.ENOMEM)
"""What the kernel says of a namespace of process ids whose process 1 has ended, or is about to."""


class _Zygote:
    """``births`` by the descriptor of their channel; ``unclaimed``: statuses of children that ended before we heard of them.

    ``filter``: the program of seccomp.py that all of an instance has; empty where the kernel takes none.
    """

    def __init__(self, control: socket.socket, code: bytes, *, ids: bool) -> None:
        self.control = control
        self.filter = code
        self.ids = ids
        self.own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.selector = selectors.DefaultSelector()
        self.births: dict[int, Birth] = {}
        self.instances: dict[str, Instance] = {}
        self.living: set[int] = set()
        self.helpers: set[int] = set()
        self.unclaimed: dict[int, int] = {}

    def run(self) -> None:
        wake_read, wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.selector.register(self.control, selectors.EVENT_READ, "control")
        self.selector.register(wake_read, selectors.EVENT_READ, "wake")
        while True:
            for key, _mask in self.selector.select():
                if key.data == "control":
                    if not self._question():
                        for instance in self.instances.values():
                            signal.pidfd_send_signal(instance.handle, signal.SIGKILL)
                        return
                elif key.data == "wake":
                    with suppress(BlockingIOError):
                        os.read(wake_read, 4096)
                    self._bury()
                else:
                    self._hear(key.data)

    def _question(self) -> bool:
        packet, descriptors, _flags, _address = socket.recv_fds(self.control, 16, _DESCRIPTORS)
        if not packet:
            return False
        with os.fdopen(descriptors[0], "rb") as stream:
            stream.seek(0)
            question = pickle.load(stream)
        try:
            getattr(self, "do_" + question.pop("do"))(descriptors=descriptors[1:], **question)
        except OSError as error:
            if "key" in question:
                self._say(key=question["key"], error=_text(error), gone=error.errno in _GONE)
        finally:
            for descriptor in descriptors[1:]:
                os.close(descriptor)
        return True

    def _say(self, **report: Any) -> None:
        self.control.send(json.dumps(report).encode())

    # -- questions -------------------------------------------------------------------------------------------------------------------

    def do_boot(self, key: int, instance: str, first: int, boot: Boot, descriptors: list[int]) -> None:
        network, disk, *groups = descriptors
        group = os.dup(groups[0]) if groups else -1

        def body(channel: socket.socket) -> None:
            process = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            setns(network, CLONE_NEWNET)
            if first:
                # Who makes a user namespace is whom it counts for: all processes of all of its ids, in one number of its own.
                resource.setrlimit(resource.RLIMIT_NPROC, (2 * PROCESSES, 2 * PROCESSES))
                os.setgroups([])
                os.setresgid(first, first, first)
                os.setresuid(first, first, first)
            unshare(_OWN)
            with open_to_looks():
                missing = first_to_end()
                channel.send(b"map")
                if channel.recv(16) != b"go":
                    raise OSError("the ids of its user namespace cannot be mapped")
            wait, go = os.pipe2(os.O_CLOEXEC)
            if (child := os.fork()) != 0:
                channel.send(f"pid {child}".encode())
                if not self.ids:
                    socket.send_fds(channel, [b"other"], [other_name(USER_ID, process)])
                os.write(go, b"go")
                return
            os.close(go)
            # A process whose root is just being exchanged for another may make no user namespace.
            if not os.read(wait, 2):
                os._exit(1)
            missing += set_up(boot, disk)
            channel.send(" ".join(["ready", *missing]).encode())
            # Closed by the exec: before, we could not be entered, since nobody may look at us.
            close_all_but({channel.fileno()})
            idle(self.filter, ids=self.ids)

        self._bear(key, instance, first, group, body, {network, disk})

    def do_spawn(self, key: int, instance: str, request: Launch, descriptors: list[int]) -> None:
        if instance not in self.instances:
            raise ProcessLookupError(errno.ESRCH, "it does not run")
        home = self.instances[instance]

        def body(channel: socket.socket) -> None:
            give(descriptors, home.first + (USER_ID if self.ids and not request.root else 0), terminal=request.terminal)
            null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
            for target in (0, 1, 2):
                os.dup2(descriptors[request.given.index(target)] if target in request.given else null, target)
            with open_to_looks():
                first_to_end()
            setns(home.handle, _ALL)
            if home.other >= 0 and not request.root:
                setns(home.other, CLONE_NEWUSER)
            close_all_but({channel.fileno()})
            launch(request, self.filter)

        # Children are born in the instance's process ids at once; that spares a fork between.
        setns(home.handle, CLONE_NEWPID)
        try:
            self._bear(key, "", home.first, home.group, body, {home.handle, home.other, *descriptors})
        finally:
            setns(self.own, CLONE_NEWPID)

    def do_kill(self, instance: str, descriptors: list[int]) -> None:
        if instance in self.instances:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.instances[instance].handle, signal.SIGKILL)

    def do_signal(self, pid: int, number: int, descriptors: list[int]) -> None:
        # Nobody but us buries it, so the number is still its own.
        if pid in self.living:
            for send in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    send(pid, number)

    # -- children --------------------------------------------------------------------------------------------------------------------

    def _bear(self, key: int, instance: str, first: int, group: int, body: Callable[[socket.socket], None], keep: set[int]) -> None:
        """Fork a child that runs the body; what goes wrong in it, or in a child of its own, before an exec, it says itself."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid, missing = -1, []
        if group >= 0:
            try:
                pid = fork_into(group)
            except OSError:
                missing = ["memory"]
        if pid < 0:
            pid = os.fork()
        if pid == 0:
            _as_child(theirs, body, keep)
        theirs.close()
        if instance:
            self.helpers.add(pid)
        birth = Birth(key, ours, instance, first, group, pid, 0 if instance else pid)
        birth.missing = missing
        self.births[ours.fileno()] = birth
        self.selector.register(ours, selectors.EVENT_READ, birth)

    def _hear(self, birth: Birth) -> None:
        """A message of a child on its way, or the end of its channel."""
        try:
            packet, descriptors, _flags, _address = socket.recv_fds(birth.channel, 4096, 1)
        except OSError:
            packet, descriptors = b"", []
        message = packet.decode(errors="replace")
        word, _space, rest = message.partition(" ")
        if word == "map":
            try:
                map_ids(birth.helper, birth.first)
                birth.channel.send(b"go")
            except OSError as error:
                birth.error = _text(error)
                birth.channel.send(b"no")
        elif word == "other":
            birth.other = descriptors[0]
        elif word == "pid":
            birth.pid = int(rest)
        elif word == "error":
            birth.error = birth.error or rest
        elif word == "ready":
            birth.ready = True
            birth.missing += rest.split()
        if not message:
            self._born(birth)

    def _born(self, birth: Birth) -> None:
        """The child closed its channel: by its exec, or because it failed."""
        self.selector.unregister(birth.channel)
        del self.births[birth.channel.fileno()]
        birth.channel.close()
        if birth.instance and not birth.ready:
            birth.error = birth.error or "it ended while it was set up"
        if not birth.pid or birth.error:
            self._say(key=birth.key, error=birth.error or "it ended before it began")
            if birth.pid:
                self.helpers.add(birth.pid)
            if birth.other >= 0:
                os.close(birth.other)
            if birth.instance and birth.group >= 0:
                os.close(birth.group)
        else:
            if birth.instance:
                self.instances[birth.instance] = Instance(birth.pid, birth.first, birth.group, os.pidfd_open(birth.pid), birth.other)
            self._say(key=birth.key, pid=birth.pid, missing=birth.missing)
            self.living.add(birth.pid)
        if birth.pid in self.unclaimed:
            self._ended(birth.pid, self.unclaimed.pop(birth.pid))

    def _bury(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        if pid in self.living:
            self.living.discard(pid)
            for name, instance in list(self.instances.items()):
                if instance.pid == pid:
                    instance.close()
                    del self.instances[name]
            self._say(exit=pid, status=os.waitstatus_to_exitcode(status))
        elif pid in self.helpers:
            self.helpers.discard(pid)
        else:
            self.unclaimed[pid] = status


def _as_child(channel: socket.socket, body: Callable[[socket.socket], None], keep: set[int]) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        close_all_but({channel.fileno(), *keep})
        body(channel)
        code = 0
    except BaseException as error:
        with suppress(OSError):
            channel.send(f"error {_text(error)}".encode()[:4000])
    os._exit(code)


def _text(error: BaseException) -> str:
    if isinstance(error, OSError):
        text = error.strerror or str(error)
        return f"{text} ({error.filename})" if error.filename else text
    return f"{type(error).__name__}: {error}"


def main(control: int, folder: str) -> NoReturn:
    """What a fresh interpreter runs: see starting.py."""
    live(socket.socket(fileno=control), folder)


def live(control: socket.socket, folder: str) -> NoReturn:
    """Be the zygote, to the end. ``folder``: an empty one, on which the template is built."""
    try:
        _main(control, folder)
    except BaseException as error:
        with suppress(OSError):
            control.send(json.dumps({"error": _text(error)}).encode())
    os._exit(0)


def _main(control: socket.socket, folder: str) -> None:
    parent_death_signal(signal.SIGKILL)
    # What it holds is not for the instances' eyes: not its children's memory and descriptors either, before their exec.
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    gc.disable()
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    close_all_but({control.fileno()})
    null = os.open("/dev/null", os.O_RDWR)
    for target in (0, 1, 2):
        os.dup2(null, target)
    os.close(null)
    os.umask(0o022)
    leave_keyring()
    count = slots()
    ids = count > 0
    unshare(CLONE_NEWNS)
    enter_template(folder, ids=ids)
    code = program(os.uname().machine, user_namespaces=not ids)
    if not code or not _taken(code):
        code = b""
    learn(code)
    parts()
    control.send(json.dumps({"ready": True, "slots": count, "missing": [] if code else ["filter"]}).encode())
    _Zygote(control, code, ids=ids).run()


def _taken(code: bytes) -> bool:
    """Whether the kernel takes a filter, tried in a child."""
    if (child := os.fork()) == 0:
        try:
            no_new_privileges()
            install(code)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0
