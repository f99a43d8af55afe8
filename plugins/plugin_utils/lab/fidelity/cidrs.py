# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CIDR blocks of VPCs: creation, further blocks, IPv6.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html (with the rules for a VPC that has a peering
connection) and the API pages of the actions.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, cast

from ..calls import Call, Refusal, after, before, instead
from .cidr_rules import (
    check_against_routes,
    check_secondary,
    check_vpc_block,
    overlap,
    parse,
)
from .emulated import (
    blocks,
    ipv6_association,
    networks4,
    networks6,
    subnet_blocks6,
    subnets_of,
    tables_of,
    vpc_view,
)
from .ended import BLOCKS4, BLOCKS6, end
from .ipv6_pools import BLOCK, pool_id
from .peering_book import live_peerings
from .peering_states import JOINED, OPEN
from .routes import Route, route_is_local
from .shapes import find_vpc, invalid, missing, new_id

if TYPE_CHECKING:
    from ..core import Lab

# Amazon-provided blocks are cut from this range, one /56 after the other in every account and Region, so that no two are alike.
_AMAZON6 = int(IPv6Address("2400:6500::"))
_IPAM = ("Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength")


def no_ipam(call: Call) -> None:
    """Refuse what asks for IP Address Manager."""
    for name in _IPAM:
        if call.params.get(name):
            raise Refusal("UnsupportedOperation", f"{name} (IP Address Manager) is not supported by the embedded lab.")


def _amazon_block(lab: Lab) -> str:
    state = lab.state("ipv6_blocks")
    state["next"] = int(state.get("next", 0)) + 1
    return str(IPv6Network((_AMAZON6 + (state["next"] << 72), 56)))


def _pool_block(call: Call, pool: str, wanted: str) -> str:
    """A block from the pool that the caller's account brought: the wanted one, or without one a free /56.

    "To let Amazon choose the IPv6 CIDR block for you, omit this parameter" (CreateVpc, Ipv6CidrBlock).
    """
    if pool != pool_id(call.account):
        raise invalid(f"The IPv6 pool '{pool}' does not exist; this account has {pool_id(call.account)}.")
    whole = IPv6Network(BLOCK)
    taken = [block for vpc in call.backend().vpcs.values() for block in networks6(vpc)]
    if not wanted:
        chosen = next(block for block in whole.subnets(new_prefix=56) if not any(block.overlaps(item) for item in taken))
        return str(chosen)
    block = cast(IPv6Network, parse(wanted, "ipv6CidrBlock", 6))
    if block.prefixlen not in range(44, 61, 4) or not block.subnet_of(whole):
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' is invalid: it must be a /44 to /60 in steps of 4 of the pool's {BLOCK}.")
    if any(block.overlaps(item) for item in taken):
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' of pool {pool} is in use by another VPC.")
    return str(block)


def _block6(call: Call) -> tuple[str, str] | None:
    """The IPv6 block that a call asks for and the pool it comes from; none when it asks for none."""
    wanted, pool = str(call.params.get("Ipv6CidrBlock") or ""), str(call.params.get("Ipv6Pool") or "")
    if call.params.get("AmazonProvidedIpv6CidrBlock"):
        if wanted or pool:
            raise Refusal("InvalidParameterCombination", "AmazonProvidedIpv6CidrBlock excludes Ipv6CidrBlock and Ipv6Pool.")
        return _amazon_block(call.lab), "Amazon"
    if wanted and not pool:
        raise Refusal("MissingParameter", "You must also specify Ipv6Pool in the request when you specify Ipv6CidrBlock.")
    return (_pool_block(call, pool, wanted), pool) if pool else None


def _join(backend: Any, vpc: Any, block: str, pool: str = "", border: str = "") -> str:
    """Associate a block with a VPC and give every table its local route; returns the association's id."""
    key = new_id("vpc-cidr-assoc")
    item: dict[str, Any] = {"association_id": key, "cidr_block_state": {"state": "associated", "StatusMessage": None}, "cidr_block": block}
    if pool:
        item |= {"ipv6_pool": pool, "ipv6_cidr_block_network_border_group": border or backend.region_name}
    vpc._cidr_block_association_set[key] = item
    for table in tables_of(backend, vpc.id):
        route = Route(table, None if pool else block, block if pool else None, None, local=True)
        table._routes[route.id] = route
    return key


