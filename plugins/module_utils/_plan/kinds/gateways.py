# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways out of a VPC: internet gateway, egress-only internet gateway, NAT gateway and its elastic address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..._model.network import Address, EgressOnlyGateway, InternetGateway, NatGateway
from ...errors import AwsError
from ..actions import Action, Found, Ref, Wanted
from ..context import Context, tagged
from ..draft import Draft
from .base import GONE, Run, TaggedKind, locate_by_tags, tag_specifications, update_tags

#: States of a NAT gateway that serves, or will.
ALIVE = ("pending", "available")


class InternetGatewayKind(TaggedKind):
    """An internet gateway, attached. One that was made and never attached (a run was killed) is attached by the next."""

    name = "internet_gateway"

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, vpc in ctx.vpcs.items():
            if vpc.internet_gateway and not vpc.remote:
                full = f"vpcs.{name}.internet_gateway"
                attrs = {"vpc": ctx.vpc_ref(name), "tags": ctx.tags(full, name, vpc)}
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, path=vpc.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(
            ctx, ctx.network.internet_gateways, lambda item: {"vpc": ctx.refer(item.vpc) if item.vpc else ""}, lambda item: bool(item.vpc)
        )

    def serves(self, ctx: Context, wanted: Wanted, found: Found) -> bool:
        return found.attrs["vpc"] in ("", wanted.attrs["vpc"])

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(action, "ec2:CreateInternetGateway", TagSpecifications=tag_specifications("internet-gateway", after["tags"]))
        identifier = str(made["InternetGateway"]["InternetGatewayId"])
        run.know(action.name, identifier)
        run.call(action, "ec2:AttachInternetGateway", InternetGatewayId=identifier, VpcId=after["vpc"])
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        if not (action.before or {}).get("vpc"):
            run.call(action, "ec2:AttachInternetGateway", InternetGatewayId=action.id, VpcId=(action.after or {})["vpc"])
        update_tags(run, action, action.id)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            if vpc := (action.before or {}).get("vpc"):
                try:
                    run.call(action, "ec2:DetachInternetGateway", InternetGatewayId=action.id, VpcId=vpc)
                except AwsError as error:
                    if error.code != "Gateway.NotAttached":  # another run was quicker
                        raise
            run.call(action, "ec2:DeleteInternetGateway", InternetGatewayId=action.id)

    def locate(self, run: Run, action: Action) -> str:
        return locate_by_tags(run, action, "ec2:DescribeInternetGateways", "InternetGatewayId")

    def simulate(self, draft: Draft, action: Action) -> None:
        if action.op == "delete":
            _remove(draft, "internet_gateways", action)
        elif action.op == "update":
            draft.change("internet_gateways", draft.target(action), vpc=draft.id((action.after or {})["vpc"]))
            draft.retag("internet_gateways", draft.target(action), action)
        else:
            _add(draft, "internet_gateways", InternetGateway, action)


