# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the observers here need of a client, so that tests can hand them another. It is what the plan's seam asks for too."""

from __future__ import annotations

from typing import Any, Protocol


class Caller(Protocol):
    """Calls AWS on behalf of accounts by their 12-digit ids; see Client."""

    def call(self, account: str, region: str, action: str, **params: Any) -> dict[str, Any]:
        """One call, in boto3's parameters and answer."""

    def pages(self, account: str, region: str, action: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a listing call."""
