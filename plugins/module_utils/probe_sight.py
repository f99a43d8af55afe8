# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of probes must know of the accounts before it sends anything: a topology's places, or the instances that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ._aws.client import Client
from ._aws.observe import observe_all
from ._model.build import build
from ._model.snapshot import Snapshot, plain
from ._topology.types import Topology, VpcSpec
from .connectivity import ids_of
from .ends import World
from .errors import CloudnetError
from .estate import Estate
from .modules import check_places, params_of, region_of
from .probe_ways import Seat
from .probe_world import Manner, Wish, filled, words
from .probes import Job


@dataclass(frozen=True)
class Sight:
    """A topology in the network as it is, with the credentials that it was read with."""

    estate: Estate
    world: World
    warnings: tuple[str, ...] = ()

    def ready_for_ssm(self) -> Client:
        """The client, once the endpoint of Systems Manager is known to be where the task may go. Raises CloudnetError."""
        sessions = self.estate.sessions
        for vpc in self.estate.topology.vpcs.values():
            if not vpc.remote:
                sessions.endpoint(vpc.account, "ssm", vpc.region)
        return self.estate.client


def of_topology(module: Any, topology: Topology) -> Sight:
    """A topology's places as they are. Raises CloudnetError."""
    estate = Estate(topology, params_of(module), target=module.params["target"])
    check_places(estate)
    snapshot, network = estate.observe()
    ids = ids_of(topology, network, estate.accounts)
    full, notes = estate.evident(snapshot, network, ids)
    return Sight(estate, World(estate.topology, full, ids), tuple(dict.fromkeys((*topology.warnings, *full.warnings, *notes))))


def live(module: Any, *, whole: bool) -> Sight:
    """The task's own account and Region: its instances alone or, where something is to be predicted, ``whole``. Raises CloudnetError."""
    region = region_of(module)
    if not region:
        raise CloudnetError("no Region given: set region, or AWS_REGION, or one in the profile")
    place = Topology("probe", region, vpcs={"here": VpcSpec("here", region=region, id="any")})
    estate = Estate(place, params_of(module), target=module.params["target"])
    check_places(estate)
    account = estate.accounts[""]
    if whole:
        snapshot = observe_all(estate.client, [(account, region)])
    else:
        found = estate.client.pages(account, region, "ec2:DescribeInstances")
        snapshot = Snapshot({(account, region, "Reservations"): tuple(plain(found))})
    # A topology of nothing: names of it mean nothing here.
    network = build(snapshot)
    return Sight(estate, World(Topology("probe", region), network, {}), network.warnings)


def elsewhere(wishes: Sequence[Wish], manner: Manner) -> list[Job]:
    """Probes from hosts that only ssh knows: nothing is asked of AWS."""
    jobs = []
    for wish in wishes:
        ask = filled(wish.ask, wish.target)
        seat = Seat(wish.source, host=manner.hosts.get(wish.source, wish.source))
        jobs.append(Job(wish.source, wish.target, words(ask), ask, seat, wish.intended, None, None, wish.wanted, wish.path))
    return jobs
