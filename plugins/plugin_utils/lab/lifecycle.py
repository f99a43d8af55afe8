# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, find, stop and empty a lab from outside its process, with the standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .accounts import read_accounts
from .control import LabControl, LabError
from .faults import read_fault
from .quotas import check_quotas
from .record import (
    Record,
    check_name,
    damage,
    default_name,
    forget,
    load,
    make_private,
    process_start,
    state_folder,
    why_stale,
    write_private,
)

START_SECONDS = 60.0
SETTINGS = ("latency_ms", "throttle", "quotas", "faults", "enforce_iam")
_MODULE = "ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.daemon"
# What the lab needs of its caller's environment: not its AWS settings, nor those of moto or Python.
_KEPT = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")


@dataclass(frozen=True)
class Found:
    """A lab as it was found, and what was done. ``record`` is None when none runs. ``messages`` are for people, one line each."""

    name: str
    changed: bool
    record: Record | None
    status: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    topology: Mapping[str, Any] = field(default_factory=dict)

    @property
    def control(self) -> LabControl:
        if self.record is None:
            raise LabError("; ".join(self.messages) or f"lab {self.name} does not run; start it first")
        return LabControl(self.record.url, self.record.token)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One at a time for a lab's folder; the lock goes with its holder, however that ends."""
    make_private(folder)
    deadline = time.monotonic() + START_SECONDS
    with open(folder / "lock", "w", encoding="ascii") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"another start or stop of the lab holds {file.name} for over {START_SECONDS:.0f} s; end it and try again"
                    ) from None
                time.sleep(0.02)
        yield


def _name(name: str | None) -> str:
    try:
        return check_name(name or default_name())
    except ValueError as error:
        raise LabError(str(error)) from error


def find(name: str | None = None) -> Found:
    """The lab of that name, whether it runs; changes nothing."""
    chosen = _name(name)
    record = load(state_folder(chosen))
    if record is None:
        return Found(chosen, False, None, messages=_damaged(chosen))
    why = why_stale(record)
    if why:
        return Found(chosen, False, None, messages=(f"lab {chosen} at {record.url} ended without being stopped: {why}",))
    try:
        status = LabControl(record.url, record.token, timeout=10).status()
    except LabError as error:
        raise LabError(
            f"lab {chosen} (process {record.pid}) runs but does not answer ({error}); stop it with state: stopped, see {record.log_file}"
        ) from error
    return Found(chosen, False, record, status)


def _damaged(name: str) -> tuple[str, ...]:
    """One line where there is a record that cannot be used: what is wrong, and how to go on."""
    folder = state_folder(name)
    why = damage(folder)
    if not why:
        return ()
    way = f"start or stop the lab for a new record; if one still runs, end its process first: pgrep -f 'lab.daemon {folder}'"
    return (f"lab {name}: {why}; {way}",)


def start(name: str | None = None, options: Mapping[str, Any] | None = None, topology: Mapping[str, Any] | None = None) -> Found:
    """The running lab of that name, started if there is none.

    ``options``: ``port`` (0 for a free one), ``region``, ``accounts``, ``latency_ms``, ``quotas``, ``throttle``, ``faults``,
    ``enforce_iam``, ``default_vpc``, ``twin``, ``snapshot``; those given are set on a lab that runs already, too, but for ``port``,
    ``region``, ``default_vpc``, ``twin`` and ``snapshot``, which a lab has from its start: others are refused. ``topology`` is a topology's
    ``accounts``.
    Raises LabError, in one line.
    """
    wanted = {key: value for key, value in (options or {}).items() if value is not None}
    chosen = _name(name)
    folder = state_folder(chosen)
    pending(Found(chosen, False, None), wanted, topology)
    with _locked_for(folder):
        found = find(chosen)
        if found.record is not None:
            adjusted = _adjust(found, wanted, topology)
            return replace(adjusted, messages=(*adjusted.messages, *_lost_plane(chosen, adjusted.status)))
        former = load(folder)
        if former is None:
            forget(folder)  # what is damaged, and may be a folder in the record's place
        record = _spawn(chosen, folder, wanted, former.port if former else 0)
        messages = (*found.messages, f"lab {chosen} started at {record.url}")
        made = Found(chosen, True, record, messages=messages)
        adjusted = _adjust(made, {"faults": wanted["faults"]} if wanted.get("faults") else {}, topology)
        return replace(adjusted, messages=(*adjusted.messages, *_about_plane(chosen, adjusted.status)))


