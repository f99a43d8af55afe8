# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""References between security groups of peered VPCs: when AWS takes one, what it shows of it, and when it is stale.

A rule may name a group of the peer only while the connection is active and both VPCs are in one Region; a rule that loses its peer is
stale, stays, and comes alive again when the VPCs are peered anew.
Source: https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..calls import Call, Refusal, instead
from .group_rules import Reference, Rule, permissions
from .groups_store import rules_of
from .peering_book import live_peerings
from .shapes import all_groups, clean, find_group, find_vpc, look_group, page

_OTHER_NETWORK = "You have specified two resources that belong to different networks."


def peers_of(call: Call, vpc: str) -> Iterator[tuple[Any, Any]]:
    """The active connections of a VPC within the caller's Region, each with the emulator's object of the other VPC."""
    for connection in live_peerings(call.lab, vpc):
        if connection.code == "active":
            other = connection.peer_vpc if connection.requester.vpc == vpc else connection.vpc
            if other.ec2_backend.region_name == call.region:
                yield connection, other


class Peerings:
    """The live peering connections of VPCs, by the VPC on the other side; read once for each VPC that a call shows."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._of: dict[str, dict[str, Any]] = {}

    def between(self, one: str, other: str) -> Any:
        """The live connection of two VPCs, or ``None``."""
        found = self._of.get(one)
        if found is None:
            found = self._of[one] = {
                (item.accepter.vpc if item.requester.vpc == one else item.requester.vpc): item for item in live_peerings(self.call.lab, one)
            }
        return found.get(other)

    def describe(self, rule: Rule, vpc: str) -> dict[str, str]:
        """VpcId, VpcPeeringConnectionId and PeeringStatus of a rule that references a group of another VPC; else nothing."""
        if not rule.vpc or rule.vpc == vpc:
            return {}
        connection = self.between(vpc, rule.vpc) or self.call.backend().vpc_pcxs.get(rule.peering)
        return {
            "VpcId": rule.vpc,
            "VpcPeeringConnectionId": connection.id if connection else rule.peering,
            "PeeringStatus": connection.code if connection else "deleted",
        }

    def stale(self, rule: Rule, vpc: str) -> bool:
        """Whether a rule refers to a group that is out of reach: its peering is gone, or the group itself."""
        if not rule.vpc or rule.vpc == vpc:
            return False
        connection = self.between(vpc, rule.vpc)
        if connection is None or connection.code != "active":
            return True
        other = connection.vpc if connection.vpc.id == rule.vpc else connection.peer_vpc
        return look_group(other.ec2_backend, rule.value) is None


def resolve(call: Call, group: Any, pair: Mapping[str, Any]) -> Reference:
    """The group that a UserIdGroupPair names; InvalidGroup.NotFound as AWS says it."""
    backend = call.backend()
    wanted, owner = pair.get("GroupId"), str(pair.get("UserId") or "")
    if not wanted:
        name = pair.get("GroupName")
        match = [item for item in backend.groups.get(group.vpc_id, {}).values() if item.name == name]
        if not match:
            raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist in VPC '{group.vpc_id}'")
        wanted = match[0].id
    wanted = str(wanted)
    if owner in ("", backend.account_id):
        found = look_group(backend, wanted)
        if found is not None and found.vpc_id == group.vpc_id:
            return Reference(wanted, backend.account_id)
        if found is not None:
            for connection, other in peers_of(call, group.vpc_id):
                if other.id == found.vpc_id:
                    return Reference(wanted, backend.account_id, other.id, connection.id)
            raise Refusal("InvalidGroup.NotFound", _OTHER_NETWORK)
    for connection, other in peers_of(call, group.vpc_id):
        if other.ec2_backend.account_id == owner and wanted in other.ec2_backend.groups.get(other.id, {}):
            return Reference(wanted, owner, other.id, connection.id)
    if not wanted.startswith("sg-"):
        raise Refusal("InvalidGroupId.Malformed", f'Invalid id: "{wanted}" (expecting "sg-...")')
    raise Refusal("InvalidGroup.NotFound", f"The security group '{wanted}' does not exist")


@instead("ec2", "DescribeStaleSecurityGroups")
def describe_stale(call: Call) -> dict[str, Any]:
    """The groups of a VPC that hold stale rules, with those rules only.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeStaleSecurityGroups.html
    """
    backend, vpc = call.backend(), str(call.params.get("VpcId") or "")
    find_vpc(backend, vpc)
    peerings, result = Peerings(call), []

    def pair(rule: Rule) -> dict[str, Any]:
        return clean({"UserId": rule.owner, "GroupId": rule.value, "Description": rule.description, **peerings.describe(rule, vpc)})

    for group in backend.groups.get(vpc, {}).values():
        stale = [rule for rule in rules_of(group) if rule.kind == "group" and peerings.stale(rule, vpc)]
        if stale:
            result.append(
                {
                    "GroupId": group.id,
                    "GroupName": group.name,
                    "Description": group.description,
                    "VpcId": vpc,
                    "StaleIpPermissions": permissions((rule for rule in stale if not rule.egress), pair),
                    "StaleIpPermissionsEgress": permissions((rule for rule in stale if rule.egress), pair),
                }
            )
    shown, following = page(call, result, 5, 255)
    return clean({"StaleSecurityGroupSet": shown, "NextToken": following})


@instead("ec2", "DescribeSecurityGroupReferences")
def describe_references(call: Call) -> dict[str, Any]:
    """The VPCs on the other side of active connections whose groups reference the given groups.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupReferences.html
    """
    backend, result = call.backend(), []
    for wanted in call.params.get("GroupId") or []:
        group = find_group(backend, wanted)
        for connection, other in peers_of(call, group.vpc_id):
            groups = other.ec2_backend.groups.get(other.id, {}).values()
            if any(rule.kind == "group" and rule.value == wanted for item in groups for rule in rules_of(item)):
                result.append({"GroupId": wanted, "ReferencingVpcId": other.id, "VpcPeeringConnectionId": connection.id})
    return {"SecurityGroupReferenceSet": result}


def referenced_inside(backend: Any, group: Any) -> bool:
    """Whether another group of the same VPC references a group (which then cannot be deleted)."""
    others = (item for item in backend.groups.get(group.vpc_id, {}).values() if item.id != group.id)
    return any(rule.kind == "group" and rule.value == group.id for item in others for rule in rules_of(item))


def rule_owner(backend: Any, rule: str) -> tuple[Any, Rule] | None:
    """The group that holds a rule id, with the rule; ``None`` when no group of the account and Region does."""
    for group in all_groups(backend).values():
        for item in rules_of(group):
            if item.id == rule:
                return group, item
    return None
