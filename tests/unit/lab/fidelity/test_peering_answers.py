# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accept, reject, delete: by whom, from which state, and who still sees a dead connection for how long."""

from __future__ import annotations

from typing import Any

import pytest

from .vpc_helpers import AWAY, A, B, is_seen, join, make_vpc, refused, request, seen, state

HOUR, DAY = 3600, 86400


def test_only_the_accepters_owner_in_the_accepters_region_answers(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", B, AWAY)
    key = request(left, right)
    for verb in ("accept", "reject"):
        with refused("OperationNotPermitted", f"User ({A}) cannot {verb} peering {key}"):
            getattr(left.client, f"{verb}_vpc_peering_connection")(VpcPeeringConnectionId=key)
    near, far = make_vpc(lab, "10.2.0.0/16"), make_vpc(lab, "10.3.0.0/16", A, AWAY)
    own = request(near, far)
    for verb in ("accept", "reject"):
        with refused("OperationNotPermitted", f"must be {verb}ed in region {AWAY}"):
            getattr(near.client, f"{verb}_vpc_peering_connection")(VpcPeeringConnectionId=own)
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        lab.client("ec2", account=B).accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert (state(left, key), state(near, own)) == ("pending-acceptance", "pending-acceptance")
    right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    far.client.accept_vpc_peering_connection(VpcPeeringConnectionId=own)
    assert (state(left, key), state(near, own)) == ("active", "active")


def test_a_request_inside_one_account_is_not_accepted_by_itself(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    assert state(left, request(left, right)) == "pending-acceptance"


def _reach(lab: Any, wanted: str) -> tuple[Any, Any, str]:
    left, right = make_vpc(lab), make_vpc(lab, "10.0.4.0/24" if wanted == "failed" else "10.1.0.0/16", B)
    key = request(left, right)
    if wanted in ("active", "deleted"):
        right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
    if wanted == "deleted":
        left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    if wanted == "rejected":
        right.client.reject_vpc_peering_connection(VpcPeeringConnectionId=key)
    if wanted == "expired":
        lab.lab.advance(7 * DAY + 60)
    assert state(left, key) == wanted
    return left, right, key


@pytest.mark.parametrize(
    ("start", "who", "verb", "answer"),
    [
        ("pending-acceptance", "right", "accept", "active"),
        ("pending-acceptance", "right", "reject", "rejected"),
        ("pending-acceptance", "left", "delete", "deleted"),
        ("pending-acceptance", "right", "delete", "OperationNotPermitted"),
        ("active", "right", "accept", "InvalidStateTransition"),
        ("active", "right", "reject", "InvalidStateTransition"),
        ("active", "left", "delete", "deleted"),
        ("active", "right", "delete", "deleted"),
        ("rejected", "right", "accept", "InvalidStateTransition"),
        ("rejected", "left", "delete", "InvalidStateTransition"),
        ("rejected", "right", "delete", "InvalidStateTransition"),
        ("failed", "left", "delete", "InvalidStateTransition"),
        ("failed", "right", "reject", "InvalidVpcPeeringConnectionID.NotFound"),
        ("expired", "right", "accept", "InvalidStateTransition"),
        ("expired", "right", "reject", "InvalidStateTransition"),
        ("expired", "left", "delete", "InvalidStateTransition"),
        ("deleted", "right", "accept", "InvalidStateTransition"),
        ("deleted", "left", "delete", "InvalidStateTransition"),
    ],
)
def test_each_answer_in_each_state(lab: Any, start: str, who: str, verb: str, answer: str) -> None:
    left, right, key = _reach(lab, start)
    side = left if who == "left" else right
    call = getattr(side.client, f"{verb}_vpc_peering_connection")
    if answer[0].isupper():
        with refused(answer):
            call(VpcPeeringConnectionId=key)
        assert state(left, key) == start
    else:
        call(VpcPeeringConnectionId=key)
        assert state(left, key) == answer


def test_the_deleter_is_named(lab: Any) -> None:
    _other, right, key = _reach(lab, "active")
    right.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    assert seen(right, key)["Status"]["Message"] == f"Deleted by {B}"


@pytest.mark.parametrize(
    ("dead", "requester", "accepter"),
    [
        ("failed", 2 * HOUR, 0),
        ("expired", 2 * DAY, 2 * DAY),
        ("rejected", 2 * DAY, 2 * HOUR),
        ("deleted", 2 * HOUR, 2 * DAY),
    ],
)
def test_how_long_the_dead_are_seen(lab: Any, dead: str, requester: int, accepter: int) -> None:
    left, right, key = _reach(lab, dead)
    passed = 60 if dead == "expired" else 0
    for seconds in sorted({requester, accepter}):
        step = seconds - 300 - passed
        if step > 0:
            lab.lab.advance(step)
            passed += step
            assert is_seen(left, key) == (requester >= seconds)
            assert is_seen(right, key) == (accepter >= seconds)
            lab.lab.advance(600)
            passed += 600
    assert not is_seen(left, key)
    assert not is_seen(right, key)
    with refused("InvalidVpcPeeringConnectionID.NotFound", key):
        seen(left, key)


@pytest.mark.parametrize("dead", ["rejected", "deleted"])
def test_inside_one_account_the_dead_are_seen_for_two_hours(lab: Any, dead: str) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16", A, AWAY)
    key = request(left, right)
    if dead == "rejected":
        right.client.reject_vpc_peering_connection(VpcPeeringConnectionId=key)
    else:
        right.client.accept_vpc_peering_connection(VpcPeeringConnectionId=key)
        left.client.delete_vpc_peering_connection(VpcPeeringConnectionId=key)
    lab.lab.advance(2 * HOUR - 60)
    assert is_seen(left, key) and is_seen(right, key)
    lab.lab.advance(120)
    assert not is_seen(left, key) and not is_seen(right, key)


def test_an_accepted_request_does_not_expire(lab: Any) -> None:
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    key = join(left, right)
    lab.lab.advance(8 * DAY)
    assert state(left, key) == "active"


def test_an_expired_request_frees_its_place(lab: Any) -> None:
    lab.control.config(quotas={"peerings_outstanding": 1})
    left, right = make_vpc(lab), make_vpc(lab, "10.1.0.0/16")
    first = request(left, right)
    lab.lab.advance(7 * DAY + 1)
    assert request(left, right) != first
