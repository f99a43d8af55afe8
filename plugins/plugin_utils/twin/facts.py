# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data plane must know beyond the network: who may log in to an instance, what it does at boot, whose credentials it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Role:
    """An instance's role and its temporary credentials. Never shown: the repr leaves the secrets out."""

    name: str
    profile_arn: str
    access_key: str = field(repr=False, default="")
    secret: str = field(repr=False, default="")
    token: str = field(repr=False, default="")
    expires: str = ""
    """ISO 8601, ``2026-01-01T00:00:00Z``."""


@dataclass(frozen=True)
class Dhcp:
    """What DHCP gives the instances of a VPC. ``servers``: addresses, or AmazonProvidedDNS; ``domain``: one or more, apart by spaces."""

    servers: tuple[str, ...] = ()
    domain: str = ""


@dataclass(frozen=True)
class SentKey:
    """A public key that opens ssh for ``user`` until a time, in Unix seconds: one line of OpenSSH, ``TYPE BASE64``."""

    user: str
    key: str
    until: float


@dataclass(frozen=True)
class HostFacts:
    """Of one instance. ``boots`` grows with each start and reboot; ``authorized`` are OpenSSH public keys of its key pair.

    ``user``: the image's usual user. ``ssm``: the role's policies admit an agent (AmazonSSMManagedInstanceCore or the like).
    ``tokens_required``: IMDSv2 only; ``metadata``: whether the metadata service answers at all; ``tags``: shown there when asked to.
    """

    id: str
    user: str = "ec2-user"
    authorized: tuple[str, ...] = ()
    key_name: str = ""
    user_data: bytes = field(repr=False, default=b"")
    role: Role | None = None
    ssm: bool = False
    boots: int = 1
    launched: str = ""
    reservation: str = ""
    metadata: bool = True
    tokens_required: bool = False
    hops: int = 2
    tags: Mapping[str, str] | None = None
    hostname: str = ""
    """The private name, with its domain, where it is not made of the address."""
    dhcp: Dhcp | None = Dhcp(("AmazonProvidedDNS",))
    """``None``: the VPC has no DHCP options."""
    sent_keys: tuple[SentKey, ...] = ()
    """Of EC2 Instance Connect."""


@dataclass(frozen=True)
class Record:
    """A DNS record set: ``kind`` A, AAAA, CNAME, TXT…; ``values`` in presentation form."""

    name: str
    kind: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True)
class Zone:
    """A Route 53 private hosted zone and the VPCs that it is associated with."""

    id: str
    name: str
    vpcs: tuple[str, ...]
    records: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Facts:
    """By instance id (or ENI id, for an interface that stands alone)."""

    hosts: Mapping[str, HostFacts] = field(default_factory=dict)
    zones: tuple[Zone, ...] = ()
