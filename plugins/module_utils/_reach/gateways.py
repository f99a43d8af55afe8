# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways out of a VPC and into it: internet, egress-only and NAT gateways, gateway endpoints, and the groups of an interface on the way."""

from __future__ import annotations

from .._model.network import Endpoint, Interface, NatGateway, Subnet
from . import encryption, explain
from . import public_access as bpa
from .blocks import private
from .endpoints import End, nat_address
from .groups import ALL, SOME, UNSURE, Peer, gate
from .routing import behind, lookup
from .traffic import ICMP
from .verdict import Fix, Step
from .walk import ACROSS, INTERNET_MTU, OUTSIDE, Translation, Walk


def internet_gateway(walk: Walk, subnet: Subnet, target: str, way: Fix) -> bool:
    """Out by an internet gateway; whether the packet gets there at all. ``way``: the change if it should not have come here.

    https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
    """
    network = walk.index.network
    gateway = network.internet_gateways.get(target)
    name = explain.name(gateway, target)
    walk.hop(Step.INTERNET_GATEWAY, target, name, "out to the internet")
    walk.at_most(INTERNET_MTU)
    if gateway is not None and gateway.vpc != subnet.vpc:
        walk.block(
            "BAD_STATE_ATTACHMENT",
            target,
            name,
            f"{target} is not attached to {subnet.vpc}",
            explain.other(f"attach {target} to {subnet.vpc}"),
        )
    through_nat = bool(walk.translations) and walk.src == walk.translations[-1].private and not walk.back
    public_access(walk, subnet, through_nat, egress_only=False)
    walk.restrict(encryption.leaving(walk.index, subnet.vpc, "InternetGateway", "an internet gateway"), name)
    if rfc := private(walk.dst):
        why = f"{walk.dst} is a private address ({rfc}), which no internet gateway carries"
        walk.block(f"IGW_DESTINATION_ADDRESS_NOT_IN_{rfc}_EGRESS", target, name, why, way)
        return False
    if walk.family == 6:
        return True
    public = walk.public_src if through_nat else walk.source.public if walk.src == walk.source.ipv4 else ""
    if not public and (unread := _public_unread(walk, walk.source)):
        walk.doubt("NOT_OBSERVED", *unread, astray=False)
        public, walk.unknown_src = walk.index.some_public[4], unread[0]
        walk.public_src = public
    elif not public:
        what = explain.name(subnet)
        why = f"{walk.src} has no public address, without which an internet gateway drops"
        fix = explain.other(f"give it an elastic IP address, or put subnet {what} behind a NAT gateway (nat: a public subnet)")
        walk.block("IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", target, name, why, fix)
        public = walk.index.some_public[4]
    walk.src = public
    return True


def egress_only(walk: Walk, subnet: Subnet, target: str) -> bool:
    """Out by an egress-only internet gateway, which is for IPv6 and lets nothing in that was not asked for.

    https://docs.aws.amazon.com/vpc/latest/userguide/egress-only-internet-gateway.html
    """
    name = explain.name(walk.index.network.egress_only_gateways.get(target), target)
    walk.hop(Step.EGRESS_ONLY_GATEWAY, target, name, "out to the internet")
    if walk.back and walk.asked.protocol in ("tcp", *ICMP):
        _unasked(walk, target, name, "an egress-only internet gateway")
        return False
    if walk.back:
        # An answer by UDP looks like a question to whoever did not see the question.
        why = f"the answer to {walk.dst} goes to an egress-only internet gateway, which never saw the question"
        walk.end("ONE_SIDED", target, name, why)
        return False
    public_access(walk, subnet, False, egress_only=True)
    walk.restrict(encryption.leaving(walk.index, subnet.vpc, "EgressOnlyInternetGateway", "an egress-only internet gateway"), name)
    if rfc := private(walk.dst):
        way = explain.other(f"{walk.dst} is private: it needs a route of its own")
        walk.block(f"IGW_DESTINATION_ADDRESS_NOT_IN_{rfc}_EGRESS", target, name, f"{walk.dst} is a private address ({rfc})", way)
        return False
    walk.at_most(INTERNET_MTU)
    walk.exit = target
    return True


def _unasked(walk: Walk, target: str, name: str, what: str) -> None:
    why = f"the answer to {walk.dst} goes to {what}, which never saw the question"
    walk.block("ASYMMETRIC_NAT", target, name, why, explain.other(f"route {walk.dst} back the way it came, not via {target}"))


