# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The road itself, in one place that every module calls: observe, plan, preflight, apply, observe again, report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from ._aws.client import Client
from ._aws.observe import observe
from ._aws.quotas import Quotas
from ._aws.quotas import read as read_quotas
from ._aws.sessions import Identity, Sessions
from ._aws.waiters import Watcher
from ._model.build import build
from ._model.network import Network, Peering
from ._model.snapshot import Snapshot
from ._plan.actions import Action, Plan
from ._plan.apply import Outcome, Progress, apply
from ._plan.approval import check_approval
from ._plan.handoff import handoff
from ._plan.holders import holders, places
from ._plan.planner import plan as make_plan
from ._plan.simulate import ids_after, simulate
from ._topology.ownership import Ownership
from ._topology.preflight import preflight
from ._topology.resolve import resolved
from ._topology.types import Topology
from .advice import advise
from .applying import GRACE, Application, doubled, part
from .errors import ApprovalError, Finding, PreflightError
from .evidence import Missing, missing, read
from .exposure import exposed
from .openings import changes
from .render import expect_failure
from .scopes import scopes

#: States that pass by themselves, and how long to wait for that before planning, in seconds.
TRANSIENT = ("initiating-request", "provisioning", "deleting")
SETTLE_SECONDS = 60.0

#: Of a run that neither changes nor expects anything.
NOTHING: Mapping[str, Any] = {"opened": [], "closed": [], "unknown": [], "expect": []}


@dataclass(frozen=True)
class Options:
    """``approved``: an approved plan as a mapping, or a fingerprint. ``narrow``: never an object that the topology does not name.

    ``only``: which actions concern the caller, for modules that are about one kind of object; None for all. ``launch`` and ``terminate``:
    as the planner takes them.
    """

    absent: bool = False
    through: str = "all"
    approved: Mapping[str, Any] | str | None = None
    check: bool = False
    narrow: bool = False
    only: Callable[[Action], bool] | None = None
    launch: Mapping[str, str] = field(default_factory=dict)
    terminate: bool = False
    progress: Callable[[Progress], None] = lambda _: None


