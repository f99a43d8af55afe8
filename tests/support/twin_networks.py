# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks for the data plane's tests, written in as few words as they can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    AclEntry,
    Association,
    EgressOnlyGateway,
    Endpoint,
    Instance,
    Interface,
    InternetGateway,
    NatGateway,
    Network,
    NetworkAcl,
    Peering,
    PeeringSide,
    PrefixList,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    TransitAttachment,
    TransitGateway,
    TransitRoute,
    TransitTable,
    Vpc,
)

ACCOUNT, REGION = "111111111111", "us-east-1"
_VIA = {
    "pcx": "peering",
    "igw": "internet",
    "eigw": "egress_only",
    "nat": "nat",
    "eni": "eni",
    "i": "instance",
    "tgw": "transit_gateway",
    "vpce": "endpoint",
    "vgw": "vpn",
    "local": "local",
}


class Builder:
    """Collects objects; ``network()`` is what they make. A VPC gets a group ``sg-X`` open both ways, an open ACL and a main table."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, Any]] = {}

    def put(self, field: str, item: Any) -> Any:
        """Add or replace an object."""
        self.fields.setdefault(field, {})[item.id] = item
        return item

    def vpc(self, id: str, *cidrs: str, ipv6: str = "", region: str = REGION, **more: Any) -> Vpc:
        """``vpc-a`` makes ``sg-a``, ``acl-a`` and ``rtb-a`` as well."""
        name = id.partition("-")[2]
        made: Vpc = self.put(
            "vpcs", Vpc(id=id, account=ACCOUNT, region=region, cidrs=cidrs, ipv6_cidrs=(ipv6,) if ipv6 else (), dns_support=True, **more)
        )
        self.put("security_groups", SecurityGroup(id=f"sg-{name}", account=ACCOUNT, region=region, vpc=id, group_name=f"sg-{name}"))
        for egress in (False, True):
            for cidr in ("0.0.0.0/0", "::/0"):
                self.rule(f"sg-{name}", egress=egress, protocol="-1", cidr=cidr)
        entries = [
            AclEntry(number, egress, number != 32767, "-1", cidr)
            for egress in (False, True)
            for number, cidr in ((100, "0.0.0.0/0"), (101, "::/0"), (32767, "0.0.0.0/0"))
        ]
        self.put("network_acls", NetworkAcl(id=f"acl-{name}", account=ACCOUNT, region=region, vpc=id, default=True, entries=tuple(entries)))
        self.table(f"rtb-{name}", id, {}, main=True)
        return made

    def subnet(self, id: str, vpc: str, cidr: str, zone: str = "a", ipv6: str = "", **more: Any) -> Subnet:
        region = self.fields["vpcs"][vpc].region
        made: Subnet = self.put(
            "subnets",
            Subnet(id=id, account=ACCOUNT, region=region, vpc=vpc, cidr=cidr, ipv6_cidr=ipv6, zone=f"{region}{zone}", **more),
        )
        return made

    def table(self, id: str, vpc: str, routes: Mapping[str, str], subnets: Iterable[str] = (), main: bool = False) -> RouteTable:
        """``routes``: destination to target, ``blackhole`` for none, and ``propagated vgw-1`` for a propagated one."""
        owner = self.fields["vpcs"][vpc]
        found = [
            Route(cidr, "local", "local", origin="CreateRouteTable") for cidr in (*owner.cidrs, *owner.ipv6_cidrs) if cidr not in routes
        ]
        links = [Association(f"rtbassoc-{id}-{subnet}", subnet=subnet) for subnet in subnets]
        if main:
            links.append(Association(f"rtbassoc-{id}", main=True))
        made: RouteTable = self.put(
            "route_tables",
            RouteTable(
                id=id,
                account=ACCOUNT,
                region=owner.region,
                vpc=vpc,
                routes=(*found, *(_route(destination, said) for destination, said in routes.items())),
                associations=tuple(links),
            ),
        )
        return made

    def host(self, id: str, subnet: str, *addresses: str, public: str = "", check: bool = True, groups: tuple[str, ...] = ()) -> Interface:
        """An ENI ``eni-ID`` of a running instance; another one of the same instance when there is one already."""
        place = self.fields["subnets"][subnet]
        known: Instance | None = self.fields.get("instances", {}).get(id)
        name = f"eni-{id.removeprefix('i-')}" + (f"-{len(known.interfaces)}" if known else "")
        base = known or Instance(id=id, account=ACCOUNT, region=place.region, vpc=place.vpc, subnet=subnet, state="running")
        self.put("instances", replace(base, interfaces=(*base.interfaces, name)))
        return self.eni(
            name, subnet, *addresses, instance=id, check=check, groups=groups, public_ips={addresses[0]: public} if public else {}
        )

    def state(self, instance: str, state: str) -> None:
        """Have an instance in another state."""
        self.put("instances", replace(self.fields["instances"][instance], state=state))

    def eni(self, id: str, subnet: str, *addresses: str, check: bool = True, groups: tuple[str, ...] = (), **more: Any) -> Interface:
        place = self.fields["subnets"][subnet]
        made: Interface = self.put(
            "interfaces",
            Interface(
                id=id,
                account=ACCOUNT,
                region=place.region,
                vpc=place.vpc,
                subnet=subnet,
                private_ips=tuple(item for item in addresses if ":" not in item),
                ipv6s=tuple(item for item in addresses if ":" in item),
                groups=groups or (f"sg-{place.vpc.partition('-')[2]}",),
                source_dest_check=check,
                **{"status": "in-use", **more},
            ),
        )
        return made

    def internet(self, vpc: str, egress_only: bool = False) -> None:
        """``igw-X`` of ``vpc-X``, or ``eigw-X``."""
        name = vpc.partition("-")[2]
        if egress_only:
            self.put("egress_only_gateways", EgressOnlyGateway(id=f"eigw-{name}", account=ACCOUNT, region=REGION, vpc=vpc))
        else:
            self.put("internet_gateways", InternetGateway(id=f"igw-{name}", account=ACCOUNT, region=REGION, vpc=vpc))

    def nat(self, id: str, subnet: str, private: str, public: str = "") -> NatGateway:
        vpc = self.fields["subnets"][subnet].vpc
        eni = f"eni-{id}"
        self.eni(eni, subnet, private, type="nat_gateway", check=False, public_ips={private: public} if public else {})
        made: NatGateway = self.put(
            "nat_gateways",
            NatGateway(
                id=id,
                account=ACCOUNT,
                region=REGION,
                vpc=vpc,
                subnet=subnet,
                connectivity="public" if public else "private",
                interfaces=(eni,),
                private_ips=(private,),
                public_ips=(public,) if public else (),
            ),
        )
        return made

    def endpoint(self, id: str, subnet: str, address: str, service: str) -> Endpoint:
        """An interface endpoint with one ENI."""
        place = self.fields["subnets"][subnet]
        self.eni(f"eni-{id}", subnet, address, type="vpc_endpoint")
        made: Endpoint = self.put(
            "endpoints",
            Endpoint(
                id=id,
                account=ACCOUNT,
                region=REGION,
                vpc=place.vpc,
                service=service,
                type="Interface",
                subnets=(subnet,),
                interfaces=(f"eni-{id}",),
            ),
        )
        return made

    def gateway_endpoint(self, id: str, vpc: str, service: str) -> Endpoint:
        made: Endpoint = self.put(
            "endpoints", Endpoint(id=id, account=ACCOUNT, region=REGION, vpc=vpc, service=service, type="Gateway", tables=())
        )
        return made

    def prefix_list(self, id: str, *entries: str, name: str = "list") -> PrefixList:
        made: PrefixList = self.put("prefix_lists", PrefixList(id=id, account=ACCOUNT, region=REGION, list_name=name, entries=entries))
        return made

    def peering(self, id: str, requester: str, accepter: str, status: str = "active") -> Peering:
        one, other = (
            PeeringSide(vpc=vpc.id, account=vpc.account, region=vpc.region, cidrs=vpc.cidrs, ipv6_cidrs=vpc.ipv6_cidrs)
            for vpc in (self.fields["vpcs"][requester], self.fields["vpcs"][accepter])
        )
        made: Peering = self.put(
            "peerings", Peering(id=id, account=ACCOUNT, region=one.region, status=status, requester=one, accepter=other)
        )
        return made

    def rule(self, group: str, egress: bool = False, protocol: str = "-1", **more: Any) -> Rule:
        number = len(self.fields.get("rules", {}))
        made = Rule(id=f"sgr-{number}", account=ACCOUNT, region=REGION, group=group, egress=egress, protocol=protocol, **more)
        self.put("rules", made)
        return made

    def transit(self, id: str, references: bool | None = None, region: str = REGION) -> TransitGateway:
        made: TransitGateway = self.put(
            "transit_gateways", TransitGateway(id=id, account=ACCOUNT, region=region, group_references=references)
        )
        return made

    def attach(self, id: str, gateway: str, vpc: str, *subnets: str, table: str = "") -> TransitAttachment:
        made: TransitAttachment = self.put(
            "transit_attachments",
            TransitAttachment(
                id=id, account=ACCOUNT, region=REGION, gateway=gateway, type="vpc", resource=vpc, table=table, subnets=subnets
            ),
        )
        return made

    def attach_peer(self, id: str, gateway: str, other: str, table: str = "") -> TransitAttachment:
        """One end of a peering of two transit gateways."""
        made = TransitAttachment(id=id, account=ACCOUNT, region=REGION, gateway=gateway, type="peering", resource=other, table=table)
        self.fields.setdefault("transit_attachments", {})[f"{id}@{gateway}"] = made
        return made

    def transit_table(self, id: str, gateway: str, routes: Mapping[str, str], propagations: tuple[str, ...] = ()) -> TransitTable:
        """``routes``: destination to attachment, empty for a blackhole."""
        found = tuple(
            TransitRoute(destination, attachment, "active" if attachment else "blackhole") for destination, attachment in routes.items()
        )
        made: TransitTable = self.put(
            "transit_tables",
            TransitTable(id=id, account=ACCOUNT, region=REGION, gateway=gateway, routes=found, propagations=propagations),
        )
        return made

    def network(self) -> Network:
        """What there is now."""
        return Network(**{field: dict(items) for field, items in self.fields.items()})


def _route(destination: str, said: str) -> Route:
    origin = "EnableVgwRoutePropagation" if said.startswith("propagated ") else "CreateRoute"
    target = said.removeprefix("propagated ")
    if target.startswith("blackhole"):
        target = target.partition(" ")[2] or "pcx-gone"
        return Route(destination, _VIA[target.partition("-")[0]], target, "blackhole", origin)
    return Route(destination, _VIA[target.partition("-")[0]], target, origin=origin)
