from datetime import UTC, datetime, timedelta

import pytest

from gateway.store.tallies import BOUNDS, Tallies, Worked, quantile

NOW = datetime(2026, 11, 20, 14, 32, tzinfo=UTC)


@pytest.fixture
def tallies(fake):
    return Tallies(fake)


def worked(ago=timedelta(0), state="applied", took=0.2, **fields):
    received = NOW - ago
    return Worked("toy", state, received, received + timedelta(seconds=took), **fields)


def test_day_and_last_hour_are_counted_apart(tallies):
    tallies.count([worked(), worked(timedelta(minutes=50)), worked(timedelta(hours=3))])
    tallies.count_refused("toy", NOW, 7)

    (day,) = tallies.days(["toy"], NOW)
    assert (3, 3, 7) == tuple(day.total(name) for name in ("received", "applied", "refused"))
    assert {"received": 2, "applied": 2, "refused": 7} == day.last_hour


def test_what_is_older_than_a_day_is_not_counted(tallies, fake):
    tallies.count([worked(timedelta(hours=25))])

    (day,) = tallies.days(["toy"], NOW)
    assert 0 == day.total("received")
    assert all(0 < fake.ttl(key) <= 26 * 3600 for key in fake.keys("tally:*0*"))


def test_second_round_is_not_received_again(tallies):
    tallies.count([worked(state="parked"), worked(first=False)])

    (day,) = tallies.days(["toy"], NOW)
    assert (1, 1, 1) == tuple(day.total(name) for name in ("received", "parked", "applied"))
    assert 1 == sum(day.hours[-1].applied_lags)


def test_lags_are_counted_by_their_bounds(tallies):
    tallies.count([worked(took=0.2, lag=timedelta(seconds=40)) for _ in range(19)])
    tallies.count([worked(took=20_000_000, lag=timedelta(days=30))])

    hour = tallies.days(["toy"], NOW)[0].hours[-1]
    assert (0.5, BOUNDS[-1]) == (quantile(hour.applied_lags, 0.95), quantile([0] * 11 + [1], 0.95))
    assert 60 == quantile(hour.received_lags, 0.95)
    assert quantile([0] * 12, 0.95) is None


def test_last_delivery_is_known(tallies):
    assert [None] == tallies.last(["toy"])
    tallies.count([worked()])
    assert [NOW] == tallies.last(["toy"])


def test_instances_are_told_apart(tallies):
    tallies.count([worked()])

    first, second = tallies.days(["toy", "toy-eu"], NOW)
    assert (1, 0) == (first.total("received"), second.total("received"))
