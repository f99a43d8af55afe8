# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must always hold, over networks made by chance."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.index import FILES
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.matrix import Question, matrix
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.reach import reach
from ansible_collections.cloudnet.vpc.plugins.module_utils._reach.verdict import BLOCKER_CODES, UNKNOWN_CODES, Blocker, Verdict
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from support.patience import examples

from . import terse
from .generated import FEATURES, PECULIAR, QUESTIONS, networks, peculiar

RANK = {"blocked": 0, "unknown": 1, "reachable": 2}
HOSTS = [f"i-{vpc}{number}" for vpc in range(3) for number in range(4)]
slowly = settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

#: For the larger networks.
rarely = settings(slowly, max_examples=examples(25))


def _ask(data: dict[str, Any], source: str, destination: str, question: tuple[str, Any]) -> Verdict:
    return reach(terse.network(data), source, destination, *question)


@slowly
@given(networks(), st.sampled_from(HOSTS), st.sampled_from(HOSTS), st.sampled_from(QUESTIONS), st.data())
def test_an_allow_rule_never_closes_anything(
    data: dict[str, Any], source: str, destination: str, question: tuple[str, Any], more: st.DataObject
) -> None:
    before = _ask(data, source, destination, question)
    wider = deepcopy(data)
    group = more.draw(st.sampled_from(sorted(data["groups"])))
    side = more.draw(st.sampled_from(["in", "out"]))
    rule = more.draw(st.sampled_from(["all 0.0.0.0/0", "tcp 443 10.0.0.0/8", "tcp 80-443 sg-00", "icmp 0.0.0.0/0"]))
    wider["groups"][group][side] = [*wider["groups"][group].get(side, ["all 0.0.0.0/0"] if side == "out" else []), rule]
    after = _ask(wider, source, destination, question)
    assert RANK[after.verdict] >= RANK[before.verdict]
    assert {_key(item) for item in after.blockers} <= {_key(item) for item in before.blockers}


def _key(blocker: Blocker) -> tuple[str, str]:
    # Which code a shut gate has depends on its rules; that it is shut does not.
    shut = blocker.code in ("SG_HAS_NO_RULES", "ENI_SG_RULES_MISMATCH", "UNKNOWN_PEERED_SGS", "SG_REFERENCES_NOT_PRESERVED")
    return ("gate" if shut else blocker.code, blocker.component)


def _mend(data: dict[str, Any], blocker: Blocker, source: str, destination: str) -> bool:
    """Take away the cause of one blocker, in the network itself; False when this test knows no way."""
    hosts = data["hosts"]
    if blocker.code in ("SG_HAS_NO_RULES", "ENI_SG_RULES_MISMATCH", "UNKNOWN_PEERED_SGS", "SG_REFERENCES_NOT_PRESERVED"):
        end = source if blocker.component == f"eni-{source[2:]}" else destination
        group = data["groups"][hosts[end]["groups"][0]]
        side = "out" if end == source else "in"
        group[side] = [*group.get(side, []), "all 0.0.0.0/0"]
    elif blocker.code == "SUBNET_ACL_RESTRICTION":
        for side in ("in", "out"):
            data["acls"][blocker.component][side] = ["1 allow all 0.0.0.0/0"]
    elif blocker.code in ("BAD_STATE_ROUTE", "BAD_STATE"):
        peering = blocker.component if blocker.code == "BAD_STATE" else blocker.rule.split(" → ")[1].split(" ")[0]
        data["peerings"][peering][2] = "active"
        for table in data["tables"].values():
            table["routes"] = [route.removesuffix(" blackhole") if peering in route else route for route in table["routes"]]
    elif blocker.code == "DISCONNECTED_VPCS":
        one, other = blocker.component.split(", ")
        data["peerings"].pop(f"pcx-{one[-1]}{other[-1]}", None)
        data["peerings"][f"pcx-{one[-1]}{other[-1]}-new"] = [one, other, "active"]
    elif blocker.code in ("NO_ROUTE_TO_DESTINATION", "MORE_SPECIFIC_ROUTE", "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR"):
        here, there = (source, destination) if blocker.direction == "forward" else (destination, source)
        table = data["subnets"][hosts[here]["subnet"]]["table"]
        vpcs = {f"vpc-{here[2]}", f"vpc-{there[2]}"}
        peering = next((id_ for id_, sides in data["peerings"].items() if set(sides[:2]) == vpcs and sides[2] == "active"), "")
        if not peering:
            return False
        data["tables"][table]["routes"].append(f"{hosts[there]['ip']}/32 {peering}")
    elif blocker.code == "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS":
        return False
    else:
        raise AssertionError(f"no such blocker was expected here: {blocker}")
    return True


@slowly
@given(networks(), st.sampled_from(HOSTS), st.sampled_from(HOSTS), st.sampled_from(QUESTIONS), st.integers(0, 9))
def test_taking_a_blockers_cause_away_drops_that_blocker(
    data: dict[str, Any], source: str, destination: str, question: tuple[str, Any], chosen: int
) -> None:
    before = _ask(data, source, destination, question)
    assume(before.blockers)
    blocker = before.blockers[chosen % len(before.blockers)]
    mended = deepcopy(data)
    assume(_mend(mended, blocker, source, destination))
    event(blocker.code)
    after = _ask(mended, source, destination, question)
    same = {(item.code, item.component, item.rule, item.direction) for item in after.blockers}
    assert (blocker.code, blocker.component, blocker.rule, blocker.direction) not in same