def _leave(backend: Any, vpc: Any, key: str) -> dict[str, Any]:
    """End an association and remove its local routes; returns what it was."""
    item = cast("dict[str, Any]", vpc._cidr_block_association_set.pop(key))
    for table in tables_of(backend, vpc.id):
        route = table._routes.get(f"{table.id}~{item['cidr_block']}")
        if route is not None and route_is_local(route):
            del table._routes[route.id]
    return item


# -- VPCs ----------------------------------------------------------------------------------------------------------------------


@before("ec2", "CreateVpc")
def vpc_block(call: Call) -> None:
    """A /16 to a /28 outside the reserved ranges, host bits cleared."""
    no_ipam(call)
    if not call.params.get("CidrBlock"):
        raise missing("cidrBlock")
    block = parse(str(call.params["CidrBlock"]), "cidrBlock", 4)
    check_vpc_block(cast(IPv4Network, block))
    call.params["CidrBlock"] = str(block)


@after("ec2", "CreateVpc")
def vpc_block6(call: Call, result: dict[str, Any]) -> dict[str, Any]:
    """The IPv6 block: one of its own for every VPC, or the caller's; the emulator's is random and may repeat."""
    backend = call.backend()
    vpc = backend.vpcs[result["Vpc"]["VpcId"]]
    for key in [key for key, item in vpc._cidr_block_association_set.items() if ":" in item["cidr_block"]]:
        _leave(backend, vpc, key)
    wanted = _block6(call)
    joining = [_join(backend, vpc, wanted[0], wanted[1], str(call.params.get("Ipv6CidrBlockNetworkBorderGroup") or ""))] if wanted else []
    return {**result, "Vpc": {**vpc_view(backend, vpc, joining), "State": "pending"}}


@before("ec2", "CreateVpc")
def vpc_block6_asked(call: Call) -> None:
    """A request for an IPv6 block that cannot be met is refused before the VPC is made."""
    if not call.params.get("AmazonProvidedIpv6CidrBlock") or call.params.get("Ipv6CidrBlock") or call.params.get("Ipv6Pool"):
        _block6(call)


def _check_peerings(call: Call, vpc: Any, block: str) -> None:
    """What a peering connection says to a further block.

    Active: no overlap with the peer. Pending: the requester "cannot add any CIDR block to the VPC, regardless of whether it
    overlaps"; the accepter can, and an overlap makes the request fail.
    """
    doomed = []
    for peering in live_peerings(call.lab, vpc.id):
        requester = peering.requester.vpc == vpc.id
        other = peering.peer_vpc if requester else peering.vpc
        code = peering.code
        if code in OPEN and requester and not peering.doomed and ":" not in block:
            raise Refusal(
                "OperationNotPermitted",
                f"The CIDR '{block}' cannot be added to {vpc.id} while it has the pending VPC peering connection request {peering.id}.",
            )
        if not overlap([block], [*blocks(other, 4), *blocks(other, 6)] if not peering.doomed else []):
            continue
        if code in JOINED:
            raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' overlaps with a CIDR block of {other.id}, the peer in {peering.id}.")
        if code in OPEN:
            doomed.append(peering)
    for peering in doomed:
        peering.enter("failed")


def _destinations(backend: Any, vpc: str) -> list[str]:
    return [
        str(route.destination_cidr_block or route.destination_ipv6_cidr_block)
        for table in tables_of(backend, vpc)
        for route in table._routes.values()
        if not route_is_local(route) and (route.destination_cidr_block or route.destination_ipv6_cidr_block)
    ]


@instead("ec2", "AssociateVpcCidrBlock")
def associate_block(call: Call) -> dict[str, Any]:
    """Give a VPC a further IPv4 block, or an IPv6 block."""
    no_ipam(call)
    backend = call.backend()
    if not call.params.get("VpcId"):
        raise missing("vpcId")
    vpc = find_vpc(backend, str(call.params["VpcId"]))
    asks6 = bool(call.params.get("AmazonProvidedIpv6CidrBlock") or call.params.get("Ipv6CidrBlock") or call.params.get("Ipv6Pool"))
    if call.params.get("CidrBlock") and asks6:
        raise Refusal("InvalidParameterCombination", "Only one of an IPv4 and an IPv6 CIDR block can be specified.")
    if not call.params.get("CidrBlock") and not asks6:
        raise missing("cidrBlock, ipv6CidrBlock or amazonProvidedIpv6CidrBlock")
    return _associate6(call, vpc) if asks6 else _associate4(call, vpc)


