# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC peering connections as the VPC Peering Guide describes them."""

from __future__ import annotations

from typing import Any

from .contract_helpers import refused, until, workshop


def test_a_request_is_accepted_used_and_deleted(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        left, right = shop.vpc("10.210.0.0/24"), shop.vpc("10.211.0.0/24")
        client, table = shop.client(), shop.table(left)
        key = shop.peering(left, right)
        until(lambda: shop.state(key) == "pending-acceptance")
        client.create_route(RouteTableId=table, DestinationCidrBlock="10.211.0.0/24", VpcPeeringConnectionId=key)
        assert (shop.route(table, "10.211.0.0/24") or {})["State"] == "blackhole"
        with refused("OperationNotPermitted"):
            client.modify_vpc_peering_connection_options(
                VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": False}
            )
        shop.active(key)
        until(lambda: (shop.route(table, "10.211.0.0/24") or {})["State"] == "active")
        view = client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[key])["VpcPeeringConnections"][0]
        assert view["AccepterVpcInfo"]["CidrBlock"] == "10.211.0.0/24"
        with refused("InvalidVpcPeeringConnectionState.DnsHostnamesDisabled"):
            client.modify_vpc_peering_connection_options(
                VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": True}
            )
        client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
        until(lambda: shop.state(key) == "deleted")
        until(lambda: (shop.route(table, "10.211.0.0/24") or {})["State"] == "blackhole")
        with refused("InvalidStateTransition"):
            client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)


def test_overlapping_blocks_fail(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        left, right = shop.vpc("10.210.0.0/16"), shop.vpc("10.210.8.0/24")
        key = shop.peering(left, right)
        until(lambda: shop.state(key) == "failed")


def test_a_rejected_request_is_dead(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        key = shop.peering(shop.vpc("10.210.0.0/24"), shop.vpc("10.211.0.0/24"))
        until(lambda: shop.state(key) == "pending-acceptance")
        shop.client().reject_vpc_peering_connection(VpcPeeringConnectionId=key)
        until(lambda: shop.state(key) == "rejected")
        for verb in ("accept", "delete"):
            with refused("InvalidStateTransition"):
                getattr(shop.client(), f"{verb}_vpc_peering_connection")(VpcPeeringConnectionId=key)


def test_filters_pick_one_of_two_spokes(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        hub, one, two = shop.vpc("10.210.0.0/24"), shop.vpc("10.211.0.0/24"), shop.vpc("10.212.0.0/24")
        first, second = shop.peering(hub, one), shop.peering(hub, two)
        assert first != second
        for spoke, key in ((one, first), (two, second)):
            filters = [{"Name": "requester-vpc-info.vpc-id", "Values": [hub]}, {"Name": "accepter-vpc-info.vpc-id", "Values": [spoke]}]
            found = until(lambda filters=filters: shop.client().describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"])
            assert [item["VpcPeeringConnectionId"] for item in found] == [key]


def test_unknown_ids(endpoint: Any) -> None:
    client = endpoint.client("ec2")
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        client.describe_vpc_peering_connections(VpcPeeringConnectionIds=["pcx-00000000000000000"])
    with refused("InvalidVpcPeeringConnectionId.Malformed"):
        client.describe_vpc_peering_connections(VpcPeeringConnectionIds=["pcx-nonsense"])


def test_between_two_accounts_only_the_accepter_answers(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        other = shop.client(peer=True)
        left, right = shop.vpc("10.210.0.0/24"), shop.vpc("10.211.0.0/24", peer=True)
        key = shop.peering(left, right, PeerOwnerId=endpoint.account(peer=True))
        until(lambda: shop.state(key) == "pending-acceptance")
        with refused("OperationNotPermitted"):
            shop.client().accept_vpc_peering_connection(VpcPeeringConnectionId=key)
        shop.active(key, other)
        other.create_tags(Resources=[key], Tags=[{"Key": "theirs", "Value": "1"}])
        mine = shop.client().describe_vpc_peering_connections(VpcPeeringConnectionIds=[key])["VpcPeeringConnections"][0]
        assert "theirs" not in [tag["Key"] for tag in mine.get("Tags", [])]
        with refused("OperationNotPermitted"):
            shop.client().modify_vpc_peering_connection_options(
                VpcPeeringConnectionId=key, AccepterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": False}
            )


def test_between_two_regions_the_accepters_region_answers(endpoint: Any) -> None:
    with workshop(endpoint) as shop:
        away = shop.client(region="eu-west-1")
        left, right = shop.vpc("10.210.0.0/24"), shop.vpc("10.211.0.0/24", region="eu-west-1")
        key = shop.peering(left, right, PeerRegion="eu-west-1")
        until(lambda: shop.state(key) == "pending-acceptance")
        with refused("OperationNotPermitted"):
            shop.client().accept_vpc_peering_connection(VpcPeeringConnectionId=key)
        shop.active(key, away)
