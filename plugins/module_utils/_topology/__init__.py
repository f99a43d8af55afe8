# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted: the topology's schema, its strict parser, its expansion, and the preflight against what is there."""