class EgressOnlyGatewayKind(TaggedKind):
    """An egress-only internet gateway, for IPv6."""

    name = "egress_only_gateway"
    fixed = frozenset({"vpc"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, vpc in ctx.vpcs.items():
            if vpc.egress_only_gateway and not vpc.remote:
                full = f"vpcs.{name}.egress_only_gateway"
                attrs = {"vpc": ctx.vpc_ref(name), "tags": ctx.tags(full, name, vpc)}
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, path=vpc.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(ctx, ctx.network.egress_only_gateways, lambda item: {"vpc": ctx.refer(item.vpc)})

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        tags = tag_specifications("egress-only-internet-gateway", after["tags"])
        made = run.call(action, "ec2:CreateEgressOnlyInternetGateway", VpcId=after["vpc"], TagSpecifications=tags)
        return [str(made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"])]

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteEgressOnlyInternetGateway", EgressOnlyInternetGatewayId=action.id)

    def simulate(self, draft: Draft, action: Action) -> None:
        if action.op == "delete":
            _remove(draft, "egress_only_gateways", action)
        elif action.op == "update":
            draft.retag("egress_only_gateways", draft.target(action), action)
        else:
            _add(draft, "egress_only_gateways", EgressOnlyGateway, action)


class AddressKind(TaggedKind):
    """The elastic IP address of a public NAT gateway."""

    name = "address"

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, vpc in ctx.vpcs.items():
            for subnet in vpc.nat_subnets:
                full = f"vpcs.{name}.addresses.{subnet}"
                needs = (f"vpcs.{name}.internet_gateway",) if vpc.internet_gateway else ()
                yield Wanted(
                    self.name,
                    full,
                    ctx.account(vpc),
                    vpc.region,
                    {"tags": ctx.tags(full, f"{name}-{subnet}-nat", vpc)},
                    needs=needs,
                    path=vpc.path,
                )

    def found(self, ctx: Context) -> Iterator[Found]:
        for found in tagged(ctx, ctx.network.addresses, lambda item: {}):
            # An address follows its gateway: that of the one that is kept is kept.
            vpc = ctx.ids.get(".".join(found.name.split(".")[:2]), "")
            gateways = [item.id for item in ctx.network.nat_gateways.values() if found.id in item.allocations and item.state in ALIVE]
            served = [item for item in gateways if ctx.network.nat_gateways[item].vpc == vpc]
            yield replace(found, order=min(served, default=f"~{found.id}"))

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        made = run.call(
            action, "ec2:AllocateAddress", Domain="vpc", TagSpecifications=tag_specifications("elastic-ip", (action.after or {})["tags"])
        )
        return [str(made["AllocationId"])]

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:ReleaseAddress", AllocationId=action.id)

    def locate(self, run: Run, action: Action) -> str:
        return locate_by_tags(run, action, "ec2:DescribeAddresses", "AllocationId")

    def simulate(self, draft: Draft, action: Action) -> None:
        if action.op == "delete":
            draft.drop("addresses", draft.target(action))
        elif action.op == "update":
            draft.retag("addresses", draft.target(action), action)
        else:
            identifier = draft.new(action)
            tags = (action.after or {})["tags"]
            draft.addresses[identifier] = Address(id=identifier, account=action.account, region=action.region, tags=tags, public_ip="")


class NatGatewayKind(TaggedKind):
    """A public NAT gateway. Deleting takes minutes on AWS, and its address and subnet wait for it."""

    name = "nat_gateway"
    fixed = frozenset({"subnet", "address"})
    placed = frozenset({"subnet"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, vpc in ctx.vpcs.items():
            for subnet in vpc.nat_subnets:
                full = f"vpcs.{name}.nat_gateways.{subnet}"
                attrs = {
                    "subnet": Ref(f"vpcs.{name}.subnets.{subnet}"),
                    "address": Ref(f"vpcs.{name}.addresses.{subnet}"),
                    "tags": ctx.tags(full, f"{name}-{subnet}", vpc),
                }
                needs = [f"vpcs.{name}.internet_gateway", f"vpcs.{name}.subnets.{subnet}.table"]
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, needs=tuple(needs), path=vpc.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        attached = {item.vpc: item.id for item in ctx.network.internet_gateways.values() if item.vpc}
        yield from tagged(
            ctx,
            {key: item for key, item in ctx.network.nat_gateways.items() if item.state in ALIVE},
            lambda item: {
                "subnet": ctx.refer(item.subnet),
                "address": ctx.refer(item.allocations[0]) if item.allocations else "",
                # What its VPC's traffic leaves by can go only after it.
                "internet_gateway": ctx.refer(attached.get(item.vpc, "")),
            },
        )

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        tags = tag_specifications("natgateway", after["tags"])
        made = run.call(action, "ec2:CreateNatGateway", SubnetId=after["subnet"], AllocationId=after["address"], TagSpecifications=tags)
        identifier = str(made["NatGateway"]["NatGatewayId"])
        run.know(action.name, identifier)
        run.wait(action, "nat_gateway", identifier, ("available",), timeout=600)
        return [identifier]

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteNatGateway", NatGatewayId=action.id)
            run.wait(action, "nat_gateway", action.id, ("deleted", GONE), timeout=900)

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            _remove(draft, "nat_gateways", action)
        elif action.op == "update":
            draft.retag("nat_gateways", draft.target(action), action)
        else:
            identifier, subnet = draft.new(action), draft.subnets[draft.id(after["subnet"])]
            draft.nat_gateways[identifier] = NatGateway(
                id=identifier,
                account=action.account,
                region=action.region,
                tags=after["tags"],
                vpc=subnet.vpc,
                subnet=subnet.id,
                allocations=(draft.id(after["address"]),),
            )


def _add(draft: Draft, collection: str, make: Any, action: Action) -> None:
    after, identifier = action.after or {}, draft.new(action)
    draft.items[collection][identifier] = make(
        id=identifier, account=action.account, region=action.region, tags=after["tags"], vpc=draft.id(after["vpc"])
    )


def _remove(draft: Draft, collection: str, action: Action) -> None:
    """Drop a gateway; routes that pointed to it stay, as black holes."""
    gone = draft.target(action)
    draft.drop(collection, gone)
    for table in list(draft.route_tables.values()):
        if any(route.target == gone for route in table.routes):
            routes = tuple(replace(route, state="blackhole") if route.target == gone else route for route in table.routes)
            draft.change("route_tables", table.id, routes=routes)
