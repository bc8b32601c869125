"""Token buckets: how often is too often."""

from __future__ import annotations

import pytest

from libtchat.rate import Bucket, Buckets


def test_a_burst_passes_and_the_next_one_waits() -> None:
    bucket = Bucket(3, 2.0)
    assert [bucket.take(100.0) for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert bucket.take(100.25) == pytest.approx(0.25)
    assert bucket.take(100.5) == 0


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket(1, 1.0)
    bucket.take(0.0)
    assert all(bucket.take(0.5) for _ in range(10))
    assert bucket.take(1.0) == 0


def test_a_long_rest_gives_one_burst_and_no_more() -> None:
    bucket = Bucket(2, 1.0)
    assert [bucket.take(0.0) for _ in range(3)] == [0, 0, 1]
    assert [bucket.take(1e6) for _ in range(3)] == [0, 0, 1]


def test_what_is_spent_beyond_the_burst_is_a_debt() -> None:
    bucket = Bucket(10, 2.0)
    assert bucket.spend(100.0, 10) == 0
    assert bucket.spend(100.0, 6) == 3
    assert bucket.spend(101.0, 0) == 2
    assert bucket.spend(103.0, 1) == 0.5
    assert Bucket(1, 0.0).spend(0.0, 1e9) == 0


def test_no_rate_is_no_limit() -> None:
    bucket = Bucket(1, 0.0)
    assert not any(bucket.take(0.0) for _ in range(100))


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(1, 1.0)
    bucket.take(5000.0)
    assert bucket.take(1400.0) == 1
    assert bucket.take(1401.0) == 0


def test_buckets_are_apart_and_the_full_ones_forgotten() -> None:
    buckets = Buckets(1, 1.0)
    assert buckets.take("alice", 0.0) == buckets.take("bob", 0.0) == 0
    assert buckets.take("alice", 0.5) == 0.5
    for number in range(2000):
        buckets.take(number, 1.0)
    assert buckets.take("late", 3000.0) == 0
    for number in range(5000):
        buckets.take(("again", number), 3000.0 + 2 * number)
    assert len(buckets._buckets) <= 2048 + 2


def test_what_one_key_spends_is_its_own_debt_and_is_not_forgotten_while_it_lasts() -> None:
    buckets = Buckets(10, 1.0)
    assert buckets.spend("alice", 0.0, 5000) == 4990
    assert buckets.spend("bob", 0.0, 10) == 0
    for number in range(3000):
        buckets.spend(number, 100.0, 1)
    assert buckets.spend("alice", 990.0, 0) == 4000
    assert Buckets(1, 0.0).spend("alice", 0.0, 1e9) == 0
