# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's control, on its own port under ``/_cloudnet/``: JSON in, JSON out, and a token that only the lab's record holds."""

from __future__ import annotations

import hmac
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..twin.seams import TwinError
from .accounts import read_accounts
from .core import LOG, Lab
from .plane.attach import plane_status
from .plane.hosts import listing
from .wire import Reply

PREFIX = "/_cloudnet/"
TOKEN_HEADER = "x-cloudnet-token"
VERSION = 1


class ControlApi:
    """The operations: ``status config accounts calls calls/reset clock reset hosts twin_text stop``. Each takes and returns a mapping.

    ``on_accounts()`` is called when accounts or profiles changed (the daemon rewrites the config file), ``on_stop()`` after ``stop`` was
    answered. ``about`` is told by ``status``, too.
    """

    def __init__(
        self, lab: Lab, token: str, on_accounts: Callable[[], None], on_stop: Callable[[], None], about: Mapping[str, Any] | None = None
    ) -> None:
        self._lab = lab
        self._token = token
        self._on_accounts = on_accounts
        self._on_stop = on_stop
        self._about = dict(about or {})
        self._started = time.monotonic()

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request has the lab's token."""
        return hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token.encode())

    def handle(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[Reply, Callable[[], None] | None]:
        """The answer, and what is to be done once it is sent."""
        if not self.knows(headers):
            return _json(403, {"error": "the control token is missing or wrong; it is in the lab's record"}), None
        operation = path[len(PREFIX) :].strip("/").replace("/", "_")
        method = getattr(self, f"_do_{operation}", None)
        if method is None:
            return _json(404, {"error": f"no control operation {operation}"}), None
        try:
            wanted = json.loads(body) if body else {}
            if not isinstance(wanted, dict):
                raise ValueError("the body is not a JSON object")
            return _json(200, method(wanted)), self._on_stop if operation == "stop" else None
        except ValueError as error:
            return _json(400, {"error": str(error)}), None
        except Exception:
            LOG.exception("control operation %s failed", operation)
            return _json(500, {"error": f"control operation {operation} failed in the lab; see its log"}), None

    def _do_status(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._about,
            "version": VERSION,
            "pid": os.getpid(),
            "uptime": round(time.monotonic() - self._started, 3),
            "held": self._lab.faults.held,
            "settings": self._lab.settings(),
            "accounts": self._lab.accounts.listing(),
            "now": self._lab.now().isoformat(),
            "plane": plane_status(self._lab),
        }

    def _do_config(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return self._lab.configure(wanted)

    def _do_accounts(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """``{"add": [...]}`` as the lab's ``accounts`` option, ``{"topology": {...}}`` as a topology's ``accounts``; neither only lists."""
        unknown = sorted(set(wanted) - {"add", "topology"})
        if unknown:
            raise ValueError(f"accounts: unknown key {', '.join(unknown)}; known are add, topology")
        with self._lab.lock:
            before = self._lab.accounts.config_text("", "")
            for name, number in read_accounts(wanted.get("add") or []):
                self._lab.accounts.add(name, number)
            made = self._lab.accounts.ensure(wanted.get("topology") or {})
            changed = self._lab.accounts.config_text("", "") != before
            if changed:
                self._on_accounts()
            return {"changed": changed, "accounts": self._lab.accounts.listing(), "topology": made}

    def _do_calls(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        return self._lab.counts.snapshot()

    def _do_calls_reset(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        """Counts so far, which start again at zero."""
        counts = self._lab.counts.snapshot()
        self._lab.counts.reset()
        return counts

    def _do_clock(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return {"now": self._lab.advance(float(wanted.get("advance", 0))).isoformat()}

    def _do_reset(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        self._lab.reset()
        return {}

    def _do_hosts(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        """The data plane's instances, and the way in."""
        way_in = plane_status(self._lab)
        hosts = listing(self._lab.plane) if self._lab.plane is not None else []
        return {"hosts": hosts, "ssh_socket": way_in["ssh_socket"], "ssh_config": way_in["ssh_config"]}

    def _do_twin_text(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        """What the kernel holds for this lab, as text."""
        try:
            return {"text": self._lab.plane.text() if self._lab.plane is not None else ""}
        except TwinError as error:
            raise ValueError(str(error)) from error

    def _do_stop(self, _wanted: dict[str, Any]) -> dict[str, Any]:
        return {}


def _json(status: int, value: Mapping[str, Any]) -> Reply:
    return Reply(status, (("Content-Type", "application/json"),), json.dumps(value).encode())