@slowly
@given(networks(), st.sampled_from(QUESTIONS))
def test_the_matrix_says_what_the_pairs_say(data: dict[str, Any], question: tuple[str, Any]) -> None:
    network = terse.network(data)
    ends = {**{host: host for host in HOSTS}, "internet": "internet", "new": "subnet-00+sg-00", "other": "10.1.0.200"}
    found = matrix(network, ends, [Question(*question)])
    names = list(ends)
    single = {
        (one, other): reach(network, ends[one], ends[other], *question, family=4).verdict
        for one in names
        for other in names
        if one != other
    }
    got = {(row["source"], row["destination"]): row["verdict"] for row in found.rows()}
    assert got == single
    counts = found.counts()
    assert counts == {word: list(single.values()).count(word) for word in ("reachable", "blocked", "unknown")}


@slowly
@given(networks(), st.sampled_from([*HOSTS, "internet"]), st.sampled_from([*HOSTS, "internet"]), st.sampled_from(QUESTIONS))
def test_every_answer_is_in_order(data: dict[str, Any], source: str, destination: str, question: tuple[str, Any]) -> None:
    found = _ask(data, source, destination, question)
    assert (found.verdict == "reachable") == (not found.blockers and not found.unknowns)
    assert {blocker.code for blocker in found.blockers} <= BLOCKER_CODES
    assert {unknown.code for unknown in found.unknowns} <= set(UNKNOWN_CODES)
    assert (found.mtu is not None) == found.reachable
    if found.reachable and source != destination:
        assert not any(hop.assumed for hop in found.forward.hops)
    told = found.as_dict()
    assert told["forward"]["disposition"] in ("delivered", "dropped", "unknown")
    assert _ask(data, source, destination, question) == found


@rarely
@given(peculiar(), st.sampled_from(QUESTIONS), st.lists(st.sampled_from(PECULIAR), min_size=4, max_size=7, unique=True))
def test_the_matrix_says_what_the_pairs_say_of_ends_that_are_no_hosts(
    data: dict[str, Any], question: tuple[str, Any], chosen: list[str]
) -> None:
    network = terse.network(data)
    ends = [*chosen, "i-00", "i-11"]
    found = matrix(network, ends, [Question(*question)])
    outside = {"9.9.9.9", "internet", "198.51.100.240"}
    pairs = [(one, other) for one in ends for other in ends if one != other and not {one, other} <= outside]
    told = {(row["source"], row["destination"]): row["verdict"] for row in found.rows()}
    assert {pair: told[pair] for pair in pairs} == {
        (one, other): reach(network, one, other, *question, family=4).verdict for one, other in pairs
    }


@rarely
@given(peculiar(), st.sampled_from([*PECULIAR, *HOSTS]), st.sampled_from([*PECULIAR, *HOSTS]), st.sampled_from(QUESTIONS))
def test_every_answer_about_ends_that_are_no_hosts_names_what_it_speaks_of(
    data: dict[str, Any], source: str, destination: str, question: tuple[str, Any]
) -> None:
    found = _ask(data, source, destination, question)
    assert (found.verdict == "reachable") == (not found.blockers and not found.unknowns)
    assert {blocker.code for blocker in found.blockers} <= BLOCKER_CODES
    assert {unknown.code for unknown in found.unknowns} <= set(UNKNOWN_CODES)
    for note in (*found.blockers, *found.unknowns):
        assert note.component and note.name and note.why, note
        assert "  " not in note.why and not note.why.startswith(" ") and ":  " not in note.why, note
    assert all(blocker.fix.text for blocker in found.blockers)


@rarely
@given(peculiar(), st.sampled_from([*PECULIAR, *HOSTS]), st.sampled_from([*PECULIAR, *HOSTS]), st.sampled_from(QUESTIONS))
def test_what_was_asked_for_in_vain_never_turns_an_answer_round(
    data: dict[str, Any], source: str, destination: str, question: tuple[str, Any]
) -> None:
    whole = _ask(data, source, destination, question)
    for feature in FEATURES:
        gone = [feature, "VpcBlockPublicAccessOptions"] if feature == "VpcBlockPublicAccessExclusions" else [feature]
        part = _ask(data | {"untold": gone}, source, destination, question)
        assert {whole.verdict, part.verdict} != {"reachable", "blocked"}, feature


@pytest.mark.parametrize("missing", sorted({*FILES, "VpcPeeringConnections"} - {"Reservations"}))
@settings(deadline=None, max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.sampled_from(HOSTS), st.sampled_from(HOSTS), st.sampled_from(QUESTIONS))
def test_a_missing_file_never_turns_an_answer_round(
    missing: str, data: dict[str, Any], source: str, destination: str, question: tuple[str, Any]
) -> None:
    whole = _ask(data, source, destination, question)
    gone = [missing, *(["SecurityGroups"] if missing == "SecurityGroupRules" else [])]
    part = _ask(data | {"missing": gone}, source, destination, question)
    assert {whole.verdict, part.verdict} != {"reachable", "blocked"}
