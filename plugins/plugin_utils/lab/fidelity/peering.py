# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC peering connections: request, accept, reject, delete and options, as AWS documents them.

Sources: https://docs.aws.amazon.com/vpc/latest/peering/what-is-vpc-peering.html and the API pages of the six actions. Codes that
those pages do not give are the ones of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
"""

from __future__ import annotations

import re
from typing import Any

from ..calls import Call, Refusal, instead
from .cidr_rules import overlap
from .emulated import blocks
from .peering_book import (
    DNS,
    MULTIPATH,
    MULTIPATH_MODE,
    NO_OPTIONS,
    enter_in_book,
    find_peering,
    live_peerings,
    open_requests,
    peering_view,
    visible_peerings,
)
from .peering_states import JOINED, OPEN, AbsentVpc, Peering, Place
from .shapes import find_vpc, invalid, keep, missing, new_id, paged, put_tags, tags_asked, tags_of

_ACCOUNT = re.compile(r"\d{12}")
_VPC = re.compile(r"vpc-(?:[0-9a-f]{8}|[0-9a-f]{17})")


def _required(call: Call, member: str) -> str:
    value = call.params.get(member)
    if not value:
        raise missing(member[0].lower() + member[1:])
    return str(value)


def _wrong_state(peering: Peering, wanted: str) -> Refusal:
    change = f"attempted to transition from {peering.code} to {wanted}"
    return Refusal("InvalidStateTransition", f"Invalid state transition for {peering.id}, {change}")


def _exists(peering: Peering) -> Refusal:
    return Refusal(
        "VpcPeeringConnectionAlreadyExists",
        f"A VPC peering connection between {peering.requester.vpc} and {peering.accepter.vpc} already exists: {peering.id}.",
    )


# -- request -------------------------------------------------------------------------------------------------------------------


def _peer(call: Call, place: Place) -> Any:
    """The accepter's VPC, or a stand-in that dooms the request.

    An unknown VPC of the caller's own account and Region is refused at once; of elsewhere, the request fails: only there can
    AWS not say whether it exists.
    """
    if not _ACCOUNT.fullmatch(place.account):
        raise invalid(f"Value ({place.account}) for parameter peerOwnerId is invalid. An AWS account id has 12 digits.")
    if not _VPC.fullmatch(place.vpc):
        raise Refusal("InvalidVpcID.Malformed", f'Invalid id: "{place.vpc}" (expecting "vpc-...")')
    if (place.account, place.region) == (call.account, call.region):
        return find_vpc(call.backend(), place.vpc)
    try:
        backend = call.backend(account=place.account, region=place.region)
    except KeyError:
        raise invalid(f"Value ({place.region}) for parameter peerRegion is invalid. It is no Region that the lab knows.") from None
    return backend.vpcs.get(place.vpc) or AbsentVpc(place.account, place.region, place.vpc)


def _multipath_options(call: Call, asked: dict[str, Any], between_regions: bool) -> dict[str, Any]:
    """Multipath resilience is for connections between Regions only; its one mode is ``always-on``."""
    if asked.get(MULTIPATH_MODE) and not asked.get(MULTIPATH):
        raise Refusal("InvalidParameterCombination", f"You can specify {MULTIPATH_MODE} only if {MULTIPATH} is true.")
    if asked.get(MULTIPATH) and not between_regions:
        raise invalid("Multipath resilience is supported only for inter-Region VPC peering connections.")
    if not asked.get(MULTIPATH):
        return {MULTIPATH: False} if between_regions else {}
    return {MULTIPATH: True, MULTIPATH_MODE: asked.get(MULTIPATH_MODE) or "always-on"}


@instead("ec2", "CreateVpcPeeringConnection")
def create_peering(call: Call) -> dict[str, Any]:
    """Request a connection. A pending request for the same pair in the same direction is answered with itself."""
    backend = call.backend()
    requester = Place(call.account, call.region, _required(call, "VpcId"))
    vpc = find_vpc(backend, requester.vpc)
    owner, region = str(call.params.get("PeerOwnerId") or call.account), str(call.params.get("PeerRegion") or call.region)
    accepter = Place(owner, region, _required(call, "PeerVpcId"))
    if requester == accepter:
        raise invalid(f"A VPC cannot be peered with itself: {requester.vpc} is both the requester and the accepter.")
    peer = _peer(call, accepter)
    for other in live_peerings(call.lab, requester.vpc):
        if {other.requester, other.accepter} != {requester, accepter}:
            continue
        if other.code in JOINED:
            raise _exists(other)
        if other.code in OPEN and other.requester == requester and not other.doomed:
            return {"VpcPeeringConnection": peering_view(call, other, first=True)}
    quota = call.lab.quotas["peerings_outstanding"]
    if len(open_requests(call.lab, call.account, call.region)) >= quota:
        raise Refusal(
            "OutstandingVpcPeeringConnectionLimitExceeded",
            f"You've reached the limit of {quota} outstanding VPC peering connection requests.",
        )
    between = requester.region != accepter.region
    options = NO_OPTIONS | _multipath_options(call, call.params.get("RequesterPeeringConnectionOptions") or {}, between)
    tags = tags_asked(call, "vpc-peering-connection")
    now = call.lab.now()
    absent = isinstance(peer, AbsentVpc)
    peering = Peering(
        id=new_id("pcx"),
        vpc=vpc,
        peer_vpc=peer,
        requester=requester,
        accepter=accepter,
        ec2_backend=backend,
        now=call.lab.now,
        settings=call.lab.state("settings"),
        created=now,
        since=now,
        doomed=absent or any(overlap(blocks(vpc, version), blocks(peer, version)) for version in (4, 6)),
        requester_options=options,
        accepter_options=NO_OPTIONS | ({MULTIPATH: False} if between else {}),
    )
    put_tags(backend, peering.id, tags)
    enter_in_book(call.lab, peering)
    # The answer to the request always shows its first state, even where the lab takes no time to leave it.
    view = peering_view(call, peering, first=True)
    view["Status"] = {"Code": "initiating-request", "Message": f"Initiating Request to {accepter.account}"}
    return {"VpcPeeringConnection": view}


# -- answer --------------------------------------------------------------------------------------------------------------------


def _as_accepter(call: Call, verb: str) -> Peering:
    """The connection, once it is clear that the caller owns the accepter VPC and asks in its Region."""
    peering = find_peering(call, _required(call, "VpcPeeringConnectionId"))
    if call.account != peering.accepter.account:
        raise Refusal("OperationNotPermitted", f"User ({call.account}) cannot {verb} peering {peering.id}")
    if call.region != peering.accepter.region:
        raise Refusal(
            "OperationNotPermitted",
            f"Incorrect region ({call.region}) specified for this request. "
            f"VPC peering connection {peering.id} must be {verb}ed in region {peering.accepter.region}",
        )
    return peering


@instead("ec2", "AcceptVpcPeeringConnection")
def accept_peering(call: Call) -> dict[str, Any]:
    """Accept a request: only the accepter's owner, in the accepter's Region, and only while it is pending."""
    peering = _as_accepter(call, "accept")
    if peering.code != "pending-acceptance":
        raise _wrong_state(peering, "provisioning")
    quota = call.lab.quotas["peerings_active"]
    for place in (peering.requester, peering.accepter):
        joined = [item for item in live_peerings(call.lab, place.vpc) if item.code in JOINED]
        twin = next((item for item in joined if {item.requester, item.accepter} == {peering.requester, peering.accepter}), None)
        if twin is not None:
            raise _exists(twin)
        if len(joined) >= quota:
            raise Refusal(
                "ActiveVpcPeeringConnectionPerVpcLimitExceeded",
                f"You've reached the limit of {quota} active VPC peering connections for {place.vpc}.",
            )
    if peering.requester_options.get(MULTIPATH):
        peering.accepter_options |= {key: peering.requester_options[key] for key in (MULTIPATH, MULTIPATH_MODE)}
    peering.enter("provisioning")
    view = peering_view(call, peering)
    view["Status"] = {"Code": "provisioning", "Message": "Provisioning"}
    return {"VpcPeeringConnection": view}


@instead("ec2", "RejectVpcPeeringConnection")
def reject_peering(call: Call) -> dict[str, Any]:
    """Reject a pending request: only the accepter's owner, in the accepter's Region."""
    peering = _as_accepter(call, "reject")
    if peering.code != "pending-acceptance":
        raise _wrong_state(peering, "rejected")
    peering.enter("rejected", call.account)
    return {"Return": True}


@instead("ec2", "DeleteVpcPeeringConnection")
def delete_peering(call: Call) -> dict[str, Any]:
    """Delete: either owner an active connection, the requester's owner a pending request; nobody a dead one."""
    peering = find_peering(call, _required(call, "VpcPeeringConnectionId"))
    code = peering.code
    if code in OPEN and call.account != peering.requester.account:
        raise Refusal(
            "OperationNotPermitted",
            f"User ({call.account}) cannot delete peering {peering.id}: only its requester can delete a request; reject it instead",
        )
    if code not in OPEN and code not in JOINED:
        raise _wrong_state(peering, "deleting")
    # "Deleting: applies to an inter-Region VPC peering connection that is in the process of being deleted."
    peering.enter("deleting" if peering.between_regions else "deleted", call.account)
    return {"Return": True}


