# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VPCs, their blocks and their subnets: whose each VPC is, where it lies, and one subnet for each zone."""

from __future__ import annotations

from ipaddress import IPv6Network

from ..errors import Code
from .blocks import Block, clashes, inside, parse, secondary_fault, vpc_fault, vpc_fault6
from .draft import ADOPTED, OURS, REMOTE, Draft, Work
from .faults import Cursor, Key, either, join, show
from .types import RemoteSpec, SubnetSpec

#: What can be said about a VPC of another owner: its names serve `allow`, `expect` and the hand-off document.
_REMOTE_KEYS = ("remote", "subnets", "security_groups")
_AMAZON_PREFIX = 56  # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html#vpc-sizing-ipv6


def start(work: Work, region: str) -> None:
    """Fills ``work.drafts`` with every VPC: kind, account, Region, blocks. ``region``: the playbook's, for where the document says none."""
    default = work.root.text("region", region)
    homeless = []
    for name, cursor in work.root["vpcs"].items():
        draft = Draft(name, cursor, OURS)
        work.drafts[name] = draft
        _kind(work, draft)
        draft.region = cursor.text("region") or cursor["remote"].text("region") or default
        if not draft.region and not cursor["region"].broken and not cursor["remote"].damaged() and not work.root["region"].broken:
            homeless.append(name)
        _account(work, draft)
        _blocks(work, draft)
        draft.dns = cursor.flag("dns")
        if draft.kind == REMOTE and not cursor["remote"].broken:
            told = cursor["remote"]
            draft.remote = RemoteSpec(
                told.text("owner"), told.text("id"), tuple(str(block) for _other, block in draft.blocks), draft.region
            )
    if homeless:
        names = join(f"vpcs.{name}" for name in homeless)
        message = f"no Region is known for {names}: set `region` here at the top, in the VPC, or for the playbook"
        work.faults.add(("region",), message, Code.NO_REGION)
    _twins(work)


def _kind(work: Work, draft: Draft) -> None:
    cursor, faults = draft.cursor, work.faults
    said = [key for key in ("id", "lookup", "remote") if key in cursor]
    if len(said) > 1:
        faults.add(draft.path, f"{join(said)} say different things of one VPC: keep one of them")
    if "remote" in cursor:
        draft.kind = REMOTE
        for key in cursor.names():
            if key not in (*_REMOTE_KEYS, "id", "lookup"):
                place = f"it stands as vpcs.{draft.name}.remote.{key}" if key in ("cidr", "region") else "leave it to its owner"
                faults.add((*draft.path, key), f"vpcs.{draft.name} is remote, another owner's: {place}")
    elif said:
        draft.kind = ADOPTED
        if "tags" in cursor:
            faults.add((*draft.path, "tags"), "an adopted VPC keeps its own tags: leave them out")
    elif "cidr" not in cursor:
        faults.add(
            draft.path,
            "has no `cidr`: a VPC of ours needs one; one that exists is adopted by `id` or `lookup`, another owner's is `remote`",
        )
        draft.unsure = True


def _account(work: Work, draft: Draft) -> None:
    key = ("vpcs", draft.name, "account") if "account" in draft.cursor else ("account",)
    draft.account = draft.cursor.text("account", "" if draft.kind == REMOTE else work.root.text("account"))
    accounts = work.root["accounts"]
    if draft.kind != REMOTE and draft.account and not accounts.broken and draft.account not in accounts:
        work.faults.add(key, f"no account is called '{draft.account}'{either(draft.account, accounts.names(), 'accounts has')}")


def _blocks(work: Work, draft: Draft) -> None:
    section = draft.cursor["remote"]["cidr"] if draft.kind == REMOTE else draft.cursor["cidr"]
    draft.unsure |= section.damaged() or draft.cursor["ipv6"].broken or draft.cursor["remote"].broken
    for item in section.each():
        block = _block(work, draft, item)
        if block is None:
            continue
        wrong = vpc_fault(block) if block.version == 4 else (vpc_fault6(block) if draft.kind == REMOTE else "")
        others = draft.ipv4_blocks
        if not wrong and others and block.version == 4 and draft.kind == OURS and not any(block.overlaps(other) for other in others):
            wrong = secondary_fault(others[0], others[1:], block)
        if wrong:
            work.faults.add(item.path, wrong)
            draft.unsure = True
            continue
        draft.blocks.append((item.path, block))
    ipv6 = draft.cursor["ipv6"]
    if ipv6.value is True:
        draft.ipv6 = "amazon"
    elif isinstance(ipv6.value, str):
        found = _block(work, draft, ipv6)
        wrong = vpc_fault6(found) if found is not None else ""
        if wrong:
            work.faults.add(ipv6.path, wrong)
        elif found is not None:
            draft.ipv6, draft.ipv6_block = str(found), found
            draft.blocks.append((ipv6.path, found))
        draft.unsure |= not draft.ipv6
    for later, block, earlier, against in clashes(draft.blocks):
        work.faults.add(later, f"{block} overlaps {show(earlier)} ({against})")


