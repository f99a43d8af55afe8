# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name means as asked from a VPC: AWS's resolver as a pure function of the data plane's state.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html (attributes, names, reverse look-ups),
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-naming.html (IP names and resource names),
https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-dns.html (what a peering's DNS options do),
https://docs.aws.amazon.com/vpc/latest/privatelink/manage-dns-names.html (endpoints), and zones.py for private hosted zones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ....module_utils._model.network import Instance, Interface, Network
from ..facts import Record
from ..places import SERVER_NAME
from ..seams import Plane
from .aws_names import service_host
from .directory import PUBLIC_SUFFIX, addresses, endpoint_interfaces, endpoint_names
from .zones import canonical, zone_of

TTL = 60
NOERROR, NXDOMAIN, SILENT = "NOERROR", "NXDOMAIN", "SILENT"
_CHAIN = 8

_IP_NAME = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)")
_PUBLIC_NAME = re.compile(r"ec2-(\d+)-(\d+)-(\d+)-(\d+)")
_RESOURCE_NAME = re.compile(r"i-[0-9a-f]{8,17}")


@dataclass(frozen=True)
class Answer:
    """``status``: NOERROR (with no records: the name exists, the kind does not), NXDOMAIN, or SILENT for a resolver that does not answer.

    ``records``: CNAMEs in order, then what they lead to. ``zone``: where a negative answer comes from, empty for the root; ``soa``: its SOA
    record where the zone has one of its own.
    """

    status: str
    records: tuple[Record, ...] = ()
    zone: str = ""
    soa: Record | None = None


@dataclass(frozen=True)
class _Meaning:
    """What stands at a name: kind to values, or the records of a private zone. ``values`` None: the name does not exist."""

    zone: str
    values: Mapping[str, tuple[str, ...]] | None = None
    records: tuple[Record, ...] = ()
    soa: Record | None = None

    def of(self, kind: str, name: str) -> tuple[Record, ...]:
        """The records of a kind, under the name that was asked for."""
        made = tuple(Record(name, key, TTL, values) for key, values in (self.values or {}).items() if values)
        found = (*made, *(Record(name, item.kind, item.ttl, item.values) for item in self.records))
        return tuple(item for item in found if kind in (item.kind, "ANY"))


def internal_domain(region: str) -> str:
    """Where private names live: ec2.internal, or REGION.compute.internal outside us-east-1."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def private_name(address: str, region: str) -> str:
    """The IP name: ip-10-0-1-5.ec2.internal."""
    return f"ip-{address.replace('.', '-')}.{internal_domain(region)}"


def public_domain(region: str) -> str:
    """Where public names live: compute-1.amazonaws.com, or REGION.compute.amazonaws.com outside us-east-1."""
    return "compute-1.amazonaws.com" if region == "us-east-1" else f"{region}.compute.amazonaws.com"


def public_name(address: str, region: str) -> str:
    """The public DNS name: ec2-198-18-0-5.compute-1.amazonaws.com."""
    return f"ec2-{address.replace('.', '-')}.{public_domain(region)}"


def dns_support(network: Network, vpc: str) -> bool:
    """Whether the VPC's resolver answers; AWS's default is that it does."""
    return vpc in network.vpcs and network.vpcs[vpc].dns_support is not False


def dns_hostnames(network: Network, vpc: str) -> bool:
    """Whether the VPC's instances have public names: both attributes are on. Off by default but in a default VPC."""
    if not dns_support(network, vpc):
        return False
    told = network.vpcs[vpc].dns_hostnames
    return network.vpcs[vpc].default if told is None else told


