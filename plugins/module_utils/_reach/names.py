# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the destination's public DNS name gives its private address to the source.

https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-dns.html
"""

from __future__ import annotations

from . import explain
from .endpoints import End
from .index import Index


def private_name(index: Index, source: End, destination: End) -> tuple[bool | None, str]:
    """(whether it does, why). None where there is no such name, or it cannot be said."""
    network = index.network
    if source.kind != "host" or destination.kind != "host" or not destination.public:
        return None, ""
    here, there = network.vpcs.get(source.vpc), network.vpcs.get(destination.vpc)
    if here is None or there is None:
        return None, "one of the two VPCs was not observed"
    for vpc in (here, there):
        name = explain.vpc_name(network, vpc.id)
        for attribute, value in (("DNS resolution", vpc.dns_support), ("DNS hostnames", vpc.dns_hostnames)):
            if value is None:
                return None, f"whether {name} has {attribute} on was not observed (VpcAttributes.json)"
            if not value:
                return False, f"{attribute} is off in {name}"
    if here.id == there.id:
        return True, "both are in one VPC"
    peering = index.peering(here.id, there.id)
    if peering is None or peering.status != "active":
        return False, "no active peering connection joins the two VPCs"
    # The option of the side whose names are asked for decides.
    allowed = peering.side(there.id).dns
    name = explain.vpc_name(network, there.id)
    if allowed is None:
        return None, f"the DNS option of {name}'s side of {peering.id} is not known"
    return allowed, f"{name}'s side of {peering.id} has DNS resolution from the other VPC {'on' if allowed else 'off'} (peerings: dns)"
