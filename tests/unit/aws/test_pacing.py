# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token buckets with AWS's numbers, on a clock of our own."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.cloudnet.vpc.plugins.module_utils._aws.pacing import (
    MUTATING,
    RATES,
    READING,
    UNBOUNDED,
    Bucket,
    Pacer,
    Rate,
    rate_of,
)
from hypothesis import given
from hypothesis import strategies as st

from .aws_fakes import Clock, service_model

ACCOUNT, REGION = "111111111111", "us-east-1"


@pytest.mark.parametrize(
    ("action", "bounded", "rate"),
    [
        ("ec2:CreateVpcPeeringConnection", True, MUTATING),
        ("ec2:AuthorizeSecurityGroupIngress", True, MUTATING),
        ("ec2:ModifyVpcPeeringConnectionOptions", True, MUTATING),
        ("ec2:DescribeVpcs", True, READING),
        ("ec2:DescribeSecurityGroups", True, READING),
        ("ec2:DescribeSecurityGroups", False, UNBOUNDED),
        ("ec2:DescribeStaleSecurityGroups", True, Rate(20, 5)),
        ("ec2:CreateTags", True, Rate(100, 10)),
        ("ec2:CreateVpcEndpoint", True, Rate(4, 0.3)),
        ("sts:GetCallerIdentity", True, READING),
    ],
)
def test_the_published_rates(action: str, bounded: bool, rate: Rate) -> None:
    assert rate_of(action, bounded=bounded) == rate


def test_every_action_with_a_rate_of_its_own_exists() -> None:
    names = {"ec2": "ec2", "servicequotas": "service-quotas"}
    for action in RATES:
        service, _mark, operation = action.partition(":")
        assert operation in service_model(names[service]).operation_names


def test_a_burst_is_free_and_then_each_call_waits_its_turn() -> None:
    clock = Clock()
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    for _turn in range(50):
        pacer.acquire(ACCOUNT, REGION, "ec2:CreateRoute")
    assert clock.now == 0
    for _turn in range(10):
        pacer.acquire(ACCOUNT, REGION, "ec2:CreateRoute")
    assert clock.now == pytest.approx(10 / 5)


def test_where_nothing_may_be_limited_the_first_throttle_tells() -> None:
    clock = Clock()
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    for _turn in range(200):
        bucket = pacer.acquire(ACCOUNT, REGION, "ec2:CreateVpcEndpoint", known=False)
    assert clock.now == 0
    bucket.throttled()
    for _turn in range(3):
        pacer.acquire(ACCOUNT, REGION, "ec2:CreateVpcEndpoint", known=False)
    assert clock.now == pytest.approx(3 / (0.3 * 0.7))  # from an empty bucket, and slower, as anywhere after a throttle


def test_buckets_are_apart() -> None:
    clock = Clock()
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    for account, region, action in [
        (ACCOUNT, REGION, "ec2:CreateRoute"),
        (ACCOUNT, REGION, "ec2:DeleteRoute"),
        (ACCOUNT, "eu-west-1", "ec2:CreateRoute"),
        ("222222222222", REGION, "ec2:CreateRoute"),
    ]:
        for _turn in range(50):
            pacer.acquire(account, region, action)
    assert clock.now == 0


def test_tokens_come_back_but_not_beyond_the_bucket() -> None:
    clock = Clock()
    bucket = Bucket(Rate(10, 2), clock)
    for _turn in range(10):
        assert bucket.reserve() == 0
    clock.now = 1000.0
    assert [bucket.reserve() for _turn in range(11)] == [0.0] * 10 + [0.5]


def test_a_throttle_slows_down_and_success_comes_back() -> None:
    clock = Clock()
    bucket = Bucket(Rate(50, 5), clock)
    bucket.throttled()
    assert bucket.refill == pytest.approx(3.5)
    for _turn in range(20):
        bucket.throttled()
    assert bucket.refill == pytest.approx(3.5)  # calls that were under way together meet the same empty bucket
    for _turn in range(20):
        clock.now += 1
        bucket.throttled()
    assert bucket.refill == pytest.approx(1.0)  # a fifth of the published rate at the least
    for _turn in range(16):
        bucket.served()
    assert bucket.refill == pytest.approx(5.0)
    bucket.served()
    assert bucket.refill == pytest.approx(5.0)


def test_a_series_of_throttles_empties_the_bucket() -> None:
    clock = Clock()
    bucket = Bucket(Rate(50, 5), clock)
    for _turn in range(12):
        clock.now += 1
        bucket.throttled()
    assert [bucket.reserve() > 0 for _turn in range(3)] == [False, True, True]  # little more is left than what one second brings


def test_the_factor_scales_every_rate() -> None:
    clock = Clock()
    pacer = Pacer(factor=0.1, clock=clock, sleep=clock.sleep)
    for _turn in range(6):
        pacer.acquire(ACCOUNT, REGION, "ec2:CreateRoute")
    assert clock.now == pytest.approx(1 / 0.5)


@given(st.integers(1, 200), st.floats(0.1, 50), st.integers(0, 400))
def test_never_more_than_the_bucket_allows(capacity: int, refill: float, calls: int) -> None:
    """In any stretch of time from the start, no more calls go out than the bucket held plus what flowed in."""
    clock = Clock()
    bucket = Bucket(Rate(capacity, refill), clock)
    due = [bucket.reserve() for _turn in range(calls)]
    for number, at in enumerate(due, start=1):
        assert number <= capacity + at * refill + 1e-6
    assert due == sorted(due)


def test_threads_share_one_bucket_fairly() -> None:
    clock = Clock()
    bucket = Bucket(Rate(20, 4), clock)
    waits: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        for _turn in range(25):
            wait = bucket.reserve()
            with lock:
                waits.append(wait)

    threads = [threading.Thread(target=work) for _turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(waits) == pytest.approx([0.0] * 20 + [n / 4 for n in range(1, 181)])
