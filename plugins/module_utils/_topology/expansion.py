# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a document that has the right shape to a Topology with every default filled in. Faults are told along the way, all of them."""

from __future__ import annotations

from . import checks, groups, networks, pairs, services, tables, wishes
from .draft import Draft, Work
from .faults import Cursor, Faults, show
from .types import AccountSpec, RouteTableSpec, Topology, VpcSpec


def expand(root: Cursor, faults: Faults, region: str, profile: str) -> Topology:
    """The topology. It is complete only if ``faults`` has no findings afterwards."""
    work = Work(root, faults)
    accounts = _accounts(work, profile)
    lists = checks.prefix_lists(work)
    networks.start(work, region)
    for draft in work.drafts.values():
        if draft.name == "internet":
            faults.add(draft.path, "internet is a word of ours (`from: internet`): choose another name")
        networks.subnets(work, draft)
        tables.assign(work, draft)
        groups.declare(work, draft)
        services.bastion(work, draft)
        services.instances(work, draft)
        services.endpoints(work, draft)
        services.session_manager(work, draft)
        services.flow_logs(work, draft)
        tables.declared(work, draft)
    pairs.pairs(work)
    pairs.remotes(work)
    for draft in work.drafts.values():
        groups.rules(work, draft)
        groups.acls(work, draft)
    allowed, expected = wishes.allows(work), wishes.expects(work)
    checks.check(work)
    return Topology(
        name=root.text("name"),
        region=root.text("region", region),
        accounts=accounts,
        tags=root.mapping("tags"),
        vpcs={name: _freeze(draft) for name, draft in work.drafts.items()},
        prefix_lists=lists,
        peerings=tuple(work.pairs),
        allows=allowed,
        expects=expected,
        replace_routes=root.flag("replace_routes") is True,
        warnings=faults.warnings,
    )


def _accounts(work: Work, profile: str) -> dict[str, AccountSpec]:
    found = {"": AccountSpec("", profile=profile)}
    for name, item in work.root["accounts"].items():
        found[name] = AccountSpec(name, item.text("profile"), item.text("role_arn"), item.text("external_id"), item.text("id"))
        if "external_id" in item and "role_arn" not in item:
            work.faults.add((*item.path, "external_id"), "belongs to a role: add `role_arn`")
        arn, ident = item.text("role_arn"), item.text("id")
        if arn and ident and arn.split(":")[4] != ident:
            work.faults.add((*item.path, "id"), f"{ident} is not the account of role_arn, {arn.split(':')[4]}")
    return found


def _freeze(draft: Draft) -> VpcSpec:
    cursor = draft.cursor
    return VpcSpec(
        name=draft.name,
        account=draft.account,
        region=draft.region,
        cidrs=tuple(str(block) for block in draft.ipv4_blocks),
        ipv6=draft.ipv6 or next((str(block) for _other, block in draft.blocks if block.version == 6), ""),
        id=cursor.text("id"),
        lookup=cursor.mapping("lookup"),
        remote=draft.remote,
        dns=draft.dns,
        subnets=draft.subnets,
        route_tables={
            name: RouteTableSpec(name, ref, tuple(draft.routes[name].values()), show(draft.table_paths[name]))
            for name, ref in draft.table_refs.items()
        },
        security_groups=draft.groups,
        network_acls=draft.acls,
        endpoints=draft.endpoints,
        instances=draft.instances,
        flow_logs=draft.flow_logs,
        bastion=draft.bastion,
        ssm=cursor["access"].flag("ssm") is True,
        internet_gateway=draft.internet_gateway,
        egress_only_gateway=draft.egress_only_gateway,
        nat_subnets=tuple(draft.nat_subnets),
        tags=cursor.mapping("tags"),
        path=show(draft.path),
    )
