# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot folder as a network to try packets on: every interface has an instance behind it, running or made up.

The lab's API knows nothing of it: it is a copy to look at, not an account. What a snapshot does not hold (keys, user data, roles) is not
made up; the way in is the lab's own socket.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ....module_utils._model.build import build
from ....module_utils._model.network import Instance, Interface, Network
from ....module_utils._model.snapshot import load
from ...twin.facts import Facts, HostFacts

#: Interfaces of AWS's own that the data plane knows by what they belong to: NAT gateways, endpoints, transit gateways.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html (InterfaceType)
_APART = frozenset({"nat_gateway", "natGateway", "vpc_endpoint", "gateway_load_balancer_endpoint", "transit_gateway"})


def open_snapshot(folder: str | Path) -> tuple[Network, Facts]:
    """The network of a snapshot folder, peopled. Raises SnapshotError, in one line."""
    return people(build(load(folder)))


def people(network: Network) -> tuple[Network, Facts]:
    """Give every interface that belongs to no instance one of its own, named after it; instances that were stopped run too.

    The interfaces of load balancers, databases and functions become instances as any other: packets reach them, nothing listens there.
    """
    instances = {id_: item for id_, item in network.instances.items() if item.state not in ("terminated", "shutting-down")}
    owners = _owners(network)
    interfaces = dict(network.interfaces)
    for eni in network.interfaces.values():
        if eni.type in _APART or eni.id in owners or eni.subnet not in network.subnets:
            continue
        owner = eni.instance or f"i-{eni.id.partition('-')[2]}"
        known = instances.get(owner)
        if known is None:
            instances[owner] = _instance(owner, eni)
        elif eni.id not in known.interfaces:
            instances[owner] = replace(known, interfaces=(*known.interfaces, eni.id))
        if not eni.instance:
            interfaces[eni.id] = replace(eni, instance=owner, status="in-use")
    running = {id_: item if item.state == "running" else replace(item, state="running") for id_, item in instances.items()}
    facts = Facts({id_: HostFacts(id_, key_name=item.key) for id_, item in running.items()})
    return replace(network, instances=running, interfaces=interfaces), facts


def _owners(network: Network) -> set[str]:
    """Interfaces of NAT gateways and endpoints, whatever their type is called."""
    found = {eni for nat in network.nat_gateways.values() for eni in nat.interfaces}
    return found | {eni for endpoint in network.endpoints.values() for eni in endpoint.interfaces}


def _instance(id_: str, eni: Interface) -> Instance:
    primary = eni.private_ips[0] if eni.private_ips else ""
    return Instance(
        id=id_,
        account=eni.account,
        region=eni.region,
        tags=eni.tags if eni.tags.get("Name") else {**eni.tags, "Name": eni.description[:60] or eni.id},
        vpc=eni.vpc,
        subnet=eni.subnet,
        state="running",
        private_ip=primary,
        public_ip=eni.public_ips.get(primary, ""),
        interfaces=(eni.id,),
    )
