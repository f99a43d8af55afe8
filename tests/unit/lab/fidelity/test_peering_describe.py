# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DescribeVpcPeeringConnections: filters, ids, pages, and tags that each owner has for itself."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import AWAY, A, B, join, make_vpc, refused, request, seen


def _ids(client: Any, *filters: tuple[str, list[str]], **more: Any) -> list[str]:
    answer = client.describe_vpc_peering_connections(Filters=[{"Name": name, "Values": values} for name, values in filters], **more)
    return [item["VpcPeeringConnectionId"] for item in answer["VpcPeeringConnections"]]


def test_every_filter_that_aws_documents(lab: Any) -> None:
    hub, one, two = make_vpc(lab), make_vpc(lab, "10.1.0.0/16"), make_vpc(lab, "10.2.0.0/16", B)
    tags = [{"ResourceType": "vpc-peering-connection", "Tags": [{"Key": "Name", "Value": "hub to one"}, {"Key": "team", "Value": "a"}]}]
    first = request(hub, one, TagSpecifications=tags)
    second = join(hub, two)
    third = request(one, two)
    client = hub.client
    expiry = client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[first])["VpcPeeringConnections"][0]["ExpirationTime"]
    for name, values, wanted in (
        ("accepter-vpc-info.cidr-block", ["10.2.0.0/16"], [second]),
        ("accepter-vpc-info.owner-id", [B], [second, third]),
        ("accepter-vpc-info.vpc-id", [one.id], [first]),
        ("expiration-time", [expiry.strftime("%Y-%m-%dT%H:%M:%S.000Z")], None),
        ("requester-vpc-info.cidr-block", ["10.0.0.0/16"], [second]),
        ("requester-vpc-info.owner-id", [A], [first, second, third]),
        ("requester-vpc-info.owner-id", [B], []),
        ("requester-vpc-info.vpc-id", [hub.id], [first, second]),
        ("requester-vpc-info.vpc-id", [hub.id, one.id], [first, second, third]),
        ("status-code", ["active"], [second]),
        ("status-code", ["active", "pending-acceptance"], [first, second, third]),
        ("status-message", ["Pending*"], [first, third]),
        ("tag:Name", ["hub to *"], [first]),
        ("tag:Name", ["hub to ???"], [first]),
        ("tag:Name", ["hub to ??"], []),
        ("tag-key", ["team"], [first]),
        ("vpc-peering-connection-id", [first, second], [first, second]),
    ):
        found = _ids(client, (name, list(values)))
        if wanted is None:
            assert first in found
        else:
            assert found == wanted, name
    assert _ids(client, ("requester-vpc-info.vpc-id", [hub.id]), ("status-code", ["pending-acceptance"])) == [first]
    with refused("InvalidParameterValue", "colour"):
        _ids(client, ("colour", ["red"]))


def test_ids_that_are_not_there(lab: Any) -> None:
    client = lab.client("ec2")
    for key in ("pcx-0123456789abcdef0", "pcx-12345678"):
        with refused("InvalidVpcPeeringConnectionID.NotFound", key):
            client.describe_vpc_peering_connections(VpcPeeringConnectionIds=[key])
    for call in ("accept", "reject", "delete"):
        with refused("InvalidVpcPeeringConnectionID.NotFound"):
            getattr(client, f"{call}_vpc_peering_connection")(VpcPeeringConnectionId="pcx-0123456789abcdef0")
    with refused("InvalidVpcPeeringConnectionId.Malformed", "expecting"):
        client.describe_vpc_peering_connections(VpcPeeringConnectionIds=["pcx-xyz"])


def test_who_sees_a_connection(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B, AWAY)
    key = request(left, right)
    assert _ids(left.client) == [key] and _ids(right.client) == [key]
    for account, region in ((A, AWAY), (B, "us-east-1"), ("333333333333", "us-east-1")):
        assert _ids(lab.client("ec2", account=account, region=region)) == []


def test_pages(lab: Any) -> None:
    lab.control.config(quotas={"peerings_outstanding": 30})
    hub = make_vpc(lab)
    keys = [request(hub, make_vpc(lab, f"10.{number}.0.0/16")) for number in range(1, 13)]
    page = hub.client.describe_vpc_peering_connections(MaxResults=5)
    assert [item["VpcPeeringConnectionId"] for item in page["VpcPeeringConnections"]] == keys[:5]
    walked = hub.client.get_paginator("describe_vpc_peering_connections").paginate(PaginationConfig={"PageSize": 5}).build_full_result()
    assert [item["VpcPeeringConnectionId"] for item in walked["VpcPeeringConnections"]] == keys
    assert "NextToken" not in hub.client.describe_vpc_peering_connections(MaxResults=12)
    unchecked = lab.client("ec2", parameter_validation=False)
    with refused("InvalidParameterValue", "5"):
        unchecked.describe_vpc_peering_connections(MaxResults=4)
    with refused("InvalidParameterValue", "token"):
        hub.client.describe_vpc_peering_connections(MaxResults=5, NextToken="bogus")


@pytest.mark.parametrize("region", ["us-east-1", AWAY])
def test_each_owner_has_its_own_tags(lab: Any, region: str) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B, region)
    key = request(left, right, TagSpecifications=[{"ResourceType": "vpc-peering-connection", "Tags": [{"Key": "Name", "Value": "mine"}]}])
    assert seen(left, key)["Tags"] == [{"Key": "Name", "Value": "mine"}]
    assert seen(right, key)["Tags"] == []
    right.client.create_tags(Resources=[key], Tags=[{"Key": "Name", "Value": "theirs"}])
    assert seen(left, key)["Tags"] == [{"Key": "Name", "Value": "mine"}]
    assert seen(right, key)["Tags"] == [{"Key": "Name", "Value": "theirs"}]
    left.client.delete_tags(Resources=[key], Tags=[{"Key": "Name"}])
    assert seen(left, key)["Tags"] == []
    found = right.client.describe_tags(Filters=[{"Name": "resource-id", "Values": [key]}])["Tags"]
    assert [(item["Key"], item["Value"], item["ResourceType"]) for item in found] == [("Name", "theirs", "vpc-peering-connection")]
    assert _ids(right.client, ("tag:Name", ["theirs"])) == [key]
    assert _ids(left.client, ("tag:Name", ["theirs"])) == []
