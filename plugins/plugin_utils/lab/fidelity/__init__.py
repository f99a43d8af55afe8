# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fidelity layer: one file per area, each registering with ``..calls`` where AWS answers otherwise than the emulator.

Importing this package imports every file in it, so adding an area is adding a file. It is imported by the lab's process only.
"""

from __future__ import annotations

import importlib
import pkgutil

from .. import emulator as _emulator  # noqa: F401  (it goes before any import of moto, whose start it shortens)

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
