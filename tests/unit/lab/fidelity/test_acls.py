# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network ACLs: the ``*`` entries, numbers, ICMP, quotas, and who has which."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import Vpc, make_vpc, refused

ALLOW: dict[str, Any] = {"RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "Egress": False, "CidrBlock": "10.0.0.0/8"}


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def make(vpc: Vpc) -> str:
    return str(vpc.client.create_network_acl(VpcId=vpc.id)["NetworkAcl"]["NetworkAclId"])


def one(vpc: Vpc, acl: str) -> dict[str, Any]:
    return dict(vpc.client.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0])


def default(vpc: Vpc) -> dict[str, Any]:
    filters = [{"Name": "vpc-id", "Values": [vpc.id]}, {"Name": "default", "Values": ["true"]}]
    return dict(vpc.client.describe_network_acls(Filters=filters)["NetworkAcls"][0])


def numbers(acl: dict[str, Any]) -> list[tuple[bool, int, str]]:
    return [(entry["Egress"], entry["RuleNumber"], entry["RuleAction"]) for entry in acl["Entries"]]


def test_a_new_acl_denies_and_the_default_one_allows(vpc: Vpc) -> None:
    assert numbers(one(vpc, make(vpc))) == [(True, 32767, "deny"), (False, 32767, "deny")]
    assert numbers(default(vpc)) == [(True, 100, "allow"), (True, 32767, "deny"), (False, 100, "allow"), (False, 32767, "deny")]


def test_ipv6_entries_come_with_the_block(vpc: Vpc) -> None:
    own = make(vpc)
    changed = make(vpc)
    vpc.client.associate_vpc_cidr_block(VpcId=vpc.id, AmazonProvidedIpv6CidrBlock=True)
    assert numbers(default(vpc))[:4] == [(True, 100, "allow"), (True, 101, "allow"), (True, 32767, "deny"), (True, 32768, "deny")]
    assert numbers(one(vpc, own))[:2] == [(True, 32767, "deny"), (True, 32768, "deny")]
    star = [entry for entry in one(vpc, changed)["Entries"] if entry["RuleNumber"] == 32768]
    assert {entry["Ipv6CidrBlock"] for entry in star} == {"::/0"}
    assert numbers(one(vpc, make(vpc)))[:2] == [(True, 32767, "deny"), (True, 32768, "deny")]


def test_a_changed_default_acl_is_not_opened_for_ipv6(vpc: Vpc) -> None:
    vpc.client.delete_network_acl_entry(NetworkAclId=default(vpc)["NetworkAclId"], RuleNumber=100, Egress=False)
    vpc.client.associate_vpc_cidr_block(VpcId=vpc.id, AmazonProvidedIpv6CidrBlock=True)
    assert 101 not in [number for _other, number, _other in numbers(default(vpc))]


def test_entries_as_they_are_kept(vpc: Vpc) -> None:
    acl = make(vpc)
    vpc.client.create_network_acl_entry(
        NetworkAclId=acl, **{**ALLOW, "Protocol": "icmp", "IcmpTypeCode": {"Type": 8, "Code": -1}, "CidrBlock": "100.68.0.18/18"}
    )
    vpc.client.create_network_acl_entry(
        NetworkAclId=acl, **{**ALLOW, "RuleNumber": 110, "Protocol": "6", "PortRange": {"From": 0, "To": 65535}}
    )
    vpc.client.create_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "RuleNumber": 1, "Egress": True, "RuleAction": "deny"})
    entries = [entry for entry in one(vpc, acl)["Entries"] if entry["RuleNumber"] < 32767]
    assert entries == [
        {"CidrBlock": "10.0.0.0/8", "Egress": True, "Protocol": "-1", "RuleAction": "deny", "RuleNumber": 1},
        {
            "CidrBlock": "100.68.0.0/18",
            "Egress": False,
            "IcmpTypeCode": {"Code": -1, "Type": 8},
            "Protocol": "1",
            "RuleAction": "allow",
            "RuleNumber": 100,
        },
        {
            "CidrBlock": "10.0.0.0/8",
            "Egress": False,
            "PortRange": {"From": 0, "To": 65535},
            "Protocol": "6",
            "RuleAction": "allow",
            "RuleNumber": 110,
        },
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"RuleNumber": 0}, "InvalidParameterValue"),
        ({"RuleNumber": 32767}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0/40"}, "InvalidParameterValue"),
        ({"CidrBlock": "nonsense"}, "InvalidParameterValue"),
        ({"Protocol": "6"}, "MissingParameter"),
        ({"Protocol": "1"}, "MissingParameter"),
        ({"Protocol": "6", "PortRange": {"From": 9, "To": 3}}, "InvalidParameterValue"),
        ({"Protocol": "1", "IcmpTypeCode": {"Type": 999, "Code": 0}}, "InvalidParameterValue"),
        ({"Protocol": "999"}, "InvalidParameterValue"),
        ({"RuleAction": "maybe"}, "InvalidParameterValue"),
        ({"NetworkAclId": "acl-0123456789abcdef0"}, "InvalidNetworkAclID.NotFound"),
    ],
)
def test_what_aws_refuses(vpc: Vpc, change: dict[str, Any], code: str) -> None:
    with refused(code):
        vpc.client.create_network_acl_entry(**{"NetworkAclId": make(vpc), **ALLOW, **change})


