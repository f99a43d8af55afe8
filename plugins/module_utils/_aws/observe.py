# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there, read with as few calls as can be: each account and Region in three waves, all calls of a wave at once.

1. the tags of the topology (which tell the kinds of resource that it has there), the VPCs, the peering connections;
2. for the VPCs in question, every kind that is in use: declared now, or found by its tags;
3. what hangs on the answers: rules by their groups, DNS attributes, entries of prefix lists, and what is ours in other VPCs than expected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from .._model.files import Item, Place, item_id
from .._model.network import NAME_TAG, TOPOLOGY_TAG
from .._model.snapshot import Snapshot, plain, sorted_items
from ..errors import AwsError, CredentialsError, EndpointUnreachable
from .seam import Caller

#: A filter takes this many values. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
FILTER_VALUES = 200
_THREADS = 16
#: How often an observation is begun again at most.
_TURNS = 4


@dataclass(frozen=True)
class Read:
    """How a file is read. ``vpc``: the filter by VPC, or empty when there is none (or it would miss what is detached).

    ``id``: the filter by id.
    """

    action: str
    vpc: str = ""
    id: str = ""
    tag_types: tuple[str, ...] = ()
    filters: str = "Filters"


#: File to the call that reads it, and the resource types under which DescribeTags tells its items.
READS: Mapping[str, Read] = {
    "Vpcs": Read("ec2:DescribeVpcs", id="vpc-id", tag_types=("vpc",)),
    "VpcPeeringConnections": Read(
        "ec2:DescribeVpcPeeringConnections", id="vpc-peering-connection-id", tag_types=("vpc-peering-connection",)
    ),
    "Subnets": Read("ec2:DescribeSubnets", "vpc-id", "subnet-id", ("subnet",)),
    "RouteTables": Read("ec2:DescribeRouteTables", "vpc-id", "route-table-id", ("route-table",)),
    "SecurityGroups": Read("ec2:DescribeSecurityGroups", "vpc-id", "group-id", ("security-group",)),
    "SecurityGroupRules": Read("ec2:DescribeSecurityGroupRules", id="security-group-rule-id", tag_types=("security-group-rule",)),
    "NetworkAcls": Read("ec2:DescribeNetworkAcls", "vpc-id", "network-acl-id", ("network-acl",)),
    "InternetGateways": Read("ec2:DescribeInternetGateways", id="internet-gateway-id", tag_types=("internet-gateway",)),
    "EgressOnlyInternetGateways": Read("ec2:DescribeEgressOnlyInternetGateways", tag_types=("egress-only-internet-gateway",)),
    "NatGateways": Read("ec2:DescribeNatGateways", "vpc-id", "nat-gateway-id", ("natgateway", "nat-gateway"), "Filter"),
    "Addresses": Read("ec2:DescribeAddresses", id="allocation-id", tag_types=("elastic-ip",)),
    "VpcEndpoints": Read("ec2:DescribeVpcEndpoints", "vpc-id", "vpc-endpoint-id", ("vpc-endpoint",)),
    "NetworkInterfaces": Read("ec2:DescribeNetworkInterfaces", "vpc-id", "network-interface-id"),
    "Reservations": Read("ec2:DescribeInstances", "vpc-id", "instance-id", ("instance",)),
    "ManagedPrefixLists": Read("ec2:DescribeManagedPrefixLists", id="prefix-list-id", tag_types=("prefix-list",)),
    "FlowLogs": Read("ec2:DescribeFlowLogs", id="flow-log-id", tag_types=("vpc-flow-log",), filters="Filter"),
    "SecurityGroupVpcAssociations": Read("ec2:DescribeSecurityGroupVpcAssociations", "vpc-id"),
    "VpcBlockPublicAccessOptions": Read("ec2:DescribeVpcBlockPublicAccessOptions", filters=""),
    "VpcBlockPublicAccessExclusions": Read("ec2:DescribeVpcBlockPublicAccessExclusions"),
    "VpcEncryptionControls": Read("ec2:DescribeVpcEncryptionControls"),
    "PrefixLists": Read("ec2:DescribePrefixLists", id="prefix-list-id"),
    "TransitGateways": Read("ec2:DescribeTransitGateways"),
    "TransitGatewayAttachments": Read("ec2:DescribeTransitGatewayAttachments"),
    "TransitGatewayVpcAttachments": Read("ec2:DescribeTransitGatewayVpcAttachments", "vpc-id"),
    "TransitGatewayRouteTables": Read("ec2:DescribeTransitGatewayRouteTables"),
    "VpnGateways": Read("ec2:DescribeVpnGateways"),
    "VpnConnections": Read("ec2:DescribeVpnConnections"),
    "CustomerGateways": Read("ec2:DescribeCustomerGateways"),
    "DhcpOptions": Read("ec2:DescribeDhcpOptions"),
    "AvailabilityZones": Read("ec2:DescribeAvailabilityZones"),
}
#: Codes of an endpoint that does not know a call at all: there, what it would tell cannot be in use.
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
NOT_KNOWN = ("InvalidAction", "UnknownOperation", "UnsupportedOperation")
#: Read in the first wave, unfiltered: they decide what else is read, and quotas are counted on them.
_FIRST = ("Vpcs", "VpcPeeringConnections")
#: Other files that observe_all makes out of calls per item.
_EVERY = (*READS, "VpcAttributes", "SecurityGroupRules", "PrefixListEntries", "TransitGatewayStaticRoutes", "TransitGatewayPropagations")
#: Services that an account, a Region or an endpoint may not have; observe_all goes on without them.
_OPTIONAL = frozenset({*_EVERY} - {*_FIRST, "Subnets", "RouteTables", "SecurityGroups", "NetworkAcls", "NetworkInterfaces"})