@dataclass(frozen=True)
class Result:
    """``plan`` is what was to be done when the run began. ``network`` is what is there now, or (check mode) what would be.

    ``connectivity``: what the plan opens and closes, as connectivity.changes tells it.
    """

    plan: Plan
    network: Network
    snapshot: Snapshot
    ids: Mapping[str, str]
    identities: Mapping[str, Identity]
    handoff: list[dict[str, Any]]
    warnings: tuple[str, ...] = ()
    calls: Mapping[str, int] = field(default_factory=dict)
    connectivity: Mapping[str, Any] = field(default_factory=lambda: dict(NOTHING))

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, done."""
        return bool(self.plan.actions)


class Estate:
    """A topology and the accounts that it lives in.

    ``params``: credentials as amazon.aws's modules take them. ``target``: lab, aws or None.
    """

    def __init__(self, topology: Topology, params: Mapping[str, Any], *, target: str | None = None) -> None:
        self.topology = self._declared = topology
        used = {vpc.account for vpc in topology.vpcs.values() if not vpc.remote}
        self._names = [name for name in topology.accounts if name in used] or [""]
        self.sessions = Sessions(params, topology.accounts.values(), region=topology.region, target=target)
        self.client = Client(self.sessions)
        self.watcher = Watcher(self.client)
        self.sleep: Callable[[float], None] = time.sleep

    @cached_property
    def identities(self) -> Mapping[str, Identity]:
        """Who we are in each account that the topology uses, by its name."""
        return self.sessions.identities(self.client, self._names)

    @cached_property
    def accounts(self) -> Mapping[str, str]:
        """The topology's account names to 12-digit ids."""
        return {name: identity.account for name, identity in self.identities.items()}

    def observe(self) -> tuple[Snapshot, Network]:
        """What is there, in as few calls as can be."""
        snapshot = observe(self.client, scopes(self.topology, self.accounts))
        network = build(snapshot)
        self.topology = resolved(self._declared, network, self.accounts)
        return snapshot, network

    def plan(self, network: Network, options: Options) -> Plan:
        """What would be done. Raises PreflightError."""
        plan = make_plan(
            self.topology,
            network,
            self.accounts,
            absent=options.absent,
            through=options.through,
            narrow=options.narrow,
            launch=options.launch,
            terminate=options.terminate,
        )
        return plan if options.only is None else part(plan, options.only)

    def converge(self, options: Options) -> Result:
        """Take the accounts to the topology, or only say what that takes (``options.check``).

        Raises CloudnetError: before any write for what is wrong with input, approval or preflight; ApplyError for actions that failed.
        """
        snapshot, network = self._settled(options)
        plan, quotas, warnings = self._checked(snapshot, network, options)
        if options.approved is not None:
            check_approval(plan, options.approved)
        connectivity, notes = self._connectivity(snapshot, network, plan, options)
        warnings += notes
        if options.check or not plan.actions:
            after = simulate(network, plan) if plan.actions else network
            return self._result(plan, after, snapshot, ids_after(network, plan), warnings, connectivity)
        snapshot, network, rest = self._apply(plan, options, open_requests(network, quotas))
        if any((action.op, action.kind) == ("create", "peering_acceptance") for action in plan):
            # A connection tells the other VPC's blocks only once it is active.
            findings, advice = preflight(self._declared, network, self.accounts)
            warnings += [*map(str, findings), *advice]
        return self._result(plan, network, snapshot, rest.ids, [*warnings, *rest.warnings], connectivity)

    def _checked(self, snapshot: Snapshot, network: Network, options: Options) -> tuple[Plan, dict[tuple[str, str], Quotas], list[str]]:
        """The plan, once planning and the preflight have no fault to find; all of their findings at once."""
        faults: list[Finding] = []
        plan = Plan(self.topology.name)
        try:
            plan = self.plan(network, options)
        except PreflightError as error:
            faults += error.findings
        quotas = self._quotas(plan)
        warnings = [*plan.warnings, *network.warnings]
        if not options.absent:
            limits = {place: item.values for place, item in quotas.items()} if quotas else None
            findings, advice = preflight(self._declared, network, self.accounts, limits)
            faults += findings
            warnings += advice
        findings, notes = self._holders(snapshot, network, plan, options)
        faults += findings
        warnings += notes
        if faults:
            raise PreflightError(faults)
        if not (options.absent or options.narrow or options.only) and options.through == "all":
            after, ids = (simulate(network, plan), ids_after(network, plan)) if plan.actions else (network, plan.ids)
            warnings += advise(self.topology, after, ids, self.accounts, {place: item.values for place, item in quotas.items()})
        return plan, quotas, warnings

    def _holders(self, snapshot: Snapshot, network: Network, plan: Plan, options: Options) -> tuple[list[Finding], list[str]]:
        """What of others stands on what the plan removes, and what of that could not be read. Nothing more is read without removals."""
        wanted = [
            Missing(*place, file, tuple(sorted(vpcs)))
            for place, files in sorted(places(network, plan).items())
            for file, vpcs in sorted(files.items())
            if (*place, file) not in network.complete
        ]
        more = read(self.client, wanted)
        full = build(snapshot.merged(more)) if wanted else network
        # The playbooks terminate the instances between the plan that is shown and the one that is applied.
        return holders(self.topology, full, plan, instances_go=options.check), list(more.warnings)

    def _settled(self, options: Options) -> tuple[Snapshot, Network]:
        """Observe; connections of ours that are on their way to another state get the time to arrive, and so does another run that made
        a second thing of one name. So the plan is not about a moment.
        """
        snapshot, network = self.observe()
        pauses = iter(() if options.narrow else GRACE)
        while doubled(network, Ownership(self.topology, network, self.accounts)) and (pause := next(pauses, None)) is not None:
            self.sleep(pause)
            snapshot, network = self.observe()
        moving = [item for item in network.peerings.values() if item.status in TRANSIENT and self._concerns(network, item)]
        if not moving:
            return snapshot, network
        arrived = ("active", "pending-acceptance", "deleted", "rejected", "failed", "expired", "gone")
        for peering in moving:
            self.watcher.wait(peering.account, peering.region, "VpcPeeringConnections", peering.id, arrived, SETTLE_SECONDS)
        return self.observe()

    def _concerns(self, network: Network, peering: Peering) -> bool:
        tags = (peering.tags, *peering.seen.values())
        ours = {vpc.id for vpc in network.vpcs.values() if vpc.topology == self.topology.name}
        ours |= {spec.id for spec in self.topology.vpcs.values() if spec.id}
        return peering.pair <= ours or any(item.get("cloudnet:topology") == self.topology.name for item in tags)

    def _quotas(self, plan: Plan) -> dict[tuple[str, str], Quotas]:
        """The quotas of every (account, Region) in which something is to be added; none are asked for when nothing is."""
        places = sorted({(action.account, action.region) for action in plan if action.op == "create"})
        return {(account, region): read_quotas(self.client, account, region) for account, region in places}

    def _apply(self, plan: Plan, options: Options, room: Mapping[tuple[str, str], int]) -> tuple[Snapshot, Network, Plan]:
        """Apply, then observe and plan again: an applied plan must leave nothing to do."""
        known = self.topology

        def do(plan: Plan) -> Outcome:
            return apply(plan, self.client, self.watcher, open_requests=room, progress=options.progress)

        # A fingerprint stands for the plan that has it; what is left of that is covered too.
        approved = plan.public() if isinstance(options.approved, str) else options.approved
        application = Application(do, lambda: self._look(options), approved, self.sleep)
        try:
            return application.run(plan)
        except ApprovalError:
            if self.topology == known or application.last is None:
                raise
            # What a connection tells only once it is active could not be approved with it.
            snapshot, network, rest = application.last
            return snapshot, network, replace(rest, actions=(), warnings=(*rest.warnings, _more(rest)))

    def _look(self, options: Options) -> tuple[Snapshot, Network, Plan]:
        snapshot, network = self.observe()
        return snapshot, network, self.plan(network, options)

    def _connectivity(self, snapshot: Snapshot, network: Network, plan: Plan, options: Options) -> tuple[Mapping[str, Any], list[str]]:
        """What the plan opens and closes, and the expectations that fail after it, as warnings.

        More than planning needs is read only when there is something to say, and never for modules that are about single objects.
        """
        expects = bool(self.topology.expects) and not options.absent
        if options.narrow or options.only or not (plan.actions or expects):
            return NOTHING, self._exposed(network, plan, options)
        full, notes = self.evident(snapshot, network, plan.ids)
        after = simulate(full, plan) if plan.actions else full
        told = changes(self.topology, full, after, plan.ids, ids_after(full, plan), expects=expects)
        # What is left for a later stage is not there yet: that it fails is then no news; it is shown, and nobody is warned.
        whole = options.through == "all"
        failed = [self._unexpected(row) for row in told["expect"] if whole and not row["ok"]]
        return told, [*notes, *self._exposed(full, plan, options), *failed]

    def _exposed(self, network: Network, plan: Plan, options: Options) -> list[str]:
        """The groups that are open to more than one network after the plan, as warnings."""
        return [] if options.absent else exposed(self.topology, simulate(network, plan), ids_after(network, plan))

    def _unexpected(self, row: Mapping[str, Any]) -> str:
        """An expectation that fails, with its place in the topology."""
        return str(self.topology.finding(row["path"], expect_failure({**row, "path": ""})))

    def evident(self, snapshot: Snapshot, network: Network, ids: Mapping[str, str]) -> tuple[Network, list[str]]:
        """The network with all that decides who of the topology reaches whom, and what of that could not be read."""
        wanted = missing(self.topology, network, ids, self.accounts)
        if not wanted:
            return network, []
        more = read(self.client, wanted)
        return build(snapshot.merged(more)), list(more.warnings)

    def _result(
        self,
        plan: Plan,
        network: Network,
        snapshot: Snapshot,
        ids: Mapping[str, str],
        warnings: list[str],
        connectivity: Mapping[str, Any],
    ) -> Result:
        papers = handoff(self.topology, network, replace(plan, ids=ids), self.accounts, datetime.now(UTC))
        told, calls = tuple(dict.fromkeys(warnings)), dict(self.client.calls)
        return Result(plan, network, snapshot, ids, self.identities, papers, told, calls, connectivity)


def _more(rest: Plan) -> str:
    return f"the connection is active and tells the other VPC's blocks: {len(rest)} more to do, beyond what was approved; run again"


def open_requests(network: Network, quotas: Mapping[tuple[str, str], Quotas]) -> dict[tuple[str, str], int]:
    """How many more peering requests each account may have unaccepted in a Region."""
    waiting = Counter(
        (item.requester.account, item.requester.region)
        for item in network.peerings.values()
        if item.status in ("initiating-request", "pending-acceptance")
    )
    return {place: item["peerings_outstanding"] - waiting[place] for place, item in quotas.items()}