def _association4(key: str, block: str, state: str) -> dict[str, Any]:
    return {"AssociationId": key, "CidrBlock": block, "CidrBlockState": {"State": state}}


def _limit(vpc: Any, quota: int) -> Refusal:
    return Refusal("CidrLimitExceeded", f"This network '{vpc.id}' has met its maximum number of allowed CIDRs: {quota}")


def _associate4(call: Call, vpc: Any) -> dict[str, Any]:
    backend = call.backend()
    block = cast(IPv4Network, parse(str(call.params["CidrBlock"]), "cidrBlock", 4))
    present = networks4(vpc)
    check_secondary(block, IPv4Network(vpc.cidr_block), present)
    quota = call.lab.quotas["ipv4_cidrs_per_vpc"]
    if len(present) >= quota:
        raise _limit(vpc, quota)
    check_against_routes(block, _destinations(backend, vpc.id))
    _check_peerings(call, vpc, str(block))
    key = _join(backend, vpc, str(block))
    return {"VpcId": vpc.id, "CidrBlockAssociation": _association4(key, str(block), "associating")}


def _associate6(call: Call, vpc: Any) -> dict[str, Any]:
    backend = call.backend()
    quota = call.lab.quotas["ipv6_cidrs_per_vpc"]
    present = networks6(vpc)
    if len(present) >= quota:
        raise _limit(vpc, quota)
    border = str(call.params.get("Ipv6CidrBlockNetworkBorderGroup") or backend.region_name)
    if call.params.get("AmazonProvidedIpv6CidrBlock"):
        for item in vpc._cidr_block_association_set.values():
            if item.get("ipv6_pool") == "Amazon" and item.get("ipv6_cidr_block_network_border_group") == border:
                raise _limit(vpc, 1)
    wanted = _block6(call)
    if wanted is None:
        raise ValueError("asked for no IPv6 block")  # the caller makes sure that one is asked for
    block, pool = wanted
    network = IPv6Network(block)
    if any(network.overlaps(item) for item in present):
        raise Refusal("InvalidVpc.Range", f"The CIDR '{block}' conflicts with another CIDR block of the VPC.")
    check_against_routes(network, _destinations(backend, vpc.id))
    _check_peerings(call, vpc, block)
    key = _join(backend, vpc, block, pool, border)
    item = vpc._cidr_block_association_set[key]
    return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": ipv6_association(backend, key, item, "associating")}


@instead("ec2", "DisassociateVpcCidrBlock")
def disassociate_block(call: Call) -> dict[str, Any]:
    """Take a block from a VPC: not the primary one, and none in which subnets lie."""
    backend = call.backend()
    key = str(call.params.get("AssociationId") or "")
    vpc = next((item for item in backend.vpcs.values() if key in item._cidr_block_association_set), None)
    if vpc is None:
        raise Refusal("InvalidVpcCidrBlockAssociationID.NotFound", f"The vpc CIDR block association ID '{key}' does not exist")
    block = str(vpc._cidr_block_association_set[key]["cidr_block"])
    if block == vpc.cidr_block:
        raise Refusal(
            "OperationNotPermitted",
            f"The vpc CIDR block with association ID {key} may not be disassociated. It is the primary IPv4 CIDR block of the VPC",
        )
    for subnet in subnets_of(backend, vpc.id):
        held = [six for _other, six in subnet_blocks6(subnet)] + ([subnet.cidr_block] if subnet.cidr_block else [])
        if overlap(held, [block]):
            raise Refusal(
                "DependencyViolation",
                f"The vpc CIDR block {block} ({key}) has dependencies and cannot be disassociated: {subnet.id} lies in it.",
            )
    item = _leave(backend, vpc, key)
    if ":" in block:
        end(call, vpc, BLOCKS6, ipv6_association(backend, key, item, "disassociated"))
        return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": ipv6_association(backend, key, item, "disassociating")}
    end(call, vpc, BLOCKS4, _association4(key, block, "disassociated"))
    return {"VpcId": vpc.id, "CidrBlockAssociation": _association4(key, block, "disassociating")}
