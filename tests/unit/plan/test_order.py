# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes before what."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import TWO, World, ops


def test_a_renamed_subnet_takes_its_block_once_the_old_one_is_gone(built: World) -> None:
    order = ops(built.under(TWO.replace("subnets: {s: {cidr: 10.0.1.0/24", "subnets: {t: {cidr: 10.0.1.0/24")).plan())
    assert order.index("delete subnet vpcs.a.subnets.s") < order.index("create subnet vpcs.a.subnets.t")
    assert order.index("delete association vpcs.a.subnets.s.table") < order.index("delete subnet vpcs.a.subnets.s")


@pytest.mark.parametrize("absent", [False, True])
def test_every_action_comes_after_what_it_needs(world: Callable[[str], World], absent: bool) -> None:
    start = world(TWO).apply() if absent else world(TWO)
    seen: set[str] = set()
    for action in start.plan(absent=absent):
        assert action.needs <= seen
        seen.add(action.key)
    assert len(seen) == 15 - absent


def test_blocks_come_before_the_request_that_would_hold_them_up(world: Callable[[str], World]) -> None:
    order = ops(world(TWO.replace("cidr: 10.0.0.0/16", "ipv6: true, cidr: [10.0.0.0/16, 10.5.0.0/16]")).plan())
    request = order.index("create peering peerings.a:b")
    assert order.index("create cidr vpcs.a.cidrs.10.5.0.0/16") < request
    assert order.index("create cidr vpcs.a.ipv6") < request
