# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Security groups as chains: one for each group and direction, a gate for each set of groups that an ENI carries. Pure.

* Rules of all groups of an ENI add up, there is no deny; replies to what was let through pass:
  https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
* A rule that refers to a group means the private addresses of the ENIs that carry it, coming from them: not through a middlebox (same
  page). So a reference is a set of (device, address): the same address over another wire, a peer's or a middlebox's, is not of the group.
  Across a transit gateway only inbound rules may refer to groups:
  https://docs.aws.amazon.com/vpc/latest/tgw/tgw-vpc-attachments.html#vpc-attachment-security
* Tracking: the connection's mark holds, for the groups of each of its two ends, whether they track it (OPENER, ANSWERER). What a rule for
  everywhere lets through, and a rule of the same ENI for everywhere and all ports lets back, is not tracked: each of its packets needs a
  rule, so it ends with the rule. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2s

from ....module_utils._model.network import Rule
from ..state import Chain, NftSet
from .matching import (
    ANYWHERE,
    FAMILIES,
    TCP_UDP,
    address,
    collapsed,
    every_port,
    family_of,
    flags_of,
    header,
    identifier,
    merged_ranges,
    one_of,
    port_match,
    port_range,
    protocol_name,
    rule,
    traffic,
)
from .view import ENDPOINT, HOST, NAT, PARK, SERVE, Port, View

OPENER, ANSWERER = 1, 2
"""Bits of a connection's mark: the groups of the ENI that opened it track it; those of the ENI that answers."""

_SIDES = {"out": "daddr", "in": "saddr"}
_DEVICES = {"out": "oifname", "in": "iifname"}
_OWN_DEVICES = {"out": "iifname", "in": "oifname"}
_OWN_SIDES = {"out": "saddr", "in": "daddr"}
_OTHER = {"out": "in", "in": "out"}
_PEERS = {"out": "to", "in": "from"}
_TRACKED = {"out": OPENER, "in": ANSWERER}


def group_parts(view: View, out_hook: str, in_hook: str) -> tuple[list[Chain], list[NftSet]]:
    """Base chains ``egress`` and ``ingress``, gates and groups, and the sets and maps that they use."""
    ports = [port for port in view.ports if port.kind in (HOST, ENDPOINT)]
    rules = {group: view.rules.get(group, ()) for port in ports for group in port.groups}
    tracking = _always_tracking(view)
    chains: list[Chain] = []
    sets: list[NftSet] = []
    for way, hook in (("out", out_hook), ("in", in_hook)):
        chains += [_base(view, ports, way, hook), _tracked(way)]
        carried = sorted({_carried(port) for port in ports if port.filtered})
        gates = [_gate(groups, rules, way, bool(tracking)) for groups in carried]
        targets = {line.rpartition(" ")[2] for gate in gates for line in gate.rules}
        unbound = {group for group in rules if _open_chain(group, way) in targets}
        chains += [*gates, *(chain for group in sorted(rules) for chain in _group(view, group, rules[group], way, group in unbound))]
        sets += _verdicts(view, ports, way)
        sets += _references(view, rules, way)
        sets += _shut_sets(view, way)
    sets += _prefix_lists(view, rules)
    if tracking:
        sets.append(NftSet("tracking", "ifname", frozenset(f'"{device}"' for device in tracking)))
    return chains, sets


def shared_devices(ports: Iterable[Port]) -> tuple[str, ...]:
    """The devices among the ports' behind which there are many: their ENIs are told apart by address."""
    return tuple(sorted({port.device for port in ports} & {PARK, SERVE}))


def _carried(port: Port) -> tuple[str, ...]:
    return tuple(sorted(set(port.groups)))


def _always_tracking(view: View) -> set[str]:
    """Connections through NAT and egress-only gateways are always tracked (connection tracking page, automatically tracked connections)."""
    gateways = {device for device, kind in view.gateways.items() if kind == "egress_only"}
    return gateways | {port.device for port in view.ports if port.kind == NAT}


def gate_name(groups: Iterable[str], way: str) -> str:
    """The same for the same set of groups."""
    return f"gate_{way}_{blake2s(' '.join(sorted(set(groups))).encode(), digest_size=5).hexdigest()}"


