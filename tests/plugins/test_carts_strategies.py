from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.segments import run_segments
from hub_carts import CartAbandoners
from tests.segment_shop import AS_OF, DAY, HOUR, MICROSECOND, Shop, defined, evidence, members, reason, run

ABANDONERS = defined(CartAbandoners)


@pytest.mark.parametrize(
    ("age", "inside"),
    [
        (HOUR, True),
        (HOUR - MICROSECOND, False),
        (HOUR + MICROSECOND, True),
        (7 * DAY, False),
        (7 * DAY - MICROSECOND, True),
        (7 * DAY + MICROSECOND, False),
        (timedelta(0), False),
    ],
)
def test_a_cart_is_abandoned_from_one_hour_to_under_seven_days(age: timedelta, inside: bool) -> None:
    shop = Shop(people=[1])
    shop.cart(1, age)

    assert members(shop, ABANDONERS) == ([1] if inside else [])


@pytest.mark.parametrize(
    "as_of",
    ["2026-03-29T02:30", "2026-10-25T02:30", "2024-02-29T00:00"],
)
def test_an_hour_is_an_hour_when_the_clocks_change_and_on_leap_days(as_of: str) -> None:
    shop = Shop(datetime.fromisoformat(as_of), people=[1, 2])
    shop.cart(1, HOUR)
    shop.cart(2, HOUR - MICROSECOND)

    assert members(shop, ABANDONERS) == [1]


@pytest.mark.parametrize(
    ("total", "bound", "inside"),
    [("0.01", 0, True), (0, 0, False), (100, 100, False), ("100.01", 100, True), (None, 0, False)],
)
def test_the_value_must_be_more_than_its_bound(total: Any, bound: int, inside: bool) -> None:
    shop = Shop(people=[1])
    shop.cart(1, DAY, total)

    assert members(shop, defined(CartAbandoners, min_value=bound)) == ([1] if inside else [])


def test_a_cart_of_unknown_value_is_out_for_insufficient_data() -> None:
    shop = Shop(people=[1])
    shop.cart(1, DAY, None)

    assert reason(shop, ABANDONERS, 1) == "cart value is not known, needs more than 0.00: out (insufficient data)"
    assert "cart value is not known for anybody" in run(shop, ABANDONERS)["cart-abandoners"].notes[0]


def test_a_cart_without_a_total_is_worth_its_lines_if_all_of_them_are_known() -> None:
    shop = Shop(people=[1, 2])
    for person in (1, 2):
        shop.cart(person, DAY, None, cart_id=f"c{person}")
        shop.line(f"c{person}", 2, "9.99")
    shop.line("c2", 1, None)

    found = evidence(shop, ABANDONERS)

    assert {person: (row["cart_value"], row["cart_items"]) for person, row in found.items()} == {
        1: (Decimal("19.98"), 2)
    }


def test_evidence_is_what_a_reminder_needs() -> None:
    shop = Shop(people=[1])
    shop.cart(1, DAY, 70, cart_id="c9", recovery_url="https://shop.example/c9", step="payment")
    shop.line("c9", 3, 20)
    shop.line("c9", 1, 10)

    assert evidence(shop, ABANDONERS)[1] == {
        "cart_id": "c9",
        "cart_value": Decimal("70.00"),
        "cart_items": 4,
        "cart_url": "https://shop.example/c9",
        "cart_step": "payment",
        "cart_at": AS_OF - DAY,
    }


def test_the_last_change_counts_not_the_beginning() -> None:
    shop = Shop(people=[1, 2])
    shop.cart(1, 20 * DAY, updated_at=AS_OF - 2 * HOUR)
    shop.cart(2, 2 * HOUR, updated_at=AS_OF - HOUR / 2)

    assert members(shop, ABANDONERS) == [1]