def _block(work: Work, draft: Draft, item: Cursor) -> Block | None:
    found = parse(item.value)
    if isinstance(found, str):
        work.faults.add(item.path, found)
        draft.unsure = True
        return None
    return found


def _twins(work: Work) -> None:
    seen: dict[str, str] = {}
    for name, draft in work.drafts.items():
        ident = draft.remote.id if draft.remote else draft.cursor.text("id")
        if ident and ident in seen:
            work.faults.add(
                (*draft.path, *(("remote",) if draft.remote else ()), "id"), f"{ident} is vpcs.{seen[ident]} already: declare a VPC once"
            )
        elif ident:
            seen[ident] = name


def subnets(work: Work, draft: Draft) -> None:
    """Fills the draft's subnets: one for each zone, inside the VPC, apart from one another."""
    wanted: list[tuple[str, Cursor]] = []
    for name, cursor in draft.cursor["subnets"].items():
        if draft.kind == REMOTE:
            for key in cursor.names():
                if key != "cidr":
                    work.faults.add(
                        (*cursor.path, key), f"vpcs.{draft.name} is remote, another owner's: of its subnets only `cidr` can be told"
                    )
        wanted.extend(_zones(work, draft, name, cursor))
    taken = _numbers_taken([item for _other, item in wanted])
    for name, item in wanted:
        spec = draft.subnets[name]
        draft.subnets[name] = SubnetSpec(**{**vars(spec), "ipv6": _ipv6(work, draft, item, taken)})
    for place, block, other, against in clashes([(draft.subnet_places[name], block) for name, block in draft.subnet_blocks.items()]):
        work.faults.add(place, f"{block} overlaps {show(other)} ({against})")
    sixes = [(name, found) for name, spec in draft.subnets.items() if "/" in spec.ipv6 and not isinstance(found := parse(spec.ipv6), str)]
    sixes += [(name, IPv6Network((int(spec.ipv6[5:]) << 64, 64))) for name, spec in draft.subnets.items() if spec.ipv6.startswith("auto:")]
    for later, block, earlier, _other in clashes(sixes):
        shown = f"number {draft.subnets[later].ipv6[5:]}" if draft.subnets[later].ipv6.startswith("auto:") else str(block)
        work.faults.add(dict(wanted)[later].path, f"{shown} overlaps the IPv6 block of subnet '{earlier}'")


def _zones(work: Work, draft: Draft, name: str, cursor: Cursor) -> list[tuple[str, Cursor]]:
    """Adds the subnet, or one for each zone; returns each one's name and its IPv6 wish."""
    zones, cidrs, faults = cursor["az"], cursor["cidr"], work.faults
    path = show(cursor.path)
    for zone in zones.each():
        if len(zone.value) > 1 and draft.region and not zone.value.startswith(draft.region):
            faults.add(zone.path, f"{zone.value} is not a zone of {draft.region}, where vpcs.{draft.name} is")
    if zones.broken:
        return []
    if not isinstance(zones.value, list):
        if isinstance(cidrs.value, list):
            faults.add(cidrs.path, "a list of CIDR blocks needs a list of zones: az: [a, b]")
            return []
        if isinstance(cursor["ipv6"].value, list):
            faults.add(cursor["ipv6"].path, "a list of IPv6 wishes needs a list of zones: az: [a, b]")
            return []
        block = _subnet_block(work, draft, cidrs)
        if block is not None:
            _add(
                draft,
                SubnetSpec(name, str(block), zone=cursor.text("az"), public=cursor.flag("public") is True, path=path),
                block,
                cidrs.path,
            )
        return [(name, cursor["ipv6"])] if block is not None else []
    count = len(zones.value)
    listed = cidrs.value if isinstance(cidrs.value, list) else [cidrs.value]
    if len(listed) != count:
        faults.add(
            cidrs.path, f"{count} zones need {count} CIDR blocks, one each; there {'is 1' if len(listed) == 1 else f'are {len(listed)}'}"
        )
        return []
    sixes = cursor["ipv6"]
    if isinstance(sixes.value, list) and len(sixes.value) != count:
        faults.add(
            sixes.path,
            f"{count} zones need {count} IPv6 wishes, or a single one; there "
            f"{'is 1' if len(sixes.value) == 1 else f'are {len(sixes.value)}'}",
        )
        sixes = Cursor(None, sixes.path)
    found = []
    members = []
    for index, item in enumerate(Cursor(listed, cidrs.path).each()):
        zone_name = zones.value[index]
        if not isinstance(zone_name, str):
            continue
        member = f"{name}_{zone_name[len(draft.region) :].lstrip('-') if len(zone_name) > 1 else zone_name}".replace("-", "_")
        block = _subnet_block(work, draft, item)
        if member in draft.subnets or member in draft.cursor["subnets"]:
            faults.add(cursor.path, f"makes a subnet '{member}' for its zone, and that name is taken: rename one of them")
        elif block is not None:
            members.append(member)
            _add(draft, SubnetSpec(member, str(block), zone=zone_name, public=cursor.flag("public") is True, path=path), block, item.path)
            found.append((member, _nth(sixes, index)))
    draft.families[name] = tuple(members)
    return found


