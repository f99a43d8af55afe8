# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``reach(network, source, destination, protocol, port) -> Verdict``: the question's path, the answer's path, and everything in the way."""

from __future__ import annotations

from dataclasses import dataclass

from .._model.network import Network
from ..errors import CloudnetError
from . import explain
from .acls import admits_nothing
from .endpoints import AmbiguousEnd, End, resolve
from .groups import ALL, NONE, SOME, Gate, Link, Peer, admits_nobody, gate, rule_text
from .index import Index
from .names import private_name
from .path import travel
from .pathless import disposition, ending, merged, no_common_family, noted, without_a_path
from .standing import objections, placed
from .traffic import Traffic, traffic
from .verdict import (
    BLOCKED,
    FORWARD,
    REACHABLE,
    RETURN,
    UNKNOWN,
    Blocker,
    Fix,
    Hop,
    Step,
    Trace,
    Unknown,
    Verdict,
    concluded,
)
from .walk import Walk


@dataclass(frozen=True)
class Journey:
    """Both directions without the two ends' own gates: what depends on where the ends are, not on their groups.

    ``link``: how the ends are joined; ``sent_to``: the address that the source sends to; ``seen_as``: the source's address on arrival.
    ``unknown_as``: the gateway whose public address that is, where it was not observed.
    """

    forward: Walk
    back: Walk | None
    link: Link
    sent_to: str
    seen_as: str
    unknown_as: str = ""


def reach(
    network: Network,
    source: str | End,
    destination: str | End,
    protocol: str | int = "tcp",
    port: object = None,
    *,
    family: int = 0,
) -> Verdict:
    """Whether traffic gets from ``source`` to ``destination``, and its answer back.

    Ends as in endpoints.py. ``protocol``: tcp, udp, icmp, -1 or a number; ``port``: as in traffic.traffic (None is all
    ports, for ICMP a ping).
    ``family``: 4 or 6; by default 4 where both ends have IPv4. A verdict is never a guess: what was not read makes it ``unknown``, and a
    question of which only a part passes is ``unknown`` too. Raises CloudnetError for an end that is not there or not a notation.
    """
    index = Index.of(network)
    here, there = _ends(index, source, destination)
    chosen = family or next((item for item in (4, 6) if item in here.families and item in there.families), 0)
    asked = traffic(protocol, port, family=chosen or 4)
    if family not in (0, 4, 6):
        raise CloudnetError(f"family {family} is neither 4 nor 6")
    if not chosen or chosen not in here.families or chosen not in there.families:
        return no_common_family(index, here, there, asked, family)
    try:
        return without_a_path(index, here, there, asked, chosen) or conclude(
            index, here, there, asked, chosen, journey(index, here, there, asked, chosen)
        )
    except ValueError as error:  # an address or block in the snapshot that is none
        raise CloudnetError(f"{here.text} to {there.text}: the network that was read is misshapen: {error}") from error


def _ends(index: Index, source: str | End, destination: str | End) -> tuple[End, End]:
    """Both, resolved with the help of each other."""
    there = destination if isinstance(destination, End) else None
    try:
        here = source if isinstance(source, End) else resolve(index, source, there)
    except AmbiguousEnd:
        if there is not None:
            raise
        there = resolve(index, str(destination))
        here = resolve(index, str(source), there)
    there = there or resolve(index, str(destination), here)
    return placed(index, here, there), placed(index, there, here)


def journey(index: Index, source: End, destination: End, asked: Traffic, family: int) -> Journey:
    """Both ways, by routes and ACLs."""
    src = source.address(family)
    sent_to = destination.public if destination.by_public and family == 4 else destination.address(family)
    if source.kind == "internet" and destination.public and family == 4:
        sent_to = destination.public
    forward = Walk(index, asked, source, destination, src, sent_to)
    travel(forward)
    _shut_out(forward, source, destination)
    answer = asked.reply()
    back = None
    if answer is not None:
        start = _answering(destination, forward, family)
        back = Walk(index, answer, destination, source, start, forward.src, RETURN, forward, unsure=forward.unsure)
        if destination.kind != "host" and forward.ended:
            back.hop(Step.END, "", "", "where the question ended is not known, nor then where the answer comes from")
        else:
            travel(back)
            _one_sided(forward, back)
    unknown_as = forward.unknown_src if forward.src == forward.public_src else ""
    return Journey(forward, back, forward.link, sent_to, forward.src, unknown_as)


