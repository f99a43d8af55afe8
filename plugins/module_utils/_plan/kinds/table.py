# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route tables and which subnet uses which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..._model.network import Association, Route, RouteTable
from ..actions import Action, Found, Ref, Wanted
from ..context import Context, tagged
from ..draft import Draft
from .base import Kind, Run, TaggedKind, locate_by_tags, tag_specifications


class TableKind(TaggedKind):
    """A route table of ours. Tables of adopted VPCs only get a name here."""

    name = "route_table"
    fixed = frozenset({"vpc"})

    def register(self, ctx: Context) -> None:
        super().register(ctx)
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.route_tables.items():
                if spec.ref and (table := ctx.table(vpc_name, spec.ref)):
                    ctx.register(f"vpcs.{vpc_name}.route_tables.{name}", table.id)

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.route_tables.items():
                if spec.ref or vpc.remote:
                    continue
                full = f"vpcs.{vpc_name}.route_tables.{name}"
                attrs = {"vpc": ctx.vpc_ref(vpc_name), "tags": ctx.tags(full, f"{vpc_name}-{name}", vpc)}
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(
            ctx,
            ctx.network.route_tables,
            lambda table: {"vpc": ctx.refer(table.vpc)},
        )

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(
            action, "ec2:CreateRouteTable", VpcId=after["vpc"], TagSpecifications=tag_specifications("route-table", after["tags"])
        )
        return [str(made["RouteTable"]["RouteTableId"])]

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteRouteTable", RouteTableId=action.id)

    def locate(self, run: Run, action: Action) -> str:
        return locate_by_tags(run, action, "ec2:DescribeRouteTables", "RouteTableId")

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            draft.drop("route_tables", draft.target(action))
        elif action.op == "update":
            draft.retag("route_tables", draft.target(action), action)
        else:
            identifier, vpc = draft.new(action), draft.vpcs[draft.id(after["vpc"])]
            local = tuple(Route(cidr, "local", "local", origin="CreateRouteTable") for cidr in (*vpc.cidrs, *vpc.ipv6_cidrs))
            draft.route_tables[identifier] = RouteTable(
                id=identifier, account=action.account, region=action.region, tags=after["tags"], vpc=vpc.id, routes=local
            )


class AssociationKind(Kind):
    """A subnet's explicit association. Without one, the main table serves it."""

    name = "association"
    placed = frozenset({"subnet"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.subnets.items():
                if spec.table:
                    base = f"vpcs.{vpc_name}"
                    attrs = {"subnet": Ref(f"{base}.subnets.{name}"), "table": ctx.table_ref(vpc_name, spec.table)}
                    yield Wanted(self.name, f"{base}.subnets.{name}.table", ctx.account(vpc), vpc.region, attrs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        for table in ctx.network.route_tables.values():
            for link in table.associations:
                subnet = ctx.network.subnets.get(link.subnet)
                if subnet is not None and ctx.ours(subnet):
                    attrs = {"subnet": ctx.refer(subnet.id), "table": ctx.refer(table.id)}
                    yield Found(f"{subnet.name}.table", link.id, table.account, table.region, attrs, ours=ctx.ours(table))

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(action, "ec2:AssociateRouteTable", SubnetId=after["subnet"], RouteTableId=after["table"])
        return [str(made["AssociationId"])]

    def update(self, run: Run, action: Action) -> None:
        if action.before:  # one that was found again after its answer was lost is as wanted
            run.call(action, "ec2:ReplaceRouteTableAssociation", AssociationId=action.id, RouteTableId=(action.after or {})["table"])

    def locate(self, run: Run, action: Action) -> str:
        subnet, table = (run.id((action.after or {})[key]) for key in ("subnet", "table"))
        filters = [{"Name": "association.subnet-id", "Values": [subnet]}, {"Name": "route-table-id", "Values": [table]}]
        links = [link for item in run.pages(action, "ec2:DescribeRouteTables", Filters=filters) for link in item["Associations"]]
        return next((str(link["RouteTableAssociationId"]) for link in links if link.get("SubnetId") == subnet), "")

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DisassociateRouteTable", AssociationId=action.id)

    def simulate(self, draft: Draft, action: Action) -> None:
        attrs = action.after or action.before or {}
        subnet = draft.id(attrs["subnet"])
        for table in list(draft.route_tables.values()):
            if any(link.subnet == subnet for link in table.associations):
                draft.change("route_tables", table.id, associations=tuple(link for link in table.associations if link.subnet != subnet))
        if action.op != "delete":
            table = draft.route_tables[draft.id(attrs["table"])]
            draft.change("route_tables", table.id, associations=(*table.associations, Association(f"{subnet}.assoc", subnet=subnet)))
