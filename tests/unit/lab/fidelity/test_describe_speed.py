# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A large network stays quick to describe: 780 peering connections, 125 tables of 500 routes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import ANSWERS, Call
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity.routes import Route

HOME, ACCOUNT = "us-east-1", "111111111111"


def _ask(lab: Any, action: str, **params: Any) -> dict[str, Any]:
    return ANSWERS["ec2", action](Call(lab.lab, "ec2", action, ACCOUNT, HOME, params))


def _best(work: Callable[[], Any], tries: int = 5) -> float:
    """Processor seconds of this thread, of the quickest of a few runs: other work on the machine must not decide."""
    times = []
    for _turn in range(tries):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


@pytest.fixture
def mesh(lab: Any) -> Any:
    """40 VPCs, every pair of them joined and tagged, made below the API so that the test measures describing alone."""
    lab.control.config(quotas={"peerings_outstanding": 1000, "peerings_active": 125})
    backend = lab.lab.backend("ec2", ACCOUNT, HOME)
    vpcs = [backend.create_vpc(f"10.{number}.0.0/16") for number in range(40)]
    for index, vpc in enumerate(vpcs):
        for other in vpcs[index + 1 :]:
            tags = [{"ResourceType": "vpc-peering-connection", "Tags": [{"Key": "Name", "Value": f"{vpc.id}:{other.id}"}]}]
            made = _ask(lab, "CreateVpcPeeringConnection", VpcId=vpc.id, PeerVpcId=other.id, TagSpecifications=tags)
            _ask(lab, "AcceptVpcPeeringConnection", VpcPeeringConnectionId=made["VpcPeeringConnection"]["VpcPeeringConnectionId"])
    return lab


def test_780_peerings(mesh: Any) -> None:
    found = _ask(mesh, "DescribeVpcPeeringConnections")["VpcPeeringConnections"]
    assert len(found) == 780 and {item["Status"]["Code"] for item in found} == {"active"}
    hub = found[0]["RequesterVpcInfo"]["VpcId"]
    filters = [{"Name": "requester-vpc-info.vpc-id", "Values": [hub]}, {"Name": "status-code", "Values": ["active"]}]
    assert len(_ask(mesh, "DescribeVpcPeeringConnections", Filters=filters)["VpcPeeringConnections"]) == 39
    assert _best(lambda: _ask(mesh, "DescribeVpcPeeringConnections")) < 0.1
    assert _best(lambda: _ask(mesh, "DescribeVpcPeeringConnections", Filters=filters)) < 0.1


def test_a_page_of_tables_with_500_routes_each(lab: Any) -> None:
    backend = lab.lab.backend("ec2", ACCOUNT, HOME)
    vpcs = [backend.create_vpc(f"10.{number}.0.0/16") for number in range(125)]
    gateway = backend.create_internet_gateway()
    for vpc in vpcs:
        (table,) = [item for item in backend.route_tables.values() if item.vpc_id == vpc.id]
        for number in range(500):
            route = Route(table, f"100.{64 + number // 256}.{number % 256}.0/24", None, gateway=gateway)
            table._routes[route.id] = route
    page = _ask(lab, "DescribeRouteTables", MaxResults=100)
    assert len(page["RouteTables"]) == 100 and "NextToken" in page
    assert {len(table["Routes"]) for table in page["RouteTables"]} == {501}
    assert {route["State"] for table in page["RouteTables"] for route in table["Routes"]} == {"active", "blackhole"}
    # A full page is 50,100 routes: 4 µs each at most, over a machine's noise.
    assert _best(lambda: _ask(lab, "DescribeRouteTables", MaxResults=100)) < 0.2
    one = [{"Name": "vpc-id", "Values": [vpcs[3].id]}]
    assert _best(lambda: _ask(lab, "DescribeRouteTables", Filters=one)) < 0.02
    # A new route costs no more than a look at its own table.
    names = iter(range(1000))
    table = page["RouteTables"][0]["RouteTableId"]
    backend.attach_internet_gateway(gateway.id, vpcs[0].id)
    lab.lab.quotas["routes_per_table"] = 1000
    assert (
        _best(lambda: _ask(lab, "CreateRoute", RouteTableId=table, DestinationCidrBlock=f"101.0.{next(names)}.0/24", GatewayId=gateway.id))
        < 0.02
    )
