# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``build(snapshot) -> Network``: every described object, of any number of accounts and Regions, as one network.

Who reads the same account again and again builds one field at a time (``part``), with a Memo of what was made before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from . import parse, rules, transit
from .files import Item
from .gate import BAD_SHAPE, Fault, Gate, named, warnings
from .network import (
    EncryptionControl,
    Instance,
    Interface,
    Network,
    Peering,
    PeeringSide,
    PrefixList,
    Resource,
    Rule,
    SecurityGroup,
    TransitAttachment,
    TransitGateway,
    TransitTable,
    Vpc,
)
from .snapshot import Snapshot

T = TypeVar("T", bound=Resource)

#: Files whose items become objects by themselves: the Network's field, and the item's parser.
_SIMPLE: Mapping[str, tuple[str, Callable[[Item, str, str], Resource]]] = {
    "Subnets": ("subnets", parse.subnet),
    "InternetGateways": ("internet_gateways", parse.internet_gateway),
    "EgressOnlyInternetGateways": ("egress_only_gateways", parse.egress_only_gateway),
    "NatGateways": ("nat_gateways", parse.nat_gateway),
    "Addresses": ("addresses", parse.address),
    "RouteTables": ("route_tables", parse.route_table),
    "NetworkAcls": ("network_acls", parse.network_acl),
    "VpcEndpoints": ("endpoints", parse.endpoint),
    "FlowLogs": ("flow_logs", parse.flow_log),
    "VpcBlockPublicAccessOptions": ("public_access", parse.public_access),
    "VpcBlockPublicAccessExclusions": ("public_access_exclusions", parse.public_access_exclusion),
}
#: Files that are read together with another.
_JOINED = (
    "Vpcs",
    "VpcAttributes",
    "VpcPeeringConnections",
    "SecurityGroups",
    "SecurityGroupRules",
    "SecurityGroupVpcAssociations",
    "NetworkInterfaces",
    "Reservations",
    "Instances",
    "ManagedPrefixLists",
    "PrefixListEntries",
    "PrefixLists",
    "VpcEncryptionControls",
    "TransitGateways",
    "TransitGatewayAttachments",
    "TransitGatewayVpcAttachments",
    "TransitGatewayRouteTables",
    "TransitGatewayStaticRoutes",
    "TransitGatewayPropagations",
)

#: A file to those that tell the same, and are taken in its place where it is not there: a part of it is no reason to trust them alone.
_TOLD_TWICE: Mapping[str, tuple[str, ...]] = {"SecurityGroupRules": ("SecurityGroups",)}
#: The Network's field to the files that it is made of: what else a snapshot holds does not change it.
SOURCES: Mapping[str, tuple[str, ...]] = {
    **{name: (file,) for file, (name, _parser) in _SIMPLE.items()},
    "vpcs": ("Vpcs", "VpcAttributes"),
    "peerings": ("VpcPeeringConnections",),
    "security_groups": ("SecurityGroups", "SecurityGroupVpcAssociations", "SecurityGroupRules"),
    "rules": ("SecurityGroupRules", "SecurityGroups"),
    "prefix_lists": ("ManagedPrefixLists", "PrefixLists", "PrefixListEntries"),
    "instances": ("Reservations", "Instances"),
    "interfaces": ("NetworkInterfaces", "Reservations", "Instances"),
    "encryption_controls": ("VpcEncryptionControls", "Vpcs"),
    "transit_gateways": ("TransitGateways",),
    "transit_tables": ("TransitGatewayRouteTables", "TransitGatewayStaticRoutes", "TransitGatewayPropagations"),
    "transit_attachments": ("TransitGatewayAttachments", "TransitGatewayVpcAttachments"),
}

#: States in which a group may be used in the other VPC: one that could not be ended goes on.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupVpcAssociation.html
_ASSOCIATED = (None, "associated", "disassociation-failed")
#: How far a connection has come. Its states only ever move to the right, so of two views the later state is the newer one.
#: https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-lifecycle
_PROGRESS = ("initiating-request", "pending-acceptance", "provisioning", "active", "deleting", "expired", "rejected", "failed", "deleted")


