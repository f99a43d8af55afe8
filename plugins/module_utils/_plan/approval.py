# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an approval covers: a plan, or what is left of it after a run that was cut off, on the very things for which it was approved.

What is there when a plan is approved is approved by its id: another VPC under the same name, tag or lookup is another plan. What the run
itself makes has no id by then and is approved by name; after a run that was cut off it has one, and must be the topology's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import ApprovalError
from .actions import FORMAT_VERSION, Action, Plan, end_of, fingerprint_of


def check_approval(plan: Plan, approved: Mapping[str, Any] | str) -> None:
    """Refuse a plan that holds anything which was not approved.

    ``approved`` is the mapping that ``Plan.public`` gave, or a bare fingerprint. A plan that is a remainder of the approved one is covered
    by it: each action must lead to an end that the approved plan leads to as well, as often as it does. Raises ApprovalError.
    """
    if isinstance(approved, str):
        if not plan.empty and approved != plan.fingerprint:
            raise ApprovalError(
                f"approved: the plan's fingerprint is {plan.fingerprint}, {approved} was approved. Review the new plan;"
                " to finish a run that was cut off, approve by the plan's file."
            )
        return
    _check_file(plan, approved)
    extra = list(_extra(plan, approved))
    if told := list(_instances(plan, approved)):
        raise ApprovalError("approved: " + "; ".join(told) + ": review a new plan")
    if extra:
        lines = "\n".join(f"  {action.op} {action.kind} {action.name} ({why})" for action, why in extra)
        raise ApprovalError(f"approved: {len(extra)} of {len(plan)} actions are not in the approved plan; review a new one:\n{lines}")


def _check_file(plan: Plan, approved: Mapping[str, Any]) -> None:
    if approved.get("format_version") != FORMAT_VERSION:
        raise ApprovalError(f"approved: format_version {approved.get('format_version')!r} is not {FORMAT_VERSION}. Write the plan again.")
    stated, real = approved.get("fingerprint"), fingerprint_of(approved)
    if stated != real:
        raise ApprovalError(
            f"approved: the file was changed after it was written (its fingerprint says {stated}, its actions give {real}). "
            "Write the plan again."
        )
    if approved.get("topology") != plan.topology:
        raise ApprovalError(f"approved: the file is a plan of topology {approved.get('topology')!r}, not of {plan.topology!r}.")


def _extra(plan: Plan, approved: Mapping[str, Any]) -> Iterator[tuple[Action, str]]:
    """The actions that the approved plan does not cover, each with the reason."""
    existing: Mapping[str, str] = approved.get("existing", {})
    actions: list[Mapping[str, Any]] = list(approved.get("actions", ()))
    left = Counter((end_of(action), action.get("op"), action.get("id")) for action in actions)
    planned = {str(action.get("name")) for action in actions if action.get("op") == "create"}
    others = dict(_others(plan, existing, planned))
    for action in plan:
        end = action.end()
        covers = [(end, action.op, action.id or None)]
        # What a run that was cut off made, and did not finish: approved as a creation, and the topology's own by now.
        if action.op == "update" and action.ours:
            covers.append((end, "create", None))
        cover = next((item for item in covers if left[item]), None)
        if cover is None:
            yield action, action.why
            continue
        left[cover] -= 1
        if name := next((name for name in action.concerns if name in others), ""):
            yield action, others[name]


def _instances(plan: Plan, approved: Mapping[str, Any]) -> Iterator[str]:
    """The launches and terminations that the approved plan does not hold."""
    known = approved.get("instances") or {}
    for name, launch in plan.launches.items():
        before = (known.get("launch") or {}).get(name)
        if before is None:
            yield f"the launch of {name} is not in the approved plan"
        elif differs := sorted(key for key in {*before, *launch} if before.get(key) != launch.get(key)):
            yield f"the launch of {name} is not as in the approved plan (other: {', '.join(differs)})"
    for item in plan.undeclared if plan.terminate else ():
        if item["id"] not in (known.get("terminate") or ()):
            yield f"the termination of {item['id']} ({item['name']}) is not in the approved plan"


def _others(plan: Plan, existing: Mapping[str, str], planned: set[str]) -> Iterator[tuple[str, str]]:
    """The names under which something else is there than when the plan was approved, and what that is."""
    for name, identifier in plan.existing.items():
        if name in existing:
            if existing[name] != identifier:
                yield name, f"{name} is {identifier} now, and was {existing[name]} when the plan was approved"
        elif not _made(plan, name, planned):
            yield name, f"{name} is {identifier} now, and was not there when the plan was approved"


def _made(plan: Plan, name: str, planned: set[str]) -> bool:
    """Whether what stands under a name was made under the approval. The block of a subnet or VPC has no tags of its own."""
    base = name.removesuffix(".ipv6")
    return bool({name, base} & planned) and (plan.ids[name] in plan.made or (base != name and plan.ids.get(base) in plan.made))
