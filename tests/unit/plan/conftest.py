# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies from text, and the networks that they lead to, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import yaml
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network, Peering, Route
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.actions import Action, Plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology

ACCOUNTS = {"": "111111111111", "one": "111111111111", "two": "222222222222"}

TWO = """
name: two
region: us-east-1
vpcs:
  a: {cidr: 10.0.0.0/16, subnets: {s: {cidr: 10.0.1.0/24, az: a}}, security_groups: {web: {}}}
  b: {cidr: 172.16.0.0/16, subnets: {s: {cidr: 172.16.1.0/24, az: a}}, security_groups: {db: {}}}
peerings:
  - {between: [a, b]}
allow:
  - {from: a.web, to: b.db, tcp: 443}
"""


@dataclass
class World:
    """A topology, and a network that may be changed before it is planned on."""

    topology: Topology
    network: Network = field(default_factory=Network)

    def plan(self, **options: Any) -> Plan:
        return plan(self.topology, self.network, ACCOUNTS, **options)

    def apply(self, **options: Any) -> World:
        return World(self.topology, simulate(self.network, self.plan(**options)))

    def under(self, text: str) -> World:
        """The same network, wanted otherwise."""
        return World(load(yaml.safe_load(text)), self.network)

    def with_(self, collection: str, *items: Any) -> World:
        there = {**getattr(self.network, collection), **{item.id: item for item in items}}
        return World(self.topology, replace(self.network, **{collection: there}))

    def without(self, collection: str, *ids: str) -> World:
        there = {key: item for key, item in getattr(self.network, collection).items() if key not in ids}
        return World(self.topology, replace(self.network, **{collection: there}))

    @property
    def peering(self) -> Peering:
        (only,) = self.network.peerings.values()
        return only

    def with_route(self, table: str, route: Route) -> World:
        there = next(item for item in self.network.route_tables.values() if item.id.endswith(table))
        routes = tuple(item for item in there.routes if item.destination != route.destination)
        return self.with_("route_tables", replace(there, routes=(*routes, route)))


@pytest.fixture
def world() -> Callable[[str], World]:
    """A topology on an empty account."""
    return lambda text: World(load(yaml.safe_load(text)))


@pytest.fixture
def built(world: Callable[[str], World]) -> World:
    """Two peered VPCs of one account, as they are once everything is done."""
    return world(TWO).apply()


def ops(found: Plan | list[Action]) -> list[str]:
    """``create route vpcs.a...`` for each action."""
    return [f"{action.op} {action.kind} {action.name}" for action in found]
