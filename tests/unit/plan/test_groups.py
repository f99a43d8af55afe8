# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's own egress rules of a new group, of both families: there unless ``egress`` is declared, and then none of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._model.network import Network
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.planner import plan
from ansible_collections.cloudnet.vpc.plugins.module_utils._plan.simulate import simulate
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.parsing import load
from ansible_collections.cloudnet.vpc.plugins.module_utils._topology.types import Topology

ACCOUNTS = {"": "111111111111"}


def topology(ipv6: Any, group: dict[str, Any]) -> Topology:
    vpcs = {"a": {"cidr": "10.0.0.0/16", **({"ipv6": ipv6} if ipv6 else {}), "security_groups": {"g": group}}}
    return load({"name": "t", "region": "us-east-1", "vpcs": vpcs})


def egress(network: Network) -> set[str]:
    (group,) = [item.id for item in network.security_groups.values() if item.topology]
    return {rule.cidr for rule in network.rules.values() if rule.group == group and rule.egress}


@pytest.mark.parametrize("ipv6", [None, True, "2001:db8:77::/56"])
def test_default_egress(ipv6: Any) -> None:
    wanted = topology(ipv6, {})
    made = simulate(Network(), plan(wanted, Network(), ACCOUNTS))
    assert egress(made) == ({"0.0.0.0/0", "::/0"} if ipv6 else {"0.0.0.0/0"})
    assert not plan(wanted, made, ACCOUNTS).actions


@pytest.mark.parametrize("ipv6", [None, True])
def test_declared_egress_leaves_none_of_it(ipv6: Any) -> None:
    wanted = topology(ipv6, {"egress": []})
    made = simulate(Network(), plan(wanted, Network(), ACCOUNTS))
    assert egress(made) == set()
    assert not plan(wanted, made, ACCOUNTS).actions


def test_a_default_rule_for_ipv6_alone_is_seen() -> None:
    open_, closed = topology(True, {}), topology(True, {"egress": []})
    made = simulate(Network(), plan(open_, Network(), ACCOUNTS))
    half = replace(made, rules={key: rule for key, rule in made.rules.items() if rule.cidr != "0.0.0.0/0"})
    for wanted, end in ((closed, set()), (open_, {"0.0.0.0/0", "::/0"})):
        (action,) = plan(wanted, half, ACCOUNTS).actions
        assert (action.op, action.kind, action.before["default_egress"]) == ("update", "security_group", "IPv6 only")  # type: ignore[index]
        assert egress(simulate(half, plan(wanted, half, ACCOUNTS))) == end


def test_a_group_waits_for_the_ipv6_block() -> None:
    actions = {action.name: action for action in plan(topology(True, {}), Network(), ACCOUNTS)}
    assert "vpcs.a.ipv6" in actions["vpcs.a.security_groups.g"].needs
