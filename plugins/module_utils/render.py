# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans, outputs and hand-offs as text that people read. Pure: it takes what modules return, also from a file, and gives lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

SIGNS = {"create": "+", "update": "~", "delete": "-"}

#: Of each kind, what tells it from its neighbours; the name tells the rest. Kinds that are not here show nothing more.
DETAILS: Mapping[str, tuple[str, ...]] = {
    "vpc": ("cidr",),
    "subnet": ("cidr", "ipv6", "zone"),
    "nat_gateway": ("subnet",),
    "association": ("table",),
    "acl_association": ("acl",),
    "route": ("target",),
    "peering": ("requester", "accepter"),
    "peering_options": ("dns",),
    "endpoint": ("service", "type"),
    "flow_log": ("traffic", "to"),
    "prefix_list": ("entries",),
}

#: The same for what goes, where it is more: whoever approves must know what it is.
GOING: Mapping[str, tuple[str, ...]] = {"vpc": ("cidrs",)}

#: What a name says of the kind of resource, which the line says already.
WORDS = ("subnets.", "route_tables.", "security_groups.", "network_acls.", "endpoints.", "nat_gateways.", "addresses.", "cidrs.")

#: Reasons that only say what the sign says already.
PLAIN_REASONS = ("declared, not there", "requested, not accepted", "declared, not set", "is to go")

#: The collections of a VPC in its outputs, and what people call one member.
MEMBERS = {"subnets": "subnet", "route_tables": "route table", "security_groups": "security group", "endpoints": "endpoint"}


def change_set(plan: Mapping[str, Any], connectivity: Mapping[str, Any] | None = None) -> str:
    """The text of a plan as ``Plan.public`` gives it: by account and Region, one line for an action, what that opens and closes, the
    counts, the fingerprint."""
    instances = plan.get("instances") or {}
    something = bool(plan.get("actions") or instances.get("launch") or instances.get("terminate"))
    lines = [str(plan.get("topology") or "")] if something or instances.get("undeclared") else []
    lines += existing_lines(plan.get("existing") or {}) if lines else []
    for (account, region), actions in _by_place(plan.get("actions") or ()).items():
        rows = [(f"{SIGNS[action['op']]} {action['kind'].replace('_', ' ')}", short(action["name"]), detail(action)) for action in actions]
        lines += ["", f"  account {account}, {region}", *(f"    {line}" for line in columns(rows))]
    lines += instance_lines(instances)
    if told := connectivity_lines(connectivity or {}):
        lines += [*([""] if lines else []), *(f"  {line}" for line in told)]
    if lines:
        lines.append("")
    return "\n".join([*lines, summary(plan), *([f"Fingerprint: {plan['fingerprint']}"] if something else [])])


def existing_lines(existing: Mapping[str, str]) -> list[str]:
    """The VPCs and connections that are there already and that a plan builds on, by their ids, which an approval names too."""
    rows = [(short(name), identifier) for name, identifier in existing.items() if name.startswith("peerings.") or name.count(".") == 1]
    return ["", "  builds on", *(f"    {line}" for line in columns(rows))] if rows else []


def instance_lines(instances: Mapping[str, Any]) -> list[str]:
    """The instances that the role ``instances`` launches and terminates, and those that are declared no longer and stay."""
    rows = []
    for name, launch in (instances.get("launch") or {}).items():
        digest = str(launch.get("user_data") or "")[:19]
        told = [launch.get("type"), launch.get("image"), f"key {launch['key']}" if launch.get("key") else "", launch.get("private_ip")]
        told += ["public address" if launch.get("public_ip") else "", f"user data {digest}" if digest else ""]
        rows.append(("+ instance", name, "  ".join(str(item) for item in told if item)))
    for item in instances.get("undeclared") or ():
        goes = item["id"] in (instances.get("terminate") or ())
        note = "" if goes else "  declared no longer; stays, and costs what it costs"
        rows.append(("- instance" if goes else "! instance", item["name"], f"{item['id']}  {item['type']}  {item['state']}{note}"))
    return ["", "  instances", *(f"    {line}" for line in columns(rows))] if rows else []


def summary(plan: Mapping[str, Any]) -> str:
    """``Plan: 7 to add, 1 to change, 0 to remove``."""
    counts, instances = plan["counts"], plan.get("instances") or {}
    if not any(counts.values()):
        return "Plan: nothing to do" + (" but with instances" if instances.get("launch") or instances.get("terminate") else "")
    return f"Plan: {counts['add']} to add, {counts['change']} to change, {counts['remove']} to remove"


def detail(action: Mapping[str, Any]) -> str:
    """What an action makes, or takes away with its id; for an update what differs, as ``before -> after``."""
    before, after = action.get("before") or {}, action.get("after") or {}
    if action["op"] == "update":
        return "; ".join(_differences(before, after)) or action["why"]
    reason = "" if action["why"] in PLAIN_REASONS else f"({action['why']})"
    if action["op"] == "delete":
        # The id of a route is made of its table's and the destination, which the name tells.
        parts = [str(action.get("id") or "").partition("|")[0], _going(action["kind"], before), reason]
    else:
        shown = _details(action["kind"], DETAILS.get(action["kind"], ()), after)
        parts = [(" -> " if action["kind"] == "peering" else "  ").join(shown), reason]
    return "  ".join(part for part in parts if part)


