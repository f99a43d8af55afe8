# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends that are no instances, what an account turns on above all rules, and where the internet's hosts are, in the compiled state."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import (
    EncryptionControl,
    Endpoint,
    PublicAccess,
    PublicAccessExclusion,
    Route,
    TransitRoute,
)
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.encryption import Encryption
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.exposure import Exposure
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.gateways import INTERNET
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import Memo, compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.outside import Outside, Remembered, outside
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import CONTROLLER, SERVER, SERVER_6, SERVICES
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.seams import Plane, TwinError
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.directory import holder
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.services.names import lookup

from tests.support.twin_cases import hosts, internet, peering, transit
from tests.support.twin_networks import ACCOUNT, REGION, Builder

OWNER = {"account": ACCOUNT, "region": REGION}


# ── Where the internet's hosts are ─────────────────────────────────────────────────────────────────────────────────────────


def routed(destination: str, target: str) -> Outside:
    made, _live = internet()
    made.prefix_list("pl-office", "198.51.100.0/24")
    made.table("rtb-b", "vpc-b", {destination: target}, main=True)
    return outside(made.network())


def test_the_internets_hosts_are_where_they_are_by_default() -> None:
    made, _live = internet()
    assert outside(made.network()) == Outside()
    # The default route tells where the world is, and a route over something in between leads to the internet all the same.
    assert routed("0.0.0.0/0", "vgw-1") == routed("198.51.100.0/24", "eni-web") == routed("10.0.0.0/8", "vgw-1") == Outside()


@pytest.mark.parametrize("target", ["vgw-1", "tgw-1", "pcx-ab", "propagated vgw-1", "blackhole tgw-1"])
def test_no_host_of_the_internet_lies_in_a_block_that_tables_send_elsewhere(target: str) -> None:
    found = routed("198.51.100.0/25", target)
    assert (found.server, found.controller, found.services) == ("192.0.2.1", CONTROLLER, SERVICES)
    assert routed("pl-office", target).server == "192.0.2.1"
    wide = routed("192.0.0.0/4", target)
    # All of them are sent elsewhere: there is no internet left for who has this route.
    assert wide == Outside()
    assert routed("203.0.113.0/24", target).controller == "192.0.2.10"
    assert str(routed("203.0.113.0/24", target).services) == "192.0.2.128/25"
    assert routed("3fff:fff::/32", target).server_6 == "2001:db8:fff::1"


def test_no_host_of_the_internet_lies_in_a_vpc_or_has_a_public_address_of_an_interface() -> None:
    made, _live = internet()
    made.vpc("vpc-c", "198.51.100.0/24", ipv6="3fff:fff::/56")
    found = outside(made.network())
    assert (found.server, found.server_6) == ("192.0.2.1", "2001:db8:fff::1")
    made, _live = internet()
    made.put("interfaces", replace(made.fields["interfaces"]["eni-web"], public_ips={"10.0.1.5": CONTROLLER}))
    assert outside(made.network()).controller == "192.0.2.10"


def test_a_transit_gateways_static_route_takes_its_block() -> None:
    made, _live = transit()
    table = made.fields["transit_tables"]["tgw-rtb-1"]
    made.put("transit_tables", replace(table, routes=(*table.routes, TransitRoute("203.0.113.0/24", "tgw-attach-vpn"))))
    assert outside(made.network()).controller == "192.0.2.10"


def test_what_tables_take_is_looked_up_when_they_change() -> None:
    made, _live = internet()
    remembered = Remembered()
    assert outside(made.network(), remembered) == Outside()
    table = made.fields["route_tables"]["rtb-b"]
    made.put("route_tables", replace(table, routes=(*table.routes, Route("198.51.100.0/24", "vpn", "vgw-1"))))
    assert outside(made.network(), remembered).server == "192.0.2.1"
    made.table("rtb-b", "vpc-b", {"pl-office": "vgw-1"}, main=True)
    made.prefix_list("pl-office", "198.51.100.0/24")
    assert outside(made.network(), remembered).server == "192.0.2.1"
    made.prefix_list("pl-office", "10.9.0.0/16")
    assert outside(made.network(), remembered) == Outside()


