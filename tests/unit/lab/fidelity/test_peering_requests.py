# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateVpcPeeringConnection: what is taken, what fails, what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from .vpc_helpers import AWAY, HOME, A, B, is_seen, join, make_vpc, own_pool, refused, request, seen, state


def test_a_request_starts_and_then_awaits_acceptance(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B)
    made = left.client.create_vpc_peering_connection(VpcId=left.id, PeerVpcId=right.id, PeerOwnerId=B)["VpcPeeringConnection"]
    assert made["Status"] == {"Code": "initiating-request", "Message": f"Initiating Request to {B}"}
    assert made["RequesterVpcInfo"]["CidrBlock"] == "10.0.0.0/16"
    assert "CidrBlock" not in made["AccepterVpcInfo"]
    assert made["AccepterVpcInfo"] == {"OwnerId": B, "VpcId": right.id, "Region": HOME}
    assert abs(made["ExpirationTime"] - lab.lab.now() - timedelta(days=7)) < timedelta(seconds=30)
    key = made["VpcPeeringConnectionId"]
    for side in (left, right):
        view = seen(side, key)
        assert view["Status"] == {"Code": "pending-acceptance", "Message": f"Pending Acceptance by {B}"}
        assert "CidrBlock" not in view["RequesterVpcInfo"] and "CidrBlockSet" not in view["AccepterVpcInfo"]


def test_cidrs_of_both_families_are_shown_once_active(lab: Any) -> None:
    left = make_vpc(lab, AmazonProvidedIpv6CidrBlock=True)
    left.client.associate_vpc_cidr_block(VpcId=left.id, CidrBlock="10.9.0.0/16")
    right = make_vpc(lab, "10.1.0.0/16", B, AWAY)
    key = join(left, right)
    for side in (left, right):
        view = seen(side, key)
        assert view["Status"] == {"Code": "active", "Message": "Active"}
        assert "ExpirationTime" not in view
        mine, theirs = view["RequesterVpcInfo"], view["AccepterVpcInfo"]
        assert [item["CidrBlock"] for item in mine["CidrBlockSet"]] == ["10.0.0.0/16", "10.9.0.0/16"]
        assert len(mine["Ipv6CidrBlockSet"]) == 1 and mine["Ipv6CidrBlockSet"][0]["Ipv6CidrBlock"].endswith("::/56")
        assert theirs["CidrBlock"] == "10.1.0.0/16" and "Ipv6CidrBlockSet" not in theirs
        assert (mine["Region"], theirs["Region"]) == (HOME, AWAY)


def test_a_hub_has_one_connection_for_each_spoke(lab: Any) -> None:
    hub, one, two = make_vpc(lab), make_vpc(lab, "10.1.0.0/16"), make_vpc(lab, "10.2.0.0/16")
    first, second = join(hub, one), join(hub, two)
    assert first != second
    assert {state(hub, first), state(hub, second)} == {"active"}


@pytest.mark.parametrize("case", ["primary", "secondary", "ipv6"])
def test_overlap_fails_for_good(lab: Any, case: str) -> None:
    own = {
        account: {"Ipv6CidrBlock": "2001:db8:0:1000::/56", "Ipv6Pool": own_pool(account)} if case == "ipv6" else {} for account in (A, B)
    }
    left = make_vpc(lab, **own[A])
    right = make_vpc(lab, "10.0.128.0/20" if case == "primary" else "10.1.0.0/16", B, **own[B])
    if case == "secondary":
        left.client.associate_vpc_cidr_block(VpcId=left.id, CidrBlock="10.5.0.0/16")
        right.client.associate_vpc_cidr_block(VpcId=right.id, CidrBlock="10.5.3.0/24")
    key = request(left, right)
    assert seen(left, key)["Status"] == {
        "Code": "failed",
        "Message": "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
    }
    with refused("InvalidStateTransition", "from failed to deleting"):
        left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)


def test_an_unknown_peer(lab: Any) -> None:
    left = make_vpc(lab)
    absent = "vpc-0123456789abcdef0"
    with refused("InvalidVpcID.NotFound", absent):
        left.client.create_vpc_peering_connection(VpcId=left.id, PeerVpcId=absent)
    for where in ({"PeerOwnerId": B}, {"PeerRegion": AWAY}):
        made = left.client.create_vpc_peering_connection(VpcId=left.id, PeerVpcId=absent, **where)["VpcPeeringConnection"]
        assert state(left, made["VpcPeeringConnectionId"]) == "failed"


