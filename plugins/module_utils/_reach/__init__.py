# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who can talk to whom, why not, and what would open it: from a Network alone. Start at ``reach.reach`` and ``matrix.matrix``."""