def test_the_whole_lab_finds_the_hosts_where_they_went() -> None:
    made, live = internet()
    made.table("rtb-b", "vpc-b", {"198.51.100.0/24": "vgw-1", "203.0.113.0/24": "vgw-1"}, main=True)
    memo = Memo()
    state = compile_network(made.network(), live, memo)
    held = {item.cidr for item in state.namespaces[INTERNET].addresses}
    assert {"192.0.2.1/32", "192.0.2.10/32"} <= held
    assert not held & {f"{SERVER}/32", f"{CONTROLLER}/32"}
    plane = Plane(made.network())
    assert [record.values for record in lookup(plane, "vpc-a", "server.internet.test", "A").records] == [("192.0.2.1",)]
    assert [record.values for record in lookup(plane, "vpc-a", "server.internet.test", "AAAA").records] == [(SERVER_6,)]
    [service] = lookup(plane, "vpc-a", "kms.us-east-1.amazonaws.com", "A").records
    assert service.values[0].startswith("192.0.2.")
    # The endpoint's list has the service's address where the name leads.
    own = plane.outside.service("s3.us-east-1.amazonaws.com")
    assert any(route.destination == f"{own}/32" for route in state.namespaces["vpc-a"].routes)
    made.table("rtb-b", "vpc-b", {}, main=True)
    assert compile_network(made.network(), live, memo) == compile_network(made.network(), live)


# ── Block Public Access ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("account", "of_vpc", "of_subnet", "expected"),
    [
        ("off", "", "", "off"),
        ("block-bidirectional", "", "", "block-bidirectional"),
        ("block-ingress", "", "", "block-ingress"),
        ("block-bidirectional", "allow-bidirectional", "", "off"),
        ("block-bidirectional", "", "allow-bidirectional", "off"),
        ("block-bidirectional", "allow-egress", "", "block-ingress"),
        ("block-bidirectional", "", "allow-egress", "block-ingress"),
        ("block-bidirectional", "allow-egress", "allow-bidirectional", "off"),
        # In ingress-only mode an exclusion for egress is ignored (scenario 5 of AWS's example).
        ("block-ingress", "", "allow-egress", "block-ingress"),
        ("block-ingress", "allow-bidirectional", "", "off"),
    ],
)
def test_exclusions_from_the_accounts_mode(account: str, of_vpc: str, of_subnet: str, expected: str) -> None:
    made, _live = internet()
    made.put("public_access", PublicAccess(id=f"{ACCOUNT}/{REGION}", **OWNER, mode=account))
    for name, resource, mode in (("one", "vpc-a", of_vpc), ("two", "subnet-pub", of_subnet)):
        if mode:
            made.put(
                "public_access_exclusions", PublicAccessExclusion(id=name, **OWNER, resource=resource, mode=mode, state="create-complete")
            )
    network = made.network()
    assert Exposure(network).mode(network.vpcs["vpc-a"], network.subnets["subnet-pub"]) == expected


def test_exclusions_that_are_gone_or_not_allowed_do_not_count() -> None:
    made, _live = internet()
    blocked = PublicAccess(id=f"{ACCOUNT}/{REGION}", **OWNER, mode="block-bidirectional")
    exclusion = PublicAccessExclusion(id="one", **OWNER, resource="subnet-pub", mode="allow-bidirectional")

    def mode() -> str:
        network = made.network()
        return Exposure(network).mode(network.vpcs["vpc-a"], network.subnets["subnet-pub"])

    made.put("public_access", blocked)
    for state, expected in (
        ("create-complete", "off"),
        ("create-in-progress", "block-bidirectional"),
        ("create-failed", "block-bidirectional"),
        ("delete-complete", "block-bidirectional"),
        ("disable-complete", "block-bidirectional"),
    ):
        made.put("public_access_exclusions", replace(exclusion, state=state))
        assert mode() == expected, state
    made.put("public_access_exclusions", replace(exclusion, state="create-complete"))
    made.put("public_access", replace(blocked, exclusions_allowed=False))
    assert mode() == "block-bidirectional"
    # What AWS shows of the subnet itself has all of it in it.
    made.put("subnets", replace(made.fields["subnets"]["subnet-pub"], block_public_access="off"))
    assert mode() == "off"