def stop(name: str | None = None) -> Found:
    """End the lab of that name, by its recorded process and no other; a record of a lab that is no more is taken away."""
    chosen = _name(name)
    folder = state_folder(chosen)
    if load(folder) is None and not damage(folder):
        return Found(chosen, False, None)
    with _locked_for(folder):
        record = load(folder)
        if record is None:
            damaged = _damaged(chosen)
            forget(folder)
            return Found(chosen, bool(damaged), None, messages=damaged)
        why = why_stale(record)
        if why:
            forget(folder)
            return Found(chosen, False, None, messages=(f"lab {chosen} had ended already: {why}",))
        with contextlib.suppress(LabError):
            LabControl(record.url, record.token, timeout=3).stop()
        for final in (None, signal.SIGTERM, signal.SIGKILL):
            if final is not None:
                _signal(record, final)
            if _ended(record, 3.0):
                break
        else:
            raise LabError(f"lab {chosen}: process {record.pid} does not end; see {record.log_file}")
        forget(folder)
        return Found(chosen, True, None, messages=(f"lab {chosen} stopped",))


def reset(name: str | None = None, options: Mapping[str, Any] | None = None, topology: Mapping[str, Any] | None = None) -> Found:
    """An empty lab: the one that runs, emptied on its port, else a new one."""
    found = find(name)
    if found.record is None:
        return start(name, options, topology)
    found.control.reset()
    adjusted = start(name, options, topology)
    return Found(found.name, True, adjusted.record, adjusted.status, (*adjusted.messages, f"lab {found.name} emptied"), adjusted.topology)


def pending(found: Found, options: Mapping[str, Any], topology: Mapping[str, Any] | None) -> bool:
    """Whether ``start`` with these would change anything, without doing it. Raises LabError for what it would refuse."""
    try:
        accounts = read_accounts(options.get("accounts") or ())
        check_quotas(dict(options.get("quotas") or {}))
        for fault in options.get("faults") or ():
            read_fault(fault)
    except ValueError as error:
        raise LabError(str(error)) from error
    if found.record is None:
        return True
    _refuse_fixed(found.name, found.record, found.status, options)
    known = {account["id"] for account in found.status["accounts"]}
    profiles = {profile for account in found.status["accounts"] for profile in account["profiles"]}
    roles = {role for account in found.status["accounts"] for role in account["roles"]}
    if any(options.get(key) is not None and _differs(found.status["settings"], key, options[key]) for key in SETTINGS):
        return True
    if any(number not in known or name not in profiles for name, number in accounts):
        return True
    return any(
        str(entry.get("profile") or name) not in profiles or (entry.get("role_arn") and entry["role_arn"] not in roles)
        for name, entry in (topology or {}).items()
    )


def _locked_for(folder: Path) -> contextlib.AbstractContextManager[None]:
    try:
        make_private(folder)
    except OSError as error:
        raise LabError(f"the lab's folder cannot be used: {error}; set XDG_STATE_HOME to a folder that you may write") from error
    return _locked(folder)


def _adjust(found: Found, wanted: Mapping[str, Any], topology: Mapping[str, Any] | None) -> Found:
    """Give a running lab the settings and accounts that it has not; ``changed`` only when that changed something."""
    record, control = found.record, found.control
    if record is None:
        raise LabError(f"lab {found.name} is not running: start it")
    status = dict(found.status or control.status())
    _refuse_fixed(found.name, record, status, wanted)
    changes = {key: wanted[key] for key in SETTINGS if key in wanted and _differs(status["settings"], key, wanted[key])}
    changed = found.changed or bool(changes)
    if changes:
        control.config(**changes)
    made = control.accounts(add=wanted.get("accounts") or (), topology=topology)
    changed = changed or bool(made["changed"])
    return Found(found.name, changed, record, control.status() if changed else status, found.messages, made["topology"])


