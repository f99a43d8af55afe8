# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What contract tests of the VPC domain need: resources that are always taken away again, and patience with eventual consistency."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

TAGS = [{"Key": "cloudnet:contract-test", "Value": "yes"}]


@contextlib.contextmanager
def refused(*codes: str) -> Iterator[None]:
    """The block must be answered with one of AWS's codes."""
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] in codes, caught.value.response["Error"]


def until(ready: Callable[[], Any], seconds: float = 60) -> Any:
    """What ``ready`` returns once it is true; on AWS some states take a while."""
    end = time.monotonic() + seconds
    while True:
        found = ready()
        if found or time.monotonic() > end:
            assert found, "still not so after waiting"
            return found
        time.sleep(1)


@dataclass
class Workshop:
    """Makes resources at an endpoint and removes them, last first, whatever the test did to them."""

    endpoint: Any
    undo: list[Callable[[], Any]] = field(default_factory=list)

    def client(self, peer: bool = False, region: str | None = None) -> Any:
        return self.endpoint.client("ec2", peer=peer, region=region)

    def later(self, work: Callable[..., Any], **params: Any) -> None:
        self.undo.append(lambda: work(**params))

    def vpc(self, cidr: str, peer: bool = False, region: str | None = None) -> str:
        client = self.client(peer, region)
        key = str(client.create_vpc(CidrBlock=cidr, TagSpecifications=[{"ResourceType": "vpc", "Tags": TAGS}])["Vpc"]["VpcId"])
        self.later(client.delete_vpc, VpcId=key)
        until(lambda: client.describe_vpcs(VpcIds=[key])["Vpcs"][0]["State"] == "available")
        return key

    def subnet(self, vpc: str, cidr: str) -> str:
        client = self.client()
        key = str(client.create_subnet(VpcId=vpc, CidrBlock=cidr)["Subnet"]["SubnetId"])
        self.later(client.delete_subnet, SubnetId=key)
        return key

    def table(self, vpc: str) -> str:
        client = self.client()
        key = str(client.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])
        self.later(client.delete_route_table, RouteTableId=key)
        return key

    def peering(self, vpc: str, peer_vpc: str, **more: str) -> str:
        client = self.client()
        key = str(
            client.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer_vpc, **more)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        )
        self.later(client.delete_vpc_peering_connection, VpcPeeringConnectionId=key)
        return key

    def state(self, peering: str, client: Any = None) -> str:
        found = (client or self.client()).describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])
        return str(found["VpcPeeringConnections"][0]["Status"]["Code"])

    def active(self, peering: str, client: Any = None) -> None:
        """Accept a request, by default as the same account, and wait until it is active."""
        owner = client or self.client()
        until(lambda: self.state(peering, owner) == "pending-acceptance")
        owner.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        until(lambda: self.state(peering) == "active")

    def route(self, table: str, destination: str) -> dict[str, Any] | None:
        for item in self.client().describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]:
            if destination in (item.get("DestinationCidrBlock"), item.get("DestinationIpv6CidrBlock"), item.get("DestinationPrefixListId")):
                return dict(item)
        return None

    def clean(self) -> None:
        while self.undo:
            with contextlib.suppress(ClientError):
                self.undo.pop()()


@contextlib.contextmanager
def workshop(endpoint: Any) -> Iterator[Workshop]:
    """A Workshop that leaves nothing behind."""
    shop = Workshop(endpoint)
    try:
        yield shop
    finally:
        shop.clean()
