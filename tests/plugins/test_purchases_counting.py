"""Strategies that count orders ever: one-and-done, repeat, first-time, new-customers; and those of a window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_purchases import (
    CouponLovers,
    FirstTime,
    FrequentBuyers,
    FullPrice,
    HighSpenders,
    LowSpenders,
    NewCustomers,
    OccasionalBuyers,
    OneAndDone,
    OneTime,
    Repeat,
)
from tests.segment_shop import (
    ANN,
    BOB,
    CAT,
    DAN,
    DAY,
    EVE,
    FAY,
    GUS,
    HAL,
    MICROSECOND,
    Shop,
    defined,
    evidence,
    golden,
    members,
    members_of_each,
    reason,
    run,
)
from tests.strategy_shop import Shop as NamedShop

YEAR = 365 * DAY


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (OneTime, [CAT, DAN, EVE]),
        (OneAndDone, [CAT, DAN]),
        (FirstTime, [EVE]),
        (NewCustomers, [EVE]),
        (Repeat, [ANN, BOB, FAY, HAL]),
        (FullPrice, [ANN]),
        (FrequentBuyers, [ANN, BOB]),
        (OccasionalBuyers, [DAN, EVE, FAY, HAL]),
    ],
)
def test_golden_example(strategy: Any, expected: list[int]) -> None:
    assert members(golden(), defined(strategy)) == expected


@pytest.mark.parametrize(
    ("age", "first_time"),
    [
        (60 * DAY, False),
        (60 * DAY - MICROSECOND, True),
        (60 * DAY + MICROSECOND, False),
        (timedelta(0), True),
    ],
)
def test_first_time_ends_where_one_and_done_begins(age: timedelta, first_time: bool) -> None:
    shop = Shop(people=[1])
    shop.order(1, age, 10)

    assert members(shop, defined(FirstTime)) == ([1] if first_time else [])
    assert members(shop, defined(OneAndDone)) == ([] if first_time else [1])
    assert members(shop, defined(OneTime)) == [1]


@pytest.mark.parametrize(
    ("age", "inside"), [(30 * DAY, False), (30 * DAY - MICROSECOND, True), (30 * DAY + MICROSECOND, False)]
)
def test_a_new_customer_began_less_than_thirty_days_ago_however_often_since(age: timedelta, inside: bool) -> None:
    shop = Shop(people=[1])
    shop.order(1, age, 10)
    shop.order(1, DAY, 10)
    shop.order(1, DAY, 10, status="cancelled")

    assert members(shop, defined(NewCustomers)) == ([1] if inside else [])
    assert members(shop, defined(FirstTime)) == []


@pytest.mark.parametrize("as_of", ["2026-03-29T02:30", "2026-10-25T02:30", "2024-02-29T00:00"])
def test_a_day_is_24_hours_when_the_clocks_change_and_on_leap_days(as_of: str) -> None:
    shop = Shop(datetime.fromisoformat(as_of), people=[1, 2])
    shop.order(1, DAY, 10)
    shop.order(2, DAY - MICROSECOND, 10)

    for strategy in (FirstTime, NewCustomers):
        assert members(shop, defined(strategy, window="1d")) == [2]
    assert members(shop, defined(OneAndDone, min_age="1d")) == [1]
    assert members(shop, defined(OccasionalBuyers, window="1d")) == [2]


@pytest.mark.parametrize(
    "other", [{"status": "cancelled"}, {"status": "refunded"}, {"status": "failed"}, {"test": True}]
)
def test_an_order_that_does_not_count_makes_nobody_come_back(other: dict[str, Any]) -> None:
    shop = Shop(people=[1])
    shop.order(1, DAY, 10)
    shop.order(1, DAY, 10, **other)

    assert members(shop, defined(Repeat)) == []
    assert members(shop, defined(FirstTime)) == [1]


def test_an_order_of_nothing_and_one_refunded_to_nothing_are_orders() -> None:
    shop = Shop(people=[1])
    shop.order(1, DAY, 0)
    shop.order(1, DAY, 10, refunded=10)

    assert members(shop, defined(Repeat)) == [1]
    assert members(shop, defined(FullPrice)) == [1]
    assert evidence(shop, defined(Repeat))[1]["spend"] == 0


@pytest.mark.parametrize(
    ("orders", "frequent", "occasional"), [(1, False, True), (2, False, True), (3, True, False), (4, True, False)]
)
def test_every_buyer_of_the_window_is_frequent_or_occasional(orders: int, frequent: bool, occasional: bool) -> None:
    shop = Shop(people=[1, 2])
    for _ in range(orders):
        shop.order(1, YEAR - MICROSECOND, 10)
    shop.order(1, YEAR, 10)

    assert members(shop, defined(FrequentBuyers)) == ([1] if frequent else [])
    assert members(shop, defined(OccasionalBuyers)) == ([1] if occasional else [])
    assert members(shop, defined(Repeat, min_orders=3)) == ([1] if orders >= 2 else [])
    assert members(shop, defined(Repeat)) == [1]


@pytest.mark.parametrize(
    ("discounts", "inside"), [([0, 0], True), ([None, None], True), ([0, 1], False), ([0], False), ([1, 0, 0], False)]
)
def test_full_price_means_twice_and_never_with_a_discount(discounts: list[Any], inside: bool) -> None:
    shop = Shop(people=[1])
    for discount in discounts:
        shop.order(1, DAY, 10, discount=discount)
    shop.order(1, YEAR, 10, discount=5)

    assert members(shop, defined(FullPrice)) == ([1] if inside else [])


def test_a_code_without_an_amount_is_a_discount_too() -> None:
    shop = Shop(people=[1])
    shop.order(1, DAY, 10, discount_codes=["FREE"])
    shop.order(1, DAY, 10)
    shop.order(1, DAY, 10)

    assert members(shop, defined(FullPrice)) == []


def test_all_that_look_at_one_window_share_one_pass_over_the_orders() -> None:
    shop = golden()
    strategies = (HighSpenders, LowSpenders, CouponLovers, FullPrice, FrequentBuyers, OccasionalBuyers)

    run(shop, *(defined(strategy) for strategy in strategies))
    bases = shop.con.execute("select count(*) from duckdb_tables() where table_name like 'base_%'").fetchall()

    assert bases == [(1,)]


@pytest.mark.parametrize(
    ("strategy", "person", "told"),
    [
        (OneAndDone, EVE, "last order 2026-02-14 12:00 UTC (15 days ago), needs at least 60 days ago: out by 45 days"),
        (
            FirstTime,
            DAN,
            "first order 2025-11-21 12:00 UTC (100 days ago), needs less than 60 days ago: out by 40 days",
        ),
        (NewCustomers, GUS, "first order is not known, needs less than 30 days ago: out (insufficient data)"),
        (Repeat, CAT, "orders 1, needs at least 2: out by 1"),
        (FullPrice, HAL, "discounted orders 1 in 365 days, needs exactly 0: out by 1"),
        (FrequentBuyers, CAT, "no counted order in the last 365 days"),
        (OccasionalBuyers, ANN, "orders 4 in 365 days, needs at most 2: out by 2"),
    ],
)
def test_the_sentence_names_what_decided(strategy: Any, person: int, told: str) -> None:
    assert reason(golden(), defined(strategy), person) == told


@pytest.mark.parametrize(
    "strategy", [OneAndDone, FirstTime, NewCustomers, Repeat, FullPrice, FrequentBuyers, OccasionalBuyers]
)
def test_nobody_one_person_and_no_orders_are_no_trouble(strategy: Any) -> None:
    alone = Shop(people=[1])
    nothing = Shop(people=[1])
    nothing.tables.remove("orders")

    assert members(Shop(), defined(strategy)) == []
    assert members(alone, defined(strategy)) == []
    assert run(nothing, defined(strategy))[strategy.name].notes == (
        "no source gives orders, so nobody can be in this segment",
    )


@pytest.mark.parametrize(
    ("strategy", "wrong"),
    [
        (OneAndDone, {"min_age": "0d"}),
        (OneAndDone, {"min_age": 60}),
        (Repeat, {"min_orders": 1}),
        (FirstTime, {"window": "0d"}),
        (NewCustomers, {"window": "4000d"}),
        (FullPrice, {"min_orders": 0}),
        (FrequentBuyers, {"min_orders": 1}),
        (OccasionalBuyers, {"max_orders": 0}),
        (HighSpenders, {"exclude_tags": []}),
        (HighSpenders, {"exclude_tag": ["staff"]}),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        defined(strategy, **wrong)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 400), st.booleans()), max_size=30), st.integers(1, 200))
def test_members_equal_a_calculation_by_hand(orders: list[tuple[int, int, bool]], days: int) -> None:
    shop = Shop(people=range(1, 7))
    for person, age, discounted in orders:
        shop.order(person, age * DAY, 5, discount=1 if discounted else None)
    ages = {person: [age for each, age, _ in orders if each == person] for person in range(1, 7)}
    once = [person for person, each in ages.items() if len(each) == 1]
    recent = {person: sum(age < days for age in each) for person, each in ages.items()}
    spoiled = {person for person, age, discounted in orders if discounted and age < days}
    window = f"{days}d"

    first_time, done, new, frequent, occasional, full_price = members_of_each(
        shop,
        defined(FirstTime, window=window),
        defined(OneAndDone, min_age=window),
        defined(NewCustomers, window=window),
        defined(FrequentBuyers, window=window),
        defined(OccasionalBuyers, window=window),
        defined(FullPrice, window=window),
    )

    assert first_time == [p for p in once if ages[p][0] < days]
    assert done == [p for p in once if ages[p][0] >= days]
    assert new == [person for person, each in ages.items() if each and max(each) < days]
    assert frequent == [p for p, n in recent.items() if n >= 3]
    assert occasional == [p for p, n in recent.items() if 1 <= n <= 2]
    assert full_price == [person for person, count in recent.items() if count >= 2 and person not in spoiled]


# Leaving out by tag


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [(None, {"trade"}), (["Wholesale"], {"ann"}), (["staff", "wholesale"], {"bob"}), (["nobody"], {"trade"})],
)
def test_customers_with_a_tag_are_left_out_of_the_percentile_too(
    shop: NamedShop, left_out: list[str] | None, expected: set[str]
) -> None:
    for name, tags, spend in (("ann", ["Staff"], 50), ("bob", [], 40), ("trade", ["wholesale", "b2b"], 9000)):
        shop.person(name, tags=tags)
        shop.order(name, DAY, spend)
        shop.order(name, DAY, 1)

    assert shop.members(defined(HighSpenders, exclude_tags=left_out)) == expected


def test_whoever_is_left_out_by_a_tag_is_told_so(shop: NamedShop) -> None:
    shop.person("trade", tags=["wholesale"])
    shop.order("trade", DAY, 10)

    told = shop.reason(defined(OccasionalBuyers, exclude_tags=["wholesale"]), "trade")

    assert told == "no counted order in the last 365 days, or left out by a tag of exclude_tags"


def test_a_tag_on_any_of_a_persons_accounts_leaves_them_out(shop: NamedShop) -> None:
    shop.person("ann")
    shop.add("customers", {"customer_id": "ann-office", "email": "ann@example.com", "tags": ["wholesale"]})
    shop.order("ann", DAY, 10)

    assert shop.members(defined(OccasionalBuyers)) == {"ann"}
    assert shop.members(defined(OccasionalBuyers, exclude_tags=["wholesale"])) == set()


def test_times_are_those_of_the_run(shop: NamedShop) -> None:
    shop.people("ann")
    shop.order("ann", DAY)

    assert shop.evidence(defined(NewCustomers))["ann"]["first_order_at"].replace(tzinfo=UTC) == shop.as_of - DAY
