# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run hands on: ids by name, as roles and people need them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._model.network import PLANNED, Network
from ._topology.types import Topology


def outputs(topology: Topology, network: Network, ids: Mapping[str, str], accounts: Mapping[str, str]) -> dict[str, Any]:
    """``vpcs`` and ``peerings`` by name. An id of what is only planned, or gone, is None."""
    real = {name: identifier for name, identifier in ids.items() if PLANNED not in identifier}
    return {
        "vpcs": {name: _vpc(topology, name, network, ids, real, accounts) for name in topology.vpcs},
        "peerings": {
            spec.name: _peering(network, real.get(f"peerings.{spec.name}"), spec.requester, spec.accepter) for spec in topology.peerings
        },
    }


def _vpc(
    topology: Topology, name: str, network: Network, ids: Mapping[str, str], real: Mapping[str, str], accounts: Mapping[str, str]
) -> dict[str, Any]:
    spec = topology.vpcs[name]
    base = f"vpcs.{name}"
    there = network.vpcs.get(ids.get(base, ""))
    if spec.remote:
        return {"id": spec.remote.id, "account": spec.remote.owner, "region": spec.remote.region, "cidrs": list(spec.remote.cidrs)}
    result: dict[str, Any] = {
        "id": real.get(base),
        "account": accounts[spec.account],
        "region": spec.region,
        "cidrs": [*there.cidrs, *there.ipv6_cidrs] if there and real.get(base) else list(spec.cidrs),
    }
    for key in ("subnets", "route_tables", "security_groups", "endpoints"):
        result[key] = {item: real.get(f"{base}.{key}.{item}") for item in getattr(spec, key)}
    return result


def _peering(network: Network, identifier: str | None, requester: str, accepter: str) -> dict[str, Any]:
    there = network.peerings.get(identifier or "")
    return {"id": identifier, "status": there.status if there else None, "requester": requester, "accepter": accepter}
