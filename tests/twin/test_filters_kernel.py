# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packets do under a router's ruleset, in a real kernel."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace
from typing import Any

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Interface, Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.filters import router_ruleset
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.view import Crossing, Port, View
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.flows import FlowTable
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.nflog import FAMILY, KIND, NETLINK_NETFILTER, NflogListener

from ..support.namespaces import inside_tree, needs_namespaces
from ..support.router_views import OWNER, VPC, acl, by_group, egress, entry, host, ingress, script, subnet, vpc
from ..support.router_wires import ROUTER, Wires, connection, datagram, echo, hearing, inside, listen, ping, tcp

pytestmark = needs_namespaces

A, B, NEIGHBOUR, PARKED, LOOSE, FAR, FAR_STRANGER = (
    "10.0.0.5",
    "10.0.1.5",
    "10.0.0.6",
    "10.0.1.9",
    "10.0.2.5",
    "10.1.0.7",
    "10.1.0.8",
)
A6, B6 = "2001:db8:0:a::5", "2001:db8:0:b::5"

RULES = (
    egress("sg-a", cidr="0.0.0.0/0"),
    egress("sg-a", cidr="::/0"),
    ingress("sg-b", "tcp", 80, source_group="sg-a"),
    ingress("sg-b", "tcp", 81, source_group="sg-far"),
    ingress("sg-b", "icmp", 8, -1, source_group="sg-a"),
    ingress("sg-b", "icmpv6", 128, 0, source_group="sg-a"),
    ingress("sg-b", "udp", 5000, 5010, cidr="10.0.0.0/8"),
    egress("sg-b", "tcp", 82, source_group="sg-a"),
    ingress("sg-a", "tcp", 82, cidr="10.0.1.5/32"),
)


def view(**changes: Any) -> View:
    """Two subnets, a host in use in each and a neighbour of the first, a parked one, one that may send for others, and a peer."""
    base = View(
        vpc=vpc(ipv6_cidrs=("2001:db8::/56",)),
        subnets=(
            subnet("subnet-a", "10.0.0.0/24", ipv6_cidr="2001:db8:0:a::/64"),
            subnet("subnet-b", "10.0.1.0/24", ipv6_cidr="2001:db8:0:b::/64"),
            subnet("subnet-c", "10.0.2.0/24"),
        ),
        numbers={"subnet-a": 1001, "subnet-b": 1002, "subnet-c": 1003},
        ports=(
            host("a", "subnet-a", A, "sg-a", device="ea", ipv6s=(A6,)),
            host("b", "subnet-b", B, "sg-b", device="eb", ipv6s=(B6,)),
            host("n", "subnet-a", NEIGHBOUR, "sg-b", device="en"),
            host("p", "subnet-b", PARKED, "sg-b"),
            host("l", "subnet-c", LOOSE, "sg-a", "sg-l", device="el", check=False),
        ),
        crossings=(Crossing("pcx-1", "x1", "vpc-b", ("10.0.0.0/16",), ("10.1.0.0/16",), members={"sg-far": frozenset({FAR})}),),
        rules=by_group((*RULES, ingress("sg-l", cidr="0.0.0.0/0"))),
    )
    return replace(base, **changes)


def with_rules(*rules: Any) -> View:
    return view(rules=by_group((*rules, ingress("sg-l", cidr="0.0.0.0/0"))))


def built(made: View) -> Wires:
    wires = Wires()
    wires.host("a", "ea", A, A6, group=1001)
    wires.host("b", "eb", B, B6, group=1002)
    wires.host("n", "en", NEIGHBOUR, group=1001)
    wires.host("p", "park", PARKED, group=0)
    wires.host("l", "el", LOOSE, group=1003, routes=("10.8.0.0/16",))
    wires.host("far", "x1", FAR, FAR_STRANGER, group=7, routes=("172.16.0.0/16",))
    wires.ip("addr add 10.0.0.1/32 dev lo\naddr add 10.0.0.2/32 dev lo\nroute add 10.9.0.0/16 via 169.254.0.2 dev eb onlink", ROUTER)
    wires.nft(script(router_ruleset(made)))
    return wires


