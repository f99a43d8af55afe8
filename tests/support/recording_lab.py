# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own process, noting beside its work what the role ``operator`` asks: ``python -m support.recording_lab FOLDER PIPE``.

A line of JSON for each call in ``FOLDER/calls.jsonl``: ``{principal, account, region, service, action, needs, params, code}``. ``needs``
are the IAM actions that the request takes, ``params`` are in boto3's shape, as they were sent; ``code`` is the error's, "" without one.
Started by job_runs.py in the place of the lab's module, and by nothing else.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from pathlib import Path
from typing import Any

CALLS = "calls.jsonl"
_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"__type\": *\"(?:[^\"#]*#)?([^\"]+)\"")


def note(folder: Path) -> None:
    """Let the endpoint of this process write down what it answers."""
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.endpoint import Endpoint
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.required import Place, required
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import decode, protocol_of

    lock, answer = threading.Lock(), Endpoint.handle

    def handle(self: Endpoint, arrival: Any, *rest: Any) -> Any:
        reply = answer(self, arrival, *rest)
        if ":assumed-role/operator/" in arrival.principal:
            found = None if reply.ok else _CODE.search(reply.body)
            params = decode(arrival, protocol_of(arrival))
            needs = required(arrival.signing_name, arrival.action, params, Place(arrival.account, arrival.region))
            line = {
                "principal": arrival.principal,
                "account": arrival.account,
                "region": arrival.region,
                "service": arrival.service,
                "action": arrival.action,
                "needs": list(dict.fromkeys(need.action for need in needs)),
                "params": params,
                "code": "" if reply.ok else (found[1] or found[2]).decode() if found else str(reply.status),
            }
            with lock, open(folder / CALLS, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, default=str) + "\n")
        return reply

    vars(sys.modules[Endpoint.__module__])["Endpoint"].handle = handle


if __name__ == "__main__":
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab import daemon

    note(Path(sys.argv[1]))
    sys.exit(daemon.main(sys.argv[1:]))
