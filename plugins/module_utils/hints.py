# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts between a topology's ends, whose hints know what the topology says already.

Reach knows routes, and proposes the one that is missing. Where the topology's peering is told to leave that block out, that route would not
be made: the hint names what leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ._reach.blocks import holds
from ._reach.endpoints import End
from ._reach.reach import reach
from ._reach.verdict import RETURN, Blocker, Fix, Verdict
from ._topology.types import PeeringSpec
from .ends import World


def judged(world: World, source: End, target: End, protocol: str, port: Any) -> Verdict:
    """The verdict on a question. Raises CloudnetError as reach does."""
    verdict = reach(world.network, source, target, protocol, port)
    heard = tuple(_heard(world, blocker, source, target, verdict.family) for blocker in verdict.blockers)
    return replace(verdict, blockers=heard) if heard != verdict.blockers else verdict


def _heard(world: World, blocker: Blocker, source: End, target: End, family: int) -> Blocker:
    table = world.network.route_tables.get(blocker.component)
    if blocker.fix.kind != "route" or table is None:
        return blocker
    far = source if blocker.direction == RETURN else target
    names = {identifier: name for name in world.topology.vpcs if (identifier := world.vpc_id(name))}
    here, there = names.get(table.vpc, ""), names.get(far.vpc, "")
    spec = next((item for item in world.topology.peerings if {item.requester, item.accepter} == {here, there}), None)
    address = far.address(family)
    if spec is None or not address or spec.parts(there, single := f"{address}/{32 if family == 4 else 128}"):
        return blocker
    blocks = world.index.cidrs(far.vpc)
    return replace(blocker, fix=_narrowed(spec, there, blocks, address, next((item for item in blocks if holds(item, address)), single)))


def _narrowed(spec: PeeringSpec, vpc: str, blocks: Sequence[str], address: str, block: str) -> Fix:
    wish = {"between": [spec.requester, spec.accepter], "cidrs": {"only": {vpc: [*spec.routed(vpc, blocks), block]}}}
    key = "except" if vpc in spec.without else "only"
    text = f"{spec.path}.cidrs.{key} leaves {address} of {vpc} out: let it route {block} too, or expect this to be blocked"
    return Fix("peering", text, {"peerings": [wish]})
