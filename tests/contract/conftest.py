# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contract tests say what AWS does, and ask it of any endpoint: the lab in this process unless told otherwise.

``pytest tests/contract --endpoint-url http://127.0.0.1:4566 --profile lab`` asks another emulator, and
``pytest tests/contract --profile mine --peer-profile other`` AWS itself, which makes (and removes) real resources there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from support.quick import pytest_collection_finish

__all__ = ["pytest_collection_finish", "pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "the endpoint under contract")
    group.addoption("--endpoint-url", default=None, help="endpoint to test (default: the lab; AWS itself with only --profile)")
    group.addoption("--profile", default=None, help="profile of the account to test with")
    group.addoption("--peer-profile", default=None, help="profile of a second account; tests that need one are skipped without")


class Endpoint:
    """Something that speaks AWS's API. ``url`` is None for AWS itself; ``lab`` is the running lab, None for anything else."""

    def __init__(self, url: str | None, profile: str | None, peer_profile: str | None, lab: Any = None) -> None:
        self.url = url
        self.lab = lab
        self._profiles = (profile, peer_profile)
        self._clients: dict[tuple[str, bool, str | None], Any] = {}

    @property
    def has_peer(self) -> bool:
        return self.lab is not None or self._profiles[1] is not None

    def client(self, service: str, peer: bool = False, region: str | None = None) -> Any:
        """A boto3 client without retries, of the account under test or (``peer``) of the second, without which the test is skipped."""
        if peer and not self.has_peer:
            pytest.skip("needs a second account: --peer-profile")
        key = (service, peer, region)
        if key not in self._clients:
            self._clients[key] = self._make(service, peer, region)
        return self._clients[key]

    def _make(self, service: str, peer: bool, region: str | None) -> Any:
        if self.lab is not None:
            return self.lab.client(service, "222222222222" if peer else "111111111111", region or "us-east-1")
        import boto3
        from botocore.config import Config

        session = boto3.session.Session(profile_name=self._profiles[1 if peer else 0], region_name=region)
        return session.client(service, endpoint_url=self.url, config=Config(retries={"total_max_attempts": 4, "mode": "standard"}))

    def account(self, peer: bool = False) -> str:
        """The 12-digit id of an account under test."""
        return str(self.client("sts", peer).get_caller_identity()["Account"])


@pytest.fixture(scope="session")
def _endpoint(request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    url, profile, peer = (request.config.getoption(name) for name in ("--endpoint-url", "--profile", "--peer-profile"))
    if url or profile:
        yield Endpoint(url, profile, peer)
        return
    from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.testing import RunningLab

    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    with RunningLab() as lab:
        yield Endpoint(lab.url, None, None, lab)
    patch.undo()


@pytest.fixture
def endpoint(_endpoint: Endpoint) -> Endpoint:
    """The endpoint under contract; an in-process lab is emptied first, anything else is taken as it is."""
    if _endpoint.lab is not None:
        _endpoint.lab.control.reset()
    return _endpoint
