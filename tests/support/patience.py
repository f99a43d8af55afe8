# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often to try what goes by chance: a few times in every run of the tests, more often where somebody has the time.

``CLOUDNET_LONG=1 python -m pytest tests/resilience`` is the long run.
"""

from __future__ import annotations

import os


def times(few: int, many: int) -> int:
    """``few``, or ``many`` with CLOUDNET_LONG set."""
    return many if os.environ.get("CLOUDNET_LONG") else few
