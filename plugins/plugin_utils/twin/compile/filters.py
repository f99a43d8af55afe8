# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nftables of one VPC's router: everything on AWS that can stop a packet inside a VPC, as one ruleset. Pure.

A packet that is forwarded goes through the base chains in the order of AWS's own gates, and an ``accept`` ends one of them only:

1. ``checks``: source/destination check of the ENI that it goes to (that of the one it came from is in ``prerouting``), and what crosses a
   peering has its source in the sender's blocks and its destination in the receiver's.
2. ``egress``: security groups of the ENI that it came from.
3. ``acl_out``: network ACL of the subnet that it leaves.
4. ``acl_in``: network ACL of the subnet that it enters.
5. ``ingress``: security groups of the ENI that it goes to.

``refused_out`` and ``refused_in`` are where packets end; there, and in ``accepted_out`` and ``accepted_in``, flow logs see them.
Which ENI a packet came from or goes to is told by its device, and behind the shared devices (``park``, ``serve``) by its address as well.
"""

from __future__ import annotations

from ipaddress import ip_network

from ..places import METADATA, RESOLVERS
from ..state import Chain, NftSet, Ruleset
from .acls import acl_parts, quoted_or_none
from .groups import group_parts, shared_devices
from .logs import log_parts
from .matching import FAMILIES, collapsed, family_of, flags_of, header, identifier, one_of, rule
from .view import ENDPOINT, HOST, NAT, TRANSIT, Crossing, Port, View

_HOP = {4: "ip ttl", 6: "ip6 hoplimit"}


def router_ruleset(view: View) -> Ruleset:
    """The ruleset of a VPC's router. Names of chains and sets come from AWS ids and stay the same under unrelated changes."""
    chains = [_prerouting(view), *_checks(view), _input(view), _output()]
    sets = [*_address_sets(view), *_mark_sets(view), *_crossing_sets(view), *_machine_sets(view)]
    for more_chains, more_sets in (
        group_parts(view, _forward(-40, "drop"), _forward(0, "drop")),
        acl_parts(view, _forward(-30), _forward(-10)),
        log_parts(view, _forward(-20), _forward(10)),
    ):
        chains += more_chains
        sets += more_sets
    return Ruleset(sets={item.name: item for item in sets}, chains={chain.name: chain for chain in chains})


def _forward(priority: int, policy: str = "accept") -> str:
    return f"type filter hook forward priority {priority}; policy {policy};"


def _machines(view: View) -> list[Port]:
    """Ports with groups, and an address of their own to keep to."""
    return [port for port in view.ports if port.kind in (HOST, ENDPOINT)]


def _families(view: View) -> tuple[int, ...]:
    return FAMILIES if view.vpc.ipv6_cidrs else (4,)


# ── As packets arrive ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _prerouting(view: View) -> Chain:
    """Hops put right, sources checked, and the mark of the subnet's route table set, before routing and before tracking.

    A router takes one hop from each packet; it is given back, so that routers never show. Not to what comes from gateways that may send it
    round in a circle by route tables alone: there a packet's hops must run out. It gets more of them on its way there instead.
    """
    relays = quoted_or_none(_relays(view))
    beyond = f"iifname != {relays}" if relays else ""
    lines = [rule(beyond, f"{hop} {old} {hop} set {old + 1}") for hop in _HOP.values() for old in (1, 64, 128)]
    lines += [f"{_addressed('iifname', 'saddr', family, '@checked')} drop" for family in FAMILIES]
    lines.append("meta mark set iifgroup map @marks")
    shared = quoted_or_none(shared_devices(view.ports))
    if shared:
        lines += [f"iifname {shared} meta mark set {header('saddr', family)} map @subnets_{family}" for family in _families(view)]
    return Chain("prerouting", tuple(lines), "type filter hook prerouting priority -300; policy accept;")


def _relays(view: View) -> set[str]:
    devices = {port.device for port in view.ports if port.kind in (NAT, TRANSIT)}
    return devices | {device for device, kind in view.gateways.items() if kind == "transit"}


def _addressed(device: str, side: str, family: int, checked: str) -> str:
    """A packet of an ENI with the source/destination check on, whose own address is not the ENI's."""
    return f"{device} {checked} meta nfproto ipv{family} {device} . {header(side, family)} != @addresses_{family}"


def _address_sets(view: View) -> list[NftSet]:
    """https://docs.aws.amazon.com/vpc/latest/userguide/work-with-nat-instances.html#EIP_Disable_SrcDestCheck

    What answers for many never sends for others: there the check is always on.
    """
    shared = shared_devices(view.ports)
    kept = [port for port in _machines(view) if port.check or port.device in shared]
    found = [NftSet("checked", "ifname", frozenset(f'"{port.device}"' for port in kept))]
    for family in FAMILIES:
        elements = frozenset(f'"{port.device}" . {item}' for port in kept for item in port.own(family))
        found.append(NftSet(f"addresses_{family}", f"ifname . ipv{family}_addr", elements, flags_of(elements)))
    return found


