# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ENIs that answer, as their routers see them, and the hosts in use that they belong to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, inet_pton

from ....module_utils._model.network import Interface, Network, Route
from ..seams import TwinError
from . import names
from .blocks import block
from .encryption import LAMBDA, Encryption
from .encryption import NAT as NAT_EXCLUSION
from .outside import Remembered
from .sites import Host, Leg, Link, Site
from .view import ENDPOINT, HOST, NAT, PARK, SERVE, TRANSIT, Port

RUNNING = ("running", "pending", "")
_NAT_TYPES = ("nat_gateway", "natGateway")
_PASSING_TYPES = ("transit_gateway", "gateway_load_balancer_endpoint")
"""Interfaces at which nothing ends: https://docs.aws.amazon.com/vpc/latest/tgw/how-transit-gateways-work.html, and
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-load-balancer-endpoints.html (an endpoint is a next hop of route tables)."""
_OPENING_TYPES = ("lambda",)
"""Interfaces of AWS's services that open connections, and to which none is opened: https://aws.amazon.com/lambda/faqs/ ("Inbound network
connections are blocked by AWS Lambda")."""

_Origin = tuple[Interface, str, str, bool, str, tuple[str, ...]]
"""What a port is made from: the ENI, its host, kind, whether it is live, what flow logs want of it, and its groups."""


@dataclass
class Cache:
    """Ports by ENI id, with their origin, and hosts, as they were made last: unchanged ones stay the same objects. And what tables took."""

    ports: dict[str, tuple[_Origin, Port]] = field(default_factory=dict)
    hosts: dict[str, Host] = field(default_factory=dict)
    outside: Remembered = field(default_factory=Remembered)


def standing(network: Network) -> frozenset[str]:
    """Hosts that routes lead through: they must be in use all the time, for one that is only answered for passes nothing on."""
    found = set()
    owners = _owners(network)
    for table in network.route_tables.values():
        for route in table.routes:
            if route.via in ("eni", "instance"):
                eni = network.interfaces.get(route_interface(network, route))
                if eni is not None and not eni.source_dest_check:
                    found.add(eni.instance or owners.get(eni.id) or eni.id)
    return frozenset(found)


def route_interface(network: Network, route: Route) -> str:
    """The ENI that a route names, or the first one of the instance that it names."""
    if route.via == "eni":
        return route.target
    instance = network.instances.get(route.target)
    return instance.interfaces[0] if instance is not None and instance.interfaces else ""


def _owners(network: Network) -> dict[str, str]:
    return {eni: instance.id for instance in network.instances.values() for eni in instance.interfaces}


def ports_of(
    network: Network, live: frozenset[str], cache: dict[str, tuple[_Origin, Port]], logs: Mapping[str, set[str]], encryption: Encryption
) -> dict[str, list[Port]]:
    """VPC id to its ports, those of transit gateways aside."""
    found: defaultdict[str, list[Port]] = defaultdict(list)
    endpoints = {eni: item for item in network.endpoints.values() for eni in item.interfaces}
    nats = {eni for item in network.nat_gateways.values() for eni in item.interfaces}
    owners = _owners(network)
    gone = cache.keys() - network.interfaces.keys()
    for id_ in gone:
        del cache[id_]
    for eni in network.interfaces.values():
        if eni.id in nats or eni.type in _NAT_TYPES or eni.type in _PASSING_TYPES:
            continue
        if eni.subnet not in network.subnets or eni.vpc not in network.vpcs:
            continue
        if eni.type in _OPENING_TYPES and not encryption.lets(eni.vpc, LAMBDA):
            continue
        endpoint = endpoints.get(eni.id)
        if endpoint is not None or eni.type == "vpc_endpoint":
            if endpoint is not None and (endpoint.state != "available" or endpoint.type == "GatewayLoadBalancer"):
                continue
            kind, host = ENDPOINT, eni.id
        else:
            kind, host = HOST, eni.instance or owners.get(eni.id, "")
            if host:
                instance = network.instances.get(host)
                if instance is not None and instance.state not in RUNNING:
                    continue
            elif eni.status == "available":
                continue  # attached to nothing, so nobody answers
            else:
                host = eni.id
        own = kind == HOST and host in live
        wanted = _logged(logs, eni.id, eni.subnet, eni.vpc) if logs else ""
        groups = eni.groups or (endpoint.groups if endpoint is not None else ())
        known, origin = cache.get(eni.id), (eni, host, kind, own, wanted, groups)
        if known is not None and known[0][0] is eni and known[0] == origin:
            port = known[1]
        else:
            port = _port(eni, host, kind, own, wanted, groups)
            cache[eni.id] = (origin, port)
        found[eni.vpc].append(port)
    for nat in network.nat_gateways.values():
        if nat.state != "available" or nat.vpc not in network.vpcs or nat.subnet not in network.subnets:
            continue
        if not encryption.lets(nat.vpc, NAT_EXCLUSION):
            continue
        id_ = nat.interfaces[0] if nat.interfaces else nat.id
        known_eni = network.interfaces.get(id_)
        addresses = nat.private_ips or (known_eni.private_ips if known_eni else ())
        if not addresses:
            continue
        _check(nat.id, (*addresses, *nat.public_ips))
        found[nat.vpc].append(
            Port(
                id=id_,
                host=nat.id,
                subnet=nat.subnet,
                kind=NAT,
                device=names.device("n", nat.id),
                addresses=addresses,
                check=False,
                logged=_logged(logs, id_, nat.subnet, nat.vpc),
            )
        )
    return found


