# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC Block Public Access: what an internet or egress-only gateway may not carry for a subnet, its VPC, its account and Region.

https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-basics.html
"""

from __future__ import annotations

from typing import NamedTuple

from .._model.network import Subnet
from .index import Index

OFF, INGRESS, BOTH_WAYS = "off", "block-ingress", "block-bidirectional"
_OPTIONS, _EXCLUSIONS = "VpcBlockPublicAccessOptions", "VpcBlockPublicAccessExclusions"
_HOLDS = ("", "create-complete", "update-complete")
_CHANGING = ("create-in-progress", "update-in-progress", "delete-in-progress", "disable-in-progress", "update-failed")


class Mode(NamedTuple):
    """``mode``: OFF, INGRESS or BOTH_WAYS. ``why``: why it may be another one, with the file that would tell in ``missing``."""

    mode: str
    why: str = ""
    missing: str = ""


def mode(index: Index, subnet: Subnet) -> Mode:
    """What holds for a subnet: the mode of the account that owns it and its exclusions, else what the subnet and its VPC say themselves.

    An account that never heard of it has it off, so a snapshot that tells nothing of it is read so.
    """
    key = ("public access", subnet.id)
    if key not in index.memo:
        index.memo[key] = _mode(index, subnet)
    found: Mode = index.memo[key]
    return found


def _mode(index: Index, subnet: Subnet) -> Mode:
    network = index.network
    vpc = network.vpcs.get(subnet.vpc)
    told = subnet.block_public_access or (vpc.block_public_access if vpc else "")
    options = network.public_access.get(f"{subnet.account}/{subnet.region}")
    if options is None:
        missing = "" if told else index.untold(_OPTIONS, vpc)
        return Mode(told or OFF, "what VPC Block Public Access is set to could not be read" if missing else "", missing)
    if options.state == "update-in-progress":
        return Mode(options.mode, "VPC Block Public Access is being changed")
    if options.mode not in (INGRESS, BOTH_WAYS):
        return Mode(OFF)
    if (subnet.account, subnet.region, _EXCLUSIONS) not in network.complete:
        if told:
            return Mode(told)
        missing = f"{subnet.account}/{subnet.region}/{_EXCLUSIONS}.json"
        return Mode(options.mode, f"the exclusions from VPC Block Public Access ({options.mode}) were not read", missing)
    excluded = [item for item in network.public_access_exclusions.values() if item.resource in (subnet.id, subnet.vpc)]
    holding = {item.mode for item in excluded if item.state in _HOLDS}
    changing = next((item for item in excluded if item.state in _CHANGING), None)
    if options.exclusions_allowed is False:
        holding, changing = set(), None
    if "allow-bidirectional" in holding:
        return Mode(OFF)
    # "Egress-only exclusions are ignored" under block-ingress, and let out what block-ingress lets out under block-bidirectional:
    # https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-example.html (scenarios 5 and 6)
    found = INGRESS if "allow-egress" in holding else options.mode
    return Mode(found, f"the exclusion {changing.id} of {changing.resource} is {changing.state}" if changing else "")
