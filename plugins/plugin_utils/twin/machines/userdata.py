# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""User data: what of cloud-init an instance does at its first boot, made into one shell script. Pure.

Scripts (``#!``), ``#cloud-config`` with bootcmd, write_files, ssh_authorized_keys and runcmd, several of them as a MIME archive, all of it
compressed or not: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html. What is left out, the log says.
"""

from __future__ import annotations

import email
import email.policy
import shlex
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

try:
    import yaml
except ImportError:
    yaml = None  # type: ignore[assignment]

LOG = "/var/log/cloud-init-output.log"
FOLDER = "/var/lib/cloud/instance"
_KNOWN = frozenset({"bootcmd", "write_files", "ssh_authorized_keys", "runcmd"})
_LARGEST = 1 << 24
"""Bytes of all that is decompressed, and of what a cloud-config's aliases stand for: 16 KiB of user data can mean any number."""
_VALUES = 100_000


@dataclass
class _Work:
    """What is to be done, in cloud-init's order: notes to the log, then shell lines of each kind."""

    notes: list[str] = field(default_factory=list)
    boot: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    scripts: list[bytes] = field(default_factory=list)
    room: int = _LARGEST

    def decompress(self, data: bytes) -> bytes:
        """What is compressed with gzip. Raises ValueError where that is not so, or comes to more than there is room for."""
        reader = zlib.decompressobj(31)
        try:
            found = reader.decompress(data, self.room + 1)
        except zlib.error as error:
            raise ValueError(f"it cannot be decompressed: {error}") from None
        if len(found) > self.room:
            raise ValueError(f"it is more than {_LARGEST >> 20} MiB once decompressed")
        if not reader.eof:
            raise ValueError("its compressed data ends too early")
        self.room -= len(found)
        return found


def boot_script(data: bytes, user: str) -> bytes:
    """A script for /bin/sh, to be run as root at the first boot. ``user``: whose keys ssh_authorized_keys adds to. Raises nothing: what
    cannot be read is a line in the log, as with cloud-init."""
    work = _Work()
    _part(data, work)
    lines = [
        "#!/bin/sh",
        f"mkdir -p {FOLDER}/scripts",
        f"exec >>{LOG} 2>&1",
        "cd /",
        *(f"printf '%s\\n' {shlex.quote(f'cloud-init: {note}')}" for note in work.notes),
        *work.boot,
        *work.files,
    ]
    if work.keys:
        home = "/root" if user == "root" else f"/home/{user}"
        lines.append(f"mkdir -p {home}/.ssh && chmod 700 {home}/.ssh")
        lines += [f"printf '%s\\n' {shlex.quote(key)} >>{home}/.ssh/authorized_keys" for key in work.keys]
        lines.append(f"chmod 600 {home}/.ssh/authorized_keys; chown -R {user}: {home}/.ssh 2>/dev/null || :")
    for number, script in enumerate(work.scripts, 1):
        path = f"{FOLDER}/scripts/part-{number:03}"
        lines += [
            f"{_decode(script)} >{path} && chmod 700 {path}",
            f"{path} </dev/null || printf '%s\\n' \"cloud-init: {path} ended with status $?\"",
        ]
    lines += [f"date -u >{FOLDER}/boot-finished", "printf 'cloud-init: finished\\n'", ""]
    return "\n".join(lines).encode()


def _part(data: bytes, work: _Work) -> None:
    """Take over one part, by its first line."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = work.decompress(data)
        except ValueError as error:
            work.notes.append(f"the user data is compressed, and cannot be read: {error}")
            return
    text = data.lstrip(b"\xef\xbb\xbf")
    first = text.split(b"\n", 1)[0].strip().lower()
    if text.startswith(b"#!"):
        work.scripts.append(text)
    elif first.startswith(b"#cloud-config"):
        _cloud_config(text, work)
    elif first.startswith((b"content-type:", b"mime-version:", b"from ")):
        _archive(text, work)
    elif text.strip():
        work.notes.append(f"user data that begins with {first[:40].decode(errors='replace')!r} is left out")


def _archive(text: bytes, work: _Work) -> None:
    message = email.message_from_bytes(text, policy=email.policy.default)
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            continue
        kind = part.get_content_type()
        if kind == "text/cloud-config" and not content.startswith(b"#cloud-config"):
            _cloud_config(content, work)
        else:
            _part(content, work)


def _cloud_config(text: bytes, work: _Work) -> None:
    if yaml is None:
        work.notes.append("cloud-config is left out: it needs PyYAML (pip install PyYAML)")
        return
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or a number that is none
        work.notes.append("cloud-config is left out: " + " ".join(str(error).split()))
        return
    except RecursionError:
        work.notes.append("cloud-config is left out: it is nested too deeply")
        return
    if not _small(found):
        work.notes.append("cloud-config is left out: its aliases stand for too much")
        return
    if not isinstance(found, dict):
        work.notes.append("cloud-config is left out: it is no mapping")
        return
    left_out = sorted(str(key) for key in found if key not in _KNOWN)
    if left_out:
        work.notes.append(f"left out of cloud-config: {', '.join(left_out)}")
    work.boot += [f"({line})" for line in _commands("bootcmd", found.get("bootcmd"), work)]
    for entry in _items("write_files", found.get("write_files"), work):
        work.files += _write(entry, work)
    work.keys += [str(key) for key in _items("ssh_authorized_keys", found.get("ssh_authorized_keys"), work)]
    commands = _commands("runcmd", found.get("runcmd"), work)
    if commands:
        work.scripts.append(("#!/bin/sh\n" + "\n".join(commands) + "\n").encode())


def _small(value: Any) -> bool:
    """Whether a document is of a size that can be written out: aliases make few lines stand for any number of values, or for themselves."""
    waiting, values, size = [value], 0, 0
    while waiting:
        item = waiting.pop()
        values += 1
        if isinstance(item, str | bytes):
            size += len(item)
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set):
            waiting += item
        if values + len(waiting) > _VALUES or size > _LARGEST:
            return False
    return True


def _items(name: str, value: Any, work: _Work) -> Sequence[Any]:
    if value is None:
        return ()
    if not isinstance(value, list):
        work.notes.append(f"{name} is left out: it is no list")
        return ()
    return value


def _commands(name: str, value: Any, work: _Work) -> list[str]:
    """A list is a program and its arguments, anything else a line for the shell."""
    lines = []
    for item in _items(name, value, work):
        if isinstance(item, list):
            lines.append(shlex.join(str(word) for word in item))
        elif item is not None:
            lines.append(str(item))
    return lines


def _write(entry: Any, work: _Work) -> list[str]:
    """Shell lines for one of write_files: https://cloudinit.readthedocs.io/en/latest/reference/modules.html#write-files."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str) or not entry["path"].startswith("/"):
        work.notes.append("an entry of write_files is left out: it has no path")
        return []
    path = entry["path"]
    try:
        content = _content(entry.get("content", ""), str(entry.get("encoding", "")).lower(), work)
    except ValueError as error:
        work.notes.append(f"write_files {path} is left out: {error}")
        return []
    quoted = shlex.quote(path)
    mode = entry.get("permissions", "0644")
    mode = f"{mode:o}" if isinstance(mode, int) else str(mode)
    lines = [
        f"mkdir -p {shlex.quote(path.rsplit('/', 1)[0] or '/')}",
        f"{_decode(content)} {'>>' if entry.get('append') else '>'}{quoted}",
        f"chmod {shlex.quote(mode)} {quoted}",
    ]
    if entry.get("owner"):
        lines.append(f"chown {shlex.quote(str(entry['owner']))} {quoted}")
    return lines


def _content(content: Any, encoding: str, work: _Work) -> bytes:
    raw = content if isinstance(content, bytes) else str(content if content is not None else "").encode()
    if encoding in ("b64", "base64", "gz+b64", "gzip+b64", "gz+base64", "gzip+base64"):
        raw = b64decode(raw)
    if encoding.startswith(("gz", "gzip")):
        raw = work.decompress(raw)
    return raw


def _decode(content: bytes) -> str:
    """A shell command that gives these bytes: the text of the script stays plain ASCII whatever they are."""
    return f"printf %s {b64encode(content).decode()} | base64 -d"
