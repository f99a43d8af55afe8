# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m …lab.cli env|status|stop [--name NAME]``: what a Makefile and a shell need of a lab, quickly."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from .control import LabError
from .environment import exports
from .lifecycle import find, stop


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="lab", description="The embedded lab of this checkout.")
    parser.add_argument(
        "command", choices=("env", "status", "stop"), help="print export lines while it runs; say how it is, as JSON; end it"
    )
    parser.add_argument("--name", default=None, help="the lab's name (default: from this checkout's path)")
    wanted = parser.parse_args(arguments)
    try:
        if wanted.command == "stop":
            found = stop(wanted.name)
            print("\n".join(found.messages) or f"lab {found.name} does not run")
            return 0
        found = find(wanted.name)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    if wanted.command == "env":
        if found.record is not None:
            print("\n".join(exports({**asdict(found.record), "profile": "default"})))
        return 0
    about = {"name": found.name, "running": found.record is not None, "messages": list(found.messages)}
    if found.record is not None:
        about |= {"url": found.record.url, "config_file": found.record.config_file, "pid": found.record.pid, **found.status}
    print(json.dumps(about, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
