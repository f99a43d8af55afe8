# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of a lab in this process, without a port and without signatures: what a tester of very many calls can afford."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import Lab
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.endpoint import Endpoint
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.identity import Credential
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.wire import Arrival, Reply, parse_reply, reencode, service_model

ACCOUNT, REGION = "111111111111", "us-east-1"


class _Anybody:
    """The lab's credentials, with every signature taken for right."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def authenticate(self, arrival: Arrival, protocol: str, now: Any) -> Credential:
        found: Credential = self._real.find(arrival.access_key)
        return found


@dataclass(frozen=True)
class InProcess:
    """Ask a lab as the administrator of ACCOUNT in REGION."""

    lab: Lab

    def arrival(self, service: str, action: str, params: dict[str, Any]) -> Arrival:
        """A request as it arrives. Raises what botocore raises of parameters that cannot be written at all."""
        model = service_model(service)
        key = self.lab.accounts.by_id[ACCOUNT].access_key
        scope = f"{key}/20260101/{REGION}/{model.signing_name}/aws4_request"
        headers = {"host": "127.0.0.1", "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
        base = Arrival("POST", "/", "", headers, b"", service, model.signing_name, REGION, key, version=model.api_version)
        return reencode(base, str(model.protocol), action, params)

    def handle(self, arrival: Arrival) -> Reply:
        """The answer as it goes over the wire."""
        real = self.lab.credentials
        self.lab.credentials = _Anybody(real)  # type: ignore[assignment]
        try:
            return Endpoint(self.lab).handle(arrival)
        finally:
            self.lab.credentials = real

    def reply(self, service: str, action: str, params: dict[str, Any]) -> Reply:
        return self.handle(self.arrival(service, action, params))

    def ask(self, service: str, action: str, params: dict[str, Any]) -> dict[str, Any]:
        """The answer in boto3's shape. Raises Refusal."""
        return parse_reply(service, action, str(service_model(service).protocol), self.reply(service, action, params))

    def code(self, service: str, action: str, params: dict[str, Any]) -> str:
        """The code of the refusal, or ""."""
        try:
            self.ask(service, action, params)
        except Refusal as refusal:
            return refusal.code
        return ""
