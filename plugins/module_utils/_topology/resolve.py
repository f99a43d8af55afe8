# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a topology leaves to what is there: whose VPC stands behind a peering connection, where it is, and the blocks that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .._model.network import Network, Peering, PeeringSide
from .observed import Observed
from .types import PeeringSpec, RemoteSpec, Topology, VpcSpec


def resolved(topology: Topology, network: Network, identities: Mapping[str, str]) -> Topology:
    """The topology with its remote VPCs filled in by their connections; the same object where there is nothing to fill in.

    ``identities``: account name to its 12-digit id. What is declared stays as it is declared: the preflight compares.
    """
    seen = Observed(topology, network, identities)
    found: dict[str, VpcSpec] = {}
    for pair in topology.peerings:
        for name in (pair.requester, pair.accepter):
            spec = found.get(name, topology.vpcs[name])
            if spec.remote is None or not _open(spec.remote):
                continue
            side = remote_side(seen, pair, name)
            if side is not None:
                remote = _filled(spec.remote, side)
                found[name] = replace(spec, remote=remote, region=remote.region)
    return replace(topology, vpcs={**topology.vpcs, **found}) if found else topology


def connection(seen: Observed, pair: PeeringSpec) -> Peering | None:
    """The connection of a pair: the one that is named by its id, else the live one between its VPCs."""
    return seen.network.peerings.get(pair.id) if pair.id else seen.live(pair)


def remote_side(seen: Observed, pair: PeeringSpec, name: str) -> PeeringSide | None:
    """What the connection of a pair tells of its remote VPC; None without one, or where it does not join our VPC of the pair."""
    there = connection(seen, pair)
    ours = seen.vpc_id(pair.accepter if name == pair.requester else pair.requester)
    return there.other(ours) if there is not None and ours in there.pair else None


def _open(remote: RemoteSpec) -> bool:
    return not (remote.owner and remote.id and remote.region and remote.cidrs)


def _filled(remote: RemoteSpec, side: PeeringSide) -> RemoteSpec:
    return RemoteSpec(
        remote.owner or side.account, remote.id or side.vpc, remote.cidrs or (*side.cidrs, *side.ipv6_cidrs), remote.region or side.region
    )
