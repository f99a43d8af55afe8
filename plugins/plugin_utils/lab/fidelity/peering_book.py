# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's book of peering connections: where they are kept, how they are found, how AWS shows them.

A connection stands in the emulator's table (``vpc_pcxs``) of every account and Region that has a side of it, and in two indexes
of the lab's own: by VPC, and the open requests by requester.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from ..calls import Call, Refusal
from .emulated import blocks
from .peering_states import DEAD, OPEN, Peering, Side
from .shapes import tags_of

if TYPE_CHECKING:
    from ..core import Lab

_ID = re.compile(r"pcx-(?:[0-9a-f]{8}|[0-9a-f]{17})")
DNS = "AllowDnsResolutionFromRemoteVpc"
MULTIPATH, MULTIPATH_MODE = "AllowMultipathResilience", "MultipathResilienceMode"
NO_OPTIONS: dict[str, Any] = {
    DNS: False,
    "AllowEgressFromLocalClassicLinkToRemoteVpc": False,
    "AllowEgressFromLocalVpcToRemoteClassicLink": False,
}


def _index(lab: Lab, name: str, key: object) -> dict[str, Peering]:
    found = lab.state("peerings").setdefault(name, {}).setdefault(key, {})
    return cast("dict[str, Peering]", found)


def enter_in_book(lab: Lab, peering: Peering) -> None:
    """Keep a new connection where the emulator, the describe calls and the quotas look for it."""
    peering.ec2_backend.vpc_pcxs[peering.id] = peering
    if not peering.doomed:
        peering.peer_vpc.ec2_backend.vpc_pcxs[peering.id] = peering
        _index(lab, "by_vpc", peering.accepter.vpc)[peering.id] = peering
    _index(lab, "by_vpc", peering.requester.vpc)[peering.id] = peering
    _index(lab, "open", (peering.requester.account, peering.requester.region))[peering.id] = peering


def _still(table: dict[str, Peering], gone: frozenset[str] | None, only: frozenset[str] | None) -> list[Peering]:
    """The connections of an index in the states asked for; the others are struck from it (a dead one never comes back)."""
    found = []
    for item in list(table.values()):
        code = item.code
        if (gone is not None and code in gone) or (only is not None and code not in only):
            del table[item.id]
        else:
            found.append(item)
    return found


def live_peerings(lab: Lab, vpc: str) -> list[Peering]:
    """A VPC's connections that are not dead, whichever side it is."""
    return _still(_index(lab, "by_vpc", vpc), DEAD, None)


def open_requests(lab: Lab, account: str, region: str) -> list[Peering]:
    """The requests that an account made in a Region and nobody answered yet."""
    return _still(_index(lab, "open", (account, region)), None, OPEN)


def visible_peerings(call: Call) -> dict[str, Peering]:
    """The connections that the caller sees, by id; what time took out of sight leaves the emulator's table too."""
    backend = call.backend()
    table = backend.vpc_pcxs
    found: dict[str, Peering] = {}
    for key, item in list(table.items()):
        if not isinstance(item, Peering):
            continue
        if item.visible(call.account, call.region):
            found[key] = item
        elif item.code in DEAD and not any(item.visible(side.account, side.region) for side in (item.requester, item.accepter)):
            del table[key]
            backend.tags.pop(key, None)
    return found


def check_id(peering: str) -> None:
    """A connection's id is ``pcx-`` and 8 or 17 hexadecimal digits; InvalidVpcPeeringConnectionId.Malformed otherwise."""
    if not _ID.fullmatch(peering):
        raise Refusal("InvalidVpcPeeringConnectionId.Malformed", f'Invalid id: "{peering}" (expecting "pcx-...")')


def find_peering(call: Call, peering: str) -> Peering:
    """The connection that the caller names, or AWS's refusal of the id."""
    check_id(peering)
    item = call.backend().vpc_pcxs.get(peering)
    if not isinstance(item, Peering) or not item.visible(call.account, call.region):
        raise Refusal("InvalidVpcPeeringConnectionID.NotFound", f"The vpcPeeringConnection ID '{peering}' does not exist")
    return item


def _side_view(peering: Peering, side: Side, cidrs: bool, options: bool) -> dict[str, Any]:
    place = peering.requester if side == "requester" else peering.accepter
    vpc = peering.vpc if side == "requester" else peering.peer_vpc
    view: dict[str, Any] = {"OwnerId": place.account, "VpcId": place.vpc, "Region": place.region}
    if cidrs:
        view["CidrBlock"] = vpc.cidr_block
        view["CidrBlockSet"] = [{"CidrBlock": block} for block in blocks(vpc, 4)]
        six = blocks(vpc, 6)
        if six:
            view["Ipv6CidrBlockSet"] = [{"Ipv6CidrBlock": block} for block in six]
    if options:
        view["PeeringOptions"] = dict(peering.requester_options if side == "requester" else peering.accepter_options)
    return view


def _multipath(peering: Peering) -> str:
    allowed = [bool(options.get(MULTIPATH)) for options in (peering.requester_options, peering.accepter_options)]
    return "enabled" if all(allowed) else "pending" if any(allowed) else "disabled"


def peering_view(call: Call, peering: Peering, first: bool = False) -> dict[str, Any]:
    """A connection in the shape of DescribeVpcPeeringConnections, with the caller's own tags.

    "CIDR block information is only returned when describing an active VPC peering connection"
    (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcPeeringConnection.html); the answer to the creating call alone
    (``first``) also has the requester's, as that call's page shows.
    """
    code = peering.code
    active = code == "active"
    view: dict[str, Any] = {
        "VpcPeeringConnectionId": peering.id,
        "RequesterVpcInfo": _side_view(peering, "requester", active or first, code not in DEAD),
        "AccepterVpcInfo": _side_view(peering, "accepter", active, active),
        "Status": peering.status,
        "Tags": tags_of(call.backend(), peering.id),
    }
    if code in OPEN or code == "expired" or first:
        view["ExpirationTime"] = peering.expires
    if peering.between_regions:
        view["MultipathResilienceStatus"] = _multipath(peering)
    return view
