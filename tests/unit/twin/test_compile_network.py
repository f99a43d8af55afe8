# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of AWS's behaviour that the compiled state must have, one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Endpoint, FlowLog, Network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile import names
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import Memo, compile_network, standing
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.ports import Cache
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.view import View
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.views import cut
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import service_address
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.state import MAIN, KernelState, Route

from tests.support.twin_cases import hosts, internet, peering, tables, transit
from tests.support.twin_networks import ACCOUNT, REGION, Builder

PCX = names.device("x", "pcx-ab")


def compiled(made: Builder, live: frozenset[str] = frozenset()) -> KernelState:
    return compile_network(made.network(), live)


def table(made: Builder, state: KernelState, subnet: str) -> dict[str, Route]:
    """A subnet's routing table: destination to route."""
    vpc = made.fields["subnets"][subnet].vpc
    number = view(made, vpc).numbers[subnet]
    return {route.destination: route for route in state.namespaces[vpc].routes if route.table == number}


def view(made: Builder, vpc: str, live: frozenset[str] = frozenset()) -> View:
    return cut(made.network(), live, Cache()).sites[vpc].view


def test_nothing_makes_nothing() -> None:
    assert compile_network(Network()) == KernelState()


def test_a_network_in_which_nobody_answers_is_empty() -> None:
    made, _live = peering()
    for instance in list(made.fields["instances"]):
        made.state(instance, "stopped")
    assert compiled(made, frozenset({"i-a1"})) == KernelState()


def test_an_attachment_alone_answers_nobody() -> None:
    made, live = transit()
    for instance in ("i-c1", "i-c2"):
        made.state(instance, "stopped")
    state = compiled(made, live)
    assert "vpc-c" not in state.namespaces
    # What another table says of its block is lost there, and does not fall through to a wider route.
    made.transit_table("tgw-rtb-1", "tgw-1", {"10.0.0.0/8": "tgw-attach-b"}, ("tgw-attach-c",))
    found = {route.destination: route.kind for route in compiled(made, live).namespaces["tgw-1"].routes}
    assert (found["10.2.0.0/16"], found["10.0.0.0/8"]) == ("blackhole", "unicast")


@pytest.mark.parametrize(
    "status", ["initiating-request", "pending-acceptance", "provisioning", "deleting", "deleted", "rejected", "failed", "expired"]
)
def test_only_an_active_peering_is_a_wire(status: str) -> None:
    made, live = peering()
    made.peering("pcx-ab", "vpc-a", "vpc-b", status=status)
    state = compiled(made, live)
    assert PCX not in {end.name for wire in state.wires for end in (wire.left, wire.right)}
    found = table(made, state, "subnet-a1")
    assert {found[cidr].kind for cidr in ("10.1.0.0/16", "10.11.0.0/16", "2600:b::/56")} == {"blackhole"}


def test_mtu_by_region() -> None:
    made, live = peering()
    wires = {wire.left.name: wire.mtu for wire in compiled(made, live).wires if wire.left.name.startswith("x")}
    assert wires == {PCX: 8500, names.device("x", "pcx-bc"): 9001}


def test_numbers_stay_when_other_subnets_come_and_go() -> None:
    made, _live = peering()
    before = view(made, "vpc-a").numbers
    made.subnet("subnet-a9", "vpc-a", "10.0.9.0/24")
    made.host("i-a9", "subnet-a9", "10.0.9.9")
    after = view(made, "vpc-a").numbers
    assert {id_: after[id_] for id_ in before} == before


def test_equal_prefixes() -> None:
    made, live = tables()
    found = table(made, compiled(made, live), "subnet-3")
    assert found["10.1.0.0/16"].device == PCX  # the list beats what is propagated
    assert found["10.2.0.0/16"].device == names.device("x", "pcx-ac")  # a block of its own beats the list
    made.table("rtb-3", "vpc-a", {"10.1.0.0/16": "propagated vgw-1"}, ["subnet-3"])
    assert table(made, compiled(made, live), "subnet-3")["10.1.0.0/16"].kind == "blackhole"


