# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small networks by chance, in terse form: peered and unpeered VPCs, routes missing or too wide, groups and ACLs of all sorts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

PEERS = ("10.0.0.0/8", "0.0.0.0/0", "10.0.0.0/16", "10.1.0.0/16", "10.1.1.0/25", "10.2.1.0/24")
PROTOCOLS = ("tcp 443", "tcp 80-443", "udp 53", "icmp", "icmp 8/0", "all", "tcp 1024-65535")
VPCS = (0, 1, 2)


@st.composite
def networks(draw: st.DrawFn) -> dict[str, Any]:
    """Three VPCs of two subnets each."""
    data: dict[str, Any] = {"vpcs": {}, "subnets": {}, "tables": {}, "peerings": {}, "groups": {}, "acls": {}, "hosts": {}, "igws": {}}
    pairs = draw(st.lists(st.sampled_from([(0, 1), (0, 2), (1, 2)]), unique=True))
    for one, other in pairs:
        status = draw(st.sampled_from(["active", "active", "active", "pending-acceptance", "deleted"]))
        data["peerings"][f"pcx-{one}{other}"] = [f"vpc-{one}", f"vpc-{other}", status]
    for vpc in VPCS:
        _vpc(draw, data, vpc)
    return data


def _vpc(draw: st.DrawFn, data: dict[str, Any], vpc: int) -> None:
    data["vpcs"][f"vpc-{vpc}"] = f"10.{vpc}.0.0/16"
    data["igws"][f"igw-{vpc}"] = f"vpc-{vpc}"
    for number in range(2):
        table, acl = f"rtb-{vpc}{number}", f"acl-{vpc}{number}"
        data["tables"][table] = {"vpc": f"vpc-{vpc}", "routes": _routes(draw, data, vpc)}
        data["subnets"][f"subnet-{vpc}{number}"] = {"vpc": f"vpc-{vpc}", "cidr": f"10.{vpc}.{number}.0/24", "table": table}
        if draw(st.booleans()):
            data["acls"][acl] = {"vpc": f"vpc-{vpc}", "in": draw(entries()), "out": draw(entries())}
            data["subnets"][f"subnet-{vpc}{number}"]["acl"] = acl
        out = draw(st.one_of(st.none(), rules(vpc)))
        data["groups"][f"sg-{vpc}{number}"] = {"vpc": f"vpc-{vpc}", "in": draw(rules(vpc))} | ({} if out is None else {"out": out})
    for number in range(4):
        groups = draw(st.lists(st.sampled_from([f"sg-{vpc}0", f"sg-{vpc}1"]), min_size=1, unique=True))
        host: dict[str, Any] = {"subnet": f"subnet-{vpc}{number % 2}", "ip": f"10.{vpc}.{number % 2}.{20 + 70 * number}", "groups": groups}
        if number == 1 and draw(st.booleans()):
            host["public"] = f"198.51.100.{vpc + 1}"
        data["hosts"][f"i-{vpc}{number}"] = host


def _routes(draw: st.DrawFn, data: dict[str, Any], vpc: int) -> list[str]:
    routes = []
    for id_, (one, other, status) in data["peerings"].items():
        if f"vpc-{vpc}" in (one, other) and draw(st.integers(0, 4)):
            far = int((other if one == f"vpc-{vpc}" else one)[-1])
            cidr = draw(st.sampled_from([f"10.{far}.0.0/16", f"10.{far}.0.0/16", f"10.{far}.1.0/24", "10.0.0.0/8"]))
            if not any(route.startswith(f"{cidr} ") for route in routes):
                routes.append(f"{cidr} {id_}" + ("" if status == "active" else " blackhole"))
    if draw(st.booleans()):
        routes.append(f"0.0.0.0/0 igw-{vpc}")
    return routes


@st.composite
def rules(draw: st.DrawFn, vpc: int) -> list[str]:
    """Rules of a group of one VPC."""
    peers = st.sampled_from([*PEERS, *(f"sg-{other}{number}" for other in VPCS for number in range(2))])
    return [f"{draw(st.sampled_from(PROTOCOLS))} {draw(peers)}" for _turn in range(draw(st.integers(0, 3)))]


