# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups: their rules, what AWS refuses, filters, paging."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.calls import Refusal
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.lab.fidelity import group_rules
from hypothesis import given
from hypothesis import strategies as st

from .vpc_helpers import Vpc, make_vpc, refused


@pytest.fixture
def vpc(lab: Any) -> Vpc:
    return make_vpc(lab)


def make(vpc: Vpc, name: str = "web", **more: Any) -> str:
    return str(vpc.client.create_security_group(GroupName=name, Description=f"the {name} group", VpcId=vpc.id, **more)["GroupId"])


def tcp(port: int, *cidrs: str, **more: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr} for cidr in cidrs], **more}


def one(vpc: Vpc, group: str) -> dict[str, Any]:
    found: dict[str, Any] = vpc.client.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    return found


def rules(vpc: Vpc, group: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = vpc.client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])[
        "SecurityGroupRules"
    ]
    return found


def test_a_new_group_lets_everything_out_and_nothing_in(vpc: Vpc) -> None:
    group = one(vpc, make(vpc))
    assert group["IpPermissions"] == []
    assert [item["IpRanges"] for item in group["IpPermissionsEgress"]] == [[{"CidrIp": "0.0.0.0/0"}]]
    assert group["IpPermissionsEgress"][0]["IpProtocol"] == "-1"
    assert "FromPort" not in group["IpPermissionsEgress"][0]


def test_a_default_group_lets_its_own_members_in(vpc: Vpc) -> None:
    found = vpc.client.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc.id]}, {"Name": "group-name", "Values": ["default"]}]
    )
    default = found["SecurityGroups"][0]
    assert default["IpPermissions"][0]["UserIdGroupPairs"] == [{"UserId": vpc.account, "GroupId": default["GroupId"]}]
    with refused("CannotDelete"):
        vpc.client.delete_security_group(GroupId=default["GroupId"])


def test_ipv6_rules_appear_with_the_vpcs_ipv6_block(vpc: Vpc) -> None:
    vpc.client.associate_vpc_cidr_block(VpcId=vpc.id, AmazonProvidedIpv6CidrBlock=True)
    default = vpc.client.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc.id]}])["SecurityGroups"][0]
    assert default["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]
    assert one(vpc, make(vpc))["IpPermissionsEgress"][0]["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]


def test_cidrs_are_canonicalised_and_then_duplicates(vpc: Vpc) -> None:
    group = make(vpc)
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "100.68.0.18/18")])
    assert rules(vpc, group)[-1]["CidrIpv4"] == "100.68.0.0/18"
    with refused("InvalidPermission.Duplicate", "100.68.0.0/18", "TCP"):
        vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "100.68.0.0/18")])


def test_many_rules_are_added_all_or_none(vpc: Vpc) -> None:
    group = make(vpc)
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16")])
    before = rules(vpc, group)
    with refused("InvalidPermission.Duplicate"):
        vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(80, "10.1.0.0/16"), tcp(22, "10.1.0.0/16")])
    with refused("InvalidPermission.Duplicate"):
        vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(81, "10.1.0.0/16", "10.1.2.3/16")])
    assert rules(vpc, group) == before


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        (tcp(22), "MissingParameter"),
        (tcp(22, "10.0.0.0"), "InvalidParameterValue"),
        (tcp(22, "10.0.0.0/33"), "InvalidParameterValue"),
        (tcp(70000, "10.0.0.0/8"), "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "FromPort": 9, "ToPort": 3, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "icmp", "FromPort": -1, "ToPort": 0, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "nonsense", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "300", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        (tcp(22, UserIdGroupPairs=[{"GroupId": "sg-0123456789abcdef0"}]), "InvalidGroup.NotFound"),
        (tcp(22, PrefixListIds=[{"PrefixListId": "pl-0123456789abcdef0"}]), "InvalidPrefixListID.NotFound"),
        (tcp(22, IpRanges=[{"CidrIp": "10.0.0.0/8", "Description": "ünïcode"}]), "InvalidParameterValue"),
    ],
)
def test_what_aws_refuses(vpc: Vpc, permission: dict[str, Any], code: str) -> None:
    with refused(code):
        vpc.client.authorize_security_group_ingress(GroupId=make(vpc), IpPermissions=[permission])


