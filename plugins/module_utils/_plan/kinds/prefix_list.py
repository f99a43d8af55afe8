# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Customer-managed prefix lists, one in each account and Region that uses one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..._model.network import PrefixList
from ..actions import Action, Found, Wanted
from ..context import Context, prefix_list_name, tagged
from ..draft import Draft
from .base import Run, TaggedKind, tag_specifications, update_tags

#: One call takes this many entries. https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
ENTRIES_PER_CALL = 100


class PrefixListKind(TaggedKind):
    """A list's maximum counts against the quotas of everything that uses it, so it is kept as small as the list."""

    name = "prefix_list"
    fixed = frozenset({"family"})

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for name, homes in ctx.homes.items():
            entries = sorted(ctx.topology.prefix_lists[name])
            for account, account_id, region in homes:
                full = prefix_list_name(name, account, region)
                attrs = {"family": "IPv6" if ":" in entries[0] else "IPv4", "entries": entries, "tags": ctx.tags(full, name)}
                yield Wanted(self.name, full, account_id, region, attrs, path=f"prefix_lists.{name}")

    def found(self, ctx: Context) -> Iterator[Found]:
        alive = {key: item for key, item in ctx.network.prefix_lists.items() if not item.state.startswith("delete")}
        yield from tagged(ctx, alive, lambda item: {"family": item.family, "entries": sorted(item.entries or ())})

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(
            action,
            "ec2:CreateManagedPrefixList",
            PrefixListName=str(after["tags"]["Name"]),
            AddressFamily=after["family"],
            MaxEntries=len(after["entries"]),
            Entries=[{"Cidr": cidr} for cidr in after["entries"][:ENTRIES_PER_CALL]],
            TagSpecifications=tag_specifications("prefix-list", after["tags"]),
        )
        identifier = str(made["PrefixList"]["PrefixListId"])
        run.know(action.name, identifier)
        current = run.wait(action, "prefix_list", identifier, ("create-complete",))
        rest = after["entries"][ENTRIES_PER_CALL:]
        self._modify(run, action, identifier, current, add=rest, remove=())
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        before, after = set((action.before or {}).get("entries", ())), set((action.after or {})["entries"])
        if before != after:
            current = run.wait(action, "prefix_list", action.id, READY)
            size = max(len(after), len(before))
            if size > int(current["MaxEntries"]):
                # Entries and maximum cannot be changed in one call.
                run.call(action, "ec2:ModifyManagedPrefixList", PrefixListId=action.id, MaxEntries=len(before | after))
                current = run.wait(action, "prefix_list", action.id, READY)
            self._modify(run, action, action.id, current, add=sorted(after - before), remove=sorted(before - after))
        update_tags(run, action, action.id)

    def _modify(self, run: Run, action: Action, identifier: str, current: Any, add: Sequence[str], remove: Sequence[str]) -> None:
        todo = [("RemoveEntries", cidr) for cidr in remove] + [("AddEntries", cidr) for cidr in add]
        for start in range(0, len(todo), ENTRIES_PER_CALL):
            part = todo[start : start + ENTRIES_PER_CALL]
            request = {key: [{"Cidr": cidr} for kind, cidr in part if kind == key] for key in ("AddEntries", "RemoveEntries")}
            request = {key: value for key, value in request.items() if value}
            run.call(action, "ec2:ModifyManagedPrefixList", PrefixListId=identifier, CurrentVersion=current["Version"], **request)
            current = run.wait(action, "prefix_list", identifier, READY)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            run.call(action, "ec2:DeleteManagedPrefixList", PrefixListId=action.id)

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "delete":
            draft.drop("prefix_lists", draft.target(action))
        elif action.op == "update":
            draft.change("prefix_lists", draft.target(action), entries=tuple(after["entries"]))
            draft.retag("prefix_lists", draft.target(action), action)
        else:
            identifier = draft.new(action)
            draft.prefix_lists[identifier] = PrefixList(
                id=identifier,
                account=action.account,
                region=action.region,
                tags=after["tags"],
                list_name=after["tags"]["Name"],
                family=after["family"],
                max_entries=len(after["entries"]),
                version=1,
                state="create-complete",
                entries=tuple(after["entries"]),
            )


#: States in which a list can be modified.
READY = ("create-complete", "modify-complete", "restore-complete")