@inside_tree
def test_groups_let_through_what_their_rules_say() -> None:
    wires = built(view())
    with contextlib.ExitStack() as servers:
        for name, address in (("b", B), ("p", PARKED), ("b", B6)):
            servers.enter_context(listen(name, address, 80))
            servers.enter_context(listen(name, address, 81))
        servers.enter_context(listen("a", A, 82))
        wires.ip(f"addr add {A}/32 dev lo", "far")
        seen = {
            "referenced group": tcp("a", A, B, 80),
            "referenced group, parked": tcp("a", A, PARKED, 80),
            "referenced group, IPv6": tcp("a", A6, B6, 80),
            "another port": tcp("a", A, B, 81),
            "a neighbour that is not of the group": tcp("n", NEIGHBOUR, B, 80),
            "nobody listens": tcp("a", A, NEIGHBOUR, 80),
            "the peer's group": tcp("far", FAR, B, 81),
            "of the peer, not of its group": tcp("far", FAR_STRANGER, B, 81),
            "the peer with an address of the group": tcp("far", A, B, 80),
            "out to a group": tcp("b", B, A, 82),
            "out to where no rule leads": tcp("b", B, A, 80),
            "ping": ping("a", A, B),
            "ping, IPv6": ping("a", A6, B6),
            "ping back": ping("b", B, A),
            "ping to a parked one": ping("a", A, PARKED),
        }
    assert seen == {
        "referenced group": "open",
        "referenced group, parked": "open",
        "referenced group, IPv6": "open",
        "another port": "silent",
        "a neighbour that is not of the group": "silent",
        "nobody listens": "refused",
        "the peer's group": "open",
        "of the peer, not of its group": "silent",
        "the peer with an address of the group": "silent",
        "out to a group": "open",
        "out to where no rule leads": "silent",
        "ping": True,
        "ping, IPv6": True,
        "ping back": False,
        "ping to a parked one": True,
    }


@inside_tree
def test_packets_bear_the_addresses_of_where_they_come_from_and_go_to() -> None:
    wires = built(view())
    wires.ip("addr add 10.0.0.77/32 dev lo", "a")
    wires.ip("addr add 10.0.0.78/32 dev lo\naddr add 10.8.0.1/32 dev lo", "l")
    wires.ip("addr add 172.16.0.1/32 dev lo", "far")
    with hearing("b") as heard:
        datagram("a", A, B, 5000)
        datagram("a", "10.0.0.77", B, 5001)  # not its own
        datagram("l", "10.0.0.78", B, 5002)  # not its own, and its check is off
        datagram("far", FAR, B, 5003)
        datagram("far", "172.16.0.1", B, 5004)  # not of the peer's blocks
        datagram("a", A, "10.9.0.1", 5005)  # routed to b, whose address it is not
        assert heard() == [(A, B, 64), ("10.0.0.78", B, 64), (FAR, B, 64)]
    with hearing("l") as heard:
        datagram("a", A, "10.8.0.1", 5000)  # routed to l, which may take what is for others
        datagram("far", FAR, "10.8.0.1", 5000)  # not of our blocks
        assert heard() == [(A, "10.8.0.1", 64)]
    with hearing("far") as heard:
        datagram("l", LOOSE, FAR, 5000)
        datagram("l", LOOSE, "172.16.0.1", 5000)  # not of the peer's blocks
        datagram("l", "192.0.2.1", FAR, 5000)  # not of ours: no edge-to-edge
        assert heard() == [(LOOSE, FAR, 64)]


@inside_tree
def test_a_reference_holds_for_what_comes_straight_from_its_members() -> None:
    wires = built(with_rules(*RULES, ingress("sg-b", "udp", 6000, source_group="sg-a")))
    wires.ip(f"addr add {A}/32 dev lo", "l")
    with hearing("b") as heard:
        datagram("a", A, B, 6000)
        datagram("l", LOOSE, B, 6000)
        datagram("l", A, B, 6000)  # what a sent, by way of l
        assert heard() == [(A, B, 64), (LOOSE, B, 64)]


