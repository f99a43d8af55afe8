# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transit gateways cut out of the Network: which VPC hangs on which, in which zones, and what each table knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ....module_utils._model.network import Network, Subnet, TransitAttachment
from . import names
from .lists import PrefixLists
from .sites import Leg, Transit

_UP = ("available", "modifying")


def legs_of(network: Network) -> list[Leg]:
    """Every wire of every attachment of a VPC that carries packets."""
    found = []
    for item in _attachments(network, "vpc"):
        if item.resource not in network.vpcs:
            continue
        if item.subnets is None:
            found.append(Leg(item.gateway, item.id, item.resource, "", "", names.device("t", item.id)))
            continue
        for id_ in sorted(item.subnets):
            subnet = network.subnets.get(id_)
            if subnet is not None:
                found.append(Leg(item.gateway, item.id, item.resource, id_, zone(subnet), names.device("t", f"{item.id}@{id_}")))
    return found


def zone(subnet: Subnet) -> str:
    """The zone by its id, which is the same in all accounts, where that is known."""
    return subnet.zone_id or subnet.zone


def transits(network: Network, legs: Iterable[Leg], lists: PrefixLists) -> dict[str, Transit]:
    """The transit gateways that VPCs with answering ENIs hang on, and those that these are peered with."""
    wires: defaultdict[str, list[Leg]] = defaultdict(list)
    for leg in legs:
        wires[leg.gateway].append(leg)
    if not wires:
        return {}
    ends: defaultdict[str, set[str]] = defaultdict(set)
    associations: defaultdict[str, dict[str, str]] = defaultdict(dict)
    blocks: defaultdict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for item in _attachments(network):
        if item.table:
            associations[item.gateway][item.id] = item.table
        if item.type == "peering":
            ends[item.id].add(item.gateway)
        elif item.type == "vpc" and item.resource in network.vpcs:
            vpc = network.vpcs[item.resource]
            blocks[item.gateway][item.id] = (*vpc.cidrs, *vpc.ipv6_cidrs)
    peers: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for id_, gateways in ends.items():
        if len(gateways) == 2:
            one, other = sorted(gateways)
            peers[one][id_], peers[other][id_] = other, one
    found = {}
    for gateway in sorted(wires.keys() | peers.keys()):
        tables = tuple(sorted((item for item in network.transit_tables.values() if item.gateway == gateway), key=lambda item: item.id))
        named = {route.destination for table in tables for route in table.routes or () if "/" not in route.destination}
        found[gateway] = Transit(
            gateway,
            tuple(wires[gateway]),
            dict(sorted(peers[gateway].items())),
            dict(sorted(associations[gateway].items())),
            tables,
            dict(sorted(blocks[gateway].items())),
            lists.of(named),
        )
    return found


def _attachments(network: Network, kind: str = "") -> list[TransitAttachment]:
    """Attachments that carry packets, in order of their ids."""
    found = []
    for item in network.transit_attachments.values():
        gateway = network.transit_gateways.get(item.gateway)
        if item.state in _UP and (gateway is None or gateway.state in _UP) and kind in ("", item.type):
            found.append(item)
    return sorted(found, key=lambda item: (item.id, item.gateway))
