# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From one end to the other: the subnet's route table, then whatever the route points to, until the packet arrives or is lost.

https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
"""

from __future__ import annotations

from .._model.network import Interface, Peering, RouteTable, Subnet
from . import encryption, explain, gateways, transit
from .blocks import HOST_SERVICES, RESERVED, any_holds, holds
from .endpoints import down
from .groups import LOCAL
from .holders import has
from .routing import UNMODELLED, Candidate, Found, behind, lookup, route_text
from .standing import beside_host
from .verdict import Fix, Step
from .walk import ACROSS, OUTSIDE, Translation, Walk

#: More turns than any sound network takes: two transit gateways, an appliance and a NAT gateway are six.
_TURNS = 16


def travel(walk: Walk) -> None:
    """Send the packet from its source to its goal."""
    source = walk.source
    if any_holds(HOST_SERVICES, walk.dst):
        found = beside_host(walk.dst)
        walk.end(found.code, walk.dst, walk.dst, found.why)
        return
    for address, never in ((walk.dst, RESERVED), (walk.src, () if walk.back else (*RESERVED, *HOST_SERVICES))):
        if any_holds(never, address):
            walk.block("NOT_ROUTED", address, address, f"{address} is never routed", explain.other("use another address"))
            return
    if source.kind == "host":
        leave(walk, source.vpc, source.subnet)
    elif walk.back and walk.forward is not None and walk.forward.exit in walk.index.network.endpoints:
        _from_gateway_endpoint(walk)
    elif source.kind == "internet" and walk.aim()[0]:
        arrived(walk, gateways.from_internet(walk))
    else:
        _from_elsewhere(walk)


def _from_elsewhere(walk: Walk) -> None:
    """From where no VPC is, or to where none is."""
    source, goal = walk.source, walk.goal
    if goal.kind == "service":
        fix = explain.other(f"ask from a subnet whose route table the endpoint {goal.endpoint} has")
        walk.block("NO_ROUTE_TO_DESTINATION", goal.endpoint, goal.endpoint, f"only its own VPC's route tables lead to {goal.endpoint}", fix)
    elif source.behind:
        why = f"{source.text} is behind {source.behind}, by the VPC's route tables: what lies there is in no describe call"
        walk.end("UNSUPPORTED_TARGET", source.behind, source.behind, why)
    elif source.kind == "internet" and goal.kind == "internet":
        why = f"{goal.text} is a public address that was not observed: the way between two such is not ours"
        walk.end("UNSUPPORTED_TARGET", goal.text, goal.text, why)
    else:
        lost = goal if source.kind == "internet" else source
        walk.end("UNSUPPORTED_TARGET", lost.text, lost.text, f"{lost.text} is in no VPC that was observed")


def leave(walk: Walk, vpc: str, subnet_id: str) -> None:
    """Out of an interface in a subnet."""
    subnet = walk.index.network.subnets.get(subnet_id)
    if subnet is None:
        name = explain.vpc_name(walk.index.network, vpc)
        if vpc not in walk.index.network.vpcs:
            walk.deliver(vpc)  # says that nothing is known of it
            return
        missing = walk.index.missing("Subnets", walk.index.network.vpcs.get(vpc))
        what = subnet_id or f"the subnet of {walk.src}"
        if missing or subnet_id:
            walk.end("NOT_OBSERVED", subnet_id or vpc, name, f"{what} in {name} was not observed", missing)
        else:
            walk.block(
                "NO_SUCH_SUBNET", vpc, name, f"{walk.src} is in no subnet of {name}", explain.other(f"use an address of a subnet of {name}")
            )
        return
    cidr = subnet.ipv6_cidr if walk.family == 6 else subnet.cidr
    if cidr and holds(cidr, walk.dst):
        # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html: ACLs are not for traffic inside a subnet, nor are tables.
        walk.hop(Step.LOCAL, subnet.id, explain.name(subnet), "same subnet: neither route table nor network ACL has a say")
        if walk.aim()[0] not in ("", vpc):
            _misled(walk, subnet, None, None, f"its own subnet {explain.name(subnet)} holds {walk.dst}")
            return
        arrived(walk, walk.deliver(vpc, subnet.id))
        return
    walk.acl(subnet, egress=True)
    _route(walk, subnet)


def arrived(walk: Walk, undo: Translation | None = None) -> None:
    """At an interface. A NAT gateway sends an answer on to where the question came from."""
    if undo is None:
        return
    walk.hop(Step.NAT_GATEWAY, undo.nat.id, explain.name(undo.nat), f"destination address becomes {undo.inside}")
    walk.dst = undo.inside
    leave(walk, undo.nat.vpc, undo.nat.subnet)


def go_on(walk: Walk, vpc: str) -> None:
    """As if the way that is missing were there: straight to where the packet should get."""
    walk.assumed = True
    there = walk.aim()[0]
    if there:
        if there == vpc:
            walk.join(LOCAL)
        else:
            walk.join(walk.peering_link(walk.index.peering(vpc, there), vpc, there))
        arrived(walk, walk.deliver(there))
    else:
        walk.join(OUTSIDE)
        walk.exit = walk.goal.endpoint


def _route(walk: Walk, subnet: Subnet) -> None:
    walk.turns += 1
    index, table = walk.index, walk.index.table(subnet)
    if walk.turns > _TURNS:
        walk.end("LOOP", subnet.id, explain.name(subnet), f"the packet comes back to {explain.name(subnet)} again and again")
        return
    if table is None:
        missing = index.missing("RouteTables", subnet)
        walk.doubt("NOT_OBSERVED", subnet.id, explain.name(subnet), f"the route table of {explain.name(subnet)} was not observed", missing)
        go_on(walk, subnet.vpc)
        return
    if walk.goal.kind == "service" and (endpoint := index.network.endpoints.get(walk.goal.endpoint)) and table.id in endpoint.tables:
        # Its route is by a prefix list of AWS's, which a plan does not know yet.
        rule = f"{endpoint.service.rpartition('.')[2]} (AWS's prefix list) → {endpoint.id}"
        walk.hop(Step.ROUTE, table.id, explain.name(table), f"{walk.dst} goes to {endpoint.id}", rule)
        gateways.gateway_endpoint(walk, endpoint)
        return
    found = lookup(index, table, walk.dst)
    unread = [route for route in found.unread if not (walk.goal.text == "internet" and route.via == "endpoint")]
    for route in unread:
        name = explain.name(index.network.prefix_lists.get(route.destination), route.destination)
        why = f"the blocks of {name}, by which {explain.name(table)} routes to {route.target}, were not read"
        walk.doubt("NOT_OBSERVED", route.destination, name, why, f"{table.account}/{table.region}/PrefixListEntries.json")
    if found.rivals:
        lists = " and ".join(str(rival) for rival in found.rivals)
        why = f"{explain.name(table)} has {lists}: AWS picks one at random"
        walk.doubt("AMBIGUOUS_PREFIX_LISTS", table.id, explain.name(table), why)
        go_on(walk, subnet.vpc)
    elif found.taken is None:
        if not unread:
            _no_route(walk, subnet, table)
        go_on(walk, subnet.vpc)
    else:
        target = found.taken.route.target or "nothing"
        walk.hop(Step.ROUTE, table.id, explain.name(table), f"{walk.dst} goes to {target}", str(found.taken))
        _follow(walk, subnet, table, found, found.taken)


def _follow(walk: Walk, subnet: Subnet, table: RouteTable, found: Found, taken: Candidate) -> None:
    route, network = taken.route, walk.index.network
    peering = network.peerings.get(route.target) if route.via == "peering" else None
    if route.blackhole:
        gone = route.target or f"the target of {route.destination}, which AWS does not tell,"
        why, fix = f"{gone} is gone or not usable", _right_way(walk, subnet, table)
        if peering is not None and peering.status != "active":
            why, fix = f"{peering.id} is {peering.status}", explain.accept(network, peering)
        walk.block("BAD_STATE_ROUTE", table.id, explain.name(table), f"the route is a blackhole: {why}", fix, str(taken))
        go_on(walk, subnet.vpc)
    elif route.via == "local":
        if walk.aim()[0] not in ("", subnet.vpc):
            _misled(walk, subnet, table, found, f"the local route of {explain.vpc_name(network, subnet.vpc)} takes it")
            return
        walk.hop(Step.LOCAL, subnet.vpc, explain.vpc_name(network, subnet.vpc), "inside the VPC")
        arrived(walk, walk.deliver(subnet.vpc, subnet.id))
    elif route.via == "peering":
        _peering(walk, subnet, table, found, taken, peering)
    elif route.via == "internet":
        if gateways.internet_gateway(walk, subnet, route.target, _right_way(walk, subnet, table)):
            _out_there(walk)
        else:
            go_on(walk, subnet.vpc)
    elif route.via == "egress_only":
        if gateways.egress_only(walk, subnet, route.target):
            _out_there(walk)
        else:
            go_on(walk, subnet.vpc)
    elif route.via == "nat":
        if gateways.nat(walk, subnet, route.target):
            nat = network.nat_gateways[route.target]
            leave(walk, nat.vpc, nat.subnet)
        elif not walk.ended:
            go_on(walk, subnet.vpc)
    elif route.via == "endpoint":
        endpoint = network.endpoints.get(route.target)
        if endpoint is None or endpoint.type != "Gateway":
            what = f"a {endpoint.type} endpoint ({endpoint.service})" if endpoint else "a VPC endpoint that was not observed"
            code = "UNSUPPORTED_TARGET" if endpoint else "NOT_OBSERVED"
            missing = "" if endpoint else walk.index.missing("VpcEndpoints", subnet)
            walk.end(code, route.target, explain.name(endpoint, route.target), f"{route.target} is {what}", missing)
        else:
            gateways.gateway_endpoint(walk, endpoint)
    elif route.via in ("eni", "instance"):
        _appliance(walk, subnet, route.via, route.target)
    elif route.via == "transit_gateway":
        transit.cross(walk, subnet, table, route.target, leave, go_on)
    else:
        what, target = UNMODELLED.get(route.via, "a target that is not known here"), route.target or str(taken)
        if route.via == "vpn":
            walk.restrict(encryption.leaving(walk.index, subnet.vpc, "VirtualPrivateGateway", "a virtual private gateway"), target)
        walk.end("UNSUPPORTED_TARGET", target, target, f"{target} is {what}: what lies behind it is in no describe call")


def _peering(walk: Walk, subnet: Subnet, table: RouteTable, found: Found, taken: Candidate, peering: Peering | None) -> None:
    """https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-limitations: no transit, no edge-to-edge."""
    index, network, vpc = walk.index, walk.index.network, subnet.vpc
    if peering is None:
        missing = index.missing("VpcPeeringConnections", subnet)
        walk.end("NOT_OBSERVED", taken.route.target, taken.route.target, f"{taken.route.target} was not observed", missing)
        return
    other = peering.other(vpc)
    mine, theirs = explain.vpc_name(network, vpc), explain.vpc_name(network, other.vpc)
    name = explain.name(peering)
    walk.hop(Step.PEERING, peering.id, name, f"from {mine} to {theirs}")
    if peering.status != "active":
        walk.block("BAD_STATE", peering.id, name, f"{peering.id} is {peering.status}", explain.accept(network, peering))
    walk.restrict(encryption.peered(index, peering), name)
    if not index.vpc_holds(vpc, walk.src):
        why = f"{walk.src} is no address of {mine}: a peering connection carries only what starts in one of its two VPCs"
        walk.block(
            "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR", peering.id, name, why, explain.other(f"send it from an address of {mine}"), str(taken)
        )
    if not index.cidrs(other.vpc):
        walk.end(
            "NOT_OBSERVED",
            other.vpc,
            other.vpc,
            f"the blocks of {other.vpc} are not known while {peering.id} is {peering.status}",
            "Vpcs.json",
        )
        return
    if not index.vpc_holds(other.vpc, walk.dst):
        walk.block("PCX_REQUIRES_ADDRESS_IN_VPC_CIDR", peering.id, name, _beyond(walk, theirs), _right_way(walk, subnet, table), str(taken))
        go_on(walk, vpc)
        return
    if walk.aim()[0] != other.vpc:
        _misled(walk, subnet, table, found, f"{taken} leads to {theirs}, which holds {walk.dst} too")
        return
    walk.join(walk.peering_link(peering, vpc, other.vpc))
    if peering.requester.region != peering.accepter.region:
        walk.at_most(ACROSS)
    arrived(walk, walk.deliver(other.vpc))


def _beyond(walk: Walk, theirs: str) -> str:
    there = walk.aim()[0]
    beyond = "the internet" if walk.goal.kind == "internet" else explain.vpc_name(walk.index.network, there) if there else "another network"
    kind = "transit" if there else "edge-to-edge"
    return f"{walk.dst} is not in {theirs}: peering has no {kind} routing, so nothing goes through {theirs} to {beyond}"


def _no_route(walk: Walk, subnet: Subnet, table: RouteTable) -> None:
    index, network, vpc = walk.index, walk.index.network, subnet.vpc
    there = walk.aim()[0]
    mine = explain.vpc_name(network, vpc)
    peering = index.peering(vpc, there) if there and there != vpc else None
    if there and there != vpc and (peering is None or not peering.live) and not transit.joined(index, vpc, there):
        _disconnected(walk, vpc, there, peering)
        return
    where = f"{explain.name(table)} ({mine}, subnet {explain.name(subnet)})"
    fix = _right_way(walk, subnet, table)
    walk.block("NO_ROUTE_TO_DESTINATION", table.id, explain.name(table), f"no route to {walk.dst} in {where}", fix)
    if peering is not None and peering.live and peering.status != "active":
        walk.block("BAD_STATE", peering.id, explain.name(peering), f"{peering.id} is {peering.status}", explain.accept(network, peering))


def _disconnected(walk: Walk, vpc: str, there: str, peering: Peering | None) -> None:
    index, network = walk.index, walk.index.network
    names = [explain.vpc_name(network, item) for item in (vpc, there)]
    if missing := index.missing("VpcPeeringConnections", network.vpcs.get(vpc)):
        why = f"whether {names[0]} and {names[1]} are peered was not observed"
        walk.doubt("NOT_OBSERVED", f"{vpc}, {there}", " and ".join(names), why, missing)
        return
    last = f" (the last one, {peering.id}, is {peering.status})" if peering else ""
    pair = ", ".join(sorted((vpc, there)))
    why = f"no peering connection joins {' and '.join(sorted(names))}{last}"
    walk.block("DISCONNECTED_VPCS", pair, " and ".join(sorted(names)), why, explain.peer(network, *sorted((vpc, there))))


def _misled(walk: Walk, subnet: Subnet, table: RouteTable | None, found: Found | None, why: str) -> None:
    """The packet goes to another VPC that has the same block."""
    index, network = walk.index, walk.index.network
    there = walk.aim()[0]
    goal = explain.vpc_name(network, there) if there else walk.goal.text
    peering = index.peering(subnet.vpc, there) if there else None
    taken = str(found.taken) if found and found.taken else ""
    if there and (peering is None or not peering.live):
        _disconnected(walk, subnet.vpc, there, peering)
    else:
        right = [item for item in found.others if peering and item.route.target == peering.id] if found else []
        code = "MORE_SPECIFIC_ROUTE" if right else "NO_ROUTE_TO_DESTINATION"
        mine = explain.vpc_name(network, subnet.vpc)
        fix = _right_way(walk, subnet, table) if table else explain.other(f"{goal} and {mine} overlap: use other addresses")
        beaten = f", and beats {route_text(right[0].route)}" if right else ""
        component = table.id if table else subnet.id
        walk.block(code, component, explain.name(table or subnet), f"{walk.dst} in {goal} is not where it goes: {why}{beaten}", fix, taken)
    go_on(walk, subnet.vpc)


def _right_way(walk: Walk, subnet: Subnet, table: RouteTable) -> Fix:
    """The route that a table should have for this packet."""
    index, network, vpc = walk.index, walk.index.network, subnet.vpc
    there = walk.aim()[0]
    if walk.goal.kind == "service":
        return explain.other(f"add route table {explain.name(table)} to the endpoint {walk.goal.endpoint} (route_tables)")
    if not there:
        if other := walk.goal.behind or behind(index, vpc, subnet.id, walk.dst):
            return explain.other(
                f"route {walk.dst} to {other} in {explain.name(table)}, as other tables of {explain.vpc_name(network, vpc)} do"
            )
        if walk.goal.kind == "internet":
            return explain.public_subnet(network, subnet)
        if several := [item for item in index.all_vpcs if index.vpc_holds(item, walk.dst)]:
            meant = " or ".join(explain.vpc_name(network, item) for item in sorted(several))
            return explain.other(f"route {walk.dst} to the VPC that is meant ({meant}); {walk.dst}@vpc-… asks for one of them")
        return explain.other(f"declare or observe the network that has {walk.dst}, and route there")
    cidr = next((block for block in index.cidrs(there) if holds(block, walk.dst)), f"{walk.dst}/{128 if walk.family == 6 else 32}")
    if there == vpc:
        return explain.route(network, table, cidr, "local", "local")
    peering = index.peering(vpc, there)
    if peering is not None and peering.live:
        taken = {route.destination: route for route in table.routes}
        if cidr in taken:
            cidr = f"{walk.dst}/{128 if walk.family == 6 else 32}"  # the block is taken: a more specific one
        if cidr in taken:
            return explain.other(f"replace {route_text(taken[cidr])} in route table {explain.name(table)} by one via {peering.id}")
        return explain.route(network, table, cidr, "peering", peering.id, peering)
    if gateway := transit.joined(index, vpc, there):
        return explain.route(network, table, cidr, "transit_gateway", gateway)
    return explain.peer(network, vpc, there)


def _out_there(walk: Walk) -> None:
    """On the internet."""
    walk.join(OUTSIDE)
    walk.hop(Step.INTERNET, "", "internet", f"{walk.src} to {walk.dst}")
    if walk.translation() is not None or walk.goal.kind == "host":
        arrived(walk, gateways.from_internet(walk))
    elif walk.goal.kind == "service":
        why = f"the packet goes to {walk.goal.text} over the internet, not through the endpoint"
        fix = explain.other(f"add the subnet's route table to the endpoint {walk.goal.endpoint} (route_tables)")
        walk.block("NO_ROUTE_TO_DESTINATION", walk.goal.endpoint, walk.goal.endpoint, why, fix)
        walk.exit = walk.goal.endpoint


def _from_gateway_endpoint(walk: Walk) -> None:
    """A gateway endpoint answers straight into the subnet that asked."""
    walk.hop(Step.ENDPOINT, walk.forward.exit if walk.forward else "", "", "the service answers")
    walk.join(OUTSIDE)
    arrived(walk, walk.deliver(walk.aim()[0]))


def _stopped(walk: Walk, interface: Interface) -> str:
    """Why an interface passes nothing on, or ''."""
    instance = walk.index.network.instances.get(interface.instance)
    state = down(instance.state) if instance else ""
    return f"{interface.instance} is {state}" if state else "it is attached to nothing" if interface.status == "available" else ""


def _appliance(walk: Walk, subnet: Subnet, via: str, target: str) -> None:
    """An interface as a route's target: its own packets it takes; others it passes on if its source/destination check is off.

    https://docs.aws.amazon.com/vpc/latest/userguide/route-table-options.html#route-tables-appliance-routing
    """
    network = walk.index.network
    interface = network.interfaces.get(target)
    if via == "instance":
        instance = network.instances.get(target)
        interface = next((network.interfaces[id_] for id_ in instance.interfaces if id_ in network.interfaces), None) if instance else None
    if interface is None:
        missing = walk.index.missing("NetworkInterfaces", subnet)
        walk.end("NOT_OBSERVED", target, target, f"{target}, where the route goes, was not observed", missing)
        return
    if has(interface, walk.dst):
        arrived(walk, walk.deliver(interface.vpc, subnet.id))
        return
    name = explain.name(interface)
    if interface.id in walk.crossed:
        walk.end("LOOP", interface.id, name, f"the packet comes to {name} again")
        return
    walk.crossed.append(interface.id)
    if stopped := _stopped(walk, interface):
        walk.block("BAD_STATE", interface.id, name, f"the route leads to {name}: {stopped}", explain.other(f"bring {interface.id} up"))
        go_on(walk, subnet.vpc)
        return
    walk.hop(Step.APPLIANCE, interface.id, name, "passes it on, if it does")
    if interface.source_dest_check:
        why = f"the source/destination check of {name} is on, so it drops what is not addressed to it"
        walk.block(
            "ENI_SOURCE_DEST_CHECK_RESTRICTION",
            interface.id,
            name,
            why,
            explain.other(f"turn the source/destination check of {interface.id} off"),
        )
    gateways.appliance_groups(walk, interface, subnet)
    walk.doubt("APPLIANCE", interface.id, name, f"whether {name} ({interface.instance or 'no instance'}) forwards is its own affair")
    walk.join(OUTSIDE)
    leave(walk, interface.vpc, interface.subnet)
