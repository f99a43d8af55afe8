# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do: one file per kind of resource, the graph of actions, its simulation and its application."""
