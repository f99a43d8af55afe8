# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account turns on above all routes and rules, by chance: Block Public Access and VPC encryption controls."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    EncryptionControl,
    PublicAccess,
    PublicAccessExclusion,
    Subnet,
    Vpc,
)

from .wild_draft import ACCOUNT, Draft, owned

EXCLUDABLE = (
    "InternetGateway",
    "EgressOnlyInternetGateway",
    "NatGateway",
    "VirtualPrivateGateway",
    "VpcPeering",
    "Lambda",
    "VpcLattice",
    "ElasticFileSystem",
)


def public_access(draft: Draft) -> None:
    """Of some Regions. Half of them were described with the states that AWS shows of each VPC and subnet."""
    for region in sorted({vpc.region for vpc in draft.of("vpcs")}):
        if not draft.maybe(0.3):
            continue
        mode = draft.chance.choice(("block-bidirectional", "block-bidirectional", "block-ingress", "off"))
        draft.put(
            "public_access", PublicAccess(id=f"{ACCOUNT}/{region}", account=ACCOUNT, region=region, mode=mode, state="update-complete")
        )
        shown = draft.maybe(0.5)
        for vpc in [item for item in draft.of("vpcs") if item.region == region]:
            of_vpc = _exclusion(draft, vpc, 0.2)
            if shown:
                draft.put("vpcs", replace(vpc, block_public_access=_left(mode, of_vpc)))
            for subnet in draft.of("subnets", vpc.id):
                of_subnet = _exclusion(draft, subnet, 0.25)
                if shown:
                    draft.put("subnets", replace(subnet, block_public_access=_left(_left(mode, of_vpc), of_subnet)))


def _exclusion(draft: Draft, thing: Vpc | Subnet, share: float) -> str:
    """The mode of an exclusion that is in force, empty for none."""
    if not draft.maybe(share):
        return ""
    mode = draft.chance.choice(("allow-bidirectional", "allow-egress"))
    state = draft.chance.choice(("create-complete", "create-complete", "update-complete", "delete-complete", "create-failed"))
    made = PublicAccessExclusion(id=draft.id("vpcbpa-exclude"), **owned(thing.region), resource=thing.id, mode=mode, state=state)
    draft.put("public_access_exclusions", made)
    return mode if state in ("create-complete", "update-complete") else ""


def _left(mode: str, exclusion: str) -> str:
    """As AWS's example has it: https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-example.html"""
    if exclusion == "allow-bidirectional":
        return "off"
    return "block-ingress" if exclusion and mode == "block-bidirectional" else mode


def encryption(draft: Draft) -> None:
    """Of some VPCs, mostly of one network's together, as peering encrypts only between two that enforce."""
    share = draft.chance.choice((0.0, 0.0, 0.0, 0.3, 0.8))
    for vpc in draft.of("vpcs"):
        if not draft.maybe(share):
            continue
        left = draft.chance.choice((0.0, 0.3, 0.7))
        draft.put(
            "encryption_controls",
            EncryptionControl(
                id=draft.id("vpcec"),
                **owned(vpc.region),
                vpc=vpc.id,
                mode=draft.chance.choice(("enforce", "enforce", "enforce", "monitor")),
                state="available",
                exclusions={name: "enabled" if draft.maybe(left) else "disabled" for name in EXCLUDABLE},
            ),
        )
    if share:
        for gateway in draft.of("transit_gateways"):
            draft.put("transit_gateways", replace(gateway, encryption=draft.chance.choice(("enabled", "disabled"))))