def _base(view: View, ports: list[Port], way: str, hook: str) -> Chain:
    lines = [f"ct state vmap {{ established : jump tracked_{way}, related : accept, invalid : goto refused_{way} }}"]
    for family in FAMILIES if view.vpc.ipv6_cidrs else (4,):
        if _shut(view, way, family):
            begins = f"ct direction original {_OWN_DEVICES[way]} . {header(_OWN_SIDES[way], family)}"
            lines.append(f"{begins} @{_shut_name(way, family)} goto refused_{way}")
    if way == "in" and view.encrypted and SERVE in {port.device for port in ports}:
        # Whether traffic is encrypted goes by its port: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-encryption-controls.html
        plain = f'ct direction original oifname "{SERVE}"'
        lines += [f"{plain} meta l4proto != tcp goto refused_in", f"{plain} tcp dport != 443 goto refused_in"]
    lines.append(f"{_OWN_DEVICES[way]} vmap @{_gates(way)}")
    shared = shared_devices(ports)
    if shared:
        devices = one_of(f'"{name}"' for name in shared)
        for family in FAMILIES if view.vpc.ipv6_cidrs else (4,):
            lines.append(f"{_OWN_DEVICES[way]} {devices} {header(_OWN_SIDES[way], family)} vmap @{_gates(way)}_{family}")
    return Chain({"out": "egress", "in": "ingress"}[way], (*lines, f"goto refused_{way}"), hook)


def _tracked(way: str) -> Chain:
    """Who opened the connection sends in its original direction: out of the opener's gate, into the answerer's."""
    forth, back = (OPENER, ANSWERER) if way == "out" else (ANSWERER, OPENER)
    lines = (f"ct direction original ct mark & {forth} == {forth} accept", f"ct direction reply ct mark & {back} == {back} accept")
    return Chain(f"tracked_{way}", lines)


def _shut_name(way: str, family: int) -> str:
    return f"{ {'out': 'answers_only', 'in': 'asks_only'}[way] }_{family}"


def _shut_sets(view: View, way: str) -> list[NftSet]:
    found = []
    for family in FAMILIES if view.vpc.ipv6_cidrs else (4,):
        elements = _shut(view, way, family)
        if elements:
            found.append(NftSet(_shut_name(way, family), f"ifname . ipv{family}_addr", elements, flags_of(elements)))
    return found


def _gates(way: str) -> str:
    return {"out": "egress_gates", "in": "ingress_gates"}[way]


def _verdicts(view: View, ports: list[Port], way: str) -> list[NftSet]:
    """What has no groups (NAT and transit gateway ENIs, load balancers made without, other gateways, peers) passes."""
    names = {groups: gate_name(groups, way) for groups in {port.groups for port in ports}}

    def verdict(port: Port) -> str:
        return f"jump {names[port.groups]}" if port.filtered else "accept"

    ungated = {port.device for port in view.ports if port.kind not in (HOST, ENDPOINT)} | set(view.gateways)
    ungated |= {crossing.device for crossing in view.crossings}
    devices = {f'"{device}" : accept' for device in ungated}
    devices |= {f'"{port.device}" : {verdict(port)}' for port in ports if port.device not in (PARK, SERVE)}
    found = [NftSet(_gates(way), "ifname : verdict", frozenset(devices))]
    shared = [port for port in ports if port.device in (PARK, SERVE)]
    for family in (FAMILIES if view.vpc.ipv6_cidrs else (4,)) if shared else ():
        elements = frozenset(f"{item} : {verdict(port)}" for port in shared for item in port.own(family))
        found.append(NftSet(f"{_gates(way)}_{family}", f"ipv{family}_addr : verdict", elements, flags_of(elements)))
    return found


def _shut(view: View, way: str, family: int) -> frozenset[str]:
    """ENIs of AWS's services from which no connection begins (``out``), or to which none does (``in``), as a set's elements."""
    ports = [port for port in view.ports if not (port.opens if way == "out" else port.accepts)]
    return frozenset(f'"{port.device}" . {item}' for port in ports for item in port.own(family))


def _gate(groups: tuple[str, ...], rules: Mapping[str, tuple[Rule, ...]], way: str, tracking: bool) -> Chain:
    """First what is not tracked: its packets come here one by one. All else marks the connection, and only its first packet comes here."""
    back = [item for group in groups for item in rules[group] if item.egress == (_OTHER[way] == "out")]
    lines = []
    for cidr, family in ANYWHERE.items():
        protocols = [protocol for protocol in TCP_UDP if any(_lets_all_back(item, cidr, protocol) for item in back)]
        if not protocols:
            continue
        known = f"{_DEVICES[way]} != @tracking" if tracking else ""
        match = rule(known, f"meta nfproto ipv{family} meta l4proto {one_of(protocols)}")
        lines += [f"{match} jump {_open_chain(group, way)}" for group in groups if any(_open(item, way) for item in rules[group])]
    lines.append(f"ct state new ct mark set ct mark | {_TRACKED[way]}")
    lines += [f"jump {identifier(group)}_{way}" for group in groups]
    return Chain(gate_name(groups, way), tuple(lines))


def _lets_all_back(item: Rule, cidr: str, protocol: str) -> bool:
    name = protocol_name(item.protocol)
    return item.cidr == cidr and (name == "-1" or (name == protocol and every_port(item.from_port, item.to_port)))


