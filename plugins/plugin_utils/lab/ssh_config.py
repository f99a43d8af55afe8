# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's side of ssh: a configuration and the known hosts of a lab, and the lab's own key. Needs nothing but the lab's folder.

``ssh -F …/ssh_config NAME`` reaches an instance by its console, whatever the network is like, with the lab's own key. ``ssh -F … ADDRESS``
reaches a public address from the internet, through gateway, routes, network ACLs and security groups, with the key of the instance's key
pair; ``ssh -F … -J ADDRESS PRIVATE`` the private ones behind it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...module_utils._model import grammar
from .record import write_private

CONFIG, KNOWN_HOSTS, KEY = "ssh_config", "known_hosts", "ssh_key"
PROXY = Path(__file__).with_name("proxy.py")
_GONE = ("shutting-down", "terminated", "stopping", "stopped")
_NAME = re.compile(r"[^a-z0-9._-]+")
IDS = ("i-" + "?" * 17, "i-" + "?" * 8)
"""Instances' ids, and those from before 2016: "Resource IDs" in Amazon EC2's user guide."""
ELASTIC = ("198.18.*", "198.19.*")
"""The block of the lab's public addresses, 198.18.0.0/15."""
_UNQUOTED = re.compile(r"[A-Za-z0-9/._+@=,-]+")


@dataclass(frozen=True)
class Host:
    """A running instance. ``names``: by which people may call it; ``key_file``: the private key of its key pair, where that is known."""

    id: str
    names: tuple[str, ...] = ()
    user: str = "ec2-user"
    private_ip: str = ""
    public_ip: str = ""
    host_keys: tuple[str, ...] = ()
    key_file: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Public, then private."""
        return tuple(address for address in (self.public_ip, self.private_ip) if address)


@dataclass(frozen=True)
class Written:
    """The files of a lab's ssh."""

    config: Path
    known_hosts: Path
    hosts: tuple[Host, ...] = field(default=())


def slug(text: str) -> str:
    """A name as it can be typed and stand in a configuration: ``Web server 1`` becomes ``web-server-1``. May be empty."""
    return _NAME.sub("-", text.lower()).strip("-.")[:100]


def hosts_of(listed: Iterable[Mapping[str, Any]], key_files: Mapping[str, str] | None = None) -> tuple[Host, ...]:
    """The lab's ``hosts`` (see LabControl.hosts) as hosts with names that mean one instance each; an ambiguous name is nobody's.

    Of each, beside what ``hosts`` tells, ``topology_name`` (``vpc.instance``, from the tag cloudnet:name) is a name too. ``key_files``:
    key pair's name to the private key's path. An instance that breaks AWS's grammar is left out: its id would be a line of ssh's own.
    """
    running = [item for item in listed if item.get("state") not in _GONE and fit(item)]
    wanted = {
        str(item["id"]): dict.fromkeys(name for key in ("topology_name", "name") if (name := slug(str(item.get(key) or ""))))
        for item in running
    }
    count = Counter(name for names in wanted.values() for name in names)
    addresses = {str(item.get(key)) for item in running for key in ("private_ip", "public_ip")}
    return tuple(
        Host(
            id=str(item["id"]),
            names=tuple(name for name in wanted[str(item["id"])] if count[name] == 1 and name not in wanted and name not in addresses),
            user=str(item.get("user") or "ec2-user"),
            private_ip=str(item.get("private_ip") or ""),
            public_ip=str(item.get("public_ip") or ""),
            host_keys=tuple(str(key) for key in item.get("host_keys") or () if grammar.PUBLIC_KEY.fullmatch(str(key))),
            key_file=str(item.get("key_file") or (key_files or {}).get(str(item.get("key_name") or ""), "")),
        )
        for item in running
    )


def fit(item: Mapping[str, Any]) -> bool:
    """Whether an instance can stand in a configuration: id, user, addresses and the path of its key are such, and nothing more."""
    addresses = (str(item.get(key) or "") for key in ("private_ip", "public_ip"))
    return (
        grammar.is_id(str(item["id"]))
        and bool(grammar.USER.fullmatch(str(item.get("user") or "ec2-user")))
        and all(not address or grammar.is_address(address) for address in addresses)
        and grammar.is_line(str(item.get("key_file") or ""))
    )


