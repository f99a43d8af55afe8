# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private hosted zones: their VPCs, and those of other accounts by authorization."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import refused

OTHER = "222222222222"


@pytest.fixture
def zones(lab: Any) -> Any:
    return lab.client("route53")


def vpc(lab: Any, cidr: str, account: str = "111111111111") -> dict[str, str]:
    made = lab.client("ec2", account).create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    return {"VPCRegion": "us-east-1", "VPCId": made}


def zone(client: Any, of: dict[str, str], name: str = "corp.internal") -> str:
    made = client.create_hosted_zone(Name=name, CallerReference=f"{name}-{of['VPCId']}", VPC=of)["HostedZone"]
    assert made["Config"]["PrivateZone"] is True
    return str(made["Id"]).rsplit("/", 1)[-1]


def test_a_vpc_of_another_account_needs_the_owners_word(lab: Any, zones: Any) -> None:
    theirs = lab.client("route53", OTHER)
    mine, foreign = vpc(lab, "10.3.0.0/16"), vpc(lab, "10.2.0.0/16", OTHER)
    key = zone(zones, mine)

    with refused("NotAuthorizedException"):
        theirs.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=foreign)
    told = zones.create_vpc_association_authorization(HostedZoneId=key, VPC=foreign)
    assert (told["HostedZoneId"], told["VPC"]) == (key, foreign)
    assert zones.list_vpc_association_authorizations(HostedZoneId=key)["VPCs"] == [foreign]
    with refused("InvalidVPCId"):
        zones.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=foreign)
    assert theirs.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=foreign)["ChangeInfo"]["Status"] == "INSYNC"
    assert [item["VPCId"] for item in zones.get_hosted_zone(Id=key)["VPCs"]] == [mine["VPCId"], foreign["VPCId"]]
    shown = theirs.list_hosted_zones_by_vpc(**foreign)["HostedZoneSummaries"]
    assert [(item["HostedZoneId"], item["Owner"]["OwningAccount"]) for item in shown] == [(key, "111111111111")]

    zones.delete_vpc_association_authorization(HostedZoneId=key, VPC=foreign)
    again = {"HostedZoneId": key, "VPC": foreign}
    with refused("VPCAssociationAuthorizationNotFound"):
        zones.delete_vpc_association_authorization(**again)
    assert len(zones.get_hosted_zone(Id=key)["VPCs"]) == 2
    theirs.disassociate_vpc_from_hosted_zone(HostedZoneId=key, VPC=foreign)
    with refused("NotAuthorizedException"):
        theirs.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=foreign)


def test_authorizations_belong_to_the_zones_owner(lab: Any, zones: Any) -> None:
    theirs = lab.client("route53", OTHER)
    key = zone(zones, vpc(lab, "10.3.0.0/16"))
    foreign = vpc(lab, "10.2.0.0/16", OTHER)
    with refused("NoSuchHostedZone"):
        theirs.create_vpc_association_authorization(HostedZoneId=key, VPC=foreign)
    nobodys = {"VPCRegion": "us-east-1", "VPCId": "vpc-0123456789abcdef0"}
    with refused("InvalidVPCId"):
        zones.create_vpc_association_authorization(HostedZoneId=key, VPC=nobodys)
    with refused("NoSuchHostedZone"):
        zones.list_vpc_association_authorizations(HostedZoneId="Z0123456789")
    with refused("InvalidPaginationToken"):
        zones.list_vpc_association_authorizations(HostedZoneId=key, NextToken="x")


def test_authorizations_in_pages(lab: Any, zones: Any) -> None:
    key = zone(zones, vpc(lab, "10.3.0.0/16"))
    made = [vpc(lab, f"10.{number}.0.0/16", OTHER) for number in (20, 21, 22)]
    for each in made:
        zones.create_vpc_association_authorization(HostedZoneId=key, VPC=each)
    first = zones.list_vpc_association_authorizations(HostedZoneId=key, MaxResults="2")
    rest = zones.list_vpc_association_authorizations(HostedZoneId=key, MaxResults="2", NextToken=first["NextToken"])
    assert first["VPCs"] + rest["VPCs"] == made
    assert "NextToken" not in rest


def test_a_vpc_has_one_zone_of_a_name(lab: Any, zones: Any) -> None:
    mine, second = vpc(lab, "10.3.0.0/16"), vpc(lab, "10.4.0.0/16")
    key = zone(zones, mine)
    again = {"Name": "corp.internal.", "CallerReference": "2", "VPC": mine}
    with refused("ConflictingDomainExists"):
        zones.create_hosted_zone(**again)
    with refused("ConflictingDomainExists"):
        zones.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=mine)
    other = zone(zones, second)
    with refused("ConflictingDomainExists"):
        zones.associate_vpc_with_hosted_zone(HostedZoneId=other, VPC=mine)


def test_vpcs_and_zones_that_are_none(lab: Any, zones: Any) -> None:
    mine = vpc(lab, "10.3.0.0/16")
    nobodys = {"VPCRegion": "us-east-1", "VPCId": "vpc-0123456789abcdef0"}
    key = zone(zones, mine)
    with refused("InvalidVPCId"):
        zones.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=nobodys)
    elsewhere = {"VPCRegion": "eu-west-1", "VPCId": mine["VPCId"]}
    with refused("InvalidVPCId"):
        zones.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=elsewhere)
    with refused("InvalidVPCId"):
        zones.create_hosted_zone(Name="u.internal", CallerReference="u", VPC=nobodys)
    public = zones.create_hosted_zone(Name="example.com", CallerReference="p")["HostedZone"]["Id"].rsplit("/", 1)[-1]
    with refused("PublicZoneVPCAssociation"):
        zones.associate_vpc_with_hosted_zone(HostedZoneId=public, VPC=mine)
    with refused("NoSuchHostedZone"):
        zones.associate_vpc_with_hosted_zone(HostedZoneId="Z0123456789", VPC=mine)


def test_the_last_vpc_stays(lab: Any, zones: Any) -> None:
    mine, second = vpc(lab, "10.3.0.0/16"), vpc(lab, "10.4.0.0/16")
    key = zone(zones, mine)
    with refused("VPCAssociationNotFound"):
        zones.disassociate_vpc_from_hosted_zone(HostedZoneId=key, VPC=second)
    with refused("LastVPCAssociation"):
        zones.disassociate_vpc_from_hosted_zone(HostedZoneId=key, VPC=mine)
    zones.associate_vpc_with_hosted_zone(HostedZoneId=key, VPC=second)
    zones.disassociate_vpc_from_hosted_zone(HostedZoneId=key, VPC=mine)
    assert [item["VPCId"] for item in zones.get_hosted_zone(Id=key)["VPCs"]] == [second["VPCId"]]