def _open(item: Rule, way: str) -> bool:
    """Whether a rule lets TCP or UDP through for everywhere."""
    return item.egress == (way == "out") and item.cidr in ANYWHERE and protocol_name(item.protocol) in ("-1", *TCP_UDP)


def _open_chain(group: str, way: str) -> str:
    return f"{identifier(group)}_{way}_open"


def _group(view: View, group: str, rules: tuple[Rule, ...], way: str, unbound: bool) -> list[Chain]:
    """The order of rules means nothing on AWS, so they are sorted: listing them otherwise changes nothing here."""
    chosen = [item for item in rules if item.egress == (way == "out")]
    lines = {line for item in chosen for line in _lines(view, item, way)}
    found = [Chain(f"{identifier(group)}_{way}", tuple(sorted(lines)))]
    if unbound:
        found.append(Chain(_open_chain(group, way), tuple(_everywhere([item for item in chosen if _open(item, way)]))))
    return found


def _everywhere(rules: list[Rule]) -> Iterator[str]:
    """Rules for everywhere, their ports taken together: unlike a group's chain, this one is for every packet and not only the first."""
    for cidr, family in ANYWHERE.items():
        ranges: dict[str, list[tuple[int, int]]] = {name: [] for name in TCP_UDP}
        for item in rules:
            name = protocol_name(item.protocol)
            for protocol in TCP_UDP if name == "-1" else (name,):
                if item.cidr == cidr:
                    ranges[protocol].append(port_range(item.protocol, item.from_port, item.to_port))
        for protocol, found in ranges.items():
            merged = merged_ranges(found)
            if merged:
                yield rule(f"meta nfproto ipv{family}", port_match(protocol, merged), "accept")


def _lines(view: View, item: Rule, way: str) -> list[str]:
    found = []
    for family, match in _peers(view, item, way):
        what = traffic(item.protocol, item.from_port, item.to_port, family)
        if what is not None:
            found.append(rule(match, what, "accept"))
    return found


def _peers(view: View, item: Rule, way: str) -> list[tuple[int, str]]:
    """By family, how the other end of a rule is matched."""
    side = _SIDES[way]
    if item.cidr:
        return [(family_of(item.cidr), address(side, item.cidr))]
    if item.prefix_list:
        listed = view.prefix_lists.get(item.prefix_list)
        family = 6 if listed is not None and listed.family == "IPv6" else 4
        return [(family, f"{header(side, family)} @{identifier(item.prefix_list)}_{family}")]
    families = FAMILIES if view.vpc.ipv6_cidrs else (4,)
    return [(family, f"{_DEVICES[way]} . {header(side, family)} @{_reference(item.source_group, way, family)}") for family in families]


def _reference(group: str, way: str, family: int) -> str:
    return f"{_PEERS[way]}_{identifier(group)}_{family}"


def _references(view: View, rules: Mapping[str, tuple[Rule, ...]], way: str) -> list[NftSet]:
    """For each group that rules of this direction refer to: devices and addresses of those that carry it."""
    wanted = {item.source_group for items in rules.values() for item in items if item.source_group and item.egress == (way == "out")}
    if not wanted:
        return []
    carriers: dict[str, set[tuple[str, str]]] = {group: set() for group in wanted}
    for port in view.ports:
        for group in wanted.intersection(port.groups):
            carriers[group].update((port.device, item) for family in FAMILIES for item in port.own(family))
    beyond = [(crossing.device, crossing.members) for crossing in view.crossings]
    if way == "in":
        beyond += list(view.transit.items())
    for device, members in beyond:
        for group in wanted.intersection(members):
            carriers[group].update((device, item) for item in members[group])
    found = []
    for group in sorted(wanted):
        for family in FAMILIES if view.vpc.ipv6_cidrs else (4,):
            elements = frozenset(f'"{device}" . {item}' for device, item in carriers[group] if family_of(item) == family)
            found.append(NftSet(_reference(group, way, family), f"ifname . ipv{family}_addr", elements, flags_of(elements)))
    return found


def _prefix_lists(view: View, rules: Mapping[str, tuple[Rule, ...]]) -> list[NftSet]:
    """A list whose entries were not read holds nothing: what it would let through is unknown, and unknown is not let through."""
    found = []
    for name in sorted({item.prefix_list for items in rules.values() for item in items if item.prefix_list}):
        listed = view.prefix_lists.get(name)
        family = 6 if listed is not None and listed.family == "IPv6" else 4
        entries = frozenset(collapsed((listed.entries or ()) if listed is not None else (), family))
        found.append(NftSet(f"{identifier(name)}_{family}", f"ipv{family}_addr", entries, ("interval",)))
    return found