# ── VPC encryption controls ────────────────────────────────────────────────────────────────────────────────────────────────


def enforce(made: Builder, vpc: str, *excluded: str, state: str = "available", mode: str = "enforce") -> None:
    exclusions = dict.fromkeys(("InternetGateway", "NatGateway"), "disabled") | dict.fromkeys(excluded, "enabled")
    made.put("encryption_controls", EncryptionControl(id=f"vpcec-{vpc}", **OWNER, vpc=vpc, mode=mode, state=state, exclusions=exclusions))


@pytest.mark.parametrize(
    ("one", "other", "near", "expected"),
    [
        (None, None, True, True),
        ((), (), True, True),
        ((), (), False, False),
        ((), None, True, False),
        (("VpcPeering",), None, True, True),
        (("VpcPeering",), None, False, True),
        (("VpcPeering",), ("VpcPeering",), False, True),
        (("VpcPeering",), (), True, False),
        (("InternetGateway",), (), True, False),
        (("InternetGateway", "VpcPeering"), ("VpcPeering",), True, True),
    ],
)
def test_peering_under_encryption_controls(one: tuple[str, ...] | None, other: tuple[str, ...] | None, near: bool, expected: bool) -> None:
    made = Builder()
    made.vpc("vpc-a", "10.0.0.0/16")
    made.vpc("vpc-b", "10.1.0.0/16", region=REGION if near else "eu-west-1")
    for vpc, excluded in (("vpc-a", one), ("vpc-b", other)):
        if excluded is not None:
            enforce(made, vpc, *excluded)
    network = made.network()
    encryption = Encryption(network)
    for left, right in (("vpc-a", "vpc-b"), ("vpc-b", "vpc-a")):
        assert encryption.lets_peering(network.vpcs[left], network.vpcs[right]) is expected


def test_what_does_not_encrypt_is_not_there_in_a_vpc_that_enforces() -> None:
    made, live = internet()
    whole = compile_network(made.network(), live)
    for more in ({"mode": "monitor"}, {"state": "enforce-in-progress"}, {"state": "deleting"}):
        enforce(made, "vpc-a", **more)
        assert compile_network(made.network(), live) == whole, more
    gateways = {"igw-a", "eigw-a", "nat-pub", "nat-prv"}
    for excluded, left in (
        ((), set()),
        (("InternetGateway",), {"igw-a"}),
        (("EgressOnlyInternetGateway",), {"eigw-a"}),
        (("NatGateway",), {"nat-pub", "nat-prv"}),
    ):
        enforce(made, "vpc-a", *excluded, "VpcPeering")
        state = compile_network(made.network(), live)
        assert gateways & state.namespaces.keys() == left
    [peered] = [wire for wire in state.wires if {wire.left.namespace, wire.right.namespace} == {"vpc-a", "vpc-b"}]
    enforce(made, "vpc-a")
    assert peered not in compile_network(made.network(), live).wires


def test_a_vpc_that_enforces_hangs_on_transit_gateways_that_encrypt() -> None:
    made, live = transit()
    enforce(made, "vpc-a")
    for told, there in (("enabled", True), ("", True), ("disabled", False), ("enabling", False)):
        made.put("transit_gateways", replace(made.fields["transit_gateways"]["tgw-1"], encryption=told))
        wires = compile_network(made.network(), live).wires
        assert any({"vpc-a", "tgw-1"} == {wire.left.namespace, wire.right.namespace} for wire in wires) is there, told


