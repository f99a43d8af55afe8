# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked examples of docs/reading_a_verdict.md, from the golden cases. ``python -m tests.unit.reach.reading`` writes them anew."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

import yaml  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.report import text  # noqa: E402
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.verdict import Verdict  # noqa: E402

from . import terse  # noqa: E402
from .test_cases import CASES, ask  # noqa: E402

DOC = ROOT / "docs" / "reading_a_verdict.md"
START, END = "<!-- examples: written by tests/unit/reach/reading.py -->", "<!-- end of examples -->"

#: Code: case, question, and what the code means.
EXAMPLES: dict[str, tuple[str, str, str]] = {
    "NO_ROUTE_TO_DESTINATION": (
        "peering_several_cidrs",
        "i-a2 -> i-b2 tcp 443",
        "The subnet's table has no route for the address, in this direction.",
    ),
    "MORE_SPECIFIC_ROUTE": (
        "peering_longest_prefix",
        "i-a -> i-c tcp 22",
        "There is a route to the right place, but a more specific one leads elsewhere.",
    ),
    "BAD_STATE_ROUTE": (
        "groups_stale",
        "i-a -> i-c tcp 443",
        "The route is there, as a blackhole: it drops, and no less specific route is tried.",
    ),
    "BAD_STATE": ("faults_of_others", "i-a -> i-c tcp 443", "A connection, gateway, endpoint or instance is not in a working state."),
    "DISCONNECTED_VPCS": ("peering_hub", "i-b -> i-c tcp 443", "Nothing joins the two VPCs."),
    "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR": (
        "peering_transit_unsupported",
        "i-b -> i-c tcp 443",
        "A peering connection carries packets from one of its VPCs to the other and no further, whatever the routes say.",
    ),
    "ENI_SG_RULES_MISMATCH": ("peering_two_vpcs", "i-a -> i-b tcp 80", "No rule of any group of the interface matches."),
    "SG_HAS_NO_RULES": ("groups_gates", "i-shut -> i-db tcp 22", "The groups have no rules at all in this direction."),
    "UNKNOWN_PEERED_SGS": (
        "groups_stale",
        "i-a -> i-b tcp 443",
        "A rule names a group behind a connection that is not active: it is stale, and admits nobody.",
    ),
    "SG_REFERENCES_NOT_PRESERVED": (
        "transit_gateway",
        "i-a -> i-c tcp 443",
        "A rule names the sender's group, but on this way groups are not passed on. (The answer fails by itself here.)",
    ),
    "SUBNET_ACL_RESTRICTION": (
        "acl_stateless",
        "i-open -> i-lame tcp 443",
        "A network ACL denies: here the answer, for ACLs are stateless.",
    ),
    "ENI_SOURCE_DEST_CHECK_RESTRICTION": (
        "appliance",
        "i-one -> i-two tcp 80",
        "The route leads to an interface that takes only what is addressed to it.",
    ),
    "NO_INTERNET_GATEWAY": ("peering_edge_to_edge_unsupported", "i-b -> internet tcp 443", "The VPC has no internet gateway."),
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS": (
        "gateways",
        "i-bare -> internet tcp 443",
        "Out to the internet needs a public address, or a NAT gateway.",
    ),
    "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS": ("gateways", "internet -> i-bare tcp 443", "In from the internet needs a public address."),
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS": (
        "gateways",
        "i-front -> 192.168.7.7 tcp 443",
        "A private address went to the default route: its own route is missing.",
    ),
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS": (
        "rarer_codes",
        "i-a -> 100.64.0.1 tcp 443",
        "The same for shared addresses (100.64.0.0/10).",
    ),
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC4193_EGRESS": (
        "rarer_codes",
        "i-a -> fd12::1 tcp 443",
        "The same for unique local addresses of IPv6.",
    ),
    "VPC_BLOCK_PUBLIC_ACCESS_ENABLED": ("gateways", "internet -> i-b tcp 443", "VPC Block Public Access is on."),
    "PROTOCOL_RESTRICTION": ("gateways", "i-app -> internet 50", "A NAT gateway passes TCP, UDP and ICMP alone."),
    "ASYMMETRIC_NAT": (
        "gateways",
        "internet -> i-app tcp 443",
        "The answer leaves by a NAT or egress-only gateway, which lets nobody in and does not know the connection. (IPv6 here.)",
    ),
    "VPCE_GATEWAY_PROTOCOL_RESTRICTION": ("gateways", "i-app -> vpce-s3 udp 443", "A gateway endpoint takes TCP and pings."),
    "VPCE_INTRA_VPC_TRAFFIC": ("gateways", "vpce-ssm -> i-front tcp 443", "An endpoint answers; it asks nobody."),
    "BAD_STATE_ATTACHMENT": (
        "rarer_codes",
        "i-a -> i-b tcp 443",
        "The VPC is not attached to the transit gateway, or the attachment does not work.",
    ),
    "TGW_ROUTE_AZ_RESTRICTION": ("transit_gateway", "i-a-b -> i-b tcp 80", "The attachment has no subnet in the sender's zone."),
    "TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION": (
        "transit_gateway",
        "i-a -> i-d tcp 80",
        "The attachment is associated with no transit gateway route table.",
    ),
    "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT": (
        "transit_gateway",
        "i-a -> i-c tcp 443",
        "The transit gateway's table has no route for the address.",
    ),
    "TGW_RTB_BAD_STATE_ROUTE": ("transit_gateway", "i-a -> 10.1.7.7 tcp 80", "The transit gateway's table drops the address."),
    "NO_SUCH_SUBNET": ("peering_two_vpcs", "i-a -> 10.1.9.9 tcp 443", "The address is in the VPC's block, but in no subnet."),
    "NO_ADDRESS_OF_FAMILY": ("peering_ipv6", "i-a -> i-4 tcp 443", "One end has no address of the family that is asked for. (IPv6 here.)"),
    "NO_SUCH_ADDRESS": (
        "ends_of_services",
        "i-a -> 10.0.1.1 icmp",
        "Nobody has the address: AWS keeps it, or every interface was read and none has it.",
    ),
    "SERVICE_INTERFACE": (
        "ends_of_services",
        "i-a -> eni-fn tcp 443",
        "A NAT gateway, transit gateway, Gateway Load Balancer endpoint or Lambda function has the interface: nothing unasked ends there.",
    ),
    "RESOLVER_RESTRICTION": (
        "ends_of_services",
        "i-b -> 10.0.0.2 udp 53",
        "The resolver (the base of the VPC's primary block plus two) answers its own VPC alone, and only while DNS resolution is on.",
    ),
    "VPC_ENCRYPTION_ENFORCED": (
        "encryption_controls",
        "i-a -> i-b tcp 80",
        "VPC encryption controls are in enforce mode, and this way out is neither encrypted by AWS nor excluded.",
    ),
    "NOT_ROUTED": ("gateways", "i-front -> 224.0.0.1 udp 80", "Loopback, multicast and the like."),
    "NOT_OBSERVED": ("not_observed_acls", "i-a -> i-b tcp 443", "A file of the snapshot is missing, or an object is not in it."),
    "UNSUPPORTED_TARGET": (
        "route_priorities",
        "i-vpn -> i-b tcp 443",
        "What lies behind the target (VPN, Direct Connect, a firewall endpoint …) is in no describe call.",
    ),
    "AMBIGUOUS_PREFIX_LISTS": (
        "route_priorities",
        "i-two -> i-b tcp 443",
        "Two prefix lists hold the same block, and AWS picks a route at random.",
    ),
    "APPLIANCE": (
        "appliance",
        "i-one -> i-ref tcp 443",
        "Whether an instance forwards is its own affair; blockers beyond it are marked unsure.",
    ),
    "PARTIAL": (
        "acl_stateless",
        "i-open -> i-linux tcp 443",
        "A part gets through: here, answers to some of the ports that a client may use.",
    ),
    "NO_INTERFACE": (
        "addresses_unread",
        "i-a -> 10.0.1.77 tcp 80",
        "No interface that was read has the address, and not all were read, so its groups are not known.",
    ),
    "GROUP_ASSOCIATION": (
        "group_associations",
        "i-b-all -> i-a tcp 443",
        "A rule names a group that the other end has by association with its VPC; AWS does not say whether that counts over a connection.",
    ),
    "IN_TRANSITION": (
        "ends_of_services",
        "i-a -> eni-coming tcp 22",
        "Something is being attached, detached or switched over: an interface, Block Public Access, encryption controls.",
    ),
    "LOOP": ("rarer_codes", "i-a -> 10.9.0.1 tcp 443", "The packet comes back to where it was."),
    "ONE_SIDED": (
        "gateways",
        "internet -> i-app udp 53",
        "A gateway that tracks connections sees one direction only: AWS does not say what it does with the rest.",
    ),
}