class Memo:
    """What was made of items before: an item that is the very same object as then gives the very same object as then.

    Of a field, only what its last building used is kept. It is told which field is being built by ``begin``. ``gate`` lets items in;
    ``faults``: of the items that were left out of the last building of each field.
    """

    def __init__(self) -> None:
        self.gate = Gate()
        self.faults: dict[str, list[Fault]] = {}
        self._kept: dict[str, dict[tuple[int, ...], tuple[tuple[Any, ...], Any]]] = {}
        self._old: dict[tuple[int, ...], tuple[tuple[Any, ...], Any]] = {}
        self._new: dict[tuple[int, ...], tuple[tuple[Any, ...], Any]] = {}
        self._faults: list[Fault] = []

    def begin(self, field: str) -> None:
        """From now on, a field is built."""
        self._old, self._new = self._kept.get(field, {}), {}
        self._kept[field] = self._new
        self._faults = self.faults[field] = []

    def refuse(self, fault: Fault) -> None:
        """An item of the field is left out."""
        self._faults.append(fault)

    def known(self, *items: Any) -> Any:
        """What was made of exactly these objects, or None."""
        key = tuple(map(id, items))
        found = self._old.get(key)
        if found is None:
            return None
        self._new[key] = found
        return found[1]

    def keep(self, made: T, *items: Any) -> T:
        """Remember what was made of these objects (which it holds, so that their ids stay theirs), and return it."""
        self._new[tuple(map(id, items))] = (items, made)
        return made


def build(snapshot: Snapshot) -> Network:
    """The network that a snapshot tells of. Pure; about a second for ten thousand ENIs.

    What has no class of its own is kept in ``others``. An item that breaks AWS's grammar (see ``gate``) or lacks what AWS always sends is
    left out: ``warnings`` name it, ``faults`` hold it, and its file is not among those that are ``complete``.
    """
    memo = Memo()
    admitted, found = memo.gate.admit(snapshot.files)
    snapshot = replace(snapshot, files=admitted)
    fields: dict[str, Any] = {name: _part(snapshot, name, memo) for name in SOURCES}
    fresh = {*found, *(fault for some in memo.faults.values() for fault in some)}
    faults = tuple(sorted({*snapshot.faults, *fresh}))
    others: dict[str, tuple[Item, ...]] = {}
    for (_other, _other, file), items in sorted(snapshot.files.items(), key=lambda entry: entry[0]):
        if file not in _SIMPLE and file not in _JOINED:
            others[file] = others.get(file, ()) + tuple(item if isinstance(item, Mapping) else {"Value": item} for item in items)
    partial = {(fault.account, fault.region, file) for fault in faults for file in (fault.file, *_TOLD_TWICE.get(fault.file, ()))}
    complete = frozenset(snapshot.files) - partial
    told = (*snapshot.warnings, *warnings(fresh))
    return Network(**fields, others=others, complete=complete, untold=snapshot.untold, warnings=told, faults=faults)


def part(snapshot: Snapshot, field: str, memo: Memo | None = None) -> dict[str, Any]:
    """One field of the Network (SOURCES), by id. Items with faults are left out, as ``build`` does; ``memo`` tells them."""
    memo = memo or Memo()
    admitted, found = memo.gate.admit(snapshot.files, SOURCES[field])
    made = _part(replace(snapshot, files=admitted), field, memo)
    for fault in found:
        memo.refuse(fault)
    return made


def _part(snapshot: Snapshot, field: str, memo: Memo) -> dict[str, Any]:
    memo.begin(field)
    for file, (name, parser) in _SIMPLE.items():
        if name == field:
            return _collect(snapshot, file, parser, memo)
    return _BUILDERS[field](snapshot, memo)


