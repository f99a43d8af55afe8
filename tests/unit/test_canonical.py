# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form in which the tests compare networks: blind to ids, and to nothing that a plan could get wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    Address,
    Association,
    Endpoint,
    NatGateway,
    Network,
    Peering,
    PeeringSide,
    Route,
    RouteTable,
    Rule,
    SecurityGroup,
    Subnet,
    Vpc,
)
from support.canonical import canonical, difference

HERE: dict[str, Any] = {"account": "111111111111", "region": "us-east-1"}


def named(name: str) -> dict[str, str]:
    return {"cloudnet:topology": "t", "cloudnet:name": name}


def by_id(*items: Any) -> dict[str, Any]:
    return {item.id: item for item in items}


def sample(mark: str = "0", six: str = "2400:6500:1::/56") -> Network:
    """Two VPCs with a connection, a table of ours, main tables, a group, an endpoint and a NAT gateway; every id holds ``mark``."""
    a, b, pcx, nat, subnet = f"vpc-a{mark}", f"vpc-b{mark}", f"pcx-{mark}", f"nat-{mark}", f"subnet-{mark}"
    default, group, vpce, alloc = f"sg-d{mark}", f"sg-{mark}", f"vpce-{mark}", f"eipalloc-{mark}"
    six_subnet = six.replace("::/56", ":3::/64")
    local = (Route("10.0.0.0/16", "local", "local"), Route(six, "local", "local"))
    return Network(
        vpcs=by_id(
            Vpc(id=a, **HERE, tags=named("vpcs.a"), cidrs=("10.0.0.0/16",), ipv6_cidrs=(six,), associations={six: f"assoc-{mark}"}),
            Vpc(id=b, **HERE, tags={"Name": "theirs"}, cidrs=("10.1.0.0/16",)),
        ),
        subnets=by_id(
            Subnet(id=subnet, **HERE, tags=named("vpcs.a.subnets.s"), vpc=a, cidr="10.0.1.0/24", ipv6_cidr=six_subnet, zone="us-east-1a")
        ),
        route_tables=by_id(
            RouteTable(id=f"rtb-m{mark}", **HERE, vpc=a, routes=local, associations=(Association(f"assoc-m{mark}", main=True),)),
            RouteTable(
                id=f"rtb-{mark}",
                **HERE,
                tags=named("vpcs.a.route_tables.private"),
                vpc=a,
                routes=(
                    *local,
                    Route("10.1.0.0/16", "peering", pcx),
                    Route("0.0.0.0/0", "nat", nat),
                    Route("pl-63a5400a", "endpoint", vpce),
                ),
                associations=(Association(f"assoc-{mark}", subnet=subnet),),
            ),
        ),
        peerings=by_id(
            Peering(
                id=pcx,
                **HERE,
                tags=named("peerings.a:b"),
                status="active",
                requester=PeeringSide(a, "111111111111", "us-east-1", ("10.0.0.0/16",), (six,), dns=True),
                accepter=PeeringSide(b, "111111111111", "us-east-1", ("10.1.0.0/16",)),
                seen={("111111111111", "us-east-1"): named("peerings.a:b")},
            ),
            Peering(
                id=f"pcx-dead{mark}",
                **HERE,
                status="deleted",
                requester=PeeringSide(a, "111111111111", "us-east-1"),
                accepter=PeeringSide(b, "111111111111", "us-east-1"),
            ),
        ),
        security_groups=by_id(
            SecurityGroup(id=default, **HERE, vpc=a, group_name="default"),
            SecurityGroup(id=group, **HERE, tags=named("vpcs.a.security_groups.g"), vpc=a, group_name="t-g"),
        ),
        rules=by_id(
            Rule(id=f"sgr-1{mark}", **HERE, group=default, egress=False, protocol="-1", source_group=default),
            Rule(id=f"sgr-2{mark}", **HERE, group=group, egress=False, protocol="tcp", from_port=22, to_port=22, cidr=six),
        ),
        nat_gateways=by_id(
            NatGateway(
                id=nat,
                **HERE,
                tags=named("vpcs.a.nat_gateways.s"),
                vpc=a,
                subnet=subnet,
                allocations=(alloc,),
                public_ips=(f"198.18.0.{len(mark)}",),
            ),
            NatGateway(id=f"nat-old{mark}", **HERE, tags=named("vpcs.a.nat_gateways.s"), vpc=a, subnet=subnet, state="deleted"),
        ),
        addresses=by_id(Address(id=alloc, **HERE, tags=named("vpcs.a.addresses.s"), public_ip=f"198.18.0.{len(mark)}")),
        endpoints=by_id(
            Endpoint(
                id=vpce,
                **HERE,
                tags=named("vpcs.a.endpoints.s3"),
                vpc=a,
                service="com.amazonaws.us-east-1.s3",
                type="Gateway",
                tables=(f"rtb-{mark}",),
                policy='{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}' if mark == "0" else "",
            )
        ),
    )


def test_ids_addresses_and_amazons_blocks_do_not_count() -> None:
    one, two = canonical(sample()), canonical(sample("fff", "2400:6500:9900::/56"))
    assert one == two, difference(one, two)
    assert difference(one, two) == ""
    text = json.dumps(one)
    assert "-0" not in text.replace("us-east-1", "") and "2400:" not in text and "198.18" not in text


