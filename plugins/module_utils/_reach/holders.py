# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has an address of a VPC: an interface by its own addresses or by a prefix that is delegated to it, AWS, the resolver, or nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from .._model.network import PLANNED, Interface, Subnet
from .blocks import Ip, block, holds, ip, text
from .index import Index

#: The Route 53 Resolver beside every instance. https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
RESOLVERS = ("169.254.169.253", "fd00:ec2::253")
#: Interfaces of these states of an instance, endpoint or NAT gateway are gone, or will be.
_GONE = ("terminated", "shutting-down", "deleted", "deleting", "failed", "rejected", "expired")


@dataclass(frozen=True)
class _Held:
    """``addresses``: of one VPC, to the interface that has it. ``prefixes``: blocks that are delegated to an interface."""

    addresses: Mapping[str, str]
    prefixes: tuple[tuple[str, str], ...]


def _held(index: Index, vpc: str) -> _Held:
    key = "held"
    found: dict[str, _Held] | None = index.memo.get(key)
    if found is None:
        addresses: defaultdict[str, dict[str, str]] = defaultdict(dict)
        prefixes: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for item in index.network.interfaces.values():
            for address in (*item.private_ips, *item.ipv6s):
                addresses[item.vpc].setdefault(address, item.id)
            prefixes[item.vpc] += [(prefix, item.id) for prefix in (*item.ipv4_prefixes, *item.ipv6_prefixes)]
        found = index.memo[key] = {id_: _Held(addresses[id_], tuple(prefixes[id_])) for id_ in {*addresses, *prefixes}}
    return found.get(vpc, _Held({}, ()))


def holder(index: Index, vpc: str, address: str) -> Interface | None:
    """The interface of a VPC that has an address, by itself or in a prefix of its own.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-prefix-eni.html
    """
    held = _held(index, vpc)
    id_ = held.addresses.get(address) or next((item for prefix, item in held.prefixes if holds(prefix, address)), "")
    return index.network.interfaces.get(id_)


def has(interface: Interface, address: str) -> bool:
    """Whether an address is one of the interface's."""
    return address in (*interface.private_ips, *interface.ipv6s) or any(
        holds(prefix, address) for prefix in (*interface.ipv4_prefixes, *interface.ipv6_prefixes)
    )


def kept(subnet: Subnet, address: str) -> str:
    """What AWS keeps an address of a subnet for, or '': the first four and the last of each block.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    cidr = subnet.ipv6_cidr if ":" in address else subnet.cidr
    if not cidr or not holds(cidr, address):
        return ""
    found = block(cidr)
    offset, size = ip(address).value - found.value, 1 << ((32 if found.family == 4 else 128) - found.length)
    words = {0: "its network address", 1: "the VPC's router", 2: "AWS's DNS", 3: "future use", size - 1: "broadcast"}
    return words.get(offset, "")


def resolver(index: Index, vpc: str) -> tuple[str, ...]:
    """The resolver's addresses in a VPC: beside each instance, and the base of the primary IPv4 block plus two.

    https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
    """
    found = index.network.vpcs.get(vpc)
    if found is None or not found.cidrs:
        return RESOLVERS
    primary = block(found.cidrs[0])
    return (*RESOLVERS, text(Ip(4, primary.value + 2)))


def all_read(index: Index, vpc: str) -> bool:
    """Whether every interface of a VPC was read, so that an address that none of them has is nobody's.

    A file that lacks an interface which an instance, endpoint or NAT gateway names holds a part only, and so does that of an account with
    which the VPC is shared: of others' interfaces only the VPC's owner is told.
    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-share-limitations.html
    """
    key = ("all read", vpc)
    if key not in index.memo:
        owner = index.network.vpcs.get(vpc)
        index.memo[key] = (
            owner is not None
            and not owner.id.startswith(PLANNED)
            and (owner.account, owner.region, "NetworkInterfaces") in index.network.complete
            and not index.missing("NetworkInterfaces", owner)
            and not _named_elsewhere(index, vpc)
        )
    return bool(index.memo[key])


def _named_elsewhere(index: Index, vpc: str) -> bool:
    network = index.network
    ids = {id_ for item in network.instances.values() if item.vpc == vpc and item.state not in _GONE for id_ in item.interfaces}
    ids |= {id_ for item in network.endpoints.values() if item.vpc == vpc and item.state not in _GONE for id_ in item.interfaces}
    ids |= {id_ for item in network.nat_gateways.values() if item.vpc == vpc and item.state not in _GONE for id_ in item.interfaces}
    return not ids <= network.interfaces.keys()
