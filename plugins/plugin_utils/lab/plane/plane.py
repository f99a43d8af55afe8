# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane beside the lab: it follows every write call before that is answered, and is there only once there is something to follow.

A write is marked under the lab's lock; one thread takes all marks at once, reads what they can have changed, and tells the twin; who waits
is then let go. So calls that come together share one turn. Read calls never wait, and no process is started before an instance runs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....module_utils._model.network import Network
from ...twin.client import Delta, Twin, TwinError
from ...twin.facts import Facts
from ..core import LOG
from .facts import FactsReader, instances
from .last_word import LastWord
from .needs import Need, apart, ids_of, needs
from .reader import Reader, difference

OFF, IDLE, ON, FAILED, REFUSED = "off", "idle", "on", "failed", "refused"
CHOICES = ("auto", "off", "required")
WAIT_SECONDS = 180.0
"""How long a call waits for the data plane at most; it has succeeded at AWS's level whatever comes of that."""
_SOON, _LATER = 0.2, 60.0
_MOVING = frozenset({"initiating-request", "provisioning", "deleting"})
_NEXT = "the next change, or the next ssh, starts another one, with new instances; see the lab's log"
_STOPPED_WITHOUT = f"the data plane has ended by itself; {_NEXT}"


@dataclass(frozen=True)
class Mark:
    """A write call that the data plane has to follow. ``told``: its answer. ``action`` is empty for everything."""

    service: str = ""
    action: str = ""
    account: str = ""
    region: str = ""
    params: Any = None
    told: Any = None


_RESET = Mark(action="reset")


