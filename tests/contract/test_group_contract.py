# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups and references to a peer's, as AWS documents them."""

from __future__ import annotations

from typing import Any

from .vpc_contract import Network, network, refused


def tcp(port: int, **more: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **more}


def rules(net: Network, group: str) -> list[dict[str, Any]]:
    return list(net.client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"])


def test_rules_are_canonical_unique_and_added_all_or_none(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
    with network(endpoint) as net:
        group = net.group("contract")
        net.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, IpRanges=[{"CidrIp": "100.68.0.18/18"}])])
        ingress = [rule for rule in rules(net, group) if not rule["IsEgress"]]
        assert [rule["CidrIpv4"] for rule in ingress] == ["100.68.0.0/18"]
        with refused("InvalidPermission.Duplicate"):
            net.client.authorize_security_group_ingress(
                GroupId=group, IpPermissions=[tcp(23, IpRanges=[{"CidrIp": "10.0.0.0/8"}]), tcp(22, IpRanges=[{"CidrIp": "100.68.0.0/18"}])]
            )
        assert [rule for rule in rules(net, group) if not rule["IsEgress"]] == ingress
        with refused("InvalidPermission.NotFound"):
            net.client.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(24, IpRanges=[{"CidrIp": "10.0.0.0/8"}])])


def test_a_referenced_group_cannot_be_deleted_nor_the_default_one(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    with network(endpoint) as net:
        web, db = net.group("web"), net.group("db")
        net.client.authorize_security_group_ingress(GroupId=db, IpPermissions=[tcp(3306, UserIdGroupPairs=[{"GroupId": web}])])
        with refused("DependencyViolation"):
            net.client.delete_security_group(GroupId=web)
        filters = [{"Name": "vpc-id", "Values": [net.id]}, {"Name": "group-name", "Values": ["default"]}]
        default = net.client.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
        with refused("CannotDelete"):
            net.client.delete_security_group(GroupId=default)


def test_references_need_an_active_peering_and_become_stale(endpoint: Any) -> None:
    # https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
    owner = endpoint.account(peer=True)
    with network(endpoint) as here, network(endpoint, "10.124.0.0/16", peer=True) as there:
        db, web = here.group("db"), there.group("web")
        permission = tcp(443, UserIdGroupPairs=[{"GroupId": web, "UserId": owner}])
        with refused("InvalidGroup.NotFound"):
            here.client.authorize_security_group_ingress(GroupId=db, IpPermissions=[permission])
        asked = here.client.create_vpc_peering_connection(VpcId=here.id, PeerVpcId=there.id, PeerOwnerId=owner)
        key = asked["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        there.client.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[key])
        there.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
        here.client.authorize_security_group_ingress(GroupId=db, IpPermissions=[permission])
        pair = here.client.describe_security_groups(GroupIds=[db])["SecurityGroups"][0]["IpPermissions"][0]["UserIdGroupPairs"][0]
        assert (pair["GroupId"], pair["UserId"], pair["VpcPeeringConnectionId"], pair["PeeringStatus"]) == (web, owner, key, "active")
        found = there.client.describe_security_group_references(GroupId=[web])["SecurityGroupReferenceSet"]
        assert [(item["ReferencingVpcId"], item["VpcPeeringConnectionId"]) for item in found] == [(here.id, key)]
        here.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
        stale = here.client.describe_stale_security_groups(VpcId=here.id)["StaleSecurityGroupSet"]
        assert [item["GroupId"] for item in stale] == [db]
        assert len([rule for rule in rules(here, db) if not rule["IsEgress"]]) == 1
