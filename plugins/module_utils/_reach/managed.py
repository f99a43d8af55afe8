# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces that AWS's services run: what each accepts that it did not ask for, and what it starts by itself.

Types are those of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html, as the model spells them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .._model.network import Interface


class Service(NamedTuple):
    """``name``: for people. ``accepts``, ``starts``: None where AWS does not say. ``groups``: whether it always has security groups."""

    name: str
    accepts: bool | None
    starts: bool | None
    groups: bool = True


SERVICES: Mapping[str, Service] = {
    # "instances in a private subnet can connect to services outside your VPC but external services can't initiate a connection":
    # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html
    "nat_gateway": Service("a NAT gateway", accepts=False, starts=False, groups=False),
    # The attachment's interface is where packets enter and leave the gateway, and no end of any.
    # https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html#tgw-attachments-overview
    "transit_gateway": Service("a transit gateway attachment", accepts=False, starts=False, groups=False),
    # "the next hop in a route table"; security groups are not supported:
    # https://docs.aws.amazon.com/vpc/latest/privatelink/vpce-gateway-load-balancer.html
    "gateway_load_balancer_endpoint": Service("a Gateway Load Balancer endpoint", accepts=False, starts=False, groups=False),
    # Traffic reaches it through its endpoints only. https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/introduction.html
    "gateway_load_balancer": Service("a Gateway Load Balancer", accepts=None, starts=True, groups=False),
    # "Inbound network connections are blocked by AWS Lambda": https://aws.amazon.com/lambda/faqs/
    "lambda": Service("a Lambda function", accepts=False, starts=True),
    # "A service can't initiate requests to resources in your VPC through the VPC endpoint":
    # https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    "vpc_endpoint": Service("a VPC endpoint", accepts=True, starts=False),
    # "If you don't associate a security group, all client traffic reaches the listeners":
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
    "network_load_balancer": Service("a Network Load Balancer", accepts=True, starts=True, groups=False),
    "load_balancer": Service("a load balancer", accepts=True, starts=True),
    "quicksight": Service("a QuickSight connection", accepts=None, starts=True),
    "global_accelerator_managed": Service("a Global Accelerator", accepts=None, starts=True),
    "api_gateway_managed": Service("an API Gateway link", accepts=None, starts=True),
    "iot_rules_managed": Service("an IoT rule", accepts=None, starts=True),
    "aws_codestar_connections_managed": Service("a CodeStar connection", accepts=None, starts=True),
}


#: How AWS describes the interfaces that it makes itself, for snapshots that do not tell their type.
_DESCRIBED: Mapping[str, str] = {
    "Interface for NAT Gateway": "nat_gateway",
    "Network Interface for Transit Gateway Attachment": "transit_gateway",
    "VPC Endpoint Interface": "vpc_endpoint",
    "AWS Lambda VPC ENI": "lambda",
    "ELB net/": "network_load_balancer",
}


def kind_of(interface: Interface) -> str:
    """An interface's type; of one that AWS made and whose type is not told, what its description says."""
    if interface.type in SERVICES or not interface.requester_managed:
        return interface.type
    return next((kind for words, kind in _DESCRIBED.items() if interface.description.startswith(words)), interface.type)


def service(kind: str) -> Service | None:
    """What runs an interface of this type; None for one that hosts have."""
    return SERVICES.get(kind)


def groups(kind: str, told: bool, named: tuple[str, ...]) -> tuple[str, ...] | None:
    """An interface's security groups: none where AWS tells that a service's has none; None where they are not known.

    Every other interface has at least one: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
    """
    run_by = SERVICES.get(kind)
    if named:
        return named
    return () if run_by is not None and not run_by.groups and (told or kind != "network_load_balancer") else None
