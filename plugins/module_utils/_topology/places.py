# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a name in ``allow``, ``expect`` or a raw rule stands for.

``vpc.name`` is a group, else a subnet, in ``allow`` and in rules; an instance, else a subnet, in ``expect``. A prefix (``group:``,
``subnet:``, ``instance:``, ``vpc:``, ``prefix_list:``) says which; a name that could be both is a fault. A bare name is a VPC or a prefix
list; the rest are CIDR blocks, addresses and ``internet``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .blocks import address, parse
from .draft import ADOPTED, GROUP_ID, OWNED_GROUP, Draft, Work
from .faults import Cursor, either, join, nearest
from .types import Place

_PREFIXES = {"group": "group", "subnet": "subnet", "instance": "instance", "vpc": "vpc", "prefix_list": "prefix_list"}
_PREFIX_LIST_ID = re.compile(r"pl-([0-9a-f]{8}|[0-9a-f]{17})\Z")
_SECTIONS = {"group": "security_groups", "subnet": "subnets", "instance": "instances"}
ALLOW = ("group", "subnet")
EXPECT = ("instance", "subnet")


def resolve(work: Work, item: Cursor, kinds: tuple[str, ...], *, prefer: str = "") -> list[Place]:
    """The places that a text stands for, several for a subnet in several zones; none, with a fault told, when there is no such place.

    ``prefer``: the kind that wins where a name could be several, because no other would do there.
    """
    text = item.value
    if not isinstance(text, str):
        return []
    prefix, colon, rest = text.partition(":")
    forced = _PREFIXES.get(prefix, "") if colon else ""
    name = rest.strip() if forced else text
    if not forced:
        if owned := OWNED_GROUP.match(text):
            work.faults.add(item.path, f"{text} needs its VPC too: VPC.{owned[2]}")
            return []
        if "/" in text:
            block = parse(text)
            if isinstance(block, str):
                work.faults.add(item.path, block)
                return []
            return [Place("cidr", name=str(block))]
        single = address(text)
        if single is not None:
            return [Place("cidr", name=f"{single}/{single.max_prefixlen}")]
        if text == "internet":
            return [Place("internet")]
        if "." not in text:
            return _bare(work, item, text)
    if forced in ("vpc", "prefix_list"):
        return _bare(work, item, name, forced)
    vpc, dot, member = name.partition(".")
    if not dot:
        work.faults.add(item.path, f"'{text}' needs the VPC too: {forced}:VPC.{name}")
        return []
    draft = work.find_vpc(vpc, item.path)
    return _member(work, item, draft, member, (forced,) if forced else kinds, prefer) if draft is not None else []


def _bare(work: Work, item: Cursor, name: str, forced: str = "") -> list[Place]:
    lists = work.root["prefix_lists"]
    if _PREFIX_LIST_ID.match(name) and forced != "vpc":
        return [Place("prefix_list", name=name)]
    if GROUP_ID.match(name):
        work.faults.add(item.path, f"{name} needs its VPC too: VPC.{name}")
        return []
    is_vpc = forced != "prefix_list" and work.vpc_known(name)
    is_list = forced != "vpc" and name in lists
    if is_vpc and is_list:
        work.faults.add(item.path, f"'{name}' is a VPC and a prefix list: write vpc:{name} or prefix_list:{name}")
    elif is_vpc:
        return [Place("vpc", name, shared=name in lists or name == "internet")] if name in work.drafts else []
    elif is_list:
        return [Place("prefix_list", name=name, shared=work.vpc_known(name) or name == "internet")]
    elif not lists.broken:
        what = {"vpc": "no VPC is", "prefix_list": "no prefix list is"}.get(forced, "no VPC and no prefix list is")
        known = [*([] if forced == "prefix_list" else work.root["vpcs"].names()), *([] if forced == "vpc" else lists.names())]
        work.faults.add(item.path, f"{what} called '{name}'{_owner(work, name) or either(name, known, 'there are')}")
    return []


def _owner(work: Work, name: str) -> str:
    """For a group or subnet that lacks its VPC."""
    owners = [draft.name for draft in work.drafts.values() if name in draft.groups or draft.members(name) or name in draft.instances]
    return f"; did you mean {join((f'{owner}.{name}' for owner in owners[:4]), 'or')}?" if owners else ""


def _has(draft: Draft, kind: str, name: str) -> bool:
    if kind == "group":
        # An id needs no declaration where groups are found, not made.
        return name in draft.groups or (draft.kind != "ours" and bool(GROUP_ID.match(name)))
    return bool(draft.members(name)) if kind == "subnet" else name in draft.instances


