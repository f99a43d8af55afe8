# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: snapshots of describe calls, and the frozen network built from them. Imports nothing else of ours but errors."""