@dataclass(frozen=True)
class Scope:
    """What is wanted of one account and Region.

    ``files``: the kinds in use, as files of the snapshot (READS); Vpcs and VpcPeeringConnections come always.
    ``topology``: whose tags to look for.
    ``vpc_ids``, ``lookups``: the VPCs in question are those named, those whose tags hold all of one lookup, those that carry the
    topology's tag, and those that its peering connections join; all of the Region's when ``vpc_ids`` is None.
    ``dns_vpcs``: VPCs whose DNS attributes matter (two calls each); ``dns_topology`` adds every VPC in question.
    ``prefix_lists``: lists whose entries matter besides the topology's own.
    """

    account: str
    region: str
    topology: str = ""
    files: frozenset[str] = frozenset()
    vpc_ids: tuple[str, ...] | None = ()
    lookups: tuple[Mapping[str, str], ...] = ()
    dns_vpcs: tuple[str, ...] = ()
    dns_topology: bool = False
    prefix_lists: tuple[str, ...] = ()


def observe(api: Caller, scopes: Iterable[Scope]) -> Snapshot:
    """Read every scope, all at once. Raises the first AwsError.

    What was listed and is gone when more is asked of it was removed by somebody in between: then all is read once more.
    """
    listed = list(scopes)
    for _turn in range(_TURNS):
        try:
            return _run(api, [_Observation(scope, everything=False) for scope in listed])
        except AwsError as error:
            if not error.not_found:
                raise
    return _run(api, [_Observation(scope, everything=False) for scope in listed])


def observe_all(api: Caller, places: Iterable[tuple[str, str]]) -> Snapshot:
    """Everything that a snapshot can hold, of every (account, Region).

    What cannot be read (not allowed, not there) is a warning, unless nothing works without it.
    """
    wanted = [Scope(account, region, files=frozenset(_EVERY), vpc_ids=None, dns_topology=True) for account, region in places]
    return _run(api, [_Observation(scope, everything=True) for scope in wanted])


def _run(api: Caller, observations: Sequence[_Observation]) -> Snapshot:
    if not observations:
        return Snapshot()
    with ThreadPoolExecutor(max_workers=_THREADS) as calls, ThreadPoolExecutor(max_workers=min(16, len(observations))) as pool:
        done = [pool.submit(observation.run, api, calls) for observation in observations]
        try:
            snapshots = [future.result() for future in done]
        except BaseException:
            calls.shutdown(wait=False, cancel_futures=True)
            raise
    return snapshots[0].merged(*snapshots[1:])