@pytest.mark.parametrize(
    ("order", "inside"),
    [
        ({"age": HOUR}, False),
        ({"age": 3 * HOUR}, True),
        ({"age": 2 * HOUR - MICROSECOND}, False),
        ({"age": HOUR, "system": "till"}, False),
        ({"age": HOUR, "test": True}, True),
        ({"age": HOUR, "status": "cancelled"}, True),
        ({"age": HOUR, "status": "pending"}, False),
        ({"age": HOUR, "status": "refunded"}, True),
        ({"age": HOUR, "total": 0}, False),
        ({"age": 3 * HOUR, "cart_id": "c0"}, False),
        ({"age": -HOUR}, True),
    ],
)
def test_a_counted_order_after_the_last_change_ends_it(order: dict[str, Any], inside: bool) -> None:
    shop = Shop(people=[1])
    shop.cart(1, 2 * HOUR)
    shop.order(1, order.pop("age"), order.pop("total", 100), **order)

    assert members(shop, ABANDONERS) == ([1] if inside else [])


def test_an_order_of_somebody_else_ends_nothing() -> None:
    shop = Shop(people=[1, 2])
    shop.cart(1, 2 * HOUR)
    shop.order(2, HOUR, 100)

    assert members(shop, ABANDONERS) == [1]


def test_a_completed_cart_is_not_abandoned_and_a_later_completion_not_yet_known() -> None:
    shop = Shop(people=[1, 2])
    shop.cart(1, 2 * HOUR, completed_at=AS_OF)
    shop.cart(2, 2 * HOUR, completed_at=AS_OF + MICROSECOND)

    assert members(shop, ABANDONERS) == [2]


def test_the_newest_cart_is_the_one_that_is_mailed() -> None:
    shop = Shop(people=[1])
    shop.cart(1, 3 * DAY, 500, cart_id="old")
    shop.cart(1, DAY, 20, cart_id="new")

    assert evidence(shop, ABANDONERS)[1]["cart_id"] == "new"


@pytest.mark.parametrize(
    "newer",
    [
        {"age": HOUR / 2},
        {"age": DAY, "total": 0},
        {"age": DAY, "completed_at": AS_OF - HOUR},
        {"age": 4 * DAY, "completed_at": AS_OF - HOUR},
    ],
)
def test_a_cart_replaced_by_a_newer_one_is_not_mailed(newer: dict[str, Any]) -> None:
    shop = Shop(people=[1])
    shop.cart(1, 3 * DAY)
    shop.cart(1, newer.pop("age"), newer.pop("total", 100), **newer)

    assert members(shop, ABANDONERS) == []


def test_carts_of_two_systems_with_one_id_stay_apart() -> None:
    shop = Shop(people=[1, 2])
    shop.cart(1, DAY, 10, cart_id="c", system="shop")
    shop.cart(2, DAY, 20, cart_id="c", system="outlet")
    shop.order(3, DAY / 2, 20, cart_id="c", system="outlet")

    assert {person: row["cart_value"] for person, row in evidence(shop, ABANDONERS).items()} == {1: 10}


def test_a_cart_of_nobody_is_nobodys() -> None:
    shop = Shop(people=[1])
    shop.cart(None, DAY)

    assert members(shop, ABANDONERS) == []


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (HOUR / 2, "cart 2026-03-01 11:30 UTC (30 minutes ago), needs at least 1 hour ago: out by 30 minutes"),
        (
            9 * DAY,
            "no open cart in the last 7 days: none was left, or it was completed, ordered or replaced by a newer one",
        ),
    ],
)
def test_the_sentence_names_the_age_that_decided(age: timedelta, told: str) -> None:
    shop = Shop(people=[1])
    shop.cart(1, age)

    assert reason(shop, ABANDONERS, 1) == told


def test_the_sentence_for_someone_without_an_open_cart() -> None:
    shop = Shop(people=[1])

    assert reason(shop, ABANDONERS, 1) == (
        "no open cart in the last 7 days: none was left, or it was completed, ordered or replaced by a newer one"
    )