def test_what_is_refused_at_once(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    create = left.client.create_vpc_peering_connection
    with refused("InvalidParameterValue", "itself"):
        create(VpcId=left.id, PeerVpcId=left.id)
    with refused("InvalidVpcID.NotFound"):
        create(VpcId="vpc-0123456789abcdef0", PeerVpcId=right.id)
    with refused("InvalidVpcID.Malformed"):
        create(VpcId=left.id, PeerVpcId="not-a-vpc")
    with refused("MissingParameter", "peerVpcId"):
        create(VpcId=left.id)
    with refused("InvalidParameterValue", "peerOwnerId"):
        create(VpcId=left.id, PeerVpcId=right.id, PeerOwnerId="123")
    with refused("InvalidParameterValue", "peerRegion"):
        create(VpcId=left.id, PeerVpcId=right.id, PeerRegion="moon-north-1")
    with refused("DryRunOperation"):
        create(VpcId=left.id, PeerVpcId=right.id, DryRun=True)
    assert not left.client.describe_vpc_peering_connections()["VpcPeeringConnections"]


def test_the_same_request_again_is_the_same_request(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B)
    key = request(left, right)
    assert request(left, right) == key
    other_way = request(right, left)
    assert other_way != key
    right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    with refused("VpcPeeringConnectionAlreadyExists", key):
        left.client.accept_vpc_peering_connection(VpcPeeringConnectionId=other_way)
    for one, two in ((left, right), (right, left)):
        with refused("VpcPeeringConnectionAlreadyExists", key):
            request(one, two)


def test_a_pair_can_be_joined_again_after_deletion(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    first = join(left, right)
    left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=first)
    second = join(left, right)
    assert second != first
    assert (state(left, first), state(left, second)) == ("deleted", "active")


def test_outstanding_requests_are_limited_by_requester(lab: Any) -> None:
    lab.control.config(quotas={"peerings_outstanding": 2})
    hub = make_vpc(lab)
    spokes = [make_vpc(lab, f"10.{number}.0.0/16", B) for number in range(1, 5)]
    first, _other = request(hub, spokes[0]), request(hub, spokes[1])
    with refused("OutstandingVpcPeeringConnectionLimitExceeded", "2"):
        request(hub, spokes[2])
    assert request(hub, spokes[0]) == first
    spokes[0].client.accept_vpc_peering_connection(VpcPeeringConnectionId=first)
    request(hub, spokes[2])
    with refused("OutstandingVpcPeeringConnectionLimitExceeded"):
        request(hub, spokes[3])
    request(spokes[3], hub)


def test_active_connections_are_limited_by_vpc(lab: Any) -> None:
    lab.control.config(quotas={"peerings_active": 1})
    hub, one, two = make_vpc(lab), make_vpc(lab, "10.1.0.0/16"), make_vpc(lab, "10.2.0.0/16")
    join(hub, one)
    key = request(hub, two)
    with refused("ActiveVpcPeeringConnectionPerVpcLimitExceeded", hub.id):
        two.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert state(hub, key) == "pending-acceptance"


def test_time_in_the_states_between_can_be_set(lab: Any) -> None:
    lab.lab.state("settings").update(peering_initiating_s=10, peering_provisioning_s=20, peering_deleting_s=30)
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", A, AWAY)
    key = request(left, right)
    assert state(left, key) == "initiating-request"
    with refused("InvalidStateTransition", "from initiating-request to provisioning"):
        right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    lab.lab.advance(11)
    answer = right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)["VpcPeeringConnection"]
    assert answer["Status"]["Code"] == "provisioning"
    assert state(left, key) == "provisioning"
    with refused("OperationNotPermitted", "is not active"):
        left.client.modify_vpc_peering_connection_options(
            VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": False}
        )
    lab.lab.advance(21)
    assert state(left, key) == "active"
    left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert state(right, key) == "deleting"
    lab.lab.advance(31)
    assert seen(right, key)["Status"] == {"Code": "deleted", "Message": f"Deleted by {A}"}


def test_inside_one_region_nothing_is_ever_deleting(lab: Any) -> None:
    lab.lab.state("settings").update(peering_deleting_s=30)
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    key = join(left, right)
    left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert state(left, key) == "deleted"


def test_multipath_resilience_is_for_two_regions(lab: Any) -> None:
    left, near, far = make_vpc(lab), make_vpc(lab, "10.1.0.0/16"), make_vpc(lab, "10.2.0.0/16", A, AWAY)
    with refused("InvalidParameterValue", "inter-Region"):
        request(left, near, RequesterPeeringConnectionOptions={"AllowMultipathResilience": True})
    key = request(left, far, RequesterPeeringConnectionOptions={"AllowMultipathResilience": True})
    assert seen(left, key)["MultipathResilienceStatus"] == "pending"
    far.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert seen(left, key)["MultipathResilienceStatus"] == "enabled"
    far.client.modify_vpc_peering_connection_options(
        VpcPeeringConnectionId=key, AccepterPeeringConnectionOptions={"AllowMultipathResilience": False}
    )
    view = seen(left, key)
    assert view["MultipathResilienceStatus"] == "pending"
    assert "MultipathResilienceMode" not in view["AccepterVpcInfo"]["PeeringOptions"]


def test_a_failed_request_is_not_the_accepters_to_see(lab: Any) -> None:
    lab.lab.state("settings").update(peering_initiating_s=10)
    left, right = make_vpc(lab), make_vpc(lab, "10.0.0.0/20", B)
    key = request(left, right)
    assert not is_seen(right, key)
    assert state(left, key) == "initiating-request"
    lab.lab.advance(11)
    assert state(left, key) == "failed"
    assert not is_seen(right, key)