class _Observation:
    """One account and Region. ``found``: file to its items by id."""

    def __init__(self, scope: Scope, *, everything: bool) -> None:
        self.scope = scope
        self.everything = everything
        self.found: dict[str, dict[str, Item]] = {}
        self.tagged: dict[str, set[str]] = {}
        self.warnings: list[str] = []
        self.untold: set[str] = set()

    def run(self, api: Caller, calls: ThreadPoolExecutor) -> Snapshot:
        self.api, self.calls = api, calls
        self._first()
        vpcs = self._vpcs()
        files = self._files()
        self._second(files, vpcs)
        self._third(files, vpcs)
        if not self.everything:
            self._strays(files)
        kept: dict[Place, tuple[Item, ...]] = {
            (self.scope.account, self.scope.region, file): sorted_items(file, items.values()) for file, items in self.found.items()
        }
        untold = frozenset((self.scope.account, self.scope.region, file) for file in self.untold)
        return Snapshot(kept, tuple(self.warnings), untold)

    def _first(self) -> None:
        tags = None
        if self.scope.topology:
            filters = [{"Name": "key", "Values": [TOPOLOGY_TAG]}, {"Name": "value", "Values": [self.scope.topology]}]
            tags = self._ask("ec2:DescribeTags", Filters=filters)
        asked = [(file, self._ask(READS[file].action)) for file in _FIRST]
        for file, future in asked:
            self._keep(file, future.result())
        by_type = {kind: file for file, read in READS.items() for kind in read.tag_types}
        for tag in tags.result() if tags else ():
            told = by_type.get(str(tag.get("ResourceType")))
            if told:
                self.tagged.setdefault(told, set()).add(str(tag["ResourceId"]))

    def _vpcs(self) -> tuple[str, ...] | None:
        """The VPCs in question, or None for all of the Region's."""
        if self.scope.vpc_ids is None:
            return None
        wanted = {*self.scope.vpc_ids, *self.scope.dns_vpcs, *self.tagged.get("Vpcs", ())}
        for vpc in self.found["Vpcs"].values():
            tags = {tag["Key"]: tag.get("Value", "") for tag in vpc.get("Tags") or ()}
            if any(lookup and lookup.items() <= tags.items() for lookup in self.scope.lookups):
                wanted.add(vpc["VpcId"])
        for id_ in self.tagged.get("VpcPeeringConnections", ()):
            peering = self.found["VpcPeeringConnections"].get(id_, {})
            wanted |= {str((peering.get(side) or {}).get("VpcId") or "") for side in ("RequesterVpcInfo", "AccepterVpcInfo")}
        here = self.found["Vpcs"].keys()
        chosen = tuple(sorted(wanted & here))
        return None if chosen and len(chosen) == len(here) else chosen

    def _files(self) -> frozenset[str]:
        found = {file for file, ids in self.tagged.items() if ids}
        files = {*self.scope.files, *found} - set(_FIRST)
        if "SecurityGroupRules" in files:
            files.add("SecurityGroups")
        if self._doubled():
            files.add("NetworkInterfaces")
        return frozenset(files)

    def _doubled(self) -> bool:
        """Whether two VPCs carry one name of the topology: which of them is in use must then be known."""
        tagged = [self.found["Vpcs"][id_] for id_ in self.tagged.get("Vpcs", ()) if id_ in self.found["Vpcs"]]
        names = [tag.get("Value") for vpc in tagged for tag in vpc.get("Tags") or () if tag.get("Key") == NAME_TAG]
        return len(set(names)) < len(names)

    def _second(self, files: frozenset[str], vpcs: tuple[str, ...] | None) -> None:
        asked: list[tuple[str, Future[list[dict[str, Any]]]]] = []
        for file, read in READS.items():
            if file not in files or (file == "SecurityGroupRules" and vpcs is not None):
                continue  # rules cannot be filtered by VPC: they wait for the groups, unless all are wanted
            if vpcs == () and read.vpc:
                self._keep(file, [])
                continue
            narrowed = vpcs if read.vpc else None
            for params in _narrow(read, read.vpc, narrowed, len(self.found["Vpcs"])):
                asked.append((file, self._ask(read.action, **params)))
        for file, future in asked:
            self._gather(file, future)

    def _third(self, files: frozenset[str], vpcs: tuple[str, ...] | None) -> None:
        asked: list[tuple[str, Future[list[dict[str, Any]]], Callable[[list[dict[str, Any]]], list[Any]]]] = []
        if "SecurityGroupRules" in files and vpcs is not None:
            groups = tuple(self.found.get("SecurityGroups", {}))
            if not groups:
                self._keep("SecurityGroupRules", [])
            for params in _narrow(READS["SecurityGroupRules"], "group-id", groups, 0) if groups else ():
                asked.append(("SecurityGroupRules", self._ask(READS["SecurityGroupRules"].action, **params), list))
        for id_ in self._entry_lists(files):
            asked.append(
                (
                    "PrefixListEntries",
                    self._ask("ec2:GetManagedPrefixListEntries", PrefixListId=id_),
                    _wrapped("PrefixListId", id_, "Entries"),
                )
            )
        if self.everything:
            for id_ in self.found.get("TransitGatewayRouteTables", {}):
                table = {"TransitGatewayRouteTableId": id_}
                static = self._ask("ec2:SearchTransitGatewayRoutes", **table, Filters=[{"Name": "type", "Values": ["static"]}])
                asked.append(("TransitGatewayStaticRoutes", static, _wrapped(*next(iter(table.items())), "Routes")))
                told = self._ask("ec2:GetTransitGatewayRouteTablePropagations", **table)
                wrap = _wrapped(*next(iter(table.items())), "TransitGatewayRouteTablePropagations")
                asked.append(("TransitGatewayPropagations", told, wrap))
        attributes = [
            (vpc, key, self.calls.submit(self._attribute, vpc, key))
            for vpc in self._dns_vpcs(vpcs)
            for key in ("enableDnsSupport", "enableDnsHostnames")
        ]
        for file, future, shape in asked:
            self._gather(file, future, shape)
        merged: dict[str, dict[str, Any]] = {}
        for vpc, _other, answer in attributes:
            try:
                merged.setdefault(vpc, {}).update(answer.result())
            except AwsError as error:
                if not error.not_found:
                    raise
                # Removed since it was listed.
                self.found["Vpcs"].pop(vpc, None)
        if attributes:
            self._keep("VpcAttributes", [item for vpc, item in merged.items() if vpc in self.found["Vpcs"]])

    def _entry_lists(self, files: frozenset[str]) -> list[str]:
        """Prefix lists whose entries are read: the topology's, those that are asked for, and with everything all there are."""
        if "ManagedPrefixLists" not in files:
            return sorted(self.scope.prefix_lists)
        known = self.found.get("ManagedPrefixLists", {})
        if not self.everything:
            known = {
                id_: item
                for id_, item in known.items()
                if id_ in self.tagged.get("ManagedPrefixLists", ()) or id_ in self.scope.prefix_lists
            }
        return sorted(id_ for id_, item in known.items() if item.get("State") not in ("create-failed", "delete-complete"))

    def _dns_vpcs(self, vpcs: tuple[str, ...] | None) -> list[str]:
        here = self.found["Vpcs"]
        wanted = set(self.scope.dns_vpcs)
        if self.scope.dns_topology:
            wanted |= set(here if vpcs is None else vpcs)
        return sorted(wanted & here.keys())

    def _attribute(self, vpc: str, key: str) -> dict[str, Any]:
        answer = self.api.call(self.scope.account, self.scope.region, "ec2:DescribeVpcAttribute", VpcId=vpc, Attribute=key)
        return {name: value for name, value in answer.items() if name in ("VpcId", "EnableDnsSupport", "EnableDnsHostnames")} | {
            "VpcId": vpc
        }

    def _strays(self, files: frozenset[str]) -> None:
        """What carries our tag, but in a VPC that is not in question any more: it must be seen to be removed. Usually there is none.

        Asked for by filter, not by id: a tag outlives its resource for a while, and a filter then finds nothing instead of failing.
        """
        rules = self._fetch("SecurityGroupRules", self._missing("SecurityGroupRules"))
        groups = self._missing("SecurityGroups") | {str(rule["GroupId"]) for rule in rules} - self.found.get("SecurityGroups", {}).keys()
        self._fetch("SecurityGroups", groups)
        for file in sorted(files - {"SecurityGroups", "SecurityGroupRules"}):
            if READS.get(file, Read("")).vpc:
                self._fetch(file, self._missing(file))

    def _missing(self, file: str) -> set[str]:
        return self.tagged.get(file, set()) - self.found.get(file, {}).keys()

    def _fetch(self, file: str, ids: set[str]) -> list[dict[str, Any]]:
        read = READS[file]
        if not ids or not read.id:
            return []
        asked = [self._ask(read.action, **params) for params in _narrow(read, read.id, tuple(sorted(ids)), 0)]
        items = [item for future in asked for item in future.result()]
        self._keep(file, items)
        return items

    def _ask(self, action: str, **params: Any) -> Future[list[dict[str, Any]]]:
        return self.calls.submit(self.api.pages, self.scope.account, self.scope.region, action, **params)

    def _gather(
        self,
        file: str,
        future: Future[list[dict[str, Any]]],
        shape: Callable[[list[dict[str, Any]]], list[Any]] = list,
    ) -> None:
        try:
            self._keep(file, shape(future.result()))
        except (CredentialsError, EndpointUnreachable):
            raise
        except AwsError as error:
            if not self.everything or file not in _OPTIONAL:
                raise
            self.warnings.append(f"{file} left out: {error}")
            if error.code not in NOT_KNOWN:
                self.untold.add(file)
            self.found.pop(file, None)

    def _keep(self, file: str, items: Iterable[Any]) -> None:
        known = self.found.setdefault(file, {})
        for item in plain(list(items)):
            known[item_id(file, item)] = item


def _narrow(read: Read, name: str, values: tuple[str, ...] | None, of: int) -> Iterator[dict[str, Any]]:
    """Parameters of the calls that read ``values``, filtered when that is fewer calls than reading all.

    ``of``: how many there are in all, 0 when that is not known.
    """
    if values is None or not name or (of and len(values) > FILTER_VALUES and len(values) * 2 > of):
        yield {}
        return
    for start in range(0, len(values), FILTER_VALUES):
        yield {read.filters: [{"Name": name, "Values": list(values[start : start + FILTER_VALUES])}]}


def _wrapped(key: str, id_: str, name: str) -> Callable[[list[dict[str, Any]]], list[Any]]:
    return lambda items: [{key: id_, name: items}]
