# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network for the services' tests: four VPCs in two Regions, peerings with and without DNS options, endpoints, private zones."""

from __future__ import annotations

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Endpoint,
    Instance,
    Interface,
    Network,
    Peering,
    PeeringSide,
    SecurityGroup,
    Subnet,
    Vpc,
)
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts, HostFacts, Record, Role, Zone
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane

ONE, TWO = "111111111111", "222222222222"
EAST, WEST = "us-east-1", "eu-west-1"


def _vpc(name: str, region: str, cidr: str, **told: object) -> Vpc:
    return Vpc(**{"id": f"vpc-{name}", "account": ONE, "region": region, "cidrs": (cidr,), "dns_support": True, **told})  # type: ignore[arg-type]


VPCS = [
    _vpc("hub", EAST, "10.0.0.0/16", dns_hostnames=True, ipv6_cidrs=("2600:1f18::/56",)),
    _vpc("open", EAST, "10.1.0.0/16", dns_hostnames=True),  # its side of the peering with hub allows
    _vpc("shut", EAST, "10.2.0.0/16", dns_hostnames=True, account=TWO),  # its side does not
    _vpc("bare", EAST, "10.3.0.0/16", dns_hostnames=False),
    _vpc("mute", EAST, "10.4.0.0/16", dns_support=False, dns_hostnames=False),
    _vpc("far", WEST, "10.5.0.0/16", dns_hostnames=True),  # peered with hub across Regions, its side allows, hub's does not
]
SUBNETS = [
    Subnet(
        id=f"subnet-{vpc.id[4:]}{letter}",
        account=vpc.account,
        region=vpc.region,
        vpc=vpc.id,
        cidr=vpc.cidrs[0].replace("0.0/16", f"{number}.0/24"),
        zone=f"{vpc.region}{letter}",
        zone_id=f"{'use1' if vpc.region == EAST else 'euw1'}-az{number}",
        ipv6_cidr="2600:1f18:0:1::/64" if vpc.id == "vpc-hub" and letter == "a" else "",
    )
    for vpc in VPCS
    for number, letter in ((1, "a"), (2, "b"))
]
GROUPS = [SecurityGroup(id="sg-web", account=ONE, region=EAST, vpc="vpc-hub", group_name="web")]


def _instance(number: int, vpc: Vpc) -> tuple[Instance, Interface]:
    key, address = f"i-{number:017x}", vpc.cidrs[0].replace("0.0/16", "1.10")
    instance = Instance(
        id=key,
        account=vpc.account,
        region=vpc.region,
        vpc=vpc.id,
        subnet=f"subnet-{vpc.id[4:]}a",
        state="running",
        type="t3.micro",
        image="ami-0123456789abcdef0",
        private_ip=address,
        interfaces=(f"eni-{number:017x}",),
    )
    interface = Interface(
        id=f"eni-{number:017x}",
        account=vpc.account,
        region=vpc.region,
        vpc=vpc.id,
        subnet=instance.subnet,
        private_ips=(address,),
        ipv6s=("2600:1f18:0:1::10",) if vpc.id == "vpc-hub" else (),
        public_ips={address: f"198.18.0.{number}"},
        groups=("sg-web",) if vpc.id == "vpc-hub" else (),
        instance=key,
    )
    return instance, interface


MACHINES = [_instance(number, vpc) for number, vpc in enumerate(VPCS, 1)]
HUB = MACHINES[0][0].id


def _side(name: str, region: str = EAST, dns: bool | None = False) -> PeeringSide:
    return PeeringSide(vpc=f"vpc-{name}", account=ONE, region=region, dns=dns)


def _peering(name: str, one: PeeringSide, other: PeeringSide, status: str = "active") -> Peering:
    return Peering(id=f"pcx-{name}", account=ONE, region=EAST, status=status, requester=one, accepter=other)


PEERINGS = [
    _peering("open", _side("hub"), _side("open", dns=True)),
    _peering("shut", _side("shut", dns=None), _side("hub", dns=True)),
    _peering("far", _side("hub"), _side("far", WEST, dns=True)),
    _peering("gone", _side("open", dns=True), _side("far", WEST, dns=True), status="deleted"),
]


