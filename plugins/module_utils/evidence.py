# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides who reaches whom beyond what planning reads: read in one wave, and only when there is something to say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ._aws.client import Client
from ._aws.observe import FILTER_VALUES, NOT_KNOWN, READS
from ._model.network import Network
from ._model.snapshot import Snapshot, plain, sorted_items
from ._topology.types import Topology, VpcSpec
from ._topology.width import public
from .errors import AwsError, CredentialsError, EndpointUnreachable

#: What is off until somebody turns it on: where an endpoint does not know the call, it is off.
FEATURES = ("SecurityGroupVpcAssociations", "VpcEncryptionControls", "VpcBlockPublicAccessOptions", "VpcBlockPublicAccessExclusions")
#: What every packet meets.
ALWAYS = ("Subnets", "RouteTables", "SecurityGroups", "NetworkAcls", *FEATURES[:2])
#: What one meets on the way to the internet, or to an address.
DOORS = ("InternetGateways", "NatGateways", "EgressOnlyInternetGateways", *FEATURES[2:])
INSTANCES = ("Reservations", "NetworkInterfaces")


@dataclass(frozen=True, order=True)
class Missing:
    """A file that was not read of an account and Region, and the VPCs or prefix lists in question."""

    account: str
    region: str
    file: str
    ids: tuple[str, ...]


def missing(topology: Topology, network: Network, ids: Mapping[str, str], accounts: Mapping[str, str]) -> list[Missing]:
    """What is to be read before anything is said of the topology's ends; nothing for places where none of its VPCs is yet.

    ``ids``: the topology's names to ids of what is there.
    """
    files = {*ALWAYS}
    kinds = {place.kind for item in topology.expects for place in (item.source, item.target)}
    gateways = any(vpc.internet_gateway or vpc.nat_subnets for vpc in topology.vpcs.values())
    if gateways or kinds & {"internet", "cidr"} or _names_outside(topology, network):
        files |= {*DOORS}
    if "cidr" in kinds or any(vpc.instances for vpc in topology.vpcs.values()):
        files |= {*INSTANCES}
    places: dict[tuple[str, str], set[str]] = {}
    for name, vpc in topology.vpcs.items():
        identifier = ids.get(f"vpcs.{name}", "")
        if not vpc.remote and identifier in network.vpcs:
            places.setdefault((accounts[vpc.account], vpc.region), set()).add(identifier)
    found = [
        Missing(*place, file, tuple(sorted(vpcs)))
        for place, vpcs in places.items()
        for file in sorted(files)
        if (*place, file) not in network.complete
    ]
    lists: dict[tuple[str, str], set[str]] = {place: set() for place in places}
    for vpc in topology.vpcs.values():
        if not vpc.remote and (named := _declared_lists(topology, vpc)):
            lists.setdefault((accounts[vpc.account], vpc.region), set()).update(named)
    return [*found, *(item for place, named in lists.items() for item in _prefix_lists(network, *place, named))]


def _declared_lists(topology: Topology, vpc: VpcSpec) -> set[str]:
    """The prefix lists that a VPC's rules and routes name by id: of one's own name the entries are declared."""
    named = {rule.prefix_list for group in vpc.security_groups.values() for rule in (*group.rules, *(group.egress or ()))}
    named |= {route.to for table in vpc.route_tables.values() for route in table.routes}
    named |= {allow.source.name for allow in topology.allows if allow.source.kind == "prefix_list" and allow.target.vpc == vpc.name}
    return {item for item in named if item.startswith("pl-")}


def _names_outside(topology: Topology, network: Network) -> bool:
    """Whether a rule, declared or of ours, lets in or out what comes from the internet, or may: an adopted VPC has gateways of its own."""
    declared = [
        rule for vpc in topology.vpcs.values() for group in vpc.security_groups.values() for rule in (*group.rules, *(group.egress or ()))
    ]
    ours = [rule for rule in network.rules.values() if rule.topology == topology.name]
    sources = [allow.source for allow in topology.allows]
    lists = [rule.prefix_list for rule in declared] + [rule.prefix_list for rule in ours]
    if any(lists) or any(source.kind in ("internet", "prefix_list") for source in sources):
        return True
    blocks = {cidr for rule in declared for cidr in rule.cidrs} | {rule.cidr for rule in ours if rule.cidr}
    blocks |= {source.name for source in sources if source.kind == "cidr"}
    return any(public([block], block.version) for block in map(ipaddress.ip_network, blocks))


def _prefix_lists(network: Network, account: str, region: str, declared: set[str]) -> Iterator[Missing]:
    """The entries of lists that rules and routes name, there or ``declared``; those of AWS's own are told too."""
    rules = (rule for rule in network.rules.values() if (rule.account, rule.region) == (account, region))
    named = declared | {rule.prefix_list for rule in rules if rule.prefix_list}
    for table in network.route_tables.values():
        if (table.account, table.region) == (account, region):
            named |= {route.destination for route in table.routes if route.destination.startswith("pl-")}
    unknown = {item for item in named if item not in network.prefix_lists or network.prefix_lists[item].entries is None}
    if unknown and (account, region, "PrefixLists") not in network.complete:
        if (account, region, "ManagedPrefixLists") not in network.complete:
            yield Missing(account, region, "ManagedPrefixLists", tuple(sorted(unknown)))
        yield Missing(account, region, "PrefixListEntries", tuple(sorted(unknown)))


def read(client: Client, wanted: Iterable[Missing]) -> Snapshot:
    """Read all of it at once. What may not be read is left out, with a warning: it is then unknown what it decides."""
    asked = [(item, action, params) for item in wanted for action, params in _calls(item)]
    files: dict[tuple[str, str, str], list[Any]] = {}
    warnings: dict[str, None] = {}
    failed: set[tuple[str, str, str]] = set()
    unknown_calls: set[tuple[str, str, str]] = set()
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(asked)))) as pool:
        done = [(item, params, pool.submit(client.pages, item.account, item.region, action, **params)) for item, action, params in asked]
    for item, params, future in done:
        place = (item.account, item.region, item.file)
        try:
            answer = plain(future.result())
        except (CredentialsError, EndpointUnreachable):
            raise
        except AwsError as error:
            failed.add(place)
            if error.code in NOT_KNOWN and item.file in FEATURES:
                unknown_calls.add(place)
                continue
            warnings[f"{item.file} was not read, so what it decides is unknown: {error}"] = None
            continue
        if item.file == "PrefixListEntries":
            answer = [{"PrefixListId": params["PrefixListId"], "Entries": answer}]
        files.setdefault(place, []).extend(answer)
    kept = {place: sorted_items(place[2], items) for place, items in files.items() if place not in failed}
    return Snapshot(kept, tuple(warnings), frozenset(failed - unknown_calls))


def _calls(item: Missing) -> Iterator[tuple[str, dict[str, Any]]]:
    if item.file == "PrefixListEntries":
        yield from (("ec2:GetManagedPrefixListEntries", {"PrefixListId": identifier}) for identifier in item.ids)
        return
    known = READS[item.file]
    key = "prefix-list-id" if item.file == "ManagedPrefixLists" else known.vpc
    if not key:
        yield known.action, {}
        return
    for start in range(0, len(item.ids), FILTER_VALUES):
        yield known.action, {known.filters: [{"Name": key, "Values": list(item.ids[start : start + FILTER_VALUES])}]}