def _mark_sets(view: View) -> list[NftSet]:
    found = [NftSet("marks", "devgroup : mark", frozenset(f"{number} : {number}" for number in view.numbers.values()))]
    if shared_devices(view.ports):
        known = [(subnet, view.numbers[subnet.id]) for subnet in view.subnets if subnet.id in view.numbers]
        blocks = frozenset(f"{subnet.cidr} : {number}" for subnet, number in known if subnet.cidr)
        found.append(NftSet("subnets_4", "ipv4_addr : mark", blocks, ("interval",)))
        if view.vpc.ipv6_cidrs:
            blocks = frozenset(f"{subnet.ipv6_cidr} : {number}" for subnet, number in known if subnet.ipv6_cidr)
            found.append(NftSet("subnets_6", "ipv6_addr : mark", blocks, ("interval",)))
    return found


# ── Before any of AWS's gates ──────────────────────────────────────────────────────────────────────────────────────────────


def _checks(view: View) -> list[Chain]:
    lines = [f"{_addressed('oifname', 'daddr', family, '@checked')} drop" for family in FAMILIES]
    relays = quoted_or_none(_relays(view))
    if relays:
        towards = f"iifname != {relays} oifname {relays}"
        lines += [f"{towards} {hop} {old} {hop} set {new}" for hop in _HOP.values() for old, new in ((1, 8), (64, 66), (128, 130))]
    chains = []
    if view.crossings:
        lines += ["iifname vmap @crossings_in", "oifname vmap @crossings_out"]
        for crossing in view.crossings:
            chains += [_crossing(crossing, "in"), _crossing(crossing, "out")]
    return [Chain("checks", tuple(lines), _forward(-50)), *chains]


def _crossing(crossing: Crossing, way: str) -> Chain:
    """Neither transitive nor edge to edge: https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations"""
    senders, receivers = (crossing.theirs, crossing.own) if way == "in" else (crossing.own, crossing.theirs)
    lines = []
    for family in FAMILIES:
        sources, destinations = collapsed(senders, family), collapsed(receivers, family)
        if sources and destinations:
            lines.append(f"{header('saddr', family)} {one_of(sources)} {header('daddr', family)} {one_of(destinations)} return")
    return Chain(_crossing_name(crossing, way), (*lines, "drop"))


def _crossing_name(crossing: Crossing, way: str) -> str:
    return f"{identifier(crossing.id)}_{way}"


def _crossing_sets(view: View) -> list[NftSet]:
    if not view.crossings:
        return []
    return [
        NftSet(
            f"crossings_{way}",
            "ifname : verdict",
            frozenset(f'"{crossing.device}" : jump {_crossing_name(crossing, way)}' for crossing in view.crossings),
        )
        for way in ("in", "out")
    ]


# ── To and from the router itself ──────────────────────────────────────────────────────────────────────────────────────────


def _input(view: View) -> Chain:
    """The router answers nothing but its ENIs' questions to the resolver and the metadata service, which neither groups nor ACLs filter.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html and …/vpc-network-acls.html (what they do not filter).
    The resolver is at the VPC's base address plus two and at constant addresses:
    https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
    """
    lines = ['iifname "lo" accept', "ct state established,related accept"]
    if _machines(view):
        resolvers = () if view.vpc.dns_support is False else (*_plus_two(view), *RESOLVERS)
        for family in FAMILIES:
            names = [item for item in resolvers if family_of(item) == family]
            if names:
                ask = "meta l4proto { tcp, udp } th dport 53 accept"
                lines.append(f"iifname @machines {header('daddr', family)} {one_of(names)} {ask}")
        lines += [f"iifname @machines {header('daddr', family_of(item))} {item} tcp dport 80 accept" for item in METADATA]
    return Chain("input", tuple(lines), "type filter hook input priority 0; policy drop;")


def _machine_sets(view: View) -> list[NftSet]:
    devices = frozenset(f'"{port.device}"' for port in _machines(view))
    return [NftSet("machines", "ifname", devices)] if devices else []


def _plus_two(view: View) -> tuple[str, ...]:
    return tuple(str(ip_network(cidr)[2]) for cidr in view.vpc.cidrs[:1])


def _output() -> Chain:
    """The router tells of nothing but packets that are too big: what is blocked is silent, and path MTU discovery works."""
    lines = (
        "icmp type destination-unreachable icmp code != frag-needed drop",
        "icmp type { redirect, time-exceeded, parameter-problem } drop",
        "icmpv6 type { destination-unreachable, time-exceeded, parameter-problem, nd-redirect } drop",
    )
    return Chain("output", lines, "type filter hook output priority 0; policy accept;")
