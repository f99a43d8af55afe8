# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All unit tests share a quick process."""

from support.quick import pytest_collection_finish

__all__ = ["pytest_collection_finish"]