def _shut_out(forward: Walk, source: End, destination: End) -> None:
    """Note an ACL before the destination that lets nothing in, also where the way to it could not be followed."""
    index = forward.index
    subnet = index.network.subnets.get(destination.subnet)
    if not forward.ended or destination.kind != "host" or subnet is None or source.vpc == destination.vpc:
        return
    acl = index.acl(subnet)
    if acl is not None and admits_nothing(acl, False, forward.asked):
        name, where = explain.name(acl), explain.name(subnet)
        block = f"{source.address(forward.family)}/{32 if forward.family == 4 else 128}"
        fix = explain.acl_entry(index.network, acl, False, forward.asked, block, None)
        why = f"the inbound entries of {name} let no {forward.asked} into {where}, wherever it comes from"
        forward.blockers.append(Blocker("SUBNET_ACL_RESTRICTION", FORWARD, acl.id, name, why, "", fix))


def _one_sided(forward: Walk, back: Walk) -> None:
    """Note an egress-only gateway that saw the question and does not see the answer: it may hold what follows for nothing of its own."""
    gate = forward.exit
    name = forward.index.network.egress_only_gateways.get(gate)
    if name is not None and not any(hop.component == gate for hop in back.hops) and not back.ended:
        why = f"the question went out by {gate}, and the answer comes back another way"
        back.doubt("ONE_SIDED", gate, explain.name(name), why, astray=False)


def _answering(destination: End, forward: Walk, family: int) -> str:
    return forward.dst if destination.kind != "host" else destination.address(family)


def conclude(index: Index, source: End, destination: End, asked: Traffic, family: int, way: Journey) -> Verdict:
    """The ends' own gates, and the verdict."""
    forward, back = way.forward, way.back
    start = _Gate(index, source, destination, asked, family, way, egress=True)
    finish = _Gate(index, source, destination, asked, family, way, egress=False)
    blockers = merged([*start.blockers, *forward.blockers, *finish.blockers, *(back.blockers if back else ())])
    unknowns = merged([*start.unknowns, *forward.unknowns, *finish.unknowns, *(back.unknowns if back else ())])
    hops = (ending(index, Step.SOURCE, source, family), *start.hops, *forward.hops, *finish.hops)
    arrived = () if forward.ended else (ending(index, Step.DESTINATION, destination, family, bool(forward.blockers)),)
    verdict = concluded(blockers, unknowns)
    dns, dns_why = private_name(index, source, destination)
    return Verdict(
        verdict,
        source.text,
        destination.text,
        str(asked),
        family,
        Trace(disposition(blockers, unknowns, FORWARD), (*hops, *arrived)),
        _back_trace(index, source, destination, family, back, blockers, unknowns) if back else None,
        blockers,
        unknowns,
        (min(forward.mtu, back.mtu) if back else forward.mtu) if verdict == REACHABLE else None,
        dns,
        dns_why,
    )


def value(index: Index, source: End, destination: End, asked: Traffic, family: int, way: Journey) -> str:
    """The verdict's word alone, without its hops: what a matrix needs, a hundred thousand times."""
    blockers = [*way.forward.blockers, *(way.back.blockers if way.back else ())]
    if any(not blocker.unsure for blocker in blockers):
        return concluded(tuple(blockers), ())
    unsure = bool(blockers or way.forward.unknowns or (way.back and way.back.unknowns))
    for egress in (True, False):
        end = source if egress else destination
        said = objections(index, end, egress, asked)
        if any(item.sure for item in said):
            return BLOCKED
        unsure = unsure or bool(said)
        if end.kind != "host":
            continue
        if end.groups is None:
            unsure = True
        elif end.groups:
            found = gate(index, end.groups, egress, asked, _peer(source, destination, way, egress))
            if found.verdict == NONE:
                if _sure(index, end, asked, way, egress):
                    return BLOCKED
                unsure = True
            unsure = unsure or found.verdict != ALL
    return UNKNOWN if unsure else REACHABLE


def _sure(index: Index, end: End, asked: Traffic, way: Journey, egress: bool) -> bool:
    """Whether groups that do not admit what arrives shut it out for certain: it does arrive, and as what is known; or nothing is let in."""
    if egress or not (way.forward.unsure or way.unknown_as):
        return True
    return admits_nobody(index, end.groups or (), egress, asked)


def _peer(source: End, destination: End, way: Journey, egress: bool) -> Peer:
    other = destination if egress else source
    return Peer(way.sent_to if egress else way.seen_as, other.groups, other.vpc, way.link)


def shut(index: Index, source: End, destination: End, asked: Traffic, way: Journey, *, egress: bool) -> bool:
    """Whether the groups of the source (``egress``), or of the destination, surely let nothing of it through."""
    end = source if egress else destination
    return bool(end.groups) and gate(index, end.groups or (), egress, asked, _peer(source, destination, way, egress)).verdict == NONE