@inside_tree
def test_a_connection_through_a_middlebox_of_the_same_vpc() -> None:
    """Its packets pass the router twice, as one connection."""
    wires = built(with_rules(*RULES[:2], ingress("sg-b", "tcp", 80, cidr="10.0.0.0/24")))
    wires.sysctl("l", "ipv4/ip_forward", "1")
    wires.sysctl("l", "ipv4/conf/all/send_redirects", "0")
    wires.sysctl("l", "ipv4/conf/eth0/send_redirects", "0")
    wires.ip(f"rule add fwmark 1001 lookup 100 pref 10\nroute add {B} via 169.254.0.2 dev el onlink table 100", ROUTER)
    back = f"rule add fwmark 1002 lookup 101 pref 11\nroute add {A} via 169.254.0.2 dev el onlink table 101"
    for ways in ("", back):
        wires.ip(ways, ROUTER)
        with listen("b", B, 80) as server, connection("a", A, B, 80) as client:
            accepted = server.accept()[0]
            accepted.settimeout(1)
            client.settimeout(1)
            with hearing("b", socket.IPPROTO_TCP) as heard:
                assert all(echo(client, accepted) for _number in range(20))
                assert {hops for _source, _destination, hops in heard()} == {
                    62
                }  # the middlebox took one, and the router one of a strange number
            data, taken = b"x" * 3_000_000, 0
            sender = threading.Thread(target=client.sendall, args=(data,))
            sender.start()
            while taken < len(data):
                taken += len(accepted.recv(1 << 16))
            sender.join()
            client.close()
            assert accepted.recv(1) == b""


@inside_tree
def test_a_transit_gateway_asks_its_attachments_subnet() -> None:
    beyond = "10.3.0.1"
    rules = (*RULES, ingress("sg-a", "udp", 5000, cidr="10.3.0.0/16"))
    wires = built(with_rules(*rules))
    wires.host("tgw", "t1", beyond, group=1001)
    to_the_gateway = acl("acl-in", entry(90, "in", False, cidr="10.0.0.0/24"), entry(100, "in"), entry(100, "out"))
    closed, opened = acl("acl-none"), acl("acl-all", entry(100, "in"), entry(100, "out"))

    def heard(attached: str, **acls: Any) -> list[bool]:
        """Whether packets get from a to the gateway, and from there to a."""
        port = Port("eni-t", "tgw-attach-1", attached, "transit", "t1", check=False)
        wires.ip(f"link set t1 group {view().numbers[attached]}", ROUTER)
        made = with_rules(*rules)
        named = {name.replace("_", "-"): item for name, item in acls.items()}
        wires.nft(script(router_ruleset(replace(made, ports=(*made.ports, port), gateways={"t1": "transit"}, acls=named))))
        with hearing("tgw") as out, hearing("a") as back:
            datagram("a", A, beyond, 7000)
            datagram("tgw", beyond, A, 5000)
            return [out() == [(A, beyond, 66)], back() == [(beyond, A, 63)]]

    assert heard("subnet-a") == [True, True]
    assert heard("subnet-a", subnet_a=opened) == [True, True]
    assert heard("subnet-a", subnet_a=to_the_gateway) == [False, True]  # asked both ways out, and not at all back
    assert heard("subnet-a", subnet_a=closed) == [False, True]
    assert heard("subnet-b", subnet_b=to_the_gateway) == [False, True]
    assert heard("subnet-b", subnet_a=to_the_gateway) == [True, True]
    assert heard("subnet-b", subnet_a=closed) == [False, False]
    assert heard("subnet-b", subnet_b=closed) == [False, False]