def test_planned_ids_are_ids() -> None:
    network = sample()
    planned = json.dumps(canonical(network)).replace("planned", "")
    renamed = replace(
        network,
        vpcs=by_id(*(replace(vpc, id="planned:vpcs.a") if vpc.id == "vpc-a0" else vpc for vpc in network.vpcs.values())),
        subnets=by_id(*(replace(item, vpc="planned:vpcs.a") for item in network.subnets.values())),
        route_tables=by_id(
            *(
                replace(item, vpc="planned:vpcs.a", id="planned:vpcs.a.main" if item.main else item.id)
                for item in network.route_tables.values()
            )
        ),
        security_groups=by_id(*(replace(item, vpc="planned:vpcs.a") for item in network.security_groups.values())),
        nat_gateways=by_id(*(replace(item, vpc="planned:vpcs.a") for item in network.nat_gateways.values())),
        endpoints=by_id(*(replace(item, vpc="planned:vpcs.a") for item in network.endpoints.values())),
        peerings=by_id(
            *(replace(item, requester=replace(item.requester, vpc="planned:vpcs.a")) for item in network.peerings.values() if item.live)
        ),
    )
    assert json.dumps(canonical(renamed)) == planned


def test_names() -> None:
    form = canonical(sample())
    assert [entry["name"] for entry in form["vpcs"]] == ["theirs", "vpcs.a"]
    assert {entry["name"] for entry in form["route_tables"]} == {"vpcs.a.main", "vpcs.a.route_tables.private"}
    (subnet,) = form["subnets"]
    assert subnet["ipv6"] == "vpcs.a.ipv6[3]/64"
    table = next(entry for entry in form["route_tables"] if not entry["main"])
    targets = {route["destination"]: route["target"] for route in table["routes"]}
    assert targets == {
        "10.0.0.0/16": "local",
        "vpcs.a.ipv6": "local",
        "10.1.0.0/16": "peerings.a:b",
        "0.0.0.0/0": "vpcs.a.nat_gateways.s",
    }
    assert [entry["name"] for entry in form["peerings"]] == ["peerings.a:b"]
    assert [entry["policy"] for entry in form["endpoints"]] == [""]


def test_blocks_of_the_topology_stay() -> None:
    form = canonical(sample(), blocks=["2400:6500:1::/56"])
    assert form["vpcs"][1]["ipv6_cidrs"] == ["2400:6500:1::/56"] and form["subnets"][0]["ipv6"] == "2400:6500:1:3::/64"


def changed(collection: str, which: str, **values: Any) -> Callable[[Network], Network]:
    def change(network: Network) -> Network:
        items = dict(getattr(network, collection))
        items[which] = replace(items[which], **values)
        return replace(network, **{collection: items})

    return change


def twice(collection: str, which: str) -> Callable[[Network], Network]:
    def change(network: Network) -> Network:
        items = dict(getattr(network, collection))
        items["again"] = replace(items[which], id="again")
        return replace(network, **{collection: items})

    return change


def without(collection: str, which: str) -> Callable[[Network], Network]:
    return lambda network: replace(
        network, **{collection: {key: item for key, item in getattr(network, collection).items() if key != which}}
    )


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (changed("vpcs", "vpc-a0", cidrs=("10.0.0.0/16", "10.9.0.0/16")), "~ vpcs vpcs.a: cidrs"),
        (changed("vpcs", "vpc-a0", dns_hostnames=True), "~ vpcs vpcs.a: dns_hostnames false -> true"),
        (changed("vpcs", "vpc-a0", tags={**named("vpcs.a"), "x": "y"}), "~ vpcs vpcs.a: tags"),
        (changed("subnets", "subnet-0", map_public_ip=True), "~ subnets vpcs.a.subnets.s: map_public_ip"),
        (changed("rules", "sgr-20", to_port=23), "- rules vpcs.a.security_groups.g: tcp 22-22 from vpcs.a.ipv6"),
        (changed("rules", "sgr-20", tags=named("x")), "~ rules vpcs.a.security_groups.g: tcp 22-22 from vpcs.a.ipv6: tags"),
        (changed("route_tables", "rtb-0", associations=()), '~ route_tables vpcs.a.route_tables.private: subnets -"vpcs.a.subnets.s"'),
        (changed("route_tables", "rtb-0", routes=()), "~ route_tables vpcs.a.route_tables.private: routes -{"),
        (changed("peerings", "pcx-0", status="pending-acceptance"), '~ peerings peerings.a:b: status "active" -> "pending-acceptance"'),
        (changed("peerings", "pcx-0", status="deleted"), '+{"destination": "10.1.0.0/16", "propagated": false, "state": "active", '
         '"target": "pcx that is gone", "via": "peering"}'),
        (changed("endpoints", "vpce-0", policy='{"Statement": []}'), "~ endpoints vpcs.a.endpoints.s3: policy"),
        (twice("vpcs", "vpc-a0"), "+ vpcs vpcs.a"),
        (twice("peerings", "pcx-0"), "+ peerings peerings.a:b"),
        (twice("rules", "sgr-20"), "+ rules vpcs.a.security_groups.g: tcp 22-22"),
        (twice("addresses", "eipalloc-0"), "+ addresses vpcs.a.addresses.s"),
        (twice("security_groups", "sg-d0"), "+ security_groups vpcs.a.group default"),
        (without("nat_gateways", "nat-0"), "- nat_gateways vpcs.a.nat_gateways.s"),
        (without("subnets", "subnet-0"), "- subnets vpcs.a.subnets.s"),
    ],
)  # fmt: skip
def test_whatever_else_changes_is_told(change: Callable[[Network], Network], line: str) -> None:
    before, after = canonical(sample()), canonical(change(sample()))
    assert before != after
    assert line in difference(before, after)
