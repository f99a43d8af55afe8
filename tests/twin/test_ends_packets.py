# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What packets do with ends that are no instances, in a real kernel: what AWS's services run, prefixes, and what stands above all rules."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import EncryptionControl, PublicAccess, PublicAccessExclusion
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.compile.network import Memo, compile_network
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.kernel.sync import NetworkKernel
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.places import CONTROLLER, SERVER, SERVER_6

from ..support.namespaces import inside_tree, needs_namespaces
from ..support.packets import Ears, Flow, ask
from ..support.twin_cases import hosts, internet, peering, transit
from ..support.twin_networks import ACCOUNT, REGION, Builder
from .test_compile_packets import answered, check

pytestmark = needs_namespaces

OWNER = {"account": ACCOUNT, "region": REGION}


def applied(kernel: NetworkKernel, made: Builder, live: frozenset[str], memo: Memo | None = None) -> None:
    kernel.apply(compile_network(made.network(), live, memo))


def each_protocol(kernel: NetworkKernel, flow: Flow) -> list[bool]:
    """Whether TCP, UDP and pings are answered, at an address that may be one of a whole block."""
    ears = Ears(kernel, [flow.receiver], ports=(80,), at={flow.receiver: [flow.target]})
    flows = [replace(flow, protocol=protocol, port=80 if protocol != "icmp" else 0) for protocol in ("tcp", "udp", "icmp")]
    try:
        return ask(kernel, ears, flows, quiet=0.7)
    finally:
        ears.close()


@inside_tree
def test_a_functions_interface_opens_and_accepts_nothing() -> None:
    made, live = hosts()
    made.eni("eni-fn", "subnet-3", "10.0.3.80", "2600:a:0:1::80", type="lambda")
    kernel = NetworkKernel()
    # Parked: what asks is a namespace of its own, so one that nobody uses only has to be silent.
    applied(kernel, made, live)
    check(kernel, [], [("i-two", "10.0.3.80", "park:vpc-a"), ("i-two", "2600:a:0:1::80", "park:vpc-a")])
    applied(kernel, made, live | {"eni-fn"})
    check(
        kernel,
        [("eni-fn", "10.0.1.5", "i-two"), ("eni-fn", "2600:a:0:1::5", "i-two")],
        [("i-two", "10.0.3.80", "eni-fn"), ("i-two", "2600:a:0:1::80", "eni-fn")],
    )
    # Without rules for everywhere its connections are tracked, and their answers still come.
    for rule in [rule for rule in made.fields["rules"].values() if not rule.egress]:
        made.put("rules", replace(rule, protocol="icmp" if rule.cidr == "0.0.0.0/0" else "icmpv6", from_port=-1, to_port=-1))
    made.rule("sg-a", protocol="tcp", from_port=0, to_port=65535, cidr="10.0.0.0/16")
    applied(kernel, made, live | {"eni-fn"})
    assert answered(kernel, [("eni-fn", "10.0.1.5", "i-two"), ("i-two", "10.0.3.80", "eni-fn")]) == {
        "eni-fn 10.0.1.5": {"tcp", "icmp"},
        "i-two 10.0.3.80": set(),
    }


@inside_tree
def test_endpoints_and_gateways_answer_or_pass_and_begin_nothing() -> None:
    made, live = internet()
    made.eni("eni-gwe", "subnet-prv", "10.0.2.60", type="gateway_load_balancer_endpoint")
    kernel = NetworkKernel()
    applied(kernel, made, live)
    check(
        kernel,
        [("i-app", "10.0.2.50", "serve:vpc-a"), ("i-app", SERVER, "internet")],
        [
            ("serve:vpc-a", "10.0.2.50>10.0.2.5", "i-app"),
            ("nat-pub", "10.0.1.100>10.0.1.5", "i-web"),
            ("nat-pub", f"10.0.1.100>{SERVER}", "internet"),
            ("nat-prv", "10.0.4.100>10.0.2.5", "i-app"),
            ("i-app", "10.0.2.60", "serve:vpc-a"),
            ("i-app", "10.0.4.100", "nat-prv"),
        ],
    )
    # Of all protocols a gateway endpoint takes TCP and pings.
    service = "52.216.1.1"
    assert each_protocol(kernel, Flow("i-app", service, "services:vpc-a", "")) == [True, False, True]


