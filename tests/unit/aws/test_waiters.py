# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits end with the state, share their calls, and say why when the state cannot come any more."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.waiters import GONE, PRESENT, WAITERS, Watcher, state_of
from ansible_collections.cloudnet.vpc.plugins.module_utils.errors import AccessDenied, AwsError

from .aws_fakes import FakeApi, service_model

ME, HERE = "111111111111", "us-east-1"
PCX = "VpcPeeringConnections"
#: Where the answer's key is not the file's name.
ANSWERS = {"ManagedPrefixLists": "PrefixLists"}


def pcx(id_: str, code: str, message: str = "") -> dict[str, Any]:
    return {"VpcPeeringConnectionId": id_, "Status": {"Code": code, "Message": message}}


class Scripted(FakeApi):
    """Answers the n-th describe with the n-th list, and the last one from then on."""

    def __init__(self, *answers: Any) -> None:
        self.turns = list(answers)
        super().__init__({"ec2:DescribeVpcPeeringConnections": self.turn, "ec2:DescribeNatGateways": self.turn})

    def turn(self, _params: dict[str, Any]) -> Any:
        return self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]


def test_the_item_comes_back_once_it_is_there() -> None:
    api = Scripted([], [pcx("pcx-1", "provisioning")], [pcx("pcx-1", "active")])
    assert Watcher(api).wait(ME, HERE, PCX, "pcx-1", ["active"], 10) == pcx("pcx-1", "active")
    assert len(api.asked) == 3
    assert api.asked[0][3] == {"Filters": [{"Name": "vpc-peering-connection-id", "Values": ["pcx-1"]}]}


def test_a_state_without_return_ends_the_wait_with_its_reason() -> None:
    api = Scripted([pcx("pcx-1", "initiating-request")], [pcx("pcx-1", "failed", "overlapping CIDR range")])
    text = (
        r"VpcPeeringConnections pcx-1 in account 111111111111, Region us-east-1 is failed \(overlapping CIDR range\), "
        r"and will not become active"
    )
    with pytest.raises(AwsError, match=text):
        Watcher(api).wait(ME, HERE, PCX, "pcx-1", ["active"], 10)


def test_a_wanted_state_is_never_fatal() -> None:
    assert Watcher(Scripted([pcx("pcx-1", "failed")])).wait(ME, HERE, PCX, "pcx-1", ["active", "failed"], 10) == pcx("pcx-1", "failed")


def test_the_time_is_bounded_and_the_state_named() -> None:
    started = time.monotonic()
    with pytest.raises(AwsError, match=r"is still pending-acceptance and not active: the time to wait is over"):
        Watcher(Scripted([pcx("pcx-1", "pending-acceptance")])).wait(ME, HERE, PCX, "pcx-1", ["active"], 0.5)
    assert 0.4 < time.monotonic() - started < 2


def test_waiting_for_the_end() -> None:
    api = Scripted([pcx("pcx-1", "deleting")], [])
    assert Watcher(api).wait(ME, HERE, PCX, "pcx-1", ["deleted", GONE], 10) == {}


def test_what_was_there_and_is_gone_will_not_come() -> None:
    with pytest.raises(AwsError, match="is gone, and will not become active"):
        Watcher(Scripted([pcx("pcx-1", "provisioning")], [])).wait(ME, HERE, PCX, "pcx-1", ["active"], 10)


def test_an_error_of_the_call_reaches_every_wait() -> None:
    api = Scripted(AccessDenied("denied", action="ec2:DescribeVpcPeeringConnections"))
    watcher = Watcher(api)
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(watcher.wait, ME, HERE, PCX, f"pcx-{n}", ["active"], 10) for n in range(4)]
        for wait in waits:
            with pytest.raises(AccessDenied):
                wait.result(timeout=5)


