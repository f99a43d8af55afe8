# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between the engine and AWS: whoever plans or applies sees only this, so tests inject what they like."""

from __future__ import annotations

from typing import Any, Protocol


class Api(Protocol):
    """Calls AWS on behalf of accounts by their 12-digit ids. Thread-safe."""

    def call(self, account: str, region: str, action: str, **params: Any) -> dict[str, Any]:
        """One call, paced under the action's token bucket and retried where AWS says to retry.

        ``action`` is ``service:Action`` as in IAM (``ec2:CreateRoute``); parameters and result are in boto3's shape.
        Raises AwsError (or a class below it) with everything a reader needs.
        """

    def pages(self, account: str, region: str, action: str, **params: Any) -> list[dict[str, Any]]:
        """All items of a paged describe call, from all pages."""
