from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_purchases import CouponLovers, HighSpenders, LowSpenders, OneTime, hub_segments
from tests.segment_shop import (
    ANN,
    AS_OF,
    BOB,
    CAT,
    DAN,
    DAY,
    EVE,
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

YEAR = 365 * DAY


def orders_of(**people: list[Any]) -> Shop:
    shop = Shop(people=range(1, len(people) + 1))
    for person, totals in enumerate(people.values(), 1):
        for total in totals:
            shop.order(person, DAY, total)
    return shop


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [(HighSpenders, [ANN]), (LowSpenders, [HAL]), (OneTime, [CAT, DAN, EVE]), (CouponLovers, [BOB])],
)
def test_golden_example(strategy: Any, expected: list[int]) -> None:
    assert members(golden(), defined(strategy)) == expected


def test_golden_percentiles_are_the_values_at_nearest_rank() -> None:
    shop = golden()

    high = reason(shop, defined(HighSpenders), BOB)
    low = reason(shop, defined(LowSpenders), BOB)

    assert high == "spend 90.00 in 365 days, needs at least 490.00, the 90th percentile of 6 people: out by 400.00"
    assert low == "spend 90.00 in 365 days, needs at most 42.00, the 25th percentile of 6 people: out by 48.00"


def test_evidence_of_a_high_spender() -> None:
    assert evidence(golden(), defined(HighSpenders))[ANN] == {
        "spend": Decimal("490.00"),
        "orders": 4,
        "last_order_at": AS_OF - 10 * DAY,
    }


def test_evidence_of_a_coupon_lover_tells_share_of_orders_and_of_value() -> None:
    shop = Shop(people=[1])
    shop.order(1, DAY, 60, discount=Decimal(40))
    shop.order(1, DAY, 95, discount=Decimal(5))
    shop.order(1, DAY, 100)

    found = evidence(shop, defined(CouponLovers))[1]

    assert (found["orders"], found["discounted_orders"]) == (3, 2)
    assert found["discounted_share"] == 2 / 3
    assert found["discount_share_of_value"] == 0.15


@pytest.mark.parametrize(
    ("age", "inside"),
    [
        (YEAR - MICROSECOND, True),
        (YEAR, False),
        (YEAR + MICROSECOND, False),
        (timedelta(0), True),
        (-MICROSECOND, False),
    ],
)
@pytest.mark.parametrize("strategy", [HighSpenders, LowSpenders, CouponLovers])
def test_the_window_is_open_at_its_start_and_closed_at_as_of(strategy: Any, age: timedelta, inside: bool) -> None:
    shop = Shop(people=[1])
    shop.order(1, DAY, 50, discount=Decimal(5))
    shop.order(1, age, 50, discount=Decimal(5))

    assert members(shop, defined(strategy)) == ([1] if inside else [])


@pytest.mark.parametrize(
    ("as_of", "days"),
    [
        (datetime.fromisoformat("2026-03-29T12:00:00"), 1),  # clocks in Europe went forward in the night before
        (datetime.fromisoformat("2026-10-25T12:00:00"), 1),  # and back
        (datetime.fromisoformat("2024-02-29T12:00:00"), 365),  # 29 February, whose 365 days reach to 1 March
        (datetime.fromisoformat("2024-03-01T00:00:00"), 1),
        (datetime.fromisoformat("2025-02-28T23:59:59"), 365),
    ],
)
def test_a_day_is_24_hours_whatever_the_calendar_does(as_of: datetime, days: int) -> None:
    shop = Shop(as_of, people=[1, 2])
    for person, age in ((1, days * DAY), (2, days * DAY - MICROSECOND)):
        shop.order(person, age, 10)
        shop.order(person, timedelta(0), 10)
    by_hand = as_of.replace(tzinfo=UTC).timestamp() - days * 86_400

    found = members(shop, defined(HighSpenders, window=f"{days}d", percentile=1))

    assert found == [2]
    assert (as_of - days * DAY).replace(tzinfo=UTC).timestamp() == by_hand


