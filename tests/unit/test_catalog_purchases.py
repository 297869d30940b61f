"""Counted orders of persons, kept narrow and together: the rows of ``orders``, as of any instant."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.catalog_shop import NOW, Shop, days
from tests.catalog_shop import order as any_order

PURCHASES = "select person_id, placed_at, net, discount, discounted from purchases order by all"
SAME = """
select person_id, placed_at, net, discount, discounted from orders
where counted and person_id is not null order by all
"""
TOTALS = """
select orders, spend, first_order_at, last_order_at, full_price_orders, first_net, least_net
from order_totals order by person_id
"""
GAPS = "select person_id, median_days, same_day from order_gaps"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def order(number: str, ago: float, **columns: Any) -> dict[str, Any]:
    return any_order(number, ago, 100, **({"customer_id": "1"} | columns))


def naive(ago: float) -> datetime:
    return days(ago).replace(tzinfo=None)


def fill(shop: Shop) -> None:
    shop.load(
        {
            "orders": [
                order("1", 30, discount="5", refunded="20"),
                order("2", 20, customer_id="2"),
                order("3", 10),
                order("4", 5, status="cancelled"),
                order("5", 4, customer_id=None),
                order("6", -3, discount_codes="X"),
            ]
        }
    )


@pytest.mark.parametrize("ago", [-4, -3, -2, 0, 10, 15, 40])
def test_purchases_are_the_counted_orders_of_persons_at_any_instant(shop: Shop, ago: float) -> None:
    fill(shop)

    assert shop.ask(PURCHASES, as_of=days(ago)) == shop.ask(SAME, as_of=days(ago))


def test_purchases_are_written_anew_with_every_change(shop: Shop) -> None:
    fill(shop)
    assert len(shop.ask(PURCHASES, as_of=NOW)) == 3

    shop.load({"orders": [order("3", 10, status="cancelled"), order("7", 1)]})

    assert shop.ask(PURCHASES, as_of=NOW) == shop.ask(SAME, as_of=NOW)
    assert naive(1) in [row[1] for row in shop.ask(PURCHASES, as_of=NOW)]


def test_totals_know_nothing_of_later_orders_whether_kept_or_computed(shop: Shop) -> None:
    fill(shop)
    first = (1, 80, naive(30), naive(30), 0, 80, 80)
    other = (1, 100, naive(20), naive(20), 1, 100, 100)

    assert shop.ask(TOTALS, as_of=days(25)) == [first]
    assert shop.ask(TOTALS, as_of=NOW) == [(2, 180, naive(30), naive(10), 1, 80, 80), other]
    assert shop.ask(TOTALS, as_of=days(-4)) == [(3, 280, naive(30), naive(-3), 1, 80, 80), other]
    assert shop.ask(TOTALS, as_of=days(-3)) == shop.ask(TOTALS, as_of=days(-4))


def test_gaps_know_nothing_of_later_orders_whether_kept_or_computed(shop: Shop) -> None:
    fill(shop)
    (person,) = {row[0] for row in shop.ask(GAPS, as_of=NOW)}

    assert shop.ask(GAPS, as_of=days(15)) == []
    assert shop.ask(GAPS, as_of=NOW) == [(person, 20.0, False)]
    assert shop.ask(GAPS, as_of=days(-3)) == [(person, 16.5, False)]
    assert shop.ask(GAPS, as_of=days(-4)) == shop.ask(GAPS, as_of=days(-3))


@pytest.mark.parametrize(("ago", "together"), [(10.3, True), (10.6, False)])
def test_two_orders_are_on_one_day_by_the_day_in_utc(shop: Shop, ago: float, together: bool) -> None:
    shop.load({"orders": [order("1", 10.4), order("2", ago), order("3", 20)]})

    assert (days(ago).date() == days(10.4).date()) == together
    assert shop.ask("select same_day from order_gaps") == [(together,)]


def test_a_shop_without_orders_has_no_purchases(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}]})

    assert (shop.ask(PURCHASES), shop.ask(TOTALS)) == ([], [])