@instead("ec2", "ModifyVpcPeeringConnectionOptions")
def modify_options(call: Call) -> dict[str, Any]:
    """Set the options of the caller's own side, of an active connection.

    "Each owner must initiate a separate request"; between Regions "you must use the Region for the requester VPC to modify the
    requester VPC peering options", so both sides go in one call only when account and Region are the same.
    """
    peering = find_peering(call, _required(call, "VpcPeeringConnectionId"))
    asked = {
        side: call.params[member]
        for side, member in (("requester", "RequesterPeeringConnectionOptions"), ("accepter", "AccepterPeeringConnectionOptions"))
        if call.params.get(member)
    }
    if not asked:
        raise missing("requesterPeeringConnectionOptions or accepterPeeringConnectionOptions")
    if peering.code != "active":
        raise Refusal("OperationNotPermitted", f"Peering {peering.id} is not active. Peering options can be added only to active peerings.")
    mine = peering.sides(call.account, call.region)
    for side in asked:
        if side not in mine:
            place = peering.requester if side == "requester" else peering.accepter
            raise Refusal(
                "OperationNotPermitted",
                f"User ({call.account}) in region {call.region} cannot modify the {side} options of peering {peering.id}: "
                f"they belong to account {place.account} in region {place.region}",
            )
    changes: dict[str, dict[str, Any]] = {}
    for side, options in asked.items():
        if any(options.get(key) for key in NO_OPTIONS if key != DNS):
            raise invalid("ClassicLink is retired: its peering options can only be false.")
        if options.get(DNS) and not all(vpc.enable_dns_hostnames and vpc.enable_dns_support for vpc in (peering.vpc, peering.peer_vpc)):
            raise Refusal(
                "InvalidVpcPeeringConnectionState.DnsHostnamesDisabled",
                "To enable DNS hostname resolution for the VPC peering connection, DNS hostname support must be enabled for the VPCs.",
            )
        changes[side] = {key: bool(options[key]) for key in NO_OPTIONS if key in options}
        if MULTIPATH in options or MULTIPATH_MODE in options:
            changes[side] |= _multipath_options(call, options, peering.between_regions)
    result: dict[str, Any] = {}
    for side, change in changes.items():
        current = peering.requester_options if side == "requester" else peering.accepter_options
        current.update(change)
        if not current.get(MULTIPATH):
            current.pop(MULTIPATH_MODE, None)
        result[f"{side.capitalize()}PeeringConnectionOptions"] = dict(current)
    return result