def config_text(hosts: Sequence[Host], socket: str, known_hosts: str, key: str, python: str = "", proxy: str = "") -> str:
    """The configuration, short for each instance, as there may be thousands. ``socket``: the lab's; ``key``: its own private key."""
    lines = ["# Written by the lab at each change of its instances: what is changed here is lost."]
    known = [_Block((*host.names, host.id), (f"HostName {host.id}", f"HostKeyAlias {host.id}", f"User {host.user}")) for host in hosts]
    for (user, file), group in _groups(hosts).items():
        theirs = (f"IdentityFile {_quoted(file)}", "IdentitiesOnly yes") if file else ()
        known.append(_Block(tuple(dict.fromkeys(address for host in group for address in host.addresses)), (f"User {user}", *theirs)))
    own = (f"IdentityFile {_quoted(key)}", "IdentitiesOnly yes") if key else ()
    # ssh hands the line to a shell, after its own tokens, which begin with a percent sign.
    command = shlex.join([python or sys.executable, "-I", "-S", proxy or str(PROXY), socket]).replace("%", "%%")
    common = (
        f"UserKnownHostsFile {_quoted(known_hosts)}",
        "GlobalKnownHostsFile none",
        "StrictHostKeyChecking yes",
        "CheckHostIP no",
        "UpdateHostKeys no",
        "PreferredAuthentications publickey",
    )
    # By patterns, so that what looks like the lab's and is not there is asked of the lab, and never of this machine's own network.
    private = tuple(dict.fromkeys(host.private_ip for host in hosts if host.private_ip))
    for keyword, patterns, via, more in (
        ("Match host", IDS, "console", own),
        ("Match host", ELASTIC, "internet", ()),
        ("Host", private, "private", ()),
    ):
        way = (f"ProxyCommand {command} %h {via} %p", f"ProxyUseFdpass {'no' if via == 'private' else 'yes'}")
        known.append(_Block(patterns, (*way, *more, *common), keyword))
    for block in known:
        lines += block.lines() if block.patterns else ()
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Block:
    patterns: tuple[str, ...]
    options: tuple[str, ...]
    keyword: str = "Host"

    def lines(self) -> list[str]:
        separator = "," if self.keyword.startswith("Match") else " "
        return ["", f"{self.keyword} {separator.join(self.patterns)}", *(f"  {option}" for option in self.options)]


def _groups(hosts: Iterable[Host]) -> dict[tuple[str, str], list[Host]]:
    """By user and key file, those with an address."""
    found: dict[tuple[str, str], list[Host]] = {}
    for host in hosts:
        if host.addresses:
            found.setdefault((host.user, host.key_file), []).append(host)
    return found


def known_hosts_text(hosts: Iterable[Host]) -> str:
    """The known hosts: each key under the instance's id, names and addresses. Where networks overlap, an address has several."""
    lines = [
        f"{','.join(name for name in (host.id, *host.names, host.private_ip, host.public_ip) if name)} {key}"
        for host in hosts
        for key in host.host_keys
    ]
    return "".join(f"{line}\n" for line in lines)


def ensure_key(folder: Path) -> str:
    """The lab's own public key, made with its private one (0600) when there is none. Raises OSError when that cannot be done."""
    private, public = folder / KEY, folder / f"{KEY}.pub"
    if not (private.is_file() and public.is_file()):
        # Made beside and moved in, the public one last: whoever is interrupted leaves nothing that looks whole.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".key.") as place:
            made = Path(place) / KEY
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "cloudnet-lab", "-f", str(made)]
            try:
                subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
            except FileNotFoundError:
                raise OSError("ssh-keygen is missing: install OpenSSH's client (openssh-client)") from None
            except subprocess.SubprocessError as error:
                raise OSError(f"the lab's own ssh key cannot be made: {error}") from error
            made.chmod(0o600)
            with contextlib.suppress(FileNotFoundError):
                public.unlink()
            os.replace(made, private)
            os.replace(made.with_suffix(".pub"), public)
    return public.read_text(encoding="ascii").strip()


def write(
    folder: Path, socket: str, hosts: Iterable[Mapping[str, Any]], key_files: Mapping[str, str] | None = None, python: str = ""
) -> Written:
    """Write ``ssh_config`` and ``known_hosts`` (0600) of a lab into its folder; files that are right already stay as they are.

    ``hosts``: as LabControl.hosts lists them. ``python``: the interpreter that runs the proxy; this one when empty. Raises OSError.
    """
    found = hosts_of(hosts, key_files)
    config, known, key = folder / CONFIG, folder / KNOWN_HOSTS, folder / KEY
    for path, text in (
        (known, known_hosts_text(found)),
        (config, config_text(found, socket, str(known), str(key) if key.exists() else "", python)),
    ):
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_private(path, text)
    return Written(_plain(config, Path(socket).parent), known, found)


def _plain(config: Path, folder: Path) -> Path:
    """The configuration under a path that ``ssh -J`` can hand on: it starts another ssh by a shell, and quotes nothing."""
    if _UNQUOTED.fullmatch(str(config)):
        return config
    link = folder / CONFIG
    if not (link.is_symlink() and os.readlink(link) == str(config)):
        link.unlink(missing_ok=True)
        link.symlink_to(config)
    return link


def _quoted(path: str) -> str:
    """A path as an argument in the configuration, where a percent sign begins a token."""
    escaped = path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
