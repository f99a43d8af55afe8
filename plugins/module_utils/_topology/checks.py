# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the whole shows: overlap between peered VPCs, two routes of one table for one destination, tags, prefix lists."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .._model import grammar
from .blocks import overlaps, parse
from .draft import REMOTE, Draft, Work
from .faults import Cursor, Key, show
from .types import PeeringSpec

#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions; two are ours and one is Name
_MAX_TAGS = 50
_OUR_TAGS = 3
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*\Z")
_RESERVED = ("aws:", "cloudnet:")


def check(work: Work) -> None:
    """Tells every fault that needs more than one part of the document."""
    for pair in work.pairs:
        _overlap(work, pair)
    _routes(work)
    _tags(work)


def _overlap(work: Work, pair: PeeringSpec) -> None:
    """Any overlap, of secondary and of IPv6 blocks too, makes the request fail.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations
    """
    left, right = work.drafts[pair.requester], work.drafts[pair.accepter]
    why = pair.path.partition(".")[0]
    for place, block, other, against in overlaps(left.blocks, right.blocks):
        shown = show(other) + ("" if block == against else f" ({against})")
        work.faults.add(place, f"{block} overlaps {shown} ({why} joins them)")


def destinations(draft: Draft, pair: PeeringSpec) -> list[str]:
    """The declared blocks of one side that the other side's tables get routes to."""
    return pair.routed(draft.name, (str(block) for _other, block in draft.blocks))


def _routes(work: Work) -> None:
    """A table takes one route to a destination: neither two peers nor a declared route and a peer can share one."""
    taken: dict[tuple[str, str, str], tuple[str, str]] = {}
    for draft in work.drafts.values():
        for table, routes in draft.routes.items():
            for route in routes.values():
                taken[draft.name, table, route.to] = (route.path, "")
    for pair in work.pairs:
        if _root_item(work, pair)["cidrs"].damaged():
            continue
        for name, other in ((pair.requester, pair.accepter), (pair.accepter, pair.requester)):
            for table in pair.tables.get(name, ()):
                for block in destinations(work.drafts[other], pair):
                    path, peer = taken.setdefault((name, table, block), (pair.path, other))
                    if peer == other and path == pair.path:
                        continue
                    place = _parts(pair.path)
                    if peer:
                        work.faults.add(
                            place,
                            f"table '{table}' of {name} would need two routes to {block}, to {peer} ({path}) and to {other}: "
                            "narrow one with `cidrs`, or use other tables (`routes`)",
                        )
                    else:
                        work.faults.add(
                            place,
                            f"table '{table}' of {name} has a route to {block} already ({path}), which {other} needs: take it out, "
                            "or use another table (`routes`)",
                        )


def _root_item(work: Work, pair: PeeringSpec) -> Cursor:
    index = _parts(pair.path)[1]
    return next(item for item in work.root["peerings"].each() if item.path[1] == index)


def _parts(shown: str) -> Key:
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in re.findall(r"\[[0-9]+\]|[^.\[\]]+", shown))


def _tags(work: Work) -> None:
    common = work.root["tags"]
    _tag_texts(work, common)
    for draft in work.drafts.values():
        own = draft.cursor["tags"]
        if draft.kind != REMOTE:
            _tag_texts(work, own)
            _tag_count(work, own, common)
    for item in work.root["peerings"].each():
        _tag_texts(work, item["tags"])
        _tag_count(work, item["tags"], common)
    if not work.drafts:
        _tag_count(work, common, common)


def _tag_count(work: Work, own: Cursor, common: Cursor) -> None:
    count = len({*common.names(), *own.names()} - {"Name"}) + _OUR_TAGS
    if count > _MAX_TAGS:
        where = own if own.names() else common
        work.faults.add(where.path, f"makes {count} tags together with the {_OUR_TAGS} that we set: AWS takes {_MAX_TAGS} on a resource")


def _tag_texts(work: Work, tags: Cursor) -> None:
    for key, item in tags.items():
        prefix = next((prefix for prefix in _RESERVED if key.casefold().startswith(prefix)), "")
        if prefix:
            owner = "AWS's own" if prefix == "aws:" else "ours"
            work.faults.add(item.path, f"tags beginning with {prefix} are {owner}: choose another key")
        elif not all(_TAG_TEXT.match(text) and grammar.is_line(text) for text in (key, str(item.value))):
            work.faults.add(item.path, "holds a character that AWS does not take in a tag: letters, digits, spaces and _.:/=+-@ are")


def prefix_lists(work: Work) -> Mapping[str, tuple[str, ...]]:
    """The customer-managed prefix lists: blocks of one family, each once. https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html"""
    for name, section in work.root["prefix_lists"].items():
        if name.startswith("com") or name == "internet":
            work.faults.add(section.path, f"'{name}' is not free: names beginning with com are AWS's, and internet is a word of ours")
        blocks: dict[str, Key] = {}
        versions = set()
        for item in section.each():
            block = parse(item.value)
            if isinstance(block, str):
                work.faults.add(item.path, block)
                continue
            versions.add(block.version)
            if str(block) in blocks:
                work.faults.add(item.path, f"{block} is there twice ({show(blocks[str(block)])})")
            blocks[str(block)] = item.path
        if len(versions) > 1:
            work.faults.add(section.path, "mixes IPv4 and IPv6: a prefix list holds one family, so make two")
        work.prefix_lists[name] = tuple(blocks)
    return work.prefix_lists
