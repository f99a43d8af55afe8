# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network would be after a plan, in memory."""

from __future__ import annotations

from .._model.network import Network
from .actions import Plan
from .draft import Draft
from .kinds import KINDS

BY_NAME = {kind.name: kind for kind in KINDS}


def simulate(network: Network, plan: Plan) -> Network:
    """The network with the plan's actions done. What would be made has ids that start with ``planned:``."""
    draft = Draft(network, plan.ids)
    for action in plan:
        BY_NAME[action.kind].simulate(draft, action)
    return draft.freeze()


def ids_after(network: Network, plan: Plan) -> dict[str, str]:
    """Name to id after the plan, for outputs: the ids that are there, and ``planned:`` ones."""
    draft = Draft(network, plan.ids)
    for action in plan:
        BY_NAME[action.kind].simulate(draft, action)
    return draft.ids