class Lab(FakeApi):
    """Connections that are each active a given time after the start."""

    def __init__(self, ready: dict[str, float]) -> None:
        self.started = time.monotonic()
        self.ready = ready
        super().__init__({"ec2:DescribeVpcPeeringConnections": self.answer})

    def answer(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        time.sleep(0.02)
        passed = time.monotonic() - self.started
        return [pcx(id_, "active" if passed >= self.ready[id_] else "provisioning") for id_ in params["Filters"][0]["Values"]]


def test_twenty_waits_are_one_call_a_tick() -> None:
    api = Lab({f"pcx-{n}": 0.6 for n in range(20)})
    watcher = Watcher(api)
    with ThreadPoolExecutor(20) as pool:
        items = list(pool.map(lambda id_: watcher.wait(ME, HERE, PCX, id_, ["active"], 10), api.ready))
    assert [item["VpcPeeringConnectionId"] for item in items] == list(api.ready)
    assert len(api.asked) <= 8
    assert max(len(params["Filters"][0]["Values"]) for *_other, params in api.asked) == 20


def test_each_wait_ends_with_its_own_item_and_leaves_nothing_behind() -> None:
    api = Lab({f"pcx-{n}": n * 0.1 for n in range(8)})
    watcher = Watcher(api)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda id_: watcher.wait(ME, HERE, PCX, id_, ["active"], 10), api.ready))
    asked = len(api.asked)
    assert watcher.wait(ME, HERE, PCX, "pcx-0", ["active"], 10)["VpcPeeringConnectionId"] == "pcx-0"
    assert api.asked[asked:][0][3]["Filters"][0]["Values"] == ["pcx-0"]


def test_who_comes_while_a_call_is_under_way_gets_the_next_answer() -> None:
    """The answer under way may tell of the time before what the newcomer did."""
    under_way, go_on = threading.Event(), threading.Event()
    turns = ["modify-complete", "modify-in-progress", "modify-complete"]

    def answer(params: dict[str, Any]) -> list[dict[str, Any]]:
        state = turns.pop(0)
        if len(turns) == 2:
            under_way.set()
            go_on.wait(5)
        return [{"PrefixListId": id_, "State": state} for id_ in params["Filters"][0]["Values"]]

    watcher = Watcher(FakeApi({"ec2:DescribeManagedPrefixLists": answer}))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(watcher.wait, ME, HERE, "ManagedPrefixLists", "pl-1", ["modify-complete"], 10)
        under_way.wait(5)
        second = pool.submit(watcher.wait, ME, HERE, "ManagedPrefixLists", "pl-1", ["modify-complete"], 10)
        time.sleep(0.2)
        go_on.set()
        assert first.result(5)["State"] == second.result(5)["State"] == "modify-complete"
    assert turns == []


def test_accounts_regions_and_kinds_are_asked_apart() -> None:
    api = FakeApi(
        {
            "ec2:DescribeVpcPeeringConnections": [pcx("pcx-1", "active")],
            "ec2:DescribeNatGateways": [{"NatGatewayId": "nat-1", "State": "available"}],
        }
    )
    watcher = Watcher(api)
    watcher.wait(ME, HERE, PCX, "pcx-1", ["active"], 1)
    watcher.wait(ME, "eu-west-1", PCX, "pcx-1", ["active"], 1)
    watcher.wait(ME, HERE, "NatGateways", "nat-1", ["available"], 1)
    assert [(region, action) for _other, region, action, _other in api.asked] == [
        (HERE, "ec2:DescribeVpcPeeringConnections"),
        ("eu-west-1", "ec2:DescribeVpcPeeringConnections"),
        (HERE, "ec2:DescribeNatGateways"),
    ]
    assert "Filter" in api.asked[2][3]


def test_states_are_lower_case_present_or_gone() -> None:
    assert state_of(WAITERS["VpcEndpoints"], {"VpcEndpointId": "x", "State": "Available"}) == "available"
    assert state_of(WAITERS["RouteTables"], {"RouteTableId": "rtb-1"}) == PRESENT
    assert state_of(WAITERS["RouteTables"], None) == GONE


@pytest.mark.parametrize("kind", WAITERS)
def test_the_table_names_calls_and_keys_that_exist(kind: str) -> None:
    waiter = WAITERS[kind]
    operation = service_model("ec2").operation_model(waiter.action.partition(":")[2])
    assert waiter.filters in operation.input_shape.members
    shape = operation.output_shape.members[ANSWERS.get(kind, kind)].member
    assert waiter.id in shape.members
    for path in (waiter.state, waiter.reason):
        inner = shape
        for key in path:
            inner = inner.members[key]