def _collect(
    snapshot: Snapshot,
    file: str,
    parser: Callable[..., T],
    memo: Memo,
    *others: Mapping[Any, Item],
    key: str = "",
) -> dict[str, T]:
    """Items by id. What is shared between accounts is told by several: the owner's view counts.

    ``others``: items of other files, by the value of ``key``, that the parser takes too (None for those that are not there).
    """
    found: dict[str, T] = {}
    for number, (account, region, item) in enumerate(snapshot.items(file)):
        joined = [other.get(item.get(key)) for other in others]
        thing: T | None = memo.known(item, *joined)
        if thing is None:
            with _guarded(memo, account, region, file, number, item):
                thing = memo.keep(parser(item, account, region, *joined), item, *joined)
        if thing is not None and (thing.id not in found or thing.account == account):
            found[thing.id] = thing
    return found


class _guarded:
    """Leaves out the item whose shape its parser cannot read, with a fault that names it."""

    def __init__(self, memo: Memo, account: str, region: str, file: str, number: int, item: Any) -> None:
        self.memo, self.place, self.number, self.item = memo, (account, region, file), number, item

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            return False
        what = f"has no {error.args[0]}" if isinstance(error, KeyError) else f"cannot be understood: {error}"
        self.memo.refuse(Fault(*self.place, named(self.place[2], self.item, self.number), "", BAD_SHAPE, what))
        return True


def _told(snapshot: Snapshot, file: str, key: str) -> dict[Any, Item]:
    """The items of a file by the id that they are about; of several, the last."""
    return {item.get(key): item for _account, _region, item in snapshot.items(file)}


def _vpcs(snapshot: Snapshot, memo: Memo) -> dict[str, Vpc]:
    def parser(item: Item, account: str, region: str, attributes: Item | None) -> Vpc:
        return parse.vpc(item, account, region, attributes or {})

    return _collect(snapshot, "Vpcs", parser, memo, _told(snapshot, "VpcAttributes", "VpcId"), key="VpcId")


def _groups(snapshot: Snapshot, memo: Memo) -> dict[str, SecurityGroup]:
    associated: defaultdict[str, list[str]] = defaultdict(list)
    for _account, _region, item in snapshot.items("SecurityGroupVpcAssociations"):
        if item.get("State") in _ASSOCIATED and item.get("GroupId") and item.get("VpcId"):
            associated[item["GroupId"]].append(item["VpcId"])
    found = _collect(snapshot, "SecurityGroups", parse.security_group, memo)
    for id_ in _without_rules(snapshot) & found.keys():
        found[id_] = replace(found[id_], rules_told=False)
    return {
        id_: replace(group, associated_vpcs=tuple(sorted(set(associated[id_])))) if id_ in associated else group
        for id_, group in found.items()
    }


def _without_rules(snapshot: Snapshot) -> set[str]:
    """Groups of which neither SecurityGroupRules nor their own permissions tell rules."""
    return {
        str(item.get("GroupId"))
        for account, region, item in snapshot.items("SecurityGroups")
        if (account, region, "SecurityGroupRules") not in snapshot.files and not {"IpPermissions", "IpPermissionsEgress"} <= item.keys()
    }


def _rules(snapshot: Snapshot, memo: Memo) -> dict[str, Rule]:
    """Group by group: from SecurityGroupRules, and from the group's own permissions where that file holds a part of them, or nothing."""
    found = _collect(
        snapshot, "SecurityGroupRules", lambda item, account, region: rules.rule(item, account, region, parse.tags(item)), memo
    )
    told: defaultdict[str, set[rules.Content]] = defaultdict(set)
    for rule in found.values():
        told[rule.group].add(rules.content(rule))
    for number, (account, region, item) in enumerate(snapshot.items("SecurityGroups")):
        with _guarded(memo, account, region, "SecurityGroups", number, item):
            own = {rules.content(rule): rule for rule in rules.derived(item, account, region)}
            known = told.get(item["GroupId"], set())
            if known < own.keys():
                found.update((rule.id, rule) for content, rule in own.items() if content not in known)
    return found


def _blocks(item: Item) -> list[str]:
    return [entry["Cidr"] for entry in item["Entries"]]