def test_numbers_are_taken_once_each_way_and_can_be_replaced(vpc: Vpc) -> None:
    acl = make(vpc)
    vpc.client.create_network_acl_entry(NetworkAclId=acl, **ALLOW)
    with refused("NetworkAclEntryAlreadyExists", "100"):
        vpc.client.create_network_acl_entry(NetworkAclId=acl, **ALLOW)
    vpc.client.create_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "Egress": True})
    vpc.client.replace_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "RuleAction": "deny"})
    assert (False, 100, "deny") in numbers(one(vpc, acl))
    with refused("InvalidNetworkAclEntry.NotFound"):
        vpc.client.replace_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "RuleNumber": 7})
    vpc.client.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)
    with refused("InvalidNetworkAclEntry.NotFound"):
        vpc.client.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)
    with refused("InvalidParameterValue"):
        vpc.client.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=32767, Egress=False)


def test_twenty_entries_each_way_the_star_among_them(vpc: Vpc) -> None:
    acl = make(vpc)
    for number in range(1, 20):
        vpc.client.create_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "RuleNumber": number})
    with refused("NetworkAclEntryLimitExceeded"):
        vpc.client.create_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "RuleNumber": 20})
    vpc.client.create_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "RuleNumber": 20, "Egress": True})


def test_associations(vpc: Vpc) -> None:
    subnet, acl = vpc.subnet("10.0.1.0/24"), make(vpc)
    (association,) = default(vpc)["Associations"]
    assert association["SubnetId"] == subnet
    new = vpc.client.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)[
        "NewAssociationId"
    ]
    assert one(vpc, acl)["Associations"] == [{"NetworkAclAssociationId": new, "NetworkAclId": acl, "SubnetId": subnet}]
    assert default(vpc)["Associations"] == []
    with refused("DependencyViolation"):
        vpc.client.delete_network_acl(NetworkAclId=acl)
    with refused("InvalidParameterValue"):
        vpc.client.delete_network_acl(NetworkAclId=default(vpc)["NetworkAclId"])
    with refused("InvalidAssociationID.NotFound"):
        vpc.client.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
    vpc.client.delete_subnet(SubnetId=subnet)
    vpc.client.delete_network_acl(NetworkAclId=acl)
    with refused("InvalidNetworkAclID.NotFound"):
        one(vpc, acl)


def test_another_vpcs_acl_is_refused(vpc: Vpc, lab: Any) -> None:
    vpc.subnet("10.0.1.0/24")
    other = make(make_vpc(lab, "10.1.0.0/16"))
    with refused("InvalidParameterValue", "different networks"):
        vpc.client.replace_network_acl_association(
            AssociationId=default(vpc)["Associations"][0]["NetworkAclAssociationId"], NetworkAclId=other
        )


def test_filters_and_the_end_of_a_vpc(vpc: Vpc) -> None:
    acl = make(vpc)
    vpc.client.create_network_acl_entry(NetworkAclId=acl, **{**ALLOW, "CidrBlock": "10.77.0.0/16"})
    for name, value in (("entry.cidr", "10.77.*"), ("entry.rule-number", "100"), ("network-acl-id", acl)):
        found = vpc.client.describe_network_acls(Filters=[{"Name": name, "Values": [value]}, {"Name": "default", "Values": ["false"]}])
        assert [item["NetworkAclId"] for item in found["NetworkAcls"]] == [acl]
    vpc.client.delete_network_acl(NetworkAclId=acl)
    vpc.client.delete_vpc(VpcId=vpc.id)
    assert vpc.client.describe_network_acls()["NetworkAcls"] == []