def test_a_propagated_route_stands_back_behind_a_static_one_and_behind_the_local_one() -> None:
    made, live = tables()
    made.table("rtb-3", "vpc-a", {"10.2.0.0/16": "pcx-ac", "10.0.2.0/24": "propagated vgw-1"}, ["subnet-3"])
    static, local = made.fields["route_tables"]["rtb-3"].routes[-2:]
    both = (replace(static, target="vgw-1", via="vpn", origin="EnableVgwRoutePropagation"), static, local)
    for routes in (both, both[::-1]):
        made.put("route_tables", replace(made.fields["route_tables"]["rtb-3"], routes=routes))
        found = table(made, compiled(made, live), "subnet-3")
        assert found["10.2.0.0/16"].device == names.device("x", "pcx-ac")
        assert "10.0.2.0/24" not in found  # what the whole block's own entry says holds for it
        assert found["10.0.0.0/16"].kind == "throw"
    made.put("route_tables", replace(made.fields["route_tables"]["rtb-3"], routes=both[:1]))
    assert table(made, compiled(made, live), "subnet-3")["10.2.0.0/16"].kind == "blackhole"


def test_the_order_of_routes_does_not_count() -> None:
    made, live = tables()
    before = compiled(made, live)
    for id_, item in list(made.fields["route_tables"].items()):
        made.put("route_tables", replace(made.fields["route_tables"][id_], routes=item.routes[::-1]))
    assert compiled(made, live) == before


def test_a_route_for_the_own_subnet_does_not_catch_neighbours() -> None:
    made, live = tables()
    found = table(made, compiled(made, live), "subnet-1")
    assert found["10.0.1.0/24"].kind == "throw"
    assert found["10.0.2.0/24"].kind == "unicast"


def test_a_replaced_local_route_whose_target_is_gone_swallows() -> None:
    made, live = tables()
    made.state("i-m", "stopped")
    found = table(made, compiled(made, live), "subnet-3")
    assert found["10.0.0.0/16"].kind == "blackhole"
    assert found["10.0.3.0/24"].kind == "throw"


def test_who_forwards_stands_by_itself() -> None:
    made, _live = tables()
    assert standing(made.network()) == {"i-m"}
    state = compiled(made)
    assert state.namespaces["i-m"].sysctls["ipv4/ip_forward"] == "1"
    made.put("interfaces", replace(made.fields["interfaces"]["eni-m"], source_dest_check=True))
    assert standing(made.network()) == set()
    assert "i-m" not in compiled(made).namespaces
    assert compile_network(made.network(), frozenset({"i-m"})).namespaces["i-m"].sysctls == {}


def test_answers_of_a_second_interface_leave_by_it() -> None:
    made, live = hosts()
    rules = {(rule.source, rule.table) for rule in compiled(made, live).namespaces["i-two"].rules}
    assert rules == {("10.0.2.5/32", 1001), ("2600:a:0:2::5/128", 1001), ("2600:a:0:2::6/128", 1001)}


def test_a_host_with_one_family_on_each_interface_has_both_in_main() -> None:
    made = Builder()
    made.vpc("vpc-a", "10.0.0.0/16", ipv6="2600:a::/56")
    made.subnet("subnet-1", "vpc-a", "10.0.1.0/24")
    made.subnet("subnet-2", "vpc-a", "", ipv6="2600:a:0:2::/64")
    made.host("i-1", "subnet-1", "10.0.1.5")
    made.host("i-1", "subnet-2", "2600:a:0:2::5")
    found = compiled(made, frozenset({"i-1"})).namespaces["i-1"]
    assert {(route.table, route.destination, route.device) for route in found.routes} == {
        (MAIN, "0.0.0.0/0", "eth0"),
        (MAIN, "::/0", "eth1"),
    }
    assert not found.rules


@pytest.mark.parametrize("status", ["available", "in-use", ""])
def test_an_interface_without_instance_answers_when_it_is_in_use(status: str) -> None:
    made, _live = hosts()
    made.eni("eni-x", "subnet-3", "10.0.3.77", status=status)
    routes = {route.destination for route in compiled(made).namespaces["vpc-a"].routes}
    assert ("10.0.3.77/32" in routes) == (status != "available")


def test_flow_logs_of_vpc_subnet_and_interface_add_up() -> None:
    made, _live = peering()
    for id_, resource, traffic in (("fl-1", "vpc-a", "ACCEPT"), ("fl-2", "subnet-a2", "REJECT"), ("fl-3", "eni-b1", "ALL")):
        made.put("flow_logs", FlowLog(id=id_, account=ACCOUNT, region=REGION, resource=resource, traffic=traffic))
    logged = {port.id: port.logged for vpc in ("vpc-a", "vpc-b") for port in view(made, vpc).ports}
    assert logged == {"eni-a1": "ACCEPT", "eni-a3": "ACCEPT", "eni-a2": "ALL", "eni-b1": "ALL", "eni-b2": ""}