def _refuse_fixed(name: str, record: Record, status: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    fixed = {"port": record.port, "region": record.region, **{key: status.get(key) for key in ("default_vpc", "twin", "snapshot")}}
    for key, value in fixed.items():
        if wanted.get(key) not in (None, value) and not (key == "port" and wanted[key] == 0):
            raise LabError(f"lab {name} runs with {key} {value}, not {wanted[key]}; stop it first")


def _lost_plane(name: str, status: Mapping[str, Any]) -> tuple[str, ...]:
    """One line where the data plane of a lab that runs does not follow, or was lost since and is another one now."""
    plane = status.get("plane") or {}
    if plane.get("state") == "failed":
        return (f"lab {name}: {plane['why']}",)
    return () if plane.get("snapshot") else tuple(f"lab {name}: {line}" for line in plane.get("warnings", ()))


def _about_plane(name: str, status: Mapping[str, Any]) -> tuple[str, ...]:
    """A line when a lab that was to have a data plane has none, or shows a snapshot, with what of it was left out; one for each protection
    that it lacks."""
    plane = status.get("plane") or {}
    if plane.get("state") == "refused":
        return (f"lab {name} has no data plane, so that no packet flows and probes are predicted: {plane['why']}",)
    lacking = tuple(f"lab {name} lacks a protection from its instances: {words}" for words in plane.get("missing") or ())
    if plane.get("snapshot"):
        shown = f"lab {name} shows the snapshot {status.get('snapshot')}: {plane['hosts']} instances, and an API that is empty"
        return (shown, *plane.get("warnings", ()), *lacking)
    return lacking


def _differs(settings: Mapping[str, Any], key: str, value: Any) -> bool:
    if key == "quotas":
        return any(settings["quotas"].get(name) != number for name, number in value.items())
    if key == "faults":
        return bool(value) or bool(settings["faults"])
    return bool(settings.get(key) != value)


def collections_root() -> str:
    """The folder that holds ``ansible_collections``, for PYTHONPATH: of an installed collection, or of a checkout by its own link."""
    here = Path(__file__).absolute()
    if here.parts[-7:-4] == ("ansible_collections", "cloudnet", "vpc"):
        return str(here.parents[6])
    return str(here.resolve().parents[3] / "playbooks" / "collections")


def _spawn(name: str, folder: Path, options: Mapping[str, Any], former_port: int) -> Record:
    missing = [package for package in ("moto", "flask", "flask_cors", "boto3") if importlib.util.find_spec(package) is None]
    if missing:
        raise LabError(
            f"the lab needs Python packages that {sys.executable} has not: {', '.join(missing)}; pip install 'moto[ec2,server]==5.2.5'"
        )
    forget(folder)
    write_private(folder / "options.json", json.dumps({**options, "name": name, "former_port": former_port}))
    log_file = folder / "lab.log"
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    reading, writing = os.pipe()
    environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
    environment.update(
        PYTHONPATH=collections_root(), PYTHONUNBUFFERED="1", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull
    )
    environment.update(AWS_EC2_METADATA_DISABLED="true")
    try:
        # It leaves the session and forks, so that it is nobody's child, and holds nothing of its caller's but the pipe, until it is ready.
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(folder), str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            start_new_session=True,
            pass_fds=(writing,),
        )
    finally:
        os.close(log)
        os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        process.wait()
        said = _read_all(pipe, START_SECONDS)
    record = load(folder)
    if said != b"ready" or record is None:
        tail = "".join(log_file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)[-1:]).strip()
        raise LabError(f"lab {name} did not start: {said.decode(errors='replace') or tail or 'it said nothing'}; see {log_file}")
    return record


def _read_all(pipe: Any, seconds: float) -> bytes:
    import select

    said = b""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([pipe], [], [], left)[0]:
            chunk = pipe.read(4096)
            if not chunk:
                return said
            said += chunk
    return b"it was not ready in time"


def _signal(record: Record, number: signal.Signals) -> None:
    """Signal the recorded process, and never another that got its id meanwhile: a handle is taken first, then the identity checked."""
    if not hasattr(os, "pidfd_open"):
        if not why_stale(record):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, number)
        return
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return
    try:
        if not why_stale(record):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _ended(record: Record, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process_start(record.pid) == record.started:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
