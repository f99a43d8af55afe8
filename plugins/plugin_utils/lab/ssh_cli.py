# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m …lab.ssh_cli list|connect|shell [--name NAME]``: what is behind ``make ssh`` and ``make shell``.

``list`` prints the lab's instances; ``connect HOST [COMMAND]`` becomes ssh; ``shell`` prints a folder whose ssh, scp and sftp know the lab,
to be put first in PATH.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .control import LabError
from .lifecycle import Found, find
from .record import make_private, state_folder, write_private
from .ssh_config import CONFIG, ELASTIC, IDS, hosts_of

_PROGRAMS = ("ssh", "scp", "sftp")
_COLUMNS = ("name", "id", "private_ip", "public_ip", "state", "account", "region")
_HEADERS = ("NAME", "INSTANCE", "PRIVATE", "PUBLIC", "STATE", "ACCOUNT", "REGION")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="ssh", description="Shells in the lab's instances.")
    parser.add_argument("command", choices=("list", "connect", "shell"))
    parser.add_argument("words", nargs="*", help="connect: an instance's name, id or address, and a command for its shell")
    parser.add_argument("--name", default=None, help="the lab's name (default: from this checkout's path)")
    wanted = parser.parse_args(arguments)
    try:
        found = find(wanted.name)
        if wanted.command == "shell":
            print(wrappers(state_folder(found.name)))
            return 0
        told = found.control.hosts()
        hosts: list[Mapping[str, Any]] = told["hosts"]
        plane = found.status.get("plane") or {}
        if plane.get("state") == "failed" and hosts:
            print(f"cloudnet: {plane['why']}", file=sys.stderr)
        if wanted.command == "list" or not wanted.words:
            print(table(hosts) if hosts else _nothing(found))
            return 0
        target = choose(hosts, wanted.words[0])
        if not Path(told["ssh_config"]).is_file():
            raise LabError(_nothing(found))
    except (LabError, OSError) as error:
        print(f"cloudnet: {error}", file=sys.stderr)
        return 1
    command = ["ssh", "-F", told["ssh_config"], target, *wanted.words[1:]]
    try:
        os.execvp(command[0], command)
    except OSError:
        print("cloudnet: ssh is missing: install OpenSSH's client (openssh-client)", file=sys.stderr)
        return 1


def choose(hosts: Sequence[Mapping[str, Any]], wanted: str) -> str:
    """What the configuration calls a host that people call by name, id or public address. Raises LabError, with what there is."""
    known = {name: host.id for host in hosts_of(hosts) for name in (host.id, *host.names)}
    # Plans and tables say the kind where something else has the name too.
    wanted = wanted.removeprefix("instance:")
    if wanted in known:
        return known[wanted]
    same = [host for host in hosts if wanted in [host.get(key) for key in ("name", "topology_name", "private_ip", "public_ip")]]
    running = [host for host in same if host.get("state") in ("pending", "running")]
    if len(running) == 1:
        # A public address is a way of its own: through the network.
        return wanted if wanted == running[0].get("public_ip") else str(running[0]["id"])
    if running:
        raise LabError(f"{wanted} means {len(running)} instances: {', '.join(str(host['id']) for host in running)}; say which by its id")
    if same or any(host["id"] == wanted for host in hosts):
        raise LabError(f"{wanted} is {(same or [host for host in hosts if host['id'] == wanted])[0].get('state')}: start it first")
    names = sorted(name for name in known if not name.startswith("i-")) or sorted(known)
    there = f"there are {', '.join(names[:20])}{' …' if len(names) > 20 else ''}" if names else "no instance runs"
    raise LabError(f"no instance is called {wanted}: {there}")


def table(hosts: Sequence[Mapping[str, Any]]) -> str:
    """The instances as people read them; NAME is what ``make ssh HOST=`` takes."""
    names = {host.id: host.names[0] for host in hosts_of(hosts) if host.names}
    rows = [_HEADERS, *(_row(host, names) for host in hosts)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADERS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def _row(host: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, ...]:
    told = {**host, "name": names.get(str(host["id"]), "-")}
    return tuple(str(told.get(key) or "-") for key in _COLUMNS)


def _nothing(found: Found) -> str:
    plane = found.status.get("plane") or {}
    why = f": {plane['why']}" if plane.get("why") else ""
    return f"lab {found.name} has no instances{why}"


def wrappers(folder: Path) -> Path:
    """A folder of programs that are ssh, scp and sftp with the lab's configuration, and the user's own for hosts that are not the lab's."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = make_private(make_private(folder) / "bin")
    config = place / "config"
    # The lab's hosts have ids for their names by then, or addresses of the block for elastic ones.
    lines = [
        f'Include "{folder / CONFIG}"',
        f"Match !host {','.join((*IDS, *ELASTIC))}",
        "  Include ~/.ssh/config",
        "  Include /etc/ssh/ssh_config",
    ]
    write_private(config, "\n".join(lines) + "\n")
    paths = os.pathsep.join(path for path in os.get_exec_path() if path != str(place))
    for name in _PROGRAMS:
        program = shutil.which(name, path=paths)
        if program is None:
            (place / name).unlink(missing_ok=True)
            continue
        write_private(place / name, f'#!/bin/sh\nexec {shlex.quote(program)} -F {shlex.quote(str(config))} "$@"\n')
        (place / name).chmod(0o700)
    return place


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