def nat(walk: Walk, subnet: Subnet, target: str) -> bool:
    """Into a NAT gateway; whether it sends the packet on, from its own subnet.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html: TCP, UDP and ICMP; no security group, but its subnet's ACL.
    """
    found = walk.index.network.nat_gateways.get(target)
    if found is None:
        walk.end("NOT_OBSERVED", target, target, f"{target} was not observed", walk.index.missing("NatGateways", subnet))
        return False
    name = explain.name(found)
    if walk.back:
        walk.hop(Step.NAT_GATEWAY, target, name)
        _unasked(walk, target, name, "a NAT gateway")
        return False
    if walk.family == 6 or not found.subnet:
        what = "NAT64" if walk.family == 6 else "a regional NAT gateway"
        walk.end("UNSUPPORTED_TARGET", target, name, f"{target} would do {what}, which is not modelled")
        return False
    if found.subnet != subnet.id and (there := walk.index.network.subnets.get(found.subnet)):
        walk.acl(there, egress=False)
    _ready(walk, found)
    if walk.asked.protocol == "-1":
        walk.doubt("PARTIAL", target, name, f"{name} passes TCP, UDP and ICMP alone")
    elif walk.asked.protocol not in ("tcp", "udp", "icmp"):
        why = f"a NAT gateway passes TCP, UDP and ICMP, not {walk.asked}"
        walk.block("PROTOCOL_RESTRICTION", target, name, why, explain.other("use a public address and an internet gateway"))
    address = nat_address(walk.index, found)
    if not address:
        walk.end("NOT_OBSERVED", target, name, f"the subnet of {target} was not observed", walk.index.missing("Subnets", subnet))
        return False
    walk.restrict(encryption.leaving(walk.index, found.vpc, "NatGateway", "a NAT gateway"), name)
    public, outside = "", ""
    if found.connectivity == "public":
        public = next(iter(found.public_ips), "") or walk.index.some_public[4]
        outside = f", outside {public}" if found.public_ips else ", outside a public address that was not observed"
        walk.unknown_src = "" if found.public_ips else found.id
    walk.translations.append(Translation(found, walk.src, address, public))
    walk.src, walk.public_src = address, public
    walk.join(OUTSIDE)
    walk.hop(Step.NAT_GATEWAY, target, name, f"source address becomes {address}{outside}; ports 1024-65535")
    return True


def _ready(walk: Walk, found: NatGateway) -> None:
    """A NAT gateway that is pending "is not ready to process traffic"; one that is being deleted "may still be processing traffic".

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html (state)
    """
    name, why = explain.name(found), f"{found.id} is {found.state}"
    if found.state == "deleting":
        walk.doubt("IN_TRANSITION", found.id, name, why, astray=False)
    elif found.state != "available":
        fix = f"wait until {found.id} is available" if found.state == "pending" else f"replace {found.id}"
        walk.block("BAD_STATE", found.id, name, why, explain.other(fix))


def from_internet(walk: Walk) -> Translation | None:
    """In by the internet gateway of the VPC that has the public address. Returns the translation to undo at a NAT gateway."""
    index, network = walk.index, walk.index.network
    undo = walk.translation()
    vpc, subnet_id = walk.aim()
    walk.join(OUTSIDE)
    walk.at_most(INTERNET_MTU)
    name = explain.vpc_name(network, vpc)
    if vpc not in network.vpcs:
        walk.deliver(vpc)
        return None
    subnet = network.subnets.get(subnet_id)
    left_by = walk.forward.exit if walk.forward else ""
    if left_by in network.egress_only_gateways:
        walk.hop(Step.EGRESS_ONLY_GATEWAY, left_by, explain.name(network.egress_only_gateways[left_by]), "in from the internet")
        return walk.deliver(vpc)
    gateway = index.gateways_of.get(vpc)
    if gateway is None:
        if missing := index.missing("InternetGateways", network.vpcs[vpc]):
            walk.doubt("NOT_OBSERVED", vpc, name, f"whether {name} has an internet gateway was not observed", missing)
        else:
            other = behind(index, vpc, subnet_id, walk.src)
            fix = explain.public_subnet(network, subnet) if subnet else explain.other(f"attach an internet gateway to {name}")
            if other:
                fix = explain.other(f"let it in where {other} leads, to which {name} sends what is not its own")
            walk.block("NO_INTERNET_GATEWAY", vpc, name, f"{name} has no internet gateway, so nothing comes in from the internet", fix)
    else:
        walk.hop(Step.INTERNET_GATEWAY, gateway.id, explain.name(gateway), "in from the internet")
    if subnet is not None:
        public_access(walk, subnet, undo is not None, egress_only=False)
    walk.restrict(encryption.leaving(index, vpc, "InternetGateway", "an internet gateway"), name)
    if undo is not None:
        return walk.deliver(vpc)
    if walk.family == 6 and (there := network.interfaces.get(walk.goal.interface)) is not None and there.deny_igw:
        why = f"{explain.name(there)} takes nothing in from an internet gateway (DenyAllIgwTraffic)"
        fix = explain.other(f"give {there.id} an address of a pool that the internet may reach")
        walk.block("IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS", there.id, explain.name(there), why, fix)
    if walk.family == 4 and walk.goal.ipv4:
        if not walk.goal.public and (unread := _public_unread(walk, walk.goal)):
            walk.doubt("NOT_OBSERVED", *unread, astray=False)
        elif not walk.goal.public:
            component = gateway.id if gateway else vpc
            why = f"{walk.goal.ipv4} has no public address, so nothing on the internet can be addressed to it"
            fix = explain.other("give it an elastic IP address, or ask from inside its network")
            walk.block("IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS", component, explain.name(gateway, component), why, fix)
        walk.dst = walk.goal.ipv4
    if gateway is not None and not _edge(walk, gateway.id):
        return None
    return walk.deliver(vpc)


