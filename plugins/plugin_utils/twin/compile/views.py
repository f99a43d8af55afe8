# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Network cut into what is compiled apart: a View for each VPC in which something answers, its gateways, and the hosts in use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from ....module_utils._model.network import Network, NetworkAcl, RouteTable, Rule, Vpc
from . import names
from .encryption import EGRESS_ONLY, INTERNET, Encryption
from .exposure import BIDIRECTIONAL, OFF, Exposure
from .lists import PrefixLists
from .outside import outside
from .ports import Cache, hosts_of, logs_of, ports_of, transit_port
from .sites import Leg, Nat, Outlet, Site, Views
from .spans import legs_of, transits
from .view import NAT, TRANSIT, Crossing, Port, View

_MTU, _MTU_BETWEEN_REGIONS = 9001, 8500


def cut(network: Network, live: frozenset[str], cache: Cache) -> Views:
    """The views of a network. ``live``: hosts in use. ``cache`` is read and written."""
    logs = logs_of(network)
    encryption = Encryption(network)
    ports = ports_of(network, live, cache.ports, logs, encryption)
    # An attachment alone answers nobody: a VPC with nothing else has no router.
    legs = [leg for leg in legs_of(network) if leg.vpc in ports and encryption.lets_transit(leg.vpc, leg.gateway)]
    enis = {item.subnet: item.id for item in network.interfaces.values() if item.type == "transit_gateway"} if legs else {}
    for leg in legs:
        if leg.subnet:
            ports[leg.vpc].append(transit_port(leg, enis.get(leg.subnet, ""), logs))
    around = outside(network, cache.outside)
    ordered = {vpc: sorted(found, key=lambda port: port.id) for vpc, found in ports.items()}
    cutter = _Cutter(network, PrefixLists(network, around), encryption, ordered, legs)
    sites = {vpc: cutter.site(network.vpcs[vpc]) for vpc in sorted(cutter.ports)}
    return Views(
        sites=sites,
        hosts=hosts_of(network, sites, cache),
        transits=transits(network, [leg for site in sites.values() for leg in site.legs], cutter.lists),
        outlets=tuple(_outlets(sites)),
        around=around,
    )


