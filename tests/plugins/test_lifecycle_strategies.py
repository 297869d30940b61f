from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_lifecycle import Inactive, NeverPurchased
from tests.segment_shop import (
    AS_OF,
    CAT,
    DAY,
    FAY,
    GUS,
    HOUR,
    MICROSECOND,
    Shop,
    defined,
    evidence,
    golden,
    members,
    reason,
    run,
)


def test_golden_example() -> None:
    shop = golden()

    assert members(shop, defined(Inactive)) == [CAT, FAY]
    assert members(shop, defined(NeverPurchased)) == [GUS]


@pytest.mark.parametrize(
    ("age", "inside"),
    [(180 * DAY, True), (180 * DAY - MICROSECOND, False), (180 * DAY + MICROSECOND, True), (timedelta(0), False)],
)
def test_inactive_begins_at_exactly_180_days(age: timedelta, inside: bool) -> None:
    shop = Shop(people=[1])
    shop.order(1, age, 10)
    shop.order(1, 500 * DAY, 10)

    assert members(shop, defined(Inactive)) == ([1] if inside else [])


@pytest.mark.parametrize(
    "as_of",
    ["2026-03-29T02:30", "2026-10-25T02:30", "2024-02-29T00:00"],
)
def test_a_day_is_24_hours_when_the_clocks_change_and_on_leap_days(as_of: str) -> None:
    shop = Shop(datetime.fromisoformat(as_of), people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(2, DAY - MICROSECOND, 10)

    assert members(shop, defined(Inactive, inactive="1d")) == [1]


@pytest.mark.parametrize(
    "order", [{"status": "cancelled"}, {"status": "refunded"}, {"test": True}, {"status": "failed"}]
)
def test_an_order_that_does_not_count_is_none(order: dict[str, Any]) -> None:
    shop = Shop(people=[1])
    shop.order(1, 200 * DAY, 10, **order)

    assert members(shop, defined(NeverPurchased)) == [1]
    assert members(shop, defined(Inactive)) == []


def test_an_order_of_nothing_is_a_purchase() -> None:
    shop = Shop(people=[1])
    shop.order(1, 200 * DAY, 0)

    assert members(shop, defined(NeverPurchased)) == []
    assert members(shop, defined(Inactive)) == [1]


def test_an_order_placed_after_as_of_has_not_happened() -> None:
    shop = Shop(people=[1])
    shop.order(1, -MICROSECOND, 10)

    assert members(shop, defined(NeverPurchased)) == [1]


@pytest.mark.parametrize(("age", "inside"), [(30 * DAY, True), (30 * DAY - MICROSECOND, False), (None, False)])
@pytest.mark.parametrize("setting", ["no_visit", "no_engagement"])
def test_visits_and_engagement_tighten_it(setting: str, age: timedelta | None, inside: bool) -> None:
    shop = Shop(people=[1, 2])
    add = shop.event if setting == "no_visit" else shop.click
    add(2, DAY)
    shop.order(1, 200 * DAY, 10)
    if age is not None:
        add(1, age)

    assert members(shop, defined(Inactive, **{setting: "30d"})) == ([1] if inside else [])
    assert members(shop, defined(Inactive)) == [1]


def test_someone_whose_visits_nobody_recorded_is_out_and_it_is_said() -> None:
    shop = Shop(people=[1])
    shop.order(1, 200 * DAY, 10)
    strict = defined(Inactive, no_visit="30d")

    assert reason(shop, strict, 1) == "last seen is not known, needs at least 30 days ago: out (insufficient data)"
    assert run(shop, strict)["inactive"].notes == ("last seen is not known for anybody, so nobody is in this segment",)


def test_facts_are_asked_for_only_what_the_rule_and_the_evidence_name() -> None:
    shop = golden()

    run(shop, defined(Inactive), defined(NeverPurchased))

    assert shop.asked == [frozenset({"last_order_at", "orders", "spend"})]


@pytest.mark.parametrize(
    ("orders", "told"),
    [
        ([], "orders 0, needs at least 1: out by 1"),
        ([50], "last order 2026-01-10 12:00 UTC (50 days ago), needs at least 180 days ago: out by 130 days"),
        (
            [200],
            (
                "orders 1, needs at least 1: in; "
                "last order 2025-08-13 12:00 UTC (200 days ago), needs at least 180 days ago: in"
            ),
        ),
    ],
)
def test_the_sentence_for_inactive(orders: list[int], told: str) -> None:
    shop = Shop(people=[1])
    for age in orders:
        shop.order(1, age * DAY, 10)

    assert reason(shop, defined(Inactive), 1) == told


def test_the_sentence_for_never_purchased() -> None:
    shop = Shop(people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(1, DAY, 10)

    assert reason(shop, defined(NeverPurchased), 1) == "orders 2, needs exactly 0: out by 2"
    assert reason(shop, defined(NeverPurchased), 2) == "orders 0, needs exactly 0: in"
    assert reason(shop, defined(NeverPurchased), 3) == "not a contact known to the shop"


def test_a_visitor_without_any_address_is_no_contact() -> None:
    shop = Shop()
    shop.person(1, email=None)
    shop.person(2, email=None, phone="+4512345678")
    shop.person(3, email=None, customer_id="77", created_at=AS_OF - HOUR)

    assert evidence(shop, defined(NeverPurchased)) == {2: {"created_at": None}, 3: {"created_at": AS_OF - HOUR}}


def test_without_orders_nobody_is_called_a_non_buyer() -> None:
    shop = Shop(people=[1])
    shop.tables.remove("orders")

    results = run(shop, defined(NeverPurchased), defined(Inactive))

    assert [result.members for result in results.values()] == [0, 0]
    assert results["never-purchased"].notes == ("no source gives orders, so nobody can be in this segment",)


def test_a_window_longer_than_the_history_is_said() -> None:
    shop = golden()
    shop.reaches["orders"] = [("shop", AS_OF - 90 * DAY, AS_OF)]

    assert run(shop, defined(Inactive))["inactive"].notes == (
        "inactive = 180 days looks back to 2025-09-02 12:00 UTC, but orders begin at 2025-12-01 12:00 UTC",
    )


@pytest.mark.parametrize("start", [None, AS_OF - 180 * DAY, AS_OF - 400 * DAY])
def test_a_history_that_is_long_enough_needs_no_note(start: datetime | None) -> None:
    shop = golden()
    shop.reaches["orders"] = [("shop", start, AS_OF), ("till", AS_OF - 10 * DAY, AS_OF)]

    assert run(shop, defined(Inactive))["inactive"].notes == ()


def test_orders_older_than_carts_hold_back_whoever_seems_not_to_have_bought() -> None:
    shop = golden()
    shop.reaches = {"orders": [("shop", None, AS_OF - DAY)], "carts": [("shop", None, AS_OF)]}

    results = run(shop, defined(NeverPurchased), defined(Inactive))

    assert all(result.stale for result in results.values())
    assert "orders of shop reach until 2026-02-28 12:00 UTC" in results["inactive"].notes[0]


@pytest.mark.parametrize("wrong", [{"inactive": "0d"}, {"inactive": 180}, {"no_visit": "0d"}, {"lapsed": "1d"}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        defined(Inactive, **wrong)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 400), st.booleans()), max_size=20),
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 60)), max_size=10),
    st.integers(1, 365),
)
def test_members_equal_a_calculation_by_hand(
    orders: list[tuple[int, int, bool]], visits: list[tuple[int, int]], days: int
) -> None:
    shop = Shop(people=range(1, 7))
    for person, age, counted in orders:
        shop.order(person, age * DAY, 5, status="pending" if counted else "cancelled")
    for person, age in visits:
        shop.event(person, age * DAY)
    last = {p: min(a for q, a, c in orders if q == p and c) for p, _, c in orders if c}
    seen = {p: min(a for q, a in visits if q == p) for p, _ in visits}
    silent = sorted(person for person, age in last.items() if age >= days)

    assert members(shop, defined(Inactive, inactive=f"{days}d")) == silent
    assert members(shop, defined(Inactive, inactive=f"{days}d", no_visit="30d")) == [
        person for person in silent if seen.get(person, -1) >= 30
    ]
    assert members(shop, defined(NeverPurchased)) == [person for person in range(1, 7) if person not in last]
