# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be read to plan a topology: for each account and Region the kinds in use and the VPCs in question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ._aws.observe import Scope
from ._topology.types import AccountSpec, PeeringSpec, Topology, VpcSpec

#: What belongs to a VPC, or is needed to read what does: a snapshot of some VPCs holds these, whatever is in use.
OF_A_VPC = frozenset({
    "Subnets", "RouteTables", "SecurityGroups", "SecurityGroupRules", "NetworkAcls", "InternetGateways", "EgressOnlyInternetGateways",
    "NatGateways", "Addresses", "VpcEndpoints", "NetworkInterfaces", "Reservations", "ManagedPrefixLists", "FlowLogs",
})  # fmt: skip


def places(profiles: Sequence[str], regions: Sequence[str]) -> Topology:
    """Every Region of every profile, as a topology whose VPCs stand for nothing but where to look."""
    names = list(profiles) or [""]
    accounts = {name: AccountSpec(name, profile=name) for name in names}
    vpcs = {f"{name}/{region}": VpcSpec(region, account=name, region=region, id="any") for name in names for region in regions}
    return Topology("places", accounts=accounts, vpcs=vpcs)


def scopes(topology: Topology, accounts: Mapping[str, str]) -> list[Scope]:
    """One scope for each account and Region that holds a VPC of the topology. ``accounts``: name to 12-digit id."""
    places: dict[tuple[str, str], list[VpcSpec]] = defaultdict(list)
    for vpc in topology.vpcs.values():
        if not vpc.remote:
            places[accounts[vpc.account], vpc.region].append(vpc)
    return [_scope(topology, account, region, vpcs) for (account, region), vpcs in places.items()]


def _scope(topology: Topology, account: str, region: str, vpcs: Iterable[VpcSpec]) -> Scope:
    vpcs = list(vpcs)
    names = {vpc.name for vpc in vpcs}
    peerings = [spec for spec in topology.peerings if {spec.requester, spec.accepter} & names]
    # DNS attributes cost two calls a VPC, so they are read only where they are declared or where peering DNS rests on them.
    dns = {name for spec in peerings if spec.dns for name in (spec.requester, spec.accepter)}
    private = {vpc.name for vpc in vpcs if any(item.private_dns for item in vpc.endpoints.values())}
    watched = [vpc for vpc in vpcs if vpc.dns is not None or vpc.ssm or vpc.name in dns | private]
    return Scope(
        account=account,
        region=region,
        topology=topology.name,
        files=frozenset(file for vpc in vpcs for file in files(topology, vpc, peerings)),
        vpc_ids=tuple(vpc.id for vpc in vpcs if vpc.id),
        lookups=tuple(vpc.lookup for vpc in vpcs if vpc.lookup),
        dns_vpcs=tuple(vpc.id for vpc in watched if vpc.id),
        dns_topology=any(not vpc.id for vpc in watched),
    )


def files(topology: Topology, vpc: VpcSpec, peerings: Iterable[PeeringSpec]) -> set[str]:
    """The files of a snapshot that planning one VPC reads, beside VPCs and connections."""
    found: set[str] = set()
    if vpc.subnets:
        found.add("Subnets")
    if vpc.route_tables or any(spec.tables.get(vpc.name) for spec in peerings):
        found.add("RouteTables")
    if vpc.security_groups:
        found |= {"SecurityGroups", "SecurityGroupRules"}
    elif any(_names_groups(topology.vpcs[name]) for spec in peerings for name in _other(spec, vpc.name)):
        # A rule of the other side that names a group by its id may mean one of this VPC, whose owner the rule must tell.
        found.add("SecurityGroups")
    if vpc.network_acls:
        found.add("NetworkAcls")
    if vpc.internet_gateway:
        found.add("InternetGateways")
    if vpc.egress_only_gateway:
        found.add("EgressOnlyInternetGateways")
    if vpc.nat_subnets:
        found |= {"NatGateways", "Addresses"}
    if vpc.endpoints:
        found.add("VpcEndpoints")
    if vpc.flow_logs:
        found.add("FlowLogs")
    if vpc.instances:
        found.add("Reservations")
    if topology.prefix_lists:
        found.add("ManagedPrefixLists")
    return found


def _other(spec: PeeringSpec, vpc: str) -> tuple[str, ...]:
    """The VPC on the other side of a peering, or none when the peering is between others."""
    return tuple(other for one, other in ((spec.requester, spec.accepter), (spec.accepter, spec.requester)) if one == vpc)


def _names_groups(vpc: VpcSpec) -> bool:
    """Whether a rule of the VPC names a group by its id."""
    rules = (rule for group in vpc.security_groups.values() for rule in (*group.rules, *(group.egress or ())))
    return any(rule.group.startswith("sg-") for rule in rules)
