# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of resource that the engine owns, in an order in which each needs only those before it.

A literal tuple of imports: AnsiballZ ships only what is imported by name.
"""

from __future__ import annotations

from .acl import AclAssociationKind, AclKind
from .base import Kind
from .cidr import CidrKind
from .endpoint import EndpointKind
from .flow_log import FlowLogKind
from .gateways import AddressKind, EgressOnlyGatewayKind, InternetGatewayKind, NatGatewayKind
from .group import GroupKind
from .peering import AcceptanceKind, OptionsKind, PeeringKind
from .prefix_list import PrefixListKind
from .route import RouteKind
from .rule import RuleKind
from .subnet import SubnetKind
from .table import AssociationKind, TableKind
from .vpc import VpcKind

KINDS: tuple[Kind, ...] = (
    VpcKind(),
    CidrKind(),
    SubnetKind(),
    InternetGatewayKind(),
    EgressOnlyGatewayKind(),
    AddressKind(),
    NatGatewayKind(),
    TableKind(),
    AssociationKind(),
    PrefixListKind(),
    GroupKind(),
    AclKind(),
    AclAssociationKind(),
    EndpointKind(),
    FlowLogKind(),
    PeeringKind(),
    AcceptanceKind(),
    OptionsKind(),
    RouteKind(),
    RuleKind(),
)