def test_without_carts_nobody_is_in_and_it_is_said() -> None:
    shop = Shop(people=[1])
    shop.cart(1, DAY)
    shop.tables.remove("carts")

    result = run(shop, ABANDONERS)["cart-abandoners"]

    assert (result.members, result.notes) == (0, ("no source gives carts, so nobody can be in this segment",))
    assert reason(shop, ABANDONERS, 1) == "no source gives carts"


def reaching(carts: dict[str, timedelta], orders: dict[str, timedelta]) -> Shop:
    shop = Shop(people=[1])
    shop.cart(1, DAY)
    shop.reaches = {
        table: [(source, None, AS_OF - age) for source, age in ages.items()]
        for table, ages in (("carts", carts), ("orders", orders))
    }
    return shop


@pytest.mark.parametrize(
    ("carts", "orders", "stale"),
    [
        ({"shop": timedelta(0)}, {"shop": HOUR}, False),
        ({"shop": timedelta(0)}, {"shop": HOUR + MICROSECOND}, True),
        ({"shop": DAY}, {"shop": timedelta(0)}, False),
        ({"web": timedelta(0)}, {"shop": timedelta(0), "till": 7 * DAY}, False),
        ({"web": timedelta(0)}, {"till": 7 * DAY}, True),
        ({"shop": timedelta(0)}, {"shop": DAY, "till": timedelta(0)}, True),
    ],
)
def test_additions_wait_where_orders_are_older_than_carts(carts: Any, orders: Any, stale: bool) -> None:
    result = run(reaching(carts, orders), ABANDONERS)["cart-abandoners"]

    assert result.stale is stale
    assert result.codes == (("STALE_SOURCE",) if stale else ())
    assert result.members == 1
    assert bool(result.notes) is stale


def test_the_allowed_lag_is_a_setting() -> None:
    shop = reaching({"shop": timedelta(0)}, {"shop": 2 * HOUR})

    result = run_segments(shop, [ABANDONERS], max_lag=3 * HOUR)["cart-abandoners"]

    assert not result.stale


@pytest.mark.parametrize(
    "wrong",
    [{"min_age": "7d"}, {"min_age": "8d"}, {"min_value": -1}, {"max_age": "0s"}, {"max_age": "2y"}, {"age": "1h"}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        defined(CartAbandoners, **wrong)


Cart = tuple[int, int, int, int, bool]
CARTS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 200), st.integers(0, 200), st.integers(0, 3), st.booleans()),
    max_size=12,
)
ORDERS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 200), st.booleans()), max_size=6)


def by_hand(carts: Iterable[Cart], orders: Iterable[tuple[int, int, bool]]) -> list[int]:
    """Find the abandoners without SQL; ages are in hours."""
    latest: dict[int, tuple[Any, ...]] = {}
    for number, (person, begun, changed, value, completed) in enumerate(carts):
        last_change = min(begun, changed)
        rank = (-last_change, -begun, f"c{number}")
        if person not in latest or rank > latest[person][0]:
            latest[person] = (rank, last_change, value, completed)
    bought = {(person, age) for person, age, counted in orders if counted}
    return sorted(
        person
        for person, (_rank, age, value, completed) in latest.items()
        if 1 <= age < 168 and value > 0 and not completed and not any(p == person and a < age for p, a in bought)
    )


@settings(max_examples=40, deadline=None)
@given(CARTS, ORDERS)
def test_members_equal_a_calculation_by_hand(carts: list[Cart], orders: list[tuple[int, int, bool]]) -> None:
    shop = Shop(people=range(1, 5))
    for person, begun, changed, value, completed in carts:
        last_change = AS_OF - min(begun, changed) * HOUR
        done = last_change if completed else None
        shop.cart(person, begun * HOUR, value, updated_at=last_change, completed_at=done)
    for person, age, counted in orders:
        shop.order(person, age * HOUR, 10, status="paid" if counted else "failed")

    assert members(shop, ABANDONERS) == by_hand(carts, orders)