def lookup(plane: Plane, vpc: str, name: str, kind: str) -> Answer:
    """What the resolver of a VPC answers to a name (any case, with or without its final dot) and a kind: A, AAAA, PTR, CNAME, TXT…"""
    if not dns_support(plane.network, vpc):
        return Answer(SILENT)
    asked = canonical(name)
    chain: list[Record] = []
    for step in range(_CHAIN):
        meaning = _meaning(plane, vpc, asked)
        found = meaning.of(kind, asked)
        alias = () if found else meaning.of("CNAME", asked)
        if not alias:
            # A CNAME that leads to nothing: its own answer stands, with the last name's status (RFC 6604).
            exists = found or meaning.values is not None or meaning.records
            return Answer(NOERROR if exists else NXDOMAIN, (*chain, *found), meaning.zone, meaning.soa)
        chain += alias
        asked = canonical(alias[0].values[0])
        if any(item.name == asked for item in chain) or step == _CHAIN - 1:
            break
    return Answer(NOERROR, tuple(chain))


def _meaning(plane: Plane, vpc: str, name: str) -> _Meaning:
    network = plane.network
    if dns_hostnames(network, vpc):
        zoned, served = _zoned(plane, vpc, name), _served(network, vpc, name)
        if zoned is not None and (served is None or len(zoned.zone) > len(served.zone)):
            return zoned
        if served is not None:
            return served
    if name.endswith(".arpa"):
        return _reverse(plane, vpc, name)
    if name.endswith(".internal"):
        return _internal(network, vpc, name)
    if name.endswith(PUBLIC_SUFFIX):
        return _endpoint_own(network, name)
    if name.endswith((".amazonaws.com", ".api.aws")):
        return _amazon(plane, vpc, name)
    if name == SERVER_NAME:
        return _Meaning("internet.test", {"A": (plane.outside.server,), "AAAA": (plane.outside.server_6,)})
    return _Meaning("")


# -- zones and endpoints -------------------------------------------------------------------------------------------------------


def _zoned(plane: Plane, vpc: str, name: str) -> _Meaning | None:
    zone = zone_of(plane.facts.zones, vpc, name)
    if zone is None:
        return None
    at = zone.at(name)
    soa = [item for item in zone.records.get(zone.name, ()) if item.kind == "SOA"]
    return _Meaning(zone.name, {} if at is not None else None, at or (), soa[0] if soa else None)


def _addresses(interfaces: list[Interface]) -> Mapping[str, tuple[str, ...]]:
    found = {
        "A": tuple(address for item in interfaces for address in item.private_ips[:1]),
        "AAAA": tuple(address for item in interfaces for address in item.ipv6s[:1]),
    }
    return {kind: values for kind, values in found.items() if values}


def _served(network: Network, vpc: str, name: str) -> _Meaning | None:
    """The service's name that an interface endpoint of the VPC takes over (private DNS)."""
    mine = endpoint_names(network).private.get(vpc, {})
    if name in mine:
        return _Meaning(name, _addresses(endpoint_interfaces(network, mine[name])))
    above = name.partition(".")[2]
    while above:
        if f"*.{above}" in mine:
            return _Meaning(above, _addresses(endpoint_interfaces(network, mine[f"*.{above}"])))
        above = above.partition(".")[2]
    return None


def _endpoint_own(network: Network, name: str) -> _Meaning:
    """An endpoint's own name, public in AWS and so the same from everywhere: its private addresses, or those in the zone it names."""
    own = endpoint_names(network).own
    zone = name.partition(".")[2]
    key = name if name in own else f"*.{zone}"
    if key not in own:
        return _Meaning("vpce.amazonaws.com")
    host = key.removeprefix("*.").partition(".")[0]
    endpoint = own[key]
    zones = {network.subnets[item].zone for item in endpoint.subnets if item in network.subnets}
    asked = [item for item in zones if item and host.endswith(f"-{item}")]
    return _Meaning(zone, _addresses(endpoint_interfaces(network, endpoint, asked[0] if asked else "")))


# -- instances -----------------------------------------------------------------------------------------------------------------


def _option(network: Network, vpc: str, owner: str) -> bool:
    """Whether the owner's side of an active peering lets this VPC's resolver have private addresses; both VPCs need both attributes."""
    if not dns_hostnames(network, vpc) or (owner in network.vpcs and network.vpcs[owner].dns_hostnames is False):
        return False
    links = network.peerings_of.get(vpc, ())
    return any(link.status == "active" and link.other(vpc).vpc == owner and link.other(vpc).dns is True for link in links)


