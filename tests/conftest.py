# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make ``support`` (what several kinds of tests share) and this checkout's collection importable, for every test below."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in (Path(__file__).parent, Path(__file__).parents[1] / "playbooks" / "collections"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
