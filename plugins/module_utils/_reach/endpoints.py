# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a question: what a notation means, and what the network knows of it.

Notations: ``i-…``, ``eni-…``, ``vpce-…``, an address (``10.0.1.5``; ``10.0.1.5@vpc-…`` where several VPCs have it), ``internet``, and
``subnet-…+sg-…,sg-…`` for something that is not launched yet. Ids that a plan made (``planned:…``) stand in the place of AWS's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .._model.network import Endpoint, Interface, NatGateway, Subnet
from ..errors import CloudnetError
from . import managed
from .blocks import HOST_SERVICES, RESERVED, any_holds, candidates, plainest, private
from .holders import all_read, holder, kept, resolver
from .index import Index


class AmbiguousEnd(CloudnetError):
    """An address that several VPCs have, where the other end does not tell them apart."""


@dataclass(frozen=True)
class End:
    """One end, resolved. ``kind``: host (in a VPC), internet, service (a gateway endpoint) or outside (an address nobody here has).

    ``ipv4``, ``ipv6``: its private addresses, empty where it has none. ``public``: its public IPv4 address. ``groups`` is None when they
    are not known. ``standin``: the address stands for one that is not given out yet, or for a block. ``state``: of its instance,
    endpoint or interface, when that does not run; ``unsettled``: when it is about to change. ``service``: the type of an interface that
    a service of AWS runs. ``nobody``: why no host can have the address. ``resolver``: it is the VPC's resolver. ``behind``: the
    gateway, neither of the internet nor a peering, to which a VPC's tables send an address outside. ``beside``: an address that is answered
    beside the host which asks, like the instance metadata's.
    """

    kind: str
    text: str
    vpc: str = ""
    subnet: str = ""
    interface: str = ""
    instance: str = ""
    ipv4: str = ""
    ipv6: str = ""
    public: str = ""
    groups: tuple[str, ...] | None = None
    standin: bool = False
    state: str = ""
    endpoint: str = ""
    by_public: bool = False
    unsettled: str = ""
    service: str = ""
    nobody: str = ""
    resolver: bool = False
    behind: str = ""
    beside: bool = False

    def address(self, family: int) -> str:
        """The address that it has in its own network."""
        return self.ipv4 if family == 4 else self.ipv6

    @property
    def families(self) -> tuple[int, ...]:
        """Those that it has an address of."""
        return tuple(family for family in (4, 6) if self.address(family))


def resolve(index: Index, text: str, near: End | None = None, *, anybody: bool = False) -> End:
    """What a notation means. ``near``: the other end, which tells VPCs with equal blocks apart.

    ``anybody``: an address stands for all of a block, so that it does not matter whether somebody has it.
    Raises CloudnetError, one line, for what is not there, not a notation, or could be several things (AmbiguousEnd).
    """
    asked = text.strip()
    network = index.network
    if asked == "internet":
        return End("internet", asked, ipv4=index.some_public[4], ipv6=index.some_public[6], groups=())
    if "+" in asked or asked in network.subnets:
        return _launchable(index, asked)
    if asked in network.instances or asked.startswith("i-"):
        return _instance(index, asked)
    if asked in network.interfaces:
        return of_interface(index, network.interfaces[asked], asked)
    if asked in network.endpoints:
        return _endpoint(index, network.endpoints[asked], near)
    if asked.startswith(("eni-", "vpce-", "subnet-")):
        raise CloudnetError(f"{asked} is not in what was observed: is it of another account or Region, or gone?")
    address, _mark, vpc = asked.partition("@")
    try:
        found = str(ipaddress.ip_address(address))
    except ValueError:
        raise CloudnetError(
            f"'{asked}' is no end of a path: write i-…, eni-…, vpce-…, an address, internet, or subnet-…+sg-…,sg-…"
        ) from None
    if vpc and vpc not in index.all_vpcs:
        raise CloudnetError(f"{asked}: {vpc} is not in what was observed")
    end = _address(index, asked, found, vpc, near)
    if not anybody:
        return end
    # Rules name a NAT gateway's address for what comes through it, which the gateway did not start.
    return replace(end, nobody="", service="" if end.service == "nat_gateway" else end.service)


def some_address(index: Index, cidr: str) -> str:
    """The address that stands for a block: that of which the network says least in particular, a public one if it has any."""
    hosts = candidates(cidr)
    return plainest(index.named_blocks, [item for item in hosts if _public(item)] or hosts)


def of_block(index: Index, cidr: str, near: End | None = None) -> End:
    """Something of a block that a rule names. ``near``: as in resolve; a block of several VPCs raises CloudnetError without it."""
    address = some_address(index, cidr)
    ipv4, ipv6 = ("", address) if ":" in address else (address, "")
    if _public(address) and not any(index.vpc_holds(vpc, address) for vpc in index.all_vpcs):
        # Not an interface that has it as its public address: what a rule lets in comes from outside, by way of a gateway.
        return End("internet", cidr, ipv4=ipv4, ipv6=ipv6, groups=(), standin=True)
    return replace(resolve(index, address, near, anybody=True), text=cidr, standin=True)


