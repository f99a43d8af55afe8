# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do with a peering connection in each of AWS's nine states, as one explicit table.

https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-lifecycle
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from .._model.network import NAME_TAG, TOPOLOGY_TAG, Peering
from .._topology.types import PeeringSpec
from .context import Context


class Step(Enum):
    """What a state asks for."""

    NOTHING = "nothing"
    REQUEST = "request a new connection"
    REQUEST_AFTER = "wait until the old one is gone, then request a new connection"
    ACCEPT = "accept"
    ACCEPT_AFTER = "wait until it is pending, then accept"
    SETTLE = "wait until it is active"
    DELETE = "delete"
    DELETE_AFTER = "wait until it can be deleted, then delete"


#: (state, wanted) to step. A live connection always goes before a dead one of the same pair, whichever side requested it.
TABLE: Mapping[tuple[str, bool], Step] = {
    ("initiating-request", True): Step.ACCEPT_AFTER,
    ("pending-acceptance", True): Step.ACCEPT,
    ("provisioning", True): Step.SETTLE,
    ("active", True): Step.NOTHING,
    ("deleting", True): Step.REQUEST_AFTER,
    ("deleted", True): Step.REQUEST,
    ("rejected", True): Step.REQUEST,
    ("failed", True): Step.REQUEST,
    ("expired", True): Step.REQUEST,
    ("initiating-request", False): Step.DELETE_AFTER,
    ("pending-acceptance", False): Step.DELETE,
    ("provisioning", False): Step.DELETE_AFTER,
    ("active", False): Step.DELETE,
    ("deleting", False): Step.NOTHING,
    ("deleted", False): Step.NOTHING,
    ("rejected", False): Step.NOTHING,
    ("failed", False): Step.NOTHING,
    ("expired", False): Step.NOTHING,
}

#: States in which the request stands and needs no new one.
STANDS = frozenset({Step.NOTHING, Step.ACCEPT, Step.ACCEPT_AFTER, Step.SETTLE})


def of_another(ctx: Context, peering: Peering) -> str:
    """The name of another topology that made a connection, or an empty string."""
    names = {tags.get(TOPOLOGY_TAG, "") for tags in (peering.tags, *peering.seen.values())} - {""}
    return "" if ctx.topology.name in names else next(iter(sorted(names)), "")


def removable(ctx: Context, peering: Peering) -> bool:
    """Whether it is this topology's to remove; a narrow plan removes what it names, unless another topology made that."""
    return ctx.ours(peering) or (ctx.narrow and peering.id in ctx.declared and not of_another(ctx, peering))


def name_of(ctx: Context, peering: Peering) -> str:
    """Our name of a connection, from whichever side was tagged."""
    for tags in (peering.tags, *peering.seen.values()):
        if tags.get(TOPOLOGY_TAG) == ctx.topology.name and tags.get(NAME_TAG):
            return tags[NAME_TAG]
    return ""


def step(connection: Peering | None, *, wanted: bool) -> Step:
    """What the table says of a connection, or of none."""
    if connection is None:
        return Step.REQUEST if wanted else Step.NOTHING
    return TABLE[connection.status, wanted]


def will_stand(ctx: Context, spec: PeeringSpec) -> bool:
    """Whether there is, or will be after this plan, a connection that our side can build on."""
    connection = ctx.connection(spec)
    if ctx.absent and ctx.narrow:
        # What leads through a named connection is to go, however dead the connection is.
        return True
    return (connection is not None and step(connection, wanted=True) in STANDS) or not (
        spec.accept_only or ctx.topology.vpcs[spec.requester].remote or spec.id
    )


def will_be_active(ctx: Context, spec: PeeringSpec) -> bool:
    """Whether the connection is active, or this plan makes it so."""
    connection = ctx.connection(spec)
    if connection is not None and step(connection, wanted=True) in (Step.NOTHING, Step.SETTLE):
        return True
    return will_stand(ctx, spec) and not ctx.topology.vpcs[accepting(ctx, spec)].remote


def accepting(ctx: Context, spec: PeeringSpec) -> str:
    """The name of the VPC whose owner accepts: as declared, unless the live connection was requested from the other side."""
    connection = ctx.connection(spec)
    if connection is not None and step(connection, wanted=True) in STANDS:
        return spec.accepter if connection.accepter.vpc == ctx.vpc_id(spec.accepter) else spec.requester
    return spec.accepter


#: Nothing more can be done to such a connection, and nothing needs to be.
DONE = ("deleting", "deleted", "rejected", "failed", "expired", "gone")
