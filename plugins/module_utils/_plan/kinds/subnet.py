# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subnets, in VPCs of ours and in adopted ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import Subnet
from ..actions import Action, Found, Ref, Wanted
from ..context import Context, ipv6_name, tagged
from ..draft import Draft, nth_ipv6_subnet
from .base import Run, TaggedKind, locate_by_tags, tag_specifications, update_tags


class SubnetKind(TaggedKind):
    """A subnet; addresses are given out as its ``public`` and ``ipv6`` keys say."""

    name = "subnet"
    fixed = frozenset({"vpc", "cidr", "zone", "ipv6"})

    def register(self, ctx: Context) -> None:
        super().register(ctx)
        for found in self.found(ctx):
            if ctx.ids.get(found.name) == found.id and str(found.attrs["ipv6"]).startswith("auto:"):
                ctx.register(f"{found.name}.ipv6", ctx.network.subnets[found.id].ipv6_cidr)

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.subnets.items():
                full = f"vpcs.{vpc_name}.subnets.{name}"
                attrs: dict[str, Any] = {"vpc": ctx.vpc_ref(vpc_name), "cidr": spec.cidr, "map_public_ip": spec.public}
                needs: list[str] = []
                if spec.zone:
                    attrs["zone"] = spec.zone if "-" in spec.zone else vpc.region + spec.zone
                if spec.ipv6:
                    attrs |= {"ipv6": spec.ipv6, "assign_ipv6": True}
                    needs.append(ipv6_name(vpc_name) if spec.ipv6.startswith("auto:") else f"vpcs.{vpc_name}.cidrs.{vpc.ipv6}")
                if vpc.ours:
                    needs += [f"vpcs.{vpc_name}.cidrs.{cidr}" for cidr in vpc.cidrs[1:]]
                attrs["tags"] = ctx.tags(full, f"{vpc_name}-{name}", vpc)
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, needs=tuple(needs), path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(ctx, ctx.network.subnets, lambda subnet: _attrs(ctx, subnet))

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        request: dict[str, Any] = {
            "VpcId": after["vpc"],
            "CidrBlock": after["cidr"],
            "TagSpecifications": tag_specifications("subnet", after["tags"]),
        }
        if "zone" in after:
            request["AvailabilityZone"] = after["zone"]
        if ipv6 := str(after.get("ipv6", "")):
            request["Ipv6CidrBlock"] = nth_ipv6_subnet(run.id(Ref(_block_of(action))), int(ipv6[5:])) if ipv6.startswith("auto:") else ipv6
        identifier = str(run.call(action, "ec2:CreateSubnet", **request)["Subnet"]["SubnetId"])
        run.know(action.name, identifier)
        if ipv6:
            run.know(f"{action.name}.ipv6", request["Ipv6CidrBlock"])
        self._attributes(run, action, identifier, {"map_public_ip": False, "assign_ipv6": False})
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        self._attributes(run, action, action.id, action.before or {})
        update_tags(run, action, action.id)

    def _attributes(self, run: Run, action: Action, identifier: str, before: Any) -> None:
        after = action.after or {}
        # One attribute a call: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html
        for key, parameter in (("map_public_ip", "MapPublicIpOnLaunch"), ("assign_ipv6", "AssignIpv6AddressOnCreation")):
            if key in after and after[key] != before.get(key):
                run.call(action, "ec2:ModifySubnetAttribute", SubnetId=identifier, **{parameter: {"Value": after[key]}})

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteSubnet", SubnetId=action.id)

    def locate(self, run: Run, action: Action) -> str:
        return locate_by_tags(run, action, "ec2:DescribeSubnets", "SubnetId")

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            draft.drop("subnets", draft.target(action))
            return
        if action.op == "update":
            draft.change("subnets", draft.target(action), map_public_ip=after["map_public_ip"], assign_ipv6=after.get("assign_ipv6", False))
            draft.retag("subnets", draft.target(action), action)
            return
        identifier, vpc = draft.new(action), draft.id(after["vpc"])
        ipv6 = str(after.get("ipv6", ""))
        if ipv6.startswith("auto:"):
            ipv6 = nth_ipv6_subnet(draft.ids[_block_of(action)], int(ipv6[5:]))
            draft.ids[f"{action.name}.ipv6"] = ipv6
        draft.subnets[identifier] = Subnet(
            id=identifier,
            account=action.account,
            region=action.region,
            tags=after["tags"],
            vpc=vpc,
            cidr=after["cidr"],
            ipv6_cidr=ipv6,
            zone=after.get("zone", ""),
            map_public_ip=after["map_public_ip"],
            assign_ipv6=after.get("assign_ipv6", False),
        )
        # A new subnet is guarded by the VPC's default ACL until it is given another.
        for acl in [acl for acl in draft.network_acls.values() if acl.vpc == vpc and acl.default]:
            draft.change("network_acls", acl.id, associations={**acl.associations, identifier: f"{identifier}.acl"})


def _block_of(action: Action) -> str:
    return ipv6_name(action.name.split(".")[1])


def _attrs(ctx: Context, subnet: Subnet) -> dict[str, Any]:
    ipv6 = subnet.ipv6_cidr
    vpc = ctx.network.vpcs.get(subnet.vpc)
    for block in vpc.ipv6_cidrs if vpc and ipv6 else ():
        if ctx.names.get(block, "").endswith(".ipv6"):
            ipv6 = f"auto:{_index(block, ipv6)}"
    return {
        "vpc": ctx.refer(subnet.vpc),
        "cidr": subnet.cidr,
        "zone": subnet.zone,
        "ipv6": ipv6,
        "map_public_ip": subnet.map_public_ip,
        "assign_ipv6": subnet.assign_ipv6,
    }


def _index(block: str, subnet: str) -> int:
    import ipaddress

    return (int(ipaddress.IPv6Network(subnet).network_address) - int(ipaddress.IPv6Network(block).network_address)) >> 64