def _member(work: Work, item: Cursor, draft: Draft, name: str, kinds: tuple[str, ...], prefer: str) -> list[Place]:
    found = [kind for kind in kinds if _has(draft, kind, name)]
    found = [prefer] if prefer in found else found
    full = f"{draft.name}.{name}"
    if len(found) > 1:
        forms = join((f"{kind}:{full}" for kind in found), "or")
        work.faults.add(item.path, f"{full} is both {join(_a(kind) for kind in found)}: write {forms}")
        return []
    if found:
        if found[0] == "subnet":
            return [draft.place("subnet", member) for member in draft.members(name)]
        if found[0] == "group":
            draft.find_group(name, item.path, work.faults)
        return [draft.place(found[0], name)]
    if any(draft.knows(_SECTIONS[kind], name) for kind in kinds):
        return []
    other = next((kind for kind in _SECTIONS if kind not in kinds and _has(draft, kind, name)), "")
    what = f"{full} is neither {_a(kinds[0])} nor {_a(kinds[1])}" if len(kinds) > 1 else f"{full} is not {_a(kinds[0])}"
    if other:
        work.faults.add(item.path, f"{what}, but {_a(other)}: write {other}:{full}")
        return []
    names = {"group": list(draft.groups), "subnet": draft.subnet_names(), "instance": list(draft.instances)}
    known = list(dict.fromkeys(known for kind in kinds for known in names[kind]))
    hint = nearest(name, known).replace("'", f"'{draft.name}.", 1) or either(name, known, f"vpcs.{draft.name} has")
    more = (
        " (an adopted VPC's groups are declared too: by their name or id, under security_groups)"
        if draft.kind == ADOPTED and "group" in kinds
        else ""
    )
    work.faults.add(item.path, f"{what}{hint}{more}")
    return []


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


@dataclass(frozen=True)
class Target:
    """The peer of a raw rule: blocks, or a prefix list, or a group, with its owner where one is written."""

    cidrs: tuple[str, ...] = ()
    prefix_list: str = ""
    group: str = ""
    owner: str = ""


def target(work: Work, draft: Draft, item: Cursor) -> list[Target]:
    """What a raw rule of one VPC means by a peer."""
    text, faults = item.value, work.faults
    if not isinstance(text, str):
        return []
    if GROUP_ID.match(text):
        return [Target(group=text)]
    if owned := OWNED_GROUP.match(text):
        return [Target(group=owned[2], owner=owned[1])]
    if text in draft.groups:
        if text in work.root["prefix_lists"] or text in work.drafts:
            faults.add(
                item.path,
                f"'{text}' is a group of this VPC and also {'a VPC' if text in work.drafts else 'a prefix list'}: write "
                f"group:{draft.name}.{text}, vpc:… or prefix_list:…",
            )
        return [Target(group=text)]
    if "." not in text and "/" not in text and ":" not in text and draft.knows("security_groups", text):
        return []
    known = [*draft.groups, *work.root["prefix_lists"].names(), *work.root["vpcs"].names()]
    if re.match(r"[A-Za-z][A-Za-z0-9_-]*\Z", text) and text != "internet" and text not in known and not _PREFIX_LIST_ID.match(text):
        faults.add(item.path, f"'{text}' is no group of vpcs.{draft.name}, no prefix list and no VPC{either(text, known, 'there are')}")
        return []
    return [found for place in resolve(work, item, ALLOW) for found in _peer(work, draft, item, place)]


def _peer(work: Work, draft: Draft, item: Cursor, place: Place) -> list[Target]:
    faults = work.faults
    if place.kind == "internet":
        return [Target(cidrs=("0.0.0.0/0", "::/0"))]
    if place.kind == "cidr":
        return [Target(cidrs=(place.name,))]
    if place.kind == "prefix_list":
        return [Target(prefix_list=place.name)]
    other = work.drafts[place.vpc]
    if other is not draft and not work.peered(draft.name, other.name):
        faults.add(item.path, f"no peering joins {draft.name} and {other.name}: add {{between: [{draft.name}, {other.name}]}} to peerings")
        return []
    if place.kind == "group":
        if other is draft:
            return [Target(group=place.name)]
        if other.region != draft.region:
            # https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-security-groups.html
            faults.add(
                item.path,
                f"{place} is in {other.region} and vpcs.{draft.name} in {draft.region}: a rule cannot name a group of another "
                "Region; name a subnet, the VPC or CIDR blocks, or use `allow`, which does",
            )
            return []
        return [Target(group=f"{place.vpc}.{place.name}")]
    if place.kind == "subnet":
        spec = other.subnets[place.name]
        return _routed(work, draft, item, place, [spec.cidr, *([spec.ipv6] if "/" in spec.ipv6 else [])])
    if place.kind == "instance":
        ip = other.instances[place.name].private_ip
        if not ip:
            faults.add(item.path, f"{place} has no private_ip to write a rule for: name its group, or give it one")
        return _routed(work, draft, item, place, [f"{ip}/32"]) if ip else []
    blocks = [str(block) for _other, block in other.blocks]
    if not blocks and not other.unsure:
        faults.add(item.path, f"the CIDR blocks of vpcs.{other.name} are not declared: give them there (`cidr`), or here")
    return _routed(work, draft, item, place, blocks) if blocks else []


def _routed(work: Work, draft: Draft, item: Cursor, place: Place, blocks: list[str]) -> list[Target]:
    """A peer's blocks as far as the peering, if it is in another VPC, routes to them; a warning where it does to none."""
    pair = work.pair(draft.name, place.vpc)
    if pair is not None and place.kind == "vpc":
        blocks = pair.routed(place.vpc, blocks)
    elif pair is not None:
        blocks = [part for block in blocks for part in pair.parts(place.vpc, block)]
    if not blocks:
        work.faults.warn(
            item.path, f"{draft.name} gets no route to {place} ({pair.path if pair else ''}.cidrs leaves it out), so no rule is made"
        )
    return [Target(cidrs=tuple(blocks))] if blocks else []