def test_a_changed_flow_log_changes_the_port() -> None:
    made, live = peering()
    memo = Memo()
    compile_network(made.network(), live, memo)
    made.put("flow_logs", FlowLog(id="fl-1", account=ACCOUNT, region=REGION, resource="vpc-a", traffic="ALL"))
    assert compile_network(made.network(), live, memo) == compiled(made, live)


def pairs(state: KernelState) -> frozenset[str]:
    return state.namespaces["igw-a"].ruleset.sets["private"].elements


@pytest.mark.parametrize(
    ("vpc", "subnet", "expected", "six"),
    [
        ("", "", {"10.0.1.5", "10.0.1.6", "10.0.1.100"}, 2),
        ("off", "", {"10.0.1.5", "10.0.1.6", "10.0.1.100"}, 2),
        ("block-ingress", "", {"10.0.1.100"}, 0),
        ("block-bidirectional", "", set(), 0),
        ("block-bidirectional", "off", {"10.0.1.5", "10.0.1.6", "10.0.1.100"}, 1),
        ("block-bidirectional", "block-ingress", {"10.0.1.100"}, 0),
    ],
)
def test_block_public_access(vpc: str, subnet: str, expected: set[str], six: int) -> None:
    made, live = internet()
    made.put("vpcs", replace(made.fields["vpcs"]["vpc-a"], block_public_access=vpc))
    made.put("subnets", replace(made.fields["subnets"]["subnet-pub"], block_public_access=subnet))
    state = compiled(made, live)
    assert {pair.partition(" ")[0] for pair in pairs(state)} == expected
    assert len(state.namespaces["igw-a"].ruleset.sets["open"].elements) == six


def test_egress_only_gateways_stay_open_when_only_ingress_is_blocked() -> None:
    made, live = internet()
    for mode, count in (("block-ingress", 2), ("block-bidirectional", 0)):
        made.put("vpcs", replace(made.fields["vpcs"]["vpc-a"], block_public_access=mode))
        assert len(compiled(made, live).namespaces["eigw-a"].ruleset.sets["open"].elements) == count


def test_a_private_nat_gateway_has_no_public_address() -> None:
    made, live = internet()
    assert not any("10.0.4.100" in pair for pair in pairs(compiled(made, live)))


@pytest.mark.parametrize("state", ["pending", "failed", "deleting", "deleted"])
def test_a_nat_gateway_that_is_not_available_swallows(state: str) -> None:
    made, live = internet()
    made.put("nat_gateways", replace(made.fields["nat_gateways"]["nat-pub"], state=state))
    found = compiled(made, live)
    assert "nat-pub" not in found.namespaces
    assert table(made, found, "subnet-prv")["0.0.0.0/0"].kind == "blackhole"
    assert not any(route.destination == "10.0.1.100/32" for route in found.namespaces["vpc-a"].routes)


def test_a_detached_internet_gateway_swallows() -> None:
    made, live = internet()
    made.put("internet_gateways", replace(made.fields["internet_gateways"]["igw-a"], vpc=""))
    found = compiled(made, live)
    assert "igw-a" not in found.namespaces
    assert table(made, found, "subnet-pub")["0.0.0.0/0"].kind == "blackhole"


def test_an_awss_list_holds_its_services_address_here() -> None:
    made, live = internet()
    own = service_address("s3.us-east-1.amazonaws.com") + "/32"
    found = table(made, compiled(made, live), "subnet-prv")
    assert (found[own].device, found["52.216.0.0/15"].device) == ("services", "services")
    # Also when nobody described the list: the endpoint tells the service.
    del made.fields["prefix_lists"]
    found = table(made, compiled(made, live), "subnet-prv")
    assert found[own].device == "services"
    assert "52.216.0.0/15" not in found
    # And when the endpoint does not answer, the list's blocks are lost.
    made.put("endpoints", replace(made.fields["endpoints"]["vpce-s3"], state="deleting"))
    made.prefix_list("pl-s3", "52.216.0.0/15", name="com.amazonaws.us-east-1.s3")
    state = compiled(made, live)
    assert table(made, state, "subnet-prv")["52.216.0.0/15"].kind == "blackhole"
    assert "services:vpc-a" not in state.namespaces


def test_an_endpoint_that_is_pending_does_not_answer() -> None:
    made, live = internet()
    endpoint: Endpoint = made.fields["endpoints"]["vpce-ssm"]
    assert "serve:vpc-a" in compiled(made, live).namespaces
    made.put("endpoints", replace(endpoint, state="pending"))
    assert "serve:vpc-a" not in compiled(made, live).namespaces


