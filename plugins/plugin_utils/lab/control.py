# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the lab's control, of the standard library only: ``LabControl(url, token).calls()``."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit


class LabError(Exception):
    """The lab refused, or could not be reached: one line for people."""


class LabControl:
    """Control of a running lab. Every method raises LabError when the lab refuses or is not there."""

    def __init__(self, url: str, token: str, timeout: float = 30.0) -> None:
        self.url = url
        self._token = token
        self._timeout = timeout

    def _ask(self, operation: str, wanted: Mapping[str, Any] | None = None) -> dict[str, Any]:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "127.0.0.1", where.port or 80, timeout=self._timeout)
        try:
            connection.request("POST", f"/_cloudnet/{operation}", json.dumps(wanted or {}), {"x-cloudnet-token": self._token})
            answer = connection.getresponse()
            value: Any = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LabError(f"the lab at {self.url} does not answer: {error}") from error
        finally:
            connection.close()
        if not isinstance(value, dict):
            raise LabError(f"what answers at {self.url} is no lab")
        if answer.status != 200:
            raise LabError(f"the lab at {self.url} refused {operation}: {value.get('error', answer.status)}")
        return value

    def status(self) -> dict[str, Any]:
        """``{name, version, pid, uptime, held, settings, accounts, now, plane}``; plane as DataPlane.status."""
        return self._ask("status")

    def config(self, **settings: Any) -> dict[str, Any]:
        """Set ``latency_ms``, ``throttle``, ``quotas``, ``faults`` (see faults.py), ``enforce_iam``; returns the settings in force."""
        return self._ask("config", settings)

    def accounts(self, add: Sequence[Any] = (), topology: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """List accounts, after making those given.

        Returns ``{changed, accounts: [{name, id, profiles, roles}], topology: {name: {profile, account_id, role_arn}}}``.
        """
        return self._ask("accounts", {"add": list(add), "topology": dict(topology or {})})

    def calls(self) -> dict[str, Any]:
        """What was asked since the last reset; see counting.Counts.snapshot."""
        return self._ask("calls")

    def reset_calls(self) -> dict[str, Any]:
        """The same, and start counting again."""
        return self._ask("calls/reset")

    def advance(self, seconds: float) -> str:
        """Set the lab's clock forward; returns its time in ISO 8601."""
        return str(self._ask("clock", {"advance": seconds})["now"])

    def hosts(self) -> dict[str, Any]:
        """``{"hosts": [...], "ssh_socket": path, "ssh_config": path}``; of each host what plane.hosts.listing tells."""
        return self._ask("hosts")

    def twin_text(self) -> str:
        """What the kernel holds for the lab: links, addresses, routes, nftables; "" while nothing runs."""
        return str(self._ask("twin_text")["text"])

    def reset(self) -> None:
        """Empty the lab; accounts, keys and port stay."""
        self._ask("reset")

    def stop(self) -> None:
        """Ask the lab to end."""
        self._ask("stop")
