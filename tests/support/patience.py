# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often to try what goes by chance: a few times in every run of the tests, more often where somebody has the time.

``CLOUDNET_LONG=1 python -m pytest tests/resilience`` is the long run. CLOUDNET_SHORT is set where the same was tried at length before, on
another Python.
"""

from __future__ import annotations

import os


def times(few: int, many: int) -> int:
    """``few``, or ``many`` with CLOUDNET_LONG set."""
    return many if os.environ.get("CLOUDNET_LONG") else few


def examples(number: int) -> int:
    """Hypothesis's examples of a property of pure functions: ``number``, or a fifth of that with CLOUDNET_SHORT set."""
    return number // 5 if os.environ.get("CLOUDNET_SHORT") else number
