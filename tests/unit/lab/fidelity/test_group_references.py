# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""References to a peer's security groups: only over an active peering of one Region; stale when it is gone; alive again with a new one."""

from __future__ import annotations

from typing import Any

from .test_groups import make, one, rules, tcp
from .vpc_helpers import AWAY, B, Vpc, make_vpc, refused, request


def peer(requester: Vpc, accepter: Vpc) -> str:
    connection = request(requester, accepter)
    accepter.client.accept_vpc_peering_connection(VpcPeeringConnectionId=connection)
    return connection


def refer(vpc: Vpc, group: str, other: str, owner: str | None = None) -> Any:
    pair = {"GroupId": other, **({"UserId": owner} if owner else {})}
    return vpc.client.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(443, UserIdGroupPairs=[pair])])


def test_only_over_an_active_peering(lab: Any) -> None:
    here, there = make_vpc(lab, "10.0.0.0/16"), make_vpc(lab, "10.1.0.0/16")
    db, web = make(here, "db"), make(there, "web")
    with refused("InvalidGroup.NotFound", "different networks"):
        refer(here, db, web)
    connection = request(there, here)
    with refused("InvalidGroup.NotFound"):
        refer(here, db, web)
    here.client.accept_vpc_peering_connection(VpcPeeringConnectionId=connection)
    answer = refer(here, db, web)["SecurityGroupRules"][0]["ReferencedGroupInfo"]
    expected = {"GroupId": web, "UserId": here.account, "VpcId": there.id, "VpcPeeringConnectionId": connection, "PeeringStatus": "active"}
    assert answer == expected
    assert one(here, db)["IpPermissions"][0]["UserIdGroupPairs"] == [expected]
    assert rules(here, db)[-1]["ReferencedGroupInfo"] == expected


def test_another_accounts_group(lab: Any) -> None:
    here, there = make_vpc(lab, "10.0.0.0/16"), make_vpc(lab, "10.1.0.0/16", account=B)
    db, web = make(here, "db"), make(there, "web")
    with refused("InvalidGroup.NotFound"):
        refer(here, db, web, B)
    connection = peer(there, here)
    with refused("InvalidGroup.NotFound"):
        refer(here, db, web)
    with refused("InvalidGroup.NotFound"):
        refer(here, db, web, "333333333333")
    with refused("InvalidGroup.NotFound"):
        refer(here, db, "sg-0123456789abcdef0", B)
    assert refer(here, db, web, B)["SecurityGroupRules"][0]["ReferencedGroupInfo"]["UserId"] == B
    found = there.client.describe_security_group_references(GroupId=[web])["SecurityGroupReferenceSet"]
    assert found == [{"GroupId": web, "ReferencingVpcId": here.id, "VpcPeeringConnectionId": connection}]
    assert here.client.describe_security_group_references(GroupId=[db])["SecurityGroupReferenceSet"] == []


def test_not_between_regions(lab: Any) -> None:
    here, there = make_vpc(lab, "10.0.0.0/16"), make_vpc(lab, "10.1.0.0/16", region=AWAY)
    db, web = make(here, "db"), make(there, "web")
    peer(here, there)
    with refused("InvalidGroup.NotFound"):
        refer(here, db, web)


def test_stale_after_the_peering_and_alive_with_the_next(lab: Any) -> None:
    here, there = make_vpc(lab, "10.0.0.0/16"), make_vpc(lab, "10.1.0.0/16", account=B)
    db, web = make(here, "db"), make(there, "web")
    connection = peer(there, here)
    refer(here, db, web, B)
    before = rules(here, db)[-1]["SecurityGroupRuleId"]
    assert here.client.describe_stale_security_groups(VpcId=here.id)["StaleSecurityGroupSet"] == []
    here.client.delete_vpc_peering_connection(VpcPeeringConnectionId=connection)
    rule = rules(here, db)[-1]
    assert (rule["SecurityGroupRuleId"], rule["ReferencedGroupInfo"]["PeeringStatus"]) == (before, "deleted")
    stale = here.client.describe_stale_security_groups(VpcId=here.id)["StaleSecurityGroupSet"]
    assert [(item["GroupId"], item["VpcId"]) for item in stale] == [(db, here.id)]
    pair = stale[0]["StaleIpPermissions"][0]["UserIdGroupPairs"][0]
    assert (pair["GroupId"], pair["VpcPeeringConnectionId"]) == (web, connection)
    again = peer(here, there)
    info = rules(here, db)[-1]["ReferencedGroupInfo"]
    assert (info["VpcPeeringConnectionId"], info["PeeringStatus"]) == (again, "active")
    assert here.client.describe_stale_security_groups(VpcId=here.id)["StaleSecurityGroupSet"] == []


def test_a_peers_group_can_go_and_leaves_a_stale_rule_that_can_be_revoked(lab: Any) -> None:
    here, there = make_vpc(lab, "10.0.0.0/16"), make_vpc(lab, "10.1.0.0/16", account=B)
    db, web = make(here, "db"), make(there, "web")
    peer(there, here)
    refer(here, db, web, B)
    there.client.delete_security_group(GroupId=web)
    assert len(here.client.describe_stale_security_groups(VpcId=here.id)["StaleSecurityGroupSet"]) == 1
    here.client.revoke_security_group_ingress(GroupId=db, IpPermissions=[tcp(443, UserIdGroupPairs=[{"GroupId": web, "UserId": B}])])
    assert here.client.describe_stale_security_groups(VpcId=here.id)["StaleSecurityGroupSet"] == []
