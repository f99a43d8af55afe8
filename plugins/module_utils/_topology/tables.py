# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Route tables: which subnet uses which, the routes that ``public`` and ``nat`` stand for, and the declared ones."""

from __future__ import annotations

import re
from dataclasses import replace

from .blocks import UNROUTABLE, inside, overlapping, parse
from .draft import ADOPTED, OURS, REMOTE, Draft, Work
from .faults import Cursor, Key, either, nearest, show
from .types import RouteSpec, SubnetSpec

#: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html
_NAT64 = "64:ff9b::/96"
_ANY, _ANY6 = "0.0.0.0/0", "::/0"
_WORDS = {"internet_gateway": "internet", "egress_only_gateway": "egress_only"}
_IDS = {
    "nat": "nat", "vpce": "endpoint", "eni": "eni", "i": "instance", "tgw": "transit_gateway", "vgw": "vpn", "igw": "internet",
    "eigw": "egress_only", "cagw": "carrier", "lgw": "local_gateway",
}  # fmt: skip
_ID = re.compile(r"([a-z]+)-([0-9a-f]{8}|[0-9a-f]{17})\Z")
_CORE_NETWORK = re.compile(r"arn:[a-z-]+:networkmanager:[^ ]*:core-network/[^ ]+\Z")
_FORMS = "; a target is internet_gateway, egress_only_gateway, nat.SUBNET, endpoint.NAME, or an AWS id such as tgw-0123456789abcdef0"
_NO_ID = "vpcs.{} is ours, so its tables are known by their names here, not by ids such as {}"
#: What may take a route inside the VPC's own blocks. https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html
_WITHIN = ("nat", "eni", "instance", "endpoint")


def assign(work: Work, draft: Draft) -> None:
    """Gives every subnet its table, declares the tables, and adds the routes that ``public`` and ``nat`` ask for."""
    if draft.kind == REMOTE:
        return
    for name, cursor in draft.cursor["route_tables"].items():
        _declare(work, draft, name, cursor)
    nats = {name: _nat(work, draft, name) for name in draft.subnets}
    free = [name for name, spec in draft.subnets.items() if not spec.public and not _wish(draft, name, "table").value]
    kinds = {nats[name] for name in free}
    shared = len(kinds) == 1
    for name, spec in list(draft.subnets.items()):
        wish = _wish(draft, name, "table")
        table = wish.value if isinstance(wish.value, str) else ""
        if table:
            table = use(work, draft, table, wish.path)
        elif draft.kind == OURS:
            table = "public" if spec.public else f"private_nat_{nats[name]}" if nats[name] and not shared else "private"
            use(work, draft, table, (*draft.path, "route_tables", table), declare=True)
        elif (spec.public or nats[name]) and not wish.broken:
            key = "public" if spec.public else "nat"
            work.faults.add(
                _wish(draft, name, key).path,
                f"vpcs.{draft.name} is adopted: say which of its tables gets the route (table: its id, Name tag, or main)",
            )
        draft.subnets[name] = replace(spec, nat=nats[name], table=table)
    _mixed(work, draft)
    for name, spec in draft.subnets.items():
        if not spec.table or spec.table not in draft.table_refs:
            continue
        if spec.public:
            draft.internet_gateway = True
            for destination in (_ANY, *((_ANY6,) if draft.ipv6 else ())):
                _automatic(work, draft, spec, RouteSpec(destination, "internet", path=spec.path), _wish(draft, name, "public").path)
        elif spec.nat:
            _automatic(work, draft, spec, RouteSpec(_ANY, "nat", spec.nat, path=spec.path), _wish(draft, name, "nat").path)


def _wish(draft: Draft, subnet: str, key: str) -> Cursor:
    """What the document says of a subnet, also of one that stands for a zone."""
    declared = next((family for family, members in draft.families.items() if subnet in members), subnet)
    return draft.cursor["subnets"][declared][key]