@inside_tree
def test_nothing_answers_at_a_transit_gateways_interface() -> None:
    made, live = transit()
    made.eni("eni-tgw", "subnet-b9", "10.1.9.4", "2600:b:0:9::4", type="transit_gateway")
    kernel = NetworkKernel()
    applied(kernel, made, live)
    check(kernel, [("i-a1", "10.1.1.5", "i-b1")], [(source, "10.1.9.4", "tgw-1") for source in ("i-b1", "i-a1", "i-b2")])


@inside_tree
def test_a_load_balancer_without_groups_admits_everybody_and_one_whose_groups_were_not_told_nobody() -> None:
    made, live = hosts()
    made.put("interfaces", replace(made.eni("eni-nlb", "subnet-3", "10.0.3.80", type="network_load_balancer"), groups=()))
    made.put("interfaces", replace(made.eni("eni-like-it", "subnet-3", "10.0.3.81"), groups=(), groups_told=False))
    kernel, memo = NetworkKernel(), Memo()
    for awake, one, other in (
        (live, "park:vpc-a", "park:vpc-a"),
        (live | {"eni-nlb", "eni-like-it"}, "eni-nlb", "eni-like-it"),
        (live, "park:vpc-a", "park:vpc-a"),
    ):
        applied(kernel, made, awake, memo)
        check(kernel, [("i-two", "10.0.3.80", one)], [("i-two", "10.0.3.81", other)])
    applied(kernel, made, live | {"eni-nlb"}, memo)
    check(kernel, [("eni-nlb", "10.0.1.5", "i-two")], [])


@inside_tree
def test_a_delegated_prefix_is_the_interfaces_own() -> None:
    made, live = peering()
    for name, more in (
        ("eni-b1", {"ipv4_prefixes": ("10.1.1.64/28",), "ipv6_prefixes": ("2600:b:0:1:1::/80",)}),
        ("eni-b2", {"ipv4_prefixes": ("10.11.1.64/28",)}),
    ):
        made.put("interfaces", replace(made.fields["interfaces"][name], **more))  # type: ignore[arg-type]
    made.host("i-b1", "subnet-b2", "10.11.1.9")
    made.put("interfaces", replace(made.fields["interfaces"]["eni-b1-1"], ipv4_prefixes=("10.11.1.32/28",)))
    kernel, memo = NetworkKernel(), Memo()

    def works(source: str, address: str, receiver: str, bind: str = "") -> list[bool]:
        return each_protocol(kernel, Flow(source, address, receiver, "", 80, bind))

    for awake in (live, live | {"i-b2"}):
        applied(kernel, made, awake, memo)
        pods = (("10.1.1.64", "i-b1"), ("10.1.1.79", "i-b1"), ("10.11.1.33", "i-b1"), ("2600:b:0:1:1::7", "i-b1"))
        for address, receiver in (*pods, ("10.11.1.70", "i-b2" if "i-b2" in awake else "park:vpc-b")):
            assert works("i-a1", address, receiver) == [True] * 3, (address, awake)
        check(kernel, [], [("i-a1", "10.1.1.80", "i-b1"), ("i-a1", "10.1.1.63", "i-b1")])
    for bind in ("10.1.1.70", "10.11.1.40"):
        assert works("i-b1", "10.0.1.5", "i-a1", bind) == [True] * 3
    # A rule that names a group means its members' prefixes too.
    for rule in [rule for rule in made.fields["rules"].values() if rule.group == "sg-a" and not rule.egress]:
        del made.fields["rules"][rule.id]
    made.rule("sg-a", source_group="sg-b", source_account=ACCOUNT, peering="pcx-ab", peering_status="active")
    made.put("vpcs", replace(made.fields["vpcs"]["vpc-b"], region=REGION))
    applied(kernel, made, live | {"i-b2"}, memo)
    assert works("i-b1", "10.0.1.5", "i-a1", "10.1.1.70") == [True] * 3
    made.put("interfaces", replace(made.fields["interfaces"]["eni-b1"], groups=()))
    applied(kernel, made, live | {"i-b2"}, memo)
    # From another address of the prefix, for what is tracked already goes on.
    assert works("i-b1", "10.0.1.5", "i-a1", "10.1.1.71") == [False] * 3


