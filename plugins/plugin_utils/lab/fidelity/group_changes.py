# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to security group rules in place: their content, and their descriptions.

Sources: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html,
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsIngress.html.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..calls import Call, Refusal, instead
from . import group_rules
from .group_references import resolve, rule_owner
from .group_rules import said, sources
from .groups import asked, check_count, group_of
from .groups_store import rules_of, set_rules
from .prefix_lists import find_list
from .shapes import invalid


@instead("ec2", "ModifySecurityGroupRules")
def modify(call: Call) -> dict[str, Any]:
    """Change rules in place, keeping their ids; the kind of a rule's source cannot change.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
    """
    backend, group = call.backend(), group_of(call)
    rules = {rule.id: rule for rule in rules_of(group)}
    members = {"CidrIpv4": "IpRanges", "CidrIpv6": "Ipv6Ranges", "PrefixListId": "PrefixListIds", "ReferencedGroupId": "UserIdGroupPairs"}
    inner = {"CidrIpv4": "CidrIp", "CidrIpv6": "CidrIpv6", "PrefixListId": "PrefixListId", "ReferencedGroupId": "GroupId"}
    for update in call.params.get("SecurityGroupRules") or []:
        known = rules.get(str(update.get("SecurityGroupRuleId")))
        if known is None:
            raise Refusal(
                "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{update.get('SecurityGroupRuleId')}' does not exist"
            )
        request = update.get("SecurityGroupRule") or {}
        given = [name for name in members if request.get(name)]
        if len(given) > 1:
            raise Refusal(
                "InvalidParameterCombination", "Only one of cidrIp, cidrIpv6, prefixListId, or referencedGroupId can be specified"
            )
        if not given:
            raise Refusal("MissingParameter", "Either cidrIp, cidrIpv6, prefixListId, or referencedGroupId must be specified")
        source = {inner[given[0]]: request[given[0]], "Description": request.get("Description")}
        if given[0] == "ReferencedGroupId" and known.kind == "group" and known.value == request[given[0]]:
            source["UserId"] = known.owner
        permission = {**{name: request.get(name) for name in ("IpProtocol", "FromPort", "ToPort")}, members[given[0]]: [source]}
        new = next(sources(permission, group.id, known.egress, lambda pair: resolve(call, group, pair)))
        if new.kind != known.kind:
            raise invalid(f"The type of the source or destination of rule {known.id} cannot be changed")
        if new.kind == "prefix_list":
            find_list(backend, new.value)
        rules[known.id] = replace(new, id=known.id)
    keys = [rule.key for rule in rules.values()]
    for rule in rules.values():
        if keys.count(rule.key) > 1:
            raise Refusal("InvalidPermission.Duplicate", f'the specified rule "{said(rule)}" already exists')
    check_count(call, list(rules.values()))
    set_rules(group, rules.values())
    return {"Return": True}


@instead("ec2", "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress")
def describe_anew(call: Call) -> dict[str, Any]:
    """Replace the descriptions of rules, named by their content or by their ids."""
    group, egress = group_of(call), call.action.endswith("Egress")
    texts: dict[str, str | None] = {}
    if given := call.params.get("SecurityGroupRuleDescriptions"):
        for item in given:
            found = rule_owner(call.backend(), str(item.get("SecurityGroupRuleId")))
            if found is None or found[0] is not group or found[1].egress != egress:
                raise Refusal(
                    "InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{item.get('SecurityGroupRuleId')}' does not exist"
                )
            texts[found[1].id] = group_rules.description_of(item.get("Description"))
    else:
        by_key = {rule.key: rule for rule in rules_of(group)}
        for rule in asked(call, group, egress):
            if rule.key not in by_key:
                raise Refusal("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
            texts[by_key[rule.key].id] = rule.description
    set_rules(group, [replace(rule, description=texts[rule.id]) if rule.id in texts else rule for rule in rules_of(group)])
    return {"Return": True}
