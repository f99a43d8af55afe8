# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC encryption controls: an enforcing VPC has no way out that AWS does not encrypt, unless that is excluded. Monitor mode only looks.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-encryption-controls.html
"""

from __future__ import annotations

from typing import NamedTuple

from .._model.network import EncryptionControl, Peering
from .index import Index
from .traffic import Traffic

_FILE = "VpcEncryptionControls"
_HTTPS = 443


class Restriction(NamedTuple):
    """``component``: what restricts. ``sure``: whether it certainly does; else ``missing`` may name the file that would tell.

    ``doubt``: the code of what is not sure where no file would tell.
    """

    component: str
    why: str
    sure: bool = True
    missing: str = ""
    exclusion: str = ""
    doubt: str = "IN_TRANSITION"

    @property
    def code(self) -> str:
        """Of the blocker, or of what is not known."""
        return "VPC_ENCRYPTION_ENFORCED" if self.sure else "NOT_OBSERVED" if self.missing else self.doubt


def _enforced(control: EncryptionControl | None) -> bool | None:
    """Whether a VPC enforces; None while that changes."""
    if control is None:
        return False
    if control.state in ("", "available", "delete-failed"):
        return control.mode == "enforce"
    return False if control.mode != "enforce" and control.state != "enforce-in-progress" else None


def leaving(index: Index, vpc: str, what: str, noun: str) -> Restriction | None:
    """What forbids a VPC's traffic through a kind of gateway. ``what``: AWS's name of the exclusion; ``noun``: for people."""
    control = index.network.encryption_of.get(vpc)
    enforced = _enforced(control)
    if control is None:
        return _unread(index, vpc)
    if enforced is False:
        return None
    excluded = control.exclusions.get(what, "disabled")
    if excluded == "enabled":
        return None
    why = f"{vpc} enforces encryption in transit ({control.id}), and {noun} is not excluded from that"
    if enforced is None or excluded in ("enabling", "disabling"):
        return Restriction(control.id, f"{why}; this is being changed ({control.state or excluded})", sure=False)
    return Restriction(control.id, why, exclusion=what)


def to_endpoint(index: Index, vpc: str, endpoint: str, asked: Traffic) -> Restriction | None:
    """What may forbid traffic to an interface endpoint: in an enforcing VPC it drops what the application does not encrypt.

    AWS goes by the port there, and calls flows on TCP port 443 encrypted; of others it does not say. No exclusion is for endpoints.
    """
    control = index.network.encryption_of.get(vpc)
    if asked.protocol == "tcp" and asked.span == (_HTTPS, _HTTPS):
        return None
    if control is None:
        return _unread(index, vpc)
    enforced = _enforced(control)
    if enforced is False:
        return None
    drops = f"{endpoint} drops what is not encrypted, and AWS says of tcp {_HTTPS} alone that it is"
    why = f"{vpc} enforces encryption in transit ({control.id}): {drops}"
    if enforced is None:
        return Restriction(control.id, f"{why}; this is being changed ({control.state})", sure=False)
    return Restriction(control.id, why, sure=False, doubt="UNSUPPORTED_TARGET")


def _unread(index: Index, vpc: str) -> Restriction | None:
    missing = index.untold(_FILE, index.network.vpcs.get(vpc))
    return Restriction(vpc, f"whether {vpc} enforces encryption in transit could not be read", False, missing) if missing else None


def peered(index: Index, peering: Peering) -> Restriction | None:
    """What forbids traffic over a peering connection: an enforcing VPC that does not exclude peering needs one that is like it.

    "The two VPCs must reside in the same region and have encryption controls turned on in enforce mode without any exclusions."
    """
    unsure: Restriction | None = None
    for mine, other in (peering.sides, peering.sides[::-1]):
        found = leaving(index, mine.vpc, "VpcPeering", peering.id)
        if found is None:
            continue
        alike, why, missing = (False, "is in another Region", "") if mine.region != other.region else _alike(index, other.vpc)
        if found.sure and alike is False:
            return found._replace(why=f"{found.why}: {other.vpc} {why}")
        if alike is not True or not found.sure:
            told = f"{found.why}; {other.vpc} {why}" if why else found.why
            unsure = unsure or found._replace(sure=False, why=told, missing=found.missing or missing)
    return unsure


def _alike(index: Index, vpc: str) -> tuple[bool | None, str, str]:
    """(whether a VPC enforces without any exclusion, None when that is not known; what is to be said of it; what would tell)."""
    if vpc not in index.network.vpcs:
        return None, "was not observed", "Vpcs.json"
    if unread := (None if vpc in index.network.encryption_of else _unread(index, vpc)):
        return None, "may or may not enforce it", unread.missing
    control = index.network.encryption_of.get(vpc)
    enforced = _enforced(control)
    if enforced is None:
        return None, "is about to change its mode", ""
    if control is None or not enforced:
        return False, "does not enforce it", ""
    return (False, "has exclusions of its own", "") if any(state != "disabled" for state in control.exclusions.values()) else (True, "", "")


def attached(index: Index, vpc: str, gateway: str) -> Restriction | None:
    """An enforcing VPC goes over transit gateways with encryption support only.

    https://docs.aws.amazon.com/vpc/latest/tgw/tgw-encryption-support.html
    """
    control = index.network.encryption_of.get(vpc)
    enforced = _enforced(control)
    if control is None:
        return _unread(index, vpc)
    known = index.network.transit_gateways.get(gateway)
    support = known.encryption if known else ""
    if enforced is False or support == "enabled":
        return None
    why = f"{vpc} enforces encryption in transit ({control.id}), and {gateway} has no encryption support"
    if enforced and support == "disabled":
        return Restriction(control.id, why)
    return Restriction(control.id, f"{why} that is known of", sure=False, missing="" if support else "TransitGateways.json")
