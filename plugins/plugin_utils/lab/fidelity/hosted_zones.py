# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route 53's private hosted zones: made with a VPC, associated with others, those of other accounts by authorization.

Sources: https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html (VPC: "Private hosted zones only"),
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-associate-vpcs-different-accounts.html (the zone's owner
authorizes, the VPC's owner associates), API_AssociateVPCWithHostedZone.html and API_DisassociateVPCFromHostedZone.html beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..calls import Call, Refusal, after, before, instead
from ..core import Lab

_AUTHORIZATIONS = "zone_authorizations"
_PER_PAGE = 50


def _accounts(lab: Lab) -> Iterator[tuple[str, Any]]:
    """(account, Route 53's backend) of every account."""
    for account in list(lab.accounts.by_id):
        yield account, lab.backend("route53", account, "us-east-1")


def _zone(call: Call, key: str) -> tuple[str, Any]:
    """(owner, zone) by its id, whoever owns it."""
    key = key.rsplit("/", 1)[-1]
    for account, backend in _accounts(call.lab):
        if key in backend.zones:
            return account, backend.zones[key]
    raise Refusal("NoSuchHostedZone", f"No hosted zone found with ID: {key}", 404)


def _own_zone(call: Call) -> Any:
    """The caller's zone that the call names."""
    key = str(call.params.get("HostedZoneId") or call.params.get("Id") or "")
    owner, zone = _zone(call, key)
    if owner != call.account:
        raise Refusal("NoSuchHostedZone", f"No hosted zone found with ID: {key.rsplit('/', 1)[-1]}", 404)
    return zone


def _vpc(call: Call) -> tuple[str, str]:
    """(Region, id) of the VPC that the call names."""
    vpc = call.params.get("VPC") or {}
    region, key = str(vpc.get("VPCRegion") or ""), str(vpc.get("VPCId") or "")
    if not region or not key:
        raise Refusal("InvalidInput", "A VPC is named by VPCRegion and VPCId.")
    return region, key


def _is_there(call: Call, region: str, key: str, account: str) -> bool:
    try:
        backend = call.backend("ec2", account, region)
    except KeyError:  # a Region that AWS has not
        return False
    return key in backend.vpcs


def _own_vpc(call: Call) -> tuple[str, str]:
    """The VPC that the call names, which has to be the caller's."""
    region, key = _vpc(call)
    if not _is_there(call, region, key, call.account):
        raise Refusal("InvalidVPCId", f"The VPC: {key} that you provided is not authorized to make the association.")
    return region, key


def _associated(zone: Any, region: str, key: str) -> bool:
    return any(vpc.get("vpc_id") == key and vpc.get("vpc_region") == region for vpc in zone.vpcs)


def _no_other_of_the_name(call: Call, name: str, region: str, key: str) -> None:
    """A VPC has one private zone of a name."""
    for _owner, backend in _accounts(call.lab):
        for zone in backend.zones.values():
            if zone.private_zone and zone.name.rstrip(".") == name.rstrip(".") and _associated(zone, region, key):
                text = (
                    f"The VPC {key} in region {region} has already been associated with the hosted zone {zone.resource_id}"
                    " with the same domain name."
                )
                raise Refusal("ConflictingDomainExists", text)


def _authorizations(call: Call, zone: Any) -> dict[tuple[str, str], None]:
    """(Region, VPC) of those that may be associated with a zone, in the order in which they were authorized."""
    kept: dict[tuple[str, str], None] = call.lab.state(_AUTHORIZATIONS).setdefault(zone.resource_id, {})
    return kept


@before("route53", "CreateHostedZone")
def private_by_its_vpc(call: Call) -> None:
    """A zone that is made with a VPC is private: the emulator wants to be told twice."""
    if call.params.get("VPC"):
        _no_other_of_the_name(call, str(call.params.get("Name") or ""), *_own_vpc(call))
        call.params["HostedZoneConfig"] = {**(call.params.get("HostedZoneConfig") or {}), "PrivateZone": True}


@after("route53", "DeleteHostedZone")
def forget_authorizations(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """They go with their zone."""
    call.lab.state(_AUTHORIZATIONS).pop(str(call.params.get("Id") or "").rsplit("/", 1)[-1], None)
    return result


@instead("route53", "CreateVPCAssociationAuthorization")
def authorize(call: Call) -> dict[str, Any]:
    """Let the owner of a VPC associate it with the caller's zone."""
    zone = _own_zone(call)
    region, key = _vpc(call)
    if not any(_is_there(call, region, key, account) for account in call.lab.accounts.by_id):
        raise Refusal("InvalidVPCId", f"The VPC: {key} in Region {region} does not exist.")
    if not zone.private_zone:
        raise Refusal("InvalidInput", "Only a private hosted zone can be associated with a VPC.")
    _authorizations(call, zone)[region, key] = None
    return {"HostedZoneId": zone.resource_id, "VPC": {"VPCRegion": region, "VPCId": key}}


@instead("route53", "DeleteVPCAssociationAuthorization")
def withdraw(call: Call) -> dict[str, Any]:
    """End an authorization; an association that was made under it stays."""
    zone, vpc = _own_zone(call), _vpc(call)
    if vpc not in _authorizations(call, zone):
        text = f"The VPC: {vpc[1]} is not authorized to be associated with the hosted zone."
        raise Refusal("VPCAssociationAuthorizationNotFound", text, 404)
    del _authorizations(call, zone)[vpc]
    return {}


@instead("route53", "ListVPCAssociationAuthorizations")
def list_authorizations(call: Call) -> dict[str, Any]:
    """The VPCs that may be associated with the caller's zone, at most 50 a page."""
    zone = _own_zone(call)
    listed = list(_authorizations(call, zone))
    try:
        start, most = int(call.params.get("NextToken") or 0), int(call.params.get("MaxResults") or _PER_PAGE)
    except ValueError:
        raise Refusal("InvalidPaginationToken", "NextToken is none that this call has given, or MaxResults no number.") from None
    if not 0 <= start <= len(listed) or most < 1:
        raise Refusal("InvalidPaginationToken", "NextToken is none that this call has given, or MaxResults is below 1.")
    end = start + min(most, _PER_PAGE)
    result: dict[str, Any] = {
        "HostedZoneId": zone.resource_id,
        "VPCs": [{"VPCRegion": region, "VPCId": key} for region, key in listed[start:end]],
    }
    if end < len(listed):
        result["NextToken"] = str(end)
    return result


def _change(call: Call) -> dict[str, Any]:
    info = {"Id": "/change/C0123456789ABCDEFGHIJ", "Status": "INSYNC", "SubmittedAt": call.lab.now()}
    if call.params.get("Comment"):
        info["Comment"] = call.params["Comment"]
    return {"ChangeInfo": info}


@instead("route53", "AssociateVPCWithHostedZone")
def associate(call: Call) -> dict[str, Any]:
    """Associate the caller's VPC with a private zone: one's own, or one whose owner has authorized it."""
    owner, zone = _zone(call, str(call.params.get("HostedZoneId") or ""))
    region, key = _own_vpc(call)
    if not zone.private_zone:
        raise Refusal("PublicZoneVPCAssociation", "You're trying to associate a VPC with a public hosted zone.")
    if owner != call.account and (region, key) not in _authorizations(call, zone):
        raise Refusal("NotAuthorizedException", f"The VPC: {key} has not authorized to associate with your hosted zone.", 401)
    _no_other_of_the_name(call, str(zone.name), region, key)
    zone.add_vpc(key, region)
    return _change(call)


@instead("route53", "DisassociateVPCFromHostedZone")
def disassociate(call: Call) -> dict[str, Any]:
    """End an association: the zone's owner and the VPC's may, and the last one stays."""
    owner, zone = _zone(call, str(call.params.get("HostedZoneId") or ""))
    region, key = _vpc(call)
    if owner != call.account:
        _own_vpc(call)
    if not _associated(zone, region, key):
        raise Refusal("VPCAssociationNotFound", f"The VPC: {key} and the hosted zone are not currently associated.", 404)
    if len(zone.vpcs) == 1:
        text = f"The VPC: {key} is the last VPC that is associated with the private hosted zone, and stays."
        raise Refusal("LastVPCAssociation", text)
    zone.vpcs = [vpc for vpc in zone.vpcs if (vpc.get("vpc_id"), vpc.get("vpc_region")) != (key, region)]
    return _change(call)


@instead("route53", "ListHostedZonesByVPC")
def zones_of_a_vpc(call: Call) -> dict[str, Any]:
    """The private zones with which the caller's VPC is associated, whoever owns them."""
    region, key = str(call.params.get("VPCRegion") or ""), str(call.params.get("VPCId") or "")
    if not _is_there(call, region, key, call.account):
        raise Refusal("InvalidInput", f"The VPC {key} in Region {region} is not one of this account.")
    summaries = [
        {"HostedZoneId": zone.resource_id, "Name": zone.name, "Owner": {"OwningAccount": account}}
        for account, backend in _accounts(call.lab)
        for zone in backend.zones.values()
        if zone.private_zone and _associated(zone, region, key)
    ]
    most = str(call.params.get("MaxItems") or 100)
    start = str(call.params.get("NextToken") or 0)
    if not most.isdigit() or not start.isdigit() or not 1 <= int(most) <= 100 or int(start) > len(summaries):
        raise Refusal("InvalidPaginationToken", "NextToken is none that this call has given, or MaxItems not between 1 and 100.")
    end = int(start) + int(most)
    more = {"NextToken": str(end)} if end < len(summaries) else {}
    return {"HostedZoneSummaries": summaries[int(start) : end], "MaxItems": most, **more}
