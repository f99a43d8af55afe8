# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route 53: a zone that is made with a VPC is a private one; the emulator wants to be told twice.

Source: https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html (VPC: "Private hosted zones only").
"""

from __future__ import annotations

from ..calls import Call, before


@before("route53", "CreateHostedZone")
def private_by_its_vpc(call: Call) -> None:
    """Say what the VPC says already."""
    if call.params.get("VPC"):
        call.params["HostedZoneConfig"] = {**(call.params.get("HostedZoneConfig") or {}), "PrivateZone": True}
