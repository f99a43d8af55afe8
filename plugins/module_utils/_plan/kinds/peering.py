# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The peering connection, its acceptance, and its DNS options. What to do in each state is states.py's table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..._model.network import Peering, PeeringSide
from ..actions import Action, Found, Ref, Wanted
from ..context import Context, ipv6_name
from ..draft import Draft
from ..states import DONE, STANDS, Step, accepting, name_of, removable, step, will_be_active, will_stand
from .base import Kind, Run, same, tag_list, tag_specifications, update_tags


class PeeringKind(Kind):
    """The request. Deleting one takes its routes and rules first."""

    name = "peering"
    fixed = frozenset({"requester", "accepter"})

    def register(self, ctx: Context) -> None:
        for peering in sorted(ctx.network.peerings.values(), key=lambda item: item.id):
            if ctx.ours(peering) and peering.live and (name := name_of(ctx, peering)) not in ctx.peerings and name not in ctx.ids:
                ctx.register(name, peering.id)
        for spec in ctx.topology.peerings:
            connection = ctx.connection(spec)
            if connection is not None and step(connection, wanted=True) in STANDS:
                ctx.register(f"peerings.{spec.name}", connection.id)
                ctx.names[connection.id] = f"peerings.{spec.name}"

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for spec in ctx.topology.peerings:
            connection = ctx.connection(spec)
            stands = connection is not None and step(connection, wanted=True) in STANDS
            if not stands and not will_stand(ctx, spec):
                continue
            # A connection cannot be turned round, and its direction does not matter to traffic: it stays as it was requested.
            ends = (spec.requester, spec.accepter)
            requester, accepter = (ctx.topology.vpcs[name] for name in (ends if accepting(ctx, spec) == spec.accepter else ends[::-1]))
            full = f"peerings.{spec.name}"
            attrs: dict[str, Any] = {
                "requester": ctx.vpc_ref(requester.name),
                "accepter": ctx.vpc_ref(accepter.name),
                "accepter_account": ctx.account(accepter),
                "accepter_region": ctx.region(accepter),
                "tags": {**ctx.tags(full, f"{spec.requester}-{spec.accepter}"), **spec.tags},
            }
            why = "declared, not there"
            if connection is not None and not stands:
                why = f"the last one ({connection.id}) is {connection.status}"
            # While a request is pending its requester can add no block, so all blocks come first.
            # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
            needs = tuple(f"vpcs.{vpc.name}.cidrs.{cidr}" for vpc in (requester, accepter) for cidr in (*vpc.cidrs[1:], vpc.ipv6))
            needs += tuple(ipv6_name(vpc.name) for vpc in (requester, accepter))
            where = (ctx.account(requester), ctx.region(requester))
            yield Wanted(self.name, full, *where, attrs, stage="peerings", needs=needs, why=why, path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        for peering in ctx.network.peerings.values():
            spec = ctx.declared.get(peering.id)
            unanswered = _unanswered(ctx, peering)
            name = f"peerings.{spec.name}" if spec else name_of(ctx, peering) or unanswered
            mine = ctx.ours(peering) or bool(unanswered)
            if not name or not (spec or mine) or step(peering, wanted=True) not in STANDS:
                continue
            attrs = {
                "requester": ctx.refer(peering.requester.vpc),
                "accepter": ctx.refer(peering.accepter.vpc),
                "accepter_account": peering.accepter.account,
                "accepter_region": peering.accepter.region,
                "cidrs": {end: _blocks(ctx, side) for end, side in zip(("requester", "accepter"), peering.sides, strict=True)},
                "tags": dict(peering.tags),
            }
            asked = peering.accepter if unanswered else peering
            yield Found(name, peering.id, asked.account, asked.region, attrs, ours=mine or removable(ctx, peering), stage="peerings")

    def serves(self, ctx: Context, wanted: Wanted, found: Found) -> bool:
        connection = ctx.connection(ctx.peerings[wanted.name])
        return connection is not None and connection.id == found.id

    def changed(self, wanted: Wanted, found: Found) -> dict[str, Any]:
        # The tags of one that others made stay theirs.
        if found.ours and found.account == wanted.account and found.region == wanted.region:
            return {} if same("tags", wanted.attrs["tags"], found.attrs["tags"]) else {"tags": wanted.attrs["tags"]}
        return {}

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        made = run.call(
            action,
            "ec2:CreateVpcPeeringConnection",
            VpcId=after["requester"],
            PeerVpcId=after["accepter"],
            PeerOwnerId=after["accepter_account"],
            PeerRegion=after["accepter_region"],
            TagSpecifications=tag_specifications("vpc-peering-connection", after["tags"]),
        )["VpcPeeringConnection"]
        identifier = str(made["VpcPeeringConnectionId"])
        run.know(action.name, identifier)
        if made["Status"]["Code"] != "pending-acceptance":
            run.wait(action, "peering", identifier, ("pending-acceptance", "active"))
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        update_tags(run, action, action.id)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        for action in actions:
            # A request can be deleted by its owner and rejected by the other; neither while it is being set up.
            now = run.wait(action, "peering", action.id, ("pending-acceptance", "active", *DONE))
            status = now["Status"]["Code"]
            if status in DONE:
                continue
            mine = now["RequesterVpcInfo"]["OwnerId"] == action.account
            operation = "ec2:DeleteVpcPeeringConnection" if mine or status == "active" else "ec2:RejectVpcPeeringConnection"
            run.call(action, operation, VpcPeeringConnectionId=action.id)
            run.wait(action, "peering", action.id, DONE)

    def locate(self, run: Run, action: Action) -> str:
        after = action.after or {}
        filters = [
            {"Name": "requester-vpc-info.vpc-id", "Values": [run.id(after["requester"])]},
            {"Name": "accepter-vpc-info.vpc-id", "Values": [run.id(after["accepter"])]},
            {"Name": "status-code", "Values": ["initiating-request", "pending-acceptance", "provisioning", "active"]},
        ]
        items = run.pages(action, "ec2:DescribeVpcPeeringConnections", Filters=filters)
        return str(items[0]["VpcPeeringConnectionId"]) if items else ""

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        if action.op == "update":
            draft.retag("peerings", draft.target(action), action)
            return
        if action.op == "delete":
            gone = draft.target(action)
            draft.drop("peerings", gone)
            for table in list(draft.route_tables.values()):
                routes = tuple(replace(route, state="blackhole") if route.target == gone else route for route in table.routes)
                if routes != table.routes:
                    draft.change("route_tables", table.id, routes=routes)
            for rule in [rule for rule in draft.rules.values() if rule.peering == gone]:
                draft.change("rules", rule.id, peering_status="deleted")
            return
        identifier = draft.new(action)
        requester = PeeringSide(draft.id(after["requester"]), action.account, action.region, dns=False)
        accepter = PeeringSide(draft.id(after["accepter"]), after["accepter_account"], after["accepter_region"], dns=False)
        draft.peerings[identifier] = Peering(
            id=identifier,
            account=action.account,
            region=action.region,
            tags=after["tags"],
            status="pending-acceptance",
            requester=requester,
            accepter=accepter,
            seen={(action.account, action.region): after["tags"]},
        )


def _blocks(ctx: Context, side: PeeringSide) -> list[str]:
    """The blocks of one end, as the VPC tells them, else the connection."""
    there = ctx.network.vpcs.get(side.vpc)
    return [*there.cidrs, *there.ipv6_cidrs] if there else [*side.cidrs, *side.ipv6_cidrs]


def _unanswered(ctx: Context, peering: Peering) -> str:
    """A name for another account's request to a VPC of ours that is to go, which stays until the request is rejected; empty for others.

    https://docs.aws.amazon.com/vpc/latest/peering/delete-vpc-peering-connection.html
    """
    vpc = ctx.network.vpcs.get(peering.accepter.vpc)
    goes = ctx.absent and not ctx.narrow and vpc is not None and ctx.ours(vpc)
    if not goes or peering.status != "pending-acceptance" or peering.requester.account == peering.accepter.account:
        return ""
    return f"peerings.{peering.requester.vpc}:{peering.accepter.vpc}"


class AcceptanceKind(Kind):
    """Accepting, with the accepter's credentials, in the accepter's Region. It goes only with the connection."""

    name = "peering_acceptance"
    removable = False

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for spec in ctx.topology.peerings:
            accepter = ctx.topology.vpcs[accepting(ctx, spec)]
            if accepter.remote or not will_stand(ctx, spec):
                continue
            full, where = f"peerings.{spec.name}.acceptance", (ctx.account(accepter), accepter.region)
            attrs: dict[str, Any] = {"peering": Ref(f"peerings.{spec.name}"), "accepted": True}
            requester = ctx.topology.vpcs[spec.requester if accepter.name == spec.accepter else spec.accepter]
            if where != (ctx.account(requester), ctx.region(requester)):
                # Tags count only for the account and Region that wrote them, so each side gets its own.
                attrs["tags"] = {**ctx.tags(f"peerings.{spec.name}", f"{spec.requester}-{spec.accepter}"), **spec.tags}
            yield Wanted(self.name, full, *where, attrs, stage="peerings", why="requested, not accepted", path=spec.path)

    def found(self, ctx: Context) -> Iterator[Found]:
        for spec in ctx.topology.peerings:
            connection = ctx.connection(spec)
            if connection is None or step(connection, wanted=True) not in (Step.NOTHING, Step.SETTLE):
                continue
            side = connection.accepter
            attrs = {
                "peering": Ref(f"peerings.{spec.name}"),
                "accepted": True,
                "tags": dict(connection.seen.get((side.account, side.region), {})),
            }
            yield Found(f"peerings.{spec.name}.acceptance", connection.id, side.account, side.region, attrs, stage="peerings")

    def changed(self, wanted: Wanted, found: Found) -> dict[str, Any]:
        tags = found.attrs["tags"]
        if "tags" not in wanted.attrs or (tags and tags.get("cloudnet:topology") != wanted.attrs["tags"]["cloudnet:topology"]):
            return {}
        return super().changed(wanted, found)

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        after = action.after or {}
        identifier = run.id(after["peering"])
        # Between Regions and accounts the accepter sees the request a little later than the requester does.
        now = run.wait(action, "peering", identifier, ("pending-acceptance", "active"))
        if now["Status"]["Code"] == "pending-acceptance":
            made = run.call(action, "ec2:AcceptVpcPeeringConnection", VpcPeeringConnectionId=identifier)
            # Empty when it was repeated, as its first answer was lost.
            if not made or made["VpcPeeringConnection"]["Status"]["Code"] != "active":
                run.wait(action, "peering", identifier, ("active",))
        if "tags" in after:
            run.call(action, "ec2:CreateTags", Resources=[identifier], Tags=tag_list(after["tags"]))
        return [identifier]

    def update(self, run: Run, action: Action) -> None:
        update_tags(run, action, action.id)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        raise TypeError("an acceptance goes with its connection")

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        identifier = draft.id(after["peering"])
        peering = draft.peerings[identifier]
        seen = dict(peering.seen)
        if "tags" in after:
            seen[action.account, action.region] = {**seen.get((action.account, action.region), {}), **after["tags"]}
        sides = {}
        for key in ("requester", "accepter"):
            side = getattr(peering, key)
            vpc = draft.vpcs.get(side.vpc)
            # Blocks are told once the connection is active.
            sides[key] = replace(side, cidrs=vpc.cidrs, ipv6_cidrs=vpc.ipv6_cidrs) if vpc else side
        draft.change("peerings", identifier, status="active", seen=seen, **sides)


class OptionsKind(Kind):
    """Whether the other side's resolver gets private addresses for this side's public names. Each owner sets its own side.

    https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-dns.html
    """

    name = "peering_options"
    removable = False

    def wanted(self, ctx: Context) -> Iterator[Wanted]:
        for spec in ctx.topology.peerings:
            if spec.dns is None or not will_be_active(ctx, spec):
                continue
            names = [name for name in (spec.requester, spec.accepter) if not ctx.topology.vpcs[name].remote]
            homes = {name: (ctx.account(ctx.topology.vpcs[name]), ctx.topology.vpcs[name].region) for name in names}
            base = f"peerings.{spec.name}"
            # Both sides go in one call only where one owner has both in one Region.
            groups = (
                {f"{base}.dns": names}
                if len(set(homes.values())) == 1 and len(names) == 2
                else {f"{base}.dns.{name}": [name] for name in names}
            )
            for full, members in groups.items():
                attrs: dict[str, Any] = {"peering": Ref(base), "dns": dict.fromkeys(members, spec.dns)}
                needs = (f"{base}.acceptance", *(f"vpcs.{name}" for name in (spec.requester, spec.accepter)))
                yield Wanted(
                    self.name, full, *homes[members[0]], attrs, stage="peerings", needs=needs, why="declared, not set", path=spec.path
                )

    def found(self, ctx: Context) -> Iterator[Found]:
        for wanted in self.wanted(ctx):
            peering = ctx.network.peerings.get(ctx.ids.get(wanted.attrs["peering"].name, ""))
            if peering is not None and peering.status == "active":
                values = {name: bool(peering.side(ctx.vpc_id(name)).dns) for name in wanted.attrs["dns"]}
                attrs = {"peering": wanted.attrs["peering"], "dns": values}
                yield Found(wanted.name, peering.id, wanted.account, wanted.region, attrs, stage="peerings")

    def create(self, run: Run, actions: Sequence[Action]) -> Sequence[str]:
        (action,) = actions
        self.update(run, action)
        return [run.id((action.after or {})["peering"])]

    def update(self, run: Run, action: Action) -> None:
        after = action.after or {}
        now = run.wait(action, "peering", run.id(after["peering"]), ("active",))
        request: dict[str, Any] = {}
        for name, value in after["dns"].items():
            mine = run.id(Ref(f"vpcs.{name}")) == now["RequesterVpcInfo"]["VpcId"]
            request[f"{'Requester' if mine else 'Accepter'}PeeringConnectionOptions"] = {"AllowDnsResolutionFromRemoteVpc": value}
        run.call(action, "ec2:ModifyVpcPeeringConnectionOptions", VpcPeeringConnectionId=after["peering"], **request)

    def delete(self, run: Run, actions: Sequence[Action]) -> None:
        raise TypeError("options go with their connection")

    def simulate(self, draft: Draft, action: Action) -> None:
        after = action.after or {}
        identifier = draft.id(after["peering"])
        for name, value in after["dns"].items():
            peering = draft.peerings[identifier]
            key = "requester" if peering.requester.vpc == draft.id(Ref(f"vpcs.{name}")) else "accepter"
            draft.change("peerings", identifier, **{key: replace(getattr(peering, key), dns=value)})