def test_a_functions_interface_needs_its_exclusion() -> None:
    made, live = hosts()
    made.eni("eni-fn", "subnet-1", "10.0.1.80", type="lambda")
    for excluded, there in (((), False), (("Lambda",), True)):
        enforce(made, "vpc-a", *excluded)
        assert ("eni-fn" in compile_network(made.network(), live | {"eni-fn"}).namespaces) is there


# ── Interfaces ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_ends_at_a_gateway_load_balancers_endpoint() -> None:
    made, live = hosts()
    before = compile_network(made.network(), live)
    made.eni("eni-in", "subnet-1", "10.0.1.80", type="gateway_load_balancer_endpoint")
    made.eni("eni-like-it", "subnet-1", "10.0.1.81", type="vpc_endpoint")
    service = "com.amazonaws.vpce.us-east-1.vpce-svc-1"
    made.put(
        "endpoints",
        Endpoint(id="vpce-in", **OWNER, vpc="vpc-a", service=service, type="GatewayLoadBalancer", interfaces=("eni-in", "eni-like-it")),
    )
    assert compile_network(made.network(), live) == before


def test_sets_are_of_intervals_only_where_a_prefix_is_delegated() -> None:
    made, live = peering()
    for name in ("eni-a1", "eni-a3"):
        eni = made.fields["interfaces"][name]
        made.put("interfaces", replace(eni, ipv4_prefixes=("10.0.1.64/28",) if name == "eni-a1" else ("10.0.1.80/28",)))
    state = compile_network(made.network(), live)
    here, there = state.namespaces["vpc-a"].ruleset.sets, state.namespaces["vpc-b"].ruleset.sets
    assert here["addresses_4"].flags == here["egress_gates_4"].flags == ("interval",)
    assert here["addresses_6"].flags == there["addresses_4"].flags == there["egress_gates_4"].flags == ()
    # An address that was told beside the prefix that it lies in is in it.
    eni = made.fields["interfaces"]["eni-a1"]
    made.put("interfaces", replace(eni, private_ips=("10.0.1.5", "10.0.1.65")))
    elements = compile_network(made.network(), live).namespaces["vpc-a"].ruleset.sets["addresses_4"].elements
    assert not any("10.0.1.65" in element for element in elements)


@pytest.mark.parametrize(
    "more",
    [{"private_ips": ("1.23.456.78",)}, {"ipv6s": ("localhost",)}, {"public_ips": {"10.0.1.5": "a.b.c.d"}}, {"ipv4_prefixes": ("x/28",)}],
)
def test_what_is_no_address_never_gets_to_nftables(more: dict[str, object]) -> None:
    made, live = hosts()
    made.put("interfaces", replace(made.fields["interfaces"]["eni-two"], **more))  # type: ignore[arg-type]
    with pytest.raises(TwinError, match=r"eni-two has '.*', which is no address"):
        compile_network(made.network(), live)
    made, live = hosts()
    made.rule("sg-a", protocol="tcp", from_port=80, to_port=80, cidr="1.23.456.0/24")
    with pytest.raises(ValueError, match=r"1\.23\.456\.0"):
        compile_network(made.network(), live)


def test_who_has_an_address_of_a_prefix_is_found_by_it() -> None:
    made, _live = peering()
    made.put("interfaces", replace(made.fields["interfaces"]["eni-a1"], ipv4_prefixes=("10.0.1.64/28",)))
    made.put("interfaces", replace(made.fields["interfaces"]["eni-z1"], ipv4_prefixes=("10.0.1.64/28",)))
    network = made.network()
    for vpc, expected in (("vpc-a", "eni-a1"), ("vpc-z", "eni-z1")):
        found = holder(network, vpc, "10.0.1.70")
        assert found is not None
        assert found.id == expected
    assert holder(network, "vpc-a", "10.0.1.80") is None
    assert holder(network, "vpc-b", "10.0.1.70") is None