def _going(kind: str, before: Mapping[str, Any]) -> str:
    """What goes; of a connection both ends with the blocks that they lose."""
    if kind != "peering":
        return "  ".join(_details(kind, GOING.get(kind, DETAILS.get(kind, ())), before))
    blocks = before.get("cidrs") or {}
    ends = [" ".join([_value(before.get(end)), *(blocks.get(end) or ())]) for end in ("requester", "accepter")]
    return f"{' -> '.join(ends)} (account {before.get('accepter_account')})"


def _details(kind: str, keys: Iterable[str], attrs: Mapping[str, Any]) -> list[str]:
    return [text for key in keys if (text := _shown(kind, key, attrs.get(key)))]


def short(name: str) -> str:
    """A name without the words that the kind of resource says: ``vpcs.dev.subnets.app`` is ``dev.app``."""
    name, colon, rest = name.partition(": ")
    parts = name.split(".", 2)
    if parts[0] == "vpcs" and len(parts) > 1:
        tail = parts[2] if len(parts) > 2 else ""
        for word in WORDS:
            if tail.startswith(word):
                tail = tail.removeprefix(word)
                # What hangs on a subnet is called after it; the kind says what it is.
                tail = tail.removesuffix(".table").removesuffix(".acl") if word == "subnets." else tail
                break
        table, routes, destination = tail.partition(".routes.")
        tail = f"{table}: {_value(destination)}" if routes else tail
        for origin in (".allow", ".ingress", ".egress"):
            tail = tail.removesuffix(origin) if colon else tail
        name = ".".join(part for part in (parts[1], tail) if part)
    elif parts[0] in ("peerings", "prefix_lists") and len(parts) > 1:
        # An acceptance and options are called after their connection, options also after the side.
        name = ".".join(parts[1:]).removesuffix(".acceptance").partition(".dns")[0]
    if colon:
        words, origin, end = rest.rpartition(" from " if " from " in rest else " to ")
        rest = f"{words}{origin}{short(end)}"
    return f"{name}{colon}{rest}"


def columns(rows: Iterable[Sequence[str]], gap: str = "  ") -> list[str]:
    """Rows as aligned lines; the last column is as wide as it likes."""
    listed = [tuple(row) for row in rows]
    count = max(map(len, listed), default=0)
    widths = [max((len(row[index]) for row in listed if index < len(row) - 1), default=0) for index in range(count)]
    return [gap.join(cell.ljust(widths[index]) for index, cell in enumerate(row)).rstrip() for row in listed]


def outputs_table(outputs: Mapping[str, Any]) -> str:
    """The text of a run's outputs: every VPC and connection with its id, and what is in it."""
    rows: list[tuple[str, ...]] = []
    for name, vpc in (outputs.get("vpcs") or {}).items():
        rows.append(("vpc", name, vpc.get("id") or "-", f"{vpc['account']}  {vpc['region']}  {', '.join(vpc['cidrs'])}"))
        for key, word in MEMBERS.items():
            rows += [(f"  {word}", f"{name}.{item}", identifier or "-", "") for item, identifier in (vpc.get(key) or {}).items()]
    for name, peering in (outputs.get("peerings") or {}).items():
        rows.append(("peering", name, peering.get("id") or "-", peering.get("status") or ""))
    return "\n".join(columns([("RESOURCE", "NAME", "ID", ""), *rows]))


def parameters_table(parameters: Mapping[str, Any]) -> str:
    """Names and values, one a line; what has no value is left out."""
    return "\n".join(columns([(str(key), _value(value)) for key, value in parameters.items() if value not in (None, "", [], {})]))


def handoff_text(papers: Iterable[Mapping[str, Any]]) -> str:
    """What the owners of the other sides must do."""
    lines: list[str] = []
    for paper in papers:
        lines.append(f"For the owner of {paper['vpc']} (account {paper['owner']}, {paper['region']}): peering {paper['peering']}")
        status = f"{paper['id']}, {paper['status']}" if paper.get("id") else str(paper["status"])
        left = f"; {paper['hours_left']} hours left, until {paper['expires']}" if paper.get("expires") else ""
        lines.append(f"  connection: {status}{left}")
        lines += [f"  {number}. {step}" for number, step in enumerate(paper["steps"], 1)]
    return "\n".join(lines)