def verdict(case: str, question: str) -> Verdict:
    """A case's answer. The question must be one of the case's own."""
    data = yaml.safe_load((CASES / f"{case}.yml").read_text())
    step = next(step for step in data.get("steps", [data]) if any(item["ask"] == question for item in step["questions"]))
    found = [item for item in step["questions"] if item["ask"] == question]
    chosen = next((item for item in found if item.get("family") == 6), found[0])
    return ask(terse.network(step["network"]), chosen if case != "peering_edge_to_edge_unsupported" else found[0])


def examples() -> str:
    """Every code's section."""
    parts = []
    for code, (case, question, meaning) in EXAMPLES.items():
        parts.append(f"### {code}\n\n{meaning}\n\n```text\n{text(verdict(case, question), hops=False)}\n```\n")
    return "\n".join(parts)


def whole() -> str:
    """The whole first example, with its hops."""
    return f"```text\n{text(verdict('peering_several_cidrs', 'i-a2 -> i-b2 tcp 443'))}\n```\n"


def written(document: str) -> str:
    """A document with its examples renewed."""
    head, _start, rest = document.partition(START)
    _old, _end, tail = rest.partition(END)
    return f"{head}{START}\n\n{examples()}\n{END}{tail}"


if __name__ == "__main__":
    DOC.write_text(written(DOC.read_text()))
