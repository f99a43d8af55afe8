# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record that a running lab leaves in the user's state folder, and whether the lab that it names still lives.

``${XDG_STATE_HOME:-~/.local/state}/cloudnet/NAME/``, for its owner only, holds ``record.json``, the lab's AWS config file, an empty
shared credentials file and its log. A process id alone proves nothing, since ids are used again: the record also holds when the process
started and which boot of the machine it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FORMAT = 1
_SHORT = 70
"""Bytes of a folder in which sockets can be bound under names of ours."""
_LONGEST = 1 << 16
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}", re.IGNORECASE)


_NUMBERS = frozenset({"pid", "port", "format"})


@dataclass(frozen=True)
class Record:
    """A started lab. ``started`` and ``boot_id`` identify the process beyond its id; ``token`` is the control's."""

    name: str
    pid: int
    started: str
    boot_id: str
    port: int
    url: str
    token: str
    region: str
    config_file: str
    credentials_file: str
    log_file: str
    socket_folder: str
    format: int = FORMAT


def default_name() -> str:
    """A name from this checkout's path, so that two checkouts have two labs: ``main-3f9a1c``."""
    root = Path(__file__).resolve().parents[3]
    stem = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-")[:20] or "lab"
    return f"{stem}-{hashlib.sha256(str(root).encode()).hexdigest()[:6]}"


def check_name(name: str) -> str:
    """The name; raises ValueError when it could not be a folder's name."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"lab name {name!r} is not 1 to 40 letters, digits and _ . -, beginning with a letter or digit")
    return name


def state_folder(name: str, environ: Mapping[str, str] | None = None) -> Path:
    """Where a lab of that name keeps its record. Nothing is made."""
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_STATE_HOME", "")
    # The specification says to ignore a relative path: https://specifications.freedesktop.org/basedir-spec/latest/
    root = Path(base) if os.path.isabs(base) else Path("~/.local/state").expanduser()
    return root / "cloudnet" / check_name(name)


def make_private(folder: Path) -> Path:
    """The folder, made if missing, for its owner only; raises OSError when it is a link or another user's."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.mkdir(exist_ok=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of this user's; remove it or choose another lab name")
    folder.chmod(0o700)
    return folder


def socket_folder(name: str) -> Path:
    """A short folder for the lab's sockets, whose paths may hold 107 bytes only; made if missing, for its owner only.

    In a folder that everybody writes to, its name may be taken by somebody else: then it is the lab's state folder, where that is short
    enough, else a new one. The record tells which. Raises OSError.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if not (os.path.isabs(base) and len(base) <= 40 and os.access(base, os.W_OK)):
        base = tempfile.gettempdir() if len(tempfile.gettempdir()) <= 40 else "/tmp"
    state = state_folder(name)
    try:
        parent = make_private(Path(base) / f"cloudnet-{os.getuid()}")
        return make_private(parent / hashlib.sha256(str(state).encode()).hexdigest()[:10])
    except (PermissionError, FileExistsError, NotADirectoryError):
        if len(os.fsencode(state)) <= _SHORT:
            return make_private(state / "sockets")
        return Path(tempfile.mkdtemp(prefix=f"cloudnet-{os.getuid()}-", dir=base))


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def save(record: Record, folder: Path) -> None:
    write_private(folder / "record.json", json.dumps(asdict(record), indent=2) + "\n")


def load(folder: Path) -> Record | None:
    """The record, or None when there is none, or none that can be trusted: then ``damage`` tells why."""
    try:
        return _read(folder / "record.json")
    except (OSError, ValueError):
        return None


def damage(folder: Path) -> str:
    """What is wrong with the record that is there, in one line; "" where it is sound, or there is none."""
    path = folder / "record.json"
    try:
        _read(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    except ValueError as error:
        return f"{path} is damaged: {error}"
    return ""


def _read(path: Path) -> Record:
    """Raises OSError, or ValueError in one line. What is in it names a process to signal and an address to call: all of it is checked."""
    with path.open("rb") as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} bytes")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(values, dict):
        raise ValueError("it holds no mapping")
    if values.get("format") != FORMAT:
        raise ValueError(f"its format is {values.get('format')!r}, and not {FORMAT}")
    for field in fields(Record):
        kind = int if field.name in _NUMBERS else str
        value = values.get(field.name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{field.name} is {'missing' if field.name not in values else 'no number' if kind is int else 'no text'}")
    found = Record(**{field.name: values[field.name] for field in fields(Record)})
    if found.pid <= 1:
        raise ValueError(f"pid is {found.pid}, which is no lab's")
    if not 0 < found.port < 65536 or found.url != f"http://127.0.0.1:{found.port}":
        raise ValueError("url is not that of a port of 127.0.0.1")
    return found


def forget(folder: Path) -> None:
    """Take the record away, whatever is in its place."""
    path = folder / "record.json"
    with contextlib.suppress(IsADirectoryError, PermissionError):
        path.unlink(missing_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)


def boot_id() -> str:
    """An id of this boot of the machine; "" where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """When a process started, as the system tells it; "" when there is none, or only its corpse."""
    try:
        # The second field is the command in parentheses and may hold anything: count from the last parenthesis.
        fields_ = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return "" if fields_[0] in "ZX" else fields_[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    except (OSError, IndexError):
        return ""
    # Where there is no /proc, ps knows.
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return "" if not found or found.startswith("Z") else found.partition(" ")[2].strip()


def why_stale(record: Record) -> str:
    """Why the lab of a record is no more; "" while it lives."""
    if record.boot_id != boot_id():
        return "the machine was started again since"
    start = process_start(record.pid)
    if not start:
        return f"its process {record.pid} has ended"
    if start != record.started:
        return f"its process id {record.pid} is another process's now"
    return ""