@inside_tree
def test_the_router_never_shows() -> None:
    built(view())
    with hearing("b") as heard:
        for hops in (1, 2, 30, 64, 128):
            datagram("a", A, B, 5000, hops=hops)
        assert [hops for _source, _destination, hops in heard()] == [1, 1, 29, 64, 128]
    with hearing("a", socket.IPPROTO_ICMP) as heard:
        datagram("a", A, "192.0.2.1", 5000)  # no route
        datagram("a", A, B, 6000)  # no rule
        datagram("n", NEIGHBOUR, A, 5000)
        assert heard() == []


@inside_tree
def test_acls_have_no_memory_and_guard_only_the_border() -> None:
    closed = acl("acl-b", entry(90, "in", False, "tcp", "10.0.0.0/24", from_port=80, to_port=80), entry(100, "in"), entry(100, "out"))
    no_replies = acl("acl-b", entry(100, "in"), entry(100, "out", True, "tcp", "10.0.0.0/24", from_port=80, to_port=81))
    late = acl("acl-b", entry(110, "in", False), entry(100, "in"), entry(100, "out"))
    inner = acl("acl-a")
    wires = built(view())
    seen: dict[str, Any] = {}
    with listen("b", B, 80) as server, listen("n", NEIGHBOUR, 80), connection("a", A, B, 80) as client:
        accepted = server.accept()[0]
        accepted.settimeout(0.2)
        seen["before"] = echo(client, accepted)
        wires.nft(script(router_ruleset(view(acls={"subnet-b": closed}))))
        seen["a flow, closed"] = echo(client, accepted)
        seen["denied first"] = tcp("a", A, B, 80)
        seen["other protocols"] = ping("a", A, B)
        wires.nft(script(router_ruleset(view(acls={"subnet-b": no_replies}))))
        seen["no replies"] = tcp("a", A, B, 80)
        wires.nft(script(router_ruleset(view(acls={"subnet-b": late}))))
        seen["allowed first"] = tcp("a", A, B, 80)
        seen["allowed first, parked"] = tcp("a", A, PARKED, 80)
        wires.nft(script(router_ruleset(view(acls={"subnet-b": closed}))))
        seen["denied first, parked"] = tcp("a", A, PARKED, 80)
        wires.nft(script(router_ruleset(view(acls={"subnet-a": inner}))))
        seen["inside a closed subnet"] = tcp("a", A, NEIGHBOUR, 80)
        seen["out of a closed subnet"] = tcp("a", A, B, 80)
    assert seen == {
        "before": True,
        "a flow, closed": False,
        "denied first": "silent",
        "other protocols": True,
        "no replies": "silent",
        "allowed first": "open",
        "allowed first, parked": "refused",
        "denied first, parked": "silent",
        "inside a closed subnet": "open",
        "out of a closed subnet": "silent",
    }


@inside_tree
def test_what_is_tracked_outlives_its_rule_and_the_rest_does_not() -> None:
    opened = ingress("sg-b", "tcp", 80, cidr="0.0.0.0/0")
    out = egress("sg-b", cidr="0.0.0.0/0")
    narrow = ingress("sg-b", "tcp", 80, source_group="sg-a")
    seen: dict[str, Any] = {}
    wires = built(view())
    for name, rules, fewer in (
        ("tracked, rule removed", (*RULES,), tuple(rule for rule in RULES if rule != narrow)),
        ("open both ways, rule removed", (*RULES[:2], opened, out), (*RULES[:2], out)),
        ("open both ways, the way back removed", (*RULES[:2], opened, out), (*RULES[:2], opened)),
        ("open both ways, another rule removed", (*RULES, opened, out), (*RULES[:2], opened, out)),
        ("open one way only, rule removed", (*RULES[:2], opened), (*RULES[:2],)),
    ):
        wires.nft(script(router_ruleset(with_rules(*rules))))
        with listen("b", B, 80) as server, connection("a", A, B, 80) as client:
            if isinstance(client, str):
                seen[name] = client
                continue
            accepted = server.accept()[0]
            accepted.settimeout(0.2)
            before = echo(client, accepted)
            wires.nft(script(router_ruleset(with_rules(*fewer))))
            seen[name] = [before, echo(client, accepted), tcp("a", A, B, 80)]
    assert seen == {
        "tracked, rule removed": [True, True, "silent"],
        "open both ways, rule removed": [True, False, "silent"],
        "open both ways, the way back removed": [True, False, "open"],
        "open both ways, another rule removed": [True, True, "open"],
        "open one way only, rule removed": [True, True, "silent"],
    }