# -- describe ------------------------------------------------------------------------------------------------------------------


def _cidrs(peering: Peering, vpc: Any) -> list[str]:
    return blocks(vpc, 4) if peering.code == "active" else []


_FIELDS: dict[str, Any] = {
    "accepter-vpc-info.cidr-block": lambda item: _cidrs(item, item.peer_vpc),
    "accepter-vpc-info.owner-id": lambda item: item.accepter.account,
    "accepter-vpc-info.vpc-id": lambda item: item.accepter.vpc,
    "expiration-time": lambda item: item.expires.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    "requester-vpc-info.cidr-block": lambda item: _cidrs(item, item.vpc),
    "requester-vpc-info.owner-id": lambda item: item.requester.account,
    "requester-vpc-info.vpc-id": lambda item: item.requester.vpc,
    "status-code": lambda item: item.code,
    "status-message": lambda item: item.message,
    "vpc-peering-connection-id": lambda item: item.id,
}


@instead("ec2", "DescribeVpcPeeringConnections")
def describe_peerings(call: Call) -> dict[str, Any]:
    """The connections that have a side in the caller's account and Region."""
    ids = call.params.get("VpcPeeringConnectionIds") or []
    found = [find_peering(call, str(key)) for key in dict.fromkeys(ids)] if ids else list(visible_peerings(call).values())
    backend = call.backend()
    shown = keep(call, found, _FIELDS, lambda item: {tag["Key"]: tag["Value"] for tag in tags_of(backend, item.id)})
    return paged(call, "VpcPeeringConnections", shown, lambda item: peering_view(call, item))
