"""Active, at-risk, inactive, lapsed, lost and win-back: in days, and in the shop's own intervals."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub import api
from hub_lifecycle import Active, AtRisk, Inactive, Lapsed, Lost, WinBack
from tests.segment_shop import (
    ANN,
    AS_OF,
    BOB,
    CAT,
    DAN,
    DAY,
    EVE,
    FAY,
    HAL,
    MICROSECOND,
    Shop,
    defined,
    evidence,
    golden,
    members,
    reason,
    run,
)

ALL = (Active, AtRisk, Inactive, Lapsed, Lost, WinBack)
BY_INTERVALS = {"by": "intervals"}
REGULAR = 99


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Active, [ANN, BOB, EVE, HAL]),
        (AtRisk, [DAN]),
        (Inactive, [CAT, FAY]),
        (Lapsed, [FAY]),
        (Lost, [CAT]),
        (WinBack, [FAY]),
    ],
)
def test_golden_example(strategy: Any, expected: list[int]) -> None:
    assert members(golden(), defined(strategy)) == expected


def states(shop: Shop, person: int, **more: Any) -> set[str]:
    return {strategy.name for strategy in ALL if person in members(shop, defined(strategy, **more))}


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(0), {"active"}),
        (90 * DAY - MICROSECOND, {"active"}),
        (90 * DAY, {"at-risk"}),
        (90 * DAY + MICROSECOND, {"at-risk"}),
        (180 * DAY - MICROSECOND, {"at-risk"}),
        (180 * DAY, {"inactive", "lapsed", "win-back"}),
        (365 * DAY - MICROSECOND, {"inactive", "lapsed", "win-back"}),
        (365 * DAY, {"inactive", "lost"}),
        (3650 * DAY, {"inactive", "lost"}),
        (-MICROSECOND, set()),
    ],
)
def test_each_stage_begins_at_exactly_its_bound(age: timedelta, expected: set[str]) -> None:
    shop = Shop(people=[1, 2])
    shop.order(1, age, 10)
    if age > timedelta(0):
        shop.order(1, age, 10)

    assert states(shop, 1) == expected
    assert states(shop, 2) == set()


@pytest.mark.parametrize("as_of", ["2026-03-29T02:30", "2026-10-25T02:30", "2024-02-29T00:00"])
def test_a_day_is_24_hours_when_the_clocks_change_and_on_leap_days(as_of: str) -> None:
    shop = Shop(datetime.fromisoformat(as_of), people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(2, DAY - MICROSECOND, 10)

    assert members(shop, defined(Active, active="1d")) == [2]
    assert members(shop, defined(AtRisk, active="1d", at_risk="2d")) == [1]
    assert members(shop, defined(Lost, lapsed="1d")) == [1]


@pytest.mark.parametrize("order", [{"status": "cancelled"}, {"status": "refunded"}, {"test": True}])
def test_an_order_that_does_not_count_brings_nobody_back(order: dict[str, Any]) -> None:
    shop = Shop(people=[1])
    shop.order(1, 200 * DAY, 10)
    shop.order(1, 250 * DAY, 0)
    shop.order(1, DAY, 10, **order)

    assert states(shop, 1) == {"inactive", "lapsed", "win-back"}


def test_win_back_wants_somebody_who_came_back_before() -> None:
    shop = Shop(people=[1, 2])
    shop.order(1, 200 * DAY, 10)
    for _ in range(2):
        shop.order(2, 200 * DAY, 10)

    assert members(shop, defined(WinBack)) == [2]
    assert members(shop, defined(WinBack, min_orders=1)) == [1, 2]
    assert reason(shop, defined(WinBack), 1) == "orders 1, needs at least 2: out by 1"


def test_evidence_says_when_how_often_and_how_much() -> None:
    assert evidence(golden(), defined(AtRisk))[DAN] == {"last_order_at": AS_OF - 100 * DAY, "orders": 1, "spend": 40}


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 500)), max_size=20))
def test_active_at_risk_lapsed_and_lost_divide_the_buyers(orders: list[tuple[int, int]]) -> None:
    shop = Shop(people=range(1, 7))
    for person, age in orders:
        shop.order(person, age * DAY, 5)
    last = {person: min(age for each, age in orders if each == person) for person, _ in orders}
    parts = [members(shop, defined(strategy)) for strategy in (Active, AtRisk, Lapsed, Lost)]

    assert sorted(person for part in parts for person in part) == sorted(last)
    assert parts == [
        sorted(person for person, age in last.items() if low <= age < high)
        for low, high in ((0, 90), (90, 180), (180, 365), (365, 10_000))
    ]
    assert members(shop, defined(Inactive)) == sorted(parts[2] + parts[3])


# The shop's own interval


def rhythmic(gaps: int, days: int = 10, **others: timedelta) -> Shop:
    """Make a shop where one regular gives so many gaps of some days, and others bought once."""
    shop = Shop(people=[REGULAR, *range(1, len(others) + 1)])
    for number in range(gaps + 1):
        shop.order(REGULAR, number * days * DAY, 5)
    for person, age in enumerate(others.values(), 1):
        shop.order(person, age, 5)
    return shop


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (10 * DAY - MICROSECOND, {"active"}),
        (10 * DAY, {"at-risk"}),
        (30 * DAY - MICROSECOND, {"at-risk"}),
        (30 * DAY, {"inactive", "lapsed"}),
        (60 * DAY - MICROSECOND, {"inactive", "lapsed"}),
        (60 * DAY, {"inactive", "lost"}),
    ],
)
def test_with_a_hundred_intervals_the_bounds_are_one_three_and_six_of_them(age: timedelta, expected: set[str]) -> None:
    assert states(rhythmic(100, one=age), 1, **BY_INTERVALS) == expected


@pytest.mark.parametrize(("gaps", "own"), [(99, False), (100, True)])
def test_fewer_than_a_hundred_intervals_fall_back_to_days_and_say_so(gaps: int, own: bool) -> None:
    shop = rhythmic(gaps, one=20 * DAY)

    result = run(shop, defined(Active, **BY_INTERVALS))["active"]

    assert members(shop, defined(Active, **BY_INTERVALS)) == ([REGULAR] if own else [1, REGULAR])
    assert result.notes == (
        (f"the median of {gaps} times between two orders is 10.0 days: active = 10.0 days",)
        if own
        else (
            f"by = intervals needs 100 times between two orders of a customer, {gaps} are known, so fixed days are used",
        )
    )


def test_the_sentence_shows_the_bound_that_was_used() -> None:
    shop = rhythmic(100, one=20 * DAY)

    assert reason(shop, defined(Active, **BY_INTERVALS), 1) == (
        "last order 2026-02-09 12:00 UTC (20 days ago), needs less than 10 days ago: out by 10 days"
    )


def test_multiples_are_settings() -> None:
    shop = rhythmic(100, one=15 * DAY, two=25 * DAY)

    assert members(shop, defined(Active, **BY_INTERVALS, active_intervals=2)) == [1, REGULAR]
    assert members(shop, defined(AtRisk, **BY_INTERVALS, active_intervals=2, at_risk_intervals=2.6)) == [2]


def test_orders_at_one_instant_make_no_rhythm() -> None:
    shop = Shop(people=[1])
    for _ in range(150):
        shop.order(1, DAY, 5)

    result = run(shop, defined(Active, **BY_INTERVALS))["active"]

    assert "fixed days are used" in result.notes[0]
    assert result.members == 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 300), min_size=8, max_size=20), min_size=20, max_size=25), st.integers(1, 5))
def test_the_interval_is_the_median_of_all_gaps_of_all_customers(people: list[list[int]], times: int) -> None:
    shop = Shop(people=range(1, len(people) + 1))
    gaps = []
    for person, ages in enumerate(people, 1):
        gaps += [later - age for age, later in pairwise(sorted(ages))]
        for age in ages:
            shop.order(person, age * DAY, 5)
    bound = times * median(gaps) if median(gaps) else 180

    found = members(shop, defined(Inactive, **BY_INTERVALS, inactive_intervals=times))

    assert found == [person for person, ages in enumerate(people, 1) if min(ages) >= bound]


def test_all_that_follow_the_interval_measure_it_once() -> None:
    asked: list[str] = []

    class Watched:
        """Count what is asked of the catalog through the reader."""

        def __init__(self, reader: api.Reader) -> None:
            self.reader = reader
            self.timezone = reader.timezone

        def table(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
            found = self.reader.table(sql, parameters)
            asked.append(str(id(found)))
            return found

    def watched(strategy: Any) -> Any:
        class Watching(strategy):  # type: ignore[misc]  # any strategy
            def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
                prepared: api.Prepared = super().prepare(Watched(catalog), as_of)
                return prepared

        return Watching

    run(rhythmic(100), *(defined(watched(strategy), **BY_INTERVALS) for strategy in ALL))

    assert len(asked) == len(ALL)
    assert len(set(asked)) == 1


def test_in_days_nothing_is_measured() -> None:
    class Forbidden:
        timezone = "UTC"

        def table(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
            raise AssertionError("asked without need")

    for strategy in ALL:
        assert strategy(strategy.Config()).prepare(Forbidden(), AS_OF) == api.Prepared()


# Data that cannot carry the answer


@pytest.mark.parametrize("strategy", [AtRisk, Inactive, Lapsed, Lost, WinBack])
def test_orders_older_than_carts_hold_back_whoever_seems_to_be_away(strategy: Any) -> None:
    shop = golden()
    shop.reaches = {"orders": [("shop", None, AS_OF - DAY)], "carts": [("shop", None, AS_OF)]}

    assert run(shop, defined(strategy))[strategy.name].stale
    assert not run(shop, defined(Active))["active"].stale


@pytest.mark.parametrize("strategy", ALL)
def test_a_window_longer_than_the_history_and_missing_orders_are_said(strategy: Any) -> None:
    short, nothing = golden(), golden()
    short.reaches["orders"] = [("shop", AS_OF - 30 * DAY, AS_OF)]
    nothing.tables.remove("orders")

    assert "but orders begin at 2026-01-30 12:00 UTC" in run(short, defined(strategy))[strategy.name].notes[0]
    assert run(nothing, defined(strategy))[strategy.name].members == 0


@pytest.mark.parametrize(
    ("strategy", "wrong", "told"),
    [
        (Active, {"active": "0d"}, "greater than"),
        (AtRisk, {"active": "180d"}, "active must be shorter than at_risk, not 180d and 180d"),
        (AtRisk, {"active_intervals": 3}, "active_intervals must be shorter than at_risk_intervals, not 3.0 and 3"),
        (Lapsed, {"lapsed": "90d"}, "inactive must be shorter than lapsed"),
        (WinBack, {"inactive": "400d"}, "inactive must be shorter than lapsed"),
        (WinBack, {"min_orders": 0}, "greater than or equal to 1"),
        (Lost, {"by": "weeks"}, "'days' or 'intervals'"),
        (Lost, {"lapsed_intervals": 0}, "greater than 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy: Any, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(strategy, **wrong)
