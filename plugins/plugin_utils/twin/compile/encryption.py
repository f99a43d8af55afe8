# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC encryption controls: in enforce mode nothing leaves or enters a VPC over what does not encrypt, unless that is excluded.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-encryption-controls.html
"""

from __future__ import annotations

from collections.abc import Mapping

from ....module_utils._model.network import EncryptionControl, Network, Vpc

INTERNET, EGRESS_ONLY, NAT, PEERING, LAMBDA = "InternetGateway", "EgressOnlyInternetGateway", "NatGateway", "VpcPeering", "Lambda"
"""AWS's names of what may be excluded."""
_IN_FORCE = ("available", "delete-failed", "")
_EXCLUDED = ("enabled", "disabling")


class Encryption:
    """The controls of a network that are enforced."""

    def __init__(self, network: Network) -> None:
        self._gateways = network.transit_gateways
        self._enforced: Mapping[str, EncryptionControl] = {
            item.vpc: item for item in network.encryption_controls.values() if item.mode == "enforce" and item.state in _IN_FORCE
        }

    def enforced(self, vpc: str) -> bool:
        """Whether a VPC takes nothing that is not encrypted."""
        return vpc in self._enforced

    def lets(self, vpc: str, what: str) -> bool:
        """Whether a VPC's traffic over something that does not encrypt passes."""
        return vpc not in self._enforced or self._enforced[vpc].exclusions.get(what) in _EXCLUDED

    def lets_peering(self, one: Vpc, other: Vpc) -> bool:
        """Peering encrypts between two VPCs of one Region that both enforce, with no exclusion; otherwise who enforces must exclude it."""
        if one.region == other.region and self._entire(one.id) and self._entire(other.id):
            return True
        return self.lets(one.id, PEERING) and self.lets(other.id, PEERING)

    def lets_transit(self, vpc: str, gateway: str) -> bool:
        """A VPC that enforces is attached to transit gateways with encryption support only.

        https://docs.aws.amazon.com/vpc/latest/tgw/tgw-encryption-support.html
        """
        known = self._gateways.get(gateway)
        return vpc not in self._enforced or known is None or known.encryption in ("enabled", "")

    def _entire(self, vpc: str) -> bool:
        return vpc in self._enforced and not any(state in _EXCLUDED for state in self._enforced[vpc].exclusions.values())
