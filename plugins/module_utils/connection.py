# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One peering connection as a topology of its own, for the modules that are about one. Both VPCs are adopted; their ids are their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ._aws.sessions import Sessions
from ._model.build import build
from ._model.network import NAME_TAG, Network, Peering
from ._model.snapshot import Snapshot, plain
from ._topology.types import AccountSpec, PeeringSpec, RemoteSpec, Topology, VpcSpec
from .errors import CloudnetError
from .estate import Estate
from .modules import check_places, params_of, region_of

#: The name under which the accepter's own credentials stand.
ACCEPTER = "accepter"


@dataclass(frozen=True)
class Side:
    """One end: the VPC's id, the account that owns it (empty: that of the task), its Region, and its blocks where they are known."""

    vpc: str
    account: str = ""
    region: str = ""
    cidrs: tuple[str, ...] = ()


class Looker:
    """Reads with the credentials of the task, before there is a topology. Raises CloudnetError."""

    def __init__(self, module: Any) -> None:
        self.region = region_of(module)
        if not self.region:
            raise CloudnetError("no Region given: set region, or AWS_REGION, or one in the profile")
        here = VpcSpec("here", region=self.region, id="any")
        estate = Estate(Topology("", vpcs={"here": here}), params_of(module), target=module.params["target"])
        check_places(estate)
        self.account = estate.accounts[""]
        self.sessions: Sessions = estate.sessions
        self.client = estate.client
        self.identity = estate.identities[""]

    def peerings(self, *filters: Mapping[str, Any]) -> Network:
        """The connections that pass the filters, dead ones too."""
        items = self.client.pages(self.account, self.region, "ec2:DescribeVpcPeeringConnections", Filters=list(filters))
        return build(Snapshot({(self.account, self.region, "VpcPeeringConnections"): tuple(plain(items))}))

    def peering(self, identifier: str) -> Peering | None:
        """One connection by its id."""
        return self.peerings({"Name": "vpc-peering-connection-id", "Values": [identifier]}).peerings.get(identifier)


def found(looker: Looker, identifier: str, *, live: bool) -> Peering:
    """A connection by its id, which must be there and, where ``live``, of use. Raises CloudnetError."""
    peering = looker.peering(identifier)
    if peering is None:
        where = f"account {looker.account}, Region {looker.region}"
        raise CloudnetError(f"peering_id: {identifier} is not there in {where}: check the id, the profile and the Region")
    if live and not peering.live:
        why = f" ({peering.message})" if peering.message else ""
        raise CloudnetError(
            f"peering_id: {identifier} is {peering.status}{why} and stays so: request a new connection, by the ids of both VPCs"
        )
    return peering


def sides(peering: Peering) -> tuple[Side, Side]:
    """Requester and accepter of a connection."""
    requester, accepter = (Side(end.vpc, end.account, end.region, (*end.cidrs, *end.ipv6_cidrs)) for end in peering.sides)
    return requester, accepter


def topology(
    params: Mapping[str, Any], looker: Looker, ends: tuple[Side, Side], *, replace_routes: bool = False, **spec: Any
) -> tuple[Topology, tuple[str, str]]:
    """The topology of one connection, and the names of its VPCs. ``spec``: fields of PeeringSpec.

    A side that is neither the task's account nor has credentials of its own is remote.
    """
    accounts = {"": AccountSpec("")}
    profile, role = params.get("accepter_profile") or "", params.get("accepter_role_arn") or ""
    requester, accepter = (replace(end, region=end.region or looker.region, account=end.account or looker.account) for end in ends)
    if profile or role:
        told = ends[1].account
        accounts[ACCEPTER] = AccountSpec(ACCEPTER, profile=profile, role_arn=role, id=told)
    vpcs = {
        requester.vpc: _vpc(requester, looker.account),
        accepter.vpc: _vpc(accepter, looker.account, ACCEPTER if ACCEPTER in accounts else ""),
    }
    # One name for the pair, whichever side the task calls the requester.
    left, right = sorted((requester.vpc, accepter.vpc))
    tags = {"Name": f"{params['topology']}-{left}-{right}", NAME_TAG: f"peerings.{left}:{right}", **spec.pop("tags", {})}
    peering = PeeringSpec(requester.vpc, accepter.vpc, tags=tags, **spec)
    made = Topology(str(params["topology"]), looker.region, accounts, vpcs=vpcs, peerings=(peering,), replace_routes=replace_routes)
    return made, (requester.vpc, accepter.vpc)


def _vpc(side: Side, mine: str, account: str = "") -> VpcSpec:
    if account or side.account == mine:
        return VpcSpec(side.vpc, account=account, region=side.region, id=side.vpc)
    return VpcSpec(side.vpc, region=side.region, remote=RemoteSpec(side.account, side.vpc, side.cidrs, side.region))


def described(peering: Peering | None) -> dict[str, Any] | None:
    """A connection as the modules return it, with both sides; None for none."""
    if peering is None:
        return None
    ends = {}
    for name, side in zip(("requester", "accepter"), peering.sides, strict=True):
        ends[name] = {
            "vpc": side.vpc,
            "account": side.account,
            "region": side.region,
            "cidrs": [*side.cidrs, *side.ipv6_cidrs],
            "dns": side.dns,
        }
    return {
        "id": peering.id,
        "status": peering.status,
        "message": peering.message,
        **ends,
        "expires": peering.expires.isoformat() if peering.expires else None,
        "tags": dict(peering.tags),
    }
