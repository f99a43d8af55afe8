# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes: CreateRoute, ReplaceRoute and DeleteRoute as AWS documents them.

Sources: the API pages of the three actions; "Route table concepts" and "Example routing options"
(https://docs.aws.amazon.com/vpc/latest/userguide/RouteTables.html), for the local route and routes inside the VPC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..calls import Call, Refusal, instead
from .cidr_rules import Network, check_routable, parse, within
from .emulated import networks4, networks6, subnet_blocks6, subnets_of
from .prefix_lists import AWS_WEIGHTS, find_list
from .route_targets import MIDDLEBOX, TARGETS, Target, find_target
from .shapes import find_vpc, invalid, missing

# The emulator's own class, untyped here; the lab's start says what to install where it is absent.
Route: Any = None
try:
    from moto.ec2.models.route_tables import Route as _Route
except ImportError:
    pass
else:
    Route = _Route

_DESTINATIONS = {"DestinationCidrBlock": 4, "DestinationIpv6CidrBlock": 6, "DestinationPrefixListId": 0}
_MEMBERS = (
    "gateway",
    "instance",
    "nat_gateway",
    "egress_only_igw",
    "transit_gateway",
    "interface",
    "vpc_pcx",
    "carrier_gateway",
    "vpc_endpoint_id",
)


@dataclass(frozen=True)
class Destination:
    """A route's destination: its text as AWS keeps it, the block (none for a prefix list), the prefix list (none for a block)."""

    text: str
    parameter: str
    block: Network | None = None
    prefix_list: Any = None

    def key(self, table: str) -> str:
        """The emulator's key of the route in its table."""
        return f"{table}~{self.text}"


def find_table(call: Call) -> Any:
    """The route table that the call names, or InvalidRouteTableID.NotFound."""
    key = str(call.params.get("RouteTableId") or "")
    if not key:
        raise missing("routeTableId")
    table = call.backend().route_tables.get(key)
    if table is None:
        raise Refusal("InvalidRouteTableID.NotFound", f"The routeTable ID '{key}' does not exist")
    return table


def _one_of(call: Call, names: tuple[str, ...], what: str) -> str:
    given = [name for name in names if call.params.get(name)]
    listed = ", ".join(name[0].lower() + name[1:] for name in names)
    if not given:
        raise Refusal("MissingParameter", f"The request must contain exactly one {what}: one of {listed}.")
    if len(given) > 1:
        raise Refusal("InvalidParameterCombination", f"The request must contain exactly one {what}, and has {' and '.join(given)}.")
    return given[0]


def find_destination(call: Call) -> Destination:
    """The one destination of the call, host bits cleared; MissingParameter, InvalidParameterCombination or InvalidParameterValue."""
    name = _one_of(call, tuple(_DESTINATIONS), "destination")
    text = str(call.params[name])
    if name == "DestinationPrefixListId":
        return Destination(text, name, prefix_list=find_list(call.backend(), text))
    block = parse(text, name[0].lower() + name[1:], _DESTINATIONS[name])
    return Destination(str(block), name, block=block)


def route_is_local(route: Any) -> bool:
    """Whether a route is one that the VPC's own block brought, even while its target is replaced."""
    return bool(route.local or getattr(route, "was_local", False))


def _endpoint_of(route: Any) -> str:
    """The gateway endpoint that manages a route, or ""."""
    key = str(getattr(route.gateway, "id", ""))
    return key if key.startswith("vpce-") else ""


def _check_inside_vpc(call: Call, table: Any, destination: Destination, parameter: str) -> None:
    """A route inside the VPC's blocks matches a whole subnet and goes to a middlebox: NAT gateway, interface or appliance endpoint."""
    block = destination.block
    if block is None:
        return
    backend = call.backend()
    vpc = find_vpc(backend, table.vpc_id)
    own: list[Network] = [*networks4(vpc), *networks6(vpc)]
    if not any(within(block, item) for item in own):
        return
    if parameter not in MIDDLEBOX:
        raise invalid(
            f"The destination CIDR block {block} is equal to or more specific than one of this VPC's CIDR blocks. "
            "This route can target only an interface or an instance."
        )
    if block in own:
        return
    subnets = subnets_of(backend, table.vpc_id)
    known = {str(subnet.cidr) for subnet in subnets if subnet.cidr_block} | {
        six for subnet in subnets for _other, six in subnet_blocks6(subnet)
    }
    if str(block) not in known:
        raise invalid(f"Route destination {block} doesn't match any subnet CIDR blocks.")


def _weight(prefix_list: Any) -> tuple[int, int]:
    """The family of a prefix list and how many entries it counts: its maximum, or the weight of a list of AWS's own."""
    maximum = prefix_list.max_entries or AWS_WEIGHTS.get(str(prefix_list.prefix_list_name).rsplit(".", 1)[-1], 1)
    return (6 if prefix_list.address_family == "IPv6" else 4), int(maximum)


def _weights(table: Any) -> dict[int, int]:
    """How many entries count against the quota, by family: a prefix list counts its maximum entries."""
    counts = {4: 0, 6: 0}
    for route in table._routes.values():
        if route_is_local(route) or _endpoint_of(route):
            continue
        prefix_list = route.destination_prefix_list
        if prefix_list is not None:
            family, more = _weight(prefix_list)
            counts[family] += more
        else:
            counts[6 if route.destination_ipv6_cidr_block else 4] += 1
    return counts


def _check_quota(call: Call, table: Any, destination: Destination) -> None:
    """AWS: "This quota is enforced separately for IPv4 and IPv6 routes" (amazon-vpc-limits.html)."""
    if destination.block is not None:
        family, more = int(destination.block.version), 1
    else:
        family, more = _weight(destination.prefix_list)
    quota = call.lab.quotas["routes_per_table"]
    if _weights(table)[family] + more > quota:
        raise Refusal("RouteLimitExceeded", f"The maximum number of IPv{family} routes has been reached: {table.id} can hold {quota}.")


@instead("ec2", "CreateRoute")
def create_route(call: Call) -> dict[str, Any]:
    """Add a route. A route to a pending peering connection is taken, and is a blackhole until the connection is active."""
    table = find_table(call)
    destination = find_destination(call)
    parameter = _one_of(call, TARGETS, "target")
    if destination.block is not None:
        check_routable(destination.block)
    if destination.key(table.id) in table._routes:
        raise Refusal("RouteAlreadyExists", f"The route identified by {destination.text} already exists.")
    _check_inside_vpc(call, table, destination, parameter)
    target = find_target(call, table, parameter, destination.block)
    _check_quota(call, table, destination)
    block = destination.block
    route = Route(
        table,
        destination.text if block is not None and block.version == 4 else None,
        destination.text if block is not None and block.version == 6 else None,
        destination.prefix_list,
        **{target.member: target.value},
    )
    table._routes[route.id] = route
    return {"Return": True}


def _absent(table: Any, destination: Destination) -> Refusal:
    name = {
        "DestinationCidrBlock": "destination-cidr-block",
        "DestinationIpv6CidrBlock": "destination-ipv6-cidr-block",
        "DestinationPrefixListId": "destination-prefix-list-id",
    }[destination.parameter]
    return Refusal("InvalidRoute.NotFound", f"no route with {name} {destination.text} in route table {table.id}")


def _retarget(route: Any, target: Target | None) -> None:
    for member in _MEMBERS:
        setattr(route, member, None)
    local = route_is_local(route)
    route.local = target is None
    if local:
        route.was_local = True
    if target is not None:
        setattr(route, target.member, target.value)


@instead("ec2", "ReplaceRoute")
def replace_route(call: Call) -> dict[str, Any]:
    """Point an existing route elsewhere; ``LocalTarget`` resets a local route that was pointed at a middlebox.

    For a route that is not there AWS's answer is InvalidParameterValue, not InvalidRoute.NotFound (seen in use; its error page
    does not tell the two apart).
    """
    table = find_table(call)
    destination = find_destination(call)
    names = ("LocalTarget", *TARGETS)
    parameter = _one_of(call, names, "target")
    route = table._routes.get(destination.key(table.id))
    if route is None:
        raise invalid(f"There is no route defined for '{destination.text}' in the route table. Use CreateRoute instead.")
    local = route_is_local(route)
    if parameter == "LocalTarget":
        if not local:
            raise invalid(f"The route {destination.text} in {table.id} is not a local route: it has no default target.")
        _retarget(route, None)
        return {}
    if _endpoint_of(route):
        raise invalid("Cannot create or replace a prefix list route targeting a VPC Endpoint.")
    if local and parameter not in MIDDLEBOX:
        raise invalid(
            f"cannot replace the local route {destination.text} in route table {table.id} with {parameter}: only a NAT gateway, "
            "a network interface or a Gateway Load Balancer endpoint can take its place."
        )
    _check_inside_vpc(call, table, destination, parameter)
    _retarget(route, find_target(call, table, parameter, destination.block))
    return {}


@instead("ec2", "DeleteRoute")
def delete_route(call: Call) -> dict[str, Any]:
    """Remove a route; neither a local one nor one that a gateway endpoint manages."""
    table = find_table(call)
    destination = find_destination(call)
    route = table._routes.get(destination.key(table.id))
    if route is None:
        raise _absent(table, destination)
    if route_is_local(route):
        raise invalid(f"cannot remove local route {destination.text} in route table {table.id}")
    endpoint = _endpoint_of(route)
    if endpoint:
        raise invalid(f"cannot remove VPC endpoint route {endpoint} from route table {table.id}")
    del table._routes[route.id]
    return {}
