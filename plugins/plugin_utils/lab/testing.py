# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab inside the process that tests it: the whole endpoint over a real port, with boto3 clients for its accounts."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from .control import LabControl
from .control_api import ControlApi
from .core import Lab, Options
from .plane.attach import attach
from .server import LabServer


class RunningLab:
    """A started lab; use as a context manager. There can be one per process at a time, since the emulator's state is the process's."""

    def __init__(self, options: Options | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="cloudnet-lab-")
        token = secrets.token_urlsafe(24)
        self.lab = Lab(options)
        folder = Path(self._folder.name)
        attach(self.lab, folder, folder)
        self._server = LabServer(self.lab, ControlApi(self.lab, token, self._write_config, lambda: None, {"name": "in-process"}))
        self.url = self._server.url
        self.control = LabControl(self.url, token)
        self.config_file = Path(self._folder.name) / "config"
        self._write_config()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._thread = self._server.start()

    def _write_config(self) -> None:
        self.config_file.write_text(self.lab.accounts.config_text(self.url, self.lab.options.region))

    @property
    def lab_port(self) -> int:
        return self._server.port

    def __enter__(self) -> RunningLab:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        if self.lab.plane is not None:
            self.lab.plane.close()
        self._folder.cleanup()

    def client(self, service: str, account: str = "111111111111", region: str = "us-east-1", **config: Any) -> Any:
        """A boto3 client as the administrator of an account (name or id), without retries; kept for the next who asks for the same.

        ``config`` goes to botocore's Config, and makes a client of its own.
        """
        from .accounts import account_id

        key = (service, account, region)
        if config or key not in self._clients:
            number = account_id(account)
            if number not in self.lab.accounts.by_id:
                self.control.accounts(add=[account])
            owner = self.lab.accounts.by_id[number]
            made = self.client_of(service, owner.access_key, owner.secret, region=region, **config)
            if config:
                return made
            self._clients[key] = made
        return self._clients[key]

    def client_of(
        self, service: str, access_key: str, secret: str, token: str | None = None, region: str = "us-east-1", **config: Any
    ) -> Any:
        """A boto3 client with any credentials."""
        import boto3
        from botocore.config import Config

        session: Any = boto3.session.Session()
        return session.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(**{"retries": {"total_max_attempts": 1}, "max_pool_connections": 32, **config}),
        )
