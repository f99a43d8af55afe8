# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network ACLs, as AWS documents them."""

from __future__ import annotations

from typing import Any

from .vpc_contract import network, refused


def test_star_entries_numbers_and_icmp(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html, API_CreateNetworkAclEntry.html
    with network(endpoint) as net:
        acl = net.client.create_network_acl(VpcId=net.id)["NetworkAcl"]["NetworkAclId"]
        net.later("delete_network_acl", NetworkAclId=acl)
        entry = {"NetworkAclId": acl, "Egress": False, "RuleAction": "allow", "CidrBlock": "100.68.0.18/18"}
        net.client.create_network_acl_entry(**entry, RuleNumber=100, Protocol="1", IcmpTypeCode={"Type": 8, "Code": -1})
        with refused("NetworkAclEntryAlreadyExists"):
            net.client.create_network_acl_entry(**entry, RuleNumber=100, Protocol="-1")
        for number in (0, 32767):
            with refused("InvalidParameterValue"):
                net.client.create_network_acl_entry(**entry, RuleNumber=number, Protocol="-1")
        shown = net.client.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
        kept = next(item for item in shown if item["RuleNumber"] == 100)
        assert (kept["CidrBlock"], kept["IcmpTypeCode"]) == ("100.68.0.0/18", {"Type": 8, "Code": -1})
        assert sorted((item["Egress"], item["RuleAction"]) for item in shown if item["RuleNumber"] == 32767) == [
            (False, "deny"),
            (True, "deny"),
        ]


def test_the_association_moves(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html
    with network(endpoint) as net:
        acl = net.client.create_network_acl(VpcId=net.id)["NetworkAcl"]["NetworkAclId"]
        net.later("delete_network_acl", NetworkAclId=acl)
        subnet = net.subnet("10.123.1.0/24")
        default = net.client.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"][0]
        old = next(item for item in default["Associations"] if item["SubnetId"] == subnet)["NetworkAclAssociationId"]
        new = net.client.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]
        assert new != old
        with refused("DependencyViolation"):
            net.client.delete_network_acl(NetworkAclId=acl)
