# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``build(snapshot) -> Network``: every described object, of any number of accounts and Regions, as one network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..errors import SnapshotError
from . import parse, rules, transit
from .network import Interface, Network, Peering, PeeringSide, PrefixList, Resource, Rule, TransitAttachment, TransitTable, Vpc
from .snapshot import Item, Snapshot

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
    "TransitGateways",
    "TransitGatewayAttachments",
    "TransitGatewayVpcAttachments",
    "TransitGatewayRouteTables",
    "TransitGatewayStaticRoutes",
    "TransitGatewayPropagations",
)

#: How far a connection has come. Its states only ever move to the right, so of two views the later state is the newer one.
#: https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-lifecycle
_PROGRESS = ("initiating-request", "pending-acceptance", "provisioning", "active", "deleting", "expired", "rejected", "failed", "deleted")


def build(snapshot: Snapshot) -> Network:
    """The network that a snapshot tells of. Pure; about a second for ten thousand ENIs.

    What has no class of its own is kept in ``others`` as AWS gave it. Raises SnapshotError naming the item for one that lacks what AWS
    always sends.
    """
    fields: dict[str, Any] = {name: _collect(snapshot, file, parser) for file, (name, parser) in _SIMPLE.items()}
    attributes = {item.get("VpcId"): item for _other, _other, item in snapshot.items("VpcAttributes")}
    fields["vpcs"] = _collect(snapshot, "Vpcs", lambda item, account, region: _vpc(item, account, region, attributes))
    fields["peerings"] = _peerings(snapshot)
    fields["security_groups"] = _groups(snapshot)
    fields["rules"] = _rules(snapshot)
    fields["prefix_lists"] = _prefix_lists(snapshot)
    fields["instances"] = {found.id: found for found, _other in _instances(snapshot)}
    fields["interfaces"] = _interfaces(snapshot)
    fields["transit_gateways"] = _collect(snapshot, "TransitGateways", transit.gateway)
    fields["transit_tables"] = _transit_tables(snapshot)
    fields["transit_attachments"] = _transit_attachments(snapshot)
    others: dict[str, tuple[Item, ...]] = {}
    for (_other, _other, file), items in sorted(snapshot.files.items(), key=lambda entry: entry[0]):
        if file not in _SIMPLE and file not in _JOINED:
            others[file] = others.get(file, ()) + tuple(item if isinstance(item, Mapping) else {"Value": item} for item in items)
    return Network(**fields, others=others, complete=frozenset(snapshot.files), warnings=snapshot.warnings)


def _collect(snapshot: Snapshot, file: str, parser: Callable[[Item, str, str], T]) -> dict[str, T]:
    """Items by id. What is shared between accounts is told by several: the owner's view counts."""
    found: dict[str, T] = {}
    for number, (account, region, item) in enumerate(snapshot.items(file)):
        with _named(account, region, file, number):
            thing = parser(item, account, region)
            if thing.id not in found or thing.account == account:
                found[thing.id] = thing
    return found


class _named:
    """Turns what a misshapen item raises into one line that names it."""

    def __init__(self, account: str, region: str, file: str, number: int) -> None:
        self.place = account, region, file, number

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            account, region, file, number = self.place
            what = f"has no {error.args[0]}" if isinstance(error, KeyError) else f"cannot be understood: {error}"
            raise SnapshotError(f"account {account}, Region {region}: item {number} of {file} {what}") from error


def _vpc(item: Item, account: str, region: str, attributes: Mapping[Any, Item]) -> Vpc:
    return parse.vpc(item, account, region, attributes.get(item.get("VpcId"), {}))


def _groups(snapshot: Snapshot) -> dict[str, Any]:
    associated: defaultdict[str, list[str]] = defaultdict(list)
    for _other, _other, item in snapshot.items("SecurityGroupVpcAssociations"):
        if item.get("State") in (None, "associated", "associating") and item.get("GroupId") and item.get("VpcId"):
            associated[item["GroupId"]].append(item["VpcId"])
    return _collect(
        snapshot,
        "SecurityGroups",
        lambda item, account, region: parse.security_group(item, account, region, sorted(set(associated.get(item.get("GroupId", ""), ())))),
    )