@pytest.mark.parametrize(
    ("order", "counts"),
    [
        ({"status": "paid"}, True),
        ({"status": "pending"}, True),
        ({"status": "refunded"}, False),
        ({"status": "cancelled"}, False),
        ({"status": "failed"}, False),
        ({"status": "paid", "test": True}, False),
        ({"status": "paid", "test": False}, True),
        ({"status": "paid", "refunded": Decimal(10)}, True),
        ({"status": "paid", "refunded": Decimal(50)}, True),
    ],
)
def test_only_counted_orders_count(order: dict[str, Any], counts: bool) -> None:
    shop = Shop(people=[1])
    shop.order(1, DAY, 50, discount=Decimal(1))
    shop.order(1, DAY, 50, discount=Decimal(1), **order)

    assert members(shop, defined(HighSpenders, min_spend=0)) == ([1] if counts else [])
    assert members(shop, defined(CouponLovers)) == ([1] if counts else [])
    assert members(shop, defined(OneTime)) == ([] if counts else [1])


def test_a_refund_to_zero_leaves_the_order_and_takes_the_spend() -> None:
    shop = Shop(people=[1, 2])
    for person, refunded in ((1, Decimal(100)), (2, None)):
        shop.order(person, DAY, 100, refunded=refunded)
        shop.order(person, DAY, 100, refunded=refunded)

    assert members(shop, defined(HighSpenders, min_spend="0.01")) == [2]
    assert members(shop, defined(LowSpenders, max_spend=0)) == [1]


def test_an_order_of_nothing_is_an_order() -> None:
    shop = orders_of(one=[0], two=[0, 0])

    assert members(shop, defined(OneTime)) == [1]
    assert members(shop, defined(LowSpenders)) == [2]


@pytest.mark.parametrize(
    ("discounts", "codes", "loves"),
    [
        ([1, 1], [None, None], True),
        ([None, None], [["A"], ["B"]], True),
        ([1, 0], [None, []], False),
        ([None, None], [[], None], False),
    ],
)
def test_a_discount_or_a_code_makes_an_order_discounted(discounts: Any, codes: Any, loves: bool) -> None:
    shop = Shop(people=[1])
    for discount, code in zip(discounts, codes, strict=True):
        amount = None if discount is None else Decimal(discount)
        shop.order(1, DAY, 10, discount=amount, discount_codes=code)

    assert members(shop, defined(CouponLovers)) == ([1] if loves else [])


@pytest.mark.parametrize(
    ("full_price", "share", "loves"), [(2, 0.5, True), (3, 0.5, False), (0, 1, True), (1, 1, False)]
)
def test_the_share_of_discounted_orders_may_equal_its_bound(full_price: int, share: float, loves: bool) -> None:
    shop = Shop(people=[1])
    for number in range(2 + full_price):
        shop.order(1, DAY, 10, discount=Decimal(1) if number < 2 else None)

    assert members(shop, defined(CouponLovers, min_share=share)) == ([1] if loves else [])


def test_equal_spends_are_in_or_out_together() -> None:
    shop = Shop(people=range(1, 11))
    for person in range(1, 11):
        for _ in range(2):
            shop.order(person, DAY, 10 if person > 1 else 5)

    assert members(shop, defined(HighSpenders)) == list(range(2, 11))
    assert members(shop, defined(LowSpenders)) == list(range(1, 11))


def test_spend_at_the_bound_is_in_and_a_cent_beside_it_is_out() -> None:
    shop = orders_of(below=["50", "49.99"], at=["50", "50"], above=["50", "50.01"])

    assert members(shop, defined(HighSpenders, min_spend=100)) == [2, 3]
    assert members(shop, defined(LowSpenders, max_spend=100)) == [1, 2]


@pytest.mark.parametrize("strategy", [HighSpenders, LowSpenders, OneTime, CouponLovers])
def test_a_shop_without_people_has_no_members(strategy: Any) -> None:
    assert members(Shop(), defined(strategy)) == []


def test_a_single_buyer_is_every_percentile() -> None:
    shop = orders_of(only=[10, 10])

    assert members(shop, defined(HighSpenders)) == [1]
    assert members(shop, defined(LowSpenders)) == [1]


def test_orders_of_nobody_count_for_nobody() -> None:
    shop = orders_of(only=[10, 10])
    shop.order(None, DAY, 1_000_000)
    shop.order(None, DAY, 1_000_000)

    assert members(shop, defined(HighSpenders)) == [1]