def _prefix_lists(snapshot: Snapshot, memo: Memo) -> dict[str, PrefixList]:
    told: dict[Any, Item] = {}
    for number, (account, region, item) in enumerate(snapshot.items("PrefixListEntries")):
        with _guarded(memo, account, region, "PrefixListEntries", number, item):
            if "Entries" in item:
                told[item["PrefixListId"]] = item
                _blocks(item)  # a fault is named here, by its own file

    def parser(item: Item, account: str, region: str, entries: Item | None) -> PrefixList:
        return parse.prefix_list(item, account, region, None if entries is None else _blocks(entries))

    found = _collect(snapshot, "PrefixLists", parser, memo, told, key="PrefixListId")
    for id_, managed in _collect(snapshot, "ManagedPrefixLists", parser, memo, told, key="PrefixListId").items():
        known = found.get(id_)
        if managed.entries is None and known:
            both: PrefixList | None = memo.known(managed, known)
            managed = both or memo.keep(replace(managed, entries=known.entries), managed, known)
        found[id_] = managed
    return found


def _described(snapshot: Snapshot, memo: Memo) -> Iterator[tuple[Instance, Item]]:
    """Every instance with its item."""
    listed: list[tuple[str, str, str, int, Item]] = []
    for number, (account, region, reservation) in enumerate(snapshot.items("Reservations")):
        with _guarded(memo, account, region, "Reservations", number, reservation):
            owner = str(reservation.get("OwnerId") or account)
            listed += [(owner, region, "Reservations", place, item) for place, item in enumerate(reservation.get("Instances") or ())]
    listed += [(account, region, "Instances", number, item) for number, (account, region, item) in enumerate(snapshot.items("Instances"))]
    for account, region, file, number, item in listed:
        known: Instance | None = memo.known(item)
        if known is None:
            with _guarded(memo, account, region, file, number, item):
                known = memo.keep(parse.instance(item, account, region), item)
        if known is not None:
            yield known, item


def _instances(snapshot: Snapshot, memo: Memo) -> dict[str, Instance]:
    return {found.id: found for found, _item in _described(snapshot, memo)}


def _interfaces(snapshot: Snapshot, memo: Memo) -> dict[str, Interface]:
    found = _collect(snapshot, "NetworkInterfaces", parse.interface, memo)
    # Instances tell their ENIs too: enough for a snapshot that lacks the call of their own.
    for number, (owner, item) in enumerate(_described(snapshot, memo)):
        with _guarded(memo, owner.account, owner.region, "Reservations", number, item):
            for link in item.get("NetworkInterfaces") or ():
                if link.get("NetworkInterfaceId") and link["NetworkInterfaceId"] not in found:
                    known: Interface | None = memo.known(link)
                    made = known or memo.keep(parse.interface(link, owner.account, owner.region, owner.id), link)
                    # Beside a file of their own that leaves it out, a link that tells no address is no interface to judge by.
                    if made.private_ips or made.ipv6s or (owner.account, owner.region, "NetworkInterfaces") not in snapshot.files:
                        found[link["NetworkInterfaceId"]] = made
    return found


def _encryption_controls(snapshot: Snapshot, memo: Memo) -> dict[str, EncryptionControl]:
    """From the call of their own, else from what DescribeVpcs tells of each VPC."""
    found = _collect(snapshot, "VpcEncryptionControls", parse.encryption_control, memo)
    for number, (account, region, item) in enumerate(snapshot.items("Vpcs")):
        told = item.get("EncryptionControl")
        if not isinstance(told, Mapping) or not told.get("VpcEncryptionControlId") or told["VpcEncryptionControlId"] in found:
            continue
        with _guarded(memo, account, region, "Vpcs", number, item):
            made = parse.encryption_control({**told, "VpcId": told.get("VpcId") or item["VpcId"]}, account, region)
            found[made.id] = made
    return found


