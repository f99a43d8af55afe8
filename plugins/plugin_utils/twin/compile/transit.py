# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transit gateways: a namespace each, in which what comes from an attachment looks into the table that the attachment is associated with.

https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ....module_utils._model.network import TransitTable
from ..state import MAIN, ROUTER, Chain, Namespace, NftSet, Route, Rule, Ruleset, Wire, WireEnd
from . import names
from .gateways import CLOSED, SILENT
from .routers import ALL, ALL_6, GATEWAY_MTU, MARKED, behind, onward
from .sites import Transit

_ARRIVALS = Chain("arrivals", ("meta mark set iifname map @marks",), "type filter hook prerouting priority -300; policy accept;")


def transit_namespace(item: Transit) -> Namespace:
    """A transit gateway's namespace.

    Its hops are not given back: tables that lead in a circle must end somewhere. Packets keep to the zone that they came from where the
    attachment that they go to has it, so there is a routing table for each table and zone:
    https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-appliance-scenario.html
    """
    devices = _devices(item)
    arrivals = {
        device: (item.associations.get(attachment, ""), zone) for attachment, zones in devices.items() for zone, device in zones.items()
    }
    one = all(len(zones) == 1 for zones in devices.values())
    keys = {device: (table, "" if one else zone) for device, (table, zone) in arrivals.items() if table}
    numbers = names.numbers("/".join(key) for key in set(keys.values()))
    tables = {table.id: table for table in item.tables}
    routes = {Route(MAIN, ALL, "blackhole"), Route(MAIN, ALL_6, "blackhole")}
    rules: set[Rule] = set()
    for id_, zone in sorted(set(keys.values())):
        number = numbers[f"{id_}/{zone}"]
        rules.update(Rule(family, MARKED, number, number) for family in (4, 6))
        if id_ in tables:
            routes.update(_routes(item, tables[id_], devices, zone, number))
        else:
            routes.update((Route(number, ALL, "blackhole"), Route(number, ALL_6, "blackhole")))
    marks = NftSet("marks", "ifname : mark", frozenset(f'"{device}" : {numbers["/".join(key)]}' for device, key in keys.items()))
    return Namespace(
        name=item.id,
        profile=ROUTER,
        routes=frozenset(routes),
        rules=frozenset(rules),
        neighbours=frozenset(
            entry for zones in devices.values() for device in zones.values() for entry in behind(device, names.ROUTER_MAC)
        ),
        ruleset=Ruleset({"marks": marks}, {chain.name: chain for chain in (_ARRIVALS, SILENT, CLOSED)}),
    )


def transit_wires(item: Transit) -> Iterator[Wire]:
    """To the gateways that it is peered with, from the one whose id comes first."""
    for attachment, other in item.peers.items():
        if item.id < other:
            name = _peer_device(attachment)
            yield Wire(WireEnd(item.id, name, names.ROUTER_MAC), WireEnd(other, name, names.ROUTER_MAC), GATEWAY_MTU)


def _peer_device(attachment: str) -> str:
    return names.device("x", attachment)


def _devices(item: Transit) -> dict[str, dict[str, str]]:
    """Attachment to its devices by zone; a peering's has none, so it is under an empty one."""
    found: dict[str, dict[str, str]] = {}
    for leg in item.legs:
        found.setdefault(leg.attachment, {})[leg.zone] = leg.device
    for attachment in item.peers:
        found[attachment] = {"": _peer_device(attachment)}
    return found


def _routes(item: Transit, table: TransitTable, devices: dict[str, dict[str, str]], zone: str, number: int) -> Iterator[Route]:
    """A static route beats a propagated one for the same block.

    https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html#tgw-route-evaluation-overview
    """
    chosen: dict[str, str] = {}
    for attachment in sorted(table.propagations or ()):
        for cidr in item.blocks.get(attachment, ()):
            chosen.setdefault(cidr, attachment)
    listed: dict[str, str] = {}
    static: dict[str, str] = {}
    for route in table.routes or ():
        attachment = route.attachment if route.state == "active" else ""
        if "/" in route.destination:
            static[route.destination] = attachment
            continue
        entries = item.prefix_lists[route.destination].entries if route.destination in item.prefix_lists else ()
        for cidr in entries or ():
            listed.setdefault(cidr, attachment)
    for destination, attachment in {**chosen, **listed, **static}.items():
        zones = devices.get(attachment)
        if not zones:
            yield Route(number, destination, "blackhole")
        else:
            yield onward(number, destination, zones[zone] if zone in zones else zones[min(zones)])
    found = chosen.keys() | listed.keys() | static.keys()
    for whole in (ALL, ALL_6):
        if whole not in found:
            yield Route(number, whole, "blackhole")
