# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed prefix lists: versions, maximum, references, AWS's own."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import Vpc, make_vpc, refused


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def make(vpc: Vpc, *cidrs: str, most: int = 10, **more: Any) -> str:
    answer = vpc.client.create_managed_prefix_list(
        PrefixListName="offices", AddressFamily="IPv4", MaxEntries=most, Entries=[{"Cidr": cidr} for cidr in cidrs], **more
    )
    assert answer["PrefixList"]["State"] == "create-in-progress"
    return str(answer["PrefixList"]["PrefixListId"])


def one(vpc: Vpc, key: str) -> dict[str, Any]:
    return dict(vpc.client.describe_managed_prefix_lists(PrefixListIds=[key])["PrefixLists"][0])


def cidrs(vpc: Vpc, key: str, **more: Any) -> list[str]:
    return [entry["Cidr"] for entry in vpc.client.get_managed_prefix_list_entries(PrefixListId=key, **more)["Entries"]]


def modify(vpc: Vpc, key: str, **more: Any) -> None:
    vpc.client.modify_managed_prefix_list(PrefixListId=key, **more)


def test_versions(vpc: Vpc) -> None:
    key = make(vpc, "10.1.0.0/16", "10.2.3.4/16")
    found = one(vpc, key)
    assert (found["State"], found["Version"], found["MaxEntries"], found["OwnerId"]) == ("create-complete", 1, 10, vpc.account)
    modify(vpc, key, CurrentVersion=1, AddEntries=[{"Cidr": "10.3.0.0/16"}], RemoveEntries=[{"Cidr": "10.1.0.0/16"}])
    with refused("PrefixListVersionMismatch"):
        modify(vpc, key, CurrentVersion=1, AddEntries=[{"Cidr": "10.4.0.0/16"}])
    with refused("MissingParameter"):
        modify(vpc, key, AddEntries=[{"Cidr": "10.4.0.0/16"}])
    assert (one(vpc, key)["State"], one(vpc, key)["Version"], cidrs(vpc, key)) == ("modify-complete", 2, ["10.2.0.0/16", "10.3.0.0/16"])
    assert cidrs(vpc, key, TargetVersion=1) == ["10.1.0.0/16", "10.2.0.0/16"]
    vpc.client.restore_managed_prefix_list_version(PrefixListId=key, PreviousVersion=1, CurrentVersion=2)
    assert (one(vpc, key)["State"], one(vpc, key)["Version"], cidrs(vpc, key)) == ("restore-complete", 3, ["10.1.0.0/16", "10.2.0.0/16"])
    modify(vpc, key, PrefixListName="renamed")
    assert (one(vpc, key)["PrefixListName"], one(vpc, key)["Version"]) == ("renamed", 3)


def test_the_maximum(vpc: Vpc) -> None:
    key = make(vpc, "10.1.0.0/16", most=1)
    with refused("PrefixListMaxEntriesExceeded"):
        modify(vpc, key, CurrentVersion=1, AddEntries=[{"Cidr": "10.2.0.0/16"}])
    with refused("InvalidParameterCombination"):
        modify(vpc, key, CurrentVersion=1, AddEntries=[{"Cidr": "10.2.0.0/16"}], MaxEntries=5)
    modify(vpc, key, MaxEntries=2)
    modify(vpc, key, CurrentVersion=1, AddEntries=[{"Cidr": "10.2.0.0/16"}])
    with refused("InvalidParameterValue"):
        modify(vpc, key, MaxEntries=1)


def test_a_new_maximum_that_breaks_a_quota_fails(vpc: Vpc) -> None:
    key = make(vpc)
    group = vpc.client.create_security_group(GroupName="g", Description="g", VpcId=vpc.id)["GroupId"]
    permission = {"IpProtocol": "-1", "PrefixListIds": [{"PrefixListId": key}]}
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    modify(vpc, key, MaxEntries=61)
    found = one(vpc, key)
    assert (found["State"], found["MaxEntries"], group in found["StateMessage"]) == ("modify-failed", 10, True)
    assert vpc.client.get_managed_prefix_list_associations(PrefixListId=key)["PrefixListAssociations"] == [
        {"ResourceId": group, "ResourceOwner": vpc.account}
    ]
    with refused("DependencyViolation", group):
        vpc.client.delete_managed_prefix_list(PrefixListId=key)
    vpc.client.revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    vpc.client.delete_managed_prefix_list(PrefixListId=key)
    with refused("InvalidPrefixListID.NotFound"):
        one(vpc, key)


def test_what_aws_refuses(vpc: Vpc) -> None:
    for more in (
        {"Entries": [{"Cidr": "2001:db8::/32"}]},
        {"Entries": [{"Cidr": "nonsense"}]},
        {"Entries": [{"Cidr": "10.0.0.0/8"}, {"Cidr": "10.1.0.0/8"}]},
        {"AddressFamily": "IPv5"},
        {"PrefixListName": "com.amazonaws.mine"},
        {"MaxEntries": 5000},
    ):
        with refused("InvalidParameterValue"):
            vpc.client.create_managed_prefix_list(**{"PrefixListName": "p", "AddressFamily": "IPv4", "MaxEntries": 3, **more})


def test_awss_own_lists(vpc: Vpc) -> None:
    (s3,) = vpc.client.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": ["com.amazonaws.us-east-1.s3"]}])[
        "PrefixLists"
    ]
    assert (s3["OwnerId"], "Version" in s3, "MaxEntries" in s3) == ("AWS", False, False)
    assert cidrs(vpc, s3["PrefixListId"]) != []
    with refused("OperationNotPermitted"):
        vpc.client.delete_managed_prefix_list(PrefixListId=s3["PrefixListId"])


def test_entries_are_paged(vpc: Vpc) -> None:
    key = make(vpc, *(f"10.{number}.0.0/16" for number in range(7)))
    pages = vpc.client.get_paginator("get_managed_prefix_list_entries").paginate(PrefixListId=key, PaginationConfig={"PageSize": 3})
    assert [len(page["Entries"]) for page in pages] == [3, 3, 1]


def test_a_list_beside_ordinary_routes_and_in_one(vpc: Vpc) -> None:
    """Local, CIDR, IPv6 and endpoint routes have no prefix list of the account; a table that routes to one keeps it."""
    client, table = vpc.client, vpc.table()
    gateway = client.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    client.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc.id)
    client.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    client.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    client.create_vpc_endpoint(VpcId=vpc.id, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table])
    client.delete_managed_prefix_list(PrefixListId=make(vpc, "203.0.113.0/24"))
    key = make(vpc, "203.0.113.0/24")
    client.create_route(RouteTableId=table, DestinationPrefixListId=key, GatewayId=gateway)
    associations = client.get_managed_prefix_list_associations(PrefixListId=key)["PrefixListAssociations"]
    assert associations == [{"ResourceId": table, "ResourceOwner": vpc.account}]
    with refused("DependencyViolation", table):
        client.delete_managed_prefix_list(PrefixListId=key)
    client.delete_route(RouteTableId=table, DestinationPrefixListId=key)
    client.delete_managed_prefix_list(PrefixListId=key)
    with refused("InvalidPrefixListID.NotFound"):
        one(vpc, key)
