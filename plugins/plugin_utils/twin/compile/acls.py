# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network ACLs as chains: numbered entries in order, without memory, at the border of a subnet. Pure.

* Evaluated as packets enter and leave the subnet, not between two of its addresses; lowest number first, the first match decides, the
  rest is denied: https://docs.aws.amazon.com/vpc/latest/userguide/nacl-basics.html
* A NAT gateway has no groups, its subnet's ACL holds: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
* Transit gateway: instance to gateway asks the instance's subnet (out) and the attachment's (in), both even where they are one subnet;
  gateway to instance asks the attachment's (out) and the instance's (in), neither where they are one:
  https://docs.aws.amazon.com/vpc/latest/tgw/tgw-nacls.html
"""

from __future__ import annotations

from collections.abc import Iterable

from ....module_utils._model.network import AclEntry, NetworkAcl, Subnet
from ..state import Chain, NftSet
from .matching import address, family_of, header, icmp, identifier, ports, protocol_name, quoted, rule
from .view import PARK, SERVE, TRANSIT, View

_STAR = 32767
_SIDES = {"out": "daddr", "in": "saddr"}


def acl_parts(view: View, out_hook: str, in_hook: str) -> tuple[list[Chain], list[NftSet]]:
    """Base chains ``acl_out`` and ``acl_in``, a chain for each subnet with a port and direction, and for each ACL and direction."""
    inhabited = {port.subnet for port in view.ports}
    subnets = sorted((subnet for subnet in view.subnets if subnet.id in inhabited and subnet.id in view.numbers), key=lambda item: item.id)
    transit = quoted_or_none({port.device for port in view.ports if port.kind == TRANSIT})
    shared = quoted_or_none({port.device for port in view.ports if port.device in (PARK, SERVE)})
    chains = [Chain("acl_out", ("meta mark vmap @leaving",), out_hook)]
    if shared:
        crowded = {port.subnet for port in view.ports if port.device in (PARK, SERVE)}
        chains.append(Chain("enter_shared", tuple(line for subnet in subnets if subnet.id in crowded for line in _by_address(subnet))))
    chains.append(Chain("acl_in", (*((f"oifname {shared} goto enter_shared",) if shared else ()), "oifgroup vmap @entering"), in_hook))
    for subnet in subnets:
        number, acl = view.numbers[subnet.id], view.acls.get(subnet.id)
        chains += [_leave(subnet, number, acl, transit, shared), _enter(subnet, number, acl, transit)]
    used = {acl.id: acl for subnet in subnets for acl in (view.acls.get(subnet.id),) if acl is not None}
    for acl in used.values():
        chains += [_acl(acl, "out"), _acl(acl, "in")]
    return chains, _sets(view, subnets)


def quoted_or_none(devices: Iterable[str]) -> str:
    """Device names as one match takes them; empty for none."""
    found = list(devices)
    return quoted(found) if found else ""


def _blocks(subnet: Subnet) -> list[str]:
    return [cidr for cidr in (subnet.cidr, subnet.ipv6_cidr) if cidr]


def _by_address(subnet: Subnet) -> list[str]:
    """Behind a shared device a subnet is told by its block. Rules, few as they are: nft loads no map from blocks to chains made with it."""
    return [f"{header('daddr', family_of(cidr))} {cidr} goto enter_{identifier(subnet.id)}" for cidr in _blocks(subnet)]


def _leave(subnet: Subnet, number: int, acl: NetworkAcl | None, transit: str, shared: str) -> Chain:
    lines = [rule(f"oifname != {transit}" if transit else "", f"oifgroup {number} accept")]
    if shared:
        lines += [f"oifname {shared} {header('daddr', family_of(cidr))} {cidr} accept" for cidr in _blocks(subnet)]
    return Chain(f"leave_{identifier(subnet.id)}", (*lines, _onward(acl, "out")))


def _enter(subnet: Subnet, number: int, acl: NetworkAcl | None, transit: str) -> Chain:
    neighbours = rule(f"oifname != {transit}" if transit else "", f"meta mark {number} accept")
    return Chain(f"enter_{identifier(subnet.id)}", (neighbours, _onward(acl, "in")))


def _onward(acl: NetworkAcl | None, way: str) -> str:
    """A subnet always has an ACL; where it was not read, the VPC's default one, as AWS makes it, lets everything through."""
    return "accept" if acl is None else f"goto {identifier(acl.id)}_{way}"


def _acl(acl: NetworkAcl, way: str) -> Chain:
    chosen = [entry for entry in acl.entries if entry.egress == (way == "out") and entry.number < _STAR]
    lines = [line for line in (_entry(entry, way) for entry in sorted(chosen, key=lambda item: item.number)) if line]
    return Chain(f"{identifier(acl.id)}_{way}", (*lines, f"goto refused_{way}"))


def _entry(entry: AclEntry, way: str) -> str:
    if protocol_name(entry.protocol) in ("icmp", "icmpv6"):
        type_, code = entry.icmp or (-1, -1)
        traffic = icmp(entry.protocol, type_, code, family_of(entry.cidr))
    else:
        traffic = ports(entry.protocol, entry.from_port, entry.to_port)
    if traffic is None:
        return ""
    return rule(address(_SIDES[way], entry.cidr), traffic, "accept" if entry.allow else f"goto refused_{way}")


def _sets(view: View, subnets: list[Subnet]) -> list[NftSet]:
    numbers = view.numbers
    leaving = frozenset(f"{numbers[subnet.id]} : goto leave_{identifier(subnet.id)}" for subnet in subnets)
    entering = frozenset(f"{numbers[subnet.id]} : goto enter_{identifier(subnet.id)}" for subnet in subnets)
    return [NftSet("leaving", "mark : verdict", leaving), NftSet("entering", "devgroup : verdict", entering)]
