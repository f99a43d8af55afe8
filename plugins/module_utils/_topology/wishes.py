# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``allow`` and ``expect``: who may reach whom, and who shall."""

from __future__ import annotations

from .draft import REMOTE, Work
from .faults import Cursor, join
from .places import ALLOW, EXPECT, resolve
from .protocols import Traffic, traffic
from .types import Allow, Expect, Place


def allows(work: Work) -> tuple[Allow, ...]:
    """Every combination of source, target group and ports, each once. A pair of VPCs that no peering joins directly is a fault."""
    found: dict[tuple[Place, Place, Traffic], Allow] = {}
    for item in work.root["allow"].each():
        passing = traffic(item, work.faults)
        sources = [place for wish in item["from"].each() for place in resolve(work, wish, ALLOW)]
        targets = [place for wish in item["to"].each() for place in _groups(work, wish)]
        _need_peerings(work, item, sources, targets)
        for source in sources:
            if source.kind == "cidr" and ":" in source.name and any(one.protocol == "icmp" and one.from_port != -1 for one in passing):
                work.faults.add((*item.path, "icmp"), f"a type of ICMP means nothing to {source.name}, which is IPv6: use protocol: icmpv6")
        for place, source in ((wished, narrow) for wished in sources for narrow in _narrow(work, wished)):
            for target in (target for target in targets if _carried(work, item, place, target)):
                for one in (_for(passed, source) for passed in passing):
                    key = (source, target, one)
                    found.setdefault(key, Allow(source, target, one.protocol, one.from_port, one.to_port, _shown(item)))
    return tuple(found.values())


def _carried(work: Work, item: Cursor, place: Place, target: Place) -> bool:
    """Whether the peering that joins them routes to the address of an instance; if not, a warning, for no rule would help."""
    pair = work.pair(place.vpc, target.vpc)
    address = work.drafts[place.vpc].instances[place.name].private_ip if place.kind == "instance" and place.vpc in work.drafts else ""
    if pair is None or not address or pair.parts(place.vpc, f"{address}/32"):
        return True
    work.faults.warn(item.path, f"{target.vpc} gets no route to {address} of {place} ({pair.path}.cidrs leaves it out), so no rule is made")
    return False


def _shown(item: Cursor) -> str:
    return f"{item.path[0]}[{item.path[1]}]"


def _groups(work: Work, wish: Cursor) -> list[Place]:
    """The groups that a ``to`` means; only a group can be opened."""
    found: list[Place] = []
    for place in resolve(work, wish, ALLOW, prefer="group"):
        draft = work.drafts.get(place.vpc)
        if place.kind == "group":
            found.append(place)
        elif place.kind == "instance" and draft is not None:
            groups = draft.instances[place.name].security_groups
            if not groups and not draft.cursor["instances"][place.name]["security_groups"].damaged():
                work.faults.add(wish.path, f"{place} has no security_groups to open: give it one")
            found.extend(draft.place("group", group) for group in groups)
        elif place.kind == "subnet" and draft is not None:
            using = {group for instance in draft.instances.values() if instance.subnet == place.name for group in instance.security_groups}
            choice = sorted(using) or list(draft.groups)
            hint = (
                f": name {join((f'{draft.name}.{group}' for group in choice[:5]), 'or')}"
                if choice
                else f": declare one under vpcs.{draft.name}.security_groups"
            )
            work.faults.add(wish.path, f"{place} is a subnet, and what lets traffic in is a security group{hint}")
            break
        elif place.kind == "vpc" and draft is not None:
            choice = [f"{draft.name}.{group}" for group in list(draft.groups)[:5]]
            hint = f": name {join(choice, 'or')}" if choice else f": declare one under vpcs.{draft.name}.security_groups"
            work.faults.add(wish.path, f"{place} is a whole VPC, and what lets traffic in is a security group{hint}")
        else:
            work.faults.add(wish.path, f"{wish.value} has no security group of ours: `to` names one, such as VPC.GROUP")
    return found


def _need_peerings(work: Work, item: Cursor, sources: list[Place], targets: list[Place]) -> None:
    pairs = {
        (source.vpc, target.vpc): None for source in sources for target in targets if source.vpc and target.vpc and source.vpc != target.vpc
    }
    for left, right in pairs:
        if not work.peered(left, right):
            work.faults.add(item.path, _missing(work, left, right))
        elif work.drafts[left].kind == work.drafts[right].kind == REMOTE:
            work.faults.add(item.path, f"{left} and {right} are both remote: nothing here is ours to set")


def _missing(work: Work, left: str, right: str) -> str:
    """The peering that is missing; where a third VPC is joined to both, that this does not help."""
    middle = [name for name in work.drafts if name not in (left, right) and work.peered(name, left) and work.peered(name, right)]
    why = f"; both are joined to {join(middle)}, but peering is not transitive" if middle else ""
    return f"no peering joins {left} and {right}{why}: add {{between: [{left}, {right}]}} to peerings"


def _narrow(work: Work, place: Place) -> list[Place]:
    """An instance as a source is its address, where that is declared, else its groups, else its subnet: a rule cannot name an instance."""
    if place.kind != "instance":
        return [place]
    draft = work.drafts[place.vpc]
    instance = draft.instances[place.name]
    if instance.private_ip:
        return [Place("cidr", name=f"{instance.private_ip}/32")]
    if instance.security_groups:
        return [draft.place("group", group) for group in instance.security_groups]
    return [draft.place("subnet", instance.subnet)] if instance.subnet else []


def _for(passing: Traffic, source: Place) -> Traffic:
    """ICMP is another protocol in IPv6. Of a source with both families the planner makes both rules: it knows an adopted VPC's blocks."""
    six = passing == Traffic("icmp", -1, -1) and source.kind == "cidr" and ":" in source.name
    return Traffic("icmpv6", -1, -1) if six else passing


def expects(work: Work) -> tuple[Expect, ...]:
    """One question for each combination of ends and ports. What is expected to be reachable needs a peering."""
    found: dict[tuple[Place, Place, Traffic], Expect] = {}
    for item in work.root["expect"].each():
        passing = [one for one in traffic(item, work.faults) if _one_port(work, item, one)]
        reachable = item.flag("reachable") is not False
        sources = [place for wish in item["from"].each() for place in resolve(work, wish, EXPECT)]
        targets = [place for wish in item["to"].each() for place in resolve(work, wish, EXPECT)]
        for key, places in (("from", sources), ("to", targets)):
            for place in places:
                if place.kind in ("vpc", "prefix_list"):
                    work.faults.add((*item.path, key), f"{place} is many places at once: name an instance, a subnet or a block")
        if reachable and not item["reachable"].broken:
            _need_peerings(work, item, sources, targets)
        for source in sources:
            for target in targets:
                for one in passing:
                    known = found.setdefault(
                        (source, target, one), Expect(source, target, one.protocol, _port(one), reachable, _shown(item))
                    )
                    if known.reachable is not reachable:
                        work.faults.add(
                            item.path,
                            f"{source} to {target} is expected to be {'un' if reachable else ''}reachable by {known.path}: keep "
                            "one of them",
                        )
    return tuple(found.values())


def _port(passing: Traffic) -> int | None:
    return None if passing.protocol in ("icmp", "icmpv6") else passing.from_port


def _one_port(work: Work, item: Cursor, passing: Traffic) -> bool:
    if passing.protocol in ("tcp", "udp") and (passing.from_port is None or passing.from_port != passing.to_port):
        key = passing.protocol if passing.protocol in item else "protocol"
        work.faults.add((*item.path, key), "a question is about one port: name it, or list several")
        return False
    return True
