# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of the other VPC must do, where we hold credentials for one side only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from .._model.network import PLANNED, Network, Peering
from .._topology.types import PeeringSpec, Topology
from .actions import Plan
from .allow import carried
from .allow import connection as peering_of
from .context import Context
from .kinds.route import destinations
from .kinds.rule import describe


def handoff(topology: Topology, network: Network, plan: Plan, accounts: Mapping[str, str], now: datetime) -> list[dict[str, Any]]:
    """One entry for each connection with a side that is not ours: ``peering``, ``id`` (None while only planned), ``status``, ``owner``,
    ``region``, ``vpc``, ``expires`` (ISO time) and ``hours_left`` of a pending request, and ``steps``: lines for the other owner to follow.
    """
    ctx = Context(topology, network, accounts, ids=dict(plan.ids))
    return [
        _entry(ctx, spec, now) for spec in topology.peerings if any(topology.vpcs[name].remote for name in (spec.requester, spec.accepter))
    ]


def _entry(ctx: Context, spec: PeeringSpec, now: datetime) -> dict[str, Any]:
    theirs = spec.requester if ctx.topology.vpcs[spec.requester].remote else spec.accepter
    mine = spec.accepter if theirs == spec.requester else spec.requester
    vpc = ctx.topology.vpcs[theirs]
    connection = ctx.connection(spec)
    # What is only planned has no id that the other owner could use.
    live = connection if connection is not None and connection.live and not connection.id.startswith(PLANNED) else None
    entry: dict[str, Any] = {
        "peering": spec.name,
        "id": live.id if live else None,
        "status": live.status if live else "planned" if connection and connection.live else connection.status if connection else "none",
        "owner": ctx.account(vpc),
        "region": ctx.region(vpc),
        "vpc": ctx.vpc_id(theirs),
        "expires": None,
        "hours_left": None,
        "steps": list(_steps(ctx, spec, live, mine, theirs)),
    }
    if live and live.status == "pending-acceptance" and live.expires:
        entry |= {"expires": live.expires.isoformat(), "hours_left": max(0, int((live.expires - now).total_seconds() // 3600))}
    return entry


def _steps(ctx: Context, spec: PeeringSpec, live: Peering | None, mine: str, theirs: str) -> Iterator[str]:
    our, their = ctx.topology.vpcs[mine], ctx.topology.vpcs[theirs]
    name = live.id if live else "the connection"
    region = ctx.region(their)
    if live is None and (spec.accept_only or spec.requester == theirs):
        yield (
            f"request the connection: aws ec2 create-vpc-peering-connection --region {region} --vpc-id {ctx.vpc_id(theirs)}"
            f" --peer-vpc-id {_real(ctx.vpc_id(mine)) or 'OUR-VPC'} --peer-owner-id {ctx.account(our)} --peer-region {ctx.region(our)}"
        )
    elif live is None:
        yield "nothing yet: our request is still to be made"
    elif live.status == "pending-acceptance" and live.accepter.account == ctx.account(their):
        yield f"accept it: aws ec2 accept-vpc-peering-connection --region {region} --vpc-peering-connection-id {name}"
    for block in destinations(ctx, spec, theirs, mine):
        value = ctx.ids.get(str(block), str(block))
        value = value if not value.startswith(PLANNED) else f"our block {block}"
        yield f"route {value} to {name} in every route table of {ctx.vpc_id(theirs)} that needs it"
    if spec.dns:
        # https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-dns.html
        yield f"have DNS hostnames and DNS resolution on in {ctx.vpc_id(theirs)}: DNS over the peering needs both, on both sides"
        yield f"turn on DNS resolution for your side of {name} (once it is active)"
    for allow in ctx.topology.allows:
        if peering_of(ctx, allow.source.vpc or mine, allow.target.vpc) is spec and theirs in (allow.source.vpc, allow.target.vpc):
            if not carried(ctx, allow.source, spec):
                continue
            rule = describe({"protocol": allow.protocol, "from_port": allow.from_port, "to_port": allow.to_port or allow.from_port})
            if allow.target.vpc == theirs:
                yield f"let {rule} in from {allow.source} to {allow.target}"
            else:
                yield f"let {rule} out to {allow.target}, where your groups restrict egress"


def _real(identifier: str) -> str:
    return "" if identifier.startswith(PLANNED) else identifier