def _declare(work: Work, draft: Draft, name: str, cursor: Cursor) -> None:
    if draft.kind == OURS:
        if not re.match(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z", name):
            work.faults.add(cursor.path, f"{name!r} is not a name: letters, digits, - and _, a letter first, at most 64")
        elif name == "main":
            work.faults.add(cursor.path, "main is AWS's word for a VPC's own table, which a VPC of ours leaves unused: choose another name")
        elif name.startswith("rtb-"):
            work.faults.add(cursor.path, _NO_ID.format(draft.name, name))
        if "ref" in cursor:
            work.faults.add((*cursor.path, "ref"), f"vpcs.{draft.name} is ours, so its tables are made, not found: leave `ref` out")
    draft.table_refs[name] = cursor.text("ref", name) if draft.kind == ADOPTED else ""
    draft.table_paths[name] = cursor.path
    draft.routes.setdefault(name, {})


def use(work: Work, draft: Draft, table: str, where: Key, *, declare: bool = False) -> str:
    """A table by its name, declared by its use: found by id or Name tag in an adopted VPC, made in one of ours. Empty when it cannot be."""
    if table in draft.table_refs:
        return table
    if draft.kind == OURS and not declare and table == "main":
        work.faults.add(where, "main is AWS's word for a VPC's own table, which a VPC of ours leaves unused: choose another name")
        return ""
    if draft.kind == OURS and not declare and table.startswith("rtb-"):
        work.faults.add(where, _NO_ID.format(draft.name, table))
        return ""
    if draft.kind == OURS and not re.match(r"[A-Za-z][A-Za-z0-9_-]{0,80}\Z", table):
        work.faults.add(where, f"{table!r} is not a name: letters, digits, - and _, a letter first, at most 64")
        return ""
    draft.table_refs[table] = table if draft.kind == ADOPTED else ""
    draft.table_paths[table] = where
    draft.routes.setdefault(table, {})
    return table


def _nat(work: Work, draft: Draft, name: str) -> str:
    """The public subnet whose NAT gateway a subnet uses: the one in its own zone, where there are several."""
    wish = _wish(draft, name, "nat")
    if not isinstance(wish.value, str):
        return ""
    if draft.subnets[name].public:
        work.faults.add(wish.path, "a public subnet needs no NAT gateway: keep either `public` or `nat`")
        return ""
    found = draft.find_subnets(wish.value, wish.path, work.faults)
    same = [member for member in found if draft.subnets[member].zone == draft.subnets[name].zone]
    for member in (same or list(found))[:1]:
        return add_nat(work, draft, member, wish.path)
    return ""


def add_nat(work: Work, draft: Draft, subnet: str, where: Key) -> str:
    """Asks for a NAT gateway in a subnet, which must be public."""
    if not draft.subnets[subnet].public:
        work.faults.add(
            where, f"subnet '{subnet}' is not public, so a NAT gateway there reaches nothing: name a subnet with `public: true`"
        )
        return ""
    if subnet not in draft.nat_subnets:
        draft.nat_subnets.append(subnet)
    return subnet


def _mixed(work: Work, draft: Draft) -> None:
    for table in draft.table_refs:
        users = [spec for spec in draft.subnets.values() if spec.table == table]
        private = [spec.name for spec in users if not spec.public]
        public = [spec.name for spec in users if spec.public]
        if public and private:
            where = _wish(draft, private[0], "table").path
            work.faults.add(
                where,
                f"table '{table}' leads public subnet '{public[0]}' to the internet, and would lead '{private[0]}' there too: give "
                "them different tables",
            )


def _automatic(work: Work, draft: Draft, spec: SubnetSpec, route: RouteSpec, where: Key) -> None:
    known = draft.routes[spec.table].setdefault(route.to, route)
    if (known.via, known.target) != (route.via, route.target):
        work.faults.add(
            where,
            f"table '{spec.table}' would need two routes to {route.to}: one through {_target(known)} ({known.path}), one through "
            f"{_target(route)}; name another `table`",
        )


def _target(route: RouteSpec) -> str:
    word = next((word for word, via in _WORDS.items() if via == route.via), route.via)
    return route.target if "-" in route.target else f"{word}.{route.target}" if route.target else word


def declared(work: Work, draft: Draft) -> None:
    """Adds the routes under ``route_tables``. Endpoints and subnets are known by now."""
    for name, table in draft.cursor["route_tables"].items():
        if draft.kind == REMOTE or name not in draft.routes:
            continue
        for item in table["routes"].each():
            route = _route(work, draft, item)
            if route is None:
                continue
            known = draft.routes[name].setdefault(route.to, route)
            if known is route:
                continue
            if (known.via, known.target) != (route.via, route.target) or known.path.startswith(show(table.path)):
                work.faults.add(item.path, f"table '{name}' has a route to {route.to} already, through {_target(known)} ({known.path})")


def _route(work: Work, draft: Draft, item: Cursor) -> RouteSpec | None:
    to, via = _destination(work, item["to"]), _via(work, draft, item["via"])
    if not to or via is None:
        return None
    kind, target = via
    six = ":" in to
    if kind == "egress_only" and not six and "/" in to:
        work.faults.add(item["via"].path, f"an egress-only gateway carries IPv6 only, and {to} is IPv4: use nat.SUBNET")
        return None
    if kind == "nat" and six and to != _NAT64:
        work.faults.add(item["via"].path, f"a NAT gateway carries IPv4 (of IPv6 only {_NAT64}), and {to} is IPv6: use egress_only_gateway")
        return None
    if kind == "egress_only" and not target:
        if not draft.ipv6 and not draft.unsure:
            work.faults.add(
                item["via"].path, f"an egress-only gateway carries IPv6, and vpcs.{draft.name} has no IPv6 block: set its `ipv6`"
            )
        draft.egress_only_gateway = True
    if kind == "internet" and not target:
        draft.internet_gateway = True
    if "/" in to:
        block = parse(to)
        own = [] if isinstance(block, str) else [other for _other, other in draft.blocks if inside(block, [other])]
        if own and (kind not in _WITHIN or not any(block == other for other in draft.subnet_blocks.values())):
            work.faults.add(
                item["to"].path,
                f"{to} lies in the VPC's own {own[0]}: AWS takes such a route only for a whole subnet's block, to a NAT gateway, "
                "an ENI or an endpoint",
            )
            return None
    return RouteSpec(to, kind, target, show(item.path))


def _destination(work: Work, item: Cursor) -> str:
    text = item.value
    if not isinstance(text, str):
        return ""
    if "/" in text:
        block = parse(text)
        if isinstance(block, str):
            work.faults.add(item.path, block)
            return ""
        blocked = next((other for other in UNROUTABLE if overlapping(block, other) and inside(block, [other])), None)
        if blocked is not None:
            work.faults.add(item.path, f"{text} lies in {blocked}, which AWS keeps for its own services: no route can lead there")
            return ""
        return str(block)
    if _ID.match(text) and text.startswith("pl-"):
        return text
    lists = work.root["prefix_lists"]
    if text not in lists and not lists.broken:
        work.faults.add(item.path, f"'{text}' is neither a CIDR block nor a prefix list{either(text, lists.names(), 'prefix_lists has')}")
        return ""
    return text


def _via(work: Work, draft: Draft, item: Cursor) -> tuple[str, str] | None:
    text, faults = item.value, work.faults
    if not isinstance(text, str):
        return None
    if text in _WORDS:
        return _WORDS[text], ""
    word, _mark, name = text.partition(".")
    if word == "nat" and name:
        subnet = draft.find_subnet(name, item.path, faults)
        return ("nat", subnet) if subnet and add_nat(work, draft, subnet, item.path) else None
    if word == "endpoint" and name:
        endpoint = draft.endpoints.get(name)
        if endpoint is None and not draft.cursor["endpoints"].damaged():
            faults.add(item.path, f"vpcs.{draft.name} has no endpoint '{name}'{either(name, draft.endpoints, 'it has')}")
        elif endpoint is not None and endpoint.type != "GatewayLoadBalancer":
            faults.add(item.path, f"endpoint '{name}' is of type {endpoint.type}: only a GatewayLoadBalancer endpoint is a route's target")
        else:
            return ("endpoint", name) if endpoint is not None else None
        return None
    match = _ID.match(text)
    if match and match[1] in _IDS:
        return _IDS[match[1]], text
    if _CORE_NETWORK.match(text):
        return "core_network", text
    if match and match[1] == "pcx":
        faults.add(item.path, f"{text}: the routes of a peering come from `peerings`; declare it there (id: {text})")
    elif text == "local":
        faults.add(item.path, "the local route is AWS's own, and there in every table")
    else:
        faults.add(item.path, f"'{text}' is no target{nearest(text, _WORDS) or _FORMS}")
    return None
