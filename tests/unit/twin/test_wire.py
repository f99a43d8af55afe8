# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab tells its data plane, and what comes back."""

from __future__ import annotations

from dataclasses import fields

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network, Subnet, Vpc
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.facts import Facts, HostFacts, Role
from ansible_collections.cloudnet.vpc.plugins.plugin_utils.twin.wire import HEADER, Delta, answer, question, read_answer, read_question

from tests.support.twin_cases import transit


def network_of_all_kinds() -> Network:
    return transit()[0].network()


def vpc(name: str, cidr: str = "10.0.0.0/16") -> Vpc:
    return Vpc(id=name, account="111111111111", region="us-east-1", cidrs=(cidr,))


def subnet(name: str) -> Subnet:
    return Subnet(id=name, account="111111111111", region="us-east-1", vpc="vpc-a", cidr="10.0.0.0/24")


def test_a_delta_changes_what_it_names_and_keeps_the_rest_itself() -> None:
    before = Network(vpcs={"vpc-a": vpc("vpc-a"), "vpc-b": vpc("vpc-b")}, subnets={"subnet-a": subnet("subnet-a")})
    after = Delta({"vpcs": {"vpc-b": vpc("vpc-b", "10.1.0.0/16"), "vpc-c": vpc("vpc-c")}}, {"vpcs": ("vpc-a", "vpc-x")}).onto(before)
    assert set(after.vpcs) == {"vpc-b", "vpc-c"}
    assert after.vpcs["vpc-b"].cidrs == ("10.1.0.0/16",)
    assert after.subnets is before.subnets
    assert set(before.vpcs) == {"vpc-a", "vpc-b"}


def test_an_empty_delta_is_the_same_network() -> None:
    network = Network(vpcs={"vpc-a": vpc("vpc-a")})
    assert Delta().onto(network) is network


def test_a_question_arrives_as_it_was_put() -> None:
    facts = Facts({"i-1": HostFacts("i-1", user_data=b"#!/bin/sh\n", role=Role("app", "arn:aws:iam::111111111111:role/app", "AKIA", "s"))})
    sent = question(7, "update", {"delta": Delta({"vpcs": {"vpc-a": vpc("vpc-a")}}, facts=facts)})
    length, number = HEADER.unpack(sent[: HEADER.size])
    assert (length, number) == (len(sent) - HEADER.size, 7)
    operation, arguments = read_question(sent[HEADER.size :])
    assert operation == "update"
    assert arguments["delta"].facts == facts


def test_the_networks_objects_arrive_as_they_were() -> None:
    network = network_of_all_kinds()
    changed = {
        item.name: dict(getattr(network, item.name))
        for item in fields(Network)
        if item.name not in ("complete", "untold", "warnings", "others")
    }
    _operation, arguments = read_question(question(1, "update", {"delta": Delta(changed)})[HEADER.size :])
    assert arguments["delta"].changed == changed
    # A table works out what it is asked often once, and keeps it; a copy has none of that, and works.
    [table, *_others] = arguments["delta"].changed["route_tables"].values()
    assert table.by_destination == next(iter(network.route_tables.values())).by_destination


@pytest.mark.parametrize(("value", "error"), [({"a": [1, None]}, ""), (None, "the kernel refused it")])
def test_an_answer_is_a_value_or_an_error(value: object, error: str) -> None:
    assert read_answer(answer(1, value, error)[HEADER.size :]) == (value, error)


def test_secrets_are_not_shown() -> None:
    facts = HostFacts("i-1", user_data=b"password=hunter2", role=Role("app", "arn", "AKIAKEY", "sssecret", "tttoken"))
    for word in ("hunter2", "AKIAKEY", "sssecret", "tttoken"):
        assert word not in repr(facts)