def test_members_are_those_that_rules_refer_to() -> None:
    made, _live = peering()
    assert view(made, "vpc-b").members == {}
    made.rule("sg-b", protocol="-1", source_group="sg-b")
    made.rule("sg-b", protocol="-1", source_group="sg-c")
    made.rule("sg-b", protocol="-1", source_group="sg-a")
    found = view(made, "vpc-b")
    assert found.members == {"sg-b": {"10.1.1.5", "10.11.1.5", "2600:b:0:1::5"}}
    # The one peer is in another Region, where groups cannot be referred to.
    assert {item.peer: item.members for item in found.crossings} == {"vpc-a": {}, "vpc-c": {"sg-c": {"10.2.1.5"}}}


@pytest.mark.parametrize(
    ("gateway", "attachment", "seen"), [(True, None, True), (True, False, False), (False, None, False), (None, True, False)]
)
def test_references_over_a_transit_gateway(gateway: bool | None, attachment: bool | None, seen: bool) -> None:
    made, _live = transit()
    made.rule("sg-a", protocol="-1", source_group="sg-b")
    made.transit("tgw-1", references=gateway)
    for side in ("a", "b"):
        item = made.fields["transit_attachments"][f"tgw-attach-{side}"]
        made.put("transit_attachments", replace(item, group_references=attachment if side == "b" else None))
    (found,) = view(made, "vpc-a").transit.values()
    assert found == ({"sg-b": {"10.1.1.5", "10.1.2.5", "2600:b:0:1::5", "2600:b:0:2::5"}} if seen else {})


def test_a_zone_without_attachment_does_not_reach_the_transit_gateway() -> None:
    made, live = transit()
    state = compiled(made, live)
    assert table(made, state, "subnet-a1")["10.0.0.0/8"].kind == "unicast"
    assert table(made, state, "subnet-a2")["10.0.0.0/8"].kind == "blackhole"


def test_attachments_whose_subnets_are_unknown_serve_every_zone() -> None:
    made, live = transit()
    item = made.fields["transit_attachments"]["tgw-attach-a"]
    made.put("transit_attachments", replace(item, subnets=None))
    state = compiled(made, live)
    assert {table(made, state, subnet)["10.0.0.0/8"].kind for subnet in ("subnet-a1", "subnet-a2")} == {"unicast"}


def test_overlapping_vpcs_are_apart() -> None:
    made, live = peering()
    state = compiled(made, live)
    assert {"vpc-a", "vpc-z", "park:vpc-z"} <= state.namespaces.keys()
    joined = {
        end.namespace for wire in state.wires for end in (wire.left, wire.right) if "vpc-z" in (wire.left.namespace, wire.right.namespace)
    }
    assert joined == {"vpc-z", "park:vpc-z"}


def test_many_public_addresses_are_cut_into_rules_that_fit() -> None:
    made = Builder()
    made.vpc("vpc-a", "10.0.0.0/16")
    made.subnet("subnet-1", "vpc-a", "10.0.0.0/20")
    made.internet("vpc-a")
    for number in range(250):
        made.host(f"i-{number}", "subnet-1", f"10.0.1.{number + 1}", public=f"198.18.0.{number + 1}")
    chain = compiled(made).namespaces["igw-a"].ruleset.chains["zones"]
    *zones, last = chain.rules
    assert len(zones) == 6
    assert last == "meta nfproto ipv4 drop"
    assert max(map(len, zones)) < 2500
    given = [pair.partition(" : ") for rule in zones for pair in rule.partition("{ ")[2].partition(" }")[0].split(", ")]
    assert len(given) == 500
    by_zone: dict[str, set[str]] = {}
    for address, _colon, zone in given:
        by_zone.setdefault(zone, set()).add(address.rpartition(".")[2])
    assert len(by_zone) == 250
    assert all(len(last) == 1 for last in by_zone.values()), "a pair's two addresses have one zone"


def test_an_address_that_two_claim_is_one_route() -> None:
    made, live = internet()
    made.host("i-zz", "subnet-prv", "10.0.1.5")
    made.host("i-zy", "subnet-prv", "10.0.2.99", public="198.18.0.5")
    state = compiled(made, live)
    for name in ("vpc-a", "internet"):
        routes = [(route.table, route.destination) for route in state.namespaces[name].routes]
        assert len(routes) == len(set(routes))
    maps = state.namespaces["igw-a"].ruleset.sets
    for each in ("public", "private"):
        keys = [element.partition(" : ")[0] for element in maps[each].elements]
        assert len(keys) == len(set(keys)) == 3
