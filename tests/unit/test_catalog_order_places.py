"""Where people last had something sent, and when they last bought: as the rebuild kept it, or from the orders."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.catalog_shop import NOW, Shop, days
from tests.catalog_shop import order as any_order

QUERY = "select person_id, last_bought_at, country, region from order_places order by person_id"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def order(number: str, ago: float, **columns: Any) -> dict[str, Any]:
    return any_order(number, ago, customer_id="1", **columns)


def naive(ago: float) -> datetime:
    return days(ago).replace(tzinfo=None)


def fill(shop: Shop) -> None:
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}],
            "orders": [
                order("1", 30, country="SE", region="AB"),
                order("2", 20, country="US", region="CA"),
                order("3", 10),
                order("4", 5, country="NO", status="cancelled"),
            ],
        }
    )


def test_the_latest_order_that_names_a_country_tells_where_a_person_lives(shop: Shop) -> None:
    fill(shop)

    assert shop.ask(QUERY) == [(1, naive(10), "NO", None)]


def test_an_earlier_instant_knows_nothing_of_later_orders(shop: Shop) -> None:
    fill(shop)

    assert shop.ask(QUERY, as_of=days(15)) == [(1, naive(20), "US", "CA")]
    assert shop.ask(QUERY, as_of=days(25)) == [(1, naive(30), "SE", "AB")]


def test_an_order_dated_in_the_future_counts_only_when_its_time_has_come(shop: Shop) -> None:
    fill(shop)
    shop.load({"orders": [order("9", -3, country="DE")]})

    assert shop.ask(QUERY, as_of=NOW) == [(1, naive(10), "NO", None)]
    assert shop.ask(QUERY, as_of=days(-4)) == [(1, naive(-3), "DE", None)]


def test_a_shop_without_orders_has_no_such_places(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}]})

    assert shop.ask(QUERY) == []
