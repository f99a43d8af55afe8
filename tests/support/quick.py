# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a tester's process quick without a test noticing: whatever is the same every time is made once.

A conftest.py takes it by importing the hook below. Measurements (tests/bench) do without.
"""

from __future__ import annotations

import functools
import gc
from typing import Any

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave what the imports made, which is large and stays, out of every later garbage collection, and collect less often.

    With an emulator in the process the collector otherwise takes a third of the time.
    """
    make_once()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@functools.cache
def make_once() -> None:
    """Let boto3 make each service's class, and the trust store's TLS context, once in a process instead of once for every client.

    Neither depends on credentials, Region or endpoint: what is tested of those is in the client, which is made anew every time.
    """
    import botocore.client
    import botocore.httpsession

    from .lab import remember_models

    remember_models()
    creator: Any = botocore.client.ClientCreator
    make, made = creator._create_client_class, dict[str, Any]()

    def client_class(self: Any, service_name: str, service_model: Any) -> Any:
        if service_name not in made:
            made[service_name] = make(self, service_name, service_model)
        return made[service_name]

    creator._create_client_class = client_class
    http: Any = botocore.httpsession
    http.create_urllib3_context = functools.cache(http.create_urllib3_context)