class _Gate:
    """One end's own gate: its state, its groups."""

    def __init__(self, index: Index, source: End, destination: End, asked: Traffic, family: int, way: Journey, *, egress: bool) -> None:
        self.index, self.source, self.destination = index, source, destination
        self.asked, self.family, self.way, self.egress = asked, family, way, egress
        self.end = source if egress else destination
        self.hops: tuple[Hop, ...] = ()
        self.blockers: list[Blocker] = []
        self.unknowns: list[Unknown] = []
        self.name = explain.end_name(index, self.end)
        said = objections(index, self.end, egress, asked)
        for note in (noted(item, self.name) for item in said):
            if isinstance(note, Blocker):
                self.blockers.append(note)
            else:
                self.unknowns.append(note)
        # Groups that nobody told matter no more where the end itself refuses.
        if self.end.kind == "host" and not (self.end.groups is None and self.blockers):
            self._groups()

    @property
    def component(self) -> str:
        """The interface, or what stands for it."""
        return self.end.interface or self.end.instance or self.end.text

    def _groups(self) -> None:
        end, index = self.end, self.index
        step, side = (Step.EGRESS_RULE, "outbound") if self.egress else (Step.INGRESS_RULE, "inbound")
        if end.groups is None:
            self._no_groups()
            return
        if not end.groups:
            return
        peer = _peer(self.source, self.destination, self.way, self.egress)
        found = gate(index, end.groups, self.egress, self.asked, peer)
        told = ", ".join(explain.name(index.network.security_groups.get(group), group) for group in end.groups)
        rule = rule_text(found.rule) if found.rule else ""
        assumed = bool(self.way.forward.blockers) and not self.egress
        detail = {ALL: "admitted", SOME: "admitted in part", NONE: "not admitted"}.get(found.verdict, "not known")
        self.hops = (Hop(step, ",".join(end.groups), told, f"{detail} by {told}", rule, assumed),)
        if found.verdict == ALL:
            return
        toward = f"{self.asked} {'to' if self.egress else 'from'} {peer.address}"
        if found.verdict != NONE:
            code = "PARTIAL" if found.verdict == SOME else "GROUP_ASSOCIATION" if found.code == "GROUP_ASSOCIATION" else "NOT_OBSERVED"
            why = f"{told} for {toward}, {side}: {found.why}"
            self.unknowns.append(Unknown(code, FORWARD, self.component, self.name, why, found.missing))
            return
        sure = _sure(index, end, self.asked, self.way, self.egress)
        if not sure and self.way.unknown_as:
            why = f"{told} ({side}) for {self.asked} from the public address of {self.way.unknown_as}, which was not observed: {found.why}"
            self.unknowns.append(Unknown("NOT_OBSERVED", FORWARD, self.component, self.name, why))
            return
        why = f"{told} ({side}) for {toward}: {found.why}"
        near = rule_text(found.near) if found.near else ""
        self.blockers.append(Blocker(found.code, FORWARD, self.component, self.name, why, near, self._fix(found, peer), not sure))

    def _no_groups(self) -> None:
        vpc = self.index.network.vpcs.get(self.end.vpc)
        missing = self.index.missing("NetworkInterfaces", vpc)
        if self.end.interface or self.end.instance:
            code, why = "NOT_OBSERVED", f"the security groups of {self.name} were not told"
        elif missing:
            code, why = "NOT_OBSERVED", f"the interface of {self.end.text} was not observed"
        else:
            code, why = "NO_INTERFACE", f"no network interface has {self.end.address(self.family)}, so its security groups are not known"
        self.unknowns.append(Unknown(code, FORWARD, self.component, self.name, why, missing))

    def _fix(self, found: Gate, peer: Peer) -> Fix:
        network, source, destination = self.index.network, self.source, self.destination
        if found.code == "UNKNOWN_PEERED_SGS" and source.vpc != destination.vpc:
            peering = self.index.peering(source.vpc, destination.vpc)
            return explain.accept(network, peering) if peering else explain.peer(network, source.vpc, destination.vpc)
        link = self.way.link
        by_group = (link.references and (link.egress or not self.egress)) or link.code == "UNKNOWN_PEERED_SGS"
        changed = peer.address if not self.egress and peer.address != source.address(self.family) and source.kind == "host" else ""
        seen_as = f"{changed}/{32 if self.family == 4 else 128}" if changed else ""
        return explain.allow(self.index, source, destination, self.asked, self.family, self.egress, by_group, seen_as)


def _back_trace(
    index: Index,
    source: End,
    destination: End,
    family: int,
    back: Walk,
    blockers: tuple[Blocker, ...],
    unknowns: tuple[Unknown, ...],
) -> Trace:
    hops: list[Hop] = [ending(index, Step.SOURCE, destination, family)]
    if destination.kind == "host":
        component, name = destination.interface or destination.text, explain.end_name(index, destination)
        hops.append(Hop(Step.TRACKED, component, name, "security groups let answers through, both ends"))
    hops += back.hops
    if not back.ended:
        hops.append(ending(index, Step.DESTINATION, source, family, bool(back.blockers)))
    return Trace(disposition(blockers, unknowns, RETURN), tuple(hops))
