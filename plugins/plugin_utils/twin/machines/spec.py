# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance is to be as a machine: name, addresses and user, from the network and the lab's facts."""

from __future__ import annotations

from ipaddress import ip_network

from ....module_utils._model import grammar
from ....module_utils._model.network import Instance
from ..facts import Dhcp, HostFacts
from ..places import RESOLVERS
from ..seams import Machine, Plane, TwinError


def region_domain(region: str) -> str:
    """The domain of private names: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def machine_of(instance: Instance, plane: Plane) -> Machine:
    """The machine of a running instance. Raises TwinError for one that cannot stand in the files that a boot writes."""
    facts = plane.facts.hosts.get(instance.id) or HostFacts(instance.id)
    vpc = plane.network.vpcs.get(instance.vpc)
    # The resolver is the base of the VPC's primary block, plus two; see AmazonProvidedDNS on the page above.
    provided = str(ip_network(vpc.cidrs[0])[2]) if vpc and vpc.cidrs else RESOLVERS[0]
    # https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html; without options an instance is told of no server.
    dhcp = facts.dhcp or Dhcp()
    amazon = "AmazonProvidedDNS" in dhcp.servers
    hostname = facts.hostname.partition(".")[0] or f"ip-{instance.private_ip.replace('.', '-').replace(':', '-')}"
    resolvers = tuple(provided if server == "AmazonProvidedDNS" else server for server in dhcp.servers)
    search = dhcp.domain or (region_domain(instance.region) if amazon else "")
    for what, text, holds in (
        ("id", instance.id, grammar.is_id(instance.id)),
        ("address", instance.private_ip, not instance.private_ip or grammar.is_address(instance.private_ip)),
        ("Region", instance.region, bool(grammar.WORD.fullmatch(instance.region))),
        ("user", facts.user, bool(grammar.USER.fullmatch(facts.user))),
        ("host name", hostname, bool(grammar.WORD.fullmatch(hostname))),
        ("domain", search, grammar.is_line(search)),
        *(("name server", server, grammar.is_address(server)) for server in resolvers),
        *(("public key", key, grammar.is_line(key)) for key in facts.authorized),
    ):
        if not holds:
            raise TwinError(f"{grammar.line(instance.id)} does not boot: {text!r} is no {what}")
    return Machine(
        id=instance.id,
        hostname=hostname,
        address=instance.private_ip,
        user=facts.user,
        resolvers=resolvers,
        search=search,
        boots=facts.boots,
        user_data=facts.user_data,
        authorized=facts.authorized,
    )