def test_one_big_order_does_not_make_a_high_spender() -> None:
    shop = orders_of(lucky=[10_000], steady=[10, 10])

    assert members(shop, defined(HighSpenders, percentile=50)) == [2]
    assert members(shop, defined(HighSpenders, min_orders=1)) == [1]


def test_high_low_and_coupon_share_one_pass_over_the_orders() -> None:
    shop = golden()

    run(shop, defined(HighSpenders), defined(LowSpenders), defined(CouponLovers))
    bases = shop.con.execute("select count(*) from duckdb_tables() where table_name like 'base_%'").fetchone()

    assert bases == (1,)


@pytest.mark.parametrize(
    ("strategy", "wrong"),
    [
        (HighSpenders, {"percentile": 0}),
        (HighSpenders, {"percentile": 101}),
        (HighSpenders, {"window": "0d"}),
        (HighSpenders, {"window": 365}),
        (HighSpenders, {"min_orders": 0}),
        (LowSpenders, {"max_spend": -1}),
        (CouponLovers, {"min_share": 1.5}),
        (CouponLovers, {"min_discounted": 0}),
        (OneTime, {"window": "365d"}),
        (HighSpenders, {"percentil": 90}),
    ],
)
def test_settings_out_of_bounds_and_unknown_ones_are_refused(strategy: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        defined(strategy, **wrong)


def test_every_setting_is_described_and_every_strategy_says_when_to_use_it() -> None:
    for strategy in hub_segments():
        words = " ".join((strategy.__doc__ or "").split())
        assert "Use it for" in words
        assert "Message that suits" in words
        assert all(field.description for field in strategy.Config.model_fields.values())


Order = tuple[int, int, int, int, bool, str, bool]
ORDER = st.tuples(
    st.integers(1, 8),
    st.sampled_from([0, 1, 30, 364, 365, 366, 400]),
    st.integers(0, 5),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from(["paid", "paid", "pending", "refunded", "cancelled"]),
    st.sampled_from([False, False, True]),
)


def by_hand(orders: list[Order], percent: int) -> dict[str, list[int]]:
    """Compute the four segments without SQL."""
    counted = [order for order in orders if order[5] in ("paid", "pending") and not order[6]]
    ever: dict[int, int] = {}
    window: dict[int, list[Order]] = {}
    for order in counted:
        ever[order[0]] = ever.get(order[0], 0) + 1
        if order[1] < 365:
            window.setdefault(order[0], []).append(order)
    spend = {person: sum(order[2] - min(order[2], order[3]) for order in bought) for person, bought in window.items()}
    ranked = sorted(spend.values())
    bar = ranked[max(1, ceil(Fraction(percent * len(ranked), 100))) - 1] if ranked else 0
    discounted = {person: sum(order[4] for order in bought) for person, bought in window.items()}
    return {
        "high": sorted(p for p, bought in window.items() if len(bought) >= 2 and spend[p] >= bar),
        "low": sorted(p for p, bought in window.items() if len(bought) >= 2 and spend[p] <= bar),
        "one-time": sorted(p for p, count in ever.items() if count == 1),
        "coupon": sorted(p for p, bought in window.items() if discounted[p] >= 2 and discounted[p] * 2 >= len(bought)),
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(ORDER, max_size=40), st.integers(1, 100), st.randoms(use_true_random=False))
def test_members_equal_a_calculation_by_hand_whatever_the_order_of_rows(
    orders: list[Order], percent: int, chance: random.Random
) -> None:
    shuffled = chance.sample(orders, len(orders))
    shop = Shop(people=range(1, 9))
    for person, age, total, refund, discounted, status, test in shuffled:
        shop.order(
            person,
            age * DAY,
            total,
            refunded=Decimal(min(total, refund)),
            discount=Decimal(1) if discounted else Decimal(0),
            status=status,
            test=test,
        )

    high, low, one_time, coupon = members_of_each(
        shop,
        defined(HighSpenders, percentile=percent),
        defined(LowSpenders, percentile=percent),
        defined(OneTime),
        defined(CouponLovers),
    )

    assert {"high": high, "low": low, "one-time": one_time, "coupon": coupon} == by_hand(orders, percent)
