# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Associations that have ended: of blocks with VPCs and subnets, of subnets and gateways with route tables, of interfaces with instances.

AWS goes on showing them for a while, ``disassociated``, and clients wait to see that by the state filters
(https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SubnetCidrBlockState.html, API_VpcCidrBlockState.html and
API_RouteTableAssociationState.html beside it name the states). How long is not documented; here it is a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from ..calls import Call

ENDED_FOR = timedelta(seconds=60)
BLOCKS4, BLOCKS6, TABLES, ATTACHMENT = "CidrBlockAssociationSet", "Ipv6CidrBlockAssociationSet", "Associations", "Attachment"


def _kept(thing: Any) -> list[tuple[datetime, str, dict[str, Any]]]:
    kept: list[tuple[datetime, str, dict[str, Any]]] = getattr(thing, "lab_ended", [])
    return kept


def end(call: Call, thing: Any, member: str, shown: dict[str, Any]) -> None:
    """Remember an association of one of the emulator's objects, as the list ``member`` of its description is to show it."""
    thing.lab_ended = [*_kept(thing), (call.lab.now(), member, shown)]


def forget(call: Call, things: Iterable[Any]) -> None:
    """Drop those that ended too long ago: before things are described."""
    since = call.lab.now() - ENDED_FOR
    for thing in things:
        if _kept(thing):
            thing.lab_ended = [item for item in _kept(thing) if item[0] > since]


def ended(thing: Any, member: str) -> list[dict[str, Any]]:
    """The ended associations that a description still shows in one of its lists."""
    return [shown for _when, name, shown in _kept(thing) if name == member]
