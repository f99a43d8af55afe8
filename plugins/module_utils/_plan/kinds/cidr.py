# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secondary IPv4 blocks and IPv6 blocks of a VPC of ours."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..._model.network import AclEntry, Route, Rule
from ..actions import Action, Found, Ref, Wanted
from ..context import Context, ipv6_name
from ..draft import Draft, planned_ipv6
from .base import Kind, Run
from .vpc import default_entries


class CidrKind(Kind):
    """An association between a VPC and one more block. Blocks of adopted VPCs are never touched."""

    name = "cidr"

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, spec in ctx.vpcs.items():
            if not spec.ours:
                continue
            vpc, where = Ref(f"vpcs.{name}"), (ctx.account(spec), spec.region)
            for cidr in spec.cidrs[1:]:
                yield Wanted(self.name, f"vpcs.{name}.cidrs.{cidr}", *where, {"vpc": vpc, "cidr": cidr}, path=f"{spec.path}.cidr")
            if spec.ipv6:
                key = ipv6_name(name) if spec.ipv6 == "amazon" else f"vpcs.{name}.cidrs.{spec.ipv6}"
                yield Wanted(self.name, key, *where, {"vpc": vpc, "cidr": spec.ipv6}, path=f"{spec.path}.ipv6")

    def found(self, ctx: Context) -> Iterator[Found]:
        for name, spec in ctx.vpcs.items():
            vpc = ctx.network.vpcs.get(ctx.ids.get(f"vpcs.{name}", ""))
            if vpc is None or not spec.ours:
                continue
            for cidr in (*vpc.cidrs[1:], *vpc.ipv6_cidrs):
                amazon = ctx.names.get(cidr) == ipv6_name(name)
                key = ipv6_name(name) if amazon else f"vpcs.{name}.cidrs.{cidr}"
                attrs = {"vpc": Ref(f"vpcs.{name}"), "cidr": "amazon" if amazon else cidr}
                yield Found(key, vpc.associations.get(cidr, cidr), vpc.account, vpc.region, attrs, ours=not ctx.absent)

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        cidr = str(after["cidr"])
        request: dict[str, Any] = (
            {"AmazonProvidedIpv6CidrBlock": True} if cidr == "amazon" else {"Ipv6CidrBlock" if ":" in cidr else "CidrBlock": cidr}
        )
        if "Ipv6CidrBlock" in request:
            request["Ipv6Pool"] = self._pool(run, action, cidr)
        run.call(action, "ec2:AssociateVpcCidrBlock", VpcId=after["vpc"], **request)
        return [str(run.until(action, f"{cidr} is associated", lambda: self.locate(run, action)))]

    def update(self, run: Run, action: Action) -> None:
        """Nothing: an association is whole, or it is not there."""

    def locate(self, run: Run, action: Action) -> str:
        """The block itself, once it is associated."""
        after = action.after or {}
        filters = [{"Name": "vpc-id", "Values": [run.id(after["vpc"])]}]
        for vpc in run.pages(action, "ec2:DescribeVpcs", Filters=filters):
            for block in blocks(vpc):
                if after["cidr"] == block or (after["cidr"] == "amazon" and ":" in block):
                    return block
        return ""

    def _pool(self, run: Run, action: Action, cidr: str) -> str:
        """The account's own pool that holds a block: AWS takes a block by name only out of a pool.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateVpcCidrBlock.html
        """
        block = ipaddress.IPv6Network(cidr)
        for pool in run.pages(action, "ec2:DescribeIpv6Pools"):
            if any(block.subnet_of(ipaddress.IPv6Network(item["Cidr"])) for item in pool.get("PoolCidrBlocks", ())):
                return str(pool["PoolId"])
        error = {"Code": "InvalidParameterValue", "Message": f"none of the account's IPv6 pools holds {cidr}: bring the block to AWS first"}
        raise run.refused(action, "ec2:DescribeIpv6Pools", error)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DisassociateVpcCidrBlock", AssociationId=action.id)

    def simulate(self, draft: Draft, action: Action) -> None:
        attrs = action.after or action.before or {}
        identifier = draft.id(attrs["vpc"])
        vpc = draft.vpcs.get(identifier)
        if vpc is None:
            return
        if action.op == "delete":
            cidr = draft.ids.get(action.name, "") if attrs["cidr"] == "amazon" else attrs["cidr"]
        else:
            cidr = planned_ipv6(action.name) if attrs["cidr"] == "amazon" else attrs["cidr"]
            draft.ids[action.name] = cidr
        field = "ipv6_cidrs" if ":" in cidr else "cidrs"
        there = [item for item in getattr(vpc, field) if item != cidr]
        new = there if action.op == "delete" else [*there, cidr]
        draft.change("vpcs", identifier, **{field: tuple(new)})
        # An active connection tells each side's blocks as they are now.
        for peering in [item for item in draft.peerings.values() if item.status == "active" and identifier in item.pair]:
            side = "requester" if peering.requester.vpc == identifier else "accepter"
            draft.change("peerings", peering.id, **{side: replace(getattr(peering, side), **{field: tuple(new)})})
        for table in [table for table in draft.route_tables.values() if table.vpc == identifier]:
            routes = [route for route in table.routes if (route.destination, route.via) != (cidr, "local")]
            if action.op != "delete":
                routes.insert(0, Route(cidr, "local", "local", origin="CreateRouteTable"))
            draft.change("route_tables", table.id, routes=tuple(routes))
        if ":" in cidr and action.op != "delete":
            self._ipv6_defaults(draft, identifier)

    def _ipv6_defaults(self, draft: Draft, vpc: str) -> None:
        # AWS opens the default ACL and groups' default egress to IPv6 once a VPC has a block of it.
        # https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html
        for acl in [acl for acl in draft.network_acls.values() if acl.vpc == vpc]:
            kept = {(entry.number, entry.egress): entry for entry in acl.entries}
            extra: dict[tuple[int, bool], AclEntry] = {
                (entry.number, entry.egress): entry for entry in default_entries(ipv6=True, allow=acl.default)
            }
            draft.change(
                "network_acls", acl.id, entries=tuple(sorted((extra | kept).values(), key=lambda entry: (entry.egress, entry.number)))
            )
        for group in [group for group in draft.security_groups.values() if group.vpc == vpc and group.group_name == "default"]:
            rule = draft.rules.get(f"{group.id}.out")
            if isinstance(rule, Rule):
                draft.rules[f"{group.id}.out6"] = replace(rule, id=f"{group.id}.out6", cidr="::/0")


def blocks(vpc: Mapping[str, Any]) -> list[str]:
    """Every associated block of a described VPC."""
    four = [item["CidrBlock"] for item in vpc.get("CidrBlockAssociationSet", ()) if item["CidrBlockState"]["State"] == "associated"]
    six = [
        item["Ipv6CidrBlock"] for item in vpc.get("Ipv6CidrBlockAssociationSet", ()) if item["Ipv6CidrBlockState"]["State"] == "associated"
    ]
    return [*four, *six]