def test_protocols_are_named_and_numbered_as_aws_does(vpc: Vpc) -> None:
    group = make(vpc)
    ranges = [{"CidrIp": "10.9.0.0/16"}]
    vpc.client.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "6", "FromPort": 1, "ToPort": 2, "IpRanges": ranges},
            {"IpProtocol": "17", "FromPort": 1, "ToPort": 2, "IpRanges": ranges},
            {"IpProtocol": "1", "FromPort": 8, "ToPort": -1, "IpRanges": ranges},
            {"IpProtocol": "58", "Ipv6Ranges": [{"CidrIpv6": "2001:db8::1/32"}]},
            {"IpProtocol": "50", "FromPort": 1, "ToPort": 2, "IpRanges": ranges},
        ],
    )
    shown = [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules(vpc, group) if not rule["IsEgress"]]
    assert shown == [("tcp", 1, 2), ("udp", 1, 2), ("icmp", 8, -1), ("icmpv6", -1, -1), ("50", -1, -1)]
    esp = next(item for item in one(vpc, group)["IpPermissions"] if item["IpProtocol"] == "50")
    assert "FromPort" not in esp


def test_revoking_what_is_not_there(vpc: Vpc) -> None:
    group = make(vpc)
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16")])
    with refused("InvalidPermission.NotFound"):
        vpc.client.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16"), tcp(23, "10.1.0.0/16")])
    assert len(rules(vpc, group)) == 2
    answer = vpc.client.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16")])
    assert [rule["CidrIpv4"] for rule in answer["RevokedSecurityGroupRules"]] == ["10.1.0.0/16"]
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        vpc.client.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
    vpc.client.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=[rules(vpc, group)[0]["SecurityGroupRuleId"]])
    assert rules(vpc, group) == []


def test_sixty_rules_each_way_and_family(vpc: Vpc) -> None:
    group = make(vpc)
    many = [tcp(22, *(f"10.{number}.0.0/16" for number in range(60)))]
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=many)
    with refused("RulesPerSecurityGroupLimitExceeded"):
        vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(23, "10.0.0.0/16")])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(23, UserIdGroupPairs=[{"GroupId": group}])])
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(23, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/32"}])])
    vpc.client.authorize_security_group_egress(GroupId=group, IpPermissions=[tcp(23, "10.0.0.0/16")])
    assert len(rules(vpc, group)) == 63


def test_a_prefix_list_counts_its_maximum(vpc: Vpc) -> None:
    group = make(vpc)
    made = vpc.client.create_managed_prefix_list(PrefixListName="big", AddressFamily="IPv4", MaxEntries=59)["PrefixList"]["PrefixListId"]
    vpc.client.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[tcp(22, PrefixListIds=[{"PrefixListId": made, "Description": "all"}])]
    )
    assert rules(vpc, group)[-1]["PrefixListId"] == made
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16")])
    with refused("RulesPerSecurityGroupLimitExceeded"):
        vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.2.0.0/16")])


def test_rules_have_tags_and_keep_their_ids(vpc: Vpc) -> None:
    group = make(vpc)
    spec = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "owner", "Value": "us"}]}]
    answer = vpc.client.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16", "10.2.0.0/16")], TagSpecifications=spec
    )
    ids = [rule["SecurityGroupRuleId"] for rule in answer["SecurityGroupRules"]]
    vpc.client.create_tags(Resources=ids[:1], Tags=[{"Key": "owner", "Value": "them"}])
    found = vpc.client.describe_security_group_rules(Filters=[{"Name": "tag:owner", "Values": ["us"]}])["SecurityGroupRules"]
    assert [rule["SecurityGroupRuleId"] for rule in found] == ids[1:]
    vpc.client.modify_security_group_rules(
        GroupId=group,
        SecurityGroupRules=[
            {
                "SecurityGroupRuleId": ids[0],
                "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.3.0.9/16", "Description": "new"},
            }
        ],
    )
    changed = vpc.client.describe_security_group_rules(SecurityGroupRuleIds=ids[:1])["SecurityGroupRules"][0]
    assert (changed["CidrIpv4"], changed["FromPort"], changed["Description"], changed["Tags"]) == (
        "10.3.0.0/16",
        443,
        "new",
        [{"Key": "owner", "Value": "them"}],
    )


def test_modify_cannot_change_the_kind_or_make_a_duplicate(vpc: Vpc) -> None:
    group = make(vpc)
    answer = vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16", "10.2.0.0/16")])
    first = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    base = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    for change, code in (
        ({"CidrIpv6": "2001:db8::/32"}, "InvalidParameterValue"),
        ({"CidrIpv4": "10.2.0.0/16"}, "InvalidPermission.Duplicate"),
        ({"CidrIpv4": "10.2.0.0/16", "CidrIpv6": "::/0"}, "InvalidParameterCombination"),
        ({}, "MissingParameter"),
    ):
        with refused(code):
            vpc.client.modify_security_group_rules(
                GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": first, "SecurityGroupRule": {**base, **change}}]
            )