def _check(owner: str, addresses: Iterable[str], prefixes: Iterable[str] = ()) -> None:
    """Raises TwinError for a text that is no address: nftables would take it for a host's name, and ask a resolver for it."""
    text = ""
    try:
        for text in addresses:
            inet_pton(AF_INET6 if ":" in text else AF_INET, text)
        for text in prefixes:
            block(text)
    except (OSError, ValueError):
        raise TwinError(f"{owner} has {text!r}, which is no address") from None


def _port(eni: Interface, host: str, kind: str, own: bool, logged: str, groups: tuple[str, ...]) -> Port:
    """An ENI with a device of its own, or behind a shared one.

    A load balancer that was made without groups lets everything through:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html. An endpoint opens nothing:
    https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html (VPCE_INTRA_VPC_TRAFFIC). All of a delegated prefix is the
    ENI's own: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html
    """
    prefixes = (*eni.ipv4_prefixes, *eni.ipv6_prefixes)
    _check(eni.id, (*eni.private_ips, *eni.ipv6s, *eni.public_ips.values()), prefixes)
    return Port(
        id=eni.id,
        host=host,
        subnet=eni.subnet,
        kind=kind,
        device=names.device("e", eni.id) if own else SERVE if kind == ENDPOINT else PARK,
        live=own,
        addresses=eni.private_ips,
        ipv6s=eni.ipv6s,
        groups=groups,
        check=eni.source_dest_check,
        logged=logged,
        prefixes=prefixes,
        filtered=bool(groups) or not eni.groups_told,
        opens=kind != ENDPOINT,
        accepts=eni.type not in _OPENING_TYPES,
    )


def transit_port(leg: Leg, eni: str, logs: Mapping[str, set[str]]) -> Port:
    """An attachment's ENI in a subnet. It answers nobody, so it has no address; only its subnet's table and ACL count."""
    id_ = eni or f"{leg.attachment}@{leg.subnet}"
    logged = _logged(logs, id_, leg.subnet, leg.vpc)
    return Port(id=id_, host=leg.attachment, subnet=leg.subnet, kind=TRANSIT, device=leg.device, check=False, logged=logged)


def logs_of(network: Network) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for log in network.flow_logs.values():
        if log.status == "ACTIVE":
            found[log.resource].add(log.traffic)
    return dict(found)


def _logged(logs: Mapping[str, set[str]], *resources: str) -> str:
    wanted: set[str] = set()
    for resource in resources:
        wanted |= logs.get(resource, set())
    return "ALL" if len(wanted) > 1 else "".join(wanted)


def hosts_of(network: Network, sites: Mapping[str, Site], cache: Cache) -> dict[str, Host]:
    links: defaultdict[str, list[Link]] = defaultdict(list)
    for vpc, site in sites.items():
        subnets, numbers = network.subnets, site.view.numbers
        for port in site.view.ports:
            if port.live:
                former = cache.hosts.get(port.host)
                link = former.links[0] if former is not None else None
                if link is None or link.port is not port or link.subnet is not subnets[port.subnet] or link.number != numbers[port.subnet]:
                    link = Link(vpc, port, subnets[port.subnet], numbers[port.subnet])
                links[port.host].append(link)
    found = {}
    for id_ in sorted(links):
        owned, former = links[id_], cache.hosts.get(id_)
        if former is not None and len(owned) == len(former.links) == 1 and owned[0] is former.links[0]:
            found[id_] = former
            continue
        instance = network.instances.get(id_)
        places = {eni: place for place, eni in enumerate(instance.interfaces)} if instance is not None else {}
        owned.sort(key=lambda link: (places.get(link.port.id, len(places)), link.port.id))
        found[id_] = Host(id_, tuple(owned), any(not link.port.check for link in owned))
    cache.hosts = found
    return found