def _rules(snapshot: Snapshot) -> dict[str, Rule]:
    """From SecurityGroupRules where a Region has that file, else from the groups' own permissions."""
    found = _collect(snapshot, "SecurityGroupRules", lambda item, account, region: rules.rule(item, account, region, parse.tags(item)))
    for number, (account, region, item) in enumerate(snapshot.items("SecurityGroups")):
        if (account, region, "SecurityGroupRules") in snapshot.files:
            continue
        with _named(account, region, "SecurityGroups", number):
            found.update((rule.id, rule) for rule in rules.derived(item, account, region))
    return found


def _prefix_lists(snapshot: Snapshot) -> dict[str, PrefixList]:
    entries: dict[str, list[str]] = {}
    for number, (account, region, item) in enumerate(snapshot.items("PrefixListEntries")):
        with _named(account, region, "PrefixListEntries", number):
            entries[item["PrefixListId"]] = [entry["Cidr"] for entry in item.get("Entries") or ()]

    def parser(item: Item, account: str, region: str) -> PrefixList:
        return parse.prefix_list(item, account, region, entries.get(item.get("PrefixListId", "")))

    found = _collect(snapshot, "PrefixLists", parser)
    for id_, managed in _collect(snapshot, "ManagedPrefixLists", parser).items():
        known = found.get(id_)
        found[id_] = replace(managed, entries=known.entries) if managed.entries is None and known else managed
    return found


def _instances(snapshot: Snapshot) -> Iterator[tuple[Any, Item]]:
    for number, (account, region, reservation) in enumerate(snapshot.items("Reservations")):
        with _named(account, region, "Reservations", number):
            owner = str(reservation.get("OwnerId") or account)
            for item in reservation.get("Instances") or ():
                yield parse.instance(item, owner, region), item
    for number, (account, region, item) in enumerate(snapshot.items("Instances")):
        with _named(account, region, "Instances", number):
            yield parse.instance(item, account, region), item


def _interfaces(snapshot: Snapshot) -> dict[str, Interface]:
    found = _collect(snapshot, "NetworkInterfaces", parse.interface)
    # Instances tell their ENIs too: enough for a snapshot that lacks the call of their own.
    for owner, item in _instances(snapshot):
        for link in item.get("NetworkInterfaces") or ():
            if link.get("NetworkInterfaceId") and link["NetworkInterfaceId"] not in found:
                found[link["NetworkInterfaceId"]] = parse.interface(link, owner.account, owner.region, owner.id)
    return found


def _transit_tables(snapshot: Snapshot) -> dict[str, TransitTable]:
    """Tables with their routes and propagations, which are calls of their own."""
    routes = {item.get("TransitGatewayRouteTableId"): item for _other, _other, item in snapshot.items("TransitGatewayStaticRoutes")}
    propagations = {item.get("TransitGatewayRouteTableId"): item for _other, _other, item in snapshot.items("TransitGatewayPropagations")}

    def parser(item: Item, account: str, region: str) -> TransitTable:
        id_ = item.get("TransitGatewayRouteTableId")
        return transit.table(item, account, region, routes.get(id_), propagations.get(id_))

    return _collect(snapshot, "TransitGatewayRouteTables", parser)


def _transit_attachments(snapshot: Snapshot) -> dict[str, TransitAttachment]:
    """TransitGatewayAttachments tells every kind and its table; TransitGatewayVpcAttachments adds subnets and options."""
    found: dict[str, TransitAttachment] = {}
    details = {item.get("TransitGatewayAttachmentId"): item for _other, _other, item in snapshot.items("TransitGatewayVpcAttachments")}
    for file in ("TransitGatewayVpcAttachments", "TransitGatewayAttachments"):
        for number, (account, region, item) in enumerate(snapshot.items(file)):
            with _named(account, region, file, number):
                made = transit.attachment(item, account, region, details.get(item["TransitGatewayAttachmentId"]))
                key = f"{made.id}@{made.gateway}" if made.type == "peering" else made.id
                if key not in found or made.table or not found[key].table:
                    found[key] = made
    return found


def _peerings(snapshot: Snapshot) -> dict[str, Peering]:
    views: defaultdict[str, list[Peering]] = defaultdict(list)
    for number, (account, region, item) in enumerate(snapshot.items("VpcPeeringConnections")):
        with _named(account, region, "VpcPeeringConnections", number):
            view = parse.peering(item, account, region)
            views[view.id].append(view)
    return {id_: merge(seen) for id_, seen in views.items()}


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