@inside_tree
def test_the_router_answers_only_questions_to_its_services() -> None:
    built(view())
    with listen(ROUTER, "10.0.0.2", 53), listen(ROUTER, "169.254.169.254", 80), listen(ROUTER, "10.0.0.2", 80):
        assert tcp("n", NEIGHBOUR, "10.0.0.2", 53) == "open"  # its groups let nothing out
        assert tcp("n", NEIGHBOUR, "10.0.0.2", 80) == "silent"
        assert tcp("far", FAR, "10.0.0.2", 53) == "silent"
        assert tcp("a", A, "10.0.0.1", 53) == "silent"
        assert not ping("a", A, "10.0.0.1")


@inside_tree
def test_flow_logs_tell_every_packet_with_its_verdict() -> None:
    def logged(port: Port) -> Port:
        return replace(port, logged="ALL") if port.id in ("eni-a", "eni-b", "eni-l") else port

    made = view()
    wires = built(replace(made, ports=tuple(logged(port) for port in made.ports)))
    interfaces = {
        port.id: Interface(id=port.id, vpc=VPC, subnet=port.subnet, private_ips=port.addresses, ipv6s=port.ipv6s, **OWNER)
        for port in made.ports
    }
    table = FlowTable(Network(interfaces=interfaces), VPC)
    with inside(ROUTER):
        sock = socket.socket(FAMILY, KIND, NETLINK_NETFILTER)
    listener = NflogListener(sock, (7, 8), table.note, table.lose)
    with listen("b", B, 80):
        ping("a", A, B)
        tcp("a", A, B, 443)
        ping("b", B, A)
        wires.ip("addr add 10.0.0.78/32 dev lo", "l")
        datagram("l", "10.0.0.78", B, 5002, data=b"x" * 72)
    time.sleep(0.25)
    listener.read()
    listener.close()
    records = table.flush(("eni-a", "eni-n"))
    with inside(ROUTER):
        sock = socket.socket(FAMILY, KIND, NETLINK_NETFILTER)
    heard: list[Any] = []
    prompt = NflogListener(sock, (7,), heard.append, prompt=True)
    datagram("a", A, B, 5000)
    time.sleep(0.02)
    prompt.read()
    lines = [record.line().split() for record in records]
    assert [" ".join((*line[2:5], *line[6:10], *line[12:])) for line in lines] == [
        "eni-a 10.0.0.5 10.0.1.5 0 1 1 28 ACCEPT OK",
        "eni-a 10.0.0.5 10.0.1.5 443 6 1 60 ACCEPT OK",
        "eni-a 10.0.1.5 10.0.0.5 0 1 1 28 ACCEPT OK",
        "eni-b 10.0.0.5 10.0.1.5 0 1 1 28 ACCEPT OK",
        "eni-b 10.0.0.5 10.0.1.5 443 6 1 60 REJECT OK",
        "eni-b 10.0.0.78 10.0.1.5 5002 17 1 100 ACCEPT OK",
        "eni-b 10.0.1.5 10.0.0.5 0 1 1 28 ACCEPT OK",
        "eni-b 10.0.1.5 10.0.0.5 0 1 1 28 REJECT OK",
        "eni-l 10.0.2.5 10.0.1.5 5002 17 1 100 ACCEPT OK",
        "eni-n - - - - - - - NODATA",
    ]
    assert len(heard) == 4  # there and back, at both ENIs: nobody listens on b