def _nth(wish: Cursor, index: int) -> Cursor:
    if isinstance(wish.value, list):
        return Cursor(wish.value[index], (*wish.path, index))
    if isinstance(wish.value, int) and not isinstance(wish.value, bool):
        return Cursor(wish.value + index, wish.path)
    return wish


def _add(draft: Draft, spec: SubnetSpec, block: Block, place: Key) -> None:
    draft.subnets[spec.name] = spec
    draft.subnet_places[spec.name] = place
    draft.subnet_blocks[spec.name] = block


def _subnet_block(work: Work, draft: Draft, item: Cursor) -> Block | None:
    if not isinstance(item.value, str):
        return None
    block = parse(item.value)
    if isinstance(block, str):
        work.faults.add(item.path, block)
        return None
    if not 16 <= block.prefixlen <= 28:
        # https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
        work.faults.add(item.path, f"{block} is a /{block.prefixlen}: AWS takes subnets from /16 to /28")
    elif draft.ipv4_blocks and not draft.unsure and not inside(block, draft.ipv4_blocks):
        work.faults.add(
            item.path, f"{block} is outside vpcs.{draft.name}.cidr ({join((str(other) for other in draft.ipv4_blocks), 'and')})"
        )
    else:
        return block
    return None


def _numbers_taken(wishes: list[Cursor]) -> set[int]:
    return {wish.value for wish in wishes if isinstance(wish.value, int) and not isinstance(wish.value, bool)}


def _ipv6(work: Work, draft: Draft, wish: Cursor, taken: set[int]) -> str:
    """The subnet's IPv6 block, or ``auto:N``. ``true`` takes the lowest number that nobody has."""
    value = wish.value
    if value is None or value is False or wish.broken:
        return ""
    if not draft.ipv6:
        if not draft.unsure:
            work.faults.add(wish.path, f"vpcs.{draft.name} has no IPv6 block: set its `ipv6`, true for one from Amazon")
        return ""
    if isinstance(value, str):
        return _ipv6_block(work, draft, wish)
    count = 1 << (64 - (draft.ipv6_block.prefixlen if draft.ipv6_block else _AMAZON_PREFIX))
    number = next(index for index in range(len(taken) + 1) if index not in taken) if value is True else int(value)
    taken.add(number)
    if number >= count:
        work.faults.add(wish.path, f"{number} is beyond the block, which holds the /64 numbers 0 to {count - 1}")
        return ""
    if draft.ipv6_block is None:
        return f"auto:{number}"
    return str(IPv6Network((int(draft.ipv6_block.network_address) + (number << 64), 64)))


def _ipv6_block(work: Work, draft: Draft, wish: Cursor) -> str:
    block = parse(wish.value)
    if isinstance(block, str):
        wrong = block
    elif block.version != 6 or not 44 <= block.prefixlen <= 64 or block.prefixlen % 4:
        wrong = f"{block} is a /{block.prefixlen}: AWS takes IPv6 blocks of a subnet from /44 to /64 in steps of 4"
    elif draft.ipv6_block is None:
        wrong = (
            f"the block of vpcs.{draft.name} comes from Amazon and is not known beforehand: write true, or the number of a /64 (0 to 255)"
        )
    elif not inside(block, [draft.ipv6_block]):
        wrong = f"{block} is outside vpcs.{draft.name}.ipv6 ({draft.ipv6_block})"
    else:
        return str(block)
    work.faults.add(wish.path, wrong)
    return ""
