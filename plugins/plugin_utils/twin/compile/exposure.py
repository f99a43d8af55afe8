# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPC Block Public Access: what it does to each subnet's traffic with internet gateways and egress-only internet gateways.

https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-basics.html
"""

from __future__ import annotations

from collections import defaultdict

from ....module_utils._model.network import Network, PublicAccessExclusion, Subnet, Vpc

OFF, BIDIRECTIONAL, INGRESS = "off", "block-bidirectional", "block-ingress"
_ALLOW_ALL = "allow-bidirectional"
_IN_FORCE = ("create-complete", "update-in-progress", "update-complete", "update-failed", "delete-in-progress", "")


class Exposure:
    """The modes of a network's subnets."""

    def __init__(self, network: Network) -> None:
        self._accounts = network.public_access
        self._exclusions: defaultdict[str, list[PublicAccessExclusion]] = defaultdict(list)
        for item in network.public_access_exclusions.values():
            if item.state in _IN_FORCE:
                self._exclusions[item.resource].append(item)

    def mode(self, vpc: Vpc, subnet: Subnet) -> str:
        """``off``, ``block-ingress`` (only NAT and egress-only gateways are left) or ``block-bidirectional`` (nothing is).

        What DescribeSubnets and DescribeVpcs say of a state has the exclusions in it; where they do not say, it is made from the account's
        mode. An exclusion of a VPC is one of all its subnets.
        """
        if subnet.block_public_access:
            return subnet.block_public_access
        account = self._accounts.get(f"{vpc.account}/{vpc.region}")
        mode = vpc.block_public_access or (self._excluded(account.mode, vpc.id) if account is not None else OFF)
        return mode if account is not None and account.exclusions_allowed is False else self._excluded(mode, subnet.id)

    def _excluded(self, mode: str, resource: str) -> str:
        """An exclusion for egress only is heard where the account blocks both ways; then NAT and egress-only gateways are let out.

        https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa-example.html (scenarios 5 and 6)
        """
        exclusions = self._exclusions.get(resource, ())
        if any(item.mode == _ALLOW_ALL for item in exclusions):
            return OFF
        return INGRESS if exclusions and mode == BIDIRECTIONAL else mode