@inside_tree
def test_an_interface_whose_only_addresses_of_a_family_are_of_a_prefix() -> None:
    made, live = peering()
    eni = made.fields["interfaces"]["eni-b1"]
    made.put("interfaces", replace(eni, ipv6s=(), ipv6_prefixes=("2600:b:0:1:1::/80",)))
    kernel = NetworkKernel()
    applied(kernel, made, live)
    assert each_protocol(kernel, Flow("i-a1", "2600:b:0:1:1::7", "i-b1", "")) == [True] * 3
    assert each_protocol(kernel, Flow("i-b1", "2600:a:0:1::5", "i-a1", "", bind="2600:b:0:1:1::7")) == [True] * 3


@inside_tree
def test_exclusions_of_block_public_access() -> None:
    made, live = internet()
    kernel, memo = NetworkKernel(), Memo()
    web = [("i-web", SERVER, "internet"), ("i-web", SERVER_6, "internet"), ("internet", f"{CONTROLLER}>198.18.0.5", "i-web")]
    four, six = [("i-app", SERVER, "internet")], [("i-app", SERVER_6, "internet")]
    made.put("public_access", PublicAccess(id=f"{ACCOUNT}/{REGION}", **OWNER, mode="block-bidirectional"))
    for excluded, mode, works, lost in (
        ("subnet-pub", "allow-bidirectional", web + four, six),
        ("subnet-pub", "allow-egress", four, web + six),
        ("subnet-prv", "allow-egress", six, web + four),
        ("vpc-a", "allow-egress", four + six, web),
        ("vpc-a", "allow-bidirectional", web + four + six, []),
    ):
        exclusion = PublicAccessExclusion(id="vpcbpa-exclude-1", **OWNER, resource=excluded, mode=mode, state="create-complete")
        made.put("public_access_exclusions", exclusion)
        applied(kernel, made, live, memo)
        check(kernel, works, lost)


@inside_tree
def test_an_interface_that_denies_the_internet_gateway() -> None:
    made, live = internet()
    made.put("interfaces", replace(made.fields["interfaces"]["eni-web"], deny_igw=True))
    kernel = NetworkKernel()
    applied(kernel, made, live)
    check(kernel, [("i-app", "2600:a:0:1::5", "i-web")], [("internet", f"{SERVER_6}>2600:a:0:1::5", "i-web")])


@inside_tree
def test_a_vpc_that_enforces_encryption() -> None:
    made, live = internet()
    kernel, memo = NetworkKernel(), Memo()
    names = ("InternetGateway", "NatGateway", "EgressOnlyInternetGateway", "VpcPeering")
    ways = {
        "InternetGateway": ("i-web", SERVER, "internet"),
        "EgressOnlyInternetGateway": ("i-app", SERVER_6, "internet"),
        "VpcPeering": ("i-b", "10.0.1.5", "i-web"),
    }
    inside = ("i-app", "10.0.1.5", "i-web")
    for excluded in (*ways, ""):
        control = EncryptionControl(
            id="vpcec-1",
            **OWNER,
            vpc="vpc-a",
            mode="enforce",
            state="available",
            exclusions={name: "enabled" if name == excluded else "disabled" for name in names},
        )
        made.put("encryption_controls", control)
        applied(kernel, made, live, memo)
        lost = [way for name, way in ways.items() if name != excluded and way[2] in kernel.state.namespaces]
        check(kernel, [inside, *(way for name, way in ways.items() if name == excluded)], lost)
    # What is not encrypted goes by its port at an interface endpoint.
    ears = Ears(kernel, ["serve:vpc-a"], ports=(80, 443))
    try:
        flows = [Flow("i-app", "10.0.2.50", "serve:vpc-a", protocol, port) for protocol, port in (("tcp", 443), ("tcp", 80), ("icmp", 0))]
        assert ask(kernel, ears, flows, quiet=0.7) == [True, False, False]
    finally:
        ears.close()


@inside_tree
def test_a_route_that_sends_the_internets_usual_blocks_elsewhere() -> None:
    made, live = internet()
    kernel, memo = NetworkKernel(), Memo()
    office = {"198.51.100.0/24": "vgw-1", "203.0.113.0/24": "vgw-1"}
    for routes, server, controller in (({}, SERVER, CONTROLLER), (office, "192.0.2.1", "192.0.2.10")):
        made.table("rtb-pub", "vpc-a", {"0.0.0.0/0": "igw-a", **routes}, ["subnet-pub"])
        applied(kernel, made, live, memo)
        check(
            kernel,
            [("i-web", server, "internet"), ("internet", f"{controller}>198.18.0.5", "i-web")],
            [("i-web", SERVER, "internet")] if routes else [],
        )
