# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in a process of its own: the tester's process has no threads and may fork, and neither waits for the other's interpreter."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.control import LabControl

TESTS = Path(__file__).parents[1]
COLLECTIONS = TESTS.parent / "playbooks" / "collections"
REGION = "us-east-1"
ACCOUNT = "111111111111"

_SERVER = """
import gc, json, os, sys
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.core import Options
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab
gc.set_threshold(20_000, 20, 20)  # what an emulator holds is large, and looked through in vain
with RunningLab(Options(**json.loads(sys.argv[1]))) as lab:
    keys = {account.id: (account.access_key, account.secret) for account in lab.lab.accounts.by_id.values()}
    print(json.dumps({"url": lab.url, "token": lab.control._token, "keys": keys}), flush=True)
    sys.stdin.read()
os._exit(0)  # its state is large, and nobody needs it to be taken apart
"""


class LabProcess:
    """A started lab; use as a context manager. ``options``: those of the lab's Options. It ends with whoever started it."""

    def __init__(self, **options: Any) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "PYTHONPATH": str(COLLECTIONS)},
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the lab ended with code {self._process.wait()} before it was ready")
        told = json.loads(line)
        self.url: str = told["url"]
        self.keys: Mapping[str, tuple[str, str]] = told["keys"]
        self.control = LabControl(self.url, told["token"])

    def __enter__(self) -> LabProcess:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let it end, and wait for that."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def params(self, account: str = ACCOUNT) -> dict[str, Any]:
        """A module's parameters for an account of the lab."""
        key, secret = self.keys[account]
        return {"access_key": key, "secret_key": secret, "region": REGION, "endpoint_url": self.url}

    def client(self, service: str = "ec2", account: str = ACCOUNT) -> Any:
        """A boto3 client of an account's administrator, without retries."""
        return _client(self.url, *self.keys[account], service)


@functools.cache
def _client(url: str, key: str, secret: str, service: str) -> Any:
    import boto3
    from botocore.config import Config

    remember_models()
    session: Any = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=REGION)
    return session.client(service, endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


def remember_models() -> None:
    """Let botocore read each service's model once in a process, not once for every session: a tester makes hundreds of them."""
    import botocore.session

    sessions: Any = botocore.session
    if not hasattr(sessions.create_loader, "cache_info"):
        sessions.create_loader = functools.cache(sessions.create_loader)