def _public(address: str) -> bool:
    return not private(address) and not any_holds((*RESERVED, *HOST_SERVICES), address)


def of_interface(index: Index, interface: Interface, text: str, address: str = "") -> End:
    """An ENI. ``address``: the one of its addresses that is meant, else its first ones."""
    ipv4 = address if address and ":" not in address else next(iter(interface.private_ips), "")
    ipv6 = address if ":" in address else next(iter(interface.ipv6s), "")
    instance = index.network.instances.get(interface.instance)
    kind = "nat_gateway" if interface.id in index.nat_of else managed.kind_of(interface)
    endpoint = index.network.endpoints.get(index.endpoint_of.get(interface.id, ""))
    state = (down(instance.state) if instance else "") or (unusable(endpoint.state) if endpoint else "")
    return End(
        "host",
        text,
        vpc=interface.vpc,
        subnet=interface.subnet,
        interface=interface.id,
        instance=interface.instance,
        ipv4="" if ":" in address else ipv4,
        ipv6="" if address and ":" not in address else ipv6,
        public=interface.public_ips.get(ipv4, ""),
        groups=managed.groups(kind, interface.groups_told, interface.groups),
        state=state or ("available" if interface.status == "available" else ""),
        unsettled=interface.status if interface.status in ("attaching", "detaching") else "",
        service=kind if managed.service(kind) else "",
        endpoint=endpoint.id if endpoint else "",
    )


def unusable(state: str) -> str:
    """An interface endpoint's state when it takes nothing, else ''. It does only once it is available, not while it is made (pending).

    https://docs.aws.amazon.com/vpc/latest/privatelink/concepts.html (endpoint states)
    """
    return state if state != "available" else ""


def down(state: str) -> str:
    """An instance's state when it neither runs nor is about to, else ''.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
    """
    return state if state not in ("", "running", "pending") else ""


def launchable(index: Index, subnet: Subnet, groups: Sequence[str], text: str = "", address: str = "") -> End:
    """Something that could be launched in a subnet with groups; ``address`` where it is decided already."""
    known = index.named_blocks
    ipv4 = address or (plainest(known, candidates(subnet.cidr)) if subnet.cidr else "")
    return End(
        "host",
        text or f"{subnet.id}+{','.join(groups)}",
        vpc=subnet.vpc,
        subnet=subnet.id,
        ipv4=ipv4,
        ipv6=plainest(known, candidates(subnet.ipv6_cidr)) if subnet.ipv6_cidr else "",
        public=index.some_public[4] if subnet.map_public_ip else "",
        groups=tuple(groups),
        standin=not address,
    )


def _launchable(index: Index, text: str) -> End:
    subnet, _mark, names = text.partition("+")
    found = index.network.subnets.get(subnet)
    if found is None:
        raise CloudnetError(f"{text}: subnet {subnet} is not in what was observed")
    groups = [name.strip() for name in names.split(",") if name.strip()]
    if not groups:
        raise CloudnetError(f"{text} needs its security groups: {subnet}+sg-…")
    for group in groups:
        there = index.network.security_groups.get(group)
        if there is None:
            raise CloudnetError(f"{text}: security group {group} is not in what was observed")
        if found.vpc not in (there.vpc, *there.associated_vpcs):
            raise CloudnetError(f"{text}: {group} is a group of {there.vpc}, and {subnet} is in {found.vpc}")
    return launchable(index, found, groups, text)


def _instance(index: Index, text: str) -> End:
    instance = index.network.instances.get(text)
    if instance is None:
        raise CloudnetError(f"{text} is not in what was observed: is it of another account or Region, or gone?")
    first = [index.network.interfaces[id_] for id_ in instance.interfaces if id_ in index.network.interfaces]
    attached = first or [item for item in index.network.interfaces.values() if item.instance == text]
    # The primary interface has the instance's own address.
    chosen = next((item for item in attached if instance.private_ip in item.private_ips), attached[0] if attached else None)
    state = down(instance.state)
    if chosen is None:
        if not instance.subnet:
            return End("host", text, vpc=instance.vpc, instance=text, state=state or "without a network interface")
        return End("host", text, instance.vpc, instance.subnet, "", text, instance.private_ip, public=instance.public_ip, state=state)
    found = of_interface(index, chosen, text)
    # Where only instances were read, they tell less of their interfaces than these would themselves.
    vpc, subnet = found.vpc or instance.vpc, found.subnet or instance.subnet
    return replace(
        found,
        vpc=vpc,
        subnet=subnet,
        ipv4=found.ipv4 or instance.private_ip,
        public=found.public or instance.public_ip,
        state=state or found.state,
    )