def test_descriptions_change_by_content_and_by_id(vpc: Vpc) -> None:
    group = make(vpc)
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, "10.1.0.0/16")])
    described = tcp(22, IpRanges=[{"CidrIp": "10.1.0.0/16", "Description": "one"}])
    vpc.client.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[described])
    rule = rules(vpc, group)[-1]
    assert rule["Description"] == "one"
    vpc.client.update_security_group_rule_descriptions_ingress(
        GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "two"}]
    )
    assert one(vpc, group)["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.1.0.0/16", "Description": "two"}]
    with refused("InvalidPermission.NotFound"):
        vpc.client.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[tcp(23, "10.1.0.0/16")])


def test_a_used_group_stays(vpc: Vpc) -> None:
    web, db = make(vpc, "web"), make(vpc, "db")
    vpc.client.authorize_security_group_ingress(GroupId=db, IpPermissions=[tcp(3306, UserIdGroupPairs=[{"GroupId": web}])])
    with refused("DependencyViolation", web):
        vpc.client.delete_security_group(GroupId=web)
    eni = vpc.client.create_network_interface(SubnetId=vpc.subnet("10.0.1.0/24"), Groups=[db])["NetworkInterface"]["NetworkInterfaceId"]
    with refused("DependencyViolation", db):
        vpc.client.delete_security_group(GroupId=db)
    vpc.client.delete_network_interface(NetworkInterfaceId=eni)
    vpc.client.delete_security_group(GroupId=db)
    vpc.client.delete_security_group(GroupId=web)
    with refused("InvalidGroup.NotFound"):
        vpc.client.describe_security_groups(GroupIds=[web])


def test_names_descriptions_and_the_quota_of_groups(vpc: Vpc, lab: Any) -> None:
    make(vpc)
    with refused("InvalidGroup.Duplicate"):
        make(vpc)
    for name in ("sg-web", "default", "ü"):
        with refused("InvalidParameterValue"):
            make(vpc, name)
    lab.control.config(quotas={"security_groups": 2})
    with refused("SecurityGroupLimitExceeded"):
        make(vpc, "third")


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("group-name", "we*", ["web"]),
        ("description", "the db group", ["db"]),
        ("ip-permission.cidr", "10.7.0.0/16", ["web"]),
        ("ip-permission.from-port", "22", ["web"]),
        ("ip-permission.protocol", "tcp", ["web"]),
        ("egress.ip-permission.cidr", "0.0.0.0/0", ["db", "default", "web"]),
        ("tag:tier", "front", ["web"]),
        ("tag-key", "tier", ["web"]),
    ],
)
def test_filters(vpc: Vpc, name: str, value: str, found: list[str]) -> None:
    web = make(vpc, "web", TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": "tier", "Value": "front"}]}])
    make(vpc, "db")
    vpc.client.authorize_security_group_ingress(GroupId=web, IpPermissions=[tcp(22, "10.7.0.0/16")])
    answer = vpc.client.describe_security_groups(Filters=[{"Name": name, "Values": [value]}])["SecurityGroups"]
    assert sorted(group["GroupName"] for group in answer) == found
    with refused("InvalidParameterValue", "nonsense"):
        vpc.client.describe_security_groups(Filters=[{"Name": "nonsense", "Values": ["x"]}])


def test_paging(vpc: Vpc) -> None:
    group = make(vpc)
    vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, *(f"10.{number}.0.0/16" for number in range(12)))])
    pages = list(
        vpc.client.get_paginator("describe_security_group_rules").paginate(
            Filters=[{"Name": "group-id", "Values": [group]}], PaginationConfig={"PageSize": 5}
        )
    )
    assert [len(page["SecurityGroupRules"]) for page in pages] == [5, 5, 3]
    assert [rule for page in pages for rule in page["SecurityGroupRules"]] == rules(vpc, group)
    with refused("InvalidParameterValue"):
        vpc.client.describe_security_groups(NextToken="nonsense")


# -- pure ----------------------------------------------------------------------------------------------------------------------


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_canonical_cidr_is_its_own_canonical_form(address: Any, length: int) -> None:
    once = group_rules.cidr_of(f"{address}/{length}", 4)
    assert group_rules.cidr_of(once, 4) == once


@given(st.integers(-5, 70000), st.integers(-5, 70000), st.sampled_from(["tcp", "udp", "icmp", "icmpv6"]))
def test_ports_are_kept_or_refused(first: int, last: int, protocol: str) -> None:
    try:
        assert group_rules.ports_of(protocol, first, last) == (first, last)
    except Refusal as refusal:
        assert refusal.code == "InvalidParameterValue"
        assert not (0 <= first <= last <= 255)
