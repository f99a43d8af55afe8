# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated topologies, valid by construction: several accounts and Regions, secondary blocks, IPv6, every kind of resource."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

REGIONS = ("us-east-1", "eu-west-1")
Mapping = dict[str, Any]


@st.composite
def vpcs(draw: st.DrawFn, index: int, accounts: list[str], six: bool) -> Mapping:
    """One VPC. Blocks are told apart by ``index``, so that any two can be peered."""
    region = draw(st.sampled_from(REGIONS))
    vpc: Mapping = {"cidr": [f"10.{index}.0.0/16"], "region": region, "subnets": {}, "security_groups": {"app": {}, "db": {}}}
    if accounts:
        vpc["account"] = draw(st.sampled_from(accounts))
    if draw(st.booleans()):
        vpc["cidr"].append(f"10.{100 + index}.0.0/16")
    if six and draw(st.booleans()):
        vpc["ipv6"] = True
    for number in range(draw(st.integers(1, 3))):
        subnet: Mapping = {"cidr": f"10.{index}.{number}.0/24", "az": draw(st.sampled_from("abc"))}
        if vpc.get("ipv6"):
            subnet["ipv6"] = True
        vpc["subnets"][f"s{number}"] = subnet
    names = list(vpc["subnets"])
    if draw(st.booleans()):
        vpc["subnets"][names[0]]["public"] = True
        if len(names) > 1 and draw(st.booleans()):
            vpc["subnets"][names[1]]["nat"] = names[0]
    if draw(st.booleans()):
        vpc["security_groups"]["app"]["egress"] = []
    if draw(st.booleans()):
        vpc["security_groups"]["db"]["rules"] = [{"tcp": 22, "from": "office"}, {"tcp": [80, "8000-8010"], "from": "0.0.0.0/0"}]
    if draw(st.booleans()):
        entries = [{"number": 100, "cidr": "10.0.0.0/8", "tcp": "1-65535"}, {"number": 90, "cidr": "10.9.0.0/16", "action": "deny"}]
        vpc["network_acls"] = {"guard": {"subnets": [names[-1]], "inbound": entries, "outbound": entries}}
    if draw(st.booleans()):
        vpc["access"] = {"ssm": True}
    return vpc


@st.composite
def topologies(draw: st.DrawFn) -> Mapping:
    """A whole topology with two to four VPCs, joined as a hub, a mesh or a pair."""
    accounts = draw(st.sampled_from([[], ["one"], ["one", "two"]]))
    six = draw(st.booleans())
    names = [f"v{index}" for index in range(draw(st.integers(2, 4)))]
    made = {name: draw(vpcs(index, accounts, six)) for index, name in enumerate(names)}
    shape = draw(st.sampled_from(["hub", "mesh", "between"]))
    extra: Mapping = draw(st.sampled_from([{}, {"dns": True}, {"dns": False}]))
    joined = {"hub": {"hub": names[0], "spokes": names[1:]}, "mesh": {"mesh": names}, "between": {"between": names[:2]}}[shape]
    pairs = {"hub": [(names[0], other) for other in names[1:]], "between": [(names[0], names[1])]}
    pairs["mesh"] = [(one, other) for at, one in enumerate(names) for other in names[at + 1 :]]
    allows = []
    for one, other in draw(st.lists(st.sampled_from(pairs[shape]), max_size=4)):
        what = draw(st.sampled_from([{"tcp": 443}, {"tcp": ["8000-8010", 22]}, {"udp": 53}, {"icmp": True}]))
        source, target = draw(st.permutations([one, other]))
        allows.append({"from": f"{source}.app", "to": f"{target}.db", **what})
    topology: Mapping = {
        "name": "generated",
        "vpcs": made,
        "peerings": [{**joined, **extra}],
        "prefix_lists": {"office": ["203.0.113.0/24"]},
    }
    if accounts:
        topology["accounts"] = {name: {"profile": name} for name in accounts}
    if allows:
        topology["allow"] = allows
    return topology