def _public_unread(walk: Walk, end: End) -> tuple[str, str, str, str] | None:
    """What is to be said where an end may have a public address: its interface, which would tell, was not read."""
    vpc = walk.index.network.vpcs.get(end.vpc)
    missing = walk.index.missing("NetworkInterfaces", vpc)
    if end.standin or not end.instance or not missing:
        return None
    why = f"whether {end.instance} has a public address was not observed: its interface was not read"
    return end.instance, explain.end_name(walk.index, end), why, missing


def _edge(walk: Walk, gateway: str) -> bool:
    """A table of the gateway's own may send what comes in to an appliance first.

    https://docs.aws.amazon.com/vpc/latest/userguide/gateway-route-tables.html
    """
    table = walk.index.gateway_tables.get(gateway)
    found = lookup(walk.index, table, walk.dst).taken if table else None
    if table is None or found is None or found.route.via == "local" or found.route.target == walk.goal.interface:
        return True
    walk.hop(Step.ROUTE, table.id, explain.name(table), f"{walk.dst} goes to {found.route.target}", str(found))
    why = f"{found.route.target} stands between the internet gateway and {walk.dst}; whether it passes the packet on is its own affair"
    walk.end("APPLIANCE", found.route.target, found.route.target, why)
    return False


def public_access(walk: Walk, subnet: Subnet, through_nat: bool, *, egress_only: bool) -> None:
    """Block Public Access stands before internet and egress-only gateways.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_BlockPublicAccessStates.html: ``block-ingress`` still lets NAT and
    egress-only gateways work, for they only let connections out.
    """
    found = bpa.mode(walk.index, subnet)
    blocks = found.mode == bpa.BOTH_WAYS or (found.mode == bpa.INGRESS and not through_nat and not egress_only)
    name = explain.vpc_name(walk.index.network, subnet.vpc)
    if found.why:
        walk.doubt(
            "NOT_OBSERVED" if found.missing else "IN_TRANSITION", subnet.id, explain.name(subnet), found.why, found.missing, astray=False
        )
    elif blocks:
        why = f"VPC Block Public Access is {found.mode} for subnet {explain.name(subnet)} of {name}"
        fix = explain.other(f"exclude {subnet.vpc} from VPC Block Public Access, or turn it off for {subnet.region}")
        walk.block("VPC_BLOCK_PUBLIC_ACCESS_ENABLED", subnet.vpc, name, why, fix)


def gateway_endpoint(walk: Walk, endpoint: Endpoint) -> None:
    """Out by a gateway endpoint, to the service itself.

    https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html, vpc-limits-endpoints.html (MTU)
    """
    name = explain.name(endpoint)
    walk.hop(Step.ENDPOINT, endpoint.id, name, f"to {endpoint.service}")
    walk.at_most(ACROSS)
    walk.join(OUTSIDE)
    walk.exit = endpoint.id
    if endpoint.state not in ("available", "pending"):
        walk.block("BAD_STATE", endpoint.id, name, f"{endpoint.id} is {endpoint.state}", explain.other(f"replace {endpoint.id}"))
    if walk.asked.protocol not in ("tcp", *ICMP):
        why = f"a gateway endpoint takes TCP and ICMP echo, not {walk.asked}"
        walk.block("VPCE_GATEWAY_PROTOCOL_RESTRICTION", endpoint.id, name, why, explain.other("use TCP"))
    if walk.goal.kind == "service" and walk.goal.endpoint != endpoint.id:
        fix = explain.other(f"add the subnet's route table to the endpoint {walk.goal.endpoint} (route_tables)")
        walk.block("NO_ROUTE_TO_DESTINATION", endpoint.id, name, f"the packet goes to {endpoint.id}, not {walk.goal.endpoint}", fix)


def appliance_groups(walk: Walk, interface: Interface, subnet: Subnet) -> None:
    """The ACL and groups on the way into an appliance and out of it again. Its answers are tracked where the questions passed."""
    there = walk.index.network.subnets.get(interface.subnet)
    if there is not None and there.id != subnet.id:
        walk.acl(there, egress=False)
    if walk.back and walk.forward is not None and interface.id in walk.forward.crossed:
        return
    for egress, address in ((False, walk.src), (True, walk.dst)):
        found = gate(walk.index, interface.groups, egress, walk.asked, Peer(address, (), "", OUTSIDE))
        if found.verdict == ALL or not interface.groups:
            continue
        side = "outbound" if egress else "inbound"
        name = explain.name(interface)
        if found.verdict in (SOME, UNSURE):
            walk.doubt("PARTIAL" if found.verdict == SOME else "NOT_OBSERVED", interface.id, name, found.why, found.missing)
            continue
        fix = explain.other(f"an {side} rule for {walk.asked} {'to' if egress else 'from'} {address} on {', '.join(interface.groups)}")
        walk.block(found.code, interface.id, name, f"the groups of {name} ({side}) for {walk.asked}: {found.why}", fix)
