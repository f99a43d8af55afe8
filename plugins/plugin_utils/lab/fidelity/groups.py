# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups: create, describe, delete; authorise and revoke rules; change and describe them one by one.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html and the pages of the other
actions; the refusals' codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..calls import Call, Refusal, after, instead
from . import group_rules
from .group_references import Peerings, referenced_inside, resolve
from .group_rules import Reference, Rule, said, single, sources
from .groups_store import has_ipv6, rules_of, set_rules
from .prefix_lists import AWS_WEIGHTS, find_list
from .shapes import all_groups, clean, find_group, find_vpc, invalid, keep, missing, named, new_id, paged, put_tags, tags_asked, tags_of

_TEXT = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")


def _arn(call: Call, kind: str, resource: str) -> str:
    return f"arn:aws:ec2:{call.region}:{call.account}:{kind}/{resource}"


# -- groups --------------------------------------------------------------------------------------------------------------------


@instead("ec2", "CreateSecurityGroup")
def create(call: Call) -> dict[str, Any]:
    """Make a group with AWS's default rules."""
    backend, params = call.backend(), call.params
    name, text = str(params.get("GroupName") or ""), str(params.get("Description") or "")
    if not name:
        raise missing("groupName")
    if not text:
        raise missing("GroupDescription")
    for value, what in ((name, "group name"), (text, "group description")):
        if not _TEXT.fullmatch(value):
            raise invalid(f"Value ({value}) for parameter {what} is invalid: up to 255 characters of a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*")
    if name.startswith("sg-"):
        raise invalid(f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*.")
    vpc = find_vpc(backend, str(params["VpcId"])) if params.get("VpcId") else backend.get_default_vpc()
    if vpc is None:
        raise Refusal("VPCIdNotSpecified", "No default VPC for this user")
    if name == "default":
        raise invalid("Cannot use reserved security group name: default")
    if any(group.name == name for group in backend.groups.get(vpc.id, {}).values()):
        raise Refusal("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc.id}'")
    tags = tags_asked(call, "security-group")
    if sum(len(groups) for groups in list(backend.groups.values())) >= call.lab.quotas["security_groups"]:
        raise Refusal("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
    group = backend.create_security_group(name, text, vpc_id=vpc.id, force=True)
    rules_of(group)
    put_tags(backend, group.id, tags)
    return clean(
        {"GroupId": group.id, "SecurityGroupArn": _arn(call, "security-group", group.id), "Tags": tags_of(backend, group.id) or None}
    )


def group_of(call: Call) -> Any:
    """The group that a call names by GroupId, or by GroupName in the default VPC."""
    backend = call.backend()
    if call.params.get("GroupId"):
        return find_group(backend, str(call.params["GroupId"]))
    name = call.params.get("GroupName")
    if not name:
        raise missing("groupName or groupId")
    vpc = backend.get_default_vpc()
    for group in backend.groups.get(vpc.id if vpc else "", {}).values():
        if group.name == name:
            return group
    raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC '{vpc.id if vpc else ''}'")


@instead("ec2", "DeleteSecurityGroup")
def delete(call: Call) -> dict[str, Any]:
    """Remove a group that nothing uses.

    Refused for a default group, one on a network interface, and one that a group of its own VPC references; a reference from a peer's
    VPC does not hold it back, but becomes stale.
    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    backend, group = call.backend(), group_of(call)
    if group.is_default:
        raise Refusal("CannotDelete", f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user')
    used = any(item.id == group.id for eni in list(backend.enis.values()) for item in eni._group_set)
    if used or referenced_inside(backend, group):
        raise Refusal("DependencyViolation", f"resource {group.id} has a dependent object")
    backend.groups[group.vpc_id].pop(group.id)
    for resource in (group.id, *(rule.id for rule in rules_of(group))):
        backend.tags.pop(resource, None)
    return {"Return": True, "GroupId": group.id}


def _of(egress: bool) -> dict[str, Any]:
    def values(group: Any, kind: str | None, member: str) -> list[Any]:
        chosen = (rule for rule in rules_of(group) if rule.egress == egress and (kind is None or rule.kind == kind))
        return [getattr(rule, member) for rule in chosen]

    def names(group: Any) -> list[Any]:
        table = group.ec2_backend.groups.get(group.vpc_id, {})
        return [table[value].name for value in values(group, "group", "value") if value in table]

    prefix = "egress.ip-permission." if egress else "ip-permission."
    return {
        f"{prefix}cidr": lambda group: values(group, "ipv4", "value"),
        f"{prefix}ipv6-cidr": lambda group: values(group, "ipv6", "value"),
        f"{prefix}group-id": lambda group: values(group, "group", "value"),
        f"{prefix}group-name": names,
        f"{prefix}prefix-list-id": lambda group: values(group, "prefix_list", "value"),
        f"{prefix}protocol": lambda group: values(group, None, "protocol"),
        f"{prefix}from-port": lambda group: values(group, None, "from_port"),
        f"{prefix}to-port": lambda group: values(group, None, "to_port"),
        f"{prefix}user-id": lambda group: values(group, "group", "owner"),
    }


_GROUP_FIELDS: dict[str, Any] = {
    "description": lambda group: group.description,
    "group-id": lambda group: group.id,
    "group-name": lambda group: group.name,
    "owner-id": lambda group: group.ec2_backend.account_id,
    "vpc-id": lambda group: group.vpc_id,
    **_of(False),
    **_of(True),
}


@instead("ec2", "DescribeSecurityGroups")
def describe(call: Call) -> dict[str, Any]:
    """Groups with their rules, references with the state of their peering."""
    backend, peerings = call.backend(), Peerings(call)
    items = named(call, "GroupIds", all_groups(backend), "InvalidGroup.NotFound", "security group")
    if names := call.params.get("GroupNames"):
        default = backend.get_default_vpc()
        known = {group.name: group for group in backend.groups.get(default.id if default else "", {}).values()}
        for name in names:
            if name not in known:
                raise Refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC")
        items = [group for group in items if group.id in {known[name].id for name in names}]
    items = keep(call, items, _GROUP_FIELDS, lambda group: backend.tags.get(group.id, {}))

    def render(group: Any) -> dict[str, Any]:
        def pair(rule: Rule) -> dict[str, Any]:
            reference = {"UserId": rule.owner, "GroupId": rule.value, "Description": rule.description}
            return clean({**reference, **peerings.describe(rule, group.vpc_id)})

        rules = rules_of(group)
        return {
            "GroupId": group.id,
            "GroupName": group.name,
            "Description": group.description,
            "OwnerId": call.account,
            "VpcId": group.vpc_id,
            "SecurityGroupArn": _arn(call, "security-group", group.id),
            "IpPermissions": group_rules.permissions((rule for rule in rules if not rule.egress), pair),
            "IpPermissionsEgress": group_rules.permissions((rule for rule in rules if rule.egress), pair),
            "Tags": tags_of(backend, group.id),
        }

    return paged(call, "SecurityGroups", items, render)


# -- rules ---------------------------------------------------------------------------------------------------------------------


def _show(call: Call, group: Any, rule: Rule, peerings: Peerings) -> dict[str, Any]:
    backend = call.backend()
    shown = single(rule)
    shown["GroupOwnerId"] = call.account
    shown["SecurityGroupRuleArn"] = _arn(call, "security-group-rule", rule.id)
    shown["Tags"] = tags_of(backend, rule.id)
    if rule.kind == "group":
        reference = {"GroupId": rule.value, "UserId": rule.owner}
        shown["ReferencedGroupInfo"] = {**reference, **peerings.describe(rule, group.vpc_id)}
    return shown


@instead("ec2", "DescribeSecurityGroupRules")
def describe_rules(call: Call) -> dict[str, Any]:
    """Rules one by one, each with its own id and tags.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html
    """
    backend, peerings = call.backend(), Peerings(call)
    # Most callers ask for the rules of a few groups: then only those are walked.
    groups = all_groups(backend)
    chosen = [entry.get("Values") or [] for entry in call.params.get("Filters") or [] if entry.get("Name") == "group-id"]
    if chosen and all(value in groups for value in chosen[0]):
        groups = {value: groups[value] for value in chosen[0]}
    table = {rule.id: (group, rule) for group in groups.values() for rule in rules_of(group)}
    items = named(call, "SecurityGroupRuleIds", table, "InvalidSecurityGroupRuleId.NotFound", "security group rule ID")
    fields = {"group-id": lambda item: item[1].group, "security-group-rule-id": lambda item: item[1].id}
    items = keep(call, items, fields, lambda item: backend.tags.get(item[1].id, {}))
    return paged(call, "SecurityGroupRules", items, lambda item: _show(call, item[0], item[1], peerings))


def asked(call: Call, group: Any, egress: bool) -> list[Rule]:
    """The rules that a call describes, in IpPermissions or in the older flat parameters."""
    params, backend = call.params, call.backend()
    listed: Sequence[Mapping[str, Any]] = params.get("IpPermissions") or []
    flat = [name for name in ("CidrIp", "SourceSecurityGroupName", "IpProtocol") if params.get(name) is not None]
    if flat and listed:
        raise Refusal("InvalidParameterCombination", f"The parameter {flat[0]} cannot be used with ipPermissions")
    if flat:
        one: dict[str, Any] = {name: params.get(name) for name in ("IpProtocol", "FromPort", "ToPort")}
        if params.get("CidrIp"):
            one["IpRanges"] = [{"CidrIp": params["CidrIp"]}]
        if params.get("SourceSecurityGroupName"):
            one["UserIdGroupPairs"] = [{"GroupName": params["SourceSecurityGroupName"]}]
            if not params.get("IpProtocol"):
                one["IpProtocol"] = "-1"
        listed = [one]
    if not listed:
        raise missing("ipPermissions")
    rules: list[Rule] = []
    for permission in listed:
        found = list(sources(permission, group.id, egress, lambda pair: resolve(call, group, pair)))
        if not found:
            raise missing("ipRanges, ipv6Ranges, userIdGroupPairs or prefixListIds")
        rules += found
    for rule in rules:
        if rule.kind == "prefix_list":
            find_list(backend, rule.value)
    return rules


def _entries(backend: Any) -> Any:
    def entries(prefix_list: str) -> tuple[str, int]:
        found = backend.managed_prefix_lists.get(prefix_list)
        if found is None:
            return "IPv4", 1
        return found.address_family or "IPv4", int(found.max_entries or AWS_WEIGHTS.get(found.prefix_list_name.rsplit(".", 1)[-1], 1))

    return entries


def check_count(call: Call, rules: Sequence[Rule]) -> None:
    """RulesPerSecurityGroupLimitExceeded when one direction of a group would hold too many rules of one family."""
    for egress in (False, True):
        count = group_rules.weight((rule for rule in rules if rule.egress == egress), _entries(call.backend()))
        if max(count) > call.lab.quotas["rules_per_group"]:
            raise Refusal("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")


@instead("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(call: Call) -> dict[str, Any]:
    """Add rules: all of them, or none with the first one's refusal."""
    backend, group = call.backend(), group_of(call)
    egress = call.action.endswith("Egress")
    have = rules_of(group)
    keys, new = {rule.key for rule in have}, []
    for rule in asked(call, group, egress):
        if rule.key in keys:
            raise Refusal("InvalidPermission.Duplicate", f'the specified rule "{said(rule)}" already exists')
        keys.add(rule.key)
        new.append(replace(rule, id=new_id("sgr")))
    check_count(call, [*have, *new])
    tags = tags_asked(call, "security-group-rule")
    set_rules(group, [*have, *new])
    for rule in new:
        put_tags(backend, rule.id, tags)
    peerings = Peerings(call)
    return {"Return": True, "SecurityGroupRules": [_show(call, group, rule, peerings) for rule in new]}


def _wanted(call: Call, group: Any, egress: bool) -> tuple[list[Rule], list[Rule]]:
    """The rules that a revoking or describing call means, and those that it names but the group lacks."""
    have = [rule for rule in rules_of(group) if rule.egress == egress]
    if ids := call.params.get("SecurityGroupRuleIds"):
        by_id = {rule.id: rule for rule in have}
        for item in ids:
            if item not in by_id:
                raise Refusal("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{item}' does not exist")
        return [by_id[item] for item in dict.fromkeys(ids)], []
    by_key = {rule.key: rule for rule in have}
    # A stale reference must be revocable, though its group can no longer be looked up.
    known = {rule.value: rule for rule in have if rule.kind == "group"}
    found: list[Rule] = []
    lacking: list[Rule] = []

    def look(pair: Mapping[str, Any]) -> Reference:
        if str(pair.get("GroupId")) in known:
            return Reference(str(pair["GroupId"]))
        return resolve(call, group, pair)

    for permission in call.params.get("IpPermissions") or []:
        for rule in sources(permission, group.id, egress, look):
            match = by_key.get(rule.key)
            if match is None:
                lacking.append(rule)
            elif match not in found:
                found.append(match)
    if not call.params.get("IpPermissions"):
        for rule in asked(call, group, egress):
            (found if rule.key in by_key else lacking).append(by_key.get(rule.key, rule))
    return found, lacking


@instead("ec2", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
def revoke(call: Call) -> dict[str, Any]:
    """Remove rules. One that is not there is refused, and nothing removed; in the default VPC it is listed and the others go."""
    backend, group = call.backend(), group_of(call)
    found, lacking = _wanted(call, group, call.action.endswith("Egress"))
    vpc = backend.vpcs.get(group.vpc_id)
    if lacking and not (vpc is not None and vpc.is_default):
        raise Refusal("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    gone = {rule.id for rule in found}
    set_rules(group, [rule for rule in rules_of(group) if rule.id not in gone])
    for resource in gone:
        backend.tags.pop(resource, None)

    def plain(rule: Rule) -> dict[str, Any]:
        return clean({"UserId": rule.owner or None, "GroupId": rule.value, "Description": rule.description})

    revoked = []
    for rule in found:
        shown = single(rule)
        if rule.kind == "group":
            shown["ReferencedGroupId"] = rule.value
        revoked.append(shown)
    unknown = group_rules.permissions(lacking, plain)
    return clean({"Return": True, "RevokedSecurityGroupRules": revoked, "UnknownIpPermissions": unknown or None})


@after("ec2", "AssociateVpcCidrBlock")
def ipv6_out(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """AWS lets a default group's members out over IPv6 as soon as the VPC has an IPv6 block.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    """
    backend = call.backend()
    vpc = backend.vpcs.get(call.params.get("VpcId"))
    if not has_ipv6(vpc) or not result.get("Ipv6CidrBlockAssociation"):
        return result
    for group in backend.groups.get(vpc.id, {}).values():
        rules = rules_of(group)
        plain = [rule.key for rule in rules if rule.egress] == [(True, "-1", None, None, "ipv4", "0.0.0.0/0")]
        if group.is_default and plain:
            set_rules(group, [*rules, Rule(new_id("sgr"), group.id, True, "-1", None, None, "ipv6", "::/0")])
    return result
