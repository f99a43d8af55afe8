# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's side of its data plane: what the lab holds is read into a Network, and told to the twin before a write call is answered."""
