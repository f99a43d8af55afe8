# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prefix lists: a customer's own, and AWS's, whose services have one address each in this world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ....module_utils._model.network import Network, PrefixList, Route, RouteTable
from .blocks import host
from .outside import Outside

_AWS = "com.amazonaws."


class PrefixLists:
    """The lists of a network, AWS's own with the address that their service has here."""

    def __init__(self, network: Network, internet: Outside) -> None:
        self._network, self._internet = network, internet
        self._endpoints = {item.id: item for item in network.endpoints.values() if item.type == "Gateway" and item.state == "available"}
        self._found: dict[str, PrefixList | None] = {}

    def served(self, route: Route) -> bool:
        """Whether a route leads to a gateway endpoint that answers."""
        return route.via == "endpoint" and not route.blackhole and route.target in self._endpoints

    def get(self, id_: str, route: Route | None = None) -> PrefixList | None:
        """A list; ``route`` is one that has it as destination, whose endpoint tells the service of a list that nobody described."""
        if id_ in self._found and self._found[id_] is not None:
            return self._found[id_]
        found = self._network.prefix_lists.get(id_)
        if found is None and route is not None and route.target in self._endpoints:
            endpoint = self._endpoints[route.target]
            found = PrefixList(id=id_, account="AWS", region=endpoint.region, list_name=endpoint.service)
        if found is not None and found.list_name.startswith(_AWS):
            own = self._service(found)
            if own not in (found.entries or ()):
                found = replace(found, entries=(*(found.entries or ()), own))
        self._found[id_] = found
        return found

    def blocks(self, id_: str, route: Route | None = None) -> tuple[str, ...]:
        """Its CIDR blocks; none for a list that is not known."""
        found = self.get(id_, route)
        return (found.entries or ()) if found is not None else ()

    def of(self, ids: Iterable[str], tables: Iterable[RouteTable] = ()) -> dict[str, PrefixList]:
        """Those that are known, by id; ``tables`` are the route tables that may name their services."""
        routes = {route.destination: route for table in tables for route in table.routes if route.via == "endpoint"}
        return {id_: found for id_ in sorted(ids) if (found := self.get(id_, routes.get(id_))) is not None}

    def _service(self, found: PrefixList) -> str:
        """``com.amazonaws.us-east-1.s3`` to the address of ``s3.us-east-1.amazonaws.com`` as a block."""
        region, _dot, service = found.list_name.removeprefix(_AWS).partition(".")
        name = ".".join((*reversed(service.split(".")), region, "amazonaws.com"))
        return host(self._internet.service(name, 6 if found.family == "IPv6" else 4))
