# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contract tests of groups, ACLs, addresses and endpoints share: a VPC that is taken down again, and refusals by code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """The block must be answered with one of the codes."""
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] in codes, caught.value.response["Error"]


@dataclass(frozen=True)
class Network:
    """A VPC for one test. What is made is registered with ``later``, and removed in the opposite order."""

    client: Any
    id: str
    stack: ExitStack

    def later(self, action: str, **params: Any) -> None:
        """Call an action of the client when the test has ended."""
        self.stack.callback(getattr(self.client, action), **params)

    def group(self, name: str) -> str:
        key = str(self.client.create_security_group(GroupName=name, Description="contract test", VpcId=self.id)["GroupId"])
        self.later("delete_security_group", GroupId=key)
        return key

    def subnet(self, cidr: str) -> str:
        key = str(self.client.create_subnet(VpcId=self.id, CidrBlock=cidr)["Subnet"]["SubnetId"])
        self.later("delete_subnet", SubnetId=key)
        return key


@contextmanager
def network(endpoint: Any, cidr: str = "10.123.0.0/16", peer: bool = False) -> Iterator[Network]:
    """A VPC, and its end."""
    client = endpoint.client("ec2", peer=peer)
    key = client.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    with ExitStack() as stack:
        stack.callback(client.delete_vpc, VpcId=key)
        yield Network(client, key, stack)