def _endpoint(index: Index, endpoint: Endpoint, near: End | None) -> End:
    network = index.network
    if endpoint.type == "Gateway":
        names = {item.list_name: item for item in network.prefix_lists.values() if item.region == endpoint.region}
        known = names.get(endpoint.service)
        blocks = [cidr for cidr in (known.entries or () if known else ()) if ":" not in cidr]
        address = plainest(index.named_blocks, candidates(blocks[0])) if blocks else ""
        return End("service", endpoint.id, vpc=endpoint.vpc, ipv4=address or index.some_public[4], groups=(), endpoint=endpoint.id)
    zone = network.subnets[near.subnet].zone if near and near.subnet in network.subnets else ""
    state = unusable(endpoint.state)

    def distance(subnet: str) -> tuple[bool, str]:
        there = network.subnets.get(subnet)
        return (there is None or there.zone != zone, subnet)

    interfaces = sorted(
        (network.interfaces[id_] for id_ in endpoint.interfaces if id_ in network.interfaces), key=lambda item: distance(item.subnet)
    )
    if interfaces:
        return replace(of_interface(index, interfaces[0], endpoint.id), endpoint=endpoint.id)
    subnets = sorted((id_ for id_ in endpoint.subnets if id_ in network.subnets), key=distance)
    if not subnets:
        raise CloudnetError(f"{endpoint.id}: neither its interfaces nor its subnets are in what was observed")
    service = "gateway_load_balancer_endpoint" if endpoint.type == "GatewayLoadBalancer" else "vpc_endpoint"
    found = launchable(index, network.subnets[subnets[0]], endpoint.groups, endpoint.id)
    return replace(found, endpoint=endpoint.id, state=state, service=service)


def _address(index: Index, text: str, address: str, vpc: str, near: End | None) -> End:
    if not vpc and (owner := _by_public(index, text, address)) is not None:
        return owner
    ipv4, ipv6 = ("", address) if ":" in address else (address, "")
    vpcs = [vpc] if vpc else [item for item in index.all_vpcs if index.vpc_holds(item, address)]
    chosen = _nearest(index, text, address, vpcs, near) if len(vpcs) > 1 else (vpcs[0] if vpcs else "")
    if not chosen:
        beside = any_holds(HOST_SERVICES, address)
        if vpcs or private(address):
            return End("outside", text, ipv4=ipv4, ipv6=ipv6, groups=None, beside=beside)
        return End("internet", text, ipv4=ipv4, ipv6=ipv6, groups=(), beside=beside)
    held = holder(index, chosen, address)
    if held is not None:
        return of_interface(index, held, text, address)
    subnet = index.subnet_at(chosen, address)
    end = End("host", text, vpc=chosen, subnet=subnet.id if subnet else "", ipv4=ipv4, ipv6=ipv6, groups=None)
    nat = next((item for item in index.nats_of.get(chosen, ()) if address in item.private_ips), None)
    if nat is not None:
        return replace(end, groups=(), service="nat_gateway")
    if address in resolver(index, chosen):
        return replace(end, groups=(), resolver=True)
    if subnet is None:
        return end
    name = subnet.tags.get("Name") or subnet.id
    if use := kept(subnet, address):
        return replace(end, nobody=f"{address} is one of the five addresses of {name} that AWS keeps ({use})")
    return replace(end, nobody=f"no network interface has {address}") if all_read(index, chosen) else end


def _by_public(index: Index, text: str, address: str) -> End | None:
    """The ENI behind a public address, asked for by that address: then the packet must come through the internet gateway."""
    found = index.by_public.get(address)
    if found is not None:
        return replace(of_interface(index, index.network.interfaces[found[0]], text, found[1]), public=address, by_public=True)
    nat = index.nat_of.get(address)
    if nat is not None:
        private_ip = next(iter(nat.private_ips), "")
        end = End("host", text, vpc=nat.vpc, subnet=nat.subnet, ipv4=private_ip, public=address, groups=(), service="nat_gateway")
        return replace(end, by_public=True)
    free = next((item for item in index.network.addresses.values() if item.public_ip == address and not item.association), None)
    if free is not None and not free.interface and not free.instance:
        return End("internet", text, ipv4=address, groups=(), nobody=f"{address} ({free.id}) is associated with nothing")
    return None


def _nearest(index: Index, text: str, address: str, vpcs: list[str], near: End | None) -> str:
    """Of VPCs with the same block: the other end's own, that which it is sent to, the only one with such an ENI, the only peer.

    Empty where the other end's routes lead to none of them, whichever is meant.
    """
    from .routing import leads_to

    routed: str | None = ""
    if near is not None and near.vpc:
        if near.vpc in vpcs:
            return near.vpc
        routed = leads_to(index, near.subnet, address)
        if routed in vpcs:
            return routed
        peers = [vpc for vpc in vpcs if index.peering(near.vpc, vpc)]
        if len(peers) == 1:
            return peers[0]
    used = [vpc for vpc in vpcs if holder(index, vpc, address)]
    if len(used) == 1:
        return used[0]
    if near is not None and near.vpc and routed is None:
        return ""
    raise AmbiguousEnd(f"{text} could be in {' or '.join(sorted(vpcs))}: write {address}@vpc-…")


def nat_address(index: Index, nat: NatGateway) -> str:
    """A NAT gateway's private address; for one that is only planned, one that it could have."""
    if nat.private_ips:
        return nat.private_ips[0]
    subnet = index.network.subnets.get(nat.subnet)
    return plainest(index.named_blocks, candidates(subnet.cidr)) if subnet else ""