class DataPlane:
    """One lab's. ``start`` makes the twin, ``why_not`` tells why there can be none ("" when there can), ``missing`` which protections
    from instances this machine refuses, in words.

    ``fixed``: a network to show instead of the lab's own (a snapshot), with its facts. ``on_hosts`` is called with the listing of hosts
    when that has changed, outside all locks. ``bind`` gives the socket by which the user comes in; ``ssh``: its path, and the path of the
    ssh configuration.
    """

    def __init__(
        self,
        lab: Any,
        *,
        start: Callable[[socket.socket | None, Path | None, Mapping[str, Any]], Twin] = Twin.start,
        why_not: str = "",
        missing: Sequence[str] = (),
        log: Path | None = None,
        bind: Callable[[], socket.socket] | None = None,
        fixed: tuple[Network, Facts] | None = None,
        on_hosts: Callable[[DataPlane], None] | None = None,
        ssh: tuple[str, str] = ("", ""),
    ) -> None:
        self._ssh = ssh
        self._lab, self._start, self._log, self._bind = lab, start, log, bind
        self._refused, self._fixed, self._on_hosts = why_not, fixed, on_hosts
        self._missing = list(missing)
        self._why = ""
        self._listener: socket.socket | None = None
        self.twin: Twin | None = None
        self._reader, self._facts = Reader(lab), FactsReader(lab)
        self._sent: tuple[Network, Facts | None] = (Network(), None)
        self._shown: Any = None
        self._turn = threading.Condition()
        self._marks: list[Mark] = []
        self._asked = self._done = 0
        self._thread: threading.Thread | None = None
        self._ending = False
        self._mine = threading.local()
        # How the twin ended that nobody closed, and who answers in its place; the former stays to be told after another one has begun.
        self._lost, self._losses = "", 0
        self._last_word: LastWord | None = None
        # Instance id to its SSH host keys, as far as anybody asked for them; see hosts.py.
        self.host_keys: dict[str, list[str]] = {}
        # Called in the thread of the plane about once a second while it is on.
        self.on_tick: list[Callable[[], None]] = []

    # -- what the lab's calls do -------------------------------------------------------------------------------------------------

    def mark(self, service: str, action: str, account: str, region: str, params: Any, told: Any) -> None:
        """A write call has succeeded, under the lab's lock: is there something to follow?"""
        if self._refused or self._fixed is not None or service not in _FOLLOWED or (service == "ec2" and apart(action)):
            return
        if self.twin is None and not any(instance.state == "running" for _account, _region, instance in instances()):
            return
        self._add(Mark(service, action, account, region, params, told))

    def everything(self) -> None:
        """All of it may have changed (the clock was set forward)."""
        if self.twin is not None and self._fixed is None:
            self._add(Mark())

    def reset(self) -> None:
        """The lab is empty. Under the lab's lock."""
        if self._fixed is None and (self.twin is not None or not self._reader.unread):
            self._add(_RESET)

    def open(self) -> None:
        """Show the fixed network; returns when packets follow it. Raises TwinError."""
        self._add(Mark())
        self.settle()
        if self._why:
            raise TwinError(self._why)

    def _add(self, mark: Mark) -> None:
        with self._turn:
            if self._ending:
                return
            self._marks.append(mark)
            self._asked += 1
            self._mine.number = self._asked
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="data-plane", daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def settle(self) -> None:
        """Wait until packets follow what this thread has marked. Never under the lab's lock."""
        number = getattr(self._mine, "number", 0)
        if not number:
            return
        self._mine.number = 0
        with self._turn:
            if not self._turn.wait_for(lambda: self._done >= number or self._ending, WAIT_SECONDS):
                LOG.error("the data plane has not followed a change for %.0f s", WAIT_SECONDS)

    def lose(self, how: str) -> None:
        """The twin has ended and nobody closed it: it is told at once, also to who comes by ssh. Called in a thread of the twin's."""
        with self._turn:
            if self._ending:
                return
            self._lost, self._losses = f"the data plane {how} at {time.strftime('%H:%M:%S')}", self._losses + 1
            LOG.error("%s; %s", self._lost, _NEXT)
            if self._listener is not None and self._last_word is None:
                why = f"{self._lost}; another one is started, with new instances: try again in some seconds"
                self._last_word = LastWord(self._listener, why, self._restart)

    def _restart(self) -> None:
        if self.twin is not None and not self.twin.alive:
            self._add(Mark())

    def _quiet(self) -> None:
        """Nobody answers in the twin's place any more."""
        with self._turn:
            word, self._last_word = self._last_word, None
        if word is not None:
            word.close()

    # -- the thread of the plane -------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        last = time.monotonic()
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._marks or self._ending, self._pause())
                if self._ending:
                    return
            if not self._marks:
                self._look()
            if self._marks:
                self._take_turn()
            if self.on_tick and time.monotonic() - last >= 1.0:
                last = time.monotonic()
                for listener in self.on_tick:
                    with self._told("a listener of the data plane"):
                        listener()

    def _pause(self) -> float:
        if self._moving():
            return _SOON
        return 1.0 if self.on_tick and self._reader.network.flow_logs else _LATER

    def _moving(self) -> list[Need]:
        """Connections and gateways that time alone takes to their next state."""
        network, found = self._reader.network, []
        if self.twin is None:
            return []
        for peering in network.peerings.values():
            if peering.status in _MOVING:
                found += [Need(side.account, side.region, "VpcPeeringConnections", "id", (peering.id,)) for side in peering.sides]
        for nat in network.nat_gateways.values():
            if nat.state in ("pending", "deleting"):
                found.append(Need(nat.account, nat.region, "NatGateways"))
        return found

    def _look(self) -> None:
        """Nobody asked: what does time itself change?"""
        moving = self._moving()
        with self._told("looking at what time changes"):
            if moving:
                with self._lab.lock:
                    self._reader.read(moving)
                self._follow()
            if self._facts.renewal:
                with self._lab.lock:
                    self._facts.read()
                self._follow()

    @contextlib.contextmanager
    def _told(self, what: str) -> Any:
        try:
            yield
        except TwinError as error:
            LOG.error("%s: %s", what, error)
        except Exception:
            LOG.exception("%s failed", what)

    def _take_turn(self) -> None:
        number, why = self._asked, ""
        try:
            with self._lab.lock:
                with self._turn:
                    marks, self._marks, number = self._marks, [], self._asked
                reset = any(mark is _RESET for mark in marks)
                if self._fixed is None:
                    self._read(marks, reset)
            if reset and self.twin is not None:
                self._empty()
            self._follow()
        except TwinError as error:
            why = str(error)
        except Exception as error:
            LOG.exception("the data plane's turn failed")
            why = f"the lab could not be read for the data plane: {type(error).__name__}: {error}"
            self._forget()
        if why:
            LOG.error("the data plane does not follow: %s", why)
        self._why = why
        with self._turn:
            self._done = max(self._done, number)
            self._turn.notify_all()

    def _forget(self) -> None:
        """Read everything again at the next turn, since it is not known what is missing."""
        self._reader, self._facts = Reader(self._lab), FactsReader(self._lab)

    def _empty(self) -> None:
        if self.twin is not None and self.twin.alive:
            self.twin.reset()
        self._sent = (Network(), None)
        self.host_keys.clear()

    def _read(self, marks: Sequence[Mark], reset: bool) -> None:
        """Under the lab's lock."""
        if reset:
            self._forget()
        if reset or self._reader.unread or any(not mark.action for mark in marks):
            self._reader.read_all()
            self._facts.read(None, zones=True)
            return
        wanted: dict[Need, None] = {}
        hosts: set[str] | None = set()
        zones = False
        for mark in marks:
            if mark.service == "ec2":
                wanted |= dict.fromkeys(needs(mark.account, mark.region, mark.action, mark.params, mark.told))
                if hosts is not None and mark.action in _HOST_ACTIONS:
                    hosts |= ids_of(mark.params, mark.told, "i")
                if mark.action in _ALL_HOSTS:
                    hosts = None
            elif mark.service == "ec2-instance-connect":
                if hosts is not None:
                    hosts |= ids_of(mark.params, mark.told, "i")
            elif mark.service == "iam":
                hosts = None
            elif mark.service == "route53":
                zones = True
            else:
                self._reader.read_all()
                hosts = None
        self._reader.read(wanted)
        if hosts is None or hosts or zones:
            self._facts.read(hosts, zones)

    def _follow(self) -> None:
        """Build the network and tell the twin what is new. Raises TwinError."""
        if self._fixed is None:
            self._reader.build()
        network, facts = self._now()
        if self.twin is None and not any(instance.state == "running" for instance in network.instances.values()):
            return
        if self.twin is None or not self.twin.alive:
            self._begin()
        twin = self.twin
        if twin is None:
            return
        changed, removed = difference(self._sent[0], network)
        fresh = facts if facts is not self._sent[1] else None
        if changed or removed or fresh is not None:
            twin.update(Delta(changed, removed, fresh))
            self._sent = (network, facts)
        if self._on_hosts is not None and (network.instances, facts) != self._shown:
            self._shown = (network.instances, facts)
            with self._told("writing the hosts' ssh configuration"):
                self._on_hosts(self)

    def _now(self) -> tuple[Network, Facts]:
        return self._fixed if self._fixed is not None else (self._reader.network, self._facts.facts)

    def _begin(self) -> None:
        """Start the twin, or another one after one that died; it knows nothing at first."""
        if self.twin is not None:
            LOG.error("the data plane has ended by itself; another one is started, and instances are new")
            former, self.twin = self.twin, None
            with contextlib.suppress(TwinError, OSError):
                former.close()
        if self._listener is None and self._bind is not None:
            self._listener = self._bind()
        self._sent, self._shown = (Network(), None), None
        self.host_keys.clear()
        self._quiet()
        begun = time.monotonic()
        try:
            self.twin = self._start(self._listener, self._log, {"on_end": self.lose})
        except TwinError as error:
            # What cannot start now cannot start at the next call either: the lab goes on without, and says so.
            self._refused = str(error)
            if self._lost and self._listener is not None:
                with self._turn:
                    self._last_word = LastWord(self._listener, self._refused, lambda: None)
            raise
        LOG.info("the data plane is there after %.2f s", time.monotonic() - begun)

    # -- what control and Systems Manager ask --------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """``{state, why, hosts, snapshot, warnings, missing, ssh_socket, ssh_config}``; the paths are empty where there is no data plane.

        States: off, idle (nothing runs), on, failed (the last good state stays), refused.
        """
        why, state = self._refused or self._why, ON
        if self._refused:
            state = REFUSED
        elif self.twin is not None and not self.twin.alive:
            state, why = FAILED, f"{self._lost}; {_NEXT}" if self._lost else _STOPPED_WITHOUT
        elif self._why:
            state = FAILED
        elif self.twin is None:
            state = IDLE
        running = sum(instance.state == "running" for instance in self._sent[0].instances.values()) if self.twin is not None else 0
        way_in = ("", "") if self._refused else self._ssh
        told: dict[str, Any] = {"state": state, "why": why, "hosts": running, "snapshot": self._fixed is not None}
        told["warnings"] = list(self._fixed[0].warnings) if self._fixed is not None else []
        told["missing"] = self._missing
        if self._lost and state == ON:
            told["warnings"].append(f"{self._lost}, and another one was started: its instances are new ({self._losses} times so far)")
        return {**told, "ssh_socket": way_in[0], "ssh_config": way_in[1]}

    @property
    def known(self) -> tuple[Network, Facts]:
        """What the twin was told last."""
        network, facts = self._sent
        return network, facts or Facts()

    def text(self) -> str:
        """What the kernel holds; "" without a twin. Raises TwinError."""
        return self.twin.text() if self.twin is not None else ""

    def close(self) -> None:
        """End the twin and the thread."""
        with self._turn:
            self._ending = True
            self._turn.notify_all()
        thread, twin = self._thread, self.twin
        self._quiet()
        if thread is not None:
            thread.join(0.5)
        if twin is not None:
            # A turn that still waits for its answer ends with the twin.
            with contextlib.suppress(TwinError, OSError):
                twin.close()
        if thread is not None:
            thread.join(5.0)
        if self.twin is not None and self.twin is not twin:
            with contextlib.suppress(TwinError, OSError):
                self.twin.close()
        self.twin = None
        if self._listener is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._listener.getsockname())
            self._listener.close()
            self._listener = None


_FOLLOWED = frozenset({"ec2", "ec2-instance-connect", "iam", "route53", "cloudformation", "autoscaling"})
#: What changes what an instance is beside the network; of the instances that the call names or makes.
_HOST_ACTIONS = frozenset(
    {
        *("RunInstances", "StartInstances", "StopInstances", "RebootInstances", "TerminateInstances", "ModifyInstanceAttribute"),
        *("ModifyInstanceMetadataOptions", "ModifyPrivateDnsNameOptions", "CreateTags", "DeleteTags"),
    }
)
# They change instances that they do not name.
_ALL_HOSTS = frozenset(
    {"AssociateDhcpOptions", "AssociateIamInstanceProfile", "DisassociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"}
)
