# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ModifyVpcPeeringConnectionOptions: each owner its own side, of an active connection, with DNS on in both VPCs."""

from __future__ import annotations

from typing import Any

from .vpc_helpers import AWAY, A, B, Vpc, join, make_vpc, refused, request, seen

ON = {"AllowDnsResolutionFromRemoteVpc": True}


def _dns(*vpcs: Vpc) -> None:
    for vpc in vpcs:
        vpc.client.modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": True})


def _options(vpc: Vpc, key: str) -> tuple[bool, bool]:
    view = seen(vpc, key)
    first, second = (view[side]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] for side in ("RequesterVpcInfo", "AccepterVpcInfo"))
    return first, second


def test_both_sides_in_one_call_inside_one_account_and_region(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    _dns(left, right)
    key = join(left, right)
    assert _options(left, key) == (False, False)
    answer = left.client.modify_vpc_peering_connection_options(
        VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions=ON, AccepterPeeringConnectionOptions=ON
    )
    assert answer["RequesterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    assert answer["AccepterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    assert _options(left, key) == (True, True)


def test_each_owner_sets_its_own_side(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B)
    _dns(left, right)
    key = join(left, right)
    modify = left.client.modify_vpc_peering_connection_options
    with refused("OperationNotPermitted", "accepter", B):
        modify(VpcPeeringConnectionId=key, AccepterPeeringConnectionOptions=ON)
    with refused("OperationNotPermitted", "accepter"):
        modify(VpcPeeringConnectionId=key, AccepterPeeringConnectionOptions=ON, RequesterPeeringConnectionOptions=ON)
    assert _options(left, key) == (False, False)
    modify(VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions=ON)
    assert _options(right, key) == (True, False)
    right.client.modify_vpc_peering_connection_options(VpcPeeringConnectionId=key, AccepterPeeringConnectionOptions=ON)
    assert _options(left, key) == (True, True)


def test_between_regions_each_side_is_set_in_its_region(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", A, AWAY)
    _dns(left, right)
    key = join(left, right)
    with refused("OperationNotPermitted", AWAY):
        left.client.modify_vpc_peering_connection_options(VpcPeeringConnectionId=key, AccepterPeeringConnectionOptions=ON)
    right.client.modify_vpc_peering_connection_options(VpcPeeringConnectionId=key, AccepterPeeringConnectionOptions=ON)
    assert _options(left, key) == (False, True)


def test_both_vpcs_need_dns_hostnames_and_support(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    key = join(left, right)
    modify = left.client.modify_vpc_peering_connection_options
    for ready in ((), (left,)):
        _dns(*ready)
        with refused("InvalidVpcPeeringConnectionState.DnsHostnamesDisabled"):
            modify(VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions=ON)
    _dns(right)
    right.client.modify_vpc_attribute(VpcId=right.id, EnableDnsSupport={"Value": False})
    with refused("InvalidVpcPeeringConnectionState.DnsHostnamesDisabled"):
        modify(VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions=ON)
    modify(VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions={"AllowDnsResolutionFromRemoteVpc": False})


def test_only_an_active_connection_has_options(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    _dns(left, right)
    key = request(left, right)
    with refused("OperationNotPermitted", f"Peering {key} is not active. Peering options can be added only to active peerings."):
        left.client.modify_vpc_peering_connection_options(VpcPeeringConnectionId=key, RequesterPeeringConnectionOptions=ON)
    with refused("MissingParameter"):
        left.client.modify_vpc_peering_connection_options(VpcPeeringConnectionId=key)
