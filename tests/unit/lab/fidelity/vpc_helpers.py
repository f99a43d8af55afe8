# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the VPC domain need again and again, over boto3 clients alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

A, B = "111111111111", "222222222222"
HOME, AWAY = "us-east-1", "eu-west-1"


def own_pool(account: str) -> str:
    """The IPv6 pool that an account of the lab has brought."""
    return f"ipv6pool-ec2-{int(account):017x}"


@contextmanager
def refused(code: str, *words: str) -> Iterator[None]:
    """The block must be answered with AWS's code, and a message that holds the words."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"], error


@dataclass(frozen=True)
class Vpc:
    """A VPC and where it is."""

    id: str
    account: str
    region: str
    client: Any

    def table(self) -> str:
        """The main route table's id."""
        found = self.client.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [self.id]}, {"Name": "association.main", "Values": ["true"]}]
        )
        return str(found["RouteTables"][0]["RouteTableId"])

    def subnet(self, cidr: str, **more: Any) -> str:
        return str(self.client.create_subnet(VpcId=self.id, CidrBlock=cidr, **more)["Subnet"]["SubnetId"])


def make_vpc(lab: Any, cidr: str = "10.0.0.0/16", account: str = A, region: str = HOME, **more: Any) -> Vpc:
    client = lab.client("ec2", account=account, region=region)
    return Vpc(client.create_vpc(CidrBlock=cidr, **more)["Vpc"]["VpcId"], account, region, client)


def request(requester: Vpc, accepter: Vpc, **more: Any) -> str:
    """Ask for a connection; its id."""
    answer = requester.client.create_vpc_peering_connection(
        VpcId=requester.id, PeerVpcId=accepter.id, PeerOwnerId=accepter.account, PeerRegion=accepter.region, **more
    )
    return str(answer["VpcPeeringConnection"]["VpcPeeringConnectionId"])


def join(requester: Vpc, accepter: Vpc) -> str:
    """An active connection's id."""
    key = request(requester, accepter)
    accepter.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    return key


def seen(vpc: Vpc, key: str) -> dict[str, Any]:
    """A connection as the VPC's owner sees it in the VPC's Region."""
    return dict(vpc.client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[key])["VpcPeeringConnections"][0])


def state(vpc: Vpc, key: str) -> str:
    return str(seen(vpc, key)["Status"]["Code"])


def is_seen(vpc: Vpc, key: str) -> bool:
    return key in [item["VpcPeeringConnectionId"] for item in vpc.client.describe_vpc_peering_connections()["VpcPeeringConnections"]]


def routes(client: Any, table: str) -> dict[str, dict[str, Any]]:
    """A table's routes by destination."""
    found = client.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return {
        str(item.get("DestinationCidrBlock") or item.get("DestinationIpv6CidrBlock") or item.get("DestinationPrefixListId")): item
        for item in found
    }