def _visible(network: Network, vpc: str, interface: Interface) -> bool:
    """Whether private names of an ENI mean something here: in its Region they do, from another only by the peering's option."""
    return interface.vpc == vpc or interface.region == network.vpcs[vpc].region or _option(network, vpc, interface.vpc)


def _dotted(match: re.Match[str]) -> str:
    return ".".join(str(int(part)) for part in match.groups())


def _primary(network: Network, instance: Instance) -> Interface | None:
    return network.interfaces.get(instance.interfaces[0]) if instance.interfaces else None


def _internal(network: Network, vpc: str, name: str) -> _Meaning:
    host, _dot, domain = name.partition(".")
    if name in ("ec2.internal", "compute.internal") or domain == "compute.internal":
        return _Meaning(name, {})
    if domain != "ec2.internal" and not domain.endswith(".compute.internal"):
        return _Meaning("")
    if match := _IP_NAME.fullmatch(host):
        address = _dotted(match)
        for interface in addresses(network).private.get(address, ()):
            if internal_domain(interface.region) == domain and _visible(network, vpc, interface):
                return _Meaning(domain, {"A": (address,)})
    elif _RESOURCE_NAME.fullmatch(host) and host in network.instances:
        primary = _primary(network, network.instances[host])
        if primary is not None and internal_domain(primary.region) == domain and _visible(network, vpc, primary):
            return _Meaning(domain, _addresses([primary]))
    return _Meaning(domain)


def _amazon(plane: Plane, vpc: str, name: str) -> _Meaning:
    network = plane.network
    host, _dot, domain = name.partition(".")
    if domain == "compute-1.amazonaws.com" or domain.endswith(".compute.amazonaws.com"):
        if match := _PUBLIC_NAME.fullmatch(host):
            public = _dotted(match)
            found = addresses(network).public.get(public)
            if found is not None and public_domain(found[0].region) == domain and dns_hostnames(network, found[0].vpc):
                interface, private = found
                inside = interface.vpc == vpc or _option(network, vpc, interface.vpc)
                return _Meaning(domain, {"A": (private if inside else public,)})
        return _Meaning(domain)
    service = service_host(name, network)
    if not service:
        return _Meaning(domain if domain.count(".") > 1 else "amazonaws.com")
    values = {"A": (plane.outside.service(service),)}
    if service.endswith(".api.aws") or ".dualstack." in name:
        values["AAAA"] = (plane.outside.service(service, 6),)
    return _Meaning(domain, values)


# -- reverse -------------------------------------------------------------------------------------------------------------------


def _reversed(name: str) -> IPv4Address | IPv6Address | None:
    labels = name.split(".")[-3::-1]
    try:
        if name.endswith(".in-addr.arpa") and len(labels) == 4:
            return IPv4Address(".".join(labels))
        if name.endswith(".ip6.arpa") and len(labels) == 32:
            return IPv6Address(int("".join(labels), 16))
    except ValueError:
        pass
    return None


def _reverse(plane: Plane, vpc: str, name: str) -> _Meaning:
    """PTR: at once, whatever the address, for programs wait for it (ping does)."""
    network = plane.network
    zone = "in-addr.arpa" if name.endswith("in-addr.arpa") else "ip6.arpa"
    address = _reversed(name)
    if address is None:
        return _Meaning(zone)
    if plane.outside.is_server(str(address)):
        return _Meaning(zone, {"PTR": (SERVER_NAME,)})
    held = sorted(addresses(network).private.get(str(address), ()), key=lambda item: (item.vpc != vpc, item.id))
    for interface in held:
        if _visible(network, vpc, interface):
            if address.version == 4:
                return _Meaning(zone, {"PTR": (private_name(str(address), interface.region),)})
            if interface.instance:
                return _Meaning(zone, {"PTR": (f"{interface.instance}.{internal_domain(interface.region)}",)})
    public = addresses(network).public.get(str(address))
    if public is not None and dns_hostnames(network, public[0].vpc):
        return _Meaning(zone, {"PTR": (public_name(str(address), public[0].region),)})
    return _Meaning(zone)