def _transit_tables(snapshot: Snapshot, memo: Memo) -> dict[str, TransitTable]:
    """Tables with their routes and propagations, which are calls of their own."""
    key = "TransitGatewayRouteTableId"
    routes, propagations = (_told(snapshot, file, key) for file in ("TransitGatewayStaticRoutes", "TransitGatewayPropagations"))
    return _collect(snapshot, "TransitGatewayRouteTables", transit.table, memo, routes, propagations, key=key)


def _transit_attachments(snapshot: Snapshot, memo: Memo) -> dict[str, TransitAttachment]:
    """TransitGatewayAttachments tells every kind and its table; TransitGatewayVpcAttachments adds subnets and options."""
    found: dict[str, TransitAttachment] = {}
    details = _told(snapshot, "TransitGatewayVpcAttachments", "TransitGatewayAttachmentId")
    for file in ("TransitGatewayVpcAttachments", "TransitGatewayAttachments"):
        for number, (account, region, item) in enumerate(snapshot.items(file)):
            with _guarded(memo, account, region, file, number, item):
                more = details.get(item["TransitGatewayAttachmentId"])
                known: TransitAttachment | None = memo.known(item, more)
                made = known or memo.keep(transit.attachment(item, account, region, more), item, more)
                key = f"{made.id}@{made.gateway}" if made.type == "peering" else made.id
                if key not in found or made.table or not found[key].table:
                    found[key] = made
    return found


def _transit_gateways(snapshot: Snapshot, memo: Memo) -> dict[str, TransitGateway]:
    return _collect(snapshot, "TransitGateways", transit.gateway, memo)


def _peerings(snapshot: Snapshot, memo: Memo) -> dict[str, Peering]:
    views: defaultdict[str, list[Peering]] = defaultdict(list)
    for number, (account, region, item) in enumerate(snapshot.items("VpcPeeringConnections")):
        view: Peering | None = memo.known(item)
        if view is None:
            with _guarded(memo, account, region, "VpcPeeringConnections", number, item):
                view = memo.keep(parse.peering(item, account, region), item)
        if view is not None:
            views[view.id].append(view)
    found: dict[str, Peering] = {}
    for id_, seen in views.items():
        merged: Peering | None = memo.known("merged", *seen)
        found[id_] = merged or memo.keep(merge(seen), "merged", *seen)
    return found


_BUILDERS: Mapping[str, Callable[[Snapshot, Memo], dict[str, Any]]] = {
    "vpcs": _vpcs,
    "peerings": _peerings,
    "security_groups": _groups,
    "rules": _rules,
    "prefix_lists": _prefix_lists,
    "instances": _instances,
    "interfaces": _interfaces,
    "encryption_controls": _encryption_controls,
    "transit_gateways": _transit_gateways,
    "transit_tables": _transit_tables,
    "transit_attachments": _transit_attachments,
}


def merge(views: list[Peering]) -> Peering:
    """One connection from the views of the accounts and Regions that told of it; the requester's side is preferred for what both tell.

    Tags are each side's own; blocks and options come from whoever knows them, a side's own view first; the most advanced state counts.
    """
    first = views[0]
    places = [(side.account, side.region) for side in first.sides]
    ordered = sorted(
        views,
        key=lambda view: (
            places.index((view.account, view.region)) if (view.account, view.region) in places else 2,
            view.account,
            view.region,
        ),
    )
    main = ordered[0]
    latest = max(ordered, key=lambda view: _PROGRESS.index(view.status) if view.status in _PROGRESS else -1)
    return replace(
        main,
        status=latest.status,
        message=latest.message,
        expires=next((view.expires for view in ordered if view.expires), None),
        requester=_side([view.requester for view in ordered]),
        accepter=_side([view.accepter for view in sorted(ordered, key=lambda view: (view.account, view.region) != places[1])]),
        seen={(view.account, view.region): view.tags for view in ordered},
    )


def _side(views: list[PeeringSide]) -> PeeringSide:
    return replace(
        views[0],
        cidrs=next((view.cidrs for view in views if view.cidrs), ()),
        ipv6_cidrs=next((view.ipv6_cidrs for view in views if view.ipv6_cidrs), ()),
        dns=next((view.dns for view in views if view.dns is not None), None),
    )