@st.composite
def entries(draw: st.DrawFn) -> list[str]:
    """Entries of one direction, mostly open."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        action = draw(st.sampled_from(["allow", "allow", "deny"]))
        found.append(f"{100 + number} {action} {draw(st.sampled_from(PROTOCOLS))} {draw(st.sampled_from(PEERS))}")
    if draw(st.integers(0, 2)):
        found.append("900 allow all 0.0.0.0/0")
    return found


QUESTIONS = (("tcp", 443), ("tcp", 22), ("udp", 53), ("icmp", None), ("tcp", "80-443"), ("47", None))


SERVICES = (
    "nat_gateway",
    "transit_gateway",
    "gateway_load_balancer_endpoint",
    "gateway_load_balancer",
    "lambda",
    "vpc_endpoint",
    "network_load_balancer",
    "load_balancer",
    "quicksight",
    "interface",
)
#: Ends of ``peculiar`` beside the hosts of ``networks``.
PECULIAR = (
    *(f"eni-{vpc}s{number}" for vpc in VPCS for number in range(2)),
    *(f"i-{vpc}x" for vpc in VPCS),
    *(f"eni-{vpc}p" for vpc in VPCS),
    *(f"10.{vpc}.0.241" for vpc in VPCS),  # in the prefix of eni-Np
    *(f"10.{vpc}.0.2" for vpc in VPCS),  # the resolver
    *(f"10.{vpc}.1.{last}" for vpc in VPCS for last in (1, 200)),
    *(f"vpce-{vpc}" for vpc in VPCS),
    *("9.9.9.9", "internet", "198.51.100.240"),
)
#: What is off until somebody turns it on.
FEATURES = ("VpcBlockPublicAccessOptions", "VpcBlockPublicAccessExclusions", "VpcEncryptionControls", "SecurityGroupVpcAssociations")


@st.composite
def peculiar(draw: st.DrawFn) -> dict[str, Any]:
    """A network with ends that are no hosts: AWS's own interfaces, states, prefixes, a VPN; and features that few use."""
    data: dict[str, Any] = draw(networks()) | {"endpoints": {}, "encryption": {}, "associations": {}}
    for vpc in VPCS:
        groups = st.sampled_from([[f"sg-{vpc}0"], [f"sg-{vpc}1"], [], None])
        for number in range(2):
            data["hosts"][f"eni-{vpc}s{number}"] = {
                "subnet": f"subnet-{vpc}{number}",
                "ip": f"10.{vpc}.{number}.30",
                "type": draw(st.sampled_from(SERVICES)),
                "status": draw(st.sampled_from(["in-use", "in-use", "in-use", "available", "attaching"])),
                "groups": draw(groups),
            }
        state = draw(st.sampled_from(["running", "pending", "stopped", "stopping", "shutting-down"]))
        data["hosts"][f"i-{vpc}x"] = {"subnet": f"subnet-{vpc}0", "ip": f"10.{vpc}.0.40", "groups": [f"sg-{vpc}0"], "state": state}
        prefixes = {"prefixes": [f"10.{vpc}.0.240/28"]} if draw(st.booleans()) else {}
        data["hosts"][f"eni-{vpc}p"] = {"subnet": f"subnet-{vpc}0", "ip": f"10.{vpc}.0.50", "groups": [f"sg-{vpc}1"]} | prefixes
        interfaces = [f"eni-{vpc}s1"] if draw(st.booleans()) else []
        kind = draw(st.sampled_from(["Interface", "GatewayLoadBalancer", "Gateway"]))
        shape = {"vpc": f"vpc-{vpc}", "type": kind, "groups": [f"sg-{vpc}0"]}
        if kind == "Gateway":
            data["endpoints"][f"vpce-{vpc}"] = shape | {"tables": draw(st.sampled_from([[], [f"rtb-{vpc}0"]]))}
        else:
            data["endpoints"][f"vpce-{vpc}"] = shape | {"subnets": [f"subnet-{vpc}1"], "interfaces": interfaces}
        if draw(st.booleans()):
            where = draw(st.sampled_from(["9.9.0.0/16", "0.0.0.0/0"]))
            routes = data["tables"][f"rtb-{vpc}1"]["routes"]
            if not any(route.startswith(f"{where} ") for route in routes):
                routes.append(f"{where} vgw-{vpc}")
        if draw(st.integers(0, 3)) == 0:
            exclusions = {name: draw(st.sampled_from(["enabled", "disabled", "enabling"])) for name in ("InternetGateway", "VpcPeering")}
            state = draw(st.sampled_from(["available", "available", "enforce-in-progress"]))
            mode = draw(st.sampled_from(["enforce", "monitor"]))
            data["encryption"][f"vpc-{vpc}"] = {"mode": mode, "state": state, "exclusions": exclusions}
        if draw(st.booleans()):
            data["associations"][f"sg-{vpc}0"] = [f"vpc-{(vpc + 1) % 3}"]
    if draw(st.booleans()):
        mode = draw(st.sampled_from(["off", "block-ingress", "block-bidirectional"]))
        excluded = draw(st.sampled_from(["vpc-0", "subnet-00", "subnet-11"]))
        allows = draw(st.sampled_from(["allow-egress", "allow-bidirectional"]))
        state = draw(st.sampled_from(["create-complete", "delete-complete", "update-in-progress"]))
        data["bpa"] = {"mode": mode, "exclusions": {"vpcbpa-exclude-1": [excluded, allows, state]}}
    return data
