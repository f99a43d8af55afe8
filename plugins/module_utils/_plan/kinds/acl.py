# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network ACLs with all their entries, and the subnets that they guard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..._model.network import AclEntry, NetworkAcl
from ..._topology.types import AclEntrySpec
from ..actions import Action, Found, Ref, Wanted
from ..context import Context, tagged
from ..draft import Draft
from .base import Kind, Run, TaggedKind, locate_by_tags, tag_specifications, update_tags
from .vpc import default_entries

#: Entries that AWS gives as numbers. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkAclEntry.html
NUMBERS = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "-1": "-1"}
LAST = 32766


class AclKind(TaggedKind):
    """An ACL of ours. It gets its entries before a subnet gets it: an empty ACL denies everything."""

    name = "network_acl"
    fixed = frozenset({"vpc"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.network_acls.items():
                full = f"vpcs.{vpc_name}.network_acls.{name}"
                entries = [_json(_entry(item, egress=False)) for item in spec.inbound] + [
                    _json(_entry(item, egress=True)) for item in spec.outbound
                ]
                attrs = {
                    "vpc": ctx.vpc_ref(vpc_name),
                    "entries": sorted(entries, key=_order),
                    "tags": ctx.tags(full, f"{vpc_name}-{name}", vpc),
                }
                yield Wanted(self.name, full, ctx.account(vpc), vpc.region, attrs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        yield from tagged(
            ctx,
            ctx.network.network_acls,
            lambda acl: {
                "vpc": ctx.refer(acl.vpc),
                "entries": sorted((_json(entry) for entry in acl.entries if entry.number <= LAST), key=_order),
            },
        )

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(
            action, "ec2:CreateNetworkAcl", VpcId=after["vpc"], TagSpecifications=tag_specifications("network-acl", after["tags"])
        )
        identifier = str(made["NetworkAcl"]["NetworkAclId"])
        run.know(action.name, identifier)
        for entry in after["entries"]:
            run.call(action, "ec2:CreateNetworkAclEntry", NetworkAclId=identifier, **_request(entry))
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        before = {_order(entry): entry for entry in (action.before or {}).get("entries", ())}
        after = {_order(entry): entry for entry in (action.after or {})["entries"]}
        # What admits comes before what is taken away, so that a change never cuts more than it says.
        for key in sorted(after):
            if key not in before:
                run.call(action, "ec2:CreateNetworkAclEntry", NetworkAclId=action.id, **_request(after[key]))
            elif before[key] != after[key]:
                run.call(action, "ec2:ReplaceNetworkAclEntry", NetworkAclId=action.id, **_request(after[key]))
        for egress, number in sorted(before.keys() - after.keys()):
            run.call(action, "ec2:DeleteNetworkAclEntry", NetworkAclId=action.id, RuleNumber=number, Egress=egress)
        update_tags(run, action, action.id)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteNetworkAcl", NetworkAclId=action.id)

    def locate(self, run: Run, action: Action) -> str:
        return locate_by_tags(run, action, "ec2:DescribeNetworkAcls", "NetworkAclId")

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            draft.drop("network_acls", draft.target(action))
            return
        entries = tuple(_load(entry) for entry in after["entries"])
        if action.op == "update":
            kept = tuple(entry for entry in draft.network_acls[draft.target(action)].entries if entry.number > LAST)
            draft.change("network_acls", draft.target(action), entries=_sorted((*entries, *kept)))
            draft.retag("network_acls", draft.target(action), action)
            return
        identifier, vpc = draft.new(action), draft.vpcs[draft.id(after["vpc"])]
        denies = default_entries(ipv6=bool(vpc.ipv6_cidrs), allow=False)
        draft.network_acls[identifier] = NetworkAcl(
            id=identifier,
            account=action.account,
            region=action.region,
            tags=after["tags"],
            vpc=vpc.id,
            entries=_sorted((*entries, *denies)),
        )


class AclAssociationKind(Kind):
    """Which ACL guards a subnet. Taking ours away puts the VPC's default one back."""

    name = "acl_association"
    placed = frozenset({"subnet"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for vpc_name, vpc in ctx.vpcs.items():
            for name, spec in vpc.network_acls.items():
                for subnet in spec.subnets:
                    base = f"vpcs.{vpc_name}"
                    attrs = {"subnet": Ref(f"{base}.subnets.{subnet}"), "acl": Ref(f"{base}.network_acls.{name}")}
                    yield Wanted(self.name, f"{base}.subnets.{subnet}.acl", ctx.account(vpc), vpc.region, attrs, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        for acl in ctx.network.network_acls.values():
            for subnet_id, association in acl.associations.items():
                subnet = ctx.network.subnets.get(subnet_id)
                if subnet is not None and ctx.ours(subnet) and ctx.ours(acl):
                    attrs = {"subnet": ctx.refer(subnet.id), "acl": ctx.refer(acl.id)}
                    yield Found(f"{subnet.name}.acl", association, acl.account, acl.region, attrs)

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        for action in actions:
            self._put(run, action, run.id((action.after or {})["subnet"]), run.id((action.after or {})["acl"]))
        return [action.name for action in actions]

    def update(self, run: Run, action: Action) -> None:
        self._put(run, action, run.id((action.after or {})["subnet"]), run.id((action.after or {})["acl"]))

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            subnet = run.id((action.before or {})["subnet"])
            if not (current := self._current(run, action, subnet)):
                continue
            filters = [{"Name": "vpc-id", "Values": [current["VpcId"]]}, {"Name": "default", "Values": ["true"]}]
            for default in run.pages(action, "ec2:DescribeNetworkAcls", Filters=filters):
                self._put(run, action, subnet, default["NetworkAclId"])

    def _current(self, run: Run, action: Action, subnet: str) -> dict[str, Any]:
        """The ACL that guards a subnet; empty when the subnet is gone."""
        return next(iter(run.pages(action, "ec2:DescribeNetworkAcls", Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])), {})

    def _put(self, run: Run, action: Action, subnet: str, acl: str) -> None:
        # The association id changes with every replacement, so it is read just before.
        current = self._current(run, action, subnet)
        if not current:
            missing = {"Code": "InvalidSubnetID.NotFound", "Message": f"The subnet {subnet} does not exist"}
            raise run.refused(action, "ec2:ReplaceNetworkAclAssociation", missing)
        association = next(item["NetworkAclAssociationId"] for item in current["Associations"] if item["SubnetId"] == subnet)
        if current["NetworkAclId"] != acl:
            run.call(action, "ec2:ReplaceNetworkAclAssociation", AssociationId=association, NetworkAclId=acl)

    def simulate(self, draft: Draft, action: Action) -> None:
        attrs = action.after or action.before or {}
        subnet = draft.id(attrs["subnet"])
        if subnet not in draft.subnets:
            return
        vpc = draft.subnets[subnet].vpc
        for acl in list(draft.network_acls.values()):
            if subnet in acl.associations:
                draft.change("network_acls", acl.id, associations={key: value for key, value in acl.associations.items() if key != subnet})
        acls = [acl for acl in draft.network_acls.values() if acl.vpc == vpc and acl.default]
        targets = [draft.network_acls[draft.id(attrs["acl"])]] if action.op != "delete" else acls
        for acl in targets[:1]:
            draft.change("network_acls", acl.id, associations={**acl.associations, subnet: f"{subnet}.acl"})


def _entry(spec: AclEntrySpec, *, egress: bool) -> AclEntry:
    return AclEntry(spec.number, egress, spec.allow, spec.protocol, spec.cidr, spec.from_port, spec.to_port, spec.icmp)


def _json(entry: AclEntry) -> dict[str, Any]:
    # "All" has two spellings in each family: one is kept here, and AWS is told the other, which it insists on.
    all_ports = entry.from_port is None or (entry.from_port, entry.to_port) == (0, 65535)
    icmp = list(entry.icmp or (-1, -1)) if entry.protocol in ("icmp", "icmpv6") else None
    return {
        "number": entry.number,
        "egress": entry.egress,
        "allow": entry.allow,
        "protocol": entry.protocol,
        "cidr": entry.cidr,
        "ports": None if all_ports else [entry.from_port, entry.to_port],
        "icmp": icmp,
    }


def _load(entry: Mapping[str, Any]) -> AclEntry:
    low, high = entry["ports"] or (None, None)
    icmp = tuple(entry["icmp"]) if entry["icmp"] else None
    return AclEntry(entry["number"], entry["egress"], entry["allow"], entry["protocol"], entry["cidr"], low, high, icmp)


def _order(entry: Mapping[str, Any]) -> tuple[bool, int]:
    return (entry["egress"], entry["number"])


def _sorted(entries: Sequence[AclEntry]) -> tuple[AclEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.egress, entry.number)))


def _request(entry: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {
        "RuleNumber": entry["number"],
        "Egress": entry["egress"],
        "RuleAction": "allow" if entry["allow"] else "deny",
        "Protocol": NUMBERS.get(entry["protocol"], entry["protocol"]),
        "Ipv6CidrBlock" if ":" in entry["cidr"] else "CidrBlock": entry["cidr"],
    }
    if entry["protocol"] in ("tcp", "udp"):
        low, high = entry["ports"] or (0, 65535)
        request["PortRange"] = {"From": low, "To": high}
    if entry["icmp"]:
        request["IcmpTypeCode"] = {"Type": entry["icmp"][0], "Code": entry["icmp"][1]}
    return request