def _endpoint(name: str, service: str, full: str = "", **told: object) -> Endpoint:
    zonal = [f"{name}-x{zone}.{service}.us-east-1.vpce.amazonaws.com" for zone in ("", "-us-east-1a", "-us-east-1b")]
    made = {
        "id": name,
        "account": ONE,
        "region": EAST,
        "vpc": "vpc-hub",
        "service": full or f"com.amazonaws.us-east-1.{service}",
        "type": "Interface",
        "subnets": ("subnet-huba", "subnet-hubb"),
        "interfaces": (f"eni-{name}-a", f"eni-{name}-b"),
        "private_dns": True,
        "dns_names": (*zonal, f"{service}.us-east-1.amazonaws.com"),
    }
    return Endpoint(**{**made, **told})  # type: ignore[arg-type]


ENDPOINTS = [
    _endpoint("vpce-ssm", "ssm"),
    _endpoint(
        "vpce-dkr",
        "dkr.ecr",
        full="com.amazonaws.us-east-1.ecr.dkr",
        dns_names=("dkr.ecr.us-east-1.amazonaws.com", "*.dkr.ecr.us-east-1.amazonaws.com"),
    ),
    _endpoint("vpce-kms", "kms", private_dns=False, dns_names=("vpce-kms-x.kms.us-east-1.vpce.amazonaws.com",)),
    _endpoint("vpce-late", "logs", state="pending"),
]
SERVED = [
    Interface(
        id=f"eni-{endpoint.id}-{letter}",
        account=ONE,
        region=EAST,
        vpc="vpc-hub",
        subnet=f"subnet-hub{letter}",
        private_ips=(f"10.0.{number}.{20 + place}",),
        type="vpc_endpoint",
    )
    for place, endpoint in enumerate(ENDPOINTS)
    for number, letter in ((1, "a"), (2, "b"))
]

ZONES = (
    Zone(
        "Z1",
        "corp.example.",
        ("vpc-hub", "vpc-bare"),
        (
            Record("corp.example.", "SOA", 900, ("ns-1.awsdns.com. hostmaster.amazon.com. 1 7200 900 1209600 86400",)),
            Record("db.corp.example.", "A", 300, ("10.0.1.99", "10.0.1.98")),
            Record("a.b.corp.example.", "A", 300, ("10.0.1.97",)),
            Record("\\052.corp.example.", "TXT", 300, ('"any"',)),
            Record("www.corp.example.", "CNAME", 300, ("DB.corp.example.",)),
            Record("out.corp.example.", "CNAME", 300, ("server.internet.test",)),
            Record("lost.corp.example.", "CNAME", 300, ("nowhere.test.",)),
            Record("loop.corp.example.", "CNAME", 300, ("loop.corp.example.",)),
            Record("99.1.0.10.in-addr.arpa.", "PTR", 300, ("wrong.zone.example.",)),
        ),
    ),
    Zone("Z2", "deep.corp.example", ("vpc-hub",), (Record("x.deep.corp.example", "A", 30, ("10.0.1.96",)),)),
    Zone("Z3", "9.0.10.in-addr.arpa", ("vpc-hub",), (Record("99.9.0.10.in-addr.arpa", "PTR", 300, ("db.corp.example.",)),)),
    Zone("Z4", "us-east-1.amazonaws.com", ("vpc-open",), (Record("ssm.us-east-1.amazonaws.com", "A", 300, ("10.1.1.77",)),)),
)

NETWORK = Network(
    vpcs={item.id: item for item in VPCS},
    subnets={item.id: item for item in SUBNETS},
    security_groups={item.id: item for item in GROUPS},
    instances={item.id: item for item, _interface in MACHINES},
    interfaces={item.id: item for item in [*(interface for _item, interface in MACHINES), *SERVED]},
    peerings={item.id: item for item in PEERINGS},
    endpoints={item.id: item for item in ENDPOINTS},
)
ROLE = Role("app", "arn:aws:iam::111111111111:instance-profile/app", "ASIAEXAMPLE", "very-secret", "a-token", "2026-01-01T06:00:00Z")
FACTS = Facts(
    hosts={
        HUB: HostFacts(
            HUB,
            authorized=("ssh-ed25519 AAAA key",),
            key_name="my-key",
            user_data=b"#!/bin/sh\necho hello\n",
            role=ROLE,
            ssm=True,
            launched="2026-01-01T00:00:00Z",
            reservation="r-0123456789abcdef0",
            tags={"Name": "hub", "tier": "a b"},
        )
    },
    zones=ZONES,
)
PLANE = Plane(NETWORK, FACTS, frozenset({HUB}))