class _Cutter:
    """What is looked up for every VPC, made once."""

    def __init__(
        self, network: Network, lists: PrefixLists, encryption: Encryption, ports: Mapping[str, list[Port]], legs: Iterable[Leg]
    ) -> None:
        self.network, self.lists, self.ports = network, lists, ports
        self.encryption, self.exposure = encryption, Exposure(network)
        self.legs: defaultdict[str, list[Leg]] = defaultdict(list)
        for leg in legs:
            self.legs[leg.vpc].append(leg)
        self.carriers = {vpc: _carriers(found) for vpc, found in ports.items()}
        self.rules = {vpc: self._rules(found) for vpc, found in self.carriers.items()}
        self.wanted = {
            vpc: frozenset(rule.source_group for rules in found.values() for rule in rules if rule.source_group)
            for vpc, found in self.rules.items()
        }
        self.attached: defaultdict[str, set[str]] = defaultdict(set)
        for vpc, found_legs in self.legs.items():
            for leg in found_legs:
                self.attached[leg.gateway].add(vpc)
        lets = encryption.lets
        self.internet = {item.vpc: item.id for item in network.internet_gateways.values() if item.vpc and lets(item.vpc, INTERNET)}
        self.egress_only = {item.vpc: item.id for item in network.egress_only_gateways.values() if item.vpc and lets(item.vpc, EGRESS_ONLY)}

    def _rules(self, carriers: Mapping[str, list[str]]) -> dict[str, tuple[Rule, ...]]:
        rules = self.network.rules_of
        return {group: rules.get(group, ()) for group in sorted(carriers)}

    def _members(self, vpc: str, other: str) -> dict[str, frozenset[str]]:
        """Groups that rules of a VPC name and that ENIs of another (or the same) carry, to those ENIs' addresses."""
        if not self.wanted[vpc]:
            return {}
        carriers = self.carriers[other]
        return {group: frozenset(carriers[group]) for group in sorted(self.wanted[vpc] & carriers.keys())}

    def site(self, vpc: Vpc) -> Site:
        """A VPC's view, and what hangs on its router."""
        network, ports, legs = self.network, self.ports[vpc.id], self.legs.get(vpc.id, [])
        used = {port.subnet for port in ports}
        subnets = tuple(sorted((network.subnets[id_] for id_ in used), key=lambda item: item.id))
        numbers = names.numbers(item.id for item in network.subnets_of[vpc.id])
        tables = {id_: table for id_ in sorted(used) if (table := network.table_of(id_)) is not None}
        rules = self.rules[vpc.id]
        gateway, egress = self.internet.get(vpc.id, ""), self.egress_only.get(vpc.id, "")
        gateways: dict[str, str] = {leg.device: "transit" for leg in legs}
        if gateway:
            gateways["igw"] = "internet"
        if egress:
            gateways["eigw"] = "egress_only"
        services = self._services(tables.values())
        if services:
            gateways["services"] = "services"
        crossings = tuple(self._crossings(vpc))
        view = View(
            vpc=vpc,
            subnets=subnets,
            numbers={id_: numbers[id_] for id_ in sorted(used)},
            tables=tables,
            acls=self._acls(vpc.id, used),
            ports=tuple(ports),
            crossings=crossings,
            rules=rules,
            members=self._members(vpc.id, vpc.id),
            transit={leg.device: self._behind(vpc.id, leg) for leg in legs},
            prefix_lists=self.lists.of(_lists(rules.values(), tables.values()), tables.values()),
            gateways=gateways,
            encrypted=self.encryption.enforced(vpc.id),
        )
        modes = {item.id: self.exposure.mode(vpc, item) for item in subnets} if gateway or egress else {}
        return Site(
            view=view,
            internet=gateway,
            egress_only=egress,
            public=_unique(self._public(modes, ports)) if gateway else (),
            open6=tuple(item.ipv6_cidr for item in subnets if item.ipv6_cidr and modes[item.id] == OFF) if gateway else (),
            closed6=self._closed6(ports) if gateway else (),
            egress6=tuple(item.ipv6_cidr for item in subnets if item.ipv6_cidr and modes[item.id] != BIDIRECTIONAL) if egress else (),
            nats=tuple(
                Nat(port.host, port.device, port.addresses[0], port.subnet, network.nat_gateways[port.host].connectivity != "private")
                for port in ports
                if port.kind == NAT
            ),
            legs=tuple(legs),
            services=services,
            crosses=frozenset(item.id for item in crossings if vpc.id < item.peer),
        )

    def _crossings(self, vpc: Vpc) -> Iterator[Crossing]:
        """Only an active connection carries packets.

        https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-lifecycle
        """
        for peering in self.network.peerings_of.get(vpc.id, ()):
            other = peering.other(vpc.id).vpc
            if peering.status != "active" or other == vpc.id or other not in self.ports:
                continue
            peer = self.network.vpcs[other]
            if not self.encryption.lets_peering(vpc, peer):
                continue
            near = peer.region == vpc.region
            yield Crossing(
                id=peering.id,
                device=names.device("x", peering.id),
                peer=other,
                own=(*vpc.cidrs, *vpc.ipv6_cidrs),
                theirs=(*peer.cidrs, *peer.ipv6_cidrs),
                mtu=_MTU if near else _MTU_BETWEEN_REGIONS,
                members=self._members(vpc.id, other) if near else {},
            )

    def _behind(self, vpc: str, leg: Leg) -> dict[str, frozenset[str]]:
        """Members of groups in VPCs of the same transit gateway, where gateway and both attachments let rules refer to them.

        https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html#vpc-attachment-security
        """
        gateway = self.network.transit_gateways.get(leg.gateway)
        if gateway is None or not gateway.group_references or not self._refers(leg.gateway, vpc):
            return {}
        found: defaultdict[str, set[str]] = defaultdict(set)
        for other in self.attached[leg.gateway] - {vpc}:
            if self._refers(leg.gateway, other):
                for group, addresses in self._members(vpc, other).items():
                    found[group] |= addresses
        return {group: frozenset(found[group]) for group in sorted(found)}

    def _refers(self, gateway: str, vpc: str) -> bool:
        return all(
            item.group_references is not False
            for item in self.network.transit_attachments.values()
            if item.gateway == gateway and item.type == "vpc" and item.resource == vpc and item.state == "available"
        )

    def _acls(self, vpc: str, used: set[str]) -> dict[str, NetworkAcl]:
        """A subnet without an association has the VPC's default ACL."""
        found: dict[str, NetworkAcl] = {}
        default: NetworkAcl | None = None
        for acl in self.network.acls_of.get(vpc, ()):
            default = acl if acl.default else default
            found.update((subnet, acl) for subnet in acl.associations if subnet in used)
        return {id_: one for id_ in sorted(used) if (one := found.get(id_) or default) is not None}

    def _services(self, tables: Iterable[RouteTable]) -> tuple[str, ...]:
        found: set[str] = set()
        for table in tables:
            for route in table.routes:
                if self.lists.served(route):
                    found.update(self.lists.blocks(route.destination, route))
        return tuple(sorted(found))

    def _closed6(self, ports: Iterable[Port]) -> tuple[str, ...]:
        """Addresses of ENIs to which nothing comes from the internet.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInterface.html (DenyAllIgwTraffic)
        """
        known = self.network.interfaces
        denied = (port for port in ports if port.id in known and known[port.id].deny_igw)
        return tuple(sorted({item for port in denied for item in port.own(6)}))

    def _public(self, modes: Mapping[str, str], ports: Iterable[Port]) -> Iterator[tuple[str, str]]:
        """Private to public addresses that may pass the internet gateway.

        Block Public Access, when it blocks ingress only, leaves NAT gateways, which let nothing in by themselves:
        https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-basics.html
        """
        for port in ports:
            if port.kind == TRANSIT:
                continue
            mode = modes[port.subnet]
            if mode == BIDIRECTIONAL or (mode != OFF and port.kind != NAT):
                continue
            eni = self.network.interfaces.get(port.id)
            pairs = dict(eni.public_ips) if eni is not None else {}
            nat = self.network.nat_gateways.get(port.host) if port.kind == NAT else None
            if nat is not None and not pairs and len(nat.private_ips) == len(nat.public_ips):
                pairs = dict(zip(nat.private_ips, nat.public_ips, strict=True))
            yield from ((private, public) for private, public in pairs.items() if private in port.addresses)


def _unique(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Pairs in order, each address in one pair only."""
    ones: set[str] = set()
    others: set[str] = set()
    found = []
    for one, other in sorted(pairs):
        if one not in ones and other not in others:
            ones.add(one)
            others.add(other)
            found.append((one, other))
    return tuple(found)


def _carriers(ports: Iterable[Port]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for port in ports:
        addresses = (*port.own(4), *port.own(6)) if port.prefixes else (*port.addresses, *port.ipv6s)
        for group in port.groups:
            found[group] += addresses
    return dict(found)


def _lists(rules: Iterable[tuple[Rule, ...]], tables: Iterable[RouteTable]) -> set[str]:
    found = {rule.prefix_list for group in rules for rule in group if rule.prefix_list}
    return found | {route.destination for table in tables for route in table.routes if "/" not in route.destination}


def _outlets(sites: Mapping[str, Site]) -> Iterator[Outlet]:
    for vpc, site in sites.items():
        if site.internet:
            yield Outlet(site.internet, vpc, tuple(public for _private, public in site.public), site.open6)
        if site.egress_only:
            yield Outlet(site.egress_only, vpc, (), site.egress6, stateful=True)