def connectivity_lines(connectivity: Mapping[str, Any]) -> list[str]:
    """What a plan opens and closes, a line for each pair of ends with the instances behind them, and which expectations do not hold after
    it."""
    lines = []
    for key, word, note in (
        ("opened", "opens", ""),
        ("closed", "closes", ""),
        ("unknown", "may change", " (not all that decides is known)"),
    ):
        pairs: dict[tuple[str, str, str], list[str]] = {}
        for row in connectivity.get(key) or ():
            pairs.setdefault((row["from"], row["to"], _instances(row)), []).append(row["traffic"])
        lines += [f"{word}: {source} -> {target} {', '.join(traffic)}{behind}{note}" for (source, target, behind), traffic in pairs.items()]
    for row in connectivity.get("expect") or ():
        if not row["ok"]:
            lines.append(f"expect {'unknown' if row['ok'] is None else 'fails'}: {expect_failure(row)}")
    return lines


def _instances(row: Mapping[str, Any]) -> str:
    """The instances behind the ends of a row: `` (from dev.one, dev.two to ops.tool)``. Plans of earlier versions have none."""
    sides = ((word, row.get(f"{word}_instances") or ()) for word in ("from", "to"))
    text = " ".join(f"{word} {', '.join(names)}" for word, names in sides if names)
    return f" ({text})" if text else ""


def expect_failure(row: Mapping[str, Any]) -> str:
    """A question that did not get the answer that it must get, with the reason and what would open it."""
    found = "cannot be told" if row["ok"] is None else f"is {row['found']}"
    fixes = dict.fromkeys(item["fix"]["text"] for item in row["blockers"] if item["fix"]["text"])
    change = f"; to open it: {' and '.join(fixes)}" if row["expected"] == "reachable" and fixes else ""
    start = f"{row['path']}: " if row["path"] else ""
    reason = row["why"] or "nothing is in the way"
    return f"{start}{row['from']} -> {row['to']} {row['traffic']} is to be {row['expected']}, and {found}: {reason}{change}"


def expect_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Expected against found, a line for each question, with the reason of what is not as expected."""
    lines: list[tuple[str, ...]] = [("", "FROM", "TO", "TRAFFIC", "EXPECTED", "FOUND", "WHY")]
    for row in rows:
        mark = "?" if row["ok"] is None else "ok" if row["ok"] else "FAIL"
        lines.append((mark, row["from"], row["to"], row["traffic"], row["expected"], row["found"], "" if row["ok"] else row["why"]))
    return "\n".join(columns(lines))


def identity_table(target: str, identities: Mapping[str, Mapping[str, Any]], regions: Iterable[str]) -> str:
    """Where a run goes, and as whom. ``identities``: name in the topology to ``account`` and ``arn``."""
    rows = [("target", target)]
    for name, who in identities.items():
        rows.append((f"account {name}".strip(), f"{who['account']}  {who['arn']}"))
    return "\n".join(columns([*rows, ("Region", ", ".join(regions))]))


def progress_line(event: Mapping[str, Any]) -> str:
    """One line of the journal."""
    width = len(str(event["total"]))
    sign = "!" if event.get("error") else SIGNS[event["op"]]
    text = f"{event['number']:>{width}}/{event['total']} {sign} {event['kind'].replace('_', ' ')} {short(event['name'])}"
    return f"{text}: {event['error']}" if event.get("error") else f"{text} ({event['seconds']:.1f} s)"


def _by_place(actions: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    places: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for action in actions:
        places.setdefault((action["account"], action["region"]), []).append(action)
    return places


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key, value in after.items():
        old = before.get(key)
        if key in ("tags", "dns") and isinstance(value, Mapping):
            there = old if isinstance(old, Mapping) else {}
            for name, wish in value.items():
                if there.get(name) != wish:
                    yield f"{key[:-1] if key == 'tags' else key} {name}: {_value(there.get(name))} -> {_value(wish)}"
        elif isinstance(value, list) and isinstance(old, list):
            if old != value:
                gone, new = _without(old, value), _without(value, old)
                yield f"{key}: " + " ".join([*(f"-{_value(item)}" for item in gone), *(f"+{_value(item)}" for item in new)])
        elif old != value:
            yield f"{key}: {_value(old)} -> {_value(value)}"


def _without(items: list[Any], others: list[Any]) -> list[Any]:
    left = Counter(str(item) for item in others)
    found = []
    for item in items:
        if left[str(item)]:
            left[str(item)] -= 1
        else:
            found.append(item)
    return found


def _shown(kind: str, key: str, value: Any) -> str:
    if value in (None, "", [], {}):
        return ""
    text = _value(value)
    if kind in ("route", "association", "acl_association"):
        return f"-> {text}"
    return f"{key} {text}" if key in ("dns", "ipv6") else text


def _value(value: Any) -> str:
    """One value: a reference by its short name, a mapping as ``name=value``, nothing as ``none``."""
    if isinstance(value, Mapping):
        if set(value) == {"ref"}:
            return short(str(value["ref"]))
        return " ".join(f"{key}={_value(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return (
        "none"
        if value in (None, "")
        else short(str(value))
        if str(value).startswith(("vpcs.", "peerings.", "prefix_lists."))
        else str(value)
    )
